/* child.h - a program that is run for its result: git for upkeep, ssh-keygen for signatures.
 *
 * No shell. The child has a small environment of its own, the descriptors that are named and no
 * others, a process group that is killed as a whole when its time is up, and no signal blocked or
 * ignored. It has no terminal, so that it cannot ask a person anything. Its time is UTC and its
 * language C, so that what it says is the same everywhere. */
#ifndef WEIR_GIT_CHILD_H
#define WEIR_GIT_CHILD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "../../rules/base.h"

#define CHILD_OUTPUT_MAX                                                                           \
    4096 /* bytes kept of each of its outputs; the rest is read and dropped                        \
          */
#define CHILD_FILES_MAX 4
#define CHILD_VARIABLES_MAX 24

struct child {
    const char *const *arguments; /* ended by NULL; the first is looked for on PATH */
    int input;                    /* its standard input; -1: empty */
    int files[CHILD_FILES_MAX];   /* are its descriptors 3, 4, … */
    size_t file_count;
    /* Of its environment, ended by NULL: "NAME=value", or "NAME": as we have it ourselves, and not
     * at all where we have not. NULL: nothing. At most CHILD_VARIABLES_MAX. */
    const char *const *variables;
    unsigned patience;  /* milliseconds until it is killed */
    _Atomic bool *stop; /* becoming true kills it; NULL: never */
    /* what came of it */
    int code;                       /* its exit status */
    char output[CHILD_OUTPUT_MAX];  /* NUL-terminated */
    char problem[CHILD_OUTPUT_MAX]; /* of its standard error */
};

/* STATUS_OK when it ran and exited, whatever its status. STATUS_NOT_FOUND: there is no such program
 * on PATH. STATUS_STOPPED. STATUS_SYSTEM: it was killed, by us for its time or by others. */
enum status child_run(struct child *child, struct error *error);

/* Starts a program that is talked to: `socket` is its standard input and its standard output, and
 * its complaints are dropped. `child` tells its arguments and variables and nothing else. The
 * caller waits for *pid, which is the id of its process group too. The same codes. */
enum status child_start(const struct child *child, int socket, pid_t *pid, struct error *error);

/* A file without a name that holds `bytes`, at its beginning; -1 with errno. */
int child_file(struct text bytes);

#endif
