/* fuzz.h - what the fuzz targets share.
 *
 * A target is one file in targets/: it defines LLVMFuzzerTestOneInput(), is driven by libFuzzer
 * (`make fuzz`) or, over its corpus, by replay.c (`make test`), and stops the process with
 * FUZZ_CHECK() where what it was given shows a fault. A target keeps nothing from one input to the
 * next that could change what it finds: a finding must show again from its file alone. */
#ifndef WEIR_FUZZ_H
#define WEIR_FUZZ_H

#include "../../rules/buffer.h"
#include "../../rules/diagnostics.h"
#include "../../rules/evaluate.h"
#include "../../rules/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong and ends the process by SIGABRT, which libFuzzer takes for a finding. */
_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);

#define FUZZ_CHECK(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
    } while (0)

/* For printf's "%.*s". */
#define FUZZ_TEXT(text) (int)(text).length, (text).length ? (text).data : ""

/* --- inputs ---------------------------------------------------------------------------------- */

/* A target that takes two texts has them in one file with a line "---" between them, which cannot
 * stand in JSON. Each part is a block of its own, so that ASan sees a read past its end. */
struct fuzz_parts {
    struct text first, second;
    bool has_second;
};
void fuzz_split(const uint8_t *data, size_t size, struct fuzz_parts *out);
void fuzz_parts_dispose(struct fuzz_parts *parts);
/* Room for `length` bytes, or the end of the process. */
void *fuzz_allocate(size_t length);

/* --- what every answer has to be ------------------------------------------------------------- */

/* Valid UTF-8. `what` is for the message. */
void fuzz_check_utf8(struct text text, const char *what);
/* A failure: the status that was returned, a message of one line, UTF-8. */
void fuzz_check_error(enum status status, const struct error *error);
/* Sorts the list; each fault has a place in `source`, a message of its own, and both ways of
 * writing it are whole. STATUS_OK means that there is no error in it. */
void fuzz_check_diagnostics(struct diagnostics *list, enum status status, struct text source);
/* A tree as json_read() and yaml_read() promise it: counts, text, places, depth. */
void fuzz_check_node(const struct node *node, unsigned depth);

/* --- evaluating ------------------------------------------------------------------------------ */

#define FUZZ_NOW INT64_C(1795383000) /* 2026-11-22T21:30:00Z */

/* Appends everything that a decision says, as text, so that two can be compared. */
void fuzz_tell(struct buffer *out, const struct decision *decision);
/* Evaluates, checks that a second time gives the same, and appends what it gave. */
void fuzz_decide(const struct fragment *fragment, struct context *context, int64_t now,
                 struct buffer *out);
/* Explains, checks that this is whole text, and that evaluating afterwards gives the same. */
void fuzz_explain(const struct fragment *fragment, struct context *context, int64_t now);
/* Writes the document, reads that again, and compares digests, and bytes when written once more. */
void fuzz_check_round_trip(const struct document *document, const struct document_options *options);

#endif
