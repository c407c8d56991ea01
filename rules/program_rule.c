/* Expressions as npm's flagd-core turns them into code: constants, lists, and parts that are
 * evaluated now because they ask for nothing. */
#include "program_rule.h"

#include "hash.h"

/* --- instructions ---------------------------------------------------------------------------- */

void compile_failure(struct instruction *out, const char *problem)
{
    *out = (struct instruction){.op = OP_FAIL, .value = value_error(problem)};
}

const char *compile_message(struct compiler *compiler, const char *message, struct text name)
{
    struct buffer text;
    struct text kept = TEXT("no memory");
    buffer_init(&text, 256);
    buffer_append_string(&text, message);
    buffer_append_string(&text, " \"");
    buffer_append(&text, name.data, name.length < 64 ? name.length : 64);
    buffer_append_char(&text, '"');
    if (text.failed || !arena_copy(compiler->arena, buffer_text(&text), &kept))
        compiler->status = STATUS_NO_MEMORY;
    buffer_dispose(&text);
    return kept.data;
}

void compile_refuse(struct compiler *compiler, const char *problem)
{
    if (!compiler->problem)
        compiler->problem = problem;
}

struct instruction *new_instructions(struct compiler *compiler, uint32_t count)
{
    struct instruction *instructions =
        ARENA_ARRAY(compiler->arena, struct instruction, count ? count : 1);
    compiler->instructions += count;
    if (!instructions)
        compiler->status = STATUS_NO_MEMORY;
    else if (compiler->instructions > PROGRAM_MAX_INSTRUCTIONS)
        compiler->status = STATUS_LIMIT;
    return compiler->status == STATUS_OK ? instructions : NULL;
}

void compile_arguments(struct compiler *compiler, const struct node *first, uint32_t count,
                       struct instruction *out)
{
    struct instruction *arguments = new_instructions(compiler, count);
    const struct node *node = first;
    if (!arguments)
        return;
    for (uint32_t i = 0; i < count && node; i++, node = node->next)
        compile_expression(compiler, node, &arguments[i]);
    out->arguments = arguments;
    out->count = count;
}

/* Puts `inner` below *out, which is zeroed but for its operator. */
static bool wrap(struct compiler *compiler, struct instruction *out, struct instruction outer)
{
    struct instruction *inner = new_instructions(compiler, 1);
    if (!inner)
        return false;
    *inner = *out;
    outer.arguments = inner;
    outer.count = 1;
    *out = outer;
    return true;
}

void compile_remember(struct compiler *compiler, struct instruction *out)
{
    if (compiler->comparing && compiler->status == STATUS_OK)
        wrap(compiler, out, (struct instruction){.op = OP_REMEMBER});
}

/* --- what is worth remembering --------------------------------------------------------------- */

#define ONCE_COST 6 /* below, looking it up costs as much as evaluating it */

static unsigned cost_of(const struct instruction *instruction, unsigned limit)
{
    unsigned cost = 1;
    if (instruction->op == OP_IN_SET)
        cost = 3;
    if (instruction->op == OP_SEM_VER)
        cost = 4;
    uint32_t count = instruction->op == OP_ONCE ? 0 : instruction_arguments(instruction);
    for (uint32_t i = 0; i < count && cost < limit; i++)
        cost += cost_of(&instruction->arguments[i], limit - cost);
    return cost;
}

void compile_once(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    if (compiler->scopes || compiler->comparing || compiler->depends_on_more ||
        compiler->status != STATUS_OK || cost_of(out, ONCE_COST) < ONCE_COST)
        return;
    struct instruction *inner = new_instructions(compiler, 1);
    if (!inner)
        return;
    XXH128_hash_t hash = XXH3_128bits(compiler->json.data + node->start, node->end - node->start);
    *inner = *out;
    *out = (struct instruction){
        .op = OP_ONCE, .count = (uint32_t)hash.high64, .arguments = inner, .identity = hash.low64};
}

/* --- constants and lists --------------------------------------------------------------------- */

static bool is_scalar(const struct node *node)
{
    return node->type != NODE_MAP && node->type != NODE_LIST;
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

static struct value scalar(struct compiler *compiler, const struct node *node)
{
    struct text copy = {NULL, 0};
    switch (node->type) {
    case NODE_BOOL:
        return value_bool(node->boolean);
    case NODE_NUMBER:
        return value_number(node->number);
    case NODE_STRING:
        if (!keep_string(compiler, node, &copy))
            compiler->status = STATUS_NO_MEMORY;
        return value_string(copy);
    default:
        return value_null();
    }
}

static bool is_constant_list(const struct node *node)
{
    for (const struct node *item = node->first; item; item = item->next) {
        if (!is_scalar(item) && (item->type != NODE_LIST || !is_constant_list(item)))
            return false;
    }
    return true;
}

static struct value constant_list(struct compiler *compiler, const struct node *node)
{
    struct value *items = ARENA_ARRAY(compiler->arena, struct value, node->count ? node->count : 1);
    uint32_t i = 0;
    if (!items) {
        compiler->status = STATUS_NO_MEMORY;
        return value_null();
    }
    for (const struct node *item = node->first; item; item = item->next)
        items[i++] =
            item->type == NODE_LIST ? constant_list(compiler, item) : scalar(compiler, item);
    return (struct value){.type = VALUE_LIST, .length = node->count, .items = items};
}

static struct value empty_map(struct compiler *compiler)
{
    struct value_member *members = ARENA_NEW(compiler->arena, struct value_member);
    if (!members)
        compiler->status = STATUS_NO_MEMORY;
    return (struct value){.type = VALUE_MAP, .members = members};
}

void compile_constant(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    *out = (struct instruction){.op = OP_CONSTANT};
    out->value = node->type == NODE_MAP    ? empty_map(compiler)
                 : node->type == NODE_LIST ? constant_list(compiler, node)
                                           : scalar(compiler, node);
}

bool all_constant(const struct instruction *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->arguments[i].op != OP_CONSTANT)
            return false;
    }
    return true;
}

static void compile_list(struct compiler *compiler, const struct node *node,
                         struct instruction *out)
{
    if (is_constant_list(node)) {
        compile_constant(compiler, node, out);
        return;
    }
    out->op = OP_LIST;
    compile_arguments(compiler, node->first, node->count, out);
    if (compiler->status != STATUS_OK || compiler->problem || !all_constant(out))
        return;
    struct value *items = ARENA_ARRAY(compiler->arena, struct value, node->count);
    if (!items) {
        compiler->status = STATUS_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < node->count; i++)
        items[i] = out->arguments[i].value;
    *out = (struct instruction){
        .op = OP_CONSTANT, .value = {.type = VALUE_LIST, .length = node->count, .items = items}};
}

/* --- expressions ----------------------------------------------------------------------------- */

/* An expression depends when a part of it does, so the question goes down to that part, and then
 * would be asked again of each expression on the way there. Of these the answer is known. */
static bool is_known_to_depend(const struct compiler *compiler, const struct node *node)
{
    return node->start >= compiler->known.start && node->end <= compiler->known.end &&
           node->start <= compiler->known.at && compiler->known.at < node->end;
}

/* A part that asks for nothing is evaluated now, by the interpreter. False where it asks. */
static bool compile_folded(struct compiler *compiler, const struct operator_row *row,
                           const struct node *node, struct instruction *out)
{
    if (row->kind == KIND_VAR || row->kind == KIND_FLAGD || is_known_to_depend(compiler, node))
        return false;
    enum determinism determinism = operator_determinism(compiler, row, node->first, false);
    if (determinism == DEPENDS) {
        compiler->known.start = node->start;
        compiler->known.end = node->end;
        return false;
    }
    if (determinism == CONSTANT && compiler->status == STATUS_OK) {
        unsigned scopes = compiler->scopes, comparing = compiler->comparing;
        compiler->scopes = compiler->comparing = 0;
        compiler->folding = true; /* an if of three is not evaluated at once by the interpreter */
        if (!interpret_expression(compiler, node, out) || !fold_instruction(compiler, out))
            compile_refuse(compiler, compiler->thrown);
        compiler->folding = false;
        compiler->scopes = scopes;
        compiler->comparing = comparing;
    } else {
        compile_refuse(compiler, compiler->thrown);
    }
    return true;
}

static void compile_map(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    if (node->count == 0) {
        compile_constant(compiler, node, out);
        return;
    }
    const struct operator_row *row = operator_find(node->first->key);
    if (!row || node->count > 1) {
        compile_refuse(compiler,
                       row ? MORE_OPERATORS : compile_message(compiler, UNKNOWN, node->first->key));
        return;
    }
    bool more = compiler->depends_on_more;
    compiler->depends_on_more = false;
    if (!compile_folded(compiler, row, node, out))
        compile_operator(compiler, row, node, out);
    compiler->depends_on_more |= more;
}

void compile_expression(struct compiler *compiler, const struct node *node, struct instruction *out)
{
    if (compiler->status != STATUS_OK || compiler->problem)
        return;
    if (node->type == NODE_MAP)
        compile_map(compiler, node, out);
    else if (node->type == NODE_LIST)
        compile_list(compiler, node, out);
    else
        compile_constant(compiler, node, out);
}
