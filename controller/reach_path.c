/* Which files definitions may write: below the allowed folders, never through a link. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rules/buffer.h"
#include "reach.h"

#define PATH_LENGTH_MAXIMUM ((size_t)PATH_MAX - 1)
#define PART_LENGTH_MAXIMUM ((size_t)NAME_MAX)

/* Where a path leads: an allowed folder, and the parts below it. */
struct route {
    const char *folder; /* borrowed from the reach */
    bool is_base;
    struct buffer path; /* the whole path, plain; owned */
    struct text rest;   /* of `path`, below the folder: "a/b/flags.json" */
};

static enum status refuse(struct error *error, struct text path, const char *why)
{
    return error_set(error, STATUS_REFUSED, "path '%.*s' %s", (int)path.length, path.data, why);
}

/* Cuts the next part off *rest; false at the end. Empty parts and "." are passed over. */
static bool next_part(struct text *rest, struct text *part)
{
    while (rest->length) {
        const char *slash = memchr(rest->data, '/', rest->length);
        size_t length = slash ? (size_t)(slash - rest->data) : rest->length;
        size_t used = slash ? length + 1 : length;
        *part = (struct text){rest->data, length};
        rest->data += used;
        rest->length -= used;
        if (length && !text_is(*part, "."))
            return true;
    }
    return false;
}

/* "/a//b/./c/" → "/a/b/c": so that two spellings of one path compare equal. "/" becomes "". */
static void append_plain(struct buffer *out, struct text path)
{
    struct text part;
    bool separate = path.length && path.data[0] == '/';
    while (next_part(&path, &part)) {
        if (separate || out->length)
            buffer_append_char(out, '/');
        buffer_append_text(out, part);
    }
}

static enum status check_spelling(struct text path, struct error *error)
{
    if (path.length == 0)
        return error_set(error, STATUS_REFUSED, "path is empty: name a file");
    if (path.length > PATH_LENGTH_MAXIMUM)
        return error_set(error, STATUS_REFUSED, "path is longer than %zu bytes",
                         PATH_LENGTH_MAXIMUM);
    for (size_t i = 0; i < path.length; i++)
        if ((unsigned char)path.data[i] < 0x20 || path.data[i] == 0x7f)
            return error_set(error, STATUS_REFUSED, "path holds a control character, at byte %zu",
                             i + 1);
    if (path.data[path.length - 1] == '/' || text_ends_with(path, TEXT("/.")) || text_is(path, "."))
        return refuse(error, path, "names a folder, not a file");
    struct text rest = path, part;
    while (next_part(&rest, &part)) {
        if (text_is(part, ".."))
            return refuse(error, path, "leads upwards by '..': write it without");
        if (part.length > PART_LENGTH_MAXIMUM)
            return error_set(error, STATUS_REFUSED, "path has a part longer than %zu bytes",
                             PART_LENGTH_MAXIMUM);
    }
    return STATUS_OK;
}

/* Takes `folder` when the path is below it and it is longer than what was found before. */
static enum status try_folder(struct route *route, const char *folder, bool is_base,
                              size_t *longest, struct text given, struct error *error)
{
    struct buffer plain;
    buffer_init(&plain, 0);
    append_plain(&plain, text_of(folder));
    enum status status = plain.failed;
    struct text whole = buffer_text(&route->path), prefix = buffer_text(&plain);
    if (status != STATUS_OK) {
        error_set(error, status, "out of memory");
    } else if (text_equal(whole, prefix)) {
        status = refuse(error, given, "is an allowed folder itself: name a file in it");
    } else if ((folder[0] == '/') == (whole.data[0] == '/') && text_starts_with(whole, prefix) &&
               (whole.data[prefix.length] == '/' || prefix.length == 0) &&
               (!route->folder || prefix.length > *longest)) {
        route->folder = folder;
        route->is_base = is_base;
        *longest = prefix.length;
    }
    buffer_dispose(&plain);
    return status;
}

/* Decides by the text of the path alone. The caller disposes of route->path. */
static enum status find_route(const struct reach *reach, struct text path, struct route *route,
                              struct error *error)
{
    *route = (struct route){0};
    buffer_init(&route->path, 0);
    enum status status = check_spelling(path, error);
    if (status != STATUS_OK)
        return status;
    if (path.data[0] != '/') {
        if (!reach->base)
            return refuse(error, path, "is relative, and there is no folder for targets");
        append_plain(&route->path, text_of(reach->base));
        if (route->path.length || reach->base[0] == '/')
            buffer_append_char(&route->path, '/');
    }
    append_plain(&route->path, path);
    if (route->path.failed)
        return error_set(error, route->path.failed, "out of memory");

    size_t longest = 0;
    if (reach->base)
        status = try_folder(route, reach->base, true, &longest, path, error);
    for (size_t i = 0; i < reach->path_count && status == STATUS_OK; i++)
        status = try_folder(route, reach->paths[i], false, &longest, path, error);
    if (status != STATUS_OK)
        return status;
    if (!route->folder)
        return refuse(
            error, path,
            "is outside the allowed folders: start weir with --allow-path for its folder");
    struct text whole = buffer_text(&route->path);
    size_t start = longest + (whole.data[longest] == '/');
    route->rest = (struct text){whole.data + start, whole.length - start};
    return STATUS_OK;
}

/* --- walking --------------------------------------------------------------------------------- */

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Where paths without a folder of their own go belongs to weir, so it is made where it is missing.
 * An allowed folder that is missing may be a disk that is not mounted: it is not made. */
static enum status make_base(const char *path, struct error *error)
{
    char copy[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof copy)
        return error_set(error, STATUS_SYSTEM, "folder for targets has no usable name");
    memcpy(copy, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (copy[i] != '/' && copy[i] != '\0')
            continue;
        copy[i] = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return error_set(error, STATUS_SYSTEM, "cannot make folder '%s': %m", copy);
        copy[i] = path[i];
    }
    return STATUS_OK;
}

static int open_allowed(const struct route *route, bool make, struct error *error)
{
    int folder = open(route->folder, FOLDER_FLAGS);
    if (folder < 0 && errno == ENOENT && make && route->is_base) {
        if (make_base(route->folder, error) != STATUS_OK)
            return -1;
        folder = open(route->folder, FOLDER_FLAGS);
    }
    if (folder < 0)
        error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                  "cannot open the allowed folder '%s': %m", route->folder);
    return folder;
}

/* Says why `name` could not be entered, by what it is: a link is refused, the rest may mend
 * itself. */
static void explain_part(int folder, const char *name, struct text path, int cause,
                         struct error *error)
{
    struct stat about;
    if (fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode)) {
        error_set(error, STATUS_REFUSED, "path '%.*s' goes through the symbolic link '%s'",
                  (int)path.length, path.data, name);
        return;
    }
    errno = cause;
    error_set(error, cause == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
              "path '%.*s': cannot open folder '%s': %m", (int)path.length, path.data, name);
}

/* Makes and opens one folder. The mode is set again since the umask may have narrowed it. */
static int make_part(int folder, const char *name)
{
    bool made = mkdirat(folder, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int next = openat(folder, name, FOLDER_FLAGS | O_NOFOLLOW);
    if (next >= 0 && made && (fchmod(next, 0755) != 0 || fsync(folder) != 0)) {
        int cause = errno;
        close(next);
        errno = cause;
        return -1;
    }
    return next;
}

/* Walks down to the folder of the last part. Takes over `folder`. */
static int walk(int folder, const struct route *route, bool make, struct text path, char name[256],
                struct error *error)
{
    struct text rest = route->rest, part;
    while (next_part(&rest, &part)) {
        memcpy(name, part.data, part.length); /* bounded by check_spelling() */
        name[part.length] = '\0';
        if (rest.length == 0)
            return folder;
        int next = openat(folder, name, FOLDER_FLAGS | O_NOFOLLOW);
        if (next < 0 && errno == ENOENT && make)
            next = make_part(folder, name);
        if (next < 0) {
            explain_part(folder, name, path, errno, error);
            break;
        }
        close(folder);
        folder = next;
    }
    close(folder);
    return -1;
}

static int open_route(const struct reach *reach, struct text path, bool make, char name[256],
                      struct error *error)
{
    struct route route;
    int folder = -1;
    if (find_route(reach, path, &route, error) == STATUS_OK) {
        folder = open_allowed(&route, make, error);
        if (folder >= 0)
            folder = walk(folder, &route, make, path, name, error);
    }
    buffer_dispose(&route.path);
    return folder;
}

int reach_open_folder(const struct reach *reach, struct text path, char name[256],
                      struct error *error)
{
    struct error local;
    if (!error)
        error = &local;
    int folder = open_route(reach, path, true, name, error);
    if (folder < 0 && error->status == STATUS_NOT_FOUND)
        error->status = STATUS_SYSTEM;
    return folder;
}

enum status reach_check_path(const struct reach *reach, struct text path, struct error *error)
{
    struct error local;
    if (!error)
        error = &local;
    char name[256];
    int folder = open_route(reach, path, false, name, error);
    if (folder >= 0)
        close(folder);
    /* What is only missing, or not readable now, is no matter of the definition. */
    else if (error->status == STATUS_REFUSED || error->status == STATUS_NO_MEMORY)
        return error->status;
    *error = (struct error){0};
    return STATUS_OK;
}
