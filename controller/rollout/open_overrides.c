#include "open_overrides.h"

#include <stdlib.h>

#include "../effective.h"
#include "../log.h"

_Static_assert(STORE_FRAGMENT_MAXIMUM >= OVERRIDE_FRAGMENT_MAX, "STORE_FRAGMENT_MAXIMUM");
_Static_assert(STORE_JSON_MAXIMUM >= OVERRIDE_JSON_MAX, "STORE_JSON_MAXIMUM");

void open_overrides_init(struct open_overrides *set, struct store *store)
{
    *set = (struct open_overrides){.store = store};
}

void open_overrides_dispose(struct open_overrides *set)
{
    for (size_t i = 0; i < set->count; i++)
        override_release(set->items[i]);
    free(set->items);
    open_overrides_forget_voided(set);
    free(set->voided);
    *set = (struct open_overrides){0};
}

/* --- the list -------------------------------------------------------------------------------- */

static enum status grow(struct open_overrides *set)
{
    if (set->count == OVERRIDES_MAX)
        return STATUS_LIMIT;
    if (set->count < set->size)
        return STATUS_OK;
    size_t size = set->size ? set->size * 2 : 16;
    void *items = reallocarray(set->items, size, sizeof *set->items);
    if (!items)
        return STATUS_NO_MEMORY;
    set->items = items;
    set->size = size;
    return STATUS_OK;
}

/* Into the list, which has room. Those of one rollout stand as they were decided, in whatever order
 * they are found. */
static void put_in(struct open_overrides *set, struct override *override)
{
    size_t at = 0;
    while (at < set->count && !(override->rollout.length &&
                                text_equal(set->items[at]->environment, override->environment) &&
                                text_equal(set->items[at]->rollout, override->rollout) &&
                                override_goes_before(override, set->items[at])))
        at++;
    memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof *set->items);
    set->items[at] = override;
    set->count++;
    set->changes++;
}

const struct override *open_overrides_find(const struct open_overrides *set, struct text intent)
{
    for (size_t i = 0; i < set->count; i++) {
        if (text_equal(set->items[i]->intent, intent))
            return set->items[i];
    }
    return NULL;
}

const struct override *open_overrides_of(const struct open_overrides *set, struct text environment,
                                         struct text rollout)
{
    const struct override *found = NULL;
    for (size_t i = 0; i < set->count; i++) {
        const struct override *item = set->items[i];
        if (text_equal(item->environment, environment) && text_equal(item->rollout, rollout) &&
            (!found || override_wins(item, found)))
            found = item;
    }
    return found;
}

/* --- the store ------------------------------------------------------------------------------- */

struct loading {
    struct open_overrides *set;
    enum status status;
    size_t unreadable;
};

/* The whole override is the evidence that the store keeps beside its fragment. */
static bool take_stored(void *context, const struct store_override *stored)
{
    struct loading *loading = context;
    struct override *override = NULL;
    struct error error;
    enum status status = override_read(stored->evidence, &override, &error);
    if (status == STATUS_OK) {
        status = grow(loading->set);
        if (status == STATUS_OK)
            put_in(loading->set, override);
        else
            override_release(override);
    }
    if (status == STATUS_INVALID) {
        loading->unreadable++;
        log_event(LOG_LEVEL_ERROR, "override_unreadable", "intent", stored->intent.data, "error",
                  error.message, NULL);
        return true;
    }
    loading->status = status;
    return status == STATUS_OK;
}

enum status open_overrides_load(struct open_overrides *set, struct error *error)
{
    struct loading loading = {.set = set};
    if (!set->store)
        return STATUS_OK;
    enum status status = store_override_each(set->store, take_stored, &loading, error);
    if (status == STATUS_OK && loading.status != STATUS_OK)
        status = error_set(error, loading.status, "no memory for overrides");
    return status;
}

static enum status keep(struct open_overrides *set, const struct override *override, bool again,
                        struct error *error)
{
    struct buffer json;
    if (!set->store)
        return STATUS_OK;
    buffer_init(&json, 0);
    override_write(override, &json);
    const struct store_override stored = {.intent = override->intent,
                                          .environment = override->environment,
                                          .flag = override->flag,
                                          .seq = override->seq,
                                          .generation = text_of(override->generation),
                                          .fragment = override->fragment,
                                          .since = override->since,
                                          .evidence = buffer_text(&json)};
    enum status status = json.failed ? error_set(error, json.failed, "no memory for an override")
                         : again     ? store_override_put_again(set->store, &stored, error)
                                     : store_override_put(set->store, &stored, error);
    buffer_dispose(&json);
    return status;
}

static enum status add(struct open_overrides *set, struct override *override, bool again,
                       struct error *error)
{
    if (open_overrides_find(set, override->intent))
        return STATUS_OK;
    enum status status = grow(set);
    if (status != STATUS_OK)
        return error_set(error, status, "too many overrides are open");
    status = keep(set, override, again, error);
    if (status == STATUS_REFUSED)
        return status;
    put_in(set, override_reference(override));
    if (status == STATUS_OK)
        return status;
    set->unkept++;
    error->status = STATUS_SYSTEM;
    return STATUS_SYSTEM;
}

enum status open_overrides_add(struct open_overrides *set, struct override *override,
                               struct error *error)
{
    return add(set, override, false, error);
}

enum status open_overrides_open(struct open_overrides *set, struct override *override,
                                struct error *error)
{
    return add(set, override, true, error);
}

void open_overrides_close(struct open_overrides *set, size_t index, int64_t now)
{
    struct override *override = set->items[index];
    struct error error;
    enum status status = STATUS_OK;
    if (set->store)
        status = store_override_close(set->store, override->intent, now, &error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        log_event(LOG_LEVEL_ERROR, "override_not_closed", "intent", override->intent.data, "error",
                  error.message, NULL);
    override_release(override);
    set->count--;
    set->changes++;
    for (size_t i = index; i < set->count; i++)
        set->items[i] = set->items[i + 1];
}

enum status open_overrides_put(struct open_overrides *set, size_t index, struct text fragment,
                               struct error *error)
{
    struct override from = override_words(set->items[index]);
    if (set->items[index]->is_joined && text_equal(from.fragment, fragment))
        return STATUS_OK;
    from.fragment = fragment;
    from.is_joined = true;
    struct override *override = override_new(&from);
    if (!override)
        return error_set(error, STATUS_NO_MEMORY, "no memory for an override");
    override_release(set->items[index]);
    set->items[index] = override;
    set->changes++;
    return STATUS_OK;
}

/* --- what is void ---------------------------------------------------------------------------- */

static bool is_void(const struct open_overrides *set, const struct override *override)
{
    for (size_t i = 0; i < set->voided_count; i++)
        if (text_equal(set->voided[2 * i + 1], override->intent))
            return true;
    return false;
}

/* The oldest makes room. */
static bool make_room(struct open_overrides *set)
{
    if (!set->voided)
        set->voided = calloc(OPEN_VOIDED_MAX, 2 * sizeof *set->voided);
    if (!set->voided || set->voided_count < OPEN_VOIDED_MAX)
        return set->voided;
    free((char *)set->voided[0].data);
    free((char *)set->voided[1].data);
    set->voided_count--;
    memmove(set->voided, set->voided + 2, 2 * set->voided_count * sizeof *set->voided);
    return true;
}

void open_overrides_forget_voided(struct open_overrides *set)
{
    for (size_t i = 0; i < 2 * set->voided_count; i++)
        free((char *)set->voided[i].data);
    set->voided_count = 0;
}

bool open_overrides_void(struct open_overrides *set, const struct override *override)
{
    if (is_void(set, override) || !make_room(set))
        return false;
    char *environment = strndup(override->environment.data, override->environment.length);
    char *intent = strndup(override->intent.data, override->intent.length);
    if (!environment || !intent) {
        free(environment);
        free(intent);
        return false;
    }
    set->voided[2 * set->voided_count] = text_of(environment);
    set->voided[2 * set->voided_count + 1] = text_of(intent);
    set->voided_count++;
    return true;
}

/* --- what is served -------------------------------------------------------------------------- */

static int by_flag(const void *a, const void *b)
{
    const struct override *x = *(struct override *const *)a, *y = *(struct override *const *)b;
    int order = text_compare(x->flag, y->flag);
    return order ? order : override_wins(x, y) ? -1 : 1;
}

static int by_text(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* The overrides of an environment, of several for one flag the one that wins. */
static void choose(const struct open_overrides *set, struct text environment,
                   struct override_set *told)
{
    size_t found = 0, kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (text_equal(set->items[i]->environment, environment))
            told->items[found++] = set->items[i];
    }
    if (found)
        qsort(told->items, found, sizeof *told->items, by_flag);
    for (size_t i = 0; i < found; i++) {
        if (kept == 0 || !text_equal(told->items[kept - 1]->flag, told->items[i]->flag))
            told->items[kept++] = override_reference(told->items[i]);
    }
    told->count = kept;
}

static const struct effective_pins *pins_of(const struct open_overrides *set)
{
    return set->effective ? set->effective->pins : NULL;
}

static size_t count_recorded(const struct open_overrides *set, const struct roster *roster,
                             struct text environment)
{
    size_t count = 0;
    for (size_t i = 0; i < set->voided_count; i++)
        count += text_equal(set->voided[2 * i], environment);
    for (size_t i = 0; roster && i < roster->count; i++) {
        if (text_equal(roster->items[i].rollout->environment.text, environment))
            count += roster->items[i].state->intent_count;
    }
    const struct effective_pins *pins = pins_of(set);
    for (size_t i = 0; pins && i < pins->count; i++) {
        const struct flag_pin *pin = pins->items[i].pin;
        count += text_equal(pin->environment, environment) ? pin->intent_count : 0;
    }
    return count;
}

static bool record(struct override_set *told, const struct text *intents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!arena_copy(&told->arena, intents[i], &told->recorded[told->recorded_count]))
            return false;
        told->recorded_count++;
    }
    return true;
}

static bool list_recorded(const struct open_overrides *set, const struct roster *roster,
                          struct text environment, struct override_set *told)
{
    bool good = true;
    told->recorded_count = 0;
    for (size_t i = 0; i < set->voided_count && good; i++) {
        if (text_equal(set->voided[2 * i], environment))
            good = record(told, &set->voided[2 * i + 1], 1);
    }
    for (size_t i = 0; roster && i < roster->count && good; i++) {
        const struct rollout_state *state = roster->items[i].state;
        if (text_equal(roster->items[i].rollout->environment.text, environment))
            good = record(told, state->intents, state->intent_count);
    }
    const struct effective_pins *pins = pins_of(set);
    for (size_t i = 0; pins && i < pins->count && good; i++) {
        const struct flag_pin *pin = pins->items[i].pin;
        if (text_equal(pin->environment, environment))
            good = record(told, pin->intents, pin->intent_count);
    }
    if (good && told->recorded_count)
        qsort(told->recorded, told->recorded_count, sizeof *told->recorded, by_text);
    return good;
}

static enum status tell(const struct open_overrides *set, const struct roster *roster,
                        struct text environment, struct override_set **out)
{
    size_t most = 0, recorded = count_recorded(set, roster, environment);
    *out = NULL;
    for (size_t i = 0; i < set->count; i++)
        most += text_equal(set->items[i]->environment, environment);
    if (!most && !recorded)
        return STATUS_OK;
    struct override_set *told = override_set_new(most, recorded);
    if (!told)
        return STATUS_NO_MEMORY;
    choose(set, environment, told);
    if (!list_recorded(set, roster, environment, told)) {
        override_set_release(told);
        return STATUS_NO_MEMORY;
    }
    *out = told;
    return STATUS_OK;
}

static enum status graft(const struct override_set *told, struct document *document,
                         struct document **out, struct error *error)
{
    struct document_graft *grafts = calloc(told->count, sizeof *grafts);
    if (!grafts)
        return error_set(error, STATUS_NO_MEMORY, "no memory for overrides");
    for (size_t i = 0; i < told->count; i++)
        grafts[i] = (struct document_graft){told->items[i]->flag, told->items[i]->fragment};
    enum status status = document_graft(document, grafts, told->count, out, error);
    free(grafts);
    return status;
}

enum status open_overrides_apply(const struct open_overrides *set, const struct roster *roster,
                                 struct text environment, struct document *document,
                                 struct document **out, struct override_set **told,
                                 struct error *error)
{
    *out = NULL;
    if (tell(set, roster, environment, told) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory for overrides");
    if (!*told || (*told)->count == 0) {
        *out = document_reference(document);
        return STATUS_OK;
    }
    enum status status = graft(*told, document, out, error);
    if (status != STATUS_OK) {
        override_set_release(*told);
        *told = NULL;
    }
    return status;
}
