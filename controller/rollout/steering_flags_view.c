/* What people are told of flags without a rollout. */
#include <stdlib.h>

#include "../effective.h"
#include "rollout_status.h"
#include "steering_watch.h"

/* Of the commit in force; NULL: none. */
static const struct effective_pins *pins_of(const struct steering *steering)
{
    return steering->parts.effective ? steering->parts.effective->pins : NULL;
}

size_t steering_flags_pinned(const struct steering *steering)
{
    const struct effective_pins *pins = pins_of(steering);
    size_t count = 0;
    for (size_t i = 0; pins && i < pins->count; i++)
        count += !flag_pin_is_lifted(pins->items[i].pin);
    return count;
}

static const struct override *override_of(const struct steering *steering, struct text environment,
                                          struct text flag)
{
    for (size_t i = 0; i < steering->overrides.count; i++) {
        const struct override *override = steering->overrides.items[i];
        if (override->rollout.length == 0 && text_equal(override->environment, environment) &&
            text_equal(override->flag, flag))
            return override;
    }
    return NULL;
}

static enum status add(struct steering_entry *entries, size_t *count,
                       const struct rollout_flag *flag)
{
    struct steering_entry *entry = &entries[*count];
    buffer_init(&entry->json, 0);
    entry->environment = strndup(flag->environment.data, flag->environment.length);
    rollout_status_flag(&entry->json, flag);
    ++*count;
    return entry->environment ? entry->json.failed : STATUS_NO_MEMORY;
}

enum status steering_flags_show(struct steering *steering, const struct turn *turn,
                                struct steering_entry **out, size_t *count)
{
    const struct watches *watches = steering->watches;
    const struct effective_pins *pins = pins_of(steering);
    size_t watched = watches ? watches->count : 0, pinned = pins ? pins->count : 0;
    struct steering_entry *entries =
        calloc(watched + pinned + steering->overrides.count + 1, sizeof *entries);
    enum status status = entries ? STATUS_OK : STATUS_NO_MEMORY;
    *out = entries;
    *count = 0;
    for (size_t i = 0; i < pinned && status == STATUS_OK; i++) {
        const struct flag_pin *pin = pins->items[i].pin;
        const struct rollout_flag flag = {.environment = pin->environment,
                                          .flag = pin->flag,
                                          .pin = pin,
                                          .override =
                                              override_of(steering, pin->environment, pin->flag)};
        if (!flag_pin_is_lifted(pin))
            status = add(entries, count, &flag);
    }
    for (size_t i = 0; i < watched && status == STATUS_OK; i++) {
        const struct watch *watch = &watches->items[i];
        const struct rollout_flag flag = {
            .environment = text_of(watch->environment),
            .flag = text_of(watch->flag),
            .since = watch->since,
            .until = watch->since + watch->bake,
            .is_capped = watch->is_capped,
            .measured = watch->known,
            .override = override_of(steering, text_of(watch->environment), text_of(watch->flag))};
        if (steering_watch_is_baking(watch, turn->now))
            status = add(entries, count, &flag);
    }
    /* A kill that Git does not know yet. */
    for (size_t i = 0; i < steering->overrides.count && status == STATUS_OK; i++) {
        const struct override *override = steering->overrides.items[i];
        const struct flag_pin *pin =
            steering_flag_pin(steering, override->environment, override->flag);
        const struct rollout_flag flag = {.environment = override->environment,
                                          .flag = override->flag,
                                          .since = override->since,
                                          .override = override};
        if (override->rollout.length == 0 && override->action == VERB_KILL &&
            (!pin || flag_pin_is_lifted(pin)))
            status = add(entries, count, &flag);
    }
    return status;
}
