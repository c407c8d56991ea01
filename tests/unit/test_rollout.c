/* Rollouts as users see them: who gets what in which phase, and what takes it away again. */
#include "rollouts_unit.h"

#define KEYS 4000

/* The flag and its rollout at a state, compiled for production. */
static void build(struct rig *rig, const struct rollout_state *state, const char *more)
{
    char *text = state ? state_text(state) : NULL;
    rig_init(rig);
    rig_add(rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(rig, "rollouts.yaml", text_of(ROLLOUT("shop-release", ROLLOUT_PHASES)));
    if (more)
        rig_add(rig, "flags/more.yaml", text_of(more));
    if (text)
        rig_add(rig, "state/production/shop-release.yaml", text_of(text));
    enum status status = rig_link(rig);
    ck_assert_msg(status == STATUS_OK, "%s", rig_story(rig));
    ck_assert_msg(rig_compile(rig, "production", NULL) == STATUS_OK, "%s", rig_story(rig));
    free(text);
}

static bool is_on(struct rig *rig, unsigned user, int64_t now)
{
    char context[64];
    struct decision decision;
    struct error error = {0};
    snprintf(context, sizeof context, "{\"targetingKey\":\"user-%u\"}", user);
    ck_assert_int_eq(
        context_read(&rig->context, rig->document->attributes, text_of(context), &error),
        STATUS_OK);
    evaluate(document_find(rig->document, TEXT("shop")), &rig->context, now, &decision);
    ck_assert_msg(decision.reason != REASON_ERROR, "%s", decision.problem);
    return text_is(decision.variant, "on");
}

static unsigned count_on(struct rig *rig, int64_t now)
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEYS; i++)
        count += is_on(rig, i, now);
    return count;
}

#define DE "{\"targetingKey\":\"x\",\"country\":\"DE\"}"
#define STAFF "{\"targetingKey\":\"x\",\"email\":\"a@example.com\"}"
#define KEYLESS "{}"

START_TEST(a_pending_rollout_changes_nothing)
{
    struct rig rig, with;
    struct rollout_state state = state_in(COURSE_PENDING, 0);
    build(&rig, NULL, NULL);
    build(&with, &state, NULL);
    ck_assert(document_equal(rig.document, with.document));
    rig_expect(&rig, "shop", STAFF, "off", "DEFAULT");
    rig_expect(&rig, "shop", DE, "on", "TARGETING_MATCH");
    rig_dispose(&rig);
    rig_dispose(&with);
}
END_TEST

START_TEST(phases_add_up)
{
    bool before[KEYS] = {false};
    for (size_t phase = PHASE_STAFF; phase <= PHASE_ALL; phase++) {
        struct rollout_state state = state_in(COURSE_RUNNING, phase);
        struct rig rig;
        state.ramp.done = phase_items[PHASE_TEN].over;
        build(&rig, &state, NULL);
        rig_expect(&rig, "shop", STAFF, "on", "TARGETING_MATCH");
        rig_expect(&rig, "shop", DE, "on", "TARGETING_MATCH"); /* rules come first */
        unsigned count = 0;
        for (unsigned i = 0; i < KEYS; i++) {
            bool on = is_on(&rig, i, RIG_NOW);
            ck_assert_msg(on || !before[i], "user %u drops out at phase %zu", i, phase);
            before[i] = on;
            count += on;
        }
        static const unsigned percent[] = {0, 1, 10, 50, 100};
        unsigned wanted = KEYS * percent[phase] / 100;
        ck_assert_msg(count + 80 >= wanted && count <= wanted + 80, "phase %zu: %u of %d", phase,
                      count, KEYS);
        ck_assert_uint_eq(rollout_share_at(&state, RIG_NOW), percent[phase] * 1000);
        if (phase < PHASE_ALL)
            rig_expect(&rig, "shop", KEYLESS, "off", "DEFAULT");
        else
            rig_expect(&rig, "shop", KEYLESS, "on", "TARGETING_MATCH");
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(a_ramp_grows_with_the_clock_up_to_its_window)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN), fixed;
    struct rig rig, still;
    state.ramp = (struct ramp_window){.done = 86400, .from = RIG_NOW, .length = 86400};
    build(&rig, &state, NULL);
    ck_assert_uint_eq(rollout_share_at(&state, RIG_NOW), 4000);
    ck_assert_uint_eq(rollout_share_at(&state, RIG_NOW + 43200), 5500);
    unsigned first = count_on(&rig, RIG_NOW), half = count_on(&rig, RIG_NOW + 43200),
             end = count_on(&rig, RIG_NOW + 86400), later = count_on(&rig, RIG_NOW + 864000);
    ck_assert_msg(first < half && half < end && end == later, "%u %u %u %u", first, half, end,
                  later);
    ck_assert_uint_eq(count_on(&rig, RIG_NOW - 500), first); /* a clock that goes backwards */
    /* A closed window is the same share, without the clock. */
    fixed = state;
    fixed.ramp = (struct ramp_window){.done = 129600};
    build(&still, &fixed, NULL);
    for (unsigned i = 0; i < KEYS; i++)
        ck_assert_int_eq(is_on(&still, i, RIG_NOW), is_on(&rig, i, RIG_NOW + 43200));
    rig_dispose(&rig);
    rig_dispose(&still);
}
END_TEST

/* The union of (audience and percent) of the phases so far, in whatever order they come. */
START_TEST(a_part_of_an_audience_adds_to_a_part_of_all)
{
    struct phase items[] = {{.name = TEXT("ten"), .share = 10000},
                            {.name = TEXT("staff"), .audience = TEXT("staff"), .share = 50000},
                            {.name = TEXT("all"), .share = SPLIT_TOTAL}};
    unsigned staff[2] = {0}, lost = 0;
    for (size_t phase = 0; phase < 2; phase++) {
        struct rollout_state state = state_in(COURSE_RUNNING, phase);
        struct decision decision;
        struct rig rig;
        state.plan = (struct phases){items, COUNT_OF(items)};
        build(&rig, &state, NULL);
        ck_assert_uint_eq(rollout_share_at(&state, RIG_NOW), 10000);
        unsigned others = count_on(&rig, RIG_NOW);
        ck_assert_msg(others > KEYS / 10 - 80 && others < KEYS / 10 + 80, "%u", others);
        for (unsigned i = 0; i < KEYS; i++) {
            char context[100];
            struct error error = {0};
            snprintf(context, sizeof context,
                     "{\"targetingKey\":\"user-%u\",\"email\":\"a@example.com\"}", i);
            ck_assert_int_eq(
                context_read(&rig.context, rig.document->attributes, text_of(context), &error),
                STATUS_OK);
            evaluate(document_find(rig.document, TEXT("shop")), &rig.context, RIG_NOW, &decision);
            bool on = text_is(decision.variant, "on");
            lost += is_on(&rig, i, RIG_NOW) && !on;
            staff[phase] += on;
        }
        rig_dispose(&rig);
    }
    ck_assert_uint_eq(lost, 0);
    ck_assert_msg(staff[0] < KEYS / 10 + 80, "%u", staff[0]);
    ck_assert_msg(staff[1] > KEYS / 2 - 120 && staff[1] < KEYS * 6 / 10, "%u", staff[1]);
}
END_TEST

#define PREREQUISITE                                                                               \
    RIG_FLAG("after", "  rules: [{when: {flag: {name: shop, is: on}}, serve: on}]\n")

START_TEST(what_is_rolled_back_is_gone_on_every_path)
{
    static const enum rollout_course undone[] = {COURSE_ROLLED_BACK, COURSE_KILLED};
    for (size_t i = 0; i < COUNT_OF(undone); i++) {
        struct rollout_state state = state_in(undone[i], PHASE_HALF);
        struct rig rig;
        build(&rig, &state, PREREQUISITE);
        rig_expect(&rig, "shop", STAFF, "off", "DEFAULT");
        rig_expect(&rig, "shop", DE, "off", "TARGETING_MATCH");
        rig_expect(&rig, "after", DE, "off", "DEFAULT");
        ck_assert_uint_eq(count_on(&rig, RIG_NOW), 0);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(prerequisites_see_the_rollout)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_STAFF);
    struct rig rig;
    build(&rig, &state, PREREQUISITE);
    rig_expect(&rig, "after", STAFF, "on", "TARGETING_MATCH");
    rig_expect(&rig, "after", "{\"targetingKey\":\"x\"}", "off", "DEFAULT");
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_completed_rollout_stays_at_its_last_phase)
{
    struct rollout_state state = state_in(COURSE_COMPLETED, PHASE_ALL);
    struct rig rig;
    build(&rig, &state, NULL);
    ck_assert_uint_eq(count_on(&rig, RIG_NOW), KEYS);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_state_of_another_identity_is_not_its)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_ALL);
    struct rig rig;
    state.identity[0] ^= 1;
    build(&rig, &state, NULL);
    ck_assert_uint_eq(count_on(&rig, RIG_NOW), 0);
    rig_dispose(&rig);
}
END_TEST

/* What a digest is of, each of the same length as before: none may be left out. */
START_TEST(an_identity_is_of_all_its_parts)
{
    struct rollout rollout = {.name.text = TEXT("r"),
                              .flag.text = TEXT("shop"),
                              .environment.text = TEXT("live"),
                              .variant.text = TEXT("on"),
                              .control.text = TEXT("no"),
                              .seed = TEXT("s1"),
                              .bucket_by = TEXT("key")};
    struct text *const parts[] = {&rollout.flag.text,    &rollout.environment.text,
                                  &rollout.variant.text, &rollout.control.text,
                                  &rollout.seed,         &rollout.bucket_by};
    uint8_t one[IDENTITY_SIZE], other[IDENTITY_SIZE];
    rollout_identity(&rollout, one);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct text before = *parts[i];
        *parts[i] = (struct text){"xxxxxx", before.length};
        rollout_identity(&rollout, other);
        ck_assert_msg(memcmp(one, other, IDENTITY_SIZE) != 0, "part %zu", i);
        *parts[i] = before;
    }
    rollout_identity(&rollout, other);
    ck_assert_int_eq(memcmp(one, other, IDENTITY_SIZE), 0);
}
END_TEST

START_TEST(an_intent_is_of_environment_rollout_run_seq_and_action)
{
    const struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN);
    struct rollout_state others[4] = {state, state, state, state};
    char intent[INTENT_TEXT_SIZE], other[INTENT_TEXT_SIZE];
    rollout_intent(&state, TEXT("rollback"), intent);
    /* printf '%s' 10:production12:shop-release1:11:78:rollback | sha256sum */
    ck_assert_str_eq(intent, "6f0b27c85c61d60ec5faf19dbca66cc9aac9d3d7f3b854f0e8697b51c3db3bc6");
    others[0].environment = TEXT("productiom");
    others[1].rollout = TEXT("shop-releasf");
    others[2].run++;
    others[3].seq++;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        rollout_intent(&others[i], TEXT("rollback"), other);
        ck_assert_str_ne(intent, other);
    }
    rollout_intent(&state, TEXT("rollbacl"), other);
    ck_assert_str_ne(intent, other);
}
END_TEST

/* --- the file -------------------------------------------------------------------------------- */

START_TEST(a_state_is_read_as_it_was_written)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN);
    struct hold holds[] = {{HOLD_PAUSE, TEXT("ann \"the\" editor"), 1000, 0, TEXT("lunch: yes")},
                           {HOLD_ROLLBACK, TEXT("weir"), 2000, 5600, {0}}};
    char intent[INTENT_TEXT_SIZE], digest[PLAN_DIGEST_SIZE];
    struct rig rig;
    state.holds = holds;
    state.hold_count = COUNT_OF(holds);
    ck_assert_int_eq(rollout_plan_digest(&state.plan, digest), STATUS_OK);
    struct approval approval = {TEXT("bob@example.com"), 3000, 1, 7, text_of(digest)};
    state.approvals = &approval;
    state.approval_count = 1;
    rollout_intent(&state, TEXT("rollback"), intent);
    struct text id = text_of(intent);
    state.intents = &id;
    state.intent_count = 1;
    state.bake = 90;
    state.rollbacks = 2;
    state.ramp = (struct ramp_window){86400, RIG_NOW, 3600};
    char *text = state_text(&state);
    build(&rig, &state, NULL);
    const struct rollout *rollout = catalog_rollout(&rig.catalog, TEXT("shop-release"));
    const struct rollout_state *read = catalog_rollout_state(&rig.catalog, rollout);
    ck_assert_ptr_nonnull(read);
    ck_assert(!read->is_foreign);
    ck_assert_uint_eq(read->phase, PHASE_TEN);
    ck_assert_int_eq(rollout_state_status(read), ROLLOUT_HELD);
    ck_assert(rollout_state_has_intent(read, id));
    char *again = state_text(read);
    ck_assert_str_eq(text, again);
    free(text);
    free(again);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_hand_leaves_its_mark)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY);
    char *text = state_text(&state);
    struct rig rig;
    memcpy(strstr(text, "percent: 1,"), "percent: 9,", 11);
    rig_init(&rig);
    rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(&rig, "rollouts.yaml", text_of(ROLLOUT("shop-release", ROLLOUT_PHASES)));
    rig_add(&rig, "state/production/shop-release.yaml", text_of(text));
    ck_assert_int_eq(rig_link(&rig), STATUS_OK);
    ck_assert(rig.catalog.rollout_states[0]->is_foreign);
    free(text);
    rig_dispose(&rig);
}
END_TEST

/* --- which of two is safer ------------------------------------------------------------------- */

START_TEST(safer_exposes_nobody_new)
{
    struct rollout_state staff = state_in(COURSE_RUNNING, PHASE_STAFF),
                         canary = state_in(COURSE_RUNNING, PHASE_CANARY),
                         half = state_in(COURSE_RUNNING, PHASE_HALF),
                         back = state_in(COURSE_ROLLED_BACK, PHASE_HALF),
                         killed = state_in(COURSE_KILLED, PHASE_HALF),
                         other = state_in(COURSE_ROLLED_BACK, PHASE_HALF);
    other.identity[3] ^= 1;
    ck_assert(rollout_state_is_safer(&half, &canary));
    ck_assert(!rollout_state_is_safer(&canary, &half));
    ck_assert(rollout_state_is_safer(&canary, &staff));
    ck_assert(!rollout_state_is_safer(&staff, &canary));
    ck_assert(rollout_state_is_safer(&half, &back));
    ck_assert(rollout_state_is_safer(&back, &killed));
    ck_assert(!rollout_state_is_safer(&killed, &back));
    ck_assert(!rollout_state_is_safer(&back, &staff));
    ck_assert(!rollout_state_is_safer(&half, &other));
    ck_assert(rollout_state_is_safer(&half, &half));
}
END_TEST

/* The same people are exposed, and yet more would be let in, or sooner, or by fewer. */
START_TEST(safer_lets_nobody_in_sooner)
{
    struct hold holds[] = {{.reason = HOLD_PAUSE, .by = TEXT("ann"), .since = RIG_NOW},
                           {.reason = HOLD_RATIO, .by = TEXT("weir"), .since = RIG_NOW}};
    struct approval approval = {TEXT("bob"), RIG_NOW, 1, 7, TEXT("sha256:1")};
    struct text intent = TEXT("1");
    struct phase phases[COUNT_OF(phase_items)];
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY), other;
    state.holds = holds;
    state.hold_count = 2;
    ck_assert(rollout_state_is_safer(&state, &state));
    other = state; /* a mismatch that nobody lifted */
    other.hold_count = 1;
    ck_assert(!rollout_state_is_safer(&state, &other));
    ck_assert(rollout_state_is_safer(&other, &state));
    other = state; /* people who never approved it */
    other.approvals = &approval;
    other.approval_count = 1;
    ck_assert(!rollout_state_is_safer(&state, &other));
    ck_assert(rollout_state_is_safer(&other, &state));
    struct approval forged = {TEXT("eve"), RIG_NOW, 1, 7, TEXT("sha256:1")};
    struct rollout_state approved = other; /* nor another than who did */
    other.approvals = &forged;
    ck_assert(!rollout_state_is_safer(&approved, &other));
    forged = approval;
    forged.seq++;
    ck_assert(!rollout_state_is_safer(&approved, &other));
    forged = approval;
    forged.run++;
    ck_assert(!rollout_state_is_safer(&approved, &other));
    forged = approval;
    forged.plan = TEXT("sha256:2");
    ck_assert(!rollout_state_is_safer(&approved, &other));
    other = state; /* a decision that was not recorded would be taken for one that was */
    other.intents = &intent;
    other.intent_count = 1;
    ck_assert(!rollout_state_is_safer(&state, &other));
    ck_assert(rollout_state_is_safer(&other, &state));
    memcpy(phases, phase_items, sizeof phases);
    phases[PHASE_CANARY].bake = 0;
    other = state;
    other.plan.items = phases;
    ck_assert(!rollout_state_is_safer(&state, &other));
    other = state;
    other.bake += 5 * 86400;
    ck_assert(!rollout_state_is_safer(&state, &other));
    other = state;
    other.since -= 5 * 86400;
    ck_assert(!rollout_state_is_safer(&state, &other));
    other = state;
    other.run++;
    ck_assert(!rollout_state_is_safer(&state, &other));
    other = state;
    other.course = COURSE_COMPLETED;
    ck_assert(!rollout_state_is_safer(&state, &other));
    const struct rollout_state last = state_in(COURSE_RUNNING, PHASE_ALL);
    other = last; /* though nobody new is exposed: its last bake is not over */
    other.course = COURSE_COMPLETED;
    ck_assert(!rollout_state_is_safer(&last, &other));
}
END_TEST

/* --- faults ---------------------------------------------------------------------------------- */

static void expect_fault(const char *rollouts, const char *code, const char *words)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(&rig, "phases/r.yaml", text_of(rollouts));
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

static void expect_none(const char *metric)
{
    struct rig rig;
    rig_init(&rig);
    rig_add(&rig, "flags/shop.yaml", text_of(ROLLOUT_FLAG));
    rig_add(&rig, "metrics/m.yaml", text_of(metric));
    ck_assert_msg(rig_link(&rig) == STATUS_OK && rig.faults.count == 0, "%s", rig_story(&rig));
    rig_dispose(&rig);
}

#define MEAN(source, judge)                                                                        \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {type: mean, prometheus: " \
    "{address: 'http://p:9090', " source "}, " judge "}\n"

START_TEST(slips_are_told)
{
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5}, {name: y, percent: 5}]"), CODE_PHASE_SHRINKS,
                 "phase \"y\" exposes nobody");
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5}, {name: x, percent: 6}]"), CODE_PHASE_NAME,
                 "two phases are called \"x\"");
    expect_fault(ROLLOUT("a", "[{name: x, audience: {segment: stuff}}]"), CODE_UNKNOWN_SEGMENT,
                 "segment \"stuff\" does not exist");
    expect_fault(ROLLOUT("a", "[{name: x}]"), CODE_NO_GUARDRAIL, "ends at 100 %");
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5}]") ROLLOUT("b", "[{name: x, percent: 5}]"),
                 CODE_TWO_ROLLOUTS, "rollouts \"a\" and \"b\" of flag \"shop\"");
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5, metrics: [m]}]"), CODE_UNKNOWN_METRIC,
                 "metric \"m\" does not exist");
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5}]") "  start: 2027-03-30T00:30:00+02:00\n"
                                                         "  calendar: {freeze: [{from: 2027-03-29, "
                                                         "to: 2027-04-05, reason: Easter}]}\n",
                 CODE_START_FROZEN, "starts in a freeze: Easter");
    expect_fault(ROLLOUT("a", "[{name: x, ramp: {to: 5, over: 0s}}]"), CODE_SCHEMA_RANGE,
                 "ramp takes no time");
    expect_fault("---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: a}\nspec: {flag: shop, "
                 "environment: production, variant: on, control: on, plan: p}\n",
                 CODE_SAME_VARIANT, "variant and control are both \"on\"");
    expect_fault("---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: a}\nspec: {flag: shop, "
                 "environment: production, variant: on, control: off, plan: p}\n",
                 CODE_UNKNOWN_PHASE_PLAN, "phase plan \"p\" does not exist");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {prometheus: "
                 "{address: 'http://p:9090', query: up}, compare: {to: control, method: "
                 "difference}}\n",
                 CODE_METRIC_TEMPLATE, "asks the same of both");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {prometheus: "
                 "{address: 'http://p:9090', query: up}, compare: {to: control, method: "
                 "sequential}}\n",
                 CODE_METRIC, "needs counts");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {prometheus: "
                 "{address: 'http://p:9090', query: 'x{v=\"{{vairant}}\"}'}, thresholdRange: {max: "
                 "1}}\n",
                 CODE_METRIC, "asks for {{vairant}}, which nothing fills in");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {http: {url: "
                 "'http://h/{{colour}}', query: /a}, thresholdRange: {max: 1}}\n",
                 CODE_METRIC, "asks for {{colour}}, which nothing fills in");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {prometheus: "
                 "{address: 'http://p:9090', numerator: 'a{v=\"{{variant}}\"}[5m]', denominator: "
                 "'b{v=\"{{variant}}\"}[{{window}}]'}, compare: {to: control, method: "
                 "sequential}}\n",
                 CODE_METRIC, "counts in a window of its own");
    expect_fault(MEAN("query: up", "thresholdRange: {max: 1}"), CODE_METRIC, "has no sum");
    expect_fault(MEAN("numerator: 'a[{{window}}]', denominator: 'b[{{window}}]'",
                      "burnRate: {objective: 0.99, windows: [{long: 1h, short: 5m, rate: 2}]}"),
                 CODE_METRIC, "burns no error budget");
    expect_none(MEAN("numerator: 'sum by (bucket) (s_sum{v=\"{{variant}}\"}[{{window}}])', "
                     "denominator: 'sum by (bucket) (s_count{v=\"{{variant}}\"}[{{window}}])'",
                     "compare: {to: control, method: sequential}"));
    expect_fault(MEAN("numerator: 's_sum{v=\"{{variant}}\"}[{{window}}]', "
                      "denominator: 's_bucket{v=\"{{variant}}\"}[{{window}}]'",
                      "compare: {to: control, method: sequential}"),
                 CODE_METRIC_TYPE, "without a label bucket: it can only hold");
    expect_fault("---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec: {prometheus: "
                 "{address: 'http://p:9090', numerator: 's_sum{v=\"on\"}', denominator: "
                 "'s_count'}, thresholdRange: {max: 1}}\n",
                 CODE_METRIC_TYPE, "counts events by a series that ends in _sum");
}
END_TEST

START_TEST(rules_that_hide_users_are_named)
{
    expect_fault(ROLLOUT("a", "[{name: x, percent: 5}]")
                     RIG_FLAG("other", "  rules: [{name: out, when: {attribute: b, is: c}, serve: "
                                       "off}]\n") "---\napiVersion: weir/v1\nkind: "
                                                  "Rollout\nmetadata: {name: b}\nspec: {flag: "
                                                  "other, environment: production, variant: on, "
                                                  "control: off, phases: [{name: "
                                                  "x, percent: 5}]}\n",
                 CODE_RULE_HIDES, "users of rule \"out\" of flag \"other\"");
}
END_TEST

UNIT_MAIN("rollout", a_pending_rollout_changes_nothing, phases_add_up,
          a_part_of_an_audience_adds_to_a_part_of_all, an_identity_is_of_all_its_parts,
          an_intent_is_of_environment_rollout_run_seq_and_action,
          a_ramp_grows_with_the_clock_up_to_its_window, what_is_rolled_back_is_gone_on_every_path,
          prerequisites_see_the_rollout, a_completed_rollout_stays_at_its_last_phase,
          a_state_of_another_identity_is_not_its, a_state_is_read_as_it_was_written,
          a_hand_leaves_its_mark, safer_exposes_nobody_new, safer_lets_nobody_in_sooner,
          slips_are_told, rules_that_hide_users_are_named)
