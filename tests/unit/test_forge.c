/* Requests as the forges document them, byte by byte; where a repository is; what answers mean. */
#include "unit.h"

#include "../../controller/outward/forge.h"

#define COMMIT "6dcb09b5b57875f334f61aebed695e2e4193db5e"

static struct error error;

static struct forge_place find(enum forge_kind kind, const char *repo)
{
    struct forge_place place;
    enum status status = forge_place_find(kind, repo, NULL, NULL, &place, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", repo, error.message);
    return place;
}

static void check_request(enum forge_kind kind, const char *repo, enum forge_state state,
                          const char *target, const char *url, const char *headers,
                          const char *body)
{
    struct forge_place place = find(kind, repo);
    struct forge_request request;
    struct forge_report report = {
        .commit = COMMIT, .state = state, .description = "3 errors; \"2\" of 120"};
    char lines[600] = "";
    ck_assert_int_eq(
        forge_request_write(&place, &report, "weir/eu", target, "s3cret", &request, &error),
        STATUS_OK);
    ck_assert_str_eq(request.url.text, url);
    for (size_t i = 0; i < FORGE_HEADERS && request.lines[i]; i++)
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s\n", request.lines[i]);
    ck_assert_str_eq(lines, headers);
    ck_assert_text(buffer_text(&request.body), body);
    forge_request_dispose(&request);
}

START_TEST(requests)
{
    check_request(FORGE_GITHUB, "https://github.com/acme/flags.git", FORGE_FAILURE,
                  "https://weir.example.com/status",
                  "https://api.github.com:443/repos/acme/flags/statuses/" COMMIT,
                  "Authorization: Bearer s3cret\n"
                  "Accept: application/vnd.github+json\n"
                  "Content-Type: application/json\n"
                  "X-GitHub-Api-Version: 2022-11-28\n",
                  "{\"context\":\"weir/eu\",\"description\":\"3 errors; \\\"2\\\" of 120\","
                  "\"state\":\"failure\",\"target_url\":\"https://weir.example.com/status\"}");
    check_request(
        FORGE_GITLAB, "git@gitlab.example.com:shop/web/flags.git", FORGE_FAILURE, NULL,
        "https://gitlab.example.com:443/api/v4/projects/shop%2Fweb%2Fflags/statuses/" COMMIT,
        "PRIVATE-TOKEN: s3cret\n"
        "Accept: application/json\n"
        "Content-Type: application/json\n",
        "{\"context\":\"weir/eu\",\"description\":\"3 errors; \\\"2\\\" of 120\","
        "\"state\":\"failed\"}");
    check_request(FORGE_GITEA, "http://127.0.0.1:3000/acme/flags", FORGE_PENDING, NULL,
                  "http://127.0.0.1:3000/api/v1/repos/acme/flags/statuses/" COMMIT,
                  "Authorization: token s3cret\n"
                  "Accept: application/json\n"
                  "Content-Type: application/json\n",
                  "{\"context\":\"weir/eu\",\"description\":\"3 errors; \\\"2\\\" of 120\","
                  "\"state\":\"pending\"}");
}
END_TEST

START_TEST(states_as_each_forge_spells_them)
{
    static const char *const words[FORGE_KINDS][4] = {
        [FORGE_GITHUB] = {"pending", "success", "failure", "error"},
        [FORGE_GITLAB] = {"pending", "success", "failed", "failed"},
        [FORGE_GITEA] = {"pending", "success", "failure", "error"}};
    for (int kind = 0; kind < FORGE_KINDS; kind++) {
        struct forge_place place = find((enum forge_kind)kind, "https://h.example.com/a/b");
        for (int state = 0; state < 4; state++) {
            struct forge_report report = {.commit = COMMIT, .state = (enum forge_state)state};
            struct forge_request request;
            char expected[64];
            snprintf(expected, sizeof expected, "\"state\":\"%s\"}", words[kind][state]);
            ck_assert_int_eq(
                forge_request_write(&place, &report, "weir", NULL, "t", &request, &error),
                STATUS_OK);
            ck_assert(text_ends_with(buffer_text(&request.body), text_of(expected)));
            forge_request_dispose(&request);
        }
    }
}
END_TEST

START_TEST(a_token_cannot_add_a_header)
{
    static const char *const tokens[] = {"a\r\nX: y", "a b", "a\n", "\x80", "a\x7f"};
    struct forge_place place = find(FORGE_GITHUB, "https://github.com/a/b");
    struct forge_report report = {.commit = COMMIT};
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct forge_request request;
        ck_assert_int_eq(
            forge_request_write(&place, &report, "weir", NULL, tokens[i], &request, &error),
            STATUS_INVALID);
        ck_assert_ptr_null(strstr(error.message, tokens[i]));
        forge_request_dispose(&request);
    }
}
END_TEST

START_TEST(places_of_repositories)
{
    static const struct {
        enum forge_kind kind;
        const char *repo, *api, *project;
    } places[] = {
        {FORGE_GITHUB, "https://token@github.com/acme/flags.git/", "https://api.github.com:443",
         "acme/flags"},
        {FORGE_GITHUB, "git@github.com:acme/flags.git", "https://api.github.com:443", "acme/flags"},
        {FORGE_GITHUB, "ssh://git@ssh.github.com:443/acme/flags.git", "https://api.github.com:443",
         "acme/flags"},
        {FORGE_GITHUB, "https://ghe.example.com/acme/flags", "https://ghe.example.com:443/api/v3",
         "acme/flags"},
        {FORGE_GITLAB, "https://gitlab.com/a/b/c/d.git", "https://gitlab.com:443/api/v4",
         "a/b/c/d"},
        {FORGE_GITLAB, "git@altssh.gitlab.com:a/b.git", "https://gitlab.com:443/api/v4", "a/b"},
        {FORGE_GITLAB, "ssh://git@gitlab.example.com:2222/a/b.git",
         "https://gitlab.example.com:443/api/v4", "a/b"},
        {FORGE_GITEA, "https://codeberg.org/acme/flags.git", "https://codeberg.org:443/api/v1",
         "acme/flags"},
        {FORGE_GITEA, "https://example.com:8443/git/acme/flags.git",
         "https://example.com:8443/git/api/v1", "acme/flags"},
        {FORGE_GITEA, "ssh://git@[::1]:2222/acme/flags.git", "https://[::1]:443/api/v1",
         "acme/flags"},
    };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct forge_place place = find(places[i].kind, places[i].repo);
        ck_assert_str_eq(place.api, places[i].api);
        ck_assert_str_eq(place.project, places[i].project);
    }
}
END_TEST

START_TEST(what_the_operator_says_wins)
{
    struct forge_place place;
    ck_assert_int_eq(forge_place_find(FORGE_GITEA, "file:///srv/flags.git",
                                      "https://git.example.com/api/v1/", "acme/flags", &place,
                                      &error),
                     STATUS_OK);
    ck_assert_str_eq(place.api, "https://git.example.com:443/api/v1");
    ck_assert_int_eq(forge_place_find(FORGE_GITLAB, "/srv/flags.git", "http://[::1]:8080/api/v4",
                                      "42", &place, &error),
                     STATUS_OK);
    ck_assert_str_eq(place.api, "http://[::1]:8080/api/v4");
    ck_assert_str_eq(place.project, "42");
}
END_TEST

START_TEST(places_that_are_none)
{
    static const struct {
        enum forge_kind kind;
        const char *repo, *api, *project, *words;
    } faults[] = {
        {FORGE_GITHUB, "file:///srv/flags.git", NULL, "a/b", "set \"api\" of commit-status"},
        {FORGE_GITHUB, "/srv/flags.git", "https://h/api", NULL, "set \"project\" of commit-status"},
        {FORGE_GITHUB, "https://github.com/flags", NULL, NULL, "OWNER/NAME"},
        {FORGE_GITLAB, "https://gitlab.com/flags", NULL, NULL, "GROUP/NAME, or its number"},
        {FORGE_GITHUB, "https://github.com/a/b", NULL, "a/b/c", "\"a/b/c\" is no project"},
        {FORGE_GITHUB, "https://github.com/a/b", NULL, "42", "is no project"},
        {FORGE_GITHUB, "https://github.com/a/b", NULL, "a/..", "is no project"},
        {FORGE_GITHUB, "https://github.com/a/b", NULL, "a/b?x=y", "is no project"},
        {FORGE_GITHUB, "https://github.com/a/b", NULL, "a/b\r\nX: y", "\"a/b??X: y\""},
        {FORGE_GITHUB, "https://github.com/a/%2e%2e", NULL, NULL, "names no project"},
        {FORGE_GITHUB, "https://github.com/a/b", "ftp://h/", NULL, ""},
        {FORGE_GITHUB, "https://github.com/a/b", "https://h/api?x", NULL, "neither '?' nor '#'"},
    };
    struct forge_place place;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        ck_assert_msg(forge_place_find(faults[i].kind, faults[i].repo, faults[i].api,
                                       faults[i].project, &place, &error) == STATUS_INVALID,
                      "%zu", i);
        ck_assert_msg(strstr(error.message, faults[i].words), "%zu: %s", i, error.message);
    }
}
END_TEST

#define NOW 1700000000

static void check_judgement(enum forge_kind kind, unsigned status, const char *body,
                            struct forge_limits limits, enum forge_outcome expected, int64_t wait)
{
    int64_t got;
    enum forge_outcome outcome = forge_judge(kind, status, text_of(body), &limits, NOW, &got);
    ck_assert_msg(outcome == expected && got == wait, "%u '%s': %d, %lld s", status,
                  limits.retry_after, outcome, (long long)got);
}

START_TEST(answers)
{
    const struct forge_limits none = {"", "", ""};
    static const unsigned later[] = {401, 403, 404, 408, 409, 425, 500, 502, 503, 504};
    static const unsigned refused[] = {400, 405, 410, 413, 422};
    check_judgement(FORGE_GITHUB, 201, "", none, FORGE_TOLD, 0);
    for (size_t i = 0; i < COUNT_OF(later); i++)
        check_judgement(FORGE_GITEA, later[i], "", none, FORGE_LATER, 0);
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        check_judgement(FORGE_GITHUB, refused[i], "", none, FORGE_REFUSED, 0);
    check_judgement(FORGE_GITLAB, 400,
                    "{\"message\":\"Cannot transition status via :enqueue from :pending\"}", none,
                    FORGE_TOLD, 0);
    check_judgement(FORGE_GITHUB, 400, "Cannot transition status via", none, FORGE_REFUSED, 0);
}
END_TEST

START_TEST(rate_limits)
{
    const struct {
        unsigned status;
        struct forge_limits limits;
        enum forge_outcome outcome;
        int64_t wait;
    } cases[] = {
        {429, {"", "", ""}, FORGE_LIMITED, FORGE_WAIT_LEAST},
        {429, {"7", "", ""}, FORGE_LIMITED, 7},
        {403, {"30", "", ""}, FORGE_LIMITED, 30},
        {503, {"2", "", ""}, FORGE_LIMITED, 2},
        {429, {"0", "", ""}, FORGE_LIMITED, 1},
        {429, {"999999999999", "", ""}, FORGE_LIMITED, FORGE_WAIT_MOST},
        {429, {"99999999999999999999", "", ""}, FORGE_LIMITED, FORGE_WAIT_LEAST},
        {429, {"-5", "", ""}, FORGE_LIMITED, FORGE_WAIT_LEAST},
        /* 1700000000 is 2023-11-14T22:13:20Z */
        {429, {"Tue, 14 Nov 2023 22:15:00 GMT", "", ""}, FORGE_LIMITED, 100},
        {429, {"Tue, 14 Nov 2000 22:15:00 GMT", "", ""}, FORGE_LIMITED, 1},
        {403, {"", "0", "1700000090"}, FORGE_LIMITED, 90},
        {403, {"", "0", "1800000000"}, FORGE_LIMITED, FORGE_WAIT_MOST},
        {403, {"", "0", "1600000000"}, FORGE_LIMITED, 1},
        {403, {"", "12", "1700000090"}, FORGE_LATER, 0}, /* something else is wrong */
        {403, {"", "0", "soon"}, FORGE_LATER, 0},
        {500, {"9", "", ""}, FORGE_LATER, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_judgement(FORGE_GITHUB, cases[i].status, "", cases[i].limits, cases[i].outcome,
                        cases[i].wait);
}
END_TEST

UNIT_MAIN("forge", requests, states_as_each_forge_spells_them, a_token_cannot_add_a_header,
          places_of_repositories, what_the_operator_says_wins, places_that_are_none, answers,
          rate_limits)
