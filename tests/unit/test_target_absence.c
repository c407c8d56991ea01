/* An override that says that there is no such flag, at a Redis target that several controllers
 * write: who has not seen why does not bring the flag back. */
#include "override_site.h"

START_TEST(what_is_no_flag_any_more_stays_none_under_pushes_of_others)
{
    struct site a, b;
    struct push_found found = {0};
    if (!make_site(&a))
        return;
    join(&b, &a);
    struct override like = override_like(INTENT_A, "checkout", "");
    like.rollout = TEXT("");
    struct override *override = override_new(&like);
    ck_assert_ptr_nonnull(override);
    static const char *const recorded[] = {INTENT_A};
    const struct serving before = {.json = TWO_FLAGS, .level = 1},
                         safe = {TWO_FLAGS, 1, 1, &override, 1, NULL, 0},
                         adopted = {TWO_FLAGS, 4, 1, &override, 1, NULL, 0},
                         ends = {TWO_FLAGS, 5, 0, NULL, 0, recorded, 1};
    const struct serving others[] = {{.json = TWO_FLAGS, .level = 2},
                                     {.json = TWO_FLAGS, .level = 2}, /* drift repair */
                                     {.json = NO_FLAGS, .level = 3},
                                     {.json = TWO_FLAGS, .level = 4}};
    check_served(&a, &before, &found);
    check_served(&a, &safe, &found);
    check_field(&a, "doc", "checkout", NULL);
    check_field(&a, "doc", "banner", ON_JSON);
    ck_assert(check_truth(&a));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (i == 3)
            reopen(&b);
        check_served(&b, &others[i], &found);
        ck_assert_uint_eq(found.count, 1);
        ck_assert_text(found.overrides[0]->intent, INTENT_A);
        ck_assert(override_is_absence(found.overrides[0]));
        check_field(&a, "doc", "checkout", NULL);
        /* Without flags there is nothing to take away. */
        ck_assert(check_truth(&a) == (others[i].level == 3));
    }
    check_served(&b, &adopted, &found);
    check_field(&a, "doc", "checkout", NULL);
    ck_assert(check_truth(&a));
    check_served(&b, &ends, &found); /* a commit holds its intent */
    check_field(&a, "doc", "checkout", ON_JSON);
    check_count(&a, "overrides", 0);
    ck_assert(check_truth(&a));
    override_release(override);
    push_found_dispose(&found);
    part(&b);
    leave(&a);
}
END_TEST

/* Somebody who put one there that no decision comes to takes no flag of a rollout away. */
START_TEST(a_rollout_takes_no_flag_away)
{
    struct site a, b;
    struct push_found found = {0};
    if (!make_site(&a))
        return;
    join(&b, &a);
    struct override like = override_like(INTENT_A, "checkout", "");
    struct override *override = override_new(&like);
    ck_assert_ptr_nonnull(override);
    const struct serving before = {.json = TWO_FLAGS, .level = 1},
                         after = {.json = TWO_FLAGS, .level = 2};
    check_served(&a, &before, &found);
    plant_override(&a, override);
    check_served(&a, &after, &found);
    check_field(&a, "doc", "checkout", ON_JSON);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_uint_eq(found.unservable, 1);
    override_release(override);
    push_found_dispose(&found);
    part(&b);
    leave(&a);
}
END_TEST

UNIT_MAIN("target_absence", what_is_no_flag_any_more_stays_none_under_pushes_of_others,
          a_rollout_takes_no_flag_away)
