/* forge.h - the commit status API of GitHub, GitLab, Gitea and Forgejo: which request tells a
 * state, and what the answer to it means.
 *
 * All of it is pure: no I/O, no clock, no memory of its own. commit_status.h sends. Sources:
 *   GitHub  docs.github.com/rest/commits/statuses (version 2022-11-28), and of limits
 *           docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
 *   GitLab  docs.gitlab.com/api/commits, "set the pipeline status of a commit"
 *   Gitea   /api/swagger, repoCreateStatus; Forgejo has the same */
#ifndef WEIR_FORGE_H
#define WEIR_FORGE_H

#include "../../rules/buffer.h"
#include "http_url.h"

enum forge_kind { FORGE_GITHUB, FORGE_GITLAB, FORGE_GITEA, FORGE_KINDS };

enum forge_state {
    FORGE_PENDING, /* is being judged */
    FORGE_SUCCESS, /* all of it is in force */
    FORGE_FAILURE, /* some or all of it is not, for its own faults */
    FORGE_ERROR    /* could not be judged: no fault of the commit */
};

#define FORGE_PROJECT_SIZE 512
#define FORGE_CONTEXT_SIZE 100
#define FORGE_COMMIT_SIZE 41 /* 40 hexadecimal digits and a NUL */
/* GitHub takes 140 characters, GitLab 255. All that weir writes is ASCII. */
#define FORGE_DESCRIPTION_SIZE 141

/* Where the repository is at the forge. */
struct forge_place {
    enum forge_kind kind;
    char api[HTTP_URL_SIZE];          /* without a slash at its end: https://api.github.com */
    char project[FORGE_PROJECT_SIZE]; /* OWNER/NAME; at GitLab GROUP/…/NAME, or a number */
};

struct forge_report {
    char commit[FORGE_COMMIT_SIZE];
    enum forge_state state;
    char description[FORGE_DESCRIPTION_SIZE];
};

/* FORGE_KINDS where there is none of that name. "forgejo" is Gitea's. */
enum forge_kind forge_kind_of(struct text name);
const char *forge_kind_name(enum forge_kind kind);
const char *forge_state_name(enum forge_state state); /* pending, success, failure, error */

/* Finds the place from the URL that the repository is cloned by. What the operator says wins: `api`
 * and `project` may be NULL. STATUS_INVALID when neither tells, or what is told makes no sense. */
enum status forge_place_find(enum forge_kind kind, const char *repo, const char *api,
                             const char *project, struct forge_place *out, struct error *error);

/* The request. `headers` holds lines "Name: value", each with its NUL, one of them with the token:
 * the caller wipes it. */
#define FORGE_HEADERS 4
struct forge_request {
    struct http_url url;
    struct buffer headers, body;
    const char *lines[FORGE_HEADERS + 1]; /* into `headers`; up to the first NULL */
};

/* Writes it: POST, JSON. `target_url` may be NULL. STATUS_INVALID when the token cannot stand in a
 * header. To be disposed of also on failure. */
enum status forge_request_write(const struct forge_place *place, const struct forge_report *report,
                                const char *context, const char *target_url, const char *token,
                                struct forge_request *out, struct error *error);
void forge_request_dispose(struct forge_request *request); /* wipes the headers */

enum forge_outcome {
    FORGE_TOLD,
    FORGE_LATER,   /* may well be taken when it is sent again */
    FORGE_LIMITED, /* the same, but not before `wait` */
    FORGE_REFUSED  /* is never taken as it is */
};

/* What the headers of an answer say of limits; empty where they are missing. */
struct forge_limits {
    const char *retry_after; /* seconds, or a date */
    const char *remaining;   /* X-RateLimit-Remaining; at GitLab RateLimit-Remaining */
    const char *reset;       /* X-RateLimit-Reset, RateLimit-Reset: seconds since 1970 */
};

/* The longest that a forge is believed when it wants to be left alone, in seconds: GitHub's
 * windows are an hour. The least, where it names no time: what GitHub asks for. */
#define FORGE_WAIT_MOST 3600
#define FORGE_WAIT_LEAST 60

/* What an answer means. *wait is seconds, 1 … FORGE_WAIT_MOST; set with FORGE_LIMITED. `now` is
 * seconds since 1970. 401, 403 and 404 are FORGE_LATER: the operator can mend token and project
 * while weir runs. GitLab refuses a state that a commit already has by 400; that is FORGE_TOLD. */
enum forge_outcome forge_judge(enum forge_kind kind, unsigned status, struct text body,
                               const struct forge_limits *limits, int64_t now, int64_t *wait);

#endif
