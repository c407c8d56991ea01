#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rules/catalog.h"
#include "../rules/codes.h"
#include "../rules/json.h"
#include "../rules/yaml.h"
#include "clock.h"
#include "config_http.h"

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

static enum status add_host(struct reach_host **hosts, size_t *count, struct text text,
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
    return add_host(&config->reach.hosts, &config->reach.host_count, text_of(host), error);
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
    if (strcmp(config->data, config->repo) == 0)
        return error_set(
            error, STATUS_INVALID,
            "the data folder is the repository itself, \"%.120s\"; give another one by \"--data\"",
            config->data);
    status = git_access_check(&config->git, config->repo, error);
    if (status)
        return status;
    return make_absolute(config->data, "targets", &config->reach.base, error);
}

/* --- the file -------------------------------------------------------------------------------- */

struct reading {
    struct config *config;
    struct text path; /* of the file, as it was given */
    const struct schema *schema;
    struct diagnostics *diagnostics;
    struct error *error;
    size_t documents;
};

/* A step of reading that ended with `status`; what only it could find wrong with `node` is noted
 * with its place. */
static enum status outcome(const struct reading *reading, const struct node *node, const char *code,
                           enum status status)
{
    struct place place = {reading->path, node->line, node->column};
    if (status == STATUS_OK || status == STATUS_NO_MEMORY)
        return status;
    diagnostics_add(reading->diagnostics, code, place, NULL, "%s", reading->error->message);
    return STATUS_INVALID;
}

static enum status read_texts(const struct reading *reading, const struct node *root)
{
    struct config *config = reading->config;
    const struct {
        const char *key;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } texts[] = {
        {"branch", &config->branch, config_set_text},
        {"listen", &config->listen, config_set_text},
        {"default-environment", &config->default_environment, config_set_text},
        {"data", &config->data, config_set_path},
        {"log-format", &config->log_format, config_set_log_format},
        {"log-level", &config->log_level, config_set_log_level},
        {"git-ca", &config->git.ca_file, config_set_path},
        {"git-proxy", &config->git.proxy, config_set_text},
        {"git-token-env", &config->git.token_variable, config_set_text},
        {"git-token-file", &config->git.token_file, config_set_path},
        {"git-user", &config->git.user, config_set_text},
        {"ssh-key", &config->git.ssh_key, config_set_path},
        {"ssh-known-hosts", &config->git.ssh_known_hosts, config_set_path},
        {"ssh-passphrase-file", &config->git.ssh_passphrase_file, config_set_path},
        {"ca-file", &config->reach.ca_file, config_set_path},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(texts) && status == STATUS_OK; i++) {
        const struct node *node = node_get(root, texts[i].key);
        if (node && !*texts[i].member)
            status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                             texts[i].set(texts[i].member, node->string.data, reading->error));
    }
    return status;
}

static enum status read_others(const struct reading *reading, const struct node *root)
{
    struct config *config = reading->config;
    const struct node *repo = node_get(root, "repo"), *poll = node_get(root, "poll");
    const struct node *threads = node_get(root, "http-threads");
    enum status status = STATUS_OK;
    if (repo && !config->repo)
        status = outcome(reading, repo, CODE_SCHEMA_PATTERN,
                         config_set_repo(config, repo->string.data, reading->error));
    if (status == STATUS_OK && poll && config->poll == 0)
        status = outcome(reading, poll, CODE_SCHEMA_RANGE,
                         config_set_poll(config, poll->string.data, reading->error));
    if (status == STATUS_OK && threads && config->http_threads == 0) {
        char number[NUMBER_TEXT_SIZE + 1] = "";
        number[number_format(threads->number, number)] = '\0';
        status = outcome(reading, threads, CODE_SCHEMA_RANGE,
                         config_set_threads(config, number, reading->error));
    }
    return status;
}

/* The keys of config_http.h; what options have set stands. */
static enum status read_http(const struct reading *reading, const struct node *root)
{
    struct http_settings *http = &reading->config->http;
    enum status status = STATUS_OK;
    for (const struct http_key *key = http_keys; key->name && status == STATUS_OK; key++) {
        const struct node *node = node_get(root, key->name);
        if (!node || key->is_set(http))
            continue;
        if (key->type == HTTP_KEY_SWITCH) {
            status = node->boolean ? key->set(http, NULL, reading->error) : STATUS_OK;
        } else if (node->type == NODE_NUMBER) {
            char number[NUMBER_TEXT_SIZE + 1] = "";
            number[number_format(node->number, number)] = '\0';
            status =
                outcome(reading, node, CODE_SCHEMA_RANGE, key->set(http, number, reading->error));
        } else if (key->type == HTTP_KEY_VALUE) {
            status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                             key->set(http, node->string.data, reading->error));
        } else {
            for (node = node->first; node && status == STATUS_OK; node = node->next)
                status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                                 key->set(http, node->string.data, reading->error));
        }
    }
    return status;
}

static enum status read_events(const struct reading *reading, const struct node *root)
{
    struct config *config = reading->config;
    const struct node *streams = node_get(root, "event-streams");
    const struct node *heartbeat = node_get(root, "event-heartbeat");
    enum status status = STATUS_OK;
    if (streams && !config->has_event_streams) {
        char number[NUMBER_TEXT_SIZE + 1] = "";
        number[number_format(streams->number, number)] = '\0';
        status = outcome(reading, streams, CODE_SCHEMA_RANGE,
                         config_set_event_streams(config, number, reading->error));
    }
    if (status == STATUS_OK && heartbeat && config->event_heartbeat == 0)
        status =
            outcome(reading, heartbeat, CODE_SCHEMA_RANGE,
                    config_set_event_heartbeat(config, heartbeat->string.data, reading->error));
    return status;
}

static enum status read_hosts(const struct reading *reading, const struct node *list,
                              struct reach_host **hosts, size_t *count)
{
    enum status status = STATUS_OK;
    for (const struct node *node = list ? list->first : NULL; node && status == STATUS_OK;
         node = node->next)
        status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                         add_host(hosts, count, node->string, reading->error));
    return status;
}

/* A list that options have filled is theirs alone. */
static enum status read_allowed(const struct reading *reading, const struct node *root)
{
    struct reach *reach = &reading->config->reach;
    const struct node *paths = node_get(root, "allow-path"), *hosts = node_get(root, "allow-host");
    const struct node *node = paths && reach->path_count == 0 ? paths->first : NULL;
    enum status status = STATUS_OK;
    for (; node && status == STATUS_OK; node = node->next)
        status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                         config_allow_path(reading->config, node->string.data, reading->error));
    if (status == STATUS_OK && reach->host_count == 0)
        status = read_hosts(reading, hosts, &reach->hosts, &reach->host_count);
    return status;
}

/* What only the server of the repository is concerned with. */
static enum status read_git(const struct reading *reading, const struct node *root)
{
    struct config *config = reading->config;
    const struct node *timeout = node_get(root, "git-timeout");
    const struct node *folders = node_get(root, "safe-directory");
    const struct node *node =
        folders && config->git.safe_directory_count == 0 ? folders->first : NULL;
    enum status status = STATUS_OK;
    if (timeout && config->git.timeout == 0)
        status = outcome(reading, timeout, CODE_SCHEMA_RANGE,
                         config_set_git_timeout(config, timeout->string.data, reading->error));
    for (; node && status == STATUS_OK; node = node->next)
        status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                         config_safe_directory(config, node->string.data, reading->error));
    return status;
}

static enum status read_secret(const struct reading *reading, const struct node *node,
                               struct reach_secret *secret)
{
    const struct node *file = node_get(node, "file"), *variable = node_get(node, "env");
    enum status status = config_set_text(&secret->name, node->key.data, reading->error);
    if (status == STATUS_OK && file)
        status = outcome(reading, file, CODE_SCHEMA_PATTERN,
                         config_set_path(&secret->file, file->string.data, reading->error));
    if (status == STATUS_OK && variable)
        status = config_set_text(&secret->variable, variable->string.data, reading->error);
    if (status == STATUS_OK)
        status = read_hosts(reading, node_get(node, "hosts"), &secret->hosts, &secret->host_count);
    return status;
}

static enum status read_secrets(const struct reading *reading, const struct node *root)
{
    struct reach *reach = &reading->config->reach;
    const struct node *map = node_get(root, "secrets");
    if (!map || map->count == 0 || reach->secrets)
        return STATUS_OK;
    reach->secrets = calloc(map->count, sizeof *reach->secrets);
    if (!reach->secrets)
        return no_memory(reading->error);
    enum status status = STATUS_OK;
    for (const struct node *node = map->first; node && status == STATUS_OK; node = node->next)
        status = read_secret(reading, node, &reach->secrets[reach->secret_count++]);
    return status;
}

static enum status read_hook(const struct reading *reading, const struct node *node)
{
    const struct node *file = node_get(node, "secretFile"), *variable = node_get(node, "secretEnv");
    struct reach_secret *hook;
    enum status status = config_new_hook(reading->config, node->key, &hook, reading->error);
    if (status == STATUS_OK && file)
        status = config_set_path(&hook->file, file->string.data, reading->error);
    if (status == STATUS_OK && variable)
        status = config_set_text(&hook->variable, variable->string.data, reading->error);
    return outcome(reading, file ? file : node, CODE_SCHEMA_PATTERN, status);
}

static enum status read_hooks(const struct reading *reading, const struct node *root)
{
    const struct node *map = node_get(root, "hooks");
    enum status status = STATUS_OK;
    const struct node *node = map && reading->config->hook_count == 0 ? map->first : NULL;
    for (; node && status == STATUS_OK; node = node->next)
        status = read_hook(reading, node);
    return status;
}

/* What the schema lets through has the right types and no control characters. */
static enum status read_document(void *context, const struct node *root)
{
    static enum status (*const parts[])(const struct reading *, const struct node *) = {
        read_texts, read_others,  read_events, read_allowed,
        read_git,   read_secrets, read_hooks,  read_http,
    };
    struct reading *reading = context;
    if (reading->documents++ > 0)
        return outcome(reading, root, CODE_SCHEMA_SIZE,
                       error_set(reading->error, STATUS_INVALID,
                                 "a configuration file holds one document, and here is a second"));
    enum status status =
        schema_validate(reading->schema, root, reading->path, reading->diagnostics);
    for (size_t i = 0; i < COUNT_OF(parts) && status == STATUS_OK; i++)
        status = parts[i](reading, root);
    return status;
}

/* Reads at most CONFIG_MAX_BYTES. */
static enum status read_bytes(const char *path, struct buffer *out, struct error *error)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_set(error, STATUS_SYSTEM, "cannot read the configuration file \"%.120s\": %s",
                         path, strerror(errno));
    ssize_t got = 0;
    if (fstat(file, &about) == 0 && S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        got = -1;
    }
    while (got >= 0 && out->length <= CONFIG_MAX_BYTES) {
        char *room = buffer_reserve(out, 16384);
        got = room ? read(file, room, 16384) : -1;
        if (got <= 0)
            break;
        out->length += (size_t)got;
    }
    int reason = errno;
    close(file);
    if (out->failed == STATUS_NO_MEMORY)
        return no_memory(error);
    if (out->failed || out->length > CONFIG_MAX_BYTES)
        return error_set(error, STATUS_LIMIT,
                         "the configuration file \"%.120s\" is larger than 1 MiB", path);
    if (got < 0)
        return error_set(error, STATUS_SYSTEM, "cannot read the configuration file \"%.120s\": %s",
                         path, strerror(reason));
    return STATUS_OK;
}

static bool source_of_file(void *context, struct text path, struct text *out)
{
    (void)path; /* there is one file only */
    *out = buffer_text(context);
    return true;
}

static enum status read_file(struct reading *reading, const struct buffer *bytes)
{
    struct arena arena;
    struct schema_set *schemas = catalog_schemas(reading->error);
    if (!schemas)
        return reading->error->status;
    reading->schema = schema_set_find(schemas, "config.json");
    arena_init(&arena, (size_t)64 << 20);
    enum status status = reading->schema ? yaml_read(&arena, reading->path, buffer_text(bytes),
                                                     read_document, reading, reading->diagnostics)
                                         : error_set(reading->error, STATUS_NOT_FOUND,
                                                     "the schema \"config.json\" is missing");
    arena_dispose(&arena);
    schema_set_free(schemas);
    return status == STATUS_NO_MEMORY ? no_memory(reading->error) : status;
}

enum status config_read(struct config *config, const char *path, struct diagnostics *diagnostics,
                        struct error *error)
{
    struct error unused = {0};
    struct buffer bytes;
    struct reading reading = {.config = config,
                              .path = text_of(path),
                              .diagnostics = diagnostics,
                              .error = error ? error : &unused};
    buffer_init(&bytes, CONFIG_MAX_BYTES + 32768);
    enum status status = read_bytes(path, &bytes, reading.error);
    if (status == STATUS_OK)
        status = read_file(&reading, &bytes);
    if (diagnostics->count) {
        diagnostics_sort(diagnostics);
        diagnostics_excerpts(diagnostics, source_of_file, &bytes);
    }
    buffer_dispose(&bytes);
    return status;
}
