/* verb.h - what the ten commands that move a rollout share: weir start, pause, resume, advance,
 * approve, halt, step-back, rollback, kill, unkill.
 *
 * verbs.c has the commands and reads what was given. Each way to carry a verb out is a file of its
 * own, a function of struct verb_call; what came of it is shown by verb_view.c. */
#ifndef WEIR_CMD_VERB_H
#define WEIR_CMD_VERB_H

#include "../controller/rollout/verb.h"
#include "controller_client.h"
#include "recording.h"

/* What was given; borrowed from the arguments. */
struct verb_call {
    const struct arguments *arguments;
    const char *name; /* "step-back" */
    enum walk_verb_kind kind;
    const char *rollout; /* ENVIRONMENT/ROLLOUT, of that form */
    const char *reason;  /* or NULL */
    uint32_t lifts;      /* of resume, as walk_verb.lifts */
};

/* verb_repo.c: straight on the branch of a repository. Returns an exit code. */
int verb_by_repo(const struct verb_call *call);

/* verb_controller.c: through a running controller, by the right of a token. Returns an exit code.
 */
int verb_by_controller(const struct verb_call *call);

/* Of each of them, and of weir unpin; `why` is what is said of --reason. */
#define VERB_OPTIONS(why)                                                                          \
    {.name = "repo",                                                                               \
     .type = OPTION_STRING,                                                                        \
     .argument = "URL|PATH",                                                                       \
     .complete = COMPLETE_FOLDER,                                                                  \
     .help = "the repository that controllers follow: a URL, or the path of a bare one"},          \
        {.name = "branch",                                                                         \
         .type = OPTION_STRING,                                                                    \
         .argument = "B",                                                                          \
         .help = "the branch that they follow (default: the remote's HEAD)"},                      \
        {.name = "reason", .type = OPTION_STRING, .argument = "TEXT", .help = (why)},              \
        RECORDING_OPTIONS,                                                                         \
        {.name = "controller",                                                                     \
         .letter = 'c',                                                                            \
         .type = OPTION_STRING,                                                                    \
         .argument = "URL",                                                                        \
         .help = "ask this running controller instead"},                                           \
        CONTROLLER_TOKEN_OPTIONS("by which --controller knows you"),                               \
        {.name = "wait",                                                                           \
         .type = OPTION_STRING,                                                                    \
         .argument = "DURATION",                                                                   \
         .standard = "90s",                                                                        \
         .help = "how long to wait for what --controller makes of it"},                            \
        FORMAT_OPTION, GIT_OPTIONS, SAFE_DIRECTORY_OPTION

/* What came of it, for verb_view.c. */
struct verb_report {
    const struct verb_call *call;
    const struct verb_outcome *outcome;
    const char *branch, *tip; /* its short name, and the commit that was decided on */
    const char *shown;        /* the repository, without secrets */
    const char *author;       /* "NAME <MAIL>" */
    bool is_signed;
    bool is_recorded;     /* else it was only looked at, or there was nothing to do */
    struct text messages; /* of the commits, one after the other, divided by a NUL */
};

/* Prints it; returns the exit code: EXIT_DEFINITIONS when the rollout refuses. */
int verb_show(const struct verb_report *report);

#endif
