/* weir version: which weir this is. */
#include "commands.h"

static int run(const struct arguments *arguments)
{
    struct buffer out;
    buffer_init(&out, 0);
    buffer_append_string(&out, format_is_json(arguments)
                                   ? "{\"apiVersion\":\"weir/v1\",\"version\":\"" WEIR_VERSION "\"}\n"
                                   : "weir " WEIR_VERSION "\n");
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

static const struct option options[] = {FORMAT_OPTION, {0}};

const struct command version_command = {
    .name = "version",
    .summary = "print the version",
    .description = "Prints the version of this program; as JSON also the apiVersion of the definitions that it "
                   "reads.",
    .options = options,
    .examples = "weir version  # one line\n",
    .run = run,
};
