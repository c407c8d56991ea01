/* machine.h - private to evaluate*.c: one evaluation of one program. */
#ifndef WEIR_MACHINE_H
#define WEIR_MACHINE_H

#include "context.h"
#include "json.h"
#include "program.h"

enum scope_kind {
    SCOPE_INDEXED, /* "../" is {"iterator": list, "index": number} */
    SCOPE_LIST,    /* "../" is the list: the interpreter's some, all, none and reduce */
    SCOPE_NOTHING, /* "../" is null: generated code's reduce */
};

/* What an iterator is looking at. */
struct scope {
    const struct scope *outer; /* NULL: the context */
    enum scope_kind kind;
    uint32_t index;
    struct value element, list;
};

struct machine {
    struct context *context;
    const struct program *program;
    const struct scope *scope; /* NULL outside iterators */
    struct value previous;     /* the value that generated code stored last; see OP_COMPARE */
    unsigned comparing;        /* > 0 while `previous` may still be asked for */
    size_t steps;              /* of iterators and searches so far */
    double now;
};

struct value machine_evaluate(struct machine *machine, const struct instruction *instruction);
/* The truth of what an instruction gives; false with *failure set to an error, else to null. */
bool machine_test(struct machine *machine, const struct instruction *instruction,
                  struct value *failure);

/* evaluate_path.c: var and missing. */
struct value machine_walk(struct machine *machine, struct value from, const struct path *path);
struct value machine_local(struct machine *machine, const struct path *path);
struct value machine_flagd(struct machine *machine);
struct value machine_missing(struct machine *machine, const struct instruction *instruction);
struct value builtin_var(struct machine *machine, const struct value *data);
struct value builtin_missing(struct machine *machine, const struct value *data);
struct value builtin_missing_some(struct machine *machine, const struct value *data);

/* evaluate_text.c */
struct value machine_cat(struct machine *machine, const struct instruction *instruction);
struct value machine_in(struct machine *machine, const struct instruction *instruction);
/* Whether one of the list's strings is `item`. */
bool machine_has_text(struct text item, const struct value *list);
/* What JavaScript's String() makes of a value; false when there is no room for it. */
bool machine_string(struct machine *machine, const struct value *value,
                    char digits[NUMBER_TEXT_SIZE], struct text *out);
struct value builtin_cat(struct machine *machine, const struct value *data);
struct value builtin_in(struct machine *machine, const struct value *data);
struct value builtin_substr(struct machine *machine, const struct value *data);

/* evaluate_number.c */
struct value machine_arithmetic(struct machine *machine, const struct instruction *instruction);
/* What JavaScript's Number() makes of a value; NaN where it is none. */
double machine_number(struct machine *machine, const struct value *value);
struct value builtin_arithmetic(struct machine *machine, enum builtin builtin,
                                const struct value *data);
struct value builtin_extreme(const struct value *data, bool maximum);

/* evaluate_compare.c */
struct value machine_compare(struct machine *machine, const struct instruction *instruction);
struct value machine_compare_constant(struct machine *machine,
                                      const struct instruction *instruction);
struct value machine_compare_plainly(struct machine *machine,
                                     const struct instruction *instruction);

/* evaluate_list.c */
struct value machine_list(struct machine *machine, const struct instruction *instruction);
struct value machine_iterate(struct machine *machine, const struct instruction *instruction);
struct value machine_reduce(struct machine *machine, const struct instruction *instruction);
struct value builtin_merge(struct machine *machine, const struct value *data);

/* evaluate_flagd.c: flagd's own operators. */
struct value machine_sem_ver(struct machine *machine, const struct instruction *instruction);
struct value machine_fractional(struct machine *machine, const struct instruction *instruction);
struct value builtin_affix(const struct value *data, bool at_start);
struct value builtin_sem_ver(struct machine *machine, const struct value *data);
struct value builtin_fractional(struct machine *machine, const struct value *data);

/* A list in a list in a list is looked through as often as their product says. */
#define MACHINE_MAX_STEPS ((size_t)4 << 20)

static inline bool machine_step(struct machine *machine, size_t steps)
{
    machine->steps += steps;
    return machine->steps <= MACHINE_MAX_STEPS;
}

static inline struct value out_of_steps(void)
{
    return value_error("a rule takes more than four million steps");
}

/* `size` bytes that stay until the evaluation ends or the caller takes scratch_used back; NULL when
 * there are no more. */
static inline void *machine_scratch(struct machine *machine, size_t size)
{
    struct context *context = machine->context;
    size_t start = (context->scratch_used + 15) & ~(size_t)15;
    if (size == 0)
        size = 1; /* lists and maps have an identity */
    if (start > CONTEXT_SCRATCH || size > CONTEXT_SCRATCH - start)
        return NULL;
    context->scratch_used = start + size;
    return context->scratch + start;
}

static inline struct value out_of_scratch(void)
{
    return value_error("a rule puts together more than 256 KiB");
}

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
    return instruction->direct ? machine->context->slots[instruction->slot]
                               : machine_argument(machine, &instruction->arguments[0]);
}

static inline struct value machine_second(struct machine *machine,
                                          const struct instruction *instruction)
{
    return instruction->direct ? instruction->value
                               : machine_argument(machine, &instruction->arguments[1]);
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

#endif
