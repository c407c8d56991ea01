/* build.h - a commit becomes documents: the pure half of what core does with a tip. */
#ifndef WEIR_BUILD_H
#define WEIR_BUILD_H

#include "../rules/catalog.h"
#include "git/mirror.h"
#include "snapshot.h"

struct build {
    struct bundle bundle;
    struct catalog catalog;
    struct diagnostics diagnostics;
    struct document *
        *documents; /* one for each of the catalog's environments, NULL where it has faults */
    bool has_bundle, has_catalog;
};

/* Reads, links and compiles `commit`. `previous` (may be NULL) lends its fragments. STATUS_INVALID:
 * see diagnostics. Dispose of it in any case. */
enum status build_commit(struct build *build, struct mirror *mirror, const char *commit,
                         const struct schema_set *schemas, const struct snapshot *previous,
                         struct error *error);
void build_dispose(struct build *build);

/* A snapshot of what was built; takes over its documents. `standard` names the environment for the
 * bare path, or is NULL: then it is the only one, if there is one only. NULL without memory. */
struct snapshot *build_snapshot(struct build *build, const char *commit,
                                struct generation generation, const char *standard, int64_t now);

#endif
