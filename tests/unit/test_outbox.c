/* Outboxes: what each of them has to do, asked through outbox.h alone; and what a store adds. */
#include "../../controller/clock.h"
#include "../../controller/notify/outbox_store.h"
#include "folders.h"
#include "unit.h"

#define SECOND NANOSECONDS_PER_SECOND

static struct outbox outbox;
static struct outbox_entry got;
static struct buffer bytes;
static struct error error;
static char root[64];

static enum status put(const char *channel, const char *id, int64_t due)
{
    struct outbox_entry entry = {.notice = text_of(id), .since = SECOND, .due = due};
    snprintf(entry.channel, sizeof entry.channel, "%s", channel);
    snprintf(entry.id, sizeof entry.id, "%s", id);
    return outbox.append(outbox.self, &entry, &error);
}

static const char *next(const char *channel, int64_t now)
{
    return outbox.next(outbox.self, channel, now, &got, &bytes, &error) == STATUS_OK ? got.id : "";
}

static void done(const char *channel, const char *id)
{
    ck_assert_int_eq(outbox.done(outbox.self, channel, id, &error), STATUS_OK);
}

static void begin(bool is_stored)
{
    buffer_init(&bytes, 0);
    if (is_stored) {
        make_folder(root);
        ck_assert_msg(outbox_store_new(root, &outbox, &error) == STATUS_OK, "%s", error.message);
    } else {
        ck_assert(outbox_memory_new(&outbox));
    }
}

static void end(bool is_stored)
{
    buffer_dispose(&bytes);
    if (is_stored) {
        outbox_store_free(&outbox);
        outbox_store_free(&outbox);
        remove_folder(root);
    } else {
        outbox_memory_free(&outbox);
    }
}

static void check_outbox(bool is_stored)
{
    begin(is_stored);
    ck_assert_str_eq(next("a", 10 * SECOND), "");
    ck_assert_int_eq(got.due, INT64_MAX);
    ck_assert_int_eq(put("a", "1", 10 * SECOND), STATUS_OK);
    ck_assert_int_eq(put("a", "2", 10 * SECOND), STATUS_OK);
    ck_assert_int_eq(put("b", "1", 5 * SECOND), STATUS_OK);
    ck_assert_int_eq(put("a", "1", SECOND), STATUS_OK); /* once more: nothing */
    ck_assert_uint_eq(outbox.count(outbox.self, "a"), 2);
    ck_assert_str_eq(next("a", 9 * SECOND), "");
    ck_assert_int_eq(got.due, 10 * SECOND);
    ck_assert_str_eq(next("a", 10 * SECOND), "1");
    ck_assert_text(got.notice, "1");
    ck_assert_str_eq(got.channel, "a");
    ck_assert_uint_eq(got.attempts, 0);
    ck_assert_int_eq(outbox.defer(outbox.self, "a", "1", 20 * SECOND, &error), STATUS_OK);
    ck_assert_str_eq(next("a", 30 * SECOND), "2");
    done("a", "2");
    done("a", "2");
    ck_assert_int_eq(outbox.defer(outbox.self, "a", "2", SECOND, &error), STATUS_OK);
    ck_assert_str_eq(next("a", 30 * SECOND), "1");
    ck_assert_uint_eq(got.attempts, 1);
    ck_assert_int_eq(got.since, SECOND);
    ck_assert_str_eq(next("b", 5 * SECOND), "1");
    ck_assert_uint_eq(outbox.count(outbox.self, "a"), 1);
    ck_assert_uint_eq(outbox.count(outbox.self, "none"), 0);
    end(is_stored);
}

START_TEST(one_in_memory)
{
    check_outbox(false);
}
END_TEST

START_TEST(one_in_a_store)
{
    check_outbox(true);
}
END_TEST

START_TEST(memory_has_an_end)
{
    begin(false);
    for (int i = 0; i < OUTBOX_MEMORY_MOST; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        ck_assert_int_eq(put("c", id, i), STATUS_OK);
    }
    ck_assert_int_eq(put("c", "more", 1), STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.message, "the outbox is full"));
    end(false);
}
END_TEST

/* The handle of a process that died. */
static void open_again(void)
{
    outbox_store_free(&outbox);
    ck_assert_int_eq(outbox_store_new(root, &outbox, &error), STATUS_OK);
}

START_TEST(a_store_keeps_what_waits_and_remembers_what_was_sent)
{
    begin(true);
    ck_assert_int_eq(put("mail", "1", 10 * SECOND), STATUS_OK);
    ck_assert_int_eq(put("mail", "2", 10 * SECOND), STATUS_OK);
    ck_assert_str_eq(next("mail", 10 * SECOND), "1");
    open_again(); /* while the first is on its way */
    ck_assert_str_eq(next("mail", 10 * SECOND), "2");
    ck_assert_text(got.notice, "2");
    done("mail", "2");
    ck_assert_str_eq(next("mail", 10 * SECOND), "");
    ck_assert_int_eq(got.due, (10 + OUTBOX_LEASE) * SECOND);
    ck_assert_str_eq(next("mail", got.due), "1");
    done("mail", "1");
    open_again();
    ck_assert_int_eq(put("mail", "1", 10 * SECOND), STATUS_OK);
    ck_assert_int_eq(put("mail", "2", 10 * SECOND), STATUS_OK);
    ck_assert_uint_eq(outbox.count(outbox.self, "mail"), 0);
    ck_assert_str_eq(next("mail", 1000 * SECOND), "");
    ck_assert_int_eq(put("slack", "1", 10 * SECOND), STATUS_OK); /* to that one it was not */
    ck_assert_str_eq(next("slack", 10 * SECOND), "1");
    end(true);
}
END_TEST

START_TEST(parts_of_a_second_are_not_before_their_time)
{
    begin(true);
    ck_assert_int_eq(put("a", "1", 10 * SECOND + 1), STATUS_OK);
    ck_assert_str_eq(next("a", 10 * SECOND + 500000000), "");
    ck_assert_int_eq(got.due, 11 * SECOND);
    ck_assert_str_eq(next("a", 11 * SECOND), "1");
    end(true);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
    ck_assert_int_ne(outbox_store_new("/nowhere/at/all", &outbox, &error), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/at/all"));
    ck_assert_ptr_null(outbox.self);
    outbox_store_free(&outbox);
}
END_TEST

UNIT_MAIN("outbox", one_in_memory, one_in_a_store, memory_has_an_end,
          a_store_keeps_what_waits_and_remembers_what_was_sent,
          parts_of_a_second_are_not_before_their_time, a_folder_that_is_not_there)
