/* What a file target wrote: FILE and FILE.meta.json beside it.
 *
 * The target writes the document first, then its meta. In between they do not fit one another: that
 * is not served, and looked at again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../rules/json.h"
#include "source.h"

#define META_SUFFIX ".meta.json"
#define META_MAXIMUM ((size_t)64 << 10)
#define DOCUMENT_MAXIMUM ((size_t)256 << 20)

struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct file_source {
    struct source_parts parts;
    char *path, *meta;
    struct stamp stamps[2]; /* of document and meta, just before they were last read */
    bool whole;             /* they were, and fitted */
};

static void file_source_close(void *state)
{
    struct file_source *source = state;
    if (!source)
        return;
    free(source->path);
    free(source->meta);
    free(source);
}

static enum status file_source_open(const struct source_parts *parts, void **out,
                                    struct error *error)
{
    *out = NULL;
    if (parts->environment_count > 1)
        return error_set(error, STATUS_INVALID, "a file is of one environment");
    struct file_source *source = calloc(1, sizeof *source);
    size_t size = strlen(parts->from) + sizeof META_SUFFIX;
    if (source) {
        source->parts = *parts;
        source->path = strdup(parts->from);
        source->meta = malloc(size);
    }
    if (!source || !source->path || !source->meta) {
        file_source_close(source);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    snprintf(source->meta, size, "%s" META_SUFFIX, parts->from);
    *out = source;
    return STATUS_OK;
}

/* --- reading --------------------------------------------------------------------------------- */

static struct stamp stamp_of(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return (struct stamp){0};
    return (struct stamp){about.st_dev, about.st_ino, about.st_size, about.st_ctim};
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static enum status read_bytes(int file, size_t length, struct buffer *out)
{
    char *room = buffer_reserve(out, length + 1);
    if (!room)
        return STATUS_NO_MEMORY;
    while (length) {
        ssize_t got = read(file, room, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_SYSTEM;
        if (got == 0)
            break;
        room += got;
        length -= (size_t)got;
        out->length += (size_t)got;
    }
    return STATUS_OK;
}

static enum status read_whole(const char *path, size_t maximum, struct buffer *out,
                              struct error *error)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return error_set(error, STATUS_SYSTEM, "cannot open '%.150s': %m", path);
    enum status status = STATUS_OK;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        status = error_set(error, STATUS_INVALID, "'%.150s' is no regular file", path);
    else if (about.st_size < 0 || (uint64_t)about.st_size > maximum)
        status = error_set(error, STATUS_LIMIT, "'%.150s' is larger than %zu bytes", path, maximum);
    else if ((status = read_bytes(file, (size_t)about.st_size, out)) != STATUS_OK)
        status = error_set(error, status, "cannot read '%.150s': %m", path);
    close(file);
    return status;
}

/* --- looking --------------------------------------------------------------------------------- */

static enum status read_snapshot(struct file_source *source, const struct node *root,
                                 const struct snapshot *held, struct seen *seen,
                                 struct error *error)
{
    struct source_meta meta = {.commit = node_get_string(root, "commit"),
                               .generation = node_get_string(root, "generation"),
                               .digest = node_get_string(root, "digest")};
    struct buffer bytes;
    enum status status = source_environment(&source->parts, node_get_string(root, "environment"),
                                            &meta.environment, error);
    if (status == STATUS_OK && meta.digest.length == 0)
        status = error_set(error, STATUS_INVALID, "'%.150s' names no digest", source->meta);
    if (status == STATUS_OK)
        status = source_begin(&meta, 1, source->parts.clock, &seen->snapshot, error);
    if (status != STATUS_OK)
        return status;
    /* The document is read always: somebody else may have written it. */
    struct document *document = NULL;
    buffer_init(&bytes, DOCUMENT_MAXIMUM + 1);
    status = read_whole(source->path, DOCUMENT_MAXIMUM, &bytes, error);
    if (status == STATUS_OK)
        status = source_read_document(buffer_text(&bytes), meta.digest, &document, error);
    buffer_dispose(&bytes);
    if (status != STATUS_OK)
        return status;
    struct document *same = source_held(held, meta.environment, meta.digest);
    if (same)
        document_release(document);
    status = snapshot_fill(seen->snapshot, 0, meta.environment, same ? same : document);
    return status == STATUS_OK ? status : error_set(error, status, "no memory for a snapshot");
}

static enum status look_anew(struct file_source *source, const struct snapshot *held,
                             struct seen *seen, struct error *error)
{
    const struct json_limits limits = {META_MAXIMUM, 4, 64, true, false};
    struct buffer bytes;
    struct arena arena;
    struct error why = {0};
    const struct node *root = NULL;
    buffer_init(&bytes, META_MAXIMUM + 1);
    arena_init(&arena, (size_t)1 << 20);
    enum status status = read_whole(source->meta, META_MAXIMUM, &bytes, error);
    if (status == STATUS_OK &&
        json_read(&arena, buffer_text(&bytes), limits, &root, &why) != STATUS_OK)
        status = error_set(error, STATUS_INVALID, "'%.120s': %.100s", source->meta, why.message);
    if (status == STATUS_OK)
        status = read_snapshot(source, root, held, seen, error);
    arena_dispose(&arena);
    buffer_dispose(&bytes);
    if (status != STATUS_OK) {
        snapshot_release(seen->snapshot);
        seen->snapshot = NULL;
    }
    return status;
}

static bool file_source_stirs(void *state)
{
    const struct file_source *source = state;
    const struct stamp document = stamp_of(source->path), meta = stamp_of(source->meta);
    return !stamp_equal(&document, &source->stamps[0]) || !stamp_equal(&meta, &source->stamps[1]);
}

/* Files that nobody has touched since they were read are not read again. */
static enum status file_source_look(void *state, const struct snapshot *held, struct seen *seen,
                                    struct error *error)
{
    struct file_source *source = state;
    *seen = (struct seen){0};
    if (held && !held->from_disk && source->whole && !file_source_stirs(source))
        return STATUS_OK;
    source->stamps[0] = stamp_of(source->path);
    source->stamps[1] = stamp_of(source->meta);
    enum status status = look_anew(source, held, seen, error);
    source->whole = status == STATUS_OK;
    return status;
}

const struct source_driver source_file = {
    .name = "file",
    .open = file_source_open,
    .look = file_source_look,
    .stirs = file_source_stirs,
    .close = file_source_close,
};
