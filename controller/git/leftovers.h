/* leftovers.h - what a process that was killed left half written in the clone: packs and objects
 * under temporary names, and locks of refs, which would stop every later fetch. */
#ifndef WEIR_GIT_LEFTOVERS_H
#define WEIR_GIT_LEFTOVERS_H

#include "../../rules/base.h"

/* Removes them below `folder` and returns how many there were; 0 where there is no such folder.
 * Only for who holds the lock of the data folder: another process's would go too. */
size_t leftovers_remove(const char *folder);

#endif
