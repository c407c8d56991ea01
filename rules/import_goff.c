/* GO Feature Flag's file: a map of flags, as modules/core/flag of its repository evaluates them.
 * Its reasons have no counterpart (SPLIT, TARGETING_MATCH_SPLIT); values and variants have. */
#include "codes.h"
#include "import_private.h"
#include "path.h"
#include "yaml.h"

/* --- fields ---------------------------------------------------------------------------------- */

static bool refuse_field(struct importer *importer, const struct node *field, const char *reason)
{
    importer_refuse(importer, CODE_IMPORT_RULE, importer_key_place(importer, field),
                    "leave it out and say it with weir's own means", "\"" QUOTE "\" %s",
                    QUOTED(field->key), reason);
    return false;
}

static bool check_fields(struct importer *importer, const struct node *flag)
{
    static const char *const known[] = {"variations",   "targeting", "defaultRule",
                                        "bucketingKey", "disable",   "metadata"};
    bool fine = true;
    for (const struct node *field = flag->first; field; field = field->next) {
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            found |= text_is(field->key, known[i]);
        if (found)
            continue;
        if (text_is(field->key, "experimentation"))
            fine = refuse_field(importer, field, "ends a flag by the clock, which weir does not");
        else if (text_is(field->key, "scheduledRollout"))
            fine = refuse_field(importer, field,
                                "changes a flag by the clock; in weir that is a commit");
        else if (text_is(field->key, "version") || text_is(field->key, "trackEvents") ||
                 text_is(field->key, "converter"))
            diagnostics_add(
                importer->diagnostics, CODE_IMPORT_IGNORED, importer_key_place(importer, field),
                NULL, "field \"" QUOTE "\" changes no answer and is left out", QUOTED(field->key));
        else
            fine = refuse_field(importer, field, "is not known");
    }
    return fine;
}

/* true, false, or absent; other spellings of YAML 1.1 are not guessed. */
static bool read_switch(struct importer *importer, const struct node *map, const char *name,
                        bool *out)
{
    const struct node *field = node_get(map, name);
    *out = field && field->type == NODE_BOOL && field->boolean;
    if (field && field->type != NODE_BOOL && field->type != NODE_NULL)
        return refuse_field(importer, field, "is neither true nor false");
    return true;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Line breaks, and the spaces behind them, are taken out before a query is read. */
static struct text one_line(struct importer *importer, struct text query)
{
    struct buffer out;
    struct text copy = {NULL, 0};
    bool begins = true;
    buffer_init(&out, 0);
    for (size_t i = 0; i < query.length; i++) {
        char c = query.data[i];
        if (c == '\n')
            begins = true;
        else if (!begins || c != ' ')
            buffer_append_char(&out, c);
        if (c != '\n' && c != ' ')
            begins = false;
    }
    if (out.failed || !arena_copy(importer->arena, buffer_text(&out), &copy))
        importer->no_memory = true;
    buffer_dispose(&out);
    return copy;
}

/* Everything in an expression of JSONLogic stands where the query does. */
static void put_places(struct node *node, const struct node *query)
{
    node->line = node->key_line = query->line;
    node->column = node->key_column = query->column;
    if (node->type != NODE_LIST && node->type != NODE_MAP)
        return;
    for (struct node *entry = node->first; entry; entry = entry->next)
        put_places(entry, query);
}

static const struct tree *rule_condition(struct importer *importer, const struct node *rule)
{
    const struct node *query = node_get(rule, "query"), *logic = NULL;
    struct error error = {0};
    if (!query || query->type == NODE_NULL)
        return tree_constant(true);
    if (query->type != NODE_STRING)
        return tree_refused(importer, query, "a query is a string");
    struct text text = one_line(importer, query->string);
    if (text.length == 0)
        return tree_constant(true);
    if (text.data[0] == '{' &&
        json_read(importer->arena, text, JSON_LIMITS_DEFAULT, &logic, &error) == STATUS_OK) {
        struct node *copy = build_copy(importer, logic);
        if (!copy)
            return tree_constant(false);
        put_places(copy, query);
        return logic_condition(importer, copy);
    }
    return query_condition(importer, query, text);
}

static int from_last(const void *a, const void *b)
{
    const struct import_share *x = a, *y = b;
    return text_compare(y->variant, x->variant);
}

/* Shares in the order in which they are drawn: names from last to first. */
static struct import_share *read_percentage(struct importer *importer, const struct node *map,
                                            size_t *count)
{
    struct import_share *shares = importer_take(importer, map->count, sizeof *shares);
    *count = 0;
    for (const struct node *entry = map->first; shares && entry; entry = entry->next) {
        if (entry->type != NODE_NUMBER || entry->number < 0 || entry->number > 100000) {
            refuse_field(importer, entry, "is no percentage");
            return NULL;
        }
        shares[(*count)++] = (struct import_share){entry->key, entry->number};
    }
    if (shares && *count)
        qsort(shares, *count, sizeof *shares, from_last);
    return shares;
}

static void add_percentage(struct import_rules *rules, const struct tree *when,
                           const struct node *map, struct text bucket_by, struct text name)
{
    struct importer *importer = rules->importer;
    size_t count = 0, positive = 0, which = 0;
    struct import_share *shares = read_percentage(importer, map, &count);
    double total = 0;
    for (size_t i = 0; shares && i < count; i++) {
        total += shares[i].percent;
        positive += shares[i].percent > 0;
        which = shares[i].percent > 0 ? i : which;
    }
    rules->failed |= !shares;
    if (!shares)
        return;
    importer->errors = true; /* without a key it fails */
    if (positive == 1) {
        struct outcome one = {.type = OUTCOME_VARIANT, .variant = shares[which].variant};
        rules_add(rules, when, one, name);
        return;
    }
    if (positive == 0 || !importer->options.rebucket) {
        importer_refuse(importer, CODE_IMPORT_SPLIT, importer_key_place(importer, map),
                        "--rebucket carries the shares over, and users move",
                        "weir would draw other buckets for these shares");
        rules->failed = true;
        return;
    }
    (void)split_percents(shares, count);
    importer->flag->moves = true;
    struct outcome split = {.type = OUTCOME_SPLIT, .split = {shares, count, {NULL, 0}, bucket_by}};
    rules_add(rules, when, split, name);
}

/* What a rule gives. */
static void add_rule(struct import_rules *rules, const struct tree *when, const struct node *rule,
                     struct text bucket_by, struct text name)
{
    struct importer *importer = rules->importer;
    const struct node *progressive = node_get(rule, "progressiveRollout");
    const struct node *percentage = node_get(rule, "percentage");
    const struct node *variation = node_get(rule, "variation");
    if (progressive && progressive->type != NODE_NULL) {
        rules->failed =
            !refuse_field(importer, progressive, "grows by the clock; in weir that is a Rollout");
    } else if (percentage && percentage->type == NODE_MAP && percentage->count) {
        add_percentage(rules, when, percentage, bucket_by, name);
    } else if (variation && variation->type == NODE_STRING) {
        struct outcome one = {.type = OUTCOME_VARIANT, .variant = variation->string};
        rules_add(rules, when, one, name);
    } else {
        importer_refuse(importer, CODE_IMPORT_RULE, importer_place(importer, rule),
                        "a rule has a variation or percentages", "rule gives nothing");
        rules->failed = true;
    }
}

static void add_targeting(struct import_rules *rules, const struct node *targeting,
                          struct text bucket_by)
{
    struct importer *importer = rules->importer;
    for (const struct node *rule = targeting->first; rule; rule = rule->next) {
        bool disabled;
        struct text name = node_get_string(rule, "name");
        if (rule->type != NODE_MAP || !read_switch(importer, rule, "disable", &disabled)) {
            rules->failed = true;
            continue;
        }
        if (name.length > 100)
            name.length = 0;
        if (disabled) {
            diagnostics_add(importer->diagnostics, CODE_IMPORT_IGNORED,
                            importer_place(importer, rule), NULL, "rule is disabled and left out");
            continue;
        }
        importer->depth = 0;
        add_rule(rules, rule_condition(importer, rule), rule, bucket_by, name);
    }
}

/* --- one flag -------------------------------------------------------------------------------- */

/* The default: what the default rule gives to all, or, where it draws, the largest share. */
static struct text add_default(struct import_rules *rules, const struct node *rule,
                               struct text bucket_by)
{
    struct import_rules only = {.importer = rules->importer, .variants = rules->variants};
    struct text none = {NULL, 0};
    add_rule(&only, tree_constant(true), rule, bucket_by, none);
    rules->failed |= only.failed;
    if (only.failed || only.count == 0)
        return none;
    const struct outcome *outcome = &only.items[0].outcome;
    if (outcome->type == OUTCOME_VARIANT)
        return outcome->variant;
    size_t largest = 0;
    for (size_t i = 1; i < outcome->split.count; i++) {
        if (outcome->split.shares[i].percent > outcome->split.shares[largest].percent)
            largest = i;
    }
    rules_add(rules, tree_constant(true), *outcome, none);
    return outcome->split.shares[largest].variant;
}

static void import_one(struct importer *importer, struct import_flag *flag)
{
    const struct node *source = flag->source, *variants = node_get(source, "variations");
    const struct node *targeting = node_get(source, "targeting");
    const struct node *rule = node_get(source, "defaultRule");
    const struct node *bucketing = node_get(source, "bucketingKey");
    struct import_rules rules = {.importer = importer, .variants = variants};
    struct text bucket_by = {NULL, 0}, fallback = {NULL, 0};
    bool disabled = false;
    importer->flag = flag;
    importer->errors = importer->assumed = false;
    if (source->type != NODE_MAP) {
        importer_refuse(importer, CODE_IMPORT_FILE, importer_key_place(importer, source), NULL,
                        "\"" QUOTE "\" is not a flag", QUOTED(source->key));
        return;
    }
    bool fine = check_fields(importer, source);
    fine = read_switch(importer, source, "disable", &disabled) && fine;
    fine = flag_check(importer, source, variants) && fine;
    if (bucketing && bucketing->type == NODE_STRING && bucketing->string.length) {
        bucket_by = text_is(bucketing->string, "targetingKey") ? bucket_by : bucketing->string;
        importer->errors = true; /* without it every evaluation fails */
        if (!path_is_alike(bucket_by) && bucket_by.length)
            fine = refuse_field(importer, bucketing, "names no attribute that weir could draw by");
    }
    if (!fine)
        return;
    if (targeting && targeting->type == NODE_LIST)
        add_targeting(&rules, targeting, bucket_by);
    if (rule && rule->type == NODE_MAP)
        fallback = add_default(&rules, rule, bucket_by);
    const struct node *labels = flag_labels(importer, source, node_get(source, "metadata"));
    flag->document = flag_document(importer, variants, &rules, fallback, !disabled, labels);
    flag->errors = importer->errors;
    flag->assumed = importer->assumed;
    if (flag->document)
        importer_note(importer, flag);
}

/* --- the file -------------------------------------------------------------------------------- */

static enum status take_document(void *context, const struct node *root)
{
    struct importer *importer = context;
    if (!importer->root)
        importer->root = build_copy(importer, root);
    return importer->root ? STATUS_OK : STATUS_NO_MEMORY;
}

/* The reader's arena is reset between documents, so what lasts is copied out of it. */
static struct node *copy_texts(struct importer *importer, struct node *node)
{
    if (!node || (node->key.data && !arena_copy(importer->arena, node->key, &node->key)) ||
        (node->type == NODE_STRING && !arena_copy(importer->arena, node->string, &node->string))) {
        importer->no_memory = true;
        return NULL;
    }
    for (struct node *entry = node->type == NODE_LIST || node->type == NODE_MAP ? node->first
                                                                                : NULL;
         entry; entry = entry->next) {
        if (!copy_texts(importer, entry))
            return NULL;
    }
    return node;
}

static enum status take_copy(void *context, const struct node *root)
{
    struct importer *importer = context;
    bool first = !importer->root;
    enum status status = take_document(context, root);
    if (status == STATUS_OK && first && !copy_texts(importer, (struct node *)importer->root))
        status = STATUS_NO_MEMORY;
    return status;
}

enum status import_goff(struct importer *importer, struct text source)
{
    struct arena arena;
    struct import *out = importer->out;
    importer->from_goff = true;
    arena_init(&arena, (size_t)1 << 30);
    enum status status =
        yaml_read(&arena, importer->path, source, take_copy, importer, importer->diagnostics);
    arena_dispose(&arena);
    if (status != STATUS_OK)
        return status;
    if (!importer->root || importer->root->type != NODE_MAP) {
        importer_refuse(importer, CODE_IMPORT_FILE, importer_place(importer, importer->root),
                        "GO Feature Flag's files are maps of flags", "file has no map of flags");
        return STATUS_INVALID;
    }
    importer->flags = importer_take(importer, importer->root->count + 1, sizeof *importer->flags);
    out->documents =
        importer_take(importer, (size_t)importer->root->count + 1, sizeof *out->documents);
    if (!importer->flags || !out->documents)
        return STATUS_NO_MEMORY;
    importer_keep_environment(importer, NULL);
    for (const struct node *entry = importer->root->first; entry && !importer->no_memory;
         entry = entry->next) {
        struct import_flag *flag = &importer->flags[importer->flag_count++];
        flag->source = entry;
        import_one(importer, flag);
        if (importer_keep(importer, "flags", entry->key, flag->document, entry))
            out->flags++;
        else
            out->left_out++;
    }
    return STATUS_OK;
}
