/* pin_view.h - what came of a verb about a flag without a rollout: weir unpin, and weir kill and
 * unkill of what is no rollout. */
#ifndef WEIR_PIN_VIEW_H
#define WEIR_PIN_VIEW_H

#include "../controller/git/identity.h"
#include "../controller/rollout/pin.h"
#include "command.h"

/* All borrowed. */
struct pin_report {
    const struct pin_request *request;
    const struct decide *decide;
    const struct identity *identity;
    const char *name, *shown; /* ENVIRONMENT/FLAG; the repository, without secrets */
};

/* Prints it as the option "format" says; returns the exit code. */
int pin_show(const struct pin_report *report, const struct arguments *arguments);

#endif
