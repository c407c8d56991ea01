/* ==, <, … of whatever, as JavaScript has them.
 *
 * Generated code compares `(prev = LEFT) < check(RIGHT, prev)`, where the check refuses what is no
 * number. RIGHT may itself store into prev (every var does), so that the check looks at the value
 * that was stored last, and a left side that is no number may get through. The interpreter checks
 * both sides. */
#include <math.h>

#include "machine.h"
#include "utf16.h"

#define NOT_COMPARABLE "values cannot be compared"

/* --- JavaScript's relations ------------------------------------------------------------------ */

static bool holds(enum op op, double a, double b)
{
    switch (op) {
    case OP_LESS:
        return a < b;
    case OP_LESS_EQUAL:
        return a <= b;
    case OP_GREATER:
        return a > b;
    case OP_GREATER_EQUAL:
        return a >= b;
    case OP_EQUAL:
        return a == b;
    default:
        return !(a == b);
    }
}

/* ToPrimitive: lists and objects become strings. */
static struct value primitive(struct machine *machine, const struct value *value)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text text;
    if (!value_is_container(value))
        return *value;
    return machine_string(machine, value, digits, &text) ? value_string(text) : out_of_scratch();
}

/* IsLooselyEqual. */
static bool is_equal(struct machine *machine, const struct value *a, const struct value *b)
{
    if (a->type == b->type)
        return value_is_same(a, b);
    if (a->type == VALUE_NULL || b->type == VALUE_NULL)
        return false;
    struct value x = primitive(machine, a), y = primitive(machine, b);
    if (x.type == VALUE_STRING && y.type == VALUE_STRING)
        return !(value_is_container(a) && value_is_container(b)) &&
               text_equal(value_text(&x), value_text(&y));
    return machine_number(machine, &x) == machine_number(machine, &y);
}

static struct value relate(struct machine *machine, enum op op, const struct value *a,
                           const struct value *b)
{
    if (op == OP_SAME || op == OP_NOT_SAME)
        return value_bool(value_is_same(a, b) == (op == OP_SAME));
    if (op == OP_EQUAL || op == OP_NOT_EQUAL)
        return value_bool(is_equal(machine, a, b) == (op == OP_EQUAL));
    struct value x = primitive(machine, a), y = primitive(machine, b);
    if (x.type == VALUE_ERROR || y.type == VALUE_ERROR)
        return out_of_scratch();
    if (x.type == VALUE_STRING && y.type == VALUE_STRING)
        return value_bool(holds(op, utf16_compare(value_text(&x), value_text(&y)), 0));
    return value_bool(holds(op, machine_number(machine, &x), machine_number(machine, &y)));
}

static bool is_refused(const struct value *value)
{
    return value_is_container(value) || (value->type == VALUE_NUMBER && isnan(value->number));
}

/* Neither a list, nor an object, nor a string that is no number. */
static bool is_numeric(struct machine *machine, const struct value *value)
{
    return !value_is_container(value) && !isnan(machine_number(machine, value));
}

static bool is_text(const struct value *value)
{
    return value->type == VALUE_STRING || value->type == VALUE_NULL;
}

/* --- generated code -------------------------------------------------------------------------- */

/* The right side, checked against what was stored last. */
static struct value check(struct machine *machine, const struct value *right,
                          const struct value *previous)
{
    if (is_text(right) && is_text(previous))
        return *right;
    if (is_refused(right) || is_refused(previous) ||
        (previous->type != VALUE_NULL && !is_numeric(machine, right)) ||
        !is_numeric(machine, previous))
        return value_error(NOT_COMPARABLE);
    if (previous->type == VALUE_NULL && !value_is_true(right))
        return value_null();
    if (right->type == VALUE_NULL && !value_is_true(previous))
        return value_number(0);
    return *right;
}

struct value machine_compare_constant(struct machine *machine,
                                      const struct instruction *instruction)
{
    struct value left = machine_first(machine, instruction);
    struct value right = machine_second(machine, instruction);
    if (left.type == VALUE_NUMBER && right.type == VALUE_NUMBER)
        return value_bool(holds((enum op)instruction->op, left.number, right.number));
    if (left.type == VALUE_ERROR)
        return left;
    right = check(machine, &right, &left);
    if (right.type == VALUE_ERROR)
        return right;
    return relate(machine, (enum op)instruction->op, &left, &right);
}

struct value machine_compare(struct machine *machine, const struct instruction *instruction)
{
    enum op op = (enum op)instruction->slot;
    struct value left = machine_evaluate(machine, &instruction->arguments[0]), result = left;
    machine->comparing++;
    machine->previous = left;
    for (uint32_t i = 1; i < instruction->count && left.type != VALUE_ERROR; i++) {
        struct value right = machine_evaluate(machine, &instruction->arguments[i]);
        if (right.type != VALUE_ERROR && op != OP_SAME && op != OP_NOT_SAME)
            right = check(machine, &right, &machine->previous);
        result = right;
        if (right.type == VALUE_ERROR)
            break;
        /* With two arguments the right side is not stored. */
        if (instruction->count > 2)
            machine->previous = right;
        result = relate(machine, op, &left, &right);
        if (result.type == VALUE_ERROR || !result.boolean)
            break;
        left = right;
    }
    machine->comparing--;
    return result;
}

/* --- the interpreter ------------------------------------------------------------------------- */

static struct value compare_plainly(struct machine *machine, enum op op, const struct value *a,
                                    const struct value *b)
{
    if (op == OP_SAME || op == OP_NOT_SAME || (is_text(a) && is_text(b)))
        return relate(machine, op, a, b);
    if (!is_numeric(machine, a) || is_refused(b) ||
        (a->type != VALUE_NULL && !is_numeric(machine, b)))
        return value_error(NOT_COMPARABLE);
    return value_bool(holds(op, machine_number(machine, a), machine_number(machine, b)));
}

struct value machine_compare_plainly(struct machine *machine, const struct instruction *instruction)
{
    struct value left = machine_argument(machine, &instruction->arguments[0]), result = left;
    for (uint32_t i = 1; i < instruction->count && left.type != VALUE_ERROR; i++) {
        struct value right = machine_argument(machine, &instruction->arguments[i]);
        if (right.type == VALUE_ERROR)
            return right;
        result = compare_plainly(machine, (enum op)instruction->slot, &left, &right);
        if (result.type == VALUE_ERROR || !result.boolean)
            return result;
        left = right;
    }
    return result;
}
