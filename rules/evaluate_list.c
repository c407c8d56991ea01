/* Lists: made, merged, and gone through element by element. */
#include "machine.h"
#include "utf16.h"

struct value machine_list(struct machine *machine, const struct instruction *instruction)
{
    struct value *items = machine_scratch(machine, (size_t)instruction->count * sizeof *items);
    if (!items)
        return out_of_scratch();
    for (uint32_t i = 0; i < instruction->count; i++) {
        items[i] = machine_argument(machine, &instruction->arguments[i]);
        if (items[i].type == VALUE_ERROR)
            return items[i];
    }
    return (struct value){.type = VALUE_LIST, .length = instruction->count, .items = items};
}

/* One level of lists within the list of arguments becomes one list. */
struct value builtin_merge(struct machine *machine, const struct value *data)
{
    size_t length = 0;
    for (uint32_t i = 0; i < data->length; i++)
        length += data->items[i].type == VALUE_LIST ? data->items[i].length : 1;
    if (length > CONTEXT_SCRATCH / sizeof(struct value))
        return out_of_scratch();
    struct value *items = machine_scratch(machine, length * sizeof *items);
    if (!items)
        return out_of_scratch();
    length = 0;
    for (uint32_t i = 0; i < data->length; i++) {
        const struct value *item = &data->items[i];
        if (item->type != VALUE_LIST) {
            items[length++] = *item;
        } else if (item->length) {
            memcpy(items + length, item->items, item->length * sizeof *items);
            length += item->length;
        }
    }
    return (struct value){.type = VALUE_LIST, .length = (uint32_t)length, .items = items};
}

/* --- iterators ------------------------------------------------------------------------------- */

/* A walk over a list, with what each element gives. */
struct iteration {
    const struct instruction *body;
    struct scope scope;
    struct value previous; /* of the machine: what an iterator does has its own */
};

static void begin(struct iteration *iteration, struct machine *machine, enum scope_kind kind,
                  const struct instruction *body, const struct value *list)
{
    *iteration = (struct iteration){.body = body,
                                    .scope = {.outer = machine->scope, .kind = kind, .list = *list},
                                    .previous = machine->previous};
}

static bool enter(struct iteration *iteration, struct machine *machine, uint32_t index,
                  struct value element)
{
    iteration->scope.index = index;
    iteration->scope.element = element;
    machine->scope = &iteration->scope;
    return machine_step(machine, 1);
}

static void leave(struct iteration *iteration, struct machine *machine)
{
    machine->scope = iteration->scope.outer;
    machine->previous = iteration->previous;
}

/* What it was put together from may go. */
static bool is_plain(const struct machine *machine, const struct value *value)
{
    return machine->comparing == 0 && value->type != VALUE_STRING && !value_is_container(value);
}

static struct value empty_list(struct machine *machine)
{
    struct value *nothing = machine_scratch(machine, 0);
    return nothing ? (struct value){.type = VALUE_LIST, .items = nothing} : out_of_scratch();
}

/* The interpreter's some, all and none go through the code units of a string, too. */
static struct value units_of(struct machine *machine, const struct value *string)
{
    struct text text = value_text(string);
    size_t count = utf16_length(text);
    if (count > CONTEXT_SCRATCH / sizeof(struct value))
        return out_of_scratch();
    struct value *items = machine_scratch(machine, count * sizeof *items);
    char *units = machine_scratch(machine, count * 4);
    if (!items || !units)
        return out_of_scratch();
    for (size_t i = 0, at = 0, bytes; at < text.length; at += bytes) {
        for (bytes = 1; at + bytes < text.length && (text.data[at + bytes] & 0xc0) == 0x80;)
            bytes++;
        struct text one = {text.data + at, bytes};
        for (size_t half = 0; half < utf16_length(one); half++, i++)
            items[i] = value_string(
                (struct text){units + 4 * i, utf16_slice(one, half, half + 1, units + 4 * i)});
    }
    return (struct value){.type = VALUE_LIST, .length = (uint32_t)count, .items = items};
}

/* What an iterator goes through; *answer is set where that is known without. */
static struct value list_for(struct machine *machine, const struct instruction *instruction,
                             struct value *answer)
{
    struct value list = machine_argument(machine, &instruction->arguments[0]);
    enum op op = (enum op)instruction->op;
    bool tests = op == OP_SOME || op == OP_ALL || op == OP_NONE;
    *answer = value_null();
    if (list.type == VALUE_ERROR)
        return list;
    bool nothing = !value_is_true(&list);
    if (op == OP_ALL && ((list.type == VALUE_LIST && list.length == 0) || nothing)) {
        /* of nothing at all generated code says true */
        *answer = value_bool(nothing && instruction->slot == GENERATED);
        return list;
    }
    if (nothing)
        return empty_list(machine);
    if (list.type == VALUE_LIST)
        return list;
    if (!tests || instruction->slot == GENERATED)
        return value_error("an iterator needs a list");
    if (list.type == VALUE_STRING)
        return units_of(machine, &list);
    return empty_list(machine);
}

/* map and filter. */
static struct value collect(struct machine *machine, const struct instruction *instruction,
                            struct iteration *iteration)
{
    const struct value *list = &iteration->scope.list;
    struct value failure = value_null();
    struct value *items = machine_scratch(machine, (size_t)list->length * sizeof *items);
    uint32_t count = 0;
    if (!items)
        return out_of_scratch();
    for (uint32_t i = 0; i < list->length; i++) {
        size_t before = machine->context->scratch_used;
        if (!enter(iteration, machine, i, list->items[i]))
            return out_of_steps();
        if (instruction->op == OP_MAP) {
            struct value value = machine_evaluate(machine, iteration->body);
            if (value.type == VALUE_ERROR)
                return value;
            items[count++] = value;
            if (is_plain(machine, &value))
                machine->context->scratch_used = before;
        } else if (machine_test(machine, iteration->body, &failure)) {
            items[count++] = list->items[i];
        } else if (failure.type == VALUE_ERROR) {
            return failure;
        }
    }
    return (struct value){.type = VALUE_LIST, .length = count, .items = items};
}

/* some, all and none: until an element decides. */
static struct value decide(struct machine *machine, const struct instruction *instruction,
                           struct iteration *iteration)
{
    const struct value *list = &iteration->scope.list;
    struct value failure = value_null();
    bool deciding = instruction->op != OP_ALL;
    for (uint32_t i = 0; i < list->length; i++) {
        if (!enter(iteration, machine, i, list->items[i]))
            return out_of_steps();
        bool truth = machine_test(machine, iteration->body, &failure);
        if (failure.type == VALUE_ERROR)
            return failure;
        if (truth == deciding)
            return value_bool(instruction->op == OP_SOME);
    }
    return value_bool(instruction->op != OP_SOME);
}

struct value machine_iterate(struct machine *machine, const struct instruction *instruction)
{
    struct value answer, list = list_for(machine, instruction, &answer);
    struct iteration iteration;
    if (answer.type == VALUE_BOOL || list.type == VALUE_ERROR)
        return answer.type == VALUE_BOOL ? answer : list;
    bool collects = instruction->op == OP_MAP || instruction->op == OP_FILTER;
    begin(&iteration, machine,
          collects || instruction->slot == GENERATED ? SCOPE_INDEXED : SCOPE_LIST,
          &instruction->arguments[1], &list);
    struct value result = collects ? collect(machine, instruction, &iteration)
                                   : decide(machine, instruction, &iteration);
    leave(&iteration, machine);
    return result;
}

/* --- reduce ---------------------------------------------------------------------------------- */

/* What reduce hands on may hold no list or object within a list or object. */
static struct value allowed(struct value value)
{
    for (uint32_t i = 0; value_is_container(&value) && i < value.length; i++) {
        if (value_is_container(value.type == VALUE_LIST ? &value.items[i]
                                                        : &value.members[i].value))
            return value_error("what reduce accumulates is nested too deep");
    }
    return value;
}

/* {"accumulator", "current"}, in the memory of the last one unless that may still be asked for. */
static struct value pair(struct machine *machine, struct value_member **members,
                         struct value accumulator, struct value current)
{
    if (!*members || value_is_container(&accumulator))
        *members = machine_scratch(machine, 2 * sizeof **members);
    if (!*members)
        return out_of_scratch();
    (*members)[0] = (struct value_member){.name = TEXT("accumulator"), .value = accumulator};
    (*members)[1] = (struct value_member){.name = TEXT("current"), .value = current};
    return (struct value){.type = VALUE_MAP, .length = 2, .members = *members};
}

/* The list and the value to begin with, in the order in which they are asked for. */
static bool reduce_operands(struct machine *machine, const struct instruction *instruction,
                            struct value *list, struct value *start)
{
    bool with_start = instruction->count > 2, start_first = instruction->slot == INTERPRETED;
    *start = value_null();
    if (with_start && start_first)
        *start = allowed(machine_argument(machine, &instruction->arguments[2]));
    *list =
        start->type == VALUE_ERROR ? *start : machine_argument(machine, &instruction->arguments[0]);
    if (with_start && !start_first && list->type != VALUE_ERROR)
        *start = allowed(machine_argument(machine, &instruction->arguments[2]));
    if (start->type == VALUE_ERROR)
        *list = *start;
    if (list->type != VALUE_ERROR && !value_is_true(list))
        *list = empty_list(machine);
    if (list->type != VALUE_LIST && list->type != VALUE_ERROR)
        *list = value_error("reduce needs a list");
    if (list->type == VALUE_LIST && list->length == 0 && !with_start)
        *list = value_error("reduce of an empty list needs a value to begin with");
    return list->type == VALUE_LIST;
}

struct value machine_reduce(struct machine *machine, const struct instruction *instruction)
{
    struct value list, result;
    struct value_member *members = NULL;
    struct iteration iteration;
    if (!reduce_operands(machine, instruction, &list, &result))
        return list;
    uint32_t i = 0;
    if (instruction->count <= 2)
        result = list.items[i++];
    begin(&iteration, machine, instruction->slot == INTERPRETED ? SCOPE_LIST : SCOPE_NOTHING,
          &instruction->arguments[1], &list);
    for (; i < list.length && result.type != VALUE_ERROR; i++) {
        struct value element = pair(machine, &members, result, list.items[i]);
        size_t before = machine->context->scratch_used;
        if (element.type == VALUE_ERROR)
            result = element;
        else if (!enter(&iteration, machine, i, element))
            result = out_of_steps();
        else
            result = allowed(machine_evaluate(machine, iteration.body));
        if (is_plain(machine, &result))
            machine->context->scratch_used = before;
    }
    leave(&iteration, machine);
    return result;
}
