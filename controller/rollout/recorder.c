#include "recorder.h"

#include <stdlib.h>

#include "../git/decide.h"
#include "../git/proposed.h"
#include "../git/verify.h"
#include "../log.h"
#include "flag_move.h"

void proposal_free(struct proposal *proposal)
{
    if (!proposal)
        return;
    for (size_t i = 0; i < proposal->override_count; i++)
        override_release(proposal->overrides[i]);
    roster_release(proposal->roster);
    arena_dispose(&proposal->arena);
    free(proposal);
}

const char *recorder_outcome_name(enum recorder_outcome outcome)
{
    static const char *const names[] = {"accepted", "moved",   "unknown",
                                        "held",     "refused", "failed"};
    return names[outcome];
}

/* A person's decision is a commit by that person, whom weir commits for. What somebody told of is
 * nobody's. */
static struct record_person author_of(const struct recorder *recorder, struct text by)
{
    struct record_person author = recorder->author;
    if (by.length == 0 || override_is_automatic(by) || override_is_told(by))
        return author;
    author.name = by.data;
    if (memchr(by.data, '@', by.length))
        author.mail = by.data;
    return author;
}

/* The chain, from the proposal's tip on. */
/* One flag's decision that cannot be made does not keep the others from the branch. */
static enum status commit_flags(const struct proposal *proposal, struct decide *options,
                                struct tip_decision *on, const struct recorder *recorder,
                                struct flag_proposal *made, struct error *error)
{
    for (size_t i = 0; i < proposal->flag_count; i++) {
        const struct flag_move *move = &proposal->flags[i];
        struct text intent = flag_move_intent(move);
        struct error problem = {0};
        options->author = author_of(recorder, flag_move_by(move));
        enum status status = flag_move_commit(move, on, &made[i], &problem);
        if (status == STATUS_NO_MEMORY || status == STATUS_STOPPED)
            return error_set(error, status, "%s", problem.message);
        if (status != STATUS_OK) {
            made[i].has_failed = true;
            error_set(error, status, "%s", problem.message);
            log_event(LOG_LEVEL_ERROR, "flag_not_recorded", "intent", intent.data, "error",
                      problem.message, NULL);
        }
    }
    return STATUS_OK;
}

static enum status commit_moves(const struct recorder *recorder, struct mirror *mirror,
                                const struct proposal *proposal, char head[COMMIT_TEXT_SIZE],
                                struct flag_proposal *made, struct error *error)
{
    struct decide options = {.mirror = mirror,
                             .clock = recorder->clock,
                             .author = recorder->author,
                             .committer = recorder->author,
                             .key = recorder->key,
                             .stop = recorder->stop};
    struct tip_decision on = {.mirror = mirror, .options = &options};
    enum status status = STATUS_OK;
    memcpy(on.tip, proposal->tip, sizeof on.tip);
    memcpy(on.head, proposal->tip, sizeof on.head);
    for (size_t i = 0; i < proposal->count && status == STATUS_OK; i++) {
        options.author = author_of(recorder, proposal->moves[i].by);
        status = move_commit(&on, &proposal->moves[i], error);
    }
    if (status == STATUS_OK)
        status = commit_flags(proposal, &options, &on, recorder, made, error);
    memcpy(head, on.head, COMMIT_TEXT_SIZE);
    return status;
}

/* Pushed all the same, it would hold the branch back for everybody. */
static enum status check_signature(const struct recorder *recorder, struct mirror *mirror,
                                   const char *commit, struct error *error)
{
    const struct verify_policy policy = {
        .mode = VERIFY_TIP, .allowed_signers = recorder->allowed_signers, .stop = recorder->stop};
    struct verification verification;
    if (!recorder->allowed_signers)
        return STATUS_OK;
    enum status status = mirror_verify_commit(mirror, &policy, commit, &verification, error);
    if (status != STATUS_OK || verification.verdict == VERDICT_VERIFIED)
        return status;
    return error_set(error, STATUS_REFUSED,
                     "weir's own commit %s, and would not be served: give the key of an allowed "
                     "signer by sign-key",
                     verdict_words(verification.verdict));
}

/* Proposed reverts are known of before the branch pins what they are of, so that none is lost in
 * between. One that cannot be kept can be made again by hand: the flag is safe. */
static void keep_proposals(struct mirror *mirror, const struct flag_proposal *made, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error error = {0};
        if (made[i].commit[0] &&
            proposed_keep(mirror, made[i].branch, made[i].commit, &error) != STATUS_OK)
            log_event(LOG_LEVEL_ERROR, "revert_not_proposed", "branch", made[i].branch, "error",
                      error.message, NULL);
    }
}

void recorder_propose(const struct recorder *recorder, struct mirror *mirror, const char *tip)
{
    struct error error = {0};
    if (proposed_push(mirror, tip, recorder->stop, &error) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "revert_not_proposed", "error", error.message, NULL);
}

static bool has_failed(const struct flag_proposal *made, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (made[i].has_failed)
            return true;
    }
    return false;
}

static enum recorder_outcome record(const struct recorder *recorder, struct mirror *mirror,
                                    const struct proposal *proposal, struct flag_proposal *made,
                                    char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    char branch[BRANCH_NAME_SIZE], tip[COMMIT_TEXT_SIZE];
    enum status status = mirror_branch(mirror, branch, error);
    if (status == STATUS_OK)
        status = mirror_last_tip(mirror, tip, error);
    if (status == STATUS_OK && strcmp(tip, proposal->tip) != 0 && proposal->is_held) {
        error_set(error, STATUS_REFUSED,
                  "\"%.100s\" is at commit %.12s, which is not served: nothing is recorded there "
                  "until it is",
                  branch, tip);
        return RECORDER_HELD;
    }
    if (status == STATUS_OK && strcmp(tip, proposal->tip) != 0) {
        error_set(error, STATUS_REFUSED, "\"%.100s\" has moved since it was decided", branch);
        return RECORDER_MOVED;
    }
    if (status == STATUS_OK)
        status = commit_moves(recorder, mirror, proposal, commit, made, error);
    if (status != STATUS_OK)
        return RECORDER_FAILED;
    if (strcmp(commit, proposal->tip) == 0) /* the tip says all of it already, or it cannot be */
        return has_failed(made, proposal->flag_count) ? RECORDER_FAILED : RECORDER_MOVED;
    status = check_signature(recorder, mirror, commit, error);
    if (status != STATUS_OK)
        return status == STATUS_REFUSED ? RECORDER_REFUSED : RECORDER_FAILED;
    keep_proposals(mirror, made, proposal->flag_count);
    struct ref_push push = {
        .ref = branch, .expected = proposal->tip, .commit = commit, .stop = recorder->stop};
    status = mirror_push(mirror, &push, error);
    if (status != STATUS_OK)
        return RECORDER_FAILED;
    switch (push.outcome) {
    case PUSH_ACCEPTED:
        recorder_propose(recorder, mirror, commit);
        return RECORDER_ACCEPTED;
    case PUSH_MOVED:
        return RECORDER_MOVED;
    case PUSH_UNKNOWN:
        return RECORDER_UNKNOWN;
    case PUSH_REFUSED:
        break;
    }
    return RECORDER_REFUSED;
}

enum recorder_outcome recorder_record(const struct recorder *recorder, struct mirror *mirror,
                                      const struct proposal *proposal,
                                      char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    struct flag_proposal *made = calloc(proposal->flag_count + 1, sizeof *made);
    if (!made) {
        error_set(error, STATUS_NO_MEMORY, "no memory to record decisions");
        return RECORDER_FAILED;
    }
    enum recorder_outcome outcome = record(recorder, mirror, proposal, made, commit, error);
    free(made);
    return outcome;
}
