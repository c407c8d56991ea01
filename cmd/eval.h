/* eval.h - what the ways of `weir eval` share: one flag of definitions (eval.c), one flag of a
 * flagd document (eval_flagd.c), and a batch of questions about one (eval_batch.c).
 *
 * Functions that return int give an exit code (command.h) and have complained unless it is
 * EXIT_FINE. */
#ifndef WEIR_EVAL_H
#define WEIR_EVAL_H

#include "../rules/document.h"
#include "command.h"

/* --- what is read: eval_input.c -------------------------------------------------------------- */

/* Bytes that faults can point into. The name is borrowed from the command line. */
struct input {
    const char *name;
    struct buffer bytes;
};

/* `given` is JSON itself, "@FILE", or "-" for standard input. */
int input_read_context(struct input *input, const char *given);
/* `path` is a file's, or "-" for standard input. */
int input_read_document(struct input *input, const char *path);
void input_dispose(struct input *input);
/* Never without data, so that an empty input has a place as well. */
struct text input_text(const struct input *input);
/* "NAME:LINE:COLUMN: message", the line of the fault and a caret, on standard error. */
void input_complain(const struct input *input, const struct error *error);

/* --- what is answered: eval_one.c, eval_batch.c ---------------------------------------------- */

struct question {
    const struct document *document;
    const char *flag;
    const struct input *context;
    const char *kind, *place; /* the flag should be in the `kind` called `place`: for complaints */
    bool json, explain;
};
int eval_one(const struct question *question);

/* Answers the lines of standard input on standard output; eval_batch.c tells how. */
int eval_batch(const struct document *document);

/* --- the options with --flagd: eval_flagd.c -------------------------------------------------- */

int eval_flagd(const struct arguments *arguments);

#endif
