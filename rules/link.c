/* Every check that needs more than one definition: names that must exist, and references in a
 * circle. */
#include "catalog.h"
#include "codes.h"
#include "link_private.h"
#include "similar.h"

#define REFERENCE_DEPTH 32 /* segments and prerequisites inside one another */
void link_look_at(struct linker *linker, enum kind kind, size_t index)
{
    linker->kind = kind;
    linker->index = index;
}

/* The definition that is being checked does not link. */
void link_mark(struct linker *linker)
{
    if (linker->faults)
        linker->faults->marked[linker->kind][linker->index] = true;
}

/* --- names that must exist ------------------------------------------------------------------- */

static int by_kind_and_name(const void *a, const void *b)
{
    const struct broken *x = *(const struct broken *const *)a,
                        *y = *(const struct broken *const *)b;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
                              : text_compare(x->name, y->name);
}

/* Both the broken and those who ask for them may be all that there is: each is found in a few
 * steps. */
static bool sort_broken(struct linker *linker)
{
    const struct broken *broken;
    size_t count = 0;
    for (broken = linker->catalog->broken; broken; broken = broken->next)
        count++;
    linker->broken = calloc(count + 1, sizeof *linker->broken);
    if (!linker->broken)
        return false;
    for (broken = linker->catalog->broken; broken; broken = broken->next)
        linker->broken[linker->broken_count++] = broken;
    if (count)
        qsort(linker->broken, count, sizeof *linker->broken, by_kind_and_name);
    return true;
}

/* A name whose document has faults of its own, or whose file could not be read, is not called
 * unknown. */
bool link_may_exist(struct linker *linker, enum kind kind, struct text name)
{
    const struct broken wanted = {.kind = kind, .name = name}, *key = &wanted;
    link_mark(linker); /* it does not link, whoever is told */
    if (linker->broken_count && bsearch(&key, linker->broken, linker->broken_count,
                                        sizeof *linker->broken, by_kind_and_name))
        return true;
    return linker->catalog->unreadable > 0;
}

/* The nearest of `count` definitions, all of whose structs begin with their name; or, where the
 * catalog is only a part of the commit, of all that the commit defines. */
struct text link_nearest_of(struct linker *linker, enum kind kind, const void *items, size_t count,
                            struct text wanted)
{
    const struct catalog_names *names = linker->catalog->names;
    const struct text *all = NULL;
    void *const *list = items;
    struct similar best = {0};
    if (names && !names->list(names->context, kind, &all, &count)) {
        linker->diagnostics->failed = STATUS_NO_MEMORY;
        return best.name;
    }
    if (count > MOST_OFFERS - linker->offers)
        return best.name;
    linker->offers += count;
    for (size_t i = 0; i < count; i++)
        similar_offer(&best, wanted, all ? all[i] : ((const struct name *)list[i])->text);
    return best.name;
}

void link_unknown(struct linker *linker, const char *code, const char *what,
                  const struct name *name, struct text nearest)
{
    link_mark(linker);
    char hint[120];
    snprintf(hint, sizeof hint, "did you mean \"%.64s\"?", nearest.length ? nearest.data : "");
    diagnostics_add(linker->diagnostics, code, name->place, nearest.length ? hint : NULL,
                    "%s \"%.100s\" does not exist", what, name->text.data);
}

void link_check_segment(struct linker *linker, const struct name *name)
{
    const struct catalog *catalog = linker->catalog;
    if (catalog_segment(catalog, name->text) || link_may_exist(linker, KIND_SEGMENT, name->text))
        return;
    link_unknown(linker, CODE_UNKNOWN_SEGMENT, "segment", name,
                 link_nearest_of(linker, KIND_SEGMENT, catalog->segments, catalog->segment_count,
                                 name->text));
}

void link_check_environment(struct linker *linker, const struct name *name)
{
    const struct catalog *catalog = linker->catalog;
    if (catalog_environment(catalog, name->text) ||
        link_may_exist(linker, KIND_ENVIRONMENT, name->text))
        return;
    link_unknown(linker, CODE_UNKNOWN_ENVIRONMENT, "environment", name,
                 link_nearest_of(linker, KIND_ENVIRONMENT, catalog->environments,
                                 catalog->environment_count, name->text));
}

void link_check_variant(struct linker *linker, const struct flag *flag, const struct name *name)
{
    struct similar best = {0};
    char what[120];
    size_t count = flag->variant_count;
    if (catalog_index(flag->sorted, count, name->text) < count)
        return;
    bool offers = count <= MOST_OFFERS - linker->offers;
    for (size_t i = 0; i < count && offers; i++)
        similar_offer(&best, name->text, flag->variants[i].name.text);
    linker->offers += offers ? count : 0;
    snprintf(what, sizeof what, "in flag \"%.80s\" variant", flag->name.text.data);
    link_unknown(linker, CODE_UNKNOWN_VARIANT, what, name, best.name);
}

static void check_prerequisite(struct linker *linker, const struct condition *condition)
{
    const struct catalog *catalog = linker->catalog;
    const struct flag *flag = catalog_flag(catalog, condition->name.text);
    if (flag) {
        link_check_variant(linker, flag, condition->variant);
        return;
    }
    if (link_may_exist(linker, KIND_FLAG, condition->name.text))
        return;
    link_unknown(linker, CODE_UNKNOWN_FLAG, "flag", &condition->name,
                 link_nearest_of(linker, KIND_FLAG, catalog->flags, catalog->flag_count,
                                 condition->name.text));
}

/* What is inside of `all`, `any` and `not`. */
static const struct condition *children_of(const struct condition *condition)
{
    return condition->type <= CONDITION_NOT ? condition->children : NULL;
}

/* Whether a flag was asked for. */
static bool check_condition(struct linker *linker, const struct condition *condition)
{
    bool prerequisites = false;
    for (; condition; condition = condition->next) {
        if (condition->type == CONDITION_SEGMENT) {
            link_check_segment(linker, &condition->name);
        } else if (condition->type == CONDITION_FLAG) {
            check_prerequisite(linker, condition);
            prerequisites = true;
        }
        prerequisites |= check_condition(linker, children_of(condition));
    }
    return prerequisites;
}

static bool check_settings(struct linker *linker, const struct flag *flag,
                           const struct flag_settings *settings)
{
    bool prerequisites = false;
    if (settings->default_variant.text.length)
        link_check_variant(linker, flag, &settings->default_variant);
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule = &settings->rules[i];
        prerequisites |= check_condition(linker, rule->when);
        if (rule->serve.text.length)
            link_check_variant(linker, flag, &rule->serve);
        for (size_t j = 0; rule->split && j < rule->split->share_count; j++)
            link_check_variant(linker, flag, &rule->split->shares[j].variant);
    }
    return prerequisites;
}

static void check_names(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    for (size_t i = 0; i < catalog->flag_count; i++) {
        const struct flag *flag = catalog->flags[i];
        link_look_at(linker, KIND_FLAG, i);
        bool prerequisites = check_settings(linker, flag, &flag->settings);
        for (size_t j = 0; j < flag->override_count; j++) {
            link_check_environment(linker, &flag->overrides[j].environment);
            prerequisites |= check_settings(linker, flag, &flag->overrides[j].settings);
        }
        linker->prerequisites[i] = prerequisites;
    }
    for (size_t i = 0; i < catalog->segment_count; i++) {
        link_look_at(linker, KIND_SEGMENT, i);
        check_condition(linker, catalog->segments[i]->match);
    }
    for (size_t i = 0; i < catalog->environment_count; i++) {
        link_look_at(linker, KIND_ENVIRONMENT, i);
        if (catalog->environments[i]->promotes_from.text.length)
            link_check_environment(linker, &catalog->environments[i]->promotes_from);
    }
    for (size_t i = 0; i < catalog->target_count; i++) {
        link_look_at(linker, KIND_TARGET, i);
        link_check_environment(linker, &catalog->targets[i]->environment);
    }
    link_rollouts(linker);
}

/* --- references in a circle ---------------------------------------------------------------------
 * Flags (as they are in one environment) and segments form one graph. A walk from each of them
 * keeps its path; meeting the path again is a circle. Each is walked once: then it is known how
 * deep the references below it go, or that something there was reported. */

#define NOT_WALKED 0
#define FAULTY                                                                                     \
    UINT8_MAX /* else the number of definitions on the longest way down, itself counted */

struct walk {
    struct linker *linker;
    struct text environment;
    const struct name *path[REFERENCE_DEPTH];
    size_t depth;
    uint8_t *flags, *segments; /* by their index in the catalog */
    bool all_segments;         /* have been walked */
};

/* Each returns how deep it goes, or FAULTY; `from` is the reference. */
static uint8_t walk_flag(struct walk *walk, const struct name *from, struct text name);
static uint8_t walk_segment(struct walk *walk, const struct name *from, struct text name);

/* Describes the circle, beginning with its alphabetically first member, so that each one is
 * reported once. */
static void report_circle(struct walk *walk, size_t start)
{
    char text[400];
    size_t count = walk->depth - start, first = start, length = 0;
    for (size_t i = start; i < walk->depth; i++) {
        if (text_compare(walk->path[i]->text, walk->path[first]->text) < 0)
            first = i;
    }
    for (size_t i = 0; i <= count && length < sizeof text; i++) {
        const struct name *name = walk->path[start + (first - start + i) % count];
        int written = snprintf(text + length, sizeof text - length, "%s%.64s", i ? " -> " : "",
                               name->text.data);
        length += written > 0 ? (size_t)written : 0;
    }
    diagnostics_add(walk->linker->diagnostics, CODE_CYCLE, walk->path[first]->place,
                    "remove one of the references",
                    "definitions refer to each other in a circle: %s", text);
}

static uint8_t too_deep(struct walk *walk, const struct name *from)
{
    diagnostics_add(walk->linker->diagnostics, CODE_CYCLE, from->place, "flatten some of them",
                    "segments and prerequisites refer to each other more than %d deep",
                    REFERENCE_DEPTH);
    return FAULTY;
}

/* Puts `name` on the path; false (and a fault) when it is there already, or the path is too
 * long. */
static bool enter(struct walk *walk, const struct name *name, const struct name *from)
{
    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->path[i] == name) {
            report_circle(walk, i);
            return false;
        }
    }
    if (walk->depth == REFERENCE_DEPTH) {
        too_deep(walk, from);
        return false;
    }
    walk->path[walk->depth++] = name;
    return true;
}

static uint8_t deeper(uint8_t a, uint8_t b)
{
    return a > b ? a : b; /* FAULTY is the deepest of all */
}

static uint8_t walk_condition(struct walk *walk, const struct condition *condition)
{
    uint8_t depth = 0;
    for (; condition; condition = condition->next) {
        if (condition->type == CONDITION_SEGMENT)
            depth = deeper(depth, walk_segment(walk, &condition->name, condition->name.text));
        else if (condition->type == CONDITION_FLAG)
            depth = deeper(depth, walk_flag(walk, &condition->name, condition->name.text));
        depth = deeper(depth, walk_condition(walk, children_of(condition)));
    }
    return depth;
}

/* What is known of a definition that was walked before, seen from here. */
static uint8_t known_depth(struct walk *walk, const struct name *from, uint8_t depth)
{
    return depth != FAULTY && walk->depth + depth > REFERENCE_DEPTH ? too_deep(walk, from) : depth;
}

static uint8_t leave(struct walk *walk, uint8_t below, uint8_t *out)
{
    walk->depth--;
    *out = below == FAULTY ? FAULTY : (uint8_t)(below + 1);
    return *out;
}

static uint8_t walk_segment(struct walk *walk, const struct name *from, struct text name)
{
    const struct catalog *catalog = walk->linker->catalog;
    size_t index = catalog_index(catalog->segments, catalog->segment_count, name);
    if (index == catalog->segment_count)
        return 0;
    if (walk->segments[index] != NOT_WALKED)
        return known_depth(walk, from, walk->segments[index]);
    const struct segment *segment = catalog->segments[index];
    if (!enter(walk, &segment->name, from))
        return FAULTY;
    return leave(walk, walk_condition(walk, segment->match), &walk->segments[index]);
}

/* A flag that asks for no other: all below it are segments, which have been walked. It is walked
 * by itself, so that what is too deep is told of who reaches it, not of the flag. */
static void walk_plain_flag(struct walk *walk, const struct flag *flag)
{
    size_t depth = walk->depth;
    const struct name *first = walk->path[0];
    walk->depth = 0;
    walk_flag(walk, &flag->name, flag->name.text);
    walk->path[0] = first;
    walk->depth = depth;
}

static uint8_t walk_flag(struct walk *walk, const struct name *from, struct text name)
{
    const struct catalog *catalog = walk->linker->catalog;
    size_t index = catalog_index(catalog->flags, catalog->flag_count, name);
    if (index == catalog->flag_count)
        return 0;
    if (walk->flags[index] == NOT_WALKED && walk->depth > 0 && walk->all_segments &&
        !walk->linker->prerequisites[index])
        walk_plain_flag(walk, catalog->flags[index]);
    if (walk->flags[index] != NOT_WALKED)
        return known_depth(walk, from, walk->flags[index]);
    const struct flag *flag = catalog->flags[index];
    struct flag_settings settings = flag_settings_in(flag, walk->environment);
    if (!enter(walk, &flag->name, from))
        return FAULTY;
    uint8_t depth = 0;
    for (size_t i = 0; i < settings.rule_count; i++)
        depth = deeper(depth, walk_condition(walk, settings.rules[i].when));
    return leave(walk, depth, &walk->flags[index]);
}

/* Segments are the same in every environment, and a flag that asks for no other flag only adds one
 * to the depth of its segments. So most flags need no walk of their own: with 10 000 of them and
 * two environments, walking all was half of the time that linking took. */
static void walk_all(struct walk *walk)
{
    const struct catalog *catalog = walk->linker->catalog;
    uint8_t deepest = 0;
    for (size_t i = 0; i < catalog->segment_count; i++) {
        const struct name *name = &catalog->segments[i]->name;
        uint8_t depth = walk_segment(walk, name, name->text);
        deepest = depth == FAULTY ? deepest : deeper(deepest, depth);
    }
    walk->all_segments = true;
    for (size_t i = 0; i < catalog->flag_count; i++) {
        const struct name *name = &catalog->flags[i]->name;
        if (walk->linker->prerequisites[i] || deepest >= REFERENCE_DEPTH)
            walk_flag(walk, name, name->text);
    }
}

/* --- whose fault it is: all from whom a way down is too long, a circle having no end ----------
 * The walk tells people of it at one place; which one depends on where it began. */

struct sweep {
    struct linker *linker;
    struct text environment;
    uint8_t *flags, *segments; /* how far down the sweeps so far have seen, by index */
};

static uint8_t sweep_condition(const struct sweep *sweep, const struct condition *condition)
{
    const struct catalog *catalog = sweep->linker->catalog;
    uint8_t depth = 0;
    for (; condition; condition = condition->next) {
        size_t index;
        if (condition->type == CONDITION_SEGMENT) {
            index = catalog_index(catalog->segments, catalog->segment_count, condition->name.text);
            if (index < catalog->segment_count)
                depth = deeper(depth, sweep->segments[index]);
        } else if (condition->type == CONDITION_FLAG) {
            index = catalog_index(catalog->flags, catalog->flag_count, condition->name.text);
            if (index < catalog->flag_count)
                depth = deeper(depth, sweep->flags[index]);
        }
        depth = deeper(depth, sweep_condition(sweep, children_of(condition)));
    }
    return depth;
}

/* One more step down than the last sweep. */
static void sweep_once(struct sweep *sweep)
{
    const struct catalog *catalog = sweep->linker->catalog;
    for (size_t i = 0; i < catalog->segment_count; i++) {
        uint8_t depth = sweep_condition(sweep, catalog->segments[i]->match);
        sweep->segments[i] = depth > REFERENCE_DEPTH ? depth : (uint8_t)(depth + 1);
    }
    for (size_t i = 0; i < catalog->flag_count; i++) {
        struct flag_settings settings = flag_settings_in(catalog->flags[i], sweep->environment);
        uint8_t depth = 0;
        for (size_t j = 0; j < settings.rule_count; j++)
            depth = deeper(depth, sweep_condition(sweep, settings.rules[j].when));
        sweep->flags[i] = depth > REFERENCE_DEPTH ? depth : (uint8_t)(depth + 1);
    }
}

static void mark_the_deep(struct linker *linker, struct text environment)
{
    const struct catalog *catalog = linker->catalog;
    struct sweep sweep = {.linker = linker, .environment = environment};
    sweep.flags = calloc(catalog->flag_count + 1, sizeof *sweep.flags);
    sweep.segments = calloc(catalog->segment_count + 1, sizeof *sweep.segments);
    if (sweep.flags && sweep.segments) {
        for (int i = 0; i <= REFERENCE_DEPTH; i++)
            sweep_once(&sweep);
        for (size_t i = 0; i < catalog->flag_count; i++)
            linker->faults->marked[KIND_FLAG][i] |= sweep.flags[i] > REFERENCE_DEPTH;
        for (size_t i = 0; i < catalog->segment_count; i++)
            linker->faults->marked[KIND_SEGMENT][i] |= sweep.segments[i] > REFERENCE_DEPTH;
    } else {
        linker->diagnostics->failed = STATUS_NO_MEMORY;
    }
    free(sweep.flags);
    free(sweep.segments);
}

static void check_circles_in(struct linker *linker, struct text environment)
{
    size_t errors = linker->diagnostics->errors;
    const struct catalog *catalog = linker->catalog;
    struct walk walk = {.linker = linker, .environment = environment};
    walk.flags = calloc(catalog->flag_count + 1, sizeof *walk.flags);
    walk.segments = calloc(catalog->segment_count + 1, sizeof *walk.segments);
    if (walk.flags && walk.segments)
        walk_all(&walk);
    else
        linker->diagnostics->failed = STATUS_NO_MEMORY;
    free(walk.flags);
    free(walk.segments);
    if (linker->faults && linker->diagnostics->errors != errors)
        mark_the_deep(linker, environment);
}

/* --- targets --------------------------------------------------------------------------------- */

/* By what they write to, then as they stand in the catalog. */
static int by_place(const void *a, const void *b)
{
    const struct target *one = *(struct target *const *)a, *two = *(struct target *const *)b;
    int order = (one->type > two->type) - (one->type < two->type);
    if (order == 0)
        order = text_compare(one->location.text, two->location.text);
    if (order == 0)
        order = text_compare(one->key, two->key);
    return order ? order : text_compare(one->name.text, two->name.text);
}

static void mark_target(struct linker *linker, const struct target *target)
{
    const struct catalog *catalog = linker->catalog;
    link_look_at(linker, KIND_TARGET,
                 catalog_index(catalog->targets, catalog->target_count, target->name.text));
    link_mark(linker);
}

static void check_targets(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    struct target **sorted = calloc(catalog->target_count + 1, sizeof *sorted);
    if (!sorted) {
        linker->diagnostics->failed = STATUS_NO_MEMORY;
        return;
    }
    if (catalog->target_count)
        memcpy(sorted, catalog->targets, catalog->target_count * sizeof *sorted);
    qsort(sorted, catalog->target_count, sizeof *sorted, by_place);
    for (size_t i = 1; i < catalog->target_count; i++) {
        const struct target *one = sorted[i - 1], *two = sorted[i];
        if (one->type != two->type || !text_equal(one->location.text, two->location.text) ||
            !text_equal(one->key, two->key))
            continue;
        struct diagnostic *made =
            diagnostics_add(linker->diagnostics, CODE_SAME_TARGET, two->location.place,
                            "give each target a place of its own",
                            "targets \"%.64s\" and \"%.64s\" write to the same place",
                            one->name.text.data, two->name.text.data);
        diagnostic_also(linker->diagnostics, made, one->location.place);
        mark_target(linker, one);
        mark_target(linker, two);
    }
    free(sorted);
}

/* That there is none is nobody's fault in particular. One with faults of its own will be there. */
static void check_environments(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    bool may_come = catalog->unreadable > 0;
    for (const struct broken *broken = catalog->broken; broken; broken = broken->next)
        may_come = may_come || broken->kind == KIND_ENVIRONMENT;
    if (catalog->environment_count == 0 && catalog->flag_count && !may_come)
        diagnostics_add(linker->diagnostics, CODE_NO_ENVIRONMENT, catalog->flags[0]->name.place,
                        "add environments/production.yaml with kind: Environment",
                        "flags are defined, but no environment to evaluate them in");
}

void catalog_link(const struct catalog *catalog, struct diagnostics *diagnostics,
                  struct link_faults *faults)
{
    struct linker linker = {.catalog = catalog, .diagnostics = diagnostics, .faults = faults};
    linker.prerequisites = calloc(catalog->flag_count + 1, sizeof *linker.prerequisites);
    if (!linker.prerequisites || !sort_broken(&linker)) {
        free(linker.prerequisites);
        diagnostics->failed = STATUS_NO_MEMORY;
        return;
    }
    check_names(&linker);
    check_targets(&linker);
    check_environments(&linker);
    for (size_t i = 0; i < catalog->environment_count; i++)
        check_circles_in(&linker, catalog->environments[i]->name.text);
    if (catalog->environment_count == 0)
        check_circles_in(&linker, TEXT(""));
    free(linker.broken);
    free(linker.prerequisites);
}
