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

bool value_is_truthy(
    const struct value *value); /* as JSONLogic means it: "", 0, [], {} and null are not */
bool value_is_same(const struct value *a, const struct value *b); /* === */

/* Most arguments are attributes and constants: these need no call. */
static inline struct value machine_argument(struct machine *machine,
                                            const struct instruction *instruction)
{
    if (instruction->op == OP_SLOT)
        return machine->context->slots[instruction->slot];
    if (instruction->op == OP_CONSTANT)
        return instruction->value;
    return machine_evaluate(machine, instruction);
}

/* The two arguments of an operator that may have them in itself (program.h). */
static inline struct value machine_first(struct machine *machine,
                                         const struct instruction *instruction)
{
    return instruction->arguments ? machine_argument(machine, &instruction->arguments[0])
                                  : machine->context->slots[instruction->slot];
}

static inline struct value machine_second(struct machine *machine,
                                          const struct instruction *instruction)
{
    return instruction->arguments ? machine_argument(machine, &instruction->arguments[1])
                                  : instruction->value;
}

static inline uint64_t machine_load(const char *bytes, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, bytes, size);
    return word;
}

/* Names, keys and suffixes are short: two words that overlap where they must cost less than a call
 * of memcmp. */
static inline bool string_is_same(const char *a, const char *b, size_t length)
{
    if (length > 16)
        return memcmp(a, b, length) == 0;
    if (length >= 8)
        return machine_load(a, 8) == machine_load(b, 8) &&
               machine_load(a + length - 8, 8) == machine_load(b + length - 8, 8);
    if (length >= 4)
        return machine_load(a, 4) == machine_load(b, 4) &&
               machine_load(a + length - 4, 4) == machine_load(b + length - 4, 4);
    return length == 0 ||
           (a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1]);
}

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
