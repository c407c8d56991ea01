/* What the threads of `weir run` are made of, and what they tell one another. */
#include <stdlib.h>

#include "controller_private.h"
#include "git/leftovers.h"
#include "log.h"
#include "telemetry_families.h"

#define DEFAULT_AUTHOR "weir <weir@localhost>"

/* --- what others tell ------------------------------------------------------------------------ */

void controller_nudge(void *context)
{
    struct controller *controller = context;
    git_thread_nudge(controller->git);
}

static void take_tip(void *context, const char *tip, int64_t when)
{
    struct controller *controller = context;
    pthread_mutex_lock(&controller->lock);
    snprintf(controller->tip, sizeof controller->tip, "%s", tip);
    controller->tip_when = when;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

/* The clone was packed: core opens its handle anew, even when it has no tip to take. */
static void note_packed(void *context)
{
    struct controller *controller = context;
    pthread_mutex_lock(&controller->lock);
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

/* Something is to be decided. */
static void wake(void *context)
{
    struct controller *controller = context;
    pthread_mutex_lock(&controller->lock);
    controller->woken = true;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

static void adopt(void *context, const char *target, struct override *const *found, size_t count)
{
    struct controller *controller = context;
    steering_adopt(core_steering(controller->core), found, count, target);
}

static void note_outrun(void *context, const char *environment, struct generation held)
{
    struct controller *controller = context;
    (void)environment; /* there is one generation for all of them */
    steering_outrun(core_steering(controller->core), held);
}

static void forget(void *context, struct text intent)
{
    struct controller *controller = context;
    git_thread_forget(controller->git, intent);
}

static enum status view(void *context, const struct roster_rollout *item, int64_t now,
                        struct arena *arena, struct metrics_view *out)
{
    struct controller *controller = context;
    return metrics_view(controller->metrics, item, now, arena, out);
}

static void watch(void *context, struct roster *roster, const int64_t *exposed)
{
    struct controller *controller = context;
    metrics_watch(controller->metrics, roster, exposed);
}

static void tell(void *context, const struct roster_rollout *item,
                 const struct walk_decision *decision, struct text commit, struct text by,
                 struct text reason, struct text evidence)
{
    struct controller *controller = context;
    news_tell_decision(controller->news, item, decision, commit, by, reason, evidence);
}

static void propose(void *context, struct proposal *proposal)
{
    struct controller *controller = context;
    git_thread_propose(controller->git, proposal);
}

/* --- making -------------------------------------------------------------------------------- */

static enum status open_mirrors(struct controller *controller, struct error *error)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/repository.git", controller->config->data);
    enum status status = git_access_install(&controller->config->git, error);
    size_t removed = leftovers_remove(path);
    if (removed)
        log_event(LOG_LEVEL_WARN, "leftovers_removed", "folder", path, NULL);
    if (git_access_is_exposed(&controller->config->git, controller->config->repo))
        log_event(LOG_LEVEL_WARN, "token_in_clear", "hint", "use an https:// URL", NULL);
    if (status == STATUS_OK)
        status = mirror_open(path, controller->config->repo, &controller->fetching, error);
    if (status == STATUS_OK)
        mirror_set_access(controller->fetching, &controller->config->git);
    if (status == STATUS_OK)
        status = mirror_open_beside(controller->fetching, &controller->reading, error);
    return status;
}

/* What cannot be opened keeps nothing from users; but overrides then end with the process. */
static enum status open_store(struct controller *controller, struct error *error)
{
    const char *data = controller->config->data;
    struct error why = {0};
    enum status status =
        store_upkeep_start(data, controller->clock, &controller->store_upkeep, error);
    if (status == STATUS_OK && store_open(data, &controller->store, &why) != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "store_failed", "error", why.message, NULL);
    return status;
}

void controller_write_status(void *context, struct buffer *out)
{
    struct controller *controller = context;
    core_write_status(controller->core, out);
    static const char end[] = "}\n";
    if (out->failed || !text_ends_with(buffer_text(out), TEXT("}\n")))
        return;
    out->length -= sizeof end - 1;
    buffer_append_string(out, ",\"upkeep\":");
    upkeep_write_status(controller->upkeep, out);
    buffer_append_string(out, ",\"commitStatus\":");
    commit_status_write(controller->commit_status, out);
    buffer_append_string(out, ",\"notify\":");
    news_write_status(controller->news, out);
    buffer_append_string(out, end);
}

/* Whose commits are those that weir decides. */
static enum status find_identity(struct controller *controller, struct error *error)
{
    const struct config *config = controller->config;
    enum status status =
        identity_find(config->author ? config->author : DEFAULT_AUTHOR, config->sign_key,
                      config->data, &controller->identity, error);
    controller->key.file = controller->identity.key;
    return status;
}

static enum status make_git_thread(struct controller *controller, struct error *error)
{
    enum status status = find_identity(controller, error);
    const struct git_thread_parts parts = {
        .config = controller->config,
        .clock = controller->clock,
        .telemetry = controller->telemetry,
        .mirror = controller->fetching,
        .upkeep = controller->upkeep,
        .core = controller->core,
        .recorder = {.clock = controller->clock,
                     .author = identity_person(&controller->identity),
                     .key = controller->identity.key[0] ? &controller->key : NULL,
                     /* set only where they are asked for: config_finish() */
                     .allowed_signers = controller->config->allowed_signers},
        .store_upkeep = controller->store_upkeep,
        .tip = take_tip,
        .tell = tell,
        .packed = note_packed,
        .context = controller};
    return status == STATUS_OK ? git_thread_new(&parts, &controller->git, error) : status;
}

static enum status make_lock(struct controller *controller)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&controller->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0)
        return STATUS_NO_MEMORY;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&controller->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed || hub_init(&controller->hub) != STATUS_OK)
        return STATUS_NO_MEMORY;
    controller->has_lock = controller->has_hub = true;
    return STATUS_OK;
}

static enum status make_tools(struct controller *controller, struct error *error)
{
    const struct fleet_parts fleet = {.reach = &controller->reach,
                                      .clock = controller->clock,
                                      .context = controller,
                                      .adopt = adopt,
                                      .outrun = note_outrun};
    controller->telemetry = telemetry_new();
    if (!controller->telemetry || make_lock(controller) != STATUS_OK ||
        reach_copy(&controller->config->reach, &controller->reach) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    series_set(telemetry_series(controller->telemetry, &family_build_info, WEIR_VERSION, NULL), 1);
    struct fleet_parts parts = fleet;
    parts.telemetry = controller->telemetry;
    controller->fleet = fleet_new(&parts);
    controller->upkeep = upkeep_new(controller->fetching, controller->clock, controller->telemetry);
    if (!controller->fleet || !controller->upkeep)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    return desk_new(controller->clock, wake, controller, &controller->desk, error);
}

/* Those who ask and tell the world outside. */
static enum status start_metrics_and_news(struct controller *controller, struct error *error)
{
    const struct config *config = controller->config;
    const struct metrics_parts metrics = {.reach = &controller->reach,
                                          .store = config->data,
                                          .clock = controller->clock,
                                          .telemetry = controller->telemetry,
                                          .changed = wake,
                                          .context = controller,
                                          .scrape = config->scrape_interval};
    enum status status = metrics_start(&metrics, &controller->metrics, error);
    return status == STATUS_OK ? news_start(config, controller->clock, controller->telemetry,
                                            &controller->news, error)
                               : status;
}

static enum status make_core(struct controller *controller, struct error *error)
{
    const struct config *config = controller->config;
    const struct core_parts parts = {.config = config,
                                     .clock = controller->clock,
                                     .telemetry = controller->telemetry,
                                     .hub = &controller->hub,
                                     .fleet = controller->fleet,
                                     .stop = &controller->stopping,
                                     .steering = {.measures = {view, watch, controller},
                                                  .blast_cap = config->blast_cap,
                                                  .store = controller->store,
                                                  .desk = controller->desk,
                                                  .propose = propose,
                                                  .forget = forget,
                                                  .wake = wake,
                                                  .tell = tell,
                                                  .context = controller}};
    return core_new(&parts, controller->reading, &controller->core, error);
}

enum status controller_make_parts(struct controller *controller, struct error *error)
{
    enum status status = open_store(controller, error);
    if (status == STATUS_OK)
        status = open_mirrors(controller, error);
    if (status == STATUS_OK)
        status = make_tools(controller, error);
    if (status == STATUS_OK)
        status = start_metrics_and_news(controller, error);
    if (status == STATUS_OK)
        status = make_core(controller, error);
    return status == STATUS_OK ? make_git_thread(controller, error) : status;
}
