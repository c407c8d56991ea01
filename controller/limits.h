/* limits.h - what the operating system grants this process. */
#ifndef WEIR_LIMITS_H
#define WEIR_LIMITS_H

#include "../rules/base.h"

/* Raises the number of descriptors that may be open to all that is allowed without asking anybody,
 * and returns it. */
uint64_t limits_raise_descriptors(void);

#endif
