/* import.h - flag definitions of other systems become weir definitions.
 *
 * Text in, YAML documents and diagnostics out. flagd's JSON is read as npm's flagd-core 4 evaluates
 * it; GO Feature Flag's YAML (or JSON) as its Go module does.
 *
 * The promise: a flag that is carried over answers the same value and variant (from flagd also the
 * same reason) for every context, whatever the types of its attributes. The one exception: where
 * the foreign rule is an error for a context (flagd's GENERAL: a string compared with a list, "abc"
 * with a number), weir answers as if that comparison did not hold; each flag where that can happen
 * has a note (W709). A flag of which any part has no exact counterpart is left out whole and told
 * with its place and reason. Two things can be asked for beyond that, each told by flag:
 *
 *   rebucket    shares are carried over although the foreign hash is another: users move (W710)
 *   as_written  rules also match what nobody is likely to send ("10" for 10, "de" for "DE"); take
 *               attributes to have the type and the letters that rules are written with (W711)
 *
 * How it works: each comparison becomes a `shape`, the exact set of JSON values for which it holds;
 * what an and or an or says of one attribute becomes one shape again, so guards of types vanish in
 * what they guard; a shape is then written as the weir condition that holds for the same set.
 *
 * import_read() owns everything in *out; import_dispose() gives it back, whatever was returned. */
#ifndef WEIR_IMPORT_H
#define WEIR_IMPORT_H

#include "arena.h"
#include "diagnostics.h"

enum import_format { IMPORT_FLAGD, IMPORT_GOFF };

struct import_options {
    enum import_format format;
    struct text environment; /* the name of the Environment that is made */
    bool rebucket, as_written;
};

/* One definition: where it belongs in a repository of definitions, and its YAML. */
struct import_document {
    struct text path; /* "flags/checkout.yaml", NUL-terminated */
    struct text yaml;
};

#define IMPORT_MAX_BYTES ((size_t)64 << 20)

struct import {
    struct arena arena;
    struct import_document *documents; /* environment, segments, flags */
    size_t count;
    size_t flags;    /* carried over */
    size_t left_out; /* flags, evaluators and fields that were not; each is an entry of the list */
};

/* STATUS_INVALID: `source` is not such a file, and `diagnostics` says why. What is left out does
 * not make it fail. */
enum status import_read(struct import *out, struct text path, struct text source,
                        struct import_options options, struct diagnostics *diagnostics);
void import_dispose(struct import *import);

#endif
