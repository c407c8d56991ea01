#include "notify.h"

#include <stdlib.h>

static const struct notify_driver *const drivers[NOTIFY_TYPES] = {
    [NOTIFY_SLACK] = &notify_slack,
    [NOTIFY_WEBHOOK] = &notify_webhook,
    [NOTIFY_SMTP] = &notify_smtp,
};

const struct notify_driver *notify_driver_of(enum notify_type type)
{
    return drivers[type];
}

void notify_channel_dispose(struct notify_channel *channel)
{
    for (size_t i = 0; i < channel->to_count; i++)
        free(channel->to[i]);
    free(channel->to);
    free(channel->name);
    free(channel->template);
    free(channel->url);
    free(channel->secret);
    free(channel->user);
    free(channel->from);
    *channel = (struct notify_channel){0};
}

/* "rollout.held: production/checkout-v2, phase ten: error rate (0.031 > 0.01)" */
static void write_standard(const struct notice *notice, template_spell *spell, struct buffer *out)
{
    static const struct {
        enum notice_field field;
        const char *before, *after;
    } parts[] = {
        {NOTICE_EVENT, "", ""},           {NOTICE_ENVIRONMENT, ": ", ""},
        {NOTICE_ROLLOUT, "/", ""},        {NOTICE_FLAG, ", flag ", ""},
        {NOTICE_PHASE, ", phase ", ""},   {NOTICE_REASON, ": ", ""},
        {NOTICE_EVIDENCE, " (", ")"},     {NOTICE_BY, ", by ", ""},
        {NOTICE_COMMIT, ", commit ", ""}, {NOTICE_URL, " ", ""},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct text value = notice->fields[parts[i].field];
        if (value.length == 0)
            continue;
        buffer_append_string(out, parts[i].before);
        if (spell)
            spell(value, out);
        else
            buffer_append_text(out, value);
        buffer_append_string(out, parts[i].after);
    }
}

void notify_text(const struct notify_channel *channel, const struct notice *notice,
                 template_spell *spell, struct buffer *out)
{
    if (channel->template)
        template_fill(text_of(channel->template), notice, spell, out);
    else
        write_standard(notice, spell, out);
}
