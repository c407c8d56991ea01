#include "hooks.h"

#include <inttypes.h>
#include <pthread.h>

#include "../log.h"
#include "../telemetry_families.h"
#include "hook_ref.h"

#define HOOKS_PREFIX "/hooks/"
#define DELIVERY_ID_SIZE 16 /* bytes of a digest of it: ids are of any length */
#define LOG_INTERVAL (INT64_C(10) * NANOSECONDS_PER_SECOND)

enum result { ACCEPTED, DUPLICATE, IGNORED, PING, REFUSED, UNCONFIGURED, RESULTS };

struct secret {
    char value[HOOK_SECRET_MAX + 1];
    size_t length; /* 0: none */
};

struct remembered {
    uint8_t id[DELIVERY_ID_SIZE];
    int64_t until; /* monotonic; 0: empty */
};

struct hooks {
    struct hooks_parts parts;
    struct series *counts[HOOK_FORGES][RESULTS];
    pthread_mutex_t lock; /* over all below */
    struct secret secrets[HOOK_FORGES];
    struct remembered ring[HOOK_REMEMBERED];
    size_t next;
    int64_t told[HOOK_FORGES]; /* when a refusal was logged last, monotonic; 0: never */
    uint64_t untold[HOOK_FORGES];
};

/* What is kept of a delivery while its body arrives. */
struct delivery {
    struct hook_check check;
    struct hook_ref ref;
};

/* --- names ----------------------------------------------------------------------------------- */

static const char *const forge_names[HOOK_FORGES] = {"github", "gitlab", "gitea"};

const char *hook_forge_name(enum hook_forge forge)
{
    return forge_names[forge];
}

enum hook_forge hook_forge_of(struct text name)
{
    for (size_t i = 0; i < COUNT_OF(forge_names); i++)
        if (text_is(name, forge_names[i]))
            return (enum hook_forge)i;
    return text_is(name, "forgejo") ? HOOK_GITEA : HOOK_FORGES;
}

static enum hook_forge forge_of(const struct request *request)
{
    const size_t prefix = sizeof HOOKS_PREFIX - 1;
    return hook_forge_of((struct text){request->path.data + prefix, request->path.length - prefix});
}

/* --- making and ending ----------------------------------------------------------------------- */

static void find_series(struct hooks *hooks)
{
    static const char *const results[RESULTS] = {"accepted", "duplicate", "ignored",
                                                 "ping",     "refused",   "unconfigured"};
    for (size_t forge = 0; forge < HOOK_FORGES; forge++)
        for (size_t result = 0; result < RESULTS; result++)
            hooks->counts[forge][result] = telemetry_series(
                hooks->parts.telemetry, &family_webhooks, forge_names[forge], results[result]);
}

enum status hooks_reload(struct hooks *hooks, struct error *error)
{
    enum status worst = STATUS_OK;
    struct error unused;
    for (size_t i = 0; i < HOOK_FORGES; i++) {
        struct secret read = {.length = 0};
        if (!hooks->parts.secrets[i])
            continue;
        enum status status = reach_secret_read(hooks->parts.secrets[i], read.value,
                                               sizeof read.value, worst ? &unused : error);
        if (status == STATUS_OK) {
            read.length = strlen(read.value);
            pthread_mutex_lock(&hooks->lock);
            hooks->secrets[i] = read;
            pthread_mutex_unlock(&hooks->lock);
        } else if (worst == STATUS_OK) {
            worst = status;
        }
        explicit_bzero(&read, sizeof read);
    }
    return worst;
}

enum status hooks_new(const struct hooks_parts *parts, struct hooks **out, struct error *error)
{
    struct hooks *hooks = calloc(1, sizeof *hooks);
    *out = NULL;
    if (!hooks || pthread_mutex_init(&hooks->lock, NULL) != 0) {
        free(hooks);
        return error_set(error, STATUS_NO_MEMORY, "no memory for webhooks");
    }
    hooks->parts = *parts;
    find_series(hooks);
    enum status status = hooks_reload(hooks, error);
    if (status != STATUS_OK)
        hooks_free(hooks);
    else
        *out = hooks;
    return status;
}

void hooks_free(struct hooks *hooks)
{
    if (!hooks)
        return;
    pthread_mutex_destroy(&hooks->lock);
    explicit_bzero(hooks->secrets, sizeof hooks->secrets);
    free(hooks);
}

/* --- deliveries that were seen before -------------------------------------------------------- */

static struct text delivery_id(const struct request *request)
{
    static const char *const names[] = {"X-GitHub-Delivery",  "X-Gitea-Delivery",
                                        "X-Forgejo-Delivery", "webhook-id",
                                        "Idempotency-Key",    "X-Gitlab-Event-UUID"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct text id = request_header(request, names[i]);
        if (id.length)
            return id;
    }
    return (struct text){NULL, 0};
}

static bool is_known(const struct hooks *hooks, const uint8_t id[DELIVERY_ID_SIZE], int64_t now)
{
    for (size_t i = 0; i < HOOK_REMEMBERED; i++)
        if (hooks->ring[i].until > now && memcmp(hooks->ring[i].id, id, DELIVERY_ID_SIZE) == 0)
            return true;
    return false;
}

/* Remembers it; false when it was known. A delivery without an id is always new. */
static bool is_new(struct hooks *hooks, enum hook_forge forge, const struct request *request)
{
    struct text id = delivery_id(request);
    struct sha256_ctx hash;
    struct remembered entry;
    uint8_t from = (uint8_t)forge;
    const struct clock *clock = hooks->parts.clock;
    if (!id.data)
        return true;
    sha256_init(&hash);
    sha256_update(&hash, sizeof from, &from);
    sha256_update(&hash, id.length, (const uint8_t *)id.data);
    sha256_digest(&hash, sizeof entry.id, entry.id);
    int64_t now = clock->monotonic(clock->self);
    entry.until = now + HOOK_MEMORY;
    pthread_mutex_lock(&hooks->lock);
    bool known = is_known(hooks, entry.id, now);
    if (!known) {
        hooks->ring[hooks->next] = entry;
        hooks->next = (hooks->next + 1) % HOOK_REMEMBERED;
    }
    pthread_mutex_unlock(&hooks->lock);
    return !known;
}

/* --- answers --------------------------------------------------------------------------------- */

static void answer_result(struct worker *worker, struct answer *answer, unsigned status,
                          const char *result, const char *why)
{
    answer->status = status;
    buffer_printf(answer->body, "{\"result\":\"%s\"", result);
    if (why)
        buffer_printf(answer->body, ",\"why\":\"%s\"", why);
    buffer_append_char(answer->body, '}');
    if (worker->body.failed)
        answer_no_memory(worker, answer);
}

static void count(struct hooks *hooks, enum hook_forge forge, enum result result)
{
    series_add(hooks->counts[forge][result], 1);
}

/* Whoever finds the path can cause refusals at will, so they are logged now and then. */
static void log_refusal(struct hooks *hooks, enum hook_forge forge, const char *why)
{
    const struct clock *clock = hooks->parts.clock;
    int64_t now = clock->monotonic(clock->self);
    char more[24];
    pthread_mutex_lock(&hooks->lock);
    bool tell = hooks->told[forge] == 0 || now - hooks->told[forge] >= LOG_INTERVAL;
    snprintf(more, sizeof more, "%" PRIu64, hooks->untold[forge]);
    hooks->untold[forge] = tell ? 0 : hooks->untold[forge] + 1;
    if (tell)
        hooks->told[forge] = now;
    pthread_mutex_unlock(&hooks->lock);
    if (tell)
        log_event(LOG_LEVEL_WARN, "webhook_refused", "forge", forge_names[forge], "why", why,
                  "more", more, NULL);
}

static void refuse(struct worker *worker, enum hook_forge forge, struct answer *answer,
                   unsigned status, const char *why)
{
    struct hooks *hooks = worker->parts->hooks;
    count(hooks, forge, REFUSED);
    log_refusal(hooks, forge, why);
    answer_fail(worker, NULL, answer, status, text_of(why));
}

static void refuse_verdict(struct worker *worker, enum hook_forge forge, struct answer *answer,
                           enum hook_verdict verdict)
{
    char why[128];
    if (verdict == HOOK_FORGED)
        snprintf(why, sizeof why, "signature does not fit: the secrets of weir and %s differ",
                 forge_names[forge]);
    else if (verdict == HOOK_STALE)
        snprintf(why, sizeof why,
                 "webhook-timestamp is more than five minutes from the time here: set the clocks");
    else
        snprintf(why, sizeof why, "delivery is not signed: there is no %s; set a secret for it",
                 hook_signature_header(forge));
    refuse(worker, forge, answer, 401, why);
}

static void answer_unconfigured(struct worker *worker, enum hook_forge forge, struct answer *answer)
{
    const char *name = forge_names[forge];
    struct buffer *details = &worker->details;
    if (worker->parts->hooks)
        count(worker->parts->hooks, forge, UNCONFIGURED);
    buffer_printf(details,
                  "webhooks of %s are not taken without a secret: start with \"--hook-secret "
                  "%s=FILE\", or \"hooks: {%s: {secretFile: FILE}}\" in the configuration file",
                  name, name, name);
    answer_fail(worker, NULL, answer, 404, buffer_text(details));
}

/* --- one delivery ---------------------------------------------------------------------------- */

static void *begin(struct worker *worker, const struct request *request)
{
    struct hooks *hooks = worker->parts->hooks;
    enum hook_forge forge = forge_of(request);
    if (!hooks || forge == HOOK_FORGES || !hooks->parts.secrets[forge])
        return NULL;
    struct delivery *delivery = malloc(sizeof *delivery);
    if (!delivery)
        return NULL;
    struct secret secret;
    pthread_mutex_lock(&hooks->lock);
    secret = hooks->secrets[forge];
    pthread_mutex_unlock(&hooks->lock);
    hook_check_begin(&delivery->check, forge, (struct text){secret.value, secret.length}, request,
                     clock_seconds(hooks->parts.clock));
    hook_ref_begin(&delivery->ref);
    explicit_bzero(&secret, sizeof secret);
    return delivery;
}

static void take(void *state, struct text piece)
{
    struct delivery *delivery = state;
    hook_check_take(&delivery->check, piece);
    hook_ref_take(&delivery->ref, piece);
}

static void end(void *state)
{
    explicit_bzero(state, sizeof(struct delivery)); /* a keyed digest is as good as its secret */
    free(state);
}

const struct intake hooks_intake = {HOOK_BODY_MAX, begin, take, end};

static struct text event_of(enum hook_forge forge, const struct request *request)
{
    static const char *const names[] = {"X-GitHub-Event", "X-Gitlab-Event", "X-Gitea-Event"};
    struct text event = request_header(request, names[forge]);
    return event.data || forge != HOOK_GITEA ? event : request_header(request, "X-Forgejo-Event");
}

/* What tells its event and is no push cannot have moved a branch. */
static bool is_push(enum hook_forge forge, struct text event)
{
    if (!event.data)
        return true;
    if (forge == HOOK_GITLAB)
        return text_is(event, "Push Hook") || text_is(event, "System Hook");
    return text_is(event, "push");
}

/* It is signed: what does it ask for? */
static void answer_signed(struct worker *worker, enum hook_forge forge,
                          const struct request *request, const struct hook_ref *ref,
                          struct answer *answer)
{
    struct hooks *hooks = worker->parts->hooks;
    struct text event = event_of(forge, request);
    const char *why = NULL;
    if (text_is(event, "ping")) {
        count(hooks, forge, PING);
        answer_result(worker, answer, 200, "pong", NULL);
        return;
    }
    if (!is_push(forge, event))
        why = "event is no push";
    else if (hook_ref_is_elsewhere(ref, hooks->parts.branch))
        why = "push is not to the branch that is followed";
    if (why) {
        count(hooks, forge, IGNORED);
        answer_result(worker, answer, 202, "ignored", why);
    } else if (!is_new(hooks, forge, request)) {
        count(hooks, forge, DUPLICATE);
        answer_result(worker, answer, 202, "duplicate", "this delivery has been seen");
    } else {
        count(hooks, forge, ACCEPTED);
        hooks->parts.nudge(hooks->parts.context);
        log_event(LOG_LEVEL_DEBUG, "webhook", "forge", forge_names[forge], NULL);
        answer_result(worker, answer, 202, "accepted", NULL);
    }
}

void hooks_handle(struct worker *worker, const struct request *request, struct answer *answer)
{
    const struct hooks *hooks = worker->parts->hooks;
    enum hook_forge forge = forge_of(request);
    struct delivery *delivery = request->intake;
    if (forge == HOOK_FORGES) { /* a route without a forge of its name */
        answer_fail(worker, request, answer, 404, TEXT("no such forge"));
    } else if (!hooks || !hooks->parts.secrets[forge]) {
        answer_unconfigured(worker, forge, answer);
    } else if (request->body_too_large) {
        refuse(worker, forge, answer, 413, "body is larger than 25 MiB");
    } else if (!delivery) {
        answer_no_memory(worker, answer);
    } else {
        enum hook_verdict verdict = hook_check_end(&delivery->check);
        if (verdict == HOOK_SIGNED)
            answer_signed(worker, forge, request, &delivery->ref, answer);
        else
            refuse_verdict(worker, forge, answer, verdict);
    }
}
