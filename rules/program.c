/* A flag object becomes a program: its variants, its default, its targeting. */
#include "program.h"

#include "json.h"
#include "program_rule.h"

struct maker {
    struct compiler compiler;
    struct buffer scratch;
    struct error *error;
};

static bool keep_scratch(struct maker *maker, struct text *out)
{
    return !maker->scratch.failed &&
           arena_copy(maker->compiler.arena, buffer_text(&maker->scratch), out);
}

static bool make_variant(struct maker *maker, const struct node *entry,
                         struct program_variant *variant)
{
    struct buffer *scratch = &maker->scratch;
    struct text members;
    buffer_clear(scratch);
    buffer_append_text(scratch, TEXT(VARIANT_VALUE));
    size_t start = scratch->length;
    json_write_node(scratch, entry);
    variant->value_length = (uint32_t)(scratch->length - start);
    buffer_append_text(scratch, TEXT(VARIANT_NAME));
    start = scratch->length;
    json_write_string(scratch, entry->key);
    variant->name_length = (uint32_t)(scratch->length - start);
    if (!keep_scratch(maker, &members))
        return false;
    variant->members = members.data;
    return arena_copy(maker->compiler.arena, entry->key, &variant->name);
}

static enum status make_variants(struct maker *maker, const struct node *map,
                                 struct program *program)
{
    struct program_variant *variants =
        ARENA_ARRAY(maker->compiler.arena, struct program_variant, map->count ? map->count : 1);
    if (!variants)
        return STATUS_NO_MEMORY;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        if (!make_variant(maker, entry, &variants[program->variant_count++]))
            return STATUS_NO_MEMORY;
    }
    program->variants = variants;
    return STATUS_OK;
}

/* What JavaScript calls false is no default. */
static bool is_named(const struct node *node)
{
    if (!node || node->type == NODE_NULL || (node->type == NODE_BOOL && !node->boolean))
        return false;
    return !(node->type == NODE_NUMBER && node->number == 0) &&
           !(node->type == NODE_STRING && node->string.length == 0);
}

static enum status make_default(struct maker *maker, const struct node *flag,
                                struct program *program)
{
    const struct node *node = node_get(flag, "defaultVariant");
    if (!is_named(node))
        return STATUS_OK;
    if (node->type == NODE_STRING) {
        for (uint32_t i = 0; i < program->variant_count; i++) {
            if (text_equal(program->variants[i].name, node->string))
                program->default_variant = &program->variants[i];
        }
    }
    if (program->default_variant)
        return STATUS_OK;
    return error_set_at(maker->error, STATUS_INVALID, node->line, node->column,
                        "flag \"%.80s\": defaultVariant is not one of its variants",
                        program->key.data);
}

/* Shared with the set where the flag has none of its own. */
static enum status make_metadata(struct maker *maker, struct set_metadata *set,
                                 const struct node *own, struct program *program)
{
    if (!own || own->type != NODE_MAP || own->count == 0) {
        if (set && set->json.length)
            program->metadata = set->json;
        return STATUS_OK;
    }
    if (!set_metadata_charge(set)) {
        program->problem = "the metadata of set and flag, merged for each flag, is over 64 MiB";
        return STATUS_OK;
    }
    buffer_clear(&maker->scratch);
    if (!set_metadata_merge(maker->compiler.arena, set, own, &maker->scratch) ||
        maker->scratch.failed)
        return STATUS_NO_MEMORY;
    return maker->scratch.length == 0 || keep_scratch(maker, &program->metadata) ? STATUS_OK
                                                                                 : STATUS_NO_MEMORY;
}

static bool make_opening(struct maker *maker, struct program *program)
{
    buffer_clear(&maker->scratch);
    buffer_append_text(&maker->scratch, TEXT("{\"key\":"));
    json_write_string(&maker->scratch, program->key);
    return keep_scratch(maker, &program->opening);
}

/* What has no keys is no targeting: as JavaScript's Object.keys() has it, numbers, "" and {}. */
static bool asks_anything(const struct node *node)
{
    if (!node)
        return false;
    if (node->type == NODE_STRING)
        return node->string.length > 0;
    return (node->type == NODE_LIST || node->type == NODE_MAP) && node->count > 0;
}

static enum status make_state(struct maker *maker, const struct node *flag, struct program *program)
{
    const struct node *state = node_get(flag, "state");
    program->disabled = state && state->type == NODE_STRING && text_is(state->string, "DISABLED");
    if (program->disabled ||
        (state && state->type == NODE_STRING && text_is(state->string, "ENABLED")))
        return STATUS_OK;
    const struct node *place = state ? state : flag;
    return error_set_at(maker->error, STATUS_INVALID, place->line, place->column,
                        "flag \"%.80s\": state is neither ENABLED nor DISABLED", program->key.data);
}

bool compile_drop_repeated(struct node *node)
{
    if (node->type != NODE_LIST && node->type != NODE_MAP)
        return false;
    bool dropped = false;
    struct node *child = node->first;
    while (node->type == NODE_MAP && child && child->next &&
           text_equal(child->key, child->next->key))
        child = child->next;
    if (node->type == NODE_MAP && child && child != node->first && !child->next) {
        node->first = child;
        node->count = 1;
        dropped = true;
    }
    for (child = node->first; child; child = child->next)
        dropped |= compile_drop_repeated(child);
    return dropped;
}

static enum status make_targeting(struct maker *maker, const struct node *flag,
                                  struct program *program)
{
    const struct node *node = node_get(flag, "targeting");
    if (program->problem || !asks_anything(node))
        return STATUS_OK;
    const struct compiler fresh = maker->compiler;
    struct instruction *root = ARENA_NEW(maker->compiler.arena, struct instruction);
    if (!root)
        return STATUS_NO_MEMORY;
    compile_expression(&maker->compiler, node, root);
    fold_dispose(&maker->compiler);
    /* Hardly a rule holds one twice, so it is looked for where something is wrong. The tree was
     * made to be compiled, and is nobody else's. */
    if (maker->compiler.problem && compile_drop_repeated((struct node *)(uintptr_t)node)) {
        maker->compiler = fresh;
        *root = (struct instruction){0};
        compile_expression(&maker->compiler, node, root);
        fold_dispose(&maker->compiler);
    }
    program->problem = maker->compiler.problem;
    if (maker->compiler.status == STATUS_LIMIT) /* the other flags go on working */
        program->problem = "the rules are too large, or use too many attributes";
    if (!program->problem)
        program->targeting = root;
    return maker->compiler.status == STATUS_LIMIT ? STATUS_OK : maker->compiler.status;
}

static enum status make(struct maker *maker, const struct node *flag, struct set_metadata *set,
                        struct program *program)
{
    const struct node *variants = node_get(flag, "variants");
    if (!variants || variants->type != NODE_MAP)
        return error_set_at(maker->error, STATUS_INVALID, flag->line, flag->column,
                            "flag \"%.80s\" has no variants", program->key.data);
    enum status status = make_opening(maker, program) ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = make_variants(maker, variants, program);
    if (status == STATUS_OK)
        status = make_state(maker, flag, program);
    if (status == STATUS_OK)
        status = make_default(maker, flag, program);
    if (status == STATUS_OK)
        status = make_metadata(maker, set, node_get(flag, "metadata"), program);
    return status == STATUS_OK ? make_targeting(maker, flag, program) : status;
}

enum status program_compile(struct arena *arena, struct text key, const struct node *flag,
                            struct text json, struct program_settings settings,
                            struct attributes *attributes, const struct program **out,
                            struct error *error)
{
    struct maker maker = {.compiler = {.arena = arena, .attributes = attributes, .json = json},
                          .error = error};
    struct program *program = ARENA_NEW(arena, struct program);
    *out = NULL;
    if (!program || !arena_copy(arena, key, &program->key))
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    if (flag->type != NODE_MAP)
        return error_set_at(error, STATUS_INVALID, flag->line, flag->column,
                            "flag \"%.80s\" is not an object", program->key.data);
    buffer_init(&maker.scratch, 0);
    program->fractional = settings.fractional;
    program->problem = settings.problem;
    enum status status = make(&maker, flag, settings.metadata, program);
    buffer_dispose(&maker.scratch);
    if (status == STATUS_NO_MEMORY)
        return error_set(error, status, "no memory");
    if (status == STATUS_OK)
        *out = program;
    return status;
}
