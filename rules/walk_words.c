/* What the machine says: names, and reasons in words. */
#include <stdarg.h>
#include <stdio.h>

#include "civil.h"
#include "walk_private.h"

static const char *const verdict_names[] = {
    [WALK_NO_DATA] = "no data",           [WALK_SUCCESS] = "success", [WALK_FAILURE] = "failure",
    [WALK_INCONCLUSIVE] = "inconclusive", [WALK_ERROR] = "error",
};

static const char *const kind_names[] = {
    [WALK_NONE] = "none",
    [WALK_WAIT] = "wait",
    [WALK_REFUSE] = "refuse",
    [WALK_START] = "start",
    [WALK_ADVANCE] = "advance",
    [WALK_COMPLETE] = "complete",
    [WALK_OPEN_WINDOW] = "open-window",
    [WALK_CLOSE_WINDOW] = "close-window",
    [WALK_REPLAN] = "replan",
    [WALK_PAUSE] = "pause",
    [WALK_HOLD] = "hold",
    [WALK_RESUME] = "resume",
    [WALK_APPROVE] = "approve",
    [WALK_STEP_BACK] = "step-back",
    [WALK_ROLLBACK] = "rollback",
    [WALK_KILL] = "kill",
    [WALK_UNKILL] = "unkill",
};

static const char *const verb_names[VERB_COUNT] = {
    [VERB_START] = "start",         [VERB_PAUSE] = "pause",       [VERB_RESUME] = "resume",
    [VERB_ADVANCE] = "advance",     [VERB_APPROVE] = "approve",   [VERB_HALT] = "halt",
    [VERB_STEP_BACK] = "step-back", [VERB_ROLLBACK] = "rollback", [VERB_KILL] = "kill",
    [VERB_UNKILL] = "unkill",       [VERB_UNPIN] = "unpin",
};

static const char *const cause_names[] = {
    [WAIT_START] = "start",   [WAIT_CALENDAR] = "calendar",   [WAIT_RAMP] = "ramp",
    [WAIT_BAKE] = "bake",     [WAIT_APPROVALS] = "approvals", [WAIT_METRIC] = "metric",
    [WAIT_SAMPLE] = "sample", [WAIT_FRESH] = "fresh",         [WAIT_HOLD] = "hold",
    [WAIT_CLOCK] = "clock",   [WAIT_TARGETS] = "targets",     [WAIT_PLAN] = "plan",
    [WAIT_COURSE] = "course", [WAIT_PERSON] = "person",
};

const char *walk_verdict_name(enum walk_verdict verdict)
{
    return verdict_names[verdict];
}

const char *walk_kind_name(enum walk_kind kind)
{
    return kind_names[kind];
}

const char *walk_verb_name(enum walk_verb_kind verb)
{
    return verb_names[verb];
}

const char *walk_cause_name(enum walk_cause cause)
{
    return cause_names[cause];
}

bool walk_verdict_parse(struct text name, enum walk_verdict *verdict)
{
    for (size_t i = 0; i < COUNT_OF(verdict_names); i++) {
        if (text_is(name, verdict_names[i])) {
            *verdict = (enum walk_verdict)i;
            return true;
        }
    }
    return false;
}

bool walk_verb_parse(struct text name, enum walk_verb_kind *verb)
{
    for (size_t i = 0; i < COUNT_OF(verb_names); i++) {
        if (text_is(name, verb_names[i])) {
            *verb = (enum walk_verb_kind)i;
            return true;
        }
    }
    return false;
}

/* --- reasons --------------------------------------------------------------------------------- */

#define WORDS_MAX 400

static struct text format_words(struct walk *walk, const char *format, va_list arguments)
{
    char words[WORDS_MAX];
    struct text copy = {0};
    int length = vsnprintf(words, sizeof words, format, arguments);
    if (length < 0 || !arena_copy(walk->arena, text_of(words), &copy))
        walk->failed = true;
    return copy;
}

struct text walk_format(struct walk *walk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct text words = format_words(walk, format, arguments);
    va_end(arguments);
    return words;
}

bool walk_wait(struct walk *walk, enum walk_cause cause, int64_t until, const char *format, ...)
{
    struct walk_decision *out = walk->out;
    va_list arguments;
    if (!out->reasons)
        out->reasons = ARENA_ARRAY(walk->arena, struct walk_reason, WALK_REASONS_MAX);
    if (!out->reasons) {
        walk->failed = true;
        return false;
    }
    if (out->reason_count == WALK_REASONS_MAX)
        return false;
    va_start(arguments, format);
    struct text words = format_words(walk, format, arguments);
    va_end(arguments);
    out->reasons[out->reason_count++] =
        (struct walk_reason){.cause = cause, .words = words, .until = until};
    return false;
}

void walk_period(int64_t seconds, char out[WALK_PERIOD_SIZE])
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;
    if (seconds < 0)
        seconds = 0;
    while (i + 1 < COUNT_OF(units) && seconds < units[i].seconds)
        i++;
    int64_t large = seconds / units[i].seconds, rest = seconds % units[i].seconds;
    int64_t small = i + 1 < COUNT_OF(units) ? rest / units[i + 1].seconds : 0;
    if (small)
        snprintf(out, WALK_PERIOD_SIZE, "%lld%c %lld%c", (long long)large, units[i].letter,
                 (long long)small, units[i + 1].letter);
    else
        snprintf(out, WALK_PERIOD_SIZE, "%lld%c", (long long)large, units[i].letter);
}

void walk_moment(const struct walk *walk, int64_t instant, char out[WALK_MOMENT_SIZE])
{
    static const char days[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const struct zone *zone = walk->task->zone ? walk->task->zone : zone_utc();
    struct zone_time time = zone_local(zone, instant);
    if (instant - walk->task->now < INT64_C(6) * SECONDS_PER_DAY)
        snprintf(out, WALK_MOMENT_SIZE, "%s %02d:%02d", days[time.weekday], time.hour, time.minute);
    else
        snprintf(out, WALK_MOMENT_SIZE, "%04d-%02d-%02d %02d:%02d", (int)time.date.year,
                 time.date.month, time.date.day, time.hour, time.minute);
}
