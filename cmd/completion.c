/* Shell completion, out of the table: commands, options, and the values known beforehand. */
#include "command.h"

/* A word of fish, in single quotes. */
static void write_quoted(struct buffer *out, const char *string)
{
    buffer_append_char(out, '\'');
    for (; *string; string++) {
        if (*string == '\'')
            buffer_append_string(out, "\\'");
        else
            buffer_append_char(out, *string);
    }
    buffer_append_char(out, '\'');
}

static void write_choices(struct buffer *out, const char *choices)
{
    for (; *choices; choices++)
        buffer_append(out, *choices == '|' ? " " : choices, 1);
}

static void write_command_names(struct buffer *out)
{
    for (const struct command *const *command = commands; *command; command++)
        buffer_printf(out, "%s%s", command == commands ? "" : " ", (*command)->name);
}

/* What the shell offers where nothing but operands can stand. */
static enum completion operand_completion(const struct command *command)
{
    for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
        if (operand->complete != COMPLETE_NOTHING)
            return operand->complete;
    }
    return COMPLETE_NOTHING;
}

/* --- bash ------------------------------------------------------------------------------------ */

static void write_bash_values(struct buffer *out, const struct command *command)
{
    for (const struct option *option = command->options; option && option->name; option++) {
        if (option->type == OPTION_FLAG)
            continue;
        buffer_printf(out, "        %s:--%s", command->name, option->name);
        if (option->letter)
            buffer_printf(out, "|%s:-%c", command->name, option->letter);
        buffer_append_string(out, ") ");
        if (option->choices) {
            buffer_append_string(out, "COMPREPLY=($(compgen -W '");
            write_choices(out, option->choices);
            buffer_append_string(out, "' -- \"$word\"))");
        } else if (option->complete == COMPLETE_FILE) {
            buffer_append_string(out, "_weir_paths -f \"$word\"");
        } else if (option->complete == COMPLETE_FOLDER) {
            buffer_append_string(out, "_weir_paths -d \"$word\"");
        } else {
            buffer_append_string(out, "COMPREPLY=()");
        }
        buffer_append_string(out, "; return ;;\n");
    }
}

static void write_bash_words(struct buffer *out, const struct command *command)
{
    buffer_printf(out, "        %s) words='--help", command->name);
    for (const struct option *option = command->options; option && option->name; option++)
        buffer_printf(out, " --%s", option->name);
    buffer_append_string(out, "'");
    switch (operand_completion(command)) {
    case COMPLETE_COMMAND:
        buffer_append_string(out, "; operands='");
        write_command_names(out);
        buffer_append_string(out, "'");
        break;
    case COMPLETE_FILE:
    case COMPLETE_FOLDER:
        buffer_append_string(out, "; paths=1");
        break;
    case COMPLETE_NOTHING:
        break;
    }
    buffer_append_string(out, " ;;\n");
}

/* bash cuts words at "=" too: "--format=j" comes as three words, and only "j" is to be replaced. */
static void write_bash(struct buffer *out)
{
    buffer_append_string(
        out, "# bash completion for weir; made by: weir help --completion bash\n"
             "_weir_paths()\n{\n"
             "    compopt -o filenames 2>/dev/null\n"
             "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$2\")\n}\n"
             "_weir()\n{\n"
             "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
             "    local command=${COMP_WORDS[1]} words='' operands='' paths=''\n"
             "    COMPREPLY=()\n"
             "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
             "        COMPREPLY=($(compgen -W '--help --version ");
    write_command_names(out);
    buffer_append_string(out, "' -- \"$word\"))\n        return\n    fi\n"
                              "    if [ \"$word\" = = ]; then\n        word=''\n"
                              "    elif [ \"$before\" = = ] && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
                              "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
                              "    fi\n"
                              "    case $command:$before in\n");
    for (const struct command *const *command = commands; *command; command++)
        write_bash_values(out, *command);
    buffer_append_string(out, "    esac\n    case $command in\n");
    for (const struct command *const *command = commands; *command; command++)
        write_bash_words(out, *command);
    buffer_append_string(out, "    esac\n"
                              "    case $word in\n"
                              "        -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
                              "        *)\n"
                              "            COMPREPLY=($(compgen -W \"$operands\" -- \"$word\"))\n"
                              "            if [ -n \"$paths\" ]; then\n"
                              "                _weir_paths -d \"$word\"\n"
                              "            fi ;;\n"
                              "    esac\n}\ncomplete -F _weir weir\n");
}

/* --- zsh ------------------------------------------------------------------------------------- */

static const char zsh_quote[] = "'\\''";

/* Help inside "[…]" of an _arguments specification. */
static void write_zsh_help(struct buffer *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '[' || *help == ']' || *help == ':' || *help == '\\')
            buffer_append_char(out, '\\');
        if (*help == '\'')
            buffer_append_string(out, zsh_quote);
        else
            buffer_append_char(out, *help);
    }
}

static const char *zsh_action(enum completion complete)
{
    switch (complete) {
    case COMPLETE_FILE:
        return "_files";
    case COMPLETE_FOLDER:
        return "_files -/";
    case COMPLETE_COMMAND:
    case COMPLETE_NOTHING:
        break;
    }
    return " ";
}

static void write_zsh_option(struct buffer *out, const struct option *option)
{
    buffer_append_string(out, option->type == OPTION_LIST ? " \\\n            '*"
                                                          : " \\\n            '");
    buffer_printf(out, "--%s%s[", option->name, option->type == OPTION_FLAG ? "" : "=");
    write_zsh_help(out, option->help);
    buffer_append_char(out, ']');
    if (option->type != OPTION_FLAG) {
        buffer_append_char(out, ':');
        write_zsh_help(out, option->argument);
        buffer_append_char(out, ':');
        if (option->choices) {
            buffer_append_char(out, '(');
            write_choices(out, option->choices);
            buffer_append_char(out, ')');
        } else {
            buffer_append_string(out, zsh_action(option->complete));
        }
    }
    buffer_append_char(out, '\'');
}

static void write_zsh_command(struct buffer *out, const struct command *command)
{
    buffer_printf(out, "    %s)\n        _arguments '(-h --help)'{-h,--help}'[show help]'",
                  command->name);
    for (const struct option *option = command->options; option && option->name; option++)
        write_zsh_option(out, option);
    for (const struct operand *operand = command->operands; operand && operand->name; operand++) {
        const char *optional = operand->required ? ":" : "::";
        buffer_printf(out, " \\\n            '%s%s:", optional, operand->name);
        if (operand->complete == COMPLETE_COMMAND) {
            buffer_append_char(out, '(');
            write_command_names(out);
            buffer_append_char(out, ')');
        } else {
            buffer_append_string(out, zsh_action(operand->complete));
        }
        buffer_append_char(out, '\'');
    }
    buffer_append_string(out, "\n        ;;\n");
}

static void write_zsh(struct buffer *out)
{
    buffer_append_string(
        out, "#compdef weir\n# zsh completion for weir; made by: weir help --completion zsh\n"
             "_weir() {\n    local -a commands\n    commands=(\n");
    for (const struct command *const *command = commands; *command; command++) {
        buffer_printf(out, "        '%s:", (*command)->name);
        write_zsh_help(out, (*command)->summary);
        buffer_append_string(out, "'\n");
    }
    buffer_append_string(
        out, "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
             "        return\n    fi\n    local name=$words[2]\n    shift words\n"
             "    (( CURRENT-- ))\n    case $name in\n");
    for (const struct command *const *command = commands; *command; command++)
        write_zsh_command(out, *command);
    buffer_append_string(
        out, "    esac\n}\nif [ \"$funcstack[1]\" = \"_weir\" ]; then\n    _weir \"$@\"\nelse\n"
             "    compdef _weir weir\nfi\n");
}

/* --- fish ------------------------------------------------------------------------------------ */

static void write_fish_option(struct buffer *out, const struct command *command,
                              const struct option *option)
{
    buffer_printf(out, "complete -c weir -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                  option->name);
    if (option->letter)
        buffer_printf(out, " -s %c", option->letter);
    if (option->choices) {
        buffer_append_string(out, " -x -a '");
        write_choices(out, option->choices);
        buffer_append_char(out, '\'');
    } else if (option->complete == COMPLETE_FOLDER) {
        buffer_append_string(out, " -x -a '(__fish_complete_directories)'");
    } else if (option->complete == COMPLETE_FILE) {
        buffer_append_string(out, " -r -F");
    } else if (option->type != OPTION_FLAG) {
        buffer_append_string(out, " -x");
    }
    buffer_append_string(out, " -d ");
    write_quoted(out, option->help);
    buffer_append_char(out, '\n');
}

static void write_fish_command(struct buffer *out, const struct command *command)
{
    buffer_printf(out, "complete -c weir -n __fish_use_subcommand -a %s -d ", command->name);
    write_quoted(out, command->summary);
    buffer_append_char(out, '\n');
    for (const struct option *option = command->options; option && option->name; option++)
        write_fish_option(out, command, option);
    enum completion complete = operand_completion(command);
    if (complete == COMPLETE_NOTHING)
        return;
    buffer_printf(out, "complete -c weir -n '__fish_seen_subcommand_from %s' -a '", command->name);
    if (complete == COMPLETE_COMMAND)
        write_command_names(out);
    else
        buffer_append_string(out, "(__fish_complete_directories)");
    buffer_append_string(out, "'\n");
}

static void write_fish(struct buffer *out)
{
    buffer_append_string(out,
                         "# fish completion for weir; made by: weir help --completion fish\n"
                         "complete -c weir -f\ncomplete -c weir -s h -l help -d 'show help'\n");
    for (const struct command *const *command = commands; *command; command++)
        write_fish_command(out, *command);
}

bool help_completion(struct buffer *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        write_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        write_zsh(out);
    else if (strcmp(shell, "fish") == 0)
        write_fish(out);
    else
        return false;
    return true;
}
