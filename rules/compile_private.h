/* compile_private.h - private to compile*.c. */
#ifndef WEIR_COMPILE_PRIVATE_H
#define WEIR_COMPILE_PRIVATE_H

#include "compile.h"

/* compile_attributes.c: gives each attribute that the environment's flags ask for its slot, in
 * their order, so that they can then be compiled in any. */
enum status compile_attributes(const struct catalog *catalog, const struct environment *environment,
                               struct attributes *attributes);

#endif
