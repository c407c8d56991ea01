#include "pushes.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>

#include "../../controller/log.h"
#include "../../controller/telemetry_families.h"

#define DOCUMENT "{\"flags\":{\"checkout\":" FLAG("on") "}}\n"
#define OTHER_DOCUMENT "{\"flags\":{\"checkout\":" FLAG("off") "}}\n"
#define TARGETS 4
#define PATIENCE (20 * NANOSECONDS_PER_SECOND)

struct yard {
    char root[64];
    struct reach_host hosts[1];
    struct reach reach;
    struct telemetry *telemetry;
    struct fleet *fleet;
    struct target targets[TARGETS];
    struct target *list[TARGETS];
};

static void make_yard(struct yard *yard)
{
    *yard = (struct yard){.hosts = {{.host = "127.0.0.1"}}};
    make_folder(yard->root);
    yard->reach = (struct reach){.base = yard->root, .hosts = yard->hosts, .host_count = 1};
    yard->telemetry = telemetry_new();
    ck_assert_ptr_nonnull(yard->telemetry);
    log_set_level(LOG_LEVEL_ERROR);
    const struct fleet_parts fleet = {
        .reach = &yard->reach, .clock = &system_clock, .telemetry = yard->telemetry};
    yard->fleet = fleet_new(&fleet);
    ck_assert_ptr_nonnull(yard->fleet);
    for (size_t i = 0; i < TARGETS; i++)
        yard->list[i] = &yard->targets[i];
}

static void leave(struct yard *yard)
{
    if (yard->fleet)
        fleet_free(yard->fleet, PATIENCE);
    telemetry_free(yard->telemetry);
    remove_folder(yard->root);
}

static void set_target(struct yard *yard, size_t index, const char *name, const char *location)
{
    bool redis = text_starts_with(text_of(location), TEXT("redis:"));
    yard->targets[index] = (struct target){
        .name = {.text = text_of(name)},
        .environment = {.text = TEXT("production")},
        .type = redis ? TARGET_REDIS : TARGET_FILE,
        .location = {.text = text_of(location), .place = {TEXT("targets/all.yaml"), 7, 3}},
        .key = redis ? TEXT("weir") : TEXT(""),
    };
}

/* Gives the fleet the first `count` targets and a new snapshot of `json`. */
static void apply(struct yard *yard, size_t count, const char *json, uint32_t level)
{
    struct snapshot *snapshot = make_snapshot("production", make_document(json), level, COMMIT_A);
    ck_assert_int_eq(fleet_apply(yard->fleet, yard->list, count, snapshot), STATUS_OK);
    snapshot_release(snapshot);
}

static struct target_status status_of(struct yard *yard, const char *name)
{
    struct target_status all[TARGETS];
    size_t count = fleet_status(yard->fleet, all, TARGETS);
    for (size_t i = 0; i < count && i < TARGETS; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i];
    ck_abort_msg("no target '%s'", name);
}

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int tries_ = 0; !(condition); tries_++) {                                             \
            ck_assert_msg(tries_ < 10000, "waited in vain for " #condition);                       \
            pause_shortly();                                                                       \
        }                                                                                          \
    } while (0)

static bool is_at(struct yard *yard, const char *name, enum target_condition condition,
                  uint32_t level)
{
    struct target_status status = status_of(yard, name);
    char generation[GENERATION_TEXT_SIZE] = "";
    if (level)
        generation_format((struct generation){.level = level}, generation);
    return status.condition == condition && strcmp(status.generation, generation) == 0;
}

static int64_t counted(struct yard *yard, const struct family_description *family,
                       const char *value1, const char *value2)
{
    return atomic_load(&telemetry_series(yard->telemetry, family, value1, value2)->value);
}

/* A port of the loopback where connections are taken and nothing is ever answered. */
static int make_silent_server(char url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, 64, "redis://127.0.0.1:%u", ntohs(address.sin_port));
    return listener;
}

/* While the descriptor is open, no file target below the yard's root can write. */
static int hold_folder(struct yard *yard)
{
    int folder = open(yard->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
    ck_assert_int_eq(flock(folder, LOCK_EX), 0);
    return folder;
}

START_TEST(test_targets_get_what_is_served)
{
    struct yard yard;
    make_yard(&yard);
    set_target(&yard, 0, "two", "two.json");
    set_target(&yard, 1, "one", "one.json");
    apply(&yard, 2, DOCUMENT, 5);
    WAIT_FOR(is_at(&yard, "one", TARGET_IN_SYNC, 5) && is_at(&yard, "two", TARGET_IN_SYNC, 5));
    check_file(below(yard.root, "one.json"), DOCUMENT);
    check_file(below(yard.root, "two.json"), DOCUMENT);
    struct target_status all[2];
    ck_assert_uint_eq(fleet_status(yard.fleet, all, 1), 2);
    ck_assert_uint_eq(fleet_status(yard.fleet, all, 2), 2);
    ck_assert_str_eq(all[0].name, "one");
    ck_assert_str_eq(all[1].name, "two");
    ck_assert_str_eq(all[0].environment, "production");
    ck_assert_str_eq(all[0].type, "file");
    ck_assert_str_eq(all[0].commit, COMMIT_A);
    ck_assert(text_starts_with(text_of(all[0].digest), TEXT("sha256:")));
    ck_assert_int_gt(all[0].last_success, 1700000000);
    ck_assert_str_eq(all[0].path, "targets/all.yaml");
    ck_assert_uint_eq(all[0].line, 7);
    ck_assert_str_eq(all[0].problem, "");
    ck_assert_str_eq(target_condition_name(all[0].condition), "inSync");
    ck_assert_int_eq(counted(&yard, &family_target_pushes, "one", "ok"), 1);
    ck_assert_int_eq(counted(&yard, &family_target_behind, "one", NULL), 0);
    ck_assert_int_gt(counted(&yard, &family_target_last_success, "one", NULL), 1700000000);
    ck_assert_int_ge(counted(&yard, &family_loop_iterations, "target", NULL), 2);
    apply(&yard, 2, OTHER_DOCUMENT, 6);
    WAIT_FOR(is_at(&yard, "one", TARGET_IN_SYNC, 6));
    check_file(below(yard.root, "one.json"), OTHER_DOCUMENT);
    leave(&yard);
}
END_TEST

/* Whether each of a few commits reached the file while the Redis was still waited for. */
static bool reaches_the_file_meanwhile(struct yard *yard)
{
    for (uint32_t level = 1; level <= 20; level++) {
        apply(yard, 2, level % 2 ? DOCUMENT : OTHER_DOCUMENT, level);
        WAIT_FOR(is_at(yard, "files", TARGET_IN_SYNC, level));
    }
    ck_assert_int_eq(counted(yard, &family_target_behind, "dead", NULL), 1);
    return is_at(yard, "dead", TARGET_PENDING, 0) && status_of(yard, "dead").failures == 0;
}

/* The Redis' first answer, a failure, can come only seconds after the first commit. A machine that
 * is busy may be as slow once, but not each time. */
START_TEST(test_a_dead_redis_delays_nothing)
{
    struct yard yard;
    char url[64];
    int listener = make_silent_server(url);
    bool in_time = false;
    for (int i = 0; i < 5 && !in_time; i++) {
        if (i)
            leave(&yard);
        make_yard(&yard);
        set_target(&yard, 0, "dead", url);
        set_target(&yard, 1, "files", "flags.json");
        in_time = reaches_the_file_meanwhile(&yard);
    }
    ck_assert(in_time);
    /* It is noticed, and said. */
    WAIT_FOR(is_at(&yard, "dead", TARGET_RETRYING, 0));
    ck_assert_ptr_nonnull(strstr(status_of(&yard, "dead").problem, "no answer within 2 s"));
    ck_assert_int_ge(counted(&yard, &family_target_pushes, "dead", "failed"), 1);
    ck_assert_int_eq(counted(&yard, &family_target_behind, "dead", NULL), 1);
    close(listener);
    leave(&yard);
}
END_TEST

START_TEST(test_the_latest_wins)
{
    struct yard yard;
    make_yard(&yard);
    int lock = hold_folder(&yard);
    set_target(&yard, 0, "files", "flags.json");
    for (uint32_t level = 1; level <= 50; level++)
        apply(&yard, 1, level % 2 ? DOCUMENT : OTHER_DOCUMENT, level);
    ck_assert(is_at(&yard, "files", TARGET_PENDING, 0));
    close(lock);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 50));
    check_file(below(yard.root, "flags.json"), OTHER_DOCUMENT);
    /* The first, if the worker was quick, and the last: none of those in between. */
    ck_assert_int_le(counted(&yard, &family_target_pushes, "files", "ok"), 2);
    leave(&yard);
}
END_TEST

START_TEST(test_a_removed_target_is_left_alone)
{
    struct yard yard;
    make_yard(&yard);
    set_target(&yard, 0, "gone", "gone.json");
    set_target(&yard, 1, "stays", "stays.json");
    apply(&yard, 2, DOCUMENT, 1);
    WAIT_FOR(is_at(&yard, "gone", TARGET_IN_SYNC, 1) && is_at(&yard, "stays", TARGET_IN_SYNC, 1));
    yard.list[0] = &yard.targets[1];
    apply(&yard, 1, OTHER_DOCUMENT, 2);
    WAIT_FOR(is_at(&yard, "stays", TARGET_IN_SYNC, 2));
    struct target_status all[TARGETS];
    ck_assert_uint_eq(fleet_status(yard.fleet, all, TARGETS), 1);
    struct buffer text;
    buffer_init(&text, 0);
    telemetry_write(yard.telemetry, &text);
    ck_assert_ptr_null(strstr(buffer_string(&text), "\"gone\""));
    ck_assert_ptr_nonnull(strstr(buffer_string(&text), "\"stays\""));
    buffer_dispose(&text);
    /* Ends the worker: whatever it would have done is done. */
    fleet_free(yard.fleet, PATIENCE);
    yard.fleet = NULL;
    check_file(below(yard.root, "gone.json"), DOCUMENT);
    leave(&yard);
}
END_TEST

START_TEST(test_a_removed_target_may_come_back)
{
    struct yard yard;
    make_yard(&yard);
    set_target(&yard, 0, "files", "flags.json");
    for (uint32_t level = 1; level <= 20; level++)
        apply(&yard, level % 2, DOCUMENT, level);
    apply(&yard, 1, OTHER_DOCUMENT, 21);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 21));
    check_file(below(yard.root, "flags.json"), OTHER_DOCUMENT);
    leave(&yard);
}
END_TEST

START_TEST(test_a_changed_definition)
{
    struct yard yard;
    make_yard(&yard);
    set_target(&yard, 0, "files", "flags.json");
    struct snapshot *snapshot = make_snapshot("production", make_document(DOCUMENT), 1, COMMIT_A);
    ck_assert_int_eq(fleet_apply(yard.fleet, yard.list, 1, snapshot), STATUS_OK);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 1));
    /* Moved to another line: nothing to push. */
    yard.targets[0].location.place.line = 99;
    ck_assert_int_eq(fleet_apply(yard.fleet, yard.list, 1, snapshot), STATUS_OK);
    ck_assert_uint_eq(status_of(&yard, "files").line, 99);
    ck_assert(is_at(&yard, "files", TARGET_IN_SYNC, 1));
    ck_assert_int_eq(counted(&yard, &family_target_pushes, "files", "ok"), 1);
    /* Another place to write to: the same snapshot goes there. */
    yard.targets[0].location.text = TEXT("elsewhere.json");
    ck_assert_int_eq(fleet_apply(yard.fleet, yard.list, 1, snapshot), STATUS_OK);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 1));
    check_file(below(yard.root, "elsewhere.json"), DOCUMENT);
    ck_assert_int_eq(counted(&yard, &family_target_pushes, "files", "ok"), 2);
    snapshot_release(snapshot);
    leave(&yard);
}
END_TEST

START_TEST(test_what_is_refused_waits_for_the_next_snapshot)
{
    struct yard yard;
    make_yard(&yard);
    spill(below(yard.root, "flags.json.meta.json"),
          "{\"commit\":\"\",\"digest\":\"\",\"environment\":\"\",\"generation\":"
          "\"00000000000000090000000000000000\"}");
    set_target(&yard, 0, "ahead", "flags.json");
    set_target(&yard, 1, "outside", "/etc/weir.json");
    set_target(&yard, 2, "remote", "redis://127.0.0.2:1");
    set_target(&yard, 3, "wrong", "redis://user:hunter2@127.0.0.1:1");
    apply(&yard, 4, DOCUMENT, 8);
    WAIT_FOR(is_at(&yard, "ahead", TARGET_REFUSED_IT, 0));
    WAIT_FOR(is_at(&yard, "outside", TARGET_REFUSED_IT, 0));
    WAIT_FOR(is_at(&yard, "remote", TARGET_REFUSED_IT, 0));
    WAIT_FOR(is_at(&yard, "wrong", TARGET_REFUSED_IT, 0));
    ck_assert_ptr_nonnull(strstr(status_of(&yard, "ahead").problem, "newer generation"));
    ck_assert_ptr_null(status_of(&yard, "ahead").code);
    struct target_status ahead = status_of(&yard, "ahead");
    char since[TIME_TEXT_SIZE], whole[600];
    ck_assert_str_eq(ahead.held, "00000000000000090000000000000000");
    ck_assert_int_gt(ahead.held_since, 1700000000);
    time_format(ahead.held_since, since);
    snprintf(whole, sizeof whole,
             " holds a newer generation (00000000000000090000000000000000): another controller is "
             "ahead; this one's is lower (00000000000000080000000000000000), and it has waited "
             "since %s",
             since);
    ck_assert_msg(strstr(ahead.problem, whole), "%s", ahead.problem);
    ck_assert_str_eq(status_of(&yard, "outside").held, "");
    ck_assert_str_eq(status_of(&yard, "outside").code, "W501");
    ck_assert_str_eq(status_of(&yard, "remote").code, "W502");
    ck_assert_ptr_nonnull(strstr(status_of(&yard, "wrong").problem, "name a secret"));
    ck_assert_ptr_null(strstr(status_of(&yard, "wrong").problem, "hunter2"));
    ck_assert_int_eq(counted(&yard, &family_target_pushes, "ahead", "refused"), 1);
    ck_assert_int_eq(counted(&yard, &family_target_behind, "ahead", NULL), 1);
    apply(&yard, 4, DOCUMENT, 10);
    WAIT_FOR(is_at(&yard, "ahead", TARGET_IN_SYNC, 10));
    ahead = status_of(&yard, "ahead");
    ck_assert_str_eq(ahead.held, "");
    ck_assert(ahead.held_since == 0 && ahead.problem[0] == '\0');
    check_file(below(yard.root, "flags.json"), DOCUMENT);
    leave(&yard);
}
END_TEST

START_TEST(test_an_environment_that_is_not_served)
{
    struct yard yard;
    make_yard(&yard);
    set_target(&yard, 0, "files", "flags.json");
    yard.targets[0].environment.text = TEXT("staging");
    apply(&yard, 1, DOCUMENT, 1);
    WAIT_FOR(is_at(&yard, "files", TARGET_REFUSED_IT, 0));
    ck_assert_ptr_nonnull(strstr(status_of(&yard, "files").problem, "'staging'"));
    leave(&yard);
}
END_TEST

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* Tried again until it works, and told once when it begins to fail and once when it works. */
START_TEST(test_failures_are_retried_and_told_once)
{
    struct yard yard;
    make_yard(&yard);
    log_set_level(LOG_LEVEL_INFO);
    char path[128];
    snprintf(path, sizeof path, "%s/log", yard.root);
    int saved = dup(STDERR_FILENO),
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert(saved >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    ck_assert_int_eq(mkdir(below(yard.root, "flags.json"), 0755), 0);
    set_target(&yard, 0, "files", "flags.json");
    apply(&yard, 1, DOCUMENT, 1);
    WAIT_FOR(status_of(&yard, "files").failures >= 3);
    ck_assert(is_at(&yard, "files", TARGET_RETRYING, 0));
    ck_assert_int_eq(rmdir(below(yard.root, "flags.json")), 0);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 1));
    ck_assert_uint_eq(status_of(&yard, "files").failures, 0);
    apply(&yard, 1, OTHER_DOCUMENT, 2);
    WAIT_FOR(is_at(&yard, "files", TARGET_IN_SYNC, 2));
    fleet_free(yard.fleet, PATIENCE);
    yard.fleet = NULL;
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    close(file);
    struct buffer text;
    buffer_init(&text, 0);
    ck_assert(slurp(path, &text));
    const char *lines = buffer_string(&text);
    ck_assert_uint_eq(
        occurrences(lines, "event=target_failed target=files environment=production error="), 1);
    ck_assert_uint_eq(
        occurrences(lines, "event=target_in_sync target=files environment=production"), 1);
    buffer_dispose(&text);
    leave(&yard);
}
END_TEST

struct ending {
    struct fleet *fleet;
    int64_t patience;
};

static void *end_fleet(void *context)
{
    const struct ending *ending = context;
    fleet_free(ending->fleet, ending->patience);
    return NULL;
}

START_TEST(test_what_is_under_way_is_finished)
{
    struct yard yard;
    make_yard(&yard);
    int lock = hold_folder(&yard);
    set_target(&yard, 0, "files", "flags.json");
    apply(&yard, 1, DOCUMENT, 1);
    WAIT_FOR(counted(&yard, &family_loop_iterations, "target", NULL) == 1);
    struct ending ending = {yard.fleet, 50 * NANOSECONDS_PER_SECOND};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, end_fleet, &ending), 0);
    close(lock);
    pthread_join(thread, NULL);
    yard.fleet = NULL;
    check_file(below(yard.root, "flags.json"), DOCUMENT);
    leave(&yard);
}
END_TEST

/* What hangs is given up; when it comes back, all that it may still use is its own. */
START_TEST(test_what_hangs_is_given_up)
{
    struct yard yard;
    make_yard(&yard);
    char url[64];
    int listener = make_silent_server(url), lock = hold_folder(&yard);
    set_target(&yard, 0, "files", "flags.json");
    set_target(&yard, 1, "dead", url);
    apply(&yard, 2, DOCUMENT, 1);
    WAIT_FOR(counted(&yard, &family_loop_iterations, "target", NULL) == 2);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(peer, 0);
    apply(&yard, 0, DOCUMENT, 2); /* removed ones are waited for too */
    fleet_free(yard.fleet, 20 * NANOSECONDS_PER_MILLISECOND);
    yard.fleet = NULL;
    telemetry_free(yard.telemetry);
    yard.telemetry = NULL;
    memset(&yard.reach, 0xff, sizeof yard.reach);
    memset(yard.targets, 0xff, sizeof yard.targets);
    /* It has asked, waits in vain, and goes. */
    char asked[1024];
    while (recv(peer, asked, sizeof asked, 0) > 0)
        ;
    ck_assert_int_ne(access(below(yard.root, "flags.json.meta.json"), F_OK), 0);
    close(lock);
    close(peer);
    close(listener);
    remove_folder(yard.root);
}
END_TEST

START_TEST(test_nothing_to_do)
{
    struct yard yard;
    make_yard(&yard);
    apply(&yard, 0, DOCUMENT, 1);
    struct target_status one;
    ck_assert_uint_eq(fleet_status(yard.fleet, &one, 1), 0);
    set_target(&yard, 0, "same", "a.json");
    set_target(&yard, 1, "same", "b.json");
    struct snapshot *snapshot = make_snapshot("production", make_document(DOCUMENT), 1, COMMIT_A);
    ck_assert_int_eq(fleet_apply(yard.fleet, yard.list, 2, snapshot), STATUS_INVALID);
    ck_assert_uint_eq(fleet_status(yard.fleet, &one, 1), 1);
    snapshot_release(snapshot);
    fleet_free(NULL, 0);
    leave(&yard);
}
END_TEST

UNIT_MAIN("fleet", test_targets_get_what_is_served, test_a_dead_redis_delays_nothing,
          test_the_latest_wins, test_a_removed_target_is_left_alone,
          test_a_removed_target_may_come_back, test_a_changed_definition,
          test_what_is_refused_waits_for_the_next_snapshot, test_an_environment_that_is_not_served,
          test_failures_are_retried_and_told_once, test_what_is_under_way_is_finished,
          test_what_hangs_is_given_up, test_nothing_to_do)
