#include "path_log.h"

#include <stdlib.h>
#include <strings.h>

#include "mirror_private.h"

/* --- what a commit has at the path ----------------------------------------------------------- */

/* Zeros where it has nothing. The mode counts too: a link is no file. */
struct place_in_tree {
    git_oid id;
    git_filemode_t mode;
};

static bool is_same(const struct place_in_tree *a, const struct place_in_tree *b)
{
    return git_oid_equal(&a->id, &b->id) && a->mode == b->mode;
}

static int find_place(const git_commit *commit, const char *path, struct place_in_tree *out)
{
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    *out = (struct place_in_tree){.mode = GIT_FILEMODE_UNREADABLE};
    int code = git_commit_tree(&tree, commit);
    if (code == 0)
        code = git_tree_entry_bypath(&entry, tree, path);
    if (code == 0)
        *out = (struct place_in_tree){*git_tree_entry_id(entry), git_tree_entry_filemode(entry)};
    else if (tree && code == GIT_ENOTFOUND)
        code = 0;
    git_tree_entry_free(entry);
    git_tree_free(tree);
    return code;
}

/* --- the way back ---------------------------------------------------------------------------- */

/* Where the walk is; owns both commits. */
struct path_walk {
    const struct path_log *log;
    git_commit *commit, *parent;      /* parent: where it goes on; NULL: nowhere */
    struct place_in_tree here, there; /* what they have */
    bool changed;                     /* the commit has the path otherwise than its parents */
    size_t stale;
};

/* The first parent that has the path as the commit has it, else the first of all. */
static int choose_parent(struct path_walk *walk)
{
    unsigned count = git_commit_parentcount(walk->commit);
    struct place_in_tree nothing = {.mode = GIT_FILEMODE_UNREADABLE};
    walk->parent = NULL;
    walk->changed = count > 0 || !is_same(&walk->here, &nothing);
    for (unsigned i = 0; i < count && walk->changed; i++) {
        git_commit *parent = NULL;
        struct place_in_tree there;
        int code = git_commit_parent(&parent, walk->commit, i);
        if (code == 0)
            code = find_place(parent, walk->log->path, &there);
        if (code != 0) {
            git_commit_free(parent);
            return code;
        }
        walk->changed = !is_same(&walk->here, &there);
        if (!walk->changed || !walk->parent) {
            git_commit_free(walk->parent);
            walk->parent = parent;
            walk->there = there;
        } else {
            git_commit_free(parent);
        }
    }
    return 0;
}

/* *more: whoever is shown it wants to see others. A libgit2 code. */
static int show_with(const struct path_walk *walk, struct path_log_entry *entry, bool *more)
{
    git_message_trailer_array found = {0};
    size_t size;
    int code = git_message_trailers(&found, entry->message);
    if (code != 0)
        return code;
    struct path_log_trailer *trailers = NULL;
    if (size_multiply(found.count + 1, sizeof *trailers, &size))
        trailers = malloc(size);
    for (size_t i = 0; i < found.count && trailers; i++)
        trailers[i] = (struct path_log_trailer){found.trailers[i].key, found.trailers[i].value};
    entry->trailers = trailers;
    entry->trailer_count = found.count;
    if (trailers)
        *more = walk->log->visit(walk->log->context, entry);
    else
        git_error_set_oom();
    free(trailers);
    git_message_trailer_array_free(&found);
    return trailers ? 0 : -1;
}

static int show(const struct path_walk *walk, bool *more)
{
    const git_signature *author = git_commit_author(walk->commit);
    const char *message = git_commit_message(walk->commit);
    struct path_log_entry entry = {.time = git_commit_time(walk->commit),
                                   .name = author && author->name ? author->name : "",
                                   .mail = author && author->email ? author->email : "",
                                   .message = message ? message : ""};
    if (strnlen(entry.message, PATH_LOG_MESSAGE_MAX + 1) > PATH_LOG_MESSAGE_MAX)
        entry.message = "";
    mirror_format_id(git_commit_id(walk->commit), entry.commit);
    if (walk->parent)
        mirror_format_id(git_commit_id(walk->parent), entry.parent);
    return show_with(walk, &entry, more);
}

/* One commit back; *more: there is another. A libgit2 code. */
static int step(struct path_walk *walk, bool *more)
{
    int64_t since = walk->log->since;
    int code = choose_parent(walk);
    *more = false;
    if (code != 0)
        return code;
    walk->stale = since && git_commit_time(walk->commit) < since ? walk->stale + 1 : 0;
    *more = walk->stale < PATH_LOG_STALE;
    if (walk->changed && *more)
        code = show(walk, more);
    *more = *more && walk->parent;
    git_commit_free(walk->commit);
    walk->commit = walk->parent;
    walk->parent = NULL;
    walk->here = walk->there;
    return code;
}

enum status mirror_path_log(struct mirror *mirror, const char *commit, const struct path_log *log,
                            struct error *error)
{
    struct path_walk walk = {.log = log};
    size_t most = log->most ? log->most : PATH_LOG_MOST;
    bool more = true;
    enum status status = mirror_lookup_commit(mirror, commit, &walk.commit, error);
    if (status != STATUS_OK)
        return status;
    int code = find_place(walk.commit, log->path, &walk.here);
    for (size_t looked = 0; code == 0 && more; looked++) {
        if (looked == most) {
            status =
                error_set(error, STATUS_LIMIT,
                          "the history of \"%.120s\" is longer than %zu commits", log->path, most);
            break;
        }
        code = step(&walk, &more);
    }
    if (code != 0)
        status = mirror_fail(error, STATUS_SYSTEM, "the history of \"%.120s\" cannot be read",
                             log->path);
    git_commit_free(walk.parent);
    git_commit_free(walk.commit);
    return status;
}

/* --- messages -------------------------------------------------------------------------------- */

const char *path_log_value(const struct path_log_entry *entry, const char *key)
{
    for (size_t i = 0; i < entry->trailer_count; i++) {
        if (strcasecmp(entry->trailers[i].key, key) == 0)
            return entry->trailers[i].value;
    }
    return NULL;
}

enum status mirror_message(struct mirror *mirror, const char *commit, struct buffer *out,
                           struct error *error)
{
    git_commit *found = NULL;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    const char *message = git_commit_message(found);
    size_t length = message ? strnlen(message, PATH_LOG_MESSAGE_MAX + 1) : 0;
    if (length > PATH_LOG_MESSAGE_MAX)
        status = error_set(error, STATUS_LIMIT, "the message of commit %.40s is too long", commit);
    else
        buffer_append(out, message, length);
    if (status == STATUS_OK && out->failed)
        status = error_set(error, out->failed, "no memory for the message of a commit");
    git_commit_free(found);
    return status;
}
