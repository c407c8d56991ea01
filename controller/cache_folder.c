#include "cache_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int cache_folder_open(const char *path)
{
    if (!path || (mkdir(path, 0755) != 0 && errno != EEXIST))
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool read_all(int file, struct buffer *out)
{
    for (;;) {
        char *room = buffer_reserve(out, 65536);
        if (!room)
            return false;
        ssize_t got = read(file, room, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        out->length += (size_t)got;
    }
}

bool cache_folder_read(int folder, const char *name, struct buffer *out)
{
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return false;
    bool good = read_all(file, out);
    close(file);
    return good;
}

void cache_folder_prune(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    char oldest[256] = "";
    struct timespec oldest_time = {0};
    size_t count = 0;
    if (!listing) {
        if (copy >= 0)
            close(copy);
        return;
    }
    while ((entry = readdir(listing))) {
        struct stat info;
        if (entry->d_name[0] == '.' || fstatat(folder, entry->d_name, &info, 0) != 0)
            continue;
        count++;
        if (!oldest[0] || info.st_mtim.tv_sec < oldest_time.tv_sec ||
            (info.st_mtim.tv_sec == oldest_time.tv_sec &&
             info.st_mtim.tv_nsec < oldest_time.tv_nsec)) {
            oldest_time = info.st_mtim;
            snprintf(oldest, sizeof oldest, "%s", entry->d_name);
        }
    }
    closedir(listing);
    if (count > CACHE_FILES_MOST)
        unlinkat(folder, oldest, 0);
}
