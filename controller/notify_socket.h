/* notify_socket.h - what systemd is told: sd_notify's protocol over $NOTIFY_SOCKET, by ourselves.
 *
 * One datagram a message, lines of NAME=VALUE, to a socket in the file system or, with a leading
 * "@", to an abstract one. Without the variable nothing is sent and nothing fails. Nothing here
 * ever waits: a message that the socket has no room for is the caller's to send again. Thread-safe
 * but for opening and closing. */
#ifndef WEIR_NOTIFY_SOCKET_H
#define WEIR_NOTIFY_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "../rules/base.h"

#define NOTIFY_MESSAGE_MAX 1024

struct notify_socket {
    int socket; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t length;
    int64_t watchdog; /* nanoseconds within which WATCHDOG=1 is awaited; 0: it is not */
};

/* From the environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are removed from it,
 * so that no child takes them for its own. An address that is none is refused by STATUS_INVALID;
 * nobody listens then. */
enum status notify_socket_open(struct notify_socket *notify, struct error *error);
void notify_socket_close(struct notify_socket *notify);
static inline bool notify_socket_is_open(const struct notify_socket *notify)
{
    return notify->socket >= 0;
}
/* Sends one message; line feeds between its lines are the caller's. False: whoever listens has not
 * read what came before, and there is no room for more now. */
bool notify_socket_send(const struct notify_socket *notify, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
