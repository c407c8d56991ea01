/* A verb through a running controller: left there, and asked for until it is served or recorded. */
#include <time.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "../controller/rollout/desk.h"
#include "../rules/json.h"
#include "commands.h"
#include "controller_client.h"
#include "status.h"
#include "verb.h"

#define WAIT_MOST (3600 * NANOSECONDS_PER_SECOND)
#define PAUSE_FIRST (20 * NANOSECONDS_PER_MILLISECOND)
#define PAUSE_LONGEST (500 * NANOSECONDS_PER_MILLISECOND)
/* What is served is safe: Git is waited for no longer than people like to. */
#define PATIENCE_SERVED (5 * NANOSECONDS_PER_SECOND)
/* A controller tells of a commit a moment after it is there. */
#define PATIENCE_SHOWN (2 * NANOSECONDS_PER_SECOND)
#define MEMORY_MOST ((size_t)256 << 20)
#define SHOW(text) (int)(text).length, (text).data

struct asking {
    const struct verb_call *call;
    const char *url;
    struct controller_client *client;
    struct arena arena; /* of all that was answered */
    struct buffer body;
    int64_t deadline, began; /* monotonic */
    bool shows;              /* progress, on a terminal */
    struct text environment, name;
    char id[DESK_ID_SIZE];
    const struct node *request;        /* what became of it */
    const struct node *before, *after; /* the rollout; NULL: the controller tells of none */
};

static int64_t now(void)
{
    return system_clock.monotonic(system_clock.self);
}

static void rest(int64_t nanoseconds)
{
    const struct timespec time = {.tv_sec = (time_t)(nanoseconds / NANOSECONDS_PER_SECOND),
                                  .tv_nsec = (long)(nanoseconds % NANOSECONDS_PER_SECOND)};
    nanosleep(&time, NULL);
}

/* --- asking ---------------------------------------------------------------------------------- */

static enum status understand(struct asking *asking, const struct node **out, struct error *error)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.depth = 64;
    if (json_read(&asking->arena, buffer_text(&asking->body), limits, out, NULL) == STATUS_OK &&
        (*out)->type == NODE_MAP)
        return STATUS_OK;
    return error_set(error, STATUS_SYSTEM,
                     "%.100s does not answer with a JSON object: is that a controller",
                     asking->url);
}

static enum status get(struct asking *asking, const char *path, const struct node **out,
                       struct error *error)
{
    int64_t time;
    enum status status = controller_get(asking->client, path, &asking->body, &time, error);
    return status == STATUS_OK ? understand(asking, out, error) : status;
}

/* The rollout as it stands there; *out is NULL where none is told of. */
static enum status look(struct asking *asking, const struct node **out, struct error *error)
{
    char path[DESK_NAME_SIZE + 32];
    const struct node *answer;
    *out = NULL;
    snprintf(path, sizeof path, "/rollouts?environment=%.*s", SHOW(asking->environment));
    enum status status = get(asking, path, &answer, error);
    const struct node *list = status == STATUS_OK ? node_get(answer, "rollouts") : NULL;
    if (!list || list->type != NODE_LIST)
        return status;
    for (const struct node *item = list->first; item; item = item->next)
        if (text_equal(node_get_string(item, "name"), asking->name) &&
            text_equal(node_get_string(item, "environment"), asking->environment))
            *out = item;
    return status;
}

static void write_body(struct buffer *out, const struct verb_call *call)
{
    const char *divide = "";
    buffer_append_char(out, '{');
    if (call->reason) {
        buffer_append_string(out, "\"reason\":");
        json_write_string(out, text_of(call->reason));
        divide = ",";
    }
    if (call->lifts) {
        buffer_printf(out, "%s\"lift\":[", divide);
        divide = "";
        for (int i = 0; i < HOLD_REASON_COUNT; i++) {
            if (!(call->lifts & 1U << i))
                continue;
            buffer_printf(out, "%s\"%s\"", divide, hold_reason_name((enum hold_reason)i));
            divide = ",";
        }
        buffer_append_char(out, ']');
    }
    buffer_append_char(out, '}');
}

static enum status submit(struct asking *asking, struct error *error)
{
    char path[2 * DESK_NAME_SIZE + 64];
    struct buffer body;
    const struct node *answer;
    buffer_init(&body, 0);
    write_body(&body, asking->call);
    snprintf(path, sizeof path, "/env/%.*s/rollouts/%.*s/%s", SHOW(asking->environment),
             SHOW(asking->name), asking->call->name);
    enum status status = body.failed ? error_set(error, STATUS_NO_MEMORY, "no memory")
                                     : controller_post(asking->client, path, buffer_text(&body),
                                                       &asking->body, error);
    buffer_dispose(&body);
    if (status == STATUS_OK)
        status = understand(asking, &answer, error);
    if (status != STATUS_OK)
        return status;
    struct text id = node_get_string(answer, "id");
    if (id.length != DESK_ID_SIZE - 1 || strspn(id.data, "0123456789abcdef") != id.length)
        return error_set(error, STATUS_SYSTEM, "%.100s gives no id: is that a controller",
                         asking->url);
    memcpy(asking->id, id.data, sizeof asking->id);
    return STATUS_OK;
}

/* --- waiting --------------------------------------------------------------------------------- */

static bool is_in(const struct asking *asking, enum desk_state state)
{
    return text_is(node_get_string(asking->request, "state"), desk_state_name(state));
}

static bool goes_on(const struct asking *asking)
{
    return is_in(asking, DESK_WAITING) || is_in(asking, DESK_SERVED);
}

static void show_progress(const struct asking *asking, bool ends)
{
    if (!asking->shows)
        return;
    fprintf(stderr, "\r\033[K");
    if (!ends)
        fprintf(stderr, "%s of %s: %s for %lld s", asking->call->name, asking->call->rollout,
                is_in(asking, DESK_SERVED) ? "served, not recorded yet," : "waiting",
                (long long)((now() - asking->began) / NANOSECONDS_PER_SECOND));
    fflush(stderr);
}

/* Asks until nothing more comes of it, or the time is over. A controller that cannot be reached for
 * a moment is asked again: the verb is with it. */
static enum status await(struct asking *asking, struct error *error)
{
    char path[DESK_ID_SIZE + 16];
    int64_t pause = PAUSE_FIRST, deadline = asking->deadline;
    bool was_served = false;
    enum status status;
    snprintf(path, sizeof path, "/requests/%s", asking->id);
    for (;;) {
        const struct node *answer;
        status = get(asking, path, &answer, error);
        if (status == STATUS_OK)
            asking->request = answer;
        if (status == STATUS_NOT_FOUND || status == STATUS_REFUSED) {
            asking->request = NULL; /* nobody here will ever know */
            break;
        }
        if (status == STATUS_OK && !goes_on(asking))
            break;
        if (status == STATUS_OK && is_in(asking, DESK_SERVED) && !was_served) {
            was_served = true;
            deadline = now() + PATIENCE_SERVED < deadline ? now() + PATIENCE_SERVED : deadline;
        }
        if (now() >= deadline)
            break;
        show_progress(asking, false);
        rest(pause);
        pause = pause * 2 < PAUSE_LONGEST ? pause * 2 : PAUSE_LONGEST;
    }
    show_progress(asking, true);
    return asking->request ? STATUS_OK : status;
}

static double number_of(const struct node *item, const char *name)
{
    const struct node *node = node_get(item, name);
    return node && node->type == NODE_NUMBER ? node->number : -1;
}

static bool has_override(const struct node *item)
{
    const struct node *override = node_get(item, "override");
    return override && override->type == NODE_MAP;
}

static bool has_moved(const struct node *before, const struct node *after)
{
    return number_of(before, "seq") != number_of(after, "seq") ||
           number_of(before, "run") != number_of(after, "run") ||
           number_of(node_get(before, "approvals"), "given") !=
               number_of(node_get(after, "approvals"), "given");
}

/* How it stands now that something came of it. */
static enum status look_after(struct asking *asking, struct error *error)
{
    int64_t deadline = now() + PATIENCE_SHOWN, pause = PAUSE_FIRST;
    /* Where a flag stands that has no rollout is not waited for. */
    bool moves = asking->before && (is_in(asking, DESK_RECORDED) || is_in(asking, DESK_SERVED));
    for (;;) {
        enum status status = look(asking, &asking->after, error);
        bool shown = is_in(asking, DESK_SERVED) ? has_override(asking->after)
                                                : has_moved(asking->before, asking->after);
        if (status != STATUS_OK || !moves || shown || now() >= deadline)
            return status;
        rest(pause);
        pause *= 2;
    }
}

/* --- telling --------------------------------------------------------------------------------- */

static struct text cell(struct asking *asking, void (*write)(struct buffer *, const struct node *),
                        const struct node *item)
{
    struct buffer words;
    struct text copy = TEXT("-");
    buffer_init(&words, 0);
    if (item)
        write(&words, item);
    if (words.length && !arena_copy(&asking->arena, buffer_text(&words), &copy))
        copy = TEXT("-");
    buffer_dispose(&words);
    return copy;
}

static void write_status(struct buffer *out, const struct node *item)
{
    status_write_safely(out, node_get_string(item, "status"));
}

static void write_holds(struct buffer *out, const struct node *item)
{
    const struct node *list = node_get(item, "holds");
    const char *before = "";
    for (const struct node *hold = list && list->type == NODE_LIST ? list->first : NULL; hold;
         hold = hold->next) {
        buffer_append_string(out, before);
        status_write_safely(out, node_get_string(hold, "reason"));
        buffer_append_string(out, " by ");
        status_write_safely(out, node_get_string(hold, "by"));
        before = ", ";
    }
}

static void write_approvals(struct buffer *out, const struct node *item)
{
    const struct node *approvals = node_get(item, "approvals");
    const struct node *given = node_get(approvals, "given"),
                      *needed = node_get(approvals, "needed");
    if (given && given->type == NODE_NUMBER && needed && needed->type == NODE_NUMBER &&
        needed->number > 0)
        buffer_printf(out, "%.0f of %.0f", given->number, needed->number);
}

/* The same table as of a verb on a repository, and what alone a pause or an approval changes. What
 * is served in Git's place is told in words. */
static void write_table(struct buffer *out, struct asking *asking, const struct style *style)
{
    static const struct {
        const char *name;
        void (*write)(struct buffer *, const struct node *);
        bool may_lack;
    } lines[] = {{"status", write_status, false},
                 {"phase", rollouts_write_phase, false},
                 {"users", rollouts_write_share, false},
                 {"holds", write_holds, true},
                 {"approvals", write_approvals, true}};
    size_t count = 1;
    struct status_cell rows[COUNT_OF(lines) + 1][STATUS_COLUMNS] = {
        {{.text = TEXT(""), .look = ""},
         {.text = TEXT("BEFORE"), .look = style->faint},
         {.text = TEXT("AFTER"), .look = style->faint}}};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct status_cell *row = rows[count];
        bool is_status = i == 0;
        row[0] = (struct status_cell){text_of(lines[i].name), style->faint, false};
        row[1] =
            (struct status_cell){cell(asking, lines[i].write, asking->before),
                                 is_status ? rollouts_look_of(style, asking->before) : "", false};
        row[2] =
            (struct status_cell){cell(asking, lines[i].write, asking->after),
                                 is_status ? rollouts_look_of(style, asking->after) : "", false};
        if (!lines[i].may_lack || !text_is(row[1].text, "-") || !text_is(row[2].text, "-"))
            count++;
    }
    status_write_table(out, style, 0, (const struct status_cell(*)[STATUS_COLUMNS])rows, count, 3);
}

static struct text safe(struct asking *asking, const struct node *map, const char *name)
{
    return status_safe(&asking->arena, node_get_string(map, name));
}

static void write_moved(struct buffer *out, struct asking *asking, const struct style *style)
{
    struct text commit = safe(asking, asking->request, "commit"),
                words = safe(asking, asking->request, "words"),
                by = safe(asking, asking->request, "by");
    if (is_in(asking, DESK_RECORDED))
        buffer_printf(out, "%srecorded%s %.*s by ", style->bold, style->end,
                      SHOW(status_cut(commit, 12)));
    else
        buffer_printf(out,
                      "%sserved%s, and Git does not say it yet: it is recorded as soon as the "
                      "branch takes it, by ",
                      style->bold, style->end);
    status_write_safely(out, text_of(asking->url));
    buffer_append_string(out, "\n\n");
    if (!asking->before && !asking->after) { /* of a flag */
        buffer_printf(out, "%s of %s\n", asking->call->name, asking->call->rollout);
    } else if (is_in(asking, DESK_SERVED) && has_override(asking->after)) {
        const struct node *override = node_get(asking->after, "override");
        buffer_printf(out, "serving %.*s, Git says %.*s\n", SHOW(safe(asking, override, "serving")),
                      SHOW(safe(asking, override, "git")));
    } else {
        write_table(out, asking, style);
    }
    buffer_printf(out, "\nby %.*s\n", SHOW(by));
    if (words.length)
        buffer_printf(out, "%.*s\n", SHOW(words));
}

static void write_node(struct buffer *out, const struct node *node)
{
    if (node)
        json_write_node(out, node);
    else
        buffer_append_string(out, "null");
}

static void write_json(struct buffer *out, struct asking *asking)
{
    struct buffer plain;
    buffer_init(&plain, 0);
    buffer_printf(&plain, "{\"action\":\"%s\",\"after\":", asking->call->name);
    write_node(&plain, asking->after);
    buffer_append_string(&plain, ",\"apiVersion\":\"weir/v1\",\"before\":");
    write_node(&plain, asking->before);
    buffer_append_string(&plain, ",\"controller\":");
    json_write_string(&plain, text_of(asking->url));
    buffer_append_string(&plain, ",\"request\":");
    write_node(&plain, asking->request);
    buffer_append_string(&plain, ",\"result\":");
    json_write_string(&plain, node_get_string(asking->request, "state"));
    buffer_append_string(&plain, ",\"rollout\":");
    json_write_string(&plain, text_of(asking->call->rollout));
    buffer_append_string(&plain, "}\n");
    size_t end = plain.length ? plain.length - 1 : 0;
    status_write_safely(out, (struct text){plain.data, end});
    buffer_append_char(out, '\n');
    if (plain.failed)
        out->failed = plain.failed;
    buffer_dispose(&plain);
}

/* What was not done, on standard error. */
static void complain(struct asking *asking)
{
    struct text words = safe(asking, asking->request, "words"),
                status = safe(asking, asking->before, "status");
    const char *verb = asking->call->name, *rollout = asking->call->rollout;
    if (is_in(asking, DESK_REFUSED))
        command_fail("%s is refused for %s%s%.*s: %.*s", verb, rollout,
                     status.length ? ", which is " : "", SHOW(status), SHOW(words));
    else if (is_in(asking, DESK_WAITING))
        command_fail("%s of %s still waits; what becomes of it is told at %s/requests/%s", verb,
                     rollout, asking->url, asking->id);
    else
        command_fail("%s of %s has failed, and nothing was done: %.*s", verb, rollout, SHOW(words));
}

static int tell(struct asking *asking)
{
    bool moved = is_in(asking, DESK_RECORDED) || is_in(asking, DESK_SERVED),
         fine = moved || is_in(asking, DESK_NOTHING);
    struct buffer out;
    buffer_init(&out, 0);
    if (format_is_json(asking->call->arguments))
        write_json(&out, asking);
    else if (moved)
        write_moved(&out, asking, style_of(command_colour(STDOUT_FILENO)));
    else if (fine)
        buffer_printf(&out, "%s is so already: nothing to do\n", asking->call->rollout);
    else
        complain(asking);
    int code = command_print(&out);
    buffer_dispose(&out);
    if (code != EXIT_FINE || fine)
        return code;
    return is_in(asking, DESK_REFUSED) ? EXIT_DEFINITIONS : EXIT_USAGE;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* What only makes sense of a repository. */
static const char *misplaced(const struct verb_call *call)
{
    static const char *const names[] = {"repo", "branch", "author", "sign-key"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (argument_given(call->arguments, names[i]))
            return names[i];
    if (call->kind == VERB_APPROVE && argument_given(call->arguments, "allowed-signers"))
        return "allowed-signers";
    return argument_flag(call->arguments, "dry-run") ? "dry-run" : NULL;
}

static int carry_out(struct asking *asking)
{
    struct error error = {0};
    enum status status = look(asking, &asking->before, &error);
    if (status == STATUS_OK)
        status = submit(asking, &error);
    if (status == STATUS_OK)
        status = await(asking, &error);
    if (status == STATUS_OK)
        status = look_after(asking, &error);
    return status == STATUS_OK ? tell(asking) : command_fail("%s", error.message);
}

int verb_by_controller(const struct verb_call *call)
{
    struct asking asking = {.call = call,
                            .url = argument_given(call->arguments, "controller"),
                            .began = now(),
                            .shows = command_colour(STDERR_FILENO)};
    const struct controller_source source = {asking.url,
                                             argument_given(call->arguments, "token-file"),
                                             argument_given(call->arguments, "ca-file"), NULL};
    const char *wrong = misplaced(call), *wait = argument_string(call->arguments, "wait");
    struct error error = {0};
    int64_t patience;
    if (wrong)
        return command_fail("\"--%s\" is of a repository, \"--controller\" asks a controller: "
                            "give one of them",
                            wrong);
    if (!duration_parse(text_of(wait), &patience) || patience > WAIT_MOST)
        return command_fail("\"--wait\": \"%.60s\" is not a duration up to 1h", wait);
    if (!verb_parse_rollout(call->rollout, &asking.environment, &asking.name))
        return command_fail("\"%.120s\" is not ENVIRONMENT/ROLLOUT", call->rollout);
    if (controller_client_open(&source, &asking.client, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    asking.deadline = asking.began + patience;
    arena_init(&asking.arena, MEMORY_MOST);
    buffer_init(&asking.body, 0);
    int code = carry_out(&asking);
    buffer_dispose(&asking.body);
    arena_dispose(&asking.arena);
    controller_client_close(asking.client);
    return code;
}
