/* What is served for an override that was found elsewhere: its flag, compiled from the commit in
 * force here and the action that it names. Not a byte of it is somebody else's. */
#include <stdlib.h>

#include "../effective.h"
#include "../git/path_log.h"
#include "../git/record.h"
#include "preview.h"
#include "revert.h"
#include "steering_watch.h"

/* So often on one tip history is gone through for what others say; the rest waits for the next. */
#define LOOKS_MOST 16
/* A revert of a watched flag is open for hours, until the branch takes it. By an older date anybody
 * could have a flag back as it was years ago. */
#define REVERT_OLDEST (7 * INT64_C(86400))
#define BAKE_OTHERWISE INT64_C(3600) /* of a flag that is watched no more since it broke */

/* --- from where a step back was asked -------------------------------------------------------- */

struct finding {
    struct mirror *mirror;
    const char *path;
    uint32_t run, seq;
    struct buffer file; /* the state as it was */
    bool found;
    enum status status;
    struct error *error;
};

static bool look(void *context, const struct path_log_entry *entry)
{
    struct finding *finding = context;
    char run[16], seq[16];
    buffer_clear(&finding->file);
    enum status status = mirror_read_file(finding->mirror, entry->commit, finding->path,
                                          RECORD_FILE_MAX, &finding->file, finding->error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_LIMIT) {
        finding->status = status;
        return false;
    }
    snprintf(run, sizeof run, "%u", finding->run);
    snprintf(seq, sizeof seq, "%u", finding->seq);
    struct text file = buffer_text(&finding->file);
    finding->found = status == STATUS_OK && text_is(rollout_state_field(file, "run"), run) &&
                     text_is(rollout_state_field(file, "seq"), seq);
    return !finding->found;
}

/* The seq on which it was decided, or the first of those that it comes after. */
static uint32_t find_seq(const struct override *told)
{
    struct rollout_state state = {
        .environment = told->environment,
        .rollout = told->rollout,
        .run = told->run,
        .seq = told->seq > STEERING_AFTER_LOOK ? told->seq - STEERING_AFTER_LOOK : 0};
    struct text first = override_move(told, 0).intent;
    char intent[INTENT_TEXT_SIZE];
    for (; told->after.length && state.seq < told->seq; state.seq++) {
        rollout_intent(&state, text_of(walk_verb_name(VERB_STEP_BACK)), intent);
        if (text_is(first, intent))
            return state.seq;
    }
    return told->seq;
}

/* The phase in which it was decided; of what the tip's history does not know, the first. */
static enum status find_phase(struct steering *steering, const struct roster_rollout *item,
                              const struct override *told, size_t *phase, struct error *error)
{
    const struct rollout_state *state = item->state;
    struct finding finding = {.mirror = steering->parts.mirror,
                              .path = item->path,
                              .run = told->run,
                              .seq = find_seq(told),
                              .error = error};
    const struct path_log log = {.path = item->path, .visit = look, .context = &finding};
    *phase = 0;
    buffer_init(&finding.file, 0);
    enum status status = mirror_path_log(steering->parts.mirror, steering->commit, &log, error);
    if (status == STATUS_OK)
        status = finding.status;
    struct text name = rollout_state_field(buffer_text(&finding.file), "phase");
    for (size_t i = 0; status == STATUS_OK && finding.found && i < state->plan.count; i++) {
        if (text_equal(state->plan.items[i].name, name))
            *phase = i;
    }
    buffer_dispose(&finding.file);
    return status;
}

/* --- a rollout's ------------------------------------------------------------------------------ */

/* What a controller has in force, here or at an earlier commit. */
struct ground {
    const struct inventory *inventory;
    const struct roster *roster;
    const struct roster_rollout *item;
};

/* One move more, from where *state stands. */
static enum status move(const struct steering *steering, const struct roster_rollout *item,
                        const struct walk_verb *verb, struct arena *arena,
                        const struct rollout_state **state)
{
    struct walk_decision decision = {0};
    struct walk_task task;
    roster_task(item, clock_seconds(steering->parts.clock), &task);
    enum status status = walk_verb(&task, *state, verb, arena, &decision);
    if (status == STATUS_OK && decision.state)
        *state = decision.state;
    return status;
}

/* The tip may have gone on since: then as many steps back from where it stands now are less than
 * was asked for. */
static enum status go_far_enough(struct steering *steering, const struct ground *ground,
                                 const struct override *told, struct arena *arena,
                                 const struct rollout_state **state, struct error *error)
{
    const struct walk_verb step = {.kind = VERB_STEP_BACK, .by = TEXT("weir")};
    const struct rollout_state *tip = ground->item->state, *before = NULL;
    size_t asked = 0, steps = override_move_count(told);
    if (told->action != VERB_STEP_BACK || tip->run != told->run || tip->seq <= told->seq)
        return STATUS_OK;
    enum status status = find_phase(steering, ground->item, told, &asked, error);
    while (status == STATUS_OK && *state != before && (*state)->course == COURSE_RUNNING &&
           (*state)->phase + steps > asked) {
        before = *state;
        status = move(steering, ground->item, &step, arena, state);
    }
    return status;
}

static enum status preview(const struct steering *steering, const struct ground *ground,
                           const struct rollout_state *state, struct buffer *fragment,
                           struct error *error)
{
    if (ground->roster == steering->roster)
        return steering_preview(steering, ground->item, state, fragment, error);
    const struct preview_stand stand = {ground->item, state};
    const struct preview_task task = {.inventory = ground->inventory,
                                      .schemas = steering->parts.schemas,
                                      .reader = mirror_reader(steering->parts.mirror),
                                      .roster = ground->roster,
                                      .environment = ground->item->rollout->environment.text,
                                      .flag = ground->item->rollout->flag.text,
                                      .stands = &stand,
                                      .stand_count = 1};
    return preview_flag(&task, fragment, error);
}

static enum status compile_at(struct steering *steering, const struct ground *ground,
                              const struct override *told, struct buffer *fragment, bool *applies,
                              struct error *error)
{
    const struct rollout_state *tip = ground->item->state, *state = tip;
    enum status status = STATUS_OK;
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < override_move_count(told) && status == STATUS_OK; i++) {
        const struct walk_verb verb = override_move(told, i);
        status = move(steering, ground->item, &verb, &arena, &state);
    }
    if (status == STATUS_OK && state != tip)
        status = go_far_enough(steering, ground, told, &arena, &state, error);
    *applies = status == STATUS_OK && state != tip;
    if (*applies)
        status = preview(steering, ground, state, fragment, error);
    else if (status == STATUS_NO_MEMORY)
        status = error_set(error, status, "no memory for a decision");
    arena_dispose(&arena);
    return status;
}

/* --- of a rollout that is gone ---------------------------------------------------------------- */

struct newest {
    char commit[COMMIT_TEXT_SIZE], parent[COMMIT_TEXT_SIZE];
};

static bool take_newest(void *context, const struct path_log_entry *entry)
{
    struct newest *newest = context;
    memcpy(newest->commit, entry->commit, sizeof newest->commit);
    memcpy(newest->parent, entry->parent, sizeof newest->parent);
    return false;
}

/* The last commit at which its state stood. */
static enum status find_last(const struct steering *steering, const char *path,
                             char out[COMMIT_TEXT_SIZE], struct error *error)
{
    struct newest newest = {0};
    struct buffer file;
    const struct path_log log = {.path = path, .visit = take_newest, .context = &newest};
    enum status status = mirror_path_log(steering->parts.mirror, steering->commit, &log, error);
    if (status != STATUS_OK)
        return status;
    if (!newest.commit[0])
        return error_set(error, STATUS_NOT_FOUND, "nothing is known of its rollout");
    buffer_init(&file, 0);
    status = mirror_read_file(steering->parts.mirror, newest.commit, path, RECORD_FILE_MAX, &file,
                              error);
    buffer_dispose(&file);
    snprintf(out, COMMIT_TEXT_SIZE, "%s",
             status == STATUS_NOT_FOUND ? newest.parent : newest.commit);
    return out[0] ? STATUS_OK : error_set(error, STATUS_NOT_FOUND, "its rollout never stood");
}

/* What it is taken away with may be what makes everybody see the variant. Where users were put then
 * by the same action is what they get. */
static enum status compile_gone(struct steering *steering, const char *name,
                                const struct override *told, struct buffer *fragment, bool *applies,
                                struct error *error)
{
    char commit[COMMIT_TEXT_SIZE], path[2 * DESK_NAME_SIZE + 64];
    struct effective way;
    struct roster *roster = NULL;
    snprintf(path, sizeof path, "state/%s.yaml", name);
    enum status status = find_last(steering, path, commit, error);
    if (status != STATUS_OK)
        return status;
    effective_init(&way, &steering->parts.effective->parts);
    status = effective_go(&way, commit, error);
    if (status == STATUS_OK)
        status = roster_make(&way.inventory, steering->parts.schemas,
                             mirror_reader(steering->parts.mirror), NULL, &roster, error);
    const struct ground at = {&way.inventory, roster,
                              roster ? roster_find(roster, text_of(name)) : NULL};
    if (status == STATUS_OK && at.item && text_equal(at.item->rollout->flag.text, told->flag))
        status = compile_at(steering, &at, told, fragment, applies, error);
    else if (status == STATUS_OK)
        status = error_set(error, STATUS_NOT_FOUND, "its rollout was of no such flag");
    roster_release(roster);
    effective_dispose(&way);
    return status;
}

/* --- a flag's --------------------------------------------------------------------------------- */

enum status steering_flag_preview_kill(const struct steering *steering, struct text environment,
                                       struct text flag, struct buffer *out, struct error *error)
{
    const struct flag_pin *before = steering_flag_pin(steering, environment, flag);
    struct flag_pin killed = {.environment = environment, .flag = flag};
    if (before)
        killed = *before;
    killed.is_killed = true;
    killed.control = (struct text){0};
    const struct preview_task task = {.inventory = steering->parts.inventory,
                                      .schemas = steering->parts.schemas,
                                      .reader = mirror_reader(steering->parts.mirror),
                                      .roster = steering->roster,
                                      .environment = environment,
                                      .flag = flag,
                                      .pin = &killed};
    return preview_flag(&task, out, error);
}

enum status steering_find_revert(const struct steering *steering, const struct override *told,
                                 struct revert *revert, struct error *error)
{
    const struct watches *watches = steering->watches;
    const struct flag *flag = catalog_flag(roster_catalog(steering->roster), told->flag);
    int64_t now = clock_seconds(steering->parts.clock);
    const struct revert_task task = {.parts = steering->parts.effective->parts,
                                     .environment = told->environment,
                                     .flag = told->flag,
                                     .bake = flag && flag->watched_count ? flag->watch_bake
                                                                         : BAKE_OTHERWISE,
                                     .now = told->since < now ? told->since : now,
                                     .served = watches ? watches->served : NULL,
                                     .served_count = watches ? watches->served_count : 0,
                                     .by = TEXT("weir"),
                                     .intent = told->intent};
    return revert_find(&task, steering->commit, revert, error);
}

/* As this controller would have taken it back itself, had it seen what broke when it broke.
 * Nothing, where the flag was none before. */
static enum status compile_revert(const struct steering *steering, const struct override *told,
                                  struct buffer *fragment, bool *applies, struct error *error)
{
    struct revert revert;
    if (told->since < clock_seconds(steering->parts.clock) - REVERT_OLDEST)
        return error_set(error, STATUS_REFUSED, "it is older than a week");
    revert_init(&revert);
    enum status status = steering_find_revert(steering, told, &revert, error);
    /* What was changed since is not what broke: somebody may have mended it by that. */
    bool is_newer =
        revert.change_count && revert.changes[0].facts.time > told->since + WALK_CLOCK_AHEAD;
    *applies = status == STATUS_OK && revert.kind != REVERT_NOTHING && !is_newer;
    if (*applies)
        buffer_append_text(fragment, buffer_text(&revert.json));
    revert_dispose(&revert);
    return status;
}

/* --- any -------------------------------------------------------------------------------------- */

static enum status may_look(struct steering *steering, struct error *error)
{
    if (steering->looks >= LOOKS_MOST)
        return error_set(error, STATUS_LIMIT, "history was looked through too often for others");
    steering->looks++;
    return STATUS_OK;
}

enum status steering_compile(struct steering *steering, const struct override *told,
                             struct buffer *fragment, bool *applies, struct error *error)
{
    char name[2 * DESK_NAME_SIZE + 64];
    enum status status = STATUS_OK;
    *applies = true;
    snprintf(name, sizeof name, "%s/%s", told->environment.data, told->rollout.data);
    const struct roster_rollout *item =
        told->rollout.length ? roster_find(steering->roster, text_of(name)) : NULL;
    const struct ground here = {steering->parts.inventory, steering->roster, item};
    if (item) {
        status = compile_at(steering, &here, told, fragment, applies, error);
    } else if (!told->rollout.length && told->action == VERB_KILL) {
        status =
            steering_flag_preview_kill(steering, told->environment, told->flag, fragment, error);
    } else {
        status = may_look(steering, error);
        if (status == STATUS_OK && told->rollout.length)
            status = compile_gone(steering, name, told, fragment, applies, error);
        else if (status == STATUS_OK)
            status = compile_revert(steering, told, fragment, applies, error);
    }
    if (status == STATUS_OK && fragment->failed)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for an override");
    if (status == STATUS_OK && *applies && fragment->length > OVERRIDE_FRAGMENT_MAX)
        status = error_set(error, STATUS_LIMIT, "its flag is too large");
    return status;
}
