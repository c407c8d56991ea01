/* A pinned flag is what it was at that commit: on every way there, on every clone, in environments
 * that hold too, and whatever became of its definition. */
#include "../../controller/effective.h"
#include "../../rules/codes.h"
#include "pins.h"
#include "repositories.h"
#include "rollouts_unit.h"

static struct schema_set *schemas;
static struct effective_parts parts;

#define FLAG(name, rest)                                                                           \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: " name "}\nspec: {variants: {a: 1, b: 2, "  \
    "c: 3}, default: a" rest "}\n"
#define RULE(variant) ", rules: [{when: {segment: staff}, serve: " variant "}]"
#define SEGMENT(match)                                                                             \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: staff}\nspec: {match: {" match "}}\n"
#define STAFF SEGMENT("attribute: email, endsWith: '@example.com'")
#define NOBODY SEGMENT("attribute: email, is: nobody")

static void put(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* As weir does it: each behind the one before. */
static void put_pin(struct flag_pin pin)
{
    static uint32_t seq;
    pin.seq = ++seq;
    char *text = pin_text(&pin);
    put("state/production/flags/shop.yaml", text);
    free(text);
}

static const char *commit_files(void)
{
    static char commits[16][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *kept = commits[next++ % 16];
    snprintf(kept, COMMIT_TEXT_SIZE, "%s", commit("true"));
    return kept;
}

/* Pinned as of a commit, by a commit. */
static const char *pin_as_of(const char *as_of)
{
    put_pin(pin_of(as_of, false, NULL));
    return commit_files();
}

/* A flag "shop" that serves b to staff, in "production" and in "careful", which holds. */
static const char *begin_history(void)
{
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    ck_assert_ptr_nonnull(schemas);
    shell("mkdir -p work/flags work/segments work/environments work/state/production/flags");
    put("environments/all.yaml", RIG_PRODUCTION);
    put("segments/staff.yaml", STAFF);
    put("flags/shop.yaml", FLAG("shop", RULE("b")));
    put("flags/other.yaml", FLAG("other", ""));
    const char *first = commit_files();
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    parts = (struct effective_parts){.mirror = mirror, .schemas = schemas, .clock = &system_clock};
    return first;
}

static void end_history(void)
{
    schema_set_free(schemas);
    end();
}

static const char *served_by(const struct effective *effective, const char *flag)
{
    static char variant[64];
    struct context context;
    struct decision decision;
    const struct document *document = effective_document(effective, TEXT("production"));
    ck_assert_ptr_nonnull(document);
    const struct fragment *fragment = document_find(document, text_of(flag));
    if (!fragment)
        return "";
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_ok(context_read(&context, document->attributes,
                              TEXT("{\"targetingKey\":\"x\",\"email\":\"a@example.com\"}"),
                              &failure));
    evaluate(fragment, &context, RIG_NOW, &decision);
    snprintf(variant, sizeof variant, "%.*s", (int)decision.variant.length,
             decision.variant.length ? decision.variant.data : "");
    context_dispose(&context);
    return variant;
}

/* What staff get of "shop" at a commit: by one way through history, by an empty disk, from the
 * disk that was filled then; and the bytes are the same. */
static void expect(struct effective *way, const char *tip, const char *variant)
{
    struct effective_parts kept = parts;
    struct effective fresh, again;
    kept.cache = below(root, "effective");
    ck_assert_ok(effective_go(way, tip, &failure));
    ck_assert_str_eq(served_by(way, "shop"), variant);
    effective_init(&fresh, &parts);
    ck_assert_ok(effective_go(&fresh, tip, &failure));
    ck_assert_str_eq(served_by(&fresh, "shop"), variant);
    for (int i = 0; i < 2; i++) { /* the second time it is read again */
        effective_init(&again, &kept);
        ck_assert_ok(effective_go(&again, tip, &failure));
        for (size_t j = 0; j < fresh.documents.count; j++) {
            ck_assert(document_equal(way->documents.items[j].document,
                                     fresh.documents.items[j].document));
            ck_assert(document_equal(again.documents.items[j].document,
                                     fresh.documents.items[j].document));
        }
        effective_dispose(&again);
    }
    effective_dispose(&fresh);
}

START_TEST(a_pinned_flag_is_what_it_was_then)
{
    struct effective way;
    const char *good = begin_history();
    effective_init(&way, &parts);
    expect(&way, good, "b");
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    const char *bad = commit_files();
    expect(&way, bad, "c");
    expect(&way, pin_as_of(good), "b");
    put("segments/staff.yaml", NOBODY); /* segments of then are included */
    expect(&way, commit_files(), "b");
    put("flags/other.yaml", FLAG("other", RULE("b")));
    expect(&way, commit_files(), "b");
    ck_assert_str_eq(served_by(&way, "other"), "a"); /* the others are of now */
    put("flags/shop.yaml", "- {");
    expect(&way, commit_files(), "b");
    ck_assert_uint_gt(way.inventory.quarantined.count, 0);
    shell("cd work && git rm -qf flags/shop.yaml");
    expect(&way, commit_files(), "b"); /* a pin stands until it is lifted */
    put_pin(pin_of(NULL, false, NULL));
    expect(&way, commit_files(), "");
    effective_dispose(&way);
    end_history();
}
END_TEST

START_TEST(a_flag_that_was_not_there_is_not_there)
{
    struct effective way;
    const char *good = begin_history();
    put("flags/new.yaml", FLAG("new", ""));
    commit_files();
    struct flag_pin pin = pin_of(good, false, NULL);
    pin.name.text = TEXT("production/new");
    pin.flag = TEXT("new");
    char *text = pin_text(&pin);
    put("state/production/flags/new.yaml", text);
    free(text);
    effective_init(&way, &parts);
    expect(&way, commit_files(), "b");
    ck_assert_str_eq(served_by(&way, "new"), "");
    effective_dispose(&way);
    end_history();
}
END_TEST

/* The document is the very same one when nothing of it changed. */
START_TEST(a_commit_of_something_else_costs_nothing)
{
    struct effective way;
    const char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    commit_files();
    const char *pinned = pin_as_of(good);
    put("README.md", "more\n");
    const char *readme = commit_files();
    effective_init(&way, &parts);
    ck_assert_ok(effective_go(&way, pinned, &failure));
    struct document *before = document_reference(way.documents.items[0].document);
    ck_assert_ok(effective_go(&way, readme, &failure));
    ck_assert_ptr_eq(before, way.documents.items[0].document);
    document_release(before);
    effective_dispose(&way);
    end_history();
}
END_TEST

START_TEST(an_environment_that_holds_follows_its_pins)
{
    struct effective way;
    begin_history();
    put("environments/all.yaml", RIG_PRODUCTION "spec: {onInvalid: hold}\n");
    const char *good = commit_files();
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    commit_files();
    put("flags/broken.yaml", "kind: [\n");
    effective_init(&way, &parts);
    expect(&way, commit_files(), "c");
    ck_assert(way.documents.items[0].is_held);
    expect(&way, pin_as_of(good), "b");
    ck_assert(way.documents.items[0].is_held);
    put_pin(pin_of(good, true, NULL));
    expect(&way, commit_files(), "a");
    put_pin(pin_of(good, true, "c"));
    expect(&way, commit_files(), "c");
    put_pin(pin_of(good, false, NULL));
    expect(&way, commit_files(), "b");
    put_pin(pin_of(NULL, false, NULL));
    expect(&way, commit_files(), "c");
    effective_dispose(&way);
    end_history();
}
END_TEST

START_TEST(pins_lead_to_pins)
{
    struct effective way;
    char commits[EFFECTIVE_PIN_HOPS + 3][COMMIT_TEXT_SIZE];
    const char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    commit_files();
    effective_init(&way, &parts);
    snprintf(commits[0], COMMIT_TEXT_SIZE, "%s", good);
    for (int i = 1; i < EFFECTIVE_PIN_HOPS + 3; i++) {
        snprintf(commits[i], COMMIT_TEXT_SIZE, "%s", pin_as_of(commits[i - 1]));
        if (i == 1 || i == 2)
            expect(&way, commits[i], "b");
    }
    expect(&way, commits[EFFECTIVE_PIN_HOPS + 1], "b");
    ck_assert(way.result.whole);
    /* One too many, whatever of them was known before. */
    expect(&way, commits[EFFECTIVE_PIN_HOPS + 2], "c");
    ck_assert_uint_eq(way.result.diagnostics.errors, 1);
    ck_assert_str_eq(way.result.diagnostics.items[0].code, CODE_PIN_COMMIT);
    effective_dispose(&way);
    end_history();
}
END_TEST

START_TEST(a_commit_of_another_history_does_not_count)
{
    struct effective way;
    begin_history();
    shell("cd work && git checkout -q -b side");
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    const char *side = commit_files();
    shell("cd work && git checkout -q main");
    effective_init(&way, &parts);
    expect(&way, pin_as_of(side), "b"); /* it is in this clone, but not in that history */
    ck_assert_uint_eq(way.result.diagnostics.errors, 1);
    ck_assert_str_eq(way.result.diagnostics.items[0].code, CODE_PIN_COMMIT);
    expect(&way, pin_as_of("0123456789abcdef0123456789abcdef01234567"), "b");
    ck_assert_uint_eq(way.result.diagnostics.errors, 1);
    shell("cd work && git merge -q --no-commit side");
    put_pin(pin_of(side, false, NULL));
    const char *merged = commit_files(); /* now it is, by a second parent */
    expect(&way, merged, "c");
    put("flags/shop.yaml", FLAG("shop", RULE("b")));
    expect(&way, commit_files(), "c");
    ck_assert_uint_eq(way.result.diagnostics.errors, 0);
    effective_dispose(&way);
    end_history();
}
END_TEST

/* No pin brings back what was taken from users since. */
START_TEST(a_kill_of_its_rollout_comes_first)
{
    struct effective way;
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    begin_history();
    put("flags/shop.yaml", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: "
                           "{variants: {on: true, off: false}, default: off}\n");
    put("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    char *text = state_text(&state);
    put("state/production/shop-release.yaml", text);
    free(text);
    const char *running = commit_files();
    put("flags/shop.yaml",
        "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {on: true, "
        "off: false}, default: off, rules: [{serve: on}]}\n");
    commit_files();
    effective_init(&way, &parts);
    expect(&way, pin_as_of(running), "on");
    state.course = COURSE_KILLED;
    state.seq++;
    text = state_text(&state);
    put("state/production/shop-release.yaml", text);
    free(text);
    expect(&way, commit_files(), "off");
    expect(&way, running, "on"); /* and as of then it was so */
    effective_dispose(&way);
    end_history();
}
END_TEST

static const char *commit_state(const struct rollout_state *state)
{
    char *text = state_text(state);
    put("state/production/shop-release.yaml", text);
    free(text);
    return commit_files();
}

/* One that is started again, or stepped back, is let in as it walks now, not as it stood then. */
START_TEST(a_pin_brings_nobody_further_than_the_rollout_went_since)
{
    struct effective way;
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    begin_history();
    put("segments/staff.yaml", RIG_SEGMENT("staff", "{match: {attribute: email, is: nobody}}"));
    put("flags/shop.yaml", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: "
                           "{variants: {on: true, off: false}, default: off}\n");
    put("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    const char *running = commit_state(&state);
    effective_init(&way, &parts);
    expect(&way, pin_as_of(running), "on");
    state.phase = PHASE_STAFF; /* stepped back */
    state.seq++;
    expect(&way, commit_state(&state), "off");
    state.phase = PHASE_ALL;
    state.seq++;
    expect(&way, commit_state(&state), "on");
    state.course = COURSE_ROLLED_BACK;
    state.seq++;
    const char *back = commit_state(&state);
    expect(&way, back, "off");
    state.course = COURSE_RUNNING;
    state.phase = PHASE_STAFF;
    state.run++;
    state.seq++;
    expect(&way, commit_state(&state), "off");
    state.phase = PHASE_ALL;
    state.seq++;
    expect(&way, commit_state(&state), "on");
    expect(&way, pin_as_of(back), "off");
    effective_dispose(&way);
    end_history();
}
END_TEST

START_TEST(what_is_on_the_disk_is_checked)
{
    struct effective one, two;
    struct effective_parts kept;
    const char *good = begin_history();
    put("flags/shop.yaml", FLAG("shop", RULE("c")));
    commit_files();
    const char *tip = pin_as_of(good);
    kept = parts;
    kept.cache = below(root, "effective");
    effective_init(&one, &kept);
    ck_assert_ok(effective_go(&one, tip, &failure));
    ck_assert_str_eq(served_by(&one, "shop"), "b");
    ck_assert_str_eq(shell("ls effective-pins | wc -l"), "1");
    shell("sed -i 's/\"b\"/\"c\"/' effective-pins/*");
    effective_init(&two, &kept);
    ck_assert_ok(effective_go(&two, tip, &failure));
    ck_assert_str_eq(served_by(&two, "shop"), "b");
    effective_dispose(&two);
    shell("for file in effective-pins/*; do head -c 90 $file > x; cat x > $file; done");
    effective_init(&two, &kept);
    ck_assert_ok(effective_go(&two, tip, &failure));
    ck_assert_str_eq(served_by(&two, "shop"), "b");
    effective_dispose(&two);
    effective_dispose(&one);
    end_history();
}
END_TEST

UNIT_MAIN("effective_pins", a_pinned_flag_is_what_it_was_then,
          a_flag_that_was_not_there_is_not_there, a_commit_of_something_else_costs_nothing,
          an_environment_that_holds_follows_its_pins, pins_lead_to_pins,
          a_commit_of_another_history_does_not_count, a_kill_of_its_rollout_comes_first,
          a_pin_brings_nobody_further_than_the_rollout_went_since, what_is_on_the_disk_is_checked)
