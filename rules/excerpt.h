/* excerpt.h - some of the definitions in force, read again, as a catalog.
 *
 * An inventory knows names and where they stand, not what they say (inventory.h). Who asks about a
 * few of them (where rollouts stand; what one flag would serve) reads just those, and all that
 * they ask for. What is in force links, so there is nothing to be told; compile_flag() works on
 * the catalog for each flag that was asked for. Pure but for file_reader. */
#ifndef WEIR_EXCERPT_H
#define WEIR_EXCERPT_H

#include "catalog.h"
#include "reconcile.h"

struct excerpt_task {
    const struct inventory *inventory; /* as after reconcile(); not changed */
    const struct schema_set *schemas;
    struct file_reader reader;
    const struct entry *const *entries; /* those without a version in force are passed over */
    size_t count;
    /* Of these kinds (bit 1 << kind) what is asked for is read too, and what that asks for: a
     * rollout's plan and metrics, a flag's segments. */
    unsigned follow;
    bool is_small; /* what is read is some hundred bytes, and there will be many such catalogs */
};

/* Fills a catalog that was not initialised; dispose of it by catalog_dispose(), also after a
 * failure. Its `broken`, `names` and counts of files are empty. STATUS_SYSTEM: a file cannot be
 * read, or is not what it was. */
enum status excerpt_read(const struct excerpt_task *task, struct catalog *out,
                         struct error *error) MUST_CHECK;

#endif
