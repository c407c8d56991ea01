/* controller.h - `weir run`: puts the parts together, runs them until it is told to stop. */
#ifndef WEIR_CONTROLLER_H
#define WEIR_CONTROLLER_H

#include "config.h"

/* Runs until SIGTERM or SIGINT; SIGHUP fetches at once, and reads the files
 * of tokens and certificate again. `announce` is called once with the address
 * that is listened on, before the first fetch. STATUS_OK after an orderly stop. */
enum status controller_run(const struct config *config,
                           void (*announce)(void *context, const char *address), void *context,
                           struct error *error);

#endif
