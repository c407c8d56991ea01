#include "program_pack.h"

#include <stdalign.h>

static void *take(struct packer *packer, size_t size, size_t alignment)
{
    size_t start = (packer->used + alignment - 1) & ~(alignment - 1);
    packer->used = start + size;
    return packer->base ? packer->base + start : NULL;
}

static bool is_inside(struct text text, struct text whole)
{
    uintptr_t at = (uintptr_t)text.data, start = (uintptr_t)whole.data;
    return at >= start && at - start <= whole.length && text.length <= whole.length - (at - start);
}

#define SHORT_TEXT 16 /* with the instructions, these are in the cache when they are compared */

/* A long string of the JSON, where evaluating does not pass by it. */
static struct text pack_long_text(struct packer *packer, struct text text)
{
    if (packer->to.data)
        return (struct text){packer->to.data + (text.data - packer->from.data), text.length};
    size_t start = packer->tail;
    packer->tail += text.length;
    if (!packer->base)
        return (struct text){"", text.length};
    memcpy(packer->base + start, text.data, text.length);
    return (struct text){packer->base + start, text.length};
}

/* A string: a long one of the JSON, or a NUL-terminated copy. */
static struct text pack_text(struct packer *packer, struct text text)
{
    if (text.length == 0)
        return (struct text){text.data ? "" : NULL, 0};
    if (text.length > SHORT_TEXT && is_inside(text, packer->from))
        return pack_long_text(packer, text);
    char *copy = take(packer, text.length + 1, 1);
    if (copy) {
        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
    }
    return (struct text){copy, text.length};
}

static struct value pack_value(struct packer *packer, struct value value)
{
    size_t count = value.length ? value.length : 1; /* lists and maps have an identity */
    if (value.type == VALUE_STRING) {
        value.string = pack_text(packer, value_text(&value)).data;
    } else if (value.type == VALUE_ERROR) {
        value.problem = pack_text(packer, text_of(value.problem)).data;
    } else if (value.type == VALUE_LIST) {
        struct value *items = take(packer, count * sizeof *items, alignof(struct value));
        for (uint32_t i = 0; i < value.length; i++) {
            struct value item = pack_value(packer, value.items[i]);
            if (items)
                items[i] = item;
        }
        value.items = items;
    } else if (value.type == VALUE_MAP) {
        struct value_member *members =
            take(packer, count * sizeof *members, alignof(struct value_member));
        for (uint32_t i = 0; i < value.length; i++) {
            struct value_member member = {pack_text(packer, value.members[i].name),
                                          pack_value(packer, value.members[i].value)};
            if (members)
                members[i] = member;
        }
        value.members = members;
    }
    return value;
}

static const struct path *pack_path(struct packer *packer, const struct path *path)
{
    struct path *copy =
        take(packer, sizeof *path + path->count * sizeof path->names[0], alignof(struct path));
    if (copy)
        *copy = *path;
    for (uint32_t i = 0; i < path->count; i++) {
        struct text name = pack_text(packer, path->names[i]);
        if (copy)
            copy->names[i] = name;
    }
    return copy;
}

static const struct version_test *pack_test(struct packer *packer, const struct version_test *test)
{
    struct version_test *copy = take(packer, sizeof *copy, alignof(struct version_test));
    struct text prerelease = pack_text(packer, test->version.prerelease);
    if (copy) {
        *copy = *test;
        copy->version.prerelease = prerelease;
    }
    return copy;
}

static const struct string_set *pack_set(struct packer *packer, const struct string_set *set)
{
    size_t size = string_set_size(set);
    struct string_set *copy = take(packer, size, alignof(max_align_t));
    if (copy)
        memcpy(copy, set, size);
    for (size_t i = 0, cells = string_set_cells(set); i < cells; i++) {
        struct text text = string_set_at(set, i);
        if (!text.data)
            continue;
        text = pack_text(packer, text);
        if (copy)
            string_set_move(copy, i, text);
    }
    return copy;
}

static const struct drawn_shares *pack_shares(struct packer *packer,
                                              const struct drawn_shares *shares)
{
    struct drawn_shares *copy = take(packer, sizeof *copy + shares->count * sizeof copy->items[0],
                                     alignof(struct drawn_shares));
    if (copy)
        *copy = *shares;
    for (uint32_t i = 0; i < shares->count; i++) {
        struct drawn_share share = shares->items[i];
        share.variant = pack_value(packer, share.variant);
        if (copy)
            copy->items[i] = share;
    }
    return copy;
}

/* What has a value in the place of arguments: constants, and comparisons of an attribute with one.
 */
static bool holds_value(const struct instruction *instruction)
{
    switch ((enum op)instruction->op) {
    case OP_CONSTANT:
    case OP_FAIL:
        return true;
    case OP_SAME:
    case OP_NOT_SAME:
    case OP_EQUAL:
    case OP_NOT_EQUAL:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
    case OP_IN:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
        return instruction->direct;
    default:
        return false;
    }
}

static void pack_instruction(struct packer *packer, const struct instruction *from,
                             struct instruction *to);

static const struct instruction *pack_arguments(struct packer *packer,
                                                const struct instruction *arguments, uint32_t count)
{
    struct instruction *copies =
        take(packer, (count ? count : 1) * sizeof *copies, alignof(struct instruction));
    struct instruction counted; /* while only sizes are asked for */
    for (uint32_t i = 0; i < count; i++)
        pack_instruction(packer, &arguments[i], copies ? &copies[i] : &counted);
    return copies;
}

/* "if" gives null by itself where no condition holds. */
static uint32_t count_without_null(const struct instruction *instruction)
{
    uint32_t count = instruction->count;
    if (instruction->op != OP_IF || count % 2 == 0)
        return count;
    const struct instruction *last = &instruction->arguments[count - 1];
    return last->op == OP_CONSTANT && last->value.type == VALUE_NULL ? count - 1 : count;
}

/* In place, member by member: an instruction that is handed around by value is stored in parts and
 * loaded whole, for which the processor has to wait. */
static void pack_instruction(struct packer *packer, const struct instruction *from,
                             struct instruction *to)
{
    *to = *from;
    to->count = count_without_null(from);
    uint32_t count = instruction_arguments(to);
    if (holds_value(from)) {
        to->value = pack_value(packer, from->value);
        return;
    }
    to->arguments = count ? pack_arguments(packer, from->arguments, count) : NULL;
    if (from->op == OP_WALK || from->op == OP_LOCAL)
        to->path = pack_path(packer, from->path);
    else if (from->op == OP_IN_SET)
        to->set = pack_set(packer, from->set);
    else if (from->op == OP_FRACTIONAL && from->shares)
        to->shares = pack_shares(packer, from->shares);
    else if (from->op == OP_SEM_VER)
        to->test = pack_test(packer, from->test);
}

static const struct program_variant *pack_variants(struct packer *packer,
                                                   const struct program *program)
{
    struct program_variant *copies =
        take(packer, program->variant_count * sizeof *copies, alignof(struct program_variant));
    for (uint32_t i = 0; i < program->variant_count; i++) {
        const struct program_variant *variant = &program->variants[i];
        struct program_variant copy = *variant;
        bool plain = variant->name_length == variant->name.length + 2; /* quotes, no escapes */
        copy.members = pack_text(packer, variant_members(variant)).data;
        if (!plain)
            copy.name = pack_text(packer, variant->name);
        if (!copies)
            continue;
        if (plain)
            copy.name.data = variant_name_json(&copy).data + 1;
        copies[i] = copy;
    }
    return copies;
}

void program_pack(struct packer *packer, const struct program *program, struct text shared,
                  struct program *out)
{
    struct program packed = *program;
    if (program->targeting)
        packed.targeting = pack_arguments(packer, program->targeting, 1);
    packed.variants = pack_variants(packer, program);
    packed.opening = pack_text(packer, program->opening);
    packed.key = pack_text(packer, program->key); /* ended by NUL: weir_document_key() */
    if (program->metadata.data != shared.data)
        packed.metadata = pack_text(packer, program->metadata);
    if (program->problem)
        packed.problem = pack_text(packer, text_of(program->problem)).data;
    if (!out)
        return;
    if (program->default_variant)
        packed.default_variant = packed.variants + (program->default_variant - program->variants);
    *out = packed;
}
