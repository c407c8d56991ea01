/* supervisor.h - weir's end of systemd's supervision: a thread that tells what is true, no more.
 *
 *   READY=1      once a snapshot is served, not when it only listens: what is ordered after weir
 *                wants answers. Until then EXTEND_TIMEOUT_USEC keeps the start from timing out, for
 *                as long as the threads are alive: a remote that is down is no reason to give up.
 *   STATUS=…     what is served, or what is wrong
 *   WATCHDOG=1   every half of WATCHDOG_USEC, each time only after core's loop has answered a
 *                question and each HTTP thread a request. Idle parts answer; stuck ones do not, and
 *                then nothing is sent. Git and targets may hang on others: they prove nothing.
 *   RELOADING=1  on SIGHUP, and READY=1 when the files were read again
 *   STOPPING=1   on SIGTERM
 *
 * Without NOTIFY_SOCKET there is no thread and all of this does nothing. Thread-safe. */
#ifndef WEIR_SUPERVISOR_H
#define WEIR_SUPERVISOR_H

#include "http/server.h"

struct supervisor_parts {
    struct hub *hub;
    struct http_server *http;
    /* Makes core's loop call supervisor_answer(), soon unless it is stuck. Does not wait. */
    void (*ask_core)(void *context);
    void (*write_status)(void *context, struct buffer *out); /* the JSON of GET /status */
    void *context;
};

struct supervisor;

/* NULL in *out, and STATUS_OK, where nobody supervises. */
enum status supervisor_start(const struct supervisor_parts *parts, struct supervisor **out,
                             struct error *error);
/* The rest takes NULL. */
void supervisor_answer(struct supervisor *supervisor); /* core's loop is alive */
void supervisor_note(struct supervisor *supervisor);   /* something may have changed */
void supervisor_reloading(struct supervisor *supervisor);
void supervisor_reloaded(struct supervisor *supervisor);
/* Ends the thread and tells, last of all, that weir is stopping; before the HTTP server is
 * stopped. */
void supervisor_stop(struct supervisor *supervisor);
void supervisor_free(struct supervisor *supervisor);

#endif
