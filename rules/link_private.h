/* link_private.h - private to link*.c: one walk over a catalog. */
#ifndef WEIR_LINK_PRIVATE_H
#define WEIR_LINK_PRIVATE_H

#include "catalog.h"

#define MOST_OFFERS                                                                                \
    1000000 /* names compared for "did you mean": a segment that all flags miss must not cost      \
               minutes */

struct linker {
    const struct catalog *catalog;
    struct diagnostics *diagnostics;
    size_t offers;       /* made so far */
    bool *prerequisites; /* of each flag, by its index in the catalog: whether it has any */
    const struct broken **broken; /* of the catalog, sorted by kind and name */
    size_t broken_count;
    struct link_faults *faults; /* or NULL */
    enum kind kind;             /* of the definition that is being checked */
    size_t index;               /* its place in the catalog's list */
};

void link_look_at(struct linker *linker, enum kind kind, size_t index);
/* The definition that is being checked does not link. */
void link_mark(struct linker *linker);
/* Whether nobody is told that it does not exist: its document has faults of its own, or its file
 * could not be read. The one that is being checked is marked in any case. */
bool link_may_exist(struct linker *linker, enum kind kind, struct text name);
/* The nearest of `count` definitions, all of whose structs begin with their name; or, where the
 * catalog is only a part of the commit, of all that the commit defines. */
struct text link_nearest_of(struct linker *linker, enum kind kind, const void *items, size_t count,
                            struct text wanted);
void link_unknown(struct linker *linker, const char *code, const char *what,
                  const struct name *name, struct text nearest);
void link_check_segment(struct linker *linker, const struct name *name);
void link_check_environment(struct linker *linker, const struct name *name);
void link_check_variant(struct linker *linker, const struct flag *flag, const struct name *name);

/* link_rollouts.c */
void link_rollouts(struct linker *linker);

#endif
