/* E(c) is a function of Git alone: whatever was served before, from an empty disk, from the cache,
 * along merges of every shape. */
#include "../../controller/effective.h"
#include "../../rules/catalog.h"
#include "fragments.h"
#include "repositories.h"

#define COMMITS 60
#define FLAGS 6

static struct schema_set *schemas;
static char commits[COMMITS + 1][COMMIT_TEXT_SIZE]; /* from 1 */
static unsigned parents[COMMITS + 1];               /* the first ones; 0: a root */

static unsigned chance(unsigned below)
{
    return (unsigned)rand() % below;
}

static void begin_history(void)
{
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    ck_assert_ptr_nonnull(schemas);
}

static void end_history(void)
{
    schema_set_free(schemas);
    end();
}

/* --- making history -------------------------------------------------------------------------- */

static void put_file(FILE *out, const char *path, const char *text)
{
    fprintf(out, "M 100644 inline %s\ndata %zu\n%s\n", path, strlen(text), text);
}

static void put_flag(FILE *out, unsigned flag, unsigned value, const char *word)
{
    char path[40], text[400];
    snprintf(path, sizeof path, "flags/f%u.yaml", flag);
    snprintf(text, sizeof text,
             "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%u}\nspec: {variants: {v: %u}, "
             "default: %s, rules: [{when: {segment: %s}, serve: v}]}\n",
             flag, value, word, flag % 2 ? "p" : "q");
    put_file(out, path, text);
}

static void put_segment(FILE *out, const char *name, const char *attribute)
{
    char path[40], text[300];
    snprintf(path, sizeof path, "segments/%s.yaml", name);
    snprintf(text, sizeof text,
             "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: %s}\nspec: {match: {%s: x, is: "
             "%u}}\n",
             name, attribute, chance(100));
    put_file(out, path, text);
}

static void put_change(FILE *out)
{
    char path[40];
    switch (chance(24)) {
    case 0:
        put_flag(out, chance(FLAGS), chance(1000), "nope");
        break;
    case 1:
        put_segment(out, chance(2) ? "p" : "q", chance(3) ? "attribute" : "atribute");
        break;
    case 2:
        snprintf(path, sizeof path, "%s/%c.yaml", "segments", chance(2) ? 'p' : 'q');
        fprintf(out, "D %s\n", path);
        break;
    case 3:
        snprintf(path, sizeof path, "flags/f%u.yaml", chance(FLAGS));
        put_file(out, path, "apiVersion: weir/v1\n  kind: [\n");
        break;
    case 4:
        put_file(out, "state/production/x.yaml", chance(2) ? "a: 1\n" : "a: 2\n");
        break;
    default:
        put_flag(out, chance(FLAGS), chance(1000), "v");
    }
}

static void put_first(FILE *out, bool good)
{
    put_file(out, "environments/production.yaml",
             "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n");
    put_file(out, "environments/careful.yaml",
             "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: careful}\nspec: {onInvalid: "
             "hold}\n");
    put_segment(out, "p", "attribute");
    put_segment(out, "q", good ? "attribute" : "atribute");
    for (unsigned flag = 0; flag < FLAGS; flag++)
        put_flag(out, flag, flag, "v");
}

/* Root commits, chains, and merges whose first parent is either side. */
static void make_history(unsigned seed)
{
    char path[200];
    FILE *out = fopen(below(root, "history"), "w");
    ck_assert_ptr_nonnull(out);
    srand(seed);
    for (unsigned i = 1; i <= COMMITS; i++) {
        bool first = i == 1 || chance(20) == 0;
        parents[i] = first ? 0 : chance(4) ? i - 1 : 1 + chance(i - 1);
        fprintf(out, "%scommit refs/heads/main\nmark :%u\ncommitter A <a@example.com> %u +0000\n",
                first ? "reset refs/heads/main\n" : "", i, 1700000000 + i);
        fprintf(out, "data 1\nx\n");
        if (parents[i])
            fprintf(out, "from :%u\n", parents[i]);
        if (parents[i] && chance(4) == 0)
            fprintf(out, "merge :%u\n", 1 + chance(i - 1));
        if (first)
            put_first(out, chance(3) > 0);
        for (unsigned j = chance(3); j > 0; j--)
            put_change(out);
    }
    fclose(out);
    shell("git -C remote.git fast-import --quiet --export-marks=../marks < history 2>&1");
    snprintf(path, sizeof path, "%s", below(root, "marks"));
    FILE *marks = fopen(path, "r");
    unsigned mark;
    char id[COMMIT_TEXT_SIZE];
    ck_assert_ptr_nonnull(marks);
    while (fscanf(marks, ":%u %40s\n", &mark, id) == 2) {
        ck_assert_uint_le(mark, COMMITS);
        snprintf(commits[mark], sizeof commits[mark], "%s", id);
    }
    fclose(marks);
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
}

/* --- ways to a commit ------------------------------------------------------------------------ */

static void start(struct effective *effective, const char *cache)
{
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .cache = cache, .clock = &system_clock};
    effective_init(effective, &parts);
}

static void expect_same(const struct effective *a, const struct effective *b, unsigned commit,
                        const char *way)
{
    ck_assert_msg(a->documents.count == b->documents.count, "%s to %u: %zu and %zu documents", way,
                  commit, a->documents.count, b->documents.count);
    for (size_t i = 0; i < a->documents.count; i++) {
        ck_assert_str_eq(a->documents.items[i].environment, b->documents.items[i].environment);
        ck_assert_msg(
            document_equal(a->documents.items[i].document, b->documents.items[i].document),
            "%s to %u: %s differs", way, commit, a->documents.items[i].environment);
    }
    ck_assert(a->result.whole == b->result.whole);
    ck_assert_uint_eq(a->result.diagnostics.errors, b->result.diagnostics.errors);
}

/* From its root, commit by commit: what DESIGN's recursion says. */
static void go_from_root(struct effective *effective, unsigned commit)
{
    if (parents[commit])
        go_from_root(effective, parents[commit]);
    ck_assert_ok(effective_go(effective, commits[commit], &failure));
}

/* Counts the commits with faults, and the documents that are held. */
static void compare_ways(unsigned seed, size_t *faulty, size_t *held)
{
    struct effective reference, fresh, roaming;
    char cache[100];
    make_history(seed);
    snprintf(cache, sizeof cache, "%s", below(root, "cache"));
    start(&roaming, cache);
    for (unsigned i = 0; i < COMMITS; i++) {
        unsigned commit = i % 3 ? 1 + chance(COMMITS) : i + 1;
        start(&reference, NULL);
        go_from_root(&reference, commit);
        start(&fresh, chance(2) ? cache : NULL);
        ck_assert_ok(effective_go(&fresh, commits[commit], &failure));
        expect_same(&reference, &fresh, commit, "a fresh way");
        effective_dispose(&fresh);
        ck_assert_ok(effective_go(&roaming, commits[commit], &failure));
        expect_same(&reference, &roaming, commit, "a roaming way");
        *faulty += !reference.result.whole;
        for (size_t j = 0; j < reference.documents.count; j++)
            *held += reference.documents.items[j].is_held;
        if (chance(8) == 0)
            effective_trim(&roaming);
        if (chance(8) == 0) {
            effective_dispose(&roaming);
            start(&roaming, cache);
        }
        effective_dispose(&reference);
    }
    effective_dispose(&roaming);
}

START_TEST(every_way_to_a_commit_leads_to_the_same)
{
    size_t faulty = 0, held = 0;
    for (unsigned seed = 1; seed <= 6; seed++) {
        begin_history();
        compare_ways(seed, &faulty, &held);
        end_history();
    }
    ck_assert_msg(faulty > 60 && faulty < 300 && held > 30, "%zu faulty, %zu held", faulty, held);
}
END_TEST

/* --- by example ------------------------------------------------------------------------------ */

/* A shell command that writes a flag, in one of eight buffers taken in turn. */
static const char *flag(const char *name, const char *value, const char *word)
{
    static char outputs[8][300];
    static unsigned next;
    char *out = outputs[next++ % 8];
    snprintf(out, sizeof outputs[0],
             "echo \"{apiVersion: weir/v1, kind: Flag, metadata: {name: %s}, spec: {variants: {v: "
             "%s}, default: %s}}\" > flags/%s.yaml",
             name, value, word, name);
    return out;
}

static char *commit_of(const char *format, ...) PRINTF_LIKE(1, 2);
static char *commit_of(const char *format, ...)
{
    char command[1500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return commit(command);
}

static const char *value(const struct effective *effective, const char *environment,
                         const char *flag)
{
    static char out[20];
    const struct document *document = effective_document(effective, text_of(environment));
    const struct fragment *fragment = document ? document_find(document, text_of(flag)) : NULL;
    char *whole = fragment ? json_of(fragment) : NULL;
    const char *json = whole ? strstr(whole, "\"v\":") : NULL;
    snprintf(out, sizeof out, "%.*s", json ? (int)strcspn(json + 4, "}") : 4,
             json ? json + 4 : "none");
    free(whole);
    return out;
}

#define ENVIRONMENTS                                                                               \
    "mkdir -p environments flags && printf 'apiVersion: weir/v1\\nkind: Environment\\nmetadata: "  \
    "{name: production}\\n' > environments/p.yaml && printf 'apiVersion: weir/v1\\nkind: "         \
    "Environment\\nmetadata: {name: careful}\\nspec: {onInvalid: hold}\\n' > environments/c.yaml"

START_TEST(an_environment_that_holds_waits_for_a_commit_without_faults)
{
    struct effective effective, other;
    begin_history();
    commit_of("%s && %s && %s", ENVIRONMENTS, flag("a", "1", "v"), flag("b", "1", "v"));
    commit_of("%s && %s", flag("a", "2", "v"), flag("b", "2", "nope"));
    char *bad = commit(flag("a", "3", "v"));
    open_mirror();
    fetch();
    start(&effective, below(root, "cache"));
    ck_assert_ok(effective_go(&effective, bad, &failure));
    ck_assert_str_eq(value(&effective, "production", "a"), "3");
    ck_assert_str_eq(value(&effective, "production", "b"), "1");
    ck_assert_str_eq(value(&effective, "careful", "a"), "1");
    ck_assert_str_eq(value(&effective, "careful", "b"), "1");
    /* A restart, from the cache, says the same. */
    start(&other, below(root, "cache"));
    ck_assert_ok(effective_go(&other, bad, &failure));
    expect_same(&effective, &other, 3, "a restart");
    effective_dispose(&other);
    char *mended = commit(flag("b", "4", "v"));
    fetch();
    ck_assert_ok(effective_go(&effective, mended, &failure));
    ck_assert(effective.result.whole);
    ck_assert_str_eq(value(&effective, "careful", "a"), "3");
    ck_assert_str_eq(value(&effective, "careful", "b"), "4");
    effective_dispose(&effective);
    end_history();
}
END_TEST

/* A fault that nobody mends for long: found once, from a fresh clone and from the cache. */
START_TEST(a_long_way_back_is_walked_once)
{
    struct effective effective;
    begin_history();
    commit_of("%s && %s && %s", ENVIRONMENTS, flag("a", "1", "v"), flag("b", "1", "v"));
    commit(flag("b", "2", "nope"));
    char *tip =
        commit_of("for i in $(seq 300); do %s; git add -A; git commit -q --allow-empty -m $i; done",
                  flag("a", "$i", "v"));
    open_mirror();
    fetch();
    start(&effective, below(root, "cache"));
    ck_assert_ok(effective_go(&effective, tip, &failure));
    ck_assert_str_eq(value(&effective, "production", "a"), "300");
    ck_assert_str_eq(value(&effective, "production", "b"), "1");
    ck_assert_uint_gt(effective.steps, 600); /* back and forth */
    effective_dispose(&effective);
    start(&effective, below(root, "cache"));
    char *next = commit(flag("a", "301", "v"));
    fetch();
    ck_assert_ok(effective_go(&effective, next, &failure));
    ck_assert_str_eq(value(&effective, "production", "a"), "301");
    ck_assert_str_eq(value(&effective, "production", "b"), "1");
    ck_assert_uint_le(effective.steps, 3);
    effective_dispose(&effective);
    end_history();
}
END_TEST

START_TEST(a_cache_that_is_damaged_costs_time_only)
{
    static const char *const damages[] = {
        "for f in cache/*; do : > $f; done",
        "for f in cache/*; do echo nonsense > $f; done",
        "sed -i 's/\"index\":0/\"index\":7/' cache/*",
        "sed -i 's/\"blob\":\"..../\"blob\":\"0000/' cache/*",
        "sed -i 's/\"exceptions\":.*/\"exceptions\":[]}/' cache/*",
        "sed -i 's/\"rules\":\"[^\"]*\"/\"rules\":\"0\"/' cache/*",
    };
    struct effective effective;
    begin_history();
    commit_of("%s && %s && %s", ENVIRONMENTS, flag("a", "1", "v"), flag("b", "1", "v"));
    commit(flag("b", "2", "nope"));
    open_mirror();
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        char number[8];
        snprintf(number, sizeof number, "%zu", i + 10);
        char *before = commit(flag("a", number, "v"));
        fetch();
        start(&effective, below(root, "cache"));
        ck_assert_ok(effective_go(&effective, before, &failure));
        effective_dispose(&effective);
        shell("%s", damages[i]);
        snprintf(number, sizeof number, "%zu0", i + 10);
        char *tip = commit(flag("a", number, "v"));
        fetch();
        start(&effective, below(root, "cache"));
        ck_assert_ok(effective_go(&effective, tip, &failure));
        ck_assert_str_eq(value(&effective, "production", "b"), "1");
        ck_assert(!effective.result.whole);
        effective_dispose(&effective);
    }
    end_history();
}
END_TEST

/* What is known of a commit is told by its files; of one with too many of them they are not. */
START_TEST(a_tree_that_is_too_large_is_known_by_nothing)
{
    struct effective effective;
    char good[COMMIT_TEXT_SIZE];
    begin_history();
    commit_of("%s && %s && %s", ENVIRONMENTS, flag("a", "1", "v"), flag("b", "1", "v"));
    snprintf(good, sizeof good, "%s", commit(flag("b", "2", "nope")));
    const char *tree = shell("cd work && git hash-object -w --stdin < /dev/null");
    for (int depth = 0; depth < 3; depth++)
        tree =
            shell("cd work && for i in $(seq 130); do printf '%s %s\\t%%s\\n' $i; done | LC_ALL=C "
                  "sort -k 4 | git mktree",
                  depth ? "040000 tree" : "100644 blob", tree);
    const char *large =
        shell("cd work && t=$( { git ls-tree HEAD; printf '040000 tree %s\\tz\\n'; } | git mktree) "
              "&& git commit-tree -m large -p %s $t",
              tree, good);
    const char *tip = shell(
        "cd work && git reset -q --hard && %s && git add -A && git push -q origin $(git "
        "commit-tree -m tip -p %s $(git write-tree)):refs/heads/main 2>&1 && git -C "
        "../remote.git rev-parse main",
        "echo '{apiVersion: weir/v1, kind: Flag, metadata: {name: a}, spec: {variants: {v: 2, "
        "w: 3}, default: v, rules: [{when: {flag: {name: b, is: v}}, serve: w}]}}' > "
        "flags/a.yaml",
        large);
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    for (int i = 0; i < 2; i++) {
        start(&effective, below(root, "cache"));
        if (i == 0) {
            ck_assert_ok(effective_go(&effective, large, &failure));
            ck_assert_str_eq(value(&effective, "production", "a"), "1");
        } else {
            ck_assert_ok(effective_go(&effective, tip, &failure));
            ck_assert_str_eq(value(&effective, "production", "a"), "1");
            ck_assert_str_eq(value(&effective, "production", "b"), "1");
        }
        effective_dispose(&effective);
    }
    end_history();
}
END_TEST

/* A tree with two files a.yaml, which Git makes for nobody who does not ask it to. */
static char *commit_twice(const char *parent, unsigned a, unsigned b)
{
    return shell(
        "cd work && blob() { echo \"{apiVersion: weir/v1, kind: Flag, metadata: {name: $1}, spec: "
        "{variants: {v: $2}, default: v}}\" | git hash-object -w --stdin; } && t=$(printf '100644 "
        "blob %%s\\ta.yaml\\n' $(blob a %u) $(blob b %u) | git mktree) && t=$( { git ls-tree %s | "
        "grep -v flags; printf '040000 tree %%s\\tflags\\n' $t; } | git mktree) && c=$(git "
        "commit-tree -m twice -p %s $t) && git push -q -f origin $c:refs/heads/main 2>&1 && echo "
        "$c",
        a, b, parent, parent);
}

START_TEST(a_path_that_a_tree_has_twice_is_none)
{
    struct effective effective, fresh;
    begin_history();
    const char *first =
        commit_of("%s && %s && %s", ENVIRONMENTS, flag("a", "1", "v"), flag("b", "1", "v"));
    const char *commits_after[4];
    commits_after[0] = commit_twice(first, 2, 3);
    commits_after[1] = commit_twice(commits_after[0], 2, 4);
    commits_after[2] = commit_twice(commits_after[1], 5, 4);
    commits_after[3] = shell("cd work && c=$(git commit-tree -m good -p %s %s^{tree}) && git push "
                             "-q -f origin $c:refs/heads/main 2>&1 && echo $c",
                             commits_after[2], first);
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    start(&effective, NULL);
    ck_assert_ok(effective_go(&effective, first, &failure));
    for (unsigned i = 0; i < 4; i++) {
        start(&fresh, NULL);
        ck_assert_ok(effective_go(&effective, commits_after[i], &failure));
        ck_assert_ok(effective_go(&fresh, commits_after[i], &failure));
        ck_assert_str_eq(value(&effective, "production", "a"), "1");
        ck_assert_str_eq(value(&effective, "production", "b"), "1");
        expect_same(&effective, &fresh, i, "a fresh way");
        ck_assert(effective.result.whole == (i == 3));
        effective_dispose(&fresh);
    }
    effective_dispose(&effective);
    end_history();
}
END_TEST

UNIT_MAIN("effective", every_way_to_a_commit_leads_to_the_same,
          an_environment_that_holds_waits_for_a_commit_without_faults,
          a_long_way_back_is_walked_once, a_cache_that_is_damaged_costs_time_only,
          a_tree_that_is_too_large_is_known_by_nothing, a_path_that_a_tree_has_twice_is_none)
