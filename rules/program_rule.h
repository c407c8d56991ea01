/* program_rule.h - private to program*.c: one JSONLogic expression becomes instructions. */
#ifndef WEIR_PROGRAM_RULE_H
#define WEIR_PROGRAM_RULE_H

#include "buffer.h"
#include "program.h"

struct compiler {
    struct arena *arena;
    struct attributes *attributes;
    struct text
        json; /* the source of the nodes: guards are recognised in it, strings are left in it */
    unsigned local;      /* > 0 inside some: var means the element */
    struct buffer guard; /* what a guard would be, while it is compared */
    enum status status;  /* STATUS_NO_MEMORY, STATUS_LIMIT; what is only wrong becomes OP_FAIL */
};

/* Writes the instruction for `node` into *out, which is zeroed. */
void compile_expression(struct compiler *compiler, const struct node *node,
                        struct instruction *out);

#endif
