/* core.h - the one owner of what is in force: takes tips, makes snapshots, gives them out.
 *
 * One thread, no network. The git thread tells it tips; it reads the commit from the local clone, builds catalog
 * and documents, publishes to the hub and hands the snapshot to the targets' fleet. A commit that does not
 * validate leaves all of that as it was and is kept as faults for /status. */
#ifndef WEIR_CORE_H
#define WEIR_CORE_H

#include "../rules/catalog.h"
#include "clock.h"
#include "config.h"
#include "git/mirror.h"
#include "targets/target.h"
#include "telemetry.h"

struct core;

struct core_parts {
    const struct config *config;
    const struct clock *clock;
    struct telemetry *telemetry;
    struct hub *hub;
    struct fleet *fleet;
};

enum status core_new(const struct core_parts *parts, struct mirror *mirror, struct core **out, struct error *error);
void core_free(struct core *core);

/* Takes a tip in the calling thread: the whole way from commit to served. STATUS_INVALID: refused, see faults. */
enum status core_take(struct core *core, const char *tip, struct error *error);

/* What /status says of the repository; thread-safe. Writes the members "tip", "commit", "generation", "faults", … */
void core_write_status(struct core *core, struct buffer *out);
/* A fetch's outcome, noted for /status. `error` is NULL when it succeeded. */
void core_note_fetch(struct core *core, int64_t when, const struct error *error);

#endif
