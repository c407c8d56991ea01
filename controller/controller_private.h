/* controller_private.h - shared by controller.c and controller_parts.c. */
#ifndef WEIR_CONTROLLER_PRIVATE_H
#define WEIR_CONTROLLER_PRIVATE_H

#include <pthread.h>

#include "controller.h"
#include "core.h"
#include "data_folder.h"
#include "git/identity.h"
#include "git/upkeep.h"
#include "git_thread.h"
#include "http/hooks.h"
#include "http/server.h"
#include "news.h"
#include "outward/commit_status.h"
#include "state_keeper.h"
#include "store_upkeep.h"
#include "supervisor.h"

struct controller {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct reach reach; /* targets/ of the data folder included */
    struct hub hub;
    struct fleet *fleet;
    struct hooks *hooks;                 /* NULL: no forge may call */
    struct commit_status *commit_status; /* NULL: no forge is told */
    struct news *news;                   /* NULL: nobody is told */
    struct store_upkeep *store_upkeep;   /* git's thread */
    struct http_server *http;
    struct supervisor *supervisor; /* NULL: nobody supervises */
    struct state_keeper *keeper;
    struct core *core;
    struct mirror *fetching, *reading; /* one handle for each thread */
    struct upkeep *upkeep;             /* of the clone; git's thread */
    struct git_thread *git;
    struct store *store; /* core's handle */
    struct desk *desk;
    struct metrics *metrics;
    struct data_folder folder;
    struct identity identity; /* of the commits that weir decides */
    struct record_key key;

    pthread_mutex_t lock;
    pthread_cond_t changed;     /* by CLOCK_MONOTONIC */
    char tip[COMMIT_TEXT_SIZE]; /* for core; empty: nothing new */
    int64_t tip_when;           /* the remote had it, wall seconds; 0: in an earlier run */
    bool woken;                 /* core is to look at its rollouts */
    bool core_asked;            /* core's loop is to tell the supervisor that it turns */
    _Atomic bool stopping;
    pthread_t core_thread;
    bool has_core_thread, has_hub, has_lock;
};

/* Makes all that core's and git's threads need, and starts what measures and tells. */
enum status controller_make_parts(struct controller *controller, struct error *error);
/* A fetch is wanted; `controller` is a struct controller. Any thread. */
void controller_nudge(void *controller);
/* The body of GET /status. */
void controller_write_status(void *controller, struct buffer *out);

#endif
