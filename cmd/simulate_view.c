/* A timeline as a table, as JSON, and as SVG. */
#include <stdio.h>

#include "../rules/civil.h"
#include "../rules/json.h"
#include "simulate_view.h"

#define MOMENT_SIZE 24
#define CELL_SIZE 160
#define BAR_CELLS 40

/* "2027-01-11 09:00" in the calendar's zone. */
static void format_moment(const struct simulate_look *look, int64_t instant, char out[MOMENT_SIZE])
{
    const struct zone *zone = look->task->zone ? look->task->zone : zone_utc();
    struct zone_time time = zone_local(zone, instant);
    snprintf(out, MOMENT_SIZE, "%04d-%02d-%02d %02d:%02d", (int)time.date.year, time.date.month,
             time.date.day, time.hour, time.minute);
}

static void format_period(int64_t seconds, char out[CELL_SIZE])
{
    int64_t days = seconds / SECONDS_PER_DAY, hours = seconds / 3600 % 24, minutes = seconds / 60;
    if (days)
        snprintf(out, CELL_SIZE, hours ? "%lldd %lldh" : "%lldd", (long long)days,
                 (long long)hours);
    else if (minutes >= 60)
        snprintf(out, CELL_SIZE, minutes % 60 ? "%lldh %lldm" : "%lldh", (long long)hours,
                 (long long)(minutes % 60));
    else if (minutes)
        snprintf(out, CELL_SIZE, "%lldm", (long long)minutes);
    else
        snprintf(out, CELL_SIZE, "%llds", (long long)seconds);
}

static void format_percent(uint32_t share, char out[CELL_SIZE])
{
    char number[NUMBER_TEXT_SIZE + 1];
    number[number_format(share / (SPLIT_TOTAL / 100.0), number)] = '\0';
    snprintf(out, CELL_SIZE, "%s %%", number);
}

/* Whom it exposes: "staff", "10 %", "staff + 10 %". */
static void format_share(const struct simulate_span *span, char out[CELL_SIZE])
{
    char percent[CELL_SIZE];
    format_percent(span->share, percent);
    if (span->audience.length)
        snprintf(out, CELL_SIZE, "%.60s", span->audience.data);
    else
        snprintf(out, CELL_SIZE, "%.60s", percent);
    if (span->status == ROLLOUT_PENDING || span->status == ROLLOUT_ROLLED_BACK ||
        span->status == ROLLOUT_KILLED)
        snprintf(out, CELL_SIZE, "0 %%");
}

/* "bake 5d, calendar 2d 20h"; what takes under a minute is left out. */
static void format_waited(const struct simulate_span *span, char out[CELL_SIZE])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(span->waited); i++) {
        char period[CELL_SIZE];
        if (span->waited[i] < 60)
            continue;
        format_period(span->waited[i], period);
        int length = snprintf(out + at, CELL_SIZE - at, "%s%s %s", at ? ", " : "",
                              walk_cause_name((enum walk_cause)i), period);
        if (length < 0 || (size_t)length >= CELL_SIZE - at)
            return;
        at += (size_t)length;
    }
}

/* --- text ------------------------------------------------------------------------------------ */

enum { CELL_PHASE, CELL_STATUS, CELL_SHARE, CELL_BEGIN, CELL_END, CELL_WAITED, CELL_COUNT };
typedef char span_cells[CELL_COUNT][CELL_SIZE];

static void fill_cells(const struct simulate_look *look, const struct simulate_span *span,
                       span_cells cells)
{
    snprintf(cells[CELL_PHASE], CELL_SIZE, "%.64s", span->phase.length ? span->phase.data : "-");
    snprintf(cells[CELL_STATUS], CELL_SIZE, "%s", rollout_status_name(span->status));
    format_share(span, cells[CELL_SHARE]);
    format_moment(look, span->begin, cells[CELL_BEGIN]);
    format_moment(look, span->end, cells[CELL_END]);
    format_waited(span, cells[CELL_WAITED]);
}

static void write_row(struct buffer *out, const span_cells cells, const size_t widths[CELL_COUNT])
{
    for (size_t i = 0; i < CELL_COUNT; i++) {
        buffer_append_string(out, cells[i]);
        if (i + 1 < CELL_COUNT)
            style_pad(out, widths[i] - strlen(cells[i]) + 2);
    }
    while (out->length && out->data[out->length - 1] == ' ')
        out->length--;
    buffer_append_char(out, '\n');
}

static void write_bars(struct buffer *out, const struct simulate_look *look, size_t width)
{
    int64_t from = look->task->from, whole = look->task->to - from;
    buffer_append_char(out, '\n');
    for (size_t i = 0; i < look->timeline->count && whole > 0; i++) {
        const struct simulate_span *span = &look->timeline->spans[i];
        span_cells cells;
        fill_cells(look, span, cells);
        size_t begin = (size_t)((span->begin - from) * BAR_CELLS / whole),
               end = (size_t)((span->end - from) * BAR_CELLS / whole);
        bool good = span->status == ROLLOUT_RUNNING || span->status == ROLLOUT_COMPLETED;
        buffer_append_string(out, cells[CELL_PHASE]);
        style_pad(out, width - strlen(cells[CELL_PHASE]) + 2);
        style_pad(out, begin);
        buffer_append_string(out, good ? look->style->good : look->style->bad);
        for (size_t cell = begin; cell < (end > begin ? end : begin + 1); cell++)
            buffer_append_string(out, "█");
        buffer_append_string(out, look->style->end);
        buffer_append_char(out, '\n');
    }
}

static void write_assumptions(struct buffer *out, const struct simulate_look *look)
{
    const struct simulate_task *task = look->task;
    char period[CELL_SIZE];
    if (task->measurement_count == 0)
        buffer_append_string(out, "No measurements were given: every metric passes");
    else
        buffer_printf(out, "%zu measurements", task->measurement_count);
    if (task->breach_count)
        buffer_printf(out, ", but for %zu %s", task->breach_count,
                      task->breach_count == 1 ? "breach" : "breaches");
    format_period(task->approve_after, period);
    if (task->approve_after < 0)
        buffer_append_string(out, ". Nobody approves.\n");
    else
        buffer_printf(out, ". Approvals come %s after they are all that lacks.\n", period);
}

void simulate_write_text(struct buffer *out, const struct simulate_look *look)
{
    static const span_cells heads = {"PHASE", "STATUS", "SHARE", "BEGIN", "END", "WAITED FOR"};
    const struct rollout *rollout = look->task->rollout;
    size_t widths[CELL_COUNT] = {0};
    span_cells cells;
    buffer_printf(out, "%s%s%s in %s: %s of flag %s, times in %s\n", look->style->bold,
                  rollout->name.text.data, look->style->end, rollout->environment.text.data,
                  rollout->variant.text.data, rollout->flag.text.data,
                  look->task->zone ? rollout->calendar.timezone.data : "UTC");
    for (size_t i = 0; i < CELL_COUNT; i++)
        widths[i] = strlen(heads[i]);
    for (size_t i = 0; i < look->timeline->count; i++) {
        fill_cells(look, &look->timeline->spans[i], cells);
        for (size_t cell = 0; cell < CELL_COUNT; cell++)
            widths[cell] = strlen(cells[cell]) > widths[cell] ? strlen(cells[cell]) : widths[cell];
    }
    write_row(out, heads, widths);
    for (size_t i = 0; i < look->timeline->count; i++) {
        const struct simulate_span *span = &look->timeline->spans[i];
        fill_cells(look, span, cells);
        write_row(out, cells, widths);
        if (span->evidence.length) {
            buffer_append_string(out, "  because of ");
            style_write_safely(out, span->evidence);
            buffer_append_char(out, '\n');
        }
    }
    if (look->timeline->count) {
        const struct simulate_span *last = &look->timeline->spans[look->timeline->count - 1];
        if (last->words.length && last->status != ROLLOUT_COMPLETED) {
            buffer_append_string(out, "At the end it waits for: ");
            style_write_safely(out, last->words);
            buffer_append_char(out, '\n');
        }
    }
    if (look->bars)
        write_bars(out, look, widths[CELL_PHASE]);
    write_assumptions(out, look);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void write_member(struct buffer *out, const char *name, struct text text)
{
    buffer_printf(out, ",\"%s\":", name);
    json_write_string(out, text);
}

static void write_instant(struct buffer *out, const char *name, int64_t instant)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(instant, text);
    buffer_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void write_span(struct buffer *out, const struct simulate_span *span)
{
    bool first = true;
    buffer_append_string(out, "{\"phase\":");
    json_write_string(out, span->phase);
    write_member(out, "status", text_of(rollout_status_name(span->status)));
    write_member(out, "begunBy", text_of(walk_kind_name(span->kind)));
    buffer_printf(out, ",\"run\":%u", span->run);
    write_instant(out, "begin", span->begin);
    write_instant(out, "end", span->end);
    buffer_append_string(out, ",\"percent\":");
    json_write_number(out, span->share / (SPLIT_TOTAL / 100.0));
    if (span->audience.length)
        write_member(out, "audience", span->audience);
    if (span->evidence.length)
        write_member(out, "evidence", span->evidence);
    buffer_append_string(out, ",\"waitedSeconds\":{");
    for (size_t i = 0; i < COUNT_OF(span->waited); i++) {
        if (span->waited[i] == 0)
            continue;
        buffer_printf(out, "%s\"%s\":%lld", first ? "" : ",", walk_cause_name((enum walk_cause)i),
                      (long long)span->waited[i]);
        first = false;
    }
    buffer_append_char(out, '}');
    if (span->words.length)
        write_member(out, "waitedFor", span->words);
    buffer_append_char(out, '}');
}

void simulate_write_json(struct buffer *out, const struct simulate_look *look)
{
    const struct rollout *rollout = look->task->rollout;
    buffer_append_string(out, "{\"rollout\":");
    json_write_string(out, rollout->name.text);
    write_member(out, "environment", rollout->environment.text);
    write_member(out, "flag", rollout->flag.text);
    write_instant(out, "from", look->task->from);
    write_instant(out, "to", look->task->to);
    buffer_printf(out, ",\"measurements\":%zu,\"commits\":%zu", look->task->measurement_count,
                  look->timeline->commits);
    write_member(out, "status",
                 text_of(rollout_status_name(rollout_state_status(&look->timeline->state))));
    buffer_append_string(out, ",\"timeline\":[");
    for (size_t i = 0; i < look->timeline->count; i++) {
        buffer_append_string(out, i ? "," : "");
        write_span(out, &look->timeline->spans[i]);
    }
    buffer_append_string(out, "]}\n");
}

/* --- SVG ------------------------------------------------------------------------------------- */

#define SVG_LEFT 150
#define SVG_WIDTH 800
#define SVG_ROW 26
#define SVG_TOP 44
#define SVG_NAME 20   /* bytes of a phase's name that fit beside its bar */
#define SVG_WORDS 150 /* room for what is written beside a bar, or within it */

static void write_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            buffer_append_string(out, "&lt;");
        else if (*text == '&')
            buffer_append_string(out, "&amp;");
        else if (*text == '>')
            buffer_append_string(out, "&gt;");
        else if (*text == '"')
            buffer_append_string(out, "&quot;");
        else if ((unsigned char)*text >= 0x20)
            buffer_append_char(out, *text);
    }
}

static const char *colour_of(enum rollout_status status)
{
    switch (status) {
    case ROLLOUT_RUNNING:
        return "#2a7de1";
    case ROLLOUT_COMPLETED:
        return "#2e8b57";
    case ROLLOUT_ROLLED_BACK:
    case ROLLOUT_KILLED:
        return "#c0392b";
    case ROLLOUT_PAUSED:
    case ROLLOUT_HELD:
        return "#d08700";
    case ROLLOUT_PENDING:
    default:
        return "#8a8f98";
    }
}

/* What a bar is, in words too: colours do not tell everybody. Behind the bar, else within it, else
 * before it. */
static void draw_words(struct buffer *out, const struct simulate_span *span, const char *share,
                       double x, double width, size_t y)
{
    bool is_behind = x + width + SVG_WORDS <= SVG_LEFT + SVG_WIDTH,
         is_within = !is_behind && width >= SVG_WORDS;
    double at = is_behind ? x + width + 6 : is_within ? x + 6 : x - 6;
    buffer_printf(out, "<text x=\"%.1f\" y=\"%zu\"%s%s>", at, y,
                  is_within ? " fill=\"#ffffff\"" : "",
                  is_behind || is_within ? "" : " text-anchor=\"end\"");
    write_escaped(out, share);
    if (span->status != ROLLOUT_RUNNING)
        buffer_printf(out, "%s%s", share[0] ? ", " : "", rollout_status_name(span->status));
    buffer_append_string(out, "</text>\n");
}

static void draw_span(struct buffer *out, const struct simulate_look *look, size_t row)
{
    const struct simulate_span *span = &look->timeline->spans[row];
    int64_t from = look->task->from, whole = look->task->to - from;
    double x = SVG_LEFT + (double)(span->begin - from) * SVG_WIDTH / (double)whole,
           width = (double)(span->end - span->begin) * SVG_WIDTH / (double)whole;
    size_t y = SVG_TOP + row * SVG_ROW;
    span_cells cells;
    fill_cells(look, span, cells);
    const char *name = span->phase.length ? cells[CELL_PHASE] : cells[CELL_STATUS];
    buffer_printf(out,
                  "<text x=\"8\" y=\"%zu\">%.*s%s</text>"
                  "<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\">"
                  "<title>",
                  y + 15, SVG_NAME, name, strlen(name) > SVG_NAME ? "…" : "", x, y,
                  width > 1 ? width : 1, SVG_ROW - 6, colour_of(span->status));
    for (size_t i = 0; i < CELL_COUNT; i++) {
        if (!cells[i][0])
            continue;
        buffer_append_string(out, i ? ", " : "");
        write_escaped(out, cells[i]);
    }
    buffer_append_string(out, "</title></rect>\n");
    draw_words(out, span, cells[CELL_SHARE], x, width, y + 15);
}

void simulate_write_svg(struct buffer *out, const struct simulate_look *look)
{
    char begin[MOMENT_SIZE], end[MOMENT_SIZE];
    size_t height = SVG_TOP + look->timeline->count * SVG_ROW + 30;
    format_moment(look, look->task->from, begin);
    format_moment(look, look->task->to, end);
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
                  "viewBox=\"0 0 %d %zu\" role=\"img\" aria-labelledby=\"title description\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n<title id=\"title\">Rollout ",
                  SVG_LEFT + SVG_WIDTH + 20, height, SVG_LEFT + SVG_WIDTH + 20, height);
    write_escaped(out, look->task->rollout->name.text.data);
    buffer_append_string(out, " in ");
    write_escaped(out, look->task->rollout->environment.text.data);
    buffer_printf(out, "</title>\n<desc id=\"description\">From %s to %s, it ends %s.</desc>\n",
                  begin, end, rollout_status_name(rollout_state_status(&look->timeline->state)));
    buffer_append_string(out, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
                              "<text x=\"8\" y=\"22\" font-size=\"15\">");
    write_escaped(out, look->task->rollout->name.text.data);
    buffer_append_string(out, " in ");
    write_escaped(out, look->task->rollout->environment.text.data);
    buffer_append_string(out, "</text>\n");
    for (size_t i = 0; i < look->timeline->count && look->task->to > look->task->from; i++)
        draw_span(out, look, i);
    buffer_printf(out,
                  "<text x=\"%d\" y=\"%zu\">%s</text>"
                  "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">%s</text>\n</svg>\n",
                  SVG_LEFT, height - 10, begin, SVG_LEFT + SVG_WIDTH, height - 10, end);
}
