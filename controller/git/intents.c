#include "intents_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "dialogue.h"
#include "local.h"
#include "push.h"

#define FILE_NAME "override.json"
#define REF_SIZE (sizeof REFS_INTENTS + INTENT_NAME_LENGTH)

static bool is_intent(const char *name)
{
    size_t length = strspn(name, "0123456789abcdef");
    return length == INTENT_NAME_LENGTH && name[length] == '\0';
}

static enum status name_ref(const char *intent, char ref[REF_SIZE], struct error *error)
{
    if (!is_intent(intent))
        return error_set(error, STATUS_INVALID, "\"%.80s\" is not an intent", intent);
    snprintf(ref, REF_SIZE, REFS_INTENTS "%s", intent);
    return STATUS_OK;
}

/* --- what a fetch sees ----------------------------------------------------------------------- */

/* NULL: it is none. */
static const char *intent_of(const git_remote_head *head)
{
    static const size_t prefix = sizeof REFS_INTENTS - 1;
    bool found = strncmp(head->name, REFS_INTENTS, prefix) == 0 && is_intent(head->name + prefix);
    return found ? head->name + prefix : NULL;
}

static int by_intent(const void *a, const void *b)
{
    return strcmp(((const struct intent_ref *)a)->intent, ((const struct intent_ref *)b)->intent);
}

enum status intents_note(struct mirror *mirror, const git_remote_head **heads, size_t count,
                         struct error *error)
{
    size_t seen = 0, kept = 0;
    for (size_t i = 0; i < count; i++)
        seen += intent_of(heads[i]) != NULL;
    struct intent_ref *refs = calloc(seen + 1, sizeof *refs);
    if (!refs)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the intents of \"%.120s\"",
                         mirror->shown);
    for (size_t i = 0; i < count; i++) {
        const char *intent = intent_of(heads[i]);
        if (!intent)
            continue;
        refs[kept].commit = heads[i]->oid;
        memcpy(refs[kept++].intent, intent, INTENT_NAME_LENGTH + 1);
    }
    qsort(refs, kept, sizeof *refs, by_intent);
    free(mirror->intents);
    mirror->intents = refs;
    mirror->intent_count = kept < INTENTS_MAX ? kept : INTENTS_MAX;
    mirror->intents_beyond = kept - mirror->intent_count;
    return STATUS_OK;
}

/* --- writing --------------------------------------------------------------------------------- */

static int make_tree(git_repository *repository, struct text json, git_tree **out)
{
    git_treebuilder *builder = NULL;
    git_oid blob, tree;
    int code = git_blob_create_from_buffer(&blob, repository, json.data, json.length);
    if (code == 0)
        code = git_treebuilder_new(&builder, repository, NULL);
    if (code == 0)
        code = git_treebuilder_insert(NULL, builder, FILE_NAME, &blob, GIT_FILEMODE_BLOB);
    if (code == 0)
        code = git_treebuilder_write(&tree, builder);
    if (code == 0)
        code = git_tree_lookup(out, repository, &tree);
    git_treebuilder_free(builder);
    return code;
}

static enum status make_commit(struct mirror *mirror, const char *intent, struct text json,
                               const struct record_person *by, char out[COMMIT_TEXT_SIZE],
                               struct error *error)
{
    git_repository *repository = mirror->repository;
    git_tree *tree = NULL;
    git_signature *person = NULL;
    git_oid id;
    char message[INTENT_NAME_LENGTH + 64];
    snprintf(message, sizeof message, "Keep an open override\n\nWeir-Intent: %s\n", intent);
    int code = make_tree(repository, json, &tree);
    if (code == 0)
        code = git_signature_new(&person, by->name, by->mail, by->time, by->minutes_ahead);
    if (code == 0)
        code =
            git_commit_create(&id, repository, NULL, person, person, NULL, message, tree, 0, NULL);
    git_signature_free(person);
    git_tree_free(tree);
    if (code != 0)
        return mirror_fail(error, STATUS_SYSTEM, "the commit of intent %.12s cannot be written",
                           intent);
    mirror_format_id(&id, out);
    return STATUS_OK;
}

/* What the push of such a ref came to; *moved: the ref is not where it was expected. */
static enum status push_ref(struct mirror *mirror, struct ref_push *push, bool *moved,
                            struct error *error)
{
    *moved = false;
    enum status status = mirror_push(mirror, push, error);
    if (status != STATUS_OK)
        return status;
    switch (push->outcome) {
    case PUSH_ACCEPTED:
        return STATUS_OK;
    case PUSH_MOVED:
        *moved = true;
        return STATUS_SYSTEM;
    case PUSH_REFUSED:
        return STATUS_REFUSED;
    case PUSH_UNKNOWN:
        return STATUS_SYSTEM;
    }
    return STATUS_SYSTEM;
}

enum status intents_write(struct mirror *mirror, const char *intent, struct text json,
                          const struct record_person *by, _Atomic bool *stop, struct error *error)
{
    char ref[REF_SIZE], commit[COMMIT_TEXT_SIZE];
    bool moved = false;
    enum status status = name_ref(intent, ref, error);
    if (status == STATUS_OK && json.length > INTENT_BYTES_MAX)
        status =
            error_set(error, STATUS_LIMIT, "the override of intent %.12s is too large", intent);
    if (status == STATUS_OK)
        status = make_commit(mirror, intent, json, by, commit, error);
    if (status != STATUS_OK)
        return status;
    struct ref_push push = {.ref = ref, .commit = commit, .stop = stop};
    status = push_ref(mirror, &push, &moved, error);
    /* Without a tip somebody is about to put it there, or it cannot be there at all. */
    return moved && push.tip[0] ? STATUS_OK : status;
}

enum status intents_remove(struct mirror *mirror, const char *intent, _Atomic bool *stop,
                           struct error *error)
{
    char ref[REF_SIZE], tip[COMMIT_TEXT_SIZE];
    bool moved = false;
    enum status status = name_ref(intent, ref, error);
    if (status == STATUS_OK)
        status = mirror_remote_tip(mirror, ref, stop, tip, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    struct ref_push push = {.ref = ref, .expected = tip, .stop = stop};
    status = push_ref(mirror, &push, &moved, error);
    return moved && !push.tip[0] ? STATUS_OK : status; /* somebody else has taken it off */
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_here(const struct mirror *mirror, const git_oid *commit)
{
    git_odb *objects = NULL;
    bool here = git_repository_odb(&objects, mirror->repository) == 0 &&
                git_odb_exists(objects, commit) == 1;
    git_odb_free(objects);
    return here;
}

static int on_progress(void *context)
{
    return dialogue_progress(context);
}

/* From a repository on this machine, one by one. What is no commit is found out by its reader. */
static enum status copy_missing(struct dialogue *dialogue, struct error *error)
{
    struct mirror *mirror = dialogue->mirror;
    for (size_t i = 0; i < mirror->intent_count; i++) {
        const git_oid *commit = &mirror->intents[i].commit;
        if (is_here(mirror, commit))
            continue;
        int code = local_copy(mirror->repository, dialogue->path, mirror->access, commit,
                              on_progress, dialogue);
        if (code != 0 && watch_is_over(&dialogue->watch))
            return dialogue_fail(dialogue, code, error);
    }
    return STATUS_OK;
}

static enum status download_refs(struct dialogue *dialogue, const git_strarray *specs,
                                 struct error *error)
{
    git_fetch_options options;
    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    dialogue_callbacks(dialogue, &options.callbacks);
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    dialogue_proxy(dialogue, &options.proxy_opts);
    watch_allow_bytes(&dialogue->watch, INTENTS_DOWNLOAD_MAX);
    int code = git_remote_download(dialogue->remote, specs, &options);
    return code == 0 ? STATUS_OK : dialogue_fail(dialogue, code, error);
}

#define SPEC_SIZE (2 * REF_SIZE + 2)

static enum status download_missing(struct dialogue *dialogue, struct error *error)
{
    const struct mirror *mirror = dialogue->mirror;
    char(*specs)[SPEC_SIZE] = calloc(mirror->intent_count, sizeof *specs);
    char **list = calloc(mirror->intent_count, sizeof *list);
    git_strarray wanted = {list, 0};
    enum status status = STATUS_NO_MEMORY;
    if (!specs || !list) {
        error_set(error, status, "no memory to ask for intents");
        goto out;
    }
    for (size_t i = 0; i < mirror->intent_count; i++) {
        const struct intent_ref *ref = &mirror->intents[i];
        if (is_here(mirror, &ref->commit))
            continue;
        snprintf(specs[i], SPEC_SIZE, REFS_INTENTS "%s:" REFS_INTENTS "%s", ref->intent,
                 ref->intent);
        list[wanted.count++] = specs[i];
    }
    status = dialogue_open(dialogue, GIT_DIRECTION_FETCH, NULL, error);
    if (status == STATUS_OK)
        status = download_refs(dialogue, &wanted, error);
out:
    free(list);
    free(specs);
    return status;
}

static enum status bring_over(struct mirror *mirror, _Atomic bool *stop, struct error *error)
{
    struct dialogue dialogue;
    enum status status =
        dialogue_begin(&dialogue, mirror, "fetching intents of", "fetched", stop, error);
    if (status == STATUS_OK)
        status =
            dialogue.path ? copy_missing(&dialogue, error) : download_missing(&dialogue, error);
    dialogue_end(&dialogue);
    return status;
}

static bool are_all_here(const struct mirror *mirror)
{
    for (size_t i = 0; i < mirror->intent_count; i++)
        if (!is_here(mirror, &mirror->intents[i].commit))
            return false;
    return true;
}

enum status intents_read(struct mirror *mirror, intent_visit *visit, void *context, size_t *beyond,
                         _Atomic bool *stop, struct error *error)
{
    struct buffer json;
    enum status status = are_all_here(mirror) ? STATUS_OK : bring_over(mirror, stop, error);
    if (beyond)
        *beyond = mirror->intents_beyond;
    buffer_init(&json, INTENT_BYTES_MAX);
    for (size_t i = 0; i < mirror->intent_count && status == STATUS_OK; i++) {
        const struct intent_ref *ref = &mirror->intents[i];
        char commit[COMMIT_TEXT_SIZE];
        struct error problem = {0};
        mirror_format_id(&ref->commit, commit);
        buffer_clear(&json);
        if (mirror_read_file(mirror, commit, FILE_NAME, INTENT_BYTES_MAX, &json, &problem) ==
            STATUS_OK)
            visit(context, ref->intent, buffer_text(&json), NULL);
        else
            visit(context, ref->intent, (struct text){"", 0}, &problem);
    }
    buffer_dispose(&json);
    return status;
}
