#include "state_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rules/json.h"
#include "log.h"
#include "threads.h"
#include "write_file.h"

#define META "state.json"
#define META_MAXIMUM ((size_t)1 << 20)
#define DOCUMENT_MAXIMUM ((size_t)1 << 30)
#define FORMAT 1
#define DIGEST_PREFIX "sha256:"
#define HEX_DIGITS ((size_t)2 * SHA256_DIGEST_SIZE)
#define FILE_NAME_SIZE (HEX_DIGITS + sizeof ".json")
#define ENVIRONMENT_NAME_MAXIMUM 253

static bool is_hex(struct text text, size_t length)
{
    for (size_t i = 0; i < text.length; i++)
        if (!memchr("0123456789abcdef", text.data[i], 16))
            return false;
    return text.length == length;
}

/* "sha256:…" to "….json". False: it is no digest. */
static bool name_document(struct text digest, char out[FILE_NAME_SIZE])
{
    if (!text_starts_with(digest, TEXT(DIGEST_PREFIX)))
        return false;
    digest.data += sizeof DIGEST_PREFIX - 1;
    digest.length -= sizeof DIGEST_PREFIX - 1;
    if (!is_hex(digest, HEX_DIGITS))
        return false;
    snprintf(out, FILE_NAME_SIZE, "%.*s.json", (int)digest.length, digest.data);
    return true;
}

static void append_checksum(struct buffer *out, struct text of)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, of.length, (const uint8_t *)of.data);
    sha256_digest(&context, sizeof digest, digest);
    buffer_append_string(out, DIGEST_PREFIX);
    buffer_append_hex(out, digest, sizeof digest);
    buffer_append_char(out, '\n');
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_meta_text(const struct snapshot *snapshot, struct buffer *out)
{
    char generation[GENERATION_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
    generation_format(snapshot->generation, generation);
    buffer_printf(out, "{\"commit\":\"%s\",\"environments\":[", snapshot->commit);
    for (size_t i = 0; i < snapshot->environment_count; i++) {
        document_digest_text(snapshot->environments[i].document, digest);
        buffer_printf(out, "%s{\"digest\":\"%s\",\"name\":", i ? "," : "", digest);
        json_write_string(out, snapshot->environments[i].name);
        buffer_append_char(out, '}');
    }
    buffer_printf(out, "],\"format\":%d,\"generation\":\"%s\",\"since\":%lld}\n", FORMAT,
                  generation, (long long)snapshot->since);
    if (!out->failed)
        append_checksum(out, buffer_text(out));
}

static bool is_there(int folder, const char *name)
{
    struct stat about;
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode) &&
           about.st_size > 0;
}

static enum status write_document(int folder, const struct document *document,
                                  const struct clock *clock, struct error *error)
{
    char digest[DIGEST_TEXT_SIZE], name[FILE_NAME_SIZE];
    struct buffer bytes;
    document_digest_text(document, digest);
    if (!name_document(text_of(digest), name) || is_there(folder, name))
        return STATUS_OK;
    buffer_init(&bytes, DOCUMENT_MAXIMUM);
    document_write(document, &bytes);
    enum status status = bytes.failed == STATUS_LIMIT
                             ? error_set(error, STATUS_LIMIT, "a document is larger than 1 GiB")
                         : bytes.failed
                             ? error_set(error, STATUS_NO_MEMORY, "no memory for a document")
                             : write_file(folder, name, buffer_text(&bytes), clock, error);
    buffer_dispose(&bytes);
    return status;
}

static bool is_named(const struct snapshot *snapshot, const char *name)
{
    char digest[DIGEST_TEXT_SIZE], kept[FILE_NAME_SIZE];
    for (size_t i = 0; i < snapshot->environment_count; i++) {
        document_digest_text(snapshot->environments[i].document, digest);
        if (name_document(text_of(digest), kept) && strcmp(kept, name) == 0)
            return true;
    }
    return false;
}

/* What this module once wrote: a document, or what a crash left of one or of the meta. */
static bool is_ours(const char *name)
{
    struct text text = text_of(name);
    if (name[0] == '.')
        return strstr(name, ".json.tmp.") != NULL;
    return text.length == FILE_NAME_SIZE - 1 && text_ends_with(text, TEXT(".json")) &&
           is_hex((struct text){name, HEX_DIGITS}, HEX_DIGITS);
}

/* What stays is only in the way: it is tried again with the next state. */
static void sweep(int folder, const struct snapshot *snapshot)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    if (!entries) {
        if (copy >= 0)
            close(copy);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)))
        if (is_ours(entry->d_name) && !is_named(snapshot, entry->d_name))
            (void)unlinkat(folder, entry->d_name, 0);
    closedir(entries);
}

enum status state_file_write(const char *folder, const struct snapshot *snapshot,
                             const struct clock *clock, struct error *error)
{
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return error_set(error, STATUS_SYSTEM, "cannot make the folder '%.150s': %m", folder);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set(error, STATUS_SYSTEM, "cannot open the folder '%.150s': %m", folder);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < snapshot->environment_count && status == STATUS_OK; i++)
        status = write_document(descriptor, snapshot->environments[i].document, clock, error);
    struct buffer meta;
    buffer_init(&meta, META_MAXIMUM);
    if (status == STATUS_OK) {
        write_meta_text(snapshot, &meta);
        status = meta.failed ? error_set(error, meta.failed, "too many environments, or no memory")
                             : write_file(descriptor, META, buffer_text(&meta), clock, error);
    }
    if (status == STATUS_OK)
        sweep(descriptor, snapshot);
    buffer_dispose(&meta);
    close(descriptor);
    return status;
}

/* --- reading --------------------------------------------------------------------------------- */

static enum status damaged(struct error *error, const char *name, const char *why)
{
    return error_set(error, STATUS_INVALID, "'%.80s' %s", name, why);
}

/* Appends a regular file of at most `maximum` bytes. */
static enum status read_whole(int folder, const char *name, size_t maximum, struct buffer *out,
                              struct error *error)
{
    struct stat about;
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                         "cannot open '%.80s': %m", name);
    enum status status = STATUS_OK;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        status = damaged(error, name, "is no regular file");
    else if (about.st_size < 0 || (uint64_t)about.st_size > maximum)
        status = damaged(error, name, "is too large");
    size_t left = status == STATUS_OK ? (size_t)about.st_size : 0;
    char *room = status == STATUS_OK ? buffer_reserve(out, left + 1) : NULL;
    if (status == STATUS_OK && !room)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for '%.80s'", name);
    while (status == STATUS_OK && left) {
        ssize_t got = read(file, room, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = error_set(error, STATUS_SYSTEM, "cannot read '%.80s': %m", name);
        if (got <= 0)
            break;
        room += got;
        left -= (size_t)got;
        out->length += (size_t)got;
    }
    close(file);
    return status;
}

/* One environment, while several threads read; `part` for part. */
struct part {
    struct text name; /* the arena's */
    char digest[DIGEST_TEXT_SIZE];
    struct document *document;
    enum status status;
    struct error error;
};

struct reading {
    int folder;
    struct part *parts;
};

static enum status read_document(int folder, struct part *part, struct error *error)
{
    char name[FILE_NAME_SIZE], digest[DIGEST_TEXT_SIZE];
    struct buffer bytes;
    struct error why = {0};
    if (!name_document(text_of(part->digest), name))
        return damaged(error, META, "has a digest that is none");
    buffer_init(&bytes, DOCUMENT_MAXIMUM + 1);
    enum status status = read_whole(folder, name, DOCUMENT_MAXIMUM, &bytes, error);
    if (status == STATUS_NOT_FOUND)
        status = damaged(error, name, "is missing");
    if (status == STATUS_OK) {
        status = document_read(buffer_text(&bytes), NULL, &part->document, &why);
        if (status == STATUS_NO_MEMORY)
            error_set(error, status, "no memory for '%.80s'", name);
        else if (status != STATUS_OK)
            status = error_set(error, STATUS_INVALID, "'%.80s': %.150s", name, why.message);
    }
    if (status == STATUS_OK) {
        document_digest_text(part->document, digest);
        if (strcmp(digest, part->digest) != 0)
            status = damaged(error, name, "does not have the digest of its name");
    }
    buffer_dispose(&bytes);
    return status;
}

static void read_part(void *context, unsigned index)
{
    struct reading *reading = context;
    struct part *part = &reading->parts[index];
    part->status = read_document(reading->folder, part, &part->error);
}

/* The meta as JSON, once its checksum fits. */
static enum status check_meta(struct text bytes, struct text *json, struct error *error)
{
    struct buffer sum;
    const size_t length = sizeof DIGEST_PREFIX - 1 + HEX_DIGITS + 1;
    if (bytes.length <= length)
        return damaged(error, META, "is cut short");
    *json = (struct text){bytes.data, bytes.length - length};
    buffer_init(&sum, 0);
    append_checksum(&sum, *json);
    bool fits = !sum.failed && memcmp(sum.data, bytes.data + json->length, length) == 0;
    enum status status = sum.failed ? error_set(error, STATUS_NO_MEMORY, "no memory")
                         : fits     ? STATUS_OK
                                    : damaged(error, META, "does not have the checksum it names");
    buffer_dispose(&sum);
    return status;
}

static bool read_head(const struct node *root, struct snapshot *snapshot)
{
    const struct node *format = node_get(root, "format"), *since = node_get(root, "since");
    struct text commit = node_get_string(root, "commit");
    if (!format || format->type != NODE_NUMBER || format->number != FORMAT || !since ||
        since->type != NODE_NUMBER || !(since->number >= 0 && since->number < 1e12) ||
        !is_hex(commit, COMMIT_TEXT_SIZE - 1) ||
        !generation_parse(node_get_string(root, "generation"), &snapshot->generation))
        return false;
    memcpy(snapshot->commit, commit.data, COMMIT_TEXT_SIZE - 1);
    snapshot->commit[COMMIT_TEXT_SIZE - 1] = '\0';
    snapshot->since = (int64_t)since->number;
    return true;
}

/* Names rise, as a snapshot wants them. */
static bool read_list(const struct node *list, struct part *parts)
{
    struct text before = {NULL, 0};
    size_t i = 0;
    for (const struct node *node = list->first; node; node = node->next, i++) {
        struct text digest = node_get_string(node, "digest");
        parts[i].name = node_get_string(node, "name");
        if (parts[i].name.length == 0 || parts[i].name.length > ENVIRONMENT_NAME_MAXIMUM ||
            digest.length >= DIGEST_TEXT_SIZE || text_compare(before, parts[i].name) >= 0)
            return false;
        memcpy(parts[i].digest, digest.data, digest.length);
        before = parts[i].name;
    }
    return true;
}

static enum status read_documents(struct reading *reading, size_t count, const struct crew *crew,
                                  struct snapshot *snapshot, struct error *error)
{
    enum status status = STATUS_OK;
    crew_run(crew, (unsigned)count, read_part, reading);
    for (size_t i = 0; i < count; i++) {
        struct part *part = &reading->parts[i];
        if (part->status == STATUS_OK && status == STATUS_OK) {
            status = snapshot_fill(snapshot, i, part->name, part->document);
            part->document = NULL; /* taken over also by a failure */
            if (status != STATUS_OK)
                error_set(error, status, "no memory for a snapshot");
        } else if (status == STATUS_OK) {
            status = part->status;
            *error = part->error;
        }
        document_release(part->document);
    }
    return status;
}

static enum status read_snapshot(int folder, const struct node *root, const struct crew *crew,
                                 struct snapshot **out, struct error *error)
{
    const struct node *list = node_get(root, "environments");
    if (!list || list->type != NODE_LIST)
        return damaged(error, META, "has no environments");
    struct snapshot *snapshot = snapshot_new(list->count);
    struct reading reading = {folder, calloc((size_t)list->count + 1, sizeof(struct part))};
    enum status status = STATUS_OK;
    if (!snapshot || !reading.parts)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for a snapshot");
    else if (!read_head(root, snapshot) || !read_list(list, reading.parts))
        status = damaged(error, META, "is not of this version of weir");
    else
        status = read_documents(&reading, list->count, crew, snapshot, error);
    free(reading.parts);
    if (status == STATUS_OK && snapshot) {
        snapshot->from_disk = true;
        *out = snapshot;
    } else {
        snapshot_release(snapshot);
    }
    return status;
}

enum status state_file_read(const char *folder, const struct crew *crew, struct snapshot **out,
                            struct error *error)
{
    const struct json_limits limits = {META_MAXIMUM, 4, 100000, true, false};
    struct error unused, why = {0};
    struct buffer bytes;
    struct arena arena;
    struct text json = {NULL, 0};
    const struct node *root = NULL;
    *out = NULL;
    if (!error)
        error = &unused;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                         "cannot open the folder '%.150s': %m", folder);
    buffer_init(&bytes, META_MAXIMUM + 1);
    arena_init(&arena, (size_t)64 << 20);
    enum status status = read_whole(descriptor, META, META_MAXIMUM, &bytes, error);
    if (status == STATUS_OK)
        status = check_meta(buffer_text(&bytes), &json, error);
    if (status == STATUS_OK) {
        status = json_read(&arena, json, limits, &root, &why);
        if (status != STATUS_OK)
            status = error_set(error, status == STATUS_NO_MEMORY ? status : STATUS_INVALID,
                               "'" META "': %.150s", why.message);
    }
    if (status == STATUS_OK)
        status = read_snapshot(descriptor, root, crew, out, error);
    arena_dispose(&arena);
    buffer_dispose(&bytes);
    close(descriptor);
    return status;
}

/* A document is not written again while a file has its name: what is damaged must not be there. */
static void clear(const char *folder)
{
    static const struct snapshot nothing;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    sweep(descriptor, &nothing);
    close(descriptor);
}

void state_file_serve(const char *folder, const char *standard, struct hub *hub)
{
    const struct crew crew = threads_crew(0);
    struct snapshot *snapshot = NULL;
    struct error error = {0};
    char generation[GENERATION_TEXT_SIZE];
    enum status status = state_file_read(folder, &crew, &snapshot, &error);
    if (status == STATUS_NOT_FOUND)
        return;
    if (status != STATUS_OK || !snapshot) {
        log_event(LOG_LEVEL_WARN, "kept_state_ignored", "folder", folder, "error", error.message,
                  NULL);
        if (status == STATUS_INVALID)
            clear(folder);
        return;
    }
    if (standard)
        snapshot->standard = snapshot_environment(snapshot, text_of(standard));
    else if (snapshot->environment_count == 1)
        snapshot->standard = &snapshot->environments[0];
    generation_format(snapshot->generation, generation);
    log_event(LOG_LEVEL_INFO, "served_from_disk", "commit", snapshot->commit, "generation",
              generation, NULL);
    hub_publish(hub, snapshot);
}
