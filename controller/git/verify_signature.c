/* The signature of one commit. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../clock.h"
#include "child.h"
#include "mirror_private.h"
#include "verify_private.h"

#define PATIENCE_MS 10000
#define COMMIT_MAX ((size_t)1 << 20) /* bytes of a commit that is looked at */
#define SIGNATURE_MAX ((size_t)1 << 14)
#define PRINCIPALS_MAX 16 /* of one key */

/* What ssh-keygen is given. */
struct question {
    const struct signers *signers;
    int signature, payload; /* files */
    char time[40];          /* "-Overify-time=YYYYMMDDhhmmss", in the child's time zone: UTC */
    _Atomic bool *stop;
};

/* Whether `principal` signed it; with NULL: who may have. */
static enum status ask(const struct question *question, const char *principal, struct child *child,
                       struct error *error)
{
    /* The child's descriptors: 3 and 4, in the order of `files`. */
    const char *const verify[] = {"ssh-keygen", "-Y",           "verify", "-f",  "/dev/fd/3",
                                  "-I",         principal,      "-n",     "git", "-s",
                                  "/dev/fd/4",  question->time, NULL};
    const char *const find[] = {"ssh-keygen", "-Y",        "find-principals", "-f", "/dev/fd/3",
                                "-s",         "/dev/fd/4", question->time,    NULL};
    *child = (struct child){.arguments = principal ? verify : find,
                            .input = principal ? question->payload : -1,
                            .files = {question->signers->file, question->signature},
                            .file_count = 2,
                            .patience = PATIENCE_MS,
                            .stop = question->stop};
    if (principal && lseek(question->payload, 0, SEEK_SET) != 0)
        return error_set(error, STATUS_SYSTEM, "a signature cannot be read: %s", strerror(errno));
    enum status status = child_run(child, error);
    child->arguments = NULL;
    if (status == STATUS_NOT_FOUND)
        return error_set(error, STATUS_SYSTEM,
                         "signatures cannot be verified: there is no \"ssh-keygen\" on PATH: "
                         "install OpenSSH's client");
    return status;
}

/* Good "git" signature for PRINCIPAL with KIND key SHA256:… */
static void note_signer(const char *output, const char *principal, struct verification *out)
{
    const char *print = strstr(output, " key SHA256:");
    out->verdict = VERDICT_VERIFIED;
    snprintf(out->principal, sizeof out->principal, "%s", principal);
    if (print) {
        print += strlen(" key ");
        snprintf(out->fingerprint, sizeof out->fingerprint, "%.*s", (int)strcspn(print, "\r\n "),
                 print);
    }
}

/* Why no principal was found, by what ssh-keygen complains of. */
static enum signature_verdict judge_complaint(const char *problem)
{
    if (strstr(problem, "key has expired") || strstr(problem, "key is not yet valid"))
        return VERDICT_EXPIRED;
    if (strstr(problem, "parse signature") || strstr(problem, "missing header") ||
        strstr(problem, "missing footer") || strstr(problem, "sshsig_"))
        return VERDICT_BAD_SIGNATURE;
    return VERDICT_UNKNOWN_KEY;
}

/* The key may stand for several; one of them may be limited to another time or namespace. */
static enum status try_principals(const struct question *question, char *names,
                                  struct verification *out, struct error *error)
{
    struct child child;
    char *rest = NULL;
    size_t tried = 0;
    out->verdict = VERDICT_UNKNOWN_KEY;
    for (char *name = strtok_r(names, "\r\n", &rest); name && tried < PRINCIPALS_MAX;
         name = strtok_r(NULL, "\r\n", &rest), tried++) {
        enum status status = ask(question, name, &child, error);
        if (status != STATUS_OK)
            return status;
        if (child.code == 0) {
            note_signer(child.output, name, out);
            return STATUS_OK;
        }
        out->verdict = VERDICT_BAD_SIGNATURE;
    }
    return STATUS_OK;
}

static enum status answer(const struct question *question, struct verification *out,
                          struct error *error)
{
    struct child child;
    enum status status = ask(question, NULL, &child, error);
    if (status != STATUS_OK)
        return status;
    if (child.code == 0)
        return try_principals(question, child.output, out, error);
    out->verdict = judge_complaint(child.problem);
    return STATUS_OK;
}

/* --- what the commit holds ------------------------------------------------------------------- */

static enum signature_verdict judge_kind(const git_buf *signature)
{
    static const char ssh[] = "-----BEGIN SSH SIGNATURE-----";
    if (signature->size > SIGNATURE_MAX)
        return VERDICT_BAD_SIGNATURE;
    if (signature->size >= sizeof ssh - 1 && memcmp(signature->ptr, ssh, sizeof ssh - 1) == 0)
        return VERDICT_VERIFIED; /* so far */
    return VERDICT_FOREIGN;
}

static void write_time(git_time_t seconds, char *out, size_t size)
{
    char text[TIME_TEXT_SIZE]; /* 2026-11-22T21:30:00Z */
    time_format(seconds, text);
    snprintf(out, size, "-Overify-time=%.4s%.2s%.2s%.2s%.2s%.2s", text, text + 5, text + 8,
             text + 11, text + 14, text + 17);
}

static enum status check(const struct signers *signers, git_time_t time, const git_buf *signature,
                         const git_buf *payload, _Atomic bool *stop, struct verification *out,
                         struct error *error)
{
    struct question question = {.signers = signers, .signature = -1, .payload = -1, .stop = stop};
    enum status status = STATUS_OK;
    write_time(time, question.time, sizeof question.time);
    question.signature = child_file((struct text){signature->ptr, signature->size});
    if (question.signature >= 0)
        question.payload = child_file((struct text){payload->ptr, payload->size});
    if (question.payload < 0)
        status =
            error_set(error, STATUS_SYSTEM, "a signature cannot be written: %s", strerror(errno));
    else
        status = answer(&question, out, error);
    if (question.payload >= 0)
        close(question.payload);
    if (question.signature >= 0)
        close(question.signature);
    return status;
}

/* A commit is looked at only when it is of a size that a person could have made. */
static enum status check_size(git_repository *repository, const git_oid *commit, bool *large,
                              struct error *error)
{
    git_odb *odb = NULL;
    git_object_t type;
    size_t size = 0;
    int code = git_repository_odb(&odb, repository);
    if (code == 0)
        code = git_odb_read_header(&size, &type, odb, commit);
    git_odb_free(odb);
    *large = size > COMMIT_MAX;
    return code == 0 ? STATUS_OK
                     : mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read",
                                   git_oid_tostr_s(commit));
}

enum status verify_signature(git_repository *repository, const git_oid *commit,
                             const struct signers *signers, _Atomic bool *stop,
                             struct verification *out, struct error *error)
{
    git_oid id = *commit;
    git_buf signature = GIT_BUF_INIT, payload = GIT_BUF_INIT;
    git_commit *found = NULL;
    bool large;
    *out = (struct verification){.verdict = VERDICT_UNSIGNED};
    enum status status = check_size(repository, commit, &large, error);
    if (status != STATUS_OK)
        return status;
    if (large) {
        out->verdict = VERDICT_BAD_SIGNATURE;
        return STATUS_OK;
    }
    int code = git_commit_lookup(&found, repository, commit);
    if (code == 0)
        code = git_commit_extract_signature(&signature, &payload, repository, &id, NULL);
    if (code == 0) {
        out->verdict = judge_kind(&signature);
        if (out->verdict == VERDICT_VERIFIED)
            status = check(signers, git_commit_time(found), &signature, &payload, stop, out, error);
    } else if (!found || code != GIT_ENOTFOUND) {
        status =
            mirror_fail(error, STATUS_SYSTEM, "commit %s cannot be read", git_oid_tostr_s(commit));
    }
    git_commit_free(found);
    git_buf_dispose(&signature);
    git_buf_dispose(&payload);
    return status;
}
