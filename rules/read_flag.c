/* A Flag, from YAML to its struct. */
#include <math.h>

#include "codes.h"
#include "definitions.h"
#include "json.h"
#include "read.h"

static bool variant_type_of(const struct node *node, enum variant_type *out)
{
    switch (node->type) {
    case NODE_BOOL:
        *out = VARIANT_BOOL;
        return true;
    case NODE_STRING:
        *out = VARIANT_STRING;
        return true;
    case NODE_NUMBER:
        *out = VARIANT_NUMBER;
        return true;
    case NODE_MAP:
        *out = VARIANT_OBJECT;
        return true;
    default:
        return false;
    }
}

static const char *const variant_type_names[] = {
    [VARIANT_BOOL] = "boolean",
    [VARIANT_STRING] = "string",
    [VARIANT_NUMBER] = "number",
    [VARIANT_OBJECT] = "map",
};

static bool read_variant(struct reading *reading, const struct node *node, struct flag *flag)
{
    struct variant *variant = &flag->variants[flag->variant_count];
    enum variant_type type;
    if (!variant_type_of(node, &type) || !read_key(reading, node, &variant->name))
        return false;
    if (flag->variant_count == 0) {
        flag->type = type;
    } else if (type != flag->type) {
        struct diagnostic *made = diagnostics_add(
            reading->diagnostics, CODE_VARIANT_TYPES, reading_place(reading, node),
            "all variants of a flag have one type", "variant \"%s\" is a %s, but \"%s\" is a %s",
            variant->name.text.data, variant_type_names[type], flag->variants[0].name.text.data,
            variant_type_names[flag->type]);
        diagnostic_also(reading->diagnostics, made, flag->variants[0].name.place);
    }
    buffer_clear(&reading->scratch);
    json_write_node(&reading->scratch, node);
    flag->variant_count++;
    return !reading->scratch.failed &&
           arena_copy(reading->arena, buffer_text(&reading->scratch), &variant->json);
}

static int by_name(const void *a, const void *b)
{
    const struct variant *x = *(const struct variant *const *)a,
                         *y = *(const struct variant *const *)b;
    return text_compare(x->name.text, y->name.text);
}

static bool read_variants(struct reading *reading, const struct node *map, struct flag *flag)
{
    if (!map || map->type != NODE_MAP)
        return false;
    flag->variants = ARENA_ARRAY(reading->arena, struct variant, map->count);
    flag->sorted = ARENA_ARRAY(reading->arena, struct variant *, map->count);
    if (!flag->variants || !flag->sorted)
        return false;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        flag->sorted[flag->variant_count] = &flag->variants[flag->variant_count];
        if (!read_variant(reading, entry, flag))
            return false;
    }
    qsort(flag->sorted, flag->variant_count, sizeof *flag->sorted, by_name);
    return true;
}

uint32_t read_weight(double percent)
{
    double thousandths = round(percent * (SPLIT_TOTAL / 100));
    return thousandths >= 0 && thousandths <= SPLIT_TOTAL ? (uint32_t)thousandths : 0;
}

static bool read_shares(struct reading *reading, const struct node *map, struct split *split)
{
    uint64_t total = 0;
    split->shares = ARENA_ARRAY(reading->arena, struct share, map->count);
    if (!split->shares)
        return false;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        struct share *share = &split->shares[split->share_count++];
        if (entry->type != NODE_NUMBER || !read_key(reading, entry, &share->variant))
            return false;
        share->weight = read_weight(entry->number);
        total += share->weight;
    }
    if (total != SPLIT_TOTAL)
        diagnostics_add(reading->diagnostics, CODE_WEIGHTS, split->place,
                        "the percentages of a split sum to 100",
                        "weights of this split sum to %.15g, not to 100",
                        (double)total / (SPLIT_TOTAL / 100));
    return true;
}

/* `rule` is the map that the split stands in, with what belongs to it. */
static bool read_split(struct reading *reading, const struct node *rule, const struct node *map,
                       struct split **out)
{
    struct split *split = ARENA_NEW(reading->arena, struct split);
    if (!split || map->type != NODE_MAP)
        return false;
    *out = split;
    split->place = reading_place(reading, map);
    return read_shares(reading, map, split) &&
           read_optional_text(reading, rule, "seed", &split->seed) &&
           read_bucket_by(reading, rule, &split->bucket_by);
}

static bool read_rule(struct reading *reading, const struct node *node, struct rule *rule)
{
    const struct node *when = node_get(node, "when"), *serve = node_get(node, "serve"),
                      *split = node_get(node, "split");
    rule->place = reading_place(reading, node);
    if (when) {
        rule->when = condition_read(reading->arena, reading->path, when, reading->diagnostics);
        if (!rule->when)
            return false;
    }
    return read_optional_text(reading, node, "name", &rule->name) &&
           (!serve || read_name(reading, serve, &rule->serve)) &&
           (!split || read_split(reading, node, split, &rule->split));
}

/* enabled, default and rules: the flag's own, and an environment's. */
static bool read_settings(struct reading *reading, const struct node *map,
                          struct flag_settings *settings)
{
    const struct node *enabled = node_get(map, "enabled"), *standard = node_get(map, "default"),
                      *rules = node_get(map, "rules");
    if (enabled && enabled->type == NODE_BOOL) {
        settings->has_enabled = true;
        settings->enabled = enabled->boolean;
    }
    if (standard && !read_name(reading, standard, &settings->default_variant))
        return false;
    if (!rules)
        return true;
    settings->has_rules = true;
    settings->rules = ARENA_ARRAY(reading->arena, struct rule, rules->count);
    if (rules->type != NODE_LIST || !settings->rules)
        return false;
    for (const struct node *item = rules->first; item; item = item->next) {
        if (!read_rule(reading, item, &settings->rules[settings->rule_count++]))
            return false;
    }
    return true;
}

static bool read_overrides(struct reading *reading, const struct node *map, struct flag *flag)
{
    if (!map)
        return true;
    flag->overrides = ARENA_ARRAY(reading->arena, struct flag_override, map->count);
    if (map->type != NODE_MAP || !flag->overrides)
        return false;
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        struct flag_override *override = &flag->overrides[flag->override_count++];
        if (!read_key(reading, entry, &override->environment) ||
            !read_settings(reading, entry, &override->settings))
            return false;
    }
    return true;
}

/* A period that the schema found well written may still be longer than any. */
static bool read_watch(struct reading *reading, const struct node *map, struct flag *flag)
{
    const struct node *bake = node_get(map, "bake");
    if (!map)
        return true;
    if (!bake || bake->type != NODE_STRING)
        return false;
    if (!period_parse(bake->string, &flag->watch_bake))
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_RANGE, reading_place(reading, bake), NULL,
                        "\"%s\" is longer than ten years", bake->string.data);
    return read_names(reading, node_get(map, "metrics"), &flag->watched, &flag->watched_count);
}

/* The schema has checked how it is written. */
static void check_expires(struct reading *reading, const struct node *node)
{
    int64_t ignored;
    if (node && node->type == NODE_STRING && !time_parse(node->string, &ignored))
        diagnostics_add(reading->diagnostics, CODE_SCHEMA_PATTERN, reading_place(reading, node),
                        "write a date like 2027-03-31", "\"%.40s\" is not a date that exists",
                        node->string.data);
}

bool read_flag(struct reading *reading, const struct node *root, struct flag *flag)
{
    const struct node *metadata = node_get(root, "metadata"), *spec = node_get(root, "spec");
    flag->settings =
        (struct flag_settings){.has_enabled = true, .enabled = true, .has_rules = true};
    check_expires(reading, node_get(metadata, "expires"));
    return read_optional_text(reading, metadata, "owner", &flag->owner) &&
           read_optional_text(reading, metadata, "expires", &flag->expires) &&
           read_variants(reading, node_get(spec, "variants"), flag) &&
           read_settings(reading, spec, &flag->settings) &&
           read_overrides(reading, node_get(spec, "environments"), flag) &&
           read_watch(reading, node_get(spec, "watch"), flag);
}
