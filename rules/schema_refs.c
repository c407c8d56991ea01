#include "schema_private.h"

/* What a reference leads to: a part of a file, and the base of the references inside it. */
struct destination {
    const struct node *node;
    struct text base;
};

static struct schema *compiled_from(const struct schema_set *set, const struct node *node)
{
    for (struct schema *schema = set->first; schema; schema = schema->next) {
        if (schema->source == node)
            return schema;
    }
    return NULL;
}

static bool find_name(const struct schema_set *set, struct text uri, struct destination *out)
{
    for (const struct schema_name *name = set->names; name; name = name->next) {
        if (text_equal(name->uri, uri)) {
            struct schema *schema = compiled_from(set, name->source);
            *out = (struct destination){name->source, schema ? schema->base : uri};
            return true;
        }
    }
    for (const struct schema_file *file = set->files; file; file = file->next) {
        if (text_equal(file->name, uri)) {
            *out = (struct destination){file->root->source, file->root->base};
            return true;
        }
    }
    return false;
}

/* One part of a JSON pointer: ~1 is "/", ~0 is "~". In place, since it can only shrink. */
static bool pointer_part(struct text *part, char *bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < part->length; i++) {
        char c = bytes[i];
        if (c == '~') {
            i++;
            if (i == part->length || (bytes[i] != '0' && bytes[i] != '1'))
                return false;
            c = bytes[i] == '0' ? '~' : '/';
        }
        bytes[length++] = c;
    }
    *part = (struct text){bytes, length};
    return true;
}

static const struct node *list_entry(const struct node *list, struct text index)
{
    size_t number = 0;
    if (index.length == 0 || index.length > 9 || (index.length > 1 && index.data[0] == '0'))
        return NULL;
    for (size_t i = 0; i < index.length; i++) {
        if (index.data[i] < '0' || index.data[i] > '9')
            return NULL;
        number = number * 10 + (size_t)(index.data[i] - '0');
    }
    const struct node *entry = list->first;
    while (entry && number-- > 0)
        entry = entry->next;
    return entry;
}

/* Follows "/definitions/a" from `at`; an $id on the way moves the base, as it does for what it
 * holds. */
static bool follow_pointer(struct schema_set *set, struct text pointer, struct destination *at)
{
    size_t start = 0;
    while (start < pointer.length) {
        size_t end = ++start;
        while (end < pointer.length && pointer.data[end] != '/')
            end++;
        struct text copy, part;
        if (!arena_copy(&set->arena, (struct text){pointer.data + start, end - start}, &copy))
            return false;
        part = copy;
        if (!pointer_part(&part, (char *)(uintptr_t)copy.data))
            return false;
        at->node = at->node->type == NODE_LIST ? list_entry(at->node, part)
                                               : node_get_text(at->node, part);
        if (!at->node)
            return false;
        const struct schema *passed = compiled_from(set, at->node);
        if (passed)
            at->base = passed->base;
        start = end;
    }
    return true;
}

static bool find_destination(struct schema_set *set, struct text uri, struct destination *out)
{
    struct text document, fragment, pointer;
    uri_split(uri, &document, &fragment);
    if (fragment.length > 0 && fragment.data[0] != '/')
        return find_name(set, uri, out); /* a plain name: "#foo" */
    if (!find_name(set, document, out))
        return false;
    return uri_decode(&set->arena, fragment, &pointer) && follow_pointer(set, pointer, out);
}

static enum status resolve(struct schema_set *set, struct schema *schema, struct error *error)
{
    const struct node *source = node_get(schema->source, "$ref");
    struct text uri;
    if (uri_resolve(&set->arena, schema->base, schema->ref_text, &uri) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    struct destination found;
    if (!find_destination(set, uri, &found))
        return error_set_at(error, STATUS_NOT_FOUND, source->line, source->column,
                            "schema \"%.100s\": $ref \"%.100s\" leads nowhere", schema->base.data,
                            schema->ref_text.data);
    schema->ref = compiled_from(set, found.node);
    if (!schema->ref) {
        struct error inner = {.status = STATUS_INVALID};
        schema->ref = schema_compile(set, found.node, found.base, &inner);
        if (!schema->ref)
            return error_set_at(error, inner.status, inner.line, inner.column,
                                "$ref \"%.80s\": %.160s", schema->ref_text.data, inner.message);
    }
    return STATUS_OK;
}

/* --- circles
 * --------------------------------------------------------------------------------------- */

enum { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

static bool circular(struct schema *schema);

static bool part_circular(const struct schema *part)
{
    /* The set owns all of them and is not sealed yet. */
    return part && circular((struct schema *)(uintptr_t)part);
}

static bool list_circular(const struct schema_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (part_circular(list->items[i]))
            return true;
    }
    return false;
}

/* Looks only at what is checked against the same value: going deeper into the value always ends. */
static bool circular(struct schema *schema)
{
    if (schema->visit != VISIT_NEW)
        return schema->visit == VISIT_OPEN;
    schema->visit = VISIT_OPEN;
    bool found = part_circular(schema->ref) || list_circular(&schema->all_of) ||
                 list_circular(&schema->any_of) || list_circular(&schema->one_of) ||
                 part_circular(schema->not ) || part_circular(schema->if_schema) ||
                 part_circular(schema->then_schema) || part_circular(schema->else_schema);
    for (size_t i = 0; i < schema->dependency_count && !found; i++)
        found = part_circular(schema->dependencies[i].schema);
    schema->visit = VISIT_DONE;
    return found;
}

enum status schema_set_seal(struct schema_set *set, struct error *error)
{
    /* Resolving may compile more schemas, at the end of this very chain. */
    for (struct schema *schema = set->first; schema; schema = schema->next) {
        if (!schema->ref_text.data)
            continue;
        enum status status = resolve(set, schema, error);
        if (status != STATUS_OK)
            return status;
    }
    for (struct schema *schema = set->first; schema; schema = schema->next) {
        if (circular(schema))
            return error_set_at(error, STATUS_INVALID, schema->source->line, schema->source->column,
                                "schema \"%.150s\" refers to itself in a circle",
                                schema->base.data);
    }
    if (!schema_find_shortcuts(set))
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    set->sealed = true;
    return STATUS_OK;
}
