/* git_thread.h - the one thread that talks to the remote: fetches what others push, pushes what
 * core decided.
 *
 * It may hang on a remote for as long as that takes: nobody waits for it. It fetches at every poll,
 * when it is nudged, and when a push has lost a race; a proposal (rollout/recorder.h) goes before
 * all of that. */
#ifndef WEIR_GIT_THREAD_H
#define WEIR_GIT_THREAD_H

#include "config.h"
#include "core.h"
#include "git/upkeep.h"
#include "store_upkeep.h"

struct git_thread_parts {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct mirror *mirror; /* a handle of its own */
    struct upkeep *upkeep; /* of the clone */
    struct store_upkeep *store_upkeep;
    struct core *core;
    struct recorder recorder; /* `stop` is filled in here */
    /* The newest that is known, and when the remote had it, in wall seconds; 0: in an earlier run.
     */
    void (*tip)(void *context, const char *tip, int64_t when);
    void (*packed)(void *context); /* other handles on the clone are stale */
    steering_tell *tell;           /* a decision is on the branch; or NULL */
    void *context;
};

struct git_thread;

/* Made, it may be told of work; it does it once it is started. */
enum status git_thread_new(const struct git_thread_parts *parts, struct git_thread **out,
                           struct error *error);
enum status git_thread_start(struct git_thread *thread, struct error *error);
/* Makes it fetch: at once, or once more after the fetch that it is at. Any thread. */
void git_thread_nudge(struct git_thread *thread);
/* Takes over a proposal, in the place of one that it has not begun with; NULL: there is none any
 * more. Any thread. */
void git_thread_propose(struct git_thread *thread, struct proposal *proposal);
/* The ref of an override (git/intents.h) is to be taken off the remote, when there is time. Any
 * thread. */
void git_thread_forget(struct git_thread *thread, struct text intent);
/* Ends and frees it, started or not. False: it hangs and would not, and whatever it uses must stay.
 * NULL is fine. */
bool git_thread_stop(struct git_thread *thread);

#endif
