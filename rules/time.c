/* RFC 3339 into seconds since 1970. */
#include "civil.h"
#include "definitions.h"

static bool digits(struct text text, size_t at, size_t count, int *out)
{
    *out = 0;
    if (at + count > text.length)
        return false;
    for (size_t i = at; i < at + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return true;
}

static bool read_date(struct text text, int64_t *seconds)
{
    int year, month, day;
    if (!digits(text, 0, 4, &year) || !digits(text, 5, 2, &month) || !digits(text, 8, 2, &day) ||
        text.data[4] != '-' || text.data[7] != '-' || month < 1 || month > 12 || day < 1)
        return false;
    if (day > days_of_month(year, month))
        return false;
    *seconds = days_from_civil(year, month, day) * 86400;
    return true;
}

static bool read_offset(struct text text, size_t at, int64_t *seconds)
{
    int hours, minutes;
    if (at + 1 == text.length && (text.data[at] == 'Z' || text.data[at] == 'z')) {
        *seconds = 0;
        return true;
    }
    if (at + 6 != text.length || (text.data[at] != '+' && text.data[at] != '-') ||
        text.data[at + 3] != ':' || !digits(text, at + 1, 2, &hours) ||
        !digits(text, at + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * 60;
    if (text.data[at] == '-')
        *seconds = -*seconds;
    return true;
}

bool time_parse(struct text text, int64_t *out)
{
    int hour, minute, second;
    int64_t date, offset;
    if (text.length < 10 || text.length > 40 || !read_date(text, &date))
        return false;
    if (text.length == 10) {
        *out = date;
        return true;
    }
    if (text.length < 20 || (text.data[10] != 'T' && text.data[10] != 't') ||
        text.data[13] != ':' || text.data[16] != ':' || !digits(text, 11, 2, &hour) ||
        !digits(text, 14, 2, &minute) || !digits(text, 17, 2, &second) || hour > 23 ||
        minute > 59 || second > 59)
        return false;
    size_t at = 19;
    if (text.data[at] == '.') {
        at++;
        size_t first = at;
        while (at < text.length && text.data[at] >= '0' && text.data[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    if (at >= text.length || !read_offset(text, at, &offset))
        return false;
    *out = date + (hour * 60 + minute) * 60 + second - offset;
    return true;
}
