/* path.h - the names along var's path, as json-logic-engine's splitPath cuts them.
 *
 * Dots separate; a backslash keeps the dot, the slash or the backslash behind it. "." is one empty
 * name. */
#ifndef WEIR_PATH_H
#define WEIR_PATH_H

#include "base.h"

#define PATH_MAX_NAMES 64 /* as deep as a context may be */

/* Cuts `path` into `names`, which point into `copy`: path.length bytes of the caller's. False when
 * there are more than PATH_MAX_NAMES. */
bool path_split(struct text path, char *copy, struct text names[PATH_MAX_NAMES], uint32_t *count);

/* Whether all evaluators read it alike: without empty parts, escapes, indexes, "length", and what
 * JavaScript's objects inherit. */
bool path_is_alike(struct text path);

#endif
