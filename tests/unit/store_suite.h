/* store_suite.h - what every store has to do, asked through store.h alone. A test program of a
 * store defines suite_begin(), which returns the location of an empty store, and suite_end(),
 * includes this, and names STORE_SUITE in its UNIT_MAIN. */
#ifndef WEIR_TESTS_STORE_SUITE_H
#define WEIR_TESTS_STORE_SUITE_H

#include "store_rows.h"

static const char *suite_begin(void);
static void suite_end(void);

/* --- overrides ------------------------------------------------------------------------------- */

START_TEST(suite_overrides_are_put_listed_and_closed)
{
    const char *location = suite_begin();
    struct store *store = open_store(location);
    struct store_override first = override_numbered(1), second = override_numbered(2);
    CHECK_OVERRIDES(store, "");
    CHECK_OK(store_override_put(store, &second, error));
    CHECK_OK(store_override_put(store, &first, error));
    CHECK_OVERRIDES(store, "1001 in whole closed=0\n1002 in whole closed=0\n");
    CHECK_TOLD(store_override_each(store, stop_at_first_override, out, error),
               "1001 in whole closed=0\n");
    CHECK_OK(store_override_get(store, first.intent, compare_override, &first, error));
    /* The same breach again: the first one stays. */
    struct store_override other = first;
    other.flag = TEXT("another"), other.since = 5;
    CHECK_OK(store_override_put(store, &other, error));
    CHECK_OK(store_override_get(store, first.intent, compare_override, &first, error));
    CHECK_OK(store_override_close(store, first.intent, 2000, error));
    CHECK_OVERRIDES(store, "1002 in whole closed=0\n");
    CHECK_OK(store_override_close(store, first.intent, 3000, error));
    first.closed = 2000;
    CHECK_OK(store_override_get(store, first.intent, compare_override, &first, error));
    CHECK_FAILS(store_override_put(store, &first, error), STATUS_REFUSED,
                "override '0000000000000000000000000000000000000000000000000000000000000001' was "
                "closed before");
    CHECK_FAILS(store_override_close(store, intent_of(3), 2000, error), STATUS_NOT_FOUND,
                "there is no override "
                "'0000000000000000000000000000000000000000000000000000000000000003'");
    CHECK_FAILS(store_override_get(store, intent_of(3), compare_override, NULL, error),
                STATUS_NOT_FOUND,
                "there is no override "
                "'0000000000000000000000000000000000000000000000000000000000000003'");
    /* Decided anew it is another, and one that is open stays. */
    other.since = 1005;
    CHECK_OK(store_override_put_again(store, &other, error));
    CHECK_OK(store_override_get(store, other.intent, compare_override, &other, error));
    CHECK_OK(store_override_put_again(store, &first, error));
    CHECK_OK(store_override_get(store, other.intent, compare_override, &other, error));
    CHECK_OK(store_override_close(store, other.intent, 4000, error));
    store_close(store);
    store = open_store(location); /* as after a restart */
    CHECK_OVERRIDES(store, "1002 in whole closed=0\n");
    CHECK_OK(store_override_get(store, second.intent, compare_override, &second, error));
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(suite_the_largest_override)
{
    struct store *store = open_store(suite_begin());
    struct store_override override = override_numbered(1);
    const size_t size = (STORE_JSON_MAXIMUM > STORE_FRAGMENT_MAXIMUM ? STORE_JSON_MAXIMUM
                                                                     : STORE_FRAGMENT_MAXIMUM) +
                        1;
    char *bytes = malloc(size);
    memset(bytes, 'x', size);
    override.fragment = (struct text){bytes, STORE_FRAGMENT_MAXIMUM};
    override.evidence = (struct text){bytes, STORE_JSON_MAXIMUM};
    override.flag = override.environment = (struct text){bytes, STORE_NAME_MAXIMUM};
    override.generation = (struct text){bytes, STORE_GENERATION_MAXIMUM};
    override.seq = INT64_MAX;
    CHECK_OK(store_override_put(store, &override, error));
    CHECK_OK(store_override_get(store, override.intent, compare_override, &override, error));
    override.intent = intent_of(2);
    override.fragment.length++;
    CHECK_FAILS(store_override_put(store, &override, error), STATUS_LIMIT,
                "fragment has 4194305 bytes, at most 4194304 can be stored");
    free(bytes);
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(suite_what_is_no_override)
{
    struct store *store = open_store(suite_begin());
    struct store_override override = override_numbered(1);
    override.intent.length--;
    CHECK_FAILS(store_override_put(store, &override, error), STATUS_INVALID,
                "an intent is 64 lower-case hexadecimal digits");
    CHECK_FAILS(store_override_close(store, TEXT("1"), 5, error), STATUS_INVALID,
                "an intent is 64 lower-case hexadecimal digits");
    CHECK_FAILS(store_override_close(store, intent_of(1), 0, error), STATUS_INVALID,
                "an override cannot be closed at 0");
    override = override_numbered(1), override.flag = TEXT("");
    CHECK_FAILS(store_override_put(store, &override, error), STATUS_INVALID, "flag is empty");
    override = override_numbered(1), override.flag = TEXT("a\0b");
    CHECK_FAILS(store_override_put(store, &override, error), STATUS_INVALID,
                "flag has a NUL in it");
    override = override_numbered(1), override.seq = UINT64_MAX;
    CHECK_FAILS(store_override_put(store, &override, error), STATUS_INVALID, "seq is too large");
    CHECK_OVERRIDES(store, "");
    store_close(store);
    suite_end();
}
END_TEST

/* --- measurements ---------------------------------------------------------------------------- */

START_TEST(suite_measurements_are_appended_and_read_by_time)
{
    struct store *store = open_store(suite_begin());
    struct store_measurement batch[4];
    for (int i = 0; i < 4; i++)
        batch[i] = measurement_at(40 - i * 10);
    batch[1].verdict = STORE_NO_DATA, batch[1].measure = STORE_NOTHING;
    batch[1].message = TEXT("empty answer");
    batch[1].silent = true;
    batch[2].verdict = STORE_FAILURE, batch[2].measure = STORE_VALUE, batch[2].value = 0.1;
    batch[2].mismatch = TEXT(" 0.15 of 0.1");
    batch[3].metric = TEXT("latency");
    CHECK_OK(store_measurement_append(store, batch, 4, error));
    CHECK_MEASUREMENTS(store, 0,
                       "20 on 1 1 0.1 0/0 '' 0.15 of 0.1\n30 on 4 0 0 0/0 'empty answer' silent\n"
                       "40 on 0 2 0 3/5120 ''\n");
    CHECK_MEASUREMENTS(store, 31, "40 on 0 2 0 3/5120 ''\n");
    /* The same batch again, with one more: nothing is twice. */
    batch[3] = measurement_at(40), batch[3].arm = TEXT("");
    CHECK_OK(store_measurement_append(store, batch, 4, error));
    CHECK_MEASUREMENTS(store, 31, "40  0 2 0 3/5120 ''\n40 on 0 2 0 3/5120 ''\n");
    CHECK_OK(store_measurement_append(store, NULL, 0, error));
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(suite_measurements_of_all_metrics_by_time)
{
    struct store *store = open_store(suite_begin());
    struct store_measurement batch[5];
    for (int i = 0; i < 5; i++)
        batch[i] = measurement_at(50 - i * 10);
    batch[1].metric = TEXT("latency"), batch[1].arm = TEXT("l");
    batch[2].rollout = TEXT("another");
    batch[3].environment = TEXT("staging");
    batch[4].finished = 40;
    CHECK_OK(store_measurement_append(store, batch, 5, error));
    CHECK_ALL_MEASUREMENTS(store, 0, 100,
                           "40 on 0 2 0 3/5120 ''\n40 l 0 2 0 3/5120 ''\n50 on 0 2 0 3/5120 ''\n");
    CHECK_ALL_MEASUREMENTS(store, 41, 100, "50 on 0 2 0 3/5120 ''\n");
    CHECK_ALL_MEASUREMENTS(store, 0, 1, "40 on 0 2 0 3/5120 ''\n");
    CHECK_ALL_MEASUREMENTS(store, 0, 0, "");
    CHECK_FAILS(store_measurement_all(store, TEXT("production"), TEXT(""), 0, 9, NULL, NULL, error),
                STATUS_INVALID, "rollout is empty");
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(suite_a_batch_is_whole_or_not_at_all)
{
    struct store *store = open_store(suite_begin());
    struct store_measurement batch[2] = {measurement_at(10), measurement_at(20)};
    char message[STORE_MESSAGE_MAXIMUM + 1];
    memset(message, 'm', sizeof message);
    batch[1].measure = STORE_VALUE, batch[1].value = 0.0 / (batch[0].numerator - 3);
    CHECK_FAILS(store_measurement_append(store, batch, 2, error), STATUS_INVALID,
                "measurement of 'errors' is no number");
    batch[1].measure = STORE_RATIO, batch[1].denominator = 1 / (batch[0].numerator - 3);
    CHECK_FAILS(store_measurement_append(store, batch, 2, error), STATUS_INVALID,
                "measurement of 'errors' is no number");
    batch[1] = measurement_at(20), batch[1].message = (struct text){message, sizeof message};
    CHECK_FAILS(store_measurement_append(store, batch, 2, error), STATUS_LIMIT,
                "message has 301 bytes, at most 300 can be stored");
    CHECK_FAILS(store_measurement_append(store, batch, STORE_BATCH_MAXIMUM + 1, error),
                STATUS_LIMIT, "a batch of 10001 measurements, at most 10000 can be stored at once");
    CHECK_MEASUREMENTS(store, 0, "");
    batch[1].message.length--;
    CHECK_OK(store_measurement_append(store, batch, 2, error));
    store_close(store);
    suite_end();
}
END_TEST

/* --- evidence -------------------------------------------------------------------------------- */

START_TEST(suite_evidence_is_kept_by_its_key)
{
    struct store *store = open_store(suite_begin());
    struct store_evidence_key key = {TEXT("production"), TEXT("checkout-v2"), TEXT("errors"), 1,
                                     TEXT("ten")};
    static char bytes[STORE_EVIDENCE_MAXIMUM + 1], read[STORE_EVIDENCE_MAXIMUM];
    size_t length = 7;
    uint32_t version = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    CHECK_FAILS(store_evidence_get(store, &key, &version, read, &length, error), STATUS_NOT_FOUND,
                "there is no evidence of metric 'errors'");
    CHECK_OK(store_evidence_put(store, &key, 3, (struct text){bytes, 5}, 10, error));
    struct text most = {bytes, STORE_EVIDENCE_MAXIMUM};
    CHECK_OK(store_evidence_put(store, &key, UINT32_MAX, most, 20, error));
    CHECK_OK(store_evidence_get(store, &key, &version, read, &length, error));
    ck_assert_uint_eq(version, UINT32_MAX);
    ck_assert(text_equal((struct text){read, length}, most));
    most.length++;
    CHECK_FAILS(store_evidence_put(store, &key, 1, most, 20, error), STATUS_LIMIT,
                "evidence has 65537 bytes, at most 65536 can be stored");
    struct store_evidence_key other = key;
    other.run = 2;
    CHECK_OK(store_evidence_put(store, &other, 1, TEXT(""), 30, error));
    CHECK_OK(store_evidence_delete(store, &key, error));
    CHECK_OK(store_evidence_delete(store, &key, error));
    CHECK_FAILS(store_evidence_get(store, &key, &version, read, &length, error), STATUS_NOT_FOUND,
                "there is no evidence of metric 'errors'");
    CHECK_OK(store_evidence_get(store, &other, &version, read, &length, error));
    ck_assert(version == 1 && length == 0);
    store_close(store);
    suite_end();
}
END_TEST

/* --- outbox ---------------------------------------------------------------------------------- */

START_TEST(suite_notices_wait_until_they_are_sent)
{
    struct store *store = open_store(suite_begin());
    struct store_notice second = notice_numbered(2), first = notice_numbered(1), taken;
    check_counts(store, 0, 0, INT64_MAX);
    CHECK_OK(store_outbox_append(store, &second, error));
    CHECK_OK(store_outbox_append(store, &first, error));
    CHECK_OK(store_outbox_append(store, &first, error));
    check_counts(store, 2, 0, 101);
    CHECK_FAILS(store_outbox_take(store, TEXT(""), 100, 150, &taken, error), STATUS_NOT_FOUND,
                "no notice is due");
    check_taken(store, 110, 150, "notice-000001", 1, "");
    check_taken(store, 110, 150, "notice-000002", 1, "");
    CHECK_FAILS(store_outbox_take(store, TEXT(""), 149, 200, &taken, error), STATUS_NOT_FOUND,
                "no notice is due");
    CHECK_OK(store_outbox_retry(store, TEXT("notice-000002"), 120, TEXT("status 503"), error));
    check_taken(store, 120, 180, "notice-000002", 2, "status 503");
    check_taken(store, 150, 190, "notice-000001", 2, ""); /* its taker has died */
    CHECK_OK(store_outbox_done(store, TEXT("notice-000001"), error));
    /* What was sent is not sent again. */
    CHECK_OK(store_outbox_append(store, &first, error));
    check_counts(store, 1, 0, 180);
    CHECK_FAILS(store_outbox_done(store, TEXT("notice-000001"), error), STATUS_NOT_FOUND,
                "no notice 'notice-000001' waits");
    CHECK_OK(store_outbox_drop(store, TEXT("notice-000002"), TEXT("status 410"), error));
    CHECK_OK(store_outbox_append(store, &second, error));
    check_counts(store, 0, 1, INT64_MAX);
    CHECK_FAILS(store_outbox_retry(store, TEXT("notice-000002"), 1, TEXT(""), error),
                STATUS_NOT_FOUND, "no notice 'notice-000002' waits");
    CHECK_TOLD(store_outbox_dropped(store, tell_notice, out, error),
               "notice-000002 'status 410'\n");
    CHECK_FAILS(store_outbox_take(store, TEXT(""), 10, 10, &taken, error), STATUS_INVALID,
                "a lease that ends before it begins");
    store_close(store);
    suite_end();
}
END_TEST

START_TEST(suite_each_channel_takes_its_own)
{
    struct store *store = open_store(suite_begin());
    struct store_notice slack = notice_numbered(1), mail = notice_numbered(2), taken;
    struct store_outbox_counts counts;
    mail.channel = TEXT("mail");
    CHECK_OK(store_outbox_append(store, &slack, error));
    CHECK_OK(store_outbox_append(store, &mail, error));
    CHECK_OK(store_outbox_count(store, TEXT("mail"), &counts, error));
    ck_assert_uint_eq(counts.pending, 1);
    ck_assert_int_eq(counts.next_due, 102);
    CHECK_FAILS(store_outbox_take(store, TEXT("mail"), 101, 150, &taken, error), STATUS_NOT_FOUND,
                "no notice is due");
    CHECK_OK(store_outbox_take(store, TEXT("mail"), 110, 150, &taken, error));
    ck_assert_text(taken.id, "notice-000002");
    CHECK_FAILS(store_outbox_take(store, TEXT("mail"), 110, 150, &taken, error), STATUS_NOT_FOUND,
                "no notice is due");
    CHECK_OK(store_outbox_drop(store, TEXT("notice-000002"), TEXT("status 410"), error));
    CHECK_OK(store_outbox_count(store, TEXT("slack"), &counts, error));
    ck_assert_uint_eq(counts.pending, 1);
    ck_assert_uint_eq(counts.dropped, 0);
    CHECK_OK(store_outbox_count(store, TEXT("mail"), &counts, error));
    ck_assert_uint_eq(counts.pending, 0);
    ck_assert_uint_eq(counts.dropped, 1);
    ck_assert_int_eq(counts.next_due, INT64_MAX);
    check_taken(store, 110, 150, "notice-000001", 1, "");
    store_close(store);
    suite_end();
}
END_TEST

/* --- automatic rollbacks --------------------------------------------------------------------- */

START_TEST(suite_rollbacks_are_counted_once)
{
    struct store *store = open_store(suite_begin());
    for (unsigned i = 0; i < 6; i++) {
        struct store_rollback rollback = {i % 3 * 10, TEXT("production"), TEXT("checkout-v2"),
                                          intent_of(i % 3)};
        CHECK_OK(store_rollback_note(store, &rollback, error));
    }
    CHECK_TOLD(store_rollback_each(store, 10, tell_rollback, out, error),
               "20 production/checkout-v2 02\n10 production/checkout-v2 01\n");
    store_close(store);
    suite_end();
}
END_TEST

/* --- upkeep ---------------------------------------------------------------------------------- */

static void fill_for_pruning(struct store *store)
{
    struct store_measurement *batch = calloc(2500, sizeof *batch);
    for (int i = 0; i < 2500; i++)
        batch[i] = measurement_at(i);
    CHECK_OK(store_measurement_append(store, batch, 2500, error));
    free(batch);
    for (unsigned i = 0; i < 4; i++) {
        struct store_override override = override_numbered(i);
        struct store_notice notice = notice_numbered(i);
        struct store_rollback rollback = {i, TEXT("e"), TEXT("r"), intent_of(i)};
        struct store_evidence_key key = {TEXT("e"), TEXT("r"), TEXT("m"), i, TEXT("p")};
        CHECK_OK(store_override_put(store, &override, error));
        if (i < 3)
            CHECK_OK(store_override_close(store, override.intent, 10 + i, error));
        CHECK_OK(store_outbox_append(store, &notice, error));
        if (i < 3)
            CHECK_OK(store_outbox_drop(store, notice.id, TEXT("gone"), error));
        CHECK_OK(store_rollback_note(store, &rollback, error));
        CHECK_OK(store_evidence_put(store, &key, 1, TEXT("x"), i, error));
    }
}

START_TEST(suite_what_is_old_goes_in_batches)
{
    struct store *store = open_store(suite_begin());
    struct store_keep keep = {.measurements_since = 100,
                              .measurements = 3,
                              .evidence_since = 1,
                              .closed_since = 11,
                              .settled_since = 101,
                              .settled = 1,
                              .rollbacks_since = 2};
    uint64_t removed, all = 0;
    unsigned calls = 0;
    fill_for_pruning(store);
    do {
        CHECK_OK(store_prune(store, &keep, &removed, error));
        ck_assert_uint_le(removed, 7 * STORE_PRUNE_BATCH);
        all += removed;
        calls++;
    } while (removed && calls < 10);
    ck_assert_uint_eq(calls, 4); /* of 1000 measurements, and one that finds nothing */
    ck_assert_uint_eq(all, 2497 + 1 + 1 + 2 + 2);
    CHECK_MEASUREMENTS(store, 0,
                       "2497 on 0 2 0 3/5120 ''\n2498 on 0 2 0 3/5120 ''\n"
                       "2499 on 0 2 0 3/5120 ''\n");
    CHECK_OVERRIDES(store, "1003 in whole closed=0\n");
    struct store_override kept = override_numbered(1);
    kept.closed = 11;
    CHECK_OK(store_override_get(store, kept.intent, compare_override, &kept, error));
    CHECK_TOLD(store_outbox_dropped(store, tell_notice, out, error), "notice-000002 'gone'\n");
    check_counts(store, 1, 1, 103);
    CHECK_TOLD(store_rollback_each(store, 0, tell_rollback, out, error), "3 e/r 03\n2 e/r 02\n");
    store_close(store);
    suite_end();
}
END_TEST

/* --- several handles ------------------------------------------------------------------------- */

START_TEST(suite_two_handles_see_each_other)
{
    const char *location = suite_begin();
    struct store *one = open_store(location), *other = open_store(location);
    struct store_override override = override_numbered(1);
    struct store_notice notice = notice_numbered(1), taken;
    CHECK_OK(store_override_put(one, &override, error));
    CHECK_OVERRIDES(other, "1001 in whole closed=0\n");
    CHECK_OK(store_override_close(other, override.intent, 5, error));
    CHECK_OVERRIDES(one, "");
    CHECK_OK(store_outbox_append(one, &notice, error));
    check_taken(other, 200, 300, "notice-000001", 1, "");
    CHECK_FAILS(store_outbox_take(one, TEXT(""), 200, 300, &taken, error), STATUS_NOT_FOUND,
                "no notice is due");
    /* The end of one takes nothing from the other. */
    store_close(one);
    override = override_numbered(2);
    CHECK_OK(store_override_put(other, &override, error));
    CHECK_OVERRIDES(other, "1002 in whole closed=0\n");
    store_close(other);
    suite_end();
}
END_TEST

#define STORE_SUITE                                                                                \
    suite_overrides_are_put_listed_and_closed, suite_the_largest_override,                         \
        suite_what_is_no_override, suite_measurements_are_appended_and_read_by_time,               \
        suite_measurements_of_all_metrics_by_time, suite_a_batch_is_whole_or_not_at_all,           \
        suite_evidence_is_kept_by_its_key, suite_notices_wait_until_they_are_sent,                 \
        suite_each_channel_takes_its_own, suite_rollbacks_are_counted_once,                        \
        suite_what_is_old_goes_in_batches, suite_two_handles_see_each_other

#endif
