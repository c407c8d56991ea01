/* A document of any kind, from YAML to its struct; Segment, Environment and Target here, Flag in
 * read_flag.c. */
#include "definitions.h"

#include "codes.h"
#include "flag_pin.h"
#include "read.h"
#include "rollout_state.h"

static const struct {
    const char *name, *schema;
} kinds[KIND_COUNT] = {
    [KIND_FLAG] = {"Flag", "flag.json"},
    [KIND_SEGMENT] = {"Segment", "segment.json"},
    [KIND_ENVIRONMENT] = {"Environment", "environment.json"},
    [KIND_TARGET] = {"Target", "target.json"},
    [KIND_PHASE_PLAN] = {"PhasePlan", "phaseplan.json"},
    [KIND_METRIC] = {"Metric", "metric.json"},
    [KIND_ROLLOUT] = {"Rollout", "rollout.json"},
    [KIND_ROLLOUT_STATE] = {"RolloutState", "rolloutstate.json"},
    [KIND_FLAG_PIN] = {"FlagPin", "flagpin.json"},
};

const char *kind_name(enum kind kind)
{
    return kinds[kind].name;
}

const char *kind_schema(enum kind kind)
{
    return kinds[kind].schema;
}

struct place reading_place(const struct reading *reading, const struct node *node)
{
    return (struct place){reading->path, node->line, node->column};
}

bool read_name(struct reading *reading, const struct node *node, struct name *out)
{
    out->place = reading_place(reading, node);
    return node->type == NODE_STRING && arena_copy(reading->arena, node->string, &out->text);
}

bool read_key(struct reading *reading, const struct node *entry, struct name *out)
{
    out->place = (struct place){reading->path, entry->key_line, entry->key_column};
    return arena_copy(reading->arena, entry->key, &out->text);
}

bool read_optional_text(struct reading *reading, const struct node *map, const char *field,
                        struct text *out)
{
    const struct node *node = node_get(map, field);
    return !node || (node->type == NODE_STRING && arena_copy(reading->arena, node->string, out));
}

bool read_bucket_by(struct reading *reading, const struct node *map, struct text *out)
{
    const struct node *node = node_get(map, "bucketBy");
    if (node && node->type == NODE_STRING)
        attribute_check(reading->diagnostics, reading_place(reading, node), node->string, false);
    return read_optional_text(reading, map, "bucketBy", out);
}

bool read_optional_name(struct reading *reading, const struct node *map, const char *field,
                        struct name *out)
{
    const struct node *node = node_get(map, field);
    return !node || read_name(reading, node, out);
}

bool read_texts(struct reading *reading, const struct node *list, struct text **out, size_t *count)
{
    if (!list)
        return true;
    *out = ARENA_ARRAY(reading->arena, struct text, list->count);
    if (list->type != NODE_LIST || !*out)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->type != NODE_STRING ||
            !arena_copy(reading->arena, item->string, &(*out)[(*count)++]))
            return false;
    }
    return true;
}

static bool read_segment(struct reading *reading, const struct node *root, struct segment *segment)
{
    const struct node *spec = node_get(root, "spec"), *match = node_get(spec, "match");
    if (match) {
        segment->match = condition_read(reading->arena, reading->path, match, reading->diagnostics);
        if (!segment->match)
            return false;
    }
    return read_texts(reading, node_get(spec, "include"), &segment->include,
                      &segment->include_count) &&
           read_texts(reading, node_get(spec, "exclude"), &segment->exclude,
                      &segment->exclude_count);
}

static unsigned evaluator_of(struct text name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {{"weir", EVALUATOR_WEIR},
                 {"flagd", EVALUATOR_FLAGD},
                 {"js", EVALUATOR_JS},
                 {"python", EVALUATOR_PYTHON},
                 {"java", EVALUATOR_JAVA}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (text_is(name, known[i].name))
            return known[i].bit;
    }
    return 0;
}

static bool read_environment(struct reading *reading, const struct node *root,
                             struct environment *environment)
{
    const struct node *spec = node_get(root, "spec"), *list = node_get(spec, "evaluators"),
                      *protection = node_get(spec, "protected");
    environment->evaluators = EVALUATOR_WEIR | (list ? 0 : EVALUATOR_FLAGD);
    for (const struct node *item = list && list->type == NODE_LIST ? list->first : NULL; item;
         item = item->next)
        environment->evaluators |= item->type == NODE_STRING ? evaluator_of(item->string) : 0;
    environment->is_protected = protection && protection->type == NODE_BOOL && protection->boolean;
    environment->holds = text_is(node_get_string(spec, "onInvalid"), "hold");
    return read_optional_name(reading, spec, "promotesFrom", &environment->promotes_from);
}

/* The server, or that there is none, and which object of it. */
static bool read_kubernetes(struct reading *reading, const struct node *map, struct target *target)
{
    const struct node *server = node_get(map, "server"), *config_map = node_get(map, "configMap");
    target->location = (struct name){TEXT(TARGET_IN_CLUSTER), reading_place(reading, map)};
    buffer_clear(&reading->scratch);
    buffer_append_text(&reading->scratch, node_get_string(map, "namespace"));
    buffer_append_string(&reading->scratch, config_map ? "/configmaps/" : "/featureflags/");
    buffer_append_text(&reading->scratch,
                       node_get_string(map, config_map ? "configMap" : "featureFlag"));
    return !reading->scratch.failed &&
           arena_copy(reading->arena, buffer_text(&reading->scratch), &target->key) &&
           (!server || read_name(reading, server, &target->location));
}

static bool read_target(struct reading *reading, const struct node *root, struct target *target)
{
    static const struct {
        const char *name, *location; /* location NULL: read_kubernetes() */
        enum target_type type;
    } types[] = {{"file", "path", TARGET_FILE},
                 {"redis", "url", TARGET_REDIS},
                 {"http", "url", TARGET_HTTP},
                 {"kubernetes", NULL, TARGET_KUBERNETES}};
    const struct node *spec = node_get(root, "spec"), *environment = node_get(spec, "environment"),
                      *map = NULL;
    size_t i = 0;
    while (!(map = node_get(spec, types[i].name)) && i + 1 < COUNT_OF(types))
        i++;
    target->type = types[i].type;
    const struct node *location = types[i].location ? node_get(map, types[i].location) : NULL;
    bool located = location ? read_name(reading, location, &target->location) &&
                                  read_optional_text(reading, map, "key", &target->key)
                            : map && !types[i].location && read_kubernetes(reading, map, target);
    return environment && located && read_name(reading, environment, &target->environment) &&
           read_optional_name(reading, node_get(spec, "credentials"), "secret", &target->secret);
}

/* How big each kind's struct is, and who fills it in; all begin with their name. */
#define READER(function, type)                                                                     \
    static bool function##_any(struct reading *reading, const struct node *root, void *out)        \
    {                                                                                              \
        return function(reading, root, (type *)out);                                               \
    }
READER(read_flag, struct flag)
READER(read_segment, struct segment)
READER(read_environment, struct environment)
READER(read_target, struct target)
READER(read_phase_plan, struct phase_plan)
READER(read_metric, struct metric)
READER(read_rollout, struct rollout)
READER(read_rollout_state, struct rollout_state)
READER(read_flag_pin, struct flag_pin)
#undef READER

static const struct {
    size_t size;
    bool (*read)(struct reading *reading, const struct node *root, void *out);
} readers[KIND_COUNT] = {
    [KIND_FLAG] = {sizeof(struct flag), read_flag_any},
    [KIND_SEGMENT] = {sizeof(struct segment), read_segment_any},
    [KIND_ENVIRONMENT] = {sizeof(struct environment), read_environment_any},
    [KIND_TARGET] = {sizeof(struct target), read_target_any},
    [KIND_PHASE_PLAN] = {sizeof(struct phase_plan), read_phase_plan_any},
    [KIND_METRIC] = {sizeof(struct metric), read_metric_any},
    [KIND_ROLLOUT] = {sizeof(struct rollout), read_rollout_any},
    [KIND_ROLLOUT_STATE] = {sizeof(struct rollout_state), read_rollout_state_any},
    [KIND_FLAG_PIN] = {sizeof(struct flag_pin), read_flag_pin_any},
};

static bool read_definition(struct reading *reading, const struct node *root,
                            struct definition *out, struct name name)
{
    out->any = arena_allocate_zero(reading->arena, 1, readers[out->kind].size);
    if (!out->any)
        return false;
    *(struct name *)out->any = name;
    return readers[out->kind].read(reading, root, out->any);
}

enum status definitions_read(struct arena *arena, enum kind kind, struct text path,
                             const struct node *root, struct definition *out,
                             struct diagnostics *diagnostics)
{
    struct reading reading = {.arena = arena, .path = path, .diagnostics = diagnostics};
    size_t before = diagnostics->errors;
    struct name name;
    buffer_init(&reading.scratch, 0);
    const struct node *node = node_get(node_get(root, "metadata"), "name");
    out->kind = kind;
    bool good =
        node && read_name(&reading, node, &name) && read_definition(&reading, root, out, name);
    buffer_dispose(&reading.scratch);
    if (!good)
        return STATUS_NO_MEMORY;
    return diagnostics->errors == before ? STATUS_OK : STATUS_INVALID;
}
