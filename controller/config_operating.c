/* What `weir run` is told of webhooks, of rollouts and of its log. */
#include "config.h"

#include <errno.h>

#include "http/hooks.h"
#include "log.h"

enum status config_new_hook(struct config *config, struct text forge, struct reach_secret **out,
                            struct error *error)
{
    char name[64];
    *out = NULL;
    enum hook_forge known = hook_forge_of(forge);
    if (known == HOOK_FORGES)
        return error_set(error, STATUS_INVALID,
                         "\"%.*s\" is none of the forges github, gitlab and gitea",
                         (int)(forge.length < 60 ? forge.length : 60), forge.data);
    snprintf(name, sizeof name, "hooks.%s", hook_forge_name(known));
    for (size_t i = 0; i < config->hook_count; i++)
        if (strcmp(config->hooks[i].name, name) == 0)
            return error_set(error, STATUS_INVALID, "the secret of %s is given twice",
                             hook_forge_name(known));
    struct reach_secret *hooks = reallocarray(config->hooks, config->hook_count + 1, sizeof *hooks);
    if (!hooks)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
    config->hooks = hooks;
    hooks[config->hook_count] = (struct reach_secret){0};
    *out = &hooks[config->hook_count++];
    return config_set_text(&(*out)->name, name, error);
}

enum status config_add_hook(struct config *config, const char *text, struct error *error)
{
    const char *equals = strchr(text, '=');
    struct reach_secret *hook = NULL;
    if (!equals)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not FORGE=FILE, like github=FILE",
                         text);
    enum status status =
        config_new_hook(config, (struct text){text, (size_t)(equals - text)}, &hook, error);
    return hook && status == STATUS_OK ? config_set_path(&hook->file, equals + 1, error) : status;
}

enum status config_set_log_format(char **member, const char *text, struct error *error)
{
    enum log_format unused;
    return log_format_parse(text, &unused)
               ? config_set_text(member, text, error)
               : error_set(error, STATUS_INVALID, "\"%.60s\" is neither logfmt nor json", text);
}

enum status config_set_log_level(char **member, const char *text, struct error *error)
{
    enum log_level unused;
    return log_level_parse(text, &unused)
               ? config_set_text(member, text, error)
               : error_set(error, STATUS_INVALID,
                           "\"%.60s\" is none of debug, info, warn and error", text);
}

enum status config_set_scrape_interval(struct config *config, const char *duration,
                                       struct error *error)
{
    int64_t interval;
    if (!duration_parse(text_of(duration), &interval))
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a duration, like 15s or 1m",
                         duration);
    if (interval < NANOSECONDS_PER_SECOND || interval > 3600 * NANOSECONDS_PER_SECOND ||
        interval % NANOSECONDS_PER_SECOND)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not whole seconds up to 1h",
                         duration);
    config->scrape_interval = interval / NANOSECONDS_PER_SECOND;
    return STATUS_OK;
}

enum status config_set_blast_cap(struct config *config, const char *number, struct error *error)
{
    char *end;
    errno = 0;
    unsigned long cap = strtoul(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end || errno || cap < 1 ||
        cap > CONFIG_MAX_BLAST_CAP)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a whole number from 1 to %d",
                         number, CONFIG_MAX_BLAST_CAP);
    config->blast_cap = (unsigned)cap;
    return STATUS_OK;
}

void config_set_up_log(const struct config *config)
{
    enum log_format format;
    enum log_level level;
    if (config->log_format && log_format_parse(config->log_format, &format))
        log_set_format(format);
    if (config->log_level && log_level_parse(config->log_level, &level))
        log_set_level(level);
}
