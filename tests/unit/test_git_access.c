/* Where URLs lead, which proxy is between, and where sockets may go. */
#include "../../controller/git/access.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../controller/git/watch.h"
#include "unit.h"

static struct error failure;

START_TEST(places_of_urls)
{
    static const struct {
        const char *url, *scheme, *host;
        unsigned port;
        bool password;
    } cases[] = {
        {"https://example.com/x.git", "https", "example.com", 443, false},
        {"http://example.com:8080", "http", "example.com", 8080, false},
        {"https://me:p@ss@example.com/x", "https", "example.com", 443, true},
        {"https://me@example.com/x:y@z", "https", "example.com", 443, false},
        {"https://[::1]:8443/x", "https", "::1", 8443, false},
        {"http://[::1]/x", "http", "::1", 80, false},
        {"ssh://git@example.com:2222/x", "ssh", "example.com", 2222, false},
        {"ssh+git://example.com/x", "ssh", "example.com", 22, false},
        {"git@example.com:org/x.git", "ssh", "example.com", 22, false},
        {"example.com:x.git", "ssh", "example.com", 22, false},
        {"git://example.com/x", "git", "example.com", 9418, false},
        {"https://example.com:/x", "https", "example.com", 443, false},
        {"https://example.com?x", "https", "example.com", 443, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct url_place place;
        ck_assert_msg(url_place_parse(cases[i].url, &place), "%s", cases[i].url);
        ck_assert_str_eq(place.scheme, cases[i].scheme);
        ck_assert_str_eq(place.host, cases[i].host);
        ck_assert_uint_eq(place.port, cases[i].port);
        ck_assert_int_eq(place.has_password, cases[i].password);
    }
}
END_TEST

START_TEST(what_is_no_place)
{
    static const char *const urls[] = {
        "/srv/x.git",
        "x.git",
        "./a:b",
        "file:///x",
        "ftp://example.com/x",
        "https:///x",
        "https://",
        "",
        "https://a:65536/x",
        "https://a:0/x",
        "https://a:8x/x",
        "https://[::1/x",
        "http://[::1]x/",
        ":x",
        "https://a:99999999999/",
    };
    struct url_place place;
    for (size_t i = 0; i < COUNT_OF(urls); i++)
        ck_assert_msg(!url_place_parse(urls[i], &place), "%s", urls[i]);
    char longest[400] = "https://";
    memset(longest + 8, 'a', 300);
    ck_assert(!url_place_parse(longest, &place));
}
END_TEST

static const char *proxy_of(const struct git_access *access, const char *url)
{
    static char proxy[200];
    struct url_place place;
    ck_assert(url_place_parse(url, &place));
    ck_assert_int_eq(git_access_proxy(access, &place, proxy, sizeof proxy, &failure), STATUS_OK);
    return proxy;
}

START_TEST(proxies_of_the_environment)
{
    const struct git_access nothing = {0};
    setenv("http_proxy", "one:3128", 1);
    setenv("HTTP_PROXY", "http://evil:1", 1);
    setenv("HTTPS_PROXY", "http://me:secret@two:3128", 1);
    unsetenv("https_proxy");
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    ck_assert_str_eq(proxy_of(&nothing, "http://example.com/x"), "http://one:3128");
    ck_assert_str_eq(proxy_of(&nothing, "https://example.com/x"), "http://me:secret@two:3128");
    ck_assert_str_eq(proxy_of(&nothing, "ssh://example.com/x"), "");
    unsetenv("http_proxy");
    ck_assert_str_eq(proxy_of(&nothing, "http://example.com/x"), "");
    setenv("https_proxy", "", 1);
    ck_assert_str_eq(proxy_of(&nothing, "https://example.com/x"), "");
}
END_TEST

START_TEST(hosts_without_a_proxy)
{
    static const struct {
        const char *list;
        bool spared;
    } cases[] = {
        {"*", true},
        {"git.example.com", true},
        {"GIT.Example.COM", true},
        {"example.com", true},
        {".example.com", true},
        {"other, example.com", true},
        {"other,\texample.com:8080", true},
        {"example.com:8081", false},
        {"xample.com", false},
        {"other.git.example.com", false},
        {"", false},
        {",,", false},
        {".", false},
        {"[::1]:8080", false},
        {"[", false},
    };
    char given[] = "http://p:1";
    const struct git_access nothing = {0}, option = {.proxy = given};
    setenv("http_proxy", "http://p:1", 1);
    unsetenv("NO_PROXY");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("no_proxy", cases[i].list, 1);
        const char *proxy = proxy_of(&nothing, "http://git.example.com:8080/x");
        ck_assert_msg((proxy[0] == '\0') == cases[i].spared, "%s: %s", cases[i].list, proxy);
        ck_assert_str_eq(proxy_of(&option, "http://git.example.com:8080/x"), "http://p:1");
    }
    setenv("no_proxy", "[::1]:8080,[::2]", 1);
    ck_assert_str_eq(proxy_of(&nothing, "http://[::1]:8080/x"), "");
    ck_assert_str_eq(proxy_of(&nothing, "http://[::2]/x"), "");
    ck_assert_str_eq(proxy_of(&nothing, "http://[::1]/x"), "http://p:1");
}
END_TEST

/* The secret of a proxy is not told when it is no good. */
START_TEST(a_proxy_that_is_none)
{
    const struct git_access nothing = {0};
    struct url_place place;
    char proxy[40];
    ck_assert(url_place_parse("http://example.com/x", &place));
    unsetenv("no_proxy");
    setenv("http_proxy", "socks5://me:s3cret@p:1", 1);
    ck_assert_int_eq(git_access_proxy(&nothing, &place, proxy, sizeof proxy, &failure),
                     STATUS_INVALID);
    ck_assert_ptr_null(strstr(failure.message, "s3cret"));
    setenv("http_proxy", "http://a-name-that-is-longer-than-there-is-room-for:3128", 1);
    ck_assert_int_eq(git_access_proxy(&nothing, &place, proxy, sizeof proxy, &failure),
                     STATUS_LIMIT);
}
END_TEST

/* "host:port", or "" when no socket may be made. */
static const char *route(const char *remote, const char *proxy, const char *host, const char *port)
{
    static char place[300];
    struct watch watch = {0};
    struct url_place to;
    if (remote)
        ck_assert(url_place_parse(remote, &watch.limits.remote));
    if (proxy)
        ck_assert(url_place_parse(proxy, &watch.limits.proxy));
    if (!watch_route(&watch, host, port, &to))
        return "";
    snprintf(place, sizeof place, "%s:%u", to.host, to.port);
    return place;
}

START_TEST(sockets_lead_to_the_remote_or_its_proxy)
{
    ck_assert_str_eq(route("https://a/x", NULL, "a", "443"), "a:443");
    ck_assert_str_eq(route("https://a/x", NULL, "A", "443"), "A:443");
    ck_assert_str_eq(route("https://a/x", NULL, "b", "443"), "");
    ck_assert_str_eq(route("https://a/x", NULL, "a", "444"), "");
    ck_assert_str_eq(route("https://a/x", NULL, "a", "80"), "");
    ck_assert_str_eq(route("http://a/x", NULL, "a", "443"), "a:443"); /* from http to https */
    ck_assert_str_eq(route("http://a:8080/x", NULL, "a", "443"), "");
    ck_assert_str_eq(route("https://a/x", "http://p:1", "p", "1"), "p:1");
    ck_assert_str_eq(route("https://a/x", "http://p:1", "b", "443"), "");
    ck_assert_str_eq(route("http://a/x", "http://p:1", "a", "80"), "p:1");
    ck_assert_str_eq(route(NULL, NULL, "anywhere", "7"), "anywhere:7");
    ck_assert_str_eq(route(NULL, NULL, "anywhere", "65536"), "");
    ck_assert_str_eq(route(NULL, NULL, "anywhere", "http"), "");
}
END_TEST

START_TEST(tokens_in_the_clear)
{
    char variable[] = "T";
    const struct git_access nothing = {0}, token = {.token_variable = variable};
    ck_assert(git_access_is_exposed(&token, "http://git.example.com/x"));
    ck_assert(git_access_is_exposed(&nothing, "http://me:pass@git.example.com/x"));
    ck_assert(!git_access_is_exposed(&nothing, "http://git.example.com/x"));
    ck_assert(!git_access_is_exposed(&token, "https://git.example.com/x"));
    ck_assert(!git_access_is_exposed(&token, "http://127.0.0.1:8080/x"));
    ck_assert(!git_access_is_exposed(&token, "http://[::1]/x"));
    ck_assert(!git_access_is_exposed(&nothing, "/srv/x.git"));
}
END_TEST

UNIT_MAIN("git_access", tokens_in_the_clear, places_of_urls, what_is_no_place,
          proxies_of_the_environment, hosts_without_a_proxy, a_proxy_that_is_none,
          sockets_lead_to_the_remote_or_its_proxy)
