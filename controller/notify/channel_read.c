/* A channel, from the map that configures it. */
#include <stdlib.h>

#include "../../rules/node.h"
#include "../outward/http_url.h"
#include "notify.h"
#include "smtp_url.h"

struct reading {
    struct notify_channel *channel;
    const struct node **at;
    struct error *error;
};

static enum status set(const struct reading *reading, char **member, const struct node *node)
{
    *reading->at = node;
    *member = strdup(node->string.data);
    return *member ? STATUS_OK
                   : error_set(reading->error, STATUS_NO_MEMORY, "no memory for a channel");
}

/* Nothing where `map` has no such key. */
static enum status set_optional(const struct reading *reading, char **member,
                                const struct node *map, const char *key)
{
    const struct node *node = node_get(map, key);
    return node ? set(reading, member, node) : STATUS_OK;
}

static enum status read_slack(const struct reading *reading, const struct node *map)
{
    return set_optional(reading, &reading->channel->secret, node_get(map, "url"), "secret");
}

static enum status read_webhook(const struct reading *reading, const struct node *map)
{
    struct http_url unused;
    struct notify_channel *channel = reading->channel;
    enum status status = set_optional(reading, &channel->url, map, "url");
    if (status == STATUS_OK)
        status = http_url_parse(text_of(channel->url), &unused, reading->error);
    return status ? status : set_optional(reading, &channel->secret, map, "secret");
}

static enum status read_address(const struct reading *reading, char **member,
                                const struct node *node)
{
    *reading->at = node;
    return mail_address_is_valid(node->string)
               ? set(reading, member, node)
               : error_set(reading->error, STATUS_INVALID,
                           "\"%.80s\" is no address: write LOCAL@HOST", node->string.data);
}

static enum status read_recipients(const struct reading *reading, const struct node *list)
{
    struct notify_channel *channel = reading->channel;
    enum status status = STATUS_OK;
    if (list->count == 0 || list->count > NOTIFY_RECIPIENTS_MOST)
        return error_set(reading->error, STATUS_INVALID, "a mail has 1 to %d recipients",
                         NOTIFY_RECIPIENTS_MOST);
    channel->to = calloc(list->count, sizeof *channel->to);
    if (!channel->to)
        return error_set(reading->error, STATUS_NO_MEMORY, "no memory for a channel");
    for (const struct node *node = list->first; node && status == STATUS_OK; node = node->next)
        status = read_address(reading, &channel->to[channel->to_count++], node);
    return status;
}

/* What is said in clear can be read on the way, a password too. */
static enum status check_tls(const struct reading *reading, const struct node *map)
{
    struct notify_channel *channel = reading->channel;
    struct smtp_url url;
    *reading->at = node_get(map, "url");
    enum status status = smtp_url_parse(text_of(channel->url), &url, reading->error);
    if (status != STATUS_OK)
        return status;
    channel->clear = !url.tls && text_is(node_get_string(map, "starttls"), "none");
    if (!channel->clear || !channel->secret)
        return STATUS_OK;
    *reading->at = node_get(map, "starttls");
    return error_set(reading->error, STATUS_INVALID,
                     "a password is not sent in clear: leave \"starttls\" out, or use smtps://");
}

static enum status read_smtp(const struct reading *reading, const struct node *map)
{
    struct notify_channel *channel = reading->channel;
    enum status status = set_optional(reading, &channel->url, map, "url");
    if (status == STATUS_OK)
        status = read_address(reading, &channel->from, node_get(map, "from"));
    if (status == STATUS_OK)
        status = read_recipients(reading, node_get(map, "to"));
    if (status == STATUS_OK)
        status = set_optional(reading, &channel->user, map, "user");
    if (status == STATUS_OK)
        status = set_optional(reading, &channel->secret, node_get(map, "password"), "secret");
    return status ? status : check_tls(reading, map);
}

static enum status read_events(const struct reading *reading, const struct node *list)
{
    if (!list)
        reading->channel->events = (UINT32_C(1) << NOTICE_EVENTS) - 1;
    for (const struct node *node = list ? list->first : NULL; node; node = node->next) {
        size_t event = notice_event_of(node->string);
        *reading->at = node;
        if (event == NOTICE_EVENTS)
            return error_set(reading->error, STATUS_INVALID, "there is no event \"%.60s\"",
                             node->string.data);
        reading->channel->events |= UINT32_C(1) << event;
    }
    return STATUS_OK;
}

enum status notify_channel_read(const struct node *map, struct notify_channel *out,
                                const struct node **at, struct error *error)
{
    static const struct {
        const char *key;
        enum notify_type type;
        enum status (*read)(const struct reading *reading, const struct node *map);
    } types[] = {{"slack", NOTIFY_SLACK, read_slack},
                 {"webhook", NOTIFY_WEBHOOK, read_webhook},
                 {"smtp", NOTIFY_SMTP, read_smtp}};
    const struct reading reading = {out, at, error};
    *out = (struct notify_channel){0};
    *at = map;
    enum status status = set_optional(&reading, &out->name, map, "name");
    if (status == STATUS_OK)
        status = read_events(&reading, node_get(map, "events"));
    if (status == STATUS_OK)
        status = set_optional(&reading, &out->template, map, "template");
    if (status == STATUS_OK && out->template)
        status = template_check(text_of(out->template), error);
    for (size_t i = 0; i < COUNT_OF(types) && status == STATUS_OK; i++) {
        const struct node *node = node_get(map, types[i].key);
        if (!node)
            continue;
        out->type = types[i].type;
        *at = node;
        status = types[i].read(&reading, node);
    }
    return status;
}
