/* Arithmetic, with JavaScript's coercions. Generated code and the interpreter differ in what they
 * take for a number, so each operator stands here twice. */
#include <math.h>

#include "machine.h"

#define NOT_A_NUMBER "arithmetic needs numbers"

double machine_number(struct machine *machine, const struct value *value)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text text;
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        return 0;
    case VALUE_BOOL:
        return value->boolean;
    case VALUE_NUMBER:
        return value->number;
    case VALUE_STRING:
        return number_of_text(value_text(value));
    case VALUE_LIST:
        return machine_string(machine, value, digits, &text) ? number_of_text(text) : NAN;
    default:
        return NAN;
    }
}

/* +precoerceNumber(value): lists, objects and NaN are refused, strings that are no numbers are not
 * yet. */
static bool coerce(struct machine *machine, const struct value *value, double *out)
{
    if (value_is_container(value) || (value->type == VALUE_NUMBER && isnan(value->number)))
        return false;
    *out = machine_number(machine, value);
    return true;
}

static double combine(enum op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUBTRACT:
        return a - b;
    case OP_MULTIPLY:
        return a * b;
    case OP_DIVIDE:
        return b == 0 ? NAN : a / b; /* divided by `b || NaN` */
    default:
        return fmod(a, b);
    }
}

static struct value number_or_error(double number)
{
    return isnan(number) ? value_error(NOT_A_NUMBER) : value_number(number);
}

/* Over arguments. */
struct value machine_arithmetic(struct machine *machine, const struct instruction *instruction)
{
    enum op op = (enum op)instruction->op;
    double result = 0, number;
    for (uint32_t i = 0; i < instruction->count; i++) {
        struct value value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR)
            return value;
        if (!coerce(machine, &value, &number) || (op == OP_DIVIDE && i > 0 && isnan(number)))
            return value_error(NOT_A_NUMBER);
        result = i == 0 ? number : combine(op, result, number);
    }
    if (instruction->count == 1 && op == OP_SUBTRACT)
        result = -result;
    if (instruction->count == 1 && op == OP_DIVIDE)
        result = combine(OP_DIVIDE, 1, result);
    return number_or_error(result);
}

/* --- generated code, over what an expression gave -------------------------------------------- */

static struct value fold_list(struct machine *machine, enum op op, const struct value *list)
{
    double result, number;
    if (!coerce(machine, &list->items[0], &result))
        return value_error(NOT_A_NUMBER);
    for (uint32_t i = 1; i < list->length; i++) {
        if ((i > 1 && isnan(result)) || !coerce(machine, &list->items[i], &number))
            return value_error(NOT_A_NUMBER);
        if (op == OP_DIVIDE && (number == 0 || isnan(number)) && !value_is_true(&list->items[i]))
            return value_error(NOT_A_NUMBER);
        result = op == OP_DIVIDE ? result / number : combine(op, result, number);
    }
    return value_number(result);
}

static struct value sum(struct machine *machine, const struct value *data)
{
    double result = 0, number;
    if (data->type != VALUE_LIST)
        return number_or_error(machine_number(machine, data));
    for (uint32_t i = 0; i < data->length; i++) {
        if (!coerce(machine, &data->items[i], &number))
            return value_error(NOT_A_NUMBER);
        result += number;
    }
    return value_number(result);
}

/* -precoerceNumber(value): null and strings too are negated. */
static struct value negate(struct machine *machine, const struct value *value)
{
    double number;
    return coerce(machine, value, &number) ? value_number(-number) : value_error(NOT_A_NUMBER);
}

static struct value difference(struct machine *machine, const struct value *data)
{
    struct value number;
    if (data->type == VALUE_LIST && data->length == 0)
        return value_error("- needs an argument");
    if (data->type == VALUE_LIST && data->length == 1)
        return negate(machine, &data->items[0]);
    if (data->type == VALUE_LIST)
        return fold_list(machine, OP_SUBTRACT, data);
    number = value_number(machine_number(machine, data));
    return negate(machine, &number);
}

static struct value product(struct machine *machine, const struct value *data)
{
    double result = 1, number;
    if (data->type != VALUE_LIST)
        return value_error("* needs a list");
    for (uint32_t i = 0; i < data->length; i++) {
        if (isnan(result) || !coerce(machine, &data->items[i], &number))
            return value_error(NOT_A_NUMBER);
        result *= number;
    }
    return value_number(result);
}

static struct value quotient(struct machine *machine, const struct value *data)
{
    double number;
    if (data->type != VALUE_LIST || data->length == 0)
        return value_error("/ needs a list");
    if (data->length > 1)
        return fold_list(machine, OP_DIVIDE, data);
    if (!value_is_true(&data->items[0]) || !coerce(machine, &data->items[0], &number))
        return value_error(NOT_A_NUMBER);
    return value_number(1 / number);
}

static struct value modulus(struct machine *machine, const struct value *data)
{
    if (data->type != VALUE_LIST || data->length < 2)
        return value_error("% needs a list of two");
    return fold_list(machine, OP_REMAINDER, data);
}

/* --- the interpreter ------------------------------------------------------------------------- */

/* What is not a list: +data and -data. */
static struct value of_one(struct machine *machine, const struct value *data, bool negated)
{
    if (!value_is_true(data))
        return value_number(0);
    if (data->type == VALUE_MAP)
        return value_error(NOT_A_NUMBER);
    double number = machine_number(machine, data);
    return number_or_error(negated ? -number : number);
}

static enum op op_of(enum builtin builtin)
{
    return builtin == BUILTIN_ADD        ? OP_ADD
           : builtin == BUILTIN_SUBTRACT ? OP_SUBTRACT
           : builtin == BUILTIN_MULTIPLY ? OP_MULTIPLY
           : builtin == BUILTIN_DIVIDE   ? OP_DIVIDE
                                         : OP_REMAINDER;
}

static struct value interpreted_list(struct machine *machine, enum op op, const struct value *list)
{
    double result = op == OP_MULTIPLY, number;
    if (list->length == 0)
        return op == OP_ADD || op == OP_MULTIPLY ? value_number(result)
                                                 : value_error("arithmetic needs an argument");
    for (uint32_t i = 0; i < list->length; i++) {
        const struct value *value = &list->items[i];
        if (value_is_container(value) || (op == OP_DIVIDE && i > 0 && !value_is_true(value)))
            return value_error(NOT_A_NUMBER);
        number = machine_number(machine, value);
        result = i == 0 ? number : op == OP_DIVIDE ? result / number : combine(op, result, number);
    }
    if (list->length == 1 && op == OP_SUBTRACT)
        return value_number(-result);
    if (list->length == 1 && op == OP_DIVIDE)
        return result == 0 || isnan(result) ? value_error(NOT_A_NUMBER) : value_number(1 / result);
    if (list->length == 1 && op == OP_REMAINDER)
        return value_error("% needs two arguments");
    return op == OP_DIVIDE && result == HUGE_VAL ? value_error(NOT_A_NUMBER)
                                                 : number_or_error(result);
}

struct value builtin_arithmetic(struct machine *machine, enum builtin builtin,
                                const struct value *data)
{
    switch (builtin) {
    case BUILTIN_SUM:
        return sum(machine, data);
    case BUILTIN_DIFFERENCE:
        return difference(machine, data);
    case BUILTIN_PRODUCT:
        return product(machine, data);
    case BUILTIN_QUOTIENT:
        return quotient(machine, data);
    case BUILTIN_MODULUS:
        return modulus(machine, data);
    default:
        if (data->type == VALUE_LIST)
            return interpreted_list(machine, op_of(builtin), data);
        return of_one(machine, data, builtin == BUILTIN_SUBTRACT);
    }
}

struct value builtin_extreme(const struct value *data, bool maximum)
{
    double result = 0;
    for (uint32_t i = 0; i < data->length; i++) {
        if (data->items[i].type != VALUE_NUMBER)
            return value_error(NOT_A_NUMBER);
        double number = data->items[i].number;
        if (i == 0 || (maximum ? number > result : number < result))
            result = number;
    }
    return data->length ? value_number(result) : value_error("min and max need a number");
}
