/* An answer of GET /rollouts for people: where each rollout is, what it waits for, what stopped
 * it. */
#include <stdarg.h>
#include <stdlib.h>

#include "../controller/clock.h"
#include "../rules/definitions.h"
#include "../rules/utf8.h"
#include "status.h"

#define ROWS_MOST 10000
#define BAR_CELLS 12
#define COMMIT_SHOWN 12
#define SHOW(text) (int)(text).length, (text).data

struct view {
    struct buffer *out;
    struct arena *arena;
    const struct status_look *look;
    struct buffer words;    /* one cell, or line, while it is put together */
    struct buffer problems; /* written below the table */
    struct buffer flags;    /* likewise: those that bake */
    size_t problem_count;
    bool measured; /* somebody measures */
};

/* --- members --------------------------------------------------------------------------------- */

static struct text text_member(struct view *view, const struct node *map, const char *name)
{
    return status_safe(view->arena, node_get_string(map, name));
}

/* In 0 to 100; 0 where there is none. */
static double percent_member(const struct node *map, const char *name)
{
    const struct node *node = node_get(map, name);
    if (!node || node->type != NODE_NUMBER || node->number < 0)
        return 0;
    return node->number > 100 ? 100 : node->number;
}

/* The first of a list, or NULL. */
static const struct node *first_of(const struct node *map, const char *name)
{
    const struct node *list = node_get(map, name);
    return list && list->type == NODE_LIST ? list->first : NULL;
}

/* --- small texts ----------------------------------------------------------------------------- */

static struct buffer *begin(struct view *view)
{
    buffer_clear(&view->words);
    return &view->words;
}

/* What was put together; "-" where that is nothing. */
static struct text kept(struct view *view)
{
    struct text copy;
    if (view->words.length == 0 || !arena_copy(view->arena, buffer_text(&view->words), &copy))
        return TEXT("-");
    return copy;
}

static void add(struct buffer *out, struct text text)
{
    buffer_append_text(out, text);
}

/* "ENVIRONMENT/ROLLOUT" */
static struct text name_of(struct view *view, const struct node *item)
{
    struct buffer *out = begin(view);
    add(out, text_member(view, item, "environment"));
    buffer_append_char(out, '/');
    add(out, text_member(view, item, "name"));
    return kept(view);
}

static bool is_status(const struct node *item, const char *status)
{
    return text_is(node_get_string(item, "status"), status);
}

static bool is_undone(const struct node *item)
{
    return is_status(item, "rolledBack") || is_status(item, "killed");
}

/* The controller serves something safer than what Git says of it. */
static bool is_overridden(const struct node *item)
{
    const struct node *override = node_get(item, "override");
    return override && override->type == NODE_MAP;
}

void rollouts_write_phase(struct buffer *out, const struct node *item)
{
    struct text phase = node_get_string(item, "phase");
    size_t number = 0, count = 0;
    for (const struct node *one = first_of(item, "phases"); one; one = one->next) {
        count++;
        if (one->type == NODE_STRING && !number && text_equal(one->string, phase))
            number = count;
    }
    status_write_safely(out, phase);
    if (phase.length && number)
        buffer_printf(out, " %zu/%zu", number, count);
}

static void write_everybody(struct buffer *out, const struct node *item)
{
    double now = percent_member(item, "now"), configured = percent_member(item, "configured");
    json_write_number(out, now);
    if (now != configured && !is_undone(item) && !is_overridden(item)) {
        buffer_append_string(out, " → ");
        json_write_number(out, configured);
    }
    buffer_append_string(out, " %");
    if (now != configured && (is_undone(item) || is_overridden(item))) {
        buffer_append_string(out, is_undone(item) ? ", was " : ", Git says ");
        json_write_number(out, configured);
    }
}

void rollouts_write_share(struct buffer *out, const struct node *item)
{
    const struct node *audience = node_get(item, "audience");
    bool has_audience =
        audience && audience->type == NODE_MAP && !is_undone(item) && !is_overridden(item);
    bool has_others = percent_member(item, "now") > 0;
    if (!has_audience || has_others)
        write_everybody(out, item);
    if (!has_audience)
        return;
    buffer_append_string(out, has_others ? ", " : "");
    json_write_number(out, percent_member(audience, "percent"));
    buffer_append_string(out, " % of ");
    status_write_safely(out, node_get_string(audience, "segment"));
}

static struct text phase_of(struct view *view, const struct node *item)
{
    rollouts_write_phase(begin(view), item);
    return kept(view);
}

static struct text share_of(struct view *view, const struct node *item)
{
    rollouts_write_share(begin(view), item);
    return kept(view);
}

/* What is exposed, what its phase will expose, and everybody else. */
static struct text bar_of(struct view *view, const struct node *item)
{
    double now = percent_member(item, "now"), configured = percent_member(item, "configured");
    struct buffer *out = begin(view);
    for (int i = 0; i < BAR_CELLS; i++) {
        double middle = (i + 0.5) * 100 / BAR_CELLS;
        bool is_now = now > middle || (i == 0 && now > 0);
        bool is_coming = !is_undone(item) && !is_overridden(item) &&
                         (configured > middle || (i == 0 && configured > 0));
        buffer_append_string(out, is_now ? "█" : is_coming ? "▒" : "░");
    }
    return kept(view);
}

static struct text next_of(struct view *view, const struct node *item)
{
    int64_t next;
    char words[AGO_SIZE];
    if (node_get_string(item, "due").length)
        return TEXT("now");
    if (!time_parse(node_get_string(item, "next"), &next))
        return TEXT("-");
    status_ago(next > view->look->now ? next : view->look->now, view->look->now, words);
    buffer_append_string(begin(view), words);
    return kept(view);
}

/* --- gates and waits ------------------------------------------------------------------------- */

/* A gate's mark, its name, and its verdict unless that is success. */
static struct text gates_of(struct view *view, const struct node *item, const char **look)
{
    static const struct {
        const char *verdict, *mark;
    } marks[] = {{"success", "✓"}, {"failure", "✗"}, {"inconclusive", "?"}, {"error", "!"}};
    const struct style *style = view->look->style;
    const struct node *list = node_get(item, "gates");
    struct buffer *out = begin(view);
    bool good = true, bad = false;
    if (list && list->type == NODE_LIST)
        view->measured = true;
    else
        return TEXT("-");
    for (const struct node *gate = list->first; gate; gate = gate->next) {
        struct text verdict = node_get_string(gate, "verdict");
        const char *mark = "·";
        for (size_t i = 0; i < COUNT_OF(marks); i++)
            if (text_is(verdict, marks[i].verdict))
                mark = marks[i].mark;
        buffer_printf(out, "%s%s ", out->length ? ", " : "", mark);
        add(out, text_member(view, gate, "metric"));
        bool is_good = text_is(verdict, "success"),
             counts = !text_is(node_get_string(gate, "role"), "info");
        if (!is_good) {
            buffer_append_char(out, ' ');
            add(out, status_safe(view->arena, verdict));
        }
        good = good && (is_good || !counts);
        bad = bad || (counts && text_is(verdict, "failure"));
    }
    if (list->first)
        *look = bad ? style->bad : good ? style->good : style->warn;
    return kept(view);
}

static struct text waits_of(struct view *view, const struct node *item)
{
    struct text due = text_member(view, item, "due");
    struct buffer *out = begin(view);
    if (due.length)
        buffer_printf(out, "due: %.*s", SHOW(due));
    for (const struct node *wait = first_of(item, "waits"); wait; wait = wait->next) {
        buffer_append_string(out, out->length ? "; " : "");
        add(out, text_member(view, wait, "words"));
    }
    return kept(view);
}

/* --- below the table ------------------------------------------------------------------------- */

/* "3 min ago (2026-11-23T06:51:40Z)" */
static void add_instant(struct view *view, struct buffer *out, const struct node *map,
                        const char *name)
{
    int64_t then;
    char ago[AGO_SIZE], absolute[TIME_TEXT_SIZE];
    if (!time_parse(node_get_string(map, name), &then)) {
        buffer_append_string(out, "an unknown time");
        return;
    }
    status_ago(then, view->look->now, ago);
    time_format(then, absolute);
    buffer_printf(out, "%s (%s)", ago, absolute);
}

static void add_behind_colon(struct view *view, struct buffer *out, const struct node *map,
                             const char *name)
{
    struct text text = text_member(view, map, name);
    if (text.length)
        buffer_printf(out, ": %.*s", SHOW(text));
}

/* The line that was put together, with its mark. */
static void finish_problem(struct view *view)
{
    const struct style *style = view->look->style;
    struct text line = kept(view);
    view->problem_count++;
    buffer_printf(&view->problems, "%s✗%s ", style->bad, style->end);
    status_write_wrapped(&view->problems, line, 2, view->look->width);
}

static void judge_override(struct view *view, const struct node *item, struct text name)
{
    const struct node *override = node_get(item, "override");
    if (!override || override->type != NODE_MAP)
        return;
    struct text serving = text_member(view, override, "serving"),
                git = text_member(view, override, "git"),
                action = text_member(view, override, "action"),
                by = text_member(view, override, "by");
    struct buffer *out = begin(view);
    buffer_printf(out, "%.*s: serving %.*s, Git says %.*s, since ", SHOW(name), SHOW(serving),
                  SHOW(git));
    add_instant(view, out, override, "since");
    buffer_printf(out, "; %.*s by %.*s", SHOW(action), SHOW(by));
    add_behind_colon(view, out, override, "evidence");
    add_behind_colon(view, out, override, "note");
    finish_problem(view);
}

static void judge_holds(struct view *view, const struct node *item, struct text name)
{
    const struct node *hold = first_of(item, "holds");
    if (!is_status(item, "held") && !is_undone(item))
        return;
    const char *status = is_status(item, "held")         ? "is held"
                         : is_status(item, "rolledBack") ? "was rolled back"
                                                         : "was killed";
    struct buffer *out = begin(view);
    buffer_printf(out, "%.*s %s", SHOW(name), status);
    for (const char *divide = ": "; hold; hold = hold->next, divide = "; ") {
        struct text reason = text_member(view, hold, "reason"), by = text_member(view, hold, "by");
        buffer_printf(out, "%s%.*s by %.*s ", divide, SHOW(reason), SHOW(by));
        add_instant(view, out, hold, "since");
        add_behind_colon(view, out, hold, "note");
    }
    finish_problem(view);
}

/* --- the table ------------------------------------------------------------------------------- */

const char *rollouts_look_of(const struct style *style, const struct node *item)
{
    if (is_overridden(item))
        return style->bad;
    if (is_status(item, "running") || is_status(item, "completed"))
        return style->good;
    if (is_status(item, "held") || is_undone(item))
        return style->bad;
    return is_status(item, "paused") ? style->warn : style->faint;
}

/* What needs nobody is left out first where there is little room. */
static bool is_quiet(const struct node *item)
{
    return !is_overridden(item) && (is_status(item, "completed") || is_status(item, "pending"));
}

static void fill_row(struct view *view, const struct node *item, struct status_cell *row)
{
    const char *look = rollouts_look_of(view->look->style, item), *gates = "";
    struct text status = text_member(view, item, "status");
    size_t i = 0;
    row[i++].text = name_of(view, item);
    row[i] = (struct status_cell){status.length ? status : TEXT("-"), look, false};
    row[++i].text = phase_of(view, item);
    row[++i].text = share_of(view, item);
    if (view->look->bars)
        row[++i] = (struct status_cell){bar_of(view, item), look, false};
    row[++i].text = next_of(view, item);
    row[++i].text = gates_of(view, item, &gates);
    row[i].look = gates;
    row[++i].text = waits_of(view, item);
}

static size_t set_heads(const struct view *view, struct status_cell *row)
{
    static const char *const heads[] = {"ROLLOUT", "STATUS", "PHASE", "NOW → CONFIGURED",
                                        "",        "NEXT",   "GATES", "WAITS FOR"};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        if (heads[i][0] || view->look->bars)
            row[count++] = (struct status_cell){text_of(heads[i]), view->look->style->bold, false};
    return count;
}

static void write_table(struct view *view, const struct node *list)
{
    size_t all = list->count, room = all < ROWS_MOST ? all : ROWS_MOST, shown = 0;
    if (view->look->rows && view->look->rows < room)
        room = view->look->rows;
    struct status_cell(*rows)[STATUS_COLUMNS] = calloc(room + 1, sizeof *rows); /* ≤ 10 001 */
    if (!rows) {
        view->out->failed = STATUS_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i <= room; i++)
        for (size_t j = 0; j < STATUS_COLUMNS; j++)
            rows[i][j] = (struct status_cell){TEXT(""), "", false};
    size_t columns = set_heads(view, rows[0]);
    for (const struct node *item = list->first; item; item = item->next) {
        struct text name = name_of(view, item);
        judge_override(view, item, name);
        judge_holds(view, item, name);
        if (shown < room && !(all > room && is_quiet(item)))
            fill_row(view, item, rows[++shown]);
    }
    status_write_table(view->out, view->look->style, view->look->width,
                       (const struct status_cell(*)[STATUS_COLUMNS])rows, shown + 1, columns);
    if (all > shown)
        buffer_printf(view->out, "… and %zu more\n", all - shown);
    buffer_append_char(view->out, '\n');
    free(rows);
}

/* --- flags without a rollout -------------------------------------------------------------------
 */

/* One line: why it is told, since when, and what is served in its place. */
static void write_flag(struct view *view, const struct node *item)
{
    struct text environment = text_member(view, item, "environment"),
                flag = text_member(view, item, "flag"), status = text_member(view, item, "status"),
                as_of = text_member(view, item, "asOf"), by = text_member(view, item, "by");
    const struct node *override = node_get(item, "override"), *capped = node_get(item, "capped");
    bool is_open = override && override->type == NODE_MAP, is_watched = is_status(item, "watched");
    const char *look = "";
    struct text gates = gates_of(view, item, &look);
    struct buffer *out = begin(view);
    buffer_printf(out, "flag %.*s/%.*s is %.*s", SHOW(environment), SHOW(flag), SHOW(status));
    if (as_of.length)
        buffer_printf(out, " as of %.*s", SHOW(status_cut(as_of, COMMIT_SHOWN)));
    if (by.length)
        buffer_printf(out, " by %.*s", SHOW(by));
    buffer_append_string(out, " since ");
    add_instant(view, out, item, "since");
    add_behind_colon(view, out, item, "reason");
    if (is_watched)
        buffer_printf(out, "; %.*s", SHOW(gates));
    if (is_open) {
        struct text action = text_member(view, override, "action");
        buffer_printf(out, "; %.*s is served, and Git does not say it yet", SHOW(action));
        add_behind_colon(view, out, override, "evidence");
    }
    if (capped && capped->type == NODE_BOOL && capped->boolean)
        buffer_append_string(out, "; it broke, and too much was taken back within the hour");
    if (is_watched && !is_open)
        status_write_wrapped(&view->flags, kept(view), 2, view->look->width);
    else
        finish_problem(view);
}

static void write_flags(struct view *view, const struct node *answer)
{
    for (const struct node *item = first_of(answer, "flags"); item; item = item->next)
        write_flag(view, item);
}

static void write_origin(struct view *view, const struct node *answer, size_t count)
{
    const struct style *style = view->look->style;
    struct text commit = text_member(view, answer, "commit");
    struct buffer *out = begin(view);
    if (count)
        buffer_printf(out, "%zu rollout%s", count, count == 1 ? "" : "s");
    else
        buffer_append_string(out, "no rollouts");
    if (commit.length)
        buffer_printf(out, " at commit %.*s", SHOW(status_cut(commit, COMMIT_SHOWN)));
    buffer_append_string(out, ", of ");
    status_write_safely(out, text_of(view->look->controller));
    if (count && !view->measured)
        buffer_append_string(out, "; gates are measured by a running controller: ask it by "
                                  "--controller");
    buffer_append_string(view->out, style->faint);
    status_write_wrapped(view->out, kept(view), 0, view->look->width);
    buffer_append_string(view->out, style->end);
}

size_t rollouts_view(struct buffer *out, struct arena *arena, const struct node *answer,
                     const struct status_look *look)
{
    struct view view = {.out = out, .arena = arena, .look = look};
    const struct node *list = node_get(answer, "rollouts");
    size_t count = list && list->type == NODE_LIST ? list->count : 0;
    buffer_init(&view.words, 0);
    buffer_init(&view.problems, 0);
    buffer_init(&view.flags, 0);
    if (count)
        write_table(&view, list);
    write_flags(&view, answer);
    buffer_append_text(out, buffer_text(&view.flags));
    buffer_append_text(out, buffer_text(&view.problems));
    write_origin(&view, answer, count);
    if ((view.problems.failed || view.words.failed || view.flags.failed) && !out->failed)
        out->failed = STATUS_NO_MEMORY;
    buffer_dispose(&view.problems);
    buffer_dispose(&view.flags);
    buffer_dispose(&view.words);
    return view.problem_count;
}
