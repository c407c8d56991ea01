/* drivers.h - the drivers that registry.c lists, one a file. */
#ifndef WEIR_DRIVERS_H
#define WEIR_DRIVERS_H

#include "target.h"

extern const struct target_driver file_driver, redis_driver, http_driver, kubernetes_driver;

#endif
