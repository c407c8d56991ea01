/* access.h - how a Git server is reached and who we are there: what the operator said.
 *
 * A struct git_access owns its texts. Secrets are read from their files at every use, so that a
 * token can be replaced while weir runs, and are wiped after it. */
#ifndef WEIR_GIT_ACCESS_H
#define WEIR_GIT_ACCESS_H

#include "../../rules/base.h"
#include "url.h"

struct git_access {
    char *user;                /* beside the token; NULL: "git" */
    char *token_file;          /* its first line is the token; at most one of these two */
    char *token_variable;      /* the environment variable that holds it */
    char *ssh_key;             /* the only key that is tried; NULL: the agent, then ~/.ssh */
    char *ssh_passphrase_file; /* of that key */
    char *ssh_known_hosts;     /* NULL: ~/.ssh/known_hosts */
    char *proxy;               /* a URL; NULL: what http_proxy, https_proxy and no_proxy say */
    char *ca_file;             /* PEM; NULL: the certificates that the system trusts */
    char **safe_directories;   /* repositories of other users that may be read; "*": all */
    size_t safe_directory_count;
    int64_t timeout; /* nanoseconds that a whole fetch may take; 0: 10 minutes */
};

#define GIT_ACCESS_SECRET_MAX 4096 /* bytes of a token or a passphrase */

void git_access_dispose(struct git_access *access); /* leaves it empty */

/* Whether all of it belongs together and to a repository at `url`. STATUS_INVALID. */
enum status git_access_check(const struct git_access *access, const char *url, struct error *error);
/* Whether the token travels where others can read it: by http to another machine. */
bool git_access_is_exposed(const struct git_access *access, const char *url);
/* What libgit2 keeps once for the whole process: the trusted certificates. After mirror_startup().
 */
enum status git_access_install(const struct git_access *access, struct error *error);

bool git_access_has_token(const struct git_access *access);
/* At most `size` − 1 bytes and a NUL; the caller wipes it. */
enum status git_access_token(const struct git_access *access, char *token, size_t size,
                             struct error *error);
/* The same of the key's passphrase; an empty text when there is none. */
enum status git_access_passphrase(const struct git_access *access, char *passphrase, size_t size,
                                  struct error *error);

/* The URL of the proxy for `remote`, in `proxy` with its secrets; empty: none. STATUS_INVALID when
 * what the environment says is not a URL. */
enum status git_access_proxy(const struct git_access *access, const struct url_place *remote,
                             char *proxy, size_t size, struct error *error);

#endif
