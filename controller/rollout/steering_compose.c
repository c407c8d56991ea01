/* The bytes of what is served before Git says it, as the branch will come to them: over a flag that
 * is pinned or taken back, and over one of which several overrides are open. */
#include <stdlib.h>

#include "../../rules/fragment.h"
#include "../effective.h"
#include "../log.h"
#include "preview.h"
#include "revert.h"
#include "steering_watch.h"

/* --- from what a flag is compiled ------------------------------------------------------------- */

struct base {
    const struct inventory *inventory;
    const struct roster *roster;
    struct roster *own;   /* of an earlier commit; NULL: it is the one in force */
    struct effective way; /* to that */
};

static void base_init(const struct steering *steering, struct base *base)
{
    *base = (struct base){.inventory = steering->parts.inventory, .roster = steering->roster};
    effective_init(&base->way, &steering->parts.effective->parts);
}

static void base_dispose(struct base *base)
{
    roster_release(base->own);
    effective_dispose(&base->way);
}

/* After effective_go(). */
static enum status stand_on_way(const struct steering *steering, struct base *base,
                                struct error *error)
{
    enum status status =
        roster_make(&base->way.inventory, steering->parts.schemas,
                    mirror_reader(steering->parts.mirror), NULL, &base->own, error);
    base->inventory = &base->way.inventory;
    base->roster = base->own;
    return status;
}

/* To what a pinned flag is pinned, by pins of that commit, too: *way goes there. Where the first of
 * them does not count (STATUS_NOT_FOUND) the flag is served as it is defined. */
static enum status go_as_of(const struct steering *steering, const struct flag_pin *pin,
                            struct effective *way, struct error *error)
{
    char from[COMMIT_TEXT_SIZE], as_of[COMMIT_TEXT_SIZE];
    struct text name = pin->name.text; /* of the first, which stays */
    memcpy(from, steering->commit, sizeof from);
    for (unsigned hops = 0; pin && pin->as_of.length && !pin->is_killed; hops++) {
        bool counts = true;
        snprintf(as_of, sizeof as_of, "%.*s", (int)pin->as_of.length, pin->as_of.data);
        if (mirror_descends(steering->parts.mirror, from, as_of, &counts, error) != STATUS_OK)
            counts = false;
        if (hops > EFFECTIVE_PIN_HOPS || (!counts && hops == 0))
            return error_set(error, STATUS_NOT_FOUND, "the flag's pin does not count");
        if (!counts)
            return STATUS_OK;
        enum status status = effective_go(way, as_of, error);
        if (status != STATUS_OK)
            return status;
        memcpy(from, as_of, sizeof from);
        pin = effective_pins_find(way->pins, name);
    }
    return STATUS_OK;
}

static enum status find_pinned(const struct steering *steering, const struct flag_pin *pin,
                               struct base *base, struct error *error)
{
    enum status status = go_as_of(steering, pin, &base->way, error);
    return status == STATUS_OK ? stand_on_way(steering, base, error) : status;
}

/* What a watched flag goes back to. */
static enum status find_good(const struct steering *steering, const struct override *taken_back,
                             struct base *base, struct error *error)
{
    struct revert revert;
    revert_init(&revert);
    enum status status = steering_find_revert(steering, taken_back, &revert, error);
    if (status == STATUS_OK && (revert.kind == REVERT_NOTHING || !revert.found))
        status = error_set(error, STATUS_NOT_FOUND, "there is nothing that the flag goes back to");
    if (status == STATUS_OK)
        status = effective_go(&base->way, revert.good, error);
    revert_dispose(&revert);
    return status == STATUS_OK ? stand_on_way(steering, base, error) : status;
}

/* --- rollouts that stand elsewhere ------------------------------------------------------------ */

/* Whether a decision takes something from users of a flag that is served as it was then. */
static bool is_less(const struct rollout_state *state, const struct rollout_state *then)
{
    const struct phase *phase = walk_phase(then);
    return !walk_phase(state) || (phase && (then->run != state->run || then->phase > state->phase));
}

/* Of the base's rollouts the one that stands there further than it is to. */
static bool find_stand(const struct base *base, const struct roster_rollout *item,
                       const struct rollout_state *state, struct preview_stand *out)
{
    const struct roster_rollout *then =
        base->own ? roster_find(base->own, text_of(item->name)) : item;
    *out = (struct preview_stand){then, state};
    return then && (base->own ? is_less(state, then->state) : state != item->state);
}

static enum status compile(const struct steering *steering, const struct base *base,
                           const struct override *of, const struct preview_stand *stands,
                           size_t count, struct buffer *out, struct error *error)
{
    const struct preview_task task = {.inventory = base->inventory,
                                      .schemas = steering->parts.schemas,
                                      .reader = mirror_reader(steering->parts.mirror),
                                      .roster = base->roster,
                                      .environment = of->environment,
                                      .flag = of->flag,
                                      .stands = stands,
                                      .stand_count = count};
    return preview_flag(&task, out, error);
}

/* --- one decision ----------------------------------------------------------------------------- */

/* Of a pinned flag, as the pin will have it once the decision is recorded (effective_fragment.h):
 * the flag as it is defined now is what was pinned away. */
static enum status preview_pinned(const struct steering *steering, const struct flag_pin *pin,
                                  const struct roster_rollout *item,
                                  const struct rollout_state *state, struct buffer *out,
                                  struct error *error)
{
    const struct override of = {.environment = pin->environment, .flag = pin->flag};
    const struct document *served = effective_document(steering->parts.effective, of.environment);
    const struct fragment *fragment = served ? document_find(served, of.flag) : NULL;
    struct preview_stand stand;
    struct base base;
    base_init(steering, &base);
    enum status status = find_pinned(steering, pin, &base, error);
    if (status == STATUS_OK && find_stand(&base, item, state, &stand))
        status = compile(steering, &base, &of, &stand, 1, out, error);
    else if (status == STATUS_OK && fragment) /* nobody has it by this rollout */
        fragment_append_json(fragment, out);
    else if (status == STATUS_OK)
        status = error_set(error, STATUS_NOT_FOUND, "the flag is not served");
    base_dispose(&base);
    return status;
}

static bool holds(const struct flag_pin *pin)
{
    return pin && pin->as_of.length && !pin->is_killed;
}

enum status steering_preview(const struct steering *steering, const struct roster_rollout *item,
                             const struct rollout_state *state, struct buffer *out,
                             struct error *error)
{
    const struct override of = {.environment = item->rollout->environment.text,
                                .flag = item->rollout->flag.text};
    const struct flag_pin *pin = steering_flag_pin(steering, of.environment, of.flag);
    const struct base tip = {.inventory = steering->parts.inventory, .roster = steering->roster};
    const struct preview_stand stand = {item, state};
    if (holds(pin)) {
        enum status status = preview_pinned(steering, pin, item, state, out, error);
        if (status == STATUS_OK || status == STATUS_NO_MEMORY)
            return status;
        buffer_clear(out);
    }
    return compile(steering, &tip, &of, &stand, 1, out, error);
}

/* --- several ---------------------------------------------------------------------------------- */

/* All that is open of a flag. */
struct open {
    size_t count;
    bool is_joined; /* one of them says what others said, which may be over by now */
    const struct override *killed, *taken_back; /* of the flag itself; or NULL */
};

static struct open find_open(const struct steering *steering, const struct override *of)
{
    struct open open = {0};
    for (size_t i = 0; i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        if (!steering_is_of_flag(override, of))
            continue;
        open.count++;
        open.is_joined = open.is_joined || override->is_joined;
        if (override->rollout.length == 0 && override->action == VERB_KILL)
            open.killed = override;
        else if (override->rollout.length == 0)
            open.taken_back = override;
    }
    return open;
}

/* With all of its rollouts where they stand by then. */
static enum status compile_all(const struct steering *steering, const struct base *base,
                               const struct override *of, struct buffer *out, struct error *error)
{
    const struct roster *roster = steering->roster;
    size_t count = 0;
    struct arena arena;
    arena_init(&arena, 0);
    const struct roster_rollout **stand = steering_stand_of(steering, of, &arena);
    struct preview_stand *stands = ARENA_ARRAY(&arena, struct preview_stand, roster->count + 1);
    for (size_t i = 0; stand && stands && i < roster->count; i++) {
        const struct rollout *rollout = roster->items[i].rollout;
        if (text_equal(rollout->flag.text, of->flag) &&
            text_equal(rollout->environment.text, of->environment))
            count += find_stand(base, &roster->items[i], stand[i]->state, &stands[count]);
    }
    enum status status = stand && stands
                             ? compile(steering, base, of, stands, count, out, error)
                             : error_set(error, STATUS_NO_MEMORY, "no memory for overrides");
    arena_dispose(&arena);
    return status;
}

static enum status join(const struct steering *steering, const struct open *open,
                        const struct override *of, struct buffer *out, struct error *error)
{
    const struct flag_pin *pin = steering_flag_pin(steering, of->environment, of->flag);
    enum status status = STATUS_OK;
    struct base base;
    if (open->killed)
        return steering_flag_preview_kill(steering, of->environment, of->flag, out, error);
    base_init(steering, &base);
    if (open->taken_back)
        status = find_good(steering, open->taken_back, &base, error);
    else if (holds(pin))
        status = find_pinned(steering, pin, &base, error);
    if (status == STATUS_OK)
        status = compile_all(steering, &base, of, out, error);
    if (status == STATUS_OK && (out->failed || out->length > OVERRIDE_FRAGMENT_MAX))
        status = error_set(error, STATUS_NO_MEMORY, "no memory for overrides");
    base_dispose(&base);
    return status;
}

void steering_compose(struct steering *steering, const struct override *of)
{
    const struct open open = find_open(steering, of);
    const struct flag_pin *pin = steering_flag_pin(steering, of->environment, of->flag);
    struct error error = {0};
    struct buffer fragment;
    if (!steering->parts.effective ||
        (open.count < 2 && !open.is_joined && !(pin && pin->is_killed)))
        return;
    buffer_init(&fragment, 0);
    enum status status = join(steering, &open, of, &fragment, &error);
    for (size_t i = 0; i < steering->overrides.count && status == STATUS_OK; i++) {
        if (steering_is_of_flag(steering->overrides.items[i], of))
            status = open_overrides_put(&steering->overrides, i, buffer_text(&fragment), &error);
    }
    if (status != STATUS_OK) /* each is served as it was decided, the safest of them */
        log_event(LOG_LEVEL_ERROR, "overrides_not_joined", "environment", of->environment.data,
                  "flag", of->flag.data, "error", error.message, NULL);
    buffer_dispose(&fragment);
}

static int by_flag(const void *a, const void *b)
{
    const struct override *x = *(struct override *const *)a, *y = *(struct override *const *)b;
    int order = text_compare(x->environment, y->environment);
    return order ? order : text_compare(x->flag, y->flag);
}

void steering_compose_all(struct steering *steering)
{
    size_t count = steering->overrides.count;
    struct override **all = count ? calloc(count, sizeof *all) : NULL;
    for (size_t i = 0; all && i < count; i++)
        all[i] = override_reference(steering->overrides.items[i]);
    if (all)
        qsort(all, count, sizeof *all, by_flag);
    else if (count)
        log_event(LOG_LEVEL_ERROR, "overrides_not_joined", "error", "no memory", NULL);
    for (size_t i = 0; all && i < count; i++) {
        if (i == 0 || !steering_is_of_flag(all[i - 1], all[i]))
            steering_compose(steering, all[i]);
    }
    for (size_t i = 0; all && i < count; i++)
        override_release(all[i]);
    free(all);
}
