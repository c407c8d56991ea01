#include "document_refs.h"

#include "json.h"
#include "json_scan.h"

/* --- in JavaScript's order ------------------------------------------------------------------- */

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

static int by_index(const void *a, const void *b)
{
    uint64_t x, y;
    is_index(((const struct reference *)a)->name, &x);
    is_index(((const struct reference *)b)->name, &y);
    return (x > y) - (x < y);
}

/* Indexes to the front; the others keep the order in which they are written. */
static enum status put_in_order(struct references *references)
{
    size_t indexes = 0, others = 0, bytes;
    uint64_t index;
    if (!size_multiply(references->count, sizeof *references->evaluators, &bytes))
        return STATUS_NO_MEMORY;
    struct reference *sorted = malloc(bytes ? bytes : 1);
    if (!sorted)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < references->count; i++)
        indexes += is_index(references->evaluators[i].name, &index);
    size_t first_other = indexes;
    indexes = 0;
    for (size_t i = 0; i < references->count; i++) {
        const struct reference *reference = &references->evaluators[i];
        if (is_index(reference->name, &index))
            sorted[indexes++] = *reference;
        else
            sorted[first_other + others++] = *reference;
    }
    if (indexes)
        qsort(sorted, indexes, sizeof *sorted, by_index);
    free(references->evaluators);
    references->evaluators = sorted;
    references->size = references->count;
    return STATUS_OK;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool make_room(struct references *references)
{
    size_t bytes;
    if (references->count < references->size)
        return true;
    size_t size = references->size ? references->size * 2 : 16;
    if (!size_multiply(size, sizeof *references->evaluators, &bytes))
        return false;
    struct reference *evaluators = realloc(references->evaluators, bytes);
    if (!evaluators)
        return false;
    references->evaluators = evaluators;
    references->size = size;
    return true;
}

/* The next member; the cursor is at its key. What is too deep for a tree is no flag's harm but of
 * those that refer to it. */
static enum status read_evaluator(struct arena *arena, struct json_cursor *at,
                                  struct references *out)
{
    struct text raw;
    bool escapes;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.views = true;
    if (!json_scan_key(at, &raw, &escapes))
        return STATUS_INVALID;
    char *name = arena_allocate(arena, raw.length);
    if (!name || !make_room(out))
        return STATUS_NO_MEMORY;
    struct reference *reference = &out->evaluators[out->count++];
    *reference = (struct reference){.name = {name, json_decode_string(raw, name)}};
    const char *start = at->p;
    if (!json_skip_value(at, JSON_SKIP_DEPTH))
        return STATUS_INVALID;
    struct text value = {start, (size_t)(at->p - start)};
    enum status status = json_read(arena, value, limits, &reference->node, NULL);
    if (status != STATUS_LIMIT)
        return status;
    *at = (struct json_cursor){.p = start, .end = at->end};
    if (json_skip_value(at, JSON_DEFAULT_DEPTH))
        reference->extent.size = SIZE_MAX;
    else
        reference->extent.depth = REFERENCES_TOO_DEEP;
    *at = (struct json_cursor){.p = value.data + value.length, .end = at->end};
    return STATUS_OK;
}

static enum status read_evaluators(struct arena *arena, struct text json, struct references *out)
{
    struct json_cursor at = {.p = json.data + 1, .end = json.data + json.length};
    for (bool first = true; json_scan_entry(&at, '}', first) > 0; first = false) {
        enum status status = read_evaluator(arena, &at, out);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* A table wants nodes: this one stands for what could not be read. */
static const struct node unread = {.type = NODE_NULL};

static enum status learn_positions(struct references *references)
{
    if (!names_reset(&references->positions, references->count))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < references->count; i++)
        names_put(&references->positions, references->evaluators[i].name, &unread, i);
    return STATUS_OK;
}

/* Of equal names the last one counts, in the place of the first. */
static enum status drop_doubles(struct references *references)
{
    size_t kept = 0;
    if (!names_reset(&references->positions, references->count))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < references->count; i++) {
        struct reference *reference = &references->evaluators[i];
        const struct name *before =
            names_put(&references->positions, reference->name, &unread, kept);
        references->evaluators[before ? before->index : kept++] = *reference;
    }
    references->count = kept;
    return STATUS_OK;
}

/* --- replacing ------------------------------------------------------------------------------- */

struct writing {
    const struct references *references;
    struct buffer *out;
    size_t first;          /* evaluators before this one have had their turn */
    struct extent *extent; /* only measured: what is put in is counted, and not written */
};

static void write_node(struct writing *writing, const struct node *node, uint32_t level);

/* The evaluator that `node` refers to, not before `first`; or the count. */
static size_t referred(const struct references *references, size_t first, const struct node *node)
{
    size_t count = references->count;
    if (node->type != NODE_MAP || node->count != 1 || !text_is(node->first->key, "$ref") ||
        node->first->type != NODE_STRING)
        return count;
    const struct name *found = names_find(&references->positions, node->first->string);
    return found && found->index >= first ? found->index : count;
}

static void reach(struct extent *extent, uint32_t level)
{
    if (level > REFERENCES_TOO_DEEP)
        level = REFERENCES_TOO_DEEP;
    if (level > extent->depth)
        extent->depth = level;
}

static void write_entries(struct writing *writing, const struct node *node, uint32_t level)
{
    bool is_map = node->type == NODE_MAP;
    if (writing->extent)
        reach(writing->extent, level);
    buffer_append_char(writing->out, is_map ? '{' : '[');
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        if (entry != node->first)
            buffer_append_char(writing->out, ',');
        if (is_map) {
            json_write_string(writing->out, entry->key);
            buffer_append_char(writing->out, ':');
        }
        write_node(writing, entry, level);
    }
    buffer_append_char(writing->out, is_map ? '}' : ']');
}

static void put_in(struct writing *writing, const struct reference *reference, uint32_t level)
{
    size_t first = writing->first;
    if (writing->extent) {
        if (!size_add(writing->extent->size, reference->extent.size, &writing->extent->size))
            writing->extent->size = SIZE_MAX;
        reach(writing->extent, level + reference->extent.depth);
        return;
    }
    writing->first = reference->first;
    write_node(writing, reference->node, level);
    writing->first = first;
}

/* `level` lists and maps are around it. */
static void write_node(struct writing *writing, const struct node *node, uint32_t level)
{
    size_t found = referred(writing->references, writing->first, node);
    if (writing->out->failed)
        return;
    if (found < writing->references->count)
        put_in(writing, &writing->references->evaluators[found], level);
    else if (node->type == NODE_MAP || node->type == NODE_LIST)
        write_entries(writing, node, level + 1);
    else
        json_write_node(writing->out, node);
}

static enum status measure(const struct references *references, const struct node *node,
                           size_t first, struct buffer *scratch, struct extent *out)
{
    struct writing writing = {
        .references = references, .out = scratch, .first = first, .extent = out};
    *out = (struct extent){0, 0};
    buffer_clear(scratch);
    write_node(&writing, node, 0);
    if (!size_add(out->size, scratch->length, &out->size))
        out->size = SIZE_MAX;
    return scratch->failed;
}

/* Evaluators refer to later ones only. One that is nothing but a reference becomes what it refers
 * to, since a chain of those may be as long as the document likes. */
static enum status measure_evaluators(struct references *references)
{
    enum status status = STATUS_OK;
    struct buffer scratch;
    buffer_init(&scratch, 0);
    for (size_t i = references->count; i-- > 0 && status == STATUS_OK;) {
        struct reference *reference = &references->evaluators[i];
        if (!reference->node)
            continue;
        reference->first = i + 1;
        size_t found = referred(references, reference->first, reference->node);
        if (found < references->count) {
            const struct reference *to = &references->evaluators[found];
            reference->node = to->node;
            reference->first = to->first;
            reference->extent = to->extent;
        } else {
            status = measure(references, reference->node, i + 1, &scratch, &reference->extent);
        }
    }
    buffer_dispose(&scratch);
    return status;
}

enum status references_read(struct arena *arena, struct text json, struct references *out)
{
    enum status status = read_evaluators(arena, json, out);
    if (status == STATUS_OK)
        status = drop_doubles(out);
    if (status == STATUS_OK)
        status = put_in_order(out);
    if (status == STATUS_OK)
        status = learn_positions(out);
    return status == STATUS_OK ? measure_evaluators(out) : status;
}

void references_dispose(struct references *references)
{
    free(references->evaluators);
    names_dispose(&references->positions);
    *references = (struct references){0};
}

enum status references_measure(const struct references *references, const struct node *node,
                               struct buffer *scratch, struct extent *out)
{
    return measure(references, node, 0, scratch, out);
}

void references_write(const struct references *references, const struct node *node,
                      struct buffer *out)
{
    struct writing writing = {.references = references, .out = out};
    write_node(&writing, node, 0);
}
