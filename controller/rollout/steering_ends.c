/* When an override is over: Git says something equal or safer, or a person has decided since. */
#include "../../rules/excerpt.h"
#include "../git/path_log.h"
#include "../log.h"
#include "steering_watch.h"

/* --- one that nobody decided ----------------------------------------------------------------- */

/* Whether what it says that it comes after are step backs of its rollout, before it and in this
 * order. */
static bool comes_after_steps(const struct override *override, struct rollout_state state)
{
    char intent[INTENT_TEXT_SIZE];
    size_t found = 0, count = override_move_count(override) - 1;
    state.seq = override->seq > STEERING_AFTER_LOOK ? override->seq - STEERING_AFTER_LOOK : 0;
    for (; state.seq < override->seq && found < count; state.seq++) {
        rollout_intent(&state, text_of(walk_verb_name(VERB_STEP_BACK)), intent);
        found += text_is(override_move(override, found).intent, intent);
    }
    return found == count;
}

static bool flag_is_made_up(const struct override *override)
{
    char intent[INTENT_TEXT_SIZE];
    const struct text action =
        override->action == VERB_KILL ? text_of(walk_verb_name(VERB_KILL)) : TEXT("revert");
    return flag_pin_intent(override->environment, override->flag, override->seq, action, intent) !=
               STATUS_OK ||
           !text_equal(override->intent, text_of(intent));
}

/* That no decision on the state it names comes to: somebody put it there, or it is damaged. Whoever
 * may write to a target, or push refs, shall not thereby put words into the branch. */
bool steering_is_made_up(const struct override *override)
{
    const struct rollout_state state = {.environment = override->environment,
                                        .rollout = override->rollout,
                                        .run = override->run,
                                        .seq = override->seq};
    char intent[INTENT_TEXT_SIZE];
    if (!override->rollout.length)
        return flag_is_made_up(override);
    if (!comes_after_steps(override, state))
        return true;
    rollout_intent(&state, text_of(walk_verb_name(override->action)), intent);
    if (text_equal(override->intent, text_of(intent)))
        return false;
    rollout_intent(&state, text_of(walk_verb_name(VERB_STEP_BACK)), intent);
    /* A step back from the first phase is a rollback. */
    return override->action != VERB_ROLLBACK || !text_equal(override->intent, text_of(intent));
}

/* --- one whose rollout is gone ---------------------------------------------------------------- */

struct looking {
    struct text intent;
    bool found;
};

static bool look(void *context, const struct path_log_entry *entry)
{
    struct looking *looking = context;
    const char *intent = path_log_value(entry, "Weir-Intent");
    looking->found = intent && text_is(looking->intent, intent);
    return !looking->found;
}

/* Whether some commit recorded it, in a state file that may not be there any more. */
static bool was_recorded(const struct steering *steering, const struct override *override)
{
    char path[2 * DESK_NAME_SIZE + 64];
    struct looking looking = {.intent = override->intent};
    const struct path_log log = {.path = path, .visit = look, .context = &looking};
    struct error error;
    snprintf(path, sizeof path, "state/%s/%s.yaml", override->environment.data,
             override->rollout.data);
    enum status status = mirror_path_log(steering->parts.mirror, steering->commit, &log, &error);
    if (status != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "log_unreadable", "commit", steering->commit, "error",
                  error.message, NULL);
    return looking.found;
}

/* Whether its flag is killed or pinned, or was since and is not any more. */
static bool is_pinned(const struct steering *steering, const struct override *override)
{
    char name[2 * DESK_NAME_SIZE + 64];
    struct catalog catalog;
    struct error error;
    snprintf(name, sizeof name, "%s/%s", override->environment.data, override->flag.data);
    const struct entry *entry =
        inventory_find(steering->parts.inventory, KIND_FLAG_PIN, text_of(name));
    if (!entry || !entry->in_force)
        return false;
    const struct excerpt_task task = {.inventory = steering->parts.inventory,
                                      .schemas = steering->parts.schemas,
                                      .reader = mirror_reader(steering->parts.mirror),
                                      .entries = &entry,
                                      .count = 1};
    enum status status = excerpt_read(&task, &catalog, &error);
    const struct flag_pin *pin =
        status == STATUS_OK ? catalog_flag_pin(&catalog, override->environment, override->flag)
                            : NULL;
    bool pinned = pin && (!flag_pin_is_lifted(pin) || pin->since >= override->since);
    if (status != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "pin_unreadable", "flag", name, "error", error.message, NULL);
    catalog_dispose(&catalog);
    return pinned;
}

/* A finished rollout may be taken away while a breach of it is not recorded: that says nothing of
 * the breach. */
static const char *is_over_without(const struct steering *steering, const struct override *override)
{
    const struct entry *flag = inventory_find(steering->parts.inventory, KIND_FLAG, override->flag);
    if (!flag || !flag->in_force)
        return "the flag is gone";
    if (was_recorded(steering, override))
        return "recorded, and the rollout is gone";
    return is_pinned(steering, override) ? "the flag was pinned or killed" : NULL;
}

/* --- any ----------------------------------------------------------------------------------------
 */

const char *steering_is_over(const struct steering *steering, const struct override *override)
{
    char name[2 * DESK_NAME_SIZE + 64];
    if (override->rollout.length == 0)
        return steering_flag_is_over(steering, override);
    snprintf(name, sizeof name, "%s/%s", override->environment.data, override->rollout.data);
    const struct roster_rollout *item = roster_find(steering->roster, text_of(name));
    if (steering_is_made_up(override))
        return "no decision comes to it";
    if (!item)
        return is_over_without(steering, override);
    if (!text_equal(item->rollout->flag.text, override->flag))
        return "the rollout is of another flag";
    if (rollout_state_has_intent(item->state, override->intent))
        return "recorded";
    if (item->has_file && item->state->run > override->run)
        return "a later run";
    enum rollout_course course = item->state->course;
    if (course == COURSE_KILLED || (course == COURSE_ROLLED_BACK && override->action != VERB_KILL))
        return "git says something safer";
    return NULL;
}
