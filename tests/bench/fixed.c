/* fixed.c - the HTTP library by itself: libmicrohttpd's fixed answer to a POST, with the settings
 * of controller/http/server.c. What weir's answers per second are measured beside.
 *
 *     fixed BYTES      prints its port, serves BYTES bytes of JSON to every request until SIGTERM
 * or SIGINT */
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_MAX (1 << 24)
#define CONNECTION_MEMORY ((size_t)32 << 10)
#define CONNECTIONS 10000
#define IDLE_SECONDS 60

/* The head, then the body, then the end of the request: an answer may be queued only then. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static int seen;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*request) {
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

static struct MHD_Response *make_response(size_t bytes)
{
    char *body = malloc(bytes);
    if (!body)
        return NULL;
    memset(body, ' ', bytes);
    memcpy(body, "{}", 2);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_MUST_FREE);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return response;
}

static struct MHD_Daemon *start(struct MHD_Response *response)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer,
                            response, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&loopback,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int main(int count, char **arguments)
{
    size_t bytes = count == 2 ? strtoul(arguments[1], NULL, 10) : 0;
    sigset_t stop;
    int signal;
    if (bytes < 2 || bytes > BODY_MAX) {
        fprintf(stderr, "usage: fixed BYTES (2 to %d)\n", BODY_MAX);
        return 2;
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct MHD_Response *response = make_response(bytes);
    struct MHD_Daemon *daemon = response ? start(response) : NULL;
    const union MHD_DaemonInfo *info =
        daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        fprintf(stderr, "fixed: the HTTP library did not start\n");
        return 1;
    }
    printf("listening on http://127.0.0.1:%u\n", (unsigned)info->port);
    fflush(stdout);
    sigwait(&stop, &signal);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
