/* What `weir run` is told of the forge that is told of commits. */
#include "../rules/node.h"
#include "config.h"

#define DEFAULT_CONTEXT "weir"

void config_dispose_commit_status(struct config *config)
{
    struct commit_status_settings *settings = &config->commit_status;
    free(settings->forge);
    free(settings->api);
    free(settings->project);
    free(settings->token_file);
    free(settings->token_variable);
    free(settings->context);
    free(settings->target_url);
    *settings = (struct commit_status_settings){0};
}

static enum status set_url(char **member, const char *text, struct error *error)
{
    struct http_url url;
    enum status status = http_url_parse(text_of(text), &url, error);
    return status ? status : config_set_text(member, text, error);
}

static enum status set_forge(char **member, const char *text, struct error *error)
{
    if (forge_kind_of(text_of(text)) == FORGE_KINDS)
        return error_set(error, STATUS_INVALID,
                         "\"%.60s\" is none of the forges github, gitlab and gitea", text);
    return config_set_text(member, text, error);
}

enum status config_read_commit_status(struct config *config, const struct node *map,
                                      const struct node **at, struct error *error)
{
    struct commit_status_settings *settings = &config->commit_status;
    const struct {
        const char *key;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } keys[] = {
        {"forge", &settings->forge, set_forge},
        {"api", &settings->api, set_url},
        {"project", &settings->project, config_set_text},
        {"token-file", &settings->token_file, config_set_path},
        {"token-variable", &settings->token_variable, config_set_text},
        {"context", &settings->context, config_set_text},
        {"target-url", &settings->target_url, set_url},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(keys) && status == STATUS_OK; i++) {
        const struct node *node = node_get(map, keys[i].key);
        if (!node)
            continue;
        *at = node;
        status = keys[i].set(keys[i].member, node->string.data, error);
    }
    return status;
}

enum status config_set_commit_status(struct config *config, const char *text, struct error *error)
{
    struct commit_status_settings *settings = &config->commit_status;
    const char *equals = strchr(text, '=');
    char forge[32];
    if (!equals)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not FORGE=FILE, like github=FILE",
                         text);
    snprintf(forge, sizeof forge, "%.*s", (int)(equals - text < 31 ? equals - text : 31), text);
    enum status status = set_forge(&settings->forge, forge, error);
    return status ? status : config_set_path(&settings->token_file, equals + 1, error);
}

enum status config_finish_commit_status(struct config *config, struct error *error)
{
    struct commit_status_settings *settings = &config->commit_status;
    if (!settings->forge)
        return STATUS_OK;
    if (!settings->context) {
        enum status status = config_set_text(&settings->context, DEFAULT_CONTEXT, error);
        if (status)
            return status;
    }
    return forge_place_find(forge_kind_of(text_of(settings->forge)), config->repo, settings->api,
                            settings->project, &settings->place, error);
}
