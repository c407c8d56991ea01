/* The one table of the kinds of target. */
#include "drivers.h"

static const struct target_driver *const drivers[] = {&file_driver, &redis_driver, &http_driver,
                                                      &kubernetes_driver};

const struct target_driver *target_driver(enum target_type type)
{
    for (size_t i = 0; i < COUNT_OF(drivers); i++)
        if (drivers[i]->type == type)
            return drivers[i];
    return NULL;
}
