/* An answer of a controller shown once, or drawn again and again. */
#include "look.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../controller/clock.h"
#include "commands.h"

#define INTERVAL_LEAST (100 * NANOSECONDS_PER_MILLISECOND)
#define INTERVAL_MOST (3600 * NANOSECONDS_PER_SECOND)
#define MEMORY_MOST ((size_t)1 << 30) /* of an answer, read and shown */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void do_nothing(int number)
{
    (void)number;
}

struct session {
    const struct look_task *task;
    struct controller_client *client;
    const char *controller;
    const struct style *style;
    bool json, watch, terminal;
    int64_t interval;
    struct buffer body; /* the last good answer */
    int64_t now;        /* … and its time by the controller's clock */
    size_t drawn, width, height;
};

/* --- one look -------------------------------------------------------------------------------- */

static void measure(struct session *session)
{
    struct winsize size;
    session->width = session->height = 0;
    if (!session->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return;
    session->width = size.ws_col;
    session->height = size.ws_row;
}

/* Writes what was answered; the code to end with. */
static int show_answer(const struct session *session, struct buffer *out)
{
    struct arena arena;
    const struct node *status;
    struct error error;
    int code = EXIT_USAGE;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.depth = 64;
    arena_init(&arena, MEMORY_MOST);
    if (json_read(&arena, buffer_text(&session->body), limits, &status, &error) != STATUS_OK ||
        status->type != NODE_MAP) {
        command_fail("%s does not answer with a JSON object: is that a controller",
                     session->controller);
    } else {
        const struct status_look look = {.style = session->style,
                                         .width = session->width,
                                         .rows = session->watch ? session->height / 3 : 0,
                                         .now = session->now,
                                         .controller = session->controller,
                                         .bars = session->terminal};
        struct buffer view, plain;
        buffer_init(&view, 0);
        buffer_init(&plain, 0);
        size_t problems = session->task->view(&view, &arena, status, &look);
        if (session->json) {
            json_write_node(&plain, status);
            status_write_safely(out, buffer_text(&plain));
            buffer_append_char(out, '\n');
        } else {
            buffer_append_text(out, buffer_text(&view));
        }
        code = problems ? EXIT_DEFINITIONS : EXIT_FINE;
        if ((view.failed || plain.failed) && !out->failed)
            out->failed = STATUS_NO_MEMORY;
        buffer_dispose(&plain);
        buffer_dispose(&view);
    }
    arena_dispose(&arena);
    return code;
}

/* An error's words may be a remote's. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            *text = '?';
}

/* What is at hand, once. */
static int show(struct session *session)
{
    struct buffer out;
    buffer_init(&out, 0);
    measure(session);
    int code = show_answer(session, &out);
    if (code != EXIT_USAGE && command_print(&out) != EXIT_FINE)
        code = EXIT_USAGE;
    buffer_dispose(&out);
    return code;
}

static int look_once(struct session *session)
{
    struct error error;
    if (controller_get(session->client, session->task->path, &session->body, &session->now,
                       &error) == STATUS_OK)
        return show(session);
    make_printable(error.message);
    return command_fail("%s", error.message);
}

/* --- watching -------------------------------------------------------------------------------- */

/* Keeps what fits above the last row, for what has scrolled away cannot be drawn over. Returns the
 * number of lines. */
static size_t clip(struct buffer *out, size_t height)
{
    size_t lines = 0;
    for (size_t i = 0; i < out->length; i++) {
        if (out->data[i] != '\n' || ++lines + 1 < height || !height)
            continue;
        out->length = i + 1;
        break;
    }
    return lines;
}

/* Over what was drawn before, on a terminal; below it, elsewhere. */
static int draw(struct session *session, struct buffer *out, bool resized)
{
    struct buffer frame;
    buffer_init(&frame, 0);
    size_t lines = session->terminal ? clip(out, session->height) : 0;
    if (resized)
        buffer_append_string(&frame, "\033[H\033[2J");
    else if (session->drawn)
        buffer_printf(&frame, "\033[%zuA\r\033[J", session->drawn);
    buffer_append_text(&frame, buffer_text(out));
    if (session->terminal)
        buffer_append_string(&frame, session->style->end);
    else if (!session->json)
        buffer_append_char(&frame, '\n');
    session->drawn = lines;
    int code = command_print(&frame);
    buffer_dispose(&frame);
    return code;
}

static void write_unreachable(const struct session *session, struct buffer *out,
                              struct error *error)
{
    make_printable(error->message);
    if (session->json) {
        buffer_append_string(out, "{\"error\":");
        json_write_string(out, text_of(error->message));
        buffer_append_string(out, "}\n");
        return;
    }
    struct text line = text_of(error->message);
    buffer_printf(out, "%s✗%s ", session->style->bad, session->style->end);
    if (session->width > 2)
        line = status_cut(line, session->width - 2);
    buffer_append_text(out, line);
    buffer_append_string(out, session->body.length ? "\n\n" : "\n");
}

/* One frame; the code that the command ends with when it is interrupted now. */
static int watch_once(struct session *session)
{
    struct error error;
    struct buffer out, fresh;
    size_t width = session->width, height = session->height;
    int code = EXIT_USAGE;
    buffer_init(&out, 0);
    buffer_init(&fresh, 0);
    enum status status =
        controller_get(session->client, session->task->path, &fresh, &session->now, &error);
    measure(session);
    if (status == STATUS_OK) {
        buffer_dispose(&session->body);
        session->body = fresh;
        buffer_init(&fresh, 0);
    } else if (status != STATUS_STOPPED) {
        write_unreachable(session, &out, &error);
        session->now = clock_seconds(&system_clock);
    }
    bool show = session->body.length && status != STATUS_STOPPED;
    if (show && (status == STATUS_OK || !session->json))
        code = show_answer(session, &out);
    if (status != STATUS_OK)
        code = EXIT_USAGE;
    bool resized = session->drawn && (width != session->width || height != session->height);
    if (status != STATUS_STOPPED && draw(session, &out, resized) != EXIT_FINE)
        interrupted = 1; /* nobody is left to watch */
    buffer_dispose(&fresh);
    buffer_dispose(&out);
    return code;
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = note_interrupt}, wake = {.sa_handler = do_nothing};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGWINCH, &wake, NULL);
}

static int watch(struct session *session)
{
    const struct timespec pause = {.tv_sec = (time_t)(session->interval / NANOSECONDS_PER_SECOND),
                                   .tv_nsec = (long)(session->interval % NANOSECONDS_PER_SECOND)};
    sigset_t caught, before;
    int code = EXIT_USAGE;
    catch_signals();
    /* Taken only while it waits, or by the client's own look at `interrupted`: none is missed. */
    sigemptyset(&caught);
    sigaddset(&caught, SIGWINCH);
    sigprocmask(SIG_BLOCK, &caught, &before);
    while (!interrupted) {
        int now = watch_once(session);
        if (!interrupted || now != EXIT_USAGE)
            code = now;
        sigset_t stops = caught, waiting;
        sigaddset(&stops, SIGINT);
        sigaddset(&stops, SIGTERM);
        sigaddset(&stops, SIGHUP);
        sigprocmask(SIG_BLOCK, &stops, &waiting);
        if (!interrupted)
            ppoll(NULL, 0, &pause, &before);
        sigprocmask(SIG_SETMASK, &waiting, NULL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static bool wants_colour(const struct arguments *arguments)
{
    const char *when = argument_string(arguments, "color");
    if (when && strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return command_colour(STDOUT_FILENO);
}

static struct session session_of(const struct look_task *task, const struct arguments *arguments,
                                 const char *source)
{
    return (struct session){.task = task,
                            .controller = source,
                            .style = style_of(wants_colour(arguments)),
                            .json = format_is_json(arguments),
                            .watch = argument_flag(arguments, "watch"),
                            .terminal = isatty(STDOUT_FILENO)};
}

int look_run(const struct look_task *task, const struct arguments *arguments)
{
    const char *controller = argument_string(arguments, "controller");
    const struct controller_source source = {controller, argument_given(arguments, "token-file"),
                                             argument_given(arguments, "ca-file"), &interrupted};
    const char *interval = argument_string(arguments, "interval");
    struct session session = session_of(task, arguments, controller);
    struct error error;
    if (!duration_parse(text_of(interval), &session.interval) ||
        session.interval < INTERVAL_LEAST || session.interval > INTERVAL_MOST)
        return command_fail("\"--interval\": \"%.60s\" is not a duration from 100ms to 1h",
                            interval);
    if (controller_client_open(&source, &session.client, &error) != STATUS_OK)
        return command_fail("%s", error.message);
    buffer_init(&session.body, 0);
    int code = session.watch ? watch(&session) : look_once(&session);
    buffer_dispose(&session.body);
    controller_client_close(session.client);
    return code;
}

int look_show(const struct look_task *task, const struct arguments *arguments, const char *source,
              struct text answer, int64_t now)
{
    struct session session = session_of(task, arguments, source);
    session.now = now;
    buffer_init(&session.body, 0);
    buffer_append_text(&session.body, answer);
    int code = session.body.failed ? command_fail("no memory") : show(&session);
    buffer_dispose(&session.body);
    return code;
}
