/* Rollouts without harm must go through, rollouts with harm must be found: thousands of simulated
 * ones of twelve weeks, with users who are alike and with users who are not. Fails when false
 * alarms exceed alpha, and prints how long harm goes unseen. The same with few runs is
 * tests/unit/test_aa.c. */
#include <stdio.h>
#include <stdlib.h>

#include "aa.h"

#define ALPHA 0.05

struct world {
    const char *name;
    struct aa aa;
};

/* A metric that weir counts itself, and a Prometheus series by bucket. */
static const struct world worlds[] = {
    {"independent users, 2 000 a day",
     {.users = 2000,
      .rate = 0.05,
      .requests = 1,
      .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_INDEPENDENT, .alpha = ALPHA}}},
    {"independent users, rare events",
     {.users = 2000,
      .rate = 0.005,
      .requests = 1,
      .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_INDEPENDENT, .alpha = ALPHA}}},
    {"clustered requests, 20 buckets",
     {.users = 400,
      .rate = 0.05,
      .requests = 10,
      .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS, .alpha = ALPHA}}},
    {"clustered requests as means",
     {.users = 400,
      .rate = 0.05,
      .requests = 10,
      .design = {.kind = EVIDENCE_MEANS, .units = EVIDENCE_BUCKETS, .alpha = ALPHA}}},
};

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The days after the harm began by which half and nine tenths of the rollouts had failed; one that
 * never did counts as later than all. */
static void print_delay(const struct aa *aa, int runs, uint64_t seed)
{
    int *days = calloc((size_t)runs, sizeof *days), found = 0, before = 0;
    if (!days)
        exit(2);
    for (int i = 0; i < runs; i++) {
        int day = aa_run(aa, seed + (uint64_t)i * 977);
        before += day > 0 && day <= aa->start * AA_DAYS;
        found += day > aa->start * AA_DAYS;
        days[i] = day > aa->start * AA_DAYS ? day - aa->start * AA_DAYS : 1000;
    }
    qsort(days, (size_t)runs, sizeof *days, compare_ints);
    int half = days[runs / 2], most = days[runs * 9 / 10];
    printf("    +%3.0f %% from phase %2d   found %5.1f %%   half by day ", aa->increase * 100,
           aa->start + 1, 100.0 * found / runs);
    printf(half < 1000 ? "%3d" : "  -", half);
    printf("   nine tenths by day ");
    printf(most < 1000 ? "%3d" : "  -", most);
    printf(before ? "   (%d before)\n" : "\n", before);
    free(days);
}

static int run_world(const struct world *world, int runs, uint64_t seed)
{
    static const double harms[] = {0.1, 0.25, 1};
    int alarms = 0;
    for (int i = 0; i < runs; i++) {
        int day = aa_run(&world->aa, seed + (uint64_t)i * 7919);
        if (day < 0) {
            fprintf(stderr, "aa: %s: refused\n", world->name);
            exit(2);
        }
        alarms += day > 0;
    }
    printf("%s\n    without harm          alarms %5.2f %% of %d rollouts (alpha %.0f %%)\n",
           world->name, 100.0 * alarms / runs, runs, ALPHA * 100);
    for (size_t i = 0; i < COUNT_OF(harms); i++) {
        for (int start = 0; start <= 6; start += 6) {
            struct aa harmed = world->aa;
            harmed.increase = harms[i];
            harmed.start = start;
            print_delay(&harmed, runs / 10 + 1, seed);
        }
    }
    fflush(stdout);
    return alarms > ALPHA * runs;
}

/* Those who come again in each phase, at once or as phases expose them, beside as many of the
 * control and beside twenty times as many. */
static int run_again(int runs, uint64_t seed)
{
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        struct aa_again aa = {
            .exposed = i == 3 ? 12 : 30,
            .controls = i == 3 ? 20 : 1,
            .at_once = i < 2,
            .requests = i % 2 ? 1 : 0.5,
            .design = {.kind = EVIDENCE_PROPORTIONS, .units = EVIDENCE_BUCKETS, .alpha = ALPHA}};
        int alarms = 0, found = 0;
        for (int run = 0; run < runs; run++) {
            int day = aa_run_again(&aa, seed + (uint64_t)run * 7919);
            if (day < 0) {
                fprintf(stderr, "aa: users who come again: refused\n");
                exit(2);
            }
            alarms += day > 0;
        }
        aa.increase = 3;
        for (int run = 0; run < runs / 10 + 1; run++)
            found += aa_run_again(&aa, seed + (uint64_t)run * 977) > 0;
        printf("users who come again%s, %d and %d\n"
               "    without harm          alarms %5.2f %% of %d rollouts (alpha %.0f %%); +300 %% "
               "found %5.1f %%\n",
               aa.at_once ? "" : ", more in each phase", aa.exposed * AA_PHASES,
               aa.exposed * AA_PHASES * aa.controls, 100.0 * alarms / runs, runs, ALPHA * 100,
               100.0 * found / (runs / 10 + 1));
        fflush(stdout);
        failed += alarms > ALPHA * runs;
    }
    return failed;
}

/* A rate of 0.5 % below a limit of 1 %, 600 requests in each window of five minutes. */
static int run_limit(int runs, uint64_t seed)
{
    int alarms = 0, raw, raw_within_a_day = 0, found = 0, late = 0, windows = 84 * 288;
    for (int i = 0; i < runs; i++) {
        alarms += aa_limit(0.005, 0.005, 0, 0.01, 600, windows, seed + (uint64_t)i * 31, &raw) != 0;
        raw_within_a_day += raw > 0 && raw <= 288;
        found += aa_limit(0.02, 0.02, 0, 0.01, 600, windows, seed + (uint64_t)i * 37, &raw);
        late += aa_limit(0.005, 0.02, 10 * 288, 0.01, 600, windows, seed + (uint64_t)i * 41, &raw) -
                10 * 288;
    }
    printf("limit of 1 %%, 600 requests in five minutes, 84 days, %d runs\n", runs);
    printf("    true 0.5 %%            alarms %d; raw windows: %d of %d within a day\n", alarms,
           raw_within_a_day, runs);
    printf("    true 2 %%              found in %.0f minutes; after ten good days in %.0f\n",
           5.0 * found / runs, 5.0 * late / runs);
    return alarms > 0;
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 2000, failed = 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (runs < 1 || runs > 1000000) {
        fprintf(stderr, "aa: expected a number of rollouts, at most 1000000\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(worlds); i++)
        failed += run_world(&worlds[i], runs, seed);
    failed += run_again(runs, seed);
    failed += run_limit(runs < 400 ? runs : 400, seed);
    printf(failed ? "aa: %d worlds had too many false alarms\n" : "aa: no more alarms than alpha\n",
           failed);
    return failed ? 1 : 0;
}
