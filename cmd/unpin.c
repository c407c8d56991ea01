/* weir unpin: the commit that lets a pinned flag go. */
#include <stdlib.h>

#include "commands.h"
#include "pin_view.h"
#include "verb.h"

struct unpinning {
    struct pin_decide pin;
    struct recording recording;
    struct schema_set *schemas;
    const char *name; /* ENVIRONMENT/FLAG */
};

/* --- the work -------------------------------------------------------------------------------- */

static enum status work(void *context, struct mirror *mirror, _Atomic bool *stop,
                        struct error *error)
{
    struct unpinning *unpinning = context;
    unpinning->pin.stop = stop;
    return recording_decide(&unpinning->recording, mirror, stop, error);
}

static enum status carry_out(struct unpinning *unpinning, const struct arguments *arguments,
                             struct error *error)
{
    unpinning->schemas = catalog_schemas(error);
    if (!unpinning->schemas)
        return STATUS_NO_MEMORY;
    unpinning->pin.schemas = unpinning->schemas;
    enum status status = recording_open(&unpinning->recording, arguments, error);
    if (status == STATUS_OK)
        status = recording_run(&unpinning->recording, work, unpinning, error);
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

static int configure(struct unpinning *unpinning, const struct arguments *arguments)
{
    struct pin_task *task = &unpinning->pin.request.task;
    unpinning->name = argument_operand(arguments, 0);
    *task = (struct pin_task){.verb = PIN_UNPIN,
                              .reason = text_of(argument_given(arguments, "reason"))};
    if (!parse_name(unpinning->name, task))
        return command_fail("\"%.140s\" is not ENVIRONMENT/FLAG, like production/checkout-v2",
                            unpinning->name);
    return recording_configure(&unpinning->recording, arguments, pin_decide, &unpinning->pin);
}

static int go(struct unpinning *unpinning, const struct arguments *arguments)
{
    struct error error = {0};
    if (carry_out(unpinning, arguments, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    return pin_show(&(struct pin_report){.request = &unpinning->pin.request,
                                         .decide = &unpinning->recording.decide,
                                         .identity = &unpinning->recording.identity,
                                         .name = unpinning->name,
                                         .shown = unpinning->recording.shown.data},
                    arguments);
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
    if (!unpinning)
        return command_fail("no memory");
    recording_init(&unpinning->recording);
    buffer_init(&unpinning->pin.request.message, 0);
    int code = configure(unpinning, arguments);
    if (code == EXIT_FINE)
        code = go(unpinning, arguments);
    buffer_dispose(&unpinning->pin.request.message);
    schema_set_free(unpinning->schemas);
    recording_dispose(&unpinning->recording);
    free(unpinning);
    return code;
}

static const struct option options[] = {
    VERB_OPTIONS("why, for whoever reads the log"),
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
