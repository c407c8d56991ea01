#include "redis_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>

#include "../../rules/codes.h"

#define PIECE ((size_t)64 << 10)
#define SECRET_SIZE 1024
#define STANDARD_PORT 6379
#define DATABASE_MAXIMUM 65535

/* --- the URL --------------------------------------------------------------------------------- */

static bool parse_database(struct text digits, uint32_t *out)
{
    uint32_t value = 0;
    if (digits.length > 5)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(digits.data[i] - '0');
    }
    *out = value;
    return value <= DATABASE_MAXIMUM;
}

enum status redis_url_parse(struct text url, struct redis_place *out, struct error *error)
{
    static const struct text scheme = {"redis://", 8};
    *out = (struct redis_place){0};
    if (text_starts_with(url, TEXT("rediss://")))
        return error_set(error, STATUS_INVALID, "rediss:// is not supported: write redis://");
    if (!text_starts_with(url, scheme))
        return error_set(error, STATUS_INVALID, "redis URL does not begin with redis://");
    struct text rest = {url.data + scheme.length, url.length - scheme.length};
    if (rest.length && memchr(rest.data, '@', rest.length))
        return error_set(error, STATUS_INVALID,
                         "redis URL holds credentials: name a secret in 'credentials' instead");
    const char *slash = rest.length ? memchr(rest.data, '/', rest.length) : NULL;
    struct text host = {rest.data, slash ? (size_t)(slash - rest.data) : rest.length};
    if (slash) {
        struct text database = {slash + 1, rest.length - host.length - 1};
        if (!parse_database(database, &out->database))
            return error_set(error, STATUS_INVALID,
                             "redis URL has a database that is not a number from 0 to %d",
                             DATABASE_MAXIMUM);
    }
    enum status status = reach_host_parse(host, &out->server, error);
    if (status == STATUS_OK && out->server.port == 0)
        out->server.port = STANDARD_PORT;
    return status;
}

/* --- failures -------------------------------------------------------------------------------- */

void redis_disconnect(struct redis_connection *connection)
{
    if (connection->context)
        redisFree(connection->context);
    connection->context = NULL;
    connection->pending = 0;
}

static enum status fail(struct redis_connection *connection, const char *why, struct error *error)
{
    redis_disconnect(connection);
    return error_set(error, STATUS_SYSTEM, "redis at '%.100s:%u': %.100s",
                     connection->place.server.host, connection->place.server.port, why);
}

/* What went wrong on the wire. `cause` is errno of just after the call. */
static enum status fail_wire(struct redis_connection *connection, int cause, struct error *error)
{
    const redisContext *context = connection->context;
    char why[sizeof context->errstr];
    snprintf(why, sizeof why, "%s", context->errstr);
    bool io = context->err == REDIS_ERR_IO;
    connection->lost = context->err == REDIS_ERR_EOF ||
                       (io && (cause == EPIPE || cause == ECONNRESET || cause == ENOTCONN));
    if (io && (cause == EAGAIN || cause == EWOULDBLOCK))
        snprintf(why, sizeof why, "no answer within %d s", REDIS_TIMEOUT_SECONDS);
    return fail(connection, why, error);
}

/* Makes what a server says fit for a log and a status page. */
static void clean(const char *source, size_t length, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length && used + 1 < size; i++)
        out[used++] = (char)(source[i] >= ' ' && source[i] < 0x7f ? source[i] : '?');
    out[used] = '\0';
}

enum status redis_complain(struct redis_connection *connection, const redisReply *reply,
                           struct error *error)
{
    char words[100];
    if (reply->type != REDIS_REPLY_ERROR)
        return fail(connection, "answered what weir does not understand", error);
    clean(reply->str, reply->len, words, sizeof words);
    /* The second is what Redis 7 says to a long command before AUTH: "unauthenticated multibulk
     * length". */
    if (text_starts_with(text_of(words), TEXT("NOAUTH")) || strstr(words, "unauthenticated"))
        return fail(connection, "wants a password: name a secret in the target's 'credentials'",
                    error);
    return fail(connection, words, error);
}

/* --- sending and receiving ------------------------------------------------------------------- */

/* Why an exchange is not to go on; NULL: it may. */
static const char *is_over(const struct redis_connection *connection)
{
    const struct clock *clock = &system_clock;
    int64_t limit = connection->exchange_limit ? connection->exchange_limit : REDIS_EXCHANGE_LIMIT;
    size_t most = connection->answer_maximum ? connection->answer_maximum : REDIS_ANSWER_MAXIMUM;
    limit += (int64_t)((connection->sent + connection->received) >> 20) * NANOSECONDS_PER_SECOND;
    if (connection->stop && atomic_load(connection->stop))
        return "was stopped";
    if (clock->monotonic(clock->self) - connection->begun > limit)
        return "takes longer for an answer than it is given";
    return connection->received > most ? "answers more than is read" : NULL;
}

/* As hiredis tells a failure. */
static bool give_up(struct redis_connection *connection, const char *why)
{
    redisContext *context = connection->context;
    connection->cause = 0;
    context->err = REDIS_ERR_OTHER;
    snprintf(context->errstr, sizeof context->errstr, "%s", why);
    return false;
}

static bool flush(struct redis_connection *connection)
{
    int done = 0;
    while (!done) {
        errno = 0;
        if (redisBufferWrite(connection->context, &done) != REDIS_OK) {
            connection->cause = errno;
            return false;
        }
        const char *why = done ? NULL : is_over(connection);
        if (why)
            return give_up(connection, why);
    }
    connection->sent += connection->pending;
    connection->pending = 0;
    return true;
}

static bool append(struct redis_connection *connection, const char *data, size_t length)
{
    if (!connection->context || connection->context->err)
        return false;
    if (redisAppendFormattedCommand(connection->context, data, length) != REDIS_OK)
        return false;
    connection->pending += length;
    return true;
}

bool redis_begin(struct redis_connection *connection, size_t count)
{
    char head[32];
    connection->begun = system_clock.monotonic(system_clock.self);
    connection->sent = connection->received = 0;
    int length = snprintf(head, sizeof head, "*%zu\r\n", count);
    return append(connection, head, (size_t)length);
}

bool redis_send(struct redis_connection *connection, struct text argument)
{
    char head[32];
    int length = snprintf(head, sizeof head, "$%zu\r\n", argument.length);
    if (!append(connection, head, (size_t)length))
        return false;
    while (argument.length) {
        size_t part = argument.length < PIECE ? argument.length : PIECE;
        if (!append(connection, argument.data, part))
            return false;
        argument.data += part;
        argument.length -= part;
        if (connection->pending >= PIECE && !flush(connection))
            return false;
    }
    return append(connection, "\r\n", 2);
}

enum status redis_flush(struct redis_connection *connection, struct error *error)
{
    if (!connection->context)
        return fail(connection, "not connected", error);
    if (connection->context->err || !flush(connection))
        return fail_wire(connection, connection->cause, error);
    return STATUS_OK;
}

/* False: the connection has failed. */
static bool read_more(struct redis_connection *connection)
{
    redisContext *context = connection->context;
    size_t before = context->reader->len;
    errno = 0;
    if (redisBufferRead(context) != REDIS_OK) {
        connection->cause = errno;
        return false;
    }
    connection->received += context->reader->len - before;
    const char *why = is_over(connection);
    return why ? give_up(connection, why) : true;
}

redisReply *redis_receive(struct redis_connection *connection, struct error *error)
{
    void *reply = NULL;
    if (redis_flush(connection, error) != STATUS_OK)
        return NULL;
    connection->cause = 0;
    while (!reply) {
        if (redisGetReplyFromReader(connection->context, &reply) == REDIS_OK &&
            (reply || read_more(connection)))
            continue;
        fail_wire(connection, connection->cause, error);
        return NULL;
    }
    return reply;
}

bool redis_is_readable(const struct redis_connection *connection, int milliseconds)
{
    struct pollfd waited = {.fd = connection->context->fd, .events = POLLIN};
    return poll(&waited, 1, milliseconds) > 0;
}

enum status redis_wait(struct redis_connection *connection, int milliseconds, redisReply **out,
                       struct error *error)
{
    redisContext *context = connection->context;
    void *reply = NULL;
    *out = NULL;
    if (!context)
        return fail(connection, "not connected", error);
    if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
        return fail_wire(connection, 0, error);
    if (!reply && redis_is_readable(connection, milliseconds)) {
        errno = 0;
        if (redisBufferRead(context) != REDIS_OK ||
            redisGetReplyFromReader(context, &reply) != REDIS_OK)
            return fail_wire(connection, errno, error);
        if (!reply && context->reader->len - context->reader->pos > REDIS_UNASKED_MAXIMUM)
            return fail(connection, "sends more than was subscribed to", error);
    }
    *out = reply;
    return STATUS_OK;
}

/* --- connecting ------------------------------------------------------------------------------ */

static enum status dial(struct redis_connection *connection, const struct sockaddr_storage *address,
                        socklen_t length, struct error *error)
{
    char text[NI_MAXHOST];
    int fault = getnameinfo((const struct sockaddr *)address, length, text, sizeof text, NULL, 0,
                            NI_NUMERICHOST);
    if (fault != 0)
        return fail(connection, gai_strerror(fault), error);
    const struct timeval limit = {.tv_sec = REDIS_TIMEOUT_SECONDS};
    connection->context = redisConnectWithTimeout(text, connection->place.server.port, limit);
    connection->pending = 0;
    connection->cause = 0;
    if (!connection->context)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (connection->context->err) {
        char why[sizeof connection->context->errstr + 16];
        snprintf(why, sizeof why, "cannot connect: %s", connection->context->errstr);
        return fail(connection, why, error);
    }
    if (fcntl(connection->context->fd, F_SETFD, FD_CLOEXEC) != 0 ||
        redisSetTimeout(connection->context, limit) != REDIS_OK ||
        redisEnableKeepAlive(connection->context) != REDIS_OK)
        return fail(connection, "cannot set up the connection", error);
    return STATUS_OK;
}

/* The server's error to AUTH may quote what it was sent, so only its first word is told. */
static enum status refuse_credentials(struct redis_connection *connection, const redisReply *reply,
                                      struct error *error)
{
    char why[160], word[24] = "";
    if (reply->type == REDIS_REPLY_ERROR) {
        size_t length = strcspn(reply->str, " ");
        clean(reply->str, length, word, sizeof word);
    }
    snprintf(why, sizeof why, "credentials of secret '%.60s' are not taken (%s)",
             connection->secret, word);
    return fail(connection, why, error);
}

static enum status authenticate(struct redis_connection *connection,
                                const struct reach_secret *secret, struct error *error)
{
    char value[SECRET_SIZE];
    enum status status = reach_secret_read(secret, value, sizeof value, error);
    if (status != STATUS_OK) {
        redis_disconnect(connection);
        return status;
    }
    const char *colon = strchr(value, ':');
    redis_begin(connection, colon ? 3 : 2);
    redis_send(connection, TEXT("AUTH"));
    if (colon)
        redis_send(connection, (struct text){value, (size_t)(colon - value)});
    redis_send(connection, text_of(colon ? colon + 1 : value));
    redisReply *reply = redis_receive(connection, error);
    explicit_bzero(value, sizeof value);
    if (!reply)
        return STATUS_SYSTEM;
    if (reply->type != REDIS_REPLY_STATUS)
        status = refuse_credentials(connection, reply, error);
    freeReplyObject(reply);
    return status;
}

static enum status select_database(struct redis_connection *connection, struct error *error)
{
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)connection->place.database);
    redis_begin(connection, 2);
    redis_send(connection, TEXT("SELECT"));
    redis_send(connection, text_of(number));
    redisReply *reply = redis_receive(connection, error);
    if (!reply)
        return STATUS_SYSTEM;
    enum status status = STATUS_OK;
    if (reply->type != REDIS_REPLY_STATUS)
        status = redis_complain(connection, reply, error);
    freeReplyObject(reply);
    return status;
}

/* Which code a refusal has: the secret's, or the host's. */
static enum status find_address(struct redis_connection *connection,
                                const struct reach_secret *secret, struct sockaddr_storage *address,
                                socklen_t *length, struct error *error)
{
    const struct reach_host *server = &connection->place.server;
    enum status status = reach_connect_address(connection->reach, server->host, server->port, NULL,
                                               address, length, error);
    if (status == STATUS_REFUSED)
        connection->code = CODE_TARGET_HOST;
    if (status != STATUS_OK || !secret)
        return status;
    status = reach_connect_address(connection->reach, server->host, server->port, secret, address,
                                   length, error);
    if (status == STATUS_REFUSED)
        connection->code = CODE_TARGET_SECRET;
    return status;
}

enum status redis_connect(struct redis_connection *connection, struct error *error)
{
    if (connection->context)
        return STATUS_OK;
    connection->code = NULL;
    connection->lost = false;
    const struct reach_secret *secret = NULL;
    if (connection->secret) {
        secret = reach_secret(connection->reach, text_of(connection->secret));
        if (!secret) {
            connection->code = CODE_TARGET_SECRET;
            return error_set(
                error, STATUS_REFUSED,
                "secret '%.100s' is not known: name it in the controller's configuration",
                connection->secret);
        }
    }
    struct sockaddr_storage address;
    socklen_t length;
    enum status status = find_address(connection, secret, &address, &length, error);
    if (status == STATUS_OK)
        status = dial(connection, &address, length, error);
    if (status == STATUS_OK && secret)
        status = authenticate(connection, secret, error);
    if (status == STATUS_OK && connection->place.database != 0)
        status = select_database(connection, error);
    return status;
}
