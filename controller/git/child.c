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
    int failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF);
    if (!failed)
        failed = posix_spawnattr_setsigmask(attributes, &none);
    return failed ? failed : posix_spawnattr_setsigdefault(attributes, &all);
}

/* What a child sees of the world. */
struct surroundings {
    char path[4200];
    char *list[8 + CHILD_VARIABLES_MAX + 1]; /* for posix_spawnp() */
    size_t count;
    char *copies[CHILD_VARIABLES_MAX]; /* owned */
    size_t copied;
};

static char standard[][32] = {"LC_ALL=C",
                              "TZ=UTC0",
                              "HOME=/nonexistent",
                              "GIT_CONFIG_NOSYSTEM=1",
                              "GIT_CONFIG_GLOBAL=/dev/null",
                              "GIT_TERMINAL_PROMPT=0"};

/* Takes the place of what has that name already. */
static void put(struct surroundings *surroundings, char *variable)
{
    size_t name = strcspn(variable, "=") + 1;
    for (size_t i = 0; i < surroundings->count; i++) {
        if (strncmp(surroundings->list[i], variable, name) == 0) {
            surroundings->list[i] = variable;
            return;
        }
    }
    surroundings->list[surroundings->count++] = variable;
}

static void drop(struct surroundings *surroundings, const char *name)
{
    size_t length = strlen(name), kept = 0;
    for (size_t i = 0; i < surroundings->count; i++) {
        char *variable = surroundings->list[i];
        if (strncmp(variable, name, length) != 0 || variable[length] != '=')
            surroundings->list[kept++] = variable;
    }
    surroundings->count = kept;
}

/* False without memory. */
static bool add(struct surroundings *surroundings, const char *variable)
{
    char *copy = NULL;
    bool whole = strchr(variable, '=') != NULL;
    const char *value = whole ? "" : getenv(variable);
    if (surroundings->copied == CHILD_VARIABLES_MAX)
        return false;
    if (!value) {
        drop(surroundings, variable);
        return true;
    }
    if (asprintf(&copy, "%s%s%s", variable, whole ? "" : "=", value) < 0)
        return false;
    surroundings->copies[surroundings->copied++] = copy;
    put(surroundings, copy);
    return true;
}

static bool surround(struct surroundings *surroundings, const struct child *child)
{
    const char *found = getenv("PATH");
    surroundings->count = surroundings->copied = 0;
    snprintf(surroundings->path, sizeof surroundings->path, "PATH=%s",
             found ? found : "/usr/local/bin:/usr/bin:/bin");
    put(surroundings, surroundings->path);
    for (size_t i = 0; i < COUNT_OF(standard); i++)
        put(surroundings, standard[i]);
    bool room = true;
    for (size_t i = 0; child->variables && child->variables[i] && room; i++)
        room = add(surroundings, child->variables[i]);
    surroundings->list[surroundings->count] = NULL;
    return room;
}

/* An errno; 0 with *pid. */
static int spawn_in(const struct child *child, char *const *environment, int input, const int *ends,
                    const int *files, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
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

static int spawn(const struct child *child, int input, const int *ends, const int *files,
                 pid_t *pid)
{
    struct surroundings surroundings;
    int failed = surround(&surroundings, child)
                     ? spawn_in(child, surroundings.list, input, ends, files, pid)
                     : ENOMEM;
    for (size_t i = 0; i < surroundings.copied; i++)
        free(surroundings.copies[i]);
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

static enum status fail_start(const struct child *child, int failed, struct error *error)
{
    const char *name = child->arguments[0];
    if (failed == ENOENT)
        return error_set(error, STATUS_NOT_FOUND, "there is no \"%s\" on PATH", name);
    return error_set(error, failed == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM,
                     "\"%s\" cannot be run: %s", name, strerror(failed));
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
    if (failed)
        return fail_start(child, failed, error);
    return judge(child, ended, wait_status, error);
}

enum status child_start(const struct child *child, int socket, pid_t *pid, struct error *error)
{
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int ends[3] = {-1, -1, -1};
    bool ready = nothing >= 0;
    for (size_t i = 0; i < COUNT_OF(ends) && ready; i++) {
        ends[i] = out_of_the_way(i == 2 ? nothing : socket);
        ready = ends[i] >= 0;
    }
    int failed = ready ? spawn(child, ends[0], ends + 1, child->files, pid) : errno;
    close_all(ends, COUNT_OF(ends));
    if (nothing >= 0)
        close(nothing);
    return failed ? fail_start(child, failed, error) : STATUS_OK;
}
