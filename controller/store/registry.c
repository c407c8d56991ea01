/* The one table of stores; the first is what a plain folder means. */
#include "driver.h"

static const struct store_driver *const drivers[] = {&sqlite_driver};

const struct store_driver *store_driver_of(const char *location, const char **rest)
{
    *rest = location;
    for (size_t i = 0; i < COUNT_OF(drivers); i++) {
        size_t length = strlen(drivers[i]->scheme);
        if (strncmp(location, drivers[i]->scheme, length) == 0 && location[length] == ':') {
            *rest = location + length + 1;
            return drivers[i];
        }
    }
    return strstr(location, "://") ? NULL : drivers[0];
}
