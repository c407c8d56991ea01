#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../clock.h"
#include "../write_file.h"

#define TICK_MS 100
#define SPARE 100 /* descriptors from here on are out of the way while 0, 1, 2, … are filled */

int child_file(struct text bytes)
{
    int file = memfd_create("weir", MFD_CLOEXEC);
    if (file < 0)
        return -1;
    if (write_all(file, bytes) && lseek(file, 0, SEEK_SET) == 0)
        return file;
    int why = errno;
    close(file);
    errno = why;
    return -1;
}

/* One of the child's outputs. */
struct outlet {
    int pipe;
    char *text;
    size_t length;
};

static void close_outlet(struct outlet *outlet)
{
    if (outlet->pipe >= 0)
        close(outlet->pipe);
    outlet->pipe = -1;
}

/* Reads what is there; closes the pipe at its end. */
static void drain(struct outlet *outlet)
{
    char bytes[4096];
    ssize_t got = read(outlet->pipe, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close_outlet(outlet);
        return;
    }
    size_t room = CHILD_OUTPUT_MAX - 1 - outlet->length;
    size_t taken = (size_t)got < room ? (size_t)got : room;
    memcpy(outlet->text + outlet->length, bytes, taken);
    outlet->length += taken;
    outlet->text[outlet->length] = '\0';
}

/* --- starting -------------------------------------------------------------------------------- */

/* Puts `from` at `to` in the child. Every source stands at SPARE or above, so that none is
 * overwritten before it was used. */
static int place(posix_spawn_file_actions_t *actions, int from, int to)
{
    return posix_spawn_file_actions_adddup2(actions, from, to);
}

static int arrange(posix_spawn_file_actions_t *actions, const struct child *child, int input,
                   const int *ends, const int *files)
{
    int failed = place(actions, input, 0);
    for (int i = 0; i < 2 && !failed; i++)
        failed = place(actions, ends[i], i + 1);
    for (size_t i = 0; i < child->file_count && !failed; i++)
        failed = place(actions, files[i], 3 + (int)i);
    return failed ? failed
                  : posix_spawn_file_actions_addclosefrom_np(actions, 3 + (int)child->file_count);
}

static int settle(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int failed = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failed)
        failed = posix_spawnattr_setpgroup(attributes, 0);
    if (!failed)
        failed = posix_spawnattr_setsigmask(attributes, &none);
    return failed ? failed : posix_spawnattr_setsigdefault(attributes, &all);
}

/* An errno; 0 with *pid. */
static int spawn(const struct child *child, int input, const int *ends, const int *files,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char path[4200];
    const char *found = getenv("PATH");
    snprintf(path, sizeof path, "PATH=%s", found ? found : "/usr/local/bin:/usr/bin:/bin");
    char locale[] = "LC_ALL=C", zone[] = "TZ=UTC0", home[] = "HOME=/nonexistent",
         system[] = "GIT_CONFIG_NOSYSTEM=1", global[] = "GIT_CONFIG_GLOBAL=/dev/null",
         quiet[] = "GIT_TERMINAL_PROMPT=0";
    char *const environment[] = {path, locale, zone, home, system, global, quiet, NULL};
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = arrange(&actions, child, input, ends, files);
        if (!failed)
            failed = settle(&attributes);
        if (!failed)
            failed = posix_spawnp(pid, child->arguments[0], &actions, &attributes,
                                  (char *const *)child->arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int out_of_the_way(int file)
{
    return fcntl(file, F_DUPFD_CLOEXEC, SPARE);
}

static void close_all(int *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i] >= 0)
            close(files[i]);
    }
}

static bool make_pipe(struct outlet *outlet, int *end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    outlet->pipe = ends[0];
    *end = out_of_the_way(ends[1]);
    int why = errno;
    close(ends[1]);
    errno = why;
    return *end >= 0;
}

/* An errno; 0 with *pid and two open outlets. */
static int start(const struct child *child, struct outlet *outlets, pid_t *pid)
{
    int files[3 + CHILD_FILES_MAX]; /* input, two ends of pipes, files: all at SPARE or above */
    const size_t count = 3 + child->file_count;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        files[i] = -1;
    int nothing = child->input < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : child->input;
    files[0] = nothing < 0 ? -1 : out_of_the_way(nothing);
    bool ready = files[0] >= 0;
    for (size_t i = 0; i < 2 && ready; i++)
        ready = make_pipe(&outlets[i], &files[1 + i]);
    for (size_t i = 0; i < child->file_count && ready; i++) {
        files[3 + i] = out_of_the_way(child->files[i]);
        ready = files[3 + i] >= 0;
    }
    int failed = ready ? spawn(child, files[0], files + 1, files + 3, pid) : errno;
    close_all(files, count);
    if (child->input < 0 && nothing >= 0)
        close(nothing);
    return failed;
}

/* --- waiting --------------------------------------------------------------------------------- */

static int64_t now(void)
{
    return system_clock.monotonic(system_clock.self);
}

static bool is_stopped(const struct child *child)
{
    return child->stop && atomic_load(child->stop);
}

/* Reads both outputs until the child has ended; false when it was not let end. */
static bool attend(const struct child *child, struct outlet *outlets, int pidfd)
{
    const int64_t until = now() + (int64_t)child->patience * NANOSECONDS_PER_MILLISECOND;
    struct pollfd polled[3];
    for (;;) {
        polled[0] = (struct pollfd){.fd = pidfd, .events = POLLIN};
        for (int i = 0; i < 2; i++)
            polled[1 + i] = (struct pollfd){.fd = outlets[i].pipe, .events = POLLIN};
        int ready = poll(polled, 3, TICK_MS);
        if (is_stopped(child) || now() > until || (ready < 0 && errno != EINTR))
            return false;
        if (ready <= 0)
            continue;
        bool spoke = false;
        for (int i = 0; i < 2; i++) {
            if (outlets[i].pipe >= 0 && polled[1 + i].revents) {
                drain(&outlets[i]);
                spoke = true;
            }
        }
        /* What it left behind may hold the pipes open for ever: its own end is the end. */
        if (!spoke && polled[0].revents)
            return true;
    }
}

static enum status judge(struct child *child, bool ended, int wait_status, struct error *error)
{
    const char *name = child->arguments[0];
    if (is_stopped(child))
        return error_set(error, STATUS_STOPPED, "\"%s\" was stopped", name);
    if (!ended)
        return error_set(error, STATUS_SYSTEM, "\"%s\" did not end within %u s", name,
                         (child->patience + 999) / 1000);
    if (!WIFEXITED(wait_status))
        return error_set(error, STATUS_SYSTEM, "\"%s\" was killed by signal %d", name,
                         WTERMSIG(wait_status));
    child->code = WEXITSTATUS(wait_status);
    return STATUS_OK;
}

enum status child_run(struct child *child, struct error *error)
{
    struct outlet outlets[2] = {{-1, child->output, 0}, {-1, child->problem, 0}};
    pid_t pid = -1;
    int wait_status = 0;
    child->output[0] = child->problem[0] = '\0';
    int failed = start(child, outlets, &pid);
    int pidfd = failed ? -1 : pidfd_open(pid, 0);
    bool ended = pidfd >= 0 && attend(child, outlets, pidfd);
    if (!failed) {
        if (!ended)
            kill(-pid, SIGKILL);
        while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
        }
    }
    if (pidfd >= 0)
        close(pidfd);
    for (size_t i = 0; i < COUNT_OF(outlets); i++)
        close_outlet(&outlets[i]);
    if (failed == ENOENT)
        return error_set(error, STATUS_NOT_FOUND, "there is no \"%s\" on PATH",
                         child->arguments[0]);
    if (failed)
        return error_set(error, STATUS_SYSTEM, "\"%s\" cannot be run: %s", child->arguments[0],
                         strerror(failed));
    return judge(child, ended, wait_status, error);
}
