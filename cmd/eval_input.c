/* What `weir eval` reads whole, and how a fault in it is shown. */
#include <errno.h>

#include "../rules/context.h"
#include "../rules/utf8.h"
#include "eval.h"
#include "style.h"

#define CHUNK ((size_t)64 << 10)
#define DOCUMENT_MAX_BYTES ((size_t)512 << 20) /* as much as an environment may compile to */

/* --- reading --------------------------------------------------------------------------------- */

static int read_stream(struct input *input, FILE *stream, const char *what)
{
    for (;;) {
        char *room = buffer_reserve(&input->bytes, CHUNK);
        size_t got = room ? fread(room, 1, CHUNK, stream) : 0;
        input->bytes.length += got;
        if (got == 0)
            break;
    }
    if (input->bytes.failed == STATUS_NO_MEMORY)
        return command_fail("no memory for the %s", what);
    if (ferror(stream))
        return command_fail("cannot read the %s from %s: %s", what, input->name, strerror(errno));
    return EXIT_FINE;
}

static int read_path(struct input *input, const char *path, const char *what)
{
    input->name = path;
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return command_fail("cannot read the %s from \"%s\": %s", what, path, strerror(errno));
    int code = read_stream(input, stream, what);
    fclose(stream);
    return code;
}

static int read_standard_input(struct input *input, const char *what)
{
    input->name = "standard input";
    return read_stream(input, stdin, what);
}

/* One more than is accepted is read, so that what is too large is seen. */
static void prepare(struct input *input, size_t maximum)
{
    *input = (struct input){0};
    buffer_init(&input->bytes, maximum + 2 * CHUNK);
}

int input_read_context(struct input *input, const char *given)
{
    int code = EXIT_FINE;
    prepare(input, CONTEXT_MAX_BYTES);
    if (strcmp(given, "-") == 0) {
        code = read_standard_input(input, "context");
    } else if (given[0] == '@') {
        code = read_path(input, given + 1, "context");
    } else {
        input->name = "context";
        buffer_append_string(&input->bytes, given);
    }
    if (code == EXIT_FINE && (input->bytes.failed || input->bytes.length > CONTEXT_MAX_BYTES))
        code = command_fail("%s is larger than %zu KiB, the most a context may have", input->name,
                            CONTEXT_MAX_BYTES >> 10);
    return code;
}

int input_read_document(struct input *input, const char *path)
{
    prepare(input, DOCUMENT_MAX_BYTES);
    int code = strcmp(path, "-") == 0 ? read_standard_input(input, "flagd document")
                                      : read_path(input, path, "flagd document");
    if (code == EXIT_FINE && (input->bytes.failed || input->bytes.length > DOCUMENT_MAX_BYTES))
        code = command_fail("%s is larger than %zu MiB, the most a flagd document may have",
                            input->name, DOCUMENT_MAX_BYTES >> 20);
    return code;
}

void input_dispose(struct input *input)
{
    buffer_dispose(&input->bytes);
}

struct text input_text(const struct input *input)
{
    return input->bytes.length ? buffer_text(&input->bytes) : TEXT("");
}

/* --- showing a fault ------------------------------------------------------------------------- */

#define EXCERPT_WIDTH 72 /* code points; a context is often one long line */

/* The line of the fault, cut to what is near it, and a caret below. */
static void write_excerpt(struct buffer *out, struct text bytes, const struct error *error)
{
    const char *start = bytes.data, *end = bytes.data + bytes.length;
    for (uint32_t line = 1; line < error->line && start; line++) {
        start = memchr(start, '\n', (size_t)(end - start));
        start = start ? start + 1 : NULL;
    }
    if (!start || error->column == 0)
        return;
    const char *line_end = memchr(start, '\n', (size_t)(end - start));
    struct text line = {start, (size_t)((line_end ? line_end : end) - start)};
    if (utf8_valid_length(line) != line.length)
        return;
    size_t column = error->column - 1;
    size_t first = column > EXCERPT_WIDTH / 2 ? column - EXCERPT_WIDTH / 2 : 0;
    size_t from = utf8_offset(line, first), to = utf8_offset(line, first + EXCERPT_WIDTH);
    buffer_append_string(out, first ? "  …" : "  ");
    for (size_t i = from; i < to; i++) {
        bool control = (unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f;
        buffer_append(out, control ? " " : &line.data[i], 1); /* one column each, for the caret */
    }
    buffer_append_string(out, to < line.length ? "…\n" : "\n");
    style_pad(out, 2 + (first ? 1 : 0) + column - first);
    buffer_append_string(out, "^\n");
}

void input_complain(const struct input *input, const struct error *error)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (error->line)
        command_fail("%s:%u:%u: %s", input->name, error->line, error->column, error->message);
    else
        command_fail("%s: %s", input->name, error->message);
    write_excerpt(&out, input_text(input), error);
    command_print_aside(&out);
    buffer_dispose(&out);
}
