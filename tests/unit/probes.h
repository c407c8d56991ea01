/* probes.h - a probe whose answers a test gives: one metric "m" of one rollout, without threads,
 * sources or a clock. begin() stands at T0 in the first phase, of 10 %; answer() is one
 * measurement; finish() gives all back. */
#ifndef WEIR_PROBES_H
#define WEIR_PROBES_H

#include "rosters.h"
#include "unit.h"

#include "../../controller/clock.h"
#include "../../controller/metrics/probe.h"

#define T0 INT64_C(1795438800) /* the phase's begin */
#define NANO(seconds) ((seconds)*NANOSECONDS_PER_SECOND)

#define DEFINITIONS                                                                                \
    "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n---\n"                  \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: shop}\nspec: {variants: {on: true, off: "   \
    "false}, default: off}\n---\n"                                                                 \
    "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: staff}\nspec: {match: {attribute: "      \
    "email, endsWith: '@example.com'}}\n---\n"                                                     \
    "apiVersion: weir/v1\nkind: Rollout\nmetadata: {name: shop}\nspec: {flag: shop, environment: " \
    "production, variant: on, control: off, phases: [{name: ten, percent: 10, bake: 1h}, {name: "  \
    "half, percent: 50, bake: 1h}, {name: all, percent: 100}], metrics: [m]}\n---\n"               \
    "apiVersion: weir/v1\nkind: Metric\nmetadata: {name: m}\nspec:\n"
#define COUNTED                                                                                    \
    "  prometheus: {address: 'http://p:9090', numerator: "                                         \
    "'sum(increase(e{v=\"{{variant}}\"}[{{window}}]))', denominator: "                             \
    "'sum(increase(r{v=\"{{variant}}\"}[{{window}}]))'}\n"
#define ASKED "  prometheus: {address: 'http://p:9090', query: 'x{v=\"{{variant}}\"}'}\n"
#define RATE DEFINITIONS COUNTED "  thresholdRange: {max: 0.01}\n  minimumSample: 500\n"

struct rigged {
    struct roster *roster;
    struct probe *probe;
    struct probe_plan plan;
    struct reading readings[PROBE_QUESTIONS_MAX], control;
};

static inline struct roster *stand(const char *yaml, uint32_t run, size_t phase, int64_t since)
{
    const struct standing standing = {.run = run, .phase = phase, .since = since};
    struct roster *roster = roster_of(yaml, &standing);
    ck_assert_ptr_nonnull(roster);
    return roster;
}

static const struct probe_settings settings = {.guardrails = 1};

static inline void begin(struct rigged *rigged, const char *yaml)
{
    *rigged = (struct rigged){.roster = stand(yaml, 1, 0, T0)};
    rigged->probe = probe_new(&rigged->roster->items[0], roster_metric(rigged->roster, TEXT("m")),
                              &settings, T0, NANO(T0));
    ck_assert_ptr_nonnull(rigged->probe);
}

static inline void finish(struct rigged *rigged)
{
    probe_free(rigged->probe);
    roster_release(rigged->roster);
}

static inline void move_on(struct rigged *rigged, const char *yaml, uint32_t run, size_t phase,
                           int64_t since, int64_t now)
{
    struct roster *roster = stand(yaml, run, phase, since);
    ck_assert(probe_continue(rigged->probe, &roster->items[0], roster_metric(roster, TEXT("m")),
                             &settings, since, NANO(now)));
    roster_release(rigged->roster);
    rigged->roster = roster;
}

static inline struct reading number(double value)
{
    return (struct reading){.state = READING_NUMBER, .number = value};
}

static const struct reading nothing = {.state = READING_NOTHING};
static const struct reading fault = {.state = READING_FAULT, .problem = "down"};

/* Answers all spans alike: variant, then control; for each numerator, then denominator. */
static inline void answer(struct rigged *rigged, const struct reading *answers, int64_t seconds)
{
    struct probe_plan *plan = &rigged->plan;
    probe_plan(rigged->probe, NANO(seconds), plan);
    ck_assert_uint_gt(plan->count, 0);
    for (size_t i = 0; i < plan->count; i++)
        rigged->readings[i] = answers[i % (plan->arms * plan->parts)];
    const struct reading *control =
        probe_asks_control(rigged->probe, plan, rigged->readings, NANO(seconds)) ? &rigged->control
                                                                                 : NULL;
    (void)!probe_take(rigged->probe, plan, rigged->readings, control, NANO(seconds));
}

static inline void counted(struct rigged *rigged, double errors, double requests, int64_t seconds)
{
    const struct reading answers[] = {number(errors), number(requests)};
    answer(rigged, answers, seconds);
}

static inline struct walk_gate gate_at(const struct rigged *rigged, int64_t seconds)
{
    static struct arena arena; /* its texts last as long as the test */
    struct walk_gate gate;
    if (arena.maximum == 0)
        arena_init(&arena, (size_t)1 << 24);
    ck_assert_int_eq(probe_gate(rigged->probe, NANO(seconds), &arena, &gate), STATUS_OK);
    return gate;
}

#define expect_verdict(rigged, seconds, expected)                                                  \
    do {                                                                                           \
        struct walk_gate gate_ = gate_at(rigged, seconds);                                         \
        ck_assert_msg(gate_.verdict == (expected), "%s: %s", walk_verdict_name(gate_.verdict),     \
                      gate_.evidence.data);                                                        \
    } while (0)

#endif
