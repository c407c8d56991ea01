/* stream.h - the TCP sockets of libgit2, in the place of its own.
 *
 * Two reasons: TCP_NODELAY (a push takes 30 ms where libgit2's own stream takes 73), and an end to
 * silence (watch.h). HTTP, HTTPS, SSH and git URLs all come through here; TLS is libgit2's. */
#ifndef WEIR_GIT_STREAM_H
#define WEIR_GIT_STREAM_H

#include "../../rules/base.h"

/* After git_libgit2_init(). */
enum status stream_register(struct error *error);

#endif
