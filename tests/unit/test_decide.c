/* Deciding and recording among others: races, lost answers, and the end of patience. */
#include <poll.h>
#include <sys/wait.h>

#include "../../controller/git/decide.h"
#include "../../controller/git/message.h"
#include "repositories.h"

/* A clock that stands, and waits that are only counted. */
static int64_t standing(void *self)
{
    (void)self;
    return INT64_C(1767225600) * NANOSECONDS_PER_SECOND;
}

static uint64_t middling(void *self)
{
    (void)self;
    return UINT64_C(1) << 63;
}

static const struct clock standing_clock = {standing, standing, middling, NULL};

static int64_t waits[64];
static size_t wait_count;

static bool count_wait(void *self, int64_t nanoseconds, _Atomic bool *stop)
{
    (void)self;
    (void)stop;
    ck_assert_uint_lt(wait_count, COUNT_OF(waits));
    waits[wait_count++] = nanoseconds;
    return true;
}

/* Adds a line to a file of the tip; the others' commits come between by `meanwhile`. */
struct adding {
    const char *path, *line;
    unsigned links; /* commits in the chain */
    unsigned called;
    unsigned disturbances; /* rounds in which somebody else pushes */
    bool idle;             /* there is nothing to do */
    enum status status;    /* what it returns */
};

static enum status add_line(struct tip_decision *decision, const char *path, const char *line,
                            struct error *error)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    enum status status =
        mirror_read_file(decision->mirror, decision->head, path, 100000, &bytes, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        buffer_printf(&bytes, "%s\n", line);
        struct record_edit edit = {.path = path, .bytes = buffer_text(&bytes)};
        struct message message;
        message_begin(&message, text_of(line));
        message_trailer(&message, "Weir-Action", TEXT("add"));
        status = decision_commit(decision, &edit, 1, message_text(&message), error);
        message_dispose(&message);
    }
    buffer_dispose(&bytes);
    return status;
}

static enum status adding_decide(void *context, struct tip_decision *decision, struct error *error)
{
    struct adding *adding = context;
    enum status status = STATUS_OK;
    adding->called++;
    if (adding->status)
        return error_set(error, adding->status, "no such thing");
    if (adding->idle)
        return STATUS_OK;
    for (unsigned i = 0; i < adding->links && status == STATUS_OK; i++)
        status = add_line(decision, adding->path, adding->line, error);
    if (adding->called <= adding->disturbances)
        commit("git pull -q --rebase origin main 2>&1; date +%N >disturbed");
    return status;
}

static struct decide request(struct adding *adding)
{
    return (struct decide){.mirror = mirror,
                           .clock = &standing_clock,
                           .author = {.name = "Ada", .mail = "ada@example.com"},
                           .committer = {.name = "weir", .mail = "weir@example.com"},
                           .wait = count_wait,
                           .decide = adding_decide,
                           .context = adding};
}

static void hook(const char *name, const char *script)
{
    shell("printf '#!/bin/sh\\n%%s\\n' '%s' >remote.git/hooks/%s && chmod +x remote.git/hooks/%s",
          script, name, name);
}

START_TEST(a_chain_is_pushed_once)
{
    begin();
    commit("echo a >a");
    open_mirror();
    hook("post-receive", "echo push >>../pushes");
    struct adding adding = {.path = "log", .line = "x", .links = 3};
    struct decide d = request(&adding);
    ck_assert_ok(decide(&d, &failure));
    ck_assert(d.is_recorded);
    ck_assert_str_eq(d.branch_name, "main");
    ck_assert_uint_eq(d.tried, 1);
    ck_assert_str_eq(
        shell("git -C remote.git show main:log && cat pushes && git -C remote.git log "
              "--format=%%an/%%cn/%%ct main -3"),
        "x\nx\nx\npush\nAda/weir/1767225600\nAda/weir/1767225600\nAda/weir/1767225600");
    ck_assert_str_eq(shell("git -C remote.git rev-parse main"), d.commit);
    end();
}
END_TEST

START_TEST(nothing_to_do_pushes_nothing)
{
    begin();
    const char *tip = commit("echo a >a");
    open_mirror();
    struct adding adding = {.idle = true};
    struct decide d = request(&adding);
    ck_assert_ok(decide(&d, &failure));
    ck_assert(!d.is_recorded);
    ck_assert_str_eq(d.commit, tip);
    adding = (struct adding){.path = "log", .line = "x", .links = 1};
    d.dry = true;
    ck_assert_ok(decide(&d, &failure));
    ck_assert(!d.is_recorded);
    ck_assert_str_ne(d.commit, tip);
    ck_assert_str_eq(shell("git -C remote.git rev-parse main"), tip);
    adding.status = STATUS_INVALID;
    ck_assert_fails(decide(&d, &failure), STATUS_INVALID, "no such thing");
    end();
}
END_TEST

START_TEST(who_loses_decides_anew)
{
    begin();
    commit("echo a >a");
    open_mirror();
    struct adding adding = {.path = "log", .line = "x", .links = 1, .disturbances = 3};
    struct decide d = request(&adding);
    ck_assert_ok(decide(&d, &failure));
    ck_assert_uint_eq(adding.called, 4);
    ck_assert_uint_eq(d.tried, 4);
    ck_assert_uint_eq(wait_count, 3);
    for (size_t i = 1; i < wait_count; i++)
        ck_assert_int_gt(waits[i], waits[i - 1]);
    ck_assert_str_eq(shell("git -C remote.git show main:log"), "x");
    ck_assert_str_eq(shell("git -C remote.git rev-parse main main~1"),
                     shell("echo %s; git -C work rev-parse HEAD", d.commit));
    end();
}
END_TEST

START_TEST(patience_ends)
{
    begin();
    commit("echo a >a");
    open_mirror();
    struct adding adding = {.path = "log", .line = "x", .links = 1, .disturbances = 1000};
    struct decide d = request(&adding);
    d.attempts = 3;
    ck_assert_fails(decide(&d, &failure), STATUS_SYSTEM,
                    "given up after 3 attempts: \"main\" of \"");
    ck_assert_uint_eq(adding.called, 3);
    ck_assert(!d.is_recorded);
    hook("update", "echo frozen; exit 1");
    adding = (struct adding){.path = "log", .line = "x", .links = 1};
    ck_assert_fails(decide(&d, &failure), STATUS_REFUSED, "frozen");
    ck_assert_uint_eq(adding.called, 1);
    shell("mv remote.git away.git");
    ck_assert_fails(decide(&d, &failure), STATUS_SYSTEM, "is not a git repository");
    ck_assert_uint_eq(d.tried, 1);
    end();
}
END_TEST

START_TEST(a_push_that_landed_unheard_is_found)
{
    begin();
    commit("echo a >a");
    open_mirror();
    hook("reference-transaction", "[ $1 != committed ] || kill -9 $PPID");
    struct adding adding = {.path = "log", .line = "x", .links = 2};
    struct decide d = request(&adding);
    ck_assert_ok(decide(&d, &failure));
    ck_assert(d.is_recorded);
    ck_assert_uint_eq(adding.called, 1);
    ck_assert_uint_eq(d.tried, 2);
    ck_assert_str_eq(shell("git -C remote.git show main:log"), "x\nx");
    ck_assert_str_eq(shell("git -C remote.git rev-parse main"), d.commit);
    end();
}
END_TEST

START_TEST(a_push_that_did_not_land_is_made_again)
{
    begin();
    commit("echo a >a");
    open_mirror();
    hook("pre-receive", "[ -e once ] || { touch once; kill -9 $PPID; }");
    struct adding adding = {.path = "log", .line = "x", .links = 1};
    struct decide d = request(&adding);
    ck_assert_ok(decide(&d, &failure));
    ck_assert(d.is_recorded);
    ck_assert_uint_eq(adding.called, 2);
    ck_assert_str_eq(shell("git -C remote.git show main:log"), "x");
    end();
}
END_TEST

START_TEST(a_stop_ends_it)
{
    _Atomic bool stop = true;
    begin();
    commit("echo a >a");
    open_mirror();
    struct adding adding = {.path = "log", .line = "x", .links = 1};
    struct decide d = request(&adding);
    d.stop = &stop;
    ck_assert_fails(decide(&d, &failure), STATUS_STOPPED, "stopped");
    ck_assert_uint_eq(adding.called, 0);
    end();
}
END_TEST

/* --- many at once ---------------------------------------------------------------------------- */

#define PUSHERS 8
#define LINES 10

/* A tenth of the wait: there are more pushers than there ever will be. */
static bool wait_briefly(void *self, int64_t nanoseconds, _Atomic bool *stop)
{
    (void)self;
    (void)stop;
    poll(NULL, 0, (int)(nanoseconds / (10 * NANOSECONDS_PER_MILLISECOND)));
    return true;
}

/* A process with a clone of its own. */
static void push_lines(int number)
{
    char folder[32], line[32];
    snprintf(folder, sizeof folder, "clone%d", number);
    ck_assert_ok(mirror_open(below(root, folder), below(root, "remote.git"), &mirror, &failure));
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%d-%d", number, i);
        struct adding adding = {.path = "log", .line = line, .links = 1};
        struct decide d = request(&adding);
        d.clock = &system_clock;
        d.wait = wait_briefly;
        d.attempts = DECIDE_ATTEMPTS_MAX;
        ck_assert_ok(decide(&d, &failure));
        ck_assert(d.is_recorded);
    }
    mirror_close(mirror);
    mirror = NULL;
}

START_TEST(all_of_many_land_once)
{
    pid_t pushers[PUSHERS];
    begin();
    const char *base = commit("echo a >a");
    for (int i = 0; i < PUSHERS; i++) {
        pushers[i] = fork();
        ck_assert_int_ge(pushers[i], 0);
        if (pushers[i] == 0) {
            push_lines(i);
            _exit(0);
        }
    }
    for (int i = 0; i < PUSHERS; i++) {
        int ended = 1;
        ck_assert_int_eq(waitpid(pushers[i], &ended, 0), pushers[i]);
        ck_assert_int_eq(ended, 0);
    }
    ck_assert_str_eq(shell("git -C remote.git rev-list --count --no-merges %s..main", base), "80");
    ck_assert_str_eq(shell("git -C remote.git show main:log | sort -u | wc -l"), "80");
    ck_assert_str_eq(shell("git -C remote.git show main:log | wc -l"), "80");
    end();
}
END_TEST

UNIT_MAIN("decide", a_chain_is_pushed_once, nothing_to_do_pushes_nothing, who_loses_decides_anew,
          patience_ends, a_push_that_landed_unheard_is_found,
          a_push_that_did_not_land_is_made_again, a_stop_ends_it, all_of_many_land_once)
