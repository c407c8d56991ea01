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
/* What flagd also takes as a context's value: one leading v or V, missing parts count as 0 ("2.4",
 * "v2"). */
bool semver_parse_loosely(struct text text, struct semver *out);
/* Precedence, semver.org section 11: negative, 0 or positive. Build metadata does not count. */
int semver_compare(const struct semver *a, const struct semver *b);
/* `comparison` is one of = != < <= > >= ^ (same major) ~ (same major and minor); false in *known
 * for another. */
bool semver_holds(const struct semver *a, struct text comparison, const struct semver *b,
                  bool *known);

#endif
