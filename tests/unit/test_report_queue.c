/* What is told, when, and what becomes of it; by a clock that stands still. */
#include "unit.h"

#include "../../controller/outward/commit_status.h"
#include "../../controller/outward/report_queue.h"

#define SECOND NANOSECONDS_PER_SECOND

static int64_t now;
static struct report_queue queue;
static struct forge_report out;

static int64_t read_now(void *self)
{
    (void)self;
    return now;
}
/* The longest of each range that is drawn from. */
static uint64_t draw_most(void *self)
{
    (void)self;
    return UINT64_MAX;
}
static const struct clock still = {read_now, read_now, draw_most, NULL};

static void begin(void)
{
    now = 1000 * SECOND;
    queue = (struct report_queue){0};
}

static struct forge_report report_of(const char *commit, enum forge_state state, const char *words)
{
    struct forge_report report = {.state = state};
    snprintf(report.commit, sizeof report.commit, "%s", commit);
    snprintf(report.description, sizeof report.description, "%s", words);
    return report;
}

static bool put(const char *commit, enum forge_state state, const char *words)
{
    struct forge_report report = report_of(commit, state, words);
    return report_queue_put(&queue, &report, now);
}

#define check_next(commit_, words_)                                                                \
    do {                                                                                           \
        ck_assert(report_queue_next(&queue, now, &out));                                           \
        ck_assert_str_eq(out.commit, commit_);                                                     \
        ck_assert_str_eq(out.description, words_);                                                 \
    } while (0)
#define check_nothing() ck_assert(!report_queue_next(&queue, now, &out))

static bool settle(enum forge_outcome outcome, int64_t wait)
{
    return report_queue_settle(&queue, &out, outcome, wait, &still);
}

START_TEST(the_latest_of_a_commit_and_the_newest_commit)
{
    begin();
    put("a", FORGE_FAILURE, "one");
    put("b", FORGE_SUCCESS, "two");
    put("a", FORGE_SUCCESS, "three");
    check_next("a", "three");
    ck_assert(settle(FORGE_TOLD, 0));
    check_next("b", "two");
    ck_assert(settle(FORGE_TOLD, 0));
    check_nothing();
    ck_assert_int_eq(report_queue_due(&queue), INT64_MAX);
}
END_TEST

START_TEST(nothing_is_told_twice)
{
    begin();
    put("a", FORGE_SUCCESS, "one");
    check_next("a", "one");
    settle(FORGE_TOLD, 0);
    put("a", FORGE_SUCCESS, "one");
    put("a", FORGE_PENDING, "");
    ck_assert_uint_eq(queue.count, 0);
    put("a", FORGE_SUCCESS, "other");
    check_next("a", "other");
    settle(FORGE_REFUSED, 0);
    put("a", FORGE_SUCCESS, "other");
    ck_assert_uint_eq(queue.count, 0);
    put("a", FORGE_SUCCESS, "one"); /* what counts is what was told last */
    check_next("a", "one");
    put("a", FORGE_SUCCESS, "other"); /* and back, before it was sent */
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(pending_only_where_it_takes_long)
{
    begin();
    put("a", FORGE_PENDING, "judging");
    check_nothing();
    ck_assert_int_eq(report_queue_due(&queue), now + REPORT_PENDING_DELAY);
    put("a", FORGE_SUCCESS, "fine");
    check_next("a", "fine");
    settle(FORGE_TOLD, 0);
    put("b", FORGE_PENDING, "judging");
    now += REPORT_PENDING_DELAY;
    check_next("b", "judging");
    settle(FORGE_TOLD, 0);
    put("b", FORGE_SUCCESS, "fine");
    put("b", FORGE_PENDING, "judging"); /* never in the place of an outcome */
    check_next("b", "fine");
}
END_TEST

START_TEST(failures_are_tried_again_less_and_less_often)
{
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600};
    begin();
    put("a", FORGE_SUCCESS, "one");
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        check_next("a", "one");
        ck_assert(settle(FORGE_LATER, 0));
        ck_assert_int_eq(report_queue_due(&queue), now + waits[i] * SECOND);
        put("a", FORGE_SUCCESS, "one"); /* the same again does not hurry it */
        check_nothing();
        now = report_queue_due(&queue);
    }
    now += REPORT_PATIENCE;
    check_next("a", "one");
    ck_assert(!settle(FORGE_LATER, 0));
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(a_limit_silences_all)
{
    begin();
    put("a", FORGE_SUCCESS, "one");
    check_next("a", "one");
    settle(FORGE_LIMITED, 90);
    put("b", FORGE_SUCCESS, "two");
    check_nothing();
    ck_assert_int_ge(report_queue_due(&queue), now + 90 * SECOND);
    ck_assert_int_le(report_queue_due(&queue), now + 92 * SECOND);
    now += 89 * SECOND;
    check_nothing();
    now += 3 * SECOND;
    check_next("b", "two");
}
END_TEST

START_TEST(what_was_put_meanwhile_stays)
{
    static const enum forge_outcome outcomes[] = {FORGE_TOLD, FORGE_LATER, FORGE_REFUSED};
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        begin();
        put("a", FORGE_FAILURE, "old");
        check_next("a", "old");
        put("a", FORGE_SUCCESS, "new");
        ck_assert(settle(outcomes[i], 0));
        check_next("a", "new");
    }
}
END_TEST

START_TEST(the_oldest_makes_room)
{
    char name[16];
    begin();
    for (int i = 0; i < REPORTS_MOST; i++) {
        snprintf(name, sizeof name, "c%d", i);
        ck_assert(put(name, FORGE_SUCCESS, "x"));
    }
    ck_assert(!put("new", FORGE_SUCCESS, "x"));
    ck_assert_uint_eq(queue.count, REPORTS_MOST);
    check_next("new", "x");
    for (int i = REPORTS_MOST - 1; i >= 1; i--) {
        settle(FORGE_TOLD, 0);
        snprintf(name, sizeof name, "c%d", i);
        check_next(name, "x");
    }
    settle(FORGE_TOLD, 0);
    check_nothing(); /* c0 is gone */
}
END_TEST

START_TEST(words)
{
    struct core_judgement judgement = {.is_served = true, .is_whole = true, .since = 1700000000};
    struct forge_report report = {0};
    commit_status_describe(&judgement, STATUS_OK, &report);
    ck_assert_int_eq(report.state, FORGE_SUCCESS);
    ck_assert_str_eq(report.description, "valid, served since 2023-11-14T22:13:20Z");
    judgement.warnings = 1;
    commit_status_describe(&judgement, STATUS_OK, &report);
    ck_assert_str_eq(report.description, "valid with 1 warning, served since 2023-11-14T22:13:20Z");
    judgement.is_whole = false;
    judgement.errors = 3;
    judgement.quarantined = 2;
    judgement.definitions = 120;
    commit_status_describe(&judgement, STATUS_OK, &report);
    ck_assert_int_eq(report.state, FORGE_FAILURE);
    ck_assert_str_eq(report.description, "3 errors; 2 of 120 definitions stand as before");
    judgement = (struct core_judgement){.reason = "caf\xc3\xa9\nx"};
    commit_status_describe(&judgement, STATUS_INVALID, &report);
    ck_assert_int_eq(report.state, FORGE_FAILURE);
    ck_assert_str_eq(report.description, "not served: caf???x");
    memset(judgement.reason, 'y', sizeof judgement.reason - 1);
    commit_status_describe(&judgement, STATUS_INVALID, &report);
    ck_assert_uint_eq(strlen(report.description), 140); /* as much as GitHub takes */
    commit_status_describe(&judgement, STATUS_SYSTEM, &report);
    ck_assert_int_eq(report.state, FORGE_ERROR);
    ck_assert_ptr_null(strstr(report.description, "yyy"));
}
END_TEST

UNIT_MAIN("report_queue", the_latest_of_a_commit_and_the_newest_commit, nothing_is_told_twice,
          pending_only_where_it_takes_long, failures_are_tried_again_less_and_less_often,
          a_limit_silences_all, what_was_put_meanwhile_stays, the_oldest_makes_room, words)
