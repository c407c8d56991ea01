/* semver.h - semantic versions (semver.org 2.0.0) and flagd's comparisons of them. */
#ifndef WEIR_SEMVER_H
#define WEIR_SEMVER_H

#include "base.h"

struct semver {
    uint64_t major, minor, patch;
    struct text prerelease; /* without "-"; borrowed */
};

/* X.Y.Z[-prerelease][+build], strictly. */
bool semver_parse(struct text text, struct semver *out);
/* What flagd takes, as npm's flagd-core reads it: one leading v or V, then X.Y.Z with white space
 * or another v in front, or X or X.Y alone. Numbers up to 2^53 - 1. */
bool semver_parse_loosely(struct text text, struct semver *out);
/* Precedence, semver.org section 11: negative, 0 or positive. Build metadata does not count. */
int semver_compare(const struct semver *a, const struct semver *b);
/* `comparison` is one of = != < <= > >= ^ (same major) ~ (same major and minor); false in *known
 * for another. */
bool semver_holds(const struct semver *a, struct text comparison, const struct semver *b,
                  bool *known);

#endif
