#include "write_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_DIGITS 16
#define ATTEMPTS 8 /* at a name that nobody else has taken */

static enum status fail(struct error *error, const char *action, const char *name)
{
    return error_set(error, STATUS_SYSTEM, "cannot %s '%.100s': %m", action, name);
}

static int open_temporary(int folder, const char *name, const struct clock *clock, char *temporary,
                          size_t size)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        int length = snprintf(temporary, size, ".%s.tmp.%0*" PRIx64, name, SUFFIX_DIGITS,
                              clock->random(clock->self));
        if (length < 0 || (size_t)length >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int file =
            openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

bool write_all(int file, struct text bytes)
{
    while (bytes.length) {
        ssize_t written = write(file, bytes.data, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes.data += written;
        bytes.length -= (size_t)written;
    }
    return true;
}

enum status write_file_mode(int folder, const char *name, struct text bytes, unsigned mode,
                            const struct clock *clock, struct error *error)
{
    char temporary[NAME_MAX + 1];
    int file = open_temporary(folder, name, clock, temporary, sizeof temporary);
    if (file < 0)
        return fail(error, "make a file beside", name);
    enum status status = STATUS_OK;
    if (!write_all(file, bytes) || fchmod(file, mode) != 0 || fsync(file) != 0)
        status = fail(error, "write", name);
    if (close(file) != 0 && status == STATUS_OK)
        status = fail(error, "write", name);
    if (status == STATUS_OK && renameat(folder, temporary, folder, name) != 0)
        status = fail(error, "replace", name);
    if (status != STATUS_OK) {
        unlinkat(folder, temporary, 0); /* what stays is swept by the next push */
        return status;
    }
    if (fsync(folder) != 0)
        return fail(error, "sync the folder of", name);
    return STATUS_OK;
}

enum status write_file(int folder, const char *name, struct text bytes, const struct clock *clock,
                       struct error *error)
{
    return write_file_mode(folder, name, bytes, 0644, clock, error);
}

static bool is_leftover(const char *entry, const char *name)
{
    size_t length = strlen(name);
    static const char middle[] = ".tmp.";
    if (entry[0] != '.' || strncmp(entry + 1, name, length) != 0 ||
        strncmp(entry + 1 + length, middle, sizeof middle - 1) != 0)
        return false;
    const char *suffix = entry + 1 + length + sizeof middle - 1;
    return strlen(suffix) == SUFFIX_DIGITS && strspn(suffix, "0123456789abcdef") == SUFFIX_DIGITS;
}

enum status write_file_sweep(int folder, const char *name, struct error *error)
{
    /* A descriptor of its own: fdopendir() takes it over, and reading moves its position. */
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    if (!entries) {
        enum status status = fail(error, "list the folder of", name);
        if (copy >= 0)
            close(copy);
        return status;
    }
    enum status status = STATUS_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (!entry) {
            if (errno != 0)
                status = fail(error, "list the folder of", name);
            break;
        }
        if (is_leftover(entry->d_name, name) && unlinkat(folder, entry->d_name, 0) != 0 &&
            errno != ENOENT) {
            status = fail(error, "remove", entry->d_name);
            break;
        }
    }
    closedir(entries);
    return status;
}
