/* What `weir run` is told of the channels by which people are told. */
#include <stdlib.h>

#include "../rules/node.h"
#include "config.h"

void config_dispose_notify(struct config *config)
{
    for (size_t i = 0; i < config->notify_channel_count; i++)
        notify_channel_dispose(&config->notify_channels[i]);
    free(config->notify_channels);
    config->notify_channels = NULL;
    config->notify_channel_count = 0;
}

/* A name that is taken, or a secret that nobody has: told at the start, not when something
 * happened that people should know. */
static enum status check(const struct config *config, const struct notify_channel *channel,
                         struct error *error)
{
    for (const struct notify_channel *other = config->notify_channels; other < channel; other++)
        if (strcmp(other->name, channel->name) == 0)
            return error_set(error, STATUS_INVALID, "two channels are called \"%s\"",
                             channel->name);
    if (channel->secret && !reach_secret(&config->reach, text_of(channel->secret)))
        return error_set(error, STATUS_INVALID,
                         "channel \"%s\" needs the secret \"%s\": name it under secrets",
                         channel->name, channel->secret);
    return STATUS_OK;
}

enum status config_read_notify(struct config *config, const struct node *list,
                               const struct node **at, struct error *error)
{
    size_t most = list->count < NOTIFY_CHANNELS_MOST ? list->count : NOTIFY_CHANNELS_MOST;
    enum status status = STATUS_OK;
    if (most == 0 || config->notify_channels)
        return STATUS_OK;
    config->notify_channels = calloc(most, sizeof *config->notify_channels);
    if (!config->notify_channels)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the configuration");
    for (const struct node *map = list->first;
         map && config->notify_channel_count < most && status == STATUS_OK; map = map->next) {
        struct notify_channel *channel = &config->notify_channels[config->notify_channel_count++];
        *at = map;
        status = notify_channel_read(map, channel, at, error);
        if (status != STATUS_OK)
            break;
        *at = map;
        status = check(config, channel, error);
    }
    return status;
}
