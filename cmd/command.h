/* command.h - the command line as data: one table gives parsing, help, man page and completion.
 *
 * Adding a subcommand is one file with one `struct command` and one row in commands.c. */
#ifndef WEIR_COMMAND_H
#define WEIR_COMMAND_H

#include "../rules/buffer.h"

/* Exit codes. */
enum { EXIT_FINE = 0, EXIT_DEFINITIONS = 1, EXIT_USAGE = 2 /* also: the outside world failed */ };

/* What the shell offers for a value. */
enum completion { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_FOLDER, COMPLETE_COMMAND };

enum option_type { OPTION_FLAG, OPTION_STRING, OPTION_LIST /* may stand several times */ };

struct option {
    const char *name; /* "listen" for --listen */
    char letter;      /* 'l' for -l, or 0 */
    enum option_type type;
    const char *argument; /* "ADDRESS:PORT", shown in help; NULL for a flag */
    const char *choices;  /* "text|json": nothing else is accepted; NULL: free */
    const char *standard; /* the default, shown in help and used; or NULL */
    const char *help;     /* one line */
    bool required;
    enum completion complete;
};

struct operand {
    const char *name; /* "PATH" */
    const char *help;
    bool required;
    enum completion complete;
};

struct arguments; /* what was parsed; its strings are those of argv and of the table */

struct command {
    const char *name, *summary;     /* summary: one line, no full stop */
    const char *description;        /* paragraphs, an empty line between two; wrapped when shown */
    const struct option *options;   /* ended by an entry without name */
    const struct operand *operands; /* ended by an entry without name */
    const char *examples;           /* lines "weir …  # what it does"; NULL: none */
    int (*run)(const struct arguments *arguments);
};

extern const struct command *const commands[]; /* ended by NULL */

const struct command *command_find(const char *name); /* NULL where there is none */

/* Parses `count` words after the command's name; the words must outlive it. NULL: `error` says
 * why. */
struct arguments *arguments_parse(const struct command *command, const char *const *words,
                                  size_t count, struct error *error);
void arguments_free(struct arguments *arguments); /* NULL is fine */

const struct command *arguments_command(const struct arguments *arguments);
/* NULL where the option was not given and has no default. */
const char *argument_string(const struct arguments *arguments, const char *option);
/* The same without the default: NULL unless it was given. */
const char *argument_given(const struct arguments *arguments, const char *option);
bool argument_flag(const struct arguments *arguments, const char *option);
size_t argument_count(const struct arguments *arguments, const char *option);
const char *argument_at(const struct arguments *arguments, const char *option, size_t index);
/* NULL where there are fewer. */
const char *argument_operand(const struct arguments *arguments, size_t index);
size_t argument_operands(const struct arguments *arguments);

/* Parses and runs; returns the exit code. Usage faults go to standard error with a hint. */
int command_main(int argc, char **argv);

/* --- what the table also gives --------------------------------------------------------------- */
void help_usage(struct buffer *out, const struct command *command); /* "usage: weir …", wrapped */
void help_overview(struct buffer *out, bool colour);
void help_command(struct buffer *out, const struct command *command, bool colour);
void help_man(struct buffer *out); /* roff, all commands */
/* bash, zsh, fish; false for another */
bool help_completion(struct buffer *out, const char *shell);

/* --- shared by commands ---------------------------------------------------------------------- */
/* "weir: " and a line on standard error; returns EXIT_USAGE. */
int command_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same for a command that was called wrongly: its usage follows. */
int command_misuse(const struct command *command, const char *message);
bool command_colour(int descriptor); /* a terminal, and NO_COLOR is not set */
/* Writes all of it to standard output or complains; EXIT_FINE or EXIT_USAGE. */
int command_print(struct buffer *out);
/* The same to standard error, where nobody is left to complain to. */
void command_print_aside(struct buffer *out);

#endif
