/* The same JSON in other words. */
#include "../../rules/json.h"
#include "generator.h"

/* Each character that JSON lets one escape is escaped. */
static void write_escaped(struct buffer *out, struct text string)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < string.length; i++) {
        unsigned char c = (unsigned char)string.data[i];
        if (c < 0x80)
            buffer_printf(out, "\\u%04X", c);
        else
            buffer_append_char(out, (char)c);
    }
    buffer_append_char(out, '"');
}

static void write_variation(const struct node *node, struct buffer *out);

static void write_reversed(const struct node *entry, struct buffer *out)
{
    if (entry->next) {
        write_reversed(entry->next, out);
        buffer_append_string(out, " ,\t");
    }
    write_escaped(out, entry->key);
    buffer_append_string(out, "\r\n: ");
    write_variation(entry, out);
}

static void write_variation(const struct node *node, struct buffer *out)
{
    switch (node->type) {
    case NODE_STRING:
        write_escaped(out, node->string);
        break;
    case NODE_LIST:
        buffer_append_string(out, "[ ");
        for (const struct node *item = node->first; item; item = item->next) {
            write_variation(item, out);
            buffer_append_string(out, item->next ? "\n," : " ");
        }
        buffer_append_char(out, ']');
        break;
    case NODE_MAP:
        buffer_append_string(out, "{ ");
        if (node->first)
            write_reversed(node->first, out);
        buffer_append_char(out, '}');
        break;
    default:
        json_write_node(out, node);
    }
}

void generate_variation(struct text object, struct buffer *out)
{
    struct arena arena;
    const struct node *root;
    struct error error = {0};
    arena_init(&arena, 0);
    FUZZ_CHECK(json_read(&arena, object, JSON_LIMITS_DEFAULT, &root, &error) == STATUS_OK,
               "generated context: %s", error.message);
    write_variation(root, out);
    arena_dispose(&arena);
}
