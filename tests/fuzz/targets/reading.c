/* What a source of metrics answered: a line "SOURCE STATUS HOW EXPRESSION" (HOW: letters, b by
 * bucket, t at a time, s in steps), a line "---", the body. It is a number, one a bucket where that
 * was asked for, nothing, or a fault in one line; and the same a second time. */
#include <math.h>
#include <stdlib.h>

#include "../../../controller/metrics/source.h"
#include "../fuzz.h"

/* The next word of the line; empty at its end. */
static struct text next_word(struct text *rest)
{
    const char *end = rest->length ? memchr(rest->data, ' ', rest->length) : NULL;
    struct text word = {rest->data, end ? (size_t)(end - rest->data) : rest->length};
    size_t taken = word.length + (end != NULL);
    *rest = (struct text){rest->data + taken, rest->length - taken};
    return word;
}

static bool has(struct text letters, char letter)
{
    return letters.length && memchr(letters.data, letter, letters.length);
}

static unsigned status_of(struct text word)
{
    unsigned status = 0;
    for (size_t i = 0; i < word.length && i < 3; i++)
        status = status * 10 + (unsigned char)word.data[i] % 10;
    return status;
}

static void check_steps(const struct reading *reading)
{
    bool unknown = isnan(reading->lowest) && isnan(reading->highest);
    FUZZ_CHECK(
        unknown || (reading->lowest <= reading->number && reading->number <= reading->highest),
        "steps from %g to %g, the newest %g", reading->lowest, reading->highest, reading->number);
}

static void check_fault(const struct reading *reading)
{
    size_t length = strnlen(reading->problem, sizeof reading->problem);
    FUZZ_CHECK(length > 0 && length < sizeof reading->problem, "a fault of %zu bytes", length);
    for (size_t i = 0; i < length; i++)
        FUZZ_CHECK(reading->problem[i] >= ' ' && reading->problem[i] <= '~', "not in one line: %s",
                   reading->problem);
}

static void check_reading(const struct question *question, unsigned status,
                          const struct reading *reading)
{
    double sum = 0;
    switch (reading->state) {
    case READING_NOTHING:
        break;
    case READING_NUMBER:
        FUZZ_CHECK(reading->has_steps ==
                       (question->step > 0 && question->source == METRIC_PROMETHEUS),
                   "steps that were not asked for, or none");
        if (reading->has_steps)
            check_steps(reading);
        break;
    case READING_BUCKETED:
        FUZZ_CHECK(question->by_bucket, "buckets that were not asked for");
        for (size_t i = 0; i < EVIDENCE_MOST_BUCKETS; i++)
            sum += reading->buckets[i];
        /* they were added up in the order in which they came */
        FUZZ_CHECK(!isfinite(reading->number) || !isfinite(sum) ||
                       fabs(sum - reading->number) <= 1e-6 * fabs(sum) + 1e300 * 1e-14 ||
                       sum == reading->number,
                   "%g are in buckets of %g", reading->number, sum);
        break;
    case READING_FAULT:
        check_fault(reading);
        break;
    }
    FUZZ_CHECK(status == 200 || reading->state == READING_FAULT, "a number of an answer %u",
               status);
}

static bool is_same(const struct reading *a, const struct reading *b)
{
    return a->state == b->state && a->has_steps == b->has_steps &&
           memcmp(&a->number, &b->number, sizeof a->number) == 0 &&
           memcmp(&a->lowest, &b->lowest, sizeof a->lowest) == 0 &&
           memcmp(&a->highest, &b->highest, sizeof a->highest) == 0 &&
           memcmp(a->buckets, b->buckets, sizeof a->buckets) == 0 &&
           memcmp(a->problem, b->problem, sizeof a->problem) == 0;
}

/* A request whose expression cannot end a URL or a form. */
static void check_request(const struct question *question)
{
    struct buffer url, body;
    struct error error = {0};
    buffer_init(&url, 0);
    buffer_init(&body, 0);
    const struct metric_driver *driver = metric_driver(question->source);
    FUZZ_CHECK(driver->request(question, &url, &body, &error) == STATUS_OK, "no request: %s",
               error.message);
    for (size_t i = 0; i < body.length; i++)
        FUZZ_CHECK(body.data[i] > ' ' && body.data[i] <= '~', "a body with %02x",
                   (unsigned char)body.data[i]);
    buffer_dispose(&url);
    buffer_dispose(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts;
    struct reading reading = {.state = READING_FAULT}, again = {.state = READING_FAULT};
    fuzz_split(data, size, &parts);
    struct text line = parts.first, source = next_word(&line);
    unsigned status = status_of(next_word(&line));
    struct text how = next_word(&line);
    struct question question = {
        .source = text_is(source, "http") ? METRIC_HTTP : METRIC_PROMETHEUS,
        .address = TEXT("http://127.0.0.1:9090"),
        .expression = line,
        .by_bucket = has(how, 'b'),
        .at = has(how, 't') || has(how, 's') ? FUZZ_NOW : 0,
        .step = has(how, 's') ? 15 : 0,
        .from = has(how, 's') ? FUZZ_NOW - 300 : 0,
    };
    const struct metric_driver *driver = metric_driver(question.source);
    driver->read(&question, status, parts.second, FUZZ_NOW, &reading);
    check_reading(&question, status, &reading);
    driver->read(&question, status, parts.second, FUZZ_NOW, &again);
    FUZZ_CHECK(is_same(&reading, &again), "the second time another reading");
    check_request(&question);
    fuzz_parts_dispose(&parts);
    return 0;
}
