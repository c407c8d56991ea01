/* var and missing where a slot alone does not answer: paths through strings and lists, elements of
 * iterators, names that an expression gives. */
#include "machine.h"
#include "path.h"

/* The object under "$flagd", as a rule that asks for all of it sees it. */
struct value machine_flagd(struct machine *machine)
{
    struct value_member *members = machine_scratch(machine, 2 * sizeof *members);
    if (!members)
        return out_of_scratch();
    members[0] = (struct value_member){.name = TEXT("flagKey"),
                                       .value = value_string(machine->program->key)};
    members[1] =
        (struct value_member){.name = TEXT("timestamp"), .value = value_number(machine->now)};
    return (struct value){.type = VALUE_MAP, .length = 2, .members = members};
}

/* One name down. */
static struct value step(struct machine *machine, const struct value *from, struct text name)
{
    char unit[4];
    struct value value = value_member(from, name, unit);
    if (value.type == VALUE_STRING && value.string == unit) {
        char *copy = machine_scratch(machine, sizeof unit);
        if (!copy)
            return out_of_scratch();
        memcpy(copy, unit, sizeof unit);
        value.string = copy;
    }
    return value;
}

/* Below null, and below what has no such member, all is missing. The interpreter stops at what is
 * not true and gives that. */
static struct value walk(struct machine *machine, struct value value, const struct text *names,
                         uint32_t count, enum manner manner)
{
    for (uint32_t i = 0; i < count && value.type != VALUE_ERROR; i++) {
        if (manner != GENERATED && !value_is_true(&value))
            return manner == ASKING ? value_null() : value;
        value = step(machine, &value, names[i]);
    }
    return value;
}

struct value machine_walk(struct machine *machine, struct value from, const struct path *path)
{
    return walk(machine, from, path->names, path->count, (enum manner)path->manner);
}

/* The whole context, which is only read where a rule may ask for it; while compiling there is
 * none. */
static struct value root(const struct machine *machine)
{
    const struct context *context = machine->context;
    uint16_t slot = context->attributes ? context->attributes->names[0].slot : ATTRIBUTE_NONE;
    return slot == ATTRIBUTE_NONE ? value_null() : context->slots[slot];
}

static struct value walk_context(struct machine *machine, const struct text *names, uint32_t count,
                                 enum manner manner)
{
    if (count && text_is(names[0], "$flagd") && machine->program->targeting) {
        struct value flagd = machine_flagd(machine);
        return flagd.type == VALUE_ERROR ? flagd
                                         : walk(machine, flagd, names + 1, count - 1, manner);
    }
    return walk(machine, root(machine), names, count, manner);
}

/* What an odd number of "../" leads to. */
static struct value between(struct machine *machine, const struct scope *scope,
                            const struct text *names, uint32_t count)
{
    if (scope->kind == SCOPE_NOTHING)
        return value_null();
    if (scope->kind == SCOPE_LIST)
        return walk(machine, scope->list, names, count, GENERATED);
    if (count && text_is(names[0], "index"))
        return walk(machine, value_number(scope->index), names + 1, count - 1, GENERATED);
    if (count && text_is(names[0], "iterator"))
        return walk(machine, scope->list, names + 1, count - 1, GENERATED);
    if (count)
        return value_null();
    struct value_member *members = machine_scratch(machine, 2 * sizeof *members);
    if (!members)
        return out_of_scratch();
    members[0] = (struct value_member){.name = TEXT("iterator"), .value = scope->list};
    members[1] = (struct value_member){.name = TEXT("index"), .value = value_number(scope->index)};
    return (struct value){.type = VALUE_MAP, .length = 2, .members = members};
}

/* The value `climbs` times "../" above the element, and then down along the names. */
static struct value climb(struct machine *machine, uint32_t climbs, const struct text *names,
                          uint32_t count, enum manner manner)
{
    const struct scope *scope = machine->scope;
    for (; climbs >= 2 && scope; climbs -= 2)
        scope = scope->outer;
    if (climbs >= 2)
        return value_null();
    if (!scope)
        return climbs ? value_null() : walk_context(machine, names, count, manner);
    if (climbs)
        return between(machine, scope, names, count);
    if (manner == INTERPRETED && count == 1 && !value_is_true(&scope->element))
        return value_null();
    return walk(machine, scope->element, names, count, manner);
}

struct value machine_local(struct machine *machine, const struct path *path)
{
    return climb(machine, path->climbs, path->names, path->count, (enum manner)path->manner);
}

/* --- names that are put together ------------------------------------------------------------- */

/* False without memory. Of more names than a context may be deep, none is left: *deep. */
static bool split(struct machine *machine, struct text path, struct text *names, uint32_t *count,
                  bool *deep)
{
    char *copy = machine_scratch(machine, path.length);
    *deep = copy && !path_split(path, copy, names, count);
    return copy != NULL;
}

struct value builtin_var(struct machine *machine, const struct value *data)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text names[PATH_MAX_NAMES], path;
    struct value key = *data, fallback = value_null();
    uint32_t climbs = 0, count;
    bool deep;
    if (data->type == VALUE_LIST) {
        key = data->length > 0 ? data->items[0] : value_null();
        fallback = data->length > 1 ? data->items[1] : value_null();
    }
    if (!machine_string(machine, &key, digits, &path))
        return out_of_scratch();
    while (machine->scope && key.type == VALUE_STRING && text_starts_with(path, TEXT("../"))) {
        path = (struct text){path.data + 3, path.length - 3};
        climbs++;
    }
    if (key.type == VALUE_NULL || (key.type == VALUE_STRING && path.length == 0))
        return climb(machine, climbs, NULL, 0, GENERATED);
    if (!split(machine, path, names, &count, &deep))
        return out_of_scratch();
    struct value value = deep ? value_null() : climb(machine, climbs, names, count, GENERATED);
    return value.type == VALUE_NULL && value.length == 0 ? fallback : value;
}

/* --- missing --------------------------------------------------------------------------------- */

static bool is_missing(const struct value *value)
{
    return value->type == VALUE_NULL && value->length == 0;
}

struct value machine_missing(struct machine *machine, const struct instruction *instruction)
{
    const struct value *names = &instruction->arguments[0].value;
    struct value *items = machine_scratch(machine, (size_t)names->length * sizeof *items);
    uint32_t count = 0;
    if (!items)
        return out_of_scratch();
    for (uint32_t i = 0; i < names->length; i++) {
        struct value value = machine_argument(machine, &instruction->arguments[i + 1]);
        if (value.type == VALUE_ERROR)
            return value;
        if (is_missing(&value))
            items[count++] = names->items[i];
    }
    return (struct value){.type = VALUE_LIST, .length = count, .items = items};
}

struct value builtin_missing(struct machine *machine, const struct value *data)
{
    struct value *items = machine_scratch(machine, (size_t)data->length * sizeof *items);
    uint32_t count = 0;
    if (!items)
        return out_of_scratch();
    for (uint32_t i = 0; i < data->length; i++) {
        char digits[NUMBER_TEXT_SIZE];
        struct text names[PATH_MAX_NAMES], path;
        uint32_t name_count;
        bool deep;
        if (!machine_step(machine, root(machine).length))
            return out_of_steps();
        size_t before = machine->context->scratch_used;
        if (!machine_string(machine, &data->items[i], digits, &path) ||
            !split(machine, path, names, &name_count, &deep))
            return out_of_scratch();
        struct value value = deep ? value_null() : climb(machine, 0, names, name_count, ASKING);
        if (is_missing(&value))
            items[count++] = data->items[i];
        machine->context->scratch_used = before;
    }
    return (struct value){.type = VALUE_LIST, .length = count, .items = items};
}

/* [how many are needed, the names, and perhaps those of them that are missing] */
struct value builtin_missing_some(struct machine *machine, const struct value *data)
{
    const struct value *names = &data->items[1];
    if (names->type != VALUE_LIST)
        return value_error("missing_some needs a list of names");
    struct value found_missing =
        data->length > 2 ? data->items[2] : builtin_missing(machine, names);
    const struct value *missing = &found_missing;
    if (missing->type != VALUE_LIST)
        return *missing;
    double needed = machine_number(machine, &data->items[0]);
    double found = (double)names->length - (double)missing->length;
    if (found < needed)
        return *missing;
    struct value *nothing = machine_scratch(machine, 0);
    return nothing ? (struct value){.type = VALUE_LIST, .items = nothing} : out_of_scratch();
}
