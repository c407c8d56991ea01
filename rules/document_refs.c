#include "document_refs.h"

#include "json.h"

/* "0", "12": members whose names are indexes come first in JavaScript, in their order. */
static bool is_index(struct text name, uint64_t *out)
{
    *out = 0;
    if (name.length == 0 || name.length > 10 || (name.length > 1 && name.data[0] == '0'))
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(name.data[i] - '0');
    }
    return *out < UINT32_MAX;
}

static bool comes_after(struct text a, struct text b)
{
    uint64_t x, y;
    bool a_is_index = is_index(a, &x), b_is_index = is_index(b, &y);
    return b_is_index && (!a_is_index || x > y);
}

enum status references_read(struct arena *arena, const struct node *evaluators,
                            struct references *out)
{
    *out = (struct references){NULL, 0};
    if (!evaluators || evaluators->type != NODE_MAP || evaluators->count == 0)
        return STATUS_OK;
    out->evaluators = ARENA_ARRAY(arena, const struct node *, evaluators->count);
    if (!out->evaluators)
        return STATUS_NO_MEMORY;
    for (const struct node *entry = evaluators->first; entry; entry = entry->next) {
        uint32_t at = 0;
        while (at < out->count && !text_equal(out->evaluators[at]->key, entry->key))
            at++;
        if (at < out->count) { /* of equal names the last one counts, in the place of the first */
            out->evaluators[at] = entry;
            continue;
        }
        for (at = out->count++; at > 0 && comes_after(out->evaluators[at - 1]->key, entry->key);
             at--)
            out->evaluators[at] = out->evaluators[at - 1];
        out->evaluators[at] = entry;
    }
    return STATUS_OK;
}

struct writing {
    const struct references *references;
    struct buffer *out;
    uint32_t first; /* evaluators before this one have had their turn */
};

static bool write_node(struct writing *writing, const struct node *node, unsigned depth);

/* The evaluator that `node` refers to, whose turn is still to come; or the count. */
static uint32_t referred(const struct writing *writing, const struct node *node)
{
    uint32_t count = writing->references->count;
    if (node->type != NODE_MAP || node->count != 1 || !text_is(node->first->key, "$ref") ||
        node->first->type != NODE_STRING)
        return count;
    for (uint32_t i = writing->first; i < count; i++) {
        if (text_equal(writing->references->evaluators[i]->key, node->first->string))
            return i;
    }
    return count;
}

static bool write_entries(struct writing *writing, const struct node *node, unsigned depth)
{
    bool is_map = node->type == NODE_MAP;
    buffer_append_char(writing->out, is_map ? '{' : '[');
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        if (entry != node->first)
            buffer_append_char(writing->out, ',');
        if (is_map) {
            json_write_string(writing->out, entry->key);
            buffer_append_char(writing->out, ':');
        }
        if (!write_node(writing, entry, depth - 1))
            return false;
    }
    buffer_append_char(writing->out, is_map ? '}' : ']');
    return true;
}

static bool write_node(struct writing *writing, const struct node *node, unsigned depth)
{
    uint32_t found = referred(writing, node);
    if (depth == 0 || writing->out->failed)
        return false;
    if (found < writing->references->count) {
        uint32_t first = writing->first;
        writing->first = found + 1;
        bool good = write_node(writing, writing->references->evaluators[found], depth);
        writing->first = first;
        return good;
    }
    if (node->type == NODE_MAP || node->type == NODE_LIST)
        return write_entries(writing, node, depth);
    json_write_node(writing->out, node);
    return true;
}

bool references_write(const struct references *references, const struct node *node,
                      struct buffer *out)
{
    struct writing writing = {.references = references, .out = out};
    return write_node(&writing, node, JSON_DEFAULT_DEPTH) && !out->failed;
}
