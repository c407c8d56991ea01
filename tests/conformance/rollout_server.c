/* rollout_server.c - the control API over rollouts of a folder, by the controller's own HTTP code,
 * desk and machine, without Git, targets and metrics.
 *
 *     rollout_server TOKENS FOLDER [ADDRESS:PORT]
 *
 * Prints "listening on http://ADDRESS:PORT" and answers until standard input ends; then ends with
 * 0. A line "down" there is a branch that takes no commits, "up" one that does, as at the
 * beginning. For tests of what people see of rollouts; no test by itself. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../controller/folder.h"
#include "../../controller/http/server.h"
#include "../../controller/rollout/desk.h"
#include "../../controller/rollout/rollout_status.h"

#define ITEMS_MAX 64
#define OPEN_MAX 64

/* What people asked for while the branch took nothing. */
struct open_verb {
    struct desk_request request;
    size_t item;
    struct rollout_state *state; /* of an override; NULL: it is decided when the branch is back */
};

struct core {
    pthread_mutex_t lock; /* for all below */
    struct arena arena;   /* of states and texts; grows until the end */
    struct catalog catalog;
    struct roster_rollout items[ITEMS_MAX];
    struct override overrides[ITEMS_MAX];
    bool is_overridden[ITEMS_MAX];
    size_t count;
    struct open_verb open[OPEN_MAX];
    size_t open_count;
    bool is_down;
    unsigned commits;
    struct desk *desk;
    int wake;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "rollout_server: %s: %s\n", what, why);
    exit(2);
}

static struct text keep(struct core *core, const char *string)
{
    struct text copy;
    if (!arena_copy(&core->arena, text_of(string), &copy))
        die("arena", "no memory");
    return copy;
}

/* --- deciding -------------------------------------------------------------------------------- */

static struct roster_rollout *find(struct core *core, const struct desk_request *request)
{
    for (size_t i = 0; i < core->count; i++)
        if (text_is(core->items[i].rollout->name.text, request->rollout) &&
            text_is(core->items[i].rollout->environment.text, request->environment))
            return &core->items[i];
    return NULL;
}

static void note(struct core *core, struct desk_request *request, enum desk_state state,
                 const char *words)
{
    request->state = state;
    snprintf(request->words, sizeof request->words, "%s", words);
    if (state == DESK_RECORDED)
        snprintf(request->commit, sizeof request->commit, "%040x", core->commits);
    desk_note(core->desk, request);
}

static void record(struct core *core, struct desk_request *request, size_t item,
                   const struct rollout_state *state)
{
    core->items[item].state = state;
    core->is_overridden[item] = false;
    core->commits++;
    note(core, request, DESK_RECORDED, "");
}

static void wait_for_branch(struct core *core, struct desk_request *request, size_t item,
                            struct rollout_state *state)
{
    if (core->open_count == OPEN_MAX) {
        note(core, request, DESK_FAILED, "the branch could not be reached in time");
        return;
    }
    core->open[core->open_count++] = (struct open_verb){*request, item, state};
    if (!state)
        return;
    core->is_overridden[item] = true;
    core->overrides[item] = (struct override){
        .intent = TEXT("0000000000000000000000000000000000000000000000000000000000000000"),
        .action = request->verb,
        .run = core->items[item].state->run,
        .seq = core->items[item].state->seq,
        .by = keep(core, request->by),
        .note = keep(core, request->note),
        .since = clock_seconds(&system_clock)};
    note(core, &core->open[core->open_count - 1].request, DESK_SERVED, "");
}

static void refuse(struct core *core, struct desk_request *request,
                   const struct walk_decision *decision)
{
    char words[DESK_TEXT_SIZE] = "";
    for (size_t i = 0; i < decision->reason_count; i++) {
        size_t length = strlen(words);
        struct text reason = decision->reasons[i].words;
        snprintf(words + length, sizeof words - length, "%s%.*s", i ? "; " : "", (int)reason.length,
                 reason.data);
    }
    note(core, request, DESK_REFUSED, words);
}

static void decide(struct core *core, struct desk_request *request)
{
    struct roster_rollout *item = find(core, request);
    struct walk_task task;
    struct walk_decision decision;
    if (!item) {
        note(core, request, DESK_REFUSED, "no such rollout");
        return;
    }
    struct walk_verb verb = {.kind = request->verb,
                             .by = keep(core, request->by),
                             .note = keep(core, request->note),
                             .lifts = request->lifts};
    roster_task(item, clock_seconds(&system_clock), &task);
    if (walk_verb(&task, item->state, &verb, &core->arena, &decision) != STATUS_OK)
        die("verb", "no memory");
    size_t index = (size_t)(item - core->items);
    if (decision.kind == WALK_NONE)
        note(core, request, DESK_NOTHING, "it is so already");
    else if (!decision.state)
        refuse(core, request, &decision);
    else if (!core->is_down)
        record(core, request, index, decision.state);
    else
        wait_for_branch(core, request, index, decision.needs_override ? decision.state : NULL);
}

static void take_all(struct core *core)
{
    struct desk_request request;
    while (desk_take(core->desk, &request))
        decide(core, &request);
}

/* The branch takes commits again. */
static void come_up(struct core *core)
{
    size_t count = core->open_count;
    core->is_down = false;
    core->open_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct open_verb *open = &core->open[i];
        if (open->state)
            record(core, &open->request, open->item, open->state);
        else
            decide(core, &open->request);
    }
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(struct core *core, size_t index, struct buffer *out)
{
    static const struct metrics_view nothing;
    struct rollout_entry entry = {
        .item = &core->items[index], .measured = &nothing, .now = clock_seconds(&system_clock)};
    struct walk_task task;
    struct walk_decision decision;
    struct arena arena;
    arena_init(&arena, 0);
    roster_task(entry.item, entry.now, &task);
    if (walk_tick(&task, entry.item->state, &arena, &decision) != STATUS_OK ||
        walk_approvals(&task, entry.item->state, &arena, &entry.approvals_given,
                       &entry.approvals_needed) != STATUS_OK)
        die("rollout", "no memory");
    entry.decision = &decision;
    entry.override = core->is_overridden[index] ? &core->overrides[index] : NULL;
    rollout_status_entry(out, &entry);
    arena_dispose(&arena);
}

static bool write_rollouts(void *context, const struct rollout_filter *filter, struct buffer *out)
{
    struct core *core = context;
    char commit[41];
    pthread_mutex_lock(&core->lock);
    snprintf(commit, sizeof commit, "%040x", core->commits);
    rollout_status_begin(out, commit);
    for (size_t i = 0; i < core->count; i++)
        if (rollout_filter_passes(filter, core->items[i].rollout->environment.text))
            tell(core, i, out);
    rollout_status_end(out);
    pthread_mutex_unlock(&core->lock);
    return true;
}

static void write_status(void *context, struct buffer *out)
{
    (void)context;
    buffer_append_string(out, "{}");
}

/* --- starting -------------------------------------------------------------------------------- */

static void read_definitions(struct core *core, const char *folder)
{
    struct bundle bundle;
    struct diagnostics diagnostics;
    struct error error = {0};
    struct schema_set *schemas = catalog_schemas(&error);
    bundle_init(&bundle);
    diagnostics_init(&diagnostics);
    if (!schemas || folder_read(folder, &bundle, &diagnostics, &error) != STATUS_OK)
        die(folder, error.message);
    if (catalog_build(&core->catalog, schemas, &bundle, NULL, &diagnostics) != STATUS_OK)
        die(folder, "has faults");
    diagnostics_dispose(&diagnostics);
    bundle_dispose(&bundle);
    schema_set_free(schemas);
}

static void fill(struct core *core)
{
    for (size_t i = 0; i < core->catalog.rollout_count && i < ITEMS_MAX; i++) {
        const struct rollout *rollout = core->catalog.rollouts[i];
        struct rollout_state *state = ARENA_NEW(&core->arena, struct rollout_state);
        if (!state || walk_initial(rollout, &core->arena, state) != STATUS_OK)
            die("rollout", "no memory");
        core->items[core->count++] = (struct roster_rollout){
            .rollout = rollout, .phases = catalog_phases(&core->catalog, rollout), .state = state};
    }
}

/* Empty documents: nobody evaluates here. */
static void publish(struct hub *hub, const struct catalog *catalog)
{
    struct snapshot *snapshot = snapshot_new(catalog->environment_count);
    for (size_t i = 0; snapshot && i < catalog->environment_count; i++) {
        struct document *document = NULL;
        struct error error = {0};
        if (document_read(TEXT("{\"flags\":{}}"), NULL, &document, &error) != STATUS_OK ||
            snapshot_fill(snapshot, i, catalog->environments[i]->name.text, document) != STATUS_OK)
            die("document", error.message);
    }
    if (!snapshot)
        die("snapshot", "no memory");
    hub_publish(hub, snapshot);
}

static void wake_core(void *context)
{
    struct core *core = context;
    const uint64_t one = 1;
    if (write(core->wake, &one, sizeof one) != sizeof one)
        die("eventfd", strerror(errno));
}

/* --- the loop -------------------------------------------------------------------------------- */

/* False at the end of standard input. */
static bool take_orders(struct core *core)
{
    char line[64];
    if (!fgets(line, sizeof line, stdin))
        return false;
    if (strcmp(line, "down\n") == 0)
        core->is_down = true;
    else if (strcmp(line, "up\n") == 0)
        come_up(core);
    printf("done\n");
    fflush(stdout);
    return true;
}

static void turn(struct core *core)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = core->wake, .events = POLLIN}};
    for (bool goes_on = true; goes_on;) {
        uint64_t count;
        if (poll(waits, COUNT_OF(waits), -1) < 0)
            continue;
        pthread_mutex_lock(&core->lock);
        if (waits[1].revents && read(core->wake, &count, sizeof count) == sizeof count)
            take_all(core);
        if (waits[0].revents)
            goes_on = take_orders(core);
        pthread_mutex_unlock(&core->lock);
    }
}

int main(int count, char **words)
{
    static struct core core = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct error error = {0};
    struct hub hub;
    struct http_server *server;
    char address[64];
    if (count != 3 && count != 4)
        die("usage", "rollout_server TOKENS FOLDER [ADDRESS:PORT]");
    setvbuf(stdin, NULL, _IONBF, 0); /* or a line would wait where poll() does not see it */
    arena_init(&core.arena, 0);
    core.wake = eventfd(0, EFD_CLOEXEC);
    read_definitions(&core, words[2]);
    fill(&core);
    struct telemetry *telemetry = telemetry_new();
    if (core.wake < 0 || !telemetry || hub_init(&hub) != STATUS_OK ||
        desk_new(&system_clock, wake_core, &core, &core.desk, &error) != STATUS_OK)
        die("parts", "no memory");
    publish(&hub, &core.catalog);
    const struct http_settings settings = {.tokens = words[1]};
    const struct http_parts parts = {.hub = &hub,
                                     .telemetry = telemetry,
                                     .clock = &system_clock,
                                     .write_status = write_status,
                                     .write_rollouts = write_rollouts,
                                     .rollouts_context = &core,
                                     .desk = core.desk,
                                     .settings = &settings};
    if (http_server_start(&parts, count == 4 ? words[3] : "127.0.0.1:0", 2, address, &server,
                          &error) != STATUS_OK)
        die("cannot listen", error.message);
    printf("listening on http://%s\n", address);
    fflush(stdout);
    turn(&core);
    http_server_stop(server, 2 * NANOSECONDS_PER_SECOND);
    desk_free(core.desk);
    hub_dispose(&hub);
    telemetry_free(telemetry);
    catalog_dispose(&core.catalog);
    arena_dispose(&core.arena);
    close(core.wake);
    return 0;
}
