/* weir rollouts: where rollouts stand, of a running controller or as a repository says. */
#include "../controller/clock.h"
#include "../controller/rollout/rollout_status.h"
#include "commands.h"
#include "look.h"
#include "source.h"

static const char *wanted_environment(const struct arguments *arguments)
{
    return argument_given(arguments, "environment");
}

/* A DNS label, as every name of an environment is: nothing of it needs to be escaped in a query. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);
    return length && length < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* --- of a controller ------------------------------------------------------------------------- */

static int ask_controller(const struct arguments *arguments)
{
    const char *environment = wanted_environment(arguments);
    char path[128];
    const struct look_task task = {.path = path, .view = rollouts_view};
    snprintf(path, sizeof path, "/rollouts%s%s", environment ? "?environment=" : "",
             environment ? environment : "");
    return look_run(&task, arguments);
}

/* --- of a repository or a folder ------------------------------------------------------------- */

struct tip {
    struct rollout_filter filter;
    int64_t now;
    struct buffer answer;
};

/* As the machine sees it where nobody measures. */
static enum status tell_one(struct tip *tip, const struct roster_rollout *item)
{
    struct rollout_entry entry = {.item = item, .now = tip->now};
    struct walk_task task;
    struct walk_decision decision;
    struct arena arena;
    roster_task(item, tip->now, &task);
    arena_init(&arena, 0);
    enum status status = walk_tick(&task, item->state, &arena, &decision);
    if (status == STATUS_OK)
        status = walk_approvals(&task, item->state, &arena, &entry.approvals_given,
                                &entry.approvals_needed);
    entry.decision = &decision;
    if (status == STATUS_OK)
        rollout_status_entry(&tip->answer, &entry);
    arena_dispose(&arena);
    return status == STATUS_OK ? tip->answer.failed : status;
}

static enum status tell_all(void *context, const struct source_in_force *found, struct error *error)
{
    struct tip *tip = context;
    struct roster *roster;
    enum status status =
        roster_make(found->inventory, found->schemas, found->reader, NULL, &roster, error);
    if (status != STATUS_OK)
        return status;
    rollout_status_begin(&tip->answer, found->commit);
    for (size_t i = 0; i < roster->count && status == STATUS_OK; i++) {
        const struct roster_rollout *item = &roster->items[i];
        if (rollout_filter_passes(&tip->filter, item->rollout->environment.text))
            status = tell_one(tip, item);
    }
    rollout_status_end(&tip->answer);
    roster_release(roster);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "no memory");
}

static int read_tip(const struct arguments *arguments)
{
    static const struct look_task task = {.view = rollouts_view};
    const char *path = argument_operand(arguments, 0), *repo = argument_given(arguments, "repo");
    struct tip tip = {.filter.environment = text_of(wanted_environment(arguments)),
                      .now = clock_seconds(&system_clock)};
    struct source source = {0};
    buffer_init(&tip.answer, 0);
    int code = source_use_in_force(&source, arguments, path, tell_all, &tip);
    bool faulty = source.diagnostics.errors > 0;
    if (code == EXIT_FINE && faulty)
        source_complain(&source, arguments);
    if (code == EXIT_FINE)
        code = look_show(&task, arguments,
                         repo   ? repo
                         : path ? path
                                : ".",
                         buffer_text(&tip.answer), tip.now);
    buffer_dispose(&tip.answer);
    source_dispose(&source);
    return code == EXIT_FINE && faulty ? EXIT_DEFINITIONS : code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int run(const struct arguments *arguments)
{
    const char *environment = wanted_environment(arguments);
    bool of_tip = argument_operand(arguments, 0) || argument_given(arguments, "repo") ||
                  argument_given(arguments, "rev");
    if (environment && !is_name(environment))
        return command_fail("\"--environment %.80s\" is no name of an environment", environment);
    if (of_tip && argument_given(arguments, "controller"))
        return command_fail("a controller, or a repository: give one of them");
    if (of_tip && argument_flag(arguments, "watch"))
        return command_fail("\"--watch\" is for a controller: a commit does not change");
    return of_tip ? read_tip(arguments) : ask_controller(arguments);
}

static const struct option options[] = {
    LOOK_OPTIONS,
    {.name = "environment",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "E",
     .help = "only the rollouts of this environment"},
    SOURCE_OPTIONS,
    FORMAT_OPTION,
    {0},
};

static const struct operand operands[] = {
    {.name = "PATH",
     .help = "a folder of definitions to read instead of asking a controller",
     .complete = COMPLETE_FOLDER},
    {0},
};

const struct command rollouts_command = {
    .name = "rollouts",
    .summary = "show where rollouts stand and what they wait for",
    .description =
        "Asks a running controller (GET /rollouts) and shows a line for each rollout: its status, "
        "its phase, the share of users that has the variant now and the one that its phase "
        "leads to, the time to the next decision, the verdict of every gate, and what it waits "
        "for. Below that: rollouts that are held, were rolled back or killed, by whom and why; and "
        "where the controller serves something safer than Git says, since when.\n\n"
        "With PATH, --repo or --rev no controller is asked: it shows what the state files say. "
        "Gates are measured by controllers, so none are shown then.\n\n"
        "Exits with 1 where a rollout is held, rolled back or killed, where something else is "
        "served than Git says, or where a commit that is read has faults.",
    .options = options,
    .operands = operands,
    .examples =
        "weir rollouts  # of the controller on this machine\n"
        "weir rollouts --watch --environment production  # and keep looking\n"
        "weir rollouts examples/acme-shop  # of a folder of definitions\n"
        "weir rollouts --repo flags.git --format json | jq '.rollouts[] | {name, now}'  # "
        "for a script\n",
    .run = run,
};
