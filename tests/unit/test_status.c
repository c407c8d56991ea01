#include "unit.h"

#include "../../cmd/status.h"
#include "../../rules/definitions.h"
#include "../../rules/utf8.h"

#define NOW "2026-11-23T10:00:00Z"

static struct arena arena;
static struct buffer out;

/* What is shown of `json`, without colours; *problems is how many there are. */
static const char *view_at(const char *json, size_t width, bool colour, size_t *problems)
{
    const struct node *status;
    struct error error = {0};
    struct status_look look = {
        .style = style_of(colour), .width = width, .controller = "http://127.0.0.1:8080"};
    arena_reset(&arena);
    buffer_clear(&out);
    ck_assert(time_parse(TEXT(NOW), &look.now));
    ck_assert_msg(json_read(&arena, text_of(json), JSON_LIMITS_DEFAULT, &status, &error) ==
                      STATUS_OK,
                  "%s: %s", error.message, json);
    size_t count = status_view(&out, &arena, status, &look);
    if (problems)
        *problems = count;
    const char *shown = buffer_string(&out);
    ck_assert_ptr_nonnull(shown);
    return shown;
}

static void begin(void)
{
    arena_init(&arena, 0);
    buffer_init(&out, 0);
}

static void end(void)
{
    arena_dispose(&arena);
    buffer_dispose(&out);
}

#define GOOD                                                                                       \
    "{\"commit\":\"3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c\",\"environments\":["                  \
    "{\"default\":true,\"flags\":350,\"name\":\"production\"},"                                    \
    "{\"default\":false,\"flags\":2,\"name\":\"staging\"}],\"errors\":0,\"faults\":[],"            \
    "\"generation\":\"00000000000000120000000000000000\","                                         \
    "\"lastFetch\":{\"error\":null,\"failures\":0,\"succeeded\":\"2026-11-23T09:59:57Z\"},"        \
    "\"since\":\"2026-11-23T09:57:00Z\",\"tip\":\"3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c\","     \
    "\"tipServed\":true,\"version\":\"0.1.0\",\"warnings\":0,"

START_TEST(test_all_good)
{
    size_t problems;
    begin();
    ck_assert_str_eq(
        view_at(GOOD "\"targets\":[{\"name\":\"files\",\"type\":\"file\",\"environment\":"
                     "\"production\",\"state\":\"inSync\",\"failures\":0,\"generation\":"
                     "\"00000000000000120000000000000000\",\"lastSuccess\":"
                     "\"2026-11-23T07:00:00Z\"}]}",
                0, false, &problems),
        "ENVIRONMENT   COMMIT        GENERATION  FLAGS  SINCE\n"
        "production *  3f9c2d1a8b21  0.18.0.0      350  3 min ago (2026-11-23T09:57:00Z)\n"
        "staging       3f9c2d1a8b21  0.18.0.0        2  3 min ago (2026-11-23T09:57:00Z)\n"
        "\n"
        "TARGET  TYPE  ENVIRONMENT  STATE    GENERATION  BEHIND  LAST SUCCESS\n"
        "files   file  production   in sync  0.18.0.0    no      3 h ago\n"
        "\n"
        "✓ all good: commit 3f9c2d1a8b21 is served\n"
        "weir 0.1.0 at http://127.0.0.1:8080, fetched 3 s ago (2026-11-23T09:59:57Z)\n");
    ck_assert_uint_eq(problems, 0);
    end();
}
END_TEST

START_TEST(test_all_that_can_be_wrong)
{
    size_t problems;
    begin();
    ck_assert_str_eq(
        view_at("{\"commit\":\"3f9c2d1a8b213f9c\",\"environments\":[{\"name\":\"production\","
                "\"flags\":1,\"default\":false}],\"errors\":2,\"warnings\":1,"
                "\"faults\":[{\"code\":\"W302\",\"path\":\"flags/a.yaml\",\"line\":20,"
                "\"column\":23,\"severity\":\"error\",\"message\":\"segment \\\"europ\\\" does "
                "not exist\",\"hint\":\"did you mean \\\"europe\\\"?\"},"
                "{\"code\":\"W601\",\"path\":\".\",\"severity\":\"error\",\"message\":\"x\"}],"
                "\"generation\":\"00000000000000120000000000000000\","
                "\"lastFetch\":{\"error\":\"no route\",\"failures\":3,\"succeeded\":null},"
                "\"since\":\"2026-11-23T09:59:00Z\",\"tip\":\"7c4c68fa94b2aaaa\","
                "\"tipServed\":false,\"targets\":["
                "{\"name\":\"a\",\"type\":\"redis\",\"environment\":\"production\",\"state\":"
                "\"retrying\",\"failures\":5,\"generation\":\"00000000000000100000000000000000\","
                "\"lastSuccess\":\"2026-11-21T09:00:00Z\",\"fault\":{\"code\":\"W501\","
                "\"path\":\"targets/a.yaml\",\"line\":3,\"column\":1,\"message\":\"gone\"}},"
                "{\"name\":\"b\",\"type\":\"file\",\"environment\":\"production\",\"state\":"
                "\"pending\",\"failures\":0,\"generation\":null,\"lastSuccess\":null}]}",
                0, false, &problems),
        "ENVIRONMENT  COMMIT        GENERATION  FLAGS  SINCE\n"
        "production   3f9c2d1a8b21  0.18.0.0        1  60 s ago (2026-11-23T09:59:00Z)\n"
        "\n"
        "TARGET  TYPE   ENVIRONMENT  STATE     GENERATION  BEHIND    LAST SUCCESS\n"
        "a       redis  production   retrying  0.16.0.0    2 levels  2 d ago\n"
        "b       file   production   pending   -           all       -\n"
        "\n"
        "✗ fetching has failed 3 times in a row, last success -: no route\n"
        "✗ commit 7c4c68fa94b2, the newest, is not served: 2 errors, 1 warning\n"
        "    flags/a.yaml:20:23: error[W302]: segment \"europ\" does not exist\n"
        "      hint: did you mean \"europe\"?\n"
        "    .: error[W601]: x\n"
        "✗ target a fails (failed 5 times): gone (targets/a.yaml:3:1)\n"
        "✗ target b has not acknowledged what is served\n"
        "weir - at http://127.0.0.1:8080, fetched -\n");
    ck_assert_uint_eq(problems, 4);
    end();
}
END_TEST

START_TEST(test_degrees)
{
    static const struct {
        const char *members;
        size_t problems;
    } cases[] = {
        {"\"targets\":[]}", 0},
        {"\"targets\":[],\"warnings\":3}", 0},
        {"\"targets\":[],\"errors\":1}", 1}, /* served without what is wrong */
        {"\"targets\":[],\"commit\":null}", 1},
        {"\"targets\":[],\"tipServed\":false}", 1},
        {"\"targets\":[],\"lastFetch\":{\"failures\":1}}", 1},
        {"\"targets\":[{\"state\":\"inSync\",\"failures\":2}]}", 1},
        {"\"targets\":[{\"state\":\"refused\",\"failures\":1}]}", 1},
        {"\"targets\":[{\"state\":\"pending\",\"failures\":0}]}", 1},
        /* A push that has just begun is no fault. */
        {"\"since\":\"2026-11-23T09:59:31Z\",\"targets\":[{\"state\":\"pending\","
         "\"failures\":0}]}",
         0},
        {"\"targets\":[],\"recording\":{\"failures\":0,\"outcome\":\"accepted\"},"
         "\"overrideCount\":0,\"overridesUnkept\":0}",
         0},
        /* Somebody else was faster: it is decided again at once. */
        {"\"targets\":[],\"recording\":{\"failures\":1,\"outcome\":\"moved\"}}", 0},
        {"\"targets\":[],\"recording\":{\"failures\":1,\"outcome\":\"refused\"}}", 1},
        {"\"targets\":[],\"recording\":{\"failures\":0,\"clockDrift\":true}}", 1},
        {"\"targets\":[],\"overrideCount\":1}", 1},
        {"\"targets\":[],\"overrideCount\":2,\"overridesUnkept\":2}", 2},
        {"\"targets\":[],\"notify\":[{\"channel\":\"chat\",\"problem\":null,\"waiting\":1},"
         "{\"channel\":\"post\",\"problem\":\"refused\",\"waiting\":2}]}",
         1},
    };
    begin();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char json[2048];
        size_t problems;
        snprintf(json, sizeof json, "%s%s", GOOD, cases[i].members);
        const char *shown = view_at(json, 0, false, &problems);
        ck_assert_msg(problems == cases[i].problems, "%s: %zu", cases[i].members, problems);
        ck_assert_int_eq(strstr(shown, "all good") != NULL, problems == 0);
    }
    end();
}
END_TEST

/* A controller that is somebody else: no byte of it may steer the terminal. */
START_TEST(test_nothing_steers_the_terminal)
{
    begin();
#define EVIL "\\u001b]0;x\\u0007\\u009b2J\\u202e\\r\\n\\u007fx"
    const char *shown = view_at(
        "{\"commit\":\"" EVIL "\",\"tip\":\"" EVIL "\",\"tipServed\":false,\"generation\":\"" EVIL
        "\",\"since\":\"" EVIL "\",\"version\":\"" EVIL "\",\"environments\":[{\"name\":\"" EVIL
        "\",\"commit\":\"" EVIL "\"}],\"errors\":1,\"faults\":[{\"path\":\"" EVIL
        "\",\"code\":\"" EVIL "\",\"message\":\"" EVIL "\",\"severity\":\"" EVIL
        "\",\"hint\":\"" EVIL "\",\"line\":1}],\"lastFetch\":{\"error\":\"" EVIL
        "\",\"failures\":1,\"succeeded\":\"" EVIL "\"},\"targets\":[{\"name\":\"" EVIL
        "\",\"type\":\"" EVIL "\",\"environment\":\"" EVIL "\",\"state\":\"" EVIL
        "\",\"generation\":\"" EVIL "\",\"lastSuccess\":\"" EVIL "\",\"failures\":1,"
        "\"fault\":{\"path\":\"" EVIL "\",\"message\":\"" EVIL "\"}}]}",
        0, false, NULL);
    for (const unsigned char *c = (const unsigned char *)shown; *c; c++) {
        ck_assert_msg((*c >= ' ' || *c == '\n') && *c != 0x7f, "byte %02x in %s", *c, shown);
        ck_assert(!(c[0] == 0xc2 && c[1] < 0xa0));
        ck_assert(!(c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xa8));
    }
    ck_assert_ptr_nonnull(
        strstr(shown, "\\u001b]0;x\\u0007\\u009b2J\\u202e\\u000d\\u000a\\u007fx"));
    end();
}
END_TEST

static void check_lines(const char *shown, size_t width)
{
    for (const char *line = shown; *line;) {
        size_t length = strcspn(line, "\n");
        struct text text = {line, length};
        ck_assert_uint_eq(utf8_valid_length(text), length);
        ck_assert_msg(status_width(text) <= width, "%zu cells of %zu: %.*s", status_width(text),
                      width, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

START_TEST(test_lines_fit_the_terminal)
{
    begin();
    for (size_t width = 30; width <= 200; width++) {
        check_lines(
            view_at(GOOD "\"targets\":[{\"name\":\"a-target-with-a-rather-long-name-\xe6\x97\xa5"
                         "\xe6\x9c\xac\",\"type\":\"kubernetes\",\"environment\":"
                         "\"production-of-the-north\",\"state\":\"retrying\",\"failures\":5,"
                         "\"fault\":{\"path\":\"targets/with-a-long-name.yaml\",\"line\":3,"
                         "\"message\":\"gr\xc3\xbc\xc3\x9f words and words and words and words and "
                         "averylongwordwithoutanyspaceinitaverylongwordwithoutanyspaceinitaverylong"
                         "wordwithoutanyspaceinit\"}}]}",
                    width, false, NULL),
            width);
    }
    end();
}
END_TEST

START_TEST(test_colours_have_meaning)
{
    begin();
    const char *shown = view_at(GOOD "\"targets\":[{\"name\":\"a\",\"state\":\"inSync\","
                                     "\"failures\":0},{\"name\":\"b\",\"state\":\"retrying\","
                                     "\"failures\":1}]}",
                                0, true, NULL);
    ck_assert_ptr_nonnull(strstr(shown, "\033[32min sync\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[31mretrying\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[31m✗\033[0m target b"));
    end();
}
END_TEST

/* Other versions, and other programs: whatever type a member has, it is shown as unknown. */
START_TEST(test_members_of_other_types)
{
    static const char *const values[] = {
        "null",        "1", "-1e300", "true", "\"x\"", "[]", "{}", "[[]]", "[1,\"x\",null,{}]",
        "{\"name\":1}"};
    static const char *const names[] = {"commit",  "environments", "errors",  "faults",
                                        "targets", "generation",   "since",   "lastFetch",
                                        "tip",     "tipServed",    "version", "warnings"};
    begin();
    view_at("{}", 0, false, NULL);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            char json[2048];
            snprintf(json, sizeof json, "%s\"targets\":[{}],\"%s\":%s}", GOOD, names[i], values[j]);
            view_at(json, 80, false, NULL);
        }
    }
    end();
}
END_TEST

START_TEST(test_much_is_bounded)
{
    struct buffer json;
    size_t problems;
    begin();
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"environments\":[");
    for (int i = 0; i < 3000; i++)
        buffer_printf(&json, "%s{\"name\":\"e%d\"}", i ? "," : "", i);
    buffer_append_string(&json, "],\"faults\":[");
    for (int i = 0; i < 100; i++)
        buffer_printf(&json, "%s{\"message\":\"m%d\"}", i ? "," : "", i);
    buffer_append_string(&json, "],\"targets\":[");
    for (int i = 0; i < 3000; i++)
        buffer_printf(&json, "%s{\"name\":\"t%d\",\"state\":\"%s\"}", i ? "," : "", i,
                      i == 2000 ? "refused" : "inSync");
    buffer_append_string(&json, "]}");
    const char *shown = view_at(buffer_string(&json), 0, false, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "… and 1976 more\n"));
    ck_assert_ptr_nonnull(strstr(shown, "… and 80 more; --format json tells all\n"));
    /* What is wrong is shown before what is good. */
    ck_assert_ptr_nonnull(strstr(shown, "\nt2000   -     -            refused"));
    ck_assert_ptr_null(strstr(shown, "\nt1 "));
    ck_assert_ptr_nonnull(strstr(shown, "… and 2999 more\n"));
    buffer_dispose(&json);
    end();
}
END_TEST

START_TEST(test_how_long_ago)
{
    static const struct {
        int64_t seconds;
        const char *words;
    } cases[] = {
        {0, "now"},
        {1, "1 s ago"},
        {119, "119 s ago"},
        {120, "2 min ago"},
        {7199, "119 min ago"},
        {7200, "2 h ago"},
        {172799, "47 h ago"},
        {172800, "2 d ago"},
        {-5, "in 5 s"},
        {86400 * 400, "400 d ago"},
    };
    char words[AGO_SIZE];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        status_ago(1000000000, 1000000000 + cases[i].seconds, words);
        ck_assert_str_eq(words, cases[i].words);
    }
}
END_TEST

START_TEST(test_widths)
{
    ck_assert_uint_eq(status_width(TEXT("abc")), 3);
    ck_assert_uint_eq(status_width(TEXT("gr\xc3\xbc\xc3\x9f")), 4);
    ck_assert_uint_eq(status_width(TEXT("\xe6\x97\xa5\xe6\x9c\xac")), 4);
    ck_assert_uint_eq(status_width(TEXT("e\xcc\x81")), 1);
    ck_assert_uint_eq(status_width(TEXT("\xf0\x9f\x9a\x80")), 2);
    ck_assert_text(status_cut(TEXT("\xe6\x97\xa5\xe6\x9c\xac"), 3), "\xe6\x97\xa5");
    ck_assert_text(status_cut(TEXT("abc"), 2), "ab");
    ck_assert_text(status_cut(TEXT("abc"), 9), "abc");
}
END_TEST

UNIT_MAIN("status", test_all_good, test_all_that_can_be_wrong, test_degrees,
          test_nothing_steers_the_terminal, test_lines_fit_the_terminal, test_colours_have_meaning,
          test_members_of_other_types, test_much_is_bounded, test_how_long_ago, test_widths)
