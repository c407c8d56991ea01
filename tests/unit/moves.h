/* moves.h - what tests of moves share: a rollout that the machine moves, and the repository in
 * which its moves are recorded. */
#ifndef WEIR_TESTS_MOVES_H
#define WEIR_TESTS_MOVES_H

#include "../../controller/git/decide.h"
#include "../../controller/rollout/move.h"
#include "repositories.h"

#define STATE_PATH "state/production/shop-release.yaml"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define MONDAY INT64_C(1795438800) /* 2026-11-23T13:00:00Z */

/* --- a rollout and its moves ----------------------------------------------------------------- */

static const struct phase phase_items[] = {
    {.name = {"staff", 5}, .audience = {"staff", 5}, .share = SPLIT_TOTAL},
    {.name = {"canary", 6}, .share = 1000},
    {.name = {"ten", 3}, .share = 10000, .over = 3 * DAY, .checkpoint = DAY},
    {.name = {"half", 4}, .share = 50000, .approvals = 2},
    {.name = {"all", 3}, .share = SPLIT_TOTAL},
};
enum { PHASE_STAFF, PHASE_CANARY, PHASE_TEN, PHASE_HALF, PHASE_ALL };

struct world {
    struct arena arena;
    struct rollout rollout;
    struct phase phases[COUNT_OF(phase_items)];
    struct phases plan;
    struct walk_task task;
    struct rollout_state state;
    struct walk_decision decision;
};

SHARED void world_init(struct world *made)
{
    *made = (struct world){.rollout = {.name.text = TEXT("shop-release"),
                                       .flag.text = TEXT("shop"),
                                       .environment.text = TEXT("production"),
                                       .variant.text = TEXT("on"),
                                       .control.text = TEXT("off"),
                                       .seed = TEXT("s1")}};
    arena_init(&made->arena, 0);
    memcpy(made->phases, phase_items, sizeof phase_items);
    made->plan = (struct phases){made->phases, COUNT_OF(phase_items)};
    made->task =
        (struct walk_task){.rollout = &made->rollout, .phases = &made->plan, .now = MONDAY};
    ck_assert_int_eq(walk_initial(&made->rollout, &made->arena, &made->state), STATUS_OK);
}

SHARED enum walk_kind world_apply(struct world *of)
{
    if (of->decision.state)
        of->state = *of->decision.state;
    return of->decision.kind;
}

SHARED enum walk_kind world_tick(struct world *of)
{
    ck_assert_int_eq(walk_tick(&of->task, &of->state, &of->arena, &of->decision), STATUS_OK);
    return world_apply(of);
}

SHARED enum walk_kind world_verb_as(struct world *of, enum walk_verb_kind kind, const char *by,
                                    uint32_t lifts)
{
    struct walk_verb verb = {.kind = kind, .by = text_of(by), .lifts = lifts};
    ck_assert_int_eq(walk_verb(&of->task, &of->state, &verb, &of->arena, &of->decision), STATUS_OK);
    return world_apply(of);
}

SHARED enum walk_kind world_verb(struct world *of, enum walk_verb_kind kind)
{
    return world_verb_as(of, kind, "ann", 0);
}

SHARED void expect(const struct world *of, enum walk_kind did, enum walk_kind wanted)
{
    const struct walk_decision *decision = &of->decision;
    ck_assert_msg(did == wanted, "expected %s, got %s: %s", walk_kind_name(wanted),
                  walk_kind_name(did),
                  decision->reason_count ? decision->reasons[0].words.data : "");
}

/* --- its repository -------------------------------------------------------------------------- */

static int64_t now_seconds;

SHARED int64_t wall(void *self)
{
    (void)self;
    return now_seconds * NANOSECONDS_PER_SECOND;
}

SHARED uint64_t middling(void *self)
{
    (void)self;
    return UINT64_C(1) << 63;
}

static const struct clock test_clock = {wall, wall, middling, NULL};
static const struct roster_rollout item = {.name = "production/shop-release", .path = STATE_PATH};
static struct world world;
static struct decide options;
static struct tip_decision on;

SHARED void look_at(const char *tip)
{
    ck_assert_int_lt(snprintf(on.tip, sizeof on.tip, "%s", tip), (int)sizeof on.tip);
    memcpy(on.head, on.tip, sizeof on.head);
}

SHARED void set_up(void)
{
    begin();
    commit("echo a >definitions");
    open_mirror();
    world_init(&world);
    now_seconds = MONDAY;
    options = (struct decide){.mirror = mirror,
                              .clock = &test_clock,
                              .author = {.name = "Ada", .mail = "ada@example.com"},
                              .committer = {.name = "weir", .mail = "weir@example.com"}};
    on = (struct tip_decision){.mirror = mirror, .options = &options};
    look_at(fetch());
}

SHARED void tear_down(void)
{
    arena_dispose(&world.arena);
    end();
}

/* Commits what the world has just decided; returns the commit, good for the next 500. */
SHARED char *record(const struct rollout_state *before, const char *by, const char *reason,
                    const char *evidence)
{
    const struct move move = {.item = &item,
                              .before = before,
                              .decision = &world.decision,
                              .by = text_of(by),
                              .reason = text_of(reason),
                              .evidence = text_of(evidence),
                              .decided = world.task.now};
    static char made[512][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *head = made[next++ % COUNT_OF(made)];
    ck_assert_ok(move_commit(&on, &move, &failure));
    return memcpy(head, on.head, sizeof on.head);
}

/* An hour later Ann asks, and it is recorded. */
SHARED char *ask(enum walk_verb_kind kind, enum walk_kind wanted)
{
    struct rollout_state before = world.state;
    world.task.now += HOUR;
    now_seconds = world.task.now;
    expect(&world, world_verb(&world, kind), wanted);
    return record(&before, "ann", "", "");
}

/* The same of time alone. */
SHARED char *tick(int64_t later, enum walk_kind wanted)
{
    struct rollout_state before = world.state;
    world.task.now += later;
    now_seconds = world.task.now;
    expect(&world, world_tick(&world), wanted);
    return record(&before, "weir", "", "");
}

SHARED const char *subject(void)
{
    return shell("git -C clone log -1 --format=%%s %s", on.head);
}

SHARED const char *trailer(const char *key)
{
    return shell("git -C clone log -1 --format=%%B %s | git interpret-trailers --parse | sed -n "
                 "'s/^%s: //p'",
                 on.head, key);
}

/* Somebody else's commit lands on what was recorded, and is the tip from now on. */
SHARED const char *meanwhile(const char *change)
{
    shell("git -C clone update-ref refs/heads/ours %s && cd work && git fetch -q ../clone ours && "
          "git reset -q --hard FETCH_HEAD",
          on.head);
    commit(change);
    look_at(fetch());
    return shell("echo %s", on.tip);
}

#endif
