/* A flag that is held fast: its file, what it does to the flag, and which of two holds faster. */
#include "pins.h"

#include "rollouts_unit.h"

#define PIN_PATH "state/production/flags/shop.yaml"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER                                                                                      \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: other}\nspec:\n"                            \
    "  variants: {on: true, off: false}\n  default: off\n"                                         \
    "  rules: [{when: {flag: {name: shop, is: on}}, serve: on}]\n"

static const char german[] = "{\"targetingKey\":\"u\",\"country\":\"DE\"}";

static void build(struct rig *rig, const char *flag, const struct flag_pin *pin)
{
    char *text = pin ? pin_text(pin) : NULL;
    rig_init(rig);
    rig_add(rig, "flags/shop.yaml", text_of(flag));
    rig_add(rig, "flags/other.yaml", text_of(OTHER));
    if (text)
        rig_add(rig, PIN_PATH, text_of(text));
    ck_assert_msg(rig_link(rig) == STATUS_OK, "%s", rig_story(rig));
    ck_assert_int_eq(rig_compile(rig, "production", NULL), STATUS_OK);
    free(text);
}

static void expect(const char *flag, const struct flag_pin *pin, const char *variant,
                   const char *other)
{
    struct rig rig;
    build(&rig, flag, pin);
    ck_assert_text(rig_variant(&rig, "shop", german), variant);
    ck_assert_text(rig_variant(&rig, "other", german), other);
    rig_dispose(&rig);
}

START_TEST(a_killed_flag_serves_control_to_everybody)
{
    struct flag_pin killed = pin_of(NULL, true, NULL), with = pin_of(NULL, true, "on"),
                    gone = pin_of(NULL, true, "nothing"), lifted = pin_of(NULL, false, NULL),
                    both = pin_of(COMMIT, true, NULL);
    struct rig rig;
    expect(ROLLOUT_FLAG, NULL, "on", "on");
    expect(ROLLOUT_FLAG, &killed, "off", "off"); /* and who asks for it sees that */
    expect(ROLLOUT_FLAG, &with, "on", "on");
    expect(ROLLOUT_FLAG, &gone, "off", "off"); /* no such variant: the default */
    expect(ROLLOUT_FLAG, &lifted, "on", "on");
    expect(ROLLOUT_FLAG, &both, "off", "off");
    build(&rig, ROLLOUT_FLAG, &with);
    struct buffer json;
    buffer_init(&json, 0);
    fragment_append_json(document_find(rig.document, TEXT("shop")), &json);
    ck_assert_text(buffer_text(&json), "{\"defaultVariant\":\"on\",\"state\":\"ENABLED\","
                                       "\"variants\":{\"off\":false,\"on\":true}}");
    buffer_dispose(&json);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_kill_comes_before_a_rollout)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    struct flag_pin killed = pin_of(NULL, true, NULL);
    char *pin = pin_text(&killed), *text = state_text(&state);
    struct rig rig;
    for (int i = 0; i < 2; i++) {
        rig_init(&rig);
        rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
        rig_add(&rig, "rollouts.yaml", text_of(ROLLOUT("shop-release", ROLLOUT_PHASES)));
        rig_add(&rig, "state/production/shop-release.yaml", text_of(text));
        if (i)
            rig_add(&rig, PIN_PATH, text_of(pin));
        rig_link(&rig);
        ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_OK);
        ck_assert_text(rig_variant(&rig, "shop", "{\"targetingKey\":\"u\"}"), i ? "off" : "on");
        ck_assert_text(rig_variant(&rig, "shop", german), i ? "off" : "on");
        rig_dispose(&rig);
    }
    free(pin);
    free(text);
}
END_TEST

START_TEST(a_disabled_flag_stays_disabled)
{
    struct flag_pin killed = pin_of(NULL, true, NULL);
    struct rig rig;
    build(&rig, RIG_PRODUCTION RIG_FLAG("shop", "  enabled: false\n"), &killed);
    struct decision decision;
    rig_decide(&rig, "shop", german, &decision);
    ck_assert_int_eq(decision.reason, REASON_DISABLED);
    rig_dispose(&rig);
}
END_TEST

/* --- its file -------------------------------------------------------------------------------- */

static const struct flag_pin *read_pin(struct rig *rig, const char *text)
{
    rig_init(rig);
    rig_add(rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(rig, PIN_PATH, text_of(text));
    ck_assert_msg(rig_link(rig) == STATUS_OK, "%s", rig_story(rig));
    ck_assert_uint_eq(rig->catalog.flag_pin_count, 1);
    return rig->catalog.flag_pins[0];
}

START_TEST(a_pin_is_read_as_it_was_written)
{
    static char intent[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct text intents[] = {text_of(intent)};
    struct flag_pin pin = pin_of(COMMIT, true, "off");
    struct rig rig;
    pin.seq = 4294967295U;
    pin.by = TEXT("Ada \"L\" <ada@example.com>");
    pin.reason = TEXT("it charges twice: \\ # ' and more");
    pin.intents = intents;
    pin.intent_count = 1;
    char *text = pin_text(&pin);
    const struct flag_pin *read = read_pin(&rig, text);
    ck_assert(!read->is_foreign && read->is_killed);
    ck_assert_text(read->name.text, "production/shop");
    ck_assert_text(read->as_of, COMMIT);
    ck_assert_text(read->control, "off");
    ck_assert_uint_eq(read->seq, 4294967295U);
    ck_assert_int_eq(read->since, RIG_NOW - 3600);
    ck_assert(text_equal(read->by, pin.by) && text_equal(read->reason, pin.reason));
    ck_assert(flag_pin_has_intent(read, text_of(intent)));
    ck_assert(!flag_pin_has_intent(read, TEXT("a")));
    char *again = pin_text(read);
    ck_assert_str_eq(text, again);
    free(text);
    free(again);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_hand_leaves_its_mark)
{
    struct flag_pin pin = pin_of(COMMIT, false, NULL);
    struct rig rig;
    char *text = pin_text(&pin);
    memcpy(strstr(text, "01234567"), "11234567", 8);
    ck_assert(read_pin(&rig, text)->is_foreign);
    rig_dispose(&rig);
    free(text);
}
END_TEST

static void expect_fault(const char *path, const char *text, const char *code, const char *words)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(&rig, path, text_of(text));
    rig_link(&rig);
    for (size_t i = 0; i < rig.faults.count; i++) {
        if (strcmp(rig.faults.items[i].code, code) == 0 &&
            strstr(rig.faults.items[i].message.data, words)) {
            rig_dispose(&rig);
            return;
        }
    }
    ck_abort_msg("no %s \"%s\" in:\n%s", code, words, rig_story(&rig));
}

START_TEST(a_pin_has_one_place)
{
    struct flag_pin pin = pin_of(COMMIT, false, NULL);
    char *text = pin_text(&pin), flag[400];
    expect_fault("state/staging/flags/shop.yaml", text, CODE_STATE_PATH,
                 "belongs into state/production/flags/shop.yaml");
    expect_fault("state/production/shop.yaml", text, CODE_STATE_PATH, "FlagPin below state/");
    expect_fault("flags/pin.yaml", text, CODE_STATE_PATH, "the pin of \"production/shop\" belongs");
    expect_fault(PIN_PATH, "{}\n", CODE_KIND, "no apiVersion");
    expect_fault(PIN_PATH, "# nothing\n", CODE_STATE_PATH, "not one document of the kind FlagPin");
    snprintf(flag, sizeof flag, "%s", OTHER);
    expect_fault(PIN_PATH, flag, CODE_STATE_PATH, "Flag below state/");
    memcpy(strstr(text, "0123456789a"), "0123456789A", 11);
    expect_fault(PIN_PATH, text, CODE_SCHEMA_PATTERN, "asOf");
    free(text);
}
END_TEST

/* --- which holds faster ---------------------------------------------------------------------- */

START_TEST(a_hand_may_only_hold_faster)
{
    static const char later[] = "1123456789abcdef0123456789abcdef01234567";
    struct flag_pin lifted = pin_of(NULL, false, NULL), pinned = pin_of(COMMIT, false, NULL),
                    other = pin_of(later, false, NULL), killed = pin_of(NULL, true, NULL),
                    chosen = pin_of(NULL, true, "on"), both = pin_of(COMMIT, true, "on");
    ck_assert(flag_pin_is_safer(&lifted, &killed));
    ck_assert(!flag_pin_is_safer(&lifted, &pinned));
    ck_assert(!flag_pin_is_safer(&lifted, &chosen)); /* anybody could put all users on anything */
    ck_assert(flag_pin_is_safer(&pinned, &killed));
    ck_assert(flag_pin_is_safer(&pinned, &pinned));
    ck_assert(!flag_pin_is_safer(&pinned, &lifted));
    ck_assert(!flag_pin_is_safer(&pinned, &other));
    ck_assert(!flag_pin_is_safer(&killed, &lifted));
    ck_assert(!flag_pin_is_safer(&killed, &pinned));
    ck_assert(!flag_pin_is_safer(&killed, &chosen));
    ck_assert(flag_pin_is_safer(&chosen, &both));
}
END_TEST

START_TEST(an_intent_is_nobody_elses)
{
    char one[INTENT_TEXT_SIZE], again[INTENT_TEXT_SIZE], other[INTENT_TEXT_SIZE];
    struct rollout_state state = {.environment = TEXT("production"), .rollout = TEXT("shop")};
    ck_assert_int_eq(flag_pin_intent(TEXT("production"), TEXT("shop"), 0, TEXT("kill"), one), 0);
    ck_assert_int_eq(flag_pin_intent(TEXT("production"), TEXT("shop"), 0, TEXT("kill"), again), 0);
    ck_assert_str_eq(one, again);
    ck_assert_int_eq(flag_pin_intent(TEXT("production"), TEXT("shop"), 1, TEXT("kill"), other), 0);
    ck_assert_str_ne(one, other);
    rollout_intent(&state, TEXT("kill"), other); /* a rollout of the flag's name */
    ck_assert_str_ne(one, other);
}
END_TEST

/* --- what watches a flag --------------------------------------------------------------------- */

#define WATCHED(metrics, bake)                                                                     \
    RIG_PRODUCTION RIG_FLAG("w", "  watch: {metrics: [" metrics "], bake: " bake "}\n")
#define METRIC(name, source, rest)                                                                 \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: " name                               \
    "}\nspec: {prometheus: {address: 'http://p:9090', " source "}, " rest "}\n"
#define ERRORS METRIC("errors", "query: up", "thresholdRange: {max: 1}")

START_TEST(a_watched_flag_is_read_and_linked)
{
    struct rig rig;
    rig_build(&rig, WATCHED("errors", "2h") ERRORS);
    const struct flag *flag = catalog_flag(&rig.catalog, TEXT("w"));
    ck_assert_uint_eq(flag->watched_count, 1);
    ck_assert_text(flag->watched[0].text, "errors");
    ck_assert_int_eq(flag->watch_bake, 7200);
    ck_assert_uint_eq(rig.faults.count, 0);
    rig_dispose(&rig);
}
END_TEST

static void expect_watch(const char *yaml, const char *code, const char *message)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "flags/all.yaml", text_of(yaml));
    rig_link(&rig);
    ck_assert_msg(rig.faults.count == 1, "%s", rig_story(&rig));
    ck_assert_str_eq(rig.faults.items[0].code, code);
    ck_assert_text(rig.faults.items[0].message, message);
    rig_dispose(&rig);
}

START_TEST(what_cannot_watch_is_told)
{
    expect_watch(WATCHED("erors", "2h") ERRORS, CODE_UNKNOWN_METRIC,
                 "metric \"erors\" does not exist");
    expect_watch(WATCHED("errors", "999999999w") ERRORS, CODE_SCHEMA_RANGE,
                 "\"999999999w\" is longer than ten years");
    expect_watch(WATCHED("errors", "2h")
                     METRIC("errors", "query: 'up{p=\"{{phase}}\"}'", "thresholdRange: {max: 1}"),
                 CODE_WATCH_METRIC,
                 "metric \"errors\" needs a {{phase}}, which flag \"w\" by itself does not have");
    expect_watch(WATCHED("errors", "2h")
                     METRIC("errors", "query: 'up{v=\"{{variant}}\"}'",
                            "compare: {to: control, method: difference, margin: 1}"),
                 CODE_WATCH_METRIC,
                 "metric \"errors\" needs a control to compare with, which flag \"w\" by itself "
                 "does not have");
    expect_watch(WATCHED("errors", "2h")
                     METRIC("errors", "query: 'up{v=\"{{variant}}\"}'", "thresholdRange: {max: 1}"),
                 CODE_WATCH_METRIC,
                 "metric \"errors\" needs one {{variant}}, which flag \"w\" by itself does not "
                 "have");
}
END_TEST

UNIT_MAIN("flag_pin", a_killed_flag_serves_control_to_everybody, a_kill_comes_before_a_rollout,
          a_disabled_flag_stays_disabled, a_pin_is_read_as_it_was_written, a_hand_leaves_its_mark,
          a_pin_has_one_place, a_hand_may_only_hold_faster, an_intent_is_nobody_elses,
          a_watched_flag_is_read_and_linked, what_cannot_watch_is_told)
