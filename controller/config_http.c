#include "config_http.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"

#define CONNECTIONS_MOST 1000000
#define RATE_MOST 1000000
#define REQUEST_TIMEOUT_LEAST (100 * NANOSECONDS_PER_MILLISECOND)
#define REQUEST_TIMEOUT_MOST (600 * NANOSECONDS_PER_SECOND)

/* --- kinds of values ------------------------------------------------------------------------- */

static enum status read_number(const char *text, const char *unit, unsigned long most,
                               unsigned *out, struct error *error)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || (*end && strcmp(end, unit) != 0) || errno || number < 1 ||
        number > most)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a whole number from 1 to %lu%s",
                         text, most, unit);
    *out = (unsigned)number;
    return STATUS_OK;
}

static enum status read_duration(const char *text, int64_t least, const char *range, int64_t most,
                                 int64_t *out, struct error *error)
{
    int64_t duration;
    if (!duration_parse(text_of(text), &duration))
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a duration, like 10s, 5m or 1h",
                         text);
    if (duration < least || duration > most)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not between %s", text, range);
    *out = duration;
    return STATUS_OK;
}

static enum status append(char ***list, size_t *count, const char *text, struct error *error)
{
    char *copy = NULL;
    enum status status = config_set_text(&copy, text, error);
    if (status)
        return status;
    char **longer = reallocarray(*list, *count + 1, sizeof *longer);
    if (!longer) {
        free(copy);
        return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
    }
    *list = longer;
    longer[(*count)++] = copy;
    return STATUS_OK;
}

/* --- the keys -------------------------------------------------------------------------------- */

static enum status set_tokens(struct http_settings *settings, const char *text, struct error *error)
{
    return config_set_path(&settings->tokens, text, error);
}

static bool has_tokens(const struct http_settings *settings)
{
    return settings->tokens != NULL;
}

static enum status set_require_token(struct http_settings *settings, const char *text,
                                     struct error *error)
{
    (void)text;
    (void)error;
    settings->require_token = true;
    return STATUS_OK;
}

static bool has_require_token(const struct http_settings *settings)
{
    return settings->require_token;
}

static enum status set_certificate(struct http_settings *settings, const char *text,
                                   struct error *error)
{
    return config_set_path(&settings->tls_certificate, text, error);
}

static bool has_certificate(const struct http_settings *settings)
{
    return settings->tls_certificate != NULL;
}

static enum status set_key(struct http_settings *settings, const char *text, struct error *error)
{
    return config_set_path(&settings->tls_key, text, error);
}

static bool has_key(const struct http_settings *settings)
{
    return settings->tls_key != NULL;
}

/* As a browser writes it: SCHEME://HOST[:PORT], no path. */
static enum status add_origin(struct http_settings *settings, const char *text, struct error *error)
{
    const char *host = strstr(text, "://");
    size_t length = host ? strcspn(host + 3, "/?#@ ,\"") : 0;
    if (strcmp(text, "*") != 0 && (length == 0 || host == text || host[3 + length] != '\0'))
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is not an origin, like https://shop.example.com, nor *", text);
    return append(&settings->cors_origins, &settings->cors_origin_count, text, error);
}

static bool has_origins(const struct http_settings *settings)
{
    return settings->cors_origin_count > 0;
}

static enum status add_name(struct http_settings *settings, const char *text, struct error *error)
{
    if (text[0] == '\0' || strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789.-_") != strlen(text))
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is not the name of a host, without a port", text);
    return append(&settings->server_names, &settings->server_name_count, text, error);
}

static bool has_names(const struct http_settings *settings)
{
    return settings->server_name_count > 0;
}

static enum status set_connections(struct http_settings *settings, const char *text,
                                   struct error *error)
{
    return read_number(text, "", CONNECTIONS_MOST, &settings->connections, error);
}

static bool has_connections(const struct http_settings *settings)
{
    return settings->connections != 0;
}

static enum status set_per_address(struct http_settings *settings, const char *text,
                                   struct error *error)
{
    return read_number(text, "", CONNECTIONS_MOST, &settings->connections_per_address, error);
}

static bool has_per_address(const struct http_settings *settings)
{
    return settings->connections_per_address != 0;
}

static enum status set_rate(struct http_settings *settings, const char *text, struct error *error)
{
    return read_number(text, "/s", RATE_MOST, &settings->rate_limit, error);
}

static bool has_rate(const struct http_settings *settings)
{
    return settings->rate_limit != 0;
}

static enum status set_timeout(struct http_settings *settings, const char *text,
                               struct error *error)
{
    return read_duration(text, REQUEST_TIMEOUT_LEAST, "100ms and 10m", REQUEST_TIMEOUT_MOST,
                         &settings->request_timeout, error);
}

static bool has_timeout(const struct http_settings *settings)
{
    return settings->request_timeout != 0;
}

static enum status set_age(struct http_settings *settings, const char *text, struct error *error)
{
    int64_t age = 0;
    enum status status = strcmp(text, "0") == 0
                             ? STATUS_OK
                             : read_duration(text, NANOSECONDS_PER_SECOND, "1s and 52w",
                                             52 * CONFIG_POLL_MOST, &age, error);
    settings->max_state_age = age / NANOSECONDS_PER_SECOND;
    return status;
}

static bool has_age(const struct http_settings *settings)
{
    return settings->max_state_age != 0;
}

static enum status set_answer_commit(struct http_settings *settings, const char *text,
                                     struct error *error)
{
    (void)text;
    (void)error;
    settings->answer_commit = true;
    return STATUS_OK;
}

static bool has_answer_commit(const struct http_settings *settings)
{
    return settings->answer_commit;
}

const struct http_key http_keys[] = {
    {"tokens", HTTP_KEY_VALUE, set_tokens, has_tokens},
    {"require-token", HTTP_KEY_SWITCH, set_require_token, has_require_token},
    {"tls-cert", HTTP_KEY_VALUE, set_certificate, has_certificate},
    {"tls-key", HTTP_KEY_VALUE, set_key, has_key},
    {"cors-origin", HTTP_KEY_LIST, add_origin, has_origins},
    {"server-name", HTTP_KEY_LIST, add_name, has_names},
    {"max-connections", HTTP_KEY_VALUE, set_connections, has_connections},
    {"max-connections-per-address", HTTP_KEY_VALUE, set_per_address, has_per_address},
    {"rate-limit", HTTP_KEY_VALUE, set_rate, has_rate},
    {"request-timeout", HTTP_KEY_VALUE, set_timeout, has_timeout},
    {"max-state-age", HTTP_KEY_VALUE, set_age, has_age},
    {"answer-commit", HTTP_KEY_SWITCH, set_answer_commit, has_answer_commit},
    {0},
};

/* --- the whole ------------------------------------------------------------------------------- */

void config_http_dispose(struct http_settings *settings)
{
    for (size_t i = 0; i < settings->cors_origin_count; i++)
        free(settings->cors_origins[i]);
    for (size_t i = 0; i < settings->server_name_count; i++)
        free(settings->server_names[i]);
    free(settings->cors_origins);
    free(settings->server_names);
    free(settings->tokens);
    free(settings->tls_certificate);
    free(settings->tls_key);
    *settings = (struct http_settings){0};
}

enum status config_http_finish(const struct http_settings *settings, struct error *error)
{
    if (!settings->tls_certificate != !settings->tls_key)
        return error_set(error, STATUS_INVALID,
                         "a certificate and its key belong together: give \"--tls-cert\" and "
                         "\"--tls-key\"");
    return STATUS_OK;
}
