/* weir version: which weir this is. */
#include "commands.h"

static int run(const struct arguments *arguments)
{
    struct buffer out;
    buffer_init(&out, 0);
    if (format_is_json(arguments))
        buffer_printf(&out, "{\"apiVersion\":\"weir/v1\",\"version\":\"%s\"}\n", WEIR_VERSION);
    else
        buffer_printf(&out, "weir %s\n", WEIR_VERSION);
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

static const struct option options[] = {FORMAT_OPTION, {0}};

const struct command version_command = {
    .name = "version",
    .summary = "print the version",
    .description =
        "Prints the version of this program; as JSON also the apiVersion of the definitions "
        "that it reads.",
    .options = options,
    .examples = "weir version  # one line\n",
    .run = run,
};
