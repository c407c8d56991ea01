/* The configuration file: YAML by schemas/config.json, value by value into a config. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rules/catalog.h"
#include "../rules/codes.h"
#include "../rules/json.h"
#include "../rules/yaml.h"
#include "config_http.h"

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
}

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
        {"allowed-signers", &config->allowed_signers, config_set_path},
        {"author", &config->author, config_set_text},
        {"sign-key", &config->sign_key, config_set_path},
        {"verify", &config->verify, config_set_verify},
        {"verify-since", &config->verify_since, config_set_commit},
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

static enum status read_measuring(const struct reading *reading, const struct node *root)
{
    struct config *config = reading->config;
    const struct node *scrape = node_get(root, "scrape-interval"),
                      *cap = node_get(root, "blast-cap");
    enum status status = STATUS_OK;
    if (cap && !config->blast_cap) {
        char number[NUMBER_TEXT_SIZE + 1] = "";
        number[number_format(cap->number, number)] = '\0';
        status = outcome(reading, cap, CODE_SCHEMA_RANGE,
                         config_set_blast_cap(config, number, reading->error));
    }
    if (status != STATUS_OK || !scrape || config->scrape_interval)
        return status;
    return outcome(reading, scrape, CODE_SCHEMA_RANGE,
                   config_set_scrape_interval(config, scrape->string.data, reading->error));
}

static enum status read_hosts(const struct reading *reading, const struct node *list,
                              struct reach_host **hosts, size_t *count)
{
    enum status status = STATUS_OK;
    for (const struct node *node = list ? list->first : NULL; node && status == STATUS_OK;
         node = node->next)
        status = outcome(reading, node, CODE_SCHEMA_PATTERN,
                         config_add_host(hosts, count, node->string, reading->error));
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

static enum status read_commit_status(const struct reading *reading, const struct node *root)
{
    const struct node *map = node_get(root, "commit-status"), *at = map;
    if (!map || reading->config->commit_status.forge)
        return STATUS_OK;
    enum status status = config_read_commit_status(reading->config, map, &at, reading->error);
    return outcome(reading, at, CODE_SCHEMA_PATTERN, status);
}

static enum status read_notify(const struct reading *reading, const struct node *root)
{
    const struct node *list = node_get(root, "notify"), *at = list;
    if (!list)
        return STATUS_OK;
    enum status status = config_read_notify(reading->config, list, &at, reading->error);
    return outcome(reading, at, CODE_SCHEMA_PATTERN, status);
}

/* What the schema lets through has the right types and no control characters. */
static enum status read_document(void *context, const struct node *root)
{
    static enum status (*const parts[])(const struct reading *, const struct node *) = {
        read_texts,   read_others, read_events, read_measuring,     read_allowed, read_git,
        read_secrets, read_hooks,  read_http,   read_commit_status, read_notify,
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
