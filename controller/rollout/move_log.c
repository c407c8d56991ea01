/* What the log tells of moves: which are to be undone, who changed a definition, how often weir
 * rolled back of late. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../git/decide.h"
#include "../git/path_log.h"
#include "move.h"
#include "override.h"

/* --- the advances of a run ------------------------------------------------------------------- */

#define UNDONE_MAX 1024

struct collecting {
    struct mirror *mirror;
    const char *path;
    uint32_t run;
    struct move_advances *out;
    char (*undone)[COMMIT_TEXT_SIZE]; /* what later commits of the run revert */
    size_t undone_count;
    enum status status;
    struct error *error;
};

/* "run: 3" of a state file, as rollout_state_write() spells it; 0: it says none. */
static uint32_t parse_run(struct text file)
{
    static const char field[] = "\n  run: ";
    uint64_t run = 0;
    const char *at = memmem(file.data, file.length, field, sizeof field - 1);
    const char *end = file.data + file.length;
    if (!at)
        return 0;
    for (at += sizeof field - 1; at < end && *at >= '0' && *at <= '9' && run <= UINT32_MAX; at++)
        run = run * 10 + (uint64_t)(*at - '0');
    return run <= UINT32_MAX ? (uint32_t)run : 0;
}

#define RUN_NONE 0
#define RUN_UNKNOWN UINT32_MAX /* somebody broke the file */

static uint32_t run_at(struct collecting *collecting, const char *commit)
{
    struct buffer bytes;
    uint32_t run = RUN_NONE;
    if (!commit[0])
        return run;
    buffer_init(&bytes, 0);
    enum status status = mirror_read_file(collecting->mirror, commit, collecting->path,
                                          RECORD_FILE_MAX, &bytes, collecting->error);
    if (status == STATUS_OK)
        run = parse_run(buffer_text(&bytes));
    else if (status != STATUS_NOT_FOUND && status != STATUS_LIMIT)
        collecting->status = status;
    buffer_dispose(&bytes);
    return run == 0 && status != STATUS_NOT_FOUND ? RUN_UNKNOWN : run;
}

static void note_undone(struct collecting *collecting, const struct path_log_entry *entry)
{
    for (size_t i = 0; i < entry->trailer_count; i++) {
        const struct path_log_trailer *trailer = &entry->trailers[i];
        if (strcasecmp(trailer->key, "Weir-Reverts") == 0 &&
            strlen(trailer->value) == COMMIT_TEXT_SIZE - 1 && collecting->undone_count < UNDONE_MAX)
            memcpy(collecting->undone[collecting->undone_count++], trailer->value,
                   COMMIT_TEXT_SIZE);
    }
}

static bool is_undone(const struct collecting *collecting, const char *commit)
{
    for (size_t i = 0; i < collecting->undone_count; i++) {
        if (strcmp(collecting->undone[i], commit) == 0)
            return true;
    }
    return false;
}

/* WALK_NONE: it let nobody in. A resume does when it begins a run. */
static enum walk_kind kind_of(const struct path_log_entry *entry, bool begins)
{
    static const enum walk_kind kinds[] = {WALK_START, WALK_ADVANCE, WALK_OPEN_WINDOW,
                                           WALK_COMPLETE};
    const char *action = path_log_value(entry, "Weir-Action");
    if (!action)
        return WALK_NONE;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(action, walk_kind_name(kinds[i])) == 0)
            return kinds[i];
    }
    return begins && strcmp(action, walk_kind_name(WALK_RESUME)) == 0 ? WALK_RESUME : WALK_NONE;
}

static void add_advance(struct move_advances *out, const struct path_log_entry *entry,
                        enum walk_kind kind)
{
    if (out->count == MOVE_REVERTS_MAX) {
        out->more = true;
        return;
    }
    struct move_advance *added = &out->items[out->count++];
    struct text subject = {entry->message, strcspn(entry->message, "\n")};
    memcpy(added->commit, entry->commit, sizeof added->commit);
    message_fold(subject, added->subject, sizeof added->subject);
    added->kind = kind;
}

static bool collect(void *context, const struct path_log_entry *entry)
{
    struct collecting *collecting = context;
    uint32_t after = run_at(collecting, entry->commit), before = run_at(collecting, entry->parent);
    if (collecting->status != STATUS_OK || after < collecting->run)
        return false;
    if (after > collecting->run) /* a later one, or not known */
        return true;
    enum walk_kind kind = kind_of(entry, before < after);
    note_undone(collecting, entry);
    if (kind != WALK_NONE && !is_undone(collecting, entry->commit))
        add_advance(collecting->out, entry, kind);
    return before == after || before == RUN_UNKNOWN;
}

enum status move_advances(struct mirror *mirror, const char *commit, const char *path, uint32_t run,
                          struct move_advances *out, struct error *error)
{
    struct collecting collecting = {
        .mirror = mirror, .path = path, .run = run, .out = out, .error = error};
    struct path_log log = {.path = path, .visit = collect, .context = &collecting};
    out->count = 0;
    out->more = false;
    collecting.undone = calloc(UNDONE_MAX, sizeof *collecting.undone);
    if (!collecting.undone)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the log of \"%.120s\"", path);
    enum status status = mirror_path_log(mirror, commit, &log, error);
    free(collecting.undone);
    return status == STATUS_OK ? collecting.status : status;
}

/* --- authors --------------------------------------------------------------------------------- */

static bool take_author(void *context, const struct path_log_entry *entry)
{
    char *out = context;
    char name[RECORD_PERSON_MAX + 1], mail[RECORD_PERSON_MAX + 1];
    message_fold(text_of(entry->name), name, sizeof name);
    message_fold(text_of(entry->mail), mail, sizeof mail);
    snprintf(out, MOVE_AUTHOR_SIZE, "%s <%s>", name, mail);
    return false;
}

enum status move_author(struct mirror *mirror, const char *commit, const char *path,
                        char out[MOVE_AUTHOR_SIZE], struct error *error)
{
    struct path_log log = {.path = path, .visit = take_author, .context = out};
    out[0] = '\0';
    return mirror_path_log(mirror, commit, &log, error);
}

static bool same_person(struct text a, struct text b)
{
    return a.data && b.data && a.length > 0 && a.length == b.length &&
           strncasecmp(a.data, b.data, a.length) == 0;
}

/* "NAME <MAIL>" as its two parts; what is no such thing is a name. */
static void split_person(struct text person, struct text *name, struct text *mail)
{
    const char *open = person.length ? memrchr(person.data, '<', person.length) : NULL;
    *name = person;
    *mail = (struct text){0};
    if (!open || person.data[person.length - 1] != '>')
        return;
    name->length = (size_t)(open - person.data);
    while (name->length > 0 && person.data[name->length - 1] == ' ')
        name->length--;
    *mail = (struct text){open + 1, person.length - (size_t)(open - person.data) - 2};
}

bool move_is_author(const char *author, struct text by)
{
    struct text whole = text_of(author), name, mail, by_name, by_mail;
    split_person(whole, &name, &mail);
    split_person(by, &by_name, &by_mail);
    return same_person(whole, by) || same_person(name, by) || same_person(mail, by) ||
           same_person(mail, by_mail) || same_person(name, by_name);
}

enum status move_bar_author(struct mirror *mirror, const char *commit, const struct roster *roster,
                            const struct roster_rollout *item, struct text by,
                            struct walk_task *task, struct error *error)
{
    const struct rollout *rollout = item->rollout;
    const struct phase_plan *plan =
        rollout->plan.text.length ? catalog_phase_plan(roster_catalog(roster), rollout->plan.text)
                                  : NULL;
    const struct text paths[] = {rollout->name.place.path,
                                 plan ? plan->name.place.path : (struct text){0}};
    task->author = (struct text){0};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char path[RECORD_PATH_MAX + 1], author[MOVE_AUTHOR_SIZE];
        if (paths[i].length == 0)
            continue;
        if (paths[i].length >= sizeof path)
            return error_set(error, STATUS_LIMIT, "the path \"%.80s…\" is too long", paths[i].data);
        memcpy(path, paths[i].data, paths[i].length);
        path[paths[i].length] = '\0';
        enum status status = move_author(mirror, commit, path, author, error);
        if (status != STATUS_OK)
            return status;
        if (move_is_author(author, by))
            task->author = by;
    }
    return STATUS_OK;
}

/* --- the blast cap --------------------------------------------------------------------------- */

struct counting {
    int64_t since;
    uint32_t count;
};

static bool count_rollback(void *context, const struct path_log_entry *entry)
{
    static const char *const actions[] = {"rollback", "step-back", "kill", "revert", "pin"};
    struct counting *counting = context;
    const char *by = path_log_value(entry, "Weir-By"),
               *action = path_log_value(entry, "Weir-Action");
    if (entry->time < counting->since || !by || !override_is_automatic(text_of(by)) || !action)
        return true;
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (strcmp(action, actions[i]) == 0)
            counting->count++;
    }
    return true;
}

enum status move_count_rollbacks(struct mirror *mirror, const char *commit, int64_t since,
                                 uint32_t *count, struct error *error)
{
    struct counting counting = {.since = since};
    struct path_log log = {.path = "state",
                           .since = since > 0 ? since : 1,
                           .visit = count_rollback,
                           .context = &counting};
    enum status status = mirror_path_log(mirror, commit, &log, error);
    *count = counting.count;
    return status;
}
