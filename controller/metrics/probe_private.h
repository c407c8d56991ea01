/* probe_private.h - what the parts of a probe share: probe.c lives, probe_plan.c asks,
 * probe_judge.c and
 * probe_evidence.c judge, probe_text.c keeps. */
#ifndef WEIR_METRICS_PROBE_PRIVATE_H
#define WEIR_METRICS_PROBE_PRIVATE_H

#include <stdio.h>
#include <stdlib.h>

#include "../clock.h"
#include "probe.h"

/* A clock that is set back by less is waited for: a second shall not be counted twice. */
#define PROBE_CLOCK_SLACK (SOURCE_CLOCK_SLACK * NANOSECONDS_PER_SECOND)

/* How a metric is judged. */
enum probe_way probe_way(const struct metric *metric);
/* The limits of a rate that it can be beyond. */
void probe_limits(const struct metric *metric, struct evidence_design *design);
/* Whether there are two arms of everybody: some are exposed, some are not. */
bool probe_compares(const struct probe *probe, int64_t seconds);
/* Where windows begin, in seconds: data from before is not of this phase. */
int64_t probe_start(const struct probe *probe);
bool probe_window_is_short(const struct probe *probe, const struct probe_span *span);

/* Begins the bake's coverage where the state says, unless it began there already. */
void probe_cover(struct probe *probe);
/* Counts a measurement towards the limits and the bake. */
void probe_add(struct probe *probe, const struct measurement *measurement);
/* A new phase begins: the evidence of the last is multiplied on with its next look. */
void probe_begin_phase(struct probe *probe);

/* --- judging --------------------------------------------------------------------------------- */

/* What came in, by span, arm and part. */
struct take {
    struct probe *probe;
    const struct probe_plan *plan;
    const struct reading *readings;
    const struct reading *control; /* or NULL */
    int64_t now;
    struct judgement judgement;
    double n[ARM_COUNT]; /* units of the newest span; 0: none */
};

void take_say(struct judgement *out, enum verdict verdict, const char *words);
const struct reading *take_reading(const struct take *take, size_t span, size_t arm, size_t part);
/* Of one span and arm, all buckets together. */
struct counts take_counts(const struct take *take, size_t span, size_t arm);
/* The numerator, where extrapolation alone makes it larger than the denominator. */
double take_clamp(const struct probe *probe, double numerator, double denominator);
/* They as a sample, by the metric's type; false and the judgement where they are none. */
bool take_sample(const struct take *take, const struct counts *counts, struct sample *out,
                 struct judgement *judgement);
/* Without control only whether the variant speaks can be said. */
void take_alone(struct take *take);
void take_rate(struct take *take);
void take_sequential(struct take *take);

#endif
