/* What was found, as commits. */
#include <stdlib.h>

#include "../git/message.h"
#include "revert_private.h"

/* --- messages -------------------------------------------------------------------------------- */

static void begin_revert(const struct revert *revert, struct message *message)
{
    char inner[MESSAGE_SUBJECT_MAX - 16], line[MESSAGE_SUBJECT_MAX];
    message_fold(text_of(revert->changes[0].facts.subject), inner, sizeof inner);
    snprintf(line, sizeof line, "Revert \"%s\"", inner);
    message_begin(message, text_of(line));
    for (size_t i = 0; i < revert->change_count; i++) {
        const struct revert_change *change = &revert->changes[i];
        char body[160];
        if (change->facts.parent_count > 1) /* as git says it */
            snprintf(body, sizeof body, "This reverts commit %s, reversing changes made to %s.",
                     change->commit, change->facts.parents[0]);
        else
            snprintf(body, sizeof body, "This reverts commit %s.", change->commit);
        message_line(message, text_of(body));
    }
}

static void begin_pin(const struct revert_task *task, const struct revert *revert,
                      bool has_proposal, struct message *message)
{
    char name[REVERT_NAME_SIZE], line[600];
    revert_name(task, name);
    snprintf(line, sizeof line, "Pin flag %s as of %.12s", name, revert->good);
    message_begin(message, text_of(line));
    for (size_t i = 0; i < revert->change_count; i++) {
        const struct revert_change *change = &revert->changes[i];
        snprintf(line, sizeof line, "Commit %s changed it: %s", change->commit,
                 change->facts.subject);
        message_line(message, text_of(line));
    }
    snprintf(line, sizeof line, "It is not reverted here, since %s.", revert->words);
    message_line(message, text_of(line));
    if (has_proposal) {
        snprintf(line, sizeof line, "The revert is proposed as branch %s.",
                 revert->branch + strlen("refs/heads/"));
        message_line(message, text_of(line));
    }
}

static void add_trailers(const struct revert_task *task, const struct revert *revert,
                         const char *action, struct message *message)
{
    char name[REVERT_NAME_SIZE];
    revert_name(task, name);
    message_trailer(message, "Weir-Action", text_of(action));
    message_trailer(message, "Weir-Flag", text_of(name));
    if (strcmp(action, "pin") == 0)
        message_trailer(message, "Weir-As-Of", text_of(revert->good));
    for (size_t i = 0; i < revert->change_count; i++)
        message_trailer(message, "Weir-Reverts", text_of(revert->changes[i].commit));
    message_trailer(message, "Weir-Intent", text_of(revert->intent));
    message_trailer(message, "Weir-By", task->by);
    message_trailer(message, "Weir-Evidence", task->evidence);
}

/* --- commits --------------------------------------------------------------------------------- */

/* A commit of the files (or NULL) and of a pin. */
static enum status commit(struct tip_decision *decision, const struct revert_files *files,
                          const struct flag_pin *pin, struct message *message, struct error *error)
{
    size_t count = files ? files->count : 0;
    struct record_edit *edits = calloc(count + 1, sizeof *edits);
    struct buffer path, bytes;
    const char *text = message_text(message);
    buffer_init(&path, 0);
    buffer_init(&bytes, 0);
    enum status status = STATUS_OK;
    for (size_t i = 0; edits && i < count; i++) {
        const struct revert_file *file = &files->items[i];
        edits[i] =
            (struct record_edit){.path = file->path, .bytes = file->bytes, .gone = !file->is_there};
    }
    if (edits && text)
        status = pin_edit(pin, &path, &bytes, &edits[count], error);
    else
        status = error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    if (status == STATUS_OK)
        status = decision_commit(decision, edits, count + 1, text, error);
    buffer_dispose(&bytes);
    buffer_dispose(&path);
    free(edits);
    return status;
}

/* What becomes of a pin by the decision; the texts are the arena's. */
static enum status move_pin(const struct revert_task *task, const struct revert *revert,
                            const struct flag_pin *before, enum pin_verb verb, struct arena *arena,
                            struct flag_pin *after, struct error *error)
{
    struct pin_task move = {.verb = verb,
                            .environment = task->environment,
                            .flag = task->flag,
                            .as_of = text_of(revert->good),
                            .by = task->by,
                            .reason = task->evidence,
                            .now = task->now};
    if (verb != PIN_UNPIN)
        move.intent = text_of(revert->intent);
    bool changes;
    enum status status = pin_move(before, &move, arena, after, &changes);
    return status == STATUS_OK ? status : error_set(error, status, "no memory for a pin");
}

/* Whether the flag is what it was, with no fault that the tip does not have. */
static enum status check(const struct revert_task *task, const struct revert *revert,
                         const char *commit_made, bool *is_good, struct error *error)
{
    struct effective way;
    struct buffer json;
    *is_good = false;
    effective_init(&way, &task->parts);
    buffer_init(&json, 0);
    enum status status = effective_go(&way, commit_made, error);
    if (status == STATUS_OK) {
        const struct document *document = effective_document(&way, task->environment);
        const struct fragment *fragment = document ? document_find(document, task->flag) : NULL;
        if (fragment)
            fragment_append_json(fragment, &json);
        *is_good =
            document && (fragment != NULL) == revert->found &&
            text_equal(buffer_text(&json), buffer_text(&revert->json)) &&
            way.result.diagnostics.errors + way.inventory.quarantined.count <= revert->faults;
        if (json.failed)
            status = error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    }
    buffer_dispose(&json);
    effective_dispose(&way);
    return status;
}

/* *is_made is false, and the head as before, when it is not what it should be. */
static enum status try_revert(const struct revert_task *task, struct revert *revert,
                              const struct revert_files *files, struct tip_decision *decision,
                              bool *is_made, struct error *error)
{
    char head[COMMIT_TEXT_SIZE];
    struct message message;
    struct flag_pin note;
    struct arena arena;
    memcpy(head, decision->head, sizeof head);
    arena_init(&arena, 0);
    begin_revert(revert, &message);
    add_trailers(task, revert, "revert", &message);
    enum status status = move_pin(task, revert, revert->before, PIN_NOTE, &arena, &note, error);
    if (status == STATUS_OK)
        status = commit(decision, files, &note, &message, error);
    if (status == STATUS_OK)
        status = check(task, revert, decision->head, is_made, error);
    if (status == STATUS_OK && !*is_made)
        memcpy(decision->head, head, sizeof head);
    message_dispose(&message);
    arena_dispose(&arena);
    return status;
}

/* The revert on top of the pin, which it lifts. The head stays at the pin. */
static enum status propose(const struct revert_task *task, struct revert *revert,
                           const struct revert_files *files, const struct flag_pin *pin,
                           struct tip_decision *decision, struct error *error)
{
    char head[COMMIT_TEXT_SIZE];
    struct message message;
    struct flag_pin lifted;
    struct arena arena;
    memcpy(head, decision->head, sizeof head);
    arena_init(&arena, 0);
    begin_revert(revert, &message);
    message_line(&message, TEXT("Merging this lets the flag go, which is pinned until then."));
    add_trailers(task, revert, "propose", &message);
    enum status status = move_pin(task, revert, pin, PIN_UNPIN, &arena, &lifted, error);
    if (status == STATUS_OK)
        status = commit(decision, files, &lifted, &message, error);
    if (status == STATUS_OK) {
        memcpy(revert->proposal, decision->head, sizeof revert->proposal);
        memcpy(decision->head, head, sizeof head);
    }
    message_dispose(&message);
    arena_dispose(&arena);
    return status;
}

static enum status make_pin(const struct revert_task *task, struct revert *revert,
                            const struct revert_files *files, struct tip_decision *decision,
                            struct error *error)
{
    struct message message;
    struct flag_pin pin;
    struct arena arena;
    bool has_proposal = files->can_be_made && files->count > 0;
    arena_init(&arena, 0);
    begin_pin(task, revert, has_proposal, &message);
    add_trailers(task, revert, "pin", &message);
    enum status status = move_pin(task, revert, revert->before, PIN_HOLD, &arena, &pin, error);
    if (status == STATUS_OK)
        status = commit(decision, NULL, &pin, &message, error);
    if (status == STATUS_OK && has_proposal)
        status = propose(task, revert, files, &pin, decision, error);
    message_dispose(&message);
    arena_dispose(&arena);
    return status;
}

enum status revert_commit(const struct revert_task *task, struct revert *revert,
                          struct tip_decision *decision, struct error *error)
{
    struct revert_files files;
    bool is_made = false;
    revert->proposal[0] = '\0';
    if (revert->kind == REVERT_NOTHING)
        return STATUS_OK;
    enum status status = revert_files_make(decision->mirror, task, revert, &files, error);
    bool is_fit = files.can_be_made && files.is_all_its && files.count > 0;
    if (status == STATUS_OK && is_fit)
        status = try_revert(task, revert, &files, decision, &is_made, error);
    if (status == STATUS_OK && is_made) {
        revert->kind = REVERT_COMMIT;
    } else if (status == STATUS_OK) {
        revert->kind = REVERT_PIN;
        snprintf(revert->words, sizeof revert->words, "%s",
                 is_fit ? "taking it back would not make the flag what it was" : files.words);
        status = make_pin(task, revert, &files, decision, error);
    }
    revert_files_dispose(&files);
    return status;
}

enum status revert_decide(void *context, struct tip_decision *decision, struct error *error)
{
    struct revert_decide *both = context;
    both->task.parts.mirror = decision->mirror;
    enum status status = revert_find(&both->task, decision->tip, &both->revert, error);
    return status == STATUS_OK ? revert_commit(&both->task, &both->revert, decision, error)
                               : status;
}
