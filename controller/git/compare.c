/* What differs between the trees of two commits: both are walked at once, and where they have the
 * same folder (the same object) it is stepped over, whatever is in it. */
#include "mirror_private.h"

struct walk {
    struct mirror *mirror;
    git_odb *odb;
    struct tree_changes *changes;
    struct buffer path; /* of the folder that is being read, then of the entry */
    size_t most;        /* entries: with more, the tree is too large */
    size_t added, removed;
    struct error *error;
};

static enum status fail(struct walk *walk)
{
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, buffer_text(&walk->path));
    const char *path = buffer_string(&shown);
    enum status status = mirror_fail(walk->error, STATUS_SYSTEM,
                                     "\"%.120s\" cannot be read from the clone", path ? path : "");
    buffer_dispose(&shown);
    return status;
}

/* --- noting ---------------------------------------------------------------------------------- */

static enum status note(struct walk *walk, struct file_change change)
{
    struct tree_changes *changes = walk->changes;
    if (changes->count == changes->size) {
        size_t size = changes->size ? changes->size * 2 : 64;
        struct file_change *items = reallocarray(changes->items, size, sizeof *items);
        if (!items)
            return STATUS_NO_MEMORY;
        changes->items = items;
        changes->size = size;
    }
    if (!arena_copy(&changes->arena, buffer_text(&walk->path), &change.path))
        return STATUS_NO_MEMORY;
    changes->items[changes->count++] = change;
    return STATUS_OK;
}

static enum status note_obstacle(struct walk *walk, enum bundle_obstacle obstacle, bool here)
{
    if (!bundle_is_folder_read(buffer_text(&walk->path)))
        return STATUS_OK;
    return note(walk, (struct file_change){.state = here ? FILE_OBSTACLE : FILE_GONE,
                                           .obstacle = obstacle});
}

static enum status note_blob(struct walk *walk, const git_tree_entry *entry, bool here)
{
    struct file_change change = {.state = here ? FILE_HERE : FILE_GONE};
    const git_oid *id = git_tree_entry_id(entry);
    git_object_t type;
    size_t size;
    if (bundle_interest(buffer_text(&walk->path)) == BUNDLE_IGNORE)
        return STATUS_OK;
    if (here) {
        if (git_odb_read_header(&size, &type, walk->odb, id) != 0)
            return fail(walk);
        change.size = size;
        memcpy(change.blob.bytes, id->id, sizeof change.blob.bytes);
    }
    return note(walk, change);
}

/* --- walking --------------------------------------------------------------------------------- */

static bool is_folder(const git_tree_entry *entry)
{
    return git_tree_entry_filemode(entry) == GIT_FILEMODE_TREE;
}

/* Git's order: a folder's name counts as if it ended in '/'. */
static int compare_entries(const git_tree_entry *a, const git_tree_entry *b)
{
    const char *x = git_tree_entry_name(a), *y = git_tree_entry_name(b);
    size_t m = strlen(x), n = strlen(y), length = m < n ? m : n;
    int order = memcmp(x, y, length);
    if (order)
        return order;
    int next = m > length ? (unsigned char)x[length] : is_folder(a) ? '/' : 0;
    int other = n > length ? (unsigned char)y[length] : is_folder(b) ? '/' : 0;
    if (next != other)
        return next - other;
    return (m > n) - (m < n);
}

static enum status walk_trees(struct walk *walk, const git_oid *old, const git_oid *new,
                              unsigned depth);

/* Git lets no such name be made, but a tree written by hand can hold it, and as a path it would
 * pass for another's. */
static bool is_refused(const git_tree_entry *entry)
{
    return strchr(git_tree_entry_name(entry), '/') != NULL;
}

static enum status walk_folder(struct walk *walk, const git_tree_entry *old,
                               const git_tree_entry *new, unsigned depth)
{
    if (!bundle_is_folder_read(buffer_text(&walk->path)))
        return STATUS_OK;
    if (depth == BUNDLE_MAX_DEPTH)
        return note_obstacle(walk, BUNDLE_DEEP, new != NULL);
    return walk_trees(walk, old ? git_tree_entry_id(old) : NULL,
                      new ? git_tree_entry_id(new) : NULL, depth + 1);
}

static bool is_file(const git_tree_entry *entry)
{
    git_filemode_t mode = git_tree_entry_filemode(entry);
    return mode != GIT_FILEMODE_TREE && mode != GIT_FILEMODE_LINK && mode != GIT_FILEMODE_COMMIT;
}

/* An executable file is a file. */
static bool is_alike(const git_tree_entry *a, const git_tree_entry *b)
{
    return git_tree_entry_filemode(a) == git_tree_entry_filemode(b) || (is_file(a) && is_file(b));
}

/* An entry that only one of the trees has, or both and not as it was. Either may be NULL. */
static enum status walk_entry(struct walk *walk, const git_tree_entry *old,
                              const git_tree_entry *new, unsigned depth)
{
    const git_tree_entry *entry = new ? new : old;
    if (old && new && !is_alike(old, new)) {
        /* Where what stands there now is ignored, what stood there is gone all the same. */
        enum status status = note(walk, (struct file_change){.state = FILE_GONE});
        if (status != STATUS_OK)
            return status;
    }
    if (is_refused(entry)) {
        struct text path = buffer_text(&walk->path);
        bool told = is_folder(entry) || bundle_interest(path) != BUNDLE_IGNORE;
        return told ? note_obstacle(walk, BUNDLE_NAME, new != NULL) : STATUS_OK;
    }
    switch (git_tree_entry_filemode(entry)) {
    case GIT_FILEMODE_TREE:
        return walk_folder(walk, old, new, depth);
    case GIT_FILEMODE_LINK:
        return note_obstacle(walk, BUNDLE_LINK, new != NULL);
    case GIT_FILEMODE_COMMIT:
        return note_obstacle(walk, BUNDLE_SUBMODULE, new != NULL);
    default:
        return note_blob(walk, entry, new != NULL);
    }
}

static enum status walk_pair(struct walk *walk, const git_tree_entry *old,
                             const git_tree_entry *new, unsigned depth)
{
    const size_t length = walk->path.length;
    walk->added += !old;
    walk->removed += !new;
    if (walk->added > walk->most) {
        walk->changes->overflow = true;
        return STATUS_LIMIT;
    }
    if (old && new &&is_alike(old, new) &&
        git_oid_equal(git_tree_entry_id(old), git_tree_entry_id(new)))
        return STATUS_OK;
    if (length)
        buffer_append_char(&walk->path, '/');
    buffer_append_string(&walk->path, git_tree_entry_name(new ? new : old));
    enum status status = walk->path.failed;
    if (status == STATUS_OK)
        status = walk_entry(walk, old, new, depth);
    walk->path.length = length;
    return status;
}

static enum status walk_entries(struct walk *walk, const git_tree *old, const git_tree *new,
                                unsigned depth)
{
    const size_t old_count = old ? git_tree_entrycount(old) : 0,
                 new_count = new ? git_tree_entrycount(new) : 0;
    enum status status = STATUS_OK;
    for (size_t i = 0, j = 0; (i < old_count || j < new_count) && status == STATUS_OK;) {
        const git_tree_entry *a = i < old_count ? git_tree_entry_byindex(old, i) : NULL,
                             *b = j < new_count ? git_tree_entry_byindex(new, j) : NULL;
        int order = !a ? 1 : !b ? -1 : compare_entries(a, b);
        i += order <= 0;
        j += order >= 0;
        status = walk_pair(walk, order <= 0 ? a : NULL, order >= 0 ? b : NULL, depth);
    }
    return status;
}

static int by_order(const void *a, const void *b)
{
    return compare_entries(*(const git_tree_entry *const *)a, *(const git_tree_entry *const *)b);
}

/* Whether it has a name twice, which only a tree written by hand can: nobody could say which of the
 * two a commit after it changes. Others are in order, which is as good as having looked. */
static enum status find_doubled(const git_tree *tree, bool *doubled)
{
    const size_t count = git_tree_entrycount(tree);
    bool ordered = true;
    *doubled = false;
    for (size_t i = 1; i < count && ordered; i++)
        ordered = compare_entries(git_tree_entry_byindex(tree, i - 1),
                                  git_tree_entry_byindex(tree, i)) < 0;
    if (ordered)
        return STATUS_OK;
    const git_tree_entry **sorted = calloc(count, sizeof *sorted);
    if (!sorted)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        sorted[i] = git_tree_entry_byindex(tree, i);
    qsort(sorted, count, sizeof *sorted, by_order);
    for (size_t i = 1; i < count; i++)
        *doubled = *doubled || compare_entries(sorted[i - 1], sorted[i]) == 0;
    free(sorted);
    return STATUS_OK;
}

/* NULL in *out where there is no tree, or one that is an obstacle as a whole: that is noted. */
static enum status open_tree(struct walk *walk, const git_oid *id, bool here, git_tree **out)
{
    bool doubled;
    *out = NULL;
    if (!id)
        return STATUS_OK;
    if (git_tree_lookup(out, walk->mirror->repository, id) != 0)
        return fail(walk);
    enum status status = find_doubled(*out, &doubled);
    if (status != STATUS_OK || !doubled)
        return status;
    git_tree_free(*out);
    *out = NULL;
    return note_obstacle(walk, BUNDLE_DOUBLED, here);
}

/* A folder that was stepped over is as wide as it was, and stays noted as it was. */
static enum status note_width(struct walk *walk, const git_tree *old, const git_tree *new)
{
    const size_t before = old ? git_tree_entrycount(old) : 0,
                 after = new ? git_tree_entrycount(new) : 0;
    if (after == before)
        return STATUS_OK;
    if (after > BUNDLE_FOLDER_ENTRIES)
        return note(walk, (struct file_change){
                              .state = FILE_OBSTACLE, .obstacle = BUNDLE_WIDE, .size = after});
    if (before > BUNDLE_FOLDER_ENTRIES)
        return note(walk, (struct file_change){.state = FILE_GONE});
    return STATUS_OK;
}

/* At most BUNDLE_MAX_DEPTH deep. Either may be NULL. */
static enum status walk_trees(struct walk *walk, const git_oid *old, const git_oid *new,
                              unsigned depth)
{
    git_tree *before = NULL, *after = NULL;
    enum status status = open_tree(walk, old, false, &before);
    if (status == STATUS_OK)
        status = open_tree(walk, new, true, &after);
    if (status == STATUS_OK)
        status = note_width(walk, before, after);
    if (status == STATUS_OK)
        status = walk_entries(walk, before, after, depth);
    git_tree_free(before);
    git_tree_free(after);
    return status;
}

/* --- two commits ----------------------------------------------------------------------------- */

void tree_changes_init(struct tree_changes *changes)
{
    *changes = (struct tree_changes){0};
    arena_init(&changes->arena, 0);
}

void tree_changes_dispose(struct tree_changes *changes)
{
    arena_dispose(&changes->arena);
    free(changes->items);
    tree_changes_init(changes);
}

static enum status tree_of(struct mirror *mirror, const char *commit, git_oid *tree,
                           struct error *error)
{
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    *tree = *git_commit_tree_id(found);
    git_commit_free(found);
    return STATUS_OK;
}

enum status mirror_compare(struct mirror *mirror, const char *before, size_t entries,
                           const char *after, struct tree_changes *changes, struct error *error)
{
    struct walk walk = {
        .mirror = mirror, .changes = changes, .most = BUNDLE_MAX_ENTRIES, .error = error};
    git_oid old, new;
    enum status status = tree_of(mirror, after, &new, error);
    if (status == STATUS_OK && before)
        status = tree_of(mirror, before, &old, error);
    if (status != STATUS_OK)
        return status;
    changes->entries = entries;
    if (before && git_oid_equal(&old, &new))
        return STATUS_OK;
    if (git_repository_odb(&walk.odb, mirror->repository) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "the clone cannot be read");
    buffer_init(&walk.path, 0);
    status = walk_trees(&walk, before ? &old : NULL, &new, 0);
    buffer_dispose(&walk.path);
    git_odb_free(walk.odb);
    changes->entries = entries + walk.added - walk.removed;
    if (status == STATUS_OK && changes->entries > BUNDLE_MAX_ENTRIES)
        changes->overflow = true;
    if (status == STATUS_LIMIT && changes->overflow)
        status = STATUS_OK;
    if (status == STATUS_NO_MEMORY || status == STATUS_LIMIT)
        error_set(error, status, "no memory to compare commit %s", after);
    return status;
}
