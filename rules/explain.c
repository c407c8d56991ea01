/* Takes a flag's rules apart along their JSON: each condition is compiled and evaluated by itself,
 * for the truth, and shown with the attributes that it names. */
#include "explain_private.h"
#include "json.h"
#include "machine.h"
#include "program_rule.h"

#define MAX_TOLD 4096 /* conditions; of more, the rest is not taken apart */
#define STORY_MEMORY ((size_t)256 << 20)

struct teller {
    struct arena arena;
    struct machine machine;
    struct compiler compiler;
    struct story *story;
    size_t told;
    bool interpreted; /* as rules with less than three parts are */
};

static bool keep_text(struct teller *teller, struct buffer *buffer, struct text *out)
{
    bool good = !buffer->failed && arena_copy(&teller->arena, buffer_text(buffer), out);
    buffer_dispose(buffer);
    if (!good)
        teller->story->out_of_memory = true;
    return good;
}

static void keep_expression(struct teller *teller, const struct node *node, struct text *out)
{
    struct buffer buffer;
    buffer_init(&buffer, 0);
    explain_expression(&buffer, node);
    keep_text(teller, &buffer, out);
}

/* What a part of the rules comes to by itself. */
static struct value evaluate_part(struct teller *teller, const struct node *node)
{
    struct instruction instruction = {0};
    struct compiler *compiler = &teller->compiler;
    compiler->instructions = 0;
    if (!teller->interpreted)
        compile_expression(compiler, node, &instruction);
    else if (!interpret_expression(compiler, node, &instruction))
        return value_error(compiler->thrown);
    if (compiler->status != STATUS_OK) {
        teller->story->out_of_memory = true;
        return value_error("no memory");
    }
    if (compiler->problem) {
        const char *problem = compiler->problem;
        compiler->problem = NULL;
        return value_error(problem);
    }
    if (instruction.op == OP_SLOT) /* stays until the context is read again */
        return teller->machine.context->slots[instruction.slot];
    teller->machine.context->scratch_used = 0;
    teller->machine.steps = 0;
    struct value value = machine_evaluate(&teller->machine, &instruction), kept;
    if (!value_copy(&teller->arena, &value, &kept)) {
        teller->story->out_of_memory = true;
        return value_error("no memory");
    }
    return kept;
}

/* --- attributes ------------------------------------------------------------------------------ */

static void add_attribute(struct teller *teller, struct told *told, const struct node *var)
{
    const struct node *path = var->first->type == NODE_LIST ? var->first->first : var->first;
    if (!path || path->type != NODE_STRING || path->string.length == 0 ||
        told->attribute_count == TOLD_ATTRIBUTES)
        return;
    for (size_t i = 0; i < told->attribute_count; i++) {
        if (text_equal(told->attributes[i].path, path->string))
            return;
    }
    struct told_attribute *attribute = &told->attributes[told->attribute_count++];
    attribute->value = evaluate_part(teller, var);
    if (!arena_copy(&teller->arena, path->string, &attribute->path))
        teller->story->out_of_memory = true;
}

/* Below an iterator paths begin at its elements. */
static bool is_iterator(struct text name)
{
    const struct operator_row *row = operator_find(name);
    return row && (row->kind == KIND_ITERATOR || row->kind == KIND_REDUCE);
}

static void collect_attributes(struct teller *teller, struct told *told, const struct node *node)
{
    if (node->type == NODE_MAP && node->count == 1 && text_is(node->first->key, "var")) {
        add_attribute(teller, told, node);
        return;
    }
    if (node->type == NODE_MAP && node->count == 1 && is_iterator(node->first->key) &&
        node->first->type == NODE_LIST && node->first->first) {
        collect_attributes(teller, told, node->first->first);
        return;
    }
    if (node->type != NODE_MAP && node->type != NODE_LIST)
        return;
    for (const struct node *child = node->first; child; child = child->next)
        collect_attributes(teller, told, child);
}

/* --- conditions ------------------------------------------------------------------------------ */

static struct told *tell(struct teller *teller, const struct node *node);

static bool mentions(const struct node *node, struct text path)
{
    if (node->type == NODE_STRING)
        return text_equal(node->string, path);
    for (const struct node *child = node->type == NODE_MAP || node->type == NODE_LIST ? node->first
                                                                                      : NULL;
         child; child = child->next) {
        if (mentions(child, path))
            return true;
    }
    return false;
}

/* {"!==":[X, null]} in front of another condition on X. */
static bool only_asks_whether_it_exists(const struct node *node)
{
    const struct node *list = node_get(node, "!==");
    if (!list || list->type != NODE_LIST || list->count != 2 || !node->next ||
        list->first->next->type != NODE_NULL)
        return false;
    const struct node *path = node_get(list->first, "var");
    return path && path->type == NODE_STRING && mentions(node->next, path->string);
}

/* A guard that weir's compiler writes is part of the condition behind it, and says nothing by
 * itself. How many arguments it takes. */
static uint32_t guard_at(struct teller *teller, const struct node *node)
{
    struct instruction guard = {0};
    uint32_t length = compile_guard(&teller->compiler, node, &guard);
    return length ? length : only_asks_whether_it_exists(node);
}

static void tell_children(struct teller *teller, struct told *told, const struct node *list)
{
    struct told **end = &told->first;
    bool all = told->kind == TOLD_ALL;
    for (const struct node *node = list->first; node && !teller->story->out_of_memory;) {
        uint32_t skipped = all ? guard_at(teller, node) : 0;
        const struct node *behind = node;
        for (uint32_t i = 0; i < skipped && behind; i++)
            behind = behind->next;
        if (skipped && behind) {
            node = behind;
            continue;
        }
        struct told *child = tell(teller, node);
        if (!child)
            return;
        *end = child;
        end = &child->next;
        /* What decided is the last one that was looked at. */
        if (child->result.type == VALUE_ERROR || value_is_truthy(&child->result) != all)
            return;
        node = node->next;
    }
}

static enum told_kind kind_of(const struct teller *teller, const struct node *node)
{
    if (node->type != NODE_MAP || node->count != 1 || teller->told > MAX_TOLD)
        return TOLD_LEAF;
    const struct node *arguments = node->first;
    bool is_list = arguments->type == NODE_LIST && arguments->count > 0;
    if (is_list && text_is(arguments->key, "and"))
        return TOLD_ALL;
    if (is_list && text_is(arguments->key, "or"))
        return TOLD_ANY;
    if (text_is(arguments->key, "!") && (is_list || arguments->type == NODE_MAP))
        return TOLD_NOT;
    return TOLD_LEAF;
}

static struct told *tell(struct teller *teller, const struct node *node)
{
    struct told *told = ARENA_NEW(&teller->arena, struct told);
    if (!told) {
        teller->story->out_of_memory = true;
        return NULL;
    }
    teller->told++;
    told->kind = kind_of(teller, node);
    told->result = evaluate_part(teller, node);
    if (told->result.type == VALUE_ERROR || told->kind == TOLD_LEAF) {
        told->kind = TOLD_LEAF;
        collect_attributes(teller, told, node);
        keep_expression(teller, node, &told->expression);
    } else if (told->kind == TOLD_NOT) {
        const struct node *operand = node->first;
        told->first = tell(teller, operand->type == NODE_LIST ? operand->first : operand);
    } else {
        tell_children(teller, told, node->first);
        if (told->first && !told->first->next && told->first->kind == TOLD_LEAF &&
            value_is_truthy(&told->first->result) == value_is_truthy(&told->result))
            return told->first; /* all that is left, but for guards */
    }
    return told;
}

/* --- rules ----------------------------------------------------------------------------------- */

static struct told_rule *new_rule(struct teller *teller, struct told_rule ***end)
{
    struct told_rule *rule = ARENA_NEW(&teller->arena, struct told_rule);
    if (!rule) {
        teller->story->out_of_memory = true;
        return NULL;
    }
    **end = rule;
    *end = &rule->next;
    return rule;
}

static void tell_served(struct teller *teller, struct told_rule *rule, const struct node *served)
{
    rule->matched = true;
    rule->served = evaluate_part(teller, served);
    if (served->type == NODE_MAP || served->type == NODE_LIST)
        keep_expression(teller, served, &rule->expression);
}

static void tell_rules(struct teller *teller, const struct node *targeting)
{
    struct told_rule **end = &teller->story->rules, *rule;
    const struct node *branches = node_get(targeting, "if"), *node;
    bool chain = targeting->type == NODE_MAP && targeting->count == 1 && branches &&
                 branches->type == NODE_LIST && branches->count > 1;
    teller->interpreted = chain && branches->count < 3;
    for (node = chain ? branches->first : NULL; node && node->next; node = node->next->next) {
        rule = new_rule(teller, &end);
        if (!rule)
            return;
        rule->condition = tell(teller, node);
        if (!rule->condition || rule->condition->result.type == VALUE_ERROR)
            return;
        if (value_is_truthy(&rule->condition->result)) {
            tell_served(teller, rule, node->next);
            return;
        }
    }
    node = chain ? node : targeting;
    if (node && (rule = new_rule(teller, &end)))
        tell_served(teller, rule, node);
}

static void tell_targeting(struct teller *teller)
{
    const struct node *flag;
    enum status status =
        json_read(&teller->arena, teller->compiler.json, JSON_LIMITS_DEFAULT, &flag, NULL);
    const struct node *targeting = status == STATUS_OK ? node_get(flag, "targeting") : NULL;
    if (status != STATUS_OK) /* half a story would mislead */
        teller->story->out_of_memory = true;
    if (!targeting)
        return;
    compile_drop_repeated((struct node *)(uintptr_t)targeting); /* the tree is this story's own */
    tell_rules(teller, targeting);
}

void explain(const struct fragment *fragment, struct text flag, struct context *context,
             int64_t now, enum explain_format format, struct buffer *out)
{
    struct decision decision;
    struct story story = {.flag = flag, .decision = &decision};
    struct teller teller = {.story = &story};
    struct buffer json; /* of the flag */
    arena_init(&teller.arena, STORY_MEMORY);
    buffer_init(&json, STORY_MEMORY);
    if (fragment && !fragment->program.disabled && fragment->program.targeting &&
        !fragment->program.problem) {
        teller.machine =
            (struct machine){.context = context, .program = &fragment->program, .now = (double)now};
        fragment_append_json(fragment, &json);
        teller.compiler = (struct compiler){
            .arena = &teller.arena, .attributes = context->attributes, .json = buffer_text(&json)};
        teller.compiler.frozen = true;
        if (json.failed)
            story.out_of_memory = true;
        else
            tell_targeting(&teller);
        fold_dispose(&teller.compiler);
    }
    evaluate(fragment, context, now, &decision); /* last, since the scratch memory is its now */
    if (story.out_of_memory)
        out->failed = STATUS_NO_MEMORY;
    else if (format == EXPLAIN_JSON)
        explain_write_json(out, &story);
    else
        explain_write_text(out, &story);
    buffer_dispose(&json);
    arena_dispose(&teller.arena);
}
