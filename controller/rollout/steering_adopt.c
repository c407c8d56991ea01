/* Overrides that stand elsewhere: at a target, or as refs of the remote. Whoever may write there
 * says that something is to be made safe, and no more than that: it is checked, compiled anew from
 * what is in force here (steering_compile.c), and nobody's name stands for it. */
#include <stdlib.h>

#include "../git/message.h"
#include "../log.h"
#include "steering_watch.h"

#define ADOPTED_MOST                                                                               \
    (OVERRIDES_MAX - 1000) /* of those open: the rest is for what is decided here */
/* Of one rollout or flag, for one action: each of them says the same of users, and whoever writes
 * thousands has thousands compiled. The others come again when these have ended. */
#define ADOPTED_EACH 4
#define WAITING_MOST 1000 /* more are told of again */

/* --- mail ------------------------------------------------------------------------------------ */

static bool keep_name(struct steering_adopted *adopted, const char *target)
{
    adopted->target = target ? strdup(target) : NULL;
    return adopted->target || !target;
}

static bool make_room(struct steering_adopted **items, size_t count, size_t *size)
{
    if (count < *size)
        return true;
    size_t more = *size ? *size * 2 : 16;
    void *grown = reallocarray(*items, more, sizeof **items);
    if (!grown)
        return false;
    *items = grown;
    *size = more;
    return true;
}

void steering_adopt(struct steering *steering, struct override *const *found, size_t count,
                    const char *target)
{
    struct steering_mail *mail = &steering->mail;
    pthread_mutex_lock(&mail->lock);
    for (size_t i = 0; i < count && mail->adopted_count < OVERRIDES_MAX; i++) {
        struct steering_adopted adopted = {.override = found[i]};
        if (!make_room(&mail->adopted, mail->adopted_count, &mail->adopted_size) ||
            !keep_name(&adopted, target))
            break; /* the target reports them again */
        override_reference(found[i]);
        mail->adopted[mail->adopted_count++] = adopted;
    }
    pthread_mutex_unlock(&mail->lock);
    if (steering->parts.wake)
        steering->parts.wake(steering->parts.context);
}

static void release(struct steering_adopted *adopted)
{
    override_release(adopted->override);
    free(adopted->target);
    *adopted = (struct steering_adopted){0};
}

void steering_free_adopted(struct steering_adopted *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release(&items[i]);
    free(items);
}

/* --- what it is ------------------------------------------------------------------------------- */

enum fate {
    FATE_OPEN,  /* it is served */
    FATE_KNOWN, /* it is already, or is not to be now */
    FATE_OVER,  /* nobody decided it, or Git says something equal or safer */
    FATE_AHEAD, /* there is nothing to make safe at this commit; of a later one it may say more */
    FATE_UNFIT, /* it cannot be compiled here, or not yet */
};

/* It was decided on a state that this commit does not have. */
static bool is_ahead(const struct steering *steering, const struct override *told)
{
    char name[2 * DESK_NAME_SIZE + 64];
    if (told->rollout.length == 0) {
        const struct flag_pin *pin = steering_flag_pin(steering, told->environment, told->flag);
        return told->seq > (pin ? pin->seq : 0);
    }
    snprintf(name, sizeof name, "%s/%s", told->environment.data, told->rollout.data);
    const struct roster_rollout *item = roster_find(steering->roster, text_of(name));
    return item && !rollout_state_has_intent(item->state, told->intent) &&
           (told->run > item->state->run ||
            told->seq >= item->state->seq + override_move_count(told));
}

static bool is_like(const struct override *a, const struct override *b)
{
    return a->action == b->action && text_equal(a->flag, b->flag) &&
           text_equal(a->rollout, b->rollout) && text_equal(a->environment, b->environment);
}

static bool are_enough(const struct steering *steering, const struct override *told)
{
    const struct open_overrides *open = &steering->overrides;
    unsigned like = 0;
    for (size_t i = 0; i < open->count && like < ADOPTED_EACH; i++)
        like += open->items[i]->told.length && is_like(open->items[i], told);
    return like == ADOPTED_EACH || open->count >= ADOPTED_MOST;
}

static bool comes_after(const struct override *later, const struct override *earlier)
{
    for (size_t i = 0; i + 1 < override_move_count(later); i++) {
        if (text_equal(override_move(later, i).intent, earlier->intent))
            return true;
    }
    return false;
}

/* Of several step backs of one rollout the last is served, which has to come after all others: else
 * users are not where the rollout is taken to stand, and nothing is measured of where they are. */
static const struct override *find_other_step(const struct steering *steering,
                                              const struct override *told)
{
    const struct open_overrides *open = &steering->overrides;
    for (size_t i = 0; i < open->count && told->action == VERB_STEP_BACK; i++) {
        if (is_like(open->items[i], told) && !comes_after(told, open->items[i]))
            return open->items[i];
    }
    return NULL;
}

/* --- opening it ------------------------------------------------------------------------------- */

#define WHO_MOST 200 /* "target '…'", with a name of at most 63 bytes */
#define PERSON_MOST 100
#define WORDS_MOST 180 /* with whose they are said to be less than WALK_NOTE_MAX */

/* Who is said to have decided is noted, and no more. */
static void write_note(const struct override *told, char *out, size_t size)
{
    char person[PERSON_MOST], words[WORDS_MOST];
    message_fold(told->by, person, sizeof person);
    message_fold(told->note, words, sizeof words);
    snprintf(out, size, "said to be by \"%s\"%s%s", person, words[0] ? ": " : "", words);
}

/* As this controller says it. */
static struct override *write_own(const struct steering *steering,
                                  const struct steering_adopted *adopted, struct text fragment)
{
    const struct override *told = adopted->override;
    bool is_automatic = override_is_automatic(told->by);
    int64_t now = clock_seconds(steering->parts.clock);
    char who[WHO_MOST], by[2 * WHO_MOST], note[WALK_NOTE_MAX + 1];
    struct override own = override_words(told);
    if (adopted->target)
        snprintf(who, sizeof who, "target '%.100s'", adopted->target);
    else
        snprintf(who, sizeof who, "a ref of the remote");
    snprintf(by, sizeof by, "%s" OVERRIDE_TOLD "%s", is_automatic ? "weir" : "somebody", who);
    own.by = text_of(by);
    own.told = text_of(who);
    if (!is_automatic && !override_is_told(told->by)) {
        write_note(told, note, sizeof note);
        own.note = text_of(note);
    }
    own.fragment = fragment;
    own.since = told->since < now ? told->since : now;
    steering_name_generation(steering, own.generation);
    return override_new(&own);
}

static enum fate open_it(struct steering *steering, const struct steering_adopted *adopted,
                         struct text fragment)
{
    struct error error = {0};
    struct override *own = write_own(steering, adopted, fragment);
    if (!own)
        return FATE_UNFIT;
    enum status status = open_overrides_add(&steering->overrides, own, &error);
    bool is_open = status == STATUS_OK || status == STATUS_SYSTEM;
    if (is_open)
        log_event(LOG_LEVEL_WARN, "override_adopted", "intent", own->intent.data, "environment",
                  own->environment.data, "flag", own->flag.data, "told", own->told.data, NULL);
    if (is_open)
        steering_compose(steering, own);
    override_release(own);
    return is_open                    ? FATE_OPEN
           : status == STATUS_REFUSED ? FATE_KNOWN /* it was closed before */
                                      : FATE_UNFIT;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* Of a flag that is watched: the commit that broke it need not be here yet. */
static bool says_the_same(const struct steering *steering, const struct override *told)
{
    const struct flag_pin *pin = steering_flag_pin(steering, told->environment, told->flag);
    return told->rollout.length == 0 && told->action == VERB_ROLLBACK &&
           !(pin && (flag_pin_has_intent(pin, told->intent) || !flag_pin_is_lifted(pin)));
}

static enum fate compile(struct steering *steering, const struct steering_adopted *adopted,
                         bool ahead, struct error *error)
{
    const struct override *told = adopted->override;
    struct buffer fragment;
    bool applies = false;
    buffer_init(&fragment, 0);
    enum status status = steering_compile(steering, told, &fragment, &applies, error);
    enum fate fate = FATE_UNFIT;
    if (status == STATUS_OK && applies)
        fate = open_it(steering, adopted, buffer_text(&fragment));
    else if (status == STATUS_OK && ahead)
        fate = FATE_AHEAD;
    else if (status == STATUS_REFUSED || (status == STATUS_OK && told->rollout.length))
        fate = FATE_OVER;         /* it is too old, or there is nothing to make safe */
    else if (status == STATUS_OK) /* whoever decided it may know better since when it is served */
        error_set(error, STATUS_NOT_FOUND, "nothing was changed that it would take back");
    buffer_dispose(&fragment);
    return fate;
}

static enum fate judge(struct steering *steering, const struct steering_adopted *adopted,
                       struct error *error)
{
    const struct override *told = adopted->override;
    if (open_overrides_find(&steering->overrides, told->intent))
        return FATE_KNOWN;
    if (steering_is_made_up(told))
        return FATE_OVER;
    if (!steering->roster) {
        error_set(error, STATUS_NOT_FOUND, "nothing is in force yet");
        return FATE_UNFIT;
    }
    if (are_enough(steering, told))
        return FATE_KNOWN;
    bool ahead = is_ahead(steering, told);
    if (steering_is_over(steering, told))
        return ahead || says_the_same(steering, told) ? FATE_AHEAD : FATE_OVER;
    const struct override *other = find_other_step(steering, told);
    if (other) {
        error_set(error, STATUS_REFUSED, "another step back is not recorded yet");
        return comes_after(other, told) ? FATE_KNOWN : FATE_UNFIT;
    }
    return compile(steering, adopted, ahead, error);
}

/* Until the next commit, where all are judged anew before that is served: it may be the one that
 * exposes what is to be made safe. */
static void keep_waiting(struct steering *steering, struct steering_adopted *adopted,
                         const struct error *error)
{
    for (size_t i = 0; i < steering->waiting_count; i++) {
        if (text_equal(steering->waiting[i].override->intent, adopted->override->intent))
            return;
    }
    if (steering->waiting_count == WAITING_MOST ||
        !make_room(&steering->waiting, steering->waiting_count, &steering->waiting_size))
        return;
    log_event(LOG_LEVEL_WARN, "override_waits", "intent", adopted->override->intent.data,
              "environment", adopted->override->environment.data, "flag",
              adopted->override->flag.data, "reason",
              error->message[0] ? error->message : "this commit has nothing to make safe", NULL);
    steering->waiting[steering->waiting_count++] = *adopted;
    *adopted = (struct steering_adopted){0};
}

/* True when what is served is another by it. */
static bool take(struct steering *steering, struct steering_adopted *adopted)
{
    const struct override *told = adopted->override;
    struct error error = {0};
    enum fate fate = judge(steering, adopted, &error);
    bool is_new = fate == FATE_OPEN;
    /* It stands at a target still: what is published next says that it is over. A target that holds
     * a newer commit takes that for what it is worth there. */
    if (fate == FATE_OVER || fate == FATE_AHEAD)
        is_new = open_overrides_void(&steering->overrides, told);
    if (fate == FATE_OVER && !adopted->target && steering->parts.forget)
        steering->parts.forget(steering->parts.context, told->intent);
    if (fate == FATE_AHEAD || fate == FATE_UNFIT)
        keep_waiting(steering, adopted, &error);
    return is_new;
}

bool steering_take_adopted(struct steering *steering, struct steering_adopted *items, size_t count)
{
    bool is_new = false;
    for (size_t i = 0; i < count; i++)
        is_new = take(steering, &items[i]) || is_new;
    steering_free_adopted(items, count);
    return is_new;
}

void steering_adopt_waiting(struct steering *steering)
{
    struct steering_adopted *items = steering->waiting;
    size_t count = steering->waiting_count;
    steering->waiting = NULL;
    steering->waiting_count = steering->waiting_size = 0;
    steering_take_adopted(steering, items, count);
}
