#include "telemetry.h"

#include <pthread.h>

#define SERIES_MAX 10000

struct record {
    struct series series; /* first and never moved: callers keep pointers to it */
    const struct family_description *family;
    char *values[2];
    bool forgotten; /* not printed until it is asked for again */
};

struct telemetry {
    pthread_mutex_t lock;
    struct record **records; /* sorted by family name, then by label values */
    size_t count, size;
    struct series spare; /* takes what cannot have a series of its own */
};

struct telemetry *telemetry_new(void)
{
    struct telemetry *telemetry = calloc(1, sizeof *telemetry);
    if (telemetry && pthread_mutex_init(&telemetry->lock, NULL) != 0) {
        free(telemetry);
        return NULL;
    }
    return telemetry;
}

static void record_free(struct record *record)
{
    free(record->values[0]);
    free(record->values[1]);
    free(record);
}

void telemetry_free(struct telemetry *telemetry)
{
    if (!telemetry)
        return;
    for (size_t i = 0; i < telemetry->count; i++)
        record_free(telemetry->records[i]);
    free(telemetry->records);
    pthread_mutex_destroy(&telemetry->lock);
    free(telemetry);
}

static const char *or_empty(const char *value)
{
    return value ? value : "";
}

static int compare_to(const struct record *record, const struct family_description *family,
                      const char *const values[2])
{
    int order = strcmp(record->family->name, family->name);
    for (size_t i = 0; order == 0 && i < COUNT_OF(family->labels) && family->labels[i]; i++)
        order = strcmp(or_empty(record->values[i]), or_empty(values[i]));
    return order;
}

/* True when there is such a record; either way *position is where it is or belongs. */
static bool find(const struct telemetry *telemetry, const struct family_description *family,
                 const char *const values[2], size_t *position)
{
    size_t low = 0, high = telemetry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_to(telemetry->records[middle], family, values);
        if (order == 0) {
            *position = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *position = low;
    return false;
}

static struct record *record_new(const struct family_description *family,
                                 const char *const values[2])
{
    struct record *record = calloc(1, sizeof *record);
    if (!record)
        return NULL;
    record->family = family;
    for (size_t i = 0; i < COUNT_OF(family->labels) && family->labels[i]; i++) {
        record->values[i] = strdup(or_empty(values[i]));
        if (!record->values[i]) {
            record_free(record);
            return NULL;
        }
    }
    return record;
}

static bool make_room(struct telemetry *telemetry)
{
    if (telemetry->count >= SERIES_MAX)
        return false;
    if (telemetry->count < telemetry->size)
        return true;
    size_t size = telemetry->size ? telemetry->size * 2 : 64;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers: records never move */
    struct record **records = realloc(telemetry->records, size * sizeof *records);
    if (!records)
        return false;
    telemetry->records = records;
    telemetry->size = size;
    return true;
}

static struct series *series_at(struct telemetry *telemetry,
                                const struct family_description *family,
                                const char *const values[2])
{
    size_t position;
    if (find(telemetry, family, values, &position)) {
        struct record *record = telemetry->records[position];
        if (record->forgotten) {
            record->forgotten = false;
            series_set(&record->series, 0);
        }
        return &record->series;
    }
    if (!make_room(telemetry))
        return &telemetry->spare;
    struct record *record = record_new(family, values);
    if (!record)
        return &telemetry->spare;
    struct record **at = telemetry->records + position;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the pointers move */
    memmove(at + 1, at, (telemetry->count - position) * sizeof *at);
    *at = record;
    telemetry->count++;
    return &record->series;
}

struct series *telemetry_series(struct telemetry *telemetry,
                                const struct family_description *family, const char *value1,
                                const char *value2)
{
    pthread_mutex_lock(&telemetry->lock);
    struct series *series = series_at(telemetry, family, (const char *const[]){value1, value2});
    pthread_mutex_unlock(&telemetry->lock);
    return series;
}

void telemetry_forget(struct telemetry *telemetry, const struct family_description *family,
                      const char *value1, const char *value2)
{
    size_t position;
    pthread_mutex_lock(&telemetry->lock);
    if (find(telemetry, family, (const char *const[]){value1, value2}, &position))
        telemetry->records[position]->forgotten = true;
    pthread_mutex_unlock(&telemetry->lock);
}

/* --- the text form --------------------------------------------------------------------------- */

/* Help texts escape backslash and line feed; label values the double quote as well. */
static void write_escaped(struct buffer *out, const char *string, bool quote)
{
    for (const char *c = string; *c; c++) {
        if (*c == '\n')
            buffer_append_string(out, "\\n");
        else if (*c == '\\' || (quote && *c == '"'))
            buffer_append(out, (const char[]){'\\', *c}, 2);
        else
            buffer_append_char(out, *c);
    }
}

/* A number of 10^-9 without going through a double, which would lose digits after 104 days. */
static void write_nanos(struct buffer *out, uint64_t number)
{
    buffer_append_u64(out, number / 1000000000);
    unsigned fraction = (unsigned)(number % 1000000000);
    if (fraction == 0)
        return;
    int digits = 9;
    for (; fraction % 10 == 0; fraction /= 10)
        digits--;
    buffer_printf(out, ".%0*u", digits, fraction);
}

static void write_value(struct buffer *out, int64_t value, double scale)
{
    uint64_t number = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (scale != 1 && scale != 1e-9) {
        buffer_printf(out, "%.17g", (double)value * scale);
        return;
    }
    if (value < 0)
        buffer_append_char(out, '-');
    if (scale == 1)
        buffer_append_u64(out, number);
    else
        write_nanos(out, number);
}

static void write_head(struct buffer *out, const struct family_description *family)
{
    buffer_append_string(out, "# HELP ");
    buffer_append_string(out, family->name);
    buffer_append_char(out, ' ');
    write_escaped(out, family->help, false);
    buffer_append_string(out, "\n# TYPE ");
    buffer_append_string(out, family->name);
    buffer_append_string(out, family->type == FAMILY_COUNTER ? " counter\n" : " gauge\n");
}

static void write_series(struct buffer *out, const struct record *record)
{
    const struct family_description *family = record->family;
    buffer_append_string(out, family->name);
    for (size_t i = 0; i < COUNT_OF(family->labels) && family->labels[i]; i++) {
        buffer_append_char(out, i == 0 ? '{' : ',');
        buffer_append_string(out, family->labels[i]);
        buffer_append_string(out, "=\"");
        write_escaped(out, record->values[i], true);
        buffer_append_char(out, '"');
    }
    if (family->labels[0])
        buffer_append_char(out, '}');
    buffer_append_char(out, ' ');
    write_value(out, atomic_load_explicit(&record->series.value, memory_order_relaxed),
                family->scale);
    buffer_append_char(out, '\n');
}

void telemetry_write(struct telemetry *telemetry, struct buffer *out)
{
    const struct family_description *family = NULL;
    pthread_mutex_lock(&telemetry->lock);
    for (size_t i = 0; i < telemetry->count; i++) {
        const struct record *record = telemetry->records[i];
        if (record->forgotten)
            continue;
        if (!family || strcmp(family->name, record->family->name) != 0)
            write_head(out, record->family);
        family = record->family;
        write_series(out, record);
    }
    pthread_mutex_unlock(&telemetry->lock);
}
