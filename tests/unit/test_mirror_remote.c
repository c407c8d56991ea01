/* The mirror against real servers: nginx with git-http-backend, sshd
 * (tests/integration/gitserver.py), and ones that say nothing. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "git_server.h"

/* --- opening --------------------------------------------------------------------------------- */

static void open_remote(const char *url)
{
    ck_assert_ok(mirror_open(below(root, "clone"), url, &mirror, &failure));
}

/* Opens what is served, fetches it, a change of it, and nothing new. */
static void check_follows(void)
{
    const char *first = commit("mkdir -p flags && echo x >flags/x.yaml");
    open_remote(remote_url());
    ck_assert_str_eq(fetch(), first);
    const char *second = commit("head -c 300000 /dev/urandom >large");
    ck_assert_str_eq(fetch(), second);
    ck_assert_str_eq(fetch(), second);
    shell("git -C clone cat-file -e %s:large", second);
}

/* Fetches what must not be had, and checks that the message has `words` and no secret. */
static void check_refused(const char *url, const char *words)
{
    char tip[COMMIT_TEXT_SIZE];
    shell("rm -rf clone");
    open_remote(url);
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_SYSTEM, words);
    ck_assert_ptr_null(strstr(failure.message, "s3cret"));
    mirror_close(mirror);
    mirror = NULL;
}

/* --- HTTP ------------------------------------------------------------------------------------ */

START_TEST(http_is_followed)
{
    begin();
    serve("http", NULL, NULL);
    check_follows();
    stop_serving();
    end();
}
END_TEST

START_TEST(http_says_what_is_no_repository)
{
    begin();
    char url[1300];
    serve("http", NULL, NULL);
    snprintf(url, sizeof url, "%snothing.git", served("url"));
    check_refused(url, "is not a git repository");
    ck_assert_ptr_nonnull(strstr(failure.message, "nothing.git"));
    stop_serving();
    check_refused(url, "no connection");
    end();
}
END_TEST

START_TEST(http_tells_an_empty_repository_from_a_missing_branch)
{
    begin();
    char tip[COMMIT_TEXT_SIZE];
    serve("http", NULL, NULL);
    open_remote(remote_url());
    ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_NOT_FOUND, "is empty");
    commit("echo x >x");
    ck_assert_fails(mirror_fetch(mirror, "nope", NULL, tip, &failure), STATUS_NOT_FOUND,
                    "there is \"main\"");
    stop_serving();
    end();
}
END_TEST

START_TEST(http_takes_the_password_of_the_url)
{
    begin();
    char url[1300];
    serve("http", "weir", "s3cret");
    check_follows();
    shell("! grep -r s3cret clone");
    mirror_close(mirror);
    mirror = NULL;
    const char *host = strchr(remote_url(), '@') + 1;
    snprintf(url, sizeof url, "http://%s", host);
    check_refused(url, "https://user:password@host");
    snprintf(url, sizeof url, "http://weir:wrong-s3cret@%s", host);
    check_refused(url, "remote.git");
    stop_serving();
    end();
}
END_TEST

START_TEST(https_is_verified)
{
    begin();
    commit("echo x >x");
    serve("https", NULL, NULL);
    check_refused(remote_url(), "certificate");
    stop_serving();
    end();
}
END_TEST

/* --- SSH ------------------------------------------------------------------------------------- */

static void make_ssh_folder(const char *known_hosts)
{
    shell("rm -rf .ssh && mkdir -m 700 .ssh");
    spill(below(root, ".ssh/known_hosts"), known_hosts);
}

START_TEST(ssh_is_followed_by_a_default_key)
{
    begin();
    serve("ssh", NULL, NULL);
    make_ssh_folder(served("known_hosts"));
    shell("cp %s .ssh/id_ed25519", served("key"));
    check_follows();
    stop_serving();
    end();
}
END_TEST

/* The first default key is not the server's: the next is tried. */
START_TEST(ssh_tries_each_key)
{
    begin();
    serve("ssh", NULL, NULL);
    make_ssh_folder(served("known_hosts"));
    shell("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519 && cp %s .ssh/id_ecdsa",
          served("key"));
    check_follows();
    stop_serving();
    end();
}
END_TEST

START_TEST(ssh_is_followed_by_the_agent)
{
    begin();
    serve("ssh", NULL, NULL);
    make_ssh_folder(served("known_hosts"));
    const char *agent =
        shell("ssh-agent -a %s/agent | sed -n 's/.*AGENT_PID=\\([0-9]*\\).*/\\1/p'", root);
    setenv("SSH_AUTH_SOCK", below(root, "agent"), 1);
    shell("ssh-add -q %s 2>&1", served("key"));
    check_follows();
    shell("kill %s", agent);
    stop_serving();
    end();
}
END_TEST

START_TEST(ssh_without_the_right_key_says_so)
{
    begin();
    commit("echo x >x");
    serve("ssh", NULL, NULL);
    make_ssh_folder(served("known_hosts"));
    check_refused(remote_url(), "there is no SSH key");
    shell("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519 && ssh-keygen -q -t ecdsa -N '' -f "
          ".ssh/id_ecdsa");
    check_refused(remote_url(), "takes none of the keys");
    shell("ssh-keygen -q -p -N passphrase -f .ssh/id_ed25519");
    check_refused(remote_url(), "remote.git");
    stop_serving();
    end();
}
END_TEST

START_TEST(ssh_refuses_a_host_that_is_not_known)
{
    begin();
    commit("echo x >x");
    serve("ssh", NULL, NULL);
    make_ssh_folder("");
    shell("cp %s .ssh/id_ed25519", served("key"));
    check_refused(remote_url(), "is not trusted");
    shell("rm .ssh/known_hosts");
    check_refused(remote_url(), "is not trusted");
    /* Known, with another key: somebody sits in between. */
    shell("ssh-keygen -q -t ed25519 -N '' -f other && sed 's/ .*//' >first <<'E'\n%s\nE\n"
          "echo \"$(head -n 1 first) $(cut -d' ' -f1,2 other.pub)\" >.ssh/known_hosts",
          served("known_hosts"));
    check_refused(remote_url(), "is not trusted");
    spill(below(root, ".ssh/known_hosts"), served("known_hosts"));
    shell("rm -rf clone");
    open_remote(remote_url());
    fetch();
    stop_serving();
    end();
}
END_TEST

START_TEST(ssh_says_what_is_no_repository)
{
    begin();
    char url[1300];
    serve("ssh", NULL, NULL);
    make_ssh_folder(served("known_hosts"));
    shell("cp %s .ssh/id_ed25519", served("key"));
    snprintf(url, sizeof url, "%snothing.git", served("url"));
    check_refused(url, "nothing.git");
    stop_serving();
    end();
}
END_TEST

/* --- silence --------------------------------------------------------------------------------- */

/* Listens, and never says a word. */
static int listen_silently(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int made = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(made, 0);
    ck_assert_int_eq(bind(made, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(made, 8), 0);
    ck_assert_int_eq(getsockname(made, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return made;
}

static const char *const silent_schemes[] = {"http://", "https://", "ssh://git@", "git://"};

static void open_silent(const char *scheme, uint16_t port, unsigned patience)
{
    char url[64];
    snprintf(url, sizeof url, "%s127.0.0.1:%u/x.git", scheme, port);
    shell("rm -rf clone");
    open_remote(url);
    mirror_set_patience(mirror, patience);
}

START_TEST(a_silent_server_is_given_up)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(silent_schemes); i++) {
        uint16_t port;
        char tip[COMMIT_TEXT_SIZE];
        int silent = listen_silently(&port);
        open_silent(silent_schemes[i], port, 300);
        ck_assert_fails(mirror_fetch(mirror, NULL, NULL, tip, &failure), STATUS_SYSTEM,
                        "did not answer");
        mirror_close(mirror);
        close(silent);
    }
    mirror = NULL;
    end();
}
END_TEST

struct stopper {
    int silent, connected;
    _Atomic bool *stop;
};

/* Stops the fetch once it has connected. */
static void *stop_when_connected(void *context)
{
    struct stopper *stopper = context;
    stopper->connected = accept(stopper->silent, NULL, NULL);
    atomic_store(stopper->stop, true);
    return NULL;
}

START_TEST(a_fetch_that_waits_can_be_stopped)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(silent_schemes); i++) {
        uint16_t port;
        char tip[COMMIT_TEXT_SIZE];
        _Atomic bool stop = false;
        pthread_t thread;
        struct stopper stopper = {listen_silently(&port), -1, &stop};
        /* Without the stop it would wait for longer than a test may take. */
        open_silent(silent_schemes[i], port, 3600 * 1000);
        ck_assert_int_eq(pthread_create(&thread, NULL, stop_when_connected, &stopper), 0);
        ck_assert_fails(mirror_fetch(mirror, NULL, &stop, tip, &failure), STATUS_STOPPED,
                        "stopped");
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_ge(stopper.connected, 0);
        mirror_close(mirror);
        close(stopper.connected);
        close(stopper.silent);
    }
    mirror = NULL;
    end();
}
END_TEST

UNIT_MAIN("mirror_remote", http_is_followed, http_says_what_is_no_repository,
          http_tells_an_empty_repository_from_a_missing_branch, http_takes_the_password_of_the_url,
          https_is_verified, ssh_is_followed_by_a_default_key, ssh_tries_each_key,
          ssh_is_followed_by_the_agent, ssh_without_the_right_key_says_so,
          ssh_refuses_a_host_that_is_not_known, ssh_says_what_is_no_repository,
          a_silent_server_is_given_up, a_fetch_that_waits_can_be_stopped)
