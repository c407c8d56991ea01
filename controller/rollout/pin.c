#include "pin.h"

#include <stdio.h>

#include "../../rules/similar.h"
#include "../git/message.h"

static const char *const verb_names[] = {[PIN_KILL] = "kill",
                                         [PIN_UNKILL] = "unkill",
                                         [PIN_UNPIN] = "unpin",
                                         [PIN_HOLD] = "pin",
                                         [PIN_NOTE] = "revert"};

const char *pin_verb_name(enum pin_verb verb)
{
    return verb_names[verb];
}

/* --- what becomes of a pin ------------------------------------------------------------------- */

static bool is_so(const struct flag_pin *before, const struct pin_task *task)
{
    switch (task->verb) {
    case PIN_KILL:
        return before && before->is_killed && text_equal(before->control, task->control);
    case PIN_UNKILL:
        return !before || !before->is_killed;
    case PIN_UNPIN:
        return !before || before->as_of.length == 0;
    case PIN_HOLD:
        return before && text_equal(before->as_of, task->as_of);
    case PIN_NOTE:
        break;
    }
    return false;
}

/* One line of at most `most` bytes. */
static bool fold(struct arena *arena, struct text text, size_t most, struct text *out)
{
    char *line = arena_allocate(arena, most + 1);
    if (!line)
        return false;
    *out = (struct text){line, message_fold(text, line, most + 1)};
    return true;
}

/* The newest are kept. */
static bool add_intent(struct arena *arena, const struct flag_pin *before, struct text intent,
                       struct flag_pin *after)
{
    size_t count = before ? before->intent_count : 0;
    size_t skipped = count >= INTENTS_KEPT ? count - INTENTS_KEPT + 1 : 0;
    after->intents = ARENA_ARRAY(arena, struct text, count - skipped + 1);
    after->intent_count = 0;
    if (!after->intents)
        return false;
    for (size_t i = skipped; i < count; i++)
        after->intents[after->intent_count++] = before->intents[i];
    return arena_copy(arena, intent, &after->intents[after->intent_count++]);
}

static void apply(const struct pin_task *task, struct flag_pin *pin)
{
    switch (task->verb) {
    case PIN_KILL:
        pin->is_killed = true;
        pin->control = task->control;
        break;
    case PIN_UNKILL:
        pin->is_killed = false;
        pin->control = (struct text){0};
        break;
    case PIN_UNPIN:
        pin->as_of = (struct text){0};
        break;
    case PIN_HOLD:
        pin->as_of = task->as_of;
        break;
    case PIN_NOTE:
        break;
    }
}

enum status pin_move(const struct flag_pin *before, const struct pin_task *task,
                     struct arena *arena, struct flag_pin *after, bool *changes)
{
    char intent[INTENT_TEXT_SIZE];
    struct text id = task->intent;
    *changes = false;
    *after =
        before ? *before : (struct flag_pin){.environment = task->environment, .flag = task->flag};
    if (is_so(before, task) || (before && id.length && flag_pin_has_intent(before, id)))
        return STATUS_OK;
    if (id.length == 0) {
        enum status status =
            flag_pin_intent(task->environment, task->flag, before ? before->seq : 0,
                            text_of(pin_verb_name(task->verb)), intent);
        if (status != STATUS_OK)
            return status;
        id = text_of(intent);
    }
    apply(task, after);
    after->seq = before && before->seq < UINT32_MAX ? before->seq + 1 : before ? UINT32_MAX : 1;
    after->since = task->now;
    after->is_foreign = false;
    *changes = true;
    bool good = add_intent(arena, before, id, after) &&
                fold(arena, task->by, PIN_BY_MAX, &after->by) &&
                fold(arena, task->reason, PIN_REASON_MAX, &after->reason);
    if (good && after->by.length == 0)
        after->by = TEXT("weir");
    return good ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status pin_edit(const struct flag_pin *pin, struct buffer *path, struct buffer *bytes,
                     struct record_edit *edit, struct error *error)
{
    buffer_clear(path);
    buffer_clear(bytes);
    flag_pin_path(pin->environment, pin->flag, path);
    flag_pin_write(pin, bytes);
    const char *name = buffer_string(path);
    if (!name || bytes->failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a pin");
    *edit = (struct record_edit){.path = name, .bytes = buffer_text(bytes)};
    return STATUS_OK;
}

/* --- a verb of a person ---------------------------------------------------------------------- */

static enum status unknown(const char *what, struct text name, struct text nearest,
                           struct error *error)
{
    if (nearest.length)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s \"%.*s\" does not exist; did you mean \"%.*s\"?", what,
                         (int)(name.length < 64 ? name.length : 64), name.data, (int)nearest.length,
                         nearest.data);
    return error_set(error, STATUS_NOT_FOUND, "%s \"%.*s\" does not exist", what,
                     (int)(name.length < 64 ? name.length : 64), name.data ? name.data : "");
}

static enum status unknown_environment(const struct effective *at, struct text name,
                                       struct error *error)
{
    struct similar nearest = {0};
    for (size_t i = 0; i < at->documents.count; i++)
        similar_offer(&nearest, name, text_of(at->documents.items[i].environment));
    return unknown("environment", name, nearest.name, error);
}

static enum status unknown_flag(const struct document *document, struct text name,
                                struct error *error)
{
    struct similar nearest = {0};
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    while ((fragment = document_next(document, &cursor)))
        similar_offer(&nearest, name, fragment->program.key);
    return unknown("flag", name, nearest.name, error);
}

/* A pin of a flag or of an environment that is gone can still be lifted. */
static enum status check_names(const struct pin_task *task, const struct effective *at,
                               const struct flag_pin *before, struct error *error)
{
    const struct document *document = effective_document(at, task->environment);
    if (before && task->verb != PIN_KILL)
        return STATUS_OK;
    if (!document)
        return unknown_environment(at, task->environment, error);
    if (!before && !document_find(document, task->flag))
        return unknown_flag(document, task->flag, error);
    return STATUS_OK;
}

static void write_message(const struct pin_task *task, const char *intent, struct message *message)
{
    static const char *const words[] = {[PIN_KILL] = "Kill",
                                        [PIN_UNKILL] = "Unkill",
                                        [PIN_UNPIN] = "Unpin",
                                        [PIN_HOLD] = "Pin",
                                        [PIN_NOTE] = "Note a decision on"};
    char line[MESSAGE_SUBJECT_MAX], name[2 * (STATE_NAME_MOST + 1)];
    snprintf(name, sizeof name, "%.*s/%.*s", (int)task->environment.length, task->environment.data,
             (int)task->flag.length, task->flag.data);
    snprintf(line, sizeof line, "%s flag %s", words[task->verb], name);
    message_begin(message, text_of(line));
    message_trailer(message, "Weir-Action", text_of(pin_verb_name(task->verb)));
    message_trailer(message, "Weir-Flag", text_of(name));
    message_trailer(message, "Weir-Intent", text_of(intent));
    message_trailer(message, "Weir-By", task->by);
    message_trailer(message, "Weir-Reason", task->reason);
}

static enum status record(struct pin_request *request, const struct pin_task *task,
                          const struct flag_pin *after, struct tip_decision *decision,
                          struct error *error)
{
    struct buffer path, bytes;
    struct record_edit edit;
    struct message message;
    struct text intent = after->intents[after->intent_count - 1];
    snprintf(request->intent, sizeof request->intent, "%.*s", (int)intent.length, intent.data);
    buffer_init(&path, 0);
    buffer_init(&bytes, 0);
    write_message(task, request->intent, &message);
    const char *text = message_text(&message);
    enum status status = pin_edit(after, &path, &bytes, &edit, error);
    buffer_clear(&request->message);
    buffer_append_string(&request->message, text ? text : "");
    if (status == STATUS_OK && (!text || !buffer_string(&request->message)))
        status = error_set(error, STATUS_NO_MEMORY, "no memory for the message of a commit");
    if (status == STATUS_OK)
        status = decision_commit(decision, &edit, 1, text, error);
    request->is_made = status == STATUS_OK;
    message_dispose(&message);
    buffer_dispose(&bytes);
    buffer_dispose(&path);
    return status;
}

enum status pin_decide_at(struct pin_request *request, const struct effective *at,
                          struct tip_decision *decision, struct error *error)
{
    char author[2 * RECORD_PERSON_MAX + 8], name[2 * (STATE_NAME_MOST + 1)];
    struct pin_task task = request->task;
    struct arena arena;
    struct flag_pin after;
    bool changes;
    request->is_made = false;
    request->intent[0] = '\0';
    buffer_clear(&request->message);
    snprintf(name, sizeof name, "%.*s/%.*s", (int)task.environment.length, task.environment.data,
             (int)task.flag.length, task.flag.data);
    const struct flag_pin *before = effective_pins_find(at->pins, text_of(name));
    enum status status = check_names(&task, at, before, error);
    if (status != STATUS_OK)
        return status;
    if (task.by.length == 0) {
        const struct record_person *person = &decision->options->author;
        snprintf(author, sizeof author, "%s <%s>", person->name, person->mail);
        task.by = text_of(author);
    }
    if (task.now == 0)
        task.now = clock_seconds(decision->options->clock);
    arena_init(&arena, 0);
    status = pin_move(before, &task, &arena, &after, &changes);
    if (status != STATUS_OK)
        error_set(error, status, "no memory for a pin");
    else if (changes)
        status = record(request, &task, &after, decision, error);
    arena_dispose(&arena);
    return status;
}

enum status pin_decide(void *context, struct tip_decision *decision, struct error *error)
{
    struct pin_decide *pin = context;
    struct effective at;
    const struct effective_parts parts = {.mirror = decision->mirror,
                                          .schemas = pin->schemas,
                                          .clock = decision->options->clock,
                                          .stop = pin->stop};
    effective_init(&at, &parts);
    enum status status = effective_go(&at, decision->tip, error);
    if (status == STATUS_OK)
        status = pin_decide_at(&pin->request, &at, decision, error);
    effective_dispose(&at);
    return status;
}
