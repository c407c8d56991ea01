/* Requests at the desk: their ids, order, bounds and end, and threads that come at once. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../../controller/rollout/desk.h"

static int64_t now; /* nanoseconds, monotonic */
static uint64_t drawn;
static bool same_numbers;

static int64_t wall(void *self)
{
    (void)self;
    return now + INT64_C(1795438800) * NANOSECONDS_PER_SECOND;
}

static int64_t monotonic(void *self)
{
    (void)self;
    return now;
}

static uint64_t chance(void *self)
{
    (void)self;
    return same_numbers ? 7 : ++drawn * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct clock test_clock = {wall, monotonic, chance, NULL};
static struct desk *desk;
static unsigned told;

static void tell(void *context)
{
    ck_assert_ptr_eq(context, &told);
    told++;
}

static void begin(void)
{
    struct error error = {0};
    now = 1000 * NANOSECONDS_PER_SECOND;
    told = 0;
    ck_assert_int_eq(desk_new(&test_clock, tell, &told, &desk, &error), STATUS_OK);
}

static struct desk_request verb(enum walk_verb_kind kind, const char *rollout)
{
    struct desk_request request = {.environment = "production", .by = "ann", .verb = kind};
    snprintf(request.rollout, sizeof request.rollout, "%s", rollout);
    return request;
}

static struct desk_request submit(enum walk_verb_kind kind, const char *rollout)
{
    struct error error = {0};
    struct desk_request request = verb(kind, rollout);
    ck_assert_msg(desk_submit(desk, &request, &error) == STATUS_OK, "%s", error.message);
    return request;
}

static void note(struct desk_request request, enum desk_state state, const char *words)
{
    request.state = state;
    snprintf(request.words, sizeof request.words, "%s", words);
    if (state == DESK_RECORDED)
        snprintf(request.commit, sizeof request.commit, "%s",
                 "3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c");
    desk_note(desk, &request);
}

/* Takes the next and says what came of it. */
static void settle(enum desk_state state)
{
    struct desk_request request;
    ck_assert(desk_take(desk, &request));
    note(request, state, "so");
}

START_TEST(test_from_asked_to_recorded)
{
    struct desk_request taken, asked;
    begin();
    ck_assert(!desk_take(desk, &taken));
    struct desk_request dirty = verb(VERB_KILL, "checkout");
    dirty.state = DESK_FAILED;
    snprintf(dirty.words, sizeof dirty.words, "old");
    snprintf(dirty.note, sizeof dirty.note, "it burns");
    ck_assert_int_eq(desk_submit(desk, &dirty, NULL), STATUS_OK);
    ck_assert_uint_eq(told, 1);
    ck_assert_uint_eq(strlen(dirty.id), 32);
    ck_assert_uint_eq(strspn(dirty.id, "0123456789abcdef"), 32);
    ck_assert_int_eq(desk_ask(desk, dirty.id, &asked), STATUS_OK);
    ck_assert_int_eq(asked.state, DESK_WAITING);
    ck_assert_str_eq(asked.words, "");
    ck_assert_int_eq(asked.submitted, INT64_C(1795438800) + 1000);

    ck_assert(desk_take(desk, &taken));
    ck_assert_str_eq(taken.id, dirty.id);
    ck_assert_str_eq(taken.environment, "production");
    ck_assert_str_eq(taken.rollout, "checkout");
    ck_assert_str_eq(taken.by, "ann");
    ck_assert_str_eq(taken.note, "it burns");
    ck_assert_int_eq(taken.verb, VERB_KILL);
    ck_assert(!desk_take(desk, &asked)); /* once */

    now += 2 * NANOSECONDS_PER_SECOND;
    note(taken, DESK_SERVED, "all are on control");
    ck_assert_int_eq(desk_ask(desk, dirty.id, &asked), STATUS_OK);
    ck_assert_int_eq(asked.state, DESK_SERVED);
    ck_assert_int_eq(asked.changed, asked.submitted + 2);
    ck_assert_str_eq(asked.words, "all are on control");
    note(taken, DESK_RECORDED, "");
    ck_assert_int_eq(desk_ask(desk, dirty.id, &asked), STATUS_OK);
    ck_assert_int_eq(asked.state, DESK_RECORDED);
    ck_assert_str_eq(asked.commit, "3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c");
    /* It is done: nothing changes it any more. */
    note(taken, DESK_FAILED, "late");
    ck_assert_int_eq(desk_ask(desk, dirty.id, &asked), STATUS_OK);
    ck_assert_int_eq(asked.state, DESK_RECORDED);
    desk_free(desk);
}
END_TEST

START_TEST(test_order)
{
    begin();
    static const enum walk_verb_kind verbs[] = {VERB_RESUME, VERB_PAUSE, VERB_KILL, VERB_UNKILL};
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        submit(verbs[i], "checkout");
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        struct desk_request taken;
        ck_assert(desk_take(desk, &taken));
        ck_assert_int_eq(taken.verb, verbs[i]);
    }
    desk_free(desk);
}
END_TEST

START_TEST(test_unknown_ids)
{
    struct desk_request asked;
    begin();
    struct desk_request mine = submit(VERB_PAUSE, "checkout");
    static const char *const strangers[] = {"", "x", "00000000000000000000000000000000",
                                            "0000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        ck_assert_int_eq(desk_ask(desk, strangers[i], &asked), STATUS_NOT_FOUND);
    /* What core did not take it cannot have done. */
    note(mine, DESK_RECORDED, "");
    ck_assert_int_eq(desk_ask(desk, mine.id, &asked), STATUS_OK);
    ck_assert_int_eq(asked.state, DESK_WAITING);
    struct desk_request stranger = mine;
    snprintf(stranger.id, sizeof stranger.id, "%s", strangers[2]);
    note(stranger, DESK_RECORDED, "");
    ck_assert_int_eq(desk_ask(desk, strangers[2], &asked), STATUS_NOT_FOUND);
    desk_free(desk);
}
END_TEST

START_TEST(test_memory_of_what_is_done)
{
    struct desk_request asked;
    begin();
    struct desk_request done = submit(VERB_PAUSE, "a");
    settle(DESK_NOTHING);
    struct desk_request served = submit(VERB_KILL, "b");
    settle(DESK_SERVED);
    struct desk_request waiting = submit(VERB_APPROVE, "c");
    now += DESK_MEMORY - 1;
    ck_assert_int_eq(desk_ask(desk, done.id, &asked), STATUS_OK);
    now += 1;
    ck_assert_int_eq(desk_ask(desk, done.id, &asked), STATUS_NOT_FOUND);
    /* What is not done is known however long it takes. */
    ck_assert_int_eq(desk_ask(desk, served.id, &asked), STATUS_OK);
    ck_assert_int_eq(desk_ask(desk, waiting.id, &asked), STATUS_OK);
    desk_free(desk);
}
END_TEST

/* One more that is not a shrinking verb, or one that is. */
static enum status one_more(enum walk_verb_kind kind, char message[256])
{
    struct error error = {0};
    struct desk_request request = verb(kind, "checkout");
    enum status status = desk_submit(desk, &request, &error);
    snprintf(message, 256, "%s", error.message);
    return status;
}

START_TEST(test_bounds)
{
    char message[256];
    begin();
    for (int i = 0; i < DESK_MAX - DESK_RESERVED; i++)
        submit(VERB_APPROVE, "checkout");
    ck_assert_int_eq(one_more(VERB_RESUME, message), STATUS_LIMIT);
    ck_assert_str_eq(message, "too many requests wait; ask again in a while");
    static const enum walk_verb_kind growing[] = {VERB_START, VERB_ADVANCE, VERB_APPROVE,
                                                  VERB_UNKILL};
    for (size_t i = 0; i < COUNT_OF(growing); i++)
        ck_assert_int_eq(one_more(growing[i], message), STATUS_LIMIT);
    static const enum walk_verb_kind shrinking[] = {VERB_KILL, VERB_ROLLBACK, VERB_STEP_BACK,
                                                    VERB_HALT, VERB_PAUSE};
    for (int i = 0; i < DESK_RESERVED; i++)
        ck_assert_int_eq(one_more(shrinking[i % 5], message), STATUS_OK);
    ck_assert_int_eq(one_more(VERB_KILL, message), STATUS_LIMIT);
    ck_assert_uint_eq(told, DESK_MAX);
    /* Kills that are served, and that Git does not say for hours, take nobody's place. */
    for (int i = 0; i < DESK_MAX; i++)
        settle(DESK_SERVED);
    ck_assert_int_eq(one_more(VERB_RESUME, message), STATUS_OK);
    desk_free(desk);
}
END_TEST

START_TEST(test_more_than_can_be_remembered)
{
    struct desk_request asked;
    char message[256];
    begin();
    struct desk_request first = submit(VERB_PAUSE, "a");
    settle(DESK_REFUSED);
    struct desk_request second = submit(VERB_PAUSE, "b");
    settle(DESK_REFUSED);
    for (int i = 2; i < DESK_KNOWN; i++) {
        submit(VERB_KILL, "c");
        settle(DESK_SERVED);
    }
    ck_assert_int_eq(desk_ask(desk, first.id, &asked), STATUS_OK);
    submit(VERB_KILL, "d");
    ck_assert_int_eq(desk_ask(desk, first.id, &asked), STATUS_NOT_FOUND);
    ck_assert_int_eq(desk_ask(desk, second.id, &asked), STATUS_OK);
    submit(VERB_KILL, "e");
    ck_assert_int_eq(one_more(VERB_KILL, message), STATUS_LIMIT);
    desk_free(desk);
}
END_TEST

START_TEST(test_an_id_that_stands_twice)
{
    char message[256];
    begin();
    same_numbers = true;
    submit(VERB_KILL, "a");
    ck_assert_int_eq(one_more(VERB_KILL, message), STATUS_SYSTEM);
    same_numbers = false;
    ck_assert_int_eq(one_more(VERB_KILL, message), STATUS_OK);
    ck_assert_uint_eq(told, 2);
    desk_free(desk);
}
END_TEST

START_TEST(test_names_of_states)
{
    static const char *const names[] = {"waiting", "served",  "recorded",
                                        "nothing", "refused", "failed"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_str_eq(desk_state_name((enum desk_state)i), names[i]);
        ck_assert(desk_state_is_done((enum desk_state)i) == (i >= 2));
    }
}
END_TEST

/* --- many at once ---------------------------------------------------------------------------- */

#define PEOPLE 4
#define EACH 150 /* all of them fit beside the reserved places */

static struct desk *busy;
static _Atomic unsigned asked_of_core;

static void count(void *context)
{
    (void)context;
    atomic_fetch_add(&asked_of_core, 1);
}

/* Submits, and asks until each is done. */
static void *be_somebody(void *argument)
{
    unsigned *wrong = argument;
    for (int i = 0; i < EACH; i++) {
        struct desk_request request = verb(VERB_APPROVE, "checkout"), found;
        snprintf(request.note, sizeof request.note, "%d", i);
        if (desk_submit(busy, &request, NULL) != STATUS_OK)
            ++*wrong;
        do {
            if (desk_ask(busy, request.id, &found) != STATUS_OK)
                ++*wrong;
        } while (*wrong == 0 && !desk_state_is_done(found.state));
        if (strcmp(found.note, request.note) != 0 || strcmp(found.words, request.note) != 0)
            ++*wrong;
    }
    return NULL;
}

static void *be_core(void *argument)
{
    unsigned *done = argument;
    while (*done < PEOPLE * EACH) {
        struct desk_request request;
        if (!desk_take(busy, &request))
            continue;
        request.state = DESK_SERVED;
        desk_note(busy, &request);
        request.state = DESK_RECORDED;
        memcpy(request.words, request.note, sizeof request.words);
        desk_note(busy, &request);
        ++*done;
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t people[PEOPLE], core;
    unsigned wrong[PEOPLE] = {0}, done = 0;
    struct desk_request left;
    ck_assert_int_eq(desk_new(&system_clock, count, NULL, &busy, NULL), STATUS_OK);
    ck_assert_int_eq(pthread_create(&core, NULL, be_core, &done), 0);
    for (int i = 0; i < PEOPLE; i++)
        ck_assert_int_eq(pthread_create(&people[i], NULL, be_somebody, &wrong[i]), 0);
    for (int i = 0; i < PEOPLE; i++) {
        pthread_join(people[i], NULL);
        ck_assert_uint_eq(wrong[i], 0);
    }
    pthread_join(core, NULL);
    ck_assert_uint_eq(done, PEOPLE * EACH);
    ck_assert_uint_eq(atomic_load(&asked_of_core), PEOPLE * EACH);
    ck_assert(!desk_take(busy, &left));
    desk_free(busy);
}
END_TEST

UNIT_MAIN("desk", test_from_asked_to_recorded, test_order, test_unknown_ids,
          test_memory_of_what_is_done, test_bounds, test_more_than_can_be_remembered,
          test_an_id_that_stands_twice, test_names_of_states, test_threads)
