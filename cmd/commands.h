/* commands.h - the subcommands, each defined in the file of its name. */
#ifndef WEIR_COMMANDS_H
#define WEIR_COMMANDS_H

#include "command.h"

extern const struct command validate_command, build_command, eval_command, simulate_command,
    import_command, run_command, edge_command, status_command, accept_command, token_command,
    version_command, help_command_entry, rollouts_command;
/* verbs.c */
extern const struct command start_command, pause_command, resume_command, advance_command,
    approve_command, halt_command, step_back_command, rollback_command, kill_command,
    unkill_command;
extern const struct command unpin_command;

/* Options that several commands share. */
#define FORMAT_OPTION                                                                              \
    {                                                                                              \
        .name = "format", .type = OPTION_STRING, .argument = "FORMAT", .choices = "text|json",     \
        .standard = "text", .help = "how to print: for people or for programs"                     \
    }

static inline bool format_is_json(const struct arguments *arguments)
{
    const char *format = argument_string(arguments, "format");
    return format && strcmp(format, "json") == 0;
}

#endif
