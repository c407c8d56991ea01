#include "attributes.h"

#include "hash.h"

#define NAMES_MAX ((size_t)4 * ATTRIBUTES_MAX)

struct attributes *attributes_new(void)
{
    uint16_t slot;
    struct attributes *attributes = calloc(1, sizeof *attributes);
    if (!attributes)
        return NULL;
    attributes->references = 1;
    attributes->name_size = 16;
    attributes->children_size = 32;
    attributes->names = calloc(attributes->name_size, sizeof *attributes->names);
    attributes->children = calloc(attributes->children_size, sizeof *attributes->children);
    attributes->slot_name = calloc(attributes->name_size, sizeof *attributes->slot_name);
    attributes->name_count = attributes->names ? 1 : 0; /* released below where it is missing */
    if (attributes->names)
        attributes->names[0].slot = ATTRIBUTE_NONE;
    if (!attributes->names || !attributes->children || !attributes->slot_name ||
        attributes_slot(attributes, TEXT("targetingKey"), &slot) != STATUS_OK) {
        attributes_release(attributes);
        return NULL;
    }
    return attributes;
}

/* Names are copied one by one: each owns its text. */
static bool clone_names(struct attributes *copy, const struct attributes *from)
{
    copy->names = calloc(from->name_size, sizeof *copy->names);
    if (!copy->names)
        return false;
    for (; copy->name_count < from->name_count; copy->name_count++) {
        struct attribute_name *name = &copy->names[copy->name_count];
        *name = from->names[copy->name_count];
        if (!name->name.data)
            continue;
        char *text = malloc(name->name.length + 1);
        if (!text)
            return false;
        memcpy(text, from->names[copy->name_count].name.data, name->name.length + 1);
        name->name.data = text;
    }
    return true;
}

struct attributes *attributes_clone(const struct attributes *from)
{
    struct attributes *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->references = 1;
    copy->name_size = from->name_size;
    copy->children_size = from->children_size;
    copy->slots = from->slots;
    copy->children = calloc(from->children_size, sizeof *copy->children);
    copy->slot_name = calloc(from->name_size, sizeof *copy->slot_name);
    if (!copy->children || !copy->slot_name || !clone_names(copy, from)) {
        attributes_release(copy);
        return NULL;
    }
    memcpy(copy->children, from->children, from->children_size * sizeof *copy->children);
    memcpy(copy->slot_name, from->slot_name, from->slots * sizeof *copy->slot_name);
    return copy;
}

struct attributes *attributes_reference(struct attributes *attributes)
{
    __atomic_add_fetch(&attributes->references, 1, __ATOMIC_RELAXED);
    return attributes;
}

void attributes_release(struct attributes *attributes)
{
    if (!attributes || __atomic_sub_fetch(&attributes->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < attributes->name_count; i++)
        free((void *)(uintptr_t)attributes->names[i].name.data);
    free(attributes->names);
    free(attributes->children);
    free(attributes->slot_name);
    free(attributes);
}

void attributes_seal(struct attributes *attributes, bool sealed)
{
    attributes->sealed = sealed;
}

/* The cell of (parent, name) in the table of children: either its index stands there, or 0. */
static size_t find_cell(const struct attributes *attributes, uint32_t parent, struct text name)
{
    size_t mask = attributes->children_size - 1;
    size_t cell = (size_t)hash_text_seeded(name, parent) & mask;
    for (;; cell = (cell + 1) & mask) {
        uint32_t index = attributes->children[cell];
        if (index == 0)
            return cell;
        if (attributes->names[index].parent == parent &&
            text_equal(attributes->names[index].name, name))
            return cell;
    }
}

uint32_t attributes_child(const struct attributes *attributes, uint32_t parent, struct text name)
{
    return attributes->children[find_cell(attributes, parent, name)];
}

static bool grow(struct attributes *attributes)
{
    if (attributes->name_count == attributes->name_size) {
        size_t size = attributes->name_size * 2;
        struct attribute_name *names = realloc(attributes->names, size * sizeof *names);
        if (!names)
            return false;
        attributes->names = names;
        uint32_t *slot_name = realloc(attributes->slot_name, size * sizeof *slot_name);
        if (!slot_name)
            return false;
        attributes->slot_name = slot_name;
        attributes->name_size = size;
    }
    if (attributes->name_count * 2 < attributes->children_size)
        return true;
    size_t before = attributes->children_size;
    uint32_t *old = attributes->children;
    uint32_t *children = calloc(before * 2, sizeof *children);
    if (!children)
        return false;
    attributes->children = children;
    attributes->children_size = before * 2;
    for (uint32_t i = 1; i < attributes->name_count; i++)
        children[find_cell(attributes, attributes->names[i].parent, attributes->names[i].name)] = i;
    free(old);
    return true;
}

static enum status add_child(struct attributes *attributes, uint32_t parent, struct text name,
                             uint32_t *out)
{
    if (attributes->name_count >= NAMES_MAX)
        return STATUS_LIMIT;
    if (!grow(attributes))
        return STATUS_NO_MEMORY;
    char *text = malloc(name.length + 1);
    if (!text)
        return STATUS_NO_MEMORY;
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    uint32_t index = (uint32_t)attributes->name_count++;
    attributes->names[index] =
        (struct attribute_name){.name = {text, name.length},
                                .slot = ATTRIBUTE_NONE,
                                .parent = parent,
                                .next = attributes->names[parent].first_child};
    attributes->names[parent].first_child = index;
    attributes->children[find_cell(attributes, parent, attributes->names[index].name)] = index;
    *out = index;
    return STATUS_OK;
}

/* Cuts the part before the next dot off `rest`; data is NULL when it was the last one. */
static struct text next_part(struct text *rest)
{
    const char *dot = rest->length ? memchr(rest->data, '.', rest->length) : NULL;
    struct text part = {rest->data, dot ? (size_t)(dot - rest->data) : rest->length};
    *rest = dot ? (struct text){dot + 1, rest->length - part.length - 1} : (struct text){NULL, 0};
    return part;
}

bool attributes_find(const struct attributes *attributes, struct text path, uint16_t *out)
{
    uint32_t at = 0;
    do {
        at = attributes_child(attributes, at, next_part(&path));
    } while (at && path.data);
    *out = at ? attributes->names[at].slot : ATTRIBUTE_NONE;
    return *out != ATTRIBUTE_NONE;
}

static enum status find_or_add(struct attributes *attributes, uint32_t *at, struct text name)
{
    uint32_t child = attributes_child(attributes, *at, name);
    enum status status = STATUS_OK;
    if (child == 0 && attributes->sealed)
        return STATUS_NOT_FOUND;
    if (child == 0)
        status = add_child(attributes, *at, name, &child);
    *at = child;
    return status;
}

static enum status give_slot(struct attributes *attributes, uint32_t at, uint16_t *out)
{
    struct attribute_name *name = &attributes->names[at];
    if (name->slot == ATTRIBUTE_NONE) {
        if (attributes->sealed)
            return STATUS_NOT_FOUND;
        if (attributes->slots == ATTRIBUTES_MAX)
            return STATUS_LIMIT;
        name->slot = attributes->slots++;
        attributes->slot_name[name->slot] = at;
    }
    *out = name->slot;
    return STATUS_OK;
}

bool attributes_are_full(const struct attributes *attributes)
{
    return attributes->slots == ATTRIBUTES_MAX || attributes->name_count >= NAMES_MAX;
}

enum status attributes_slot(struct attributes *attributes, struct text path, uint16_t *out)
{
    uint32_t at = 0;
    do {
        enum status status = find_or_add(attributes, &at, next_part(&path));
        if (status != STATUS_OK)
            return status;
    } while (path.data);
    return give_slot(attributes, at, out);
}

enum status attributes_slot_of(struct attributes *attributes, const struct text *names,
                               size_t count, uint16_t *out)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        enum status status = find_or_add(attributes, &at, names[i]);
        if (status != STATUS_OK)
            return status;
    }
    return give_slot(attributes, at, out);
}

bool attributes_find_of(const struct attributes *attributes, const struct text *names, size_t count,
                        uint16_t *out)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        at = attributes_child(attributes, at, names[i]);
        if (at == 0)
            return false;
    }
    *out = attributes->names[at].slot;
    return *out != ATTRIBUTE_NONE;
}

enum status attributes_root(struct attributes *attributes, uint16_t *out)
{
    return give_slot(attributes, 0, out);
}

size_t attributes_path(const struct attributes *attributes, uint16_t slot, char *out, size_t size)
{
    uint32_t chain[64];
    size_t depth = 0, length = 0;
    for (uint32_t at = attributes->slot_name[slot]; at && depth < COUNT_OF(chain);
         at = attributes->names[at].parent)
        chain[depth++] = at;
    while (depth--) {
        struct text name = attributes->names[chain[depth]].name;
        int written = snprintf(out + length, size - length, "%s%.*s", length ? "." : "",
                               (int)(name.length < 200 ? name.length : 200), name.data);
        if (written < 0 || (size_t)written >= size - length)
            break;
        length += (size_t)written;
    }
    return length;
}
