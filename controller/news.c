#include "news.h"

#include <pthread.h>
#include <stdlib.h>

#include "git/url.h"
#include "log.h"
#include "notify/notifier.h"
#include "notify/outbox_store.h"
#include "outward/commit_status.h"

/* What is waited for is decided anew every few seconds: those told lately are not asked of the
 * disk. */
#define LATELY 256

struct news {
    const struct clock *clock;
    struct outbox outbox;
    void (*free_outbox)(struct outbox *outbox);
    struct buffer source; /* of CloudEvents */
    struct notifier *notifier;
    pthread_mutex_t lock;
    char lately[LATELY][NOTICE_ID_SIZE]; /* by the first byte of the id; under the lock */
};

/* --- telling --------------------------------------------------------------------------------- */

static bool was_told(struct news *news, const char *id, bool remember)
{
    unsigned char slot = (unsigned char)(id[0] * 16 ^ id[1]);
    pthread_mutex_lock(&news->lock);
    bool told = strcmp(news->lately[slot], id) == 0;
    if (remember)
        snprintf(news->lately[slot], NOTICE_ID_SIZE, "%s", id);
    pthread_mutex_unlock(&news->lock);
    return told;
}

/* `decision`: see notice_identify(). The other fields are filled in. */
static void tell(struct news *news, struct notice notice, struct text decision)
{
    char id[NOTICE_ID_SIZE], time[TIME_TEXT_SIZE];
    struct error error; /* was logged and counted */
    notice_identify(notice.fields[NOTICE_EVENT], notice.fields[NOTICE_ENVIRONMENT],
                    notice.fields[NOTICE_ROLLOUT], decision, id);
    if (was_told(news, id, false))
        return;
    time_format(clock_seconds(news->clock), time);
    notice.fields[NOTICE_ID] = text_of(id);
    notice.fields[NOTICE_TIME] = text_of(time);
    if (notifier_tell(news->notifier, &notice, &error) == STATUS_OK)
        (void)was_told(news, id, true);
}

void news_tell_commit(struct news *news, struct core *core, const char *commit, enum status outcome)
{
    struct core_judgement judgement;
    struct forge_report report = {0};
    if (!news || (outcome != STATUS_OK && outcome != STATUS_INVALID))
        return;
    core_judgement(core, &judgement);
    if (judgement.is_whole)
        return;
    commit_status_describe(&judgement, outcome, &report);
    struct notice notice = {
        .fields = {[NOTICE_EVENT] =
                       text_of(judgement.is_served ? "commit.quarantined" : "commit.refused"),
                   [NOTICE_COMMIT] = text_of(commit),
                   [NOTICE_REASON] = text_of(report.description)}};
    tell(news, notice, text_of(commit));
}

static bool wants_approvals(const struct walk_decision *decision)
{
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].cause == WAIT_APPROVALS)
            return true;
    return false;
}

const char *news_event_of(const struct walk_decision *decision)
{
    switch (decision->kind) {
    case WALK_WAIT:
        return wants_approvals(decision) ? "rollout.approval-wanted" : NULL;
    case WALK_START:
        return "rollout.started";
    case WALK_ADVANCE:
        return "rollout.advanced";
    case WALK_COMPLETE:
        return "rollout.completed";
    case WALK_PAUSE:
        return "rollout.paused";
    case WALK_HOLD:
        return "rollout.held";
    case WALK_RESUME:
        return "rollout.resumed";
    case WALK_STEP_BACK:
        return "rollout.stepped-back";
    case WALK_ROLLBACK:
        return "rollout.rolled-back";
    case WALK_KILL:
        return "rollout.killed";
    case WALK_UNKILL:
        return "rollout.unkilled";
    case WALK_NONE:
    case WALK_REFUSE:
    case WALK_OPEN_WINDOW:
    case WALK_CLOSE_WINDOW:
    case WALK_REPLAN:
    case WALK_APPROVE:
        break;
    }
    return NULL;
}

/* Of a hold its name; of a wait the words of what is waited for. */
static struct text reason_of(const struct walk_decision *decision)
{
    if (decision->kind == WALK_HOLD)
        return text_of(hold_reason_name(decision->hold));
    for (size_t i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].cause == WAIT_APPROVALS)
            return decision->reasons[i].words;
    return TEXT("");
}

static struct text phase_of(const struct rollout_state *state)
{
    return state->phase < state->plan.count ? state->plan.items[state->phase].name : TEXT("");
}

void news_tell_decision(struct news *news, const struct roster_rollout *rollout,
                        const struct walk_decision *decision, struct text commit, struct text by,
                        struct text reason, struct text evidence)
{
    const char *event = news_event_of(decision);
    const struct rollout_state *state = decision->state ? decision->state : rollout->state;
    char move[48];
    if (!news || !event)
        return;
    /* A wait has no intent: it is for the move that follows where it stands. */
    snprintf(move, sizeof move, "%u/%u", (unsigned)state->run, (unsigned)state->seq);
    struct notice notice = {
        .fields = {[NOTICE_EVENT] = text_of(event),
                   [NOTICE_ENVIRONMENT] = rollout->rollout->environment.text,
                   [NOTICE_ROLLOUT] = rollout->rollout->name.text,
                   [NOTICE_FLAG] = rollout->rollout->flag.text,
                   [NOTICE_PHASE] = phase_of(state),
                   [NOTICE_COMMIT] = commit,
                   [NOTICE_BY] = by.length ? by : TEXT("weir"),
                   [NOTICE_EVIDENCE] = evidence.length ? evidence : decision->evidence,
                   [NOTICE_REASON] = reason.length ? reason : reason_of(decision)}};
    tell(news, notice, decision->intent[0] ? text_of(decision->intent) : text_of(move));
}

void news_write_status(struct news *news, struct buffer *out)
{
    notifier_write_status(news ? news->notifier : NULL, out);
}

/* --- starting and ending --------------------------------------------------------------------- */

static enum status open_outbox(struct news *news, const char *data, struct error *error)
{
    enum status status = outbox_store_new(data, &news->outbox, error);
    news->free_outbox = outbox_store_free;
    if (status == STATUS_OK)
        return status;
    log_event(LOG_LEVEL_ERROR, "outbox_not_kept", "error", error->message, "effect",
              "what waits to be sent is lost when weir ends", NULL);
    news->free_outbox = outbox_memory_free;
    return outbox_memory_new(&news->outbox) ? STATUS_OK
                                            : error_set(error, STATUS_NO_MEMORY, "no memory");
}

/* The repository is what all controllers of one rollout have in common: so receivers take what two
 * of them tell for one event. */
static enum status name_source(struct news *news, const char *repo, struct error *error)
{
    if (repo[0] == '/')
        buffer_append_string(&news->source, "file://");
    url_append_public(&news->source, text_of(repo));
    return buffer_string(&news->source) && !news->source.failed
               ? STATUS_OK
               : error_set(error, STATUS_NO_MEMORY, "no memory");
}

static enum status start(struct news *news, const struct config *config,
                         struct telemetry *telemetry, struct error *error)
{
    enum status status = open_outbox(news, config->data, error);
    if (status == STATUS_OK)
        status = name_source(news, config->repo, error);
    if (status != STATUS_OK)
        return status;
    const struct notifier_parts parts = {.channels = config->notify_channels,
                                         .channel_count = config->notify_channel_count,
                                         .world = {.reach = &config->reach,
                                                   .clock = news->clock,
                                                   .source = buffer_string(&news->source)},
                                         .outbox = &news->outbox,
                                         .telemetry = telemetry};
    return notifier_start(&parts, &news->notifier, error);
}

enum status news_start(const struct config *config, const struct clock *clock,
                       struct telemetry *telemetry, struct news **out, struct error *error)
{
    *out = NULL;
    if (config->notify_channel_count == 0)
        return STATUS_OK;
    struct news *news = calloc(1, sizeof *news);
    if (!news || pthread_mutex_init(&news->lock, NULL) != 0) {
        free(news);
        return error_set(error, STATUS_NO_MEMORY, "no memory to notify");
    }
    news->clock = clock;
    buffer_init(&news->source, 8192);
    enum status status = start(news, config, telemetry, error);
    if (status == STATUS_OK)
        *out = news;
    else
        news_stop(news);
    return status;
}

void news_stop(struct news *news)
{
    if (!news)
        return;
    notifier_stop(news->notifier);
    if (news->free_outbox)
        news->free_outbox(&news->outbox);
    buffer_dispose(&news->source);
    pthread_mutex_destroy(&news->lock);
    free(news);
}
