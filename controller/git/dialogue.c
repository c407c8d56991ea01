#include "dialogue.h"

#include <stdio.h>
#include <stdlib.h>

#include "hostkey.h"
#include "owner.h"

#define TIMEOUT (INT64_C(600) * 1000000000) /* of a whole operation, unless told */
/* What a server may send to list its branches: 64 MiB (half a million). */
#define LISTING_BYTES (UINT64_C(64) << 20)

/* --- libgit2 calls back ---------------------------------------------------------------------- */

int dialogue_progress(struct dialogue *dialogue)
{
    watch_note_activity(&dialogue->watch);
    return watch_is_over(&dialogue->watch) ? GIT_EUSER : 0;
}

static int on_transfer(const git_indexer_progress *progress, void *payload)
{
    (void)progress;
    return dialogue_progress(payload);
}

static int on_sideband(const char *text, int length, void *payload)
{
    (void)text;
    (void)length;
    return dialogue_progress(payload);
}

static int on_credentials(git_credential **out, const char *url, const char *user, unsigned allowed,
                          void *payload)
{
    struct dialogue *dialogue = payload;
    (void)url;
    if (watch_is_over(&dialogue->watch))
        return GIT_EUSER;
    return credentials_acquire(&dialogue->credentials, out, user, allowed);
}

/* TLS certificates are libgit2's to judge. */
static int on_certificate(git_cert *certificate, int valid, const char *host, void *payload)
{
    struct dialogue *dialogue = payload;
    struct error error = {0};
    (void)valid;
    if (certificate->cert_type != GIT_CERT_HOSTKEY_LIBSSH2)
        return GIT_PASSTHROUGH;
    const struct git_access *access = dialogue->mirror->access;
    if (hostkey_check(access ? access->ssh_known_hosts : NULL, host, dialogue->place.port,
                      (const git_cert_hostkey *)certificate, &error) == STATUS_OK)
        return 0;
    snprintf(dialogue->distrust, sizeof dialogue->distrust, "%s", error.message);
    git_error_set_str(GIT_ERROR_CALLBACK, error.message);
    return GIT_ECERTIFICATE;
}

void dialogue_callbacks(struct dialogue *dialogue, git_remote_callbacks *callbacks)
{
    callbacks->transfer_progress = on_transfer;
    callbacks->sideband_progress = on_sideband;
    callbacks->credentials = on_credentials;
    callbacks->certificate_check = on_certificate;
    callbacks->payload = dialogue;
}

void dialogue_proxy(const struct dialogue *dialogue, git_proxy_options *options)
{
    options->type = dialogue->proxy[0] ? GIT_PROXY_SPECIFIED : GIT_PROXY_NONE;
    options->url = dialogue->proxy[0] ? dialogue->proxy : NULL;
}

/* --- failures, in words that help ------------------------------------------------------------ */

static bool last_message_has(const char *words)
{
    const git_error *last = git_error_last();
    return last && last->message && strstr(last->message, words);
}

/* The same mistake in the words of each transport: a server's, a folder's, a path that leads to no
 * folder. */
static bool is_no_repository(const struct dialogue *dialogue, int code)
{
    return code == GIT_ENOTFOUND || last_message_has("status code: 404") ||
           last_message_has("could not find repository") ||
           last_message_has("does not appear to be a git repository") ||
           (dialogue->mirror->shown[0] == '/' && last_message_has("unsupported URL protocol"));
}

/* A limit of ours was passed; STATUS_OK when it was not. */
static enum status fail_limit(struct dialogue *dialogue, struct error *error)
{
    const char *shown = dialogue->mirror->shown;
    const struct watch_limits *limits = &dialogue->watch.limits;
    switch (atomic_load(&dialogue->watch.end)) {
    case WATCH_SILENT:
        return error_set(error, STATUS_SYSTEM, "\"%.140s\" did not answer for %u s", shown,
                         (limits->patience + 999) / 1000);
    case WATCH_LATE:
        return error_set(error, STATUS_SYSTEM,
                         "%s \"%.120s\" took longer than %lld s: give it more by "
                         "--git-timeout",
                         dialogue->doing, shown,
                         (long long)((limits->duration + 999999999) / 1000000000));
    case WATCH_FLOODED:
        return error_set(error, STATUS_SYSTEM, "\"%.140s\" sent more than %llu MiB", shown,
                         (unsigned long long)(atomic_load(&dialogue->watch.bytes) >> 20));
    default:
        return STATUS_OK;
    }
}

/* Another user's repository on this machine. */
static enum status fail_owner(struct dialogue *dialogue, struct error *error)
{
    return error_set(error, STATUS_SYSTEM,
                     "\"%.100s\" belongs to another user: allow that by --safe-directory \"%.80s\"",
                     dialogue->mirror->shown, dialogue->mirror->shown);
}

/* What a libgit2 call that talked to the remote ended with. */
enum status dialogue_fail(struct dialogue *dialogue, int code, struct error *error)
{
    const char *shown = dialogue->mirror->shown;
    if (watch_is_stopped(&dialogue->watch))
        return error_set(error, STATUS_STOPPED, "%s was stopped", dialogue->doing);
    enum status status = fail_limit(dialogue, error);
    if (status != STATUS_OK)
        return status;
    if (dialogue->distrust[0])
        return error_set(error, STATUS_SYSTEM, "%s", dialogue->distrust);
    if (dialogue->credentials.problem[0])
        return error_set(error, STATUS_SYSTEM, "no access to \"%.80s\": %s", shown,
                         dialogue->credentials.problem);
    if (code == GIT_ECERTIFICATE)
        return mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" is not trusted", shown);
    if (owner_was_refused(code))
        return fail_owner(dialogue, error);
    if (last_message_has("cannot redirect from"))
        return mirror_fail(error, STATUS_SYSTEM,
                           "\"%.90s\" redirects to another host, where weir does not follow",
                           shown);
    if (last_message_has("private key file"))
        return error_set(error, STATUS_SYSTEM,
                         "no access to \"%.80s\": the SSH key cannot be read: its passphrase is "
                         "another, or it is no private key",
                         shown);
    if (is_no_repository(dialogue, code))
        return error_set(error, STATUS_SYSTEM, "\"%.160s\" is not a git repository", shown);
    return mirror_fail(error, STATUS_SYSTEM, "\"%.110s\" cannot be %s", shown, dialogue->done);
}

enum status branch_name(const char *given, char branch[BRANCH_MAX + 1], struct error *error)
{
    int valid = 0;
    branch[0] = '\0';
    if (!given || !given[0])
        return STATUS_OK;
    if (strncmp(given, REFS_HEADS, sizeof REFS_HEADS - 1) == 0)
        given += sizeof REFS_HEADS - 1;
    if (strlen(given) > BRANCH_MAX || git_branch_name_is_valid(&valid, given) != 0 || !valid)
        return error_set(error, STATUS_INVALID, "\"%.100s\" cannot be the name of a branch", given);
    memcpy(branch, given, strlen(given) + 1);
    return STATUS_OK;
}

/* --- the steps ------------------------------------------------------------------------------- */

/* Finds out where the repository is and what leads there. */
static enum status find_way(struct dialogue *dialogue, struct watch_limits *limits,
                            struct error *error)
{
    static const struct git_access nothing;
    const struct mirror *mirror = dialogue->mirror;
    const struct git_access *access = mirror->access ? mirror->access : &nothing;
    *limits = (struct watch_limits){.patience = mirror->patience,
                                    .duration = access->timeout ? access->timeout : TIMEOUT,
                                    .bytes = LISTING_BYTES};
    dialogue->credentials.access = mirror->access;
    if (!url_local_path(mirror->url, &dialogue->path))
        return error_set(error, STATUS_NO_MEMORY, "no memory to connect");
    if (dialogue->path || !url_place_parse(mirror->url, &dialogue->place))
        return STATUS_OK; /* libgit2 says what is wrong with it */
    enum status status =
        git_access_proxy(access, &dialogue->place, dialogue->proxy, sizeof dialogue->proxy, error);
    if (status == STATUS_OK && dialogue->proxy[0])
        url_place_parse(dialogue->proxy, &limits->proxy);
    limits->remote = dialogue->place;
    return status;
}

enum status dialogue_begin(struct dialogue *dialogue, struct mirror *mirror, const char *doing,
                           const char *done, _Atomic bool *stop, struct error *error)
{
    struct watch_limits limits;
    *dialogue = (struct dialogue){.mirror = mirror, .doing = doing, .done = done};
    if (!mirror->url)
        return error_set(error, STATUS_REFUSED, "\"%.160s\" was opened for reading only",
                         mirror->shown);
    enum status status = find_way(dialogue, &limits, error);
    if (status == STATUS_OK)
        status = watch_begin(&dialogue->watch, stop, &limits, error);
    dialogue->is_watched = status == STATUS_OK;
    if (dialogue->is_watched && watch_is_stopped(&dialogue->watch))
        status = error_set(error, STATUS_STOPPED, "%s was stopped", doing);
    return status;
}

void dialogue_end(struct dialogue *dialogue)
{
    git_remote_free(dialogue->remote); /* disconnects */
    if (dialogue->is_watched)
        watch_end(&dialogue->watch);
    free(dialogue->path);
    explicit_bzero(dialogue->proxy, sizeof dialogue->proxy);
}

/* A remote without a name, made from the URL alone: looking one up in the configuration applies
 * url.*.insteadOf, and that leaks 20 KB for every setting in every fetch (libgit2 1.5 forgets to
 * free what a regular expression used when it does not match). */
enum status dialogue_open(struct dialogue *dialogue, git_direction direction,
                          const git_remote_callbacks *callbacks, struct error *error)
{
    git_remote_create_options how;
    git_remote_connect_options options;
    struct mirror *mirror = dialogue->mirror;
    git_remote_create_options_init(&how, GIT_REMOTE_CREATE_OPTIONS_VERSION);
    how.repository = mirror->repository;
    how.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    if (git_remote_create_with_opts(&dialogue->remote, mirror->url, &how) != 0)
        return mirror_fail(error, STATUS_INVALID, "\"%.120s\" is not a URL or path", mirror->shown);
    git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    if (callbacks)
        options.callbacks = *callbacks;
    else
        dialogue_callbacks(dialogue, &options.callbacks);
    dialogue_proxy(dialogue, &options.proxy_opts);
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE; /* to other hosts, that is */
    /* A repository on this machine is opened then and there, by libgit2's own transport. */
    bool is_opened = dialogue->path && !options.callbacks.transport;
    if (is_opened)
        owner_begin(mirror->access, dialogue->path);
    int code = git_remote_connect_ext(dialogue->remote, direction, &options);
    if (is_opened)
        owner_end();
    return code == 0 ? STATUS_OK : dialogue_fail(dialogue, code, error);
}

enum status dialogue_list(struct dialogue *dialogue, const git_remote_head ***heads, size_t *count,
                          struct error *error)
{
    int code = git_remote_ls(heads, count, dialogue->remote);
    return code == 0 ? STATUS_OK : dialogue_fail(dialogue, code, error);
}

const git_remote_head *dialogue_find(const git_remote_head **heads, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(heads[i]->name, name) == 0)
            return heads[i];
    }
    return NULL;
}
