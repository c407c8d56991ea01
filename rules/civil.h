/* civil.h - days of the proleptic Gregorian calendar as numbers, and back.
 *
 * Formulas: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#ifndef WEIR_CIVIL_H
#define WEIR_CIVIL_H

#include "base.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_WEEK 7

struct civil_date {
    int64_t year;
    int month, day; /* 1…12, 1…31 */
};

/* Divides downwards, also below zero. */
static inline int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline bool is_leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* `month` is 1…12. */
static inline int days_of_month(int64_t year, int month)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month - 1] + (month == 2 && is_leap_year(year));
}

/* Days from 1970-01-01. Years of up to ten digits do not overflow. */
static inline int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_divide(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static inline struct civil_date civil_from_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = floor_divide(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153; /* 0 is March */
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    return (struct civil_date){year_of_era + era * 400 + (month <= 2), month,
                               (int)(day_of_year - (153 * shifted + 2) / 5 + 1)};
}

/* 0 is Monday: 1970-01-01 was a Thursday. */
static inline int weekday_of_day(int64_t days)
{
    return (int)(days + 3 - floor_divide(days + 3, DAYS_PER_WEEK) * DAYS_PER_WEEK);
}

#endif
