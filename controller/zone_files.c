#include "zone_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

void zone_files_init(struct zone_files *files, const char *folder)
{
    if (!folder)
        folder = getenv(ZONE_FILES_VARIABLE);
    if (!folder || !folder[0])
        folder = ZONE_FILES_FOLDER;
    *files = (struct zone_files){.folder = folder};
}

void zone_files_dispose(struct zone_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        zone_free(files->files[i].zone);
    free(files->files);
    *files = (struct zone_files){0};
}

/* --- names ----------------------------------------------------------------------------------- */

static bool is_alphanumeric(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(struct text name)
{
    if (name.length == 0 || name.length > ZONE_NAME_MAXIMUM)
        return false;
    char before = '/';
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool inside = c == '_' || c == '+' || c == '-' || c == '/';
        if (!is_alphanumeric(c) && !(inside && before != '/'))
            return false;
        before = c;
    }
    return before != '/';
}

/* What is below the folder and not the same everywhere, or counts leap seconds. */
static bool is_local_matter(struct text name)
{
    static const char *const names[] = {"localtime", "posixrules", "Factory"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_is(name, names[i]))
            return true;
    return text_starts_with(name, TEXT("right/")) || text_starts_with(name, TEXT("posix/"));
}

static enum status check_name(struct text name, struct error *error)
{
    /* A name that is none may hold anything, so it is not repeated. */
    if (!is_name(name))
        return error_set(error, STATUS_INVALID,
                         "time zone is no name of the IANA database: write one as "
                         "\"Europe/Berlin\" or \"UTC\"");
    if (is_local_matter(name))
        return error_set(error, STATUS_INVALID,
                         "time zone '%.*s' depends on the machine: write one as "
                         "\"Europe/Berlin\" or \"UTC\"",
                         (int)name.length, name.data);
    return STATUS_OK;
}

/* --- files ----------------------------------------------------------------------------------- */

static enum status failed(const char *name, int why, struct error *error)
{
    if (why == ENOENT || why == ENOTDIR || why == EISDIR)
        return error_set(error, STATUS_NOT_FOUND,
                         "time zone '%s' is not known here: mend the name, or install the package "
                         "tzdata",
                         name);
    return error_set(error, STATUS_SYSTEM, "time zone '%s' cannot be read: %s", name,
                     strerror(why));
}

/* Reads up to `size` bytes; -1 with errno. */
static ssize_t read_up_to(int file, char *bytes, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(file, bytes + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static enum status read_bytes(const char *name, int file, struct zone **out, struct error *error)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return failed(name, errno, error);
    if (!S_ISREG(about.st_mode))
        return failed(name, EISDIR, error);
    size_t size = ZONE_FILE_MAXIMUM + 1; /* zone_read() says what is too long */
    char *bytes = malloc(size);
    if (!bytes)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    ssize_t length = read_up_to(file, bytes, size);
    enum status status;
    struct error why = {0};
    if (length < 0) {
        status = failed(name, errno, error);
    } else {
        status = zone_read((struct text){bytes, (size_t)length}, out, &why);
        if (status != STATUS_OK)
            error_set(error, status, "time zone '%s': %.150s", name, why.message);
    }
    free(bytes);
    return status;
}

static enum status read_zone(const struct zone_files *files, const char *name, struct zone **out,
                             struct error *error)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", files->folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return failed(name, ENAMETOOLONG, error);
    /* Whatever stands there, nobody waits for it. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return failed(name, errno, error);
    enum status status = read_bytes(name, file, out, error);
    close(file);
    return status;
}

/* --- the set --------------------------------------------------------------------------------- */

/* Where the name stands or belongs. */
static size_t place_of(const struct zone_files *files, struct text name, bool *found)
{
    size_t low = 0, high = files->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(text_of(files->files[middle].name), name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum status make_room(struct zone_files *files, struct error *error)
{
    if (files->count < files->size)
        return STATUS_OK;
    if (files->count >= ZONE_FILES_MAXIMUM)
        return error_set(error, STATUS_LIMIT, "more than %d time zones are in use",
                         ZONE_FILES_MAXIMUM);
    size_t size = files->size ? files->size * 2 : 8;
    struct zone_file *more = realloc(files->files, size * sizeof *more);
    if (!more)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    files->files = more;
    files->size = size;
    return STATUS_OK;
}

static enum status add(struct zone_files *files, struct text name, size_t at,
                       const struct zone **out, struct error *error)
{
    struct zone_file file = {.zone = NULL};
    memcpy(file.name, name.data, name.length); /* checked by is_name() */
    enum status status = make_room(files, error);
    if (status == STATUS_OK)
        status = read_zone(files, file.name, &file.zone, error);
    if (status != STATUS_OK)
        return status;
    memmove(files->files + at + 1, files->files + at, (files->count - at) * sizeof file);
    files->files[at] = file;
    files->count++;
    *out = file.zone;
    return STATUS_OK;
}

enum status zone_files_find(struct zone_files *files, struct text name, const struct zone **out,
                            struct error *error)
{
    bool found;
    *out = NULL;
    if (text_is(name, "UTC") || text_is(name, "Etc/UTC")) {
        *out = zone_utc();
        return STATUS_OK;
    }
    enum status status = check_name(name, error);
    if (status != STATUS_OK)
        return status;
    size_t at = place_of(files, name, &found);
    if (!found)
        return add(files, name, at, out, error);
    *out = files->files[at].zone;
    return STATUS_OK;
}
