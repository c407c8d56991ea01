/* listen.h - a listening TCP socket from what an operator writes: ADDRESS:PORT. */
#ifndef WEIR_HTTP_LISTEN_H
#define WEIR_HTTP_LISTEN_H

#include "../../rules/base.h"

/* Splits "HOST:PORT", "[V6]:PORT" or ":PORT" (`host` is empty then). STATUS_INVALID says what is
 * wrong. */
enum status listen_parse(const char *text, char host[256], uint16_t *port, struct error *error);

/* Opens, binds and listens, without blocking; the caller closes *out. The address taken, with the
 * port that the system chose for port 0, is written to `address`. STATUS_INVALID: not an address;
 * STATUS_SYSTEM: in use, not ours, not allowed. */
enum status listen_open(const char *text, int *out, char address[64], struct error *error);

#endif
