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

/* --- constants ------------------------------------------------------------------------------- */

static bool is_constant(const struct node *node)
{
    if (node->type == NODE_MAP)
        return false;
    for (const struct node *item = node->type == NODE_LIST ? node->first : NULL; item;
         item = item->next) {
        if (!is_constant(item))
            return false;
    }
    return true;
}

/* A string that needed no decoding stands in the flag's JSON, which lives as long as the
 * program. */
static bool keep_string(struct compiler *compiler, const struct node *node, struct text *out)
{
    if (node->end - node->start != node->string.length + 2)
        return arena_copy(compiler->arena, node->string, out);
    *out = (struct text){compiler->json.data + node->start + 1, node->string.length};
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
        if (!keep_string(compiler, node, &copy)) {
            compiler->status = STATUS_NO_MEMORY;
            return;
        }
        *out = (struct value){
            .type = VALUE_STRING, .length = (uint32_t)copy.length, .string = copy.data};
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
static void compile_list(struct compiler *compiler, const struct node *node,
                         struct instruction *out)
{
    if (is_constant(node)) {
        out->op = OP_CONSTANT;
        constant_value(compiler, node, &out->value);
        return;
    }
    fail(out, "a list with rules inside can only stand where an operator expects it");
}

/* --- var ------------------------------------------------------------------------------------- */

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
static void compile_var_node(struct compiler *compiler, const struct node *argument,
                             struct instruction *out)
{
    if (argument->type == NODE_LIST && argument->count == 1)
        argument = argument->first;
    if (argument->type != NODE_STRING)
        fail(out, "var needs the path of an attribute");
    else
        compile_var(compiler, argument->string, out);
}

/* --- operators ------------------------------------------------------------------------------- */

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

/* Moves an attribute and a constant into the instruction itself. */
static void take_in(struct instruction *out)
{
    const struct instruction *left = &out->arguments[0], *right = &out->arguments[1];
    if (out->count != 2 || left->op != OP_SLOT || right->op != OP_CONSTANT)
        return;
    out->slot = left->slot;
    out->value = right->value;
    out->arguments = NULL;
    if (out->op == OP_NOT_SAME && out->value.type == VALUE_NULL)
        *out = (struct instruction){.op = OP_EXISTS, .slot = left->slot};
}

static void take_first_in(struct instruction *out)
{
    if (out->arguments[0].op != OP_SLOT)
        return;
    out->slot = out->arguments[0].slot;
    out->arguments = NULL;
}

/* "in" with a constant list of many strings becomes a set. */
static void compile_in(struct compiler *compiler, struct instruction *out)
{
    const struct instruction *list = &out->arguments[1];
    bool is_set =
        list->op == OP_CONSTANT && list->value.type == VALUE_LIST && list->value.length > SMALL_SET;
    for (uint32_t i = 0; is_set && i < list->value.length; i++)
        is_set = list->value.items[i].type == VALUE_STRING;
    if (!is_set) {
        take_in(out);
        return;
    }
    const struct string_set *set =
        string_set_new(compiler->arena, list->value.items, list->value.length);
    if (!set) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    out->op = OP_IN_SET;
    take_first_in(out);
    out->set = set;
}

static bool is_constant_string(const struct instruction *instruction)
{
    return instruction->op == OP_CONSTANT && instruction->value.type == VALUE_STRING;
}

/* A constant comparison with a constant version is asked once for each way in which the two can
 * differ. */
static void compile_sem_ver(struct compiler *compiler, struct instruction *out)
{
    const struct value *comparison = &out->arguments[1].value, *version = &out->arguments[2].value;
    struct version_test *test = ARENA_NEW(compiler->arena, struct version_test);
    bool known;
    if (!test) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    if (!is_constant_string(&out->arguments[1]) || !is_constant_string(&out->arguments[2]) ||
        !semver_parse_loosely((struct text){version->string, version->length}, &test->version))
        return;
    struct text text = {comparison->string, comparison->length};
    struct semver less = {0}, more = {.minor = 1};
    if (text_is(text, "^") || text_is(text, "~"))
        return;
    test->less = semver_holds(&less, text, &more, &known);
    test->equal = semver_holds(&more, text, &more, &known);
    test->greater = semver_holds(&more, text, &less, &known);
    if (!known)
        return;
    take_first_in(out);
    out->test = test;
}

/* some: the second argument sees the element, not the context. */
static void compile_some(struct compiler *compiler, const struct node *list,
                         struct instruction *out)
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

static void compile_share(struct compiler *compiler, const struct node *share,
                          struct instruction *variant, struct instruction *weight)
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

/* The short form's key: flag key and targeting key put together; null when the targeting key is
 * missing or empty. */
static void compile_brief_key(struct compiler *compiler, struct instruction *out)
{
    struct instruction *branches = new_instructions(compiler, 3),
                       *parts = new_instructions(compiler, 2);
    if (!branches || !parts)
        return;
    parts[0].op = OP_FLAG_KEY;
    parts[1] = (struct instruction){.op = OP_SLOT, .slot = ATTRIBUTE_TARGETING_KEY};
    branches[0] = parts[1];
    branches[1] = (struct instruction){.op = OP_CAT, .count = 2, .arguments = parts};
    branches[2].op = OP_CONSTANT;
    *out = (struct instruction){.op = OP_IF, .count = 3, .arguments = branches};
}

/* [key, [variant, weight]…] or, in short, [[variant, weight]…] with flag key and targeting key put
 * together. */
static void compile_fractional(struct compiler *compiler, const struct node *list,
                               struct instruction *out)
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

/* --- guards ---------------------------------------------------------------------------------- */

/* The JSON text of the attribute that a guard would test: the first argument of
 * {"!==":[X,null]}. */
static bool guarded_operand(const struct compiler *compiler, const struct node *node,
                            struct text *out, uint16_t *slot)
{
    const struct node *list = node_get(node, "!==");
    if (!list || list->type != NODE_LIST || list->count != 2 ||
        list->first->next->type != NODE_NULL)
        return false;
    const struct node *path = node_get(list->first, "var");
    if (!path || path->type != NODE_STRING || text_starts_with(path->string, TEXT("$flagd.")) ||
        attributes_slot(compiler->attributes, path->string, slot) != STATUS_OK)
        return false;
    *out = (struct text){compiler->json.data + list->first->start,
                         list->first->end - list->first->start};
    return true;
}

typedef void guard_writer(struct buffer *out, struct text operand, unsigned evaluators);

/* When the arguments from `node` on are, byte for byte, the guard: how many of them, else 0. */
static uint32_t guard_length(struct compiler *compiler, const struct node *node,
                             struct text operand, guard_writer *writer, unsigned evaluators)
{
    struct buffer *expected = &compiler->guard;
    uint32_t length = 0;
    buffer_clear(expected);
    writer(expected, operand, evaluators);
    struct text rest = {compiler->json.data + node->start, compiler->json.length - node->start};
    if (!expected->failed && text_starts_with(rest, buffer_text(expected))) {
        size_t end = node->start + expected->length;
        for (uint32_t i = 1; node && node->end <= end; node = node->next, i++) {
            if (node->end == end)
                length = i;
        }
    }
    return length;
}

/* Recognises a guard at `node` among the arguments of an "and"; returns how many arguments it
 * takes. */
static uint32_t recognise_guard(struct compiler *compiler, const struct node *node,
                                struct instruction *out)
{
    /* The second expression tells most conditions apart from a guard without writing one. A guard
     * that another begins with stands behind it; so do the forms without the parts that only some
     * evaluators need. */
    static const struct {
        const char *second;
        guard_writer *writer;
        enum op op;
        unsigned evaluators;
    } guards[] = {
        {"starts_with", guard_version, OP_IS_VERSION, EVALUATOR_FLAGD},
        {"starts_with", guard_string, OP_IS_STRING, EVALUATOR_FLAGD},
        {"===", guard_number, OP_IS_NUMBER, EVALUATOR_FLAGD},
        {"===", guard_number, OP_IS_NUMBER, EVALUATOR_FLAGD | EVALUATOR_PYTHON},
        {"!==", guard_number, OP_IS_NUMBER, EVALUATOR_WEIR},
        {"or", guard_number, OP_IS_NUMBER, EVALUATOR_PYTHON},
    };
    struct text operand;
    uint16_t slot;
    const struct node *second = node->next;
    if (compiler->local || !second || second->type != NODE_MAP || second->count != 1 ||
        !guarded_operand(compiler, node, &operand, &slot))
        return 0;
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        if (!text_is(second->first->key, guards[i].second))
            continue;
        uint32_t length =
            guard_length(compiler, node, operand, guards[i].writer, guards[i].evaluators);
        if (length) {
            *out = (struct instruction){.op = (uint16_t)guards[i].op, .slot = slot};
            return length;
        }
    }
    return 0;
}

/* "and" inside "and", and "or" inside "or", give what they give when their arguments stand in the
 * outer one; one argument alone gives itself. */
static void flatten(struct compiler *compiler, struct instruction *chain)
{
    const struct instruction *from = chain->arguments;
    uint32_t total = 0, count = 0;
    if (chain->count == 1) {
        *chain = from[0];
        return;
    }
    for (uint32_t i = 0; i < chain->count; i++)
        total += from[i].op == chain->op ? from[i].count : 1;
    if (total == chain->count)
        return;
    struct instruction *arguments = new_instructions(compiler, total);
    if (!arguments)
        return;
    for (uint32_t i = 0; i < chain->count; i++) {
        bool inner = from[i].op == chain->op;
        uint32_t more = inner ? from[i].count : 1;
        memcpy(&arguments[count], inner ? from[i].arguments : &from[i], more * sizeof *arguments);
        count += more;
    }
    chain->arguments = arguments;
    chain->count = count;
}

/* Whether `in` is false by itself for whatever is not a string: then it needs no guard. */
static bool looks_for_strings(const struct instruction *in, uint16_t slot)
{
    if ((in->op != OP_IN && in->op != OP_IN_SET) || in->arguments || in->slot != slot)
        return false;
    if (in->op == OP_IN_SET)
        return true;
    for (uint32_t i = 0; in->value.type == VALUE_LIST && i < in->value.length; i++) {
        if (in->value.items[i].type != VALUE_STRING)
            return false;
    }
    return in->value.type == VALUE_LIST;
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
        if (compiler->status != STATUS_OK)
            return;
        if (count && arguments[count - 1].op == OP_IS_STRING &&
            looks_for_strings(&arguments[count], arguments[count - 1].slot))
            arguments[count - 1] = arguments[count];
        else
            count++;
        while (taken--)
            node = node->next;
    }
    out->arguments = arguments;
    out->count = count;
}

/* --- the table ------------------------------------------------------------------------------- */

#define NAMED(literal)                                                                             \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }
static const struct operator_row {
    struct text name;
    enum op op;
    uint32_t least, most;
} operators[] = {
    {NAMED("!"), OP_NOT, 1, 1},
    {NAMED("!=="), OP_NOT_SAME, 2, 2},
    {NAMED("*"), OP_MULTIPLY, 1, UINT32_MAX},
    {NAMED("+"), OP_ADD, 1, UINT32_MAX},
    {NAMED("-"), OP_SUBTRACT, 1, 2},
    {NAMED("<"), OP_LESS, 2, 3},
    {NAMED("<="), OP_LESS_EQUAL, 2, 3},
    {NAMED("==="), OP_SAME, 2, 2},
    {NAMED(">"), OP_GREATER, 2, 2},
    {NAMED(">="), OP_GREATER_EQUAL, 2, 2},
    {NAMED("and"), OP_AND, 1, UINT32_MAX},
    {NAMED("cat"), OP_CAT, 1, UINT32_MAX},
    {NAMED("ends_with"), OP_ENDS_WITH, 2, 2},
    {NAMED("if"), OP_IF, 1, UINT32_MAX},
    {NAMED("in"), OP_IN, 2, 2},
    {NAMED("max"), OP_MAXIMUM, 1, UINT32_MAX},
    {NAMED("merge"), OP_MERGE, 1, UINT32_MAX},
    {NAMED("min"), OP_MINIMUM, 1, UINT32_MAX},
    {NAMED("or"), OP_OR, 1, UINT32_MAX},
    {NAMED("sem_ver"), OP_SEM_VER, 3, 3},
    {NAMED("some"), OP_SOME, 2, 2},
    {NAMED("starts_with"), OP_STARTS_WITH, 2, 2},
    {NAMED("substr"), OP_SUBSTR, 2, 3},
};

static const struct operator_row *find_operator(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (text_equal(name, operators[i].name))
            return &operators[i];
    }
    return NULL;
}

static void simplify(struct compiler *compiler, struct instruction *out)
{
    switch (out->op) {
    case OP_AND:
    case OP_OR:
        flatten(compiler, out);
        break;
    case OP_SAME:
    case OP_NOT_SAME:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
        take_in(out);
        break;
    case OP_IN:
        compile_in(compiler, out);
        break;
    case OP_SEM_VER:
        compile_sem_ver(compiler, out);
        break;
    default:
        break;
    }
}

static void compile_row(struct compiler *compiler, const struct operator_row *row,
                        const struct node *argument, struct instruction *out)
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
    if (compiler->status == STATUS_OK)
        simplify(compiler, out);
}

static void compile_operator(struct compiler *compiler, const struct node *node,
                             struct instruction *out)
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
