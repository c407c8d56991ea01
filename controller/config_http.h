/* config_http.h - the part of the configuration that is about serving (http/settings.h).
 *
 * One table says for every key how it is set, so that a file and the options go the same way. */
#ifndef WEIR_CONFIG_HTTP_H
#define WEIR_CONFIG_HTTP_H

#include "config.h"

enum http_key_type { HTTP_KEY_VALUE, HTTP_KEY_LIST, HTTP_KEY_SWITCH };

struct http_key {
    const char *name;
    enum http_key_type type;
    /* STATUS_INVALID when it makes no sense; for a switch `text` is NULL. */
    enum status (*set)(struct http_settings *settings, const char *text, struct error *error);
    bool (*is_set)(const struct http_settings *settings);
};

extern const struct http_key http_keys[]; /* ended by an entry without name */

void config_http_dispose(struct http_settings *settings);
/* Checks what belongs together. */
enum status config_http_finish(const struct http_settings *settings, struct error *error);

#endif
