/* What rollouts make of a flag (ROLLOUTS.md section 1): phases in the default's place, and control
 * in the place of a variant that was rolled back, on every path. */
#include "encode_private.h"
#include "json.h"

/* One that is under way takes the default's place; else the one that came last to where it is. */
static bool takes_place(const struct rollout_state *state, const struct rollout_state *other)
{
    bool walks = state->course == COURSE_RUNNING;
    if (!other)
        return true;
    if (walks != (other->course == COURSE_RUNNING))
        return walks;
    return state->since > other->since;
}

static bool has_variant(const struct flag *flag, struct text name)
{
    return catalog_index(flag->sorted, flag->variant_count, name) < flag->variant_count;
}

/* Killed as a flag (flag_pin.h): that comes before all else. */
static void take_pin(const struct encoder *encoder, const struct flag *flag, struct released *out)
{
    const struct flag_pin *pin =
        catalog_flag_pin(encoder->catalog, encoder->environment, flag->name.text);
    out->is_killed = pin && pin->is_killed;
    out->kill_control = (struct text){0};
    if (!out->is_killed)
        return;
    out->exposure_count = 0;
    out->walking = NULL;
    if (has_variant(flag, pin->control))
        out->kill_control = pin->control;
}

void encode_released(const struct encoder *encoder, const struct flag *flag, struct released *out)
{
    size_t count;
    struct rollout *const *rollouts = catalog_releases(encoder->catalog, flag->name.text, &count);
    out->walking = NULL;
    out->state = NULL;
    out->exposure_count = out->undone_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct rollout *rollout = rollouts[i];
        if (!text_equal(rollout->environment.text, encoder->environment))
            continue;
        const struct rollout_state *state = catalog_rollout_state(encoder->catalog, rollout);
        if (!state || state->course == COURSE_PENDING)
            continue;
        if ((state->course == COURSE_ROLLED_BACK || state->course == COURSE_KILLED) &&
            out->undone_count < RELEASES_MAX) {
            out->undone[out->undone_count].variant = rollout->variant.text;
            out->undone[out->undone_count++].control = rollout->control.text;
        }
        if (takes_place(state, out->state)) {
            out->walking = rollout;
            out->state = state;
        }
    }
    if (out->state)
        out->exposure_count = rollout_exposures(out->state, out->exposures);
    take_pin(encoder, flag, out);
}

/* A control may be undone too: at most each of them once. */
struct text released_variant(const struct released *released, struct text variant)
{
    for (size_t steps = 0; steps < released->undone_count; steps++) {
        size_t i = 0;
        while (i < released->undone_count && !text_equal(released->undone[i].variant, variant))
            i++;
        if (i == released->undone_count)
            break;
        variant = released->undone[i].control;
    }
    return variant;
}

bool encode_settings(const struct released *released, struct flag_settings *settings)
{
    struct text variant =
        released->walking ? released->walking->control.text : settings->default_variant.text;
    if (released->is_killed) {
        settings->rule_count = 0;
        if (released->kill_control.length)
            variant = released->kill_control;
    }
    settings->default_variant.text = released_variant(released, variant);
    return settings->rule_count > 0 || released->exposure_count > 0;
}

static void write_draw(struct encoder *encoder, const struct released *released,
                       const struct exposure *exposure, struct text fallback)
{
    const struct rollout *rollout = released->walking;
    const struct ramp_window *ramp = &released->state->ramp;
    struct encode_draw draw = {.place = rollout->name.place,
                               .seed = rollout_seed(rollout),
                               .bucket_by = rollout_bucket_by(rollout),
                               .variant = released_variant(released, rollout->variant.text),
                               .control = released_variant(released, rollout->control.text),
                               .fallback = fallback,
                               .share = exposure->share};
    if (exposure->ramp) {
        draw.is_ramp = true;
        draw.from = exposure->from;
        draw.over = exposure->ramp->over;
        draw.done = ramp->done;
        draw.begin = ramp->from;
        /* No further than the ramp itself. */
        draw.length = ramp->length < draw.over - draw.done ? ramp->length : draw.over - draw.done;
    }
    encode_draw(encoder, &draw);
}

static bool is_whole(const struct exposure *exposure)
{
    return exposure->share == SPLIT_TOTAL && !exposure->ramp;
}

static void write_audience(struct encoder *encoder, const struct rollout *rollout,
                           struct text audience)
{
    struct condition condition = {.type = CONDITION_SEGMENT, .place = rollout->name.place};
    condition.name = (struct name){audience, rollout->name.place};
    encode_condition(encoder, &condition);
}

/* A part of an audience must leave the others to the parts that follow: so its draw is a
 * condition. */
static void write_condition(struct encoder *encoder, const struct released *released,
                            const struct exposure *exposure)
{
    const struct rollout *rollout = released->walking;
    if (!exposure->audience.length) {
        encode_raw(encoder, "true");
        return;
    }
    if (is_whole(exposure)) {
        write_audience(encoder, rollout, exposure->audience);
        return;
    }
    encode_raw(encoder, "{\"and\":[");
    write_audience(encoder, rollout, exposure->audience);
    encode_raw(encoder, ",{\"===\":[");
    write_draw(encoder, released, exposure, TEXT("null"));
    buffer_append_char(encoder->out, ',');
    json_write_string(encoder->out, released_variant(released, rollout->variant.text));
    encode_raw(encoder, "]}]}");
}

void encode_exposures(struct encoder *encoder, const struct released *released,
                      struct text fallback)
{
    for (size_t i = 0; i < released->exposure_count; i++) {
        const struct exposure *exposure = &released->exposures[i];
        if (exposure->share == 0 && !exposure->ramp)
            continue;
        write_condition(encoder, released, exposure);
        buffer_append_char(encoder->out, ',');
        if (exposure->audience.length || is_whole(exposure))
            json_write_string(encoder->out,
                              released_variant(released, released->walking->variant.text));
        else
            write_draw(encoder, released, exposure, fallback);
        buffer_append_char(encoder->out, ',');
    }
}
