/* rate.h - how many requests a second one caller may send: a bucket of tokens for each, in a table
 * of fixed size.
 *
 * A bucket holds one second's requests and refills evenly. Where more callers come than the table
 * has room for, who has been away longest is forgotten, and finds a full bucket when he is back. */
#ifndef WEIR_HTTP_RATE_H
#define WEIR_HTTP_RATE_H

#include "../../rules/base.h"

struct rate;

/* `limit` requests a second, at least 1. NULL without memory. */
struct rate *rate_new(unsigned limit);
void rate_free(struct rate *rate); /* NULL is fine */

/* Takes one request of `caller` (a hash) at the monotonic time `now`. 0: it may; else nanoseconds
 * until the next one may. Any thread may call it. */
int64_t rate_take(struct rate *rate, uint64_t caller, int64_t now);

#endif
