#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "child.h"
#include "mirror_private.h"
#include "verify_private.h"

#define SLOTS ((size_t)16384) /* commits remembered, a power of two: 320 KB */
#define KEEP_EVERY 16         /* commits of a long way, each of which takes some 10 ms */

bool verify_mode_parse(struct text text, enum verify_mode *mode)
{
    static const char *const names[] = {"none", "tip", "all"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (text_is(text, names[i])) {
            *mode = (enum verify_mode)i;
            return true;
        }
    }
    return false;
}

const char *verdict_words(enum signature_verdict verdict)
{
    switch (verdict) {
    case VERDICT_VERIFIED:
        return "is verified";
    case VERDICT_UNSIGNED:
        return "is not signed";
    case VERDICT_BAD_SIGNATURE:
        return "has a signature that is not of what it holds";
    case VERDICT_UNKNOWN_KEY:
        return "is signed by a key that is not among the allowed signers";
    case VERDICT_EXPIRED:
        return "is signed by a key outside the time in which it may sign";
    case VERDICT_FOREIGN:
        return "is signed by GPG or X.509, which are not verified: sign by SSH, with gpg.format "
               "ssh";
    }
    return "cannot be judged";
}

/* --- what is remembered in the handle -------------------------------------------------------- */

/* Commits that were verified with the signers of that hash. A slot may be taken over by another
 * commit: then the first is verified again. */
struct verified {
    uint64_t hash;
    git_oid slots[SLOTS]; /* all zeroes: free */
};

static git_oid *slot_of(struct verified *verified, const git_oid *commit)
{
    uint64_t start;
    memcpy(&start, commit->id, sizeof start);
    return &verified->slots[start & (SLOTS - 1)];
}

static bool is_remembered(const struct mirror *mirror, const struct signers *signers,
                          const git_oid *commit)
{
    struct verified *verified = mirror->verified;
    return verified && verified->hash == signers->hash &&
           git_oid_equal(slot_of(verified, commit), commit);
}

/* Without memory for it, it is verified again next time. */
static void remember(struct mirror *mirror, const struct signers *signers, const git_oid *commit)
{
    if (mirror->verified && mirror->verified->hash != signers->hash) {
        free(mirror->verified);
        mirror->verified = NULL;
    }
    if (!mirror->verified) {
        mirror->verified = calloc(1, sizeof *mirror->verified);
        if (!mirror->verified)
            return;
        mirror->verified->hash = signers->hash;
    }
    *slot_of(mirror->verified, commit) = *commit;
}

/* --- the signers ----------------------------------------------------------------------------- */

static enum status read_signers(const char *path, struct buffer *out, struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0 && out->length <= VERIFY_SIGNERS_MAX) {
        char *room = buffer_reserve(out, 16384);
        if (!room)
            break;
        got = read(file, room, 16384);
        out->length += got > 0 ? (size_t)got : 0;
    }
    int why = errno;
    if (file >= 0)
        close(file);
    if (out->failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the allowed signers");
    if (got < 0)
        return error_set(error, STATUS_SYSTEM, "the allowed signers \"%.120s\" cannot be read: %s",
                         path, strerror(why));
    if (out->length > VERIFY_SIGNERS_MAX)
        return error_set(error, STATUS_SYSTEM, "the allowed signers \"%.120s\" are more than 1 MiB",
                         path);
    return STATUS_OK;
}

static enum status signers_open(struct signers *signers, const struct verify_policy *policy,
                                struct error *error)
{
    struct buffer bytes;
    *signers = (struct signers){.file = -1};
    if (!policy->allowed_signers)
        return error_set(error, STATUS_INVALID,
                         "there is no file of allowed signers to verify commits by");
    buffer_init(&bytes, 0);
    enum status status = read_signers(policy->allowed_signers, &bytes, error);
    if (status == STATUS_OK) {
        signers->hash = XXH3_64bits(bytes.data ? bytes.data : "", bytes.length);
        signers->file = child_file(buffer_text(&bytes));
        if (signers->file < 0)
            status = error_set(error, STATUS_SYSTEM, "the allowed signers cannot be handed on: %s",
                               strerror(errno));
    }
    buffer_dispose(&bytes);
    return status;
}

static void signers_close(struct signers *signers)
{
    if (signers->file >= 0)
        close(signers->file);
}

/* --- what is remembered in the clone --------------------------------------------------------- */

struct verified_ref {
    char name[sizeof REF_VERIFIED + 16];
    git_oid tip; /* when `known` */
    bool known;
};

static void find_ref(const struct mirror *mirror, const struct verify_policy *policy,
                     const struct signers *signers, struct verified_ref *ref)
{
    char all[80];
    int length = snprintf(all, sizeof all, "%016" PRIx64 " %d %.40s", signers->hash,
                          (int)policy->mode, policy->since ? policy->since : "");
    snprintf(ref->name, sizeof ref->name, REF_VERIFIED "%016" PRIx64,
             (uint64_t)XXH3_64bits(all, (size_t)length));
    ref->known = git_reference_name_to_id(&ref->tip, mirror->repository, ref->name) == 0;
}

/* Refs of policies that are no more. */
static void drop_others(const struct mirror *mirror, const char *name)
{
    git_reference_iterator *all = NULL;
    git_reference *other;
    if (git_reference_iterator_glob_new(&all, mirror->repository, REF_VERIFIED "*") != 0)
        return;
    while (git_reference_next(&other, all) == 0) {
        if (strcmp(git_reference_name(other), name) != 0)
            git_reference_delete(other);
        git_reference_free(other);
    }
    git_reference_iterator_free(all);
}

/* What cannot be written is verified again after a restart; nothing else depends on it. */
static void keep_ref(const struct mirror *mirror, const struct verified_ref *ref,
                     const git_oid *tip)
{
    git_reference *made = NULL;
    if (!mirror->url || (ref->known && git_oid_equal(&ref->tip, tip)))
        return;
    if (git_reference_create(&made, mirror->repository, ref->name, tip, 1, NULL) == 0)
        drop_others(mirror, ref->name);
    git_reference_free(made);
}

/* --- commits --------------------------------------------------------------------------------- */

static enum status verify_id(struct mirror *mirror, const struct signers *signers,
                             const git_oid *commit, _Atomic bool *stop, struct error *error)
{
    struct verification found;
    if (is_remembered(mirror, signers, commit))
        return STATUS_OK;
    enum status status = verify_signature(mirror->repository, commit, signers, stop, &found, error);
    if (status != STATUS_OK)
        return status;
    if (found.verdict != VERDICT_VERIFIED)
        return error_set(error, STATUS_REFUSED, "commit %s %s", git_oid_tostr_s(commit),
                         verdict_words(found.verdict));
    remember(mirror, signers, commit);
    return STATUS_OK;
}

static enum status read_since(struct mirror *mirror, const char *since, git_oid *out,
                              struct error *error)
{
    git_commit *found;
    if (mirror_lookup_commit(mirror, since, &found, error) != STATUS_OK)
        return error_set(error, STATUS_REFUSED,
                         "\"verifySince\" names \"%.60s\", and the repository has no such commit",
                         since);
    *out = *git_commit_id(found);
    git_commit_free(found);
    return STATUS_OK;
}

static enum status verify_tip(struct mirror *mirror, const struct signers *signers,
                              const git_oid *tip, const git_oid *since, _Atomic bool *stop,
                              struct error *error)
{
    if (since &&
        (git_oid_equal(since, tip) || git_graph_descendant_of(mirror->repository, since, tip) == 1))
        return STATUS_OK;
    return verify_id(mirror, signers, tip, stop, error);
}

/* Parents come before their children, so whatever leads to a commit was verified when it is: what
 * is interrupted goes on from there. */
static enum status verify_walk(struct mirror *mirror, const struct signers *signers,
                               git_revwalk *walk, const struct verified_ref *ref,
                               _Atomic bool *stop, struct error *error)
{
    git_oid commit;
    enum status status = STATUS_OK;
    int code = 0;
    for (size_t i = 0; status == STATUS_OK && (code = git_revwalk_next(&commit, walk)) == 0; i++) {
        if (i == VERIFY_COMMITS_MAX)
            return error_set(error, STATUS_REFUSED,
                             "more than %d commits would have to be verified: name a newer one in "
                             "\"verifySince\"",
                             VERIFY_COMMITS_MAX);
        status = verify_id(mirror, signers, &commit, stop, error);
        if (status == STATUS_OK && (i + 1) % KEEP_EVERY == 0)
            keep_ref(mirror, ref, &commit);
    }
    if (status == STATUS_OK && code != GIT_ITEROVER)
        return mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
    return status;
}

/* From the oldest on, so that the commit that is named is the first that was wrong. */
static enum status verify_all(struct mirror *mirror, const struct signers *signers,
                              const git_oid *tip, const git_oid *since,
                              const struct verified_ref *ref, _Atomic bool *stop,
                              struct error *error)
{
    git_revwalk *walk = NULL;
    int code = git_revwalk_new(&walk, mirror->repository);
    if (code == 0)
        code = git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
    if (code == 0)
        code = git_revwalk_push(walk, tip);
    if (code == 0 && since)
        code = git_revwalk_hide(walk, since);
    if (code == 0 && ref->known)
        code = git_revwalk_hide(walk, &ref->tip);
    enum status status = code == 0 ? verify_walk(mirror, signers, walk, ref, stop, error)
                                   : mirror_fail(error, STATUS_SYSTEM, "history cannot be read");
    git_revwalk_free(walk);
    return status;
}

static enum status verify_branch(struct mirror *mirror, const struct verify_policy *policy,
                                 const struct signers *signers, const git_oid *tip,
                                 struct error *error)
{
    git_oid point;
    struct verified_ref ref = {.known = false};
    const git_oid *since = NULL;
    if (policy->since) {
        enum status status = read_since(mirror, policy->since, &point, error);
        if (status != STATUS_OK)
            return status;
        since = &point;
    }
    find_ref(mirror, policy, signers, &ref);
    if (ref.known && git_oid_equal(&ref.tip, tip))
        return STATUS_OK;
    enum status status = policy->mode == VERIFY_TIP
                             ? verify_tip(mirror, signers, tip, since, policy->stop, error)
                             : verify_all(mirror, signers, tip, since, &ref, policy->stop, error);
    if (status == STATUS_OK)
        keep_ref(mirror, &ref, tip);
    return status;
}

enum status mirror_verify(struct mirror *mirror, const struct verify_policy *policy,
                          const char *tip, struct error *error)
{
    git_commit *found;
    struct signers signers;
    if (policy->mode == VERIFY_NONE)
        return STATUS_OK;
    enum status status = mirror_lookup_commit(mirror, tip, &found, error);
    if (status != STATUS_OK)
        return status;
    const git_oid id = *git_commit_id(found);
    git_commit_free(found);
    status = signers_open(&signers, policy, error);
    if (status == STATUS_OK)
        status = verify_branch(mirror, policy, &signers, &id, error);
    signers_close(&signers);
    return status;
}

enum status mirror_verify_commit(struct mirror *mirror, const struct verify_policy *policy,
                                 const char *commit, struct verification *out, struct error *error)
{
    git_commit *found;
    struct signers signers;
    enum status status = mirror_lookup_commit(mirror, commit, &found, error);
    if (status != STATUS_OK)
        return status;
    const git_oid id = *git_commit_id(found);
    git_commit_free(found);
    status = signers_open(&signers, policy, error);
    if (status == STATUS_OK)
        status = verify_signature(mirror->repository, &id, &signers, policy->stop, out, error);
    signers_close(&signers);
    return status;
}
