/* The larger operators, as npm's flagd-core evaluates them. What is put together goes into the
 * context's scratch memory; nothing is allocated. */
#include <math.h>

#include "json.h"
#include "machine.h"
#include "murmur3.h"
#include "utf8.h"

bool value_is_truthy(const struct value *value)
{
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
    case VALUE_ERROR:
        return false;
    case VALUE_BOOL:
        return value->boolean;
    case VALUE_NUMBER:
        return value->number != 0 && !isnan(value->number);
    default:
        return value->length > 0;
    }
}

bool value_is_same(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch ((enum value_type)a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_NUMBER:
        return a->number == b->number;
    case VALUE_STRING:
        return a->length == b->length && string_is_same(a->string, b->string, a->length);
    case VALUE_LIST: /* lists and maps are the same only when they are one and the same */
        return a->length == b->length && a->items == b->items;
    case VALUE_MAP:
        return a->length == b->length && a->members == b->members;
    case VALUE_ERROR:
        break;
    }
    return false;
}

static void *scratch(struct machine *machine, size_t size)
{
    struct context *context = machine->context;
    size_t start = (context->scratch_used + 15) & ~(size_t)15;
    if (start > CONTEXT_SCRATCH || size > CONTEXT_SCRATCH - start)
        return NULL;
    context->scratch_used = start + size;
    return context->scratch + start;
}

static struct value out_of_scratch(void)
{
    return value_error("rule puts together more than 64 KiB");
}

/* --- strings --------------------------------------------------------------------------------- */

/* What JavaScript's String() makes of it; lists and maps that matter only to guards are told apart
 * by it. */
static struct text string_of(const struct value *value, char digits[NUMBER_TEXT_SIZE])
{
    switch ((enum value_type)value->type) {
    case VALUE_STRING:
        return (struct text){value->string, value->length};
    case VALUE_NUMBER:
        return (struct text){digits, number_format(value->number, digits)};
    case VALUE_BOOL:
        return value->boolean ? TEXT("true") : TEXT("false");
    case VALUE_MAP:
        return TEXT("[object Object]");
    default:
        return TEXT("null");
    }
}

struct value machine_cat(struct machine *machine, const struct instruction *instruction)
{
    char *start = machine->context->scratch + machine->context->scratch_used;
    size_t length = 0, before = machine->context->scratch_used;
    for (uint32_t i = 0; i < instruction->count; i++) {
        char digits[NUMBER_TEXT_SIZE];
        struct value value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR)
            return value;
        struct text text = {value.string, value.length};
        if (value.type != VALUE_STRING)
            text = string_of(&value, digits);
        if (text.length > CONTEXT_SCRATCH - before - length)
            return out_of_scratch();
        memmove(start + length, text.data, text.length);
        length += text.length;
        machine->context->scratch_used = before + length;
    }
    machine->context->scratch_used = before + length;
    return (struct value){.type = VALUE_STRING, .length = (uint32_t)length, .string = start};
}

/* JavaScript's substr over code points, with JSONLogic's meaning of a negative length: stop that
 * far from the end. */
struct value machine_substr(struct machine *machine, const struct instruction *instruction)
{
    char digits[NUMBER_TEXT_SIZE];
    struct value source = machine_evaluate(machine, &instruction->arguments[0]);
    struct value from = machine_evaluate(machine, &instruction->arguments[1]);
    struct value count = instruction->count > 2
                             ? machine_evaluate(machine, &instruction->arguments[2])
                             : value_null();
    if (source.type == VALUE_ERROR || from.type == VALUE_ERROR || count.type == VALUE_ERROR)
        return source.type == VALUE_ERROR ? source : from.type == VALUE_ERROR ? from : count;
    if (from.type != VALUE_NUMBER || (count.type != VALUE_NUMBER && count.type != VALUE_NULL))
        return value_error("substr needs numbers");
    struct text text = string_of(&source, digits);
    double total = (double)utf8_count(text), start = trunc(from.number);
    start = start < 0 ? fmax(total + start, 0) : fmin(start, total);
    double length = count.type == VALUE_NULL ? total - start : trunc(count.number);
    if (length < 0)
        length = total - start + length;
    length = fmax(0, fmin(length, total - start));
    size_t begin = utf8_offset(text, (size_t)start),
           end = utf8_offset(text, (size_t)(start + length));
    char *copy = scratch(machine, end - begin);
    if (!copy)
        return out_of_scratch();
    memcpy(copy, text.data + begin, end - begin);
    return (struct value){.type = VALUE_STRING, .length = (uint32_t)(end - begin), .string = copy};
}

/* --- lists ----------------------------------------------------------------------------------- */

struct value machine_merge(struct machine *machine, const struct instruction *instruction)
{
    struct value *items = NULL;
    uint32_t length = 0;
    for (uint32_t i = 0; i < instruction->count; i++) {
        struct value value = machine_evaluate(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR)
            return value;
        bool is_list = value.type == VALUE_LIST;
        uint32_t more = is_list ? value.length : 1;
        if (more == 0)
            continue;
        if (!items && is_list && i + 1 == instruction->count)
            return (struct value){.type = VALUE_LIST, .length = more, .items = value.items};
        struct value *grown = scratch(machine, ((size_t)length + more) * sizeof *grown);
        if (!grown)
            return out_of_scratch();
        if (length)
            memcpy(grown, items, length * sizeof *grown);
        memcpy(grown + length, is_list ? value.items : &value, more * sizeof *grown);
        items = grown;
        length += more;
    }
    return (struct value){.type = VALUE_LIST, .length = length, .items = items};
}

struct value machine_some(struct machine *machine, const struct instruction *instruction)
{
    struct value list = machine_evaluate(machine, &instruction->arguments[0]),
                 outer = machine->local;
    struct value result = value_bool(false);
    size_t before = machine->context->scratch_used;
    if (list.type == VALUE_ERROR)
        return list;
    if (list.type == VALUE_NULL)
        return result;
    if (list.type != VALUE_LIST)
        return value_error("some needs a list");
    for (uint32_t i = 0; i < list.length && !result.boolean; i++) {
        machine->context->scratch_used = before;
        machine->local = list.items[i];
        struct value value = machine_evaluate(machine, &instruction->arguments[1]);
        if (value.type == VALUE_ERROR) {
            result = value;
            break;
        }
        result.boolean = value_is_truthy(&value);
    }
    machine->local = outer;
    return result;
}

static bool contains_text(struct text whole, struct text part)
{
    return part.length == 0 ||
           (whole.length && memmem(whole.data, whole.length, part.data, part.length));
}

struct value machine_in(struct machine *machine, const struct instruction *instruction)
{
    char digits[NUMBER_TEXT_SIZE];
    struct value item = machine_first(machine, instruction);
    if (item.type == VALUE_ERROR)
        return item;
    struct value list = machine_second(machine, instruction);
    if (list.type == VALUE_ERROR)
        return list;
    if (list.type == VALUE_STRING)
        return value_bool(
            contains_text((struct text){list.string, list.length}, string_of(&item, digits)));
    if (list.type == VALUE_NULL)
        return value_bool(false);
    if (list.type != VALUE_LIST)
        return value_error("in needs a list or a string");
    for (uint32_t i = 0; i < list.length; i++) {
        if (value_is_same(&item, &list.items[i]))
            return value_bool(true);
    }
    return value_bool(false);
}

/* --- numbers --------------------------------------------------------------------------------- */

static bool holds(enum op op, double a, double b)
{
    switch (op) {
    case OP_LESS:
        return a < b;
    case OP_LESS_EQUAL:
        return a <= b;
    case OP_GREATER:
        return a > b;
    default:
        return a >= b;
    }
}

/* Numbers with numbers, strings with strings by their bytes (the order of code points). */
static struct value compare_two(enum op op, const struct value *a, const struct value *b)
{
    if (a->type == VALUE_ERROR)
        return *a;
    if (b->type == VALUE_ERROR)
        return *b;
    if (a->type == VALUE_NUMBER && b->type == VALUE_NUMBER)
        return value_bool(holds(op, a->number, b->number));
    if (a->type == VALUE_STRING && b->type == VALUE_STRING)
        return value_bool(holds(
            op,
            text_compare((struct text){a->string, a->length}, (struct text){b->string, b->length}),
            0));
    if (a->type == VALUE_NULL && b->type == VALUE_NUMBER)
        return value_bool(holds(op, 0, b->number));
    return value_error("values cannot be compared");
}

struct value machine_compare(struct machine *machine, const struct instruction *instruction)
{
    struct value left = machine_first(machine, instruction);
    struct value right = machine_second(machine, instruction);
    struct value result = compare_two((enum op)instruction->op, &left, &right);
    if (instruction->count < 3 || result.type == VALUE_ERROR || !result.boolean)
        return result;
    left = machine_evaluate(machine, &instruction->arguments[2]);
    return compare_two((enum op)instruction->op, &right, &left);
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
    case OP_MINIMUM:
        return b < a ? b : a;
    default:
        return b > a ? b : a;
    }
}

struct value machine_arithmetic(struct machine *machine, const struct instruction *instruction)
{
    double result = 0;
    for (uint32_t i = 0; i < instruction->count; i++) {
        struct value value = machine_evaluate(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR)
            return value;
        if (value.type != VALUE_NUMBER)
            return value_error("arithmetic needs numbers");
        result = i == 0 ? value.number : combine((enum op)instruction->op, result, value.number);
    }
    if (instruction->op == OP_SUBTRACT && instruction->count == 1)
        result = -result;
    return isfinite(result) ? value_number(result) : value_error("arithmetic overflows");
}

/* --- flagd's own ----------------------------------------------------------------------------- */

static bool version_of(const struct value *value, char digits[NUMBER_TEXT_SIZE], struct semver *out)
{
    if (value->type != VALUE_STRING && value->type != VALUE_NUMBER)
        return false;
    return semver_parse_loosely(string_of(value, digits), out);
}

/* The value of a slot as a version, parsed once for each context; NULL where it is none. */
static const struct semver *version_in(struct context *context, const struct value *value)
{
    if (value->type != VALUE_STRING)
        return NULL;
    if (context->version_string != value->string) {
        context->version_string = value->string;
        context->version_is_good =
            semver_parse_loosely((struct text){value->string, value->length}, &context->version);
    }
    return context->version_is_good ? &context->version : NULL;
}

static struct value tell_version(const struct version_test *test, const struct semver *version)
{
    int order = semver_compare(version, &test->version);
    return value_bool(order < 0 ? test->less : order > 0 ? test->greater : test->equal);
}

struct value machine_sem_ver(struct machine *machine, const struct instruction *instruction)
{
    char digits[NUMBER_TEXT_SIZE], more_digits[NUMBER_TEXT_SIZE];
    struct semver a, b;
    bool known;
    struct value left = machine_first(machine, instruction);
    if (left.type == VALUE_ERROR)
        return left;
    if (!instruction->arguments && left.type == VALUE_STRING) {
        const struct semver *version = version_in(machine->context, &left);
        return version ? tell_version(instruction->test, version) : value_null();
    }
    if (instruction->test)
        return version_of(&left, digits, &a) ? tell_version(instruction->test, &a) : value_null();
    struct value comparison = machine_argument(machine, &instruction->arguments[1]);
    if (comparison.type != VALUE_STRING || !version_of(&left, digits, &a))
        return value_null();
    struct value right = machine_argument(machine, &instruction->arguments[2]);
    if (right.type == VALUE_ERROR)
        return right;
    if (!version_of(&right, more_digits, &b))
        return value_null();
    bool result = semver_holds(&a, (struct text){comparison.string, comparison.length}, &b, &known);
    return known ? value_bool(result) : value_null();
}

/* A weight as flagd counts it: whole, negative ones count 0. False when it is none. */
static bool weight_of(const struct value *value, uint64_t *out)
{
    if (value->type != VALUE_NUMBER || value->number != floor(value->number) ||
        value->number > INT32_MAX)
        return false;
    *out = value->number > 0 ? (uint64_t)value->number : 0;
    return true;
}

/* The sum of weights that must be evaluated; 0 when one is malformed or there is nothing to
 * share. */
static uint64_t evaluate_total(struct machine *machine, const struct instruction *instruction)
{
    uint64_t total = 0, weight;
    for (uint32_t i = 2; i < instruction->count; i += 2) {
        struct value value = machine_evaluate(machine, &instruction->arguments[i]);
        if (!weight_of(&value, &weight))
            return 0;
        total += weight;
    }
    return total <= INT32_MAX ? total : 0;
}

/* Second generation: (murmur3(key) · total) >> 32, first share whose cumulative weight is above it
 * (flagd 0.15, core/pkg/evaluator/fractional.go). */
struct value machine_fractional(struct machine *machine, const struct instruction *instruction)
{
    struct value key = machine_argument(machine, &instruction->arguments[0]);
    if (key.type == VALUE_ERROR)
        return key;
    if (key.type != VALUE_STRING)
        return value_null();
    uint64_t total = instruction->total ? instruction->total : evaluate_total(machine, instruction);
    if (total == 0)
        return value_null();
    uint64_t bucket = ((uint64_t)murmur3_32((struct text){key.string, key.length}) * total) >> 32,
             end = 0, weight;
    for (uint32_t i = 1; i + 1 < instruction->count; i += 2) {
        struct value value = machine_argument(machine, &instruction->arguments[i + 1]);
        if (instruction->total) /* all are constants, and whole */
            weight = (uint64_t)value.number;
        else if (!weight_of(&value, &weight))
            return value_null();
        end += weight;
        if (bucket < end)
            return machine_argument(machine, &instruction->arguments[i]);
    }
    return value_null();
}
