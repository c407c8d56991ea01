/* The ten commands that move a rollout: what they are called, and what they share. */
#include "../controller/rollout/verb.h"

#include "commands.h"
#include "verb.h"

/* --- what was given -------------------------------------------------------------------------- */

static int list_holds(const char *given)
{
    struct buffer names;
    buffer_init(&names, 0);
    for (int i = 0; i < HOLD_REASON_COUNT; i++)
        buffer_printf(&names, "%s%s", i ? ", " : "", hold_reason_name((enum hold_reason)i));
    int code = command_fail("\"--lift %.60s\" is no hold; there are: %.*s", given,
                            (int)names.length, names.length ? names.data : "");
    buffer_dispose(&names);
    return code;
}

static int read_lifts(struct verb_call *call)
{
    if (call->kind != VERB_RESUME)
        return EXIT_FINE;
    for (size_t i = 0; i < argument_count(call->arguments, "lift"); i++) {
        const char *name = argument_at(call->arguments, "lift", i);
        enum hold_reason reason;
        if (!hold_reason_parse(text_of(name), &reason))
            return list_holds(name);
        call->lifts |= 1U << reason;
    }
    return EXIT_FINE;
}

static int run(const struct arguments *arguments)
{
    const struct command *command = arguments_command(arguments);
    struct text environment, rollout;
    struct verb_call call = {.arguments = arguments,
                             .name = command->name,
                             .rollout = argument_operand(arguments, 0),
                             .reason = argument_given(arguments, "reason")};
    if (!walk_verb_parse(text_of(command->name), &call.kind))
        return command_fail("\"%s\" is no verb", command->name);
    if (!verb_parse_rollout(call.rollout, &environment, &rollout))
        return command_fail("\"%.120s\" is not ENVIRONMENT/ROLLOUT, like production/checkout-v2",
                            call.rollout);
    int code = read_lifts(&call);
    if (code != EXIT_FINE)
        return code;
    if (argument_given(arguments, "controller"))
        return verb_by_controller(&call);
    if (!argument_given(arguments, "repo"))
        return command_fail("where is \"%.120s\"? use --controller URL, or --repo URL|PATH: the "
                            "repository that controllers follow, not a working copy of it",
                            call.rollout);
    return verb_by_repo(&call);
}

/* --- the commands ---------------------------------------------------------------------------- */

#define WHY "why, for whoever reads the log, or wonders what holds the rollout"

static const struct option options[] = {
    VERB_OPTIONS(WHY),
    {0},
};

static const struct option approve_options[] = {
    {.name = "allowed-signers",
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "who signs with which key, as ssh-keygen(1) has it (default: git's "
             "gpg.ssh.allowedSignersFile)"},
    VERB_OPTIONS(WHY),
    {0},
};

static const struct option resume_options[] = {
    {.name = "lift",
     .type = OPTION_LIST,
     .argument = "HOLD",
     .help = "the hold to lift, by its name (default: all that need no name)"},
    VERB_OPTIONS(WHY),
    {0},
};

static const struct operand operands[] = {
    {.name = "ENVIRONMENT/ROLLOUT", .help = "the rollout", .required = true},
    {0},
};

#define COMMIT_WORDS                                                                               \
    "It is a commit to the branch: \"state/ENVIRONMENT/ROLLOUT.yaml\" and a message that tells "   \
    "what was decided and why. If somebody else pushes meanwhile, it is decided again on what "    \
    "they pushed. Nothing is ever forced. What is so already needs no commit.\n\n"                 \
    "With --controller a running controller does it, for whoever the token's name says; the "      \
    "command waits until that is recorded. What takes users back is served before Git is asked, "  \
    "also while the branch cannot be reached."

#define VERB_EXAMPLES(verb, words)                                                                 \
    "weir " verb " production/checkout-v2 --repo flags.git" words "\n"                             \
    "weir " verb " production/checkout-v2 --repo flags.git --dry-run  # look first\n"              \
    "weir " verb " production/checkout-v2 -c http://127.0.0.1:8080  # through a controller\n"

#define VERB_COMMAND(symbol, verb, its_options, words, told, example)                              \
    const struct command symbol##_command = {.name = (verb),                                       \
                                             .summary = (words),                                   \
                                             .description = told "\n\n" COMMIT_WORDS,              \
                                             .options = (its_options),                             \
                                             .operands = operands,                                 \
                                             .examples = VERB_EXAMPLES(verb, example),             \
                                             .run = run}

VERB_COMMAND(start, "start", options, "begin a rollout with its first phase",
             "Begins a rollout that is pending, whatever its start date says. Its calendar must be "
             "open, and the approvals of its first phase given.",
             "");

VERB_COMMAND(pause, "pause", options, "stop the timers of a rollout",
             "Stops bake, ramp and deadline where they are: the share stays, and nothing is lost. "
             "Whoever waits for something does not wait for this. 'weir resume' goes on.",
             " --reason \"all away\"");

VERB_COMMAND(resume, "resume", resume_options, "lift holds, so that a rollout goes on",
             "Lifts the holds of a rollout. After a pause it goes on where it was; after another "
             "hold its phase begins anew; after a rollback it begins again with its first phase, "
             "as the next run, once the time is over that a rollback holds it. A sample-ratio "
             "mismatch, an edit by hand and an unreadable file are lifted only by their names.",
             " --lift ratio");

VERB_COMMAND(advance, "advance", options, "enter the next phase before the bake is over",
             "Enters the next phase without waiting for the bake. Its gates are not skipped: "
             "metrics, calendar and approvals. Metrics are measured by controllers, so a rollout "
             "that is watched by metrics is advanced through one, by --controller.",
             "");

VERB_COMMAND(approve, "approve", approve_options, "approve the phase that comes next",
             "Adds your approval of the phase that would be entered next. Who approves is told by "
             "the signature, never by the name of an author: the principal of --allowed-signers "
             "whose key signs. Who changed the rollout last may not approve it.",
             " --allowed-signers signers");

VERB_COMMAND(halt, "halt", options, "let nobody new into a rollout",
             "Holds a rollout: the share stays as it is and nobody new comes in. 'weir resume' "
             "begins its phase anew.",
             " --reason \"a queue\"");

VERB_COMMAND(step_back, "step-back", options, "take a rollout one phase back",
             "Goes one phase back and holds there; those who came last leave first. In the first "
             "phase it is a rollback. It waits for nothing.",
             "");

VERB_COMMAND(rollback, "rollback", options, "put everyone on control",
             "Puts everyone on the control variant, on every path, and undoes every advance of "
             "this run. It waits for nothing. 'weir resume' begins the next run, after a time that "
             "doubles with each rollback in a row.",
             " --reason \"lost orders\"");

VERB_COMMAND(
    kill, "kill", options, "put everyone on control, until 'weir unkill'",
    "Puts everyone on the control variant, on every path, and keeps them there: neither "
    "resume nor a date starts it again before 'weir unkill'. It waits for nothing. Where no "
    "rollout has that name, the flag of that name is killed.",
    " --reason \"charges twice\"");

VERB_COMMAND(unkill, "unkill", options, "let a rollout that was killed be resumed",
             "Takes the kill back and moves nobody: the rollout is rolled back from then on, and "
             "'weir resume' begins the next run. Its calendar must be open, and the approvals of "
             "its first phase given.",
             "");
