/* What drivers and workers share of a push: who is ahead, and what was found. */
#include <stdlib.h>

#include "../rollout/override.h"
#include "target.h"

enum status push_is_outrun(const struct push *push, struct generation held, const char *where,
                           struct error *error)
{
    char text[GENERATION_TEXT_SIZE];
    generation_format(held, text);
    if (push->held)
        *push->held = held;
    return error_set(error, STATUS_REFUSED,
                     "%s holds a newer generation (%s): another controller is ahead", where, text);
}

void push_found_dispose(struct push_found *found)
{
    for (size_t i = 0; i < found->count; i++)
        override_release(found->overrides[i]);
    free(found->overrides);
    *found = (struct push_found){0};
}
