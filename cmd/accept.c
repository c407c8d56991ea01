/* weir accept: the commit by which controllers follow a branch that was rewritten. */
#include "../controller/accept.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../rules/json.h"
#include "commands.h"
#include "recording.h"

struct accepting {
    struct accept accept;
    struct recording recording;
};

/* --- what is printed ------------------------------------------------------------------------- */

static void write_json(const struct accepting *accepting, struct buffer *out)
{
    const struct decide *decide = &accepting->recording.decide;
    buffer_append_string(out, "{\"apiVersion\":\"weir/v1\",\"branch\":");
    json_write_string(out, text_of(decide->branch_name));
    buffer_printf(out,
                  ",\"commit\":\"%s\",\"epoch\":%" PRIu32 ",\"epochBefore\":%" PRIu32
                  ",\"parent\":\"%s\",\"pushed\":%s,\"repository\":",
                  decide->commit, accepting->accept.after, accepting->accept.before, decide->tip,
                  decide->is_recorded ? "true" : "false");
    json_write_string(out, buffer_text(&accepting->recording.shown));
    buffer_append_string(out, "}\n");
}

/* The message is indented, as git shows it. */
static void write_text(const struct accepting *accepting, struct buffer *out)
{
    const struct decide *decide = &accepting->recording.decide;
    const struct identity *identity = &accepting->recording.identity;
    const char *line = accepting->accept.message.data;
    buffer_printf(out, "%s %.12s to \"%s\" of %s: epoch %" PRIu32 ", after %" PRIu32 "\n",
                  decide->is_recorded ? "pushed" : "would push", decide->commit,
                  decide->branch_name, accepting->recording.shown.data, accepting->accept.after,
                  accepting->accept.before);
    buffer_printf(out, "\n    Author: %s <%s>%s\n\n", identity->name, identity->mail,
                  identity->key[0] ? ", signed" : "");
    while (line && *line) {
        size_t length = strcspn(line, "\n");
        buffer_printf(out, "%s%.*s\n", length ? "    " : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static int print(const struct accepting *accepting, const struct arguments *arguments)
{
    struct buffer out;
    buffer_init(&out, 0);
    const struct accept *accept = &accepting->accept;
    if (accept->from && !accept->served[0] && !accept->epoch) {
        buffer_printf(
            &out,
            "weir: commit \"%.60s\" is not in the history of the branch, so its epoch was "
            "not counted: if it is %" PRIu32 " or more, use --epoch\n",
            accepting->accept.from, accepting->accept.after);
        command_print_aside(&out);
        buffer_clear(&out);
    }
    if (format_is_json(arguments))
        write_json(accepting, &out);
    else
        write_text(accepting, &out);
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int configure(struct accepting *accepting, const struct arguments *arguments)
{
    const char *epoch = argument_given(arguments, "epoch");
    if (epoch && !accept_parse_epoch(epoch, &accepting->accept.epoch))
        return command_fail("\"--epoch\": \"%s\" is not a number from 1 to 4294967295", epoch);
    accepting->accept.from = argument_given(arguments, "from");
    accepting->accept.reason = argument_given(arguments, "reason");
    return recording_configure(&accepting->recording, arguments, accept_decide, &accepting->accept);
}

static int go(struct accepting *accepting, const struct arguments *arguments)
{
    struct recording *recording = &accepting->recording;
    struct error error = {0};
    if (recording_open(recording, arguments, &error) != STATUS_OK ||
        recording_run(recording, recording_decide, recording, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    return print(accepting, arguments);
}

static int run(const struct arguments *arguments)
{
    struct accepting *accepting = calloc(1, sizeof *accepting);
    if (!accepting)
        return command_fail("no memory");
    recording_init(&accepting->recording);
    buffer_init(&accepting->accept.message, 0);
    int code = configure(accepting, arguments);
    if (code == EXIT_FINE)
        code = go(accepting, arguments);
    buffer_dispose(&accepting->accept.message);
    recording_dispose(&accepting->recording);
    free(accepting);
    return code;
}

static const struct option options[] = {
    {.name = "repo",
     .type = OPTION_STRING,
     .argument = "URL|PATH",
     .required = true,
     .complete = COMPLETE_FOLDER,
     .help = "the repository that controllers follow: a URL, or the path of a bare one"},
    {.name = "branch",
     .type = OPTION_STRING,
     .argument = "B",
     .help = "the branch that was rewritten (default: the remote's HEAD)"},
    {.name = "epoch",
     .type = OPTION_STRING,
     .argument = "N",
     .help = "the number to write (default: one more than the highest that is known)"},
    {.name = "from",
     .type = OPTION_STRING,
     .argument = "COMMIT",
     .help = "the commit that controllers still serve: its epoch counts, if the branch has it"},
    {.name = "reason",
     .type = OPTION_STRING,
     .argument = "TEXT",
     .help = "why, for whoever reads the log"},
    RECORDING_OPTIONS,
    FORMAT_OPTION,
    GIT_OPTIONS,
    SAFE_DIRECTORY_OPTION,
    {0},
};

const struct command accept_command = {
    .name = "accept",
    .summary = "tell controllers to follow a branch that was rewritten",
    .description =
        "A controller does not follow a branch whose new tip does not descend from what it "
        "serves: it holds it, and reports W601. 'weir accept' pushes a commit to that branch that "
        "raises the number in \"state/epoch\": with it, the new history takes the place of the "
        "old one, everywhere.\n\n"
        "When the history that was cut off had an epoch of its own, the fault of the controller "
        "names the number to give by --epoch.\n\n"
        "If somebody else pushes meanwhile, it begins again on what they pushed. Nothing is ever "
        "forced.",
    .options = options,
    .examples = "weir accept --repo https://git.example.com/flags.git  # the remote's HEAD\n"
                "weir accept --repo git@example.com:flags.git --dry-run  # look first\n"
                "weir accept --repo /srv/git/flags.git --epoch 3  # what W601 asked for\n",
    .run = run,
};
