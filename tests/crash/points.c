/* Where a controller may be struck dead on the way of a rollback: `weir` linked with this (see the
 * Makefile) ends by SIGKILL at the point that WEIR_CRASH_POINT names, as in a power cut. The points
 * stand around the calls by which a safe state leaves the process, so nothing of weir itself is
 * other than in the program that people run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../controller/git/proposed.h"
#include "../../controller/git/push.h"
#include "../../controller/git/record.h"
#include "../../controller/rollout/override.h"
#include "../../controller/store/store.h"

struct fleet;

static void point(const char *name)
{
    const char *wanted = getenv("WEIR_CRASH_POINT");
    if (wanted && strcmp(wanted, name) == 0)
        kill(getpid(), SIGKILL);
}

/* --- the store ------------------------------------------------------------------------------- */

enum status __real_store_override_put_again(struct store *store,
                                            const struct store_override *override,
                                            struct error *error);
enum status __wrap_store_override_put_again(struct store *store,
                                            const struct store_override *override,
                                            struct error *error);
enum status __wrap_store_override_put_again(struct store *store,
                                            const struct store_override *override,
                                            struct error *error)
{
    point("decided");
    enum status status = __real_store_override_put_again(store, override, error);
    point("kept");
    return status;
}

enum status __real_store_override_close(struct store *store, struct text intent, int64_t when,
                                        struct error *error);
enum status __wrap_store_override_close(struct store *store, struct text intent, int64_t when,
                                        struct error *error);
enum status __wrap_store_override_close(struct store *store, struct text intent, int64_t when,
                                        struct error *error)
{
    point("recorded");
    enum status status = __real_store_override_close(store, intent, when, error);
    point("closed");
    return status;
}

/* --- what is served -------------------------------------------------------------------------- */

static bool is_overridden(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->environment_count; i++) {
        if (snapshot->environments[i].overrides && snapshot->environments[i].overrides->count)
            return true;
    }
    return false;
}

void __real_hub_publish(struct hub *hub, struct snapshot *snapshot);
void __wrap_hub_publish(struct hub *hub, struct snapshot *snapshot);
void __wrap_hub_publish(struct hub *hub, struct snapshot *snapshot)
{
    bool overridden = is_overridden(snapshot);
    __real_hub_publish(hub, snapshot);
    if (overridden)
        point("served");
}

void __real_fleet_give(struct fleet *fleet, struct snapshot *snapshot);
void __wrap_fleet_give(struct fleet *fleet, struct snapshot *snapshot);
void __wrap_fleet_give(struct fleet *fleet, struct snapshot *snapshot)
{
    __real_fleet_give(fleet, snapshot);
    point("given");
}

/* --- the branch ------------------------------------------------------------------------------ */

enum status __real_mirror_record(struct mirror *mirror, const struct record *record,
                                 char commit[COMMIT_TEXT_SIZE], struct error *error);
enum status __wrap_mirror_record(struct mirror *mirror, const struct record *record,
                                 char commit[COMMIT_TEXT_SIZE], struct error *error);
enum status __wrap_mirror_record(struct mirror *mirror, const struct record *record,
                                 char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    point("recording");
    enum status status = __real_mirror_record(mirror, record, commit, error);
    point("committed");
    return status;
}

enum status __real_mirror_push(struct mirror *mirror, struct ref_push *push, struct error *error);
enum status __wrap_mirror_push(struct mirror *mirror, struct ref_push *push, struct error *error);
enum status __wrap_mirror_push(struct mirror *mirror, struct ref_push *push, struct error *error)
{
    bool is_proposal = strncmp(push->ref, PROPOSED_BRANCHES, sizeof PROPOSED_BRANCHES - 1) == 0;
    if (is_proposal)
        point("proposing");
    enum status status = __real_mirror_push(mirror, push, error);
    point(is_proposal ? "proposed" : "pushed");
    return status;
}

enum status __real_proposed_keep(struct mirror *mirror, const char *branch, const char *commit,
                                 struct error *error);
enum status __wrap_proposed_keep(struct mirror *mirror, const char *branch, const char *commit,
                                 struct error *error);
enum status __wrap_proposed_keep(struct mirror *mirror, const char *branch, const char *commit,
                                 struct error *error)
{
    enum status status = __real_proposed_keep(mirror, branch, commit, error);
    point("noted");
    return status;
}
