#include "sign.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "child.h"
#include "message.h"

#define PATIENCE_MS 10000

static const char beginning[] = "-----BEGIN SSH SIGNATURE-----\n";
static const char ending[] = "-----END SSH SIGNATURE-----\n";

/* What child_run() cut off is no signature. */
static bool is_whole(struct text output)
{
    return text_starts_with(output, TEXT(beginning)) && text_ends_with(output, TEXT(ending));
}

static enum status refuse(const struct record_key *key, const struct child *child,
                          struct error *error)
{
    char words[120];
    message_fold(text_of(child->problem), words, sizeof words);
    if (strstr(child->problem, "passphrase"))
        return error_set(error, STATUS_SYSTEM,
                         "\"%.100s\" has a passphrase: put it into the SSH agent and name its .pub "
                         "file",
                         key->file);
    return error_set(error, STATUS_SYSTEM, "\"%.80s\" does not sign: %s", key->file,
                     words[0] ? words : "ssh-keygen does not say why");
}

enum status sign_payload(const struct record_key *key, struct text payload, _Atomic bool *stop,
                         char signature[SIGN_SIGNATURE_MAX], struct error *error)
{
    const char *const arguments[] = {"ssh-keygen", "-Y", "sign",    "-n",
                                     "git",        "-f", key->file, NULL};
    const char *const variables[] = {"SSH_AUTH_SOCK", NULL};
    struct child child = {
        .arguments = arguments, .variables = variables, .patience = PATIENCE_MS, .stop = stop};
    _Static_assert(sizeof child.output <= SIGN_SIGNATURE_MAX, "a signature fits");
    child.input = child_file(payload);
    if (child.input < 0)
        return error_set(error, STATUS_SYSTEM, "a commit cannot be handed to ssh-keygen: %s",
                         strerror(errno));
    enum status status = child_run(&child, error);
    close(child.input);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, STATUS_SYSTEM,
                         "commits cannot be signed: there is no \"ssh-keygen\" on PATH: install "
                         "OpenSSH's client");
    if (status != STATUS_OK)
        return status;
    if (child.code != 0 || !is_whole(text_of(child.output)))
        return refuse(key, &child, error);
    /* Without the last newline, as git stores it. */
    snprintf(signature, SIGN_SIGNATURE_MAX, "%.*s", (int)strlen(child.output) - 1, child.output);
    return STATUS_OK;
}
