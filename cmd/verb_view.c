/* What a verb came to, as a table before a paragraph, or as JSON. */
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "../rules/json.h"
#include "commands.h"
#include "status.h"
#include "verb.h"

/* --- what it did ----------------------------------------------------------------------------- */

static bool is_refused(const struct verb_report *report)
{
    return report->outcome->kind == WALK_REFUSE;
}

static bool is_nothing(const struct verb_report *report)
{
    return report->outcome->kind == WALK_NONE;
}

static const char *result_name(const struct verb_report *report)
{
    return is_refused(report)    ? "refused"
           : is_nothing(report)  ? "nothing"
           : report->is_recorded ? "recorded"
                                 : "would-be-recorded";
}

static const char *newest_commit(const struct verb_outcome *outcome)
{
    return outcome->commit_count ? outcome->commits[outcome->commit_count - 1] : "";
}

/* --- who is exposed -------------------------------------------------------------------------- */

/* Thousandths of a percent, without zeros at the end. */
static void write_percent(struct buffer *out, uint32_t share)
{
    uint32_t rest = share % 1000;
    buffer_printf(out, "%" PRIu32, share / 1000);
    if (rest % 10)
        buffer_printf(out, ".%03" PRIu32, rest);
    else if (rest % 100)
        buffer_printf(out, ".%02" PRIu32, rest / 10);
    else if (rest)
        buffer_printf(out, ".%" PRIu32, rest / 100);
}

static bool is_undone(const struct rollout_state *state)
{
    return state->course == COURSE_ROLLED_BACK || state->course == COURSE_KILLED;
}

/* "staff, 1 %": audiences by their names, then everybody's share. */
static void write_users(struct buffer *out, const struct rollout_state *state, int64_t now)
{
    struct exposure list[EXPOSURES_MAX];
    size_t count = rollout_exposures(state, list);
    uint32_t share = rollout_share_at(state, now);
    size_t begin = out->length;
    for (size_t i = 0; i < count; i++) {
        bool all = list[i].audience.length == 0;
        buffer_append_string(out, out->length > begin ? ", " : "");
        if (all || list[i].share < SPLIT_TOTAL)
            write_percent(out, all ? share : list[i].share);
        if (all || list[i].share < SPLIT_TOTAL)
            buffer_append_string(out, all ? " %" : " % of ");
        status_write_safely(out, list[i].audience);
        if (list[i].ramp && state->ramp.length)
            buffer_append_string(out, ", growing");
    }
    if (count == 0)
        buffer_append_string(out, is_undone(state) ? "nobody, all on control" : "nobody");
}

static struct text phase_of(const struct rollout_state *state)
{
    const struct phase *phase = walk_phase(state);
    return phase ? phase->name : TEXT("-");
}

/* --- for people ------------------------------------------------------------------------------ */

static const char *look_of(const struct rollout_state *state, const struct style *style)
{
    enum rollout_status status = rollout_state_status(state);
    if (status == ROLLOUT_RUNNING || status == ROLLOUT_COMPLETED)
        return style->good;
    return is_undone(state) || status == ROLLOUT_HELD ? style->bad : "";
}

static size_t terminal_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void write_table(struct buffer *out, const struct verb_report *report,
                        const struct style *style)
{
    const struct verb_outcome *outcome = report->outcome;
    const struct rollout_state *before = outcome->before, *after = outcome->after;
    struct buffer was, is;
    buffer_init(&was, 0);
    buffer_init(&is, 0);
    write_users(&was, before, outcome->decided);
    write_users(&is, after, outcome->decided);
    const struct text was_status = text_of(rollout_status_name(rollout_state_status(before))),
                      is_status = text_of(rollout_status_name(rollout_state_status(after)));
    const struct status_cell rows[][STATUS_COLUMNS] = {
        {{.text = TEXT(""), .look = ""},
         {.text = TEXT("BEFORE"), .look = style->faint},
         {.text = TEXT("AFTER"), .look = style->faint}},
        {{.text = TEXT("status"), .look = style->faint},
         {.text = was_status, .look = look_of(before, style)},
         {.text = is_status, .look = look_of(after, style)}},
        {{.text = TEXT("phase"), .look = style->faint},
         {.text = phase_of(before), .look = ""},
         {.text = phase_of(after), .look = ""}},
        {{.text = TEXT("users"), .look = style->faint},
         {.text = buffer_text(&was), .look = ""},
         {.text = buffer_text(&is), .look = ""}},
    };
    status_write_table(out, style, terminal_width(), rows, COUNT_OF(rows), 3);
    buffer_dispose(&is);
    buffer_dispose(&was);
}

/* Indented, as git shows them. */
static void write_messages(struct buffer *out, struct text messages)
{
    bool begins = true;
    while (messages.length) {
        const char *end = messages.data;
        while (*end && *end != '\n')
            end++;
        struct text line = {messages.data, (size_t)(end - messages.data)};
        if (begins)
            buffer_append_char(out, '\n');
        begins = *end == '\0';
        if (line.length)
            buffer_append_string(out, "    ");
        status_write_safely(out, line);
        if (!begins || line.length)
            buffer_append_char(out, '\n');
        messages.data += line.length + 1;
        messages.length -= line.length + 1;
    }
}

static void write_moved(struct buffer *out, const struct verb_report *report,
                        const struct style *style)
{
    const struct verb_outcome *outcome = report->outcome;
    buffer_printf(out, "%s%s%s %.12s to \"%s\" of %s\n\n", style->bold,
                  report->is_recorded ? "pushed" : "would push", style->end, newest_commit(outcome),
                  report->branch, report->shown);
    write_table(out, report, style);
    buffer_append_string(out, "\nby ");
    status_write_safely(out, outcome->by);
    buffer_append_string(out, report->is_signed ? ", signed\n" : "\n");
    if (outcome->was_edited)
        buffer_append_string(out, "the state file was not as weir wrote it, so that was held "
                                  "first\n");
    write_messages(out, report->messages);
}

static void write_nothing(struct buffer *out, const struct verb_report *report)
{
    const struct verb_outcome *outcome = report->outcome;
    if (report->call->kind == VERB_APPROVE) {
        status_write_safely(out, outcome->by);
        buffer_printf(out, " has approved %s already: nothing to do\n", report->call->rollout);
    } else {
        buffer_printf(out, "%s is %s already: nothing to do\n", report->call->rollout,
                      rollout_status_name(rollout_state_status(outcome->before)));
    }
}

static void write_refusal(struct buffer *out, const struct verb_report *report,
                          const struct style *style)
{
    const struct verb_outcome *outcome = report->outcome;
    buffer_printf(out, "weir: %s%s is refused%s for %s, which is %s\n", style->bad,
                  report->call->name, style->end, report->call->rollout,
                  rollout_status_name(rollout_state_status(outcome->before)));
    for (size_t i = 0; i < outcome->reason_count; i++) {
        const struct walk_reason *reason = &outcome->reasons[i];
        char until[TIME_TEXT_SIZE];
        buffer_append_string(out, "  ");
        status_write_safely(out, reason->words);
        if (reason->until != WALK_NEVER) {
            time_format(reason->until, until);
            buffer_printf(out, " %s(until %s)%s", style->faint, until, style->end);
        }
        buffer_append_char(out, '\n');
    }
    if (outcome->is_closed)
        buffer_append_string(out, "metrics are measured by a running controller, which is who can "
                                  "let this rollout grow\n");
}

/* --- for programs ---------------------------------------------------------------------------- */

static void write_state(struct buffer *out, const struct rollout_state *state, int64_t now)
{
    const struct phase *phase = walk_phase(state);
    struct exposure list[EXPOSURES_MAX];
    size_t count = rollout_exposures(state, list);
    const char *divide = "";
    buffer_append_string(out, "{\"audiences\":[");
    for (size_t i = 0; i < count; i++) {
        if (list[i].audience.length == 0)
            continue;
        buffer_append_string(out, divide);
        buffer_append_string(out, "{\"percent\":");
        write_percent(out, list[i].share);
        buffer_append_string(out, ",\"segment\":");
        json_write_string(out, list[i].audience);
        buffer_append_char(out, '}');
        divide = ",";
    }
    buffer_append_string(out, "],\"percent\":");
    write_percent(out, rollout_share_at(state, now));
    buffer_append_string(out, ",\"phase\":");
    if (phase)
        json_write_string(out, phase->name);
    else
        buffer_append_string(out, "null");
    buffer_printf(out, ",\"run\":%" PRIu32 ",\"seq\":%" PRIu32 ",\"status\":\"%s\"}", state->run,
                  state->seq, rollout_status_name(rollout_state_status(state)));
}

static void write_reasons(struct buffer *out, const struct verb_outcome *outcome)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < outcome->reason_count; i++) {
        const struct walk_reason *reason = &outcome->reasons[i];
        char until[TIME_TEXT_SIZE];
        buffer_printf(out, "%s{\"cause\":\"%s\",\"until\":", i ? "," : "",
                      walk_cause_name(reason->cause));
        if (reason->until == WALK_NEVER) {
            buffer_append_string(out, "null");
        } else {
            time_format(reason->until, until);
            buffer_printf(out, "\"%s\"", until);
        }
        buffer_append_string(out, ",\"words\":");
        json_write_string(out, reason->words);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

static void write_json(struct buffer *out, const struct verb_report *report)
{
    const struct verb_outcome *outcome = report->outcome;
    buffer_printf(out, "{\"action\":\"%s\",\"after\":", report->call->name);
    write_state(out, outcome->after, outcome->decided);
    buffer_append_string(out, ",\"apiVersion\":\"weir/v1\",\"before\":");
    write_state(out, outcome->before, outcome->decided);
    buffer_append_string(out, ",\"branch\":");
    json_write_string(out, text_of(report->branch));
    buffer_append_string(out, ",\"by\":");
    json_write_string(out, outcome->by);
    buffer_append_string(out, ",\"commits\":[");
    for (size_t i = 0; i < outcome->commit_count; i++)
        buffer_printf(out, "%s\"%s\"", i ? "," : "", outcome->commits[i]);
    buffer_printf(out, "],\"parent\":\"%s\",\"pushed\":%s,\"reasons\":", report->tip,
                  report->is_recorded ? "true" : "false");
    write_reasons(out, outcome);
    buffer_append_string(out, ",\"repository\":");
    json_write_string(out, text_of(report->shown));
    buffer_printf(out, ",\"result\":\"%s\",\"rollout\":", result_name(report));
    json_write_string(out, text_of(report->call->rollout));
    buffer_append_string(out, "}\n");
}

/* --- both ------------------------------------------------------------------------------------ */

int verb_show(const struct verb_report *report)
{
    struct buffer out;
    bool aside = false;
    buffer_init(&out, 0);
    if (format_is_json(report->call->arguments)) {
        write_json(&out, report);
    } else if (is_refused(report)) {
        write_refusal(&out, report, style_of(command_colour(STDERR_FILENO)));
        aside = true;
    } else if (is_nothing(report)) {
        write_nothing(&out, report);
    } else {
        write_moved(&out, report, style_of(command_colour(STDOUT_FILENO)));
    }
    int code = EXIT_FINE;
    if (aside)
        command_print_aside(&out);
    else
        code = command_print(&out);
    buffer_dispose(&out);
    return code == EXIT_FINE && is_refused(report) ? EXIT_DEFINITIONS : code;
}
