#include "explain_private.h"
#include "json.h"

#define SHOWN_BYTES 200 /* of one expression; a list of a thousand keys is cut */
#define SHOWN_DEPTH 12

struct writing {
    struct buffer *out;
    size_t limit;  /* the length that *out may grow to */
    bool in_infix; /* an operand of another one is put in brackets */
};

static void write_node(struct writing *writing, const struct node *node, unsigned depth);

void explain_plain(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append_char(out, text.data[i]);
    }
}

static bool is_full(const struct writing *writing)
{
    return writing->out->length >= writing->limit;
}

static void write_list(struct writing *writing, const struct node *first, const char *between,
                       unsigned depth)
{
    for (const struct node *node = first; node && !is_full(writing); node = node->next) {
        if (node != first)
            buffer_append_string(writing->out, between);
        write_node(writing, node, depth);
    }
}

static bool stands_between(struct text name)
{
    static const char *const infix[] = {
        "==", "===", "!=", "!==", "<",  "<=",          ">",         ">=",  "+",
        "-",  "*",   "/",  "%",   "in", "starts_with", "ends_with", "and", "or"};
    for (size_t i = 0; i < COUNT_OF(infix); i++) {
        if (text_is(name, infix[i]))
            return true;
    }
    return false;
}

static void write_call(struct writing *writing, struct text name, const struct node *arguments,
                       unsigned depth)
{
    bool is_list = arguments->type == NODE_LIST, in_infix = writing->in_infix;
    writing->in_infix = false;
    explain_plain(writing->out, name);
    buffer_append_char(writing->out, '(');
    if (is_list)
        write_list(writing, arguments->first, ", ", depth);
    else
        write_node(writing, arguments, depth);
    buffer_append_char(writing->out, ')');
    writing->in_infix = in_infix;
}

static void write_infix(struct writing *writing, struct text name, const struct node *arguments,
                        unsigned depth)
{
    char between[16];
    int length = snprintf(between, sizeof between, " %.*s ", (int)name.length, name.data);
    bool brackets = writing->in_infix;
    if (length < 0)
        return;
    if (brackets)
        buffer_append_char(writing->out, '(');
    writing->in_infix = true;
    write_list(writing, arguments->first, between, depth);
    writing->in_infix = brackets;
    if (brackets)
        buffer_append_char(writing->out, ')');
}

static void write_var(struct writing *writing, const struct node *arguments, unsigned depth)
{
    const struct node *path = arguments->type == NODE_LIST ? arguments->first : arguments;
    if (path && path->type == NODE_STRING)
        explain_plain(writing->out, path->string.length ? path->string : TEXT("the element"));
    else if (path)
        write_call(writing, TEXT("var"), arguments, depth);
    else
        buffer_append_string(writing->out, "the element");
    if (path && path != arguments && path->next && path->type == NODE_STRING) {
        buffer_append_string(writing->out, " (else ");
        write_node(writing, path->next, depth);
        buffer_append_char(writing->out, ')');
    }
}

static void write_sem_ver(struct writing *writing, const struct node *arguments, unsigned depth)
{
    const struct node *comparison = arguments->first->next, *version = comparison->next;
    write_node(writing, arguments->first, depth);
    buffer_append_string(writing->out, " sem_ver ");
    explain_plain(writing->out, comparison->string);
    buffer_append_char(writing->out, ' ');
    if (version->type == NODE_STRING)
        explain_plain(writing->out, version->string);
    else
        write_node(writing, version, depth);
}

static void write_operator(struct writing *writing, const struct node *node, unsigned depth)
{
    const struct node *arguments = node->first;
    bool is_list = arguments->type == NODE_LIST;
    if (text_is(arguments->key, "var"))
        write_var(writing, arguments, depth);
    else if (text_is(arguments->key, "sem_ver") && is_list && arguments->count == 3 &&
             arguments->first->next->type == NODE_STRING)
        write_sem_ver(writing, arguments, depth);
    else if (text_is(arguments->key, "!")) {
        buffer_append_string(writing->out, "not ");
        write_node(writing, is_list && arguments->first ? arguments->first : arguments, depth);
    } else if (is_list && arguments->count > 1 && stands_between(arguments->key))
        write_infix(writing, arguments->key, arguments, depth);
    else
        write_call(writing, arguments->key, arguments, depth);
}

static void write_node(struct writing *writing, const struct node *node, unsigned depth)
{
    if (depth == 0 || is_full(writing)) {
        buffer_append_string(writing->out, "…");
    } else if (node->type == NODE_MAP && node->count == 1) {
        write_operator(writing, node, depth - 1);
    } else if (node->type == NODE_LIST) {
        buffer_append_char(writing->out, '[');
        write_list(writing, node->first, ", ", depth - 1);
        buffer_append_char(writing->out, ']');
    } else {
        json_write_node(writing->out, node);
    }
}

void explain_expression(struct buffer *out, const struct node *node)
{
    size_t start = out->length;
    struct writing writing = {.out = out, .limit = start + SHOWN_BYTES};
    write_node(&writing, node, SHOWN_DEPTH);
    if (out->failed || out->length <= writing.limit)
        return;
    size_t length = writing.limit;
    while (length > start && ((unsigned char)out->data[length] & 0xc0) == 0x80)
        length--;
    out->length = length;
    buffer_append_string(out, "…");
}
