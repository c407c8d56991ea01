#include "recorder.h"

#include <stdlib.h>

#include "../git/decide.h"
#include "../git/verify.h"

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
    static const char *const names[] = {"accepted", "moved", "unknown", "refused", "failed"};
    return names[outcome];
}

/* A person's decision is a commit by that person, whom weir commits for. */
static struct record_person author_of(const struct recorder *recorder, const struct move *move)
{
    struct record_person author = recorder->author;
    if (move->by.length == 0 || text_is(move->by, "weir"))
        return author;
    author.name = move->by.data;
    if (memchr(move->by.data, '@', move->by.length))
        author.mail = move->by.data;
    return author;
}

/* The chain, from the proposal's tip on. */
static enum status commit_moves(const struct recorder *recorder, struct mirror *mirror,
                                const struct proposal *proposal, char head[COMMIT_TEXT_SIZE],
                                struct error *error)
{
    struct decide options = {.mirror = mirror,
                             .clock = recorder->clock,
                             .author = recorder->author,
                             .committer = recorder->author,
                             .key = recorder->key,
                             .stop = recorder->stop};
    struct decision on = {.mirror = mirror, .options = &options};
    enum status status = STATUS_OK;
    memcpy(on.tip, proposal->tip, sizeof on.tip);
    memcpy(on.head, proposal->tip, sizeof on.head);
    for (size_t i = 0; i < proposal->count && status == STATUS_OK; i++) {
        options.author = author_of(recorder, &proposal->moves[i]);
        status = move_commit(&on, &proposal->moves[i], error);
    }
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

enum recorder_outcome recorder_record(const struct recorder *recorder, struct mirror *mirror,
                                      const struct proposal *proposal,
                                      char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    char branch[BRANCH_NAME_SIZE], tip[COMMIT_TEXT_SIZE];
    enum status status = mirror_branch(mirror, branch, error);
    if (status == STATUS_OK)
        status = mirror_last_tip(mirror, tip, error);
    if (status == STATUS_OK && strcmp(tip, proposal->tip) != 0) {
        error_set(error, STATUS_REFUSED, "\"%.100s\" has moved since it was decided", branch);
        return RECORDER_MOVED;
    }
    if (status == STATUS_OK)
        status = commit_moves(recorder, mirror, proposal, commit, error);
    if (status != STATUS_OK)
        return RECORDER_FAILED;
    if (strcmp(commit, proposal->tip) == 0) /* the tip says all of it already */
        return RECORDER_MOVED;
    status = check_signature(recorder, mirror, commit, error);
    if (status != STATUS_OK)
        return status == STATUS_REFUSED ? RECORDER_REFUSED : RECORDER_FAILED;
    struct push push = {
        .ref = branch, .expected = proposal->tip, .commit = commit, .stop = recorder->stop};
    status = mirror_push(mirror, &push, error);
    if (status != STATUS_OK)
        return RECORDER_FAILED;
    switch (push.outcome) {
    case PUSH_ACCEPTED:
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
