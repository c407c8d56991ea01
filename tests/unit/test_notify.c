/* Notices, templates, channels as they are configured, and the bodies that are sent. */
#include "unit.h"

#include "../../controller/notify/notify.h"
#include "../../rules/catalog.h"
#include "../../rules/json.h"
#include "../../rules/schema.h"

static struct error error;

static const struct notice held = {.fields = {[NOTICE_ID] = {"abc1", 4},
                                              [NOTICE_EVENT] = {"rollout.held", 12},
                                              [NOTICE_ENVIRONMENT] = {"production", 10},
                                              [NOTICE_ROLLOUT] = {"checkout-v2", 11},
                                              [NOTICE_PHASE] = {"ten", 3},
                                              [NOTICE_REASON] = {"a<b & \"c\"", 9},
                                              [NOTICE_TIME] = {"2027-02-09T10:14:00Z", 20}}};

/* --- templates ------------------------------------------------------------------------------- */

static void check_fill(const char *template, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    ck_assert_msg(template_check(text_of(template), &error) == STATUS_OK, "%s", error.message);
    template_fill(text_of(template), &held, NULL, &out);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
}

START_TEST(templates)
{
    check_fill("plain { } }} text", "plain { } }} text");
    check_fill("{{event}}", "rollout.held");
    check_fill("<{{ rollout }}> in {{environment}}{{phase}}{{url}}.",
               "<checkout-v2> in productionten.");
    check_fill("{{reason}}", "a<b & \"c\"");
}
END_TEST

START_TEST(templates_that_are_none)
{
    char longest[TEMPLATE_BYTES_MOST + 2];
    ck_assert_int_eq(template_check(TEXT("{{rolout}}"), &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "no field \"{{rolout}}\""));
    ck_assert_ptr_nonnull(strstr(error.message, "environment, event, evidence"));
    ck_assert_int_eq(template_check(TEXT("{{}}"), &error), STATUS_INVALID);
    ck_assert_int_eq(template_check(TEXT("{{event} }"), &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "does not end"));
    ck_assert_int_eq(template_check(TEXT("{{{event}}}"), &error), STATUS_INVALID);
    memset(longest, 'x', sizeof longest - 1);
    ck_assert_int_eq(template_check((struct text){longest, sizeof longest - 1}, &error),
                     STATUS_LIMIT);
}
END_TEST

/* --- notices --------------------------------------------------------------------------------- */

START_TEST(notices_are_written_and_read)
{
    struct notice evil = held, back;
    struct buffer out;
    struct arena arena;
    char many[3000];
    memset(many, 'x', sizeof many);
    many[999] = '\xc3'; /* in the middle of the last character that might fit */
    many[1000] = '\xa9';
    evil.fields[NOTICE_EVIDENCE] = (struct text){many, sizeof many};
    evil.fields[NOTICE_REASON] = TEXT("one\r\nBcc: two\t\x7f\xff\xc3\xa9");
    buffer_init(&out, 0);
    arena_init(&arena, (size_t)1 << 20);
    notice_write(&evil, &out);
    ck_assert_int_eq(notice_read(&arena, buffer_text(&out), &back, &error), STATUS_OK);
    ck_assert_text(back.fields[NOTICE_REASON], "one  Bcc: two  ?\xc3\xa9");
    ck_assert_uint_eq(back.fields[NOTICE_EVIDENCE].length, 999);
    ck_assert_text(back.fields[NOTICE_ROLLOUT], "checkout-v2");
    ck_assert_uint_eq(back.fields[NOTICE_BY].length, 0);
    buffer_clear(&out);
    notice_write(&(struct notice){0}, &out);
    ck_assert_text(buffer_text(&out), "{}");
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "",
                                      "{\"id\":\"a\"}",
                                      "{\"event\":\"rollout.held\",\"id\":1}",
                                      "{\"event\":\"x\",\"id\":\"a\"}",
                                      "{\"event\":\"rollout.held\",\"id\":\"a\",\"no\":\"x\"}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(notice_read(&arena, text_of(bad[i]), &back, &error) != STATUS_OK, "%s",
                      bad[i]);
    arena_dispose(&arena);
    buffer_dispose(&out);
}
END_TEST

/* printf '12:rollout.held10:production11:checkout-v22:ab' | sha256sum */
START_TEST(one_decision_has_one_id)
{
    char id[NOTICE_ID_SIZE], other[NOTICE_ID_SIZE];
    notice_identify(TEXT("rollout.held"), TEXT("production"), TEXT("checkout-v2"), TEXT("ab"), id);
    ck_assert_str_eq(id, "016f24e324070de2b0afb8f71f9813ae98d759678a9077b971389f6436e39489");
    notice_identify(TEXT("rollout.held"), TEXT("production"), TEXT("checkout-v2a"), TEXT("b"),
                    other);
    ck_assert_str_ne(id, other);
}
END_TEST

/* --- bodies ---------------------------------------------------------------------------------- */

static struct notify_channel channel_of(enum notify_type type, const char *template)
{
    static char name[] = "pager", from[] = "weir@example.com";
    static char ops[] = "ops@example.com", dev[] = "dev@example.com", *to[] = {ops, dev};
    return (struct notify_channel){.name = name,
                                   .type = type,
                                   .template = (char *)template,
                                   .from = from,
                                   .to = to,
                                   .to_count = 2};
}

START_TEST(a_message_to_slack)
{
    struct notify_channel channel = channel_of(NOTIFY_SLACK, "<!here> {{reason}}");
    struct buffer out;
    buffer_init(&out, 0);
    slack_write(&channel, &held, &out);
    ck_assert_text(
        buffer_text(&out),
        "{\"blocks\":[{\"text\":{\"text\":\"<!here> a&lt;b &amp; \\\"c\\\"\",\"type\":"
        "\"mrkdwn\"},\"type\":\"section\"}],\"text\":\"<!here> a&lt;b &amp; \\\"c\\\"\"}");
    buffer_clear(&out);
    channel.template = NULL;
    slack_write(&channel, &held, &out);
    ck_assert_ptr_nonnull(strstr(buffer_string(&out),
                                 "\"text\":\"rollout.held: production/checkout-v2, phase ten: "
                                 "a&lt;b &amp; \\\"c\\\"\""));
    buffer_dispose(&out);
}
END_TEST

/* Slack refuses a section of more than 3 000 characters, and shows half an escape as it is. */
START_TEST(a_long_message_to_slack)
{
    struct notify_channel channel = channel_of(NOTIFY_SLACK, "x{{reason}}{{evidence}}");
    struct notice longest = held;
    char many[1000];
    struct buffer out;
    memset(many, '&', sizeof many);
    longest.fields[NOTICE_REASON] = (struct text){many, sizeof many};
    buffer_init(&out, 0);
    slack_write(&channel, &longest, &out);
    const char *text = strstr(buffer_string(&out), "],\"text\":\"x&amp;");
    ck_assert_ptr_nonnull(text);
    text += strlen("],\"text\":\"");
    size_t length = strlen(text) - 2;
    ck_assert_uint_eq(length, 1 + 599 * 5); /* the 600th would end at 3 001 */
    buffer_dispose(&out);
}
END_TEST

START_TEST(a_cloud_event)
{
    struct notify_channel channel = channel_of(NOTIFY_WEBHOOK, "{{phase}}");
    const struct notify_world world = {.source = "https://weir.example.com"};
    struct buffer out;
    buffer_init(&out, 0);
    cloudevent_write(&channel, &world, &held, &out);
    ck_assert_text(
        buffer_text(&out),
        "{\"specversion\":\"1.0\",\"id\":\"abc1\",\"source\":\"https://weir.example.com\","
        "\"type\":\"dev.weir.rollout.held\",\"subject\":\"production/checkout-v2\","
        "\"time\":\"2027-02-09T10:14:00Z\",\"datacontenttype\":\"application/json\","
        "\"data\":{\"text\":\"ten\",\"environment\":\"production\",\"event\":\"rollout.held\","
        "\"id\":\"abc1\",\"phase\":\"ten\",\"reason\":\"a<b & \\\"c\\\"\","
        "\"rollout\":\"checkout-v2\",\"time\":\"2027-02-09T10:14:00Z\"}}");
    buffer_dispose(&out);
}
END_TEST

/* GitHub's published vector for X-Hub-Signature-256, which is made the same way. */
START_TEST(the_signature)
{
    struct buffer out;
    buffer_init(&out, 0);
    webhook_sign(TEXT("It's a Secret to Everybody"), TEXT("Hello, World!"), &out);
    ck_assert_text(buffer_text(&out),
                   "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    buffer_dispose(&out);
}
END_TEST

START_TEST(a_mail)
{
    struct notify_channel channel = channel_of(NOTIFY_SMTP, "{{reason}}, {{evidence}}");
    struct notice notice = held;
    struct buffer out;
    notice.fields[NOTICE_EVIDENCE] = TEXT("0.031 > 0.01, n=5120, and so that it takes two lines");
    buffer_init(&out, 0);
    mail_write(&channel, &notice, &out);
    ck_assert_text(
        buffer_text(&out),
        "From: weir <weir@example.com>\r\n"
        "To: <ops@example.com>,\r\n <dev@example.com>\r\n"
        "Subject: [weir] rollout.held production/checkout-v2\r\n"
        "Date: 09 Feb 2027 10:14:00 +0000\r\n"
        "Message-ID: <abc1.pager@example.com>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
        "YTxiICYgImMiLCAwLjAzMSA+IDAuMDEsIG49NTEyMCwgYW5kIHNvIHRoYXQgaXQgdGFrZXMgdHdv\r\n"
        "IGxpbmVzCg==\r\n");
    buffer_dispose(&out);
}
END_TEST

/* What a notice holds is never a line of the header, however it came to be. */
START_TEST(a_mail_has_no_other_headers)
{
    struct notify_channel channel = channel_of(NOTIFY_SMTP, NULL);
    struct notice notice = held;
    struct buffer out;
    notice.fields[NOTICE_ROLLOUT] = TEXT("x\r\nBcc: all@example.com\r\n\r\nGr\xc3\xbc\xc3\x9f"
                                         "e, and more than one word of it holds");
    notice.fields[NOTICE_ID] = TEXT("ab>\r\nBcc: c");
    notice.fields[NOTICE_TIME] = TEXT("2027-02-09T10:14:0\nZ");
    buffer_init(&out, 0);
    mail_write(&channel, &notice, &out);
    const char *text = buffer_string(&out);
    ck_assert_ptr_null(strstr(text, "Bcc"));
    ck_assert_ptr_null(strstr(text, "Date"));
    ck_assert_ptr_nonnull(strstr(text, "Message-ID: <abccc.pager@example.com>\r\n"));
    for (const char *line = text; *line; line = strstr(line, "\r\n") + 2) {
        ck_assert_ptr_nonnull(strstr(line, "\r\n"));
        ck_assert_uint_le((size_t)(strstr(line, "\r\n") - line), 78);
    }
    ck_assert_ptr_nonnull(strstr(text, "Subject: =?utf-8?B?"));
    buffer_dispose(&out);
}
END_TEST

START_TEST(addresses)
{
    static const char *const good[] = {"a@b", "o'neil+x@mail.example.com", "a.b@c-d.e"};
    static const char *const bad[] = {"",      "a",       "@b",    "a@",        "a@b@c", "a b@c",
                                      "a@b\n", "<a@b>",   "a@b,c", "\"a\"@b",   "-f@b",  "a@b>",
                                      "a\r@b", "a@b;x@y", "a@(b)", "\xc3\xa9@b"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(mail_address_is_valid(text_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!mail_address_is_valid(text_of(bad[i])), "%s", bad[i]);
}
END_TEST

/* --- channels -------------------------------------------------------------------------------- */

/* By the schema, then by the reader; `column` is where a fault is. */
static enum status read_channel(const char *json, struct notify_channel *out, uint32_t *column)
{
    struct arena arena;
    const struct node *root, *at = NULL;
    struct schema_set *schemas = catalog_schemas(&error);
    const struct schema *schema = schema_set_find(schemas, "notify.json");
    struct diagnostics faults;
    *out = (struct notify_channel){0};
    arena_init(&arena, (size_t)1 << 20);
    diagnostics_init(&faults);
    ck_assert_ptr_nonnull(schema);
    ck_assert_int_eq(json_read(&arena, text_of(json), JSON_LIMITS_DEFAULT, &root, &error),
                     STATUS_OK);
    enum status status = schema_validate(schema, root, TEXT("x"), &faults);
    if (status == STATUS_OK)
        status = notify_channel_read(root, out, &at, &error);
    else
        snprintf(error.message, sizeof error.message, "%.200s", faults.items[0].message.data);
    *column = at ? at->column : 0;
    diagnostics_dispose(&faults);
    schema_set_free(schemas);
    arena_dispose(&arena);
    return status;
}

START_TEST(channels)
{
    struct notify_channel channel;
    uint32_t column;
    ck_assert_int_eq(read_channel("{\"name\":\"team\",\"slack\":{\"url\":{\"secret\":\"hook\"}}}",
                                  &channel, &column),
                     STATUS_OK);
    ck_assert_int_eq(channel.type, NOTIFY_SLACK);
    ck_assert_str_eq(channel.name, "team");
    ck_assert_str_eq(channel.secret, "hook");
    ck_assert_ptr_null(channel.url);
    ck_assert_uint_eq(channel.events, (1U << NOTICE_EVENTS) - 1);
    notify_channel_dispose(&channel);
    ck_assert_int_eq(read_channel("{\"name\":\"a\",\"webhook\":{\"url\":\"https://h/x\",\"secret\":"
                                  "\"key\"},\"events\":[\"rollout.killed\",\"commit.refused\"],"
                                  "\"template\":\"{{by}}\"}",
                                  &channel, &column),
                     STATUS_OK);
    ck_assert_int_eq(channel.type, NOTIFY_WEBHOOK);
    ck_assert_str_eq(channel.url, "https://h/x");
    ck_assert_str_eq(channel.template, "{{by}}");
    ck_assert_uint_eq(channel.events, 1U << notice_event_of(TEXT("rollout.killed")) |
                                          1U << notice_event_of(TEXT("commit.refused")));
    notify_channel_dispose(&channel);
    ck_assert_int_eq(
        read_channel("{\"name\":\"a\",\"smtp\":{\"url\":\"smtps://mail\",\"from\":\"a@b\",\"to\":"
                     "[\"c@d\",\"e@f\"],\"user\":\"u\",\"password\":{\"secret\":\"p\"}}}",
                     &channel, &column),
        STATUS_OK);
    ck_assert_int_eq(channel.type, NOTIFY_SMTP);
    ck_assert_uint_eq(channel.to_count, 2);
    ck_assert_str_eq(channel.to[1], "e@f");
    ck_assert_str_eq(channel.user, "u");
    ck_assert(!channel.clear);
    notify_channel_dispose(&channel);
}
END_TEST

START_TEST(channels_that_make_no_sense)
{
#define SMTP(rest) "{\"name\":\"a\",\"smtp\":{\"from\":\"a@b\",\"to\":[\"c@d\"]," rest "}}"
    static const struct {
        const char *json, *words;
        uint32_t column; /* 0: the schema says it */
    } faults[] = {
        {"{\"name\":\"a\"}", "exactly one of slack, webhook and smtp", 0},
        {"{\"name\":\"a\",\"slack\":{\"url\":\"https://h\"}}", "expected", 0},
        {"{\"name\":\"a\",\"webhook\":{\"url\":\"ftp://h\"}}", "URL does not begin with http", 30},
        {"{\"name\":\"a\",\"webhook\":{\"url\":\"https://h\"},\"template\":\"{{x}}\"}",
         "no field \"{{x}}\"", 54},
        {"{\"name\":\"a\",\"webhook\":{\"url\":\"https://h\"},\"events\":[\"x\"]}", "", 0},
        {SMTP("\"url\":\"mail\""), "smtp://HOST[:PORT]", 53},
        {SMTP("\"url\":\"smtp://u:p@h\""), "no credentials", 53},
        {SMTP("\"url\":\"smtp://h/x\""), "character that no host name has", 53},
        {SMTP("\"url\":\"smtp://h\",\"starttls\":\"none\",\"password\":{\"secret\":\"p\"}"),
         "not sent in clear", 75},
        {"{\"name\":\"a\",\"smtp\":{\"url\":\"smtp://h\",\"from\":\"a@b\\nX: "
         "y\",\"to\":[\"c@d\"]}}",
         "LOCAL@HOST", 0},
        {"{\"name\":\"a\",\"smtp\":{\"url\":\"smtp://h\",\"from\":\"a@b\",\"to\":[]}}", "", 0},
    };
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct notify_channel channel;
        uint32_t column;
        ck_assert_msg(read_channel(faults[i].json, &channel, &column) == STATUS_INVALID, "%s",
                      faults[i].json);
        ck_assert_msg(strstr(error.message, faults[i].words), "%zu: %s", i, error.message);
        ck_assert_msg(column == faults[i].column, "%zu: column %u", i, column);
        notify_channel_dispose(&channel);
    }
}
END_TEST

UNIT_MAIN("notify", templates, templates_that_are_none, notices_are_written_and_read,
          one_decision_has_one_id, a_message_to_slack, a_long_message_to_slack, a_cloud_event,
          the_signature, a_mail, a_mail_has_no_other_headers, addresses, channels,
          channels_that_make_no_sense)
