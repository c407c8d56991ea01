/* asker.h - asks sources: many requests at once in one libcurl multi loop.
 *
 * What http_guard.h stands for holds for each. An answer has SOURCE_PATIENCE seconds and
 * SOURCE_ANSWER_MAXIMUM bytes; a redirect is followed to the same server only. A secret is sent
 * only where its own hosts allow it, also on connections that other requests opened. One request is
 * under way for all who ask the same of the same source at one time, and its answer serves those
 * who come within the age that they accept. At most half of all requests go to one server, so that
 * one that hangs does not keep the others waiting.
 *
 * An asker belongs to one thread, but for asker_wake(). */
#ifndef WEIR_METRICS_ASKER_H
#define WEIR_METRICS_ASKER_H

#include "../clock.h"
#include "../reach.h"
#include "source.h"

struct asker;

struct asker_settings {
    const struct reach *reach; /* borrowed; outlives it */
    const struct clock *clock;
    unsigned most; /* requests at one time */
};

/* NULL without memory. */
struct asker *asker_new(const struct asker_settings *settings);
/* Nobody is called back any more. NULL is fine. */
void asker_free(struct asker *asker);

/* The reading is borrowed until it returns; may ask further. */
typedef void asker_answered(void *context, const struct reading *reading);

/* Asks; `answered` is called exactly once, by asker_drive() or before this returns. What cannot be
 * asked is answered by a fault. `age`: nanoseconds that an answer may be old; 0: only one that is
 * under way. The question is copied. */
void asker_ask(struct asker *asker, const struct question *question, int64_t age,
               asker_answered *answered, void *context);
/* Waits for answers for at most so many milliseconds, and hands them on. */
void asker_drive(struct asker *asker, int milliseconds);
/* Requests that are under way or wait for their turn. */
size_t asker_backlog(const struct asker *asker);
/* Requests sent so far. */
uint64_t asker_sent(const struct asker *asker);
/* Ends the wait of asker_drive(), now or the next; from any thread. */
void asker_wake(struct asker *asker);

#endif
