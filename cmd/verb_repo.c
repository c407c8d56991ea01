/* A verb straight on the branch of a repository, in a clone that lasts as long as the command. */
#include <stdlib.h>
#include <unistd.h>

#include "../controller/git/access.h"
#include "../controller/git/decide.h"
#include "../controller/git/identity.h"
#include "../controller/git/path_log.h"
#include "../controller/git/url.h"
#include "clone.h"
#include "commands.h"
#include "git_options.h"
#include "pin_view.h"
#include "verb.h"

#define AUTHOR_SIZE (2 * RECORD_PERSON_MAX + 8)

struct repo_verb {
    const struct verb_call *call;
    struct config config;
    struct schema_set *schemas;
    struct verb verb;
    struct pin_request pin; /* of a flag, where there is no rollout of that name */
    bool is_flag;
    struct decide decide;
    struct identity identity;
    struct record_key key;
    char author[AUTHOR_SIZE];
    struct buffer shown, messages;
};

/* --- in the clone ---------------------------------------------------------------------------- */

static enum status read_messages(struct repo_verb *repo, struct error *error)
{
    const struct verb_outcome *outcome = &repo->verb.outcome;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < outcome->commit_count && status == STATUS_OK; i++) {
        status = mirror_message(repo->decide.mirror, outcome->commits[i], &repo->messages, error);
        buffer_append_char(&repo->messages, '\0');
    }
    return status;
}

/* Killed can be what is no rollout too: a flag. Where it is neither, people are told of rollouts.
 */
static enum status decide_either(void *context, struct decision *decision, struct error *error)
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
    repo->decide.mirror = mirror;
    repo->decide.stop = repo->verb.stop = stop;
    enum status status = decide(&repo->decide, error);
    return status == STATUS_OK ? read_messages(repo, error) : status;
}

/* --- before and after ------------------------------------------------------------------------ */

static enum status identify(struct repo_verb *repo, struct error *error)
{
    const struct arguments *arguments = repo->call->arguments;
    const char *url = repo->config.repo, *signers = NULL;
    struct identity *identity = &repo->identity;
    enum status status =
        identity_find(argument_given(arguments, "author"), argument_given(arguments, "sign-key"),
                      access(url, F_OK) == 0 ? url : ".", identity, error);
    if (status != STATUS_OK)
        return status;
    if (repo->call->kind == VERB_APPROVE)
        signers = argument_given(arguments, "allowed-signers");
    snprintf(repo->author, sizeof repo->author, "%s <%s>", identity->name, identity->mail);
    repo->key.file = identity->key;
    repo->verb.by = text_of(repo->author);
    repo->verb.signers = signers ? signers : identity->signers;
    repo->decide.author = repo->decide.committer = identity_person(identity);
    if (identity->key[0])
        repo->decide.key = &repo->key;
    return STATUS_OK;
}

static enum status carry_out(struct repo_verb *repo, struct error *error)
{
    repo->schemas = catalog_schemas(error);
    if (!repo->schemas)
        return STATUS_NO_MEMORY;
    repo->verb.schemas = repo->schemas;
    enum status status = mirror_startup(error);
    if (status != STATUS_OK)
        return status;
    status = git_access_install(&repo->config.git, error);
    if (status == STATUS_OK)
        status = identify(repo, error);
    if (status == STATUS_OK)
        status = clone_run(repo->config.repo, &repo->config.git, work, repo, error);
    mirror_shutdown();
    return status;
}

static int configure(struct repo_verb *repo)
{
    const struct arguments *arguments = repo->call->arguments;
    struct config *config = &repo->config;
    struct error error = {0};
    int code = git_configure(config, arguments);
    if (code != EXIT_FINE)
        return code;
    if (config_set_repo(config, argument_given(arguments, "repo"), &error) != STATUS_OK ||
        git_access_check(&config->git, config->repo, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    repo->decide = (struct decide){.branch = argument_given(arguments, "branch"),
                                   .clock = &system_clock,
                                   .dry = argument_flag(arguments, "dry-run"),
                                   .decide = decide_either,
                                   .context = repo};
    url_append_public(&repo->shown, text_of(config->repo));
    return buffer_string(&repo->shown) ? EXIT_FINE : command_fail("no memory");
}

static int show(const struct repo_verb *repo)
{
    if (repo->is_flag)
        return pin_show(&(struct pin_report){.request = &repo->pin,
                                             .decide = &repo->decide,
                                             .identity = &repo->identity,
                                             .name = repo->call->rollout,
                                             .shown = repo->shown.data},
                        repo->call->arguments);
    const struct verb_report report = {.call = repo->call,
                                       .outcome = &repo->verb.outcome,
                                       .branch = repo->decide.branch_name,
                                       .tip = repo->decide.tip,
                                       .shown = repo->shown.data,
                                       .author = repo->author,
                                       .is_signed = repo->decide.key != NULL,
                                       .is_recorded = repo->decide.is_recorded,
                                       .messages = buffer_text(&repo->messages)};
    return verb_show(&report);
}

static int go(struct repo_verb *repo)
{
    struct error error = {0};
    int code = configure(repo);
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
    config_init(&repo->config);
    verb_init(&repo->verb);
    const char *slash = strchr(call->rollout, '/');
    repo->pin.task =
        (struct pin_task){.verb = call->kind == VERB_UNKILL ? PIN_UNKILL : PIN_KILL,
                          .environment = {call->rollout, (size_t)(slash - call->rollout)},
                          .flag = text_of(slash + 1),
                          .reason = text_of(call->reason)};
    buffer_init(&repo->pin.message, 0);
    buffer_init(&repo->shown, 0);
    buffer_init(&repo->messages, 0);
    int code = go(repo);
    buffer_dispose(&repo->pin.message);
    buffer_dispose(&repo->messages);
    buffer_dispose(&repo->shown);
    verb_dispose(&repo->verb);
    schema_set_free(repo->schemas);
    config_dispose(&repo->config);
    free(repo);
    return code;
}
