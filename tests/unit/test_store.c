/* The suite of all stores, over SQLite; and what only a file can suffer. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_suite.h"

static char root[64];

static const char *suite_begin(void)
{
    make_folder(root);
    return root;
}

static void suite_end(void)
{
    remove_folder(root);
}

/* --- the file -------------------------------------------------------------------------------- */

/* What another program does to the file. */
static void meddle(const char *sql)
{
    sqlite3 *database;
    ck_assert_int_eq(sqlite3_open(below(root, "weir.db"), &database), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(database));
    ck_assert_int_eq(sqlite3_close(database), SQLITE_OK);
}

static bool is_there(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0;
}

/* `before` and `after` stand around the path of the file in the message. */
static void check_refused(enum status expected, const char *before, const char *after)
{
    struct store *store;
    char message[256];
    snprintf(message, sizeof message, "%s%s%s", before, below(root, "weir.db"), after);
    CHECK_FAILS(store_open(root, &store, error), expected, message);
    ck_assert_ptr_null(store);
}

START_TEST(test_the_file_is_its_owners_alone)
{
    struct stat about;
    struct store *store = open_store(suite_begin());
    ck_assert_int_eq(stat(below(root, "weir.db"), &about), 0);
    ck_assert_int_eq(about.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(below(root, "weir.db-wal"), &about), 0);
    ck_assert_int_eq(about.st_mode & 07777, 0600);
    store_close(store);
    char location[80];
    snprintf(location, sizeof location, "sqlite:%s", root);
    store_close(open_store(location));
    struct store *none;
    CHECK_FAILS(store_open("postgresql://me:secret@host/weir", &none, error), STATUS_INVALID,
                "no store is reached by 'postgresql://': name a folder for SQLite");
    suite_end();
}
END_TEST

START_TEST(test_a_newer_store_is_refused)
{
    store_close(open_store(suite_begin()));
    meddle("PRAGMA user_version = 7");
    check_refused(STATUS_REFUSED, "store '",
                  "' has version 7, this weir knows up to 2: run the newer weir that "
                  "wrote it");
    meddle("PRAGMA user_version = 2");
    store_close(open_store(root));
    suite_end();
}
END_TEST

START_TEST(test_an_older_store_is_brought_up_to_date)
{
    struct store *store = open_store(suite_begin());
    struct store_measurement kept = measurement_at(10);
    struct error error;
    kept.silent = true;
    ck_assert_int_eq(store_measurement_append(store, &kept, 1, &error), STATUS_OK);
    store_close(store);
    /* as version 1 left it */
    meddle("ALTER TABLE measurements DROP COLUMN silent; ALTER TABLE measurements DROP COLUMN "
           "mismatch; PRAGMA user_version = 1");
    store = open_store(root);
    struct buffer told;
    buffer_init(&told, 0);
    ck_assert_int_eq(store_measurement_all(store, kept.environment, kept.rollout, 0, 9,
                                           tell_measurement, &told, &error),
                     STATUS_OK);
    ck_assert_ptr_nonnull(strstr(buffer_string(&told), "10 on "));
    ck_assert_ptr_null(strstr(buffer_string(&told), "silent"));
    buffer_dispose(&told);
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(test_what_is_not_weirs_is_refused)
{
    (void)suite_begin();
    meddle("CREATE TABLE recipes (name TEXT)");
    check_refused(STATUS_REFUSED, "'", "' is not weir's: move it away, or name another folder");
    meddle("INSERT INTO recipes VALUES ('still there')");
    suite_end();
}
END_TEST

START_TEST(test_folders_that_are_none)
{
    struct store *store;
    (void)suite_begin();
    CHECK_FAILS(store_open("/nowhere", &store, error), STATUS_SYSTEM,
                "store '/nowhere/weir.db' cannot be made: No such file or directory");
    ck_assert_int_eq(mkdir(below(root, "weir.db"), 0755), 0);
    check_refused(STATUS_SYSTEM, "store '",
                  "' failed: unable to open database file: Is a directory");
    suite_end();
}
END_TEST

/* --- damage ---------------------------------------------------------------------------------- */

static void overwrite(const char *path, off_t place, const char *bytes, size_t length)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, bytes, length, place), (ssize_t)length);
    close(file);
}

START_TEST(test_a_damaged_store_is_set_aside_and_kept)
{
    char kept[256], again[256], expected[128];
    struct store_override override = override_numbered(1);
    struct store *store = open_store(suite_begin());
    CHECK_OK(store_override_put(store, &override, error));
    store_close(store);
    overwrite(below(root, "weir.db"), 0, "not a database!!", 16);
    check_refused(STATUS_INVALID, "store '", "' is damaged: file is not a database");
    ck_assert(is_there(below(root, "weir.db")));
    spill(below(root, "weir.db-wal"), "a log that must not be played into a new file");
    CHECK_OK(store_set_aside(root, 1795383000, kept, sizeof kept, error));
    snprintf(expected, sizeof expected, "%s/weir.db.damaged-20261122T213000Z", root);
    ck_assert_str_eq(kept, expected);
    ck_assert(is_there(kept) && !is_there(below(root, "weir.db")) &&
              !is_there(below(root, "weir.db-wal")));
    check_file(below(root, "weir.db.damaged-20261122T213000Z-wal"),
               "a log that must not be played into a new file");
    /* A new one begins, and at the same second there can be another. */
    store = open_store(root);
    CHECK_OVERRIDES(store, "");
    store_close(store);
    CHECK_OK(store_set_aside(root, 1795383000, again, sizeof again, error));
    ck_assert_str_eq(again + strlen(again) - 3, "Z-2");
    ck_assert(is_there(kept) && is_there(again));
    char problem[200];
    snprintf(problem, sizeof problem,
             "store '%s/weir.db' cannot be set aside: No such file or directory", root);
    CHECK_FAILS(store_set_aside(root, 1795383000, again, sizeof again, error), STATUS_NOT_FOUND,
                problem);
    suite_end();
}
END_TEST

/* Pages in the middle: those of overrides are checked at the start, others when they are used. */
START_TEST(test_damage_within_is_found)
{
    static const char garbage[4096] = {0x7f, 1, 2, 3};
    struct store *store = open_store(suite_begin());
    for (unsigned i = 0; i < 200; i++) {
        struct store_override override = override_numbered(i);
        CHECK_OK(store_override_put(store, &override, error));
    }
    store_close(store);
    struct stat about;
    ck_assert_int_eq(stat(below(root, "weir.db"), &about), 0);
    unsigned found = 0, pages = 0;
    for (off_t place = 4096; place < about.st_size; place += 4096) {
        char before[4096], path[128];
        snprintf(path, sizeof path, "%s", below(root, "weir.db"));
        int file = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(pread(file, before, sizeof before, place), sizeof before);
        close(file);
        overwrite(path, place, garbage, sizeof garbage);
        struct error error = {0};
        enum status status = store_open(root, &store, &error);
        if (status == STATUS_OK) {
            store_close(store);
        } else {
            ck_assert_int_eq(status, STATUS_INVALID);
            ck_assert_ptr_nonnull(strstr(error.message, "' is damaged: "));
            found++;
        }
        pages++;
        overwrite(path, place, before, sizeof before);
    }
    /* Eight tables and indices are empty here, and may be broken unseen. */
    ck_assert_msg(found + 16 >= pages && found > 10, "%u of %u", found, pages);
    store = open_store(root);
    store_close(store);
    suite_end();
}
END_TEST

/* --- kill -9 --------------------------------------------------------------------------------- */

/* Puts overrides and says each number when it is acknowledged, until it is killed. */
static _Noreturn void put_for_ever(int report, unsigned first)
{
    struct store *store;
    if (store_open(root, &store, NULL) != STATUS_OK)
        _exit(1);
    for (unsigned number = first;; number++) {
        struct store_override override = override_numbered(number);
        if (store_override_put(store, &override, NULL) != STATUS_OK ||
            write(report, &number, sizeof number) != sizeof number)
            _exit(2);
    }
}

static bool count_override(void *context, const struct store_override *override)
{
    unsigned *seen = context;
    ck_assert_uint_eq(override->seq, *seen); /* no hole */
    (*seen)++;
    return true;
}

START_TEST(test_every_acknowledged_put_outlives_kill_9)
{
    unsigned next = 0;
    (void)suite_begin();
    for (unsigned round = 0; round < 8; round++) {
        int pipes[2];
        unsigned number, acknowledged = next;
        ck_assert_int_eq(pipe(pipes), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            close(pipes[0]);
            put_for_ever(pipes[1], next);
        }
        close(pipes[1]);
        /* It is killed after some more than the last time, wherever it is by then. */
        bool killed = false;
        while (read(pipes[0], &number, sizeof number) == sizeof number) {
            ck_assert_uint_eq(number, acknowledged);
            acknowledged++;
            if (!killed && acknowledged - next > 5 + 7 * round) {
                ck_assert_int_eq(kill(child, SIGKILL), 0);
                killed = true;
            }
        }
        close(pipes[0]);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct store *store = open_store(root);
        unsigned seen = 0;
        CHECK_OK(store_override_each(store, count_override, &seen, error));
        store_close(store);
        /* One may have been put and not said. */
        ck_assert_msg(seen == acknowledged || seen == acknowledged + 1, "%u acknowledged, %u there",
                      acknowledged, seen);
        next = seen;
    }
    suite_end();
}
END_TEST

/* --- several processes ----------------------------------------------------------------------- */

static _Noreturn void work_beside_others(unsigned who)
{
    struct store *store;
    if (store_open(root, &store, NULL) != STATUS_OK)
        _exit(1);
    for (unsigned i = 0; i < 50; i++) {
        struct store_override override = override_numbered(who * 1000 + i);
        struct store_measurement measurement = measurement_at(who * 1000 + i);
        struct store_notice notice = notice_numbered(i); /* the same of everyone */
        if (store_override_put(store, &override, NULL) != STATUS_OK ||
            store_measurement_append(store, &measurement, 1, NULL) != STATUS_OK ||
            store_outbox_append(store, &notice, NULL) != STATUS_OK)
            _exit(2);
    }
    store_close(store);
    _exit(0);
}

static bool count_rows(void *context, const struct store_override *override)
{
    (void) override;
    ++*(unsigned *)context;
    return true;
}

START_TEST(test_several_processes_make_and_use_one_store)
{
    pid_t children[3];
    unsigned seen = 0;
    (void)suite_begin();
    for (unsigned i = 0; i < COUNT_OF(children); i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] == 0)
            work_beside_others(i);
    }
    for (unsigned i = 0; i < COUNT_OF(children); i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %u: %x", i, status);
    }
    struct store *store = open_store(root);
    CHECK_OK(store_override_each(store, count_rows, &seen, error));
    ck_assert_uint_eq(seen, 150);
    check_counts(store, 50, 0, 100);
    store_close(store);
    suite_end();
}
END_TEST

static _Atomic unsigned written;
static _Atomic bool has_enough;

/* As who keeps evidence of a thousand rollouts does: one call after the other. */
static void *write_evidence(void *handle)
{
    const struct store_evidence_key key = {.environment = TEXT("production"),
                                           .rollout = TEXT("checkout-v2"),
                                           .metric = TEXT("errors"),
                                           .run = 1,
                                           .phase = TEXT("ten")};
    static const char bytes[3000];
    struct error error;
    while (!has_enough && store_evidence_put(handle, &key, 1, (struct text){bytes, sizeof bytes},
                                             1000, &error) == STATUS_OK)
        written++;
    return NULL;
}

/* An override is served once it is kept: it must not wait until nobody writes for a moment. */
START_TEST(test_who_writes_all_the_time_keeps_no_other_from_it)
{
    struct store *busy = open_store(suite_begin()), *store = open_store(root);
    pthread_t thread;
    has_enough = false;
    written = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_evidence, busy), 0);
    while (written == 0)
        sched_yield();
    written = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct store_override override = override_numbered(i);
        CHECK_OK(store_override_put(store, &override, error));
    }
    unsigned meanwhile = written;
    has_enough = true;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_gt(meanwhile, 0);
    ck_assert_uint_lt(meanwhile, 1000); /* in turn they are some forty */
    store_close(store);
    store_close(busy);
    suite_end();
}
END_TEST

/* --- disks ----------------------------------------------------------------------------------- */

/* Puts large overrides until one fails; returns how many were acknowledged. */
static unsigned put_until_full(struct store *store, struct error *error)
{
    static char bytes[100000];
    for (unsigned number = 0; number < 1000; number++) {
        struct store_override override = override_numbered(number);
        override.fragment = (struct text){bytes, sizeof bytes};
        if (store_override_put(store, &override, error) != STATUS_OK)
            return number;
    }
    ck_abort_msg("the disk never filled up");
    return 0;
}

static void check_full(struct store *store)
{
    struct error why = {0};
    char expected[128];
    unsigned put = put_until_full(store, &why), seen = 0;
    snprintf(expected, sizeof expected, "store '%s/weir.db' cannot grow: the disk is full", root);
    ck_assert_str_eq(why.message, expected);
    ck_assert_int_eq(why.status, STATUS_SYSTEM);
    ck_assert_uint_gt(put, 0);
    CHECK_OK(store_override_each(store, count_rows, &seen, error));
    ck_assert_uint_eq(seen, put);
}

/* A put of what is small works again when there is room. */
static void check_recovers(struct store *store)
{
    struct store_override override = override_numbered(5000);
    CHECK_OK(store_override_put(store, &override, error));
    store_close(store);
    store = open_store(root);
    CHECK_OK(store_override_get(store, override.intent, compare_override, &override, error));
    store_close(store);
}

START_TEST(test_a_file_that_may_not_grow)
{
    struct rlimit before, tight;
    struct store *store = open_store(suite_begin());
    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 1000000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    check_full(store);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_recovers(store);
    suite_end();
}
END_TEST

/* A small file system of its own at `root`; false where one may not be had. */
static bool mount_small(void)
{
    if (mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=2m,mode=0700") == 0)
        return true;
    printf("skipped: no tmpfs can be mounted here (%s)\n", strerror(errno));
    return false;
}

START_TEST(test_a_disk_that_is_full)
{
    (void)suite_begin();
    if (mount_small()) {
        static char bytes[500000];
        FILE *ballast = fopen(below(root, "ballast"), "wb");
        ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes, ballast), sizeof bytes);
        ck_assert_int_eq(fclose(ballast), 0);
        struct store *store = open_store(root);
        check_full(store);
        ck_assert_int_eq(unlink(below(root, "ballast")), 0);
        check_recovers(store);
        ck_assert_int_eq(umount(root), 0);
    }
    suite_end();
}
END_TEST

START_TEST(test_a_disk_that_may_not_be_written)
{
    (void)suite_begin();
    if (mount_small()) {
        struct store_override override = override_numbered(1);
        struct store *store = open_store(root);
        CHECK_OK(store_override_put(store, &override, error));
        store_close(store);
        ck_assert_int_eq(mount("tmpfs", root, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
        check_refused(STATUS_SYSTEM, "store '", "' is not writable");
        ck_assert_int_eq(mount("tmpfs", root, "tmpfs", MS_REMOUNT, "size=2m"), 0);
        store = open_store(root);
        CHECK_OVERRIDES(store, "1001 in whole closed=0\n");
        store_close(store);
        ck_assert_int_eq(umount(root), 0);
    }
    suite_end();
}
END_TEST

UNIT_MAIN("store", STORE_SUITE, test_the_file_is_its_owners_alone, test_a_newer_store_is_refused,
          test_an_older_store_is_brought_up_to_date, test_what_is_not_weirs_is_refused,
          test_folders_that_are_none, test_a_damaged_store_is_set_aside_and_kept,
          test_damage_within_is_found, test_every_acknowledged_put_outlives_kill_9,
          test_several_processes_make_and_use_one_store,
          test_who_writes_all_the_time_keeps_no_other_from_it, test_a_file_that_may_not_grow,
          test_a_disk_that_is_full, test_a_disk_that_may_not_be_written)
