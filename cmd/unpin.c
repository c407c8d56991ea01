/* weir unpin: the commit that lets a pinned flag go. */
#include <stdlib.h>
#include <unistd.h>

#include "../controller/git/access.h"
#include "../controller/git/identity.h"
#include "../controller/git/url.h"
#include "../controller/rollout/pin.h"
#include "clone.h"
#include "commands.h"
#include "controller_client.h"
#include "git_options.h"
#include "pin_view.h"
#include "verb.h"

/* What the work in the clone needs, and what came of it. */
struct unpinning {
    struct pin_decide pin;
    struct decide decide;
    struct identity identity;
    struct record_key key;
    struct schema_set *schemas;
    const char *name, *shown; /* ENVIRONMENT/FLAG; the repository, without secrets */
};

/* --- the work -------------------------------------------------------------------------------- */

static enum status work(void *context, struct mirror *mirror, _Atomic bool *stop,
                        struct error *error)
{
    struct unpinning *unpinning = context;
    unpinning->decide.mirror = mirror;
    unpinning->decide.stop = unpinning->pin.stop = stop;
    return decide(&unpinning->decide, error);
}

static enum status identify(struct unpinning *unpinning, const struct arguments *arguments,
                            const char *url, struct error *error)
{
    const char *folder = access(url, F_OK) == 0 ? url : ".";
    enum status status =
        identity_find(argument_given(arguments, "author"), argument_given(arguments, "sign-key"),
                      folder, &unpinning->identity, error);
    if (status != STATUS_OK)
        return status;
    unpinning->decide.author = unpinning->decide.committer = identity_person(&unpinning->identity);
    unpinning->key.file = unpinning->identity.key;
    if (unpinning->identity.key[0])
        unpinning->decide.key = &unpinning->key;
    return STATUS_OK;
}

static enum status carry_out(struct unpinning *unpinning, const struct arguments *arguments,
                             const struct config *config, struct error *error)
{
    unpinning->schemas = catalog_schemas(error);
    if (!unpinning->schemas)
        return STATUS_NO_MEMORY;
    unpinning->pin.schemas = unpinning->schemas;
    enum status status = mirror_startup(error);
    if (status != STATUS_OK)
        return status;
    status = git_access_install(&config->git, error);
    if (status == STATUS_OK)
        status = identify(unpinning, arguments, config->repo, error);
    if (status == STATUS_OK)
        status = clone_run(config->repo, &config->git, work, unpinning, error);
    mirror_shutdown();
    return status;
}

/* --- the command ----------------------------------------------------------------------------- */

/* "production/checkout-v2": two names with one slash between them. */
static bool parse_name(const char *name, struct pin_task *task)
{
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/'))
        return false;
    task->environment = (struct text){name, (size_t)(slash - name)};
    task->flag = text_of(slash + 1);
    return task->environment.length <= STATE_NAME_MOST && task->flag.length <= STATE_NAME_MOST;
}

static int configure(struct unpinning *unpinning, const struct arguments *arguments,
                     struct config *config)
{
    struct error error = {0};
    struct pin_task *task = &unpinning->pin.request.task;
    unpinning->name = argument_operand(arguments, 0);
    *task = (struct pin_task){.verb = PIN_UNPIN,
                              .reason = text_of(argument_given(arguments, "reason"))};
    if (!parse_name(unpinning->name, task))
        return command_fail("\"%.140s\" is not ENVIRONMENT/FLAG, like production/checkout-v2",
                            unpinning->name);
    int code = git_configure(config, arguments);
    if (code != EXIT_FINE)
        return code;
    if (config_set_repo(config, argument_string(arguments, "repo"), &error) != STATUS_OK ||
        git_access_check(&config->git, config->repo, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    unpinning->decide = (struct decide){.branch = argument_given(arguments, "branch"),
                                        .clock = &system_clock,
                                        .dry = argument_flag(arguments, "dry-run"),
                                        .decide = pin_decide,
                                        .context = &unpinning->pin};
    return EXIT_FINE;
}

static int go(struct unpinning *unpinning, const struct arguments *arguments,
              const struct config *config)
{
    struct error error = {0};
    struct buffer shown;
    buffer_init(&shown, 0);
    url_append_public(&shown, text_of(config->repo));
    unpinning->shown = buffer_string(&shown);
    int code;
    if (!unpinning->shown)
        code = command_fail("no memory");
    else if (carry_out(unpinning, arguments, config, &error) != STATUS_OK)
        code = command_fail("%s", error.message);
    else
        code = pin_show(&(struct pin_report){.request = &unpinning->pin.request,
                                             .decide = &unpinning->decide,
                                             .identity = &unpinning->identity,
                                             .name = unpinning->name,
                                             .shown = unpinning->shown},
                        arguments);
    buffer_dispose(&shown);
    return code;
}

static int ask_controller(const struct arguments *arguments)
{
    struct pin_task task;
    const struct verb_call call = {.arguments = arguments,
                                   .name = "unpin",
                                   .kind = VERB_UNPIN,
                                   .rollout = argument_operand(arguments, 0),
                                   .reason = argument_given(arguments, "reason")};
    if (!parse_name(call.rollout, &task))
        return command_fail("\"%.140s\" is not ENVIRONMENT/FLAG, like production/checkout-v2",
                            call.rollout);
    return verb_by_controller(&call);
}

static int run(const struct arguments *arguments)
{
    if (argument_given(arguments, "controller"))
        return ask_controller(arguments);
    if (!argument_given(arguments, "repo"))
        return command_fail("where is \"%.120s\"? use --controller URL, or --repo URL|PATH: the "
                            "repository that controllers follow, not a working copy of it",
                            argument_operand(arguments, 0));
    struct unpinning *unpinning = calloc(1, sizeof *unpinning);
    struct config config;
    if (!unpinning)
        return command_fail("no memory");
    config_init(&config);
    buffer_init(&unpinning->pin.request.message, 0);
    int code = configure(unpinning, arguments, &config);
    if (code == EXIT_FINE)
        code = go(unpinning, arguments, &config);
    buffer_dispose(&unpinning->pin.request.message);
    schema_set_free(unpinning->schemas);
    config_dispose(&config);
    free(unpinning);
    return code;
}

static const struct option options[] = {
    {.name = "repo",
     .type = OPTION_STRING,
     .argument = "URL|PATH",
     .complete = COMPLETE_FOLDER,
     .help = "the repository that controllers follow: a URL, or the path of a bare one"},
    {.name = "branch",
     .type = OPTION_STRING,
     .argument = "B",
     .help = "the branch that they follow (default: the remote's HEAD)"},
    {.name = "reason",
     .type = OPTION_STRING,
     .argument = "TEXT",
     .help = "why, for whoever reads the log"},
    {.name = "author",
     .type = OPTION_STRING,
     .argument = "NAME <MAIL>",
     .help = "whose commit it is (default: who git says you are)"},
    {.name = "sign-key",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "sign by SSH with this key (default: git's user.signingKey, if it signs by SSH)"},
    {.name = "dry-run", .type = OPTION_FLAG, .help = "show what would be pushed, and push nothing"},
    {.name = "controller",
     .letter = 'c',
     .type = OPTION_STRING,
     .argument = "URL",
     .help = "ask this running controller instead"},
    CONTROLLER_TOKEN_OPTIONS("by which --controller knows you"),
    {.name = "wait",
     .type = OPTION_STRING,
     .argument = "DURATION",
     .standard = "90s",
     .help = "how long to wait for what --controller makes of it"},
    FORMAT_OPTION,
    GIT_OPTIONS,
    SAFE_DIRECTORY_OPTION,
    {0},
};

static const struct operand operands[] = {
    {.name = "ENVIRONMENT/FLAG", .help = "the flag, and where it is pinned", .required = true},
    {0},
};

const struct command unpin_command = {
    .name = "unpin",
    .summary = "serve a pinned flag as its definition says again",
    .description =
        "When a commit changed a watched flag and its metric broke, a controller takes the commit "
        "back; where it cannot, since the commit changed other things too, it pins the flag: it "
        "is served as it was, whatever its definition says, and the revert is proposed as a branch "
        "\"weir/revert/...\". Once the definition is mended, 'weir unpin' lets the flag go.\n\n"
        "It is a commit to the branch: \"state/ENVIRONMENT/flags/FLAG.yaml\". If somebody else "
        "pushes meanwhile, it begins again on what they pushed. Nothing is ever forced. A flag "
        "that is killed stays so.",
    .options = options,
    .operands = operands,
    .examples = "weir unpin production/checkout-v2 --repo flags.git\n"
                "weir unpin production/checkout-v2 --repo flags.git --dry-run  # look first\n"
                "weir unpin production/checkout-v2 -c http://127.0.0.1:8080  # by a controller\n",
    .run = run,
};
