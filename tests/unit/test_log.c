#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "../../controller/log.h"
#include "../../rules/json.h"

static void format_line(struct buffer *out, enum log_format format, const char *const *pairs,
                        size_t count)
{
    buffer_clear(out);
    log_write(out, format, &(struct log_line){0, LOG_LEVEL_INFO, "served", pairs, count});
}

static void check_line(const char *value, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    const char *const pairs[] = {"key", value};
    format_line(&out, LOG_LOGFMT, pairs, 1);
    struct buffer line;
    buffer_init(&line, 0);
    buffer_printf(&line, "time=1970-01-01T00:00:00Z level=info event=served key=%s\n", expected);
    ck_assert_str_eq(buffer_string(&out), buffer_string(&line));
    buffer_dispose(&out);
    buffer_dispose(&line);
}

START_TEST(test_a_line)
{
    struct buffer out;
    buffer_init(&out, 0);
    const char *const pairs[] = {"commit", "3f9c", "environments", "2"};
    const struct log_line line = {INT64_C(1795383000), LOG_LEVEL_WARN, "served", pairs, 2};
    log_write(&out, LOG_LOGFMT, &line);
    ck_assert_str_eq(buffer_string(&out), "time=2026-11-22T21:30:00Z level=warn event=served "
                                          "commit=3f9c environments=2\n");
    buffer_clear(&out);
    log_write(&out, LOG_JSON, &line);
    ck_assert_str_eq(buffer_string(&out),
                     "{\"time\":\"2026-11-22T21:30:00Z\",\"level\":\"warn\",\"event\":\"served\","
                     "\"commit\":\"3f9c\",\"environments\":\"2\"}\n");
    buffer_dispose(&out);
}
END_TEST

START_TEST(test_values_are_quoted_where_they_must_be)
{
    check_line("plain", "plain");
    check_line("https://host:1/path?x", "https://host:1/path?x");
    check_line("", "\"\"");
    check_line("two words", "\"two words\"");
    check_line("a=b", "\"a=b\"");
    check_line("say \"no\"", "\"say \\\"no\\\"\"");
    check_line("C:\\x", "\"C:\\\\x\"");
    check_line("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
}
END_TEST

START_TEST(test_no_value_forges_a_line)
{
    check_line("x\ntime=1 event=fake", "\"x\\ntime=1 event=fake\"");
    check_line("a\rb\tc", "\"a\\rb\\tc\"");
    check_line("\x1b[2J\x7f\x01", "\"\\u001b[2J\\u007f\\u0001\"");
    check_line("\xc2\x9b"
               "2J",
               "\"\\u009b2J\"");
    check_line("a\xe2\x80\xa8"
               "b",
               "\"a\\u2028b\"");
    check_line("a\xe2\x80\xae"
               "b",
               "\"a\\u202eb\"");
    check_line("a\xe2\x80\x93"
               "b",
               "\"a\xe2\x80\x93"
               "b\"");
    check_line("bad \xff\xc3", "\"bad \\ufffd\\ufffd\"");
}
END_TEST

START_TEST(test_long_values_are_cut)
{
    char *value = malloc(10001);
    ck_assert_ptr_nonnull(value);
    memset(value, 'x', 10000);
    value[10000] = '\0';
    struct buffer out;
    buffer_init(&out, 0);
    const char *const pairs[] = {"key", value, "next", "1"};
    format_line(&out, LOG_LOGFMT, pairs, 2);
    ck_assert_uint_lt(out.length, 4300);
    ck_assert(text_ends_with(buffer_text(&out), TEXT("x\" cut=true next=1\n")));
    format_line(&out, LOG_JSON, pairs, 2);
    ck_assert_uint_lt(out.length, 4300);
    ck_assert(text_ends_with(buffer_text(&out), TEXT("x\",\"next\":\"1\",\"cut\":true}\n")));
    buffer_dispose(&out);
    free(value);
}
END_TEST

/* 32 values of 4 KiB of what grows sixfold: the line ends early, whole and valid. */
START_TEST(test_long_lines_are_cut)
{
    static char value[4097];
    const char *pairs[64];
    struct buffer out;
    buffer_init(&out, 0);
    memset(value, 1, sizeof value - 1);
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        pairs[i] = i % 2 ? value : "key";
    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        format_line(&out, (enum log_format)format, pairs, 32);
        ck_assert_uint_gt(out.length, (size_t)50 << 10);
        ck_assert_uint_lt(out.length, (size_t)66 << 10);
        ck_assert(text_ends_with(buffer_text(&out), format == LOG_JSON ? TEXT(",\"cut\":true}\n")
                                                                       : TEXT(" cut=true\n")));
    }
    buffer_dispose(&out);
}
END_TEST

/* Any bytes give one line of JSON that reads back: each byte before each kind of byte, and cuts
 * everywhere. */
START_TEST(test_json_is_valid_for_any_bytes)
{
    static const unsigned char kinds[] = {0,    1,    '\n', '"',  '\\', 'a',  0x7f, 0x80,
                                          0x9b, 0xa8, 0xbf, 0xc2, 0xe2, 0xed, 0xf0, 0xff};
    const unsigned pair_rounds = 256 * COUNT_OF(kinds);
    struct buffer out;
    char value[8300];
    const char *const pairs[] = {"key", value};
    uint32_t seed = 1;
    buffer_init(&out, 0);
    for (unsigned round = 0; round < pair_rounds + 400; round++) {
        size_t length = 0;
        if (round < pair_rounds) {
            value[length++] = (char)(round / COUNT_OF(kinds));
            value[length++] = (char)kinds[round % COUNT_OF(kinds)];
        } else {
            for (size_t size = 4080 + round % 40; length < size; length++) {
                seed = seed * 1664525u + 1013904223u;
                value[length] = (char)(seed >> 24 ? seed >> 24 : 1);
            }
        }
        value[length] = '\0';
        format_line(&out, LOG_JSON, pairs, 1);
        struct arena arena;
        const struct node *line;
        struct error error;
        arena_init(&arena, 0);
        ck_assert_msg(json_read(&arena, buffer_text(&out), JSON_LIMITS_DEFAULT, &line, &error) ==
                          STATUS_OK,
                      "round %u: %s: %s", round, error.message, buffer_string(&out));
        ck_assert_ptr_eq(memchr(out.data, '\n', out.length), out.data + out.length - 1);
        for (size_t i = 0; i + 1 < out.length; i++)
            assert_each((unsigned char)out.data[i] >= ' ', "round %u, byte %zu", round, i);
        arena_dispose(&arena);
    }
    buffer_dispose(&out);
}
END_TEST

START_TEST(test_names_of_levels_and_formats)
{
    enum log_level level;
    enum log_format format;
    ck_assert(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    ck_assert(log_level_parse("error", &level) && level == LOG_LEVEL_ERROR);
    ck_assert(!log_level_parse("Error", &level) && !log_level_parse("", &level));
    ck_assert(log_format_parse("json", &format) && format == LOG_JSON);
    ck_assert(log_format_parse("logfmt", &format) && format == LOG_LOGFMT);
    ck_assert(!log_format_parse("xml", &format));
}
END_TEST

/* Gives standard error to a pipe while `body` runs; returns what was written. */
static void capture(void (*body)(void), struct buffer *out)
{
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_ge(saved, 0);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    body();
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    char piece[4096];
    ssize_t got;
    while ((got = read(ends[0], piece, sizeof piece)) > 0)
        buffer_append(out, piece, (size_t)got);
    close(ends[0]);
}

static void write_some(void)
{
    log_event(LOG_LEVEL_DEBUG, "unseen", NULL);
    log_event(LOG_LEVEL_INFO, "first", "a", "1", "b", "two words", NULL);
    log_event(LOG_LEVEL_INFO, "ended", "a", (const char *)NULL, "b", "never", NULL);
    log_set_level(LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARN, "unseen", NULL);
    log_event(LOG_LEVEL_ERROR, "last", NULL);
    log_set_level(LOG_LEVEL_INFO);
    log_set_format(LOG_JSON);
    log_event(LOG_LEVEL_INFO, "json", "a", "\"\n", NULL);
    log_set_format(LOG_LOGFMT);
}

START_TEST(test_events_and_levels)
{
    struct buffer out;
    buffer_init(&out, 0);
    capture(write_some, &out);
    const char *text = buffer_string(&out);
    ck_assert_ptr_nonnull(strstr(text, " level=info event=first a=1 b=\"two words\"\n"));
    ck_assert_ptr_nonnull(strstr(text, " event=ended\n"));
    ck_assert_ptr_nonnull(strstr(text, " level=error event=last\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"event\":\"json\",\"a\":\"\\\"\\n\"}\n"));
    ck_assert_ptr_null(strstr(text, "unseen"));
    buffer_dispose(&out);
}
END_TEST

static void *write_many(void *context)
{
    for (int i = 0; i < 100; i++)
        log_event(LOG_LEVEL_INFO, "turn", "thread", (const char *)context, "text", "some words",
                  NULL);
    return NULL;
}

static void write_from_threads(void)
{
    pthread_t threads[4];
    static char names[4][2] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
}

START_TEST(test_lines_of_threads_stay_whole)
{
    struct buffer out;
    buffer_init(&out, 0);
    capture(write_from_threads, &out);
    struct text rest = buffer_text(&out);
    size_t lines = 0;
    while (rest.length) {
        const char *end = memchr(rest.data, '\n', rest.length);
        ck_assert_ptr_nonnull(end);
        struct text line = {rest.data, (size_t)(end - rest.data) + 1};
        ck_assert(text_starts_with(line, TEXT("time=")));
        ck_assert(text_ends_with(line, TEXT(" text=\"some words\"\n")));
        ck_assert_uint_lt(line.length, 100);
        rest = (struct text){end + 1, rest.length - line.length};
        lines++;
    }
    ck_assert_uint_eq(lines, 400);
    buffer_dispose(&out);
}
END_TEST

/* Nobody reads: no thread waits for that, and what was lost is told once somebody does again. */
START_TEST(test_a_log_that_nobody_reads_holds_nobody_up)
{
    int ends[2], saved = dup(STDERR_FILENO);
    char piece[4096], *text = malloc((size_t)1 << 20);
    struct buffer out;
    buffer_init(&out, 0);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', 4000);
    text[4000] = '\0';
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    for (int i = 0; i < 100; i++) /* more than a pipe holds */
        log_event(LOG_LEVEL_INFO, "unread", "text", text, "more", text, NULL);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (read(ends[0], piece, sizeof piece) > 0) {
    }
    log_event(LOG_LEVEL_INFO, "read", NULL);
    log_event(LOG_LEVEL_INFO, "last", NULL);
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0;)
        buffer_append(&out, piece, (size_t)got);
    struct text read = buffer_text(&out);
    const char *told = memmem(read.data, read.length, "event=log_lines_lost count=", 27);
    ck_assert_ptr_nonnull(told);
    unsigned long count = strtoul(told + 27, NULL, 10);
    ck_assert_uint_gt(count, 50);
    ck_assert_uint_lt(count, 100);
    const char *next = strstr(buffer_string(&out), "\ntime=");
    ck_assert_ptr_nonnull(strstr(next, " level=info event=read\n"));
    ck_assert_ptr_nonnull(strstr(next, " level=info event=last\n"));
    close(ends[0]);
    close(ends[1]);
    buffer_dispose(&out);
    free(text);
}
END_TEST

UNIT_MAIN("log", test_a_log_that_nobody_reads_holds_nobody_up, test_a_line,
          test_values_are_quoted_where_they_must_be, test_no_value_forges_a_line,
          test_long_values_are_cut, test_events_and_levels, test_lines_of_threads_stay_whole,
          test_long_lines_are_cut, test_json_is_valid_for_any_bytes,
          test_names_of_levels_and_formats)
