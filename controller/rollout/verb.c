#include "verb.h"

#include <stdio.h>

#include "../../rules/similar.h"
#include "../git/decide.h"
#include "../git/verify.h"
#include "approvals.h"

void verb_init(struct verb *verb)
{
    verb->outcome = (struct verb_outcome){0};
    verb->has_effective = false;
    verb->roster = NULL;
    arena_init(&verb->arena, 0);
}

void verb_dispose(struct verb *verb)
{
    roster_release(verb->roster);
    if (verb->has_effective)
        effective_dispose(&verb->effective);
    arena_dispose(&verb->arena);
}

/* --- which rollout --------------------------------------------------------------------------- */

bool verb_parse_rollout(const char *name, struct text *environment, struct text *rollout)
{
    const char *slash = strchr(name, '/');
    size_t length = strlen(name);
    if (!slash || slash == name || slash[1] == '\0' || strchr(slash + 1, '/') || length > 127)
        return false;
    *environment = (struct text){name, (size_t)(slash - name)};
    *rollout = text_of(slash + 1);
    return true;
}

static void list_rollouts(const struct roster *roster, struct buffer *out)
{
    for (size_t i = 0; i < roster->count; i++)
        buffer_printf(out, "%s\"%s\"", i ? ", " : "", roster->items[i].name);
}

/* A name like it: a slip of the fingers, or the same rollout of another environment. */
static const char *find_similar(const struct roster *roster, const char *wanted)
{
    struct text environment, rollout = text_of(wanted);
    struct similar similar = {0};
    if (!verb_parse_rollout(wanted, &environment, &rollout))
        rollout = text_of(wanted);
    for (size_t i = 0; i < roster->count; i++)
        similar_offer(&similar, text_of(wanted), text_of(roster->items[i].name));
    for (size_t i = 0; i < roster->count && similar.name.length == 0; i++) {
        if (text_equal(roster->items[i].rollout->name.text, rollout))
            return roster->items[i].name;
    }
    return similar.name.data; /* of a whole name, so that it ends by a NUL */
}

static enum status say_unknown(const struct roster *roster, const char *wanted, struct error *error)
{
    const char *similar = find_similar(roster, wanted);
    struct buffer list;
    if (similar)
        return error_set(error, STATUS_NOT_FOUND,
                         "rollout \"%.80s\" does not exist; did you mean \"%s\"?", wanted, similar);
    if (roster->count == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "rollout \"%.80s\" does not exist: the branch defines no rollouts",
                         wanted);
    buffer_init(&list, 140); /* where it ends early, so be it */
    list_rollouts(roster, &list);
    struct text known = buffer_text(&list);
    enum status status =
        error_set(error, STATUS_NOT_FOUND, "rollout \"%.80s\" does not exist; there %s: %.*s%s",
                  wanted, roster->count == 1 ? "is" : "are", (int)known.length,
                  known.length ? known.data : "", list.failed ? ", …" : "");
    buffer_dispose(&list);
    return status;
}

/* --- who approves ---------------------------------------------------------------------------- */

#define TRIAL_PATH "state/approver"

static enum status check_signing(const struct verb *verb, const struct decide *options,
                                 struct error *error)
{
    if (!options->key || !options->key->file[0])
        return error_set(error, STATUS_INVALID,
                         "who approves is told by a signature: use --sign-key FILE, or set git's "
                         "user.signingKey, gpg.format and commit.gpgSign");
    if (!verb->signers || !verb->signers[0])
        return error_set(error, STATUS_INVALID,
                         "who approves is told by a signature: use --allowed-signers FILE, or set "
                         "git's gpg.ssh.allowedSignersFile");
    return STATUS_OK;
}

/* A commit that nobody gets, signed by the call's key. It holds the id of its parent, so that it
 * cannot be there already, signed by another. */
static enum status make_trial(struct tip_decision *on, char trial[COMMIT_TEXT_SIZE],
                              struct error *error)
{
    const struct decide *options = on->options;
    struct record_edit edit = {.path = TRIAL_PATH, .bytes = text_of(on->tip)};
    struct record record = {.parent = on->tip,
                            .edits = &edit,
                            .edit_count = 1,
                            .message = "Who signs?\n",
                            .author = options->author,
                            .committer = options->committer,
                            .key = options->key,
                            .stop = options->stop};
    record.author.time = record.committer.time = clock_seconds(options->clock);
    enum status status = mirror_record(on->mirror, &record, trial, error);
    if (status == STATUS_OK && strcmp(trial, on->tip) == 0)
        status =
            error_set(error, STATUS_SYSTEM, "a signature cannot be tried on commit %.40s", on->tip);
    return status;
}

/* Verified as signatures of commits are: so the approver is whoever the signature stands for. */
static enum status find_principal(struct verb *verb, struct tip_decision *on, struct text *out,
                                  struct error *error)
{
    const struct verify_policy policy = {
        .mode = VERIFY_TIP, .allowed_signers = verb->signers, .stop = on->options->stop};
    struct verification found;
    char trial[COMMIT_TEXT_SIZE];
    enum status status = check_signing(verb, on->options, error);
    if (status == STATUS_OK)
        status = make_trial(on, trial, error);
    if (status == STATUS_OK)
        status = mirror_verify_commit(on->mirror, &policy, trial, &found, error);
    if (status != STATUS_OK)
        return status;
    if (found.verdict != VERDICT_VERIFIED)
        return error_set(error, STATUS_REFUSED,
                         "\"%.60s\" cannot approve: a commit by it %s (\"%.60s\")",
                         on->options->key->file, verdict_words(found.verdict), verb->signers);
    return arena_copy(&verb->arena, text_of(found.principal), out)
               ? STATUS_OK
               : error_set(error, STATUS_NO_MEMORY, "no memory for an approval");
}

/* --- what the machine says ------------------------------------------------------------------- */

/* One tip: the rollout there, and what is decided. */
struct verb_turn {
    struct verb *verb;
    struct tip_decision *on;
    struct roster *roster;
    const struct roster_rollout *item;
    struct walk_task task;
    struct walk_decision hold; /* of a foreign edit; without a state when there was none */
    struct walk_decision decision;
};

/* What a controller would do before anything else, so that no verb passes over it. */
static enum status hold_first(struct verb_turn *turn, const struct rollout_state **state)
{
    struct walk_task *task = &turn->task;
    if (!task->unreadable && !task->foreign_edit)
        return STATUS_OK;
    enum status status = walk_tick(task, *state, &turn->verb->arena, &turn->hold);
    if (status == STATUS_OK && turn->hold.state)
        *state = turn->hold.state;
    task->unreadable = task->foreign_edit = false;
    return status;
}

static enum status ask(struct verb_turn *turn, struct error *error)
{
    struct verb *verb = turn->verb;
    struct verb_outcome *outcome = &verb->outcome;
    const struct rollout_state *state = turn->item->state;
    uint64_t barred =
        approvals_find_barred(turn->on->mirror, turn->on->tip, turn->roster, turn->item);
    struct walk_verb asked = {
        .kind = verb->kind, .by = outcome->by, .note = verb->reason, .lifts = verb->lifts};
    outcome->before = outcome->after = state;
    outcome->was_edited = turn->task.unreadable || turn->task.foreign_edit;
    state = approvals_drop(state, barred, &verb->arena);
    enum status status = state ? hold_first(turn, &state) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = walk_verb(&turn->task, state, &asked, &verb->arena, &turn->decision);
    if (status != STATUS_OK)
        return error_set(error, status, "no memory to decide");
    outcome->kind = turn->decision.kind;
    outcome->reasons = turn->decision.reasons;
    outcome->reason_count = turn->decision.reason_count;
    for (size_t i = 0; i < outcome->reason_count; i++) {
        enum walk_cause cause = outcome->reasons[i].cause;
        outcome->is_closed |= cause == WAIT_METRIC || cause == WAIT_SAMPLE || cause == WAIT_FRESH;
    }
    return STATUS_OK;
}

/* --- what is committed ----------------------------------------------------------------------- */

static enum status commit_move(struct verb_turn *turn, const struct walk_decision *decision,
                               struct text by, struct text reason, struct error *error)
{
    struct verb_outcome *outcome = &turn->verb->outcome;
    const struct move move = {.item = turn->item,
                              .before = outcome->after,
                              .decision = decision,
                              .by = by,
                              .reason = reason,
                              .decided = outcome->decided};
    enum status status = move_commit(turn->on, &move, error);
    if (status != STATUS_OK)
        return status;
    memcpy(outcome->commits[outcome->commit_count++], turn->on->head, COMMIT_TEXT_SIZE);
    outcome->after = decision->state;
    return STATUS_OK;
}

static enum status commit_moves(struct verb_turn *turn, struct error *error)
{
    enum status status = STATUS_OK;
    if (!turn->decision.state)
        return status;
    if (turn->hold.state)
        status = commit_move(turn, &turn->hold, TEXT("weir"), (struct text){0}, error);
    if (status == STATUS_OK)
        status =
            commit_move(turn, &turn->decision, turn->verb->outcome.by, turn->verb->reason, error);
    return status;
}

/* --- one tip --------------------------------------------------------------------------------- */

static enum status bring_in_force(struct verb_turn *turn, struct error *error)
{
    struct verb *verb = turn->verb;
    struct mirror *mirror = turn->on->mirror;
    const struct effective_parts parts = {.mirror = mirror,
                                          .schemas = verb->schemas,
                                          .clock = turn->on->options->clock,
                                          .stop = verb->stop};
    if (!verb->has_effective)
        effective_init(&verb->effective, &parts);
    verb->has_effective = true;
    enum status status = effective_go(&verb->effective, turn->on->tip, error);
    if (status != STATUS_OK)
        return status;
    return roster_make(&verb->effective.inventory, verb->schemas, mirror_reader(mirror), NULL,
                       &turn->roster, error);
}

static enum status decide_on(struct verb_turn *turn, struct error *error)
{
    struct verb *verb = turn->verb;
    struct verb_outcome *outcome = &verb->outcome;
    turn->item = roster_find(turn->roster, text_of(verb->rollout));
    outcome->is_unknown = !turn->item;
    if (!turn->item)
        return say_unknown(turn->roster, verb->rollout, error);
    outcome->decided = clock_seconds(turn->on->options->clock);
    outcome->by = verb->by;
    outcome->rollout = text_of(verb->rollout);
    roster_task(turn->item, outcome->decided, &turn->task);
    enum status status = STATUS_OK;
    if (verb->kind == VERB_APPROVE) {
        status = find_principal(verb, turn->on, &outcome->by, error);
        if (status == STATUS_OK)
            status = move_bar_author(turn->on->mirror, turn->on->tip, turn->roster, turn->item,
                                     outcome->by, &turn->task, error);
    }
    if (status == STATUS_OK)
        status = ask(turn, error);
    return status == STATUS_OK ? commit_moves(turn, error) : status;
}

enum status verb_decide(void *context, struct tip_decision *decision, struct error *error)
{
    struct verb *verb = context;
    struct verb_turn turn = {.verb = verb, .on = decision};
    roster_release(verb->roster);
    verb->roster = NULL;
    arena_reset(&verb->arena);
    verb->outcome = (struct verb_outcome){0};
    enum status status = bring_in_force(&turn, error);
    verb->roster = turn.roster; /* what is told of the outcome is borrowed from it */
    return status == STATUS_OK ? decide_on(&turn, error) : status;
}
