/* The tokens file on disk: read as a whole, replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "tokens.h"
#include "write_file.h"

#define SECRET_BYTES 32
#define FILE_MODE 0600

/* --- reading --------------------------------------------------------------------------------- */

/* Whoever may write to the file could make a token of any role. */
static enum status check_file(int file, const char *path, struct stat *about, struct error *error)
{
    if (fstat(file, about) != 0)
        return error_set(error, STATUS_SYSTEM, "cannot read the tokens file \"%.120s\": %s", path,
                         strerror(errno));
    if (!S_ISREG(about->st_mode))
        return error_set(error, STATUS_SYSTEM, "the tokens file \"%.120s\" is not a file", path);
    if (about->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(error, STATUS_REFUSED,
                         "the tokens file \"%.120s\" may be written by others; chmod 600 it", path);
    return STATUS_OK;
}

static enum status read_all(int file, const char *path, struct buffer *out, struct error *error)
{
    for (;;) {
        char *room = buffer_reserve(out, 16384);
        if (!room)
            return error_set(error, out->failed, "the tokens file \"%.120s\" is over %zu MiB", path,
                             TOKENS_MAX_BYTES >> 20);
        ssize_t got = read(file, room, 16384);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, STATUS_SYSTEM, "cannot read the tokens file \"%.120s\": %s",
                             path, strerror(errno));
        if (got == 0)
            return STATUS_OK;
        out->length += (size_t)got;
    }
}

/* `about` may be NULL. STATUS_NOT_FOUND: there is no such file. */
static enum status read_file(const char *path, struct buffer *out, struct stat *about,
                             struct error *error)
{
    struct stat unused;
    /* Not to wait for whoever might write to a pipe of that name. */
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                         "cannot read the tokens file \"%.100s\": %s%s", path, strerror(errno),
                         errno == ENOENT ? "; make it by 'weir token create'" : "");
    enum status status = check_file(file, path, about ? about : &unused, error);
    if (status == STATUS_OK)
        status = read_all(file, path, out, error);
    close(file);
    return status;
}

static enum status read_set(const char *path, struct stat *about, struct token_set **out,
                            struct error *error)
{
    struct buffer lines;
    struct error problem = {0};
    buffer_init(&lines, TOKENS_MAX_BYTES + 32768);
    enum status status = read_file(path, &lines, about, error);
    if (status == STATUS_OK) {
        status = token_set_read(buffer_text(&lines), out, &problem);
        if (status)
            error_set_at(error, status, problem.line, problem.column,
                         "tokens file \"%.100s\": %.130s", path, problem.message);
    }
    buffer_dispose(&lines);
    return status;
}

enum status token_file_read(const char *path, struct token_set **out, struct error *error)
{
    return read_set(path, NULL, out, error);
}

/* --- writing --------------------------------------------------------------------------------- */

/* A tokens file that is about to be changed: its folder, locked, and its lines. */
struct edit {
    int folder;
    const char *name;
    struct buffer lines;
    struct token_set *set;
};

static enum status edit_open(struct edit *edit, const char *path, bool may_be_missing,
                             struct error *error)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    *edit = (struct edit){.folder = -1, .name = slash ? slash + 1 : path};
    buffer_init(&edit->lines, TOKENS_MAX_BYTES + 32768);
    size_t length = slash ? (size_t)(slash - path) : 1;
    if (length >= sizeof folder || !*edit->name || strlen(edit->name) > WRITE_FILE_NAME_MAXIMUM)
        return error_set(error, STATUS_INVALID, "\"%.120s\" cannot be the name of a file", path);
    if (slash) {
        length = length ? length : 1;
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    edit->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (edit->folder < 0 || flock(edit->folder, LOCK_EX) != 0)
        return error_set(error, STATUS_SYSTEM, "cannot open the folder \"%.120s\": %s", folder,
                         strerror(errno));
    enum status status = read_file(path, &edit->lines, NULL, error);
    if (status == STATUS_NOT_FOUND && may_be_missing)
        status = STATUS_OK;
    if (status == STATUS_OK)
        status = token_set_read(buffer_text(&edit->lines), &edit->set, error);
    return status;
}

static enum status edit_write(struct edit *edit, const struct clock *clock, struct error *error)
{
    if (edit->lines.failed)
        return error_set(error, edit->lines.failed, "the tokens file would be too large");
    /* What cannot be read again must not be written. */
    struct token_set *checked = NULL;
    enum status status = token_set_read(buffer_text(&edit->lines), &checked, error);
    token_set_release(checked);
    return status ? status
                  : write_file_mode(edit->folder, edit->name, buffer_text(&edit->lines), FILE_MODE,
                                    clock, error);
}

static void edit_close(struct edit *edit)
{
    token_set_release(edit->set);
    buffer_dispose(&edit->lines);
    if (edit->folder >= 0)
        close(edit->folder); /* and the lock with it */
}

/* Not the clock's random bits: those spread load, and may be a test's. */
static bool draw_secret(char secret[TOKEN_TEXT_SIZE])
{
    uint8_t bytes[SECRET_BYTES];
    struct base64_encode_ctx context;
    char *at = secret + 5;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    memcpy(secret, "weir_", 5);
    base64url_encode_init(&context);
    at += base64_encode_update(&context, at, sizeof bytes, bytes);
    char last[BASE64_ENCODE_FINAL_LENGTH];
    (void)base64_encode_final(&context, last); /* four bits that were left, and padding */
    *at++ = last[0];
    *at = '\0';
    return true;
}

static void append_line(struct buffer *lines, const struct token_request *request,
                        const char *secret, const struct clock *clock)
{
    uint8_t hash[SHA256_SIZE];
    char created[TIME_TEXT_SIZE];
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, strlen(secret), (const uint8_t *)secret);
    sha256_digest(&context, sizeof hash, hash);
    time_format(clock_seconds(clock), created);
    if (lines->length == 0)
        buffer_append_string(lines, "# tokens of weir: HASH ROLE ENVIRONMENTS CREATED NAME\n");
    else if (lines->data[lines->length - 1] != '\n')
        buffer_append_char(lines, '\n');
    buffer_append_string(lines, "sha256:");
    buffer_append_hex(lines, hash, sizeof hash);
    buffer_printf(lines, " %s ", role_name(request->role));
    for (size_t i = 0; i < request->environment_count; i++)
        buffer_printf(lines, "%s%s", i ? "," : "", request->environments[i]);
    buffer_printf(lines, "%s %s ", request->environment_count ? "" : "*", created);
    if (request->name) {
        buffer_append_string(lines, request->name);
    } else {
        buffer_printf(lines, "%s-", role_name(request->role));
        buffer_append_hex(lines, hash, 4);
    }
    buffer_append_char(lines, '\n');
}

enum status token_file_create(const char *path, const struct token_request *request,
                              const struct clock *clock, char secret[TOKEN_TEXT_SIZE],
                              struct error *error)
{
    struct edit edit;
    enum status status = edit_open(&edit, path, true, error);
    if (status == STATUS_OK && !draw_secret(secret))
        status = error_set(error, STATUS_SYSTEM, "there are no random bytes: %s", strerror(errno));
    if (status == STATUS_OK) {
        append_line(&edit.lines, request, secret, clock);
        status = edit_write(&edit, clock, error);
    }
    edit_close(&edit);
    return status;
}

/* Cuts the line of `name` out of `lines`. */
static bool cut_line(struct buffer *lines, const char *name)
{
    size_t start = 0, length = strlen(name);
    while (start < lines->length) {
        char *line = lines->data + start;
        const char *stop = memchr(line, '\n', lines->length - start);
        size_t size = stop ? (size_t)(stop - line) : lines->length - start;
        size_t next = start + size + (stop != NULL);
        if (*line != '#' && size > length && line[size - length - 1] == ' ' &&
            memcmp(line + size - length, name, length) == 0) {
            memmove(line, lines->data + next, lines->length - next);
            lines->length -= next - start;
            return true;
        }
        start = next;
    }
    return false;
}

enum status token_file_revoke(const char *path, const char *name, const struct clock *clock,
                              struct error *error)
{
    struct edit edit;
    enum status status = edit_open(&edit, path, false, error);
    if (status == STATUS_OK && (!*name || strchr(name, ' ') || !cut_line(&edit.lines, name)))
        status = error_set(error, STATUS_NOT_FOUND,
                           "there is no token \"%.100s\"; 'weir token list' shows them", name);
    if (status == STATUS_OK)
        status = edit_write(&edit, clock, error);
    edit_close(&edit);
    return status;
}

/* --- while serving --------------------------------------------------------------------------- */

struct tokens {
    char *path;
    const struct clock *clock;
    _Atomic int64_t looked; /* the second in which somebody last looked at the file */
    _Atomic uint64_t version;
    pthread_mutex_t lock; /* everything below */
    struct token_set *set;
    struct stat seen; /* of what was read last, or failed to be */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_mode == b->st_mode;
}

enum status tokens_open(const char *path, const struct clock *clock, struct tokens **out,
                        struct error *error)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens || !(tokens->path = strdup(path)) || pthread_mutex_init(&tokens->lock, NULL) != 0) {
        if (tokens)
            free(tokens->path);
        free(tokens);
        return error_set(error, STATUS_NO_MEMORY, "no memory for the tokens");
    }
    tokens->clock = clock;
    atomic_init(&tokens->looked, clock_seconds(clock));
    atomic_init(&tokens->version, 1);
    enum status status = read_set(path, &tokens->seen, &tokens->set, error);
    if (status) {
        tokens_close(tokens);
        return status;
    }
    *out = tokens;
    return STATUS_OK;
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    token_set_release(tokens->set);
    pthread_mutex_destroy(&tokens->lock);
    free(tokens->path);
    free(tokens);
}

/* The lock is held. */
static enum status reload(struct tokens *tokens, struct error *error)
{
    struct token_set *set = NULL;
    struct stat seen = {0};
    enum status status = read_set(tokens->path, &seen, &set, error);
    tokens->seen = seen;
    if (status)
        return status;
    struct token_set *old = tokens->set;
    tokens->set = set;
    atomic_fetch_add_explicit(&tokens->version, 1, memory_order_release);
    token_set_release(old);
    return STATUS_OK;
}

enum status tokens_reload(struct tokens *tokens, bool *changed, struct error *error)
{
    pthread_mutex_lock(&tokens->lock);
    struct stat before = tokens->seen;
    enum status status = reload(tokens, error);
    *changed = !same_file(&before, &tokens->seen);
    pthread_mutex_unlock(&tokens->lock);
    return status;
}

static void look(struct tokens *tokens)
{
    struct stat now;
    struct error error = {0};
    if (stat(tokens->path, &now) != 0)
        now = (struct stat){0}; /* it is gone, which is told once */
    pthread_mutex_lock(&tokens->lock);
    if (!same_file(&now, &tokens->seen)) {
        if (reload(tokens, &error) == STATUS_OK)
            log_event(LOG_LEVEL_INFO, "tokens_read", "file", tokens->path, NULL);
        else
            log_event(LOG_LEVEL_ERROR, "tokens_kept", "error", error.message, NULL);
    }
    pthread_mutex_unlock(&tokens->lock);
}

const struct token_set *tokens_current(struct tokens *tokens, struct tokens_reader *reader)
{
    int64_t now = clock_seconds(tokens->clock);
    int64_t looked = atomic_load_explicit(&tokens->looked, memory_order_relaxed);
    /* One thread a second; also when the clock was set back. */
    if (now != looked && atomic_compare_exchange_strong(&tokens->looked, &looked, now))
        look(tokens);
    if (atomic_load_explicit(&tokens->version, memory_order_acquire) == reader->version)
        return reader->set;
    struct token_set *old = reader->set;
    pthread_mutex_lock(&tokens->lock);
    reader->set = token_set_reference(tokens->set);
    reader->version = atomic_load_explicit(&tokens->version, memory_order_relaxed);
    pthread_mutex_unlock(&tokens->lock);
    token_set_release(old);
    return reader->set;
}

void tokens_reader_dispose(struct tokens_reader *reader)
{
    token_set_release(reader->set);
    *reader = (struct tokens_reader){0};
}
