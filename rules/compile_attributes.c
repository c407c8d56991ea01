/* Which attributes an environment's flags ask for, found in the definitions before anything is
 * compiled. What is not found here costs time, not an answer: such a flag is compiled alone. */
#include "compile_private.h"

struct finder {
    const struct catalog *catalog;
    struct attributes *attributes;
    bool *seen; /* by the index of a segment */
    enum status status;
};

static void find_in(struct finder *finder, const struct condition *condition);

static void give(struct finder *finder, struct text path)
{
    uint16_t slot;
    if (finder->status == STATUS_OK)
        finder->status = attributes_slot(finder->attributes, path, &slot);
    if (finder->status == STATUS_LIMIT) /* told of the flag that is too many */
        finder->status = STATUS_OK;
}

static void find_in_segment(struct finder *finder, struct text name)
{
    const struct catalog *catalog = finder->catalog;
    size_t index = catalog_index(catalog->segments, catalog->segment_count, name);
    if (index == catalog->segment_count || finder->seen[index])
        return;
    finder->seen[index] = true;
    find_in(finder, catalog->segments[index]->match);
}

static void find_in(struct finder *finder, const struct condition *condition)
{
    for (; condition; condition = condition->next) {
        switch (condition->type) {
        case CONDITION_ALL:
        case CONDITION_ANY:
        case CONDITION_NOT:
            find_in(finder, condition->children);
            break;
        case CONDITION_SEGMENT:
            find_in_segment(finder, condition->name.text);
            break;
        case CONDITION_FLAG: /* its rules are walked as its own */
            break;
        case CONDITION_ATTRIBUTE:
            give(finder, condition->attribute);
            break;
        }
    }
}

enum status compile_attributes(const struct catalog *catalog, const struct environment *environment,
                               struct attributes *attributes)
{
    struct finder finder = {.catalog = catalog,
                            .attributes = attributes,
                            .seen = calloc(catalog->segment_count + 1, sizeof *finder.seen)};
    if (!finder.seen)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < catalog->flag_count; i++) {
        struct flag_settings settings = flag_settings_in(catalog->flags[i], environment->name.text);
        for (size_t j = 0; j < settings.rule_count; j++) {
            const struct rule *rule = &settings.rules[j];
            find_in(&finder, rule->when);
            if (rule->split && rule->split->bucket_by.length)
                give(&finder, rule->split->bucket_by);
        }
    }
    free(finder.seen);
    return finder.status;
}
