/* Every check that needs more than one definition: names that must exist, and references in a circle. */
#include "catalog.h"
#include "codes.h"
#include "similar.h"

#define REFERENCE_DEPTH 32 /* segments and prerequisites inside one another */

struct linker {
    const struct catalog *catalog;
    struct diagnostics *diagnostics;
};

/* --- names that must exist ----------------------------------------------------------------------------------- */

/* A name whose document has faults of its own, or whose file could not be read, is not called unknown. */
static bool may_exist(const struct linker *linker, enum kind kind, struct text name)
{
    for (const struct broken *broken = linker->catalog->broken; broken; broken = broken->next) {
        if (broken->kind == kind && text_equal(broken->name, name))
            return true;
    }
    return linker->catalog->unreadable > 0;
}

static void unknown(struct linker *linker, const char *code, const char *what, const struct name *name,
                    struct text nearest)
{
    char hint[120];
    snprintf(hint, sizeof hint, "did you mean \"%.64s\"?", nearest.length ? nearest.data : "");
    diagnostics_add(linker->diagnostics, code, name->place, nearest.length ? hint : NULL,
                    "%s \"%.100s\" does not exist", what, name->text.data);
}

static void check_segment(struct linker *linker, const struct name *name)
{
    const struct catalog *catalog = linker->catalog;
    struct similar best = {0};
    if (catalog_segment(catalog, name->text) || may_exist(linker, KIND_SEGMENT, name->text))
        return;
    for (size_t i = 0; i < catalog->segment_count; i++)
        similar_offer(&best, name->text, catalog->segments[i]->name.text);
    unknown(linker, CODE_UNKNOWN_SEGMENT, "segment", name, best.name);
}

static void check_environment(struct linker *linker, const struct name *name)
{
    const struct catalog *catalog = linker->catalog;
    struct similar best = {0};
    if (catalog_environment(catalog, name->text) || may_exist(linker, KIND_ENVIRONMENT, name->text))
        return;
    for (size_t i = 0; i < catalog->environment_count; i++)
        similar_offer(&best, name->text, catalog->environments[i]->name.text);
    unknown(linker, CODE_UNKNOWN_ENVIRONMENT, "environment", name, best.name);
}

static void check_variant(struct linker *linker, const struct flag *flag, const struct name *name)
{
    struct similar best = {0};
    for (size_t i = 0; i < flag->variant_count; i++) {
        if (text_equal(flag->variants[i].name.text, name->text))
            return;
        similar_offer(&best, name->text, flag->variants[i].name.text);
    }
    char what[120];
    snprintf(what, sizeof what, "in flag \"%.80s\" variant", flag->name.text.data);
    unknown(linker, CODE_UNKNOWN_VARIANT, what, name, best.name);
}

static void check_prerequisite(struct linker *linker, const struct condition *condition)
{
    const struct catalog *catalog = linker->catalog;
    const struct flag *flag = catalog_flag(catalog, condition->name.text);
    struct similar best = {0};
    if (flag) {
        check_variant(linker, flag, &condition->variant);
        return;
    }
    if (may_exist(linker, KIND_FLAG, condition->name.text))
        return;
    for (size_t i = 0; i < catalog->flag_count; i++)
        similar_offer(&best, condition->name.text, catalog->flags[i]->name.text);
    unknown(linker, CODE_UNKNOWN_FLAG, "flag", &condition->name, best.name);
}

static void check_condition(struct linker *linker, const struct condition *condition)
{
    for (; condition; condition = condition->next) {
        if (condition->type == CONDITION_SEGMENT)
            check_segment(linker, &condition->name);
        else if (condition->type == CONDITION_FLAG)
            check_prerequisite(linker, condition);
        check_condition(linker, condition->children);
    }
}

static void check_settings(struct linker *linker, const struct flag *flag, const struct flag_settings *settings)
{
    if (settings->default_variant.text.length)
        check_variant(linker, flag, &settings->default_variant);
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule = &settings->rules[i];
        check_condition(linker, rule->when);
        if (rule->serve.text.length)
            check_variant(linker, flag, &rule->serve);
        for (size_t j = 0; j < rule->share_count; j++)
            check_variant(linker, flag, &rule->shares[j].variant);
    }
}

static void check_names(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    for (size_t i = 0; i < catalog->flag_count; i++) {
        const struct flag *flag = catalog->flags[i];
        check_settings(linker, flag, &flag->settings);
        for (size_t j = 0; j < flag->override_count; j++) {
            check_environment(linker, &flag->overrides[j].environment);
            check_settings(linker, flag, &flag->overrides[j].settings);
        }
    }
    for (size_t i = 0; i < catalog->segment_count; i++)
        check_condition(linker, catalog->segments[i]->match);
    for (size_t i = 0; i < catalog->environment_count; i++) {
        if (catalog->environments[i]->promotes_from.text.length)
            check_environment(linker, &catalog->environments[i]->promotes_from);
    }
    for (size_t i = 0; i < catalog->target_count; i++)
        check_environment(linker, &catalog->targets[i]->environment);
}

/* --- references in a circle ------------------------------------------------------------------------------------
 * Flags (as they are in one environment) and segments form one graph. A walk from each of them keeps its
 * path; meeting the path again is a circle. What was walked without a fault is not walked again. */

struct walk {
    struct linker *linker;
    struct text environment;
    const struct name *path[REFERENCE_DEPTH];
    size_t depth;
    bool *flags_done, *segments_done;
};

static bool walk_flag(struct walk *walk, const struct name *from, struct text name);
static bool walk_segment(struct walk *walk, const struct name *from, struct text name);

/* Describes the circle, beginning with its alphabetically first member, so that each one is reported once. */
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
        int written = snprintf(text + length, sizeof text - length, "%s%.64s", i ? " -> " : "", name->text.data);
        length += written > 0 ? (size_t)written : 0;
    }
    diagnostics_add(walk->linker->diagnostics, CODE_CYCLE, walk->path[first]->place, "remove one of the references",
                    "definitions refer to each other in a circle: %s", text);
}

/* Puts `name` on the path; false (and a fault) when it is there already, or the path is too long. */
static bool enter(struct walk *walk, const struct name *name, const struct name *from)
{
    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->path[i] == name) {
            report_circle(walk, i);
            return false;
        }
    }
    if (walk->depth == REFERENCE_DEPTH) {
        diagnostics_add(walk->linker->diagnostics, CODE_CYCLE, from->place, "flatten some of them",
                        "segments and prerequisites refer to each other more than %d deep", REFERENCE_DEPTH);
        return false;
    }
    walk->path[walk->depth++] = name;
    return true;
}

static bool walk_condition(struct walk *walk, const struct condition *condition)
{
    for (; condition; condition = condition->next) {
        bool good = true;
        if (condition->type == CONDITION_SEGMENT)
            good = walk_segment(walk, &condition->name, condition->name.text);
        else if (condition->type == CONDITION_FLAG)
            good = walk_flag(walk, &condition->name, condition->name.text);
        if (!good || !walk_condition(walk, condition->children))
            return false;
    }
    return true;
}

static bool walk_segment(struct walk *walk, const struct name *from, struct text name)
{
    const struct catalog *catalog = walk->linker->catalog;
    size_t index = catalog_index(catalog->segments, catalog->segment_count, name);
    if (index == catalog->segment_count || walk->segments_done[index])
        return true;
    const struct segment *segment = catalog->segments[index];
    if (!enter(walk, &segment->name, from))
        return false;
    bool good = walk_condition(walk, segment->match);
    walk->depth--;
    walk->segments_done[index] = good;
    return good;
}

static bool walk_flag(struct walk *walk, const struct name *from, struct text name)
{
    const struct catalog *catalog = walk->linker->catalog;
    size_t index = catalog_index(catalog->flags, catalog->flag_count, name);
    if (index == catalog->flag_count || walk->flags_done[index])
        return true;
    const struct flag *flag = catalog->flags[index];
    struct flag_settings settings = flag_settings_in(flag, walk->environment);
    if (!enter(walk, &flag->name, from))
        return false;
    bool good = true;
    for (size_t i = 0; i < settings.rule_count && good; i++)
        good = walk_condition(walk, settings.rules[i].when);
    walk->depth--;
    walk->flags_done[index] = good;
    return good;
}

static void check_circles_in(struct linker *linker, struct text environment)
{
    const struct catalog *catalog = linker->catalog;
    struct walk walk = {.linker = linker, .environment = environment};
    walk.flags_done = calloc(catalog->flag_count + 1, sizeof(bool));
    walk.segments_done = calloc(catalog->segment_count + 1, sizeof(bool));
    if (!walk.flags_done || !walk.segments_done) {
        linker->diagnostics->failed = STATUS_NO_MEMORY;
    } else {
        for (size_t i = 0; i < catalog->segment_count; i++)
            walk_segment(&walk, &catalog->segments[i]->name, catalog->segments[i]->name.text);
        for (size_t i = 0; i < catalog->flag_count; i++)
            walk_flag(&walk, &catalog->flags[i]->name, catalog->flags[i]->name.text);
    }
    free(walk.flags_done);
    free(walk.segments_done);
}

/* --- targets ------------------------------------------------------------------------------------------------- */

static bool same_place(const struct target *a, const struct target *b)
{
    return a->type == b->type && text_equal(a->location.text, b->location.text) && text_equal(a->key, b->key);
}

static void check_targets(struct linker *linker)
{
    const struct catalog *catalog = linker->catalog;
    for (size_t i = 1; i < catalog->target_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct target *one = catalog->targets[j], *two = catalog->targets[i];
            if (!same_place(one, two))
                continue;
            struct diagnostic *made =
                diagnostics_add(linker->diagnostics, CODE_SAME_TARGET, two->location.place,
                                "give each target a place of its own",
                                "targets \"%.64s\" and \"%.64s\" write to the same place", one->name.text.data,
                                two->name.text.data);
            diagnostic_also(linker->diagnostics, made, one->location.place);
        }
    }
}

void catalog_link(const struct catalog *catalog, struct diagnostics *diagnostics)
{
    struct linker linker = {catalog, diagnostics};
    check_names(&linker);
    check_targets(&linker);
    if (catalog->environment_count == 0 && catalog->flag_count && !may_exist(&linker, KIND_ENVIRONMENT, TEXT("")))
        diagnostics_add(diagnostics, CODE_NO_ENVIRONMENT, catalog->flags[0]->name.place,
                        "add environments/production.yaml with kind: Environment",
                        "flags are defined, but no environment to evaluate them in");
    for (size_t i = 0; i < catalog->environment_count; i++)
        check_circles_in(&linker, catalog->environments[i]->name.text);
    if (catalog->environment_count == 0)
        check_circles_in(&linker, TEXT(""));
}
