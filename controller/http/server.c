#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../telemetry_families.h"
#include "events.h"
#include "exchange.h"
#include "gate.h"
#include "listen.h"
#include "probe.h"

/* A request's head must fit into it. The library clears all of it after each request, so more costs
 * time. */
#define CONNECTION_MEMORY ((size_t)16 << 10)
#define CONNECTIONS_MAX 10000 /* besides event streams */
#define THREADS_MAX 256

struct thread {
    struct MHD_Daemon *daemon;
    int quiesced; /* its listening descriptor once that is ours to close, else -1 */
};

/* One daemon a thread, all on one listening socket, and not the library's pool: taking the socket
 * away from a pool races with its threads, and the loser of that race aborts the process
 * (MHD_quiesce_daemon in 0.9.75). */
struct http_server {
    struct http_parts parts;
    struct gate gate;
    struct traffic traffic;
    struct thread *threads;
    unsigned thread_count;
    int listener;
    unsigned connections; /* at most so many, of all threads together */
};

/* How long a stop waits for the last bytes of event streams. */
#define PATIENCE_STREAMS NANOSECONDS_PER_SECOND

/* --- start ----------------------------------------------------------------------------------- */

/* Most of the descriptors that the process may have; the rest is for Git, targets and files. */
static unsigned connection_limit(unsigned wanted)
{
    struct rlimit limit;
    if (wanted == 0)
        wanted = CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur / 4 * 3 > wanted)
        return wanted;
    return limit.rlim_cur > 16 ? (unsigned)(limit.rlim_cur / 4 * 3) : 16;
}

static unsigned threads_for(unsigned threads)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads == 0)
        threads = cores > 0 ? (unsigned)cores : 1;
    return threads < THREADS_MAX ? threads : THREADS_MAX;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, unsigned connections)
{
    /* Each has a descriptor of its own to close. One that does not start may have closed it already
     * or not; then it is left alone, for its number may be somebody else's by now. */
    int listener = fcntl(server->listener, F_DUPFD_CLOEXEC, 0);
    if (listener < 0)
        return NULL;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_IDLE_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)exchange_keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_connection, &server->traffic},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_completed, &server->traffic},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)tls_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(server->gate.tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL,
                            exchange_answer, &server->traffic, MHD_OPTION_ARRAY, options,
                            server->gate.tls ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls,
                            MHD_OPTION_END);
}

static bool start_threads(struct http_server *server, unsigned threads)
{
    server->threads = calloc(threads, sizeof *server->threads);
    if (!server->threads)
        return false;
    /* They take no signals: those are for the thread that waits for them. */
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    unsigned connections = server->connections / threads;
    if (connections == 0)
        connections = 1;
    while (server->thread_count < threads) {
        struct MHD_Daemon *daemon = start_daemon(server, connections);
        if (!daemon)
            break;
        server->threads[server->thread_count++] = (struct thread){daemon, -1};
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server->thread_count == threads;
}

/* Streams never take the last quarter of the connections: who evaluates must find one. */
static bool start_events(struct http_server *server)
{
    unsigned room = server->connections / 4 * 3, most = server->parts.event_streams;
    return most == 0 || events_start(&server->parts, most < room ? most : room,
                                     &server->parts.events) == STATUS_OK;
}

static void server_free(struct http_server *server)
{
    events_end(server->parts.events, 0);
    for (unsigned i = 0; i < server->thread_count; i++) {
        MHD_stop_daemon(server->threads[i].daemon);
        if (server->threads[i].quiesced >= 0)
            close(server->threads[i].quiesced);
    }
    free(server->threads);
    connections_free(server->traffic.connections);
    events_free(server->parts.events);
    traffic_dispose(&server->traffic);
    gate_dispose(&server->gate);
    close(server->listener);
    free(server);
}

static void tick(void *context, int64_t now)
{
    struct gate *gate = context;
    wholes_expire(gate->wholes, now);
}

static bool watch_connections(struct http_server *server)
{
    const struct http_settings *settings = server->gate.settings;
    const struct connections_parts parts = {
        .clock = server->parts.clock,
        .per_address = settings->connections_per_address,
        .timeout = settings->request_timeout ? settings->request_timeout : HTTP_REQUEST_TIMEOUT,
        .slow = telemetry_series(server->parts.telemetry, &family_http_cut, "slow", NULL),
        .crowded = telemetry_series(server->parts.telemetry, &family_http_cut, "crowded", NULL),
        .tick = tick,
        .context = &server->gate,
    };
    server->traffic.connections = connections_new(&parts);
    return server->traffic.connections != NULL;
}

/* Takes over `listener` in any case. */
static enum status server_new(const struct http_parts *parts, int listener,
                              struct http_server **out, struct error *error)
{
    static const struct http_settings defaults;
    struct http_server *server = calloc(1, sizeof *server);
    if (!server || traffic_init(&server->traffic, &server->parts) != STATUS_OK) {
        free(server);
        close(listener);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    server->parts = *parts;
    server->parts.gate = &server->gate;
    server->listener = listener;
    const struct http_settings *settings = parts->settings ? parts->settings : &defaults;
    unsigned wanted =
        settings->connections ? settings->connections : CONNECTIONS_MAX + parts->event_streams;
    server->connections = connection_limit(wanted);
    enum status status = gate_init(&server->gate, settings, parts->clock, listener, error);
    if (status == STATUS_OK && !watch_connections(server))
        status = error_set(error, STATUS_SYSTEM, "cannot start a thread for connections");
    if (status)
        server_free(server);
    else
        *out = server;
    return status;
}

enum status http_server_start(const struct http_parts *parts, const char *listen, unsigned threads,
                              char address[64], struct http_server **out, struct error *error)
{
    int listener = -1;
    enum status status = listen_open(listen, &listener, address, error);
    if (status)
        return status;
    struct http_server *server = NULL;
    status = server_new(parts, listener, &server, error);
    if (!server)
        return status;
    errno = 0;
    if (!start_events(server) || !start_threads(server, threads_for(threads))) {
        status = error_set(error, STATUS_SYSTEM, "cannot serve on '%.64s': %s", address,
                           errno ? strerror(errno) : "the HTTP library did not start");
        server_free(server);
        return status;
    }
    *out = server;
    return STATUS_OK;
}

void http_server_reload(struct http_server *server)
{
    gate_reload(&server->gate);
}

bool http_server_is_alive(struct http_server *server, int wake, int patience)
{
    for (unsigned i = 0; i < server->thread_count; i++)
        if (!probe_daemon(server->threads[i].daemon, wake, patience))
            return false;
    return true;
}

/* --- stop ------------------------------------------------------------------------------------ */

/* Connections that the kernel has taken and the library has not: their clients believe to be
 * served. */
static void take_waiting(struct http_server *server)
{
    unsigned next = 0;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        int connection = accept4(server->listener, (struct sockaddr *)&peer, &length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection < 0)
            return;
        /* Where it fails it closes the socket, which is all that can be done. */
        (void)MHD_add_connection(server->threads[next].daemon, connection, (struct sockaddr *)&peer,
                                 length);
        if (++next == server->thread_count)
            next = 0;
    }
}

/* Until each thread has gone round once: it has read by then what had come before. On a machine
 * that is busy that takes longer than any lull. */
static void await_threads(struct http_server *server, int64_t deadline)
{
    const struct clock *clock = server->parts.clock;
    for (unsigned i = 0; i < server->thread_count; i++) {
        int64_t left = deadline - clock->monotonic(clock->self);
        if (left > 0)
            (void)probe_daemon(server->threads[i].daemon, -1,
                               (int)(left / NANOSECONDS_PER_MILLISECOND) + 1);
    }
}

void http_server_stop(struct http_server *server, int64_t patience)
{
    if (!server)
        return;
    const struct clock *clock = server->parts.clock;
    int64_t deadline = clock->monotonic(clock->self) + patience;
    traffic_drain(&server->traffic);
    for (unsigned i = 0; i < server->thread_count; i++)
        server->threads[i].quiesced = MHD_quiesce_daemon(server->threads[i].daemon);
    take_waiting(server);
    int64_t streams = clock->monotonic(clock->self) + PATIENCE_STREAMS;
    events_end(server->parts.events, streams < deadline ? streams : deadline);
    traffic_wait(&server->traffic, deadline);
    await_threads(server, deadline);
    traffic_wait(&server->traffic, deadline);
    server_free(server);
}
