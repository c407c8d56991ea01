#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../clock.h"

/* Any reaction will do, a TLS server's dismay too. */
static bool wait_for_reaction(int end, int wake, int patience)
{
    int64_t now = system_clock.monotonic(system_clock.self);
    const int64_t until = now + patience * NANOSECONDS_PER_MILLISECOND;
    for (; now < until; now = system_clock.monotonic(system_clock.self)) {
        struct pollfd waited[] = {{.fd = end, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
        int64_t left = (until - now) / NANOSECONDS_PER_MILLISECOND + 1;
        int ready = poll(waited, COUNT_OF(waited), (int)left);
        if (ready > 0)
            return !waited[1].revents;
        if (ready < 0 && errno != EINTR)
            return false;
    }
    return false;
}

bool probe_daemon(struct MHD_Daemon *daemon, int wake, int patience)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct sockaddr_in here = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return true; /* no descriptors: says nothing of the thread */
    /* Written before the other end is handed over: the pair holds it, however busy that side is. */
    bool sent = send(ends[1], request, sizeof request - 1, MSG_NOSIGNAL) > 0;
    bool taken = MHD_add_connection(daemon, ends[0], (const struct sockaddr *)&here, sizeof here) ==
                 MHD_YES; /* else it has closed it */
    bool alive = !sent || !taken || wait_for_reaction(ends[1], wake, patience);
    close(ends[1]);
    return alive;
}
