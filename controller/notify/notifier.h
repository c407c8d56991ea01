/* notifier.h - sends what an outbox keeps: a thread for each channel, so that one that hangs holds
 * up no other.
 *
 * A notice is put into the outbox first, once for each channel that wants its event, and only then
 * sent; it leaves the outbox when its channel took it, refused it for good, or did not take it for
 * NOTIFIER_PATIENCE. The last two are logged as errors and counted. After a failure the whole
 * channel waits, with jittered exponential backoff or as long as the server asks. At least once: a
 * crash between an answer and the outbox sends a notice again, with the same id. */
#ifndef WEIR_NOTIFIER_H
#define WEIR_NOTIFIER_H

#include "../telemetry.h"
#include "notify.h"
#include "outbox.h"

#define NOTIFIER_RETRY_FIRST (1 * NANOSECONDS_PER_SECOND)
#define NOTIFIER_RETRY_LONGEST (1800 * NANOSECONDS_PER_SECOND)
#define NOTIFIER_PATIENCE (INT64_C(3) * 86400 * NANOSECONDS_PER_SECOND)

struct notifier_parts {
    const struct notify_channel *channels; /* NOTIFY_CHANNELS_MOST at most */
    size_t channel_count;
    struct notify_world world;
    const struct outbox *outbox;
    struct telemetry *telemetry;
};

struct notifier;

/* All that `parts` points to must outlive it. */
enum status notifier_start(const struct notifier_parts *parts, struct notifier **out,
                           struct error *error);
/* Ends the threads within a moment; what waits stays in the outbox. NULL is fine. */
void notifier_stop(struct notifier *notifier);

/* Puts a notice (with id, event and time) into the outbox for every channel that wants it. Lasts
 * no longer than the outbox does. A failure is counted and logged here, too: the first one is
 * returned. */
enum status notifier_tell(struct notifier *notifier, const struct notice *notice,
                          struct error *error);

/* For /status: [{"channel":…,"problem":…,"type":…,"waiting":N},…]. NULL: []. */
void notifier_write_status(struct notifier *notifier, struct buffer *out);

#endif
