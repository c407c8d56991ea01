/* notify_http.h - what the channels that go by HTTP have in common: a client that may contact one
 * server, and what its answers mean. */
#ifndef WEIR_NOTIFY_HTTP_H
#define WEIR_NOTIFY_HTTP_H

#include "../outward/http_client.h"
#include "notify.h"

#define NOTIFY_SECRET_SIZE 2048

struct notify_http {
    const struct notify_channel *channel;
    const struct notify_world *world;
    const struct reach_secret *secret; /* or NULL */
    struct reach_host host;
    struct reach reach; /* that host alone */
    struct http_url url;
    struct http_client *client; /* NULL until there is a URL */
};

/* False without memory. A secret that is not known is an error of each send. */
bool notify_http_open(struct notify_http *http, const struct notify_channel *channel,
                      const struct notify_world *world);
void notify_http_close(struct notify_http *http);
/* Makes the client ready for a URL; the connection is kept while that stays the same. Nothing of
 * the URL but its server is told by messages, for it may be a secret. */
enum status notify_http_aim(struct notify_http *http, const char *url, struct error *error);
/* POSTs `body`. `headers` end by NULL. */
enum notify_outcome notify_http_post(struct notify_http *http, const char *const *headers,
                                     struct text body, const _Atomic bool *stop, int64_t *wait,
                                     struct error *error);
/* Reads the channel's secret. */
enum status notify_secret_read(const struct notify_channel *channel,
                               const struct reach_secret *secret, char *value, size_t size,
                               struct error *error);

#endif
