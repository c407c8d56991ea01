/* definitions.h - generated definitions, the same on every run: what the benches compile. */
#ifndef WEIR_BENCH_DEFINITIONS_H
#define WEIR_BENCH_DEFINITIONS_H

#include "../../rules/bundle.h"

#define GENERATED_SEGMENTS 100

/* A sorted bundle of `flags` flag files of about 800 bytes each (three rules: a segment; three
 * conditions and a split; a segment or a plan), GENERATED_SEGMENTS segments and the environments
 * production and staging. */
void definitions_generate(struct bundle *bundle, unsigned flags);
/* One file of a bundle, from a string. */
void definitions_add(struct bundle *bundle, const char *path, const char *yaml);

#endif
