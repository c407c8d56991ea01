#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

enum status listen_parse(const char *text, char host[256], uint16_t *port, struct error *error)
{
    const char *colon = strrchr(text, ':');
    const char *start = text, *end = colon;
    if (!colon)
        return error_set(error, STATUS_INVALID, "'%.100s' has no port; write ADDRESS:PORT", text);
    if (*text == '[') {
        start = text + 1;
        end = colon > start ? colon - 1 : text;
        if (*end != ']')
            return error_set(error, STATUS_INVALID, "'%.100s' is not an address; write [IPV6]:PORT",
                             text);
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return error_set(error, STATUS_INVALID,
                         "'%.100s' is ambiguous; write an IPv6 address in brackets: [IPV6]:PORT",
                         text);
    }
    size_t length = (size_t)(end - start);
    if (length > 255)
        return error_set(error, STATUS_INVALID, "'%.100s' is too long for an address", text);
    uint32_t number = 0;
    size_t digits = strspn(colon + 1, "0123456789");
    for (size_t i = 0; i < digits && number <= 65535; i++)
        number = number * 10 + (uint32_t)(colon[1 + i] - '0');
    if (digits == 0 || colon[1 + digits] != '\0' || number > 65535)
        return error_set(error, STATUS_INVALID, "'%.100s' is not a port; write 0 to 65535",
                         colon + 1);
    memcpy(host, start, length);
    host[length] = '\0';
    *port = (uint16_t)number;
    return STATUS_OK;
}

static enum status describe(int descriptor, char address[64], struct error *error)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } taken = {.in6 = {0}};
    socklen_t length = sizeof taken;
    char host[INET6_ADDRSTRLEN] = "";
    if (getsockname(descriptor, &taken.any, &length) != 0)
        return error_set(error, STATUS_SYSTEM, "cannot tell the address listened on: %s",
                         strerror(errno));
    bool brackets = taken.any.sa_family == AF_INET6;
    const void *number = brackets ? (const void *)&taken.in6.sin6_addr : &taken.in4.sin_addr;
    if (!inet_ntop(taken.any.sa_family, number, host, sizeof host))
        return error_set(error, STATUS_SYSTEM, "cannot spell the address listened on: %s",
                         strerror(errno));
    snprintf(address, 64, brackets ? "[%s]:%u" : "%s:%u", host,
             (unsigned)ntohs(brackets ? taken.in6.sin6_port : taken.in4.sin_port));
    return STATUS_OK;
}

/* A socket on one resolved address, or -1 with errno. */
static int open_one(const struct addrinfo *info, bool all)
{
    int descriptor = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    int yes = 1, only = !all;
    /* So that a restart need not wait for connections in TIME_WAIT; ":PORT" takes IPv4 as well. */
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) ||
        bind(descriptor, info->ai_addr, info->ai_addrlen) != 0 ||
        listen(descriptor, BACKLOG) != 0) {
        int saved = errno;
        close(descriptor);
        errno = saved;
        return -1;
    }
    return descriptor;
}

static const char *advice(int number)
{
    switch (number) {
    case EADDRINUSE:
        return "; choose another port, or 0 for a free one";
    case EADDRNOTAVAIL:
        return "; it is not an address of this machine";
    case EACCES:
        return "; ports below 1024 need the right to bind them";
    default:
        return "";
    }
}

enum status listen_open(const char *text, int *out, char address[64], struct error *error)
{
    char host[256] = "", service[8];
    uint16_t port = 0;
    enum status status = listen_parse(text, host, &port, error);
    if (status)
        return status;
    bool all = host[0] == '\0';
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(all ? "::" : host, service, &hints, &found);
    if (failure)
        return error_set(error, STATUS_SYSTEM, "cannot listen on '%.100s': %s", text,
                         failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
    int descriptor = -1;
    for (const struct addrinfo *info = found; info && descriptor < 0; info = info->ai_next)
        descriptor = open_one(info, all);
    int problem = errno;
    freeaddrinfo(found);
    if (descriptor < 0 && all && problem == EAFNOSUPPORT) {
        /* A machine without IPv6. */
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
        struct addrinfo info = {
            .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any, .ai_addrlen = sizeof any};
        descriptor = open_one(&info, false);
        problem = errno;
    }
    if (descriptor < 0)
        return error_set(error, STATUS_SYSTEM, "cannot listen on '%.100s': %s%s", text,
                         strerror(problem), advice(problem));
    status = describe(descriptor, address, error);
    if (status)
        close(descriptor);
    else
        *out = descriptor;
    return status;
}
