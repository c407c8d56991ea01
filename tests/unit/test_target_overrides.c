/* Overrides at a Redis target that several controllers write (ROLLOUTS.md section 4): nobody undoes
 * what another one put there, until a commit records it. */
#include "override_site.h"

#define INTENT_D "dd44444444444444444444444444444444444444444444444444444444444444"
#define INTENT_E "ee55555555555555555555555555555555555555555555555555555555555555"
#define INTENT_F "ff66666666666666666666666666666666666666666666666666666666666666"
#define INTENT_G "0077777777777777777777777777777777777777777777777777777777777777"
#define SAFE FLAG("off")
#define SAFER "{\"defaultVariant\":\"off\",\"state\":\"DISABLED\",\"variants\":{\"off\":false}}"

/* Controller A has rolled checkout back; B, who has not seen why, serves its commits. */
struct scene {
    struct site a, b;
    struct override *override;
    struct push_found found;
};

static bool set_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    if (!make_site(&scene->a))
        return false;
    join(&scene->b, &scene->a);
    scene->override = make_override(INTENT_A, "checkout", SAFE);
    return true;
}

static void strike(struct scene *scene)
{
    override_release(scene->override);
    push_found_dispose(&scene->found);
    part(&scene->b);
    leave(&scene->a);
}

static struct serving plain(const char *json, uint32_t level)
{
    return (struct serving){.json = json, .level = level};
}

static struct serving with_override(struct scene *scene, const char *json, uint32_t level,
                                    uint32_t overlay)
{
    return (struct serving){json, level, overlay, &scene->override, 1, NULL, 0};
}

static void check_adopted(const struct push_found *found, const char *intent)
{
    ck_assert_uint_eq(found->count, 1);
    ck_assert_text(found->overrides[0]->intent, intent);
}

START_TEST(test_it_is_put_there_with_its_document)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct serving before = plain(TWO_FLAGS, 1), after = with_override(&scene, TWO_FLAGS, 1, 1);
    check_served(&scene.a, &before, &scene.found);
    check_served(&scene.a, &after, &scene.found);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_field(&scene.a, "doc", "banner", ON_JSON);
    check_count(&scene.a, "overrides", 1);
    check_overlay(&scene.a, 1, 1);
    ck_assert(check_truth(&scene.a));
    ck_assert(!scene.found.merged && !scene.found.outrun);
    ck_assert_uint_eq(scene.found.count, 0);
    struct buffer json;
    buffer_init(&json, 0);
    override_write(scene.override, &json);
    check_field(&scene.a, "overrides", INTENT_A, buffer_string(&json));
    buffer_dispose(&json);
    strike(&scene);
}
END_TEST

/* By a difference that has the field, by one that has not, by the whole, and by drift repair. */
START_TEST(test_it_stays_under_pushes_of_others)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct serving safe = with_override(&scene, TWO_FLAGS, 1, 1);
    struct serving pushes[] = {plain(TWO_FLAGS, 2), plain(TWO_FLAGS, 2), plain(ONE_GONE, 3),
                               plain(NO_FLAGS, 4), plain(TWO_FLAGS, 5)};
    check_served(&scene.a, &safe, &scene.found);
    for (size_t i = 0; i < COUNT_OF(pushes); i++) {
        if (i == 4)
            reopen(&scene.b);
        check_served(&scene.b, &pushes[i], &scene.found);
        check_adopted(&scene.found, INTENT_A);
        check_field(&scene.a, "doc", "checkout", SAFE);
        check_generation(&scene.a, pushes[i].level);
        /* ONE_GONE has what the override says: then nothing is merged. */
        ck_assert(check_truth(&scene.a) == (pushes[i].level == 3));
        ck_assert(scene.found.merged == (pushes[i].level != 3));
        check_served(&scene.b, &pushes[i], &scene.found); /* drift repair */
        check_adopted(&scene.found, INTENT_A);
        check_field(&scene.a, "doc", "checkout", SAFE);
    }
    /* Once B serves it too, the digest is of what stands there. */
    struct serving adopted = with_override(&scene, TWO_FLAGS, 5, 1);
    check_served(&scene.b, &adopted, &scene.found);
    ck_assert_uint_eq(scene.found.count, 0);
    ck_assert(check_truth(&scene.a));
    /* And A, who comes later to the same, is where everybody is. */
    check_served(&scene.a, &adopted, &scene.found);
    ck_assert(!scene.found.merged && !scene.found.outrun);
    strike(&scene);
}
END_TEST

START_TEST(test_it_ends_when_a_commit_records_it_and_not_before)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    static const char *const others[] = {INTENT_B}, *const recorded[] = {INTENT_A, INTENT_B};
    for (unsigned way = 0; way < 4; way++) {
        uint32_t level = 10 * (way + 1);
        struct serving safe = with_override(&scene, TWO_FLAGS, level, 1);
        struct serving unrelated = plain(TWO_FLAGS, level + 1), ends = plain(TWO_FLAGS, level + 2);
        unrelated.recorded = others;
        unrelated.recorded_count = 1;
        ends.recorded = recorded;
        ends.recorded_count = 2;
        check_served(&scene.a, &safe, &scene.found);
        if (way & 1)
            check_served(&scene.b, &unrelated, &scene.found);
        check_field(&scene.a, "doc", "checkout", SAFE);
        if (way & 2)
            reopen(&scene.b);
        check_served(&scene.b, &ends, &scene.found);
        ck_assert_uint_eq(scene.found.count, 0);
        check_field(&scene.a, "doc", "checkout", ON_JSON);
        check_count(&scene.a, "overrides", 0);
        ck_assert(check_truth(&scene.a));
        check_field(&scene.a, "meta", "base", NULL);
        check_field(&scene.a, "meta", "over", NULL);
    }
    strike(&scene);
}
END_TEST

/* Also at the commit that stands there already, when only its overrides are known by now. */
START_TEST(test_it_ends_at_the_same_generation)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    static const char *const recorded[] = {INTENT_A};
    struct serving recording = plain(TWO_FLAGS, 1), late = with_override(&scene, TWO_FLAGS, 0, 1);
    recording.recorded = recorded;
    recording.recorded_count = 1;
    check_served(&scene.a, &recording, &scene.found);
    /* B is a commit behind: what it puts there is safe, and stands until A looks again. */
    ck_assert_int_eq(give_serving(&scene.b, &late, &scene.found), STATUS_REFUSED);
    check_field(&scene.a, "doc", "checkout", SAFE);
    ck_assert(!check_truth(&scene.a));
    check_served(&scene.a, &recording, &scene.found);
    check_field(&scene.a, "doc", "checkout", ON_JSON);
    check_count(&scene.a, "overrides", 0);
    ck_assert(check_truth(&scene.a));
    strike(&scene);
}
END_TEST

/* What is safe waits for nobody: it is put there by whoever is behind, too. */
START_TEST(test_whoever_is_behind_puts_its_overrides)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct serving ahead = plain(TWO_FLAGS, 1), safe = with_override(&scene, TWO_FLAGS, 1, 1);
    ahead.overlay = 5;
    check_served(&scene.b, &ahead, &scene.found);
    ck_assert_int_eq(give_serving(&scene.a, &safe, &scene.found), STATUS_REFUSED);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_overlay(&scene.a, 1, 5);
    ck_assert(!check_truth(&scene.a));
    /* B may be gone: at the same commit A has to go beyond it. */
    ck_assert(scene.found.outrun);
    ck_assert_uint_eq(scene.found.held.overlay, 5);
    /* But B is there, and finds it. */
    check_served(&scene.b, &ahead, &scene.found);
    check_adopted(&scene.found, INTENT_A);
    ck_assert(scene.found.merged && !scene.found.outrun);
    safe.overlay = 6;
    check_served(&scene.a, &safe, &scene.found);
    ck_assert(check_truth(&scene.a));
    /* An older commit is not to be gone beyond. */
    safe.level = 0;
    ck_assert_int_eq(give_serving(&scene.a, &safe, &scene.found), STATUS_REFUSED);
    ck_assert(!scene.found.outrun);
    strike(&scene);
}
END_TEST

START_TEST(test_equal_generations_with_other_overrides)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct override *others = make_override(INTENT_B, "banner", SAFE);
    struct override *both[] = {others, scene.override};
    struct serving a = with_override(&scene, TWO_FLAGS, 1, 1), b = a, merged = a;
    b.overrides = &others;
    check_served(&scene.a, &a, &scene.found);
    ck_assert_int_eq(give_serving(&scene.b, &b, &scene.found), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(scene.b.error.message, "another document of this generation"));
    check_adopted(&scene.found, INTENT_A);
    ck_assert(scene.found.outrun);
    ck_assert_uint_eq(scene.found.held.overlay, 1);
    check_field(&scene.a, "doc", "banner", SAFE);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_count(&scene.a, "overrides", 2);
    ck_assert(!check_truth(&scene.a));
    /* As core does then. */
    merged.overrides = both;
    merged.count = 2;
    merged.overlay = 2;
    check_served(&scene.b, &merged, &scene.found);
    ck_assert(check_truth(&scene.a));
    /* A found B's, and comes to the same document by a lower overlay. */
    ck_assert_int_eq(give_serving(&scene.a, &a, &scene.found), STATUS_REFUSED);
    check_adopted(&scene.found, INTENT_B);
    ck_assert(!scene.found.outrun);
    merged.overlay = 1;
    check_served(&scene.a, &merged, &scene.found);
    check_overlay(&scene.a, 1, 2);
    override_release(others);
    strike(&scene);
}
END_TEST

START_TEST(test_of_two_for_one_flag_the_safer_stands)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct override like = override_like(INTENT_B, "checkout", SAFER);
    like.action = VERB_KILL;
    like.run = 1; /* an earlier one at that */
    struct override *kill = override_new(&like);
    for (uint32_t first = 0; first < 2; first++) {
        struct serving rolled = with_override(&scene, TWO_FLAGS, 2 * first + 1, 1), killed = rolled;
        killed.overrides = &kill;
        killed.level++;
        tell(&scene.a.server, "FLUSHALL");
        struct serving *order[] = {first ? &killed : &rolled, first ? &rolled : &killed};
        order[1]->level = order[0]->level + 1;
        check_served(&scene.a, order[0], &scene.found);
        check_served(&scene.b, order[1], &scene.found);
        check_field(&scene.a, "doc", "checkout", SAFER);
        check_count(&scene.a, "overrides", 2);
        /* The kill is served by whoever pushed it, and found by whoever did not. */
        ck_assert(check_truth(&scene.a) == (first == 0));
        check_adopted(&scene.found, first ? INTENT_B : INTENT_A);
        /* Each ends by itself: what is beaten stood beside, and is what is left. */
        static const char *const recorded[] = {INTENT_B};
        struct serving ends = plain(TWO_FLAGS, order[1]->level + 1);
        ends.recorded = recorded;
        ends.recorded_count = 1;
        check_served(&scene.b, &ends, &scene.found);
        check_adopted(&scene.found, INTENT_A);
        check_field(&scene.a, "doc", "checkout", SAFE);
        check_count(&scene.a, "overrides", 1);
    }
    override_release(kill);
    strike(&scene);
}
END_TEST

START_TEST(test_a_server_that_comes_back_empty)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct serving without = plain(TWO_FLAGS, 1), safe = with_override(&scene, TWO_FLAGS, 1, 1);
    check_served(&scene.a, &safe, &scene.found);
    redis_server_kill(&scene.a.server);
    redis_server_run(&scene.a.server, NULL);
    check_served(&scene.b, &without, &scene.found);
    ck_assert_uint_eq(scene.found.count, 0);
    check_field(&scene.a, "doc", "checkout", ON_JSON);
    check_served(&scene.a, &safe, &scene.found); /* A repairs */
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_count(&scene.a, "overrides", 1);
    ck_assert(check_truth(&scene.a));
    /* Somebody takes the override away, or the document. */
    tell(&scene.a.server, "DEL {weir:production}:overrides");
    check_served(&scene.a, &safe, &scene.found);
    check_count(&scene.a, "overrides", 1);
    tell(&scene.a.server, "DEL {weir:production}:doc");
    check_served(&scene.a, &safe, &scene.found);
    check_field(&scene.a, "doc", "checkout", SAFE);
    ck_assert(check_truth(&scene.a));
    strike(&scene);
}
END_TEST

/* What stood over a push goes without a commit: by hand. The document's value comes back. */
START_TEST(test_an_override_that_somebody_takes_away)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    for (uint32_t way = 0; way < 2; way++) {
        struct serving safe = with_override(&scene, TWO_FLAGS, 10 * way + 1, 1);
        struct serving other = plain(TWO_FLAGS, 10 * way + 2);
        check_served(&scene.a, &safe, &scene.found);
        check_served(&scene.b, &other, &scene.found);
        check_field(&scene.a, "doc", "checkout", SAFE);
        tell(&scene.a.server, "DEL {weir:production}:overrides");
        other.level += way; /* by drift repair, and by a commit */
        check_served(&scene.b, &other, &scene.found);
        check_field(&scene.a, "doc", "checkout", ON_JSON);
        ck_assert(check_truth(&scene.a));
    }
    strike(&scene);
}
END_TEST

/* Of a flag that the document does not have. */
START_TEST(test_a_flag_that_is_not_there)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    static const char *const recorded[] = {INTENT_A};
    struct serving without = plain("{\"flags\":{\"banner\":" ON_JSON "}}", 1), ends = without;
    plant_override(&scene.a, scene.override);
    check_served(&scene.b, &without, &scene.found);
    check_field(&scene.a, "doc", "checkout", SAFE);
    ck_assert(!check_truth(&scene.a));
    ends.level = 2;
    ends.recorded = recorded;
    ends.recorded_count = 1;
    check_served(&scene.b, &ends, &scene.found);
    check_field(&scene.a, "doc", "checkout", NULL);
    ck_assert(check_truth(&scene.a));
    strike(&scene);
}
END_TEST

/* Each wins over all before it, whoever is there first: the script chooses as override_wins() does.
 */
START_TEST(test_the_script_chooses_as_everybody_does)
{
    static const struct {
        enum walk_verb_kind action;
        uint32_t run, seq;
        const char *intent;
    } rising[] = {
        {VERB_STEP_BACK, 1, 1, INTENT_B}, {VERB_STEP_BACK, 1, 1, INTENT_A},
        {VERB_STEP_BACK, 1, 9, INTENT_C}, {VERB_STEP_BACK, 2, 3, INTENT_D},
        {VERB_ROLLBACK, 1, 1, INTENT_E},  {VERB_KILL, 1, 1, INTENT_F},
        {VERB_KILL, 0, 0, INTENT_G}, /* of the flag */
    };
    struct scene scene;
    if (!set_scene(&scene))
        return;
    uint32_t level = 1;
    for (size_t i = 0; i < COUNT_OF(rising) * COUNT_OF(rising); i++) {
        size_t pair[2] = {i / COUNT_OF(rising), i % COUNT_OF(rising)};
        struct override like[2];
        if (pair[0] == pair[1])
            continue;
        tell(&scene.a.server, "DEL {weir:production}:overrides");
        for (size_t k = 0; k < 2; k++) {
            like[k] = override_like(rising[pair[k]].intent, "checkout", k ? SAFER : SAFE);
            like[k].action = rising[pair[k]].action;
            like[k].run = rising[pair[k]].run;
            like[k].seq = rising[pair[k]].seq;
            if (rising[pair[k]].run == 0)
                like[k].rollout = (struct text){0};
            plant_override(&scene.a, &like[k]);
        }
        struct serving serving = plain(TWO_FLAGS, level++);
        check_served(&scene.a, &serving, &scene.found);
        ck_assert(override_wins(&like[0], &like[1]) == (pair[0] > pair[1]));
        check_field(&scene.a, "doc", "checkout", pair[0] > pair[1] ? SAFE : SAFER);
    }
    strike(&scene);
}
END_TEST

/* Whoever is behind ends nothing, and makes no document where there is none. */
START_TEST(test_whoever_is_behind_only_adds)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    static const char *const recorded[] = {INTENT_A};
    struct override *others = make_override(INTENT_B, "banner", SAFE);
    struct serving safe = with_override(&scene, TWO_FLAGS, 5, 1);
    struct serving behind = {TWO_FLAGS, 4, 1, &others, 1, recorded, 1};
    check_served(&scene.a, &safe, &scene.found);
    ck_assert_int_eq(give_serving(&scene.b, &behind, &scene.found), STATUS_REFUSED);
    check_count(&scene.a, "overrides", 2);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_field(&scene.a, "doc", "banner", SAFE);
    tell(&scene.a.server, "DEL {weir:production}:doc {weir:production}:overrides");
    ck_assert_int_eq(give_serving(&scene.b, &behind, &scene.found), STATUS_REFUSED);
    check_count(&scene.a, "doc", 0);
    check_count(&scene.a, "overrides", 1);
    check_served(&scene.a, &safe, &scene.found);
    check_adopted(&scene.found, INTENT_B);
    check_count(&scene.a, "doc", 2);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_field(&scene.a, "doc", "banner", SAFE);
    ck_assert(!check_truth(&scene.a));
    override_release(others);
    strike(&scene);
}
END_TEST

/* --- hostile --------------------------------------------------------------------------------- */

static void check_unservable(struct scene *scene, size_t count, const char *problem)
{
    ck_assert_uint_eq(scene->found.unservable, count);
    ck_assert_uint_eq(scene->found.count, 0);
    ck_assert_msg(strstr(scene->found.problem, problem), "%s", scene->found.problem);
}

START_TEST(test_what_is_no_override_stays_and_is_never_served)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    static const struct {
        const char *field, *json, *problem;
    } hostile[] = {
        {"x", "{", "override under 'x' is not served: an override is not JSON"},
        {INTENT_A, "", "it is empty"},
        {INTENT_A, "[7]", "not a JSON object"},
        {INTENT_A, "{\"flag\":\"checkout\",\"intent\":\"" INTENT_A "\",\"fragment\":\"{}\"}",
         "\"environment\" is not a name"},
        {"a b\x1b[2J", "{}", "override under 'a?b?[2J' is not served"},
    };
    for (uint32_t i = 0; i < COUNT_OF(hostile); i++) {
        struct serving serving = plain(TWO_FLAGS, i + 1);
        tell(&scene.a.server, "DEL {weir:production}:overrides");
        tell(&scene.a.server, "HSET {weir:production}:overrides %s %s", hostile[i].field,
             hostile[i].json);
        check_served(&scene.a, &serving, &scene.found);
        check_unservable(&scene, 1, hostile[i].problem);
        check_count(&scene.a, "overrides", 1);
        check_field(&scene.a, "doc", "checkout", ON_JSON);
        ck_assert(check_truth(&scene.a));
    }
    strike(&scene);
}
END_TEST

/* What reads well to the script alone: it would be put over the field, were it not named to it. */
START_TEST(test_what_only_the_reader_finds_out)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct override like[3];
    static const char *const problems[] = {"is not a flag", "it is of environment 'staging'",
                                           "\"note\" is not a line"};
    for (uint32_t i = 0; i < COUNT_OF(like); i++) {
        struct serving serving = plain(TWO_FLAGS, i + 1);
        like[i] = override_like(INTENT_A, "checkout", i == 0 ? "[]" : SAFE);
        if (i == 1)
            like[i].environment = TEXT("staging");
        if (i == 2)
            like[i].note = TEXT("\x1b[2J");
        plant_override(&scene.a, &like[i]);
        check_served(&scene.a, &serving, &scene.found);
        check_unservable(&scene, 1, problems[i]);
        check_field(&scene.a, "doc", "checkout", ON_JSON);
        check_count(&scene.a, "overrides", 1);
    }
    /* It stands where another one would. */
    struct serving serving = plain(TWO_FLAGS, 9);
    struct buffer json;
    buffer_init(&json, 0);
    override_write(scene.override, &json);
    tell(&scene.a.server, "DEL {weir:production}:overrides");
    plant(&scene.a, INTENT_B, buffer_string(&json));
    buffer_dispose(&json);
    check_served(&scene.a, &serving, &scene.found);
    check_unservable(&scene, 1, "its intent is aa1111111111");
    check_field(&scene.a, "doc", "checkout", ON_JSON);
    /* And what is ours takes its own place, whatever stood there. */
    struct serving safe = with_override(&scene, TWO_FLAGS, 9, 1);
    plant(&scene.a, INTENT_A, "{");
    check_served(&scene.a, &safe, &scene.found);
    check_served(&scene.a, &safe, &scene.found);
    check_unservable(&scene, 1, "its intent is aa1111111111");
    check_field(&scene.a, "doc", "checkout", SAFE);
    strike(&scene);
}
END_TEST

START_TEST(test_too_large_and_too_many)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct serving serving = plain(TWO_FLAGS, 1);
    struct buffer huge;
    buffer_init(&huge, 0);
    while (huge.length <= OVERRIDE_JSON_MAX)
        buffer_append_string(&huge, "          ");
    plant(&scene.a, INTENT_A, buffer_string(&huge));
    check_served(&scene.a, &serving, &scene.found);
    check_unservable(&scene, 1, "larger than is read");
    check_count(&scene.a, "overrides", 1);
    static const struct {
        const char *fill;
        const char *argument;
    } floods[] = {
        {"for i = 1, 10001 do redis.call('HSET', '{weir:production}:overrides', i, '{}') end", ""},
        {"for i = 1, 40 do redis.call('HSET', '{weir:production}:overrides', i, "
         "string.rep(' ', 2000000)) end",
         ""},
    };
    for (uint32_t i = 0; i < COUNT_OF(floods); i++) {
        tell(&scene.a.server, "DEL {weir:production}:overrides");
        tell(&scene.a.server, "EVAL %s 0", floods[i].fill);
        serving.level = i + 2;
        ck_assert_int_eq(give_serving(&scene.a, &serving, &scene.found), STATUS_REFUSED);
        ck_assert_str_eq(scene.a.error.message,
                         "'{weir:production}:overrides' holds more overrides than weir reads: "
                         "delete those that are not weir's");
        check_generation(&scene.a, 1);
    }
    buffer_dispose(&huge);
    strike(&scene);
}
END_TEST

/* --- what it costs --------------------------------------------------------------------------- */

static long long info(struct site *site, const char *section, const char *name)
{
    redisReply *reply = ask(&site->server, "INFO %s", section);
    const char *at = strstr(reply->str, name);
    ck_assert_ptr_nonnull(at);
    long long value = strtoll(strpbrk(at, ":=") + 1, NULL, 10);
    freeReplyObject(reply);
    return value;
}

START_TEST(test_a_hundred_thousand_flags_cost_what_one_costs)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"flags\":{\"checkout\":" ON_JSON);
    for (int i = 0; i < 100000; i++)
        buffer_printf(&json, ",\"flag-%06d\":" ON_JSON, i);
    buffer_append_string(&json, "}}");
    struct serving before = plain(buffer_string(&json), 1);
    struct snapshot *first = serve(&before);
    struct document *document = first->environments[0].document;
    check_given(&scene.a, first);
    long long received = info(&scene.a, "stats", "total_net_input_bytes");

    /* Put there over B's push, taken in by B, and ended: each by what differs. */
    struct document_graft safe = {TEXT("checkout"), TEXT(SAFE)};
    struct document *with;
    struct error error = {0};
    ck_assert_int_eq(document_graft(document, &safe, 1, &with, &error), STATUS_OK);
    struct serving opened = with_override(&scene, NO_FLAGS, 1, 1), plainly = plain(NO_FLAGS, 2);
    static const char *const recorded[] = {INTENT_A};
    struct {
        uint32_t level, overlay;
        struct document *document;
        struct override_set *set;
    } steps[] = {{1, 1, with, set_of(&opened)},
                 {2, 0, document, set_of(&plainly)},
                 {2, 1, with, set_of(&opened)},
                 {3, 1, document, NULL}};
    opened = plain(NO_FLAGS, 3);
    opened.recorded = recorded;
    opened.recorded_count = 1;
    steps[3].set = set_of(&opened);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct snapshot *snapshot = make_snapshot(
            "production", document_reference(steps[i].document), steps[i].level, COMMIT_B);
        snapshot->generation.overlay = steps[i].overlay;
        snapshot_set_overrides(snapshot, 0, steps[i].set);
        check_given(&scene.a, snapshot);
        check_field(&scene.a, "doc", "checkout", i == 3 ? ON_JSON : SAFE);
        snapshot_release(snapshot);
    }
    ck_assert(check_truth(&scene.a));
    check_count(&scene.a, "overrides", 0);
    ck_assert_int_lt(info(&scene.a, "stats", "total_net_input_bytes") - received, 60000);
    document_release(with);
    snapshot_release(first);
    buffer_dispose(&json);
    strike(&scene);
}
END_TEST

UNIT_MAIN("target_overrides", test_it_is_put_there_with_its_document,
          test_it_stays_under_pushes_of_others,
          test_it_ends_when_a_commit_records_it_and_not_before, test_it_ends_at_the_same_generation,
          test_whoever_is_behind_puts_its_overrides, test_equal_generations_with_other_overrides,
          test_of_two_for_one_flag_the_safer_stands, test_a_server_that_comes_back_empty,
          test_the_script_chooses_as_everybody_does, test_whoever_is_behind_only_adds,
          test_an_override_that_somebody_takes_away, test_a_flag_that_is_not_there,
          test_what_is_no_override_stays_and_is_never_served, test_what_only_the_reader_finds_out,
          test_too_large_and_too_many, test_a_hundred_thousand_flags_cost_what_one_costs)
