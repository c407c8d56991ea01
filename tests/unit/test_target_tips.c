/* One decision at a Redis target, of controllers whose tips differ: each compiles its own fragment
 * for it, and they do not write them in turns for ever. */
#include "override_site.h"

#define SAFE FLAG("off")
#define SAFER "{\"defaultVariant\":\"off\",\"state\":\"DISABLED\",\"variants\":{\"off\":false}}"

/* A and B adopt the same; B is ahead. */
struct scene {
    struct site a, b;
    struct override *of_a, *of_b;
    struct serving behind, ahead;
    struct push_found found;
};

static bool set_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    if (!make_site(&scene->a))
        return false;
    join(&scene->b, &scene->a);
    scene->of_a = make_override(INTENT_A, "checkout", SAFE);
    scene->of_b = make_override(INTENT_A, "checkout", SAFER);
    scene->behind = (struct serving){TWO_FLAGS, 1, 1, &scene->of_a, 1, NULL, 0};
    scene->ahead = (struct serving){TWO_FLAGS, 2, 1, &scene->of_b, 1, NULL, 0};
    return true;
}

static void strike(struct scene *scene)
{
    override_release(scene->of_a);
    override_release(scene->of_b);
    push_found_dispose(&scene->found);
    part(&scene->b);
    leave(&scene->a);
}

static void check_json(struct scene *scene, const struct override *expected)
{
    struct buffer json;
    buffer_init(&json, 0);
    override_write(expected, &json);
    check_field(&scene->a, "overrides", INTENT_A, buffer_string(&json));
    buffer_dispose(&json);
}

static void check_quiet(struct scene *scene)
{
    redisReply *reply = ask(&scene->a.server, "INFO commandstats");
    ck_assert_msg(!strstr(reply->str, "cmdstat_hset:") && !strstr(reply->str, "cmdstat_publish:"),
                  "%s", reply->str);
    freeReplyObject(reply);
}

START_TEST(test_two_of_different_tips_come_to_rest)
{
    for (unsigned first = 0; first < 2; first++) { /* whoever it is that comes first */
        struct scene scene;
        if (!set_scene(&scene))
            return;
        if (first)
            check_served(&scene.a, &scene.behind, &scene.found);
        check_served(&scene.b, &scene.ahead, &scene.found);
        check_field(&scene.a, "doc", "checkout", SAFER);
        check_json(&scene, scene.of_b);
        tell(&scene.a.server, "CONFIG RESETSTAT");
        for (unsigned i = 0; i < 3; i++) {
            ck_assert_int_eq(give_serving(&scene.a, &scene.behind, &scene.found), STATUS_REFUSED);
            ck_assert(!scene.found.outrun);
            ck_assert_uint_eq(scene.found.count, 0);
            check_served(&scene.b, &scene.ahead, &scene.found);
            ck_assert(!scene.found.outrun && !scene.found.merged);
        }
        check_quiet(&scene);
        check_field(&scene.a, "doc", "checkout", SAFER);
        check_json(&scene, scene.of_b);
        ck_assert(check_truth(&scene.a));
        strike(&scene);
    }
}
END_TEST

/* At one commit, where one of them has frozen what its tip before that came to. */
START_TEST(test_two_of_one_tip_with_other_fragments_come_to_rest)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    scene.behind.level = 2;
    check_served(&scene.b, &scene.ahead, &scene.found);
    ck_assert_int_eq(give_serving(&scene.a, &scene.behind, &scene.found), STATUS_REFUSED);
    ck_assert(scene.found.outrun);
    scene.behind.overlay = 2; /* as core does then */
    check_served(&scene.a, &scene.behind, &scene.found);
    check_field(&scene.a, "doc", "checkout", SAFE);
    check_json(&scene, scene.of_a);
    tell(&scene.a.server, "CONFIG RESETSTAT");
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(give_serving(&scene.b, &scene.ahead, &scene.found), STATUS_REFUSED);
        ck_assert(!scene.found.outrun);
        check_served(&scene.a, &scene.behind, &scene.found);
    }
    check_quiet(&scene);
    ck_assert(check_truth(&scene.a));
    strike(&scene);
}
END_TEST

/* Each has seen the breach by itself, a second after the other: that is no news to anybody. */
START_TEST(test_what_only_the_words_differ_of_is_written_once)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    struct override like = override_like(INTENT_A, "checkout", SAFE);
    like.since++;
    like.by = TEXT("somebody, as told by target 'cache'");
    struct override *late = override_new(&like);
    ck_assert_ptr_nonnull(late);
    scene.ahead = scene.behind;
    scene.ahead.overrides = &late;
    check_served(&scene.a, &scene.behind, &scene.found);
    tell(&scene.a.server, "CONFIG RESETSTAT");
    check_served(&scene.b, &scene.ahead, &scene.found);
    check_served(&scene.a, &scene.behind, &scene.found);
    check_quiet(&scene);
    check_json(&scene, scene.of_a);
    override_release(late);
    strike(&scene);
}
END_TEST

/* Somebody planted it with the intent that a decision would come to. */
START_TEST(test_what_was_planted_goes_with_the_first_that_compiles_it)
{
    struct scene scene;
    if (!set_scene(&scene))
        return;
    const struct override like = override_like(INTENT_A, "checkout", FLAG("on"));
    struct serving none = {TWO_FLAGS, 2, 0, NULL, 0, NULL, 0};
    plant_override(&scene.a, &like);
    check_served(&scene.b, &none, &scene.found);
    ck_assert_uint_eq(scene.found.count, 1);
    check_served(&scene.b, &scene.ahead, &scene.found);
    check_field(&scene.a, "doc", "checkout", SAFER);
    check_json(&scene, scene.of_b);
    ck_assert(check_truth(&scene.a));
    strike(&scene);
}
END_TEST

UNIT_MAIN("target_tips", test_two_of_different_tips_come_to_rest,
          test_two_of_one_tip_with_other_fragments_come_to_rest,
          test_what_only_the_words_differ_of_is_written_once,
          test_what_was_planted_goes_with_the_first_that_compiles_it)
