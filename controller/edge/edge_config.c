#include <stdlib.h>

#include "edge.h"
#include "source.h"

void edge_config_init(struct edge_config *config)
{
    *config = (struct edge_config){0};
    config_init(&config->serving);
}

void edge_config_dispose(struct edge_config *config)
{
    config_dispose(&config->serving);
    for (size_t i = 0; i < config->environment_count; i++)
        free(config->environments[i]);
    free(config->environments);
    free(config->from);
    free(config->token_file);
    *config = (struct edge_config){0};
}

enum status edge_set_from(struct edge_config *config, const char *from, struct error *error)
{
    if (source_driver_of(from) != &source_file)
        return config_set_text(&config->from, from, error);
    if (strstr(from, "://"))
        return error_set(error, STATUS_INVALID,
                         "a source is http://, https://, redis:// or the path of a file");
    return config_set_path(&config->from, from, error);
}

/* Kept sorted, as a snapshot wants them. */
enum status edge_add_environment(struct edge_config *config, const char *name, struct error *error)
{
    size_t at = 0;
    char *copy = NULL;
    if (!source_is_environment(text_of(name)))
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not the name of an environment",
                         name);
    while (at < config->environment_count && strcmp(config->environments[at], name) < 0)
        at++;
    if (at < config->environment_count && strcmp(config->environments[at], name) == 0)
        return STATUS_OK;
    if (config->environment_count == SOURCE_ENVIRONMENTS_MOST)
        return error_set(error, STATUS_LIMIT, "there are more than %d environments",
                         SOURCE_ENVIRONMENTS_MOST);
    char **longer =
        reallocarray(config->environments, config->environment_count + 1, sizeof *longer);
    if (!longer)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
    config->environments = longer;
    enum status status = config_set_text(&copy, name, error);
    if (status != STATUS_OK)
        return status;
    memmove(&longer[at + 1], &longer[at], (config->environment_count - at) * sizeof *longer);
    longer[at] = copy;
    config->environment_count++;
    return STATUS_OK;
}

enum status edge_config_finish(struct edge_config *config, struct error *error)
{
    struct config *serving = &config->serving;
    enum status status = STATUS_OK;
    if (!config->from)
        return error_set(error, STATUS_INVALID,
                         "no source is given: use \"--from URL|FILE|redis://HOST:PORT#KEY\"");
    if (serving->poll == 0)
        serving->poll = EDGE_POLL_STANDARD;
    if (!serving->data)
        status = config_set_path(&serving->data, "weir-edge-data", error);
    return status ? status : config_finish_serving(serving, error);
}
