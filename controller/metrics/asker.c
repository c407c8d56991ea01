#include "asker.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../rules/hash.h"
#include "../outward/http_client.h"
#include "../outward/http_guard.h"

#define REMEMBERED 1024 /* answers */
#define SECRET_SIZE 4096
#define USER_MAXIMUM 200 /* as the schema has it */
#define SIGN_SIZE (BASE64_ENCODE_RAW_LENGTH(SECRET_SIZE + USER_MAXIMUM + 1) + 40)

/* Somebody who waits for an answer. */
struct waiter {
    struct waiter *next;
    asker_answered *answered;
    void *context;
    struct question question; /* its expression is the bytes below; address and secret are empty */
    char expression[];
};

/* One request. */
struct transfer {
    struct transfer *next;
    struct asker *asker;
    struct waiter *waiters; /* newest first */
    CURL *easy;             /* NULL: it waits for its turn */
    struct curl_slist *headers;
    struct http_guard guard;
    struct http_url url;
    const struct metric_driver *driver;
    const struct reach_secret *secret; /* or NULL */
    struct text user;                  /* who signs in with it, in `key`; empty: it is a token */
    struct buffer post;                /* empty: it is a GET */
    struct buffer body;                /* of the answer */
    struct text key;                   /* what is asked, the secret's name included; its own */
    uint64_t hash;                     /* of key */
    int64_t deadline;                  /* monotonic */
    unsigned redirects;
    char words[CURL_ERROR_SIZE];
};

/* An answer to one expression of one request. */
struct memory {
    char *key; /* NULL: free */
    size_t length;
    uint64_t hash;
    int64_t time; /* monotonic */
    struct reading reading;
};

struct asker {
    struct asker_settings settings;
    CURLM *multi;
    struct transfer *running, *waiting, **last_waiting;
    size_t running_count, waiting_count;
    uint64_t sent;
    struct memory *memories; /* REMEMBERED; the oldest is overwritten */
    size_t next_memory;
};

static int64_t monotonic(const struct asker *asker)
{
    return asker->settings.clock->monotonic(asker->settings.clock->self);
}

/* --- answers that were had ------------------------------------------------------------------- */

/* The request and the expression, which of one answer takes its part. */
static char *memory_key(const struct transfer *transfer, const struct waiter *waiter,
                        size_t *length)
{
    struct buffer key;
    buffer_init(&key, 0);
    buffer_append_text(&key, transfer->key);
    buffer_append_char(&key, waiter->question.by_bucket ? '\2' : '\1');
    buffer_append_text(&key, waiter->question.expression);
    char *taken = buffer_take(&key, length);
    buffer_dispose(&key);
    return taken;
}

static const struct memory *recall(const struct asker *asker, const struct transfer *transfer,
                                   const struct waiter *waiter, int64_t age)
{
    size_t length;
    const struct memory *found = NULL;
    char *key = memory_key(transfer, waiter, &length);
    uint64_t hash = key ? hash_text((struct text){key, length}) : 0;
    for (size_t i = 0; key && i < REMEMBERED && !found; i++) {
        const struct memory *memory = &asker->memories[i];
        if (memory->key && memory->hash == hash && memory->length == length &&
            memcmp(memory->key, key, length) == 0 && monotonic(asker) - memory->time <= age)
            found = memory;
    }
    free(key);
    return found;
}

static void remember(struct asker *asker, const struct transfer *transfer,
                     const struct waiter *waiter, const struct reading *reading)
{
    size_t length;
    char *key = memory_key(transfer, waiter, &length);
    if (!key)
        return;
    struct memory *memory = &asker->memories[asker->next_memory++ % REMEMBERED];
    free(memory->key);
    *memory = (struct memory){.key = key,
                              .length = length,
                              .hash = hash_text((struct text){key, length}),
                              .time = monotonic(asker),
                              .reading = *reading};
}

/* --- ends ------------------------------------------------------------------------------------ */

static void free_transfer(struct transfer *transfer)
{
    while (transfer->waiters) {
        struct waiter *waiter = transfer->waiters;
        transfer->waiters = waiter->next;
        free(waiter);
    }
    if (transfer->easy) {
        curl_multi_remove_handle(transfer->asker->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    http_guard_free_headers(transfer->headers);
    buffer_dispose(&transfer->post);
    buffer_dispose(&transfer->body);
    free((char *)(uintptr_t)transfer->key.data);
    free(transfer);
}

/* Tells all who wait; `status` 0: there is no answer, but `problem`. The transfer is in no list any
 * more. */
static void finish(struct transfer *transfer, unsigned status, const char *problem)
{
    struct asker *asker = transfer->asker;
    int64_t now = clock_seconds(asker->settings.clock);
    while (transfer->waiters) {
        struct waiter *waiter = transfer->waiters;
        struct reading reading = {0};
        transfer->waiters = waiter->next;
        if (status)
            transfer->driver->read(&waiter->question, status, buffer_text(&transfer->body), now,
                                   &reading);
        else
            reading_fail(&reading, "%s", problem);
        remember(asker, transfer, waiter, &reading);
        waiter->answered(waiter->context, &reading);
        free(waiter);
    }
    free_transfer(transfer);
}

static void fail(struct transfer *transfer, CURLcode result)
{
    char problem[SOURCE_PROBLEM_SIZE];
    const char *why = transfer->words[0] ? transfer->words : curl_easy_strerror(result);
    if (transfer->guard.refusal.status != STATUS_OK &&
        (transfer->guard.opened == 0 || result == CURLE_ABORTED_BY_CALLBACK))
        why = transfer->guard.refusal.message;
    else if (transfer->body.failed)
        why = transfer->body.failed == STATUS_LIMIT ? "the answer is too large" : "out of memory";
    else if (result == CURLE_OPERATION_TIMEDOUT)
        why = "no answer in time";
    snprintf(problem, sizeof problem, "'%.80s': %.100s", transfer->url.shown, why);
    finish(transfer, 0, problem);
}

/* --- one request ----------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    buffer_append(&transfer->body, data, size * count);
    return transfer->body.failed ? 0 : size * count;
}

/* RFC 6750 and RFC 7617. */
static void write_sign(struct text user, const char *secret, char line[SIGN_SIZE])
{
    static const char basic[] = "Authorization: Basic ";
    char pair[SECRET_SIZE + USER_MAXIMUM + 1];
    if (user.length == 0) {
        snprintf(line, SIGN_SIZE, "Authorization: Bearer %s", secret);
        return;
    }
    snprintf(pair, sizeof pair, "%.*s:%s",
             user.length < USER_MAXIMUM ? (int)user.length : USER_MAXIMUM, user.data, secret);
    size_t length = strlen(pair), before = sizeof basic - 1;
    memcpy(line, basic, before);
    base64_encode_raw(line + before, length, (const uint8_t *)pair);
    line[before + BASE64_ENCODE_RAW_LENGTH(length)] = '\0';
    explicit_bzero(pair, sizeof pair);
}

static bool set_headers(struct transfer *transfer, struct error *error)
{
    char value[SECRET_SIZE], line[SIGN_SIZE];
    bool made = http_guard_append_header(&transfer->headers, "Expect:") &&
                http_guard_append_header(&transfer->headers, "User-Agent: weir/" WEIR_VERSION) &&
                http_guard_append_header(&transfer->headers, "Accept: application/json");
    if (!made) {
        error_set(error, STATUS_NO_MEMORY, "out of memory");
        return false;
    }
    if (!transfer->secret)
        return true;
    if (reach_secret_read(transfer->secret, value, sizeof value, error) != STATUS_OK)
        return false;
    write_sign(transfer->user, value, line);
    made = http_guard_append_header(&transfer->headers, line);
    explicit_bzero(value, sizeof value);
    explicit_bzero(line, sizeof line);
    if (!made)
        error_set(error, STATUS_NO_MEMORY, "out of memory");
    return made;
}

static bool aim(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    int64_t left = (transfer->deadline - monotonic(transfer->asker)) / NANOSECONDS_PER_MILLISECOND;
    http_guard_begin(&transfer->guard, &transfer->url.server);
    buffer_clear(&transfer->body);
    CURLcode failed = curl_easy_setopt(easy, CURLOPT_URL, transfer->url.text);
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
    return failed == CURLE_OK && curl_multi_add_handle(transfer->asker->multi, easy) == CURLM_OK;
}

static bool set_up(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct reach *reach = transfer->asker->settings.reach;
    transfer->guard = (struct http_guard){.reach = reach, .secret = transfer->secret};
    CURLcode failed = curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    if (transfer->post.length) {
        failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->post.data);
        failed |=
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->post.length);
        /* a redirect does not make a GET of it: http_guard_follow() takes it to the same server */
    }
    return failed == CURLE_OK && http_guard_set_up(&transfer->guard, easy, reach->ca_file) &&
           http_guard_recheck(&transfer->guard, easy);
}

/* Finishes it at once when it cannot be sent. */
static void start(struct asker *asker, struct transfer *transfer)
{
    struct error error = {.message = "out of memory"};
    transfer->deadline = monotonic(asker) + SOURCE_PATIENCE * NANOSECONDS_PER_SECOND;
    transfer->easy = curl_easy_init();
    if (!transfer->easy || !set_headers(transfer, &error) || !set_up(transfer) || !aim(transfer)) {
        finish(transfer, 0, error.message);
        return;
    }
    asker->sent++;
    transfer->next = asker->running;
    asker->running = transfer;
    asker->running_count++;
}

static bool has_turn(const struct asker *asker, const struct transfer *transfer)
{
    unsigned same = 0, most = (asker->settings.most + 1) / 2;
    for (const struct transfer *other = asker->running; other; other = other->next)
        same += http_url_same_server(&other->url, &transfer->url);
    return same < most;
}

static void start_waiting(struct asker *asker)
{
    struct transfer **link = &asker->waiting;
    while (*link && asker->running_count < asker->settings.most) {
        struct transfer *transfer = *link;
        if (!has_turn(asker, transfer)) {
            link = &transfer->next;
            continue;
        }
        *link = transfer->next;
        if (!*link)
            asker->last_waiting = link;
        asker->waiting_count--;
        start(asker, transfer); /* may call back, and that ask again */
        link = &asker->waiting;
    }
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct waiter *new_waiter(const struct question *question, asker_answered *answered,
                                 void *context)
{
    struct waiter *waiter = malloc(sizeof *waiter + question->expression.length + 1);
    if (!waiter)
        return NULL;
    *waiter = (struct waiter){.answered = answered, .context = context, .question = *question};
    if (question->expression.length)
        memcpy(waiter->expression, question->expression.data, question->expression.length);
    waiter->expression[question->expression.length] = '\0';
    waiter->question.expression = (struct text){waiter->expression, question->expression.length};
    waiter->question.address = waiter->question.secret = TEXT("");
    return waiter;
}

static enum status fill(struct transfer *transfer, const struct question *question,
                        struct error *error)
{
    const struct reach *reach = transfer->asker->settings.reach;
    struct buffer url, key;
    buffer_init(&url, HTTP_URL_SIZE);
    buffer_init(&key, 0);
    enum status status = transfer->driver->request(question, &url, &transfer->post, error);
    if (status == STATUS_OK)
        status = http_url_parse(buffer_text(&url), &transfer->url, error);
    if (status == STATUS_OK && question->secret.length) {
        transfer->secret = reach_secret(reach, question->secret);
        if (!transfer->secret)
            status = error_set(error, STATUS_REFUSED,
                               "secret '%.*s' is not known: name it in the controller's "
                               "configuration",
                               question->secret.length < 100 ? (int)question->secret.length : 100,
                               question->secret.data);
    }
    buffer_append_string(&key, transfer->driver->name);
    buffer_append_char(&key, '\n');
    buffer_append_text(&key, question->secret);
    buffer_append_char(&key, '\n');
    size_t user_at = key.length;
    buffer_append_text(&key, question->user);
    buffer_append_char(&key, '\n');
    buffer_append_string(&key, transfer->url.text);
    buffer_append_char(&key, '\n');
    buffer_append_text(&key, buffer_text(&transfer->post));
    transfer->key.data = buffer_take(&key, &transfer->key.length);
    if (status == STATUS_OK && (!transfer->key.data || transfer->post.failed))
        status = error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (transfer->key.data)
        transfer->user = (struct text){transfer->key.data + user_at, question->user.length};
    transfer->hash = transfer->key.data ? hash_text(transfer->key) : 0;
    buffer_dispose(&url);
    buffer_dispose(&key);
    return status;
}

static struct transfer *alike(struct transfer *list, const struct transfer *transfer)
{
    for (; list; list = list->next) {
        if (list->hash == transfer->hash && text_equal(list->key, transfer->key))
            return list;
    }
    return NULL;
}

static void join(struct transfer *transfer, struct waiter *waiter)
{
    waiter->next = transfer->waiters;
    transfer->waiters = waiter;
}

/* Joins one that is under way, or waits for its turn. */
static void enqueue(struct asker *asker, struct transfer *transfer, struct waiter *waiter)
{
    struct transfer *other = alike(asker->running, transfer);
    if (!other)
        other = alike(asker->waiting, transfer);
    if (other) {
        join(other, waiter);
        free_transfer(transfer);
        return;
    }
    join(transfer, waiter);
    *asker->last_waiting = transfer;
    asker->last_waiting = &transfer->next;
    asker->waiting_count++;
    start_waiting(asker);
}

static void answer_fault(asker_answered *answered, void *context, const char *problem)
{
    struct reading reading;
    reading_fail(&reading, "%s", problem);
    answered(context, &reading);
}

void asker_ask(struct asker *asker, const struct question *question, int64_t age,
               asker_answered *answered, void *context)
{
    struct error error = {.message = ""};
    struct waiter *waiter = new_waiter(question, answered, context);
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!waiter || !transfer) {
        free(waiter);
        free(transfer);
        answer_fault(answered, context, "out of memory");
        return;
    }
    transfer->asker = asker;
    transfer->driver = metric_driver(question->source);
    buffer_init(&transfer->post, 0);
    buffer_init(&transfer->body, SOURCE_ANSWER_MAXIMUM);
    const struct memory *memory = NULL;
    enum status status = fill(transfer, question, &error);
    if (status == STATUS_OK && age > 0)
        memory = recall(asker, transfer, waiter, age);
    if (status == STATUS_OK && !memory) {
        enqueue(asker, transfer, waiter);
        return;
    }
    struct reading reading = {0};
    if (memory)
        reading = memory->reading;
    free(waiter);
    free_transfer(transfer);
    if (memory)
        answered(context, &reading);
    else
        answer_fault(answered, context, error.message);
}

/* --- driving --------------------------------------------------------------------------------- */

static void leave(struct asker *asker, const struct transfer *transfer)
{
    struct transfer **link = &asker->running;
    while (*link && *link != transfer)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = transfer->next;
    asker->running_count--;
}

static void end(struct asker *asker, struct transfer *transfer, CURLcode result)
{
    long status = 0;
    struct error error;
    curl_multi_remove_handle(asker->multi, transfer->easy);
    if (result == CURLE_OK)
        result = curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    enum status follows = STATUS_NOT_FOUND;
    if (result == CURLE_OK)
        follows = http_guard_follow(&transfer->guard, transfer->easy, (unsigned)status,
                                    &transfer->url, &error);
    if (follows == STATUS_OK && ++transfer->redirects <= HTTP_REDIRECTS && aim(transfer))
        return;
    leave(asker, transfer);
    if (result != CURLE_OK)
        fail(transfer, result);
    else if (follows == STATUS_OK)
        finish(transfer, 0, "redirects in a circle");
    else if (follows != STATUS_NOT_FOUND)
        finish(transfer, 0, error.message);
    else
        finish(transfer, (unsigned)status, NULL);
}

/* True: some have ended. */
static bool hand_on(struct asker *asker)
{
    int running, left;
    bool any = false;
    const CURLMsg *message;
    curl_multi_perform(asker->multi, &running);
    while ((message = curl_multi_info_read(asker->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) != CURLE_OK ||
            !transfer)
            continue;
        end(asker, transfer, result);
        any = true;
    }
    start_waiting(asker);
    return any;
}

void asker_drive(struct asker *asker, int milliseconds)
{
    /* What has ended already wakes no poll. */
    if (hand_on(asker))
        return;
    curl_multi_poll(asker->multi, NULL, 0, milliseconds, NULL);
    hand_on(asker);
}

size_t asker_backlog(const struct asker *asker)
{
    return asker->running_count + asker->waiting_count;
}

uint64_t asker_sent(const struct asker *asker)
{
    return asker->sent;
}

void asker_wake(struct asker *asker)
{
    curl_multi_wakeup(asker->multi);
}

/* --- making and ending ----------------------------------------------------------------------- */

struct asker *asker_new(const struct asker_settings *settings)
{
    struct asker *asker = http_guard_ready() ? calloc(1, sizeof *asker) : NULL;
    if (!asker)
        return NULL;
    asker->settings = *settings;
    asker->last_waiting = &asker->waiting;
    asker->memories = calloc(REMEMBERED, sizeof *asker->memories);
    asker->multi = curl_multi_init();
    if (!asker->memories || !asker->multi) {
        asker_free(asker);
        return NULL;
    }
    curl_multi_setopt(asker->multi, CURLMOPT_MAXCONNECTS, (long)settings->most);
    return asker;
}

static void free_list(struct transfer *list)
{
    while (list) {
        struct transfer *next = list->next;
        free_transfer(list);
        list = next;
    }
}

void asker_free(struct asker *asker)
{
    if (!asker)
        return;
    free_list(asker->running);
    free_list(asker->waiting);
    curl_multi_cleanup(asker->multi);
    for (size_t i = 0; asker->memories && i < REMEMBERED; i++)
        free(asker->memories[i].key);
    free(asker->memories);
    free(asker);
}
