/* core_private.h - shared by core.c and core_status.c. */
#ifndef WEIR_CORE_PRIVATE_H
#define WEIR_CORE_PRIVATE_H

#include "core.h"
#include "effective.h"

#define QUARANTINED_SHOWN 100

struct core {
    struct core_parts parts;
    struct mirror *mirror;
    struct schema_set *schemas;
    struct effective effective; /* what is in force; owner's thread only */
    struct steering *steering;
    /* The owner's thread's own: */
    bool has_effective;
    bool has_published; /* what the hub holds may also come from the disk */
    bool has_failed;    /* the last time that overrides were to be served */
    bool is_torn;       /* a commit is half in force: not that which rollouts are looked at in */
    bool is_trimmed;    /* the fleet has all, `effective` no list any more */
    unsigned owing;     /* times in a row that the fleet did not take all */
    int64_t retry_at;   /* monotonic, when something is owed */
    char cache[4200];   /* where it keeps what it found out */
    char
        judged[COMMIT_TEXT_SIZE]; /* the last tip that was served or refused; owner's thread only */

    pthread_mutex_t
        lock; /* everything below: written by the owner and by fetches, read by /status */
    char tip[COMMIT_TEXT_SIZE];
    bool tip_is_served;
    bool tip_is_whole;         /* all that it says is in force */
    struct diagnostics faults; /* of the tip */
    struct buffer quarantined; /* members of a JSON list: at most QUARANTINED_SHOWN */
    size_t quarantined_count;
    int64_t last_success, last_attempt; /* of fetches, wall seconds; 0: never */
    unsigned fetch_failures;            /* in a row */
    char fetch_problem[256];
};

/* core_publish.c */
void core_count(struct core *core, const struct family_description *family, const char *label,
                int64_t amount);
void core_gauge(struct core *core, const struct family_description *family, const char *label,
                int64_t value);
/* Serves what is in force, and hands it to the targets. */
enum status core_publish(struct core *core, struct error *error);
/* Gives back what the fleet has taken. */
void core_trim(struct core *core);
/* The same commit, with other overrides; `core` as steering_parts.self. False: nothing else is
 * served than before. */
bool core_republish(void *core);

#endif
