/* recording.h - what commands share that decide on a branch and push what they decided: weir
 * accept, weir unpin, and the verbs with --repo.
 *
 * The work is done in a clone that lasts as long as the command; whose commits they are, and
 * whether they are signed, is found as git itself would find it. In this order: recording_init(),
 * recording_configure(), recording_open(), recording_run(), after which what came of it is in
 * `decide`, recording_dispose(). */
#ifndef WEIR_RECORDING_H
#define WEIR_RECORDING_H

#include "../controller/git/decide.h"
#include "../controller/git/identity.h"
#include "clone.h"
#include "git_options.h"

/* Must not move once it is open: `decide` borrows from it. */
struct recording {
    struct config config;
    struct decide decide;     /* its callback is the caller's; the rest is filled in here */
    struct identity identity; /* known from recording_open() on */
    struct record_key key;
    struct buffer shown; /* the repository as it was given, without secrets; a C string */
    bool is_open;
};

void recording_init(struct recording *recording);
/* Also after a failure. */
void recording_dispose(struct recording *recording);

/* Reads "repo", "branch", GIT_OPTIONS, SAFE_DIRECTORY_OPTION and "dry-run". `callback` with its
 * `context` is called for each tip that is tried. Returns an exit code, after complaining. */
int recording_configure(struct recording *recording, const struct arguments *arguments,
                        decide_callback *callback, void *context);

/* Makes Git ready, and finds who commits: by "author" and "sign-key", else as git would. The errors
 * of identity_find() and git_access_install(). */
enum status recording_open(struct recording *recording, const struct arguments *arguments,
                           struct error *error);

/* Makes the clone and has `work` done in it; the errors of clone_run(). */
enum status recording_run(struct recording *recording, clone_work *work, void *context,
                          struct error *error);

/* The work itself, a clone_work whose context is the recording; the errors of decide(). */
enum status recording_decide(void *recording, struct mirror *mirror, _Atomic bool *stop,
                             struct error *error);

/* Of these commands, the same in all of them. */
#define RECORDING_OPTIONS                                                                          \
    {.name = "author",                                                                             \
     .type = OPTION_STRING,                                                                        \
     .argument = "NAME <MAIL>",                                                                    \
     .help = "whose commit it is (default: who git says you are)"},                                \
        {.name = "sign-key",                                                                       \
         .type = OPTION_STRING,                                                                    \
         .argument = "FILE",                                                                       \
         .complete = COMPLETE_FILE,                                                                \
         .help = "sign by SSH with this key (default: git's user.signingKey, if it signs by "      \
                 "SSH)"},                                                                          \
    {                                                                                              \
        .name = "dry-run", .type = OPTION_FLAG,                                                    \
        .help = "show what would be pushed, and push nothing"                                      \
    }

#endif
