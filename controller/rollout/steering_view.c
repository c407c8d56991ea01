/* What other threads may read of the last turn. */
#include "../../rules/json.h"
#include "../status_write.h"
#include "steering_private.h"

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

void steering_show(struct steering *steering, const struct turn *turn)
{
    struct buffer status;
    (void)turn;
    buffer_init(&status, 0);
    write_overrides(&status, &steering->overrides);
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
