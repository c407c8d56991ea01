/* Linked with --wrap, see TEST_LDFLAGS_torture in the Makefile: allocations can be made to fail. */
#include "failing.h"
#include "overrides.h"

#define GENERATION "00000000000000050000000100000000"
/* As another program might have put it there: the members in any order, with spaces. */
#define MEMBERS(action, intent, flag, run, since, fragment)                                        \
    "{\"since\": " since ", \"seq\": 7, \"run\": " run ", \"rollout\": \"checkout\", \"note\": "   \
    "\"\", \"intent\": \"" intent "\", \"generation\": \"" GENERATION "\", \"fragment\": "         \
    "\"" fragment "\", \"flag\": \"" flag "\", \"evidence\": \"\", \"environment\": "              \
    "\"production\", \"by\": \"weir\", \"action\": \"" action "\"}"
#define SAFE_QUOTED                                                                                \
    "{\\\"defaultVariant\\\":\\\"off\\\",\\\"state\\\":\\\"ENABLED\\\","                           \
    "\\\"variants\\\":{\\\"off\\\":false,\\\"on\\\":true}}"
#define GOOD MEMBERS("rollback", INTENT_A, "checkout", "2", "1800000000", SAFE_QUOTED)

static void check_equal(const struct override *a, const struct override *b)
{
    ck_assert(text_equal(a->intent, b->intent));
    ck_assert(text_equal(a->environment, b->environment));
    ck_assert(text_equal(a->flag, b->flag));
    ck_assert(text_equal(a->rollout, b->rollout));
    ck_assert_int_eq(a->action, b->action);
    ck_assert_uint_eq(a->run, b->run);
    ck_assert_uint_eq(a->seq, b->seq);
    ck_assert(text_equal(a->by, b->by));
    ck_assert(text_equal(a->note, b->note));
    ck_assert(text_equal(a->evidence, b->evidence));
    ck_assert(text_equal(a->fragment, b->fragment));
    ck_assert(text_equal(a->after, b->after));
    ck_assert_int_eq(a->since, b->since);
    ck_assert_str_eq(a->generation, b->generation);
}

START_TEST(test_a_copy_says_the_same)
{
    char flag[] = "checkout";
    struct override like = override_like(INTENT_A, flag, SAFE_JSON);
    like.note = (struct text){NULL, 0};
    struct override *copy = override_new(&like);
    ck_assert_ptr_nonnull(copy);
    check_equal(copy, &like);
    flag[0] = 'x';
    ck_assert_str_eq(copy->flag.data, "checkout"); /* its own, and NUL-terminated */
    ck_assert_str_eq(copy->note.data, "");
    ck_assert_ptr_eq(override_reference(copy), copy);
    override_release(copy);
    ck_assert_text(copy->intent, INTENT_A);
    override_release(copy);
    override_release(NULL);
    ck_assert_ptr_null(override_reference(NULL));
}
END_TEST

static struct override *read_good(const char *json)
{
    struct override *override;
    struct error error = {0};
    enum status status = override_read(text_of(json), &override, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.message);
    return override;
}

START_TEST(test_what_is_written_is_canonical_and_reads_back)
{
    struct override *override = make_override(INTENT_A, "checkout", SAFE_JSON);
    struct buffer json;
    buffer_init(&json, 0);
    override_write(override, &json);
    ck_assert_str_eq(
        buffer_string(&json),
        "{\"action\":\"rollback\",\"by\":\"weir\",\"environment\":\"production\","
        "\"evidence\":\"checkout-errors: 0.031 > 0.01, n=5120\",\"flag\":\"checkout\","
        "\"fragment\":\"" SAFE_QUOTED "\",\"generation\":\"" GENERATION "\",\"intent\":\"" INTENT_A
        "\",\"note\":\"errors \\\"rose\\\"\",\"rollout\":\"checkout\",\"run\":2,\"seq\":7,"
        "\"since\":1800000000}");
    struct override *again = read_good(buffer_string(&json));
    check_equal(again, override);
    override_release(again);
    override_release(override);
    again = read_good(GOOD);
    ck_assert_text(again->fragment, SAFE_JSON);
    override_release(again);
    buffer_dispose(&json);
}
END_TEST

/* The largest that its bounds allow is within what is read. */
/* What it comes after is told only where there is something. */
START_TEST(test_after_others)
{
    struct override like = override_like(INTENT_A, "checkout", SAFE_JSON);
    struct buffer json;
    like.after = TEXT(INTENT_B " " INTENT_C);
    struct override *override = override_new(&like);
    ck_assert_ptr_nonnull(override);
    buffer_init(&json, 0);
    override_write(override, &json);
    ck_assert_ptr_nonnull(
        strstr(buffer_string(&json), ",\"after\":\"" INTENT_B " " INTENT_C "\","));
    struct override *again = read_good(buffer_string(&json));
    check_equal(again, override);
    ck_assert_uint_eq(override_move_count(again), 3);
    static const char *const intents[] = {INTENT_B, INTENT_C, INTENT_A};
    for (size_t i = 0; i < COUNT_OF(intents); i++) {
        struct walk_verb move = override_move(again, i);
        ck_assert_text(move.intent, intents[i]);
        ck_assert_int_eq(move.kind, i < 2 ? VERB_STEP_BACK : VERB_ROLLBACK);
        ck_assert_uint_eq(move.run, 2);
    }
    override_release(again);
    override_release(override);
    buffer_dispose(&json);
}
END_TEST

/* Of what a rollout releases, or kills, there is always something to serve. */
START_TEST(test_that_there_is_no_such_flag)
{
    struct override like = override_like(INTENT_A, "checkout", "");
    struct buffer json;
    for (unsigned way = 0; way < 3; way++) {
        like.rollout = way == 1 ? TEXT("checkout") : TEXT("");
        like.action = way == 2 ? VERB_KILL : VERB_ROLLBACK;
        struct override *override = override_new(&like), *again = NULL;
        struct error error = {0};
        buffer_init(&json, 0);
        override_write(override, &json);
        enum status status = override_read(buffer_text(&json), &again, &error);
        ck_assert((status == STATUS_OK) == (way == 0));
        if (again) {
            check_equal(again, override);
            ck_assert(override_is_absence(again));
        }
        override_release(again);
        override_release(override);
        buffer_dispose(&json);
    }
}
END_TEST

START_TEST(test_the_largest)
{
    struct buffer fragment, json, line;
    buffer_init(&fragment, 0);
    buffer_init(&json, 0);
    buffer_init(&line, 0);
    for (size_t i = 0; i < OVERRIDE_EVIDENCE_MAX; i++)
        buffer_append_char(&line, '"');
    buffer_append_string(&fragment, "{\"state\":\"ENABLED\",\"variants\":{\"on\":[");
    while (fragment.length < OVERRIDE_FRAGMENT_MAX - 64)
        buffer_append_string(&fragment, "\"\",");
    buffer_append_string(&fragment, "0]},\"defaultVariant\":\"on\"}");
    while (fragment.length < OVERRIDE_FRAGMENT_MAX)
        buffer_append_char(&fragment, '\n');
    struct override like = override_like(INTENT_A, "checkout", buffer_string(&fragment));
    like.evidence = buffer_text(&line);
    like.by = like.note = (struct text){line.data, OVERRIDE_LINE_MAX};
    for (int over = 0; over < 2; over++) {
        struct override *override = override_new(&like), *again;
        struct error error = {0};
        ck_assert_ptr_nonnull(override);
        buffer_clear(&json);
        override_write(override, &json);
        ck_assert_uint_le(json.length, OVERRIDE_JSON_MAX);
        enum status status = override_read(buffer_text(&json), &again, &error);
        ck_assert_msg(status == (over ? STATUS_LIMIT : STATUS_OK), "%s", error.message);
        if (!over)
            check_equal(override, again);
        else
            ck_assert_str_eq(error.message,
                             "an override's \"fragment\" is larger than 4194304 bytes");
        override_release(again);
        override_release(override);
        buffer_append_char(&fragment, ' ');
        like.fragment = buffer_text(&fragment);
    }
    buffer_dispose(&line);
    buffer_dispose(&fragment);
    buffer_dispose(&json);
}
END_TEST

static const struct {
    const char *json, *message;
} hostile[] = {
    {"", "an override is not JSON: "},
    {"{", "an override is not JSON: "},
    {"[]", "an override is not a JSON object"},
    {"7", "an override is not a JSON object"},
    {"{}", "an override's \"intent\" is not 64 lower-case hexadecimal digits"},
    {"{\"a\":1,\"a\":1}", "an override is not JSON: "},
    {"{\"intent\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "an override is not JSON: "},
    {MEMBERS("rollback", "AA", "checkout", "2", "1", SAFE_QUOTED), "\"intent\" is not 64"},
    {MEMBERS("rollback", INTENT_A "0", "checkout", "2", "1", SAFE_QUOTED), "\"intent\" is not 64"},
    {MEMBERS("rollback", INTENT_A, "", "2", "1", SAFE_QUOTED), "\"flag\" is not a name"},
    {MEMBERS("rollback", INTENT_A, "a/b", "2", "1", SAFE_QUOTED), "\"flag\" is not a name"},
    {MEMBERS("rollback", INTENT_A, "-a", "2", "1", SAFE_QUOTED), "\"flag\" is not a name"},
    {MEMBERS("rollback", INTENT_A, "a\\u0000b", "2", "1", SAFE_QUOTED), "\"flag\" is not a name"},
    {MEMBERS("rollback", INTENT_A, INTENT_A, "2", "1", SAFE_QUOTED), "\"flag\" is not a name"},
    {MEMBERS("advance", INTENT_A, "checkout", "2", "1", SAFE_QUOTED), "\"action\" is not"},
    {MEMBERS("", INTENT_A, "checkout", "2", "1", SAFE_QUOTED), "\"action\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "-1", "1", SAFE_QUOTED), "\"run\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "1.5", "1", SAFE_QUOTED), "\"run\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "4294967296", "1", SAFE_QUOTED), "\"run\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "\"2\"", "1", SAFE_QUOTED), "\"run\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "2", "1e300", SAFE_QUOTED), "\"since\" is not"},
    {MEMBERS("kill", INTENT_A, "checkout", "2", "1", ""), "\"fragment\" is not a flag's JSON"},
    {MEMBERS("kill", INTENT_A, "checkout", "2", "1", "{"), "\"fragment\" is not a flag: "},
    {MEMBERS("kill", INTENT_A, "checkout", "2", "1", "[]"), "\"fragment\" is not a flag: "},
    {MEMBERS("kill", INTENT_A, "checkout", "2", "1", "{}{}"), "\"fragment\" is not a flag: "},
};

#define AFTER(list) "{\"after\":" list
static const char *const odd_lists[] = {
    AFTER("7"),
    AFTER("\"aa\""),
    AFTER("\"" INTENT_B "," INTENT_C "\""),
    AFTER("\"" INTENT_B " \""),
    AFTER("\" " INTENT_B "\""),
    AFTER("\"" INTENT_B "  " INTENT_C "\""),
    AFTER("\"" INTENT_B " CC33333333333333333333333333333333333333333333333333333333333333\"")};

static void check_refused(const char *json, const char *message)
{
    struct override *override = (struct override *)&hostile;
    struct error error = {0};
    ck_assert_int_ne(override_read(text_of(json), &override, &error), STATUS_OK);
    ck_assert_ptr_null(override);
    ck_assert_msg(strstr(error.message, message), "'%s' for %s", error.message, json);
}

START_TEST(test_hostile)
{
    for (size_t i = 0; i < COUNT_OF(hostile); i++)
        check_refused(hostile[i].json, hostile[i].message);
    for (size_t i = 0; i < COUNT_OF(odd_lists); i++) {
        char json[2048];
        snprintf(json, sizeof json, "%s,%s", odd_lists[i], GOOD + 1);
        check_refused(json, "\"after\" is not a list of intents");
    }
    struct buffer long_list;
    buffer_init(&long_list, 0);
    buffer_append_string(&long_list, AFTER("\""));
    for (size_t i = 0; i < PHASES_MAX + 1; i++)
        buffer_append_string(&long_list, i ? " " INTENT_B : INTENT_B);
    buffer_printf(&long_list, "\",%s", GOOD + 1);
    check_refused(buffer_string(&long_list), "\"after\" is not a list of intents");
    buffer_dispose(&long_list);
}
END_TEST

/* The good one with one thing changed in its text. */
static void check_changed(const char *from, const char *to, const char *message)
{
    struct buffer json;
    const char *at = strstr(GOOD, from);
    ck_assert_ptr_nonnull(at);
    buffer_init(&json, 0);
    buffer_append(&json, GOOD, (size_t)(at - GOOD));
    buffer_append_string(&json, to);
    buffer_append_string(&json, at + strlen(from));
    if (message)
        check_refused(buffer_string(&json), message);
    else
        override_release(read_good(buffer_string(&json)));
    buffer_dispose(&json);
}

START_TEST(test_hostile_words)
{
    struct buffer huge;
    buffer_init(&huge, 0);
    check_changed("\"note\": \"\"", "\"note\": \"a\\nb\"", "\"note\" is not a line");
    check_changed("\"note\": \"\"", "\"note\": \"\\u001b[2J\"", "\"note\" is not a line");
    check_changed("\"note\": \"\"", "\"note\": null", "\"note\" is not a line");
    check_changed("\"note\": \"\", ", "", "\"note\" is not a line");
    check_changed("\"evidence\": \"\"", "\"evidence\": {}", "\"evidence\" is not a line");
    check_changed("\"by\": \"weir\"", "\"by\": \"\x80\"", "an override is not JSON: ");
    check_changed(GENERATION, "0000000000000005000000010000000G", "\"generation\" is not 32");
    check_changed("\"rollout\": \"checkout\"", "\"rollout\": \"../x\"",
                  "\"rollout\" is not a name");
    check_changed("\"rollout\": \"checkout\"", "\"rollout\": \"\"", NULL);
    check_changed("\"seq\": 7", "\"seq\": 7, \"newer\": {\"weir\": [1]}", NULL);
    buffer_append_string(&huge, "\"by\": \"");
    while (huge.length < OVERRIDE_JSON_MAX)
        buffer_append_string(&huge, "0123456789abcdef");
    buffer_append_string(&huge, "\"");
    check_changed("\"by\": \"weir\"", buffer_string(&huge), "an override is not JSON: ");
    buffer_dispose(&huge);
}
END_TEST

START_TEST(test_which_of_two_is_served)
{
    /* Each wins over all before it. */
    static const struct {
        enum walk_verb_kind action;
        uint32_t run, seq;
        const char *intent;
    } rising[] = {
        {VERB_STEP_BACK, 1, 1, INTENT_B}, {VERB_STEP_BACK, 1, 1, INTENT_A},
        {VERB_STEP_BACK, 1, 9, INTENT_C}, {VERB_STEP_BACK, 2, 3, INTENT_C},
        {VERB_ROLLBACK, 1, 1, INTENT_B},  {VERB_KILL, 1, 1, INTENT_B},
        {VERB_KILL, 0, 0, INTENT_B}, /* of the flag */
    };
    struct override overrides[COUNT_OF(rising)];
    for (size_t i = 0; i < COUNT_OF(rising); i++) {
        overrides[i] = override_like(rising[i].intent, "checkout", SAFE_JSON);
        overrides[i].action = rising[i].action;
        overrides[i].run = rising[i].run;
        overrides[i].seq = rising[i].seq;
        if (rising[i].run == 0)
            overrides[i].rollout = (struct text){0};
        for (size_t k = 0; k <= i; k++) {
            ck_assert(override_wins(&overrides[i], &overrides[k]) == (k < i));
            ck_assert(!override_wins(&overrides[k], &overrides[i]));
        }
    }
}
END_TEST

static struct override_set *make_set(void)
{
    struct override_set *set = override_set_new(2, 2);
    if (!set)
        return NULL;
    const struct override a = override_like(INTENT_A, "banner", SAFE_JSON),
                          b = override_like(INTENT_B, "checkout", SAFE_JSON);
    set->items[0] = override_new(&a);
    set->items[1] = override_new(&b);
    if (set->items[0] && set->items[1] &&
        arena_copy(&set->arena, TEXT(INTENT_A), &set->recorded[0]) &&
        arena_copy(&set->arena, TEXT(INTENT_C), &set->recorded[1]))
        return set;
    override_set_release(set);
    return NULL;
}

START_TEST(test_sets)
{
    struct override_set *set = make_set();
    ck_assert(override_set_records(set, TEXT(INTENT_A)));
    ck_assert(!override_set_records(set, TEXT(INTENT_B)));
    ck_assert(override_set_records(set, TEXT(INTENT_C)));
    ck_assert(!override_set_records(NULL, TEXT(INTENT_A)));
    ck_assert_ptr_eq(override_set_find(set, TEXT("banner")), set->items[0]);
    ck_assert_ptr_eq(override_set_find(set, TEXT("checkout")), set->items[1]);
    ck_assert_ptr_null(override_set_find(set, TEXT("cart")));
    ck_assert_ptr_null(override_set_find(NULL, TEXT("cart")));
    struct override_set *empty = override_set_new(0, 0);
    ck_assert(!override_set_records(empty, TEXT(INTENT_A)));
    ck_assert_ptr_null(override_set_find(empty, TEXT("banner")));
    override_set_release(empty);

    /* A snapshot holds its own, and gives it back when another comes or it ends. */
    struct snapshot *snapshot = make_snapshot(
        "production", make_document("{\"flags\":{\"banner\":" SAFE_JSON "}}"), 1, COMMIT_A);
    ck_assert_ptr_null(snapshot->environments[0].overrides);
    snapshot_set_overrides(snapshot, 0, override_set_reference(set));
    snapshot_set_overrides(snapshot, 0, set);
    ck_assert_ptr_eq(snapshot->environments[0].overrides, set);
    ck_assert_uint_eq(atomic_load(&set->references), 1);
    snapshot_release(snapshot);
    override_set_release(NULL);
    ck_assert_ptr_null(override_set_reference(NULL));
}
END_TEST

START_TEST(test_how_they_are_named)
{
    struct buffer out;
    struct override_set *none = override_set_new(0, 0), *set = make_set(), *many;
    buffer_init(&out, 0);
    override_set_name(NULL, 0, &out);
    override_set_name(none, '"', &out);
    ck_assert_uint_eq(out.length, 0);
    override_set_name(set, 0, &out);
    ck_assert_str_eq(buffer_string(&out), INTENT_A "," INTENT_B);
    buffer_clear(&out);
    override_set_name(set, '"', &out);
    ck_assert_str_eq(buffer_string(&out), "\"" INTENT_A "\",\"" INTENT_B "\"");
    many = override_set_new(OVERRIDES_NAMED + 9, 0);
    for (size_t i = 0; i < many->count; i++)
        many->items[i] = override_reference(set->items[0]);
    buffer_clear(&out);
    override_set_name(many, 0, &out);
    ck_assert_str_eq(buffer_string(&out) + out.length - 67, INTENT_A ",+9");
    ck_assert_uint_eq(out.length, OVERRIDES_NAMED * 65 + 2);
    buffer_clear(&out);
    override_set_name(many, '"', &out);
    ck_assert_str_eq(buffer_string(&out) + out.length - 6, "\",\"+9\"");
    buffer_dispose(&out);
    override_set_release(many);
    override_set_release(set);
    override_set_release(none);
}
END_TEST

START_TEST(test_memory_that_runs_out)
{
    struct override_set *set = NULL;
    size_t failed = 0;
    for (size_t i = 1; !set; i++, failed++) {
        plan.failing = i;
        plan.seen = 0;
        plan.armed = true;
        set = make_set();
        plan.armed = false;
    }
    ck_assert_uint_gt(failed, 4);
    override_set_release(set);

    enum status status = STATUS_NO_MEMORY;
    for (size_t i = 1; status != STATUS_OK; i++) {
        struct override *override;
        struct error error = {0};
        plan.failing = i;
        plan.seen = 0;
        plan.armed = true;
        status = override_read(TEXT(GOOD), &override, &error);
        plan.armed = false;
        ck_assert((status == STATUS_OK) == (override != NULL));
        if (status != STATUS_OK) {
            ck_assert_int_eq(status, STATUS_NO_MEMORY);
            ck_assert_str_eq(error.message, "no memory for an override");
        }
        override_release(override);
    }
}
END_TEST

UNIT_MAIN("override", test_a_copy_says_the_same, test_what_is_written_is_canonical_and_reads_back,
          test_after_others, test_that_there_is_no_such_flag, test_the_largest, test_hostile,
          test_hostile_words, test_which_of_two_is_served, test_sets, test_how_they_are_named,
          test_memory_that_runs_out)
