/* What is kept of a metric over a restart. */
#include "probes.h"

START_TEST(what_is_kept_comes_back)
{
    struct rigged rigged, other;
    struct buffer text;
    struct error error;
    begin(&rigged, RATE);
    counted(&rigged, 3, 600, T0 + 60);
    counted(&rigged, 300, 600, T0 + 120);
    buffer_init(&text, 0);
    probe_write(rigged.probe, &text);
    begin(&other, RATE);
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), true, NANO(T0 + 200), &error),
                     STATUS_OK);
    ck_assert_int_eq(memcmp(other.probe->evidence, rigged.probe->evidence, sizeof(struct evidence)),
                     0);
    ck_assert_int_eq(gate_at(&other, T0 + 200).covered, 60);
    expect_verdict(&other, T0 + 200, WALK_FAILURE);
    /* a measurement that was counted, and one that was not */
    const struct measurement old = {NANO(T0 + 60), VERDICT_SUCCESS, 0.005};
    const struct measurement young = {NANO(T0 + 180), VERDICT_SUCCESS, 0.005};
    probe_recall(other.probe, &old, TEXT("old"));
    ck_assert_uint_eq(other.probe->result.measured, rigged.probe->result.measured);
    probe_recall(other.probe, &young, TEXT("young"));
    ck_assert_uint_eq(other.probe->result.measured, rigged.probe->result.measured + 1);
    ck_assert_int_eq(gate_at(&other, T0 + 200).finished, T0 + 180);
    expect_verdict(&other, T0 + 200, WALK_FAILURE);
    finish(&other);
    /* the next phase takes the evidence, and nothing else */
    begin(&other, RATE);
    move_on(&other, RATE, 1, 1, T0 + 300, T0 + 300);
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), false, NANO(T0 + 300), &error),
                     STATUS_OK);
    expect_verdict(&other, T0 + 300, WALK_NO_DATA);
    ck_assert(other.probe->begins && other.probe->evidence->phases == 1);
    finish(&other);
    /* of a metric that was changed meanwhile: nothing, and it says so */
    begin(&other, DEFINITIONS COUNTED "  thresholdRange: {max: 0.5}\n");
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), true, NANO(T0 + 200), &error),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(gate_at(&other, T0 + 200).restarted, T0 + 200);
    expect_verdict(&other, T0 + 200, WALK_NO_DATA);
    finish(&other);
    buffer_dispose(&text);
    finish(&rigged);
}
END_TEST

START_TEST(no_second_bakes_twice_over_a_restart)
{
    struct rigged rigged, other;
    struct buffer text;
    struct error error;
    begin(&rigged, RATE);
    counted(&rigged, 0, 600, T0 + 60);
    buffer_init(&text, 0);
    probe_write(rigged.probe, &text);
    begin(&other, RATE);
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&text), true, NANO(T0 + 90), &error),
                     STATUS_OK);
    const struct measurement next = {NANO(T0 + 90), VERDICT_SUCCESS, 0};
    probe_recall(other.probe, &next, TEXT("next"));
    ck_assert_int_eq(gate_at(&other, T0 + 90).covered, 90);
    finish(&other);
    buffer_dispose(&text);
    finish(&rigged);
}
END_TEST

START_TEST(what_is_damaged_is_refused)
{
    struct rigged rigged, other;
    struct buffer text;
    struct error error;
    begin(&rigged, RATE);
    counted(&rigged, 3, 600, T0 + 60);
    buffer_init(&text, 0);
    probe_write(rigged.probe, &text);
    begin(&other, RATE);
    for (size_t i = 0; i < text.length; i++) {
        struct text cut = {text.data, i};
        enum status status = probe_read(other.probe, cut, true, NANO(T0 + 200), &error);
        ck_assert_int_eq(status, STATUS_INVALID);
    }
    ck_assert_int_eq(probe_read(other.probe, TEXT("x"), true, 0, &error), STATUS_INVALID);
    /* an instant that no clock shows: when the evidence restarted */
    struct buffer ill;
    const char *third =
        buffer_string(&text) + sizeof "probe 1 " - 1 + (size_t)2 * PROBE_DIGEST_SIZE;
    for (int i = 0; i < 2; i++)
        third = strchr(third + 1, ' ');
    buffer_init(&ill, 0);
    buffer_append(&ill, text.data, (size_t)(third - text.data));
    buffer_append_string(&ill, " 253402300799");
    buffer_append_string(&ill, strchr(third + 1, ' '));
    ck_assert_int_eq(probe_read(other.probe, buffer_text(&ill), true, NANO(T0 + 200), &error),
                     STATUS_INVALID);
    buffer_dispose(&ill);
    finish(&other);
    buffer_dispose(&text);
    finish(&rigged);
}
END_TEST

UNIT_MAIN("probe kept", what_is_kept_comes_back, no_second_bakes_twice_over_a_restart,
          what_is_damaged_is_refused)
