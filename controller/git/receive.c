#include "receive.h"

#include <errno.h>
#include <git2/sys/transport.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "owner.h"
#include "watch.h"

struct subtransport;

struct stream {
    git_smart_subtransport_stream parent;
    struct subtransport *over;
};

/* The one child and the socket that leads to it. */
struct subtransport {
    git_smart_subtransport parent;
    struct receiver *receiver;
    struct watch *watch;
    struct stream *stream; /* owned by libgit2 while there is one; NULL: none */
    int socket;            /* -1: none */
    pid_t pid;             /* 0: none */
};

static int fail(const char *words)
{
    char message[200];
    snprintf(message, sizeof message, "%s: %s", words, strerror(errno));
    git_error_set_str(GIT_ERROR_NET, message);
    return -1;
}

/* --- reading and writing --------------------------------------------------------------------- */

static int stream_read(git_smart_subtransport_stream *parent, char *bytes, size_t size, size_t *got)
{
    const struct subtransport *over = ((struct stream *)parent)->over;
    ssize_t length;
    do
        length = recv(over->socket, bytes, size, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return fail("no answer from \"git receive-pack\"");
    watch_note_activity(over->watch);
    *got = (size_t)length;
    return 0;
}

static int stream_write(git_smart_subtransport_stream *parent, const char *bytes, size_t length)
{
    const struct subtransport *over = ((struct stream *)parent)->over;
    while (length > 0) {
        ssize_t sent = send(over->socket, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return fail("nothing can be sent to \"git receive-pack\"");
        watch_note_activity(over->watch);
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static void stream_free(git_smart_subtransport_stream *parent)
{
    struct stream *stream = (struct stream *)parent;
    stream->over->stream = NULL;
    free(stream);
}

/* --- the child ------------------------------------------------------------------------------- */

/* What its hooks would see if a person had pushed; not what says where a repository is. */
static const char *const inherited[] = {"HOME",
                                        "USER",
                                        "LOGNAME",
                                        "TMPDIR",
                                        "LANG",
                                        "XDG_CONFIG_HOME",
                                        "SSH_AUTH_SOCK",
                                        "GIT_CONFIG_GLOBAL",
                                        "GIT_CONFIG_SYSTEM",
                                        "GIT_CONFIG_NOSYSTEM",
                                        "GIT_EXEC_PATH"};

/* Of the one repository that it is given; the owner was allowed by name. */
static const char *const trusting[] = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
                                       "GIT_CONFIG_VALUE_0=*"};

static enum status start(struct subtransport *over, int socket)
{
    const char *variables[COUNT_OF(inherited) + COUNT_OF(trusting) + 1];
    const char *const arguments[] = {"git", "receive-pack", over->receiver->path, NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(inherited); i++)
        variables[count++] = inherited[i];
    bool trusted = owner_is_allowed(over->receiver->access, over->receiver->path);
    for (size_t i = 0; trusted && i < COUNT_OF(trusting); i++)
        variables[count++] = trusting[i];
    variables[count] = NULL;
    const struct child child = {.arguments = arguments, .variables = variables};
    return child_start(&child, socket, &over->pid, &over->receiver->error);
}

/* git would end without a word that reaches us. */
static int check_repository(const struct receiver *receiver)
{
    git_repository *repository = NULL;
    owner_begin(receiver->access, receiver->path);
    int code = git_repository_open(&repository, receiver->path);
    owner_end();
    git_repository_free(repository);
    return code;
}

static int connect_child(struct subtransport *over)
{
    int ends[2];
    int code = check_repository(over->receiver);
    if (code != 0)
        return code;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail("no connection to \"git receive-pack\" can be made");
    enum status status = start(over, ends[1]);
    close(ends[1]);
    if (status == STATUS_OK && watch_attach(over->watch, ends[0])) {
        over->socket = ends[0];
        return 0;
    }
    close(ends[0]);
    if (status == STATUS_OK)
        errno = ENOMEM;
    return status == STATUS_OK
               ? fail("\"git receive-pack\" cannot be watched")
               : (git_error_set_str(GIT_ERROR_OS, over->receiver->error.message), -1);
}

static bool has_ended(struct subtransport *over)
{
    int ignored;
    pid_t ended = waitpid(over->pid, &ignored, WNOHANG);
    return ended == over->pid || (ended < 0 && errno != EINTR);
}

/* It has said what became of the push, and may still run hooks that want to say something. Then it
 * ends by itself; what hangs, is ended. */
static void await_end(struct subtransport *over)
{
    char dropped[4096];
    unsigned idle = 0;
    bool open = true;
    shutdown(over->socket, SHUT_WR);
    while (!has_ended(over)) {
        struct pollfd polled = {.fd = open ? over->socket : -1, .events = POLLIN};
        int ready = poll(&polled, 1, open ? WATCH_TICK_MS : 1);
        if (ready > 0) {
            ssize_t got = recv(over->socket, dropped, sizeof dropped, MSG_DONTWAIT);
            open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
            watch_note_activity(over->watch);
            idle = 0;
            continue;
        }
        idle += open ? WATCH_TICK_MS : 1;
        if (watch_is_over(over->watch) || idle > over->watch->limits.patience) {
            kill(-over->pid, SIGKILL);
            while (waitpid(over->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            return;
        }
    }
}

/* --- what libgit2 calls ---------------------------------------------------------------------- */

/* One connection serves both: listing the refs, then receiving. */
static int subtransport_action(git_smart_subtransport_stream **out, git_smart_subtransport *parent,
                               const char *url, git_smart_service_t action)
{
    struct subtransport *over = (struct subtransport *)parent;
    (void)url;
    if (action == GIT_SERVICE_RECEIVEPACK && over->stream) {
        *out = &over->stream->parent;
        return 0;
    }
    if (action != GIT_SERVICE_RECEIVEPACK_LS || over->stream || over->socket >= 0) {
        git_error_set_str(GIT_ERROR_NET, "\"git receive-pack\" is asked for something else");
        return -1;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        git_error_set_oom();
        return -1;
    }
    int code = connect_child(over);
    if (code != 0) {
        free(stream);
        return code;
    }
    stream->over = over;
    stream->parent = (git_smart_subtransport_stream){
        .subtransport = parent, .read = stream_read, .write = stream_write, .free = stream_free};
    over->stream = stream;
    *out = &stream->parent;
    return 0;
}

static int subtransport_close(git_smart_subtransport *parent)
{
    struct subtransport *over = (struct subtransport *)parent;
    if (over->socket >= 0) {
        await_end(over);
        watch_detach(over->watch, over->socket);
        close(over->socket);
    }
    over->socket = -1;
    over->pid = 0;
    return 0;
}

static void subtransport_free(git_smart_subtransport *parent)
{
    subtransport_close(parent);
    free(parent);
}

static int subtransport_new(git_smart_subtransport **out, git_transport *owner, void *receiver)
{
    struct subtransport *over = calloc(1, sizeof *over);
    (void)owner;
    if (!over) {
        git_error_set_oom();
        return -1;
    }
    over->parent = (git_smart_subtransport){
        .action = subtransport_action, .close = subtransport_close, .free = subtransport_free};
    over->receiver = receiver;
    over->watch = watch_current();
    over->socket = -1;
    *out = &over->parent;
    return 0;
}

int receiver_transport(git_transport **out, git_remote *owner, struct receiver *receiver)
{
    git_smart_subtransport_definition definition = {
        .callback = subtransport_new, .rpc = 0, .param = receiver};
    return git_transport_smart(out, owner, &definition);
}
