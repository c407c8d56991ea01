#include "gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "../log.h"

/* --- making and ending ----------------------------------------------------------------------- */

static bool is_loopback(int listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } taken = {.in6 = {0}};
    socklen_t length = sizeof taken;
    if (getsockname(listener, &taken.any, &length) != 0)
        return false;
    if (taken.any.sa_family == AF_INET)
        return ntohl(taken.in4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (taken.any.sa_family != AF_INET6)
        return false;
    const struct in6_addr *address = &taken.in6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == IN_LOOPBACKNET);
}

enum status gate_init(struct gate *gate, const struct http_settings *settings,
                      const struct clock *clock, int listener, struct error *error)
{
    enum status status = STATUS_OK;
    *gate = (struct gate){.settings = settings, .loopback = is_loopback(listener)};
    gate->wholes = wholes_new();
    if (settings->rate_limit)
        gate->rate = rate_new(settings->rate_limit);
    if (!gate->wholes || (settings->rate_limit && !gate->rate))
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (settings->tokens)
        status = tokens_open(settings->tokens, clock, &gate->tokens, error);
    if (status == STATUS_OK && settings->tls_certificate)
        status = tls_new(settings->tls_certificate, settings->tls_key, clock, &gate->tls, error);
    if (status == STATUS_OK && !gate->tokens && (!gate->loopback || settings->require_token))
        log_event(LOG_LEVEL_WARN, "no_tokens", "consequence",
                  "every evaluation is refused; make tokens by 'weir token create' and give their "
                  "file by --tokens",
                  NULL);
    return status;
}

void gate_dispose(struct gate *gate)
{
    wholes_free(gate->wholes);
    rate_free(gate->rate);
    tokens_close(gate->tokens);
    tls_free(gate->tls);
    *gate = (struct gate){0};
}

/* SIGHUP also means other things: what has not changed is not told. */
static void tell_reload(const char *read, const char *kept, enum status status, bool changed,
                        const struct error *error)
{
    if (status)
        log_event(LOG_LEVEL_ERROR, kept, "error", error->message, NULL);
    else if (changed)
        log_event(LOG_LEVEL_INFO, read, NULL);
}

void gate_reload(struct gate *gate)
{
    struct error error = {0};
    bool changed = false;
    if (gate->tokens) {
        enum status status = tokens_reload(gate->tokens, &changed, &error);
        tell_reload("tokens_read", "tokens_kept", status, changed, &error);
    }
    if (gate->tls) {
        enum status status = tls_reload(gate->tls, &changed, &error);
        tell_reload("certificate_read", "certificate_kept", status, changed, &error);
    }
}

/* --- names ----------------------------------------------------------------------------------- */

/* Cuts ":PORT" off; an IPv6 address keeps its brackets. */
static struct text without_port(struct text host)
{
    if (host.length && host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.length);
        return end ? (struct text){host.data, (size_t)(end + 1 - host.data)} : host;
    }
    const char *colon = host.length ? memchr(host.data, ':', host.length) : NULL;
    return colon ? (struct text){host.data, (size_t)(colon - host.data)} : host;
}

static bool same_name(struct text a, struct text b)
{
    if (a.length && a.data[a.length - 1] == '.')
        a.length--;
    return a.length == b.length && strncasecmp(a.data, b.data, b.length) == 0;
}

/* An address is never the name that somebody made resolve to us. */
static bool is_address(struct text host)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr parsed;
    bool brackets = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    if (brackets)
        host = (struct text){host.data + 1, host.length - 2};
    if (host.length >= sizeof text)
        return false;
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    return inet_pton(brackets ? AF_INET6 : AF_INET, text, &parsed) == 1;
}

bool gate_host_is_ours(struct text host, char *const *names, size_t name_count)
{
    struct text name = without_port(host);
    if (name.length == 0 || same_name(name, TEXT("localhost")))
        return true;
    for (size_t i = 0; i < name_count; i++) {
        if (same_name(name, text_of(names[i])))
            return true;
    }
    return is_address(name);
}

bool gate_origin_is_ours(struct text origin, struct text host, bool tls)
{
    struct text scheme = tls ? TEXT("https://") : TEXT("http://");
    if (host.length == 0 || !text_starts_with(origin, scheme))
        return false;
    origin.data += scheme.length;
    origin.length -= scheme.length;
    return origin.length == host.length && strncasecmp(origin.data, host.data, host.length) == 0;
}

/* --- who asks -------------------------------------------------------------------------------- */

/* The token of "Authorization: Bearer TOKEN", else X-API-Key; data is NULL where there is none. */
static struct text credential_of(const struct request *request)
{
    static const struct text bearer = {"Bearer ", 7};
    struct text value = request->authorization;
    if (value.length > bearer.length && strncasecmp(value.data, bearer.data, bearer.length) == 0) {
        value.data += bearer.length;
        value.length -= bearer.length;
        while (value.length && *value.data == ' ') {
            value.data++;
            value.length--;
        }
        return value;
    }
    /* Another scheme is no token, and is told so. */
    return request->authorization.data ? request->authorization : request->api_key;
}

static bool too_often(struct worker *worker, const struct gate *gate, const struct token *token,
                      const struct request *request, struct answer *answer)
{
    uint64_t caller = request->address;
    const struct clock *clock = worker->parts->clock;
    if (!gate->rate)
        return false;
    if (token)
        memcpy(&caller, token->hash, sizeof caller);
    int64_t wait = rate_take(gate->rate, caller, clock->monotonic(clock->self));
    answer->retry_after = (unsigned)((wait + NANOSECONDS_PER_SECOND - 1) / NANOSECONDS_PER_SECOND);
    return wait > 0;
}

static enum role least_role(enum need need)
{
    switch (need) {
    case NEED_NOTHING:
        return ROLE_NONE;
    case NEED_EVALUATE:
        return ROLE_SDK;
    case NEED_VIEW:
        return ROLE_VIEWER;
    case NEED_OPERATE:
        return ROLE_OPERATOR;
    case NEED_ADMINISTER:
        break;
    }
    return ROLE_ADMIN;
}

static bool token_is_needed(const struct gate *gate, enum need need)
{
    if (need == NEED_EVALUATE)
        return !gate->loopback || gate->settings->require_token;
    return need != NEED_VIEW || !gate->loopback;
}

/* What the token has to be for; data is NULL where that is no environment, or one that the handler
 * will not find. */
static struct text environment_asked(struct worker *worker, const struct request *request)
{
    if (request->environment.data)
        return request->environment;
    const struct snapshot *snapshot = reader_current(&worker->reader, worker->parts->hub);
    return snapshot && snapshot->standard ? snapshot->standard->name : (struct text){NULL, 0};
}

/* True where the token does for the route; else answers. */
static bool is_allowed(struct worker *worker, const struct route *route,
                       const struct request *request, const struct token *token,
                       struct answer *answer)
{
    if (!token) {
        answer->authenticate = "Bearer realm=\"weir\"";
        route->fail(worker, request, answer, 401,
                    TEXT("a token is needed; send Authorization: Bearer TOKEN"));
        return false;
    }
    struct text environment =
        route->in_environment ? environment_asked(worker, request) : (struct text){NULL, 0};
    enum role least = least_role(route->need);
    if (token->role >= least && (!environment.data || token_covers(token, environment)))
        return true;
    answer->authenticate = "Bearer realm=\"weir\", error=\"insufficient_scope\"";
    buffer_clear(&worker->details);
    if (token->role < least)
        buffer_printf(&worker->details, "the token's role is %s; this needs %s",
                      role_name(token->role), role_name(least));
    else
        buffer_printf(&worker->details, "the token is not for environment '%.*s'",
                      (int)environment.length, environment.data);
    route->fail(worker, request, answer, 403, buffer_text(&worker->details));
    return false;
}

static bool comes_by_our_name(struct worker *worker, const struct gate *gate,
                              const struct route *route, const struct request *request,
                              struct answer *answer)
{
    struct text host = request->host;
    if (!gate->loopback || text_equal(host, (struct text){worker->host, worker->host_length}))
        return true;
    if (gate_host_is_ours(host, gate->settings->server_names, gate->settings->server_name_count)) {
        if (host.length <= sizeof worker->host) {
            memcpy(worker->host, host.data ? host.data : "", host.length);
            worker->host_length = host.length;
        }
        return true;
    }
    route->fail(worker, request, answer, 421,
                TEXT("the host that was asked for is not this server; call it localhost or by its "
                     "address, or start weir with --server-name"));
    return false;
}

/* The token that was sent, in *out, NULL where none was; false after answering that it is unknown.
 * Where no token is known and none is needed, a header that is meant for somebody else is passed
 * over. */
static bool identify(struct worker *worker, const struct gate *gate, const struct route *route,
                     const struct request *request, const struct token **out, struct answer *answer)
{
    struct text credential = credential_of(request);
    *out = NULL;
    if (!credential.data)
        return true;
    if (gate->tokens)
        *out = token_set_find(tokens_current(gate->tokens, &worker->tokens), credential);
    if (*out || (!gate->tokens && !token_is_needed(gate, route->need)))
        return true;
    if (too_often(worker, gate, NULL, request, answer)) {
        route->fail(worker, request, answer, 429, TEXT("too many requests"));
        return false;
    }
    answer->authenticate = "Bearer realm=\"weir\", error=\"invalid_token\"";
    route->fail(worker, request, answer, 401, TEXT("the token is unknown, or was revoked"));
    return false;
}

bool gate_admit(struct worker *worker, const struct route *route, struct request *request,
                struct answer *answer)
{
    const struct gate *gate = worker->parts->gate;
    const struct token *token;
    if (!gate || route->need == NEED_NOTHING)
        return true;
    if (!identify(worker, gate, route, request, &token, answer))
        return false;
    /* Whoever has a token is not a page that was made to ask; but what acts takes no chance. */
    if ((!token || route->need >= NEED_OPERATE) &&
        !comes_by_our_name(worker, gate, route, request, answer))
        return false;
    request->token = token;
    if (too_often(worker, gate, token, request, answer)) {
        buffer_printf(&worker->details, "more than %u requests a second",
                      gate->settings->rate_limit);
        route->fail(worker, request, answer, 429, buffer_text(&worker->details));
        return false;
    }
    if (route->need >= NEED_OPERATE && request->origin.data &&
        !gate_origin_is_ours(request->origin, request->host, gate->tls != NULL)) {
        route->fail(worker, request, answer, 403,
                    TEXT("a page of another origin may not ask for this"));
        return false;
    }
    if (token && route->in_environment && !request->environment.data)
        request->environment = token_only_environment(token);
    return !token_is_needed(gate, route->need) || is_allowed(worker, route, request, token, answer);
}
