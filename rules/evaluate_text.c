/* Strings: putting together, cutting, looking for. What is put together goes into the context's
 * scratch memory. */
#include <math.h>

#include "machine.h"
#include "utf16.h"

/* --- String() -------------------------------------------------------------------------------- */

/* Appends to the bytes that begin at `start` and end where the scratch memory is used up to. */
static bool append(struct machine *machine, size_t start, struct text text)
{
    struct context *context = machine->context;
    if (text.length > CONTEXT_SCRATCH - context->scratch_used)
        return false;
    context->scratch_used =
        start + utf16_append(context->scratch + start, context->scratch_used - start, text);
    return true;
}

static bool append_list(struct machine *machine, size_t start, const struct value *list);

/* An element of a list that is joined: null is nothing there. */
static bool append_element(struct machine *machine, size_t start, const struct value *value)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text text;
    if (value->type == VALUE_NULL)
        return true;
    if (value->type == VALUE_LIST)
        return append_list(machine, start, value);
    return machine_string(machine, value, digits, &text) && append(machine, start, text);
}

static bool append_list(struct machine *machine, size_t start, const struct value *list)
{
    for (uint32_t i = 0; i < list->length; i++) {
        if ((i && !append(machine, start, TEXT(","))) ||
            !append_element(machine, start, &list->items[i]))
            return false;
    }
    return true;
}

bool machine_string(struct machine *machine, const struct value *value,
                    char digits[NUMBER_TEXT_SIZE], struct text *out)
{
    size_t start = machine->context->scratch_used;
    switch ((enum value_type)value->type) {
    case VALUE_STRING:
        *out = value_text(value);
        return true;
    case VALUE_NUMBER:
        *out = (struct text){digits, number_format(value->number, digits)};
        return true;
    case VALUE_BOOL:
        *out = value->boolean ? TEXT("true") : TEXT("false");
        return true;
    case VALUE_MAP:
        *out = TEXT("[object Object]");
        return true;
    case VALUE_LIST:
        if (!append_list(machine, start, value))
            return false;
        *out = (struct text){machine->context->scratch + start,
                             machine->context->scratch_used - start};
        return true;
    default:
        *out = TEXT("null");
        return true;
    }
}

/* --- cat ------------------------------------------------------------------------------------- */

/* Appends what `value` is as a string; what was put together for it since `start` may go. */
static bool append_value(struct machine *machine, size_t start, size_t length,
                         const struct value *value)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text text;
    if (!machine_string(machine, value, digits, &text))
        return false;
    machine->context->scratch_used = start + length;
    return append(machine, start, text);
}

static struct value taken(const struct machine *machine, size_t start)
{
    return value_string(
        (struct text){machine->context->scratch + start, machine->context->scratch_used - start});
}

/* A string behind what does not end in half a surrogate pair: most of what is put together. */
static bool append_plainly(struct context *context, size_t start, size_t length,
                           const struct value *value)
{
    char *end = context->scratch + start + length;
    if (value->type != VALUE_STRING || value->length > CONTEXT_SCRATCH - start - length ||
        (length >= 3 && (unsigned char)end[-3] == 0xed))
        return false;
    memmove(end, value->string, value->length); /* it may have been put together just behind */
    context->scratch_used = start + length + value->length;
    return true;
}

struct value machine_cat(struct machine *machine, const struct instruction *instruction)
{
    struct context *context = machine->context;
    size_t start = context->scratch_used;
    for (uint32_t i = 0; i < instruction->count; i++) {
        size_t length = context->scratch_used - start;
        struct value value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR)
            return value;
        if (!append_plainly(context, start, length, &value) &&
            !append_value(machine, start, length, &value))
            return out_of_scratch();
    }
    return taken(machine, start);
}

/* The interpreter's, which passes over null in a list. */
struct value builtin_cat(struct machine *machine, const struct value *data)
{
    size_t start = machine->context->scratch_used;
    if (data->type == VALUE_NULL)
        return value_error("cat needs something to put together");
    if (data->type != VALUE_LIST)
        return append_value(machine, start, 0, data) ? taken(machine, start) : out_of_scratch();
    for (uint32_t i = 0; i < data->length; i++) {
        if (data->items[i].type != VALUE_NULL &&
            !append_value(machine, start, machine->context->scratch_used - start, &data->items[i]))
            return out_of_scratch();
    }
    return taken(machine, start);
}

/* --- substr ---------------------------------------------------------------------------------- */

/* ToIntegerOrInfinity. */
static double whole(double number)
{
    return isnan(number) ? 0 : trunc(number);
}

/* String.prototype.substr: `from` counts from the end when it is negative. */
static struct text cut(struct machine *machine, struct text text, double from, double count)
{
    double size = (double)utf16_length(text);
    double start = from < 0 ? fmax(size + from, 0) : fmin(from, size);
    double end = fmin(start + fmax(count, 0), size);
    char *copy = machine_scratch(machine, text.length);
    if (!copy)
        return (struct text){NULL, 0};
    size_t length = end > start ? utf16_slice(text, (size_t)start, (size_t)end, copy) : 0;
    machine->context->scratch_used = (size_t)(copy - machine->context->scratch) + length;
    return (struct text){copy, length};
}

struct value builtin_substr(struct machine *machine, const struct value *data)
{
    struct value string = data->length > 0 ? data->items[0] : value_null(),
                 start = data->length > 1 ? data->items[1] : value_null(),
                 count = data->length > 2 ? data->items[2] : value_number(HUGE_VAL);
    double from = whole(machine_number(machine, &start)), length = machine_number(machine, &count);
    if (string.type != VALUE_STRING)
        return value_error("substr needs a string");
    bool from_end = length < 0;
    struct text text = cut(machine, value_text(&string), from, from_end ? HUGE_VAL : whole(length));
    if (text.data && from_end) { /* stop that far from the end */
        /* JavaScript puts what is no number behind the size instead of adding it. */
        double size = (double)utf16_length(text);
        text = cut(machine, text, 0, count.type == VALUE_NUMBER ? whole(size + length) : 0);
    }
    return text.data ? value_string(text) : out_of_scratch();
}

/* --- in -------------------------------------------------------------------------------------- */

static struct value contains_text(struct machine *machine, struct text all, struct text part)
{
    if (!utf16_has_half(part))
        return value_bool(part.length == 0 ||
                          (all.length && memmem(all.data, all.length, part.data, part.length)));
    char *work = machine_scratch(machine, (all.length + part.length) / 2 * 3 + 6);
    return work ? value_bool(utf16_contains(all, part, work)) : out_of_scratch();
}

bool machine_has_text(struct text item, const struct value *list)
{
    for (uint32_t i = 0; i < list->length; i++) {
        const struct value *element = &list->items[i];
        if (element->length == item.length && element->type == VALUE_STRING &&
            string_is_same(element->string, item.data, item.length))
            return true;
    }
    return false;
}

/* Array.prototype.includes: as ===, but NaN is itself. */
static bool is_element(const struct value *item, const struct value *list)
{
    for (uint32_t i = 0; i < list->length; i++) {
        const struct value *element = &list->items[i];
        if (value_is_same(item, element) ||
            (item->type == VALUE_NUMBER && element->type == VALUE_NUMBER && isnan(item->number) &&
             isnan(element->number)))
            return true;
    }
    return false;
}

static struct value is_in(struct machine *machine, const struct value *item,
                          const struct value *list)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text part;
    if (list->type == VALUE_LIST && !machine_step(machine, list->length))
        return out_of_steps();
    if (list->type == VALUE_LIST)
        return value_bool(item->type == VALUE_STRING ? machine_has_text(value_text(item), list)
                                                     : is_element(item, list));
    if (!value_is_true(list))
        return value_bool(false);
    if (list->type != VALUE_STRING)
        return value_error("in needs a list or a string");
    if (!machine_string(machine, item, digits, &part))
        return out_of_scratch();
    if (!machine_step(machine, list->length / 16))
        return out_of_steps();
    return contains_text(machine, value_text(list), part);
}

struct value machine_in(struct machine *machine, const struct instruction *instruction)
{
    struct value list = machine_second(machine, instruction);
    if (list.type == VALUE_ERROR)
        return list;
    struct value item = machine_first(machine, instruction);
    if (item.type == VALUE_ERROR)
        return item;
    return is_in(machine, &item, &list);
}

struct value builtin_in(struct machine *machine, const struct value *data)
{
    struct value null = value_null();
    return is_in(machine, data->length > 0 ? &data->items[0] : &null,
                 data->length > 1 ? &data->items[1] : &null);
}
