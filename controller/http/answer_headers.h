/* answer_headers.h - the header lines of an answer: what it is, who may read it, and where what it
 * says comes from. */
#ifndef WEIR_ANSWER_HEADERS_H
#define WEIR_ANSWER_HEADERS_H

#include <microhttpd.h>

#include "route.h"

/* False without memory. `close`: the connection ends with this answer. */
bool answer_add_headers(struct MHD_Response *response, const struct answer *answer, bool close);

#endif
