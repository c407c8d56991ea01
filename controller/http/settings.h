/* settings.h - what an operator says of the HTTP face; plain values, borrowed by the server for as
 * long as it lives. All zeros are the defaults. */
#ifndef WEIR_HTTP_SETTINGS_H
#define WEIR_HTTP_SETTINGS_H

#include "../../rules/base.h"

struct http_settings {
    char *tokens;                    /* the tokens file; NULL: nobody has a token */
    bool require_token;              /* for evaluation, on a loopback address too */
    char *tls_certificate, *tls_key; /* PEM files, both or neither */
    char **cors_origins;             /* whose pages may evaluate; one may be "*" */
    size_t cors_origin_count;
    char **server_names; /* names, beside localhost, that a Host may be */
    size_t server_name_count;
    unsigned connections;             /* at a time; 0: 10 000 */
    unsigned connections_per_address; /* at a time; 0: as many as in all */
    unsigned rate_limit;              /* requests a second of one token or address; 0: any */
    int64_t request_timeout;          /* nanoseconds for one request; 0: HTTP_REQUEST_TIMEOUT */
    int64_t max_state_age;            /* seconds until /readyz turns false; 0: never */
    bool answer_commit;               /* evaluation answers carry weir.commit */
};

#define HTTP_REQUEST_TIMEOUT (INT64_C(30) * 1000000000)

#endif
