/* open_overrides.h - the overrides that are open: kept in the store, put over every document that
 * is served, closed once Git says something equal or safer (ROLLOUTS.md section 4).
 *
 * Of core's thread. A store that fails does not keep a safe state from users: it is served all the
 * same, and told. */
#ifndef WEIR_OPEN_OVERRIDES_H
#define WEIR_OPEN_OVERRIDES_H

#include "../store/store.h"
#include "override.h"
#include "roster.h"

struct effective;

struct open_overrides {
    const struct effective *effective; /* borrowed: whose pins record intents too; or NULL */
    struct store *store;               /* borrowed; NULL: they do not outlive the process */
    struct override **items;           /* a reference on each; oldest first, and those of one
                                        * rollout in the order of their record */
    size_t count, size;
    uint64_t changes;    /* rises with each that comes or goes */
    unsigned unkept;     /* that the store would not take */
    struct text *voided; /* environment and intent in turn, NUL-terminated, owned; newest last */
    size_t voided_count;
};

void open_overrides_init(struct open_overrides *set, struct store *store);
void open_overrides_dispose(struct open_overrides *set);
/* Those that the store has. */
enum status open_overrides_load(struct open_overrides *set, struct error *error);

const struct override *open_overrides_find(const struct open_overrides *set, struct text intent);
/* The one that is served for a rollout, or a flag without one; NULL: none is open. */
const struct override *open_overrides_of(const struct open_overrides *set, struct text environment,
                                         struct text rollout);
/* Keeps it (fsync) and opens it, with a reference of its own. One whose intent is open already
 * changes nothing. STATUS_REFUSED: it was closed before, and stays so. STATUS_SYSTEM: it is open,
 * but the store does not have it: a restart would forget it; `error` says why. */
enum status open_overrides_add(struct open_overrides *set, struct override *override,
                               struct error *error) MUST_CHECK;
/* The same, of one that is decided here and now: what was closed before is open again. A rollout
 * that has the name of one that has ended may come to the same intents. */
enum status open_overrides_open(struct open_overrides *set, struct override *override,
                                struct error *error) MUST_CHECK;
void open_overrides_close(struct open_overrides *set, size_t index, int64_t now);
/* It is served with the bytes of all that are open of its flag, which the store does not keep. */
enum status open_overrides_put(struct open_overrides *set, size_t index, struct text fragment,
                               struct error *error) MUST_CHECK;
/* It is over at the commit that is served, recorded there or not: targets at which it stands are
 * told so, as of a recorded one, as long as it is among the newest OPEN_VOIDED_MAX of them. True:
 * that was not known yet. What is forgotten is found at the target and judged again. */
#define OPEN_VOIDED_MAX 1000
bool open_overrides_void(struct open_overrides *set, const struct override *override);
/* At another commit all are judged anew: what one that is behind takes for ended may only begin. */
void open_overrides_forget_voided(struct open_overrides *set);

/* What is served of `document`, whose environment is named: with the overrides of that environment
 * in the place of its flags, and the set that tells targets about it, with the intents that
 * `roster` (or NULL) records and those that are void. *set is NULL where no override is open and
 * none was ever recorded. */
enum status open_overrides_apply(const struct open_overrides *set, const struct roster *roster,
                                 struct text environment, struct document *document,
                                 struct document **out, struct override_set **told,
                                 struct error *error) MUST_CHECK;

#endif
