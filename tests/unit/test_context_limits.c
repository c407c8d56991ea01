/* Keys that stand more than once: which counts, and that they cost no more than their bytes; and
 * the words of a context's limits. */
#include "../../rules/context.h"
#include "../../rules/json.h"
#include "unit.h"

struct rig {
    struct attributes *attributes;
    struct context context;
};

static void make(struct rig *rig, const char *const *paths, size_t count)
{
    uint16_t slot;
    rig->attributes = attributes_new();
    ck_assert_ptr_nonnull(rig->attributes);
    ck_assert_int_eq(context_init(&rig->context), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        if (*paths[i])
            ck_assert_int_eq(attributes_slot(rig->attributes, text_of(paths[i]), &slot), STATUS_OK);
        else
            ck_assert_int_eq(attributes_root(rig->attributes, &slot), STATUS_OK);
    }
}

static void drop(struct rig *rig)
{
    context_dispose(&rig->context);
    attributes_release(rig->attributes);
}

static void show(struct buffer *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        buffer_append_char(out, value->length ? 'n' : '-');
        break;
    case VALUE_NUMBER:
        json_write_number(out, value->number);
        break;
    case VALUE_MAP:
        buffer_append_char(out, '{');
        for (uint32_t i = 0; i < value->length; i++) {
            buffer_append_text(out, value->members[i].name);
            show(out, &value->members[i].value);
        }
        buffer_append_char(out, '}');
        break;
    default:
        buffer_append_char(out, '?');
    }
}

/* All slots but that of the targeting key. */
static void expect(struct rig *rig, const char *slots, const char *json)
{
    struct buffer out;
    buffer_init(&out, 0);
    for (uint16_t i = 1; i < rig->attributes->slots; i++) {
        if (i > 1)
            buffer_append_char(&out, ' ');
        show(&out, &rig->context.slots[i]);
    }
    ck_assert_msg(text_is(buffer_text(&out), slots), "%s: got %s, expected %s", json,
                  buffer_string(&out), slots);
    buffer_dispose(&out);
}

START_TEST(of_equal_keys_the_last_counts)
{
    static const char *const paths[] = {"a.b", "a.c", "a.b.d", "a.b.e", "w", "w.x", "w.x.y", "f"};
    static const struct {
        const char *json, *slots;
    } cases[] = {
        {"{\"a\":{\"b\":1,\"c\":2},\"a\":{\"c\":3}}", "- 3 - - - - - -"},
        {"{\"a\":{\"c\":3},\"a\":{\"b\":1,\"c\":2}}", "1 2 - - - - - -"},
        {"{\"a\":{\"b\":1,\"c\":2},\"a\":4}", "- - - - - - - -"},
        {"{\"a\":4,\"a\":{\"b\":1,\"c\":2}}", "1 2 - - - - - -"},
        {"{\"a\":{\"b\":{\"d\":1}},\"a\":{\"b\":{\"e\":2}}}", "{e2} - - 2 - - - -"},
        {"{\"a\":{\"b\":{\"d\":1},\"b\":{\"e\":2}}}", "{e2} - - 2 - - - -"},
        {"{\"a\":{\"b\":{\"d\":1},\"b\":{\"e\":2}},\"a\":{},\"a\":{\"b\":{\"d\":5}}}",
         "{d5} - 5 - - - - -"},
        {"{\"a\":{\"b\":{\"d\":1,\"d\":2,\"e\":3,\"d\":4}}}", "{d1d2e3d4} - 4 3 - - - -"},
        {"{\"a\":{\"b\":null},\"a\":{\"b\":{\"d\":1},\"c\":null}}", "{d1} n 1 - - - - -"},
        {"{\"w\":{\"x\":{\"y\":1}},\"w\":{\"x\":2}}", "- - - - {x2} 2 - -"},
        {"{\"w\":{\"x\":{\"y\":1},\"x\":{\"z\":2}}}", "- - - - {x{y1}x{z2}} {z2} - -"},
        {"{\"w\":{\"x\":{\"y\":1}},\"w\":7,\"f\":1,\"f\":2}", "- - - - 7 - - 2"},
        {"{\"w\":{\"x\":{\"y\":1}},\"w\":{\"x\":{\"y\":2}},\"w\":{\"q\":1}}", "- - - - {q1} - - -"},
        {"{}", "- - - - - - - -"},
    };
    struct rig rig;
    struct error error;
    make(&rig, paths, COUNT_OF(paths));
    for (size_t i = 0; i < 3 * COUNT_OF(cases); i++) { /* whatever stood there before */
        size_t at = i * 5 % COUNT_OF(cases);
        ck_assert_int_eq(
            context_read(&rig.context, rig.attributes, text_of(cases[at].json), &error), STATUS_OK);
        expect(&rig, cases[at].slots, cases[at].json);
    }
    drop(&rig);
}
END_TEST

START_TEST(the_whole_context_is_handed_out_in_parts)
{
    static const char *const paths[] = {"a.b", "c", ""};
    struct rig rig;
    make(&rig, paths, COUNT_OF(paths));
    const char *json = "{\"a\":{\"b\":1},\"c\":2,\"a\":{\"b\":3,\"d\":4},\"a\":{\"d\":5},\"e\":6}";
    ck_assert_int_eq(context_read(&rig.context, rig.attributes, text_of(json), NULL), STATUS_OK);
    expect(&rig, "- 2 {a{b1}c2a{b3d4}a{d5}e6$flagd{}}", json);
    drop(&rig);
}
END_TEST

START_TEST(of_equal_members_of_a_request_the_last_counts)
{
    static const char *const paths[] = {"a.b", "c"};
    static const struct {
        const char *json, *slots;
        enum status status;
    } cases[] = {
        {"{\"context\":{\"a\":{\"b\":1},\"c\":2}}", "1 2", STATUS_OK},
        {"{\"context\":{\"a\":{\"b\":1},\"c\":2},\"context\":{}}", "- -", STATUS_OK},
        {"{\"context\":{\"c\":1},\"context\":{\"c\":2},\"x\":3,\"context\":{\"a\":{\"b\":3}}}",
         "3 -", STATUS_OK},
        {"{\"context\":1,\"context\":{\"c\":2}}", "- 2", STATUS_OK},
        {"{\"context\":[],\"context\":{\"c\":2},\"context\":{\"a\":{\"b\":2}}}", "2 -", STATUS_OK},
        {"{\"context\":{\"c\":2},\"context\":null}", "- -", STATUS_NOT_FOUND},
        {"{\"context\":{\"c\":2},\"context\":{\"c\":},\"context\":{}}", NULL, STATUS_INVALID},
        {"{\"context\":{\"c\":2},\"context\":{},\"context\":{\"c\":}}", NULL, STATUS_INVALID},
        {"{\"x\":{\"context\":{\"c\":2}}}", "- -", STATUS_NOT_FOUND},
    };
    struct rig rig;
    make(&rig, paths, COUNT_OF(paths));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum status status =
            context_read_request(&rig.context, rig.attributes, text_of(cases[i].json), NULL);
        ck_assert_msg(status == cases[i].status, "%s: %d", cases[i].json, status);
        if (cases[i].slots)
            expect(&rig, cases[i].slots, cases[i].json);
    }
    drop(&rig);
}
END_TEST

/* A document that asks for `count` attributes below one. */
static void make_wide(struct rig *rig, unsigned count)
{
    uint16_t slot;
    char path[32];
    make(rig, NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        int length = snprintf(path, sizeof path, "a.x%u", i);
        ck_assert_int_eq(
            attributes_slot(rig->attributes, (struct text){path, (size_t)length}, &slot),
            STATUS_OK);
    }
}

static void fill(struct buffer *json, const char *before, const char *again, size_t room)
{
    buffer_init(json, 0);
    buffer_append_string(json, before);
    while (json->length + strlen(again) + room < CONTEXT_MAX_BYTES)
        buffer_append_string(json, again);
}

/* Were each of a key's values to forget all that stands below it in the table, this would take
 * longer than a test may. */
START_TEST(a_key_that_stands_often_costs_its_bytes)
{
    static const char *const again[] = {",\"a\":0", ",\"a\":{}", ",\"a\":{\"x1\":1,\"x2\":2}"};
    struct rig rig;
    make_wide(&rig, 65000);
    for (size_t i = 0; i < 4 * COUNT_OF(again); i++) {
        struct buffer json;
        fill(&json, "{\"a\":{\"x0\":1}", again[i % COUNT_OF(again)], 100);
        buffer_append_string(&json, ",\"a\":{\"x3\":3}}");
        ck_assert_int_eq(context_read(&rig.context, rig.attributes, buffer_text(&json), NULL),
                         STATUS_OK);
        for (uint16_t slot = 1; slot < rig.attributes->slots; slot++)
            ck_assert_int_eq(rig.context.slots[slot].type, slot == 4 ? VALUE_NUMBER : VALUE_NULL);
        buffer_dispose(&json);
    }
    drop(&rig);
}
END_TEST

START_TEST(a_context_that_stands_often_costs_its_bytes)
{
    struct rig rig;
    make_wide(&rig, 65000);
    for (int i = 0; i < 60; i++) {
        struct buffer json;
        fill(&json, "{\"context\":{}", ",\"context\":{}", 100);
        buffer_append_string(&json, ",\"context\":{\"a\":{\"x3\":3}}}");
        ck_assert_int_eq(
            context_read_request(&rig.context, rig.attributes, buffer_text(&json), NULL),
            STATUS_OK);
        ck_assert_double_eq(rig.context.slots[4].number, 3);
        buffer_dispose(&json);
    }
    drop(&rig);
}
END_TEST

/* Asked for at each of sixty levels, and read once: a number takes no memory of the arena's, a list
 * of them would not fit into it twice. */
START_TEST(what_is_asked_for_at_each_level_is_read_once)
{
    enum { LEVELS = 60 };
    struct rig rig;
    struct buffer json;
    uint16_t slot;
    char path[2 * LEVELS] = "a";
    make(&rig, NULL, 0);
    buffer_init(&json, 0);
    for (size_t i = 0; i < LEVELS; i++) {
        ck_assert_int_eq(attributes_slot(rig.attributes, text_of(path), &slot), STATUS_OK);
        memcpy(path + 2 * i + 1, ".a", i + 1 < LEVELS ? 3 : 0);
        buffer_append_string(&json, "{\"a\":");
    }
    buffer_append_string(&json, "[1");
    for (int i = 0; i < 200000; i++)
        buffer_append_string(&json, ",1");
    buffer_append_char(&json, ']');
    for (size_t i = 0; i < LEVELS; i++)
        buffer_append_char(&json, '}');
    struct error error = {0};
    ck_assert_msg(context_read(&rig.context, rig.attributes, buffer_text(&json), &error) ==
                      STATUS_OK,
                  "%s", error.message);
    ck_assert_uint_eq(rig.context.slots[slot].type, VALUE_LIST);
    ck_assert_uint_eq(rig.context.slots[slot].length, 200001);
    /* One value, as in JavaScript: a.a and what the list of a's members holds are the same. */
    ck_assert(value_is_same(&rig.context.slots[slot], &rig.context.slots[slot - 1].members->value));
    buffer_dispose(&json);
    drop(&rig);
}
END_TEST

static void expect_limit(struct rig *rig, struct text json, const char *message)
{
    struct error error = {0};
    ck_assert_int_eq(context_read(&rig->context, rig->attributes, json, &error), STATUS_LIMIT);
    ck_assert_str_eq(error.message, message);
}

START_TEST(each_limit_says_which_it_is)
{
    static const char *const paths[] = {"kept", "below.it"};
    static const char *const befores[] = {"{\"kept\":", "{\"below\":", "{\"other\":"};
    struct rig rig;
    struct buffer json;
    make(&rig, paths, COUNT_OF(paths));
    buffer_init(&json, 0);
    for (size_t i = 0; i < COUNT_OF(befores); i++) {
        buffer_clear(&json);
        buffer_append_string(&json, befores[i]);
        for (int level = 0; level < 64; level++)
            buffer_append_string(&json, "{\"it\":");
        expect_limit(&rig, buffer_text(&json), "nested deeper than 64 levels");
    }
    buffer_dispose(&json);
    fill(&json, "{\"kept\":[{}", ",{}", 10);
    buffer_append_string(&json, "]}");
    expect_limit(&rig, buffer_text(&json), "the context needs more than 24 MiB of memory");
    for (size_t padding = 0; padding < 20; padding++) { /* wherever the memory ends */
        buffer_dispose(&json);
        buffer_init(&json, 0);
        buffer_printf(&json, "{\"padding\":\"%.*s\",\"kept\":[[]", (int)padding * 3,
                      "................................................................");
        while (json.length < CONTEXT_MAX_BYTES - 20)
            buffer_append_string(&json, ",[{}]");
        buffer_append_string(&json, "]}");
        expect_limit(&rig, buffer_text(&json), "the context needs more than 24 MiB of memory");
    }
    char *end = buffer_reserve(&json, CONTEXT_MAX_BYTES);
    ck_assert_ptr_nonnull(end);
    memset(end, ' ', CONTEXT_MAX_BYTES);
    expect_limit(&rig, (struct text){json.data, CONTEXT_MAX_BYTES + 1},
                 "context of 1048577 bytes is larger than the limit of 1048576");
    buffer_dispose(&json);
    drop(&rig);
}
END_TEST

UNIT_MAIN("context_limits", of_equal_keys_the_last_counts, the_whole_context_is_handed_out_in_parts,
          of_equal_members_of_a_request_the_last_counts, a_key_that_stands_often_costs_its_bytes,
          a_context_that_stands_often_costs_its_bytes, what_is_asked_for_at_each_level_is_read_once,
          each_limit_says_which_it_is)
