/* Attribute slots, and contexts read into them. */
#include "../../rules/attributes.h"
#include "../../rules/context.h"
#include "unit.h"

static uint16_t slot_of(struct attributes *attributes, const char *path)
{
    uint16_t slot;
    ck_assert_int_eq(attributes_slot(attributes, text_of(path), &slot), STATUS_OK);
    return slot;
}

START_TEST(slots_are_given_once_and_kept)
{
    struct attributes *attributes = attributes_new(), *next;
    uint16_t slot;
    char path[40];
    ck_assert_uint_eq(slot_of(attributes, "targetingKey"), ATTRIBUTE_TARGETING_KEY);
    uint16_t version = slot_of(attributes, "app.version"), email = slot_of(attributes, "email");
    ck_assert_uint_eq(slot_of(attributes, "app.version"), version);
    ck_assert(!attributes_find(attributes, TEXT("app"), &slot)); /* only its child is asked for */
    ck_assert(!attributes_find(attributes, TEXT("version"), &slot));
    ck_assert(!attributes_find(attributes, TEXT("app.version.x"), &slot));
    uint16_t app = slot_of(attributes, "app");
    ck_assert(attributes_find(attributes, TEXT("app"), &slot) && slot == app);
    next = attributes_clone(attributes);
    ck_assert_uint_eq(slot_of(next, "email"), email);
    uint16_t more = slot_of(next, "more");
    ck_assert_uint_eq(more, attributes->slots);
    ck_assert(!attributes_find(attributes, TEXT("more"), &slot)); /* a clone stands alone */
    ck_assert_uint_eq(attributes_path(next, version, path, sizeof path), 11);
    ck_assert_str_eq(path, "app.version");
    attributes_path(next, version, path, 6); /* cut, and still ended */
    ck_assert_uint_lt(strlen(path), 6);
    attributes_release(attributes);
    ck_assert(attributes_find(next, TEXT("app.version"), &slot) && slot == version);
    attributes_release(next);
    attributes_release(NULL);
}
END_TEST

START_TEST(slots_end_at_their_maximum)
{
    struct attributes *attributes = attributes_new();
    char path[20];
    uint16_t slot, first = slot_of(attributes, "a7");
    for (unsigned i = 0; attributes->slots < ATTRIBUTES_MAX; i++) {
        snprintf(path, sizeof path, "a%u", i);
        slot_of(attributes, path);
    }
    ck_assert_int_eq(attributes_slot(attributes, TEXT("onemore"), &slot), STATUS_LIMIT);
    ck_assert_uint_eq(slot_of(attributes, "a7"), first);
    ck_assert_uint_eq(slot_of(attributes, "a65000"), 65001 - 0);
    attributes_release(attributes);
}
END_TEST

/* --- contexts
 * ---------------------------------------------------------------------------------------------- */

struct reading_rig {
    struct attributes *attributes;
    struct context context;
    struct error error;
};

static void start(struct reading_rig *rig, const char *const *paths)
{
    *rig = (struct reading_rig){.attributes = attributes_new()};
    for (; *paths; paths++)
        slot_of(rig->attributes, *paths);
    ck_assert_int_eq(context_init(&rig->context), STATUS_OK);
}

static void stop(struct reading_rig *rig)
{
    context_dispose(&rig->context);
    attributes_release(rig->attributes);
}

static const struct value *value_at(struct reading_rig *rig, const char *path)
{
    uint16_t slot;
    ck_assert(attributes_find(rig->attributes, text_of(path), &slot));
    return &rig->context.slots[slot];
}

static void read_good(struct reading_rig *rig, const char *json)
{
    ck_assert_msg(context_read(&rig->context, rig->attributes, text_of(json), &rig->error) ==
                      STATUS_OK,
                  "%s: %s", json, rig->error.message);
}

static void expect_string(struct reading_rig *rig, const char *path, const char *expected)
{
    const struct value *value = value_at(rig, path);
    ck_assert_uint_eq(value->type, VALUE_STRING);
    ck_assert_text(((struct text){value->string, value->length}), expected);
}

static void expect_missing(struct reading_rig *rig, const char *path)
{
    ck_assert_msg(value_at(rig, path)->type == VALUE_NULL, "%s is there", path);
}

static const char *const usual[] = {"a", "b.c", "b.d", "e", "e.f", NULL};

START_TEST(context_fills_its_slots)
{
    struct reading_rig rig;
    start(&rig, usual);
    read_good(
        &rig,
        " {\"a\":\"x\\u00e9\\n\",\"skipped\":{\"a\":[1]},\"b\":{\"c\":true,\"x\":1,\"d\":-2.5e1},"
        "\"e\":{\"f\":[1,\"two\",null,{\"k\":false}]},\"targetingKey\":\"u1\"} ");
    expect_string(&rig, "a", "x\xc3\xa9\n");
    expect_string(&rig, "targetingKey", "u1");
    ck_assert(value_at(&rig, "b.c")->type == VALUE_BOOL && value_at(&rig, "b.c")->boolean);
    ck_assert(value_at(&rig, "b.d")->type == VALUE_NUMBER && value_at(&rig, "b.d")->number == -25);
    const struct value *whole = value_at(&rig, "e"), *list = value_at(&rig, "e.f");
    ck_assert(whole->type == VALUE_MAP && whole->length == 1 &&
              text_is(whole->members[0].name, "f"));
    ck_assert(list->type == VALUE_LIST && list->length == 4 && list->items[3].type == VALUE_MAP);
    ck_assert(list->items[2].type == VALUE_NULL && !list->items[3].members[0].value.boolean);
    read_good(&rig, "{}"); /* nothing is left of the last one */
    expect_missing(&rig, "a");
    expect_missing(&rig, "e.f");
    expect_missing(&rig, "targetingKey");
    stop(&rig);
}
END_TEST

START_TEST(dotted_keys_are_not_paths)
{
    struct reading_rig rig;
    start(&rig, usual);
    read_good(&rig, "{\"b.c\":1,\"b\":{\"d\":2},\"e\":[{\"f\":1}]}");
    expect_missing(&rig, "b.c");
    expect_missing(&rig, "e.f");
    ck_assert_uint_eq(value_at(&rig, "e")->type, VALUE_LIST);
    read_good(&rig, "{\"b\":\"text\",\"a\":null}");
    expect_missing(&rig, "b.c");
    expect_missing(&rig, "a");
    stop(&rig);
}
END_TEST

START_TEST(of_equal_keys_the_last_counts)
{
    struct reading_rig rig;
    start(&rig, usual);
    read_good(&rig, "{\"a\":1,\"a\":\"two\",\"b\":{\"c\":1,\"d\":1},\"b\":{\"d\":2}}");
    expect_string(&rig, "a", "two");
    expect_missing(&rig, "b.c");
    ck_assert(value_at(&rig, "b.d")->number == 2);
    read_good(&rig, "{\"b\":{\"c\":1},\"b\":5,\"e\":{\"f\":1},\"e\":7}");
    expect_missing(&rig, "b.c");
    expect_missing(&rig, "e.f");
    ck_assert(value_at(&rig, "e")->number == 7);
    read_good(&rig, "{\"a\":1,\"\\u0061\":null}");
    expect_missing(&rig, "a");
    stop(&rig);
}
END_TEST

static enum status read_body(struct reading_rig *rig, const char *body)
{
    return context_read_request(&rig->context, rig->attributes, text_of(body), &rig->error);
}

START_TEST(request_bodies_hold_a_context)
{
    struct reading_rig rig;
    start(&rig, usual);
    ck_assert_int_eq(read_body(&rig, "{\"x\":[{}],\"context\":{\"a\":\"y\"},\"z\":null}"),
                     STATUS_OK);
    expect_string(&rig, "a", "y");
    static const char *const none[] = {"{}",
                                       "{\"context\":null}",
                                       "{\"context\":[1]}",
                                       "{\"context\":\"a\"}",
                                       "{\"Context\":{}}",
                                       "{\"context\":{\"a\":1},\"context\":3}"};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        ck_assert_msg(read_body(&rig, none[i]) == STATUS_NOT_FOUND, "%s", none[i]);
    ck_assert_int_eq(read_body(&rig, "{\"context\":3,\"context\":{\"b\":{\"c\":1}}}"), STATUS_OK);
    ck_assert_int_eq(read_body(&rig, "{\"context\":{\"a\":1},\"context\":{\"b\":{\"c\":1}}}"),
                     STATUS_OK);
    expect_missing(&rig, "a"); /* the last one counts, whole */
    ck_assert_int_eq(read_body(&rig, "{\"context\":{}"), STATUS_INVALID);
    ck_assert_int_eq(read_body(&rig, "{\"context\":{}} x"), STATUS_INVALID);
    ck_assert_int_eq(read_body(&rig, ""), STATUS_INVALID);
    ck_assert_int_eq(read_body(&rig, "[]"), STATUS_INVALID);
    ck_assert_int_eq(read_body(&rig, "{\"other\":tru,\"context\":{}}"), STATUS_INVALID);
    stop(&rig);
}
END_TEST

START_TEST(hostile_contexts_are_refused_with_a_place)
{
    struct reading_rig rig;
    start(&rig, usual);
    char *deep = malloc(60020), *large = malloc(CONTEXT_MAX_BYTES + 10);
    static const char *const heads[] = {"{\"a\":", "{\"skipped\":", "{\"e\":"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        size_t head = strlen(heads[i]);
        memcpy(deep, heads[i], head);
        memset(deep + head, '[', 10000);
        struct text text = {deep, head + 10000};
        ck_assert_int_eq(context_read(&rig.context, rig.attributes, text, &rig.error),
                         STATUS_LIMIT);
        ck_assert_msg(rig.error.line == 1 && rig.error.column == head + CONTEXT_MAX_DEPTH,
                      "%s: column %u", heads[i], rig.error.column);
    }
    memset(large, ' ', CONTEXT_MAX_BYTES + 10);
    large[0] = '{';
    large[CONTEXT_MAX_BYTES - 1] = '}';
    ck_assert_int_eq(context_read(&rig.context, rig.attributes,
                                  (struct text){large, CONTEXT_MAX_BYTES}, &rig.error),
                     STATUS_OK);
    ck_assert_int_eq(context_read(&rig.context, rig.attributes,
                                  (struct text){large, CONTEXT_MAX_BYTES + 1}, &rig.error),
                     STATUS_LIMIT);
    ck_assert_int_eq(context_read(&rig.context, rig.attributes, TEXT("{\"a\":\n tru}"), &rig.error),
                     STATUS_INVALID);
    ck_assert(rig.error.line == 2 && rig.error.column == 2);
    ck_assert_int_eq(context_read(&rig.context, rig.attributes, TEXT("5"), &rig.error),
                     STATUS_INVALID);
    ck_assert_str_eq(rig.error.message, "expected a JSON object");
    free(deep);
    free(large);
    stop(&rig);
}
END_TEST

/* As many values as fit: the memory of one context is bounded, and it is an answer, not a crash. */
START_TEST(dense_contexts_stay_bounded)
{
    struct reading_rig rig;
    size_t size = CONTEXT_MAX_BYTES - 8;
    start(&rig, usual);
    char *json = malloc(size);
    memset(json, ',', size);
    for (size_t i = 6; i < size; i += 2)
        json[i] = '1';
    memcpy(json, "{\"a\":[", 6);
    json[size - 2] = ']';
    json[size - 1] = '}';
    if (json[size - 3] == ',')
        json[size - 3] = '1', json[size - 4] = ' ';
    enum status status =
        context_read(&rig.context, rig.attributes, (struct text){json, size}, &rig.error);
    ck_assert(status == STATUS_LIMIT || status == STATUS_OK);
    if (status == STATUS_OK)
        ck_assert_uint_gt(value_at(&rig, "a")->length, 500000);
    read_good(&rig, "{\"a\":\"fine\"}");
    expect_string(&rig, "a", "fine");
    free(json);
    stop(&rig);
}
END_TEST

START_TEST(contexts_move_between_tables)
{
    struct reading_rig rig;
    static const char *const other[] = {"x", NULL};
    struct attributes *second = attributes_new();
    uint16_t slot;
    start(&rig, other);
    read_good(&rig, "{\"x\":1}");
    for (int i = 0; i < 100; i++) {
        char path[20];
        snprintf(path, sizeof path, "p%d", i);
        slot_of(second, path);
    }
    ck_assert_int_eq(context_read(&rig.context, second, TEXT("{\"p99\":3,\"x\":1}"), NULL),
                     STATUS_OK);
    ck_assert(attributes_find(second, TEXT("p99"), &slot) && rig.context.slots[slot].number == 3);
    attributes_release(second); /* the context has a reference of its own */
    ck_assert(rig.context.attributes == second);
    read_good(&rig, "{\"x\":2}");
    ck_assert(value_at(&rig, "x")->number == 2);
    stop(&rig);
}
END_TEST

UNIT_MAIN("attributes", slots_are_given_once_and_kept, slots_end_at_their_maximum,
          context_fills_its_slots, dotted_keys_are_not_paths, of_equal_keys_the_last_counts,
          request_bodies_hold_a_context, hostile_contexts_are_refused_with_a_place,
          dense_contexts_stay_bounded, contexts_move_between_tables)
