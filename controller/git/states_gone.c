#include "states_gone.h"

#include "mirror_private.h"

struct looking {
    struct mirror *mirror;
    git_tree *tip;
    git_tree *older; /* an environment's folder as it was before the commit looked at last, and so
                      * is after the next one; or NULL */
    states_gone_visit *visit;
    void *context;
    char commit[COMMIT_TEXT_SIZE];
    bool is_enough;
};

static git_tree *root_of(const git_commit *commit)
{
    git_tree *tree = NULL;
    return git_commit_tree(&tree, commit) == 0 ? tree : NULL;
}

/* The folder of that name, or NULL. */
static git_tree *folder_of(const struct looking *looking, const git_tree *tree, const char *name)
{
    git_tree *folder = NULL;
    const git_tree_entry *entry = tree ? git_tree_entry_byname(tree, name) : NULL;
    if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_TREE)
        return NULL;
    const git_oid *id = git_tree_entry_id(entry);
    bool known = looking->older && git_oid_equal(git_tree_id(looking->older), id);
    int code = known ? git_tree_dup(&folder, looking->older)
                     : git_tree_lookup(&folder, looking->mirror->repository, id);
    return code == 0 ? folder : NULL;
}

static void tell(struct looking *looking, const char *environment, const git_tree_entry *entry)
{
    char path[2 * STATE_NAME_MOST + 32];
    struct text name;
    git_tree_entry *still = NULL;
    int length =
        snprintf(path, sizeof path, "state/%s/%s", environment, git_tree_entry_name(entry));
    if (length < 0 || (size_t)length >= sizeof path || !bundle_state_name(text_of(path), &name))
        return;
    if (git_tree_entry_bypath(&still, looking->tip, path) == 0) {
        git_tree_entry_free(still);
        return;
    }
    struct state_gone gone = {.path = text_of(path), .commit = looking->commit};
    memcpy(gone.blob.bytes, git_tree_entry_id(entry)->id, sizeof gone.blob.bytes);
    looking->is_enough = !looking->visit(looking->context, &gone);
}

/* What `before` has in the folder of an environment and `after` (or NULL) has not. */
static void compare_folder(struct looking *looking, const char *environment, const git_tree *before,
                           const git_tree *after)
{
    size_t count = git_tree_entrycount(before);
    for (size_t i = 0; i < count && !looking->is_enough; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(before, i);
        if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB &&
            (!after || !git_tree_entry_byname(after, git_tree_entry_name(entry))))
            tell(looking, environment, entry);
    }
}

static void compare_states(struct looking *looking, const git_tree *before, const git_tree *after)
{
    size_t count = git_tree_entrycount(before);
    for (size_t i = 0; i < count && !looking->is_enough; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(before, i), *now = NULL;
        const char *name = git_tree_entry_name(entry);
        now = after ? git_tree_entry_byname(after, name) : NULL;
        if (now && git_oid_equal(git_tree_entry_id(now), git_tree_entry_id(entry)))
            continue;
        git_tree *old = folder_of(looking, before, name), *new = folder_of(looking, after, name);
        if (old)
            compare_folder(looking, name, old, new);
        git_tree_free(new);
        git_tree_free(looking->older);
        looking->older = old;
    }
}

static bool same_states(const git_tree *before, const git_tree *after)
{
    const git_tree_entry *a = git_tree_entry_byname(before, "state"),
                         *b = git_tree_entry_byname(after, "state");
    return !a || (b && git_oid_equal(git_tree_entry_id(a), git_tree_entry_id(b)));
}

/* One commit and its parent. False: they cannot be read. */
static bool compare(struct looking *looking, const git_commit *commit, const git_commit *parent)
{
    git_tree *after = root_of(commit), *before = root_of(parent);
    bool readable = after && before;
    if (readable && !same_states(before, after)) {
        git_tree *old = folder_of(looking, before, "state"),
                 *new = folder_of(looking, after, "state");
        if (old)
            compare_states(looking, old, new);
        git_tree_free(old);
        git_tree_free(new);
    }
    git_tree_free(after);
    git_tree_free(before);
    return readable;
}

static enum status walk(struct looking *looking, git_commit *commit, const char *until,
                        const _Atomic bool *stop, struct error *error)
{
    git_commit *parent = NULL;
    enum status status = STATUS_OK;
    while (commit && status == STATUS_OK && !looking->is_enough) {
        mirror_format_id(git_commit_id(commit), looking->commit);
        bool is_end =
            git_commit_parentcount(commit) == 0 || (until && strcmp(until, looking->commit) == 0);
        parent = NULL;
        if (stop && atomic_load(stop))
            status = error_set(error, STATUS_STOPPED, "stopped");
        else if (!is_end &&
                 (git_commit_parent(&parent, commit, 0) != 0 || !compare(looking, commit, parent)))
            status = mirror_fail(error, STATUS_SYSTEM, "history before %s cannot be read",
                                 looking->commit);
        git_commit_free(commit);
        commit = is_end ? NULL : parent;
    }
    git_commit_free(commit);
    return status;
}

enum status mirror_states_gone(struct mirror *mirror, const char *commit, const char *until,
                               states_gone_visit *visit, void *context, const _Atomic bool *stop,
                               struct error *error)
{
    struct looking looking = {.mirror = mirror, .visit = visit, .context = context};
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    looking.tip = root_of(found);
    if (!looking.tip) {
        git_commit_free(found);
        return mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", commit);
    }
    status = walk(&looking, found, until, stop, error);
    git_tree_free(looking.older);
    git_tree_free(looking.tip);
    return status;
}
