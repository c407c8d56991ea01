/* judge_line.h - the reasons of judgements: numbers as people want to read them, in one line. For
 * judge*.c alone. */
#ifndef WEIR_JUDGE_LINE_H
#define WEIR_JUDGE_LINE_H

#include "judge.h"

/* Empties the judgement but for its verdict and numbers. */
void judge_begin(struct judgement *judgement, enum verdict verdict, double value, double n);
void judge_say(struct judgement *judgement, const char *words);
/* Exactly. */
void judge_say_exactly(struct judgement *judgement, double number);
/* In four digits, unless that would put it on the other side of `beside` or make it equal. */
void judge_say_number(struct judgement *judgement, double number, double beside);
/* ", n=5120" */
void judge_say_sample(struct judgement *judgement, double n);
/* ", ln E=12.3 >= 2.996" */
void judge_say_evidence(struct judgement *judgement, const struct evidence *evidence,
                        enum evidence_side side);

#endif
