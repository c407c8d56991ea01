/* probe.h - whether a thread of the HTTP server still turns: it is given a request of its own.
 *
 * The request comes over a pair of sockets that is handed to that thread's daemon, so no other
 * thread can answer in its place and no port, proxy or firewall stands in between. */
#ifndef WEIR_HTTP_PROBE_H
#define WEIR_HTTP_PROBE_H

#include <microhttpd.h>

#include "../../rules/base.h"

/* True when the daemon reacted within `patience` milliseconds, or had no room for one more
 * connection, which proves nothing. `wake` is a descriptor that becoming readable ends the wait, by
 * false; or -1. */
bool probe_daemon(struct MHD_Daemon *daemon, int wake, int patience);

#endif
