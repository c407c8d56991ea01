/* Which hosts definitions may name: decided by the address that a name has when the connection is
 * made. */
#include <arpa/inet.h>
#include <netdb.h>
#include <strings.h>
#include <sys/socket.h>

#include "reach.h"

/* --- spelling -------------------------------------------------------------------------------- */

static bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool parse_port(struct text digits, uint16_t *port)
{
    uint32_t value = 0;
    if (digits.length == 0 || digits.length > 5)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(digits.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= UINT16_MAX;
}

static enum status refuse_spelling(struct error *error, struct text text, const char *why)
{
    /* Cut, and without what could forge a line: the text may be anything. */
    char shown[64];
    size_t length = text.length < sizeof shown - 1 ? text.length : sizeof shown - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = (char)(text.data[i] > ' ' && text.data[i] < 0x7f ? text.data[i] : '?');
    shown[length] = '\0';
    return error_set(error, STATUS_INVALID, "host '%s' %s", shown, why);
}

/* Splits "HOST", "HOST:PORT", "[V6]" or "[V6]:PORT"; *port is empty with data NULL where there is
 * none. */
static const char *split(struct text text, struct text *host, bool *bracketed, struct text *port)
{
    struct text after;
    *port = (struct text){0};
    *bracketed = text.length && text.data[0] == '[';
    if (*bracketed) {
        const char *end = memchr(text.data, ']', text.length);
        if (!end)
            return "has no closing ']'";
        *host = (struct text){text.data + 1, (size_t)(end - text.data) - 1};
        after = (struct text){end + 1, text.length - host->length - 2};
        if (after.length && after.data[0] != ':')
            return "has something other than ':PORT' after ']'";
    } else {
        const char *colon = text.length ? memchr(text.data, ':', text.length) : NULL;
        size_t length = colon ? (size_t)(colon - text.data) : text.length;
        *host = (struct text){text.data, length};
        after = (struct text){text.data + length, text.length - length};
        if (colon && memchr(colon + 1, ':', after.length - 1))
            return "has more than one ':': write an IPv6 address as [ADDRESS] or [ADDRESS]:PORT";
    }
    if (after.length)
        *port = (struct text){after.data + 1, after.length - 1};
    return NULL;
}

enum status reach_host_parse(struct text text, struct reach_host *out, struct error *error)
{
    struct text host, port;
    bool bracketed;
    struct reach_host result = {0};
    const char *fault = split(text, &host, &bracketed, &port);
    if (fault)
        return refuse_spelling(error, text, fault);
    if (host.length == 0)
        return refuse_spelling(error, text, "has no name: write HOST or HOST:PORT");
    if (host.length >= sizeof result.host)
        return refuse_spelling(error, text, "is longer than 255 bytes");
    memcpy(result.host, host.data, host.length);
    struct in6_addr address;
    if (bracketed && inet_pton(AF_INET6, result.host, &address) != 1)
        return refuse_spelling(error, text, "has no IPv6 address between '[' and ']'");
    for (size_t i = 0; i < host.length && !bracketed; i++)
        if (!is_host_character(host.data[i]))
            return refuse_spelling(error, text, "holds a character that no host name has");
    if (port.data && !parse_port(port, &result.port))
        return refuse_spelling(error, text, "has a port that is not a number from 1 to 65535");
    *out = result;
    return STATUS_OK;
}

/* --- addresses ------------------------------------------------------------------------------- */

/* An address in its one form: IPv4 also where it came mapped into IPv6. */
struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static void set_v4(struct address *out, struct in_addr address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = address};
    memcpy(&out->storage, &v4, sizeof v4);
    out->length = sizeof v4;
}

static bool normalize(const struct sockaddr *socket_address, struct address *out)
{
    *out = (struct address){0};
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, socket_address, sizeof v4);
        set_v4(out, v4.sin_addr);
        return true;
    }
    if (socket_address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, socket_address, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        struct in_addr mapped;
        memcpy(&mapped, v6.sin6_addr.s6_addr + 12, sizeof mapped);
        set_v4(out, mapped);
        return true;
    }
    struct sockaddr_in6 plain = {.sin6_family = AF_INET6, .sin6_scope_id = v6.sin6_scope_id};
    plain.sin6_addr = v6.sin6_addr;
    memcpy(&out->storage, &plain, sizeof plain);
    out->length = sizeof plain;
    return true;
}

static bool same_address(const struct address *a, const struct address *b)
{
    return a->length == b->length && memcmp(&a->storage, &b->storage, a->length) == 0;
}

static int resolve(const char *host, struct addrinfo **list)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    return getaddrinfo(host, NULL, &hints, list);
}

static bool list_has(const struct addrinfo *list, const struct address *address)
{
    struct address other;
    for (; list; list = list->ai_next)
        if (normalize(list->ai_addr, &other) && same_address(&other, address))
            return true;
    return false;
}

/* The addresses, of those a target's host has, that each list of allowed hosts lets through. */
struct candidates {
    struct address *items;
    bool *allowed; /* by the list that is looked at */
    size_t count;
};

#define CANDIDATES_MAXIMUM 64 /* a name with more addresses counts by its first ones */

/* Whether one of `hosts` is spelled as the target's own: that needs no look-up, which could answer
 * with other addresses of the same name. */
static bool is_spelled(const char *host, uint16_t port, const struct reach_host *hosts,
                       size_t count)
{
    for (size_t h = 0; h < count; h++)
        if ((hosts[h].port == 0 || hosts[h].port == port) && strcasecmp(hosts[h].host, host) == 0)
            return true;
    return false;
}

static bool all_are_allowed(const struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (!candidates->allowed[i])
            return false;
    return true;
}

/* Marks what `hosts` allow for `port`, and looks up no more of them than it takes: one whose name
 * server is silent holds up whoever asks. */
static void mark_allowed(struct candidates *candidates, const char *host, uint16_t port,
                         const struct reach_host *hosts, size_t count)
{
    bool spelled = is_spelled(host, port, hosts, count);
    for (size_t i = 0; i < candidates->count; i++)
        candidates->allowed[i] = spelled;
    for (size_t h = 0; h < count && !all_are_allowed(candidates); h++) {
        struct addrinfo *list;
        if (hosts[h].port != 0 && hosts[h].port != port)
            continue;
        if (resolve(hosts[h].host, &list) != 0)
            continue; /* a name of the operator's that does not resolve allows nothing */
        for (size_t i = 0; i < candidates->count; i++)
            if (list_has(list, &candidates->items[i]))
                candidates->allowed[i] = true;
        freeaddrinfo(list);
    }
}

static void drop_refused(struct candidates *candidates)
{
    size_t kept = 0;
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->allowed[i])
            candidates->items[kept++] = candidates->items[i];
    candidates->count = kept;
}

static void print_address(const struct address *address, char *out, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&address->storage, address->length, out,
                    (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(out, size, "?");
}

static const char *port_suffix(const char *host, const char **open)
{
    bool v6 = strchr(host, ':');
    *open = v6 ? "[" : "";
    return v6 ? "]" : "";
}

static enum status choose(const struct reach *reach, const char *host, uint16_t port,
                          const struct reach_secret *secret, struct candidates *candidates,
                          struct error *error)
{
    char shown[INET6_ADDRSTRLEN + 16];
    const char *open, *close = port_suffix(host, &open);
    print_address(&candidates->items[0], shown, sizeof shown);
    mark_allowed(candidates, host, port, reach->hosts, reach->host_count);
    drop_refused(candidates);
    if (candidates->count == 0)
        return error_set(
            error, STATUS_REFUSED,
            "host '%s%.80s%s:%u' (%s) is not allowed: start weir with --allow-host for it", open,
            host, close, port, shown);
    if (secret) {
        mark_allowed(candidates, host, port, secret->hosts, secret->host_count);
        drop_refused(candidates);
        if (candidates->count == 0)
            return error_set(error, STATUS_REFUSED,
                             "secret '%.60s' may not be sent to '%s%.80s%s:%u': add that to the "
                             "secret's hosts",
                             secret->name, open, host, close, port);
    }
    return STATUS_OK;
}

static void set_port(struct address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->storage, sizeof v4);
        v4.sin_port = htons(port);
        memcpy(&address->storage, &v4, sizeof v4);
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->storage, sizeof v6);
        v6.sin6_port = htons(port);
        memcpy(&address->storage, &v6, sizeof v6);
    }
}

enum status reach_connect_address(const struct reach *reach, const char *host, uint16_t port,
                                  const struct reach_secret *secret,
                                  struct sockaddr_storage *address, socklen_t *length,
                                  struct error *error)
{
    struct addrinfo *list;
    int fault = resolve(host, &list);
    if (fault != 0)
        return error_set(error, STATUS_SYSTEM, "host '%.100s' does not resolve: %s", host,
                         gai_strerror(fault));
    struct address items[CANDIDATES_MAXIMUM];
    bool allowed[CANDIDATES_MAXIMUM];
    struct candidates candidates = {items, allowed, 0};
    for (struct addrinfo *at = list; at && candidates.count < CANDIDATES_MAXIMUM; at = at->ai_next)
        if (normalize(at->ai_addr, &items[candidates.count]))
            candidates.count++;
    freeaddrinfo(list);
    if (candidates.count == 0)
        return error_set(error, STATUS_SYSTEM, "host '%.100s' has no IPv4 or IPv6 address", host);
    enum status status = choose(reach, host, port, secret, &candidates, error);
    if (status != STATUS_OK)
        return status;
    set_port(&items[0], port);
    *address = items[0].storage;
    *length = items[0].length;
    return STATUS_OK;
}

enum status reach_check_address(const struct reach *reach, const char *host, uint16_t port,
                                const struct reach_secret *secret, const struct sockaddr *address,
                                struct error *error)
{
    struct address item;
    bool allowed;
    struct candidates candidates = {&item, &allowed, 1};
    if (!normalize(address, &item))
        return error_set(error, STATUS_REFUSED, "host '%.100s' has an address that is not of IP",
                         host);
    return choose(reach, host, port, secret, &candidates, error);
}
