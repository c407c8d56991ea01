/* aa.h - simulated rollouts: what gates say of variants without harm and with it.
 *
 * A rollout is twelve weeks, in twelve phases of seven daily looks. Either every user counts once,
 * on the day on which they come; then they are all alike, or clustered: each makes many requests
 * and has a rate of their own, and only the requests are counted, by hash bucket. Or the same users
 * come on every day from the phase on that exposed them. Chance comes from a seed alone, so that a
 * run can be repeated anywhere. */
#ifndef WEIR_AA_H
#define WEIR_AA_H

#include <math.h>

#include "../../rules/evidence.h"
#include "../../rules/judge.h"
#include "../unit/chance.h"

#define AA_PHASES 12
#define AA_DAYS 7
#define AA_BUCKETS 20
#define AA_HOUR (INT64_C(3600) * 1000000000)
#define AA_DAY (24 * AA_HOUR)

/* --- one rollout ------------------------------------------------------------------------------ */

struct aa {
    double users;    /* of each arm, a day */
    double rate;     /* of the control */
    double increase; /* of the variant: 0.25 is +25 % */
    double requests; /* of each user; 1: users are alike, more: clustered */
    int start;       /* the phase in which the harm begins, from 0 */
    struct evidence_design design;
};

/* What the users of one arm and bucket send in a day. Clustered: one user in ten is troubled and
 * has five times the rate, the others so much less that the mean is the same. */
static inline struct sample aa_arm(const struct aa *aa, double rate, double users, uint64_t *chance)
{
    if (aa->requests <= 1)
        return (struct sample){.n = users, .sum = chance_binomial(chance, users, rate)};
    struct sample sample = {0};
    double troubled = chance_binomial(chance, users, 0.1);
    for (double i = 0; i < users; i++) {
        double own = i < troubled ? rate * 5 : rate * 5 / 9;
        double made =
            floor(1 + 2 * aa->requests * chance_uniform(chance) * chance_uniform(chance) * 2);
        sample.n += made;
        sample.sum += chance_binomial(chance, made, own);
    }
    return sample;
}

/* The day, from 1, on which the rollout failed; 0: never; -1: the evidence refused something. */
static inline int aa_run(const struct aa *aa, uint64_t seed)
{
    struct evidence evidence;
    struct sample arms[ARM_COUNT][AA_BUCKETS];
    uint64_t chance = seed;
    size_t count = aa->design.units == EVIDENCE_BUCKETS ? AA_BUCKETS : 1;
    if (evidence_open(&evidence, &aa->design, NULL) != STATUS_OK)
        return -1;
    for (int day = 0; day < AA_PHASES * AA_DAYS; day++) {
        int phase = day / AA_DAYS;
        double worse = phase >= aa->start ? aa->rate * (1 + aa->increase) : aa->rate;
        if (day % AA_DAYS == 0 && evidence_begin(&evidence, day * AA_DAY, 0, NULL) != STATUS_OK)
            return -1;
        for (size_t i = 0; i < count; i++) {
            double users = floor(aa->users / (double)count);
            arms[ARM_VARIANT][i] = aa_arm(aa, worse, users, &chance);
            arms[ARM_CONTROL][i] = aa_arm(aa, aa->rate, users, &chance);
        }
        const struct evidence_look look = {.from = day * AA_DAY,
                                           .until = (day + 1) * AA_DAY,
                                           .count = count,
                                           .arm = {arms[ARM_VARIANT], arms[ARM_CONTROL]}};
        struct judgement judgement;
        if (evidence_add(&evidence, &look, NULL) != STATUS_OK)
            return -1;
        judge_sequential(&evidence, &judgement);
        if (judgement.verdict == VERDICT_FAILURE)
            return day + 1;
    }
    return 0;
}

/* --- users who come again --------------------------------------------------------------------- */

#define AA_MOST_USERS 4096

/* One user in twenty fails always, nobody else ever: what they bring is the same in each phase. */
struct aa_again {
    int exposed;  /* users of the variant that each phase adds; all are there from the first
                     phase on where `at_once` */
    int controls; /* of the control for each of them: 1, or as many as there are beside 1 % */
    bool at_once;
    double requests;               /* of each, a day */
    double increase;               /* of the variant: 1 is twice as many who fail */
    struct evidence_design design; /* by bucket */
};

struct aa_user {
    bool fails;
    int bucket;
};

/* As aa_run. */
static inline int aa_run_again(const struct aa_again *aa, uint64_t seed)
{
    static struct aa_user users[ARM_COUNT][AA_MOST_USERS];
    struct evidence evidence;
    uint64_t chance = seed;
    int all[ARM_COUNT] = {aa->exposed * AA_PHASES, aa->exposed * AA_PHASES * aa->controls};
    if (all[ARM_CONTROL] > AA_MOST_USERS ||
        evidence_open(&evidence, &aa->design, NULL) != STATUS_OK)
        return -1;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        double rate = arm == ARM_VARIANT ? 0.05 * (1 + aa->increase) : 0.05;
        for (int i = 0; i < all[arm]; i++)
            users[arm][i] = (struct aa_user){.fails = chance_uniform(&chance) < rate,
                                             .bucket = (int)(chance_next(&chance) % AA_BUCKETS)};
    }
    for (int day = 0; day < AA_PHASES * AA_DAYS; day++) {
        struct sample arms[ARM_COUNT][AA_BUCKETS] = {0};
        if (day % AA_DAYS == 0 && evidence_begin(&evidence, day * AA_DAY, 0, NULL) != STATUS_OK)
            return -1;
        int phases = aa->at_once ? AA_PHASES : day / AA_DAYS + 1;
        for (int arm = 0; arm < ARM_COUNT; arm++) {
            for (int i = 0; i < all[arm] / AA_PHASES * phases; i++) {
                double made = floor(1 + 2 * aa->requests * chance_uniform(&chance));
                struct sample *bucket = &arms[arm][users[arm][i].bucket];
                bucket->n += made;
                bucket->sum += users[arm][i].fails ? made : 0;
            }
        }
        const struct evidence_look look = {.from = day * AA_DAY,
                                           .until = (day + 1) * AA_DAY,
                                           .count = AA_BUCKETS,
                                           .arm = {arms[ARM_VARIANT], arms[ARM_CONTROL]}};
        struct judgement judgement;
        if (evidence_add(&evidence, &look, NULL) != STATUS_OK)
            return -1;
        judge_sequential(&evidence, &judgement);
        if (judgement.verdict == VERDICT_FAILURE)
            return day + 1;
    }
    return 0;
}

/* --- a rate and a fixed limit ----------------------------------------------------------------- */

/* The window, from 1, in which a rate was found to be above `limit`, of `windows` of five minutes
 * and `requests` each; 0: never; -1: refused. The true rate turns from `before` to `after` in
 * window `turn`. *raw: the same for the point estimate of each window alone. */
static inline int aa_limit(double before, double after, int turn, double limit, double requests,
                           int windows, uint64_t seed, int *raw)
{
    const struct evidence_design design = {
        .kind = EVIDENCE_RATE, .alpha = 0.05, .has_max = true, .max = limit};
    const struct threshold_range range = {.has_max = true, .max = limit};
    const int64_t span = AA_HOUR / 12;
    struct evidence evidence;
    struct judgement judgement;
    uint64_t chance = seed;
    *raw = 0;
    if (evidence_open(&evidence, &design, NULL) != STATUS_OK ||
        evidence_begin(&evidence, 0, 0, NULL) != STATUS_OK)
        return -1;
    for (int i = 0; i < windows; i++) {
        double rate = i < turn ? before : after;
        struct sample sample = {.n = requests, .sum = chance_binomial(&chance, requests, rate)};
        const struct evidence_look look = {
            .from = i * span, .until = (i + 1) * span, .count = 1, .arm = {&sample, NULL}};
        judge_threshold(&range, sample.sum / sample.n, &judgement);
        if (*raw == 0 && judgement.verdict == VERDICT_FAILURE)
            *raw = i + 1;
        if (evidence_add(&evidence, &look, NULL) != STATUS_OK)
            return -1;
        judge_rate(&evidence, 500, &judgement);
        if (judgement.verdict == VERDICT_FAILURE)
            return i + 1;
    }
    return 0;
}

#endif
