/* Which commits changed what watched flags serve. */
#include <stdlib.h>

#include "../git/changed.h"
#include "revert.h"
#include "steering_watch.h"

#define FILES_MOST 200

/* --- one flag at one commit ------------------------------------------------------------------- */

static const struct fragment *fragment_at(const struct watch *watch, const struct effective *at)
{
    const struct document *document = effective_document(at, text_of(watch->environment));
    return document ? document_find(document, text_of(watch->flag)) : NULL;
}

bool watch_differs(const struct watch *watch, const struct effective *at)
{
    const struct fragment *fragment = fragment_at(watch, at);
    return watch->is_known &&
           (watch->is_there != (fragment != NULL) ||
            (fragment && memcmp(watch->hash, fragment->hash, sizeof watch->hash) != 0));
}

void watch_note(struct watch *watch, const struct effective *at, bool is_state, int64_t since)
{
    char name[2 * (STATE_NAME_MOST + 1)];
    snprintf(name, sizeof name, "%s/%s", watch->environment, watch->flag);
    const struct fragment *fragment = fragment_at(watch, at);
    const struct flag_pin *pin = effective_pins_find(at->pins, text_of(name));
    uint32_t seq = pin ? pin->seq : 0;
    bool is_held = pin && !flag_pin_is_lifted(pin), differs = watch_differs(watch, at);
    /* It is good again by a revert, which notes its intent in the flag's file. */
    bool is_back = seq != watch->pin_seq && !watch->is_held;
    bool is_move = is_state && !watch->is_held;
    if (is_held || (differs && is_back)) {
        watch->since = 0;
    } else if (differs && !is_move) {
        watch->since = since;
        watch->exposed = INT64_MAX;
        watch->is_capped = false;
    }
    watch->is_known = true;
    watch->is_there = fragment != NULL;
    if (fragment)
        memcpy(watch->hash, fragment->hash, sizeof watch->hash);
    watch->pin_seq = seq;
    watch->is_held = is_held;
}

enum status watch_is_state(struct mirror *mirror, const char *before, const char *after, bool *yes,
                           struct error *error)
{
    struct changed_files files = {0};
    enum status status = mirror_changed_files(mirror, before, after, FILES_MOST, &files, error);
    *yes = status == STATUS_OK;
    for (size_t i = 0; i < files.count && *yes; i++)
        *yes = strncmp(files.items[i].path, "state/", 6) == 0;
    arena_dispose(&files.arena);
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

/* --- history --------------------------------------------------------------------------------- */

struct stop {
    char commit[COMMIT_TEXT_SIZE];
    int64_t since; /* instant */
};

/* A commit that came with others stands since then; a parent is no younger than its child. */
static int64_t stands_since(const struct watches *watches, const char *commit, int64_t made,
                            int64_t child)
{
    for (size_t i = 0; i < watches->served_count; i++) {
        if (strcmp(watches->served[i].commit, commit) == 0)
            made = watches->served[i].since;
    }
    return made < child ? made : child;
}

/* From the tip along first parents, to the first that stands longer than `bake`. Returns how many;
 * the caller frees the list. */
static enum status list_stops(const struct watches *watches, struct mirror *mirror, const char *tip,
                              int64_t now, int64_t bake, struct stop **out, size_t *count,
                              struct error *error)
{
    struct stop *stops = calloc(WATCH_STEPS_MAX, sizeof *stops);
    char commit[COMMIT_TEXT_SIZE];
    enum status status = STATUS_OK;
    int64_t since = now;
    *out = stops;
    *count = 0;
    if (!stops)
        return error_set(error, STATUS_NO_MEMORY, "no memory to look at history");
    snprintf(commit, sizeof commit, "%s", tip);
    while (commit[0] && *count < WATCH_STEPS_MAX && status == STATUS_OK) {
        struct commit_facts facts;
        status = mirror_commit_facts(mirror, commit, &facts, error);
        if (status != STATUS_OK)
            break;
        since = stands_since(watches, commit, facts.time, since);
        stops[*count].since = since;
        memcpy(stops[(*count)++].commit, commit, sizeof commit);
        if (since <= now - bake)
            break;
        memcpy(commit, facts.parents[0], sizeof commit);
    }
    return status;
}

/* One step of the way: `before` is empty at its begin. */
static enum status note_stop(struct watches *watches, struct effective *way, const char *before,
                             const struct stop *stop, struct error *error)
{
    bool is_state = false, is_asked = false;
    enum status status = effective_go(way, stop->commit, error);
    for (size_t i = 0; i < watches->count && status == STATUS_OK; i++) {
        struct watch *watch = &watches->items[i];
        if (!watch->is_sought)
            continue;
        if (before && !is_asked && watch_differs(watch, way)) {
            status = watch_is_state(way->parts.mirror, before, stop->commit, &is_state, error);
            is_asked = true;
        }
        if (status == STATUS_OK)
            watch_note(watch, way, is_state, stop->since);
    }
    return status;
}

enum status watch_look_back(struct watches *watches, const struct effective_parts *parts,
                            const char *tip, int64_t now, struct error *error)
{
    struct effective way;
    struct stop *stops;
    size_t count;
    int64_t bake = 0;
    for (size_t i = 0; i < watches->count; i++) {
        struct watch *watch = &watches->items[i];
        watch->is_known = watch->is_known && !watch->is_sought;
        if (watch->is_sought && watch->bake > bake)
            bake = watch->bake;
    }
    enum status status = list_stops(watches, parts->mirror, tip, now, bake, &stops, &count, error);
    effective_init(&way, parts);
    for (size_t i = count; i-- > 0 && status == STATUS_OK;)
        status =
            note_stop(watches, &way, i + 1 < count ? stops[i + 1].commit : NULL, &stops[i], error);
    /* What stands since before it was looked for was exposed by another. */
    for (size_t i = 0; i < watches->count && status == STATUS_OK; i++) {
        struct watch *watch = &watches->items[i];
        if (watch->is_sought && watch->since)
            watch->exposed = watch->since;
        watch->is_sought = false;
    }
    effective_dispose(&way);
    free(stops);
    return status;
}
