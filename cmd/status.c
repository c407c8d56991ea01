/* weir status: what a running controller serves, what its targets hold, and what is wrong. */
#include "commands.h"
#include "look.h"

static int run(const struct arguments *arguments)
{
    static const struct look_task task = {.path = "/status", .view = status_view};
    return look_run(&task, arguments);
}

static const struct option options[] = {
    LOOK_OPTIONS,
    FORMAT_OPTION,
    {0},
};

const struct command status_command = {
    .name = "status",
    .summary = "show what a running controller serves and what is wrong",
    .description =
        "Asks a running controller (GET /status) and shows which commit each environment is "
        "served since when, what each target has acknowledged, and below that what is wrong: "
        "the faults of the newest commit with their places, fetches that fail, targets that "
        "fail or are behind. A generation is shown as EPOCH.LEVEL.OVERLAY.MEMBERS; * marks "
        "the environment that answers where a request names none.\n\n"
        "Exits with 0 when all is good, with 1 when something is not, and with 2 when the "
        "controller cannot be asked. A target that has not acknowledged what is served is "
        "given 30 seconds. Times are by the controller's clock.",
    .options = options,
    .examples =
        "weir status  # of the controller on this machine\n"
        "weir status --watch --controller https://weir.example.com  # and keep looking\n"
        "weir status --format json | jq '.targets[] | select(.state != \"inSync\")'  # for a "
        "script\n",
    .run = run,
};
