/* Nodes as YAML in the style of the examples: short things in one line, long ones as blocks. */
#include "import_private.h"
#include "utf8.h"

#define WIDTH 100
#define NARROW 0x7fffffff

static bool is_word(struct text text)
{
    static const char *const reserved[] = {"true", "false", "null", "nan", "inf"};
    if (text.length == 0 || text.length > 60)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !c || !strchr("0123456789./-", c)))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        if (text.length == strlen(reserved[i]) &&
            strncasecmp(text.data, reserved[i], text.length) == 0)
            return false;
    }
    return true;
}

static uint32_t code_point(const char *p, size_t length)
{
    const unsigned char *b = (const unsigned char *)p;
    if (length == 2)
        return ((b[0] & 0x1fu) << 6) | (b[1] & 0x3fu);
    if (length == 3)
        return ((b[0] & 0x0fu) << 12) | ((b[1] & 0x3fu) << 6) | (b[2] & 0x3fu);
    return b[0];
}

/* What YAML does not take as it stands, or an editor would show as something else. */
static bool must_escape(uint32_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || (c >= 0x7f && c <= 0xa0) || c == 0x2028 ||
           c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

static void write_quoted(struct buffer *out, struct text text)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < text.length;) {
        unsigned char first = (unsigned char)text.data[i];
        size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        uint32_t c = code_point(text.data + i, length);
        if (length < 4 && must_escape(c)) {
            if (c == '"' || c == '\\')
                buffer_printf(out, "\\%c", (char)c);
            else if (c == '\n')
                buffer_append_string(out, "\\n");
            else if (c == '\t')
                buffer_append_string(out, "\\t");
            else
                buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_append(out, text.data + i, length);
        }
        i += length;
    }
    buffer_append_char(out, '"');
}

static void write_text(struct buffer *out, struct text text)
{
    if (is_word(text))
        buffer_append_text(out, text);
    else
        write_quoted(out, text);
}

static bool is_full(const struct buffer *out, size_t start, size_t room)
{
    return out->length - start > room;
}

/* In one line; false, with something written, where that takes more than `room` bytes. */
static bool write_flow(struct buffer *out, const struct node *node, size_t room)
{
    size_t start = out->length;
    bool map = node->type == NODE_MAP;
    switch (node->type) {
    case NODE_NULL:
        buffer_append_string(out, "null");
        break;
    case NODE_BOOL:
        buffer_append_string(out, node->boolean ? "true" : "false");
        break;
    case NODE_NUMBER:
        json_write_number(out, node->number);
        break;
    case NODE_STRING:
        write_text(out, node->string);
        break;
    case NODE_LIST:
    case NODE_MAP:
        buffer_append_char(out, map ? '{' : '[');
        for (const struct node *entry = node->first; entry; entry = entry->next) {
            if (map) {
                write_text(out, entry->key);
                buffer_append_string(out, ": ");
            }
            if (is_full(out, start, room) || !write_flow(out, entry, room - (out->length - start)))
                return false;
            if (entry->next)
                buffer_append_string(out, ", ");
        }
        buffer_append_char(out, map ? '}' : ']');
        break;
    }
    return !is_full(out, start, room);
}

static bool is_collection(const struct node *node)
{
    return (node->type == NODE_MAP || node->type == NODE_LIST) && node->first;
}

static void write_block(struct buffer *out, const struct node *node, unsigned depth,
                        unsigned indent);

/* What stands behind "key:" or "-", which ended at `column`. */
static void write_behind(struct buffer *out, const struct node *node, unsigned depth,
                         unsigned indent, size_t column, bool in_list)
{
    size_t start = out->length;
    bool tall = depth == 0 ? text_is(node->key, "spec") : depth == 1 && text_is(node->key, "rules");
    bool rule = in_list && depth == 2;
    buffer_append_char(out, ' ');
    if (!is_collection(node)) {
        write_flow(out, node, NARROW);
    } else if (!((tall || rule) && is_collection(node)) && column + 1 < WIDTH &&
               write_flow(out, node, WIDTH - column - 1)) {
        ;
    } else {
        out->length = out->failed ? out->length : start;
        if (in_list && node->type == NODE_MAP) {
            buffer_append_char(out, ' ');
            write_block(out, node, depth + 1, indent + 2);
            return;
        }
        buffer_append_char(out, '\n');
        for (unsigned i = 0; i < indent + 2; i++)
            buffer_append_char(out, ' ');
        write_block(out, node, depth + 1, indent + 2);
        return;
    }
    buffer_append_char(out, '\n');
}

/* The first line is indented already; each ends with a line break. */
static void write_block(struct buffer *out, const struct node *node, unsigned depth,
                        unsigned indent)
{
    bool map = node->type == NODE_MAP;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        for (unsigned i = 0; i < indent && entry != node->first; i++)
            buffer_append_char(out, ' ');
        size_t start = out->length;
        if (map) {
            write_text(out, entry->key);
            buffer_append_char(out, ':');
        } else {
            buffer_append_char(out, '-');
        }
        write_behind(out, entry, depth, indent, indent + out->length - start, !map);
    }
}

void import_write(struct buffer *out, const struct node *document)
{
    write_block(out, document, 0, 0);
}
