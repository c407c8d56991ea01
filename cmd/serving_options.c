#include "serving_options.h"

#include <stdio.h>

#include "../controller/config_http.h"

int serving_refuse(const char *option, const struct error *error)
{
    return command_fail("\"--%s\": %s", option, error->message);
}

static int set_texts(struct config *config, const struct arguments *arguments)
{
    const struct {
        const char *option;
        char **member;
        enum status (*set)(char **member, const char *text, struct error *error);
    } texts[] = {
        {"listen", &config->listen, config_set_text},
        {"default-environment", &config->default_environment, config_set_text},
        {"data", &config->data, config_set_path},
        {"log-format", &config->log_format, config_set_log_format},
        {"log-level", &config->log_level, config_set_log_level},
        {"ca-file", &config->reach.ca_file, config_set_path},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *value = argument_given(arguments, texts[i].option);
        if (value && texts[i].set(texts[i].member, value, &error) != STATUS_OK)
            return serving_refuse(texts[i].option, &error);
    }
    return EXIT_FINE;
}

static int set_numbers(struct config *config, const struct arguments *arguments)
{
    static const struct {
        const char *option;
        enum status (*set)(struct config *config, const char *text, struct error *error);
    } numbers[] = {
        {"poll", config_set_poll},
        {"http-threads", config_set_threads},
        {"event-streams", config_set_event_streams},
        {"event-heartbeat", config_set_event_heartbeat},
    };
    struct error error;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const char *value = argument_given(arguments, numbers[i].option);
        if (value && numbers[i].set(config, value, &error) != STATUS_OK)
            return serving_refuse(numbers[i].option, &error);
    }
    return EXIT_FINE;
}

static int set_http(struct config *config, const struct arguments *arguments)
{
    struct error error;
    for (const struct http_key *key = http_keys; key->name; key++) {
        bool is_switch = key->type == HTTP_KEY_SWITCH;
        size_t count =
            is_switch ? argument_flag(arguments, key->name) : argument_count(arguments, key->name);
        for (size_t i = 0; i < count; i++) {
            const char *value = is_switch ? NULL : argument_at(arguments, key->name, i);
            if (key->set(&config->http, value, &error) != STATUS_OK)
                return serving_refuse(key->name, &error);
        }
    }
    return EXIT_FINE;
}

int serving_configure(struct config *config, const struct arguments *arguments)
{
    int code = set_texts(config, arguments);
    if (code == EXIT_FINE)
        code = set_numbers(config, arguments);
    return code == EXIT_FINE ? set_http(config, arguments) : code;
}

void serving_announce(void *context, const char *address)
{
    const struct config *config = context;
    /* Who started it may wait for this line, so it must not wait in a buffer. */
    printf("listening on %s://%s\n", config->http.tls_certificate ? "https" : "http", address);
    fflush(stdout);
}
