/* Where a commit stands in history. */
#include "mirror_private.h"

#define EPOCH_PATH "state/epoch"
#define REVISION_MAX 300

/* --- revisions ------------------------------------------------------------------------------- */

/* libgit2's code; *out is a commit. */
static int parse_revision(struct mirror *mirror, const char *prefix, const char *revision,
                          git_object **out)
{
    char whole[sizeof REF_REMOTE + sizeof REF_TIP + REVISION_MAX];
    git_object *found = NULL;
    snprintf(whole, sizeof whole, "%s%s", prefix, revision);
    int code = git_revparse_single(&found, mirror->repository, whole);
    if (code == 0)
        code = git_object_peel(out, found, GIT_OBJECT_COMMIT);
    git_object_free(found);
    return code;
}

/* HEAD, HEAD~2, @, but not HEADLINE. */
static const char *after_head(const char *revision)
{
    const char *rest = strncmp(revision, "HEAD", 4) == 0 ? revision + 4
                       : revision[0] == '@'              ? revision + 1
                                                         : NULL;
    if (!rest || (rest[0] && !strchr("~^@:", rest[0])) || (revision[0] == '@' && rest[0] == '{'))
        return NULL;
    return rest;
}

enum status mirror_resolve(struct mirror *mirror, const char *revision,
                           char commit[COMMIT_TEXT_SIZE], struct error *error)
{
    git_object *found = NULL;
    int code = GIT_ENOTFOUND;
    if (!revision[0] || strlen(revision) > REVISION_MAX)
        return error_set(error, STATUS_INVALID, "\"%.60s\" is not a revision", revision);
    if (mirror->url) {
        const char *rest = after_head(revision);
        code = rest ? parse_revision(mirror, REF_TIP, rest, &found)
                    : parse_revision(mirror, REF_REMOTE, revision, &found);
    }
    if (code != 0)
        code = parse_revision(mirror, "", revision, &found);
    if (code == 0) {
        mirror_format_id(git_object_id(found), commit);
        git_object_free(found);
        return STATUS_OK;
    }
    if (code == GIT_ENOTFOUND)
        return error_set(error, STATUS_NOT_FOUND, "there is no revision \"%.80s\" in \"%.100s\"",
                         revision, mirror->shown);
    if (code == GIT_EAMBIGUOUS)
        return error_set(error, STATUS_INVALID,
                         "revision \"%.80s\" is ambiguous: give more of its digits", revision);
    if (code == GIT_EINVALIDSPEC || code == GIT_EPEEL)
        return error_set(error, STATUS_INVALID, "\"%.80s\" does not name a commit", revision);
    return mirror_fail(error, STATUS_SYSTEM, "revision \"%.80s\" cannot be resolved", revision);
}

/* --- descent --------------------------------------------------------------------------------- */

enum status mirror_descends(struct mirror *mirror, const char *commit, const char *ancestor,
                            bool *yes, struct error *error)
{
    git_commit *later = NULL, *earlier = NULL;
    enum status status = mirror_lookup_commit(mirror, commit, &later, error);
    if (status == STATUS_OK)
        status = mirror_lookup_commit(mirror, ancestor, &earlier, error);
    if (status == STATUS_OK) {
        const git_oid *a = git_commit_id(later), *b = git_commit_id(earlier);
        int code = git_oid_equal(a, b) ? 1 : git_graph_descendant_of(mirror->repository, a, b);
        if (code < 0)
            status = mirror_fail(error, STATUS_SYSTEM, "history of %s cannot be read", commit);
        else
            *yes = code == 1;
    }
    git_commit_free(earlier);
    git_commit_free(later);
    return status;
}

enum status mirror_first_parent(struct mirror *mirror, const char *commit,
                                char parent[COMMIT_TEXT_SIZE], struct error *error)
{
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    if (git_commit_parentcount(found) == 0)
        status = error_set(error, STATUS_NOT_FOUND, "commit %s has no parent", commit);
    else
        mirror_format_id(git_commit_parent_id(found, 0), parent);
    git_commit_free(found);
    return status;
}

/* --- levels ---------------------------------------------------------------------------------- */

/* The slot of `commit`, or the free one where it belongs. There is always a free one. */
static struct level *find_slot(const struct levels *levels, const git_oid *commit)
{
    uint64_t start;
    memcpy(&start, commit->id, sizeof start);
    for (size_t i = (size_t)start & (levels->size - 1);; i = (i + 1) & (levels->size - 1)) {
        struct level *slot = &levels->slots[i];
        if (slot->level == 0 || git_oid_equal(&slot->commit, commit))
            return slot;
    }
}

/* 0: not known. */
static uint32_t known_level(const struct levels *levels, const git_oid *commit)
{
    return levels->size ? find_slot(levels, commit)->level : 0;
}

/* At most half of the slots are taken. */
static bool levels_grow(struct levels *levels)
{
    size_t size = levels->size ? levels->size * 2 : 1024;
    struct levels larger = {calloc(size, sizeof *larger.slots), size, levels->count};
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < levels->size; i++) {
        if (levels->slots[i].level)
            *find_slot(&larger, &levels->slots[i].commit) = levels->slots[i];
    }
    free(levels->slots);
    *levels = larger;
    return true;
}

static bool levels_add(struct levels *levels, const git_oid *commit, uint32_t level)
{
    if (levels->count >= levels->size / 2 && !levels_grow(levels))
        return false;
    struct level *slot = find_slot(levels, commit);
    if (slot->level == 0)
        levels->count++;
    *slot = (struct level){*commit, level};
    return true;
}

/* Commits whose level is wanted; the newest is dealt with first. */
struct stack {
    git_oid *items;
    size_t count, size;
};

static bool stack_push(struct stack *stack, const git_oid *commit)
{
    if (stack->count == stack->size) {
        size_t size = stack->size ? stack->size * 2 : 256;
        git_oid *items = reallocarray(stack->items, size, sizeof *items);
        if (!items)
            return false;
        stack->items = items;
        stack->size = size;
    }
    stack->items[stack->count++] = *commit;
    return true;
}

/* Puts the parents of the topmost commit whose levels are unknown on top of it; when there are
 * none, its level is known and it goes. History may be millions long, hence no recursion. */
static enum status climb(struct mirror *mirror, struct stack *stack, struct error *error)
{
    const git_oid id = stack->items[stack->count - 1];
    uint32_t highest = 0;
    git_commit *commit;
    bool ready = true, room = true;
    if (known_level(&mirror->levels, &id)) {
        stack->count--;
        return STATUS_OK;
    }
    if (git_commit_lookup(&commit, mirror->repository, &id) != 0)
        return mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", git_oid_tostr_s(&id));
    unsigned parents = git_commit_parentcount(commit);
    for (unsigned i = 0; i < parents && room; i++) {
        const git_oid *parent = git_commit_parent_id(commit, i);
        uint32_t level = known_level(&mirror->levels, parent);
        if (level == 0) {
            ready = false;
            room = stack_push(stack, parent);
        } else if (level > highest) {
            highest = level;
        }
    }
    git_commit_free(commit);
    if (ready) {
        stack->count--;
        room = levels_add(&mirror->levels, &id, highest + 1);
    }
    return room ? STATUS_OK
                : error_set(error, STATUS_NO_MEMORY, "no memory for the levels of history");
}

static enum status find_level(struct mirror *mirror, const git_oid *commit, uint32_t *level,
                              struct error *error)
{
    struct stack stack = {0};
    enum status status = STATUS_OK;
    if (!stack_push(&stack, commit))
        return error_set(error, STATUS_NO_MEMORY, "no memory for the levels of history");
    while (stack.count && status == STATUS_OK)
        status = climb(mirror, &stack, error);
    free(stack.items);
    *level = known_level(&mirror->levels, commit);
    return status;
}

/* --- epochs ---------------------------------------------------------------------------------- */

/* A decimal number and a newline; anything else is 0. */
static uint32_t parse_epoch(const char *bytes, size_t length)
{
    uint64_t epoch = 0;
    if (length < 2 || length > 11 || bytes[length - 1] != '\n')
        return 0;
    for (size_t i = 0; i + 1 < length; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return 0;
        epoch = epoch * 10 + (uint64_t)(bytes[i] - '0');
    }
    return epoch <= UINT32_MAX ? (uint32_t)epoch : 0;
}

static enum status read_epoch(struct mirror *mirror, const git_commit *commit, uint32_t *epoch,
                              struct error *error)
{
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    git_blob *blob = NULL;
    *epoch = 0;
    int code = git_commit_tree(&tree, commit);
    if (code == 0)
        code = git_tree_entry_bypath(&entry, tree, EPOCH_PATH);
    if (code == 0 && git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB) {
        code = git_blob_lookup(&blob, mirror->repository, git_tree_entry_id(entry));
        if (code == 0)
            *epoch = parse_epoch(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    }
    git_blob_free(blob);
    git_tree_entry_free(entry);
    bool missing = tree && !entry && code == GIT_ENOTFOUND;
    git_tree_free(tree);
    if (code == 0 || missing)
        return STATUS_OK;
    return mirror_fail(error, STATUS_SYSTEM, "\"" EPOCH_PATH "\" cannot be read");
}

enum status mirror_generation(struct mirror *mirror, const char *commit, struct generation *out,
                              struct error *error)
{
    git_commit *found;
    struct generation made = {0};
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    status = find_level(mirror, git_commit_id(found), &made.level, error);
    if (status == STATUS_OK)
        status = read_epoch(mirror, found, &made.epoch, error);
    git_commit_free(found);
    if (status == STATUS_OK)
        *out = made;
    return status;
}

enum status mirror_epoch(struct mirror *mirror, const char *commit, uint32_t *epoch,
                         struct error *error)
{
    git_commit *found;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    status = read_epoch(mirror, found, epoch, error);
    git_commit_free(found);
    return status;
}
