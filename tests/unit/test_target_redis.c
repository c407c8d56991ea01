/* What the script makes of a push: layout, differences, generations, overrides. */
#include "redis_site.h"

/* How often a command was called, also by scripts. */
static long long statistic(struct site *site, const char *command)
{
    redisReply *reply = ask(&site->server, "INFO commandstats");
    char name[64];
    snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    const char *at = strstr(reply->str, name);
    long long calls = at ? strtoll(at + strlen(name), NULL, 10) : 0;
    freeReplyObject(reply);
    return calls;
}

static long long bytes_received(struct site *site)
{
    redisReply *reply = ask(&site->server, "INFO stats");
    const char *at = strstr(reply->str, "total_net_input_bytes:");
    ck_assert_ptr_nonnull(at);
    long long bytes = strtoll(strchr(at, ':') + 1, NULL, 10);
    freeReplyObject(reply);
    return bytes;
}

START_TEST(test_layout)
{
    struct site site;
    if (!make_site(&site))
        return;
    struct snapshot *snapshot = snapshot_of(TWO_FLAGS, 5);
    check_given(&site, snapshot);
    char digest[DIGEST_TEXT_SIZE];
    digest_of(snapshot, digest);
    check_count(&site, "doc", 2);
    check_field(&site, "doc", "banner", ON_JSON);
    check_field(&site, "doc", "checkout", ON_JSON);
    check_generation(&site, 5);
    check_field(&site, "meta", "digest", digest);
    check_field(&site, "meta", "commit", COMMIT_A);
    check_field(&site, "meta", "environment", "production");
    check_field(&site, "meta", "metadata", "");
    check_count(&site, "overrides", 0);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_differences)
{
    struct site site;
    if (!make_site(&site))
        return;
    give_new(&site, TWO_FLAGS, 1);
    /* Nobody's field: a whole write would take it away, a difference does not see it. */
    tell(&site.server, "HSET {weir:production}:doc extra x");
    give_new(&site, ONE_CHANGED, 2);
    check_field(&site, "doc", "checkout", OFF_JSON);
    check_field(&site, "doc", "banner", ON_JSON);
    check_field(&site, "doc", "extra", "x");
    give_new(&site, ONE_GONE, 3);
    check_field(&site, "doc", "banner", NULL);
    check_field(&site, "doc", "checkout", OFF_JSON);
    check_field(&site, "doc", "search", ON_JSON);
    check_field(&site, "doc", "extra", "x");
    check_generation(&site, 3);
    give_new(&site, ONE_GONE, 4); /* a commit that changes no flag */
    check_field(&site, "doc", "extra", "x");
    check_generation(&site, 4);
    give_new(&site, NO_FLAGS, 5);
    check_count(&site, "doc", 1);
    give_new(&site, TWO_FLAGS, 6);
    check_field(&site, "doc", "banner", ON_JSON);
    leave(&site);
}
END_TEST

START_TEST(test_a_difference_that_does_not_fit)
{
    struct site site;
    if (!make_site(&site))
        return;
    give_new(&site, TWO_FLAGS, 1);
    /* Another controller was here. */
    struct site other = site;
    other.state = NULL;
    reopen(&other);
    give_new(&other, ONE_GONE, 2);
    check_field(&site, "doc", "banner", NULL);
    other.driver->close(other.state);
    give_new(&site, ONE_CHANGED, 3);
    check_count(&site, "doc", 2);
    check_field(&site, "doc", "banner", ON_JSON);
    check_field(&site, "doc", "checkout", OFF_JSON);
    check_field(&site, "doc", "search", NULL);
    leave(&site);
}
END_TEST

START_TEST(test_older_never_replaces_newer)
{
    struct site site;
    if (!make_site(&site))
        return;
    give_new(&site, ONE_CHANGED, 200);
    for (int i = 0; i < 2; i++) {
        struct snapshot *old = snapshot_of(TWO_FLAGS, 15);
        ck_assert_int_eq(give(&site, old), STATUS_REFUSED);
        ck_assert_ptr_nonnull(strstr(site.error.message, "a newer generation"));
        ck_assert_ptr_null(site.driver->code(site.state));
        snapshot_release(old);
        check_field(&site, "doc", "checkout", OFF_JSON);
        check_generation(&site, 200);
        reopen(&site); /* the same when nothing is remembered */
    }
    leave(&site);
}
END_TEST

START_TEST(test_generations_are_compared_by_all_parts)
{
    struct site site;
    if (!make_site(&site))
        return;
    static const struct generation rising[] = {
        {0, 9, 9, 9},    {0, 0x10, 0, 0},       {0, 0x10, 0, 0xf0000000},
        {0, 0x10, 1, 0}, {0, 0xfffffff0, 0, 0}, {1, 0, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(rising); i++) {
        struct snapshot *snapshot = snapshot_of(i % 2 ? TWO_FLAGS : ONE_CHANGED, 0);
        snapshot->generation = rising[i];
        check_given(&site, snapshot);
        snapshot_release(snapshot);
        snapshot = snapshot_of(i % 2 ? ONE_GONE : NO_FLAGS, 0);
        if (i) {
            snapshot->generation = rising[i - 1];
            ck_assert_int_eq(give(&site, snapshot), STATUS_REFUSED);
        }
        snapshot_release(snapshot);
    }
    leave(&site);
}
END_TEST

START_TEST(test_one_generation_two_documents)
{
    struct site site;
    if (!make_site(&site))
        return;
    give_new(&site, TWO_FLAGS, 5);
    struct snapshot *other = snapshot_of(ONE_CHANGED, 5);
    ck_assert_int_eq(give(&site, other), STATUS_REFUSED);
    ck_assert_ptr_nonnull(
        strstr(site.error.message, "another document of this generation (sha256:"));
    check_field(&site, "doc", "checkout", ON_JSON);
    snapshot_release(other);
    leave(&site);
}
END_TEST

/* Subscribes the test's own connection. */
static redisContext *listen_for_changes(struct site *site)
{
    redisContext *listener = redisConnect("127.0.0.1", (int)site->server.port);
    ck_assert(listener && !listener->err);
    ck_assert_int_eq(redisSetTimeout(listener, (struct timeval){.tv_sec = 20}), REDIS_OK);
    redisReply *reply = redisCommand(listener, "SUBSCRIBE {weir:production}:changed");
    ck_assert_ptr_nonnull(reply);
    freeReplyObject(reply);
    return listener;
}

static void check_heard(redisContext *listener, const struct snapshot *snapshot)
{
    void *answer = NULL;
    ck_assert_int_eq(redisGetReply(listener, &answer), REDIS_OK);
    const redisReply *reply = answer;
    char digest[DIGEST_TEXT_SIZE], generation[GENERATION_TEXT_SIZE], expected[256];
    digest_of(snapshot, digest);
    generation_format(snapshot->generation, generation);
    snprintf(expected, sizeof expected, "{\"digest\":\"%s\",\"generation\":\"%s\"}", digest,
             generation);
    ck_assert_uint_eq(reply->elements, 3);
    ck_assert_str_eq(reply->element[2]->str, expected);
    freeReplyObject(answer);
}

START_TEST(test_changes_are_published_and_only_changes)
{
    struct site site;
    if (!make_site(&site))
        return;
    redisContext *listener = listen_for_changes(&site);
    struct snapshot *first = snapshot_of(TWO_FLAGS, 1), *second = snapshot_of(ONE_CHANGED, 2);
    check_given(&site, first);
    check_heard(listener, first);
    check_given(&site, first); /* nothing new, nothing said: the next to be heard is the second */
    reopen(&site);
    check_given(&site, first);
    check_given(&site, second);
    check_heard(listener, second);
    redisFree(listener);
    snapshot_release(first);
    snapshot_release(second);
    leave(&site);
}
END_TEST

/* A controller that starts again asks by digest before it sends the whole. */
START_TEST(test_what_is_there_is_not_sent_again)
{
    struct site site;
    if (!make_site(&site))
        return;
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"flags\":{");
    for (int i = 0; i < 500; i++)
        buffer_printf(&json, "%s\"flag-%03d\":" ON_JSON, i ? "," : "", i);
    buffer_append_string(&json, "}}");
    struct snapshot *snapshot = snapshot_of(buffer_string(&json), 1);
    check_given(&site, snapshot);
    reopen(&site);
    long long before = bytes_received(&site);
    check_given(&site, snapshot);
    ck_assert_int_lt(bytes_received(&site) - before, 5000);
    snapshot->generation.level = 2;
    reopen(&site);
    check_given(&site, snapshot);
    ck_assert_int_lt(bytes_received(&site) - before, 10000);
    check_generation(&site, 2);
    /* Not so when the document is gone. */
    tell(&site.server, "DEL {weir:production}:doc");
    check_given(&site, snapshot);
    check_count(&site, "doc", 500);
    snapshot_release(snapshot);
    buffer_dispose(&json);
    leave(&site);
}
END_TEST

START_TEST(test_a_hundred_thousand_flags)
{
    struct site site;
    if (!make_site(&site))
        return;
    struct buffer json;
    buffer_init(&json, 0);
    for (int round = 0; round < 2; round++) {
        buffer_clear(&json);
        buffer_append_string(&json, "{\"flags\":{");
        /* The second has another half, and the half that stays is changed. */
        for (int i = 0; i < 100000; i++)
            buffer_printf(&json, "%s\"flag-%06d\":%s", i ? "," : "", i + round * 50000,
                          round ? OFF_JSON : ON_JSON);
        buffer_append_string(&json, "}}");
        struct snapshot *snapshot = snapshot_of(buffer_string(&json), (uint32_t)round + 1);
        enum status status = STATUS_SYSTEM;
        /* Where the machine is busy Redis is silent for longer than is waited: then once more, as a
         * worker does. */
        for (int tries = 0; tries < 20 && status == STATUS_SYSTEM; tries++)
            status = give(&site, snapshot);
        ck_assert_msg(status == STATUS_OK, "%s", site.error.message);
        snapshot_release(snapshot);
        check_count(&site, "doc", 100000);
        check_field(&site, "doc", "flag-000000", round ? NULL : ON_JSON);
        check_field(&site, "doc", "flag-099999", round ? OFF_JSON : ON_JSON);
    }
    check_field(&site, "doc", "flag-049999", NULL);
    check_field(&site, "doc", "flag-050000", OFF_JSON);
    check_field(&site, "doc", "flag-149999", OFF_JSON);
    ck_assert_int_ge(statistic(&site, "hset"), 200);
    buffer_dispose(&json);
    leave(&site);
}
END_TEST

/* A script that breaks off leaves something that is neither the old nor the new document. What
 * comes next must not take it for the old one: no difference would ever mend it. */
START_TEST(test_a_script_that_was_broken_off)
{
    struct site site;
    if (!make_site(&site))
        return;
    give_new(&site, TWO_FLAGS, 1);
    tell(&site.server, "SET {weir:production}:doc x");
    struct snapshot *snapshot = snapshot_of(ONE_CHANGED, 2);
    ck_assert_int_eq(give(&site, snapshot), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "WRONGTYPE"));
    check_field(&site, "meta", "digest", "");
    check_generation(&site, 1);
    check_given(&site, snapshot);
    check_count(&site, "doc", 2);
    check_field(&site, "doc", "banner", ON_JSON);
    check_field(&site, "doc", "checkout", OFF_JSON);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_a_connection_that_has_ended_is_noticed)
{
    struct site site;
    if (!make_site(&site))
        return;
    ck_assert(!site.driver->lost(site.state)); /* there was none */
    struct snapshot *snapshot = snapshot_of(TWO_FLAGS, 1);
    check_given(&site, snapshot);
    ck_assert(!site.driver->lost(site.state));
    tell(&site.server, "CLIENT KILL TYPE normal SKIPME yes");
    for (int tries = 0; !site.driver->lost(site.state); tries++) {
        ck_assert_int_lt(tries, 10000);
        wait_a_little();
    }
    check_given(&site, snapshot);
    ck_assert(!site.driver->lost(site.state));
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

UNIT_MAIN("target_redis", test_layout, test_differences, test_a_difference_that_does_not_fit,
          test_older_never_replaces_newer, test_generations_are_compared_by_all_parts,
          test_one_generation_two_documents, test_changes_are_published_and_only_changes,
          test_what_is_there_is_not_sent_again, test_a_hundred_thousand_flags,
          test_a_script_that_was_broken_off, test_a_connection_that_has_ended_is_noticed)
