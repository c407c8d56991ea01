/* A file target: the document at PATH and what it is at PATH.meta.json.
 *
 * The document is written first. Whoever dies in between leaves a meta of something older, so that
 * the next push writes both again. The folder is locked from reading the meta to writing it, so
 * that of two writers on one machine the older never comes last. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../rules/codes.h"
#include "../../rules/json.h"
#include "../rollout/override.h"
#include "../write_file.h"
#include "drivers.h"

#define META_SUFFIX ".meta.json"
#define META_MAXIMUM ((size_t)64 << 10)
/* Another writer holds the lock for as long as two files take; one that was frozen, for ever. */
#define LOCK_PATIENCE (5 * NANOSECONDS_PER_SECOND)
#define LOCK_NAP (5 * NANOSECONDS_PER_MILLISECOND)

/* What a file was when it was last seen whole: enough to know that nobody touched it since. */
struct stamp {
    bool known;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct file_target {
    const struct target_definition *definition;
    const struct reach *reach;
    const struct clock *clock;
    const char *code;
    struct stamp document;
    char digest[DIGEST_TEXT_SIZE]; /* of the document that the stamp is of */
};

/* One push, while it is under way. */
struct writing {
    struct file_target *target;
    const struct push *push;
    int folder;
    char name[256], meta_name[256 + sizeof META_SUFFIX];
    char digest[DIGEST_TEXT_SIZE], generation[GENERATION_TEXT_SIZE];
    struct buffer document; /* filled when first needed */
};

static void *file_open(const struct target_definition *definition, const struct reach *reach,
                       const struct clock *clock)
{
    struct file_target *target = calloc(1, sizeof *target);
    if (target) {
        target->definition = definition;
        target->reach = reach;
        target->clock = clock;
    }
    return target;
}

static void file_close(void *state)
{
    free(state);
}

static const char *file_code(const void *state)
{
    return ((const struct file_target *)state)->code;
}

/* --- what is there --------------------------------------------------------------------------- */

static struct stamp stamp_of(int folder, const char *name)
{
    struct stat about;
    if (fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
        return (struct stamp){0};
    return (struct stamp){true, about.st_dev, about.st_ino, about.st_size, about.st_ctim};
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->known && b->known && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Opens a regular file, or -1. Anything else in its place counts as nothing: it will be
 * replaced. */
static int open_regular(int folder, const char *name, off_t *size)
{
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    if (file < 0)
        return -1;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(file);
        return -1;
    }
    *size = about.st_size;
    return file;
}

/* Reads at most `size` bytes; how many, or -1. */
static ssize_t read_some(int file, char *out, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(file, out + length, size - length);
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

static bool holds_bytes(int folder, const char *name, struct text bytes)
{
    off_t size;
    int file = open_regular(folder, name, &size);
    bool equal = file >= 0 && (uint64_t)size == bytes.length;
    char piece[64 << 10];
    while (equal && bytes.length) {
        size_t wanted = bytes.length < sizeof piece ? bytes.length : sizeof piece;
        equal = read_some(file, piece, wanted) == (ssize_t)wanted &&
                memcmp(piece, bytes.data, wanted) == 0;
        bytes.data += wanted;
        bytes.length -= wanted;
    }
    if (file >= 0)
        close(file);
    return equal;
}

/* Appends what the meta file holds. False when there is none that can be read. */
static bool read_meta(const struct writing *writing, struct buffer *out)
{
    off_t size;
    int file = open_regular(writing->folder, writing->meta_name, &size);
    if (file < 0)
        return false;
    ssize_t got = -1;
    char *room = (uint64_t)size <= META_MAXIMUM ? buffer_reserve(out, META_MAXIMUM) : NULL;
    if (room)
        got = read_some(file, room, META_MAXIMUM);
    close(file);
    if (got <= 0)
        return false;
    out->length += (size_t)got;
    return true;
}

/* --- deciding -------------------------------------------------------------------------------- */

/* Refuses to replace what is newer. *same: the meta names this digest. A meta that makes no sense
 * says nothing. */
static enum status compare_meta(const struct writing *writing, struct text meta, bool *same,
                                struct error *error)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    const struct node *root = NULL;
    enum status status = STATUS_OK;
    struct generation held;
    struct json_limits limits = {
        .bytes = META_MAXIMUM, .depth = 4, .nodes = 64, .unique_keys = false};
    *same = false;
    if (json_read(&arena, meta, limits, &root, NULL) == STATUS_OK &&
        generation_parse(node_get_string(root, "generation"), &held)) {
        *same = text_is(node_get_string(root, "digest"), writing->digest);
        if (generation_compare(held, writing->push->snapshot->generation) > 0) {
            char where[104];
            snprintf(where, sizeof where, "'%.100s'", writing->target->definition->location);
            status = push_is_outrun(writing->push, held, where, error);
        }
    }
    arena_dispose(&arena);
    return status;
}

static bool document_bytes(struct writing *writing, struct text *bytes)
{
    if (writing->document.length == 0)
        document_write(writing->push->document, &writing->document);
    *bytes = buffer_text(&writing->document);
    return writing->document.failed == STATUS_OK;
}

/* True when the document in the file is the one of this push, byte for byte. */
static bool document_is_there(struct writing *writing, bool same_digest)
{
    struct file_target *target = writing->target;
    struct stamp now = stamp_of(writing->folder, writing->name);
    struct text bytes;
    if (!same_digest)
        return false;
    if (stamp_equal(&now, &target->document) && strcmp(target->digest, writing->digest) == 0)
        return true;
    return document_bytes(writing, &bytes) && holds_bytes(writing->folder, writing->name, bytes);
}

/* --- writing --------------------------------------------------------------------------------- */

static enum status write_document(struct writing *writing, struct error *error)
{
    struct text bytes;
    if (!document_bytes(writing, &bytes))
        return error_set(error, writing->document.failed,
                         "document for '%.100s' is too large for memory",
                         writing->target->definition->location);
    return write_file(writing->folder, writing->name, bytes, writing->target->clock, error);
}

static void write_meta_text(const struct writing *writing, struct buffer *out)
{
    buffer_append_string(out, "{\"commit\":");
    json_write_string(out, text_of(writing->push->snapshot->commit));
    buffer_append_string(out, ",\"digest\":");
    json_write_string(out, text_of(writing->digest));
    buffer_append_string(out, ",\"environment\":");
    json_write_string(out, text_of(writing->push->environment));
    buffer_append_string(out, ",\"generation\":");
    json_write_string(out, text_of(writing->generation));
    if (writing->push->overrides && writing->push->overrides->count) {
        buffer_append_string(out, ",\"overrides\":[");
        override_set_name(writing->push->overrides, '"', out);
        buffer_append_char(out, ']');
    }
    buffer_append_string(out, "}\n");
}

static enum status bring_up_to_date(struct writing *writing, const struct buffer *old,
                                    const struct buffer *new, bool same_digest, struct error *error)
{
    struct file_target *target = writing->target;
    enum status status = STATUS_OK;
    bool there = document_is_there(writing, same_digest);
    if (!there)
        status = write_document(writing, error);
    if (status == STATUS_OK && !(there && text_equal(buffer_text(old), buffer_text(new))))
        status =
            write_file(writing->folder, writing->meta_name, buffer_text(new), target->clock, error);
    if (status != STATUS_OK)
        return status;
    target->document = stamp_of(writing->folder, writing->name);
    memcpy(target->digest, writing->digest, sizeof target->digest);
    return STATUS_OK;
}

/* A file system that has no locks is used without. */
static enum status lock_folder(const struct writing *writing, struct error *error)
{
    const struct clock *clock = writing->target->clock;
    const _Atomic bool *stop = writing->push->stop;
    int64_t until = clock->monotonic(clock->self) + LOCK_PATIENCE;
    while (flock(writing->folder, LOCK_EX | LOCK_NB) != 0 &&
           (errno == EWOULDBLOCK || errno == EINTR)) {
        if (stop && atomic_load(stop))
            return error_set(error, STATUS_STOPPED, "was stopped");
        if (clock->monotonic(clock->self) > until)
            return error_set(error, STATUS_SYSTEM,
                             "the folder of '%.100s' is locked by another process, which does not "
                             "let go of it",
                             writing->target->definition->location);
        nanosleep(&(struct timespec){.tv_nsec = (long)LOCK_NAP}, NULL);
    }
    return STATUS_OK;
}

/* With the folder open: the lock, the check, the two files. */
static enum status write_both(struct writing *writing, struct error *error)
{
    struct buffer old, new;
    buffer_init(&old, META_MAXIMUM);
    buffer_init(&new, META_MAXIMUM);
    bool same_digest = false;
    enum status status = lock_folder(writing, error);
    if (status == STATUS_OK)
        status = write_file_sweep(writing->folder, writing->name, error);
    if (status == STATUS_OK)
        status = write_file_sweep(writing->folder, writing->meta_name, error);
    if (status == STATUS_OK && read_meta(writing, &old))
        status = compare_meta(writing, buffer_text(&old), &same_digest, error);
    if (status == STATUS_OK) {
        write_meta_text(writing, &new);
        status = new.failed ? error_set(error, new.failed, "out of memory")
                            : bring_up_to_date(writing, &old, &new, same_digest, error);
    }
    buffer_dispose(&old);
    buffer_dispose(&new);
    return status;
}

static enum status file_push(void *state, const struct push *push, struct error *error)
{
    struct file_target *target = state;
    struct writing writing = {.target = target, .push = push};
    struct text path = text_of(target->definition->location);
    target->code = NULL;
    writing.folder = reach_open_folder(target->reach, path, writing.name, error);
    if (writing.folder < 0) {
        if (error->status == STATUS_REFUSED)
            target->code = CODE_TARGET_PATH;
        return error->status;
    }
    enum status status;
    if (text_ends_with(text_of(writing.name), TEXT(META_SUFFIX))) {
        target->code = CODE_TARGET_PATH;
        status =
            error_set(error, STATUS_REFUSED,
                      "file name of '%.100s' ends in " META_SUFFIX ", which weir keeps for itself",
                      path.data);
    } else if (strlen(writing.name) + sizeof META_SUFFIX > WRITE_FILE_NAME_MAXIMUM) {
        target->code = CODE_TARGET_PATH;
        status = error_set(error, STATUS_REFUSED, "file name of '%.100s' is longer than %zu bytes",
                           path.data, WRITE_FILE_NAME_MAXIMUM - sizeof META_SUFFIX);
    } else {
        snprintf(writing.meta_name, sizeof writing.meta_name, "%s" META_SUFFIX, writing.name);
        document_digest_text(push->document, writing.digest);
        generation_format(push->snapshot->generation, writing.generation);
        buffer_init(&writing.document, 0);
        status = write_both(&writing, error);
        buffer_dispose(&writing.document);
    }
    close(writing.folder); /* gives the lock back too */
    return status;
}

const struct target_driver file_driver = {
    .type = TARGET_FILE,
    .name = "file",
    .open = file_open,
    .push = file_push,
    .code = file_code,
    .close = file_close,
};
