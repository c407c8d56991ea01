#include "decide.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "mirror_private.h"

#define TICK_MS 50

/* What was pushed and not answered: one of them may stand on the branch. */
struct unanswered {
    char (*commits)[COMMIT_TEXT_SIZE]; /* owned; as many as there are attempts */
    size_t count;
};

static bool is_stopped(const struct decide *options)
{
    return options->stop && atomic_load(options->stop);
}

static bool wait_really(void *self, int64_t nanoseconds, _Atomic bool *stop)
{
    int64_t left = nanoseconds / NANOSECONDS_PER_MILLISECOND;
    (void)self;
    for (; left > 0 && !(stop && atomic_load(stop)); left -= TICK_MS)
        poll(NULL, 0, left < TICK_MS ? (int)left : TICK_MS);
    return !(stop && atomic_load(stop));
}

static bool wait_for(struct decide *options, unsigned failures)
{
    int64_t wait = clock_backoff(options->clock, failures, DECIDE_WAIT_BASE, DECIDE_WAIT_LONGEST);
    return (options->wait ? options->wait : wait_really)(options->wait_self, wait, options->stop);
}

enum status decision_commit(struct tip_decision *decision, struct record_edit *edits, size_t count,
                            const char *message, struct error *error)
{
    const struct decide *options = decision->options;
    struct record record = {.parent = decision->head,
                            .edits = edits,
                            .edit_count = count,
                            .message = message,
                            .author = options->author,
                            .committer = options->committer,
                            .key = options->dry ? NULL : options->key,
                            .stop = options->stop};
    record.author.time = record.committer.time = clock_seconds(options->clock);
    char made[COMMIT_TEXT_SIZE];
    enum status status = mirror_record(decision->mirror, &record, made, error);
    if (status == STATUS_OK)
        memcpy(decision->head, made, sizeof made);
    return status;
}

/* Whether a push whose answer was lost has arrived after all. */
static enum status find_landed(struct decide *options, const struct unanswered *unanswered,
                               struct error *error)
{
    enum status status = STATUS_OK;
    bool *landed = &options->is_recorded;
    for (size_t i = 0; i < unanswered->count && status == STATUS_OK && !*landed; i++) {
        status =
            mirror_descends(options->mirror, options->tip, unanswered->commits[i], landed, error);
        if (*landed)
            memcpy(options->commit, unanswered->commits[i], COMMIT_TEXT_SIZE);
    }
    return status;
}

static enum status make(struct decide *options, struct error *error)
{
    struct tip_decision decision = {.mirror = options->mirror, .options = options};
    memcpy(decision.tip, options->tip, sizeof decision.tip);
    memcpy(decision.head, options->tip, sizeof decision.head);
    enum status status = options->decide(options->context, &decision, error);
    memcpy(options->commit, decision.head, sizeof options->commit);
    return status;
}

/* One round. *again: nothing is recorded yet, and `error` says why. */
static enum status attempt(struct decide *options, struct unanswered *unanswered, bool *again,
                           struct error *error)
{
    *again = false;
    enum status status =
        mirror_fetch(options->mirror, options->branch, options->stop, options->tip, error);
    if (status == STATUS_OK)
        status = mirror_branch(options->mirror, options->branch_name, error);
    if (status == STATUS_OK)
        status = find_landed(options, unanswered, error);
    if (status != STATUS_OK || options->is_recorded)
        return status;
    status = make(options, error);
    if (status != STATUS_OK || options->dry || strcmp(options->commit, options->tip) == 0)
        return status;
    struct ref_push push = {.ref = options->branch_name,
                            .expected = options->tip,
                            .commit = options->commit,
                            .stop = options->stop};
    status = mirror_push(options->mirror, &push, error);
    options->is_recorded = status == STATUS_OK && push.outcome == PUSH_ACCEPTED;
    if (status != STATUS_OK || options->is_recorded)
        return status;
    if (push.outcome == PUSH_REFUSED)
        return STATUS_REFUSED;
    if (push.outcome == PUSH_UNKNOWN)
        memcpy(unanswered->commits[unanswered->count++], options->commit, COMMIT_TEXT_SIZE);
    *again = true;
    return STATUS_SYSTEM;
}

static enum status go_round(struct decide *options, unsigned attempts,
                            struct unanswered *unanswered, struct error *error)
{
    struct error why = {0};
    bool again = true;
    enum status status = STATUS_OK;
    for (options->tried = 0; again && options->tried < attempts;) {
        if (options->tried > 0 && !wait_for(options, options->tried))
            break;
        options->tried++;
        status = attempt(options, unanswered, &again, &why);
        /* What is not known yet is worth more patience than an unreachable server. */
        again = again || (status == STATUS_SYSTEM && unanswered->count);
    }
    if (status == STATUS_OK)
        return status;
    if (is_stopped(options))
        return error_set(error, STATUS_STOPPED, "it was stopped");
    if (again)
        return error_set(error, status, "given up after %u attempts: %.200s", attempts,
                         why.message);
    return error_set(error, status, "%s", why.message);
}

enum status decide(struct decide *options, struct error *error)
{
    unsigned attempts = options->attempts ? options->attempts : DECIDE_ATTEMPTS;
    struct unanswered unanswered = {0};
    if (attempts > DECIDE_ATTEMPTS_MAX)
        attempts = DECIDE_ATTEMPTS_MAX;
    options->is_recorded = false;
    unanswered.commits = calloc(attempts, sizeof *unanswered.commits);
    if (!unanswered.commits)
        return error_set(error, STATUS_NO_MEMORY, "no memory to decide");
    enum status status = go_round(options, attempts, &unanswered, error);
    free(unanswered.commits);
    return status;
}
