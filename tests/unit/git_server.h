/* git_server.h - a real Git server for a test: nginx with git-http-backend, or sshd, by
 * tests/integration/gitserver.py. It serves the repositories below root (repositories.h). */
#ifndef WEIR_GIT_SERVER_H
#define WEIR_GIT_SERVER_H

#include <sys/wait.h>

#include "repositories.h"

/* libgit2 1.5 loses the known hosts of every SSH connection (its issue 6598), and libssh2 what it
 * knew of the host's key. Our own leaks show in the tests of local repositories, where nothing is
 * suppressed. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void)
{
    return "leak:libssh2.so\nleak:libgit2.so\nleak:libcrypto.so\n";
}

static pid_t server;
static int server_end = -1; /* closing it ends the server */
static char server_line[2048];

/* Starts gitserver.py for `root` and waits until it is ready. */
SHARED void serve(const char *kind, const char *user, const char *password)
{
    int in[2], out[2];
    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execl("/usr/bin/python3", "python3", "tests/integration/gitserver.py", kind, root, user,
              password, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server_end = in[1];
    FILE *ready = fdopen(out[0], "r");
    ck_assert_ptr_nonnull(ready);
    ck_assert_msg(fgets(server_line, sizeof server_line, ready),
                  "gitserver.py did not start: run the tests from the "
                  "top folder, with what .ci/packages lists");
    fclose(ready);
}

SHARED void stop_serving(void)
{
    int ended;
    close(server_end);
    ck_assert_int_eq(waitpid(server, &ended, 0), server);
    ck_assert_int_eq(ended, 0);
}

/* A field of the line that gitserver.py printed. */
SHARED char *served(const char *field)
{
    static char values[4][1024];
    static unsigned next;
    char wanted[40], *value = values[next++ % 4];
    size_t length = 0;
    snprintf(wanted, sizeof wanted, "\"%s\": \"", field);
    const char *at = strstr(server_line, wanted);
    ck_assert_ptr_nonnull(at);
    for (at += strlen(wanted); *at && *at != '"' && length < sizeof values[0] - 1; at++) {
        if (at[0] == '\\' && at[1] == 'n') {
            value[length++] = '\n';
            at++;
        } else {
            value[length++] = *at;
        }
    }
    value[length] = '\0';
    return value;
}

SHARED char *remote_url(void)
{
    static char url[1200];
    snprintf(url, sizeof url, "%sremote.git", served("url"));
    return url;
}

#endif
