/* fractional: shares, and whether weir would draw the same buckets for them.
 *
 * It does where the key is written as weir's own compiler writes it (encode_split.c), for then the
 * same seed and attribute give the same bytes to hash. */
#include <math.h>

#include "codes.h"
#include "import_private.h"

#define PADDED 120
#define MOST_WEIGHT 2147483647.0

enum key_type {
    KEY_BRIEF, /* flag key and targeting key: what an omitted key means */
    KEY_PLAIN, /* an attribute by itself */
    KEY_CAT,   /* put together out of texts and one attribute, or none */
    KEY_OWN,   /* as weir's compiler writes it */
    KEY_NONE,  /* neither string nor list: evaluates to null */
    KEY_OTHER,
};

struct key {
    enum key_type type;
    struct text attribute; /* empty: none */
    struct text seed;
    enum bucketing bucketing;
};

/* --- shapes of weir's own keys --------------------------------------------------------------- */

static const struct node *arguments_of(const struct node *node, const char *name, size_t count)
{
    struct text found;
    const struct node *arguments = node ? logic_operator(node, &found) : NULL;
    if (!arguments || !text_is(found, name) || arguments->type != NODE_LIST ||
        arguments->count != count)
        return NULL;
    return arguments->first;
}

static bool is_string(const struct node *node, const char *string)
{
    return node && node->type == NODE_STRING && text_is(node->string, string);
}

/* {"===":[PROBE, generation]}: which generation of fractional is this? */
static bool is_probe(const struct node *node, const char *generation)
{
    static const char *const numbers[] = {"3", "2", "1"};
    const struct node *sides = arguments_of(node, "===", 2);
    const struct node *parts = arguments_of(sides, "fractional", 4);
    const struct node *text = arguments_of(parts, "cat", 1);
    if (!sides || !is_string(sides->next, generation) || !is_string(text, "probe-0"))
        return false;
    const struct node *share = parts->next;
    for (size_t i = 0; i < COUNT_OF(numbers); i++, share = share->next) {
        if (share->type != NODE_LIST || share->count != 2 || !is_string(share->first, numbers[i]) ||
            share->first->next->type != NODE_NUMBER || share->first->next->number != 1)
            return false;
    }
    return true;
}

/* {"substr":[{"cat":["seed/",KEY,"…"]},0,120]} */
static const struct node *padded_parts(const struct node *node)
{
    const struct node *cut = arguments_of(node, "substr", 3);
    const struct node *parts = arguments_of(cut, "cat", 3);
    if (!parts || cut->next->type != NODE_NUMBER || cut->next->number != 0 ||
        cut->next->next->type != NODE_NUMBER || cut->next->next->number != PADDED)
        return NULL;
    const struct node *dots = parts->next->next;
    if (dots->type != NODE_STRING || dots->string.length != PADDED)
        return NULL;
    for (size_t i = 0; i < PADDED; i++) {
        if (dots->string.data[i] != '.')
            return NULL;
    }
    return parts;
}

static bool read_own(const struct node *parts, struct key *out)
{
    const struct node *fallback, *seed = parts;
    if (seed->type != NODE_STRING || seed->string.length < 2 || seed->string.length > 101 ||
        seed->string.data[seed->string.length - 1] != '/' ||
        !logic_variable(seed->next, &out->attribute, &fallback) || fallback ||
        out->attribute.length == 0)
        return false;
    out->type = KEY_OWN;
    out->seed = (struct text){seed->string.data, seed->string.length - 1};
    return true;
}

static bool read_padded(const struct node *node, struct key *out)
{
    const struct node *branches = arguments_of(node, "if", 3);
    bool v2 = branches && is_probe(branches, "2"), v3 = branches && is_probe(branches, "3");
    if (!v2 && !v3)
        return false;
    const struct node *tagged = v2 ? branches->next : branches->next->next;
    const struct node *plain = v2 ? branches->next->next : branches->next;
    const struct node *tag = arguments_of(tagged, "cat", 2), *parts = padded_parts(plain);
    if (!is_string(tag, "xx") || !parts || !node_equal(tag->next, plain))
        return false;
    out->bucketing = v2 ? BUCKETING_PADDED : BUCKETING_MIRRORED;
    return read_own(parts, out);
}

/* --- other keys ------------------------------------------------------------------------------ */

/* Texts and one attribute; flagKey is a text. */
static void read_cat(struct importer *importer, const struct node *parts, struct key *out)
{
    struct buffer before, after;
    size_t attributes = 0;
    buffer_init(&before, 0);
    buffer_init(&after, 0);
    out->type = KEY_CAT;
    for (const struct node *part = parts; part; part = part->next) {
        struct buffer *into = attributes ? &after : &before;
        const struct node *fallback;
        struct text path;
        if (part->type == NODE_STRING) {
            buffer_append_text(into, part->string);
        } else if (part->type == NODE_NUMBER) {
            json_write_number(into, part->number);
        } else if (!logic_variable(part, &path, &fallback) || fallback || path.length == 0 ||
                   text_is(path, IMPORT_NOW)) {
            out->type = KEY_OTHER;
        } else if (text_is(path, "$flagd.flagKey") && importer->flag) {
            buffer_append_text(into, importer->flag->source->key);
        } else {
            out->attribute = path;
            attributes++;
        }
    }
    if (attributes > 1)
        out->type = KEY_OTHER;
    struct text seed = buffer_text(&before);
    bool own = out->type == KEY_CAT && attributes == 1 && text_is(buffer_text(&after), "/") &&
               seed.length > 1 && seed.length <= 101 && seed.data[seed.length - 1] == '/';
    if (own) {
        out->type = KEY_OWN;
        out->bucketing = BUCKETING_PLAIN;
        seed.length--;
    }
    if (!arena_copy(importer->arena, seed, &out->seed) || before.failed || after.failed)
        importer->no_memory = true;
    buffer_dispose(&before);
    buffer_dispose(&after);
}

static struct key read_key(struct importer *importer, const struct node *first)
{
    struct key key = {.type = KEY_OTHER};
    struct text name;
    const struct node *fallback, *arguments = logic_operator(first, &name);
    if (first->type == NODE_LIST) {
        key.type = KEY_BRIEF;
        key.attribute = TEXT("targetingKey");
    } else if (first->type != NODE_MAP && first->type != NODE_STRING) {
        key.type = KEY_NONE;
    } else if (first->type == NODE_MAP && logic_variable(first, &key.attribute, &fallback)) {
        if (!fallback && key.attribute.length && !text_starts_with(key.attribute, TEXT("$flagd")))
            key.type = KEY_PLAIN;
    } else if (arguments && text_is(name, "cat") && arguments->type == NODE_LIST) {
        read_cat(importer, arguments->first, &key);
    } else if (first->type == NODE_MAP && !read_padded(first, &key)) {
        key.type = KEY_OTHER;
    }
    return key;
}

/* --- shares ---------------------------------------------------------------------------------- */

bool split_percents(struct import_share *shares, size_t count)
{
    double total = 0, given = 0;
    bool even = true;
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        total += shares[i].percent;
        if (shares[i].percent > shares[largest].percent)
            largest = i;
    }
    for (size_t i = 0; i < count; i++) {
        double thousandths = shares[i].percent * 100000 / total, whole = nearbyint(thousandths);
        even &= fmod(shares[i].percent * 100000, total) == 0;
        given += whole;
        shares[i].percent = whole;
    }
    shares[largest].percent += 100000 - given;
    for (size_t i = 0; i < count; i++)
        shares[i].percent /= 1000;
    return even;
}

/* What a share's first part names: JavaScript's toString() of it. False where it is computed, or
 * null. */
static bool read_variant(struct importer *importer, const struct node *node, struct text *out)
{
    if (node->type == NODE_STRING)
        *out = node->string;
    else if (node->type == NODE_BOOL)
        *out = node->boolean ? TEXT("true") : TEXT("false");
    else if (node->type == NODE_NUMBER)
        *out = importer_number(importer, node->number);
    else
        return false;
    return true;
}

static void refuse(struct import_rules *rules, const struct node *node, const char *reason)
{
    importer_refuse(rules->importer, CODE_IMPORT_RULE, importer_place(rules->importer, node),
                    "write the split by hand", "%s", reason);
    rules->failed = true;
}

/* The shares with weights for percents, or NULL: told, or (`*null`) flagd makes null of it. */
static struct import_share *read_shares(struct import_rules *rules, const struct node *first,
                                        size_t count, bool *null)
{
    struct importer *importer = rules->importer;
    struct import_share *shares = importer_take(importer, count + 1, sizeof *shares);
    size_t i = 0;
    *null = false;
    for (const struct node *share = first; shares && share; share = share->next, i++) {
        const struct node *weight =
            share->type == NODE_LIST && share->first ? share->first->next : NULL;
        if (share->type == NODE_MAP || (weight && weight->type == NODE_MAP) ||
            (share->type == NODE_LIST && share->first && share->first->type == NODE_MAP)) {
            refuse(rules, share, "weir's shares are constants: a variant and its weight");
            return NULL;
        }
        if (share->type != NODE_LIST || !share->first || share->count > 2 ||
            (weight && (weight->type != NODE_NUMBER || weight->number != floor(weight->number)))) {
            *null = true; /* an entry that is none: the whole of it is */
            return NULL;
        }
        if (!read_variant(importer, share->first, &shares[i].variant)) {
            refuse(rules, share, "weir's shares are constants: a variant and its weight");
            return NULL;
        }
        shares[i].percent = weight ? fmax(0, weight->number) : 1;
    }
    return shares;
}

/* Shares of the same variant together: only where users move anyway. */
static size_t merge_same(struct importer *importer, struct import_share *shares, size_t count)
{
    static const struct node there = {.type = NODE_NULL};
    size_t kept = 0;
    if (!names_reset(&importer->keys, count)) {
        importer->no_memory = true;
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        const struct name *before = names_put(&importer->keys, shares[i].variant, &there, kept);
        if (before)
            shares[before->index].percent += shares[i].percent;
        else
            shares[kept++] = shares[i];
    }
    return kept;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* The one variant that everybody gets whose key is fit for drawing. */
static void add_only(struct import_rules *rules, const struct tree *path, const struct node *node,
                     const struct key *key, struct text variant)
{
    struct importer *importer = rules->importer;
    struct outcome outcome = {.type = OUTCOME_VARIANT, .variant = variant};
    struct outcome nothing = {.type = OUTCOME_DEFAULT};
    struct text none = {NULL, 0};
    if (key->type == KEY_BRIEF) { /* JavaScript's truth: [] and {} are true */
        const struct tree *some = truthy_condition(importer, node, key->attribute, NULL);
        struct shape shape = some->shape;
        shape.map = YES;
        shape.list = formula_constant(YES);
        some = tree_shape(importer, shape, node, NULL, false);
        rules_add(rules, tree_and(importer, path, some), outcome, none);
        rules_add(rules, path, nothing, none);
    } else if (key->type == KEY_PLAIN) {
        struct import_share *share = importer_take(importer, 1, sizeof *share);
        if (!share)
            return;
        *share = (struct import_share){variant, 100};
        outcome =
            (struct outcome){.type = OUTCOME_SPLIT, .split = {share, 1, none, key->attribute}};
        rules_add(rules, path, outcome, none);
    } else {
        rules_add(rules, path, outcome, none);
    }
}

/* Whether weir draws the same buckets as this. */
static bool stays(struct importer *importer, const struct key *key, struct text guarded, bool even)
{
    if (key->type != KEY_OWN || !text_equal(guarded, key->attribute) || !guarded.length || !even)
        return false;
    if (importer->bucketing == BUCKETING_NONE)
        importer->bucketing = key->bucketing;
    return importer->bucketing == key->bucketing;
}

static void add_split(struct import_rules *rules, const struct tree *path, const struct node *node,
                      struct key *key, struct text guarded, struct import_share *shares,
                      size_t count)
{
    struct importer *importer = rules->importer;
    struct text none = {NULL, 0}, flag = importer->flag->source->key;
    size_t distinct = count;
    struct import_share *copy = importer_take(importer, count, sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, shares, count * sizeof *copy);
    distinct = merge_same(importer, copy, count);
    bool even = split_percents(copy, distinct);
    if (!stays(importer, key, guarded, even && distinct == count)) {
        if (!importer->options.rebucket || key->type == KEY_OTHER || !key->attribute.length) {
            importer_refuse(importer,
                            key->type == KEY_OTHER || !key->attribute.length ? CODE_IMPORT_RULE
                                                                             : CODE_IMPORT_SPLIT,
                            importer_place(importer, node),
                            key->type == KEY_OTHER || !key->attribute.length
                                ? "weir draws by one attribute and a seed"
                                : "--rebucket carries the shares over, and users move",
                            "weir would draw other buckets for these shares");
            rules->failed = true;
            return;
        }
        importer->flag->moves = true;
    }
    struct outcome outcome = {.type = OUTCOME_SPLIT, .split = {copy, distinct, none, none}};
    if (key->seed.length && key->seed.length <= 100 && !text_equal(key->seed, flag))
        outcome.split.seed = key->seed;
    if (!text_is(key->attribute, "targetingKey"))
        outcome.split.bucket_by = key->attribute;
    rules_add(rules, path, outcome, none);
}

void split_rules(struct import_rules *rules, const struct tree *path, const struct node *node,
                 struct text guarded)
{
    struct importer *importer = rules->importer;
    struct text name, none = {NULL, 0};
    const struct node *arguments = logic_operator(node, &name);
    struct outcome nothing = {.type = OUTCOME_DEFAULT};
    bool null = false;
    double total = 0;
    if (arguments->type != NODE_LIST || arguments->count == 0) {
        rules_add(rules, path, nothing, none);
        return;
    }
    struct key key = read_key(importer, arguments->first);
    bool brief = key.type == KEY_BRIEF;
    size_t count = arguments->count - !brief;
    struct import_share *shares = NULL;
    if (key.type != KEY_NONE)
        shares =
            read_shares(rules, brief ? arguments->first : arguments->first->next, count, &null);
    if (key.type == KEY_NONE || null) {
        rules_add(rules, path, nothing, none);
        return;
    }
    if (!shares)
        return;
    size_t positive = 0, which = 0;
    for (size_t i = 0; i < count; i++) {
        total += shares[i].percent;
        positive += shares[i].percent > 0;
        which = shares[i].percent > 0 ? i : which;
    }
    if (total == 0 || total > MOST_WEIGHT)
        rules_add(rules, path, nothing, none);
    else if (positive == 1 && key.type != KEY_OTHER && key.type != KEY_OWN)
        add_only(rules, path, node, &key, shares[which].variant);
    else
        add_split(rules, path, node, &key, guarded, shares, count);
}

/* if PROBE is "1": a 2w, b 2w, …; else the mirrored list a w, b w, … b w, a w. */
const struct node *split_mirrored(struct importer *importer, const struct node *node)
{
    const struct node *branches = arguments_of(node, "if", 3);
    struct text first_name, second_name;
    if (!branches || !is_probe(branches, "1"))
        return NULL;
    const struct node *list = logic_operator(branches->next, &first_name);
    const struct node *mirror = logic_operator(branches->next->next, &second_name);
    if (!list || !mirror || !text_is(first_name, "fractional") ||
        !text_is(second_name, "fractional") || list->type != NODE_LIST ||
        mirror->type != NODE_LIST || list->count < 2 || mirror->count != (list->count - 1) * 2 ||
        !node_equal(list->first, mirror->first))
        return NULL;
    size_t last = list->count - 2, i = 0;
    const struct node **shares = importer_take(importer, list->count, sizeof *shares);
    for (const struct node *share = list->first->next; shares && share; share = share->next)
        shares[i++] = share;
    if (!shares)
        return NULL;
    i = 0;
    for (const struct node *share = mirror->first->next; share; share = share->next, i++) {
        const struct node *same = shares[i <= last ? i : 2 * last - i];
        if (share->type != NODE_LIST || same->type != NODE_LIST || share->count != 2 ||
            same->count != 2 || !node_equal(share->first, same->first) ||
            share->first->next->type != NODE_NUMBER || same->first->next->type != NODE_NUMBER ||
            share->first->next->number * (i == last ? 1 : 2) != same->first->next->number)
            return NULL;
    }
    return branches->next;
}
