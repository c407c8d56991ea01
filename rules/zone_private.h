/* zone_private.h - what a zone is made of; shared by zone*.c. */
#ifndef WEIR_ZONE_PRIVATE_H
#define WEIR_ZONE_PRIVATE_H

#include "zone.h"

/* The day of a year on which clocks change, as POSIX writes it. */
enum rule_day {
    RULE_JULIAN,     /* Jn: 1…365, 29 February is never counted */
    RULE_ZERO_BASED, /* n: 0…365, 29 February is counted */
    RULE_WEEKDAY,    /* Mm.w.d: the w-th weekday d of month m, the last one where w is 5 */
};
struct rule_change {
    enum rule_day kind;
    int day, week, month; /* the day of RULE_WEEKDAY is 0 for Sunday */
    int32_t time;         /* local seconds after midnight, ±167:59:59 */
};

/* The TZ string: what holds after the last listed change. */
struct zone_rule {
    bool present, has_daylight;
    int32_t standard, daylight;    /* offsets */
    struct rule_change start, end; /* of daylight time; in the time that stands before them */
};

struct zone_change {
    int64_t at;
    int32_t offset; /* from then on */
};

struct zone {
    struct zone_rule rule;
    int32_t first_offset;    /* before the first change */
    int32_t lowest, highest; /* of all offsets */
    size_t count;            /* of changes, ascending */
    struct zone_change changes[];
};

/* zone_rule.c: reads a TZ string; false where it is none. */
bool zone_rule_read(struct text text, struct zone_rule *out);
/* The stretch that a present rule gives for an instant. */
struct zone_span zone_rule_span(const struct zone_rule *rule, int64_t instant);

#endif
