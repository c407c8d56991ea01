#include "proposed.h"

#include <string.h>

#include "mirror_private.h"
#include "push.h"

#define REF_PROPOSED "refs/weir/proposed/" /* and the branch behind PROPOSED_BRANCHES */
#define MOST 100                           /* looked at in one go; the rest follows */

struct proposed {
    char rest[160]; /* of the branch's name */
    char commit[COMMIT_TEXT_SIZE];
};

static void name_ref(const char *rest, char out[sizeof REF_PROPOSED + sizeof(struct proposed)])
{
    snprintf(out, sizeof REF_PROPOSED + sizeof(struct proposed), REF_PROPOSED "%.159s", rest);
}

enum status proposed_keep(struct mirror *mirror, const char *branch, const char *commit,
                          struct error *error)
{
    const size_t prefix = sizeof PROPOSED_BRANCHES - 1;
    char ref[sizeof REF_PROPOSED + sizeof(struct proposed)];
    git_reference *made = NULL;
    git_oid id;
    if (strncmp(branch, PROPOSED_BRANCHES, prefix) != 0 ||
        strlen(branch + prefix) >= sizeof((struct proposed *)NULL)->rest)
        return error_set(error, STATUS_INVALID, "\"%.100s\" is no branch of weir's", branch);
    enum status status = mirror_parse_id(commit, &id, error);
    if (status != STATUS_OK)
        return status;
    name_ref(branch + prefix, ref);
    int code = git_reference_create(&made, mirror->repository, ref, &id, 1, NULL);
    git_reference_free(made);
    return code == 0 ? STATUS_OK
                     : mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" cannot be written", ref);
}

/* What is no name or commit of ours is passed over. */
static bool take(git_reference *ref, struct proposed *out)
{
    const char *rest = git_reference_name(ref) + sizeof REF_PROPOSED - 1;
    const git_oid *id = git_reference_target(ref);
    if (!id || strlen(rest) >= sizeof out->rest)
        return false;
    snprintf(out->rest, sizeof out->rest, "%s", rest);
    mirror_format_id(id, out->commit);
    return true;
}

static enum status list(struct mirror *mirror, struct proposed out[MOST], size_t *count,
                        struct error *error)
{
    git_reference_iterator *all = NULL;
    git_reference *ref;
    *count = 0;
    if (git_reference_iterator_glob_new(&all, mirror->repository, REF_PROPOSED "*") != 0)
        return mirror_fail(error, STATUS_SYSTEM, "what is proposed cannot be read");
    while (*count < MOST && git_reference_next(&ref, all) == 0) {
        *count += take(ref, &out[*count]);
        git_reference_free(ref);
    }
    git_reference_iterator_free(all);
    return STATUS_OK;
}

static void drop(struct mirror *mirror, const struct proposed *proposed)
{
    char ref[sizeof REF_PROPOSED + sizeof *proposed];
    name_ref(proposed->rest, ref);
    git_reference_remove(mirror->repository, ref);
}

/* STATUS_NOT_FOUND: what it belongs to is not on the branch. */
static enum status check_parent(struct mirror *mirror, const struct proposed *proposed,
                                const char *tip, struct error *error)
{
    char parent[COMMIT_TEXT_SIZE];
    bool is_there = false;
    enum status status = mirror_first_parent(mirror, proposed->commit, parent, error);
    if (status == STATUS_OK)
        status = mirror_descends(mirror, tip, parent, &is_there, error);
    if (status == STATUS_OK && !is_there)
        status = error_set(error, STATUS_NOT_FOUND, "commit %.12s is not on the branch", parent);
    return status;
}

static enum status push_it(struct mirror *mirror, const struct proposed *proposed,
                           _Atomic bool *stop, struct error *error)
{
    char branch[sizeof PROPOSED_BRANCHES + sizeof proposed->rest];
    snprintf(branch, sizeof branch, PROPOSED_BRANCHES "%.159s", proposed->rest);
    struct ref_push push = {.ref = branch, .commit = proposed->commit, .stop = stop};
    enum status status = mirror_push(mirror, &push, error);
    if (status != STATUS_OK || push.outcome == PUSH_ACCEPTED || push.outcome == PUSH_MOVED)
        return status;
    return push.outcome == PUSH_REFUSED ? STATUS_REFUSED : STATUS_SYSTEM;
}

enum status proposed_push(struct mirror *mirror, const char *tip, _Atomic bool *stop,
                          struct error *error)
{
    struct proposed kept[MOST];
    size_t count;
    enum status first = list(mirror, kept, &count, error);
    for (size_t i = 0; i < count; i++) {
        struct error why = {0};
        enum status status = check_parent(mirror, &kept[i], tip, &why);
        bool is_void = status == STATUS_NOT_FOUND;
        if (status == STATUS_OK)
            status = push_it(mirror, &kept[i], stop, &why);
        if (is_void || status == STATUS_OK || status == STATUS_REFUSED)
            drop(mirror, &kept[i]);
        if (status != STATUS_OK && !is_void && first == STATUS_OK)
            first = error_set(error, status, "\"weir/%.100s\": %s", kept[i].rest, why.message);
    }
    return first;
}
