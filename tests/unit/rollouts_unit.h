/* rollouts_unit.h - what tests of rollouts share: a flag, its rollout, and states as files. */
#ifndef WEIR_TESTS_ROLLOUTS_UNIT_H
#define WEIR_TESTS_ROLLOUTS_UNIT_H

#include "rules_unit.h"

#include "../../rules/rollout_state.h"

#define ROLLOUT_FLAG                                                                               \
    RIG_PRODUCTION RIG_FLAG("shop", "  rules:\n    - {name: de, when: {attribute: country, is: "   \
                                    "DE}, serve: on}\n")                                           \
        RIG_SEGMENT("staff", "{match: {attribute: email, endsWith: '@example.com'}}")
#define ROLLOUT(name, phases)                                                                      \
    "---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: " name "}\nspec:\n"                 \
    "  flag: shop\n  environment: production\n  variant: on\n  control: off\n  seed: s1\n"         \
    "  phases: " phases "\n"

static struct phase phase_items[] = {
    {.name = {"staff", 5}, .audience = {"staff", 5}, .share = SPLIT_TOTAL, .bake = 5 * 86400},
    {.name = {"canary", 6}, .share = 1000, .bake = 6 * 86400},
    {.name = {"ten", 3}, .share = 10000, .over = 3 * 86400, .checkpoint = 86400, .bake = 604800},
    {.name = {"half", 4}, .share = 50000, .approvals = 2},
    {.name = {"all", 3}, .share = SPLIT_TOTAL},
};
enum { PHASE_STAFF, PHASE_CANARY, PHASE_TEN, PHASE_HALF, PHASE_ALL };
#define ROLLOUT_PHASES                                                                             \
    "[{name: staff, audience: {segment: staff}, bake: 5d}, {name: canary, percent: 1, bake: "      \
    "6d}, {name: ten, ramp: {to: 10, over: 3d}, bake: 1w}, {name: half, percent: 50, approvals: "  \
    "2}, {name: all}]"

/* Of the rollout above, in a phase. */
static inline struct rollout_state state_in(enum rollout_course course, size_t phase)
{
    struct rollout rollout = {.name.text = TEXT("shop-release"),
                              .flag.text = TEXT("shop"),
                              .environment.text = TEXT("production"),
                              .variant.text = TEXT("on"),
                              .control.text = TEXT("off"),
                              .seed = TEXT("s1")};
    struct rollout_state state = {.name.text = TEXT("production/shop-release"),
                                  .environment = TEXT("production"),
                                  .rollout = TEXT("shop-release"),
                                  .run = 1,
                                  .seq = 7,
                                  .course = course,
                                  .phase = phase,
                                  .since = RIG_NOW - 3600,
                                  .plan = {phase_items, COUNT_OF(phase_items)}};
    rollout_identity(&rollout, state.identity);
    return state;
}

static inline char *state_text(const struct rollout_state *state)
{
    struct buffer out;
    buffer_init(&out, 0);
    rollout_state_write(state, &out);
    buffer_append_char(&out, '\0');
    ck_assert_int_eq(out.failed, 0);
    return out.data;
}

#endif
