/* tls.h - the server's certificate and key, which may be replaced while it serves.
 *
 * A handshake asks for them by a callback and uses them until it is done. So what was replaced is
 * kept until no handshake can be using it any more; connections that are open stay open. */
#ifndef WEIR_HTTP_TLS_H
#define WEIR_HTTP_TLS_H

#include <gnutls/abstract.h>

#include "../clock.h"

/* TLS 1.2 and 1.3. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct tls;

/* Reads both PEM files; the names are borrowed. STATUS_SYSTEM: not readable; STATUS_INVALID: not a
 * certificate, not its key. */
enum status tls_new(const char *certificate, const char *key, const struct clock *clock,
                    struct tls **out, struct error *error);
void tls_free(struct tls *tls); /* NULL is fine; after the last connection */
/* Reads both files again; *changed: they were others. On failure the old ones stay in use. */
enum status tls_reload(struct tls *tls, bool *changed, struct error *error);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK, which knows no context: there is one server with TLS in a
 * process. */
int tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                    int authority_count, const gnutls_pk_algorithm_t *algorithms,
                    int algorithm_count, gnutls_pcert_st **certificates,
                    unsigned int *certificate_count, gnutls_privkey_t *key);

#endif
