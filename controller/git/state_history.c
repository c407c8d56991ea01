#include "state_history.h"

#include <stdlib.h>

#include "mirror_private.h"

struct looking {
    struct mirror *mirror;
    git_tree *tip;
    state_visit *visit;
    void *context;
    const _Atomic bool *stop;
    const git_commit *maker; /* of a version beside: those that another parent has are not its; or
                              * NULL */
    bool is_enough;
};

static git_tree *root_of(const git_commit *commit)
{
    git_tree *tree = NULL;
    return git_commit_tree(&tree, commit) == 0 ? tree : NULL;
}

static enum status check_stop(const struct looking *looking, struct error *error)
{
    return looking->stop && atomic_load(looking->stop) ? error_set(error, STATUS_STOPPED, "stopped")
                                                       : STATUS_OK;
}

/* --- one version ----------------------------------------------------------------------------- */

static bool blob_at(const git_tree *tree, const char *path, struct blob_id *out)
{
    git_tree_entry *entry = NULL;
    if (!tree || git_tree_entry_bypath(&entry, tree, path) != 0)
        return false;
    bool found = git_tree_entry_type(entry) == GIT_OBJECT_BLOB;
    memcpy(out->bytes, git_tree_entry_id(entry)->id, sizeof out->bytes);
    git_tree_entry_free(entry);
    return found;
}

/* The first parent is compared anyway. */
static bool has_other_parent(const git_commit *commit, const char *path, const struct blob_id *blob)
{
    bool found = false;
    for (unsigned i = 1; i < git_commit_parentcount(commit) && !found; i++) {
        git_commit *parent = NULL;
        struct blob_id its;
        git_tree *tree = git_commit_parent(&parent, commit, i) == 0 ? root_of(parent) : NULL;
        found = blob_at(tree, path, &its) && memcmp(&its, blob, sizeof its) == 0;
        git_tree_free(tree);
        git_commit_free(parent);
    }
    return found;
}

static void tell(struct looking *looking, const char *folder, const git_tree_entry *entry,
                 bool was_taken)
{
    char path[3 * STATE_NAME_MOST + 48];
    struct text name, flag;
    int length = snprintf(path, sizeof path, "%s/%s", folder, git_tree_entry_name(entry));
    if (length < 0 || (size_t)length >= sizeof path ||
        (!bundle_state_name(text_of(path), &name) && !bundle_pin_name(text_of(path), &name, &flag)))
        return;
    struct state_version version = {.path = text_of(path),
                                    .was_taken = was_taken && !looking->maker};
    memcpy(version.blob.bytes, git_tree_entry_id(entry)->id, sizeof version.blob.bytes);
    version.is_there = blob_at(looking->tip, path, &version.now);
    if (looking->maker && has_other_parent(looking->maker, path, &version.blob))
        return;
    looking->is_enough = !looking->visit(looking->context, &version);
}

/* --- two trees ------------------------------------------------------------------------------- */

#define FOLDERS 3 /* state/, of an environment, flags/ */

static enum status compare(struct looking *looking, const char *folder, unsigned depth,
                           const git_tree *of, const git_tree *with, struct error *error);

static bool same_id(const git_tree_entry *a, const git_tree_entry *b)
{
    return a && b && git_tree_entry_type(a) == git_tree_entry_type(b) &&
           git_oid_equal(git_tree_entry_id(a), git_tree_entry_id(b));
}

/* The folder of an entry (or NULL); NULL where it is none. */
static enum status open_folder(const struct looking *looking, const git_tree_entry *entry,
                               git_tree **out, struct error *error)
{
    *out = NULL;
    if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_TREE)
        return STATUS_OK;
    if (git_tree_lookup(out, looking->mirror->repository, git_tree_entry_id(entry)) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "a folder of state/ cannot be read");
    return STATUS_OK;
}

static enum status compare_folder(struct looking *looking, const char *folder, unsigned depth,
                                  const git_tree_entry *of, const git_tree_entry *with,
                                  struct error *error)
{
    char path[3 * STATE_NAME_MOST + 48];
    git_tree *one, *other = NULL;
    int length =
        snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", git_tree_entry_name(of));
    if (length < 0 || (size_t)length >= sizeof path || depth >= FOLDERS)
        return STATUS_OK; /* nothing counts there */
    enum status status = open_folder(looking, of, &one, error);
    if (status == STATUS_OK)
        status = open_folder(looking, with, &other, error);
    if (status == STATUS_OK && one)
        status = compare(looking, path, depth + 1, one, other, error);
    git_tree_free(one);
    git_tree_free(other);
    return status;
}

/* What the one has, and the other (or NULL) has not, or otherwise. */
static enum status compare(struct looking *looking, const char *folder, unsigned depth,
                           const git_tree *of, const git_tree *with, struct error *error)
{
    size_t count = git_tree_entrycount(of);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !looking->is_enough && status == STATUS_OK; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(of, i), *other = NULL;
        if (with)
            other = git_tree_entry_byname(with, git_tree_entry_name(entry));
        if (same_id(entry, other))
            continue;
        if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
            status = compare_folder(looking, folder, depth, entry, other, error);
        else if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
            tell(looking, folder, entry, !other || git_tree_entry_type(other) != GIT_OBJECT_BLOB);
    }
    return status;
}

/* What `of` has in state/ otherwise than `with` (or NULL). */
static enum status compare_states(struct looking *looking, const git_commit *of,
                                  const git_commit *with, struct error *error)
{
    git_tree *one = root_of(of), *other = with ? root_of(with) : NULL;
    enum status status = STATUS_OK;
    if (!one || (with && !other)) {
        char id[COMMIT_TEXT_SIZE];
        mirror_format_id(git_commit_id(of), id);
        status = mirror_fail(error, STATUS_SYSTEM, "history about %s cannot be read", id);
    } else {
        const git_tree_entry *was = git_tree_entry_byname(one, "state"),
                             *is = other ? git_tree_entry_byname(other, "state") : NULL;
        if (was && !same_id(was, is))
            status = compare_folder(looking, "", 0, was, is, error);
    }
    git_tree_free(one);
    git_tree_free(other);
    return status;
}

/* --- on first parents ------------------------------------------------------------------------ */

/* The commits walked over, newest first, and what they merged. */
struct ids {
    git_oid *items;
    size_t count, size;
};

static bool add_id(struct ids *ids, const git_oid *id)
{
    if (ids->count == ids->size) {
        size_t size = ids->size ? ids->size * 2 : 64;
        void *items = reallocarray(ids->items, size, sizeof *ids->items);
        if (!items)
            return false;
        ids->items = items;
        ids->size = size;
    }
    ids->items[ids->count++] = *id;
    return true;
}

static enum status note_commit(const git_commit *commit, struct ids *chain, struct ids *merged,
                               struct error *error)
{
    bool good = add_id(chain, git_commit_id(commit));
    for (unsigned i = 1; i < git_commit_parentcount(commit) && good; i++)
        good = add_id(merged, git_commit_parent_id(commit, i));
    return good ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "no memory for history");
}

/* After it has seen enough the chain ends with the commit that has the version behind it. *ended:
 * with a child of `until`. */
static enum status walk(struct looking *looking, const git_commit *first, const git_oid *until,
                        struct ids *chain, struct ids *merged, bool *ended, struct error *error)
{
    git_commit *commit = NULL, *parent = NULL;
    enum status status = git_commit_dup(&commit, (git_commit *)(uintptr_t)first) == 0
                             ? STATUS_OK
                             : error_set(error, STATUS_NO_MEMORY, "no memory for history");
    while (commit && status == STATUS_OK && !looking->is_enough) {
        parent = NULL;
        *ended = until && git_oid_equal(until, git_commit_id(commit));
        if (*ended)
            break;
        status = check_stop(looking, error);
        if (status == STATUS_OK)
            status = note_commit(commit, chain, merged, error);
        if (status == STATUS_OK && git_commit_parentcount(commit) > 0 &&
            git_commit_parent(&parent, commit, 0) != 0)
            status = mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
        if (status == STATUS_OK && parent)
            status = compare_states(looking, parent, commit, error);
        git_commit_free(commit);
        commit = parent;
    }
    git_commit_free(commit);
    return status;
}

/* --- beside them ------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    return git_oid_cmp(a, b);
}

/* What one commit made, that none of its parents has. */
static enum status look_beside(struct looking *looking, const git_oid *id, struct error *error)
{
    git_commit *commit = NULL, *parent = NULL;
    enum status status = check_stop(looking, error);
    if (status != STATUS_OK)
        return status;
    if (git_commit_lookup(&commit, looking->mirror->repository, id) != 0 ||
        (git_commit_parentcount(commit) > 0 && git_commit_parent(&parent, commit, 0) != 0)) {
        git_commit_free(commit);
        return mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
    }
    looking->maker = commit;
    status = compare_states(looking, commit, parent, error);
    looking->maker = NULL;
    git_commit_free(parent);
    git_commit_free(commit);
    return status;
}

/* The commits that `from` know and `hidden` does not, but those of `chain`, which is sorted. `seen`
 * is the last. */
static enum status walk_beside(struct looking *looking, const struct ids *from,
                               const git_oid *hidden, const struct ids *chain, git_oid *seen,
                               struct error *error)
{
    git_revwalk *walk = NULL;
    enum status status = STATUS_OK;
    bool good = git_revwalk_new(&walk, looking->mirror->repository) == 0;
    if (good)
        git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    for (size_t i = 0; i < from->count && good; i++)
        good = git_revwalk_push(walk, &from->items[i]) == 0;
    if (good && hidden)
        good = git_revwalk_hide(walk, hidden) == 0;
    int code = good ? 0 : -1;
    while (code == 0 && status == STATUS_OK && !looking->is_enough) {
        code = git_revwalk_next(seen, walk);
        if (code == 0 &&
            (!chain->count || !bsearch(seen, chain->items, chain->count, sizeof *seen, by_id)))
            status = look_beside(looking, seen, error);
    }
    if (status == STATUS_OK && code != 0 && code != GIT_ITEROVER)
        status = mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
    git_revwalk_free(walk);
    return status;
}

/* The oldest commit of the chain, which is newest first, that has `seen` behind it. */
static enum status find_oldest(struct mirror *mirror, const struct ids *chain, const git_oid *seen,
                               char at[COMMIT_TEXT_SIZE], struct error *error)
{
    size_t low = 0, high = chain->count; /* chain->items[low] has it, [high] has not */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        int has = git_graph_descendant_of(mirror->repository, &chain->items[middle], seen);
        if (has < 0)
            return mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
        if (has)
            low = middle;
        else
            high = middle;
    }
    mirror_format_id(&chain->items[low], at);
    return STATUS_OK;
}

static enum status look_at_merged(struct looking *looking, const struct ids *chain,
                                  const struct ids *merged, const git_oid *until,
                                  char at[COMMIT_TEXT_SIZE], struct error *error)
{
    git_oid seen;
    struct ids sorted = {.items = calloc(chain->count + 1, sizeof *sorted.items),
                         .count = chain->count};
    if (!sorted.items)
        return error_set(error, STATUS_NO_MEMORY, "no memory for history");
    memcpy(sorted.items, chain->items, chain->count * sizeof *sorted.items);
    qsort(sorted.items, sorted.count, sizeof *sorted.items, by_id);
    enum status status = walk_beside(looking, merged, until, &sorted, &seen, error);
    if (status == STATUS_OK && looking->is_enough)
        status = find_oldest(looking->mirror, chain, &seen, at, error);
    free(sorted.items);
    return status;
}

/* --- both ------------------------------------------------------------------------------------- */

static enum status begin(struct looking *looking, const char *commit, git_commit **found,
                         struct error *error)
{
    enum status status = mirror_lookup_commit(looking->mirror, commit, found, error);
    if (status != STATUS_OK)
        return status;
    looking->tip = root_of(*found);
    if (looking->tip)
        return STATUS_OK;
    git_commit_free(*found);
    return mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", commit);
}

enum status mirror_state_history(struct mirror *mirror, const char *commit, const char *until,
                                 state_visit *visit, void *context, const _Atomic bool *stop,
                                 char at[COMMIT_TEXT_SIZE], struct error *error)
{
    struct looking looking = {.mirror = mirror, .visit = visit, .context = context, .stop = stop};
    struct ids chain = {0}, merged = {0};
    git_commit *first;
    git_oid end;
    bool ended = false;
    at[0] = '\0';
    if (until && mirror_parse_id(until, &end, error) != STATUS_OK)
        return STATUS_INVALID;
    enum status status = begin(&looking, commit, &first, error);
    if (status != STATUS_OK)
        return status;
    status = walk(&looking, first, until ? &end : NULL, &chain, &merged, &ended, error);
    if (status == STATUS_OK && looking.is_enough)
        mirror_format_id(&chain.items[chain.count - 1], at);
    else if (status == STATUS_OK && merged.count && git_tree_entry_byname(looking.tip, "state"))
        status = look_at_merged(&looking, &chain, &merged, ended ? &end : NULL, at, error);
    free(chain.items);
    free(merged.items);
    git_tree_free(looking.tip);
    git_commit_free(first);
    return status;
}

enum status mirror_states_beside(struct mirror *mirror, const char *commit, state_visit *visit,
                                 void *context, const _Atomic bool *stop, struct error *error)
{
    struct looking looking = {.mirror = mirror, .visit = visit, .context = context, .stop = stop};
    struct ids chain = {0}, merged = {0}, none = {0};
    git_commit *merge;
    git_oid seen;
    enum status status = begin(&looking, commit, &merge, error);
    if (status != STATUS_OK)
        return status;
    if (git_commit_parentcount(merge) > 1) {
        status = note_commit(merge, &chain, &merged, error);
        if (status == STATUS_OK)
            status =
                walk_beside(&looking, &merged, git_commit_parent_id(merge, 0), &none, &seen, error);
    }
    free(chain.items);
    free(merged.items);
    git_tree_free(looking.tip);
    git_commit_free(merge);
    return status;
}
