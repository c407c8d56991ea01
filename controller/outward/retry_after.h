/* retry_after.h - how long a server wants to be left alone, by its header Retry-After (RFC 9110,
 * 10.2.3): seconds, or a date. Pure. */
#ifndef WEIR_RETRY_AFTER_H
#define WEIR_RETRY_AFTER_H

#include "../../rules/base.h"

/* Digits alone, twelve at most; false where there is anything else. */
bool seconds_parse(const char *text, int64_t *out);
/* In 1 … `most`. */
int64_t seconds_clamp(int64_t seconds, int64_t most);
/* Seconds from `now` (seconds since 1970), in 1 … `most`; 0 where `value` says nothing. */
int64_t retry_after(const char *value, int64_t now, int64_t most);

#endif
