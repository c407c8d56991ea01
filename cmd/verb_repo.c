/* A verb straight on the branch of a repository, in a clone that lasts as long as the command. */
#include <stdlib.h>

#include "../controller/git/path_log.h"
#include "commands.h"
#include "pin_view.h"
#include "verb.h"

#define AUTHOR_SIZE (2 * RECORD_PERSON_MAX + 8)

struct repo_verb {
    const struct verb_call *call;
    struct recording recording;
    struct schema_set *schemas;
    struct verb verb;
    struct pin_request pin; /* of a flag, where there is no rollout of that name */
    bool is_flag;
    char author[AUTHOR_SIZE];
    struct buffer messages;
};

/* --- in the clone ---------------------------------------------------------------------------- */

static enum status read_messages(struct repo_verb *repo, struct error *error)
{
    const struct verb_outcome *outcome = &repo->verb.outcome;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < outcome->commit_count && status == STATUS_OK; i++) {
        status = mirror_message(repo->recording.decide.mirror, outcome->commits[i], &repo->messages,
                                error);
        buffer_append_char(&repo->messages, '\0');
    }
    return status;
}

/* Killed can be what is no rollout too: a flag. Where it is neither, people are told of rollouts.
 */
static enum status decide_either(void *context, struct tip_decision *decision, struct error *error)
{
    struct repo_verb *repo = context;
    struct error other = {0};
    enum walk_verb_kind kind = repo->call->kind;
    enum status status = verb_decide(&repo->verb, decision, error);
    repo->is_flag = false;
    if (status != STATUS_NOT_FOUND || !repo->verb.outcome.is_unknown ||
        (kind != VERB_KILL && kind != VERB_UNKILL))
        return status;
    enum status found = pin_decide_at(&repo->pin, &repo->verb.effective, decision, &other);
    if (found == STATUS_NOT_FOUND)
        return status;
    repo->is_flag = true;
    return found == STATUS_OK ? found : error_set(error, found, "%s", other.message);
}

static enum status work(void *context, struct mirror *mirror, _Atomic bool *stop,
                        struct error *error)
{
    struct repo_verb *repo = context;
    repo->verb.stop = stop;
    enum status status = recording_decide(&repo->recording, mirror, stop, error);
    return status == STATUS_OK ? read_messages(repo, error) : status;
}

/* --- before and after ------------------------------------------------------------------------ */

/* Whose verb it is; and of an approval, who signs with which key. */
static void introduce(struct repo_verb *repo)
{
    const struct identity *identity = &repo->recording.identity;
    const char *signers = NULL;
    if (repo->call->kind == VERB_APPROVE)
        signers = argument_given(repo->call->arguments, "allowed-signers");
    snprintf(repo->author, sizeof repo->author, "%s <%s>", identity->name, identity->mail);
    repo->verb.by = text_of(repo->author);
    repo->verb.signers = signers ? signers : identity->signers;
}

static enum status carry_out(struct repo_verb *repo, struct error *error)
{
    repo->schemas = catalog_schemas(error);
    if (!repo->schemas)
        return STATUS_NO_MEMORY;
    repo->verb.schemas = repo->schemas;
    enum status status = recording_open(&repo->recording, repo->call->arguments, error);
    if (status != STATUS_OK)
        return status;
    introduce(repo);
    return recording_run(&repo->recording, work, repo, error);
}

static int show(const struct repo_verb *repo)
{
    const struct recording *recording = &repo->recording;
    const struct decide *decide = &recording->decide;
    if (repo->is_flag)
        return pin_show(&(struct pin_report){.request = &repo->pin,
                                             .decide = decide,
                                             .identity = &recording->identity,
                                             .name = repo->call->rollout,
                                             .shown = recording->shown.data},
                        repo->call->arguments);
    const struct verb_report report = {.call = repo->call,
                                       .outcome = &repo->verb.outcome,
                                       .branch = decide->branch_name,
                                       .tip = decide->tip,
                                       .shown = recording->shown.data,
                                       .author = repo->author,
                                       .is_signed = decide->key != NULL,
                                       .is_recorded = decide->is_recorded,
                                       .messages = buffer_text(&repo->messages)};
    return verb_show(&report);
}

static int go(struct repo_verb *repo)
{
    struct error error = {0};
    int code = recording_configure(&repo->recording, repo->call->arguments, decide_either, repo);
    if (code != EXIT_FINE)
        return code;
    if (carry_out(repo, &error) == STATUS_OK)
        return show(repo);
    command_fail("%s", error.message);
    return repo->verb.outcome.is_unknown ? EXIT_DEFINITIONS : EXIT_USAGE;
}

int verb_by_repo(const struct verb_call *call)
{
    struct repo_verb *repo = calloc(1, sizeof *repo);
    if (!repo)
        return command_fail("no memory");
    repo->call = call;
    repo->verb = (struct verb){.rollout = call->rollout,
                               .kind = call->kind,
                               .reason = text_of(call->reason),
                               .lifts = call->lifts};
    recording_init(&repo->recording);
    verb_init(&repo->verb);
    const char *slash = strchr(call->rollout, '/');
    repo->pin.task =
        (struct pin_task){.verb = call->kind == VERB_UNKILL ? PIN_UNKILL : PIN_KILL,
                          .environment = {call->rollout, (size_t)(slash - call->rollout)},
                          .flag = text_of(slash + 1),
                          .reason = text_of(call->reason)};
    buffer_init(&repo->pin.message, 0);
    buffer_init(&repo->messages, 0);
    int code = go(repo);
    buffer_dispose(&repo->pin.message);
    buffer_dispose(&repo->messages);
    verb_dispose(&repo->verb);
    schema_set_free(repo->schemas);
    recording_dispose(&repo->recording);
    free(repo);
    return code;
}
