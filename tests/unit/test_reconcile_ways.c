/* By chance: the same is in force after a commit on every way that leads to it. */
#include "reconcile_unit.h"

/* A sanitizer looks at the same ways for something else, and finds it in fewer histories: that the
 * outcomes are the same is what the others are for. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS 12
#else
#define SEEDS 40
#endif

static unsigned rarity = 1; /* of faults: higher is rarer */

static unsigned chance(unsigned below)
{
    return (unsigned)rand() % below;
}

static bool goes_wrong(unsigned odds)
{
    return chance(odds * rarity) == 0;
}

static const char *pick(const char *const *words, unsigned count)
{
    return words[chance(count)];
}

static const char *const flag_names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const char *const segment_names[] = {"p", "q", "r", "s", "gone"};
static const char *const environment_names[] = {"dev", "production", "test", "gone"};

/* Flags ask for flags and segments from these on, segments for segments: so there are few circles.
 */
struct scope {
    unsigned flag, segment;
};

static void write_condition(struct buffer *out, int depth, struct scope from)
{
    switch (chance(depth > 2 ? 4 : 7)) {
    case 0:
        if (from.segment < 4 || goes_wrong(12))
            buffer_printf(out, "{segment: %s}",
                          from.segment < 4 && !goes_wrong(12)
                              ? pick(segment_names + from.segment, 4 - from.segment)
                              : pick(segment_names, 5));
        else
            buffer_append_string(out, "{attribute: s, exists: true}");
        break;
    case 1:
        if (from.flag < 8 || goes_wrong(12))
            buffer_printf(out, "{flag: {name: %s, is: %s}}",
                          from.flag < 8 && !goes_wrong(12)
                              ? pick(flag_names + from.flag, 8 - from.flag)
                              : pick(flag_names, 8),
                          goes_wrong(3) ? "third" : "on");
        else
            buffer_append_string(out, "{attribute: f, exists: false}");
        break;
    case 2:
        buffer_printf(out, "{attribute: x%u, %s: %u}", chance(4), goes_wrong(20) ? "gt3" : "gte",
                      chance(9));
        break;
    case 3:
        buffer_printf(out, "{attribute: v, semver: \">=%u.0.0\"}",
                      goes_wrong(6) ? 3000000000u : chance(9));
        break;
    default:
        buffer_append_string(out, chance(2) ? "{all: [" : "{any: [");
        write_condition(out, depth + 1, from);
        buffer_append_string(out, ", ");
        write_condition(out, depth + 1, from);
        buffer_append_string(out, "]}");
    }
}

static void write_flag(struct buffer *out, const char *name)
{
    const struct scope from = {name[0] == 'z' ? 8 : (unsigned)(name[0] - 'a') + 1, 0};
    buffer_printf(out, "apiVersion: weir/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n",
                  goes_wrong(40) ? "Flga" : "Flag", name);
    buffer_printf(out, "  variants: {on: %s%u, off: %u%s}\n  default: %s\n",
                  goes_wrong(6) ? "42949672" : "", chance(100), chance(100),
                  chance(3) ? "" : ", third: 3", goes_wrong(20) ? "nope" : "off");
    if (chance(3)) {
        buffer_append_string(out, "  rules: [{serve: on, when: ");
        write_condition(out, chance(2) ? 3 : 0, from);
        buffer_append_string(out, "}]\n");
    }
    if (chance(4) == 0) {
        buffer_printf(out, "  environments: {%s: {default: on, rules: [{serve: off, when: ",
                      pick(environment_names, goes_wrong(10) ? 4 : 3));
        write_condition(out, 3, from);
        buffer_append_string(out, "}]}}\n");
    }
    if (goes_wrong(30))
        buffer_append_string(out, "  [\n");
}

static void write_segment(struct buffer *out, const char *name)
{
    const struct scope from = {8, (unsigned)(name[0] - 'p') + 1};
    buffer_printf(out, "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: %s}\nspec: {match: ",
                  goes_wrong(40) ? "[x]" : name);
    write_condition(out, chance(3) ? 3 : 1, from);
    buffer_append_string(out, "}\n");
}

static void write_environment(struct buffer *out, const char *name)
{
    static const char *const lists[] = {"[weir]", "[weir, flagd]", "[weir, java]", "[wier]"};
    buffer_printf(out,
                  "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: %s}\nspec: "
                  "{evaluators: %s, protected: %s}\n",
                  name, pick(lists, goes_wrong(8) ? 4 : 3), chance(2) ? "true" : "false");
}

static void write_target(struct buffer *out, const char *name)
{
    buffer_printf(out,
                  "apiVersion: weir/v1\nkind: Target\nmetadata: {name: %s}\nspec: {environment: "
                  "%s, file: {path: %s.json}}\n",
                  name, pick(environment_names, goes_wrong(8) ? 4 : 3),
                  goes_wrong(3) ? "same" : name);
}

#define FLAG_ASKING                                                                                \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: deep}\nspec: {variants: {on: 1, off: 0}, "  \
    "default: off, rules: [{serve: on, when: {segment: link-%u}}]}\n"

/* Segments inside one another, to about where it becomes too many. */
static void write_chain(struct buffer *out)
{
    unsigned links = 25 + chance(goes_wrong(4) ? 12 : 2), first = chance(3);
    if (goes_wrong(4))
        first = 26 + chance(80); /* which may not exist, but is near to some that do */
    for (unsigned i = 0; i < links; i++)
        buffer_printf(out,
                      "---\napiVersion: weir/v1\nkind: Segment\nmetadata: {name: link-%u}\nspec: "
                      "{match: {%s: %s%u%s}}\n",
                      i, i + 1 < links ? "segment" : "attribute", i + 1 < links ? "link-" : "x",
                      i + 1, i + 1 < links ? "" : ", is: 1");
    buffer_printf(out, "---\n" FLAG_ASKING, first);
}

static void write_any(struct buffer *out, size_t file)
{
    if (file < 3) {
        write_environment(out, environment_names[file]);
    } else if (file < 11) {
        write_flag(out, flag_names[file - 3]);
    } else if (file < 13) {
        write_flag(out, pick(flag_names, 8));
        buffer_append_string(out, "---\n");
        write_segment(out, pick(segment_names, 4));
    } else if (file < 17) {
        write_segment(out, segment_names[file - 13]);
    } else if (file == 17) {
        write_segment(out, pick(segment_names, 4));
    } else if (file < 20) {
        write_target(out, file == 18 ? "one" : "two");
    } else if (file == 20 ? chance(5) > 0 : file == 21 && chance(5) == 0) {
        write_flag(out, "z");
    } else if (file == 22) {
        write_chain(out);
    } else {
        buffer_append_string(out, "just: words\n");
    }
}

/* The doubled files seldom are there: they make most commits faulty. */
static void change_file(struct tree *tree, size_t file)
{
    bool doubled = file == 11 || file == 12 || file == 17 || file == 23;
    struct buffer text;
    if (file == 23 && goes_wrong(4)) {
        tree->files[file] = LINK;
        return;
    }
    if (doubled ? !goes_wrong(2) : goes_wrong(12)) {
        tree->files[file] = 0;
        return;
    }
    buffer_init(&text, 0);
    write_any(&text, file);
    tree->files[file] = keep_text(buffer_string(&text));
    buffer_dispose(&text);
}

/* The whole tree by the other way, from a bundle: its verdict, and its documents when it is good.
 */
static void compare_with_bundle(const struct way *way, const struct tree *tree)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < FILES; i++) {
        if (tree->files[i] == LINK)
            bundle_note(&rig.faults, text_of(tree_paths[i]), BUNDLE_LINK);
        else if (tree->files[i])
            ck_assert_int_eq(bundle_take(&rig.bundle, text_of(tree_paths[i]),
                                         text_of(texts[tree->files[i]]), &rig.faults),
                             STATUS_OK);
    }
    enum status status = rig_link(&rig), linked = status;
    if (rig.faults.errors)
        linked = status = STATUS_INVALID;
    for (size_t i = 0; i < rig.catalog.environment_count && linked == STATUS_OK; i++) {
        const struct environment *environment = rig.catalog.environments[i];
        const struct inventory_document *document =
            inventory_document(&way->inventory, environment->name.text);
        if (rig_compile(&rig, environment->name.text.data, NULL) != STATUS_OK)
            status = STATUS_INVALID;
        if (rig.document && way->result.whole)
            ck_assert(document && document_equal(document->document, rig.document));
        document_release(rig.document);
        rig.document = NULL;
    }
    ck_assert_msg((status == STATUS_OK) == way->result.whole, "whole: %d, but:\n%s\nor:\n%s",
                  way->result.whole, rig_story(&rig), story(&way->result.diagnostics));
    ck_assert_str_eq(rig_story(&rig), story(&way->result.diagnostics));
    if (status == STATUS_OK)
        ck_assert_uint_eq(way->inventory.document_count, rig.catalog.environment_count);
    rig_dispose(&rig);
}

static void compare_with_known(struct way *known, const struct way *way, const struct tree *tree)
{
    struct exception *exceptions;
    struct arena arena;
    size_t count;
    arena_init(&arena, 0);
    ck_assert_int_eq(reconcile_exceptions(&way->inventory, &arena, &exceptions, &count), STATUS_OK);
    if (chance(2))
        way_restart(known);
    ck_assert_int_eq(way_step(known, tree, exceptions, count, true), STATUS_OK);
    expect_same_documents(&way->inventory, &known->inventory, "known");
    ck_assert_uint_eq(known->inventory.quarantined.count, count);
    arena_dispose(&arena);
}

/* What is known of a commit, as a controller keeps it. */
struct kept {
    struct arena arena;
    struct exception *exceptions;
    size_t count;
};

static void keep(struct kept *kept, const struct inventory *inventory)
{
    arena_dispose(&kept->arena);
    arena_init(&kept->arena, 0);
    ck_assert_int_eq(reconcile_exceptions(inventory, &kept->arena, &kept->exceptions, &kept->count),
                     STATUS_OK);
}

/* From wherever the other way is to the parent by what was kept of it, then one step. */
static void compare_with_restarted(struct way *other, const struct way *way,
                                   const struct kept *kept, const struct tree *trees, size_t tip)
{
    struct kept mine = {0}, others = {0};
    if (chance(2))
        way_restart(other);
    if (chance(2))
        way_go(other, &trees[tip - chance(tip < 3 ? (unsigned)tip : 3)]);
    ck_assert_int_eq(way_step(other, &trees[tip - 1], kept->exceptions, kept->count, true),
                     STATUS_OK);
    way_go(other, &trees[tip]);
    expect_same_documents(&way->inventory, &other->inventory, "restarted");
    ck_assert_uint_eq(way->inventory.entries.count, other->inventory.entries.count);
    keep(&mine, &way->inventory);
    keep(&others, &other->inventory);
    ck_assert_uint_eq(mine.count, others.count);
    for (size_t i = 0; i < mine.count; i++) {
        ck_assert_int_eq(mine.exceptions[i].kind, others.exceptions[i].kind);
        ck_assert(text_equal(mine.exceptions[i].name, others.exceptions[i].name));
        ck_assert(text_equal(mine.exceptions[i].path, others.exceptions[i].path));
    }
    ck_assert_str_eq(story(&way->result.diagnostics), story(&other->result.diagnostics));
    arena_dispose(&mine.arena);
    arena_dispose(&others.arena);
}

/* How many of the commits were whole. */
static size_t play(unsigned seed, size_t commits)
{
    struct tree *trees = calloc(commits, sizeof *trees);
    struct way way, fresh, known, restarted;
    struct kept kept = {0};
    size_t whole = 0;
    ck_assert_ptr_nonnull(trees);
    srand(seed);
    text_count = 0;
    way_init(&way);
    way_init(&fresh);
    way_init(&known);
    way_init(&restarted);
    for (size_t i = 0; i < commits; i++) {
        unsigned changes = i ? 1 + chance(chance(8) ? 3 : 20) : 0;
        if (i)
            trees[i] = trees[i - 1];
        for (size_t file = 0; i == 0 && file < FILES; file++)
            change_file(&trees[i], file);
        for (unsigned j = 0; j < changes; j++)
            change_file(&trees[i], chance(FILES));
        if (i > 2 && chance(10) == 0)
            trees[i] = trees[i - 2]; /* a revert */
        way_go(&way, &trees[i]);
        whole += way.result.whole;
        compare_with_bundle(&way, &trees[i]);
        if (chance(3) == 0) {
            go_fresh(&fresh, trees, i);
            expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
        }
        compare_with_known(&known, &way, &trees[i]);
        if (i)
            compare_with_restarted(&restarted, &way, &kept, trees, i);
        keep(&kept, &way.inventory);
    }
    way_dispose(&way);
    way_dispose(&fresh);
    way_dispose(&known);
    way_dispose(&restarted);
    arena_dispose(&kept.arena);
    for (uint32_t i = 1; i <= text_count; i++)
        free(texts[i]);
    free(trees);
    return whole;
}

START_TEST(every_way_to_a_commit_leads_to_the_same)
{
    const char *seeds = getenv("RECONCILE_SEEDS");
    unsigned last = seeds ? (unsigned)strtoul(seeds, NULL, 10) : SEEDS;
    size_t whole = 0;
    for (unsigned seed = 1; seed <= last; seed++) {
        rarity = 1 + seed % 4 * 10;
        whole += play(seed, 40);
    }
    ck_assert_msg(whole > 8 * last && whole < 36 * last, "of %u commits %zu were whole", 40 * last,
                  whole);
}
END_TEST

UNIT_MAIN("reconcile_ways", every_way_to_a_commit_leads_to_the_same)
