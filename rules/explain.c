/* Walks the flag's JSON and its program side by side: the JSON for the words, the program for the
 * truth. */
#include "explain.h"

#include "json.h"
#include "machine.h"

#define SHOWN_LENGTH 160 /* of one condition's JSON; a list of a thousand keys is cut */
#define SHOWN_ATTRIBUTES 8

struct teller {
    struct machine *machine;
    struct text json; /* of the flag */
    struct buffer *out;
};

static void write_cut(struct buffer *out, struct text text)
{
    bool cut = text.length > SHOWN_LENGTH;
    size_t length = cut ? SHOWN_LENGTH : text.length;
    while (cut && length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length--;
    buffer_append(out, text.data, length);
    if (cut)
        buffer_append_string(out, "…");
}

static void write_value(struct buffer *out, const struct value *value)
{
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        buffer_append_string(out, "missing");
        break;
    case VALUE_BOOL:
        buffer_append_string(out, value->boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        json_write_number(out, value->number);
        break;
    case VALUE_STRING:
        json_write_string(out, (struct text){value->string, value->length});
        break;
    case VALUE_LIST:
        buffer_printf(out, "list of %u", value->length);
        break;
    case VALUE_MAP:
        buffer_printf(out, "object of %u", value->length);
        break;
    case VALUE_ERROR:
        buffer_append_string(out, value->problem);
        break;
    }
}

static void write_attribute(struct teller *teller, struct text path)
{
    struct buffer *out = teller->out;
    const struct attributes *attributes = teller->machine->context->attributes;
    uint16_t slot;
    buffer_append_string(out, "  ");
    buffer_append_text(out, path);
    buffer_append_string(out, " = ");
    if (text_is(path, "$flagd.timestamp"))
        json_write_number(out, teller->machine->now);
    else if (attributes_find(attributes, path, &slot))
        write_value(out, &teller->machine->context->slots[slot]);
    else /* a path below an element of a list */
        buffer_append_string(out, "of the element");
}

/* The attributes that a condition names, each once, in the order of their first mention. */
struct mentions {
    struct text paths[SHOWN_ATTRIBUTES];
    size_t count;
};

static void collect(const struct node *node, struct mentions *mentions)
{
    const struct node *path = node_get(node, "var");
    if (path && path->type == NODE_STRING && path->string.length) {
        for (size_t i = 0; i < mentions->count; i++) {
            if (text_equal(mentions->paths[i], path->string))
                return;
        }
        if (mentions->count < SHOWN_ATTRIBUTES)
            mentions->paths[mentions->count++] = path->string;
        return;
    }
    if (node->type != NODE_MAP && node->type != NODE_LIST)
        return;
    for (const struct node *child = node->first; child; child = child->next)
        collect(child, mentions);
}

static void tell_condition(struct teller *teller, const struct node *node,
                           const struct value *result)
{
    struct mentions mentions = {.count = 0};
    struct text source = {teller->json.data + node->start, node->end - node->start};
    buffer_append_string(teller->out, "    ");
    write_cut(teller->out, source);
    buffer_append_string(teller->out, "  is ");
    if (result->type == VALUE_ERROR)
        write_value(teller->out, result);
    else
        buffer_append_string(teller->out, value_is_truthy(result) ? "true" : "false");
    collect(node, &mentions);
    for (size_t i = 0; i < mentions.count; i++)
        write_attribute(teller, mentions.paths[i]);
    buffer_append_char(teller->out, '\n');
}

/* The targeting {"if":[condition, served, …, otherwise]}: one pair a rule. */
static void tell_rules(struct teller *teller, const struct node *branches,
                       const struct instruction *program)
{
    const struct node *node = branches->first;
    for (uint32_t i = 0; i + 1 < program->count && node && node->next;
         i += 2, node = node->next->next) {
        struct value condition = machine_evaluate(teller->machine, &program->arguments[i]);
        bool matched = condition.type == VALUE_ERROR || value_is_truthy(&condition);
        buffer_printf(teller->out, "  rule %u: %s", i / 2 + 1,
                      matched ? "matched, serves " : "no\n");
        if (matched) {
            struct value served = machine_evaluate(teller->machine, &program->arguments[i + 1]);
            if (served.type == VALUE_NULL)
                buffer_append_string(teller->out, "the default");
            else
                write_value(teller->out, &served);
            buffer_append_char(teller->out, '\n');
        }
        tell_condition(teller, node, &condition);
        if (matched)
            return;
        teller->machine->context->scratch_used = 0;
    }
    buffer_append_string(teller->out, "  no rule matched\n");
}

static void tell_targeting(struct teller *teller, const struct program *program)
{
    struct arena arena;
    const struct node *flag;
    arena_init(&arena, 0);
    enum status status = json_read(&arena, teller->json, JSON_LIMITS_DEFAULT, &flag, NULL);
    if (status != STATUS_OK) { /* half a story would mislead */
        teller->out->failed = status;
    } else {
        const struct node *targeting = node_get(flag, "targeting"),
                          *branches = node_get(targeting, "if");
        if (branches && branches->type == NODE_LIST && program->targeting->op == OP_IF) {
            tell_rules(teller, branches, program->targeting);
        } else if (targeting) {
            struct value result = machine_evaluate(teller->machine, program->targeting);
            tell_condition(teller, targeting, &result);
        }
    }
    arena_dispose(&arena);
}

static void tell_decision(struct buffer *out, struct text key, const struct decision *decision)
{
    buffer_append_text(out, key);
    if (decision->error) {
        buffer_printf(out, ": %s, %s\n", error_code_name(decision->error), decision->problem);
        return;
    }
    buffer_append_string(out, " = ");
    if (decision->value.length)
        buffer_append_text(out, decision->value);
    else
        buffer_append_string(out, "the caller's own default");
    if (decision->variant.length) {
        buffer_append_string(out, " (variant ");
        buffer_append_text(out, decision->variant_json);
        buffer_printf(out, ", %s)\n", reason_name(decision->reason));
    } else {
        buffer_printf(out, " (%s)\n", reason_name(decision->reason));
    }
}

void explain(const struct fragment *fragment, struct context *context, int64_t now,
             struct buffer *out)
{
    struct decision decision;
    evaluate(fragment, context, now, &decision);
    tell_decision(out, fragment ? fragment->key : TEXT("flag"), &decision);
    if (!fragment || fragment->program->disabled || !fragment->program->targeting)
        return;
    struct machine machine = {.context = context, .program = fragment->program, .now = (double)now};
    struct teller teller = {&machine, fragment->json, out};
    context->scratch_used = 0;
    tell_targeting(&teller, fragment->program);
}
