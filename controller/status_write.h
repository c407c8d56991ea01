/* status_write.h - pieces of the JSON of GET /status that a controller and an edge have in common.
 */
#ifndef WEIR_STATUS_WRITE_H
#define WEIR_STATUS_WRITE_H

#include "../rules/buffer.h"
#include "snapshot.h"

/* "name":"value"; null where it is NULL or empty. */
void status_write_member(struct buffer *out, const char *name, const char *value);
/* "name":"2026-11-22T21:30:00Z"; null for 0. */
void status_write_time(struct buffer *out, const char *name, int64_t seconds);
/* What is served: commit, environments, generation, since. `snapshot` may be NULL. */
void status_write_served(struct buffer *out, const struct snapshot *snapshot);

#endif
