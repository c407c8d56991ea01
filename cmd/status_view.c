/* An answer of GET /status for people: what is served, what the targets hold, what is wrong. */
#include <stdarg.h>

#include "../controller/clock.h"
#include "../controller/snapshot.h"
#include "../rules/definitions.h"
#include "../rules/utf8.h"
#include "status.h"

#define QUARANTINED_SHOWN 10
#define FAULTS_SHOWN 20
#define ROWS_MOST 1024
#define COMMIT_SHOWN 12
#define PENDING_PATIENCE 30 /* seconds that a target may take before it counts as wrong */

struct view {
    struct buffer *out;
    struct arena *arena;
    const struct node *status;
    const struct status_look *look;
    struct buffer problems; /* written below the tables */
    size_t problem_count;
};

/* --- members --------------------------------------------------------------------------------- */

static struct text text_member(struct view *view, const struct node *map, const char *name)
{
    return status_safe(view->arena, node_get_string(map, name));
}

static bool number_member(const struct node *map, const char *name, double *out)
{
    const struct node *node = node_get(map, name);
    *out = node && node->type == NODE_NUMBER ? node->number : 0;
    return node && node->type == NODE_NUMBER;
}

static double count_member(const struct node *map, const char *name)
{
    double number;
    number_member(map, name, &number);
    return number;
}

static bool is_false(const struct node *map, const char *name)
{
    const struct node *node = node_get(map, name);
    return node && node->type == NODE_BOOL && !node->boolean;
}

static const struct node *list_member(const struct node *map, const char *name)
{
    const struct node *list = node_get(map, name);
    return list && list->type == NODE_LIST ? list : NULL;
}

/* --- small texts ----------------------------------------------------------------------------- */

static struct text keep(struct view *view, const char *string)
{
    struct text copy;
    return arena_copy(view->arena, text_of(string), &copy) ? copy : TEXT("");
}

static struct text or_dash(struct text text)
{
    return text.length ? text : TEXT("-");
}

static struct text short_commit(struct text commit)
{
    return status_cut(or_dash(commit), COMMIT_SHOWN);
}

/* "3 min ago (2026-11-23T06:51:40Z)", or "-". */
static struct text when(struct view *view, const struct node *map, const char *name, bool whole)
{
    struct text text = node_get_string(map, name);
    int64_t then;
    char ago[AGO_SIZE], absolute[TIME_TEXT_SIZE], both[AGO_SIZE + TIME_TEXT_SIZE + 4];
    if (!time_parse(text, &then))
        return TEXT("-");
    status_ago(then, view->look->now, ago);
    time_format(then, absolute); /* ours, whatever was written */
    snprintf(both, sizeof both, whole ? "%s (%s)" : "%s%.0s", ago, absolute);
    return keep(view, both);
}

/* "EPOCH.LEVEL.OVERLAY.MEMBERS": 32 hexadecimal digits say as much to nobody. */
static struct text generation_text(struct view *view, struct text text)
{
    struct generation generation;
    char dotted[48];
    if (!generation_parse(text, &generation))
        return or_dash(status_safe(view->arena, text));
    snprintf(dotted, sizeof dotted, "%u.%u.%u.%u", generation.epoch, generation.level,
             generation.overlay, generation.members);
    return keep(view, dotted);
}

/* --- lines below the tables ------------------------------------------------------------------ */

/* A problem: a mark, and a line that is put together as printf() does; all of it safe already. */
static void PRINTF_LIKE(2, 3) add_problem(struct view *view, const char *format, ...)
{
    const struct style *style = view->look->style;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    view->problem_count++;
    buffer_printf(&view->problems, "%s✗%s ", style->bad, style->end);
    struct text text = {line, utf8_valid_length(text_of(line))}; /* it may have been cut */
    status_write_wrapped(&view->problems, text, 2, view->look->width);
}

#define SHOW(text) (int)(text).length, (text).data

static void add_fault(struct view *view, const struct node *fault)
{
    struct text path = text_member(view, fault, "path"), code = text_member(view, fault, "code");
    struct text severity = text_member(view, fault, "severity");
    struct text message = text_member(view, fault, "message"),
                hint = text_member(view, fault, "hint");
    struct buffer line;
    buffer_init(&line, 0);
    buffer_append_text(&line, or_dash(path));
    if (count_member(fault, "line") > 0)
        buffer_printf(&line, ":%.0f:%.0f", count_member(fault, "line"),
                      count_member(fault, "column"));
    buffer_printf(&line, ": %.*s[%.*s]: %.*s", SHOW(or_dash(severity)), SHOW(or_dash(code)),
                  SHOW(message));
    style_pad(&view->problems, 4);
    status_write_wrapped(&view->problems, buffer_text(&line), 6, view->look->width);
    if (hint.length) {
        buffer_clear(&line);
        buffer_printf(&line, "hint: %.*s", SHOW(hint));
        style_pad(&view->problems, 6);
        buffer_append_string(&view->problems, view->look->style->faint);
        status_write_wrapped(&view->problems, buffer_text(&line), 12, view->look->width);
        buffer_append_string(&view->problems, view->look->style->end);
    }
    if (line.failed && !view->problems.failed)
        view->problems.failed = line.failed;
    buffer_dispose(&line);
}

static void add_faults(struct view *view)
{
    const struct node *list = list_member(view->status, "faults");
    size_t shown = 0;
    for (const struct node *fault = list ? list->first : NULL; fault; fault = fault->next) {
        if (shown++ < FAULTS_SHOWN)
            add_fault(view, fault);
    }
    if (shown > FAULTS_SHOWN)
        buffer_printf(&view->problems, "    … and %zu more; --format json tells all\n",
                      shown - FAULTS_SHOWN);
}

/* --- what is served -------------------------------------------------------------------------- */

/* `more` rows are not among them. */
static void write_table(struct view *view, struct status_cell (*rows)[STATUS_COLUMNS], size_t count,
                        size_t columns, size_t more)
{
    for (size_t i = 0; i < columns; i++)
        rows[0][i].look = view->look->style->bold;
    status_write_table(view->out, view->look->style, view->look->width,
                       (const struct status_cell(*)[STATUS_COLUMNS])rows, count, columns);
    if (more)
        buffer_printf(view->out, "… and %zu more\n", more);
    buffer_append_char(view->out, '\n');
}

static size_t limit_of(const struct view *view, size_t count)
{
    return view->look->rows && view->look->rows < count ? view->look->rows : count;
}

/* Room for the heads and at most ROWS_MOST rows; *count is how many there will be. */
static struct status_cell (*new_rows(struct view *view, const struct node *list,
                                     size_t *count))[STATUS_COLUMNS]
{
    *count = list ? list->count : 0;
    if (*count > ROWS_MOST)
        *count = ROWS_MOST;
    struct status_cell(*rows)[STATUS_COLUMNS] =
        calloc(*count + 1, sizeof *rows); /* at most 1 025 */
    if (!rows)
        view->out->failed = STATUS_NO_MEMORY;
    for (size_t i = 0; rows && i <= *count; i++)
        for (size_t j = 0; j < STATUS_COLUMNS; j++)
            rows[i][j] = (struct status_cell){TEXT(""), "", false};
    return rows;
}

static void set_heads(struct status_cell *row, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i].text = text_of(names[i]);
}

/* A member of the environment where it has one of its own, else that of the whole. */
static const struct node *owner(struct view *view, const struct node *environment, const char *name)
{
    return node_get(environment, name) ? environment : view->status;
}

static void write_environments(struct view *view)
{
    static const char *const heads[] = {"ENVIRONMENT", "COMMIT", "GENERATION", "FLAGS", "SINCE"};
    const struct node *list = list_member(view->status, "environments");
    size_t count;
    struct status_cell(*rows)[STATUS_COLUMNS] = new_rows(view, list, &count);
    if (!rows || count == 0) {
        free(rows);
        return;
    }
    set_heads(rows[0], heads, COUNT_OF(heads));
    rows[0][3].right = true;
    size_t more = list->count - limit_of(view, count);
    count = limit_of(view, count);
    const struct node *node = list->first;
    for (size_t i = 1; i <= count; i++, node = node->next) {
        const struct node *standard = node_get(node, "default");
        struct text name = text_member(view, node, "name");
        char words[300], flags[32] = "-";
        double number;
        bool is_default = standard && standard->type == NODE_BOOL && standard->boolean;
        snprintf(words, sizeof words, "%.*s%s", SHOW(status_cut(name, 200)),
                 is_default ? " *" : "");
        if (number_member(node, "flags", &number))
            snprintf(flags, sizeof flags, "%.0f", number);
        rows[i][0].text = keep(view, words);
        rows[i][1].text = short_commit(text_member(view, owner(view, node, "commit"), "commit"));
        rows[i][2].text =
            generation_text(view, node_get_string(owner(view, node, "generation"), "generation"));
        rows[i][3] = (struct status_cell){keep(view, flags), "", true};
        rows[i][4].text = when(view, owner(view, node, "since"), "since", true);
    }
    write_table(view, rows, count + 1, COUNT_OF(heads), more);
    free(rows);
}

/* --- targets --------------------------------------------------------------------------------- */

/* How far a target's acknowledged generation is behind what its environment is served. */
static struct text behind(struct view *view, const struct node *target)
{
    const struct node *list = list_member(view->status, "environments");
    struct generation served, held;
    struct text environment = node_get_string(target, "environment");
    const struct node *node = list ? list->first : NULL;
    char words[32];
    while (node && !text_equal(node_get_string(node, "name"), environment))
        node = node->next;
    if (!generation_parse(node_get_string(owner(view, node, "generation"), "generation"), &served))
        return TEXT("-");
    if (!generation_parse(node_get_string(target, "generation"), &held))
        return TEXT("all");
    int order = generation_compare(held, served);
    if (order >= 0)
        return order ? TEXT("ahead") : TEXT("no");
    if (held.epoch != served.epoch || held.level == served.level)
        return TEXT("yes");
    snprintf(words, sizeof words, "%u level%s", served.level - held.level,
             served.level - held.level == 1 ? "" : "s");
    return keep(view, words);
}

static bool is_late(struct view *view)
{
    int64_t since;
    return time_parse(node_get_string(view->status, "since"), &since) &&
           view->look->now - since > PENDING_PATIENCE;
}

/* Notes what is wrong with a target; true when something is. */
static bool judge_target(struct view *view, const struct node *target)
{
    struct text name = or_dash(text_member(view, target, "name"));
    struct text state = node_get_string(target, "state");
    const struct node *fault = node_get(target, "fault");
    struct text message = text_member(view, fault, "message"),
                path = text_member(view, fault, "path");
    double failures = count_member(target, "failures");
    if (text_is(state, "inSync") && failures == 0)
        return false;
    if (text_is(state, "pending") && failures == 0) {
        if (is_late(view))
            add_problem(view, "target %.*s has not acknowledged what is served", SHOW(name));
        return is_late(view);
    }
    add_problem(view, "target %.*s %s (failed %.0f time%s): %.*s (%.*s:%.0f:%.0f)", SHOW(name),
                text_is(state, "refused") ? "is refused" : "fails", failures,
                failures == 1 ? "" : "s", SHOW(or_dash(message)), SHOW(or_dash(path)),
                count_member(fault, "line"), count_member(fault, "column"));
    return true;
}

static struct text state_words(struct view *view, const struct node *target)
{
    struct text state = node_get_string(target, "state");
    return text_is(state, "inSync") ? TEXT("in sync") : or_dash(status_safe(view->arena, state));
}

static bool is_good(const struct node *target)
{
    return text_is(node_get_string(target, "state"), "inSync") &&
           count_member(target, "failures") == 0;
}

static void fill_target(struct view *view, const struct node *node, bool wrong,
                        struct status_cell *row)
{
    const struct style *style = view->look->style;
    row[0].text = or_dash(text_member(view, node, "name"));
    row[1].text = or_dash(text_member(view, node, "type"));
    row[2].text = or_dash(text_member(view, node, "environment"));
    row[3].text = state_words(view, node);
    row[3].look = wrong ? style->bad : is_good(node) ? style->good : "";
    row[4].text = generation_text(view, node_get_string(node, "generation"));
    row[5].text = behind(view, node);
    row[6].text = when(view, node, "lastSuccess", false);
}

static void write_targets(struct view *view)
{
    static const char *const heads[] = {"TARGET",     "TYPE",   "ENVIRONMENT", "STATE",
                                        "GENERATION", "BEHIND", "LAST SUCCESS"};
    const struct node *list = list_member(view->status, "targets");
    size_t room, shown = 0, all = 0;
    struct status_cell(*rows)[STATUS_COLUMNS] = new_rows(view, list, &room);
    if (!rows || room == 0) {
        free(rows);
        return;
    }
    bool tight = list->count > limit_of(view, room);
    room = limit_of(view, room);
    set_heads(rows[0], heads, COUNT_OF(heads));
    for (const struct node *node = list->first; node; node = node->next, all++) {
        bool wrong = judge_target(view, node);
        if (shown < room && !(tight && is_good(node)))
            fill_target(view, node, wrong, rows[++shown]);
    }
    write_table(view, rows, shown + 1, COUNT_OF(heads), all - shown);
    free(rows);
}

/* --- the repository -------------------------------------------------------------------------- */

/* What the newest commit says and does not count, and what counts in its place. */
static void add_quarantined(struct view *view)
{
    const struct node *list = node_get(view->status, "quarantined");
    double count = count_member(view->status, "quarantinedCount");
    size_t shown = 0;
    for (const struct node *item = list && list->type == NODE_LIST ? list->first : NULL;
         item && shown < QUARANTINED_SHOWN; item = item->next, shown++) {
        struct text served = text_member(view, item, "served");
        buffer_printf(&view->problems, "    %.*s %.*s ", SHOW(text_member(view, item, "kind")),
                      SHOW(text_member(view, item, "name")));
        if (served.length)
            buffer_printf(&view->problems, "stands as it stood, in %.*s\n", SHOW(served));
        else
            buffer_append_string(&view->problems, "is not there yet\n");
    }
    if (count > (double)shown)
        buffer_printf(&view->problems, "    and %.0f more\n", count - (double)shown);
}

static void judge_repository(struct view *view)
{
    const struct node *status = view->status, *fetch = node_get(status, "lastFetch");
    struct text commit = text_member(view, status, "commit"),
                tip = text_member(view, status, "tip");
    double errors = count_member(status, "errors"), warnings = count_member(status, "warnings");
    double failures = count_member(fetch, "failures");
    if (failures > 0)
        add_problem(view, "fetching has failed %.0f time%s in a row, last success %.*s: %.*s",
                    failures, failures == 1 ? "" : "s", SHOW(when(view, fetch, "succeeded", true)),
                    SHOW(or_dash(text_member(view, fetch, "error"))));
    if (!commit.length)
        add_problem(view, "nothing is served: no valid commit has been read yet");
    if (tip.length && is_false(status, "tipServed"))
        add_problem(view, "commit %.*s, the newest, is not served: %.0f error%s, %.0f warning%s",
                    SHOW(short_commit(tip)), errors, errors == 1 ? "" : "s", warnings,
                    warnings == 1 ? "" : "s");
    else if (errors > 0)
        add_problem(view,
                    "commit %.*s, the newest, is served without what is wrong in it: %.0f "
                    "error%s, %.0f warning%s",
                    SHOW(short_commit(tip)), errors, errors == 1 ? "" : "s", warnings,
                    warnings == 1 ? "" : "s");
    else if (warnings > 0)
        buffer_printf(&view->problems, "  %.0f warning%s in commit %.*s\n", warnings,
                      warnings == 1 ? "" : "s", SHOW(short_commit(tip)));
    add_faults(view);
    add_quarantined(view);
}

static bool is_true(const struct node *map, const char *name)
{
    const struct node *node = node_get(map, name);
    return node && node->type == NODE_BOOL && node->boolean;
}

/* What is decided about rollouts, and does not come to the branch. */
static void judge_recording(struct view *view)
{
    const struct node *recording = node_get(view->status, "recording");
    double open = count_member(view->status, "overrideCount"),
           unkept = count_member(view->status, "overridesUnkept"),
           failures = count_member(recording, "failures");
    if (failures > 0 && !text_is(node_get_string(recording, "outcome"), "moved"))
        add_problem(view,
                    "what is decided cannot be recorded on the branch (failed %.0f time%s): "
                    "%.*s",
                    failures, failures == 1 ? "" : "s",
                    SHOW(or_dash(text_member(view, recording, "words"))));
    if (open > 0)
        add_problem(view, "%.0f safe state%s served that Git does not say yet: see weir rollouts",
                    open, open == 1 ? " is" : "s are");
    if (unkept > 0)
        add_problem(view,
                    "%.0f of them would not outlive a restart: the data folder does not take "
                    "%s",
                    unkept, unkept == 1 ? "it" : "them");
    if (is_true(recording, "clockDrift"))
        add_problem(view, "the clock of the controller jumped: no rollout grows until it has gone "
                          "evenly for an hour");
}

static void judge_channels(struct view *view)
{
    const struct node *list = node_get(view->status, "notify");
    for (const struct node *item = list && list->type == NODE_LIST ? list->first : NULL; item;
         item = item->next) {
        struct text problem = text_member(view, item, "problem");
        double waiting = count_member(item, "waiting");
        if (problem.length)
            add_problem(view, "channel %.*s of notify fails, %.0f notice%s: %.*s",
                        SHOW(or_dash(text_member(view, item, "channel"))), waiting,
                        waiting == 1 ? " waits" : "s wait", SHOW(problem));
    }
}

static void write_verdict(struct view *view)
{
    const struct style *style = view->look->style;
    const struct node *fetch = node_get(view->status, "lastFetch");
    struct text version = text_member(view, view->status, "version");
    struct text commit = text_member(view, view->status, "commit");
    struct text fetched = when(view, fetch, "succeeded", true);
    struct buffer line;
    buffer_init(&line, 0);
    if (view->problem_count == 0) {
        buffer_printf(view->out, "%s✓%s ", style->good, style->end);
        buffer_printf(&line, "all good: commit %.*s is served", SHOW(short_commit(commit)));
        status_write_wrapped(view->out, buffer_text(&line), 2, view->look->width);
    }
    buffer_append_text(view->out, buffer_text(&view->problems));
    buffer_clear(&line);
    buffer_printf(&line, "weir %.*s at ", SHOW(or_dash(version)));
    status_write_safely(&line, text_of(view->look->controller));
    buffer_printf(&line, ", fetched %.*s", SHOW(fetched));
    buffer_append_string(view->out, style->faint);
    status_write_wrapped(view->out, buffer_text(&line), 0, view->look->width);
    buffer_append_string(view->out, style->end);
    if (line.failed && !view->out->failed)
        view->out->failed = line.failed;
    buffer_dispose(&line);
}

size_t status_view(struct buffer *out, struct arena *arena, const struct node *status,
                   const struct status_look *look)
{
    struct view view = {.out = out, .arena = arena, .status = status, .look = look};
    buffer_init(&view.problems, 0);
    judge_repository(&view);
    write_environments(&view);
    write_targets(&view);
    judge_recording(&view);
    judge_channels(&view);
    write_verdict(&view);
    if (view.problems.failed && !out->failed)
        out->failed = view.problems.failed;
    buffer_dispose(&view.problems);
    return view.problem_count;
}
