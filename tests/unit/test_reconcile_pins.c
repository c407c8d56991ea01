/* Commits beside flags that are held fast: a pin counts whatever else a commit holds, and a hand
 * that is not weir's does not lift it. */
#define FILES 4
#define TREE_PATHS                                                                                 \
    {                                                                                              \
        "environments/production.yaml", "flags/shop.yaml", "state/production/flags/shop.yaml",     \
            "flags/other.yaml",                                                                    \
    }
#include "reconcile_unit.h"

#include "pins.h"

enum { ENVIRONMENT_FILE, FLAG_FILE, PIN_FILE, OTHER_FILE };

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHOP                                                                                       \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {on: true, off: "   \
    "false}, default: off, rules: [{serve: on}]}\n"
#define ASKS                                                                                       \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: other}\nspec: {variants: {on: true, off: "  \
    "false}, default: off, rules: [{when: {flag: {name: shop, is: on}}, serve: on}]}\n"

static void put(struct tree *tree, size_t file, const char *text)
{
    tree->files[file] = text ? keep_text(text) : 0;
}

/* As weir does it: each behind the one before. */
static void put_pin(struct tree *tree, struct flag_pin pin)
{
    static uint32_t seq;
    pin.seq = ++seq;
    char *text = pin_text(&pin);
    put(tree, PIN_FILE, text);
    free(text);
}

/* As somebody who knows nothing of the checksum does it. */
static void put_foreign(struct tree *tree, struct flag_pin pin)
{
    char *text = pin_text(&pin);
    memcpy(strstr(text, "checksum: \"sha256:") + 18, "0000", 4);
    put(tree, PIN_FILE, text);
    free(text);
}

static void begin(struct way *way, struct tree *tree)
{
    way_init(way);
    *tree = (struct tree){{0}};
    put(tree, ENVIRONMENT_FILE, RIG_PRODUCTION);
    put(tree, FLAG_FILE, SHOP);
    put(tree, OTHER_FILE, ASKS);
    way_go(way, tree);
    ck_assert_msg(way->result.whole, "%s", story(&way->result.diagnostics));
}

/* What everybody gets of a flag; NULL where there is none. */
static const char *served(const struct way *way, const char *flag)
{
    static char variant[64];
    const struct inventory_document *document =
        inventory_document(&way->inventory, TEXT("production"));
    const struct fragment *fragment = document_find(document->document, text_of(flag));
    struct context context;
    struct decision decision;
    struct error error;
    if (!fragment)
        return NULL;
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_read(&context, document->document->attributes,
                                  TEXT("{\"targetingKey\":\"u\"}"), &error),
                     STATUS_OK);
    evaluate(fragment, &context, RIG_NOW, &decision);
    snprintf(variant, sizeof variant, "%.*s", (int)decision.variant.length, decision.variant.data);
    context_dispose(&context);
    return variant;
}

static void expect(struct way *way, const struct tree *tree, const char *shop, const char *other)
{
    way_go(way, tree);
    ck_assert_msg(way->result.whole, "%s", story(&way->result.diagnostics));
    ck_assert_str_eq(served(way, "shop"), shop);
    ck_assert_str_eq(served(way, "other"), other);
}

static void expect_fault(struct way *way, const struct tree *tree, const char *code,
                         const char *words)
{
    way_go(way, tree);
    ck_assert(!way->result.whole);
    for (size_t i = 0; i < way->result.diagnostics.count; i++) {
        const struct diagnostic *item = &way->result.diagnostics.items[i];
        if (strcmp(item->code, code) == 0 && strstr(item->message.data, words))
            return;
    }
    ck_abort_msg("no %s \"%s\":\n%s", code, words, story(&way->result.diagnostics));
}

START_TEST(a_pin_alone_moves_users)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    ck_assert_str_eq(served(&way, "shop"), "on");
    put_pin(&tree, pin_of(NULL, true, NULL));
    expect(&way, &tree, "off", "off");
    ck_assert_uint_eq(way.result.compiled, 2); /* it, and who asks for it */
    put_pin(&tree, pin_of(NULL, true, "on"));
    expect(&way, &tree, "on", "on");
    put_pin(&tree, pin_of(COMMIT, false, NULL)); /* history is not looked at here */
    expect(&way, &tree, "on", "on");
    put_pin(&tree, pin_of(NULL, true, NULL));
    expect(&way, &tree, "off", "off");
    put_pin(&tree, pin_of(NULL, false, NULL));
    expect(&way, &tree, "on", "on");
    put(&tree, PIN_FILE, NULL); /* lifted: it may go */
    expect(&way, &tree, "on", "on");
    way_dispose(&way);
}
END_TEST

START_TEST(a_pin_counts_whatever_else_is_broken)
{
    struct way way, fresh;
    struct tree trees[3];
    begin(&way, &trees[0]);
    trees[1] = trees[0];
    put(&trees[1], FLAG_FILE, "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\n");
    put(&trees[1], OTHER_FILE, "- {");
    way_go(&way, &trees[1]);
    ck_assert_str_eq(served(&way, "shop"), "on");
    trees[2] = trees[1];
    put_pin(&trees[2], pin_of(NULL, true, NULL));
    way_go(&way, &trees[2]);
    ck_assert(!way.result.whole);
    ck_assert_str_eq(served(&way, "shop"), "off");
    ck_assert_str_eq(served(&way, "other"), "off");
    way_init(&fresh);
    go_fresh(&fresh, trees, 2);
    expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
    way_dispose(&way);
    way_dispose(&fresh);
}
END_TEST

/* Also in the very commit that breaks all else. */
START_TEST(a_pin_in_a_broken_commit_counts)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put_pin(&tree, pin_of(NULL, true, NULL));
    put(&tree, FLAG_FILE, "[");
    put(&tree, ENVIRONMENT_FILE, "kind: nothing\n");
    way_go(&way, &tree);
    ck_assert(!way.result.whole);
    ck_assert_str_eq(served(&way, "shop"), "off");
    way_dispose(&way);
}
END_TEST

START_TEST(a_pin_of_a_flag_that_comes_and_goes)
{
    struct way way, fresh;
    struct tree tree, without;
    begin(&way, &tree);
    put_pin(&tree, pin_of(NULL, true, NULL));
    put(&tree, OTHER_FILE, NULL);
    way_go(&way, &tree);
    without = tree;
    put(&without, FLAG_FILE, NULL);
    way_go(&way, &without);
    ck_assert_msg(way.result.whole, "%s", story(&way.result.diagnostics));
    ck_assert_ptr_null(served(&way, "shop"));
    way_go(&way, &tree); /* it stands until it is lifted */
    ck_assert_str_eq(served(&way, "shop"), "off");
    /* The pin was there before its flag ever was. */
    way_init(&fresh);
    way_go(&fresh, &without);
    way_go(&fresh, &tree);
    ck_assert_str_eq(served(&fresh, "shop"), "off");
    expect_same_documents(&way.inventory, &fresh.inventory, "the other way");
    way_dispose(&way);
    way_dispose(&fresh);
}
END_TEST

START_TEST(hands_do_not_lift_a_pin)
{
    struct way way;
    struct tree tree;
    begin(&way, &tree);
    put_foreign(&tree, pin_of(NULL, true, "on")); /* nor put one of their own choice there */
    expect_fault(&way, &tree, CODE_STATE_FOREIGN, "the pin of \"production/shop\" was edited");
    put_pin(&tree, pin_of(NULL, true, NULL));
    expect(&way, &tree, "off", "off");
    put_foreign(&tree, pin_of(NULL, false, NULL));
    expect_fault(&way, &tree, CODE_STATE_FOREIGN, "was edited by hand");
    ck_assert_str_eq(served(&way, "shop"), "off");
    put(&tree, PIN_FILE, "nothing: {");
    expect_fault(&way, &tree, CODE_YAML, "");
    ck_assert_str_eq(served(&way, "shop"), "off");
    put_pin(&tree, pin_of(NULL, false, NULL)); /* weir does */
    expect(&way, &tree, "on", "on");
    put_foreign(&tree, pin_of(NULL, true, NULL)); /* safer: it counts */
    expect(&way, &tree, "off", "off");
    way_dispose(&way);
}
END_TEST

/* On a fresh clone nobody knows that there ever was one, and all must agree. */
START_TEST(what_is_gone_holds_nothing)
{
    struct way way, fresh;
    struct tree tree;
    begin(&way, &tree);
    put_pin(&tree, pin_of(NULL, true, NULL));
    expect(&way, &tree, "off", "off");
    put(&tree, PIN_FILE, NULL);
    expect(&way, &tree, "on", "on");
    ck_assert_uint_eq(way.result.diagnostics.count, 1);
    ck_assert_str_eq(way.result.diagnostics.items[0].code, CODE_PIN_GONE);
    way_init(&fresh);
    way_go(&fresh, &tree);
    expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
    way_dispose(&fresh);
    way_dispose(&way);
}
END_TEST

/* Whether one counts is known from what was before, which a fresh clone has to find. */
START_TEST(hands_are_judged_alike_on_every_clone)
{
    struct way way, fresh;
    struct tree trees[3];
    const struct flag_pin pins[] = {pin_of(NULL, true, "on"), pin_of(NULL, true, NULL),
                                    pin_of(COMMIT, false, NULL), pin_of(NULL, false, NULL)};
    for (size_t i = 0; i < COUNT_OF(pins) * COUNT_OF(pins); i++) {
        begin(&way, &trees[0]);
        trees[1] = trees[0];
        put_pin(&trees[1], pins[i % COUNT_OF(pins)]);
        way_go(&way, &trees[1]);
        trees[2] = trees[1];
        put_foreign(&trees[2], pins[i / COUNT_OF(pins)]);
        way_go(&way, &trees[2]);
        way_init(&fresh);
        go_fresh(&fresh, trees, 2);
        expect_same_documents(&way.inventory, &fresh.inventory, "fresh");
        way_dispose(&fresh);
        way_dispose(&way);
    }
}
END_TEST

UNIT_MAIN("reconcile_pins", a_pin_alone_moves_users, a_pin_counts_whatever_else_is_broken,
          a_pin_in_a_broken_commit_counts, a_pin_of_a_flag_that_comes_and_goes,
          hands_do_not_lift_a_pin, what_is_gone_holds_nothing,
          hands_are_judged_alike_on_every_clone)
