/* What an http target asks and sends, and what it makes of the answers. */
#include "http_site.h"

#include <nettle/hmac.h>

#define GENERATION(level) "Weir-Generation: 00000000" level "0000000000000000\r\n"
#define FIVE GENERATION("00000005")
#define SIX GENERATION("00000006")
#define DONE "HTTP/1.1 204 No Content\r\n\r\n"
#define NO_HEAD "HTTP/1.1 405 No\r\n" EMPTY
#define NOT_THERE "HTTP/1.1 404 Not Found\r\n" EMPTY
#define HEAD "HEAD /flags "
#define PUT "PUT /flags "

/* An answer with the digest of ONE_FLAG, which stands where '*' is. */
static const char *with_digest(const char *before, char *out, size_t size)
{
    char digest[DIGEST_TEXT_SIZE];
    struct snapshot *snapshot = make_snapshot("production", make_document(ONE_FLAG), 1, COMMIT_A);
    digest_of(snapshot, digest);
    snapshot_release(snapshot);
    snprintf(out, size, "%sWeir-Digest: %s\r\n" EMPTY, before, digest);
    return out;
}

START_TEST(what_is_sent)
{
    static const struct step steps[] = {{HEAD, NO_HEAD}, {PUT, DONE}};
    struct site site;
    char digest[200];
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    check_given(&site, ONE_FLAG, 5);
    ck_assert(scripted_saw(&site.server, 1, "\r\n" FIVE));
    ck_assert(scripted_saw(&site.server, 1, "\r\nWeir-Commit: " COMMIT_A "\r\n"));
    ck_assert(scripted_saw(&site.server, 1, "\r\nWeir-Environment: production\r\n"));
    ck_assert(scripted_saw(&site.server, 1, "\r\nContent-Type: application/json\r\n"));
    with_digest("", digest, sizeof digest);
    digest[strcspn(digest, "\r")] = '\0';
    ck_assert(scripted_saw(&site.server, 1, digest));
    ck_assert(scripted_saw(&site.server, 1, "\r\n\r\n" ONE_FLAG));
    ck_assert(!scripted_saw(&site.server, 1, "Weir-Signature"));
    ck_assert(!scripted_saw(&site.server, 1, "Weir-Overrides"));
    leave(&site);
}
END_TEST

START_TEST(open_overrides_are_named)
{
    static const struct step steps[] = {{HEAD, NO_HEAD}, {PUT, DONE}};
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    check_given_overrides(&site, ONE_FLAG, 5);
    ck_assert(scripted_saw(&site.server, 1, "\r\nWeir-Overrides: " INTENT_A "," INTENT_B "\r\n"));
    ck_assert(scripted_saw(&site.server, 1, "\r\n\r\n" ONE_FLAG));
    leave(&site);
}
END_TEST

/* The scheme as the README has it, put together here on its own. */
START_TEST(the_signature)
{
    static const struct step steps[] = {{HEAD, NO_HEAD}, {PUT, DONE}};
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    ck_assert_int_eq(setenv("WEIR_TEST_KEY", "hunter2", 1), 0);
    struct reach_secret secret = {.name = (char[]){"edge"},
                                  .variable = (char[]){"WEIR_TEST_KEY"},
                                  .hosts = site.hosts,
                                  .host_count = 1};
    site.reach.secrets = &secret;
    site.reach.secret_count = 1;
    site.definition.secret = (char[]){"edge"};
    reopen(&site);
    check_given(&site, ONE_FLAG, 5);

    const char *request = buffer_string(&site.server.requests[1]);
    const char *timestamp = strstr(request, "Weir-Timestamp: ");
    ck_assert_ptr_nonnull(timestamp);
    char told[100], digest[200], sent[2000], mac[65], field[100];
    snprintf(told, sizeof told, "%s", timestamp + 16);
    told[strcspn(told, "\r")] = '\0';
    with_digest("", digest, sizeof digest);
    digest[strcspn(digest, "\r")] = '\0';
    int length = snprintf(sent, sizeof sent,
                          "v1\n%s\nproduction\n00000000000000050000000000000000\n%s\n%s\n%s", told,
                          digest + 13, COMMIT_A, ONE_FLAG);
    struct hmac_sha256_ctx context;
    uint8_t bytes[32];
    hmac_sha256_set_key(&context, 7, (const uint8_t *)"hunter2");
    hmac_sha256_update(&context, (size_t)length, (const uint8_t *)sent);
    hmac_sha256_digest(&context, sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(mac + 2 * i, 3, "%02x", bytes[i]);
    snprintf(field, sizeof field, "\r\nWeir-Signature: v1=%s\r\n", mac);
    ck_assert_msg(strstr(request, field), "%s is not in\n%s", field, request);
    leave(&site);
}
END_TEST

START_TEST(a_receiver_that_tells_what_it_holds)
{
    char this[300], other[300];
    const struct step steps[] = {
        {HEAD, with_digest("HTTP/1.1 200 OK\r\n" FIVE, this, sizeof this)},
        {HEAD, this},
        {HEAD, with_digest("HTTP/1.1 200 OK\r\n" GENERATION("00000004"), other, sizeof other)},
        {PUT, DONE},
        {HEAD, NOT_THERE},
        {PUT, DONE},
        {HEAD, "HTTP/1.1 503 Soon\r\n" EMPTY},
        {HEAD, this},
        {PUT, DONE}, /* something new is sent without asking */
    };
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    check_given(&site, ONE_FLAG, 5); /* it is there already */
    check_given(&site, ONE_FLAG, 5); /* and still */
    check_given(&site, ONE_FLAG, 5); /* somebody set it back */
    check_given(&site, ONE_FLAG, 5); /* somebody emptied it */
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "answered 503 to HEAD");
    check_given(&site, ONE_FLAG, 5);
    check_given(&site, OTHER_FLAG, 6);
    leave(&site);
}
END_TEST

START_TEST(a_receiver_that_does_not_tell)
{
    static const struct step steps[] = {
        {HEAD, "HTTP/1.1 200 OK\r\n" EMPTY},
        {PUT, DONE},
        {HEAD, "HTTP/1.1 200 OK\r\nWeir-Generation: x\r\nWeir-Digest: y\r\n" EMPTY},
        {HEAD, "HTTP/1.1 501 No\r\n" EMPTY},
        {HEAD, "HTTP/1.1 403 No\r\n" EMPTY},
        {PUT, DONE},
    };
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    for (int i = 0; i < 4; i++)
        check_given(&site, ONE_FLAG, 5);
    check_given(&site, ONE_FLAG, 6);
    leave(&site);
}
END_TEST

START_TEST(the_fence)
{
    char conflict[300], newer[300];
    const struct step steps[] = {
        {HEAD, with_digest("HTTP/1.1 200 OK\r\n" SIX, newer, sizeof newer)},
        {HEAD, NO_HEAD},
        {PUT, "HTTP/1.1 412 No\r\n" SIX EMPTY},
        {HEAD, NO_HEAD},
        {PUT, "HTTP/1.1 409 No\r\n" SIX EMPTY},
        {HEAD, NO_HEAD},
        {PUT, "HTTP/1.1 200 Kept\r\n" SIX EMPTY},
        {HEAD, NO_HEAD},
        {PUT, with_digest("HTTP/1.1 409 No\r\n" FIVE, conflict, sizeof conflict)},
        {HEAD, NO_HEAD},
        {PUT, "HTTP/1.1 409 No\r\n" GENERATION("00000004") EMPTY},
    };
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, COUNT_OF(steps));
    for (int i = 0; i < 4; i++) {
        check_failed(&site, OTHER_FLAG, 5, STATUS_REFUSED,
                     "holds a newer generation (00000000000000060000000000000000)");
        ck_assert_ptr_null(site.driver->code(site.state));
    }
    check_failed(&site, OTHER_FLAG, 5, STATUS_REFUSED, "another document of this generation (sha");
    check_failed(&site, OTHER_FLAG, 5, STATUS_SYSTEM, "answered 409 to PUT");
    leave(&site);
}
END_TEST

START_TEST(definitions_that_make_no_sense)
{
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, NULL, 0);
    site.definition.secret = (char[]){"nobody"};
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "secret 'nobody' is not known");
    ck_assert_str_eq(site.driver->code(site.state), "W503");
    site.definition.secret = NULL;
    snprintf(site.location, sizeof site.location, "http://u:hunter2@h/");
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_REFUSED, "URL holds credentials");
    ck_assert(!strstr(site.error.message, "hunter2"));
    leave(&site);
}
END_TEST

START_TEST(a_secret_that_cannot_be_read)
{
    static const struct step steps[] = {{HEAD, NO_HEAD}};
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, steps, 1);
    struct reach_secret secret = {.name = (char[]){"edge"},
                                  .file = (char[]){"/nonexistent/key"},
                                  .hosts = site.hosts,
                                  .host_count = 1};
    site.reach.secrets = &secret;
    site.reach.secret_count = 1;
    site.definition.secret = (char[]){"edge"};
    reopen(&site);
    check_failed(&site, ONE_FLAG, 5, STATUS_SYSTEM, "secret 'edge': cannot open");
    leave(&site);
}
END_TEST

START_TEST(a_push_that_is_stopped)
{
    struct site site;
    make_site(&site, TARGET_HTTP, "/flags", NULL, NULL, 0);
    atomic_store(&site.stop, true);
    check_failed(&site, ONE_FLAG, 5, STATUS_STOPPED, "stopped");
    leave(&site);
}
END_TEST

UNIT_MAIN("target_http", what_is_sent, open_overrides_are_named, the_signature,
          a_receiver_that_tells_what_it_holds, a_receiver_that_does_not_tell, the_fence,
          definitions_that_make_no_sense, a_secret_that_cannot_be_read, a_push_that_is_stopped)
