/* program_pack.h - a program with all that it points to, moved into one block of its exact size.
 *
 * Compiling leaves drafts, spare room and steps on the way in its arena; a fragment lives long, and
 * of a hundred thousand of them every byte counts. What is evaluated together lies together:
 * instructions first, in the order in which they are evaluated. The same code measures and moves:
 * a packer without `base` only counts. */
#ifndef WEIR_PROGRAM_PACK_H
#define WEIR_PROGRAM_PACK_H

#include "program.h"

struct packer {
    char *base;  /* NULL: only count */
    size_t used; /* bytes so far, from the base; begin with what stands before */
    struct text from,
        to; /* the flag's JSON while compiling, and in the block: long strings in it stay there */
};

/* The packed program, written to *out; NULL when only counting. Its metadata is copied unless it is
 * `shared`. */
void program_pack(struct packer *packer, const struct program *program, struct text shared,
                  struct program *out);

#endif
