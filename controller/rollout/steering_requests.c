/* What people ask for, from the desk to the branch. */
#include <stdlib.h>

#include "../log.h"
#include "steering_watch.h"

bool steering_request_is_done(const struct steering_request *request)
{
    return request->request.state != DESK_WAITING && request->request.state != DESK_SERVED;
}

void steering_answer(struct steering *steering, struct steering_request *request,
                     enum desk_state state, const char *words)
{
    struct desk_request *told = &request->request;
    told->state = state;
    told->changed = clock_seconds(steering->parts.clock);
    snprintf(told->words, sizeof told->words, "%s", words);
    desk_note(steering->parts.desk, told);
    log_event(state == DESK_FAILED ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "verb", "verb",
              walk_verb_name(told->verb), "environment", told->environment, "rollout",
              told->rollout, "by", told->by, "state", desk_state_name(state), "words", told->words,
              NULL);
}

static bool add(struct steering *steering, const struct desk_request *request)
{
    if (steering->request_count == steering->request_size) {
        size_t size = steering->request_size ? steering->request_size * 2 : 8;
        void *requests = reallocarray(steering->requests, size, sizeof *steering->requests);
        if (!requests)
            return false;
        steering->requests = requests;
        steering->request_size = size;
    }
    const struct clock *clock = steering->parts.clock;
    steering->requests[steering->request_count++] = (struct steering_request){
        .request = *request, .deadline = clock->monotonic(clock->self) + DESK_PATIENCE};
    return true;
}

void steering_collect(struct steering *steering)
{
    struct desk_request request;
    while (steering->parts.desk && steering->request_count < STEERING_REQUESTS_MAX &&
           desk_take(steering->parts.desk, &request)) {
        if (add(steering, &request))
            continue;
        request.state = DESK_FAILED;
        snprintf(request.words, sizeof request.words, "no memory");
        desk_note(steering->parts.desk, &request);
    }
}

void steering_sweep(struct steering *steering)
{
    size_t kept = 0;
    for (size_t i = 0; i < steering->request_count; i++) {
        if (steering_request_is_done(&steering->requests[i]))
            continue;
        if (kept != i)
            steering->requests[kept] = steering->requests[i];
        kept++;
    }
    steering->request_count = kept;
}

static const struct roster_rollout *item_of(const struct steering *steering,
                                            const struct desk_request *request)
{
    char name[2 * DESK_NAME_SIZE];
    if (request->verb == VERB_UNPIN) /* the flag of that name */
        return NULL;
    snprintf(name, sizeof name, "%s/%s", request->environment, request->rollout);
    return steering->roster ? roster_find(steering->roster, text_of(name)) : NULL;
}

/* What was served for it ended, and Git never said it: it says something else. */
static void tell_ended(struct steering *steering, struct steering_request *request,
                       const struct roster_rollout *item)
{
    const struct flag_pin *pin = steering_flag_pin(steering, text_of(request->request.environment),
                                                   text_of(request->request.rollout));
    bool is_down =
        item ? item->state->course == COURSE_ROLLED_BACK || item->state->course == COURSE_KILLED
             : pin && pin->is_killed;
    if (is_down)
        steering_answer(steering, request, DESK_NOTHING, "it is so already, or safer");
    else
        steering_answer(steering, request, DESK_FAILED,
                        item ? "the rollout was started again before it was recorded: ask again"
                             : "the rollout is gone");
}

void steering_settle_requests(struct steering *steering, const char *commit)
{
    const struct clock *clock = steering->parts.clock;
    int64_t now = clock->monotonic(clock->self);
    for (size_t i = 0; i < steering->request_count; i++) {
        struct steering_request *request = &steering->requests[i];
        const struct roster_rollout *item = item_of(steering, &request->request);
        if (steering_request_is_done(request))
            continue;
        bool is_recorded = item
                               ? request->intent[0] &&
                                     rollout_state_has_intent(item->state, text_of(request->intent))
                               : steering_flag_has(steering, request);
        if (commit && is_recorded) {
            snprintf(request->request.commit, sizeof request->request.commit, "%s", commit);
            steering_answer(steering, request, DESK_RECORDED, "");
        } else if (commit && request->request.state == DESK_SERVED &&
                   !open_overrides_find(&steering->overrides, text_of(request->intent))) {
            tell_ended(steering, request, item);
        } else if (request->request.state == DESK_WAITING && now >= request->deadline) {
            char words[256 + 64];
            snprintf(words, sizeof words, "not recorded in time%s%s",
                     steering->last_words[0] ? ": " : "", steering->last_words);
            steering_answer(steering, request, DESK_FAILED, words);
        }
    }
    steering_sweep(steering);
}
