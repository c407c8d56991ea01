/* Time zones against the C library's, and files that no zone compiler makes. */
#include "zones.h"

#define FIRST at("1850-01-01")
#define LAST at("2150-01-01")

static struct zone_files files;

/* --- beside the C library -------------------------------------------------------------------- */

static void check_offset(const char *name, const struct zone *zone, int64_t instant)
{
    struct zone_span span = zone_span_at(zone, instant);
    int64_t local = local_by_libc(instant);
    assert_each(instant + span.offset == local, "%s at %lld: offset %d, the C library has %lld",
                name, (long long)instant, span.offset, (long long)(local - instant));
    assert_each(span.from <= instant && instant < span.until, "%s at %lld: not in its stretch",
                name, (long long)instant);
    struct zone_time time = zone_local(zone, instant);
    assert_each(days_from_civil(time.date.year, time.date.month, time.date.day) * SECONDS_PER_DAY +
                        time.hour * 3600 + time.minute * 60 + time.second ==
                    local,
                "%s at %lld: another date or time", name, (long long)instant);
    ck_assert_int_eq(time.weekday, weekday_of_day(floor_divide(local, SECONDS_PER_DAY)));
    ck_assert_int_eq(time.offset, span.offset);
}

/* Each local time at these instants leads back to them, or to one beside them that shows the same.
 */
static void check_back(const char *name, const struct zone *zone, int64_t instant)
{
    int64_t local = local_by_libc(instant), found[2];
    enum zone_fit fit = zone_instants(zone, local, found);
    assert_each(fit != ZONE_NEVER, "%s at %lld: no way back", name, (long long)instant);
    assert_each(found[0] <= instant && instant <= found[1], "%s at %lld: %lld…%lld", name,
                (long long)instant, (long long)found[0], (long long)found[1]);
    assert_each(fit == ZONE_TWICE ? found[0] < found[1] : found[0] == instant, "%s at %lld", name,
                (long long)instant);
    assert_each(local_by_libc(found[0]) == local && local_by_libc(found[1]) == local,
                "%s at %lld: %lld…%lld is another local time", name, (long long)instant,
                (long long)found[0], (long long)found[1]);
}

static void check_zone(const char *name, uint64_t *seed)
{
    const struct zone *zone = zone_named(&files, name);
    unsigned changes = 0;
    for (int64_t t = FIRST; t < LAST;) {
        struct zone_span span = zone_span_at(zone, t);
        check_offset(name, zone, t);
        check_back(name, zone, t);
        if (span.until >= LAST)
            break;
        check_offset(name, zone, span.until - 1);
        check_back(name, zone, span.until - 1);
        ck_assert_int_eq(zone_span_at(zone, span.until).from, span.until);
        t = span.until;
        changes++;
    }
    ck_assert_uint_lt(changes, 1000);
    for (int i = 0; i < 100; i++) {
        int64_t t = draw_between(seed, FIRST, LAST);
        check_offset(name, zone, t);
        check_back(name, zone, t);
    }
}

/* The names in zone1970.tab, with those that are older. */
START_TEST(test_every_zone_is_what_the_c_library_makes_of_it)
{
    static const char *const more[] = {"Africa/Casablanca", "Africa/El_Aaiun", "America/Nuuk",
                                       "Asia/Gaza",         "Etc/GMT+12",      "Europe/Dublin",
                                       "EST5EDT",           "Pacific/Apia",    "Antarctica/Troll"};
    char line[512];
    uint64_t seed = 1;
    unsigned count = 0;
    zone_files_init(&files, NULL);
    FILE *list = fopen(ZONE_FILES_FOLDER "/zone1970.tab", "r");
    ck_assert_ptr_nonnull(list);
    while (fgets(line, sizeof line, list)) {
        char name[65];
        if (line[0] == '#' || sscanf(line, "%*s %*s %64s", name) != 1)
            continue;
        check_zone(name, &seed);
        count++;
    }
    fclose(list);
    ck_assert_uint_gt(count, 300);
    for (size_t i = 0; i < COUNT_OF(more); i++)
        check_zone(more[i], &seed);
    zone_files_dispose(&files);
}
END_TEST

/* Minute by minute around changes: every local minute of some days, sought among all instants. */
START_TEST(test_local_times_around_changes_are_found_as_by_trying_all)
{
    static const struct {
        const char *zone, *from;
    } places[] = {
        {"Europe/Berlin", "2027-03-28"},       {"Europe/Berlin", "2027-10-31"},
        {"America/New_York", "2026-11-01"},    {"Australia/Lord_Howe", "2026-04-05"},
        {"Australia/Lord_Howe", "2026-10-04"}, {"Africa/Casablanca", "2026-02-15"},
        {"Africa/Casablanca", "2026-03-22"},   {"Pacific/Apia", "2011-12-30"},
        {"America/Sao_Paulo", "2018-11-04"},   {"Europe/Berlin", "2045-03-26"},
    };
    enum { DAYS = 5, MINUTES = DAYS * 1440 };
    zone_files_init(&files, NULL);
    for (size_t p = 0; p < COUNT_OF(places); p++) {
        const struct zone *zone = zone_named(&files, places[p].zone);
        int64_t start = at(places[p].from) - 2 * SECONDS_PER_DAY;
        int64_t changes = 0, reached = 0;
        static int64_t first[MINUTES], last[MINUTES], later[MINUTES];
        for (int i = 0; i < MINUTES; i++)
            first[i] = last[i] = later[i] = INT64_MAX;
        for (int64_t t = start - SECONDS_PER_DAY * 2; t < start + (DAYS + 2) * SECONDS_PER_DAY;
             t += 60) {
            int64_t minute = (local_by_libc(t) - start) / 60;
            for (; reached < MINUTES && reached <= minute; reached++)
                later[reached] = t; /* the first instant that shows it, or a later time */
            if (minute < 0 || minute >= MINUTES)
                continue;
            if (first[minute] == INT64_MAX)
                first[minute] = t;
            last[minute] = t;
        }
        for (int i = 0; i < MINUTES; i++) {
            int64_t found[2], local = start + (int64_t)i * 60;
            enum zone_fit fit = zone_instants(zone, local, found);
            bool never = first[i] == INT64_MAX;
            enum zone_fit expected = first[i] == last[i] ? ZONE_ONCE : ZONE_TWICE;
            assert_each(fit == (never ? ZONE_NEVER : expected) &&
                            found[0] == (never ? later[i] : first[i]) &&
                            found[1] == (never ? later[i] : last[i]),
                        "%s, minute %d: fit %d, %lld…%lld", places[p].zone, i, (int)fit,
                        (long long)found[0], (long long)found[1]);
            changes += fit != ZONE_ONCE;
        }
        ck_assert_msg(changes > 0, "%s %s: nothing changes", places[p].zone, places[p].from);
    }
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_a_gap_ends_and_an_overlap_is_twice)
{
    zone_files_init(&files, NULL);
    const struct zone *berlin = zone_named(&files, "Europe/Berlin");
    int64_t found[2];
    ck_assert_int_eq(zone_instants(berlin, at("2027-03-28T02:30:00Z"), found), ZONE_NEVER);
    ck_assert_int_eq(found[0], at("2027-03-28T01:00:00Z"));
    ck_assert_int_eq(found[1], found[0]);
    ck_assert_int_eq(zone_instants(berlin, at("2027-10-31T02:30:00Z"), found), ZONE_TWICE);
    ck_assert_int_eq(found[0], at("2027-10-31T02:30:00+02:00"));
    ck_assert_int_eq(found[1], at("2027-10-31T02:30:00+01:00"));
    ck_assert_int_eq(zone_instants(berlin, at("2027-03-28T03:00:00Z"), found), ZONE_ONCE);
    ck_assert_int_eq(found[0], at("2027-03-28T03:00:00+02:00"));
    /* A day that Samoa left out ends where the next one begins. */
    const struct zone *apia = zone_named(&files, "Pacific/Apia");
    ck_assert_int_eq(zone_instants(apia, at("2011-12-30T12:00:00Z"), found), ZONE_NEVER);
    ck_assert_int_eq(found[0], at("2011-12-31T00:00:00+14:00"));
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_utc_needs_no_file)
{
    const struct zone *zone;
    int64_t found[2];
    zone_files_init(&files, "/nowhere");
    ck_assert_int_eq(zone_files_find(&files, TEXT("UTC"), &zone, NULL), STATUS_OK);
    ck_assert_ptr_eq(zone, zone_utc());
    struct zone_time time = zone_local(zone, at("2028-02-29T23:59:59Z"));
    ck_assert(time.date.year == 2028 && time.date.month == 2 && time.date.day == 29);
    ck_assert(time.weekday == 1 && time.hour == 23 && time.minute == 59 && time.second == 59);
    ck_assert_int_eq(zone_instants(zone, 5, found), ZONE_ONCE);
    ck_assert(found[0] == 5 && found[1] == 5);
    ck_assert_int_eq(zone_span_at(zone, INT64_MAX).until, INT64_MAX);
    ck_assert_int_eq(zone_span_at(zone, INT64_MIN).from, INT64_MIN);
    zone_files_dispose(&files);
}
END_TEST

/* --- TZ strings ------------------------------------------------------------------------------ */

/* Returns the offset, on which both agree. */
static int64_t compare_with_libc(const struct zone *zone, int64_t instant, const char *rule)
{
    int64_t offset = zone_span_at(zone, instant).offset;
    assert_each(instant + offset == local_by_libc(instant), "%s at %lld", rule, (long long)instant);
    return offset;
}

/* Those that glibc's own reader of $TZ takes too are compared with it. */
START_TEST(test_rules_are_what_the_c_library_makes_of_them)
{
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<-03>3",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "EST5EDT,M3.2.0,M11.1.0",
        "XXX-2<+01>-1,J60/0,J300",
        "XXX-2YYY,59/0,300/1:30:15",
        "AAA3BBB2:30,J2/1,J364/20",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "WGT3WGST,M3.5.0/-2,M10.5.0/-1",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone *zone = zone_of_rule(rules[i]);
        uint64_t seed = i;
        ck_assert_int_eq(setenv("TZ", rules[i], 1), 0);
        tzset();
        int64_t before = 0;
        for (int64_t t = at("2024-01-01"); t < at("2033-01-01"); t += 3600) {
            int64_t offset = compare_with_libc(zone, t, rules[i]);
            /* Where it changed, every minute of the hour. */
            for (int64_t m = t - 3600; offset != before && m < t; m += 60)
                compare_with_libc(zone, m, rules[i]);
            before = offset;
        }
        for (int n = 0; n < 1000; n++) {
            int64_t t = draw_between(&seed, at("1970-02-01"), at("2200-01-01"));
            compare_with_libc(zone, t, rules[i]);
        }
        zone_free(zone);
    }
}
END_TEST

/* Daylight time that never ends is an end which meets the next year's start (RFC 9636 3.3.1). */
START_TEST(test_daylight_time_all_the_year_round)
{
    struct zone *zone = zone_of_rule("XXX3EDT4,0/0,J365/23");
    uint64_t seed = 1;
    for (int i = 0; i < 1000; i++) {
        int64_t t = draw_between(&seed, at("1970-01-01"), at("2100-01-01"));
        ck_assert_int_eq(zone_span_at(zone, t).offset, -4 * 3600);
    }
    for (int64_t t = at("2027-01-01") - 86400; t < at("2027-01-02"); t += 60)
        ck_assert_int_eq(zone_span_at(zone, t).offset, -4 * 3600);
    zone_free(zone);
}
END_TEST

/* The last hour of 167 moves a change by a week, over the end of a year. */
START_TEST(test_times_of_a_week)
{
    struct zone *zone = zone_of_rule("AAA0BBB,J1/-167,J365/167");
    /* That of 2027 begins in 2026, and that of 2026 ends in 2027. */
    ck_assert_int_eq(zone_span_at(zone, at("2026-12-25T00:59:59Z")).offset, 0);
    ck_assert_int_eq(zone_span_at(zone, at("2026-12-25T01:00:00Z")).offset, 3600);
    ck_assert_int_eq(zone_span_at(zone, at("2027-01-06T21:59:59Z")).offset, 3600);
    ck_assert_int_eq(zone_span_at(zone, at("2027-01-06T22:00:00Z")).offset, 0);
    ck_assert_int_eq(zone_span_at(zone, at("2027-01-06T22:00:00Z")).until,
                     at("2027-12-25T01:00:00Z"));
    zone_free(zone);
}
END_TEST

START_TEST(test_rules_that_are_none)
{
    static const char *const rules[] = {
        "C1",
        "CET",
        "CET-25",
        "CET-1CEST",
        "<-03",
        "<>3",
        "CET-1CEST,M3.5",
        "CET-1CEST,M13.1.0,M10.5.0",
        "CET1x",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,366,J5",
        "CET-1CEST,J1/168,J5",
        "CET-1CEST,J1,J5/2:60",
        "CET-1CEST,J1,J5,",
        "CET-0001",
        "CET-1CEST,J1",
        "CET:1",
        "CET--1",
        "<CE.T>-1",
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct buffer bytes;
        struct error error = {0};
        struct zone *zone;
        buffer_init(&bytes, 0);
        put_footer_file(&bytes, rules[i]);
        ck_assert_msg(zone_read(buffer_text(&bytes), &zone, &error) == STATUS_INVALID, "%s",
                      rules[i]);
        ck_assert_str_eq(error.message, "time zone file is damaged: its footer is no rule");
        ck_assert_ptr_null(zone);
        buffer_dispose(&bytes);
    }
}
END_TEST

/* --- files ----------------------------------------------------------------------------------- */

static void check_refused(const struct buffer *bytes, const char *message)
{
    struct error error = {0};
    struct zone *zone;
    ck_assert_int_ne(zone_read(buffer_text(bytes), &zone, &error), STATUS_OK);
    ck_assert_ptr_null(zone);
    ck_assert_str_eq(error.message, message);
}

START_TEST(test_a_file_of_version_1)
{
    struct buffer bytes;
    struct zone *zone;
    buffer_init(&bytes, 0);
    put_header(&bytes, 0, 2, 2, 4, 0);
    put_u32(&bytes, (uint32_t)-1000);
    put_u32(&bytes, 1000);
    buffer_append(&bytes, "\1\0", 2);
    put_u32(&bytes, 3600);
    buffer_append(&bytes, "\0\0", 2);
    put_u32(&bytes, (uint32_t)-7200);
    buffer_append(&bytes, "\1\0", 2);
    buffer_append(&bytes, "ABC", 4);
    ck_assert_int_eq(zone_read(buffer_text(&bytes), &zone, NULL), STATUS_OK);
    ck_assert_int_eq(zone_span_at(zone, -1001).offset, 3600);
    ck_assert_int_eq(zone_span_at(zone, -1000).offset, -7200);
    ck_assert_int_eq(zone_span_at(zone, 999).offset, -7200);
    ck_assert_int_eq(zone_span_at(zone, 1000).offset, 3600);
    ck_assert_int_eq(zone_span_at(zone, at("2200-01-01")).offset, 3600);
    zone_free(zone);
    /* Out of order, and a type that is not there. */
    bytes.data[44 + 3] = bytes.data[44 + 7], bytes.data[44 + 2] = bytes.data[44 + 6];
    bytes.data[44] = bytes.data[44 + 1] = 0;
    check_refused(&bytes, "time zone file is damaged: its changes are out of order");
    bytes.data[44 + 8] = 2;
    check_refused(&bytes, "time zone file is damaged: a change leads to a kind of local time that "
                          "is not there");
    buffer_dispose(&bytes);
}
END_TEST

START_TEST(test_files_that_are_none)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    check_refused(&bytes, "this is no time zone file (TZif)");
    buffer_append_string(&bytes, "#!/bin/sh and much that is longer than any header would be\n");
    check_refused(&bytes, "this is no time zone file (TZif)");
    buffer_clear(&bytes);
    put_header(&bytes, '2', UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    check_refused(&bytes, "time zone file is damaged: it ends too early");
    buffer_clear(&bytes);
    put_header(&bytes, '2', 0, 1, 4, 0);
    buffer_append(&bytes, "\0\0\0\0\0\0UTC\0", 10);
    check_refused(&bytes, "time zone file is damaged: its second header is missing");
    put_header(&bytes, '2', 0, 1, 4, 0);
    buffer_append(&bytes, "\0\0\0\0\0\0UTC\0", 10);
    check_refused(&bytes, "time zone file is damaged: its footer is missing");
    buffer_clear(&bytes);
    put_header(&bytes, 0, 0, 1, 4, 1);
    buffer_append(&bytes, "\0\0\0\0\0\0UTC\0\0\0\0\0\0\0\0\0", 18);
    check_refused(&bytes, "time zone file counts leap seconds: take the one outside of \"right/\"");
    buffer_clear(&bytes);
    put_header(&bytes, 0, 0, 0, 4, 0);
    buffer_append(&bytes, "UTC", 4);
    check_refused(&bytes, "time zone file is damaged: its counts contradict each other");
    buffer_clear(&bytes);
    put_header(&bytes, 0, 0, 1, 4, 0);
    buffer_append(&bytes, "\0\1\x6d\xb1\0\0UTC\0", 10); /* 26 h and one second */
    check_refused(&bytes, "time zone file is damaged: a kind of local time is impossible");
    buffer_clear(&bytes);
    memset(buffer_reserve(&bytes, ZONE_FILE_MAXIMUM + 1), 0, ZONE_FILE_MAXIMUM + 1);
    bytes.length = ZONE_FILE_MAXIMUM + 1;
    check_refused(&bytes, "time zone file has 65537 bytes, more than 65536");
    buffer_dispose(&bytes);
}
END_TEST

/* Cut anywhere, or with any byte another one: an answer, and ASan has nothing to say. */
START_TEST(test_a_file_that_is_cut_or_changed)
{
    struct buffer bytes;
    struct zone *zone;
    uint64_t seed = 7;
    buffer_init(&bytes, 0);
    ck_assert(slurp(ZONE_FILES_FOLDER "/America/New_York", &bytes));
    for (size_t length = 0; length < bytes.length; length++) {
        char *copy = malloc(length + 1);
        memcpy(copy, bytes.data, length);
        copy = realloc(copy, length ? length : 1); /* so that a read past the end is seen */
        ck_assert_int_eq(zone_read((struct text){copy, length}, &zone, NULL), STATUS_INVALID);
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        size_t place = (size_t)draw_between(&seed, 0, (int64_t)bytes.length - 1);
        char before = bytes.data[place];
        bytes.data[place] = (char)draw(&seed);
        if (zone_read(buffer_text(&bytes), &zone, NULL) == STATUS_OK) {
            int64_t found[2], t = draw_between(&seed, FIRST, LAST);
            struct zone_span span = zone_span_at(zone, t);
            assert_each(span.from <= t && t < span.until, "byte %zu, round %d", place, i);
            assert_each(zone_instants(zone, t + span.offset, found) != ZONE_NEVER,
                        "byte %zu, round %d", place, i);
            assert_each(found[0] <= t && t <= found[1], "byte %zu, round %d", place, i);
            zone_free(zone);
        }
        bytes.data[place] = before;
    }
    buffer_dispose(&bytes);
}
END_TEST

/* --- names ----------------------------------------------------------------------------------- */

static void check_name(const char *name, enum status expected, const char *message)
{
    const struct zone *zone;
    struct error error = {0};
    ck_assert_msg(zone_files_find(&files, text_of(name), &zone, &error) == expected, "%s: %s", name,
                  error.message);
    ck_assert_ptr_null(zone);
    ck_assert_str_eq(error.message, message);
}

START_TEST(test_names_do_not_escape)
{
    static const char *const names[] = {
        "",
        "/etc/passwd",
        "../../etc/passwd",
        "Europe/../../etc/passwd",
        "Europe//Berlin",
        "Europe/",
        ".",
        "Europe/.hidden",
        "Europe/Berlin\n",
        "-Europe",
        "a b",
        "Europe\\Berlin",
        "A23456789/123456789/123456789/123456789/123456789/123456789/12345"};
    zone_files_init(&files, NULL);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        check_name(names[i], STATUS_INVALID,
                   "time zone is no name of the IANA database: write one as \"Europe/Berlin\" or "
                   "\"UTC\"");
    check_name("localtime", STATUS_INVALID,
               "time zone 'localtime' depends on the machine: write one as \"Europe/Berlin\" or "
               "\"UTC\"");
    check_name("right/Europe/Berlin", STATUS_INVALID,
               "time zone 'right/Europe/Berlin' depends on the machine: write one as "
               "\"Europe/Berlin\" or \"UTC\"");
    check_name("Europe/Berlim", STATUS_NOT_FOUND,
               "time zone 'Europe/Berlim' is not known here: mend the name, or install the package "
               "tzdata");
    check_name("Europe", STATUS_NOT_FOUND,
               "time zone 'Europe' is not known here: mend the name, or install the package "
               "tzdata");
    zone_files_dispose(&files);
}
END_TEST

START_TEST(test_a_folder_of_ones_own)
{
    char root[64];
    const struct zone *zone, *again;
    struct buffer bytes;
    make_folder(root);
    spill(below(root, "Broken"), "nothing");
    ck_assert_int_eq(mkfifo(below(root, "Pipe"), 0600), 0);
    buffer_init(&bytes, 0);
    put_footer_file(&bytes, "AAA-5");
    FILE *file = fopen(below(root, "Own"), "wb");
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.length, file), bytes.length);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(setenv(ZONE_FILES_VARIABLE, root, 1), 0);
    zone_files_init(&files, NULL);
    ck_assert_int_eq(zone_files_find(&files, TEXT("Own"), &zone, NULL), STATUS_OK);
    ck_assert_int_eq(zone_span_at(zone, 0).offset, 5 * 3600);
    check_name("Broken", STATUS_INVALID, "time zone 'Broken': this is no time zone file (TZif)");
    check_name("Pipe", STATUS_NOT_FOUND,
               "time zone 'Pipe' is not known here: mend the name, or install the package tzdata");
    /* It is read once. */
    ck_assert_int_eq(unlink(below(root, "Own")), 0);
    ck_assert_int_eq(zone_files_find(&files, TEXT("Own"), &again, NULL), STATUS_OK);
    ck_assert_ptr_eq(zone, again);
    zone_files_dispose(&files);
    buffer_dispose(&bytes);
    remove_folder(root);
}
END_TEST

UNIT_MAIN("zone", test_every_zone_is_what_the_c_library_makes_of_it,
          test_local_times_around_changes_are_found_as_by_trying_all,
          test_a_gap_ends_and_an_overlap_is_twice, test_utc_needs_no_file,
          test_rules_are_what_the_c_library_makes_of_them, test_daylight_time_all_the_year_round,
          test_times_of_a_week, test_rules_that_are_none, test_a_file_of_version_1,
          test_files_that_are_none, test_a_file_that_is_cut_or_changed, test_names_do_not_escape,
          test_a_folder_of_ones_own)
