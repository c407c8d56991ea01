/* reconcile.h - from one commit to another: what is in force then, compiled.
 *
 * DESIGN section 5: what does not validate keeps its last good version, with everything that
 * depends on it; the rest goes live. Exactly: let C be what the commit's files define and P what is
 * in force before. Each definition of C counts, but for
 *   - those with faults of their own, and names that are defined twice;
 *   - names that C lacks, while C holds something that cannot be read or named: it may be them;
 *   - those that do not link, or do not compile for some environment, among what counts so far; and
 *     an environment that is new, or has other evaluators, when what stands as in P does not
 *     compile for it;
 *   - those that depend, by C's own words, on one that does not count;
 *   - states and pins that a hand other than weir's made or put back (state_word.h), unless they
 * are equal or safer; which stand as in P, or are absent as in P. When all that does not link or
 * compile stands as in P, so does all that it depends on. Repeated until nothing is wrong; at the
 * worst all stands as in P. Every round is a function of C and P alone, so the outcome is the same
 * on every machine, from whichever commit the inventory came.
 *
 * Only what changed, what depends on it, and what those ask for is read. Pure but for file_reader.
 */
#ifndef WEIR_RECONCILE_H
#define WEIR_RECONCILE_H

#include "bundle.h"
#include "inventory.h"
#include "reading.h"

/* A path of the commit's tree at which something is not as it was. */
struct file_change {
    struct text path;
    enum { FILE_GONE, FILE_HERE, FILE_OBSTACLE } state;
    enum bundle_obstacle obstacle; /* FILE_OBSTACLE: in the place of a file */
    struct blob_id blob;           /* FILE_HERE */
    uint64_t size;                 /* FILE_HERE: bytes; BUNDLE_WIDE: entries */
};

/* Gives a file's bytes, whole; appends to `out`. Called by several threads at once. */
struct file_reader {
    enum status (*read)(void *context, struct text path, const struct blob_id *blob,
                        struct buffer *out);
    void *context;
};

/* A definition that is not in force as the commit has it; or (`edit.seq` is not 0) a state that is,
 * and that somebody else than weir wrote. */
struct exception {
    enum kind kind;
    struct text name;
    struct text path; /* of the file whose document `index` is in force; empty: it is absent */
    struct blob_id blob;
    uint32_t index;
    struct edit edit;
};

/* What is in force before, which tells how a state may be looked at. */
enum reconcile_from {
    RECONCILE_ELSEWHERE, /* anything: who wrote a state cannot be told but by its checksum */
    RECONCILE_PARENT,    /* P of the commit: of its first parent, or nothing for a root */
    RECONCILE_ASIDE,     /* anything; the changes are known to count */
};

struct reconcile_task {
    const struct schema_set *schemas;
    const struct crew *crew; /* or NULL */
    struct file_reader reader;
    const struct file_change *changes; /* any order; a path may be gone and here, else once */
    size_t change_count;
    bool overflow; /* the tree is too large to be looked at: all stands as before */
    enum reconcile_from from;
    /* Of a merge: states and pins as the other parents' side had them, which its first parent never
     * knew. Where one is weir's later word it is P's. */
    const struct exception *rivals;
    size_t rival_count;
    /* The outcome is known from before: just these do not count. Anything wrong is STATUS_INVALID,
     * and the inventory is only good for disposing. */
    bool is_known;
    const struct exception *exceptions;
    size_t exception_count;
};

struct reconcile_result {
    struct arena arena;             /* of what stands below */
    struct diagnostics diagnostics; /* of the commit, as `weir validate` tells them */
    bool whole;                     /* nothing of the commit was left out */
    size_t read;                    /* files that were read */
    size_t compiled;                /* flags that were compiled, in all environments */
    struct target **targets;        /* in force, sorted by name */
    size_t target_count;
};

/* After STATUS_OK the inventory is the commit's. After anything else it is only good for disposing.
 * Dispose of `result` in any case. */
enum status reconcile(struct inventory *inventory, const struct reconcile_task *task,
                      struct reconcile_result *result, struct error *error);
void reconcile_result_dispose(struct reconcile_result *result);

/* What is in force otherwise than the commit has it, and what is that no word of weir's is; sorted
 * by kind and name, copied into `arena`. */
enum status reconcile_exceptions(const struct inventory *inventory, struct arena *arena,
                                 struct exception **out, size_t *count);

#endif
