#include "credential.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int give_up(struct credentials *credentials, const char *problem)
{
    snprintf(credentials->problem, sizeof credentials->problem, "%s", problem);
    git_error_set_str(GIT_ERROR_CALLBACK, problem);
    return GIT_EAUTH;
}

/* The account that runs us, as ssh(1) has it for a URL that names no user. */
static int acquire_user(struct credentials *credentials, git_credential **out)
{
    char space[2048];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(geteuid(), &entry, space, sizeof space, &found) != 0 || !found)
        return give_up(credentials, "put the user into the URL, as in ssh://git@host/path");
    return git_credential_username_new(out, found->pw_name);
}

/* The file of the `index`th default key in `path`; false past the last. */
static bool key_path(unsigned index, char *path, size_t size)
{
    static const char *const names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
    const char *home = getenv("HOME");
    path[0] = '\0';
    if (index >= COUNT_OF(names))
        return false;
    if (home && home[0]) {
        int length = snprintf(path, size, "%s/.ssh/%s", home, names[index]);
        if (length < 0 || (size_t)length >= size)
            path[0] = '\0';
    }
    return true;
}

static bool is_unreadable(const char *path)
{
    return access(path, R_OK) != 0;
}

/* The one key that the operator named. */
static int acquire_named_key(struct credentials *credentials, git_credential **out,
                             const char *user)
{
    const struct git_access *named = credentials->access;
    char passphrase[GIT_ACCESS_SECRET_MAX], problem[sizeof credentials->problem];
    struct error error;
    if (credentials->offered) {
        snprintf(problem, sizeof problem, "the server does not take the key \"%.120s\"",
                 named->ssh_key);
        return give_up(credentials, problem);
    }
    if (is_unreadable(named->ssh_key)) {
        snprintf(problem, sizeof problem, "the key \"%.120s\" cannot be read: %s", named->ssh_key,
                 strerror(errno));
        return give_up(credentials, problem);
    }
    if (git_access_passphrase(named, passphrase, sizeof passphrase, &error) != STATUS_OK)
        return give_up(credentials, error.message);
    credentials->offered = true;
    int code = git_credential_ssh_key_new(out, user, NULL, named->ssh_key, passphrase);
    explicit_bzero(passphrase, sizeof passphrase);
    return code;
}

static int acquire_key(struct credentials *credentials, git_credential **out, const char *user)
{
    char path[4096];
    if (credentials->access && credentials->access->ssh_key)
        return acquire_named_key(credentials, out, user);
    if (credentials->tried == 0) {
        credentials->tried++;
        const char *agent = getenv("SSH_AUTH_SOCK");
        if (agent && agent[0] && access(agent, R_OK | W_OK) == 0) {
            credentials->offered = true;
            return git_credential_ssh_key_from_agent(out, user);
        }
    }
    while (key_path(credentials->tried - 1, path, sizeof path)) {
        credentials->tried++;
        if (path[0] && access(path, R_OK) == 0) {
            credentials->offered = true;
            return git_credential_ssh_key_new(out, user, NULL, path, NULL);
        }
    }
    return give_up(credentials,
                   credentials->offered
                       ? "the server takes none of the keys of the SSH agent and of ~/.ssh"
                       : "there is no SSH key: run an SSH agent, or put one without a "
                         "passphrase at ~/.ssh/id_ed25519");
}

static int acquire_token(struct credentials *credentials, git_credential **out)
{
    const struct git_access *access = credentials->access;
    char token[GIT_ACCESS_SECRET_MAX];
    struct error error;
    if (credentials->token_offered)
        return give_up(credentials, "the server does not take the token: it may have expired, or "
                                    "lack the right to read this repository");
    if (git_access_token(access, token, sizeof token, &error) != STATUS_OK)
        return give_up(credentials, error.message);
    credentials->token_offered = true;
    int code =
        git_credential_userpass_plaintext_new(out, access->user ? access->user : "git", token);
    explicit_bzero(token, sizeof token);
    return code;
}

int credentials_acquire(struct credentials *credentials, git_credential **out, const char *user,
                        unsigned allowed)
{
    if (allowed & GIT_CREDENTIAL_SSH_KEY)
        return acquire_key(credentials, out, user);
    if (allowed & GIT_CREDENTIAL_USERNAME)
        return acquire_user(credentials, out);
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) && credentials->access &&
        git_access_has_token(credentials->access))
        return acquire_token(credentials, out);
    if (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT)
        return give_up(credentials, "the server wants another user or password: give a token by "
                                    "--git-token-file, or put them into the URL, as in "
                                    "https://user:password@host/path");
    return give_up(credentials, "the server wants a way to log in that weir does not have");
}
