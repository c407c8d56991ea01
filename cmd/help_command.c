/* weir help: the table, shown in every way that it can be shown. */
#include <unistd.h>

#include "../rules/similar.h"
#include "commands.h"

static int refuse(const char *name)
{
    struct similar similar = {0};
    for (const struct command *const *command = commands; *command; command++)
        similar_offer(&similar, text_of(name), text_of((*command)->name));
    if (similar.name.length)
        return command_fail("there is no command \"%.60s\"; did you mean \"%.*s\"?", name,
                            (int)similar.name.length, similar.name.data);
    return command_fail("there is no command \"%.60s\"; 'weir help' lists them", name);
}

static int run(const struct arguments *arguments)
{
    const char *name = argument_operand(arguments, 0),
               *shell = argument_given(arguments, "completion");
    const struct command *command = name ? command_find(name) : NULL;
    bool man = argument_flag(arguments, "man"), colour = command_colour(STDOUT_FILENO);
    if ((name != NULL) + (shell != NULL) + man > 1)
        return command_misuse(&help_command_entry,
                              "one of COMMAND, \"--man\" and \"--completion\" at a time");
    if (name && !command)
        return refuse(name);
    struct buffer out;
    buffer_init(&out, 0);
    if (man)
        help_man(&out);
    else if (shell)
        help_completion(&out, shell);
    else if (command)
        help_command(&out, command, colour);
    else
        help_overview(&out, colour);
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

static const struct option options[] = {
    {.name = "man", .type = OPTION_FLAG, .help = "print the manual page, in roff"},
    {.name = "completion",
     .type = OPTION_STRING,
     .argument = "SHELL",
     .choices = "bash|zsh|fish",
     .help = "print a completion script for this shell"},
    {0},
};

static const struct operand operands[] = {
    {.name = "COMMAND",
     .help = "the command to tell about (default: an overview of all)",
     .complete = COMPLETE_COMMAND},
    {0},
};

const struct command help_command_entry = {
    .name = "help",
    .summary = "tell what a command does, with examples",
    .description =
        "Without an operand, lists the commands; with one, tells what that command is for, "
        "its options and examples to try. It also prints the manual page and the scripts by "
        "which shells complete what is typed.",
    .options = options,
    .operands = operands,
    .examples = "weir help eval  # about one command\n"
                "weir help --man | man -l -  # read the manual page\n"
                "source <(weir help --completion bash)  # completion for this shell\n",
    .run = run,
};
