/* intents.h - overrides kept as refs of the remote, for a branch that takes no commits.
 *
 * A safe state is recorded by a commit on the branch. Where the branch refuses that for long, the
 * override itself is pushed as refs/weir/intents/INTENT: a commit without parents that holds one
 * file, override.json. Every controller finds it by its next fetch (ROLLOUTS.md section 4), and
 * whoever records it at last removes it.
 *
 * A fetch sees which there are, at no cost; only what is new is asked for. What others put there is
 * hostile: names, number and bytes are bounded here, what the JSON says is checked by its reader
 * (rollout/override.h). */
#ifndef WEIR_GIT_INTENTS_H
#define WEIR_GIT_INTENTS_H

#include "mirror.h"
#include "record.h"

#define INTENT_NAME_LENGTH 64 /* lower-case hexadecimal digits */
#define INTENTS_MAX 1000      /* read at one time, the first by name */
#define INTENT_BYTES_MAX ((size_t)9216 << 10)
#define INTENTS_DOWNLOAD_MAX                                                                       \
    (UINT64_C(64) << 20) /* bytes that a remote may send for all of them                           \
                          */

/* Pushes an override's JSON as the ref of its intent. The same by the same person at the same time
 * is the same commit. One that is there already, whoever wrote it, is STATUS_OK: an intent says
 * what is to be done. STATUS_REFUSED: the remote does not take such refs. STATUS_INVALID,
 * STATUS_LIMIT: no intent, or too much JSON. STATUS_SYSTEM: the remote cannot be reached, or it is
 * not known whether the push arrived: write it again. */
enum status intents_write(struct mirror *mirror, const char *intent, struct text json,
                          const struct record_person *by, _Atomic bool *stop, struct error *error);

/* Takes it off the remote. One that is not there is STATUS_OK. Else as intents_write(). */
enum status intents_remove(struct mirror *mirror, const char *intent, _Atomic bool *stop,
                           struct error *error);

/* `json` is borrowed for the call. Where it cannot be read it is empty and `problem` says why;
 * otherwise `problem` is NULL. */
typedef void intent_visit(void *context, const char *intent, struct text json,
                          const struct error *problem);
/* Visits those that the last mirror_fetch() of this handle saw, by name; contacts the remote only
 * for what is not here yet. *beyond (or NULL): so many more there were. STATUS_SYSTEM: that could
 * not be had; nothing was visited. */
enum status intents_read(struct mirror *mirror, intent_visit *visit, void *context, size_t *beyond,
                         _Atomic bool *stop, struct error *error);

#endif
