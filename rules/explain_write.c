/* The story of a decision, as text and as JSON. */
#include <math.h>

#include "explain_private.h"
#include "json.h"
#include "utf8.h"

#define VALUE_BYTES 80   /* of a value that is shown */
#define VALUES_COLUMN 56 /* where what was seen begins */
#define INDENT_LEVELS 40

/* --- values ---------------------------------------------------------------------------------- */

/* As JSON; what substr may leave of a character, half a surrogate pair, is shown as U+FFFD. */
static void write_string(struct buffer *out, struct text text)
{
    struct buffer whole;
    if (utf8_valid_length(text) == text.length) {
        json_write_string(out, text);
        return;
    }
    buffer_init(&whole, 0);
    while (text.length) {
        size_t valid = utf8_valid_length(text);
        buffer_append(&whole, text.data, valid);
        text = (struct text){text.data + valid, text.length - valid};
        size_t half = text.length < 3 ? text.length : 3;
        if (half)
            buffer_append_string(&whole, "\xef\xbf\xbd");
        text = (struct text){text.data + half, text.length - half};
    }
    if (whole.failed)
        out->failed = whole.failed;
    else
        json_write_string(out, buffer_text(&whole));
    buffer_dispose(&whole);
}

static void write_value(struct buffer *out, const struct value *value, size_t limit)
{
    bool is_list = value->type == VALUE_LIST;
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        buffer_append_string(out, "null");
        return;
    case VALUE_BOOL:
        buffer_append_string(out, value->boolean ? "true" : "false");
        return;
    case VALUE_NUMBER:
        if (isfinite(value->number))
            json_write_number(out, value->number);
        else
            buffer_append_string(out, "null");
        return;
    case VALUE_STRING:
        write_string(out, value_text(value));
        return;
    case VALUE_ERROR:
        json_write_string(out, text_of(value->problem));
        return;
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    buffer_append_char(out, is_list ? '[' : '{');
    for (uint32_t i = 0; i < value->length && out->length < limit; i++) {
        if (i)
            buffer_append_char(out, ',');
        if (!is_list) {
            json_write_string(out, value->members[i].name);
            buffer_append_char(out, ':');
        }
        write_value(out, is_list ? &value->items[i] : &value->members[i].value, limit);
    }
    buffer_append_char(out, is_list ? ']' : '}');
}

void explain_value(struct buffer *out, const struct value *value)
{
    size_t start = out->length, limit = start + VALUE_BYTES;
    if (value->type == VALUE_NULL && value->length == 0) {
        buffer_append_string(out, "missing");
        return;
    }
    if (value->type == VALUE_ERROR) {
        buffer_append_string(out, value->problem);
        return;
    }
    write_value(out, value, limit);
    if (out->failed || out->length <= limit)
        return;
    size_t length = limit;
    while (length > start && ((unsigned char)out->data[length] & 0xc0) == 0x80)
        length--;
    out->length = length;
    buffer_append_string(out, "…");
}

/* --- text ------------------------------------------------------------------------------------ */

static const char *mark(const struct value *result)
{
    return result->type == VALUE_ERROR ? "!" : value_is_truthy(result) ? "✓" : "✗";
}

static void indent(struct buffer *out, unsigned level)
{
    for (unsigned i = 0; i < level && i < INDENT_LEVELS; i++)
        buffer_append_string(out, "  ");
}

static void write_seen(struct buffer *out, const struct told *told, size_t line)
{
    if (told->attribute_count == 0 || out->failed)
        return;
    size_t width = utf8_count((struct text){out->data + line, out->length - line});
    for (; width + 2 < VALUES_COLUMN; width++)
        buffer_append_char(out, ' ');
    for (size_t i = 0; i < told->attribute_count; i++) {
        buffer_append_string(out, i ? ", " : "  ");
        explain_plain(out, told->attributes[i].path);
        bool missing =
            told->attributes[i].value.type == VALUE_NULL && told->attributes[i].value.length == 0;
        buffer_append_string(out, missing ? " is " : " = ");
        explain_value(out, &told->attributes[i].value);
    }
}

static void write_told(struct buffer *out, const struct told *told, unsigned level)
{
    static const char *const heads[] = {
        [TOLD_ALL] = "all of", [TOLD_ANY] = "any of", [TOLD_NOT] = "not"};
    size_t line = out->length;
    indent(out, level);
    buffer_append_string(out, mark(&told->result));
    buffer_append_char(out, ' ');
    if (told->kind == TOLD_LEAF)
        buffer_append_text(out, told->expression);
    else
        buffer_append_string(out, heads[told->kind]);
    if (told->result.type == VALUE_ERROR && !told->first) {
        buffer_append_string(out, ": ");
        explain_plain(out, text_of(told->result.problem));
    }
    write_seen(out, told, line);
    buffer_append_char(out, '\n');
    for (const struct told *child = told->first; child; child = child->next)
        write_told(out, child, level + 1);
}

static void write_decision_text(struct buffer *out, const struct story *story)
{
    const struct decision *decision = story->decision;
    explain_plain(out, story->flag);
    if (decision->error) {
        buffer_printf(out, ": %s, ", error_code_name(decision->error));
        explain_plain(out, text_of(decision->problem));
        if (decision->resolved.data) {
            buffer_append_string(out, ": ");
            write_string(out, decision->resolved);
        }
        buffer_append_char(out, '\n');
        return;
    }
    buffer_append_string(out, " = ");
    if (decision->value.length)
        buffer_append_text(out, decision->value);
    else
        buffer_append_string(out, "the caller's own default");
    buffer_append_string(out, " (");
    if (decision->variant.data) {
        buffer_append_string(out, "variant ");
        buffer_append_text(out, decision->variant_json);
        buffer_append_string(out, ", ");
    }
    buffer_printf(out, "%s)\n", reason_name(decision->reason));
}

static void write_rule_text(struct buffer *out, const struct told_rule *rule, unsigned number)
{
    buffer_append_string(out, rule->matched ? "✓ " : "✗ ");
    if (rule->condition)
        buffer_printf(out, "rule %u", number);
    else
        buffer_append_string(out, number ? "otherwise" : "always");
    if (rule->matched) {
        buffer_append_string(out, " serves ");
        if (rule->served.type == VALUE_NULL)
            buffer_append_string(out, "the default");
        else
            explain_value(out, &rule->served);
        if (rule->expression.length) {
            buffer_append_string(out, ", by ");
            buffer_append_text(out, rule->expression);
        }
    }
    buffer_append_char(out, '\n');
    if (rule->condition)
        write_told(out, rule->condition, 1);
}

void explain_write_text(struct buffer *out, const struct story *story)
{
    unsigned number = 0;
    write_decision_text(out, story);
    for (const struct told_rule *rule = story->rules; rule; rule = rule->next) {
        number += rule->condition != NULL;
        write_rule_text(out, rule, number);
    }
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void write_whole_value(struct buffer *out, const struct value *value)
{
    write_value(out, value, out->length + 65536);
}

static void write_values_json(struct buffer *out, const struct told *told, bool missing)
{
    const char *before = missing ? ",\"missing\":[" : ",\"values\":{";
    bool any = false;
    for (size_t i = 0; i < told->attribute_count; i++) {
        const struct told_attribute *attribute = &told->attributes[i];
        if ((attribute->value.type == VALUE_NULL && attribute->value.length == 0) != missing)
            continue;
        buffer_append_string(out, any ? "," : before);
        json_write_string(out, attribute->path);
        if (!missing) {
            buffer_append_char(out, ':');
            write_whole_value(out, &attribute->value);
        }
        any = true;
    }
    if (any)
        buffer_append_char(out, missing ? ']' : '}');
}

static void write_told_json(struct buffer *out, const struct told *told)
{
    static const char *const names[] = {
        [TOLD_ALL] = "{\"all\":[", [TOLD_ANY] = "{\"any\":[", [TOLD_NOT] = "{\"not\":"};
    if (told->kind == TOLD_LEAF) {
        buffer_append_string(out, "{\"expression\":");
        json_write_string(out, told->expression);
    } else {
        buffer_append_string(out, names[told->kind]);
        for (const struct told *child = told->first; child; child = child->next) {
            if (child != told->first)
                buffer_append_char(out, ',');
            write_told_json(out, child);
        }
        buffer_append_string(out, told->kind == TOLD_NOT ? "" : "]");
    }
    if (told->result.type == VALUE_ERROR) {
        buffer_append_string(out, ",\"error\":");
        json_write_string(out, text_of(told->result.problem));
    } else {
        buffer_append_string(out, value_is_truthy(&told->result) ? ",\"result\":true"
                                                                 : ",\"result\":false");
    }
    write_values_json(out, told, false);
    write_values_json(out, told, true);
    buffer_append_char(out, '}');
}

static void write_decision_json(struct buffer *out, const struct story *story)
{
    const struct decision *decision = story->decision;
    buffer_append_string(out, "{\"flag\":");
    json_write_string(out, story->flag);
    if (decision->value.length) {
        buffer_append_string(out, ",\"value\":");
        buffer_append_text(out, decision->value);
    }
    if (decision->variant.data) {
        buffer_append_string(out, ",\"variant\":");
        buffer_append_text(out, decision->variant_json);
    }
    buffer_printf(out, ",\"reason\":\"%s\"", reason_name(decision->reason));
    if (decision->error) {
        buffer_printf(out,
                      ",\"errorCode\":\"%s\",\"errorDetails\":", error_code_name(decision->error));
        json_write_string(out, text_of(decision->problem));
    }
    if (decision->resolved.data) {
        buffer_append_string(out, ",\"resolved\":");
        write_string(out, decision->resolved);
    }
}

void explain_write_json(struct buffer *out, const struct story *story)
{
    unsigned number = 0;
    write_decision_json(out, story);
    buffer_append_string(out, ",\"rules\":[");
    for (const struct told_rule *rule = story->rules; rule; rule = rule->next) {
        if (rule != story->rules)
            buffer_append_char(out, ',');
        if (rule->condition)
            buffer_printf(out, "{\"rule\":%u,\"matched\":%s", ++number,
                          rule->matched ? "true" : "false");
        else
            buffer_append_string(out, "{\"matched\":true");
        if (rule->matched) {
            buffer_append_string(out, ",\"serves\":");
            write_whole_value(out, &rule->served);
        }
        if (rule->expression.length) {
            buffer_append_string(out, ",\"by\":");
            json_write_string(out, rule->expression);
        }
        if (rule->condition) {
            buffer_append_string(out, ",\"condition\":");
            write_told_json(out, rule->condition);
        }
        buffer_append_char(out, '}');
    }
    buffer_append_string(out, "]}\n");
}
