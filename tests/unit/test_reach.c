#include "folders.h"

#include <arpa/inet.h>
#include <limits.h>

#include "../../controller/reach.h"

/* --- paths: ROOT/allowed and ROOT/data/targets are allowed, ROOT/outside is not
 * ------------------- */

struct ground {
    char root[64], allowed[96], base[96];
    char *paths[2];
    struct reach reach;
};

static void make_ground(struct ground *ground)
{
    *ground = (struct ground){0};
    make_folder(ground->root);
    snprintf(ground->allowed, sizeof ground->allowed, "%s/allowed", ground->root);
    snprintf(ground->base, sizeof ground->base, "%s/data/targets", ground->root);
    ck_assert_int_eq(mkdir(ground->allowed, 0755), 0);
    ck_assert_int_eq(mkdir(below(ground->root, "outside"), 0755), 0);
    ground->paths[0] = ground->allowed;
    ground->reach = (struct reach){.paths = ground->paths, .path_count = 1, .base = ground->base};
}

static void check_opens(const struct ground *ground, const char *path, const char *folder,
                        const char *name)
{
    char got[256];
    struct error error = {0};
    int descriptor = reach_open_folder(&ground->reach, text_of(path), got, &error);
    ck_assert_msg(descriptor >= 0, "'%s' is refused: %s", path, error.message);
    struct stat here, there;
    ck_assert_int_eq(fstat(descriptor, &here), 0);
    ck_assert_int_eq(stat(folder, &there), 0);
    ck_assert_msg(here.st_ino == there.st_ino && here.st_dev == there.st_dev, "'%s' is elsewhere",
                  path);
    ck_assert_str_eq(got, name);
    close(descriptor);
    ck_assert_int_eq(reach_check_path(&ground->reach, text_of(path), NULL), STATUS_OK);
}

static void check_refused_text(const struct ground *ground, struct text path, const char *why)
{
    char name[256];
    struct error error = {0};
    /* Looked at first, while nothing can have been made by the other. */
    ck_assert_int_eq(reach_check_path(&ground->reach, path, &error), STATUS_REFUSED);
    ck_assert_msg(strstr(error.message, why), "'%s' does not say '%s'", error.message, why);
    error = (struct error){0};
    int descriptor = reach_open_folder(&ground->reach, path, name, &error);
    ck_assert_msg(descriptor < 0, "'%.*s' was opened", (int)path.length, path.data);
    ck_assert_int_eq(error.status, STATUS_REFUSED);
    ck_assert_msg(strstr(error.message, why), "'%s' does not say '%s'", error.message, why);
    ck_assert_ptr_null(strchr(error.message, '\n'));
}

static void check_refused(const struct ground *ground, const char *path, const char *why)
{
    check_refused_text(ground, text_of(path), why);
}

START_TEST(test_paths_below_allowed_folders)
{
    struct ground ground;
    make_ground(&ground);
    check_opens(&ground, below(ground.root, "allowed/flags.json"), ground.allowed, "flags.json");
    check_opens(&ground, below(ground.root, "allowed//./flags.json"), ground.allowed, "flags.json");
    check_opens(&ground, below(ground.root, "allowed/..flags"), ground.allowed, "..flags");
    check_opens(&ground, "flags.json", ground.base, "flags.json");
    check_opens(&ground, "./flags.json", ground.base, "flags.json");
    check_opens(&ground, below(ground.root, "data/targets/x.json"), ground.base, "x.json");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_missing_folders_are_made)
{
    struct ground ground;
    make_ground(&ground);
    umask(077);
    /* To look makes nothing. */
    ck_assert_int_eq(reach_check_path(&ground.reach, TEXT("a/b/flags.json"), NULL), STATUS_OK);
    ck_assert_int_ne(access(below(ground.root, "data"), F_OK), 0);
    check_opens(&ground, "a/b/flags.json", below(ground.base, "a/b"), "flags.json");
    struct stat about;
    ck_assert_int_eq(stat(below(ground.base, "a/b"), &about), 0);
    ck_assert_uint_eq(about.st_mode & 07777, 0755);
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_an_allowed_folder_that_is_missing_is_not_made)
{
    struct ground ground;
    make_ground(&ground);
    ck_assert_int_eq(rmdir(ground.allowed), 0);
    char name[256];
    struct error error = {0};
    int folder =
        reach_open_folder(&ground.reach, text_of(below(ground.allowed, "x")), name, &error);
    ck_assert_int_lt(folder, 0);
    ck_assert_int_eq(error.status, STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, ground.allowed));
    ck_assert_int_ne(access(ground.allowed, F_OK), 0);
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_paths_that_lead_elsewhere)
{
    struct ground ground;
    make_ground(&ground);
    check_refused(&ground, "../outside/x", "'..'");
    check_refused(&ground, "a/../x", "'..'");
    check_refused(&ground, "a/..", "'..'");
    check_refused(&ground, below(ground.root, "allowed/../outside/x"), "'..'");
    check_refused(&ground, below(ground.root, "outside/x"), "outside the allowed folders");
    check_refused(&ground, below(ground.root, "outside/x"), "--allow-path");
    check_refused(&ground, "/etc/passwd", "outside the allowed folders");
    check_refused(&ground, ground.root, "outside the allowed folders");
    /* A longer name that only begins as an allowed one. */
    ck_assert_int_eq(mkdir(below(ground.root, "allowed-evil"), 0755), 0);
    check_refused(&ground, below(ground.root, "allowed-evil/x"), "outside the allowed folders");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_paths_that_name_no_file)
{
    struct ground ground;
    make_ground(&ground);
    check_refused(&ground, "", "empty");
    check_refused(&ground, ".", "names a folder");
    check_refused(&ground, "a/", "names a folder");
    check_refused(&ground, "a/.", "names a folder");
    check_refused(&ground, ground.allowed, "allowed folder itself");
    check_refused(&ground, ground.base, "allowed folder itself");
    check_refused_text(&ground, (struct text){"a\0b", 3}, "control character");
    check_refused(&ground, "a\nb", "control character");
    check_refused(&ground,
                  "a\x7f"
                  "b",
                  "control character");
    char part[300];
    memset(part, 'x', sizeof part);
    check_refused_text(&ground, (struct text){part, 256}, "longer than 255 bytes");
    ck_assert_int_eq(reach_check_path(&ground.reach, (struct text){part, 255}, NULL), STATUS_OK);
    char path[PATH_MAX + 2];
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 100 == 99 ? '/' : 'y';
    check_refused_text(&ground, (struct text){path, sizeof path}, "path is longer than");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_links_are_not_followed)
{
    struct ground ground;
    make_ground(&ground);
    const char *outside = below(ground.root, "outside");
    ck_assert_int_eq(mkdir(below(ground.allowed, "real"), 0755), 0);
    ck_assert_int_eq(mkdir(below(ground.root, "outside/deep"), 0755), 0);
    ck_assert_int_eq(symlink(outside, below(ground.allowed, "away")), 0);
    ck_assert_int_eq(symlink("real", below(ground.allowed, "back")), 0);
    ck_assert_int_eq(symlink("nowhere", below(ground.allowed, "dangling")), 0);
    check_refused(&ground, below(ground.allowed, "away/x"), "symbolic link 'away'");
    check_refused(&ground, below(ground.allowed, "away/deep/x"), "symbolic link 'away'");
    check_refused(&ground, below(ground.allowed, "away/new/x"), "symbolic link 'away'");
    check_refused(&ground, below(ground.allowed, "back/x"), "symbolic link 'back'");
    check_refused(&ground, below(ground.allowed, "dangling/x"), "symbolic link 'dangling'");
    ck_assert_int_ne(access(below(ground.root, "outside/new"), F_OK), 0);
    /* As the file itself it is no way through: what writes there replaces the link. */
    ck_assert_int_eq(symlink(below(ground.root, "outside/file"), below(ground.allowed, "link")), 0);
    check_opens(&ground, below(ground.allowed, "link"), ground.allowed, "link");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_a_file_in_the_way)
{
    struct ground ground;
    make_ground(&ground);
    spill(below(ground.allowed, "file"), "x");
    char name[256];
    struct error error = {0};
    ck_assert_int_lt(
        reach_open_folder(&ground.reach, text_of(below(ground.allowed, "file/x")), name, &error),
        0);
    ck_assert_int_eq(error.status, STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "'file'"));
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_the_allowed_folder_may_be_a_link)
{
    struct ground ground;
    make_ground(&ground);
    /* inner: a link below an allowed folder, allowed by itself: the longer one wins. */
    ck_assert_int_eq(symlink(below(ground.root, "outside"), below(ground.allowed, "inner")), 0);
    check_refused(&ground, below(ground.allowed, "inner/x"), "symbolic link 'inner'");
    char inner[128];
    snprintf(inner, sizeof inner, "%s/inner/", ground.allowed);
    ground.paths[1] = inner;
    ground.reach.path_count = 2;
    check_opens(&ground, below(ground.allowed, "inner/x"), below(ground.root, "outside"), "x");
    ground.paths[0] = inner;
    ground.paths[1] = ground.allowed;
    check_opens(&ground, below(ground.allowed, "inner/x"), below(ground.root, "outside"), "x");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_other_spellings_of_allowed_folders)
{
    struct ground ground;
    make_ground(&ground);
    char spelled[128];
    snprintf(spelled, sizeof spelled, "%s//./allowed/", ground.root);
    ground.paths[0] = spelled;
    check_opens(&ground, below(ground.allowed, "x"), ground.allowed, "x");
    check_refused(&ground, ground.allowed, "allowed folder itself");
    ground.paths[0] = (char[]){"/"};
    check_opens(&ground, below(ground.root, "outside/x"), below(ground.root, "outside"), "x");
    remove_folder(ground.root);
}
END_TEST

START_TEST(test_a_relative_base)
{
    struct ground ground;
    make_ground(&ground);
    ck_assert_int_eq(chdir(ground.root), 0);
    ground.reach.base = (char[]){"./data"};
    check_opens(&ground, "x", below(ground.root, "data"), "x");
    ground.reach.base = (char[]){"."};
    check_opens(&ground, "x", ground.root, "x");
    check_refused(&ground, "/etc/x", "outside the allowed folders");
    ground.reach.base = NULL;
    check_refused(&ground, "x", "relative");
    ck_assert_int_eq(chdir("/"), 0);
    remove_folder(ground.root);
}
END_TEST

/* --- hosts ----------------------------------------------------------------------------------- */

START_TEST(test_host_spellings)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } good[] = {
        {"localhost", "localhost", 0},   {"redis.example:6379", "redis.example", 6379},
        {"127.0.0.1:1", "127.0.0.1", 1}, {"[::1]", "::1", 0},
        {"[::1]:65535", "::1", 65535},   {"my_host-1", "my_host-1", 0},
    };
    static const char *const bad[] = {
        "",        ":80",    "host:",      "host:0", "host:65536", "host:080000", "host:-1",
        "host:8o", "::1",    "fe80::1:80", "[::1",   "[::1]80",    "[]",          "[host]:80",
        "a b",     "host/x", "user@host",  "[::1]:", "ho\nst",     "[127.0.0.1]",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct reach_host host;
        ck_assert_msg(reach_host_parse(text_of(good[i].text), &host, NULL) == STATUS_OK,
                      "'%s' was refused", good[i].text);
        ck_assert_str_eq(host.host, good[i].host);
        ck_assert_uint_eq(host.port, good[i].port);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct reach_host host;
        struct error error = {0};
        ck_assert_msg(reach_host_parse(text_of(bad[i]), &host, &error) == STATUS_INVALID,
                      "'%s' was taken", bad[i]);
        ck_assert_ptr_null(strchr(error.message, '\n'));
    }
    struct reach_host host;
    char name[300];
    memset(name, 'a', sizeof name);
    ck_assert_int_eq(reach_host_parse((struct text){name, 256}, &host, NULL), STATUS_INVALID);
    ck_assert_int_eq(reach_host_parse((struct text){name, 255}, &host, NULL), STATUS_OK);
    ck_assert_int_eq(reach_host_parse((struct text){"a\0b", 3}, &host, NULL), STATUS_INVALID);
}
END_TEST

/* "ADDRESS PORT" that is connected to for host:port when `allowed` is, or "refused". */
static void check_host(const char *allowed, const char *host, uint16_t port, const char *expected)
{
    struct reach_host hosts[1];
    struct reach reach = {.hosts = hosts, .host_count = 0};
    if (allowed[0]) {
        ck_assert_int_eq(reach_host_parse(text_of(allowed), &hosts[0], NULL), STATUS_OK);
        reach.host_count = 1;
    }
    struct sockaddr_storage address;
    socklen_t length;
    struct error error = {0};
    enum status status = reach_connect_address(&reach, host, port, NULL, &address, &length, &error);
    char got[128], text[INET6_ADDRSTRLEN] = "";
    if (status == STATUS_REFUSED) {
        snprintf(got, sizeof got, "refused");
        ck_assert_ptr_nonnull(strstr(error.message, "--allow-host"));
    } else if (status != STATUS_OK) {
        snprintf(got, sizeof got, "failed: %.100s", error.message);
    } else if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        ck_assert_uint_eq(length, sizeof *v4);
        snprintf(got, sizeof got, "%s %u", inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text),
                 ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        ck_assert_uint_eq(length, sizeof *v6);
        snprintf(got, sizeof got, "%s %u", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text),
                 ntohs(v6->sin6_port));
    }
    ck_assert_msg(strcmp(got, expected) == 0, "allowed '%s', host '%s': %s, expected %s", allowed,
                  host, got, expected);
}

/* An address that somebody else found, as written, for `host`. */
static enum status check_address(const struct reach *reach, const char *host, uint16_t port,
                                 const struct reach_secret *secret, const char *address,
                                 struct error *error)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    ck_assert(is_v4 || inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
    return reach_check_address(reach, host, port, secret,
                               is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
                               error);
}

START_TEST(test_addresses_found_by_others)
{
    struct reach_host hosts[] = {{.host = "flags.example", .port = 80}, {.host = "127.0.0.1"}};
    struct reach reach = {.hosts = hosts, .host_count = 2};
    struct reach_secret secret = {.name = (char[]){"edge"}, .hosts = hosts, .host_count = 1};
    struct error error = {0};
    static const struct {
        const char *host, *address;
        uint16_t port;
        enum status expected;
    } cases[] = {
        {"flags.example", "192.0.2.1", 80, STATUS_OK}, /* the operator trusts that name */
        {"FLAGS.example", "192.0.2.1", 80, STATUS_OK},
        {"flags.example", "192.0.2.1", 81, STATUS_REFUSED},
        {"other.example", "127.0.0.1", 81, STATUS_OK},
        {"other.example", "::ffff:127.0.0.1", 81, STATUS_OK},
        {"other.example", "127.0.0.2", 81, STATUS_REFUSED},
        {"other.example", "::ffff:127.0.0.2", 81, STATUS_REFUSED},
        {"other.example", "::1", 81, STATUS_REFUSED},
        {"other.example", "169.254.169.254", 80, STATUS_REFUSED},
        {"other.example", "::ffff:169.254.169.254", 80, STATUS_REFUSED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(check_address(&reach, cases[i].host, cases[i].port, NULL, cases[i].address,
                                    &error) == cases[i].expected,
                      "case %zu", i);
    ck_assert_str_eq(error.message, "host 'other.example:80' (169.254.169.254) is not allowed: "
                                    "start weir with --allow-host for it");
    ck_assert_int_eq(check_address(&reach, "flags.example", 80, &secret, "192.0.2.1", &error),
                     STATUS_OK);
    ck_assert_int_eq(check_address(&reach, "other.example", 80, &secret, "127.0.0.1", &error),
                     STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.message, "secret 'edge' may not be sent to"));
    const struct sockaddr local = {.sa_family = AF_UNIX};
    ck_assert_int_eq(reach_check_address(&reach, "x", 80, NULL, &local, &error), STATUS_REFUSED);
}
END_TEST

START_TEST(test_hosts_by_address)
{
    check_host("", "127.0.0.1", 6379, "refused");
    check_host("127.0.0.1", "127.0.0.1", 6379, "127.0.0.1 6379");
    check_host("127.0.0.1:6379", "127.0.0.1", 6379, "127.0.0.1 6379");
    check_host("127.0.0.1:6379", "127.0.0.1", 6380, "refused");
    check_host("127.0.0.1", "127.0.0.2", 6379, "refused");
    check_host("LOCALHOST:6379", "localhost", 6380, "refused");
    /* Another name of the same address. */
    check_host("localhost", "127.0.0.1", 6379, "127.0.0.1 6379");
    check_host("[::1]", "::1", 6379, "::1 6379");
    check_host("[::1]", "0:0:0:0:0:0:0:1", 6379, "::1 6379");
    check_host("[::1]", "127.0.0.1", 6379, "refused");
}
END_TEST

START_TEST(test_disguised_addresses)
{
    /* IPv4 in IPv6 counts, and is connected to, as IPv4. */
    check_host("127.0.0.1", "::ffff:127.0.0.1", 6379, "127.0.0.1 6379");
    check_host("[::ffff:127.0.0.1]", "127.0.0.1", 6379, "127.0.0.1 6379");
    check_host("127.0.0.1", "::ffff:169.254.169.254", 80, "refused");
    check_host("127.0.0.1", "::ffff:a9fe:a9fe", 80, "refused");
    /* Other spellings are the address that they mean. */
    check_host("127.0.0.1", "2130706433", 6379, "127.0.0.1 6379");
    check_host("127.0.0.1", "0177.0.0.1", 6379, "127.0.0.1 6379");
    check_host("127.0.0.1", "169.254.169.254", 80, "refused");
    check_host("127.0.0.1", "2852039166", 80, "refused");
    check_host("127.0.0.1", "0xa9fea9fe", 80, "refused");
    check_host("127.0.0.1", "0251.0376.0251.0376", 80, "refused");
    /* Linux takes a connection to "any address" for one to itself. */
    check_host("127.0.0.1", "0.0.0.0", 6379, "refused");
    check_host("127.0.0.1", "::", 6379, "refused");
}
END_TEST

START_TEST(test_a_name_that_does_not_resolve)
{
    struct reach_host hosts[2] = {{.host = "no-such-host.invalid"}, {.host = "127.0.0.1"}};
    struct reach reach = {.hosts = hosts, .host_count = 2};
    struct sockaddr_storage address;
    socklen_t length;
    struct error error = {0};
    ck_assert_int_eq(
        reach_connect_address(&reach, "no-such-host.invalid", 1, NULL, &address, &length, &error),
        STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "'no-such-host.invalid'"));
    /* Among the allowed ones it allows nothing, and hinders nothing. */
    ck_assert_int_eq(reach_connect_address(&reach, "127.0.0.1", 1, NULL, &address, &length, &error),
                     STATUS_OK);
}
END_TEST

START_TEST(test_a_secret_goes_only_where_it_may)
{
    struct reach_host hosts[1] = {{.host = "127.0.0.1"}};
    struct reach_host others[2] = {{.host = "127.0.0.1", .port = 7000}, {.host = "127.0.0.2"}};
    struct reach_secret secret = {
        .name = (char[]){"edge"}, .variable = (char[]){"X"}, .hosts = others, .host_count = 2};
    struct reach reach = {.hosts = hosts, .host_count = 1, .secrets = &secret, .secret_count = 1};
    struct sockaddr_storage address;
    socklen_t length;
    struct error error = {0};
    ck_assert_int_eq(
        reach_connect_address(&reach, "127.0.0.1", 7000, &secret, &address, &length, &error),
        STATUS_OK);
    ck_assert_int_eq(
        reach_connect_address(&reach, "127.0.0.1", 7001, &secret, &address, &length, &error),
        STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.message, "secret 'edge'"));
    /* Allowed for the secret alone is not allowed. */
    ck_assert_int_eq(
        reach_connect_address(&reach, "127.0.0.2", 7000, &secret, &address, &length, &error),
        STATUS_REFUSED);
    secret.host_count = 0;
    ck_assert_int_eq(
        reach_connect_address(&reach, "127.0.0.1", 7000, &secret, &address, &length, &error),
        STATUS_REFUSED);
    ck_assert_ptr_eq(reach_secret(&reach, TEXT("edge")), &secret);
    ck_assert_ptr_null(reach_secret(&reach, TEXT("edg")));
    ck_assert_ptr_null(reach_secret(&reach, TEXT("")));
}
END_TEST

/* --- secrets and copies ---------------------------------------------------------------------- */

static void check_secret(const char *path, const char *content, size_t size, enum status expected,
                         const char *value)
{
    spill(path, content);
    struct reach_secret secret = {.name = (char[]){"edge"}, .file = (char *)path};
    char got[64];
    struct error error = {0};
    ck_assert_int_eq(reach_secret_read(&secret, got, size, &error), expected);
    if (expected == STATUS_OK) {
        ck_assert_str_eq(got, value);
    } else {
        ck_assert_ptr_nonnull(strstr(error.message, "'edge'"));
        ck_assert_ptr_null(strstr(error.message, "hunter"));
    }
}

START_TEST(test_secrets_are_first_lines)
{
    char root[64], path[128];
    make_folder(root);
    snprintf(path, sizeof path, "%s/secret", root);
    check_secret(path, "hunter2", 64, STATUS_OK, "hunter2");
    check_secret(path, "hunter2\n", 64, STATUS_OK, "hunter2");
    check_secret(path, "hunter2\r\nmore\n", 64, STATUS_OK, "hunter2");
    check_secret(path, " hunter 2 \n", 64, STATUS_OK, " hunter 2 ");
    check_secret(path, "hunter2\n", 8, STATUS_OK, "hunter2");
    check_secret(path, "hunter2", 8, STATUS_OK, "hunter2");
    check_secret(path, "hunter22", 8, STATUS_LIMIT, NULL);
    check_secret(path, "", 64, STATUS_INVALID, NULL);
    check_secret(path, "\nhunter2\n", 64, STATUS_INVALID, NULL);
    ck_assert_int_eq(unlink(path), 0);
    struct reach_secret secret = {.name = (char[]){"edge"}, .file = path};
    char value[64];
    ck_assert_int_eq(reach_secret_read(&secret, value, sizeof value, NULL), STATUS_SYSTEM);
    secret =
        (struct reach_secret){.name = (char[]){"edge"}, .variable = (char[]){"WEIR_TEST_SECRET"}};
    ck_assert_int_eq(setenv("WEIR_TEST_SECRET", "from the variable", 1), 0);
    ck_assert_int_eq(reach_secret_read(&secret, value, sizeof value, NULL), STATUS_OK);
    ck_assert_str_eq(value, "from the variable");
    ck_assert_int_eq(unsetenv("WEIR_TEST_SECRET"), 0);
    struct error error = {0};
    ck_assert_int_eq(reach_secret_read(&secret, value, sizeof value, &error), STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "WEIR_TEST_SECRET"));
    remove_folder(root);
}
END_TEST

START_TEST(test_copies_stand_alone)
{
    char path[] = "/srv", base[] = "/data", name[] = "edge", file[] = "/f", ca_file[] = "/c";
    char *paths[] = {path};
    struct reach_host hosts[] = {{.host = "a", .port = 1}}, others[] = {{.host = "b", .port = 2}};
    struct reach_secret secret = {.name = name, .file = file, .hosts = others, .host_count = 1};
    struct reach reach = {paths, 1, base, hosts, 1, &secret, 1, ca_file}, copy;
    ck_assert_int_eq(reach_copy(&reach, &copy), STATUS_OK);
    path[1] = base[1] = name[0] = file[1] = ca_file[1] = hosts[0].host[0] = others[0].host[0] = 'X';
    ck_assert_str_eq(copy.paths[0], "/srv");
    ck_assert_str_eq(copy.base, "/data");
    ck_assert_str_eq(copy.ca_file, "/c");
    ck_assert_str_eq(copy.hosts[0].host, "a");
    ck_assert_uint_eq(copy.hosts[0].port, 1);
    ck_assert_str_eq(copy.secrets[0].name, "edge");
    ck_assert_str_eq(copy.secrets[0].file, "/f");
    ck_assert_ptr_null(copy.secrets[0].variable);
    ck_assert_str_eq(copy.secrets[0].hosts[0].host, "b");
    reach_dispose(&copy);
    ck_assert_uint_eq(copy.path_count, 0);
    struct reach empty = {0};
    ck_assert_int_eq(reach_copy(&empty, &copy), STATUS_OK);
    reach_dispose(&copy);
}
END_TEST

UNIT_MAIN("reach", test_paths_below_allowed_folders, test_missing_folders_are_made,
          test_an_allowed_folder_that_is_missing_is_not_made, test_paths_that_lead_elsewhere,
          test_paths_that_name_no_file, test_links_are_not_followed, test_a_file_in_the_way,
          test_the_allowed_folder_may_be_a_link, test_other_spellings_of_allowed_folders,
          test_a_relative_base, test_host_spellings, test_hosts_by_address,
          test_addresses_found_by_others, test_disguised_addresses,
          test_a_name_that_does_not_resolve, test_a_secret_goes_only_where_it_may,
          test_secrets_are_first_lines, test_copies_stand_alone)
