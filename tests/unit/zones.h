/* zones.h - zones for tests: from the system's files, or built byte by byte; and the C library's
 * own zone functions, which are the oracle. */
#ifndef WEIR_TESTS_ZONES_H
#define WEIR_TESTS_ZONES_H

#include <time.h>

#include "folders.h"

#include "../../controller/zone_files.h"
#include "../../rules/definitions.h"

/* The zone of that name, and the C library told of it too. */
SHARED const struct zone *zone_named(struct zone_files *files, const char *name)
{
    const struct zone *zone;
    struct error error = {0};
    ck_assert_msg(zone_files_find(files, text_of(name), &zone, &error) == STATUS_OK, "%s",
                  error.message);
    ck_assert_int_eq(setenv("TZ", name, 1), 0);
    tzset();
    return zone;
}

/* Local seconds at an instant, as the C library has them. */
SHARED int64_t local_by_libc(int64_t instant)
{
    struct tm parts;
    time_t time = (time_t)instant;
    assert_each(localtime_r(&time, &parts), "%lld", (long long)instant);
    return instant + parts.tm_gmtoff;
}

/* "2026-03-29T01:00:00Z" or any other instant that time_parse() reads. */
SHARED int64_t at(const char *text)
{
    int64_t seconds;
    ck_assert_msg(time_parse(text_of(text), &seconds), "%s", text);
    return seconds;
}

/* Random numbers that are the same everywhere. Steele, Lea, Flood, "Fast splittable pseudorandom
 * number generators" (SplitMix64). */
SHARED uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* From `low` up to and with `high`. */
SHARED int64_t draw_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(draw(state) % (uint64_t)(high - low + 1));
}

/* --- files built by hand --------------------------------------------------------------------- */

SHARED void put_u32(struct buffer *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_char(out, (char)(number >> shift & 0xff));
}

/* A header with the counts of changes, types, characters and leap seconds. */
SHARED void put_header(struct buffer *out, char version, uint32_t changes, uint32_t types,
                       uint32_t characters, uint32_t leaps)
{
    buffer_append(out, "TZif", 4);
    buffer_append_char(out, version);
    for (int i = 0; i < 15; i++)
        buffer_append_char(out, 0);
    put_u32(out, 0);
    put_u32(out, 0);
    put_u32(out, leaps);
    put_u32(out, changes);
    put_u32(out, types);
    put_u32(out, characters);
}

/* A file of version 3 with one type, no change, and this TZ string. */
SHARED void put_footer_file(struct buffer *out, const char *rule)
{
    put_header(out, '3', 0, 1, 4, 0);
    buffer_append(out, "\0\0\0\0\0\0UTC\0", 10);
    put_header(out, '3', 0, 1, 4, 0);
    buffer_append(out, "\0\0\0\0\0\0UTC\0", 10);
    buffer_printf(out, "\n%s\n", rule);
}

SHARED struct zone *zone_of_rule(const char *rule)
{
    struct buffer bytes;
    struct error error = {0};
    struct zone *zone;
    buffer_init(&bytes, 0);
    put_footer_file(&bytes, rule);
    ck_assert_int_eq(bytes.failed, STATUS_OK);
    ck_assert_msg(zone_read(buffer_text(&bytes), &zone, &error) == STATUS_OK, "%s: %s", rule,
                  error.message);
    buffer_dispose(&bytes);
    return zone;
}

#endif
