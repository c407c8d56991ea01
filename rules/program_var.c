/* var, missing and missing_some: paths become slots where they can. */
#include "machine.h"
#include "path.h"
#include "program_rule.h"

struct names {
    struct text names[PATH_MAX_NAMES];
    uint32_t count;
    uint16_t climbs;
};

/* As most paths are: nothing to take apart. */
static bool is_one_name(struct text path)
{
    for (size_t i = 0; i < path.length; i++) {
        if (path.data[i] == '.' || path.data[i] == '\\')
            return false;
    }
    return path.length > 0;
}

static bool split(struct compiler *compiler, struct text path, struct names *out)
{
    if (is_one_name(path)) {
        out->names[out->count++] = path;
        return true;
    }
    char *copy = arena_allocate(compiler->arena, path.length + 1);
    if (!copy)
        compiler->status = STATUS_NO_MEMORY;
    return copy && path_split(path, copy, out->names, &out->count);
}

static const struct path *make_path(struct compiler *compiler, const struct names *names,
                                    uint32_t from, enum manner manner)
{
    uint32_t count = names->count - from;
    struct path *path = arena_allocate(compiler->arena, sizeof *path + count * sizeof(struct text));
    if (!path) {
        compiler->status = STATUS_NO_MEMORY;
        return NULL;
    }
    *path = (struct path){.climbs = names->climbs, .manner = (uint16_t)manner, .count = count};
    for (uint32_t i = 0; i < count; i++)
        path->names[i] = names->names[from + i];
    return path;
}

/* The rest of a path, from name `from` on, below what *out gives. */
static void walk_on(struct compiler *compiler, const struct names *names, uint32_t from,
                    enum manner manner, struct instruction *out)
{
    struct instruction *base = new_instructions(compiler, 1);
    const struct path *path = make_path(compiler, names, from, manner);
    if (!base || !path)
        return;
    *base = *out;
    *out = (struct instruction){.op = OP_WALK, .count = 1, .arguments = base, .path = path};
}

static void note(struct compiler *compiler, enum status status)
{
    if (status != STATUS_OK)
        compiler->status = status;
}

void compile_whole(struct compiler *compiler)
{
    uint16_t slot;
    compiler->depends_on_more = true;
    if (!compiler->folding && !compiler->frozen)
        note(compiler, attributes_root(compiler->attributes, &slot));
}

/* Below "$flagd" stands what the evaluator puts there, whatever the context says. */
static void compile_flagd(struct compiler *compiler, const struct names *names, enum manner manner,
                          struct instruction *out)
{
    bool key = names->count > 1 && text_is(names->names[1], "flagKey"),
         timestamp = names->count > 1 && text_is(names->names[1], "timestamp");
    compiler->depends_on_more = true;
    out->op = names->count < 2 ? OP_FLAGD
              : key            ? OP_FLAG_KEY
              : timestamp      ? OP_TIMESTAMP
                               : OP_CONSTANT; /* null */
    if ((key || timestamp) && names->count > 2)
        walk_on(compiler, names, 2, manner == ASKING ? ASKING : GENERATED, out);
}

/* "length" and indexes may mean a member, but also something of a list or a string. */
static bool is_plain(struct text name)
{
    if (text_is(name, "length"))
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return true;
    }
    return name.length == 0;
}

/* The longest part of a path that has a slot already; where there is none, nothing is there. */
static uint32_t find_known(struct compiler *compiler, const struct names *names, uint32_t plain,
                           struct instruction *out)
{
    for (uint32_t count = plain; count > 0; count--) {
        if (attributes_find_of(compiler->attributes, names->names, count, &out->slot))
            return count;
    }
    out->op = OP_CONSTANT;
    return names->count;
}

static void compile_attribute(struct compiler *compiler, const struct names *names,
                              enum manner manner, struct instruction *out)
{
    uint32_t plain = 1;
    if (text_is(names->names[0], "$flagd")) {
        compile_flagd(compiler, names, manner, out);
        return;
    }
    bool stops = manner == INTERPRETED && (names->count == 2 || names->count == 3);
    while (!stops && plain < names->count && is_plain(names->names[plain]))
        plain++;
    out->op = OP_SLOT;
    if (compiler->frozen)
        plain = find_known(compiler, names, plain, out);
    else
        note(compiler, attributes_slot_of(compiler->attributes, names->names, plain, &out->slot));
    if (plain < names->count)
        walk_on(compiler, names, plain, manner == INTERPRETED && !stops ? GENERATED : manner, out);
}

/* What stands under a path, in the context or in the element of an iterator. */
static void compile_names(struct compiler *compiler, const struct names *names, enum manner manner,
                          struct instruction *out);

/* Two "../" lead out of each iterator: out of all of them, to the context, and further to nothing.
 */
static void compile_outermost(struct compiler *compiler, const struct names *names,
                              struct instruction *out)
{
    struct names rest = *names;
    unsigned scopes = compiler->scopes;
    rest.climbs = 0;
    out->op = OP_CONSTANT;
    if (names->climbs > 2 * scopes)
        return;
    compiler->scopes = 0;
    compile_names(compiler, &rest, GENERATED, out);
    compiler->scopes = scopes;
}

static void compile_names(struct compiler *compiler, const struct names *names, enum manner manner,
                          struct instruction *out)
{
    if (compiler->scopes && names->climbs >= 2 * compiler->scopes) {
        compile_outermost(compiler, names, out);
    } else if (compiler->scopes) {
        out->op = OP_LOCAL;
        bool stops = manner != INTERPRETED || (names->climbs == 0 && names->count <= 3);
        out->path = make_path(compiler, names, 0, stops ? manner : GENERATED);
    } else if (compiler->folding) {
        static const struct node nothing = {.type = NODE_MAP};
        out->op = OP_CONSTANT;
        if (names->count == 0)
            compile_constant(compiler, &nothing, out);
    } else if (names->count) {
        compile_attribute(compiler, names, manner, out);
    } else {
        compile_whole(compiler);
        out->op = OP_SLOT;
        if (!compiler->frozen)
            note(compiler, attributes_root(compiler->attributes, &out->slot));
        else if (!attributes_find_of(compiler->attributes, NULL, 0, &out->slot))
            out->op = OP_CONSTANT;
    }
}

/* A path that is known now. */
static void compile_path(struct compiler *compiler, struct text path, enum manner manner,
                         struct instruction *out)
{
    struct names names;
    names.count = names.climbs = 0; /* and not all of it, which is long */
    while (compiler->scopes && text_starts_with(path, TEXT("../"))) {
        path = (struct text){path.data + 3, path.length - 3};
        names.climbs++;
    }
    if (path.length && !split(compiler, path, &names)) {
        out->op = OP_CONSTANT; /* nothing: no context is as deep */
        return;
    }
    compile_names(compiler, &names, manner, out);
}

/* An element of it is a name as it stands, dots and all. */
static void compile_name(struct compiler *compiler, struct text name, struct instruction *out)
{
    struct names names = {.names = {name}, .count = 1};
    compile_names(compiler, &names, INTERPRETED, out);
}

/* A path that an expression gives. */
static void compile_dynamic(struct compiler *compiler, const struct node *lower,
                            struct instruction *out)
{
    bool alone = lower->type == NODE_LIST && lower->count == 1 && lower->first->type != NODE_LIST;
    compile_whole(compiler);
    if (lower->type == NODE_LIST && !alone) {
        compile_arguments(compiler, lower->first, lower->count, out);
    } else {
        compile_arguments(compiler, alone ? lower->first : lower, 1, out);
        out->count = ARGUMENT_AS_IT_IS;
    }
    out->op = OP_BUILTIN;
    out->slot = BUILTIN_VAR;
}

/* The text of a constant key; numbers are spelt. */
static bool key_text(struct compiler *compiler, const struct node *key, struct text *out)
{
    char digits[NUMBER_TEXT_SIZE];
    *out = key ? key->string : (struct text){NULL, 0};
    if (!key || key->type == NODE_NULL) {
        *out = (struct text){NULL, 0};
        return true;
    }
    if (key->type == NODE_STRING)
        return true;
    if (key->type != NODE_NUMBER)
        return false;
    struct text spelt = {digits, number_format(key->number, digits)};
    if (!arena_copy(compiler->arena, spelt, out))
        compiler->status = STATUS_NO_MEMORY;
    return true;
}

static bool climbs(struct text path)
{
    return path.length && memmem(path.data, path.length, "../", 3);
}

static void add_default(struct compiler *compiler, const struct node *fallback,
                        struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, 2);
    if (!arguments)
        return;
    arguments[0] = *out;
    compile_expression(compiler, fallback, &arguments[1]);
    *out = (struct instruction){.op = OP_DEFAULT, .count = 2, .arguments = arguments};
}

/* Guards and ranges ask for the same attribute several times in a row. */
static bool is_last_slot(const struct compiler *compiler, const struct node *lower)
{
    return lower->type == NODE_STRING && lower->string.length && !compiler->scopes &&
           !compiler->folding && text_equal(lower->string, compiler->last.path);
}

static void remember_slot(struct compiler *compiler, const struct node *lower,
                          const struct instruction *out)
{
    if (out->op != OP_SLOT || compiler->scopes || compiler->folding || lower->type != NODE_STRING)
        return;
    compiler->last.path = lower->string;
    compiler->last.slot = out->slot;
}

void compile_var(struct compiler *compiler, const struct node *lower, struct instruction *out)
{
    const struct node *key = lower, *fallback = NULL;
    struct text path;
    if (is_last_slot(compiler, lower)) {
        out->op = OP_SLOT;
        out->slot = compiler->last.slot;
        compile_remember(compiler, out);
        return;
    }
    if (lower->type == NODE_LIST) {
        key = lower->first;
        fallback = key ? key->next : NULL;
    }
    if (lower->type == NODE_MAP || (lower->type == NODE_LIST && lower->count > 2) ||
        !key_text(compiler, key, &path)) {
        compile_dynamic(compiler, lower, out);
        return;
    }
    if (compiler->scopes && climbs(path)) {
        if (text_is(path, "../index") && compiler->in_iterator && compiler->in_reduce)
            compile_failure(out, "there is no index within reduce");
        else if (fallback && !(text_is(path, "../index") && compiler->in_iterator))
            compile_dynamic(compiler, lower, out);
        else
            compile_path(compiler, path, GENERATED, out);
        return;
    }
    compile_path(compiler, path, GENERATED, out);
    remember_slot(compiler, lower, out);
    if (fallback && fallback->type != NODE_NULL && path.length)
        add_default(compiler, fallback, out);
    if (path.length)
        compile_remember(compiler, out);
}

bool interpret_var(struct compiler *compiler, const struct node *lower, struct instruction *out)
{
    const struct node *key = lower;
    struct text path;
    if (lower->type == NODE_LIST && lower->count == 1 && lower->first->type != NODE_LIST)
        key = lower->first;
    if (key->type == NODE_BOOL && key->boolean) {
        compiler->thrown = "var needs the path of an attribute";
        return false;
    }
    if (key->type == NODE_STRING) {
        path = key->string;
        if (compiler->scopes && climbs(path) && text_starts_with(path, TEXT("../")))
            compile_path(compiler, path, GENERATED, out);
        else
            compile_path(compiler, path, INTERPRETED, out);
        return true;
    }
    if (key->type == NODE_NULL || key->type == NODE_BOOL ||
        (key->type == NODE_NUMBER && key->number == 0)) {
        compile_path(compiler, (struct text){NULL, 0}, INTERPRETED, out);
        return true;
    }
    if (key->type == NODE_NUMBER) {
        if (key_text(compiler, key, &path))
            compile_name(compiler, path, out);
        return true;
    }
    compile_whole(compiler);
    out->op = OP_BUILTIN;
    out->slot = BUILTIN_VAR;
    struct instruction *argument = new_instructions(compiler, 1);
    if (!argument)
        return true;
    out->arguments = argument;
    out->count = ARGUMENT_AS_IT_IS;
    return interpret_expression(compiler, key, argument);
}

/* --- missing --------------------------------------------------------------------------------- */

static bool all_names(const struct node *list)
{
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->type != NODE_STRING)
            return false;
    }
    return true;
}

/* One or two names without dots are looked up as they stand. */
static bool are_simple(const struct node *list)
{
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->string.length && memchr(item->string.data, '.', item->string.length))
            return false;
    }
    return list->count <= 2;
}

static void compile_listed(struct compiler *compiler, const struct node *list,
                           struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, list->count + 1);
    bool simple = are_simple(list);
    uint32_t i = 1;
    if (!arguments)
        return;
    compile_constant(compiler, list, &arguments[0]);
    for (const struct node *item = list->first; item; item = item->next, i++) {
        struct names names = {.count = 0};
        if (simple && arena_copy(compiler->arena, item->string, &names.names[0]))
            names.count = 1;
        else if (simple)
            compiler->status = STATUS_NO_MEMORY;
        else if (!split(compiler, item->string, &names))
            continue; /* missing: no context is as deep */
        if (compiler->status == STATUS_OK && !compiler->problem)
            compile_names(compiler, &names, simple ? GENERATED : ASKING, &arguments[i]);
    }
    *out = (struct instruction){.op = OP_MISSING, .count = list->count + 1, .arguments = arguments};
}

void compile_missing(struct compiler *compiler, const struct node *lower, struct instruction *out)
{
    bool is_list = lower->type == NODE_LIST;
    if (is_list && all_names(lower)) {
        compile_listed(compiler, lower, out);
        return;
    }
    compile_whole(compiler);
    compile_arguments(compiler, is_list ? lower->first : lower, is_list ? lower->count : 1, out);
    if (lower->type == NODE_MAP)
        out->count = ARGUMENT_AS_LIST;
    out->op = OP_BUILTIN;
    out->slot = BUILTIN_MISSING;
}

void compile_missing_some(struct compiler *compiler, const struct node *lower,
                          struct instruction *out)
{
    const struct node *names =
        lower->type == NODE_LIST && lower->count >= 2 ? lower->first->next : NULL;
    if (lower->type == NODE_MAP) {
        compile_refuse(compiler, "missing_some needs a number and a list of names");
        return;
    }
    struct instruction *arguments = new_instructions(compiler, 3);
    if (!names || !arguments) {
        compile_failure(out, "missing_some needs a number and a list of names");
        return;
    }
    bool known = names->type == NODE_LIST && all_names(names);
    compile_expression(compiler, lower->first, &arguments[0]);
    compile_expression(compiler, names, &arguments[1]);
    if (known) {
        compile_missing(compiler, names, &arguments[2]);
        compile_remember(compiler, &arguments[2]);
    } else { /* what is missing of them turns out while evaluating */
        compile_whole(compiler);
    }
    *out = (struct instruction){.op = OP_BUILTIN,
                                .slot = BUILTIN_MISSING_SOME,
                                .count = known ? 3 : 2,
                                .arguments = arguments};
}
