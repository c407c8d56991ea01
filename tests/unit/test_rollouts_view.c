/* What people are shown of rollouts: the table, its bar, and what stands below it. */
#include "unit.h"

#include "../../cmd/status.h"
#include "../../rules/definitions.h"

static struct arena arena;
static struct buffer out;

static const char *view(const char *json, struct status_look look, size_t *problems)
{
    const struct node *answer;
    struct error error = {0};
    arena_reset(&arena);
    buffer_clear(&out);
    look.controller = "http://127.0.0.1:8080";
    ck_assert(time_parse(TEXT("2026-11-23T10:00:00Z"), &look.now));
    ck_assert_msg(json_read(&arena, text_of(json), JSON_LIMITS_DEFAULT, &answer, &error) ==
                      STATUS_OK,
                  "%s: %s", error.message, json);
    *problems = rollouts_view(&out, &arena, answer, &look);
    const char *shown = buffer_string(&out);
    ck_assert_ptr_nonnull(shown);
    return shown;
}

static struct status_look plain(void)
{
    return (struct status_look){.style = style_of(false)};
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

#define FRAME(rollouts)                                                                            \
    "{\"apiVersion\":\"weir/v1\",\"commit\":\"3f9c2d1a8b213f9c2d1a8b213f9c2d1a8b213f9c\","         \
    "\"rollouts\":[" rollouts "]}"
#define AT(status, phase)                                                                          \
    "\"environment\":\"production\",\"status\":\"" status "\",\"phase\":" phase                    \
    ",\"phases\":[\"staff\",\"canary\",\"ten\",\"all\"]"
#define GATE(metric, role, verdict)                                                                \
    "{\"metric\":\"" metric "\",\"role\":\"" role "\",\"verdict\":\"" verdict "\"}"
#define PASSES GATE("errors", "guardrail", "success")
#define FAILS GATE("errors", "guardrail", "failure")
#define SAYS_NOTHING GATE("latency", "signal", "no data")
#define IN_TEN AT("running", "\"ten\"")
#define HELD_IN_CANARY AT("held", "\"canary\"")
#define RAMPING                                                                                    \
    "{\"name\":\"a\"," IN_TEN ",\"configured\":10,\"now\":5.5,"                                    \
    "\"next\":\"2026-11-26T10:00:00Z\",\"gates\":[" PASSES "," SAYS_NOTHING "],"                   \
    "\"waits\":[{\"words\":\"bake 1d of 4d\"},{\"words\":\"metric latency: no data\"}]}"
#define HELD                                                                                       \
    "{\"name\":\"b\"," HELD_IN_CANARY ",\"configured\":1,\"now\":1,\"gates\":[" FAILS "],"         \
    "\"holds\":["                                                                                  \
    "{\"reason\":\"halt\",\"by\":\"ann\",\"since\":\"2026-11-23T09:57:00Z\",\"note\":\"why\"},"    \
    "{\"reason\":\"signal\",\"by\":\"weir\",\"since\":\"2026-11-23T09:59:20Z\",\"note\":null}]}"

START_TEST(test_lines)
{
    size_t problems;
    begin();
    ck_assert_str_eq(
        view(
            FRAME(
                RAMPING
                ","
                "{\"name\":\"staffed\"," AT(
                    "running",
                    "\"staff\"") ",\"configured\":0,\"now\":0,"
                                 "\"audience\":{\"segment\":\"staff\",\"percent\":50},\"gates\":[],"
                                 "\"due\":\"advance\"},"
                                 "{\"name\":\"new\"," AT("pending", "null") ",\"gates\":[]}"),
            plain(), &problems),
        "ROLLOUT             STATUS   PHASE      NOW → CONFIGURED  NEXT    GATES                   "
        " "
        "    WAITS FOR\n"
        "production/a        running  ten 3/4    5.5 → 10 %        in 3 d  ✓ errors, · latency no "
        "data  bake 1d of 4d; metric latency: no data\n"
        "production/staffed  running  staff 1/4  50 % of staff     now     -                       "
        " "
        "    due: advance\n"
        "production/new      pending  -          0 %               -       -                       "
        " "
        "    -\n"
        "\n"
        "3 rollouts at commit 3f9c2d1a8b21, of http://127.0.0.1:8080\n");
    ck_assert_uint_eq(problems, 0);
    end();
}
END_TEST

START_TEST(test_what_is_wrong)
{
    size_t problems;
    begin();
    const char *shown = view(
        FRAME(HELD ",{\"name\":\"c\"," AT(
            "killed",
            "\"ten\"") ",\"configured\":10,\"now\":0,\"gates\":[],\"holds\":[{\"reason\":\"kill\","
                       "\"by\":\"bob\",\"since\":\"2026-11-23T08:00:00Z\",\"note\":\"x\"}]},"
                       "{\"name\":\"d\"," AT(
                           "running", "\"ten\"") ",\"gates\":[],\"override\":{"
                                                 "\"action\":\"rollback\",\"by\":\"weir\","
                                                 "\"serving\":\"control for "
                                                 "everybody\",\"git\":\"running, phase "
                                                 "ten\",\"evidence\":\"errors: 0.031 > "
                                                 "0.01\",\"since\":\"2026-11-23T09:58:00Z\"}}"),
        plain(), &problems);
    ck_assert_uint_eq(problems, 3);
    ck_assert_ptr_nonnull(strstr(shown, "\n✗ production/b is held: halt by ann 3 min ago "
                                        "(2026-11-23T09:57:00Z): why; signal by weir 40 s ago "
                                        "(2026-11-23T09:59:20Z)\n"));
    ck_assert_ptr_nonnull(strstr(shown, "\n✗ production/c was killed: kill by bob 2 h ago "
                                        "(2026-11-23T08:00:00Z): x\n"));
    ck_assert_ptr_nonnull(strstr(shown, "  0 %, was 10  "));
    ck_assert_ptr_nonnull(
        strstr(shown, "\n✗ production/d: serving control for everybody, Git says running, phase "
                      "ten, since 2 min ago (2026-11-23T09:58:00Z); rollback by weir: errors: "
                      "0.031 > 0.01\n"));
    end();
}
END_TEST

START_TEST(test_colours_and_bars)
{
    size_t problems;
    struct status_look look = {.style = style_of(true), .bars = true};
    begin();
    const char *shown = view(FRAME(RAMPING "," HELD), look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "\033[32mrunning\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[31mheld\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[33m✓ errors, · latency no data\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[31m✗ errors failure\033[0m"));
    ck_assert_ptr_nonnull(strstr(shown, "\033[32m█░░░░░░░░░░░\033[0m")); /* 5.5 of 10 */
    ck_assert_ptr_nonnull(strstr(shown, "\033[31m█░░░░░░░░░░░\033[0m")); /* 1: never nothing */
    shown =
        view(FRAME("{\"name\":\"a\"," AT("running", "\"all\"") ",\"configured\":100,\"now\":50}"),
             look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "██████▒▒▒▒▒▒"));
    shown = view(FRAME("{\"name\":\"a\"," AT("killed", "\"all\"") ",\"configured\":100,\"now\":0}"),
                 look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "░░░░░░░░░░░░"));
    /* An info metric that fails is nobody's fault. */
    shown = view(FRAME("{\"name\":\"a\"," AT("running", "\"all\"") ",\"gates\":[" GATE(
                     "load", "info", "failure") "]}"),
                 look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "\033[32m✗ load failure\033[0m"));
    end();
}
END_TEST

START_TEST(test_little_room)
{
    size_t problems;
    struct status_look look = plain();
    begin();
    look.rows = 2;
    const char *shown = view(
        FRAME("{\"name\":\"p\"," AT("pending", "null") "}," RAMPING "," HELD ",{\"name\":\"z\"," AT(
            "completed", "\"all\"") "}"),
        look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "\nproduction/a  "));
    ck_assert_ptr_nonnull(strstr(shown, "\nproduction/b  "));
    ck_assert_ptr_null(strstr(shown, "production/p"));
    ck_assert_ptr_nonnull(strstr(shown, "\n… and 2 more\n"));
    look.rows = 1;
    shown = view(FRAME(RAMPING "," HELD), look, &problems);
    ck_assert_ptr_nonnull(strstr(shown, "\n… and 1 more\n"));
    ck_assert_uint_eq(problems, 1); /* also of one that has no row */
    look = plain();
    look.width = 60;
    shown = view(FRAME(RAMPING "," HELD), look, &problems);
    for (const char *line = shown; *line;) {
        size_t length = strcspn(line, "\n");
        ck_assert_uint_le(status_width((struct text){line, length}), 60);
        line += length + (line[length] != '\0');
    }
    end();
}
END_TEST

START_TEST(test_without_measurements)
{
    size_t problems;
    begin();
    const char *shown = view(FRAME("{\"name\":\"a\"," AT("running", "\"ten\"") ",\"gates\":null}"),
                             plain(), &problems);
    ck_assert_ptr_nonnull(strstr(shown, "1 rollout at commit 3f9c2d1a8b21, of "
                                        "http://127.0.0.1:8080; gates are measured by a running "
                                        "controller: ask it by --controller\n"));
    ck_assert_str_eq(view("{\"commit\":null,\"rollouts\":[]}", plain(), &problems),
                     "no rollouts, of http://127.0.0.1:8080\n");
    end();
}
END_TEST

/* What is not there, of another type, or written to steer a terminal. */
START_TEST(test_answers_of_others)
{
    static const char *const answers[] = {
        "{}",
        "{\"rollouts\":null}",
        "{\"rollouts\":{}}",
        "{\"rollouts\":[null,1,\"x\",[],{}]}",
        "{\"rollouts\":[{\"now\":1e300,\"configured\":-1,\"audience\":{},\"phases\":[1,null],"
        "\"phase\":\"x\",\"gates\":[1,{}],\"waits\":[1,{}],\"holds\":[1,{}],\"override\":{},"
        "\"status\":\"held\",\"next\":\"soon\",\"due\":1}]}",
        "{\"commit\":\"\\u001b]0;x\\u0007\",\"rollouts\":[{\"name\":\"\\u009b2J\","
        "\"environment\":\"\\u202e\",\"status\":\"\\u001b\",\"phase\":\"\\u001b\",\"due\":"
        "\"\\u001b\","
        "\"audience\":{\"segment\":\"\\u001b\"},\"gates\":[{\"metric\":\"\\u001b\","
        "\"verdict\":\"\\u001b\"}],\"waits\":[{\"words\":\"\\u001b\\n\"}],\"override\":{\"by\":"
        "\"\\u001b\",\"serving\":\"\\u001b\",\"git\":\"\\u001b\",\"evidence\":\"\\u001b\"}},"
        "{\"status\":\"killed\",\"holds\":[{\"reason\":\"\\u001b\",\"by\":\"\\u001b\","
        "\"note\":\"\\u001b\"}]}]}",
    };
    begin();
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        size_t problems;
        const char *shown = view(answers[i], plain(), &problems);
        ck_assert_msg(strcspn(shown, "\x1b\x07\r") == strlen(shown), "%s", shown);
        ck_assert_ptr_null(strstr(shown, "\xe2\x80\xae"));
        ck_assert_ptr_null(strstr(shown, "\xc2\x9b"));
        ck_assert_ptr_nonnull(strstr(shown, "of http://127.0.0.1:8080"));
    }
    end();
}
END_TEST

UNIT_MAIN("rollouts_view", test_lines, test_what_is_wrong, test_colours_and_bars, test_little_room,
          test_without_measurements, test_answers_of_others)
