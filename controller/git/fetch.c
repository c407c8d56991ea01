/* Fetching one branch: connect, choose, download what is new, move our refs. */
#include <stdio.h>

#include "dialogue.h"
#include "intents_private.h"
#include "local.h"

#define LISTED_BRANCHES 5
/* What a server may send of history. */
#define DOWNLOAD_BYTES (UINT64_C(8) << 30)

/* One fetch, from connecting to disconnecting. */
struct fetch {
    struct dialogue dialogue;
    struct mirror *mirror;
    char branch[BRANCH_MAX + 1];
    git_oid tip;
};

/* --- failures, in words that help ------------------------------------------------------------ */

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

static enum status default_branch(struct fetch *fetch, const git_remote_head **heads, size_t count,
                                  struct error *error)
{
    git_buf name = GIT_BUF_INIT;
    enum status status = STATUS_OK;
    int code = git_remote_default_branch(&name, fetch->dialogue.remote);
    if (code == GIT_ENOTFOUND)
        status = fail_branch(fetch, heads, count, error);
    else if (code != 0)
        status = dialogue_fail(&fetch->dialogue, code, error);
    else
        status = branch_name(name.ptr, fetch->branch, error);
    git_buf_dispose(&name);
    return status;
}

/* Finds the branch among what the remote offers, and where it is. */
static enum status choose_branch(struct fetch *fetch, struct error *error)
{
    char name[sizeof REFS_HEADS + BRANCH_MAX];
    const git_remote_head **heads = NULL;
    size_t count = 0;
    enum status status = dialogue_list(&fetch->dialogue, &heads, &count, error);
    if (status == STATUS_OK)
        status = intents_note(fetch->mirror, heads, count, error);
    if (status == STATUS_OK && !fetch->branch[0])
        status = default_branch(fetch, heads, count, error);
    if (status != STATUS_OK)
        return status;
    snprintf(name, sizeof name, REFS_HEADS "%s", fetch->branch);
    const git_remote_head *head = dialogue_find(heads, count, name);
    if (!head)
        return fail_branch(fetch, heads, count, error);
    fetch->tip = head->oid;
    return STATUS_OK;
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
    dialogue_callbacks(&fetch->dialogue, &options.callbacks);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    dialogue_proxy(&fetch->dialogue, &options.proxy_opts);
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    watch_allow_bytes(&fetch->dialogue.watch, DOWNLOAD_BYTES);
    return git_remote_download(fetch->dialogue.remote, &list, &options);
}

static int on_progress(void *context)
{
    return dialogue_progress(context);
}

static enum status download(struct fetch *fetch, struct error *error)
{
    git_repository *repository = fetch->mirror->repository;
    git_commit *commit = NULL;
    struct dialogue *dialogue = &fetch->dialogue;
    int code = dialogue->path ? local_copy(repository, dialogue->path, fetch->mirror->access,
                                           &fetch->tip, on_progress, dialogue)
                              : download_branch(fetch);
    if (code != 0)
        return dialogue_fail(dialogue, code, error);
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
    enum status status = dialogue_open(&fetch->dialogue, GIT_DIRECTION_FETCH, NULL, error);
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

enum status mirror_fetch(struct mirror *mirror, const char *branch, _Atomic bool *stop,
                         char tip[COMMIT_TEXT_SIZE], struct error *error)
{
    struct fetch fetch = {.mirror = mirror};
    enum status status =
        dialogue_begin(&fetch.dialogue, mirror, "fetching", "fetched", stop, error);
    if (status == STATUS_OK)
        status = branch_name(branch, fetch.branch, error);
    if (status == STATUS_OK)
        status = fetch_branch(&fetch, error);
    dialogue_end(&fetch.dialogue);
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

enum status mirror_branch(struct mirror *mirror, char name[BRANCH_NAME_SIZE], struct error *error)
{
    git_reference *tip = NULL;
    int code = git_reference_lookup(&tip, mirror->repository, REF_TIP);
    const char *target = code == 0 ? git_reference_symbolic_target(tip) : NULL;
    size_t length = target ? strlen(target) : 0;
    bool known = length > sizeof REF_REMOTE - 1 && length < sizeof REF_REMOTE + BRANCH_MAX &&
                 strncmp(target, REF_REMOTE, sizeof REF_REMOTE - 1) == 0;
    if (known)
        memcpy(name, target + sizeof REF_REMOTE - 1, length - (sizeof REF_REMOTE - 1) + 1);
    git_reference_free(tip);
    return known ? STATUS_OK
                 : error_set(error, STATUS_NOT_FOUND, "the clone has no \"" REF_TIP "\" yet");
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
