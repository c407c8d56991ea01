#include "notify_socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

/* A whole number of the environment; false when it is none. */
static bool read_number(const char *name, uint64_t *out)
{
    const char *text = getenv(name);
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && !*end;
}

/* 0 where none is asked for, or of another process. */
static int64_t read_watchdog(void)
{
    uint64_t process, microseconds;
    if (getenv("WATCHDOG_PID") &&
        (!read_number("WATCHDOG_PID", &process) || process != (uint64_t)getpid()))
        return 0;
    if (!read_number("WATCHDOG_USEC", &microseconds) || microseconds > INT64_MAX / 1000)
        return 0;
    return (int64_t)microseconds * 1000;
}

static bool read_address(const char *text, struct notify_socket *notify)
{
    size_t length = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || length < 2 ||
        length >= sizeof notify->address.sun_path)
        return false;
    notify->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(notify->address.sun_path, text, length + 1);
    if (text[0] == '@')
        notify->address.sun_path[0] = '\0';
    /* An abstract name is as long as it says: no NUL ends it. */
    notify->length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '@' ? 0 : 1));
    return true;
}

enum status notify_socket_open(struct notify_socket *notify, struct error *error)
{
    const char *text = getenv("NOTIFY_SOCKET");
    enum status status = STATUS_OK;
    *notify = (struct notify_socket){.socket = -1};
    if (text && *text) {
        if (!read_address(text, notify))
            status = error_set(error, STATUS_INVALID,
                               "NOTIFY_SOCKET=\"%.100s\" is neither a path nor \"@NAME\"", text);
        else if ((notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
            status = error_set(error, STATUS_SYSTEM, "no socket to notify by: %s", strerror(errno));
        else
            notify->watchdog = read_watchdog();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return status;
}

void notify_socket_close(struct notify_socket *notify)
{
    if (notify->socket >= 0)
        close(notify->socket);
    notify->socket = -1;
}

bool notify_socket_send(const struct notify_socket *notify, const char *format, ...)
{
    char message[NOTIFY_MESSAGE_MAX];
    va_list arguments;
    if (notify->socket < 0)
        return true;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length <= 0)
        return true;
    size_t size = (size_t)length < sizeof message ? (size_t)length : sizeof message - 1;
    ssize_t sent;
    do
        sent = sendto(notify->socket, message, size, MSG_NOSIGNAL | MSG_DONTWAIT,
                      (const struct sockaddr *)&notify->address, notify->length);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}
