/* Error budgets, and how fast they burn. */
#include <math.h>

#include "judge_line.h"

enum status burn_rate_check(const struct burn_rate *burn, struct error *error)
{
    if (!(burn->objective > 0 && burn->objective < 1))
        return error_set(error, STATUS_INVALID,
                         "an objective lies between 0 and 1, both excluded, as 0.999");
    if (burn->count == 0 || burn->count > BURN_MOST_WINDOWS)
        return error_set(error, STATUS_INVALID, "1 to %d windows are expected", BURN_MOST_WINDOWS);
    if (!(burn->minimum_sample >= 0) || isinf(burn->minimum_sample))
        return error_set(error, STATUS_INVALID, "the minimum sample is a number of units");
    for (size_t i = 0; i < burn->count; i++) {
        const struct burn_window *window = &burn->windows[i];
        if (window->short_span <= 0 || window->short_span >= window->span)
            return error_set(error, STATUS_INVALID,
                             "window %zu: the short span is to be shorter than the long one",
                             i + 1);
        /* every event bad burns at 1/(1 - objective): more can never be reached */
        if (!(window->factor > 0 && window->factor * (1 - burn->objective) < 1))
            return error_set(error, STATUS_INVALID,
                             "window %zu: a factor of %g is never reached with an objective of %g",
                             i + 1, window->factor, burn->objective);
    }
    return STATUS_OK;
}

/* The burn rate of one window, or false and the judgement. */
static bool burn_of(const struct burn_rate *burn, const struct counts *counts, double *rate,
                    double *n, struct judgement *judgement)
{
    struct sample sample;
    if (!judge_counts(counts, &sample, judgement))
        return false;
    *rate = sample.sum / sample.n / (1 - burn->objective);
    *n = sample.n;
    return true;
}

static void judge_pair(const struct burn_rate *burn, const struct burn_window *window,
                       const struct counts *span, const struct counts *shorter,
                       struct judgement *judgement)
{
    double slow, fast, n, few;
    if (!burn_of(burn, span, &slow, &n, judgement) ||
        !burn_of(burn, shorter, &fast, &few, judgement))
        return;
    if (n < burn->minimum_sample) {
        judge_begin(judgement, VERDICT_NO_DATA, slow, n);
        judge_say(judgement, "n=");
        judge_say_exactly(judgement, floor(n));
        judge_say(judgement, ", at least ");
        judge_say_exactly(judgement, burn->minimum_sample);
        judge_say(judgement, " wanted");
        return;
    }
    bool fires = slow > window->factor && fast > window->factor;
    judge_begin(judgement, fires ? VERDICT_FAILURE : VERDICT_SUCCESS, slow, n);
    judge_say(judgement, "burn rate ");
    judge_say_number(judgement, slow, window->factor);
    judge_say(judgement, " and ");
    judge_say_number(judgement, fast, window->factor);
    judge_say(judgement, fires ? " > " : ", not both > ");
    judge_say_exactly(judgement, window->factor);
    judge_say_sample(judgement, n);
}

void judge_burn(const struct burn_rate *burn, const struct counts *spans,
                const struct counts *shorts, struct judgement *judgement)
{
    struct error error;
    if (burn_rate_check(burn, &error) != STATUS_OK) {
        judge_refusal(&error, judgement);
        return;
    }
    for (size_t i = 0; i < burn->count; i++) {
        struct judgement pair;
        judge_pair(burn, &burn->windows[i], &spans[i], &shorts[i], &pair);
        if (i == 0 || pair.verdict > judgement->verdict)
            *judgement = pair;
    }
}
