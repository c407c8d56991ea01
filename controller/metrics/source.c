#include "source.h"

#include <stdarg.h>
#include <stdio.h>

#include "../outward/http_url.h"

const struct metric_driver *metric_driver(enum metric_source source)
{
    static const struct metric_driver *const drivers[SOURCES] = {
        [METRIC_PROMETHEUS] = &metric_source_prometheus,
        [METRIC_HTTP] = &metric_source_http,
    };
    return (size_t)source < COUNT_OF(drivers) ? drivers[source] : &metric_source_http;
}

void reading_fail(struct reading *out, const char *format, ...)
{
    va_list arguments;
    char words[SOURCE_PROBLEM_SIZE];
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    *out = (struct reading){.state = READING_FAULT};
    /* Some of it is the answer's. */
    http_clean(text_of(words), out->problem, sizeof out->problem);
}

void reading_fail_status(struct reading *out, unsigned status, struct text body)
{
    int length = body.length < 80 ? (int)body.length : 80;
    reading_fail(out, "answered %u%s%.*s", status, length ? ": " : "", length,
                 length ? body.data : "");
}

bool reading_put_bucket(struct reading *out, struct text name, double number, uint64_t *seen)
{
    size_t bucket = 0;
    if (name.length == 0 || name.length > 2 || (name.length == 2 && name.data[0] == '0'))
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
        bucket = bucket * 10 + (size_t)(name.data[i] - '0');
    }
    if (bucket >= EVIDENCE_MOST_BUCKETS || (*seen >> bucket & 1))
        return false;
    *seen |= UINT64_C(1) << bucket;
    out->buckets[bucket] = number;
    out->number += number;
    return true;
}
