/* What of a rollout's decisions people are told; and the store of a data folder as a whole. */
#include <stdatomic.h>
#include <sys/stat.h>

#include "../../controller/news.h"
#include "../../controller/notify/notice.h"
#include "../../controller/store_upkeep.h"
#include "folders.h"
#include "store_rows.h"
#include "unit.h"

#define NOON INT64_C(1802260800) /* 2027-02-10T12:00:00Z */

struct rig {
    char root[64];
    struct config config;
    struct notify_channel channel;
    struct clock clock;
    struct telemetry *telemetry;
    struct news *news;
    struct rollout rollout;
    struct rollout_state state;
    struct phase phase;
    struct roster_rollout item;
    struct walk_decision decision;
};

static _Atomic int64_t wall, monotonic;

static int64_t fixed_wall(void *self)
{
    (void)self;
    return atomic_load(&wall) * NANOSECONDS_PER_SECOND;
}

static int64_t fixed_monotonic(void *self)
{
    (void)self;
    return atomic_load(&monotonic) * NANOSECONDS_PER_SECOND;
}

static void open_news(struct rig *rig)
{
    struct error error = {0};
    ck_assert_msg(news_start(&rig->config, &rig->clock, rig->telemetry, &rig->news, &error) ==
                      STATUS_OK,
                  "%s", error.message);
}

/* The one channel is a server that nobody is behind: what is told stays in the store. */
static void rig_init(struct rig *rig)
{
    static char name[] = "events", url[] = "http://127.0.0.1:1/", repo[] = "https://git/flags.git";
    *rig = (struct rig){.clock = system_clock};
    make_folder(rig->root);
    atomic_store(&wall, NOON);
    atomic_store(&monotonic, 1);
    rig->clock.wall = fixed_wall;
    rig->clock.monotonic = fixed_monotonic;
    rig->telemetry = telemetry_new();
    ck_assert_ptr_nonnull(rig->telemetry);
    rig->channel = (struct notify_channel){
        .name = name, .type = NOTIFY_WEBHOOK, .events = UINT32_MAX, .url = url};
    rig->config.data = rig->root;
    rig->config.repo = repo;
    rig->config.notify_channels = &rig->channel;
    rig->config.notify_channel_count = 1;
    rig->rollout.name.text = TEXT("checkout-v2");
    rig->rollout.flag.text = TEXT("checkout");
    rig->rollout.environment.text = TEXT("production");
    rig->phase.name = TEXT("ten");
    rig->state = (struct rollout_state){.run = 1, .seq = 7, .plan = {&rig->phase, 1}};
    rig->item = (struct roster_rollout){.rollout = &rig->rollout, .state = &rig->state};
    open_news(rig);
}

static void rig_dispose(struct rig *rig)
{
    news_stop(rig->news);
    telemetry_free(rig->telemetry);
    remove_folder(rig->root);
}

static void tell(struct rig *rig, struct text commit)
{
    news_tell_decision(rig->news, &rig->item, &rig->decision, commit, TEXT(""), TEXT(""), TEXT(""));
}

/* How many wait, once nobody sends any more; the newest body is put into `out`. */
static unsigned waiting(struct rig *rig, struct buffer *out)
{
    struct store_notice notice;
    struct error error;
    unsigned count = 0;
    news_stop(rig->news);
    rig->news = NULL;
    struct store *store = open_store(rig->root);
    while (store_outbox_take(store, TEXT("events"), INT64_MAX / 2, INT64_MAX, &notice, &error) ==
           STATUS_OK) {
        buffer_clear(out);
        buffer_append_text(out, notice.body);
        count++;
    }
    store_close(store);
    return count;
}

START_TEST(a_rollback_in_full)
{
    struct rig rig;
    struct buffer body;
    char id[NOTICE_ID_SIZE], expected[1000];
    rig_init(&rig);
    buffer_init(&body, 0);
    rig.decision = (struct walk_decision){.kind = WALK_ROLLBACK,
                                          .state = &rig.state,
                                          .intent = "3f9c",
                                          .evidence = TEXT("errors 0.031 > 0.01")};
    tell(&rig, TEXT(""));
    tell(&rig, TEXT("8d1e")); /* once it is in Git: no news */
    ck_assert_uint_eq(waiting(&rig, &body), 1);
    notice_identify(TEXT("rollout.rolled-back"), TEXT("production"), TEXT("checkout-v2"),
                    TEXT("3f9c"), id);
    snprintf(expected, sizeof expected,
             "{\"by\":\"weir\",\"environment\":\"production\",\"event\":\"rollout.rolled-back\","
             "\"evidence\":\"errors 0.031 > 0.01\",\"flag\":\"checkout\",\"id\":\"%s\","
             "\"phase\":\"ten\",\"rollout\":\"checkout-v2\",\"time\":\"2027-02-10T12:00:00Z\"}",
             id);
    ck_assert_str_eq(buffer_string(&body), expected);
    buffer_dispose(&body);
    rig_dispose(&rig);
}
END_TEST

START_TEST(the_words_of_whoever_decided_come_first)
{
    struct rig rig;
    struct buffer body;
    rig_init(&rig);
    buffer_init(&body, 0);
    rig.decision = (struct walk_decision){.kind = WALK_HOLD,
                                          .state = &rig.state,
                                          .hold = HOLD_DEADLINE,
                                          .intent = "77",
                                          .evidence = TEXT("of its own")};
    news_tell_decision(rig.news, &rig.item, &rig.decision, TEXT("8d1e"), TEXT("ann"), TEXT(""),
                       TEXT("a closer look"));
    ck_assert_uint_eq(waiting(&rig, &body), 1);
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "{\"by\":\"ann\",\"commit\":\"8d1e\","));
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "\"event\":\"rollout.held\","));
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "\"evidence\":\"a closer look\","));
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "\"reason\":\"deadline\","));
    buffer_dispose(&body);
    rig_dispose(&rig);
}
END_TEST

/* Asked every few seconds: told once a move, and again at the next. */
START_TEST(approvals_are_asked_for_once_a_move)
{
    struct rig rig;
    struct buffer body;
    struct walk_reason reasons[] = {{.cause = WAIT_CALENDAR, .words = TEXT("calendar: closed")},
                                    {.cause = WAIT_APPROVALS, .words = TEXT("approvals: 1 of 2")}};
    rig_init(&rig);
    buffer_init(&body, 0);
    rig.decision = (struct walk_decision){.kind = WALK_WAIT, .reasons = reasons, .reason_count = 1};
    tell(&rig, TEXT("")); /* of a calendar nobody needs to hear */
    rig.decision.reason_count = 2;
    tell(&rig, TEXT(""));
    tell(&rig, TEXT(""));
    ck_assert_uint_eq(waiting(&rig, &body), 1);
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "\"event\":\"rollout.approval-wanted\""));
    ck_assert_ptr_nonnull(strstr(buffer_string(&body), "\"reason\":\"approvals: 1 of 2\""));
    open_news(&rig); /* as after a restart */
    tell(&rig, TEXT(""));
    rig.state.seq++;
    tell(&rig, TEXT(""));
    ck_assert_uint_eq(waiting(&rig, &body), 1); /* the first is on lease */
    buffer_dispose(&body);
    rig_dispose(&rig);
}
END_TEST

START_TEST(each_decision_has_its_event)
{
    static const char *const events[] = {
        [WALK_START] = "rollout.started",
        [WALK_ADVANCE] = "rollout.advanced",
        [WALK_COMPLETE] = "rollout.completed",
        [WALK_PAUSE] = "rollout.paused",
        [WALK_HOLD] = "rollout.held",
        [WALK_RESUME] = "rollout.resumed",
        [WALK_STEP_BACK] = "rollout.stepped-back",
        [WALK_ROLLBACK] = "rollout.rolled-back",
        [WALK_KILL] = "rollout.killed",
        [WALK_UNKILL] = "rollout.unkilled",
    };
    for (int kind = WALK_NONE; kind <= WALK_UNKILL; kind++) {
        const struct walk_decision decision = {.kind = (enum walk_kind)kind};
        const char *event = news_event_of(&decision);
        const char *expected = (size_t)kind < COUNT_OF(events) ? events[kind] : NULL;
        if (!expected) {
            ck_assert_msg(!event, "%s: %s", walk_kind_name(decision.kind), event);
            continue;
        }
        ck_assert_str_eq(event, expected);
        ck_assert_uint_lt(notice_event_of(text_of(event)), NOTICE_EVENTS);
    }
}
END_TEST

START_TEST(without_channels_nothing_is_made)
{
    struct rig rig;
    struct buffer out;
    struct error error;
    rig_init(&rig);
    news_stop(rig.news);
    rig.config.notify_channel_count = 0;
    ck_assert_int_eq(news_start(&rig.config, &rig.clock, rig.telemetry, &rig.news, &error),
                     STATUS_OK);
    ck_assert_ptr_null(rig.news);
    rig.decision = (struct walk_decision){.kind = WALK_KILL, .state = &rig.state, .intent = "1"};
    tell(&rig, TEXT(""));
    buffer_init(&out, 0);
    news_write_status(rig.news, &out);
    ck_assert_text(buffer_text(&out), "[]");
    buffer_dispose(&out);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_store_that_cannot_be_opened_is_no_reason_to_be_silent)
{
    struct rig rig;
    struct buffer out;
    static char nowhere[] = "/nowhere/at/all";
    rig_init(&rig);
    news_stop(rig.news);
    rig.config.data = nowhere;
    open_news(&rig);
    rig.decision = (struct walk_decision){.kind = WALK_KILL, .state = &rig.state, .intent = "1"};
    tell(&rig, TEXT(""));
    buffer_init(&out, 0);
    news_write_status(rig.news, &out);
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "\"type\":\"webhook\",\"waiting\":1}]"));
    buffer_dispose(&out);
    rig_dispose(&rig);
}
END_TEST

/* --- the store of a data folder -------------------------------------------------------------- */

START_TEST(what_is_old_is_pruned_once_an_hour)
{
    struct rig rig;
    struct store_notice notice = notice_numbered(1);
    struct store_upkeep *upkeep;
    struct error problem;
    rig_init(&rig);
    notice.created = NOON - STORE_KEEP_SETTLED;
    struct store *store = open_store(rig.root);
    CHECK_OK(store_outbox_append(store, &notice, error));
    CHECK_OK(store_outbox_drop(store, notice.id, TEXT("status 410"), error));
    ck_assert_int_eq(store_upkeep_start(rig.root, &rig.clock, &upkeep, &problem), STATUS_OK);
    store_upkeep_turn(upkeep, NULL);
    check_counts(store, 0, 1, INT64_MAX);
    atomic_store(&wall, NOON + 1);
    atomic_store(&monotonic, STORE_UPKEEP_INTERVAL);
    store_upkeep_turn(upkeep, NULL); /* not yet */
    check_counts(store, 0, 1, INT64_MAX);
    atomic_store(&monotonic, STORE_UPKEEP_INTERVAL + 1);
    store_upkeep_turn(upkeep, NULL);
    check_counts(store, 0, 0, INT64_MAX);
    store_close(store);
    store_upkeep_free(upkeep);
    rig_dispose(&rig);
}
END_TEST

START_TEST(a_damaged_store_is_set_aside_and_a_foreign_one_refused)
{
    struct store_upkeep *upkeep;
    struct error error = {0};
    struct stat about;
    char root[64];
    make_folder(root);
    atomic_store(&wall, NOON);
    struct clock clock = system_clock;
    clock.wall = fixed_wall;
    spill(below(root, "weir.db"), "this is no database, and is longer than a header of a hundred "
                                  "bytes, which is what tells one from another");
    ck_assert_msg(store_upkeep_start(root, &clock, &upkeep, &error) == STATUS_OK, "%s",
                  error.message);
    check_file(below(root, "weir.db.damaged-20270210T120000Z"),
               "this is no database, and is longer than a header of a hundred "
               "bytes, which is what tells one from another");
    ck_assert_int_eq(stat(below(root, "weir.db"), &about), 0);
    store_upkeep_free(upkeep);
    ck_assert_int_eq(unlink(below(root, "weir.db")), 0);
    char command[200];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import sqlite3; sqlite3.connect('%s/weir.db').execute('CREATE "
             "TABLE theirs (a)')\"",
             root);
    ck_assert_int_eq(system(command), 0); // NOLINT
    ck_assert_int_eq(store_upkeep_start(root, &clock, &upkeep, &error), STATUS_REFUSED);
    ck_assert_ptr_null(upkeep);
    ck_assert_ptr_nonnull(strstr(error.message, "is not weir's"));
    remove_folder(root);
}
END_TEST

/* What is served does not depend on it. */
START_TEST(a_store_that_cannot_be_made_stops_nothing)
{
    struct store_upkeep *upkeep;
    struct error error;
    ck_assert_int_eq(store_upkeep_start("/nowhere/at/all", &system_clock, &upkeep, &error),
                     STATUS_OK);
    store_upkeep_turn(upkeep, NULL);
    store_upkeep_free(upkeep);
}
END_TEST

UNIT_MAIN("news", a_rollback_in_full, the_words_of_whoever_decided_come_first,
          approvals_are_asked_for_once_a_move, each_decision_has_its_event,
          without_channels_nothing_is_made, a_store_that_cannot_be_opened_is_no_reason_to_be_silent,
          what_is_old_is_pruned_once_an_hour,
          a_damaged_store_is_set_aside_and_a_foreign_one_refused,
          a_store_that_cannot_be_made_stops_nothing)
