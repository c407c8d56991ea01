/* commit_status.h - tells a forge what became of the commits that were judged.
 *
 * A thread of its own sends one report after another (report_queue.h): nobody waits for a forge.
 * The forge is the one that the operator's configuration names: its host is allowed to this client
 * alone, and the token goes there alone. The token is read at each try, so that it can be
 * replaced. What fails is logged when it changes, counted, shown by /status, and tried again.
 * Several controllers may report one commit: the context makes that one status. */
#ifndef WEIR_COMMIT_STATUS_H
#define WEIR_COMMIT_STATUS_H

#include "../core.h"
#include "commit_status_settings.h"
#include "forge.h"

struct commit_status_parts {
    const struct commit_status_settings *settings;
    const char *ca_file; /* or NULL: the system's certificates */
    const struct clock *clock;
    struct telemetry *telemetry;
};

struct commit_status;

/* What `parts` points to must outlive it. */
enum status commit_status_start(const struct commit_status_parts *parts, struct commit_status **out,
                                struct error *error);
/* Ends the thread within a moment, whatever it is at. What was not told is judged and told again
 * after the next start. The rest takes NULL, too. */
void commit_status_stop(struct commit_status *status);

/* Does not wait. */
void commit_status_tell(struct commit_status *status, const struct forge_report *report);
/* A commit is about to be judged. */
void commit_status_begin(struct commit_status *status, const char *commit);
/* What core made of `commit`: the outcome of core_take(). */
void commit_status_judged(struct commit_status *status, struct core *core, const char *commit,
                          enum status outcome);

/* For /status: {"forge":…,"last":…,"project":…,"waiting":N}, or null without one. */
void commit_status_write(struct commit_status *status, struct buffer *out);

/* The words for a judgement; core could not come to one where `outcome` is neither STATUS_OK nor
 * STATUS_INVALID, and why is not for the public. */
void commit_status_describe(const struct core_judgement *judgement, enum status outcome,
                            struct forge_report *report);

#endif
