#include "credential.h"

#include <pwd.h>
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

static int acquire_key(struct credentials *credentials, git_credential **out, const char *user)
{
    char path[4096];
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

int credentials_acquire(struct credentials *credentials, git_credential **out, const char *user,
                        unsigned allowed)
{
    if (allowed & GIT_CREDENTIAL_SSH_KEY)
        return acquire_key(credentials, out, user);
    if (allowed & GIT_CREDENTIAL_USERNAME)
        return acquire_user(credentials, out);
    if (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT)
        return give_up(credentials,
                       "the server wants another user or password: put them into the URL, as in "
                       "https://user:password@host/path");
    return give_up(credentials, "the server wants a way to log in that weir does not have");
}
