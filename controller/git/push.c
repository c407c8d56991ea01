#include "push.h"

#include <stdio.h>

#include "dialogue.h"
#include "message.h"
#include "receive.h"

#define REFS_WEIR "refs/weir/"
/* What is pushed needs a name while it is: libgit2 1.5 takes no ids. */
#define REFS_OUTGOING REFS_WEIR "outgoing/"
#define REF_MAX (sizeof REFS_HEADS + BRANCH_MAX)

/* One push, from connecting to disconnecting. The dialogue comes first: it is the payload of its
 * callbacks, and so is this. */
struct pushing {
    struct dialogue dialogue;
    struct ref_push *push;
    struct receiver receiver;
    char ref[REF_MAX];
    git_oid expected, commit; /* zero: none */
    git_oid found;            /* where the remote has it */
    bool is_leased;           /* it was where it was expected, so that something may be sent */
    bool is_done;             /* it was where it was to be */
    bool is_reported;         /* the server told what became of it */
    char reason[256];         /* why the server did not do it; empty: it did */
    struct buffer heard;      /* what its hooks said */
};

/* --- names ----------------------------------------------------------------------------------- */

/* A branch's short name is made a full one. */
static enum status name_ref(const char *given, char ref[REF_MAX], struct error *error)
{
    char branch[BRANCH_MAX + 1];
    int valid = 0;
    if (strncmp(given, REFS_WEIR, sizeof REFS_WEIR - 1) == 0) {
        if (strlen(given) >= REF_MAX || git_reference_name_is_valid(&valid, given) != 0 || !valid)
            return error_set(error, STATUS_INVALID, "\"%.100s\" cannot be the name of a ref",
                             given);
        snprintf(ref, REF_MAX, "%s", given);
        return STATUS_OK;
    }
    enum status status = branch_name(given, branch, error);
    if (status == STATUS_OK && !branch[0])
        return error_set(error, STATUS_INVALID, "the name of the branch is empty");
    if (status == STATUS_OK)
        snprintf(ref, REF_MAX, REFS_HEADS "%s", branch);
    return status;
}

static enum status read_request(struct pushing *pushing, struct error *error)
{
    const struct ref_push *push = pushing->push;
    struct mirror *mirror = pushing->dialogue.mirror;
    git_commit *commit;
    enum status status = name_ref(push->ref, pushing->ref, error);
    if (status == STATUS_OK && push->expected)
        status = mirror_parse_id(push->expected, &pushing->expected, error);
    if (status == STATUS_OK && !push->expected && !push->commit)
        status =
            error_set(error, STATUS_INVALID, "\"%.100s\" cannot go where it is not", push->ref);
    if (status != STATUS_OK || !push->commit)
        return status;
    status = mirror_lookup_commit(mirror, push->commit, &commit, error);
    if (status != STATUS_OK)
        return status;
    pushing->commit = *git_commit_id(commit);
    git_commit_free(commit);
    bool descends = true;
    if (push->expected)
        status = mirror_descends(mirror, push->commit, push->expected, &descends, error);
    if (status == STATUS_OK && !descends)
        status = error_set(error, STATUS_INVALID, "commit %.12s does not descend from %.12s",
                           push->commit, push->expected);
    return status;
}

/* --- libgit2 calls back ---------------------------------------------------------------------- */

/* The lease: what the server says of the ref before anything is sent. */
static int on_negotiation(const git_push_update **updates, size_t count, void *payload)
{
    struct pushing *pushing = payload;
    if (dialogue_progress(&pushing->dialogue) != 0 || count != 1)
        return GIT_EUSER;
    pushing->found = updates[0]->src;
    pushing->is_done = git_oid_equal(&pushing->found, &pushing->commit);
    pushing->is_leased = !pushing->is_done && git_oid_equal(&pushing->found, &pushing->expected);
    return pushing->is_leased ? 0 : GIT_EUSER;
}

static int on_update(const char *ref, const char *reason, void *payload)
{
    struct pushing *pushing = payload;
    if (strcmp(ref, pushing->ref) != 0)
        return 0;
    pushing->is_reported = true;
    snprintf(pushing->reason, sizeof pushing->reason, "%s", reason ? reason : "");
    return 0;
}

static int on_packing(int stage, uint32_t current, uint32_t total, void *payload)
{
    struct pushing *pushing = payload;
    (void)stage;
    (void)current;
    (void)total;
    return dialogue_progress(&pushing->dialogue);
}

static int on_sending(unsigned current, unsigned total, size_t bytes, void *payload)
{
    (void)bytes;
    return on_packing(0, current, total, payload);
}

/* Before the lease it is about something else. */
static int on_words(const char *words, int length, void *payload)
{
    struct pushing *pushing = payload;
    if (length > 0 && pushing->is_leased)
        buffer_append(&pushing->heard, words, (size_t)length);
    return dialogue_progress(&pushing->dialogue);
}

static int on_transport(git_transport **out, git_remote *owner, void *payload)
{
    struct pushing *pushing = payload;
    return receiver_transport(out, owner, &pushing->receiver);
}

static void set_callbacks(struct pushing *pushing, git_remote_callbacks *callbacks)
{
    dialogue_callbacks(&pushing->dialogue, callbacks);
    callbacks->payload = pushing; /* begins with the dialogue */
    callbacks->push_negotiation = on_negotiation;
    callbacks->push_update_reference = on_update;
    callbacks->pack_progress = on_packing;
    callbacks->push_transfer_progress = on_sending;
    callbacks->sideband_progress = on_words;
    if (pushing->dialogue.path)
        callbacks->transport = on_transport;
}

/* --- what came of it ------------------------------------------------------------------------- */

/* One line of what was said, safe to show. */
static void clean_words(struct pushing *pushing)
{
    struct ref_push *push = pushing->push;
    struct buffer *heard = &pushing->heard, clean;
    buffer_init(&clean, 0);
    if (heard->length > PUSH_WORDS_MAX - 1)
        heard->length = PUSH_WORDS_MAX - 1; /* the first words tell most */
    url_append_public(&clean, buffer_text(heard));
    size_t length = message_fold(buffer_text(&clean), push->words, sizeof push->words);
    push->words[length] = '\0';
    buffer_dispose(&clean);
}

/* What servers say when somebody else was faster. libgit2 says nothing better than words here, nor
 * does git's protocol. */
static bool tells_of_a_race(const char *reason)
{
    static const char *const races[] = {"non-fast-forward",
                                        "fetch first",
                                        "cannot lock ref",
                                        "failed to lock",
                                        "incorrect old value provided",
                                        "reference already exists",
                                        "failed to update ref",
                                        "remote ref has changed",
                                        "stale info"};
    for (size_t i = 0; i < COUNT_OF(races); i++) {
        if (strstr(reason, races[i]))
            return true;
    }
    return false;
}

static enum status note_moved(struct pushing *pushing, struct error *error)
{
    struct ref_push *push = pushing->push;
    push->outcome = PUSH_MOVED;
    if (!pushing->is_leased && !git_oid_is_zero(&pushing->found))
        mirror_format_id(&pushing->found, push->tip);
    error_set(error, STATUS_REFUSED, "\"%.100s\" of \"%.80s\" has moved: somebody else pushed",
              push->ref, pushing->dialogue.mirror->shown);
    return STATUS_OK;
}

static enum status note_reason(struct pushing *pushing, struct error *error)
{
    struct ref_push *push = pushing->push;
    char reason[sizeof pushing->reason];
    if (tells_of_a_race(pushing->reason))
        return note_moved(pushing, error);
    message_fold(text_of(pushing->reason), reason, sizeof reason);
    push->outcome = PUSH_REFUSED;
    error_set(error, STATUS_REFUSED, "\"%.40s\" does not take the push to \"%.40s\": %.60s%s%.60s",
              pushing->dialogue.mirror->shown, push->ref, reason, push->words[0] ? ": " : "",
              push->words);
    return STATUS_OK;
}

/* Something was sent, and nothing was answered. */
static enum status note_silence(struct pushing *pushing, int code, struct error *error)
{
    struct error why = {0};
    pushing->push->outcome = PUSH_UNKNOWN;
    if (code != 0)
        dialogue_fail(&pushing->dialogue, code, &why);
    error_set(error, STATUS_SYSTEM, "it is not known whether the push arrived: %.200s",
              code != 0 ? why.message : "the server does not say");
    return STATUS_OK;
}

/* Our own refs know the new tip, unless a fetch has seen a newer one meanwhile. */
static void note_tip(struct pushing *pushing)
{
    char ref[sizeof REF_REMOTE + BRANCH_MAX];
    git_reference *made = NULL;
    git_repository *repository = pushing->dialogue.mirror->repository;
    if (strncmp(pushing->ref, REFS_HEADS, sizeof REFS_HEADS - 1) != 0 ||
        git_oid_is_zero(&pushing->commit) || git_oid_is_zero(&pushing->expected))
        return;
    snprintf(ref, sizeof ref, REF_REMOTE "%s", pushing->ref + sizeof REFS_HEADS - 1);
    /* What fails here, the next fetch mends. */
    git_reference_create_matching(&made, repository, ref, &pushing->commit, 1, &pushing->expected,
                                  NULL);
    git_reference_free(made);
}

static enum status judge(struct pushing *pushing, int code, struct error *error)
{
    struct ref_push *push = pushing->push;
    clean_words(pushing);
    if (pushing->is_done || (pushing->is_reported && !pushing->reason[0])) {
        push->outcome = PUSH_ACCEPTED;
        note_tip(pushing);
        return STATUS_OK;
    }
    if (pushing->is_reported)
        return note_reason(pushing, error);
    if (code == GIT_ENONFASTFORWARD)
        return note_moved(pushing, error);
    if (pushing->is_leased)
        return note_silence(pushing, code, error);
    bool moved = code == GIT_EUSER && !watch_is_over(&pushing->dialogue.watch);
    return moved ? note_moved(pushing, error) : dialogue_fail(&pushing->dialogue, code, error);
}

/* --- the steps ------------------------------------------------------------------------------- */

/* Gives the commit a name of ours; empty where none is pushed. */
static enum status name_outgoing(const struct pushing *pushing, char *name, size_t size,
                                 struct error *error)
{
    git_reference *made = NULL;
    char id[COMMIT_TEXT_SIZE];
    name[0] = '\0';
    if (!pushing->push->commit)
        return STATUS_OK;
    mirror_format_id(&pushing->commit, id);
    snprintf(name, size, REFS_OUTGOING "%s", id);
    int code = git_reference_create(&made, pushing->dialogue.mirror->repository, name,
                                    &pushing->commit, 1, NULL);
    git_reference_free(made);
    return code == 0 ? STATUS_OK
                     : mirror_fail(error, STATUS_SYSTEM, "\"%.100s\" cannot be written", name);
}

static enum status send(struct pushing *pushing, const git_remote_callbacks *callbacks,
                        struct error *error)
{
    char outgoing[sizeof REFS_OUTGOING + COMMIT_TEXT_SIZE], refspec[sizeof outgoing + 1 + REF_MAX];
    char *specs[] = {refspec};
    const git_strarray list = {specs, 1};
    git_push_options options;
    git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
    options.callbacks = *callbacks;
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    dialogue_proxy(&pushing->dialogue, &options.proxy_opts);
    enum status status = name_outgoing(pushing, outgoing, sizeof outgoing, error);
    if (status != STATUS_OK)
        return status;
    snprintf(refspec, sizeof refspec, "%s:%s", outgoing, pushing->ref);
    status = judge(pushing, git_remote_upload(pushing->dialogue.remote, &list, &options), error);
    if (outgoing[0])
        git_reference_remove(pushing->dialogue.mirror->repository, outgoing);
    return status;
}

static enum status carry_out(struct pushing *pushing, struct error *error)
{
    git_remote_callbacks callbacks;
    const git_remote_head **heads = NULL;
    size_t count = 0;
    enum status status = read_request(pushing, error);
    if (status != STATUS_OK)
        return status;
    git_remote_init_callbacks(&callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    set_callbacks(pushing, &callbacks);
    status = dialogue_open(&pushing->dialogue, GIT_DIRECTION_PUSH, &callbacks, error);
    if (status != STATUS_OK && pushing->receiver.error.status == STATUS_NOT_FOUND)
        return error_set(error, STATUS_SYSTEM,
                         "pushing to a repository on this machine needs \"git\" on PATH");
    if (status == STATUS_OK)
        status = dialogue_list(&pushing->dialogue, &heads, &count, error);
    if (status != STATUS_OK)
        return status;
    return send(pushing, &callbacks, error);
}

enum status mirror_push(struct mirror *mirror, struct ref_push *push, struct error *error)
{
    struct pushing pushing = {.push = push};
    push->tip[0] = push->words[0] = '\0';
    push->outcome = PUSH_UNKNOWN;
    buffer_init(&pushing.heard, (size_t)4 * PUSH_WORDS_MAX);
    enum status status =
        dialogue_begin(&pushing.dialogue, mirror, "pushing to", "pushed to", push->stop, error);
    pushing.receiver = (struct receiver){.path = pushing.dialogue.path, .access = mirror->access};
    if (status == STATUS_OK)
        status = carry_out(&pushing, error);
    dialogue_end(&pushing.dialogue);
    buffer_dispose(&pushing.heard);
    return status;
}

/* --- looking --------------------------------------------------------------------------------- */

static enum status find_default(struct dialogue *dialogue, char ref[REF_MAX], struct error *error)
{
    git_buf name = GIT_BUF_INIT;
    int code = git_remote_default_branch(&name, dialogue->remote);
    enum status status = STATUS_OK;
    if (code == GIT_ENOTFOUND)
        status = error_set(error, STATUS_NOT_FOUND, "the HEAD of \"%.120s\" leads to no branch",
                           dialogue->mirror->shown);
    else if (code != 0)
        status = dialogue_fail(dialogue, code, error);
    else
        status = name_ref(name.ptr, ref, error);
    git_buf_dispose(&name);
    return status;
}

static enum status look(struct dialogue *dialogue, const char *given, char tip[COMMIT_TEXT_SIZE],
                        struct error *error)
{
    char ref[REF_MAX];
    const git_remote_head **heads = NULL;
    size_t count = 0;
    bool named = given && given[0];
    enum status status = named ? name_ref(given, ref, error) : STATUS_OK;
    if (status == STATUS_OK)
        status = dialogue_open(dialogue, GIT_DIRECTION_FETCH, NULL, error);
    if (status == STATUS_OK)
        status = dialogue_list(dialogue, &heads, &count, error);
    if (status == STATUS_OK && !named)
        status = find_default(dialogue, ref, error);
    if (status != STATUS_OK)
        return status;
    const git_remote_head *head = dialogue_find(heads, count, ref);
    if (!head)
        return error_set(error, STATUS_NOT_FOUND, "\"%.100s\" has no \"%.100s\"",
                         dialogue->mirror->shown, ref);
    mirror_format_id(&head->oid, tip);
    return STATUS_OK;
}

enum status mirror_remote_tip(struct mirror *mirror, const char *ref, _Atomic bool *stop,
                              char tip[COMMIT_TEXT_SIZE], struct error *error)
{
    struct dialogue dialogue;
    enum status status = dialogue_begin(&dialogue, mirror, "asking", "asked", stop, error);
    if (status == STATUS_OK)
        status = look(&dialogue, ref, tip, error);
    dialogue_end(&dialogue);
    return status;
}
