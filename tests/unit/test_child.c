/* Programs that are run for their result. */
#include "../../controller/git/child.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static struct error failure;

static enum status run_shell(const char *script, struct child *child)
{
    static const char *arguments[4];
    arguments[0] = "sh";
    arguments[1] = "-c";
    arguments[2] = script;
    child->arguments = arguments;
    if (!child->patience)
        child->patience = 30000;
    return child_run(child, &failure);
}

START_TEST(what_it_says_and_how_it_ends_is_told)
{
    struct child child = {.input = -1};
    ck_assert_int_eq(run_shell("echo out; echo err >&2; exit 7", &child), STATUS_OK);
    ck_assert_int_eq(child.code, 7);
    ck_assert_str_eq(child.output, "out\n");
    ck_assert_str_eq(child.problem, "err\n");
    ck_assert_int_eq(run_shell("cat", &child), STATUS_OK); /* its input is empty */
    ck_assert_str_eq(child.output, "");
}
END_TEST

START_TEST(what_it_says_too_much_is_dropped)
{
    struct child child = {.input = -1};
    ck_assert_int_eq(run_shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2", &child),
                     STATUS_OK);
    ck_assert_uint_eq(strlen(child.output), CHILD_OUTPUT_MAX - 1);
    ck_assert_str_eq(child.problem, "end\n");
}
END_TEST

/* Neither what we opened without thinking of it nor the variables that we were started with. */
START_TEST(it_gets_what_is_meant_for_it_and_nothing_else)
{
    int input = child_file(TEXT("in")), first = child_file(TEXT("one")),
        second = child_file(TEXT("two"));
    struct child child = {.input = input, .files = {first, second}, .file_count = 2};
    int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    ck_assert(input >= 0 && first >= 0 && second >= 0 && leaked >= 0);
    ck_assert_int_eq(dup2(leaked, 50), 50);
    setenv("WEIR_SECRET", "s3cret", 1);
    setenv("TZ", "Asia/Tokyo", 1);
    ck_assert_int_eq(run_shell("cat - /dev/fd/3 /dev/fd/4; echo /proc/$$/fd/*; echo "
                               "$WEIR_SECRET$TZ",
                               &child),
                     STATUS_OK);
    char expected[200];
    snprintf(expected, sizeof expected, "inonetwo");
    ck_assert_msg(strncmp(child.output, expected, strlen(expected)) == 0, "%s", child.output);
    ck_assert_ptr_nonnull(strstr(child.output, "/fd/4"));
    ck_assert_ptr_null(strstr(child.output, "/fd/50"));
    ck_assert_ptr_null(strstr(child.output, "s3cret"));
    ck_assert_ptr_nonnull(strstr(child.output, "\nUTC0\n"));
    close(50);
    close(leaked);
    close(input);
    close(first);
    close(second);
}
END_TEST

START_TEST(it_gets_the_variables_that_are_named)
{
    static const char *const variables[] = {"WEIR_OURS", "WEIR_NONE", "HOME", "TZ=Asia/Tokyo",
                                            NULL};
    struct child child = {.input = -1, .variables = variables};
    setenv("WEIR_OURS", "a b=c", 1);
    setenv("WEIR_OTHER", "no", 1);
    unsetenv("WEIR_NONE");
    unsetenv("HOME");
    ck_assert_int_eq(run_shell("env | grep -E '^(WEIR|HOME|TZ|LC_ALL)' | sort", &child), STATUS_OK);
    ck_assert_str_eq(child.output, "LC_ALL=C\nTZ=Asia/Tokyo\nWEIR_OURS=a b=c\n");
}
END_TEST

/* Blocked and ignored signals are ours, not its: it can be ended from a terminal. */
START_TEST(its_signals_are_as_they_were_made)
{
    sigset_t blocked, before;
    struct child child = {.input = -1};
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(run_shell("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2", &child),
                     STATUS_OK);
    char *ignored;
    ck_assert_uint_eq(strtoull(child.output, &ignored, 16), 0);
    /* Two that no program may use are the C library's own. */
    ck_assert_uint_eq(strtoull(ignored, NULL, 16) & 0x7fffffff, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
END_TEST

START_TEST(one_that_hangs_is_killed_with_its_own_children)
{
    char path[64] = "/tmp/weir-child-XXXXXX", script[200];
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    snprintf(script, sizeof script, "sleep 600 & echo $! >%s; sleep 600", path);
    char digits[24] = "";
    /* Again with more patience where it had no time to tell of its child. */
    for (int patience = 300; read(file, digits, sizeof digits - 1) <= 0; patience *= 6) {
        struct child child = {.input = -1, .patience = patience};
        ck_assert_int_lt(patience, 100000);
        ck_assert_int_eq(run_shell(script, &child), STATUS_SYSTEM);
        ck_assert_ptr_nonnull(strstr(failure.message, "did not end"));
    }
    pid_t left = (pid_t)strtol(digits, NULL, 10);
    for (int i = 0; i < 1000 && kill(left, 0) == 0; i++) { /* init may be slow to bury it */
        char stat[64], state = 'Z';
        snprintf(stat, sizeof stat, "/proc/%d/stat", (int)left);
        FILE *in = fopen(stat, "r");
        if (in && fscanf(in, "%*d %*s %c", &state) != 1)
            state = 'Z';
        if (in)
            fclose(in);
        if (state == 'Z')
            break;
        ck_assert_int_lt(i, 999);
        usleep(10000);
    }
    close(file);
    unlink(path);
}
END_TEST

/* A grandchild that keeps the pipes open does not keep us. */
START_TEST(what_it_leaves_behind_is_not_waited_for)
{
    struct child child = {.input = -1};
    ck_assert_int_eq(run_shell("sleep 600 & echo $!", &child), STATUS_OK);
    pid_t left = (pid_t)strtol(child.output, NULL, 10);
    ck_assert_int_gt(left, 0);
    ck_assert_int_eq(kill(left, SIGKILL), 0);
}
END_TEST

static void *stop_it(void *context)
{
    struct stat about;
    char **wanted = context;
    while (stat(wanted[0], &about) != 0) {
    }
    atomic_store((_Atomic bool *)wanted[1], true);
    return NULL;
}

START_TEST(one_can_be_stopped)
{
    char folder[64] = "/tmp/weir-child-XXXXXX", path[96], script[200];
    _Atomic bool stop = false;
    pthread_t thread;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/runs", folder);
    snprintf(script, sizeof script, "touch %s; sleep 600", path);
    char *wanted[] = {path, (char *)&stop};
    struct child child = {.input = -1, .stop = &stop};
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_it, wanted), 0);
    ck_assert_int_eq(run_shell(script, &child), STATUS_STOPPED);
    pthread_join(thread, NULL);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(what_is_not_there_is_told_from_what_fails)
{
    const char *const arguments[] = {"weir-no-such-program", NULL};
    struct child child = {.arguments = arguments, .input = -1, .patience = 30000};
    ck_assert_int_eq(child_run(&child, &failure), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(failure.message, "weir-no-such-program"));
    ck_assert_int_eq(run_shell("kill -9 $$", &child), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(failure.message, "signal 9"));
}
END_TEST

UNIT_MAIN("child", what_it_says_and_how_it_ends_is_told, what_it_says_too_much_is_dropped,
          it_gets_what_is_meant_for_it_and_nothing_else, it_gets_the_variables_that_are_named,
          its_signals_are_as_they_were_made, one_that_hangs_is_killed_with_its_own_children,
          what_it_leaves_behind_is_not_waited_for, one_can_be_stopped,
          what_is_not_there_is_told_from_what_fails)
