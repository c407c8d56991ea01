/* What every command prints by: whole buffers to the standard streams, and complaints. */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "command.h"
#include "style.h"

int command_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    fputs("weir: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(arguments);
    return EXIT_USAGE;
}

int command_misuse(const struct command *command, const char *message)
{
    struct buffer usage;
    buffer_init(&usage, 0);
    command_fail("%s", message);
    help_usage(&usage, command);
    buffer_printf(&usage, "'weir help %s' tells more\n", command->name);
    command_print_aside(&usage);
    buffer_dispose(&usage);
    return EXIT_USAGE;
}

bool command_colour(int descriptor)
{
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (off && *off)
        return false;
    return isatty(descriptor) && !(terminal && strcmp(terminal, "dumb") == 0);
}

int command_print(struct buffer *out)
{
    if (out->failed)
        return command_fail("no memory for what was to be printed");
    if ((out->length && fwrite(out->data, 1, out->length, stdout) != out->length) ||
        fflush(stdout) != 0)
        return command_fail("cannot write to standard output: %s", strerror(errno));
    return EXIT_FINE;
}

void command_print_aside(struct buffer *out)
{
    if (!out->failed && out->length)
        fwrite(out->data, 1, out->length, stderr);
}

const struct style *style_of(bool colour)
{
    static const struct style plain = {"", "", "", "", "", ""};
    static const struct style ansi = {"\033[1m",  "\033[2m",  "\033[32m",
                                      "\033[33m", "\033[31m", "\033[0m"};
    return colour ? &ansi : &plain;
}

void style_write_safely(struct buffer *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            buffer_printf(out, "\\u%04x", c);
        else if (c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0)
            buffer_printf(out, "\\u%04x", (unsigned char)text.data[++i]);
        else
            buffer_append_char(out, (char)c);
    }
}

void style_pad(struct buffer *out, size_t count)
{
    while (count-- > 0)
        buffer_append_char(out, ' ');
}
