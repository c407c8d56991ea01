/* smtp_url.h - smtp://HOST[:PORT] and smtps://HOST[:PORT]: which server takes mail. Port 587, that
 * of submission (RFC 6409), and 465 (RFC 8314) where none is named. */
#ifndef WEIR_SMTP_URL_H
#define WEIR_SMTP_URL_H

#include "../reach.h"

struct smtp_url {
    struct reach_host server; /* the port is set */
    bool tls;                 /* smtps: from the first byte */
};

/* STATUS_INVALID: with credentials, a path, or another scheme. */
enum status smtp_url_parse(struct text text, struct smtp_url *out, struct error *error);
/* For libcurl. */
void smtp_url_write(const struct smtp_url *url, char *out, size_t size);

#endif
