#include "local.h"

#include "../../rules/buffer.h"
#include "owner.h"

struct copying {
    local_progress *progress;
    void *context;
};

static int on_packing(int stage, uint32_t current, uint32_t total, void *payload)
{
    const struct copying *copying = payload;
    (void)stage;
    (void)current;
    (void)total;
    return copying->progress(copying->context);
}

static int on_indexing(const git_indexer_progress *progress, void *payload)
{
    const struct copying *copying = payload;
    (void)progress;
    return copying->progress(copying->context);
}

/* What our refs lead to is here already. It need not exist over there. */
static int hide_ours(git_revwalk *walk, git_repository *into)
{
    git_reference_iterator *all = NULL;
    git_reference *ref;
    int code = git_reference_iterator_new(&all, into);
    while (code == 0 && (code = git_reference_next(&ref, all)) == 0) {
        const git_oid *target = git_reference_target(ref);
        if (target)
            git_revwalk_hide(walk, target);
        git_reference_free(ref);
    }
    git_reference_iterator_free(all);
    return code == GIT_ITEROVER ? 0 : code;
}

static int collect(git_packbuilder *pack, git_repository *from, git_repository *into,
                   const git_oid *tip)
{
    git_revwalk *walk = NULL;
    int code = git_revwalk_new(&walk, from);
    if (code == 0)
        code = git_revwalk_push(walk, tip);
    if (code == 0)
        code = hide_ours(walk, into);
    if (code == 0)
        code = git_packbuilder_insert_walk(pack, walk);
    git_revwalk_free(walk);
    return code;
}

static int write_pack(git_packbuilder *pack, git_repository *into, struct copying *copying)
{
    struct buffer folder;
    if (git_packbuilder_object_count(pack) == 0)
        return 0;
    buffer_init(&folder, 0);
    buffer_append_string(&folder, git_repository_path(into));
    buffer_append_string(&folder, "objects/pack");
    const char *path = buffer_string(&folder);
    int code = -1;
    if (path)
        code = git_packbuilder_write(pack, path, 0, on_indexing, copying);
    else
        git_error_set_oom();
    buffer_dispose(&folder);
    return code;
}

int local_copy(git_repository *into, const char *path, const struct git_access *access,
               const git_oid *tip, local_progress *progress, void *context)
{
    struct copying copying = {progress, context};
    git_repository *from = NULL;
    git_packbuilder *pack = NULL;
    owner_begin(access, path);
    int code = git_repository_open(&from, path);
    owner_end();
    if (code == 0)
        code = git_packbuilder_new(&pack, from);
    if (code == 0)
        code = git_packbuilder_set_callbacks(pack, on_packing, &copying);
    if (code == 0)
        code = collect(pack, from, into, tip);
    if (code == 0)
        code = write_pack(pack, into, &copying);
    git_packbuilder_free(pack);
    git_repository_free(from);
    return code;
}
