/* An override as Redis, the store or refs/weir/intents hold it. Refused with a message of one line;
 * or each field is within its bounds, it is written within OVERRIDE_JSON_MAX, and what was written
 * reads as the same override. After a line "---" another one may follow: of two never both win. */
#include "../../../controller/rollout/override.h"
#include "../fuzz.h"

#define LABEL 63 /* a DNS label, as every name in definitions */

static struct override *read_override(struct text json)
{
    struct override *override;
    struct error error = {0};
    enum status status = override_read(json, &override, &error);
    FUZZ_CHECK((status == STATUS_OK) == (override != NULL), "status %d with or without an override",
               (int)status);
    if (status != STATUS_OK)
        fuzz_check_error(status, &error);
    return override;
}

static void check_line(struct text text, size_t most, const char *what)
{
    fuzz_check_utf8(text, what);
    FUZZ_CHECK(text.length <= most && text.data[text.length] == '\0', "%s of %zu bytes", what,
               text.length);
    for (size_t i = 0; i < text.length; i++)
        FUZZ_CHECK((unsigned char)text.data[i] >= ' ', "%s holds control characters", what);
}

static void check_fields(const struct override *override)
{
    struct generation generation;
    check_line(override->intent, OVERRIDE_INTENT_LENGTH, "intent");
    check_line(override->environment, LABEL, "environment");
    check_line(override->flag, LABEL, "flag");
    check_line(override->rollout, LABEL, "rollout");
    check_line(override->by, OVERRIDE_LINE_MAX, "by");
    check_line(override->note, OVERRIDE_LINE_MAX, "note");
    check_line(override->evidence, OVERRIDE_EVIDENCE_MAX, "evidence");
    FUZZ_CHECK(override->fragment.length > 0 && override->fragment.length <= OVERRIDE_FRAGMENT_MAX,
               "a fragment of %zu bytes", override->fragment.length);
    FUZZ_CHECK(override->action == VERB_STEP_BACK || override->action == VERB_ROLLBACK ||
                   override->action == VERB_KILL,
               "action %d", (int) override->action);
    FUZZ_CHECK(override->since >= 0, "since %lld", (long long) override->since);
    FUZZ_CHECK(generation_parse(text_of(override->generation), &generation), "generation %s",
               override->generation);
}

static void check_round_trip(const struct override *override)
{
    struct buffer once, twice;
    buffer_init(&once, OVERRIDE_JSON_MAX);
    buffer_init(&twice, OVERRIDE_JSON_MAX);
    override_write(override, &once);
    FUZZ_CHECK(once.failed == STATUS_OK, "it does not fit");
    struct override *again = read_override(buffer_text(&once));
    FUZZ_CHECK(again, "what was written cannot be read: %.*s", FUZZ_TEXT(buffer_text(&once)));
    override_write(again, &twice);
    FUZZ_CHECK(text_equal(buffer_text(&once), buffer_text(&twice)), "%.*s is written again as %.*s",
               FUZZ_TEXT(buffer_text(&once)), FUZZ_TEXT(buffer_text(&twice)));
    FUZZ_CHECK(!override_wins(override, again) && !override_wins(again, override),
               "one of two that are the same wins");
    override_release(again);
    buffer_dispose(&once);
    buffer_dispose(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts;
    fuzz_split(data, size, &parts);
    struct override *first = read_override(parts.first);
    struct override *second = parts.has_second ? read_override(parts.second) : NULL;
    if (first) {
        check_fields(first);
        check_round_trip(first);
    }
    if (first && second)
        FUZZ_CHECK(!override_wins(first, second) || !override_wins(second, first), "both win");
    override_release(first);
    override_release(second);
    fuzz_parts_dispose(&parts);
    return 0;
}
