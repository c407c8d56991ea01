/* serve.c - a flagd document served over OFREP by the controller's own HTTP code, without Git.
 *
 *     serve [--fractional v2|v3] FILE
 *
 * Prints "listening on http://ADDRESS:PORT" (loopback, a free port) and answers until SIGTERM or
 * SIGINT, then ends with 0. For tests that ask the same of the library, the command line and a
 * server; no test by itself. */
#include <signal.h>
#include <stdio.h>

#include "../../controller/http/server.h"

#define PATIENCE (2 * NANOSECONDS_PER_SECOND)

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "serve: %s: %s\n", what, why);
    return 2;
}

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    char chunk[8192];
    size_t length;
    if (!file)
        return false;
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, length);
    bool good = !ferror(file) && out->failed == STATUS_OK;
    fclose(file);
    return good;
}

/* The document as the only environment, which answers for the bare path. */
static enum status publish(struct hub *hub, struct document *document)
{
    struct snapshot *snapshot = snapshot_new(1);
    if (!snapshot) {
        document_release(document);
        return STATUS_NO_MEMORY;
    }
    enum status status = snapshot_fill(snapshot, 0, TEXT("conformance"), document);
    if (status != STATUS_OK) {
        snapshot_release(snapshot);
        return status;
    }
    snapshot->standard = &snapshot->environments[0];
    hub_publish(hub, snapshot);
    return STATUS_OK;
}

static void write_status(void *context, struct buffer *out)
{
    (void)context;
    buffer_append_string(out, "{}");
}

static int serve(struct hub *hub, struct telemetry *telemetry, const sigset_t *ends)
{
    struct http_parts parts = {
        .hub = hub, .telemetry = telemetry, .clock = &system_clock, .write_status = write_status};
    struct http_server *server;
    struct error error = {0};
    char address[64];
    int signal_number;
    if (http_server_start(&parts, "127.0.0.1:0", 1, address, &server, &error) != STATUS_OK)
        return complain("cannot listen", error.message);
    printf("listening on http://%s\n", address);
    fflush(stdout);
    sigwait(ends, &signal_number);
    http_server_stop(server, PATIENCE);
    return 0;
}

static int run(const char *path, struct document_options options, const sigset_t *ends)
{
    struct buffer bytes;
    struct document *document = NULL;
    struct error error = {0};
    struct hub hub;
    int code = 2;
    buffer_init(&bytes, 0);
    bool good = read_file(path, &bytes);
    enum status status =
        good ? document_read(buffer_text(&bytes), &options, &document, &error) : STATUS_SYSTEM;
    buffer_dispose(&bytes);
    if (!good)
        return complain(path, "cannot be read");
    if (status != STATUS_OK) {
        fprintf(stderr, "serve: %s:%u:%u: %s\n", path, error.line, error.column, error.message);
        return 1;
    }
    struct telemetry *telemetry = telemetry_new();
    if (!telemetry || hub_init(&hub) != STATUS_OK) {
        document_release(document);
        telemetry_free(telemetry);
        return complain(path, "no memory");
    }
    if (publish(&hub, document) == STATUS_OK)
        code = serve(&hub, telemetry, ends);
    else
        complain(path, "no memory");
    hub_dispose(&hub);
    telemetry_free(telemetry);
    return code;
}

int main(int count, char **words)
{
    struct document_options options = {.fractional = FRACTIONAL_V2};
    sigset_t ends;
    /* Blocked before the server's threads are there, so that they inherit it. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (count == 4 && strcmp(words[1], "--fractional") == 0) {
        options.fractional = strcmp(words[2], "v3") == 0 ? FRACTIONAL_V3 : FRACTIONAL_V2;
        count -= 2;
        words += 2;
    }
    if (count == 2)
        return run(words[1], options, &ends);
    fprintf(stderr, "usage: serve [--fractional v2|v3] FILE\n");
    return 2;
}
