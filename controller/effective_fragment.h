/* effective_fragment.h - what one flag was as of a commit, found out once. Private to effective*.c.
 *
 * It is what E(that commit) serves, but with the flag's rollouts as they are now where they were
 * rolled back, killed, stepped back or started again since. Kept in memory while a pin asks for it,
 * and on the disk. */
#ifndef WEIR_EFFECTIVE_FRAGMENT_H
#define WEIR_EFFECTIVE_FRAGMENT_H

#include "effective.h"

#define WANTED_KEY_SIZE 192 /* a commit, two names, 16 digits, and what is between them */

/* Of which flag, as of what; with a copy of all that it was made of. */
struct effective_wanted {
    char name[2 * (STATE_NAME_MOST + 1)]; /* ENVIRONMENT/FLAG */
    struct text environment, flag;        /* in `name` */
    char as_of[COMMIT_TEXT_SIZE];
    struct file_change *undone; /* states of its rollouts that expose less now */
    size_t undone_count;
    struct arena arena;        /* of their paths */
    char key[WANTED_KEY_SIZE]; /* names it, and its file */
};

/* Of `pin`, its environment, flag and as_of count. Dispose of it in any case. STATUS_INVALID: names
 * that are none. */
enum status effective_wanted_init(const struct effective *effective, const struct flag_pin *pin,
                                  struct effective_wanted *wanted, struct error *error);
void effective_wanted_dispose(struct effective_wanted *wanted);

/* Whether a pin at effective->commit can count: another clone must come to the same, so only what
 * is in the history of that commit is looked at. */
enum status effective_pin_counts(const struct effective *effective, const struct flag_pin *pin,
                                 bool *yes, struct error *error);

/* Appends its JSON; *found is false where it was none. STATUS_LIMIT: too many pins lead to each
 * other. */
enum status effective_fragment_find(struct effective *effective,
                                    const struct effective_wanted *wanted, struct buffer *out,
                                    bool *found, struct error *error);

#endif
