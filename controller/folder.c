#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rules/codes.h"
#include "../rules/yaml.h"

struct reading {
    struct bundle *bundle;
    struct diagnostics *diagnostics;
    struct buffer path;  /* of the folder that is being read, then of the entry */
    struct buffer bytes; /* of one file at a time */
};

/* The names in a folder. */
struct names {
    struct arena arena;
    const char **items;
    size_t count, size;
};

static void note_unreadable(struct reading *reading, int number)
{
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, reading->path.length ? buffer_text(&reading->path) : TEXT("."));
    if (shown.failed)
        reading->diagnostics->failed = STATUS_NO_MEMORY;
    else
        diagnostics_add(
            reading->diagnostics, CODE_UNREADABLE, (struct place){buffer_text(&shown), 0, 0},
            "let the user that runs weir read it", "cannot be read: %s", strerror(number));
    buffer_dispose(&shown);
}

/* Reads to the end or to one byte past `most`. False sets errno. */
static bool read_all(int descriptor, size_t most, struct buffer *out)
{
    buffer_clear(out);
    while (out->length <= most) {
        size_t room = most + 1 - out->length;
        if (room > ((size_t)64 << 10))
            room = (size_t)64 << 10;
        char *at = buffer_reserve(out, room);
        if (!at) {
            errno = ENOMEM;
            return false;
        }
        ssize_t got = read(descriptor, at, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            return true;
        out->length += (size_t)got;
    }
    return true;
}

/* --- one folder's names, sorted -------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status names_add(struct names *names, const char *name)
{
    struct text copy;
    if (names->count == names->size) {
        size_t size = names->size ? names->size * 2 : 32;
        const char **items = reallocarray(names->items, size, sizeof *items);
        if (!items)
            return STATUS_NO_MEMORY;
        names->items = items;
        names->size = size;
    }
    if (!arena_copy(&names->arena, text_of(name), &copy))
        return STATUS_NO_MEMORY;
    names->items[names->count++] = copy.data;
    return STATUS_OK;
}

static enum status names_read(struct names *names, DIR *folder, struct bundle *bundle, int *number)
{
    enum status status = STATUS_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == STATUS_OK && (entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            status = bundle_enter(bundle);
            if (status == STATUS_OK)
                status = names_add(names, entry->d_name);
        }
        errno = 0;
    }
    *number = errno;
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, by_name);
    return status;
}

static void names_dispose(struct names *names)
{
    arena_dispose(&names->arena);
    free(names->items);
}

/* --- the tree -------------------------------------------------------------------------------- */

static enum status read_file(struct reading *reading, int parent, const char *name)
{
    struct text path = buffer_text(&reading->path);
    struct stat found;
    int file = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 || fstat(file, &found) != 0) {
        /* Gone since the folder was listed, as an editor's temporary file is: never there. */
        if (errno != ENOENT && bundle_interest(path) != BUNDLE_IGNORE)
            note_unreadable(reading, errno);
        if (file >= 0)
            close(file);
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (!S_ISREG(found.st_mode))
        bundle_note(reading->diagnostics, path, BUNDLE_SPECIAL);
    else if (!read_all(file, BUNDLE_MAX_LOOK, &reading->bytes))
        note_unreadable(reading, errno);
    else
        status =
            bundle_take(reading->bundle, path, buffer_text(&reading->bytes), reading->diagnostics);
    close(file);
    return status;
}

static enum status read_folder(struct reading *reading, int folder, unsigned depth);

static enum status enter_folder(struct reading *reading, int parent, const char *name,
                                unsigned depth)
{
    struct text path = buffer_text(&reading->path);
    struct stat ignored;
    if (!bundle_is_folder_read(path))
        return STATUS_OK;
    if (depth >= BUNDLE_MAX_DEPTH) {
        bundle_note(reading->diagnostics, path, BUNDLE_DEEP);
        return STATUS_OK;
    }
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        if (errno != ENOENT)
            note_unreadable(reading, errno);
        return STATUS_OK;
    }
    if (fstatat(folder, ".git", &ignored, AT_SYMLINK_NOFOLLOW) == 0) {
        bundle_note(reading->diagnostics, path, BUNDLE_SUBMODULE);
        close(folder);
        return STATUS_OK;
    }
    return read_folder(reading, folder, depth + 1);
}

static enum status read_entry(struct reading *reading, int parent, const char *name, unsigned depth)
{
    struct text path = buffer_text(&reading->path);
    struct stat found;
    if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            note_unreadable(reading, errno);
        return STATUS_OK;
    }
    if (S_ISDIR(found.st_mode))
        return enter_folder(reading, parent, name, depth);
    if (S_ISLNK(found.st_mode))
        bundle_note(reading->diagnostics, path, BUNDLE_LINK);
    else if (!S_ISREG(found.st_mode))
        bundle_note(reading->diagnostics, path, BUNDLE_SPECIAL);
    else if (bundle_wants(path, (uint64_t)found.st_size, reading->diagnostics))
        return read_file(reading, parent, name);
    return STATUS_OK;
}

static enum status read_entries(struct reading *reading, const struct names *names, int folder,
                                unsigned depth)
{
    enum status status = STATUS_OK;
    size_t length = reading->path.length;
    for (size_t i = 0; i < names->count && status == STATUS_OK; i++) {
        if (length)
            buffer_append_char(&reading->path, '/');
        buffer_append_string(&reading->path, names->items[i]);
        status = reading->path.failed ? STATUS_NO_MEMORY
                                      : read_entry(reading, folder, names->items[i], depth);
        reading->path.length = length;
    }
    return status;
}

/* Git has no entry for the repository itself. */
static size_t count_tracked(const struct names *names)
{
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++)
        count += strcmp(names->items[i], ".git") != 0;
    return count;
}

/* Takes over the descriptor. At most BUNDLE_MAX_DEPTH deep. */
static enum status read_folder(struct reading *reading, int folder, unsigned depth)
{
    struct names names = {0};
    int number = 0;
    DIR *listing = fdopendir(folder);
    if (!listing) {
        note_unreadable(reading, errno);
        close(folder);
        return STATUS_OK;
    }
    arena_init(&names.arena, 0);
    enum status status = names_read(&names, listing, reading->bundle, &number);
    if (number)
        note_unreadable(reading, number);
    bundle_note_folder(reading->diagnostics, buffer_text(&reading->path), count_tracked(&names));
    if (status == STATUS_OK)
        status = read_entries(reading, &names, dirfd(listing), depth);
    names_dispose(&names);
    closedir(listing);
    return status;
}

/* --- what the caller named ------------------------------------------------------------------- */

static enum status read_single(struct reading *reading, int file, const char *path,
                               struct error *error)
{
    if (!read_all(file, YAML_MAX_BYTES, &reading->bytes))
        return error_set(error, errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM,
                         "\"%s\" cannot be read: %s", path, strerror(errno));
    if (reading->bytes.length > YAML_MAX_BYTES) {
        diagnostics_add(reading->diagnostics, CODE_FILE_SIZE, (struct place){text_of(path), 0, 0},
                        "split it into several files", "file has more than %zu bytes",
                        YAML_MAX_BYTES);
        return STATUS_OK;
    }
    enum status status = bundle_add(reading->bundle, text_of(path), buffer_text(&reading->bytes));
    return status ? error_set(error, status, "no memory to read \"%s\"", path) : STATUS_OK;
}

enum status folder_read(const char *path, struct bundle *bundle, struct diagnostics *diagnostics,
                        struct error *error)
{
    struct reading reading = {.bundle = bundle, .diagnostics = diagnostics};
    struct stat found;
    enum status status;
    int top = open(path, O_RDONLY | O_CLOEXEC);
    if (top < 0)
        return error_set(error, STATUS_SYSTEM, "\"%s\" cannot be read: %s", path, strerror(errno));
    if (fstat(top, &found) != 0) {
        status =
            error_set(error, STATUS_SYSTEM, "\"%s\" cannot be read: %s", path, strerror(errno));
        close(top);
        return status;
    }
    buffer_init(&reading.path, 0);
    buffer_init(&reading.bytes, 0);
    if (S_ISDIR(found.st_mode)) {
        status = read_folder(&reading, top, 0);
        if (status == STATUS_LIMIT) {
            bundle_overflow(bundle, diagnostics);
            status = STATUS_OK;
        }
    } else {
        status = read_single(&reading, top, path, error);
        close(top);
    }
    if (status == STATUS_OK && diagnostics->failed)
        status = diagnostics->failed;
    if (status == STATUS_NO_MEMORY)
        error_set(error, status, "no memory to read \"%s\"", path);
    bundle_sort(bundle);
    buffer_dispose(&reading.bytes);
    buffer_dispose(&reading.path);
    return status;
}
