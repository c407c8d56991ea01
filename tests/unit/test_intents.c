/* Overrides as refs of the remote: two controllers' clones, and what strangers put there. */
#include "../../controller/git/intents.h"
#include "git_server.h"

#define A "aa11111111111111111111111111111111111111111111111111111111111111"
#define B "bb22222222222222222222222222222222222222222222222222222222222222"
#define JSON_A "{\"intent\":\"" A "\"}"
#define JSON_B "{\"intent\":\"" B "\"}"
#define REF(intent) "refs/weir/intents/" intent

static const struct record_person robot = {"weir", "weir@example.com", 1767225600, 0};

/* What a visit told: "INTENT JSON|problem" a line. */
static struct buffer told;
static size_t beyond;

static void tell(void *context, const char *intent, struct text json, const struct error *problem)
{
    ck_assert_ptr_eq(context, &told);
    buffer_printf(&told, "%.2s ", intent);
    if (problem)
        buffer_append_string(&told, problem->message);
    else if (json.length > 100)
        buffer_append_u64(&told, json.length);
    else
        buffer_append_text(&told, json);
    buffer_append_char(&told, '\n');
}

static const char *read_all(void)
{
    buffer_clear(&told);
    ck_assert_ok(intents_read(mirror, tell, &told, &beyond, NULL, &failure));
    return buffer_string(&told);
}

static enum status write_one(const char *intent, const char *json)
{
    failure.message[0] = '\0';
    return intents_write(mirror, intent, text_of(json), &robot, NULL, &failure);
}

static struct mirror *other;

/* Another controller, with a clone of its own; again, and the first is back. */
static void change_places(const char *url)
{
    struct mirror *first = mirror;
    if (!other)
        ck_assert_ok(mirror_open(below(root, "other"), url, &other, &failure));
    mirror = other;
    other = first;
}

static void set_up(void)
{
    begin();
    other = NULL;
    buffer_init(&told, 0);
    commit("echo a >a");
}

static void tear_down(void)
{
    mirror_close(other);
    buffer_dispose(&told);
    end();
}

/* One writes, the other finds it by its next fetch, and takes it off. */
static void check_between_two(const char *url)
{
    ck_assert_ok(mirror_open(below(root, "clone"), url, &mirror, &failure));
    fetch();
    ck_assert_str_eq(read_all(), "");
    ck_assert_int_eq(write_one(A, JSON_A), STATUS_OK);
    ck_assert_str_eq(shell("git -C remote.git show " REF(A) ":override.json"), JSON_A);
    ck_assert_str_eq(shell("git -C remote.git log --format=%%an:%%at:%%s:%%P " REF(A)),
                     "weir:1767225600:Keep an open override:");
    change_places(url);
    ck_assert_str_eq(read_all(), ""); /* it has not fetched yet */
    fetch();
    ck_assert_str_eq(read_all(), "aa " JSON_A "\n");
    ck_assert_str_eq(read_all(), "aa " JSON_A "\n");
    ck_assert_int_eq(write_one(B, JSON_B), STATUS_OK);
    fetch();
    ck_assert_str_eq(read_all(), "aa " JSON_A "\nbb " JSON_B "\n");
    change_places(url);
    fetch();
    ck_assert_str_eq(read_all(), "aa " JSON_A "\nbb " JSON_B "\n");
    ck_assert_ok(intents_remove(mirror, A, NULL, &failure));
    ck_assert_ok(intents_remove(mirror, A, NULL, &failure)); /* it is gone already */
    change_places(url);
    ck_assert_ok(intents_remove(mirror, A, NULL, &failure));
    fetch();
    ck_assert_str_eq(read_all(), "bb " JSON_B "\n");
    ck_assert_str_eq(shell("git -C remote.git for-each-ref --format='%%(refname)'"),
                     "refs/heads/main\n" REF(B));
    shell("git -C remote.git fsck --strict 2>&1");
}

START_TEST(one_finds_what_another_wrote)
{
    set_up();
    check_between_two(below(root, "remote.git"));
    tear_down();
}
END_TEST

START_TEST(over_http)
{
    set_up();
    serve("http", NULL, NULL);
    shell("git -C remote.git config http.receivepack true");
    check_between_two(remote_url());
    stop_serving();
    tear_down();
}
END_TEST

/* An intent says what is to be done: whoever comes second has nothing to add. */
START_TEST(two_that_write_the_same_intent)
{
    set_up();
    open_mirror();
    fetch();
    ck_assert_int_eq(write_one(A, JSON_A), STATUS_OK);
    ck_assert_int_eq(write_one(A, JSON_A), STATUS_OK);
    change_places(below(root, "remote.git"));
    fetch();
    ck_assert_int_eq(write_one(A, "{}"), STATUS_OK);
    ck_assert_str_eq(read_all(), "aa " JSON_A "\n");
    tear_down();
}
END_TEST

static void hook(const char *script)
{
    shell("printf '#!/bin/sh\\n%%s\\n' '%s' >remote.git/hooks/update && chmod +x "
          "remote.git/hooks/update",
          script);
}

START_TEST(a_remote_that_refuses)
{
    set_up();
    open_mirror();
    fetch();
    /* What they are for: the branch is closed, and these are not. */
    hook("case \"$1\" in refs/heads/*) echo closed; exit 1;; esac");
    ck_assert_int_eq(write_one(A, JSON_A), STATUS_OK);
    hook("echo no such refs here; exit 1");
    ck_assert_int_eq(write_one(B, JSON_B), STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(failure.message, "no such refs here"));
    ck_assert_fails(intents_remove(mirror, A, NULL, &failure), STATUS_REFUSED, "does not take");
    shell("mv remote.git away.git");
    ck_assert_int_eq(write_one(B, JSON_B), STATUS_SYSTEM);
    ck_assert_fails(intents_remove(mirror, A, NULL, &failure), STATUS_SYSTEM, "remote.git");
    shell("mv away.git remote.git");
    tear_down();
}
END_TEST

START_TEST(what_is_no_intent)
{
    set_up();
    open_mirror();
    fetch();
    struct buffer huge;
    buffer_init(&huge, 0);
    while (huge.length <= INTENT_BYTES_MAX)
        buffer_append_string(&huge, "0123456789abcdef");
    static const char *const names[] = {"", "3f9c", A "0", "../../heads/main",
                                        "AA11111111111111111111111111111111111111111111111111111111"
                                        "111111"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_int_eq(write_one(names[i], JSON_A), STATUS_INVALID);
        ck_assert_fails(intents_remove(mirror, names[i], NULL, &failure), STATUS_INVALID,
                        "is not an intent");
    }
    ck_assert_int_eq(write_one(A, buffer_string(&huge)), STATUS_LIMIT);
    buffer_dispose(&huge);
    ck_assert_str_eq(shell("git -C remote.git for-each-ref refs/weir"), "");
    tear_down();
}
END_TEST

/* Refs that others put below ours, and objects that are none of ours. */
static void check_hostile(const char *url)
{
    shell("git -C remote.git update-ref refs/weir/intents/short main && "
          "git -C remote.git update-ref " REF(A) "/below main");
    shell("cd work && blob=$(echo '{}' | git hash-object -w --stdin) && "
          "git push -q origin $blob:" REF("cc33333333333333333333333333333333333333333333333333333"
                                          "333333333"));
    shell("cd work && git push -q origin HEAD:" REF("dd44444444444444444444444444444444444444444444"
                                                    "444444444444444444"));
    shell("cd work && git checkout -q --orphan large && git rm -q -r --cached . && "
          "head -c 10000000 /dev/urandom >override.json && git add override.json && "
          "git commit -q -m large && git push -q origin "
          "HEAD:" REF("ee55555555555555555555555555555555555555555555555555555555555555"));
    ck_assert_ok(mirror_open(below(root, "clone"), url, &mirror, &failure));
    ck_assert_int_eq(write_one(B, JSON_B), STATUS_OK);
    fetch();
    const char *all = read_all();
    ck_assert_ptr_eq(strstr(all, "bb " JSON_B "\ncc "), all);
    ck_assert_ptr_nonnull(strstr(all, "\ndd "));
    ck_assert_ptr_nonnull(strstr(all, "\nee "));
    ck_assert_msg(strstr(all, "more than 9437184"), "%s", all);
    size_t lines = 0;
    for (const char *at = all; *at; at++)
        lines += *at == '\n';
    ck_assert_uint_eq(lines, 4);
}

START_TEST(what_others_put_there)
{
    set_up();
    check_hostile(below(root, "remote.git"));
    tear_down();
}
END_TEST

START_TEST(what_others_put_there_over_http)
{
    set_up();
    serve("http", NULL, NULL);
    shell("git -C remote.git config http.receivepack true");
    check_hostile(remote_url());
    stop_serving();
    tear_down();
}
END_TEST

START_TEST(more_than_are_read)
{
    set_up();
    open_mirror();
    shell("i=0; tip=$(git -C remote.git rev-parse main); while [ $i -lt %d ]; do "
          "printf 'create " REF("%%064x") " %%s\\n' $i $tip; i=$((i+1)); done | "
                                          "git -C remote.git update-ref --stdin",
          INTENTS_MAX + 7);
    fetch();
    read_all();
    ck_assert_uint_eq(beyond, 7);
    shell("git -C remote.git for-each-ref --format='delete %%(refname)' refs/weir | "
          "git -C remote.git update-ref --stdin");
    fetch();
    ck_assert_str_eq(read_all(), "");
    ck_assert_uint_eq(beyond, 0);
    tear_down();
}
END_TEST

/* One that goes away between the fetch and the look. */
START_TEST(one_that_is_gone_when_it_is_read)
{
    set_up();
    open_mirror();
    fetch();
    ck_assert_int_eq(write_one(A, JSON_A), STATUS_OK);
    change_places(below(root, "remote.git"));
    fetch();
    shell("git -C remote.git update-ref -d " REF(A) " && git -C remote.git gc -q --prune=now");
    ck_assert_ptr_eq(strstr(read_all(), "aa "), buffer_string(&told));
    ck_assert_ptr_null(strstr(buffer_string(&told), "{"));
    fetch();
    ck_assert_str_eq(read_all(), "");
    tear_down();
}
END_TEST

UNIT_MAIN("intents", one_finds_what_another_wrote, over_http, two_that_write_the_same_intent,
          a_remote_that_refuses, what_is_no_intent, what_others_put_there,
          what_others_put_there_over_http, more_than_are_read, one_that_is_gone_when_it_is_read)
