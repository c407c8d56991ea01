#include "folders.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "../../controller/tokens.h"

/* By sha256sum of "weir_" and 43 times the letter. */
#define A "weir_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A_HASH "sha256:08679633e5d713be00446249eb0b5f058f7fc3a03f5312e4117874b6671d07c0"
#define B "weir_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define B_HASH "sha256:56f89bd8dae1e0b51f9e0bd4295c38b6f1601e5927420a9da06661247f43e3bf"
#define DATE "2026-11-22T21:30:00Z"
#define A_LINE A_HASH " sdk production " DATE " shop\n"
#define B_LINE B_HASH " admin * " DATE " ada\n"

static struct token_set *read_good(const char *lines)
{
    struct token_set *set = NULL;
    struct error error = {0};
    ck_assert_msg(token_set_read(text_of(lines), &set, &error) == STATUS_OK, "%s", error.message);
    return set;
}

/* --- sets ------------------------------------------------------------------------------------ */

START_TEST(test_found_by_what_was_hashed)
{
    struct token_set *set = read_good("# a comment\n\n" A_LINE B_LINE);
    ck_assert_uint_eq(token_set_count(set), 2);
    const struct token *token = token_set_find(set, TEXT(A));
    ck_assert_ptr_nonnull(token);
    ck_assert_text(token->name, "shop");
    ck_assert_text(token->created, DATE);
    ck_assert_int_eq(token->role, ROLE_SDK);
    token = token_set_find(set, TEXT(B));
    ck_assert_ptr_nonnull(token);
    ck_assert_text(token->name, "ada");
    ck_assert_int_eq(token->role, ROLE_ADMIN);
    static const char *const unknown[] = {"",
                                          "weir_",
                                          A "a",
                                          A_HASH,
                                          "WEIR_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                          A " ",
                                          "weir_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                          "weir_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        ck_assert_msg(!token_set_find(set, text_of(unknown[i])), "'%s' was found", unknown[i]);
    token_set_release(set);
    set = read_good("");
    ck_assert_ptr_null(token_set_find(set, TEXT(A)));
    token_set_release(set);
    set = read_good(A_HASH " viewer * " DATE " last-line-without-its-end");
    ck_assert_ptr_nonnull(token_set_find(set, TEXT(A)));
    token_set_release(set);
}
END_TEST

START_TEST(test_many_are_found)
{
    enum { COUNT = 4900 };
    struct buffer lines;
    buffer_init(&lines, 0);
    /* Hashes that begin alike share a place in the index. */
    for (unsigned i = 0; i < COUNT; i++)
        buffer_printf(&lines, "sha256:0000000000000000%048x sdk e%u " DATE " n%u\n", i, i, i);
    buffer_append_string(&lines, A_LINE);
    struct token_set *set = read_good(buffer_string(&lines));
    ck_assert_uint_eq(token_set_count(set), COUNT + 1);
    ck_assert_ptr_nonnull(token_set_find(set, TEXT(A)));
    ck_assert_ptr_null(token_set_find(set, TEXT(B)));
    token_set_release(set);
    for (unsigned i = 0; i < 200; i++)
        buffer_append_string(&lines, "\n");
    struct error error = {0};
    ck_assert_int_eq(token_set_read(buffer_text(&lines), &set, &error), STATUS_LIMIT);
    buffer_dispose(&lines);
}
END_TEST

START_TEST(test_environments)
{
    static const struct {
        const char *list, *only;
        bool production, prod, lab;
    } cases[] = {{"*", NULL, true, true, true},
                 {"production", "production", true, false, false},
                 {"lab,production", NULL, true, false, true},
                 {"production-2,xproduction", NULL, false, false, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token token = {.environments = text_of(cases[i].list)};
        ck_assert_int_eq(token_covers(&token, TEXT("production")), cases[i].production);
        ck_assert_int_eq(token_covers(&token, TEXT("prod")), cases[i].prod);
        ck_assert_int_eq(token_covers(&token, TEXT("lab")), cases[i].lab);
        ck_assert(!token_covers(&token, TEXT("")) || strcmp(cases[i].list, "*") == 0);
        struct text only = token_only_environment(&token);
        if (cases[i].only)
            ck_assert_text(only, cases[i].only);
        else
            ck_assert_ptr_null(only.data);
    }
}
END_TEST

START_TEST(test_faults_tell_their_line)
{
    static const struct {
        const char *lines, *message;
    } cases[] = {
        {"nonsense\n", "line 1: a token is HASH ROLE ENVIRONMENTS CREATED NAME, with one space "
                       "between them"},
        {A_LINE "\n# x\n" B_HASH "  admin * " DATE " ada\n",
         "line 4: a token is HASH ROLE ENVIRONMENTS CREATED NAME, with one space between them"},
        {A_HASH " sdk a " DATE " n more\n",
         "line 1: a token is HASH ROLE ENVIRONMENTS CREATED NAME, with one space between them"},
        {"sha256:08 sdk a " DATE " n\n",
         "line 1: the hash is not sha256: and 64 hexadecimal digits"},
        {"sha256:0867963XE5D713be00446249eb0b5f058f7fc3a03f5312e4117874b6671d07c0 sdk a " DATE
         " n\n",
         "line 1: the hash is not sha256: and 64 hexadecimal digits"},
        {A_HASH " none a " DATE " n\n",
         "line 1: the role is none of sdk, viewer, operator and admin"},
        {A_HASH " sdk a, " DATE " n\n",
         "line 1: the environments are neither \"*\" nor names with commas between them"},
        {A_HASH " sdk *,a " DATE " n\n",
         "line 1: the environments are neither \"*\" nor names with commas between them"},
        {A_HASH " sdk a today n\n", "line 1: the date is not like 2026-11-22T21:30:00Z"},
        {A_HASH " sdk a " DATE " n/m\n",
         "line 1: the name is not letters, digits, \"-\", \"_\", \".\""},
        {A_LINE A_LINE, "line 2: the hash stands there twice"},
        {A_LINE B_HASH " sdk a " DATE " shop\n", "line 2: the name stands there twice"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token_set *set = NULL;
        struct error error = {0};
        ck_assert_int_eq(token_set_read(text_of(cases[i].lines), &set, &error), STATUS_INVALID);
        ck_assert_str_eq(error.message, cases[i].message);
        ck_assert_ptr_null(set);
    }
}
END_TEST

/* --- the file -------------------------------------------------------------------------------- */

START_TEST(test_created_found_revoked)
{
    char root[64], first[TOKEN_TEXT_SIZE], second[TOKEN_TEXT_SIZE];
    struct error error = {0};
    make_folder(root);
    const char *path = below(root, "tokens");
    const char *const environments[] = {"production", "lab"};
    struct token_request request = {ROLE_SDK, environments, 2, "shop"};
    ck_assert_msg(token_file_create(path, &request, &system_clock, first, &error) == STATUS_OK,
                  "%s", error.message);
    request = (struct token_request){ROLE_VIEWER, NULL, 0, NULL};
    ck_assert_int_eq(token_file_create(path, &request, &system_clock, second, &error), STATUS_OK);
    ck_assert_uint_eq(strlen(first), TOKEN_TEXT_SIZE - 1);
    ck_assert_str_ne(first, second);
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 07777, 0600);

    struct token_set *set = NULL;
    ck_assert_int_eq(token_file_read(path, &set, &error), STATUS_OK);
    ck_assert_text(token_set_find(set, text_of(first))->environments, "production,lab");
    ck_assert_text(token_set_find(set, text_of(second))->environments, "*");
    ck_assert(text_starts_with(token_set_find(set, text_of(second))->name, TEXT("viewer-")));
    token_set_release(set);

    ck_assert_int_eq(token_file_revoke(path, "shop", &system_clock, &error), STATUS_OK);
    ck_assert_int_eq(token_file_revoke(path, "shop", &system_clock, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(token_file_revoke(path, "op", &system_clock, &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(token_file_read(path, &set, &error), STATUS_OK);
    ck_assert_uint_eq(token_set_count(set), 1);
    ck_assert_ptr_null(token_set_find(set, text_of(first)));
    ck_assert_ptr_nonnull(token_set_find(set, text_of(second)));
    token_set_release(set);
    remove_folder(root);
}
END_TEST

START_TEST(test_a_file_that_others_may_write_to)
{
    char root[64];
    struct token_set *set = NULL;
    struct error error = {0};
    make_folder(root);
    const char *path = below(root, "tokens");
    spill(path, A_LINE);
    ck_assert_int_eq(chmod(path, 0620), 0);
    ck_assert_int_eq(token_file_read(path, &set, &error), STATUS_REFUSED);
    ck_assert_msg(strstr(error.message, "chmod 600") != NULL, "%s", error.message);
    ck_assert_int_eq(token_file_read(root, &set, &error), STATUS_SYSTEM);
    ck_assert_int_eq(token_file_read(below(root, "none"), &set, &error), STATUS_NOT_FOUND);
    remove_folder(root);
}
END_TEST

/* --- while serving --------------------------------------------------------------------------- */

static int64_t seconds = 1795383000;

static int64_t read_wall(void *self)
{
    (void)self;
    return seconds * NANOSECONDS_PER_SECOND;
}

static void replace_file(const char *root, const char *text)
{
    char other[1024];
    snprintf(other, sizeof other, "%s", below(root, "other"));
    spill(other, text);
    ck_assert_int_eq(chmod(other, 0600), 0);
    ck_assert_int_eq(rename(other, below(root, "tokens")), 0);
}

START_TEST(test_read_again_when_it_changes)
{
    char root[64];
    struct tokens *tokens = NULL;
    struct tokens_reader reader = {0};
    struct error error = {0};
    const struct clock clock = {.wall = read_wall};
    make_folder(root);
    replace_file(root, A_LINE);
    ck_assert_int_eq(tokens_open(below(root, "tokens"), &clock, &tokens, &error), STATUS_OK);
    ck_assert_ptr_nonnull(token_set_find(tokens_current(tokens, &reader), TEXT(A)));
    replace_file(root, B_LINE);
    /* Within the same second nobody looks. */
    ck_assert_ptr_nonnull(token_set_find(tokens_current(tokens, &reader), TEXT(A)));
    seconds++;
    const struct token_set *set = tokens_current(tokens, &reader);
    ck_assert_ptr_null(token_set_find(set, TEXT(A)));
    ck_assert_ptr_nonnull(token_set_find(set, TEXT(B)));
    /* A fault, and no file at all, leave what was there; what mends it is seen. */
    replace_file(root, "nonsense\n");
    seconds++;
    ck_assert_ptr_eq(tokens_current(tokens, &reader), set);
    bool changed;
    ck_assert_int_eq(tokens_reload(tokens, &changed, &error), STATUS_INVALID);
    ck_assert_int_eq(unlink(below(root, "tokens")), 0);
    seconds++;
    ck_assert_ptr_eq(tokens_current(tokens, &reader), set);
    replace_file(root, A_LINE B_LINE);
    seconds -= 100; /* the clock was set back */
    ck_assert_uint_eq(token_set_count(tokens_current(tokens, &reader)), 2);
    replace_file(root, "");
    ck_assert_int_eq(tokens_reload(tokens, &changed, &error), STATUS_OK);
    ck_assert(changed);
    ck_assert_int_eq(tokens_reload(tokens, &changed, &error), STATUS_OK);
    ck_assert(!changed);
    ck_assert_uint_eq(token_set_count(tokens_current(tokens, &reader)), 0);
    tokens_reader_dispose(&reader);
    tokens_close(tokens);
    remove_folder(root);
}
END_TEST

UNIT_MAIN("tokens", test_found_by_what_was_hashed, test_many_are_found, test_environments,
          test_faults_tell_their_line, test_created_found_revoked,
          test_a_file_that_others_may_write_to, test_read_again_when_it_changes)
