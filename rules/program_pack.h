/* program_pack.h - a program with all that it points to, moved into one block of its exact size.
 *
 * Compiling leaves drafts, spare room and steps on the way in its arena; a fragment lives long, and
 * of a hundred thousand of them every byte counts. What is evaluated together lies together:
 * instructions first, in the order in which they are evaluated. Long strings of the flag's JSON
 * come behind all the rest, or stay in it. The same code measures and moves: a packer without
 * `base` only counts. */
#ifndef WEIR_PROGRAM_PACK_H
#define WEIR_PROGRAM_PACK_H

#include "program.h"

struct packer {
    char *base;       /* NULL: only count */
    size_t used;      /* bytes so far, from the base; begin with what stands before */
    size_t tail;      /* where the next long string goes; while counting, what they come to */
    struct text from; /* the flag's JSON while compiling */
    struct text to;   /* the JSON in the block, where strings can stay; without data: it is not */
};

/* The packed program, written to *out; NULL when only counting. Its metadata is copied unless it is
 * `shared`. */
void program_pack(struct packer *packer, const struct program *program, struct text shared,
                  struct program *out);

#endif
