#include "program_rule.h"

#include "encode.h"

#define SMALL_SET 8 /* up to here comparing one by one is faster than hashing */

static void fail(struct instruction *out, const char *problem)
{
    out->op = OP_FAIL;
    out->value = (struct value){.type = VALUE_ERROR, .problem = problem};
}

static struct instruction *new_instructions(struct compiler *compiler, uint32_t count)
{
    struct instruction *instructions = ARENA_ARRAY(compiler->arena, struct instruction, count);
    if (!instructions)
        compiler->status = STATUS_NO_MEMORY;
    return instructions;
}

/* --- constants ---------------------------------------------------------------------------------------------------- */

static bool is_constant(const struct node *node)
{
    if (node->type == NODE_MAP)
        return false;
    for (const struct node *item = node->type == NODE_LIST ? node->first : NULL; item; item = item->next) {
        if (!is_constant(item))
            return false;
    }
    return true;
}

static void constant_value(struct compiler *compiler, const struct node *node, struct value *out)
{
    *out = (struct value){0};
    if (node->type == NODE_BOOL) {
        out->type = VALUE_BOOL;
        out->boolean = node->boolean;
    } else if (node->type == NODE_NUMBER) {
        out->type = VALUE_NUMBER;
        out->number = node->number;
    } else if (node->type == NODE_STRING) {
        struct text copy;
        if (!arena_copy(compiler->arena, node->string, &copy)) {
            compiler->status = STATUS_NO_MEMORY;
            return;
        }
        *out = (struct value){.type = VALUE_STRING, .length = (uint32_t)copy.length, .string = copy.data};
    } else if (node->type == NODE_LIST) {
        struct value *items = ARENA_ARRAY(compiler->arena, struct value, node->count);
        uint32_t i = 0;
        if (!items) {
            compiler->status = STATUS_NO_MEMORY;
            return;
        }
        for (const struct node *item = node->first; item; item = item->next)
            constant_value(compiler, item, &items[i++]);
        *out = (struct value){.type = VALUE_LIST, .length = node->count, .items = items};
    }
}

/* A list that is not constant is what merge makes of its elements, each as a list of one. */
static void compile_list(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    if (is_constant(node)) {
        out->op = OP_CONSTANT;
        constant_value(compiler, node, &out->value);
        return;
    }
    fail(out, "a list with rules inside can only stand where an operator expects it");
}

/* --- var ------------------------------------------------------------------------------------------------------------ */

static void compile_var(struct compiler *compiler, struct text path, struct instruction *out)
{
    if (text_is(path, "$flagd.timestamp")) {
        out->op = OP_TIMESTAMP;
    } else if (text_is(path, "$flagd.flagKey")) {
        out->op = OP_FLAG_KEY;
    } else if (compiler->local) {
        out->op = OP_LOCAL;
        if (!arena_copy(compiler->arena, path, &out->text))
            compiler->status = STATUS_NO_MEMORY;
    } else {
        out->op = OP_SLOT;
        enum status status = attributes_slot(compiler->attributes, path, &out->slot);
        if (status != STATUS_OK)
            compiler->status = status;
    }
}

/* {"var":"a.b"} or {"var":["a.b"]}; a default as second argument is for the full engine. */
static void compile_var_node(struct compiler *compiler, const struct node *argument, struct instruction *out)
{
    if (argument->type == NODE_LIST && argument->count == 1)
        argument = argument->first;
    if (argument->type != NODE_STRING)
        fail(out, "var needs the path of an attribute");
    else
        compile_var(compiler, argument->string, out);
}

/* --- operators ------------------------------------------------------------------------------------------------------ */

static void compile_arguments(struct compiler *compiler, const struct node *first, uint32_t count,
                              struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, count);
    uint32_t i = 0;
    if (!arguments)
        return;
    for (const struct node *node = first; i < count; node = node->next)
        compile_expression(compiler, node, &arguments[i++]);
    out->arguments = arguments;
    out->count = count;
}

/* "in" with a constant list of many strings becomes a set. */
static void compile_in(struct compiler *compiler, struct instruction *out)
{
    const struct instruction *list = &out->arguments[1];
    if (list->op != OP_CONSTANT || list->value.type != VALUE_LIST || list->value.length <= SMALL_SET)
        return;
    for (uint32_t i = 0; i < list->value.length; i++) {
        if (list->value.items[i].type != VALUE_STRING)
            return;
    }
    const struct string_set *set = string_set_new(compiler->arena, list->value.items, list->value.length);
    if (!set) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    out->op = OP_IN_SET;
    out->count = 1;
    out->set = set;
}

static void compile_sem_ver(struct compiler *compiler, struct instruction *out)
{
    const struct instruction *version = &out->arguments[2];
    struct semver *parsed = ARENA_NEW(compiler->arena, struct semver);
    if (!parsed) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    struct text text = {version->value.string, version->value.length};
    if (version->op == OP_CONSTANT && version->value.type == VALUE_STRING && semver_parse_loosely(text, parsed))
        out->version = parsed;
}

/* some: the second argument sees the element, not the context. */
static void compile_some(struct compiler *compiler, const struct node *list, struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, 2);
    if (!arguments)
        return;
    compile_expression(compiler, list->first, &arguments[0]);
    compiler->local++;
    compile_expression(compiler, list->first->next, &arguments[1]);
    compiler->local--;
    out->arguments = arguments;
    out->count = 2;
}

static void compile_share(struct compiler *compiler, const struct node *share, struct instruction *variant,
                          struct instruction *weight)
{
    weight->op = OP_CONSTANT;
    weight->value = (struct value){.type = VALUE_NUMBER, .number = 1};
    if (share->type != NODE_LIST || share->count < 1 || share->count > 2) {
        fail(variant, "fractional needs [variant, weight] pairs");
        return;
    }
    compile_expression(compiler, share->first, variant);
    if (share->count == 2)
        compile_expression(compiler, share->first->next, weight);
}

/* The sum of constant weights that need no checking later; 0 when there are others. */
static uint64_t constant_total(const struct instruction *arguments, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t i = 2; i < count; i += 2) {
        const struct value *weight = &arguments[i].value;
        if (arguments[i].op != OP_CONSTANT || weight->type != VALUE_NUMBER || weight->number < 0 ||
            weight->number > INT32_MAX || weight->number != (double)(int64_t)weight->number)
            return 0;
        total += (uint64_t)weight->number;
    }
    return total <= INT32_MAX ? total : 0;
}

/* The short form's key: flag key and targeting key put together; null when the targeting key is missing or empty. */
static void compile_brief_key(struct compiler *compiler, struct instruction *out)
{
    struct instruction *branches = new_instructions(compiler, 3), *parts = new_instructions(compiler, 2);
    if (!branches || !parts)
        return;
    parts[0].op = OP_FLAG_KEY;
    parts[1] = (struct instruction){.op = OP_SLOT, .slot = ATTRIBUTE_TARGETING_KEY};
    branches[0] = parts[1];
    branches[1] = (struct instruction){.op = OP_CAT, .count = 2, .arguments = parts};
    branches[2].op = OP_CONSTANT;
    *out = (struct instruction){.op = OP_IF, .count = 3, .arguments = branches};
}

/* [key, [variant, weight]…] or, in short, [[variant, weight]…] with flag key and targeting key put together. */
static void compile_fractional(struct compiler *compiler, const struct node *list, struct instruction *out)
{
    bool brief = list->type == NODE_LIST && list->first && list->first->type == NODE_LIST;
    if (list->type != NODE_LIST || list->count < (brief ? 1u : 2u)) {
        fail(out, "fractional needs a distribution");
        return;
    }
    uint32_t shares = brief ? list->count : list->count - 1, count = 1 + 2 * shares;
    struct instruction *arguments = new_instructions(compiler, count);
    const struct node *share = brief ? list->first : list->first->next;
    if (!arguments)
        return;
    if (brief)
        compile_brief_key(compiler, &arguments[0]);
    else
        compile_expression(compiler, list->first, &arguments[0]);
    for (uint32_t i = 0; i < shares; i++, share = share->next)
        compile_share(compiler, share, &arguments[1 + 2 * i], &arguments[2 + 2 * i]);
    out->arguments = arguments;
    out->count = count;
    out->total = constant_total(arguments, count);
}

/* --- guards ----------------------------------------------------------------------------------------------------------- */

/* The JSON text of the attribute that a guard would test: the first argument of {"!==":[X,null]}. */
static bool guarded_operand(const struct compiler *compiler, const struct node *node, struct text *out, uint16_t *slot)
{
    const struct node *list = node_get(node, "!==");
    if (!list || list->type != NODE_LIST || list->count != 2 || list->first->next->type != NODE_NULL)
        return false;
    const struct node *path = node_get(list->first, "var");
    if (!path || path->type != NODE_STRING ||
        attributes_slot(compiler->attributes, path->string, slot) != STATUS_OK)
        return false;
    *out = (struct text){compiler->json.data + list->first->start, list->first->end - list->first->start};
    return true;
}

typedef void guard_writer(struct buffer *out, struct text operand, unsigned evaluators);

/* When the arguments from `node` on are, byte for byte, the guard: how many of them, else 0. */
static uint32_t guard_length(const struct compiler *compiler, const struct node *node, struct text operand,
                             guard_writer *writer, unsigned evaluators)
{
    struct buffer expected;
    uint32_t length = 0;
    buffer_init(&expected, 1 << 16);
    writer(&expected, operand, evaluators);
    struct text rest = {compiler->json.data + node->start, compiler->json.length - node->start};
    if (!expected.failed && text_starts_with(rest, buffer_text(&expected))) {
        size_t end = node->start + expected.length;
        for (uint32_t i = 1; node; node = node->next, i++) {
            if (node->end == end)
                length = i;
        }
    }
    buffer_dispose(&expected);
    return length;
}

/* Recognises a guard at `node` among the arguments of an "and"; returns how many arguments it takes. */
static uint32_t recognise_guard(const struct compiler *compiler, const struct node *node, struct instruction *out)
{
    static const struct {
        guard_writer *writer;
        enum op op;
    } guards[] = {{guard_string, OP_IS_STRING}, {guard_number, OP_IS_NUMBER}};
    struct text operand;
    uint16_t slot;
    if (compiler->local || !guarded_operand(compiler, node, &operand, &slot))
        return 0;
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        /* With and without the parts that only some evaluators need. */
        static const unsigned fleets[] = {EVALUATOR_WEIR, EVALUATOR_WEIR | EVALUATOR_FLAGD,
                                          EVALUATOR_WEIR | EVALUATOR_PYTHON,
                                          EVALUATOR_WEIR | EVALUATOR_FLAGD | EVALUATOR_PYTHON};
        for (size_t j = COUNT_OF(fleets); j-- > 0;) {
            uint32_t length = guard_length(compiler, node, operand, guards[i].writer, fleets[j]);
            if (length) {
                *out = (struct instruction){.op = (uint16_t)guards[i].op, .slot = slot};
                return length;
            }
        }
    }
    return 0;
}

static void compile_and(struct compiler *compiler, const struct node *list, struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, list->count);
    uint32_t count = 0;
    if (!arguments)
        return;
    for (const struct node *node = list->first; node;) {
        uint32_t taken = recognise_guard(compiler, node, &arguments[count]);
        if (taken == 0) {
            compile_expression(compiler, node, &arguments[count]);
            taken = 1;
        }
        count++;
        while (taken--)
            node = node->next;
    }
    out->arguments = arguments;
    out->count = count;
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

static const struct operator_row {
    const char *name;
    enum op op;
    uint32_t least, most;
} operators[] = {
    {"!", OP_NOT, 1, 1},
    {"!==", OP_NOT_SAME, 2, 2},
    {"*", OP_MULTIPLY, 1, UINT32_MAX},
    {"+", OP_ADD, 1, UINT32_MAX},
    {"-", OP_SUBTRACT, 1, 2},
    {"<", OP_LESS, 2, 3},
    {"<=", OP_LESS_EQUAL, 2, 3},
    {"===", OP_SAME, 2, 2},
    {">", OP_GREATER, 2, 2},
    {">=", OP_GREATER_EQUAL, 2, 2},
    {"and", OP_AND, 1, UINT32_MAX},
    {"cat", OP_CAT, 1, UINT32_MAX},
    {"ends_with", OP_ENDS_WITH, 2, 2},
    {"if", OP_IF, 1, UINT32_MAX},
    {"in", OP_IN, 2, 2},
    {"max", OP_MAXIMUM, 1, UINT32_MAX},
    {"merge", OP_MERGE, 1, UINT32_MAX},
    {"min", OP_MINIMUM, 1, UINT32_MAX},
    {"or", OP_OR, 1, UINT32_MAX},
    {"sem_ver", OP_SEM_VER, 3, 3},
    {"some", OP_SOME, 2, 2},
    {"starts_with", OP_STARTS_WITH, 2, 2},
    {"substr", OP_SUBSTR, 2, 3},
};

static const struct operator_row *find_operator(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (text_is(name, operators[i].name))
            return &operators[i];
    }
    return NULL;
}

static void compile_row(struct compiler *compiler, const struct operator_row *row, const struct node *argument,
                        struct instruction *out)
{
    bool is_list = argument->type == NODE_LIST;
    uint32_t count = is_list ? argument->count : 1;
    if (count < row->least || count > row->most) {
        fail(out, "operator has the wrong number of arguments");
        return;
    }
    out->op = (uint16_t)row->op;
    if (row->op == OP_AND && is_list)
        compile_and(compiler, argument, out);
    else if (row->op == OP_SOME)
        compile_some(compiler, argument, out);
    else
        compile_arguments(compiler, is_list ? argument->first : argument, count, out);
    if (compiler->status == STATUS_OK && row->op == OP_IN)
        compile_in(compiler, out);
    if (compiler->status == STATUS_OK && row->op == OP_SEM_VER)
        compile_sem_ver(compiler, out);
}

static void compile_operator(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    const struct node *argument = node->first;
    if (node->count != 1) {
        fail(out, "an expression is an object with one operator");
        return;
    }
    if (text_is(argument->key, "var")) {
        compile_var_node(compiler, argument, out);
        return;
    }
    if (text_is(argument->key, "fractional")) {
        out->op = OP_FRACTIONAL;
        compile_fractional(compiler, argument, out);
        return;
    }
    const struct operator_row *row = find_operator(argument->key);
    if (row)
        compile_row(compiler, row, argument, out);
    else
        fail(out, "unknown operator");
}

void compile_expression(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    if (compiler->status != STATUS_OK)
        return;
    if (node->type == NODE_MAP) {
        compile_operator(compiler, node, out);
    } else if (node->type == NODE_LIST) {
        compile_list(compiler, node, out);
    } else {
        out->op = OP_CONSTANT;
        constant_value(compiler, node, &out->value);
    }
}
