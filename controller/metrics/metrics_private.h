/* metrics_private.h - what the threads of metrics share: metrics.c starts them and answers, loop.c
 * measures (one for breakers, one for the rest), keeper.c takes rosters in and writes the store.
 *
 * One lock guards the set of tasks with their probes, the mailbox of rosters and what waits for the
 * store. Nobody waits for a network or a disk under it. The keeper alone replaces the set; a task
 * that is measured at that moment is freed by its loop. */
#ifndef WEIR_METRICS_PRIVATE_H
#define WEIR_METRICS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "../clock.h"
#include "../store/store.h"
#include "asker.h"
#include "metrics.h"
#include "probe.h"
#include "timers.h"

#define VERDICTS (VERDICT_FAILURE + 1)

struct loop;

/* A probe, and when it is measured. */
struct task {
    struct timer timer; /* the first member */
    struct probe *probe;
    struct loop *loop;
    uint64_t server;     /* whom it asks: loop_server() */
    struct task *next;   /* of those that wait for their server */
    uint32_t generation; /* rises when what its evidence is of changes: an answer is then void */
    bool in_flight;
    bool waits;         /* it is due, and its server has as many measurements as it may */
    bool retired;       /* nobody watches it any more; its loop frees it once it is answered */
    bool kept;          /* the keeper's, while it replaces the set */
    bool dirty, urgent; /* to be written, soon or at once */
    int64_t written;    /* monotonic */
};

/* All tasks of a roster: those of items[i] from first[i] up to first[i + 1]. */
struct task_set {
    struct roster *roster; /* a reference */
    int64_t *exposed;      /* as it was told with the roster */
    struct task **tasks;
    size_t count;
    size_t *first;
};

/* Measurements that wait for the store. */
struct rows {
    struct arena arena;
    struct store_measurement *items; /* STORE_BATCH_MAXIMUM */
    size_t count;
    uint64_t lost; /* since the last were written */
};

struct loop {
    struct metrics *metrics;
    const char *name;
    bool breakers;
    unsigned most; /* measurements at one time */
    pthread_t thread;
    bool is_started;
    struct asker *asker;
    struct timers timers; /* under the lock, as the next two: who was due first waits first */
    struct task *waiting, **last_waiting;
    size_t active;                /* measurements; the thread's own */
    struct measuring *measurings; /* those that are not answered; the thread's own */
    struct series *turns, *last_turn;
};

struct metrics {
    struct metrics_parts parts;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t told; /* to the keeper; by CLOCK_MONOTONIC */
    struct loop loops[2];
    pthread_t keeper;
    bool keeper_started;

    /* Under the lock: */
    struct task_set set;
    struct roster *next; /* mailbox; NULL: empty */
    int64_t *next_exposed;
    struct rows rows;

    /* The keeper's own: */
    struct store *store; /* NULL: not open */
    int64_t store_again; /* monotonic: not tried before */
    struct rows writing;
    struct series *measured[SOURCES][VERDICTS], *watched, *store_failures, *lost;
};

int64_t metrics_monotonic(const struct metrics *metrics);
int64_t metrics_wall(const struct metrics *metrics);

/* --- keeper.c -------------------------------------------------------------------------------- */

void *keeper_main(void *metrics);
/* Under the lock: keeps a measurement for the store. */
void keeper_note(struct metrics *metrics, const struct task *task, int64_t started);
void task_set_dispose(struct task_set *set);
void task_free(struct task *task); /* NULL is fine */
bool rows_init(struct rows *rows);
void rows_dispose(struct rows *rows);

/* --- loop.c ---------------------------------------------------------------------------------- */

void *loop_main(void *loop);
/* After the thread has ended. */
void loop_dispose(struct loop *loop);
/* Under the lock: when the task is measured first; or never again. */
void loop_schedule(struct loop *loop, struct task *task);
void loop_cancel(struct loop *loop, struct task *task);
/* Names the server that a metric asks. */
uint64_t loop_server(const struct metric *metric);

#endif
