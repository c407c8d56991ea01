#include "steering.h"

#include <stdlib.h>

#include "../log.h"
#include "../telemetry_families.h"
#include "steering_watch.h"

#define RETRY_MOVED (10 * NANOSECONDS_PER_MILLISECOND)
#define RETRY_FIRST (500 * NANOSECONDS_PER_MILLISECOND)
#define RETRY_LONGEST (60 * NANOSECONDS_PER_SECOND)
#define RETRY_MOVED_LONGEST (2 * NANOSECONDS_PER_SECOND)
#define OVERLAY_MOST                                                                               \
    (UINT32_MAX / 2) /* no controller comes to it: somebody else wrote it there                    \
                      */

/* --- making and unmaking --------------------------------------------------------------------- */

enum status steering_new(const struct steering_parts *parts, struct steering **out,
                         struct error *error)
{
    struct steering *steering = calloc(1, sizeof *steering);
    *out = NULL;
    if (!steering)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    if (pthread_mutex_init(&steering->mail.lock, NULL) != 0 ||
        pthread_mutex_init(&steering->view_lock, NULL) != 0) {
        free(steering);
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    }
    steering->parts = *parts;
    steering->began = clock_seconds(parts->clock);
    steering->drift_wall = steering->began;
    steering->drift_monotonic =
        parts->clock->monotonic(parts->clock->self) / NANOSECONDS_PER_SECOND;
    buffer_init(&steering->status, 0);
    open_overrides_init(&steering->overrides, parts->store);
    steering->overrides.effective = parts->effective;
    enum status status = open_overrides_load(&steering->overrides, error);
    if (status != STATUS_OK) {
        steering_free(steering);
        return status;
    }
    if (steering->overrides.count) {
        char count[24];
        snprintf(count, sizeof count, "%zu", steering->overrides.count);
        log_event(LOG_LEVEL_WARN, "overrides_resumed", "count", count, NULL);
    }
    steering_show(steering, NULL);
    *out = steering;
    return STATUS_OK;
}

void steering_free(struct steering *steering)
{
    if (!steering)
        return;
    open_overrides_dispose(&steering->overrides);
    steering_watch_free(steering->watches);
    steering_free_adopted(steering->mail.adopted, steering->mail.adopted_count);
    steering_free_adopted(steering->waiting, steering->waiting_count);
    for (size_t i = 0; i < steering->exposure_count; i++)
        free(steering->exposures[i].name);
    free(steering->exposures);
    free(steering->requests);
    steering_free_view(steering);
    roster_release(steering->roster);
    buffer_dispose(&steering->status);
    pthread_mutex_destroy(&steering->mail.lock);
    pthread_mutex_destroy(&steering->view_lock);
    free(steering);
}

/* --- overrides on a new tip ------------------------------------------------------------------ */

static void settle_overrides(struct steering *steering)
{
    int64_t now = clock_seconds(steering->parts.clock);
    for (size_t i = steering->overrides.count; i-- > 0;) {
        const struct override *override = steering->overrides.items[i];
        const char *why = steering_is_over(steering, override);
        if (!why)
            continue;
        log_event(LOG_LEVEL_INFO, "override_closed", "intent", override->intent.data, "commit",
                  steering->commit, "reason", why, NULL);
        open_overrides_void(&steering->overrides, override);
        open_overrides_close(&steering->overrides, i, now);
    }
    series_set(telemetry_series(steering->parts.telemetry, &family_overrides_open, NULL, NULL),
               (int64_t)steering->overrides.count);
}

enum status steering_take(struct steering *steering, const char *commit, struct error *error)
{
    const struct steering_parts *parts = &steering->parts;
    struct roster *roster = NULL;
    char before[COMMIT_TEXT_SIZE];
    enum status status = roster_make(parts->inventory, parts->schemas, mirror_reader(parts->mirror),
                                     steering->roster, &roster, error);
    if (status != STATUS_OK)
        return status;
    roster_release(steering->roster);
    steering->roster = roster;
    bool is_other = strcmp(steering->commit, commit) != 0;
    memcpy(before, steering->commit, sizeof before);
    snprintf(steering->commit, sizeof steering->commit, "%s", commit);
    status = steering_watch_take(steering, before, error);
    if (status != STATUS_OK)
        return status;
    if (is_other) {
        open_overrides_forget_voided(&steering->overrides);
        steering->looks = 0;
    }
    settle_overrides(steering);
    steering_adopt_waiting(steering);
    steering_compose_all(steering);
    if (is_other)
        steering->overlay = (uint32_t)steering->overrides.count;
    if (is_other || steering->held[0]) {
        steering->is_proposed = false;
        steering->retry_at = 0;
    }
    steering->held[0] = '\0';
    steering->has_published = false;
    steering_settle_requests(steering, commit);
    return STATUS_OK;
}

/* Another tip may be tried at once: it is looked at anew. */
void steering_hold(struct steering *steering, const char *tip)
{
    if (strcmp(steering->held, tip) == 0)
        return;
    snprintf(steering->held, sizeof steering->held, "%s", tip);
    steering->is_proposed = false;
    steering->retry_at = 0;
}

void steering_published(struct steering *steering)
{
    bool soon = false;
    steering->has_published = true;
    steering->is_owed = false;
    steering_check_exposure(steering, true, &soon);
}

void steering_name_generation(const struct steering *steering, char out[GENERATION_TEXT_SIZE])
{
    struct generation generation = {0};
    struct error error;
    if (mirror_generation(steering->parts.mirror, steering->commit, &generation, &error) ==
        STATUS_OK)
        generation.overlay = steering->overlay + 1;
    generation_format(generation, out);
}

void steering_republish(struct steering *steering)
{
    steering->overlay++;
    steering->is_owed = !steering->parts.republish(steering->parts.self);
    series_set(telemetry_series(steering->parts.telemetry, &family_overrides_open, NULL, NULL),
               (int64_t)steering->overrides.count);
}

enum status steering_dress(struct steering *steering, struct text environment,
                           struct document *document, struct document **out,
                           struct override_set **told, struct error *error)
{
    return open_overrides_apply(&steering->overrides, steering->roster, environment, document, out,
                                told, error);
}

void steering_pay(struct steering *steering)
{
    if (steering->is_owed)
        steering->is_owed = !steering->parts.republish(steering->parts.self);
}

uint32_t steering_overlay(const struct steering *steering)
{
    return steering->overlay;
}

void steering_raise(struct steering *steering, uint32_t overlay)
{
    if (overlay > steering->overlay)
        steering->overlay = overlay;
}

size_t steering_open(const struct steering *steering)
{
    return steering->overrides.count;
}

/* --- mail ------------------------------------------------------------------------------------ */

void steering_note_outcome(struct steering *steering, enum recorder_outcome outcome,
                           const char *commit, const char *words)
{
    struct steering_mail *mail = &steering->mail;
    pthread_mutex_lock(&mail->lock);
    mail->has_outcome = true;
    mail->outcome = outcome;
    snprintf(mail->commit, sizeof mail->commit, "%s", commit);
    snprintf(mail->words, sizeof mail->words, "%s", words);
    pthread_mutex_unlock(&mail->lock);
    if (steering->parts.wake)
        steering->parts.wake(steering->parts.context);
}

void steering_outrun(struct steering *steering, struct generation held)
{
    struct steering_mail *mail = &steering->mail;
    pthread_mutex_lock(&mail->lock);
    if (!mail->has_held || generation_compare(held, mail->held) > 0)
        mail->held = held;
    mail->has_held = true;
    pthread_mutex_unlock(&mail->lock);
    if (steering->parts.wake)
        steering->parts.wake(steering->parts.context);
}

/* Of what the git thread said: when to propose again, if the tip does not move by then. */
static void take_outcome(struct steering *steering, enum recorder_outcome outcome,
                         const char *words)
{
    const struct clock *clock = steering->parts.clock;
    int64_t now = clock->monotonic(clock->self);
    bool is_race = outcome == RECORDER_MOVED || outcome == RECORDER_UNKNOWN;
    steering->last_outcome = outcome;
    steering->has_outcome = true;
    series_add(telemetry_series(steering->parts.telemetry, &family_records,
                                recorder_outcome_name(outcome), NULL),
               1);
    snprintf(steering->last_words, sizeof steering->last_words, "%s", words);
    if (outcome == RECORDER_ACCEPTED) {
        steering->failures = 0;
        return; /* the new tip is on its way */
    }
    steering->is_proposed = false;
    if (outcome == RECORDER_HELD && !steering->held[0])
        return; /* it is followed by now */
    if (steering->failures < UINT32_MAX)
        steering->failures++;
    steering->retry_at =
        now + (is_race ? clock_backoff(clock, steering->failures, RETRY_MOVED, RETRY_MOVED_LONGEST)
                       : clock_backoff(clock, steering->failures, RETRY_FIRST, RETRY_LONGEST));
    log_event(is_race ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "not_recorded", "outcome",
              recorder_outcome_name(outcome), "words", words, NULL);
}

/* A target that holds the same commit with more on top: what it holds was adopted, and what is
 * served goes above it. */
static bool take_held(struct steering *steering, struct generation held)
{
    struct generation own;
    struct error error;
    if (!steering->roster ||
        mirror_generation(steering->parts.mirror, steering->commit, &own, &error) != STATUS_OK)
        return false;
    if (own.epoch != held.epoch || own.level != held.level || held.overlay < steering->overlay ||
        held.overlay > OVERLAY_MOST)
        return false;
    steering->overlay = held.overlay;
    return true;
}

void steering_check_mail(struct steering *steering)
{
    struct steering_mail *mail = &steering->mail, taken;
    pthread_mutex_lock(&mail->lock);
    taken = *mail;
    mail->has_outcome = mail->has_held = false;
    mail->adopted = NULL;
    mail->adopted_count = mail->adopted_size = 0;
    pthread_mutex_unlock(&mail->lock);
    if (taken.has_outcome)
        take_outcome(steering, taken.outcome, taken.words);
    bool anew = steering_take_adopted(steering, taken.adopted, taken.adopted_count);
    if (taken.has_held)
        anew = take_held(steering, taken.held) || anew;
    if (anew && steering->roster)
        steering_republish(steering);
}
