/* Fetching one branch: connect, choose, download what is new, move our refs. */
#include <stdio.h>
#include <stdlib.h>

#include "credential.h"
#include "hostkey.h"
#include "local.h"
#include "mirror_private.h"
#include "owner.h"
#include "url.h"
#include "watch.h"

#define LISTED_BRANCHES 5
#define REFS_HEADS "refs/heads/"
#define BRANCH_MAX 200 /* bytes of a branch's name */
#define PROXY_MAX 2048
#define TIMEOUT (INT64_C(600) * 1000000000) /* of a whole fetch, unless told */
/* What a server may send: 64 MiB to list its branches (half a million), then 8 GiB of history. */
#define LISTING_BYTES (UINT64_C(64) << 20)
#define DOWNLOAD_BYTES (UINT64_C(8) << 30)

/* One fetch, from connecting to disconnecting. */
struct fetch {
    struct mirror *mirror;
    git_remote *remote;
    struct watch watch;
    struct credentials credentials;
    char *path;             /* of a repository on this machine; NULL: it is elsewhere */
    struct url_place place; /* where elsewhere */
    char proxy[PROXY_MAX];  /* its URL, or empty */
    char distrust[256];     /* why the server's key was refused, or empty */
    char branch[BRANCH_MAX + 1];
    git_oid tip;
};

/* --- libgit2 calls back ---------------------------------------------------------------------- */

static int on_progress(void *context)
{
    struct fetch *fetch = context;
    watch_note_activity(&fetch->watch);
    return watch_is_over(&fetch->watch) ? GIT_EUSER : 0;
}

static int on_transfer(const git_indexer_progress *progress, void *payload)
{
    (void)progress;
    return on_progress(payload);
}

static int on_sideband(const char *text, int length, void *payload)
{
    (void)text;
    (void)length;
    return on_progress(payload);
}

static int on_credentials(git_credential **out, const char *url, const char *user, unsigned allowed,
                          void *payload)
{
    struct fetch *fetch = payload;
    (void)url;
    if (watch_is_over(&fetch->watch))
        return GIT_EUSER;
    return credentials_acquire(&fetch->credentials, out, user, allowed);
}

/* TLS certificates are libgit2's to judge. */
static int on_certificate(git_cert *certificate, int valid, const char *host, void *payload)
{
    struct fetch *fetch = payload;
    struct error error = {0};
    (void)valid;
    if (certificate->cert_type != GIT_CERT_HOSTKEY_LIBSSH2)
        return GIT_PASSTHROUGH;
    const struct git_access *access = fetch->mirror->access;
    if (hostkey_check(access ? access->ssh_known_hosts : NULL, host, fetch->place.port,
                      (const git_cert_hostkey *)certificate, &error) == STATUS_OK)
        return 0;
    snprintf(fetch->distrust, sizeof fetch->distrust, "%s", error.message);
    git_error_set_str(GIT_ERROR_CALLBACK, error.message);
    return GIT_ECERTIFICATE;
}

static void set_callbacks(git_remote_callbacks *callbacks, struct fetch *fetch)
{
    callbacks->transfer_progress = on_transfer;
    callbacks->sideband_progress = on_sideband;
    callbacks->credentials = on_credentials;
    callbacks->certificate_check = on_certificate;
    callbacks->payload = fetch;
}

/* --- failures, in words that help ------------------------------------------------------------ */

static bool last_message_has(const char *words)
{
    const git_error *last = git_error_last();
    return last && last->message && strstr(last->message, words);
}

/* The same mistake in the words of each transport: a server's, a folder's, a path that leads to no
 * folder. */
static bool is_no_repository(const struct fetch *fetch, int code)
{
    return code == GIT_ENOTFOUND || last_message_has("status code: 404") ||
           last_message_has("could not find repository") ||
           last_message_has("does not appear to be a git repository") ||
           (fetch->mirror->shown[0] == '/' && last_message_has("unsupported URL protocol"));
}

/* A limit of ours was passed; STATUS_OK when it was not. */
static enum status fail_limit(struct fetch *fetch, struct error *error)
{
    const char *shown = fetch->mirror->shown;
    const struct watch_limits *limits = &fetch->watch.limits;
    switch (atomic_load(&fetch->watch.end)) {
    case WATCH_SILENT:
        return error_set(error, STATUS_SYSTEM, "\"%.140s\" did not answer for %u s", shown,
                         (limits->patience + 999) / 1000);
    case WATCH_LATE:
        return error_set(error, STATUS_SYSTEM,
                         "fetching \"%.120s\" took longer than %lld s: give it more by "
                         "--git-timeout",
                         shown, (long long)((limits->duration + 999999999) / 1000000000));
    case WATCH_FLOODED:
        return error_set(error, STATUS_SYSTEM, "\"%.140s\" sent more than %llu MiB", shown,
                         (unsigned long long)(atomic_load(&fetch->watch.bytes) >> 20));
    default:
        return STATUS_OK;
    }
}

/* Another user's repository on this machine. */
static enum status fail_owner(struct fetch *fetch, struct error *error)
{
    return error_set(error, STATUS_SYSTEM,
                     "\"%.100s\" belongs to another user: allow that by --safe-directory \"%.80s\"",
                     fetch->mirror->shown, fetch->mirror->shown);
}

/* What a libgit2 call that talked to the remote ended with. */
static enum status fail(struct fetch *fetch, int code, struct error *error)
{
    const char *shown = fetch->mirror->shown;
    if (watch_is_stopped(&fetch->watch))
        return error_set(error, STATUS_STOPPED, "the fetch was stopped");
    enum status status = fail_limit(fetch, error);
    if (status != STATUS_OK)
        return status;
    if (fetch->distrust[0])
        return error_set(error, STATUS_SYSTEM, "%s", fetch->distrust);
    if (fetch->credentials.problem[0])
        return error_set(error, STATUS_SYSTEM, "no access to \"%.80s\": %s", shown,
                         fetch->credentials.problem);
    if (code == GIT_ECERTIFICATE)
        return mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" is not trusted", shown);
    if (owner_was_refused(code))
        return fail_owner(fetch, error);
    if (last_message_has("cannot redirect from"))
        return mirror_fail(error, STATUS_SYSTEM,
                           "\"%.90s\" redirects to another host, where weir does not follow",
                           shown);
    if (last_message_has("private key file"))
        return error_set(error, STATUS_SYSTEM,
                         "no access to \"%.80s\": the SSH key cannot be read: its passphrase is "
                         "another, or it is no private key",
                         shown);
    if (is_no_repository(fetch, code))
        return error_set(error, STATUS_SYSTEM, "\"%.160s\" is not a git repository", shown);
    return mirror_fail(error, STATUS_SYSTEM, "\"%.110s\" cannot be fetched", shown);
}

static void list_branches(struct buffer *out, const git_remote_head **heads, size_t count)
{
    size_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(heads[i]->name, REFS_HEADS, sizeof REFS_HEADS - 1) != 0)
            continue;
        if (listed == LISTED_BRANCHES) {
            buffer_append_string(out, ", ...");
            return;
        }
        buffer_printf(out, "%s\"%.24s\"", listed++ ? ", " : "",
                      heads[i]->name + sizeof REFS_HEADS - 1);
    }
}

static enum status fail_branch(struct fetch *fetch, const git_remote_head **heads, size_t count,
                               struct error *error)
{
    const char *shown = fetch->mirror->shown, *branch = fetch->branch;
    struct buffer names;
    buffer_init(&names, 0);
    list_branches(&names, heads, count);
    const char *there = buffer_string(&names);
    if (!there)
        error_set(error, STATUS_NO_MEMORY, "no memory to list branches");
    else if (count == 0)
        error_set(error, STATUS_NOT_FOUND, "\"%.120s\" is empty: push a first commit to it", shown);
    else if (!there[0])
        error_set(error, STATUS_NOT_FOUND, "\"%.120s\" has no branch: push one to it", shown);
    else if (branch[0])
        error_set(error, STATUS_NOT_FOUND, "\"%.50s\" has no branch \"%.40s\"; there is %s", shown,
                  branch, there);
    else
        error_set(error, STATUS_NOT_FOUND,
                  "the HEAD of \"%.50s\" leads to no branch: choose one; there is %s", shown,
                  there);
    enum status status = there ? STATUS_NOT_FOUND : STATUS_NO_MEMORY;
    buffer_dispose(&names);
    return status;
}

/* --- the steps ------------------------------------------------------------------------------- */

static enum status name_branch(struct fetch *fetch, const char *branch, struct error *error)
{
    int valid = 0;
    if (!branch || !branch[0])
        return STATUS_OK;
    if (strncmp(branch, REFS_HEADS, sizeof REFS_HEADS - 1) == 0)
        branch += sizeof REFS_HEADS - 1;
    if (strlen(branch) > BRANCH_MAX || git_branch_name_is_valid(&valid, branch) != 0 || !valid)
        return error_set(error, STATUS_INVALID, "\"%.100s\" cannot be the name of a branch",
                         branch);
    memcpy(fetch->branch, branch, strlen(branch) + 1);
    return STATUS_OK;
}

static void set_proxy(git_proxy_options *options, const struct fetch *fetch)
{
    options->type = fetch->proxy[0] ? GIT_PROXY_SPECIFIED : GIT_PROXY_NONE;
    options->url = fetch->proxy[0] ? fetch->proxy : NULL;
}

/* A remote without a name, made from the URL alone: looking one up in the configuration applies
 * url.*.insteadOf, and that leaks 20 KB for every setting in every fetch (libgit2 1.5 forgets to
 * free what a regular expression used when it does not match). */
static enum status connect_remote(struct fetch *fetch, struct error *error)
{
    git_remote_create_options how;
    git_remote_connect_options options;
    struct mirror *mirror = fetch->mirror;
    git_remote_create_options_init(&how, GIT_REMOTE_CREATE_OPTIONS_VERSION);
    how.repository = mirror->repository;
    how.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    if (git_remote_create_with_opts(&fetch->remote, mirror->url, &how) != 0)
        return mirror_fail(error, STATUS_INVALID, "\"%.120s\" is not a URL or path", mirror->shown);
    git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    set_callbacks(&options.callbacks, fetch);
    set_proxy(&options.proxy_opts, fetch);
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE; /* to other hosts, that is */
    if (fetch->path)                                     /* is opened then and there */
        owner_begin(mirror->access, fetch->path);
    int code = git_remote_connect_ext(fetch->remote, GIT_DIRECTION_FETCH, &options);
    if (fetch->path)
        owner_end();
    return code == 0 ? STATUS_OK : fail(fetch, code, error);
}

static enum status default_branch(struct fetch *fetch, const git_remote_head **heads, size_t count,
                                  struct error *error)
{
    git_buf name = GIT_BUF_INIT;
    enum status status = STATUS_OK;
    int code = git_remote_default_branch(&name, fetch->remote);
    if (code == GIT_ENOTFOUND)
        status = fail_branch(fetch, heads, count, error);
    else if (code != 0)
        status = fail(fetch, code, error);
    else
        status = name_branch(fetch, name.ptr, error);
    git_buf_dispose(&name);
    return status;
}

/* Finds the branch among what the remote offers, and where it is. */
static enum status choose_branch(struct fetch *fetch, struct error *error)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    int code = git_remote_ls(&heads, &count, fetch->remote);
    if (code != 0)
        return fail(fetch, code, error);
    if (!fetch->branch[0]) {
        enum status status = default_branch(fetch, heads, count, error);
        if (status != STATUS_OK)
            return status;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = heads[i]->name;
        if (strncmp(name, REFS_HEADS, sizeof REFS_HEADS - 1) == 0 &&
            strcmp(name + sizeof REFS_HEADS - 1, fetch->branch) == 0) {
            fetch->tip = heads[i]->oid;
            return STATUS_OK;
        }
    }
    return fail_branch(fetch, heads, count, error);
}

static bool is_here(struct fetch *fetch, const char *ref)
{
    git_oid had;
    git_commit *commit = NULL;
    bool here = git_reference_name_to_id(&had, fetch->mirror->repository, ref) == 0 &&
                git_oid_equal(&had, &fetch->tip) &&
                git_commit_lookup(&commit, fetch->mirror->repository, &had) == 0;
    git_commit_free(commit);
    return here;
}

/* libgit2's code. libgit2 1.5 forgets to free its copy of a proxy's URL here: some thirty bytes for
 * a fetch that brings something. */
static int download_branch(struct fetch *fetch)
{
    git_fetch_options options;
    char refspec[2 * BRANCH_MAX + sizeof "+" REFS_HEADS ":" REF_REMOTE];
    char *specs[] = {refspec};
    const git_strarray list = {specs, 1};
    snprintf(refspec, sizeof refspec, "+" REFS_HEADS "%s:" REF_REMOTE "%s", fetch->branch,
             fetch->branch);
    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    set_callbacks(&options.callbacks, fetch);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    set_proxy(&options.proxy_opts, fetch);
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    watch_allow_bytes(&fetch->watch, DOWNLOAD_BYTES);
    return git_remote_download(fetch->remote, &list, &options);
}

static enum status download(struct fetch *fetch, struct error *error)
{
    git_repository *repository = fetch->mirror->repository;
    git_commit *commit = NULL;
    int code = fetch->path ? local_copy(repository, fetch->path, fetch->mirror->access, &fetch->tip,
                                        on_progress, fetch)
                           : download_branch(fetch);
    if (code != 0)
        return fail(fetch, code, error);
    if (git_commit_lookup(&commit, repository, &fetch->tip) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" sent no commit for \"%.50s\"",
                           fetch->mirror->shown, fetch->branch);
    git_commit_free(commit);
    return STATUS_OK;
}

/* --- our refs -------------------------------------------------------------------------------- */

static bool is_below(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(name, folder, length) == 0 && name[length] == '/';
}

/* The remote may have replaced branch "a" by "a/b": as files, the two cannot both be. */
static void make_way(git_repository *repository, const char *ref)
{
    git_reference_iterator *all = NULL;
    git_reference *other;
    if (git_reference_iterator_glob_new(&all, repository, REF_REMOTE "*") != 0)
        return;
    while (git_reference_next(&other, all) == 0) {
        const char *name = git_reference_name(other);
        if (is_below(name, ref) || is_below(ref, name))
            git_reference_delete(other);
        git_reference_free(other);
    }
    git_reference_iterator_free(all);
}

static enum status fail_ref(struct error *error, int code, const char *ref)
{
    if (code == GIT_ELOCKED)
        return error_set(error, STATUS_SYSTEM,
                         "\"%.100s\" is locked: when no other weir uses this clone, remove "
                         "\"%.100s.lock\" from it",
                         ref, ref);
    return mirror_fail(error, STATUS_SYSTEM, "\"%.120s\" cannot be written", ref);
}

static enum status set_ref(struct mirror *mirror, const char *ref, const git_oid *id,
                           struct error *error)
{
    git_reference *made = NULL;
    int code = git_reference_create(&made, mirror->repository, ref, id, 1, NULL);
    git_reference_free(made);
    return code == 0 ? STATUS_OK : fail_ref(error, code, ref);
}

static enum status point_tip(struct mirror *mirror, const char *ref, struct error *error)
{
    git_reference *tip = NULL;
    int code = git_reference_lookup(&tip, mirror->repository, REF_TIP);
    const char *target = code == 0 ? git_reference_symbolic_target(tip) : NULL;
    bool same = target && strcmp(target, ref) == 0;
    git_reference_free(tip);
    if (same)
        return STATUS_OK;
    tip = NULL;
    code = git_reference_symbolic_create(&tip, mirror->repository, REF_TIP, ref, 1, NULL);
    git_reference_free(tip);
    return code == 0 ? STATUS_OK : fail_ref(error, code, REF_TIP);
}

static enum status fetch_branch(struct fetch *fetch, struct error *error)
{
    char ref[sizeof REF_REMOTE + BRANCH_MAX];
    struct mirror *mirror = fetch->mirror;
    enum status status = connect_remote(fetch, error);
    if (status == STATUS_OK)
        status = choose_branch(fetch, error);
    if (status != STATUS_OK)
        return status;
    snprintf(ref, sizeof ref, REF_REMOTE "%s", fetch->branch);
    if (!is_here(fetch, ref)) {
        status = download(fetch, error);
        if (status == STATUS_OK) {
            make_way(mirror->repository, ref);
            status = set_ref(mirror, ref, &fetch->tip, error);
        }
    }
    return status == STATUS_OK ? point_tip(mirror, ref, error) : status;
}

/* Finds out where the repository is and what leads there. */
static enum status find_way(struct fetch *fetch, struct watch_limits *limits, struct error *error)
{
    static const struct git_access nothing;
    const struct mirror *mirror = fetch->mirror;
    const struct git_access *access = mirror->access ? mirror->access : &nothing;
    *limits = (struct watch_limits){.patience = mirror->patience,
                                    .duration = access->timeout ? access->timeout : TIMEOUT,
                                    .bytes = LISTING_BYTES};
    fetch->credentials.access = mirror->access;
    if (!url_local_path(mirror->url, &fetch->path))
        return error_set(error, STATUS_NO_MEMORY, "no memory to fetch");
    if (fetch->path || !url_place_parse(mirror->url, &fetch->place))
        return STATUS_OK; /* libgit2 says what is wrong with it */
    enum status status =
        git_access_proxy(access, &fetch->place, fetch->proxy, sizeof fetch->proxy, error);
    if (status == STATUS_OK && fetch->proxy[0])
        url_place_parse(fetch->proxy, &limits->proxy);
    limits->remote = fetch->place;
    return status;
}

static enum status watch_fetch(struct fetch *fetch, _Atomic bool *stop, struct error *error)
{
    struct watch_limits limits;
    enum status status = find_way(fetch, &limits, error);
    if (status == STATUS_OK)
        status = watch_begin(&fetch->watch, stop, &limits, error);
    if (status != STATUS_OK)
        return status;
    if (watch_is_stopped(&fetch->watch))
        status = error_set(error, STATUS_STOPPED, "the fetch was stopped");
    else
        status = fetch_branch(fetch, error);
    git_remote_free(fetch->remote); /* disconnects */
    watch_end(&fetch->watch);
    return status;
}

enum status mirror_fetch(struct mirror *mirror, const char *branch, _Atomic bool *stop,
                         char tip[COMMIT_TEXT_SIZE], struct error *error)
{
    struct fetch fetch = {.mirror = mirror};
    if (!mirror->url)
        return error_set(error, STATUS_REFUSED, "\"%.160s\" was opened for reading only",
                         mirror->shown);
    enum status status = name_branch(&fetch, branch, error);
    if (status == STATUS_OK)
        status = watch_fetch(&fetch, stop, error);
    free(fetch.path);
    explicit_bzero(fetch.proxy, sizeof fetch.proxy);
    if (status == STATUS_OK)
        mirror_format_id(&fetch.tip, tip);
    return status;
}

/* --- what is remembered ---------------------------------------------------------------------- */

static enum status read_ref(struct mirror *mirror, const char *ref, char out[COMMIT_TEXT_SIZE],
                            struct error *error)
{
    git_oid id;
    int code = git_reference_name_to_id(&id, mirror->repository, ref);
    if (code == GIT_ENOTFOUND)
        return error_set(error, STATUS_NOT_FOUND, "the clone has no \"%s\" yet", ref);
    if (code != 0)
        return mirror_fail(error, STATUS_SYSTEM, "\"%s\" cannot be read", ref);
    mirror_format_id(&id, out);
    return STATUS_OK;
}

enum status mirror_last_tip(struct mirror *mirror, char tip[COMMIT_TEXT_SIZE], struct error *error)
{
    return read_ref(mirror, REF_TIP, tip, error);
}

enum status mirror_accepted(struct mirror *mirror, char commit[COMMIT_TEXT_SIZE],
                            struct error *error)
{
    return read_ref(mirror, REF_ACCEPTED, commit, error);
}

enum status mirror_set_accepted(struct mirror *mirror, const char *commit, struct error *error)
{
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    status = set_ref(mirror, REF_ACCEPTED, git_commit_id(found), error);
    git_commit_free(found);
    return status;
}
