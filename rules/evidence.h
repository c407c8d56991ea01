/* evidence.h - what a gate has learned so far: an e-value that grows from look to look and from
 * phase to phase, in one struct of plain data.
 *
 * The chance that harmless variants ever reach 1/alpha is at most alpha, however often one looks
 * and however long the rollout takes. That holds because
 * - increments are disjoint in time: a look that overlaps an earlier one, or a counter that went
 *   back, is refused and changes nothing (overlapping windows summed: 74 % false alarms);
 * - each phase has evidence of its own: pooling phases of different shares would compare different
 *   people (Simpson). It is multiplied where each unit counts once, in the first phase that exposed
 *   it. Who comes in every phase by hash bucket or by request shows the same chance each time, and
 *   multiplied that is 13 % false alarms: there each phase is a test of its own, with its part of
 *   alpha (Bonferroni; no independence is asked for);
 * - clustered requests are not units: 37 % false alarms, 20 hash buckets 0.3 %. Bucketed evidence
 *   takes its variance from the differences between buckets, independent units from themselves, and
 *   EVIDENCE_REQUESTS says aloud that it has neither (judge.h then never fails on it).
 *
 * Capital. A product of phases would let harm in the last of ten phases fight all that nine quiet
 * ones have lost. So the stake is laid in parts: phase k brings 1/(k (k + 1)) of it, which is 1
 * over all phases, and what earlier phases have left is multiplied on. Each part is a bet on "harm
 * since phase k", their sum an e-value as any mixture of e-values is, and no phase starts with less
 * than its own part. Rates against a limit do the same a second time within a phase, in rounds of
 * four horizons (half of the stake each), so that ten good days do not hide an hour that is bad.
 *
 * A struct evidence owns nothing, can be copied, and is stored as text (evidence_write) that brings
 * back the same bits. Times are nanoseconds since 1970. Formulas stand in statistics.h
 * and statistics_count.h. */
#ifndef WEIR_EVIDENCE_H
#define WEIR_EVIDENCE_H

#include "buffer.h"
#include "statistics.h"

#define EVIDENCE_LEAST_BUCKETS 20
#define EVIDENCE_MOST_BUCKETS 64
#define EVIDENCE_LEAST_SAMPLE 100  /* units of each arm before a comparison says anything */
#define EVIDENCE_CONCENTRATION 100 /* k of sample ratios */
#define EVIDENCE_ROUND_HORIZONS 4  /* a round of a rate ends after so many horizons */
#define EVIDENCE_MOST_TEXT ((size_t)32 * 1024) /* of evidence_write */

enum evidence_kind {
    EVIDENCE_RATE,        /* the variant's counts against fixed limits */
    EVIDENCE_PROPORTIONS, /* counts of both arms */
    EVIDENCE_MEANS,       /* sums of both arms */
    EVIDENCE_SHARES,      /* units of both arms against the share that each was to have */
};

enum evidence_units {
    EVIDENCE_INDEPENDENT, /* each unit counts once, in the first phase that exposed it */
    EVIDENCE_BUCKETS,     /* counts come by hash bucket of the unit, which comes again */
    EVIDENCE_REQUESTS,    /* neither: nobody knows what belongs to one user */
};

enum evidence_arm { ARM_VARIANT, ARM_CONTROL, ARM_COUNT };

/* What is tested; fixed for the life of the evidence. */
struct evidence_design {
    enum evidence_kind kind;
    enum evidence_units units;
    double alpha;          /* (0, ½): already divided by the number of guardrails */
    double horizon;        /* units of all arms at which it is sharpest; 0: the default */
    bool has_min, has_max; /* RATE: the limits that there are; alpha is shared between them */
    double min, max;       /* RATE: inside (0, 1) */
    double margin; /* comparisons: the harm that is put up with, ≥ 0, in the metric's unit */
    bool decrease_is_harm; /* comparisons: less is worse */
    double minimum_sample; /* comparisons: units of each arm before anything is said; at least
                              EVIDENCE_LEAST_SAMPLE */
};

/* A stake and what became of it, in logarithms. */
struct evidence_capital {
    uint32_t rounds; /* begun so far */
    double stake;    /* at the beginning of this round, of what has been laid down by then */
    double evidence; /* ln E of this round */
};

enum evidence_side { SIDE_ABOVE, SIDE_BELOW, SIDE_COUNT }; /* BELOW: only of a rate's min */

struct evidence {
    struct evidence_design design;
    uint32_t phases;      /* begun so far; 0: nothing may be added */
    double share;         /* SHARES: of the variant, in this phase */
    int64_t since, until; /* of this phase: its start, the end of the newest look */
    uint32_t buckets;     /* of each arm, once the first look has told */
    struct sample total[ARM_COUNT];
    struct sample bucket[ARM_COUNT][EVIDENCE_MOST_BUCKETS];
    struct sample round; /* RATE: the variant's, since the round began */
    struct evidence_capital phase[SIDE_COUNT], recent[SIDE_COUNT];
    double peak[SIDE_COUNT]; /* the greatest ln E ever: harm once shown stays shown */
    /* variant - control in this phase. n is 0 where there is none yet; error 0 where the values of
     * an arm do not vary: such a difference is no evidence. */
    struct estimate estimate;
};

/* One look: what came in [from, until). */
struct evidence_look {
    int64_t from, until;
    size_t count; /* entries of each arm: as many as there are buckets, else 1 */
    /* n units; sum: events among them, or of values; squares: MEANS without buckets. A bucket of
     * MEANS may have a sum and no units: these came in an earlier look. A rate needs no control
     * (NULL). */
    const struct sample *arm[ARM_COUNT];
};

/* Begins with nothing. STATUS_INVALID with words where the design cannot be tested. */
enum status evidence_open(struct evidence *evidence, const struct evidence_design *design,
                          struct error *error) MUST_CHECK;

/* A phase begins: what the last one has shown is multiplied on, counting starts again. `share`: of
 * the variant among both arms (SHARES; others pass 0). STATUS_REFUSED when `since` is before the
 * newest look. */
enum status evidence_begin(struct evidence *evidence, int64_t since, double share,
                           struct error *error) MUST_CHECK;

/* Adds what came in one look. STATUS_INVALID: not finite, negative, more events than units, another
 * number of buckets; STATUS_REFUSED: overlaps an earlier look, or no phase has begun; STATUS_LIMIT:
 * too many. Then nothing has changed. */
enum status evidence_add(struct evidence *evidence, const struct evidence_look *look,
                         struct error *error) MUST_CHECK;

/* The same for counters: `look` holds totals since the phase began, and only what is new is taken.
 * One that went back is STATUS_REFUSED. `from` is the phase's start. */
enum status evidence_add_totals(struct evidence *evidence, const struct evidence_look *look,
                                struct error *error) MUST_CHECK;

/* A clock was ahead, and is right again: what it dated later than `now` is of now, so that looks
 * follow it. What they have shown stays. */
void evidence_set_back(struct evidence *evidence, int64_t now);

/* ln E of now; 0 is none. */
double evidence_now(const struct evidence *evidence, enum evidence_side side);
/* Whether it has ever reached 1/alpha on that side. */
bool evidence_shown(const struct evidence *evidence, enum evidence_side side);
/* The alpha of each side: of a rate with two limits half. */
double evidence_level(const struct evidence_design *design);
/* The lower end of the one-sided confidence sequence (eq. 134) of the harm in this phase, at the
 * design's alpha; comparisons only. STATUS_NOT_FOUND before there is an estimate with an error. */
enum status evidence_low(const struct evidence *evidence, double *out) MUST_CHECK;

/* Appends one line without a line feed, independent of locale and machine. */
void evidence_write(const struct evidence *evidence, struct buffer *out);
/* STATUS_INVALID: not written by evidence_write, or changed since. *out is then as it was. */
enum status evidence_read(struct text text, struct evidence *out, struct error *error) MUST_CHECK;

/* Whether all of it is in its domain (of what was read). */
bool evidence_is_sound(const struct evidence *evidence);

#endif
