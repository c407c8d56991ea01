#include "config.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "clock.h"
#include "config_http.h"
#include "git/verify.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define DEFAULT_DATA "weir-data"
#define DEFAULT_EVENT_STREAMS 10000
#define DEFAULT_HEARTBEAT (INT64_C(15) * NANOSECONDS_PER_SECOND)
#define DEFAULT_POLL (INT64_C(10) * NANOSECONDS_PER_SECOND)

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
}

/* --- making and ending ----------------------------------------------------------------------- */

void config_init(struct config *config)
{
    *config = (struct config){0};
}

static void dispose_secret(struct reach_secret *secret)
{
    free(secret->name);
    free(secret->file);
    free(secret->variable);
    free(secret->hosts);
}

void config_dispose(struct config *config)
{
    struct reach *reach = &config->reach;
    for (size_t i = 0; i < reach->path_count; i++)
        free(reach->paths[i]);
    for (size_t i = 0; i < reach->secret_count; i++)
        dispose_secret(&reach->secrets[i]);
    for (size_t i = 0; i < config->hook_count; i++)
        dispose_secret(&config->hooks[i]);
    free(config->hooks);
    config_dispose_commit_status(config);
    config_dispose_notify(config);
    free(config->log_format);
    free(config->log_level);
    free(reach->paths);
    free(reach->secrets);
    free(reach->hosts);
    free(reach->base);
    free(reach->ca_file);
    free(config->repo);
    free(config->branch);
    free(config->listen);
    free(config->data);
    free(config->default_environment);
    config_http_dispose(&config->http);
    git_access_dispose(&config->git);
    free(config->verify);
    free(config->allowed_signers);
    free(config->author);
    free(config->sign_key);
    free(config->verify_since);
    config_init(config);
}

/* --- paths ----------------------------------------------------------------------------------- */

/* Appends the parts of `path` to `out`, a clean absolute path without a last "/"; ".." takes one
 * away. Done by the letters alone: a link that the operator names stays the name by which
 * definitions are compared. */
static void append_parts(struct buffer *out, const char *path)
{
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && memcmp(path, "..", 2) == 0) {
            while (out->length > 0 && out->data[--out->length] != '/') {
            }
        } else if (length > 0 && !(length == 1 && *path == '.')) {
            buffer_append_char(out, '/');
            buffer_append(out, path, length);
        }
        path += length;
        path += strspn(path, "/");
    }
}

/* `path` as seen from `folder` (absolute; NULL: the working folder), without ".", ".." and double
 * slashes. Replaces *out. */
static enum status make_absolute(const char *folder, const char *path, char **out,
                                 struct error *error)
{
    struct buffer clean;
    char working[PATH_MAX];
    if (path[0] == '\0')
        return error_set(error, STATUS_INVALID, "an empty path");
    if (path[0] != '/' && !folder && !getcwd(working, sizeof working))
        return error_set(error, STATUS_SYSTEM, "the working folder is not known: %s",
                         strerror(errno));
    buffer_init(&clean, PATH_MAX);
    if (path[0] != '/')
        append_parts(&clean, folder ? folder : working);
    append_parts(&clean, path);
    if (clean.length == 0)
        buffer_append_char(&clean, '/');
    char *taken = buffer_take(&clean, NULL);
    enum status failed = clean.failed;
    buffer_dispose(&clean);
    if (failed == STATUS_LIMIT)
        return error_set(error, STATUS_LIMIT, "the path \"%.80s…\" is too long", path);
    if (!taken)
        return no_memory(error);
    free(*out);
    *out = taken;
    return STATUS_OK;
}

/* A URL, or host:path as ssh knows it, and not a path of this machine. */
static bool is_remote(const char *repo)
{
    size_t first = strcspn(repo, ":/");
    return strstr(repo, "://") || (first > 0 && repo[first] == ':');
}

/* --- one value ------------------------------------------------------------------------------- */

enum status config_set_text(char **member, const char *text, struct error *error)
{
    if (text[0] == '\0')
        return error_set(error, STATUS_INVALID, "an empty value");
    char *copy = strdup(text);
    if (!copy)
        return no_memory(error);
    free(*member);
    *member = copy;
    return STATUS_OK;
}

enum status config_set_path(char **member, const char *path, struct error *error)
{
    return make_absolute(NULL, path, member, error);
}

enum status config_set_repo(struct config *config, const char *repo, struct error *error)
{
    return is_remote(repo) ? config_set_text(&config->repo, repo, error)
                           : config_set_path(&config->repo, repo, error);
}

enum status config_set_poll(struct config *config, const char *duration, struct error *error)
{
    int64_t poll;
    if (!duration_parse(text_of(duration), &poll))
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a duration, like 10s, 5m or 1h",
                         duration);
    if (poll < CONFIG_POLL_LEAST || poll > CONFIG_POLL_MOST)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not between 100ms and 1w", duration);
    config->poll = poll;
    return STATUS_OK;
}

enum status config_set_git_timeout(struct config *config, const char *duration, struct error *error)
{
    int64_t timeout;
    if (!duration_parse(text_of(duration), &timeout) || timeout < CONFIG_GIT_TIMEOUT_LEAST)
        return error_set(error, STATUS_INVALID,
                         "\"%.60s\" is not a duration of at least a second, like 90s, 10m or 1h",
                         duration);
    config->git.timeout = timeout;
    return STATUS_OK;
}

enum status config_set_verify(char **member, const char *text, struct error *error)
{
    enum verify_mode mode;
    if (!verify_mode_parse(text_of(text), &mode))
        return error_set(error, STATUS_INVALID, "\"%.40s\" is none of none, tip and all", text);
    return config_set_text(member, text, error);
}

enum status config_set_commit(char **member, const char *text, struct error *error)
{
    if (strlen(text) != COMMIT_TEXT_SIZE - 1 ||
        strspn(text, "0123456789abcdef") != COMMIT_TEXT_SIZE - 1)
        return error_set(error, STATUS_INVALID,
                         "\"%.60s\" is not a full commit id: 40 digits of 0-9 and a-f", text);
    return config_set_text(member, text, error);
}

enum status config_set_threads(struct config *config, const char *number, struct error *error)
{
    char *end;
    errno = 0;
    unsigned long threads = strtoul(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end || errno || threads < 1 ||
        threads > CONFIG_MAX_THREADS)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a whole number from 1 to %d",
                         number, CONFIG_MAX_THREADS);
    config->http_threads = (unsigned)threads;
    return STATUS_OK;
}

enum status config_set_event_streams(struct config *config, const char *number, struct error *error)
{
    char *end;
    errno = 0;
    unsigned long streams = strtoul(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end || errno || streams > CONFIG_MAX_EVENT_STREAMS)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a whole number from 0 to %d",
                         number, CONFIG_MAX_EVENT_STREAMS);
    config->event_streams = (unsigned)streams;
    config->has_event_streams = true;
    return STATUS_OK;
}

enum status config_set_event_heartbeat(struct config *config, const char *duration,
                                       struct error *error)
{
    int64_t heartbeat;
    if (!duration_parse(text_of(duration), &heartbeat))
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a duration, like 15s or 1m",
                         duration);
    if (heartbeat < CONFIG_HEARTBEAT_LEAST || heartbeat > CONFIG_HEARTBEAT_MOST)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not between 100ms and 10m", duration);
    config->event_heartbeat = heartbeat;
    return STATUS_OK;
}

enum status config_allow_path(struct config *config, const char *folder, struct error *error)
{
    struct reach *reach = &config->reach;
    char *absolute = NULL;
    enum status status = config_set_path(&absolute, folder, error);
    if (status)
        return status;
    char **paths = reallocarray(reach->paths, reach->path_count + 1, sizeof *paths);
    if (!paths) {
        free(absolute);
        return no_memory(error);
    }
    reach->paths = paths;
    reach->paths[reach->path_count++] = absolute;
    return STATUS_OK;
}

enum status config_safe_directory(struct config *config, const char *folder, struct error *error)
{
    struct git_access *git = &config->git;
    char *name = NULL;
    enum status status = strcmp(folder, "*") == 0 ? config_set_text(&name, folder, error)
                                                  : config_set_path(&name, folder, error);
    if (status)
        return status;
    char **folders =
        reallocarray(git->safe_directories, git->safe_directory_count + 1, sizeof *folders);
    if (!folders) {
        free(name);
        return no_memory(error);
    }
    git->safe_directories = folders;
    folders[git->safe_directory_count++] = name;
    return STATUS_OK;
}

enum status config_add_host(struct reach_host **hosts, size_t *count, struct text text,
                            struct error *error)
{
    struct reach_host host;
    enum status status = reach_host_parse(text, &host, error);
    if (status)
        return status;
    struct reach_host *longer = reallocarray(*hosts, *count + 1, sizeof **hosts);
    if (!longer)
        return no_memory(error);
    *hosts = longer;
    longer[(*count)++] = host;
    return STATUS_OK;
}

enum status config_allow_host(struct config *config, const char *host, struct error *error)
{
    return config_add_host(&config->reach.hosts, &config->reach.host_count, text_of(host), error);
}

static enum status check_verify(const struct config *config, struct error *error)
{
    bool verifies = config->verify && strcmp(config->verify, "none") != 0;
    if (verifies && !config->allowed_signers)
        return error_set(error, STATUS_INVALID,
                         "verify %s needs the file of those who may sign: allowed-signers",
                         config->verify);
    if (!verifies && (config->allowed_signers || config->verify_since))
        return error_set(
            error, STATUS_INVALID,
            "allowed-signers and verify-since mean nothing unless verify is tip or all");
    return STATUS_OK;
}

enum status config_finish_serving(struct config *config, struct error *error)
{
    enum status status = STATUS_OK;
    if (!config->listen)
        status = config_set_text(&config->listen, DEFAULT_LISTEN, error);
    if (status == STATUS_OK && !config->data)
        status = config_set_path(&config->data, DEFAULT_DATA, error);
    if (config->poll == 0)
        config->poll = DEFAULT_POLL;
    if (!config->has_event_streams)
        config->event_streams = DEFAULT_EVENT_STREAMS;
    if (config->event_heartbeat == 0)
        config->event_heartbeat = DEFAULT_HEARTBEAT;
    return status ? status : config_http_finish(&config->http, error);
}

enum status config_finish(struct config *config, struct error *error)
{
    if (!config->repo)
        return error_set(error, STATUS_INVALID,
                         "no repository is given: use \"--repo URL|PATH\", or \"repo:\" in the "
                         "configuration file");
    enum status status = config_finish_serving(config, error);
    if (status)
        return status;
    if (config->data && strcmp(config->data, config->repo) == 0)
        return error_set(
            error, STATUS_INVALID,
            "the data folder is the repository itself, \"%.120s\"; give another one by \"--data\"",
            config->data);
    status = git_access_check(&config->git, config->repo, error);
    if (status)
        return status;
    status = check_verify(config, error);
    if (status == STATUS_OK)
        status = config_finish_commit_status(config, error);
    if (status)
        return status;
    return make_absolute(config->data, "targets", &config->reach.base, error);
}
