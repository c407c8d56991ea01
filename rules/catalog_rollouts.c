/* What the catalog knows of rollouts: by name, by flag, and where each stands. */
#include <stdlib.h>

#include "catalog.h"
#include "codes.h"

static const void *find(const struct catalog *catalog, enum kind kind, struct text name)
{
    struct catalog_list list = catalog_list(catalog, kind);
    size_t index = catalog_index(list.items, list.count, name);
    return index < list.count ? list.items[index] : NULL;
}

const struct phase_plan *catalog_phase_plan(const struct catalog *catalog, struct text name)
{
    return find(catalog, KIND_PHASE_PLAN, name);
}

const struct metric *catalog_metric(const struct catalog *catalog, struct text name)
{
    return find(catalog, KIND_METRIC, name);
}

const struct rollout *catalog_rollout(const struct catalog *catalog, struct text name)
{
    return find(catalog, KIND_ROLLOUT, name);
}

const struct phases *catalog_phases(const struct catalog *catalog, const struct rollout *rollout)
{
    if (rollout->plan.text.length == 0)
        return &rollout->phases;
    const struct phase_plan *plan = catalog_phase_plan(catalog, rollout->plan.text);
    return plan ? &plan->phases : NULL;
}

/* Of ENVIRONMENT/ROLLOUT, or ENVIRONMENT/FLAG, beside these two. */
static int compare_name(struct text name, struct text environment, struct text rollout)
{
    const char *slash = memchr(name.data, '/', name.length);
    size_t length = slash ? (size_t)(slash - name.data) : name.length;
    struct text first = {name.data, length},
                second = {slash ? slash + 1 : NULL, slash ? name.length - length - 1 : 0};
    /* '/' stands behind '-' and before the digits, so that the whole names must be compared. */
    size_t least = length < environment.length ? length : environment.length;
    int order = memcmp(first.data, environment.data, least);
    if (order)
        return order;
    if (length != environment.length) {
        unsigned char a = (unsigned char)(length > least ? first.data[least] : '/'),
                      b = (unsigned char)(environment.length > least ? environment.data[least]
                                                                     : '/');
        return (a > b) - (a < b);
    }
    return text_compare(second, rollout);
}

const struct rollout_state *catalog_rollout_state(const struct catalog *catalog,
                                                  const struct rollout *rollout)
{
    size_t low = 0, high = catalog->rollout_state_count;
    uint8_t identity[IDENTITY_SIZE];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rollout_state *state = catalog->rollout_states[middle];
        int order = compare_name(state->name.text, rollout->environment.text, rollout->name.text);
        if (order == 0) {
            rollout_identity(rollout, identity);
            return memcmp(identity, state->identity, sizeof identity) == 0 ? state : NULL;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct flag_pin *catalog_flag_pin(const struct catalog *catalog, struct text environment,
                                        struct text flag)
{
    size_t low = 0, high = catalog->flag_pin_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct flag_pin *pin = catalog->flag_pins[middle];
        int order = compare_name(pin->name.text, environment, flag);
        if (order == 0)
            return pin;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void catalog_note_pins(const struct catalog *catalog, struct text environment,
                       struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < catalog->flag_pin_count; i++) {
        const struct flag_pin *pin = catalog->flag_pins[i];
        if (pin->is_killed || !pin->as_of.length || !text_equal(pin->environment, environment))
            continue;
        diagnostics_add(diagnostics, CODE_PIN_HISTORY, pin->name.place,
                        "build a commit, by --rev, to see what is served",
                        "flag \"%.64s\" is pinned to commit %.12s; here it is as its definition "
                        "says",
                        pin->flag.data, pin->as_of.data);
    }
}

static int by_flag(const void *a, const void *b)
{
    const struct rollout *x = *(struct rollout *const *)a, *y = *(struct rollout *const *)b;
    int order = text_compare(x->flag.text, y->flag.text);
    return order ? order : text_compare(x->name.text, y->name.text);
}

enum status catalog_index_releases(struct catalog *catalog, struct arena *arena)
{
    size_t count = catalog->rollout_count;
    catalog->releases = ARENA_ARRAY(arena, struct rollout *, count + 1);
    if (!catalog->releases)
        return STATUS_NO_MEMORY;
    if (count) {
        memcpy(catalog->releases, catalog->rollouts, count * sizeof(struct rollout *));
        qsort(catalog->releases, count, sizeof(struct rollout *), by_flag);
    }
    return STATUS_OK;
}

struct rollout *const *catalog_releases(const struct catalog *catalog, struct text flag,
                                        size_t *count)
{
    size_t low = 0, high = catalog->rollout_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (text_compare(catalog->releases[middle]->flag.text, flag) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < catalog->rollout_count && text_equal(catalog->releases[end]->flag.text, flag))
        end++;
    *count = end - low;
    return catalog->releases ? catalog->releases + low : NULL;
}
