/* program_rule.h - private to program*.c: one JSONLogic expression becomes instructions. */
#ifndef WEIR_PROGRAM_RULE_H
#define WEIR_PROGRAM_RULE_H

#include "buffer.h"
#include "context.h"
#include "program.h"

struct compiler {
    struct arena *arena;
    struct attributes *attributes;
    struct text
        json; /* the source of the nodes: guards are recognised in it, strings are left in it */
    unsigned scopes;          /* iterators around: var means the element */
    unsigned comparing;       /* > 0: what generated code would store is asked for (OP_COMPARE) */
    bool in_reduce;           /* the innermost iterator is reduce */
    bool in_iterator;         /* one of those around is another */
    bool folding;             /* the context is an empty object */
    bool frozen;              /* the attributes are others' too: what has no slot is missing */
    bool depends_on_more;     /* than attributes: on the flag, the time, the whole context */
    struct context *constant; /* where parts without attributes are evaluated; NULL until then */
    const char *thrown;       /* why interpret_expression() failed; lives as long as the arena */
    const char *problem;      /* why the flag cannot be compiled at all; the same */
    size_t instructions;      /* made so far */
    struct {                  /* where in the source: */
        uint32_t start, end;  /* the expression that was found to depend last */
        uint32_t at;          /* what in it asks for something */
    } known;
    struct { /* the attribute that was asked for last */
        struct text path;
        uint16_t slot;
    } last;
    enum status status; /* STATUS_NO_MEMORY, STATUS_LIMIT */
};

#define PROGRAM_MAX_INSTRUCTIONS ((size_t)4 << 20)

enum operator_kind {
    KIND_VAR,
    KIND_MISSING,
    KIND_MISSING_SOME,
    KIND_IF,
    KIND_CHAIN,
    KIND_COMPARE,
    KIND_ITERATOR,
    KIND_REDUCE,
    KIND_ARITHMETIC,
    KIND_UNARY,
    KIND_CAT,
    KIND_IN,
    KIND_BUILTIN, /* always by its builtin */
    KIND_FLAGD,
};

/* An operator of flagd's targeting. */
struct operator_row {
    struct text name;
    enum operator_kind kind;
    uint16_t op;          /* enum op of generated code, where there is one */
    uint16_t builtin;     /* enum builtin of the interpreter */
    uint16_t over_result; /* KIND_ARITHMETIC: enum builtin of generated code over what an expression
                             gives */
};
const struct operator_row *operator_find(struct text name);

/* program_rule.c: generated code. Writes the instruction for `node` into *out, which is zeroed. */
void compile_expression(struct compiler *compiler, const struct node *node,
                        struct instruction *out);
/* Of the arguments of a list that was compiled. */
bool all_constant(const struct instruction *list);
struct instruction *new_instructions(struct compiler *compiler, uint32_t count);
void compile_arguments(struct compiler *compiler, const struct node *first, uint32_t count,
                       struct instruction *out);
void compile_constant(struct compiler *compiler, const struct node *node, struct instruction *out);
/* The flag cannot be compiled; the first reason is kept. */
void compile_refuse(struct compiler *compiler, const char *problem);
/* `message` and a quoted name, in the arena. */
const char *compile_message(struct compiler *compiler, const char *message, struct text name);
#define UNKNOWN "unknown operator"
/* Of an operator that stands twice in a rule the last one counts: takes the others out of the tree.
 * Whether there were any. */
bool compile_drop_repeated(struct node *node);
#define MORE_OPERATORS "an expression is an object with one operator"
/* Evaluation fails there. */
void compile_failure(struct instruction *out, const char *problem);
/* Wraps *out, an and or an or, where remembering what it comes to is worth it: a segment, say. */
void compile_once(struct compiler *compiler, const struct node *node, struct instruction *out);
/* What generated code stores as it goes. */
void compile_remember(struct compiler *compiler, struct instruction *out);

/* program_var.c: var, missing and missing_some, in either manner. */
void compile_var(struct compiler *compiler, const struct node *lower, struct instruction *out);
bool interpret_var(struct compiler *compiler, const struct node *lower, struct instruction *out);
void compile_missing(struct compiler *compiler, const struct node *lower, struct instruction *out);
void compile_missing_some(struct compiler *compiler, const struct node *lower,
                          struct instruction *out);
/* The whole context, since a name may be put together. */
void compile_whole(struct compiler *compiler);

/* program_operator.c: the other operators of generated code. */
void compile_operator(struct compiler *compiler, const struct operator_row *row,
                      const struct node *node, struct instruction *out);

/* program_fractional.c */
void compile_fractional(struct compiler *compiler, const struct node *list,
                        struct instruction *out);

/* program_guard.c: and, with the guards in it. */
void compile_and(struct compiler *compiler, const struct node *list, struct instruction *out);
/* Recognises a guard at `node` among the arguments of an "and"; returns how many arguments it
 * takes, 0 where there is none. */
uint32_t compile_guard(struct compiler *compiler, const struct node *node, struct instruction *out);

/* program_interpret.c: as the interpreter would evaluate it. False where it would fail before it
 * evaluates anything; compiler->thrown says why. */
bool interpret_expression(struct compiler *compiler, const struct node *node,
                          struct instruction *out);

/* program_fold.c: whether a part asks for no attribute; *thrown where that cannot be told. */
enum determinism { DEPENDS, CONSTANT, UNKNOWN_OPERATOR };
enum determinism expression_determinism(struct compiler *compiler, const struct node *node,
                                        bool inside_iterator);
enum determinism operator_determinism(struct compiler *compiler, const struct operator_row *row,
                                      const struct node *lower, bool inside_iterator);
/* Evaluates an instruction that asks for nothing and makes it OP_CONSTANT; false with
 * compiler->thrown. */
bool fold_instruction(struct compiler *compiler, struct instruction *instruction);
void fold_dispose(struct compiler *compiler);

#endif
