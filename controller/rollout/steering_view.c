/* What other threads may read of the last turn. */
#include <stdlib.h>

#include "../../rules/json.h"
#include "../status_write.h"
#include "rollout_status.h"
#include "steering_watch.h"

static void write_override(struct buffer *out, const struct override *override)
{
    buffer_append_string(out, "{\"action\":");
    json_write_string(out, text_of(walk_verb_name(override->action)));
    buffer_append_string(out, ",\"by\":");
    json_write_string(out, override->by);
    buffer_append_string(out, ",\"environment\":");
    json_write_string(out, override->environment);
    buffer_append_string(out, ",\"evidence\":");
    json_write_string(out, override->evidence);
    buffer_append_string(out, ",\"flag\":");
    json_write_string(out, override->flag);
    buffer_append_string(out, ",\"intent\":");
    json_write_string(out, override->intent);
    buffer_append_string(out, ",\"rollout\":");
    json_write_string(out, override->rollout);
    buffer_append_char(out, ',');
    status_write_time(out, "since", override->since);
    buffer_append_char(out, '}');
}

/* Never more than this many are told one by one. */
#define SHOWN 100

static void write_overrides(struct buffer *out, const struct open_overrides *overrides)
{
    buffer_append_string(out, ",\"overrides\":[");
    for (size_t i = 0; i < overrides->count && i < SHOWN; i++) {
        if (i)
            buffer_append_char(out, ',');
        write_override(out, overrides->items[i]);
    }
    buffer_printf(out, "],\"overrideCount\":%zu,\"overridesUnkept\":%u", overrides->count,
                  overrides->unkept);
}

static void write_recording(struct buffer *out, const struct steering *steering)
{
    buffer_printf(out, ",\"recording\":{\"clockDrift\":%s,\"failures\":%u,\"outcome\":",
                  steering->clock_drift ? "true" : "false", steering->failures);
    if (steering->has_outcome)
        json_write_string(out, text_of(recorder_outcome_name(steering->last_outcome)));
    else
        buffer_append_string(out, "null");
    buffer_printf(out, ",\"pending\":%s,\"words\":", steering->is_proposed ? "true" : "false");
    json_write_string(out, text_of(steering->last_words));
    buffer_append_char(out, '}');
}

/* --- where rollouts stand -------------------------------------------------------------------- */

static void free_view(struct steering_entry *view, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(view[i].environment);
        buffer_dispose(&view[i].json);
    }
    free(view);
}

static enum status write_entry(const struct steering *steering, const struct turn *turn,
                               size_t index, struct steering_entry *out)
{
    const struct roster_rollout *item = &steering->roster->items[index];
    const struct stance *stance = &turn->stances[index];
    const struct rollout *rollout = item->rollout;
    struct walk_task task;
    struct rollout_entry entry = {
        .item = item,
        .decision = &stance->decision,
        .measured = steering->parts.measures.view ? &stance->known : NULL,
        .override =
            open_overrides_of(&steering->overrides, rollout->environment.text, rollout->name.text),
        .stands = stance->stands->state,
        .now = turn->now};
    roster_task(item, turn->now, &task);
    buffer_init(&out->json, 0);
    out->environment = strndup(rollout->environment.text.data, rollout->environment.text.length);
    const struct rollout_state *state = steering_state(steering, index, turn->arena);
    enum status status = state ? walk_approvals(&task, state, turn->arena, &entry.approvals_given,
                                                &entry.approvals_needed)
                               : STATUS_NO_MEMORY;
    if (status != STATUS_OK || !out->environment)
        return STATUS_NO_MEMORY;
    rollout_status_entry(&out->json, &entry);
    return out->json.failed;
}

/* Takes the place of a list that others read; what was there before is given back. */
static void put(struct steering_entry **list, size_t *count, struct steering_entry **made,
                size_t *made_count)
{
    struct steering_entry *before = *list;
    size_t before_count = *count;
    *list = *made;
    *count = *made_count;
    *made = before;
    *made_count = before_count;
}

static void show_rollouts(struct steering *steering, const struct turn *turn)
{
    size_t count = steering->roster->count, made = 0, flag_count = 0;
    struct steering_entry *view = calloc(count + 1, sizeof *view), *flags = NULL;
    enum status status = view ? STATUS_OK : STATUS_NO_MEMORY;
    while (made < count && status == STATUS_OK)
        status = write_entry(steering, turn, made, &view[made]), made++;
    if (status == STATUS_OK)
        status = steering_flags_show(steering, turn, &flags, &flag_count);
    if (status == STATUS_OK) { /* else those before stay */
        pthread_mutex_lock(&steering->view_lock);
        put(&steering->view, &steering->view_count, &view, &made);
        put(&steering->view_flags, &steering->view_flag_count, &flags, &flag_count);
        memcpy(steering->view_commit, steering->commit, sizeof steering->view_commit);
        pthread_mutex_unlock(&steering->view_lock);
    }
    free_view(view, made);
    free_view(flags, flag_count);
}

void steering_free_view(struct steering *steering)
{
    free_view(steering->view, steering->view_count);
    free_view(steering->view_flags, steering->view_flag_count);
}

static void write_list(const struct steering_entry *list, size_t count,
                       const struct rollout_filter *filter, struct buffer *out)
{
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (!rollout_filter_passes(filter, text_of(list[i].environment)))
            continue;
        struct text json = buffer_text(&list[i].json);
        /* Each begins with its comma. */
        buffer_append(out, json.data + is_first, json.length - is_first);
        is_first = false;
    }
}

bool steering_write_rollouts(struct steering *steering, const struct rollout_filter *filter,
                             struct buffer *out)
{
    pthread_mutex_lock(&steering->view_lock);
    bool is_known = steering->view_commit[0] != '\0';
    if (is_known) {
        rollout_status_begin(out, steering->view_commit);
        write_list(steering->view, steering->view_count, filter, out);
        rollout_status_flags(out);
        write_list(steering->view_flags, steering->view_flag_count, filter, out);
        rollout_status_end(out);
    }
    pthread_mutex_unlock(&steering->view_lock);
    return is_known;
}

void steering_show(struct steering *steering, const struct turn *turn)
{
    struct buffer status;
    if (turn)
        show_rollouts(steering, turn);
    buffer_init(&status, 0);
    write_overrides(&status, &steering->overrides);
    buffer_printf(&status, ",\"pins\":%zu", steering_flags_pinned(steering));
    write_recording(&status, steering);
    pthread_mutex_lock(&steering->view_lock);
    if (!status.failed) {
        struct buffer before = steering->status;
        steering->status = status;
        status = before;
    }
    pthread_mutex_unlock(&steering->view_lock);
    buffer_dispose(&status);
}

void steering_write_status(struct steering *steering, struct buffer *out)
{
    pthread_mutex_lock(&steering->view_lock);
    buffer_append_text(out, buffer_text(&steering->status));
    pthread_mutex_unlock(&steering->view_lock);
}
