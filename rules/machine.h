/* machine.h - private to evaluate*.c: one evaluation of one program. */
#ifndef WEIR_MACHINE_H
#define WEIR_MACHINE_H

#include "context.h"
#include "program.h"

struct machine {
    struct context *context;
    const struct program *program;
    struct value local; /* the element that some is looking at */
    double now;
};

struct value machine_evaluate(struct machine *machine, const struct instruction *instruction);

/* evaluate_operators.c: the operators that are more than a line. */
struct value machine_cat(struct machine *machine, const struct instruction *instruction);
struct value machine_substr(struct machine *machine, const struct instruction *instruction);
struct value machine_merge(struct machine *machine, const struct instruction *instruction);
struct value machine_some(struct machine *machine, const struct instruction *instruction);
struct value machine_in(struct machine *machine, const struct instruction *instruction);
struct value machine_sem_ver(struct machine *machine, const struct instruction *instruction);
struct value machine_fractional(struct machine *machine, const struct instruction *instruction);
struct value machine_arithmetic(struct machine *machine, const struct instruction *instruction);
struct value machine_compare(struct machine *machine, const struct instruction *instruction);

bool value_is_truthy(const struct value *value);   /* as JSONLogic means it: "", 0, [], {} and null are not */
bool value_is_same(const struct value *a, const struct value *b); /* === */

static inline struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}
static inline struct value value_bool(bool boolean)
{
    return (struct value){.type = VALUE_BOOL, .boolean = boolean};
}
static inline struct value value_number(double number)
{
    return (struct value){.type = VALUE_NUMBER, .number = number};
}
static inline struct value value_error(const char *problem)
{
    return (struct value){.type = VALUE_ERROR, .problem = problem};
}

#endif
