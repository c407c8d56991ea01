/* look.h - what `weir status` and `weir rollouts` have in common: JSON of a controller, shown once
 * or, on and on, drawn over what was shown.
 *
 * With --format json the JSON itself is printed, one line a look. Exit codes are EXIT_FINE,
 * EXIT_DEFINITIONS where the view counts something that is wrong, and EXIT_USAGE where there is no
 * answer. */
#ifndef WEIR_CMD_LOOK_H
#define WEIR_CMD_LOOK_H

#include "command.h"
#include "controller_client.h"
#include "status.h"

struct look_task {
    const char *path; /* "/status" */
    /* Writes what people are shown; returns how many things are wrong. */
    size_t (*view)(struct buffer *out, struct arena *arena, const struct node *answer,
                   const struct status_look *look);
};

/* Of the controller that the options below name. */
int look_run(const struct look_task *task, const struct arguments *arguments);
/* Once, of an answer that is at hand; `source` is where it is from, for people. */
int look_show(const struct look_task *task, const struct arguments *arguments, const char *source,
              struct text answer, int64_t now);

#define LOOK_OPTIONS                                                                               \
    {.name = "controller",                                                                         \
     .letter = 'c',                                                                                \
     .type = OPTION_STRING,                                                                        \
     .argument = "URL",                                                                            \
     .standard = CONTROLLER_STANDARD,                                                              \
     .help = "where the controller listens"},                                                      \
        CONTROLLER_TOKEN_OPTIONS("to send"),                                                       \
        {.name = "watch",                                                                          \
         .letter = 'w',                                                                            \
         .type = OPTION_FLAG,                                                                      \
         .help = "look again and again, and draw over what was shown, until Ctrl-C"},              \
        {.name = "interval",                                                                       \
         .type = OPTION_STRING,                                                                    \
         .argument = "DURATION",                                                                   \
         .standard = "2s",                                                                         \
         .help = "how often --watch looks"},                                                       \
    {                                                                                              \
        .name = "color", .type = OPTION_STRING, .argument = "WHEN",                                \
        .choices = "auto|always|never", .standard = "auto",                                        \
        .help = "colours: on a terminal unless NO_COLOR is set, or as told"                        \
    }

#endif
