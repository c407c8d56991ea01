/* store_upkeep.h - the store of the data folder as a whole: made ready before anything uses it, and
 * kept small.
 *
 * After store_upkeep_start() each thread opens a handle of its own, by store_open(config->data). */
#ifndef WEIR_STORE_UPKEEP_H
#define WEIR_STORE_UPKEEP_H

#include "clock.h"
#include "store/store.h"

#define STORE_UPKEEP_INTERVAL INT64_C(3600)           /* seconds from one to the next */
#define STORE_KEEP_MEASUREMENTS (INT64_C(14) * 86400) /* seconds */
#define STORE_KEEP_MEASUREMENT_ROWS UINT64_C(1000000)
#define STORE_KEEP_EVIDENCE                                                                        \
    (INT64_C(120) * 86400) /* a run of twelve weeks, and what is after it                          \
                            */
#define STORE_KEEP_CLOSED (INT64_C(120) * 86400)
#define STORE_KEEP_SETTLED (INT64_C(30) * 86400) /* so long no news is sent twice */
#define STORE_KEEP_SETTLED_ROWS UINT64_C(100000)
#define STORE_KEEP_ROLLBACKS (INT64_C(30) * 86400)

struct store_upkeep;

/* Before any thread has a handle: opens the store of `folder` once. A damaged one is set aside and
 * an empty one begun, which is logged as an error with where it is now. STATUS_REFUSED: a newer
 * weir's, or not weir's, and nothing is to be started on it; STATUS_NO_MEMORY; any other failure is
 * logged and is for those who open it afterwards to live with: what is served does not depend on
 * it. `folder` and `clock` are borrowed. */
enum status store_upkeep_start(const char *folder, const struct clock *clock,
                               struct store_upkeep **out, struct error *error) MUST_CHECK;
/* The rest is of one thread, which may be slow. */
/* Prunes what is old, at most once in STORE_UPKEEP_INTERVAL; else it costs nothing. What fails is
 * logged, and tried again at the next interval. *stop (or NULL) becoming true ends it. */
void store_upkeep_turn(struct store_upkeep *upkeep, const _Atomic bool *stop);
void store_upkeep_free(struct store_upkeep *upkeep); /* NULL is fine */

#endif
