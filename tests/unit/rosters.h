/* rosters.h - a roster of definitions as one text, each rollout in one phase: for tests that
 * measure. */
#ifndef WEIR_TESTS_ROSTERS_H
#define WEIR_TESTS_ROSTERS_H

#include <stdio.h>
#include <stdlib.h>

#include "../../controller/rollout/roster.h"

struct standing {
    uint32_t run;
    size_t phase;
    int64_t since;
    int64_t counting; /* of a resumed pause, or 0 */
};

static inline bool stand_in(struct roster *roster, size_t index, const struct standing *standing)
{
    struct roster_rollout *item = &roster->items[index];
    struct rollout_state *state = ARENA_NEW(&roster->arena, struct rollout_state);
    struct buffer name;
    struct text copy = {0};
    item->rollout = roster->definitions->catalog.rollouts[index];
    item->phases = catalog_phases(&roster->definitions->catalog, item->rollout);
    if (!state || !item->phases ||
        walk_initial(item->rollout, &roster->arena, state) != STATUS_OK ||
        walk_plan(item->rollout, item->phases, &roster->arena, &state->plan) != STATUS_OK)
        return false;
    state->course = COURSE_RUNNING;
    state->run = standing->run;
    state->seq = 1 + (uint32_t)standing->phase;
    state->phase = standing->phase;
    state->since = standing->since;
    state->counting = standing->counting;
    buffer_init(&name, 0);
    buffer_append_text(&name, item->rollout->environment.text);
    buffer_append_char(&name, '/');
    buffer_append_text(&name, item->rollout->name.text);
    bool made = !name.failed && arena_copy(&roster->arena, buffer_text(&name), &copy);
    buffer_dispose(&name);
    item->state = state;
    item->has_file = true;
    item->name = copy.data;
    return made;
}

/* NULL, and why on stderr: the definitions do not link. All rollouts stand alike, and are of one
 * environment, so that they are sorted as the catalog has them. */
static inline struct roster *roster_of(const char *yaml, const struct standing *standing)
{
    struct roster *roster = calloc(1, sizeof *roster);
    struct error error = {0};
    struct schema_set *schemas = catalog_schemas(&error);
    struct diagnostics faults;
    struct bundle bundle;
    if (!roster || !schemas)
        abort();
    roster->definitions = calloc(1, sizeof *roster->definitions);
    if (!roster->definitions)
        abort();
    atomic_store(&roster->references, 1);
    atomic_store(&roster->definitions->references, 1);
    arena_init(&roster->definitions->arena, 0);
    arena_init(&roster->arena, 0);
    bundle_init(&bundle);
    diagnostics_init(&faults);
    bool made = bundle_add(&bundle, text_of("flags/all.yaml"), text_of(yaml)) == STATUS_OK;
    bundle_sort(&bundle);
    made = made && catalog_build(&roster->definitions->catalog, schemas, &bundle, NULL, &faults) ==
                       STATUS_OK;
    roster->items = ARENA_ARRAY(&roster->arena, struct roster_rollout,
                                roster->definitions->catalog.rollout_count + 1);
    if (!roster->items)
        abort();
    for (size_t i = 0; made && i < roster->definitions->catalog.rollout_count; i++) {
        roster->count = i + 1;
        made = stand_in(roster, i, standing);
    }
    if (!made) {
        struct buffer out;
        buffer_init(&out, 0);
        diagnostics_write_text(&out, &faults, false);
        fprintf(stderr, "%.*s\n", (int)out.length, out.data ? out.data : "no roster");
        buffer_dispose(&out);
        roster_release(roster);
        roster = NULL;
    }
    diagnostics_dispose(&faults);
    bundle_dispose(&bundle);
    schema_set_free(schemas);
    return roster;
}

#endif
