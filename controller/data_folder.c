#include "data_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status make_folder(const char *path, struct error *error)
{
    struct stat info;
    if (mkdir(path, 0755) == 0)
        return STATUS_OK;
    int why = errno;
    if (why == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return STATUS_OK;
    return error_set(error, STATUS_SYSTEM, "folder %s cannot be made: %s", path,
                     why == EEXIST ? "a file is in its place" : strerror(why));
}

enum status data_folder_take(struct data_folder *folder, const char *path, struct error *error)
{
    char lock[4200];
    folder->lock = -1;
    enum status status = make_folder(path, error);
    if (status != STATUS_OK)
        return status;
    snprintf(lock, sizeof lock, "%s/lock", path);
    folder->lock = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (folder->lock >= 0) {
        /* A new file is of now, when nothing has been fetched yet. */
        const struct timespec never[2] = {{0}, {0}};
        (void)futimens(folder->lock, never);
    } else if (errno == EEXIST) {
        folder->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    }
    if (folder->lock < 0)
        return error_set(error, STATUS_SYSTEM, "data folder %s is not writable: %s", path,
                         strerror(errno));
    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, STATUS_SYSTEM,
                         "data folder %s is in use by another weir: give each its own --data",
                         path);
    struct stat about;
    if (fstat(folder->lock, &about) == 0)
        atomic_store(&folder->last_success, (int64_t)about.st_mtim.tv_sec);
    return STATUS_OK;
}

void data_folder_note(struct data_folder *folder, int64_t seconds)
{
    struct timespec times[2] = {{.tv_sec = (time_t)seconds}, {.tv_sec = (time_t)seconds}};
    atomic_store(&folder->last_success, seconds);
    /* Where it fails, the state is only taken for older than it is after a restart. */
    (void)futimens(folder->lock, times);
}

void data_folder_release(struct data_folder *folder)
{
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}
