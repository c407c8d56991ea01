/* Words and numbers into a line that cannot overflow. */
#include "judge_line.h"

#include <math.h>

#include "json.h"

void judge_begin(struct judgement *judgement, enum verdict verdict, double value, double n)
{
    *judgement = (struct judgement){.verdict = verdict, .value = value, .n = n};
}

static void say(struct judgement *judgement, const char *bytes, size_t length)
{
    size_t used = strlen(judgement->reason), room = sizeof judgement->reason - used - 1;
    length = length < room ? length : room;
    memcpy(judgement->reason + used, bytes, length);
    judgement->reason[used + length] = 0;
}

void judge_say(struct judgement *judgement, const char *words)
{
    say(judgement, words, strlen(words));
}

void judge_say_exactly(struct judgement *judgement, double number)
{
    char spelled[NUMBER_TEXT_SIZE];
    size_t length = number_format(number, spelled);
    say(judgement, spelled, length);
}

/* Four digits. Numbers too near to the ends of what doubles hold stay as they are. */
static double rounded(double number)
{
    double size = fabs(number);
    if (!(size > 1e-290 && size < 1e290))
        return number;
    double exponent = floor(log10(size)) - 3;
    if (exponent >= 0)
        return round(number / pow(10, exponent)) * pow(10, exponent);
    return round(number * pow(10, -exponent)) / pow(10, -exponent);
}

void judge_say_number(struct judgement *judgement, double number, double beside)
{
    double shorter = rounded(number);
    bool same = (shorter > beside) == (number > beside) && (shorter < beside) == (number < beside);
    judge_say_exactly(judgement, same ? shorter : number);
}

void judge_say_sample(struct judgement *judgement, double n)
{
    judge_say(judgement, ", n=");
    judge_say_exactly(judgement, round(n));
}

void judge_say_evidence(struct judgement *judgement, const struct evidence *evidence,
                        enum evidence_side side)
{
    double needed = -log(evidence_level(&evidence->design));
    /* what has decided, or what there is by now */
    bool shown = evidence_shown(evidence, side);
    double weight = shown ? evidence->peak[side] : evidence_now(evidence, side);
    judge_say(judgement, ", ln E=");
    judge_say_number(judgement, weight, needed);
    judge_say(judgement, shown ? " >= " : " < ");
    judge_say_number(judgement, needed, weight);
}
