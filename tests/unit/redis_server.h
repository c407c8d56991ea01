/* redis_server.h - a real redis-server for a test: on a free loopback port, its data in a folder of
 * its own. */
#ifndef WEIR_REDIS_SERVER_H
#define WEIR_REDIS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "folders.h"

#define REDIS_PROGRAM "/usr/bin/redis-server"

struct redis_server {
    pid_t pid;
    int kept; /* bound to the port and never listening: nobody else is given it meanwhile */
    unsigned port;
    char root[64], url[64];
    redisContext *client; /* of the test itself */
};

/* The server may bind what is bound here, since both set SO_REUSEADDR. */
SHARED int keep_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int kept = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    ck_assert_int_ge(kept, 0);
    ck_assert_int_eq(setsockopt(kept, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    ck_assert_int_eq(bind(kept, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(kept, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return kept;
}

/* A command of the test; the reply must be no error. Free it with freeReplyObject(). */
SHARED redisReply *ask(struct redis_server *server, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->client, format, arguments);
    va_end(arguments);
    ck_assert_msg(reply, "%s", server->client->errstr);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
    return reply;
}

SHARED void tell(struct redis_server *server, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(server->client, format, arguments);
    va_end(arguments);
    ck_assert_msg(reply && reply->type != REDIS_REPLY_ERROR, "%s",
                  reply ? reply->str : server->client->errstr);
    freeReplyObject(reply);
}

SHARED void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

/* Starts the program on server->port and waits until it answers. `password` may be NULL. */
SHARED void redis_server_run(struct redis_server *server, const char *password)
{
    char port[16], log[128];
    snprintf(port, sizeof port, "%u", server->port);
    snprintf(log, sizeof log, "%s/log", server->root);
    pid_t parent = getpid();
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
        if (getppid() == parent)
            execl(REDIS_PROGRAM, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save",
                  "", "--appendonly", "no", "--dir", server->root, "--logfile", log,
                  "--requirepass", password ? password : "", (char *)NULL);
        _exit(127);
    }
    for (int tries = 0;; tries++) {
        server->client = redisConnect("127.0.0.1", (int)server->port);
        ck_assert_ptr_nonnull(server->client);
        if (!server->client->err)
            break;
        redisFree(server->client);
        server->client = NULL;
        ck_assert_msg(tries < 4000, "redis-server does not answer");
        wait_a_little();
    }
    if (password)
        tell(server, "AUTH %s", password);
}

/* False, and says so, where the program is not installed. */
SHARED bool redis_server_start(struct redis_server *server, const char *password)
{
    *server = (struct redis_server){0};
    if (access(REDIS_PROGRAM, X_OK) != 0) {
        fprintf(stderr, "SKIPPED: %s is not installed\n", REDIS_PROGRAM);
        return false;
    }
    make_folder(server->root);
    server->kept = keep_port(&server->port);
    snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%u", server->port);
    redis_server_run(server, password);
    return true;
}

SHARED void redis_server_kill(struct redis_server *server)
{
    redisFree(server->client);
    server->client = NULL;
    ck_assert_int_eq(kill(server->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(server->pid, NULL, 0), server->pid);
}

SHARED void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    close(server->kept);
    remove_folder(server->root);
}

#endif
