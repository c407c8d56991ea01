/* source.h - where validate, build, eval and others get definitions from: a folder, a local
 * repository, or a URL.
 *
 * A source owns everything that was read; source_dispose() gives it all back, whatever
 * source_open() returned. */
#ifndef WEIR_SOURCE_H
#define WEIR_SOURCE_H

#include "../controller/effective.h"
#include "../rules/compile.h"
#include "command.h"

struct source {
    struct crew crew;
    struct schema_set *schemas;
    struct bundle bundle;
    struct diagnostics diagnostics;
    struct catalog catalog; /* good while has_catalog */
    bool has_catalog;
    char commit[COMMIT_TEXT_SIZE]; /* empty for a folder */
    struct effective effective;    /* of a commit, by source_document() */
    bool has_effective;
};

/* The options that say where; they stand in the table of each command that reads definitions. */
#define SOURCE_OPTIONS                                                                             \
    {.name = "repo",                                                                               \
     .type = OPTION_STRING,                                                                        \
     .argument = "URL|PATH",                                                                       \
     .complete = COMPLETE_FOLDER,                                                                  \
     .help = "read a commit of this Git repository instead of a folder"},                          \
    {                                                                                              \
        .name = "rev", .type = OPTION_STRING, .argument = "REV",                                   \
        .help = "the commit, branch or tag to read (default: HEAD); without --repo, of the "       \
                "repository in the working folder"                                                 \
    }

/* Reads, checks and links what `path` (an operand, or NULL) and the options name. EXIT_FINE: the
 * catalog is good. EXIT_DEFINITIONS: the diagnostics, sorted and with their lines, say what is
 * wrong. EXIT_USAGE: complained. */
int source_open(struct source *source, const struct arguments *arguments, const char *path);
void source_dispose(struct source *source);

/* Instead of source_open(): the document of the environment that the option "env" names. Of a
 * commit it is what a controller serves: a commit with faults is in force as far as it is good, and
 * the diagnostics tell the rest. Of a folder nothing may be wrong. The same codes; *out is NULL
 * unless EXIT_FINE. */
int source_document(struct source *source, const struct arguments *arguments, const char *path,
                    struct document **out);

/* What is in force: of a commit as in a controller that follows it; of a folder what of it is
 * good. */
struct source_in_force {
    const struct inventory *inventory;
    const struct schema_set *schemas;
    struct file_reader reader;
    const char *commit; /* empty for a folder */
};
typedef enum status source_use(void *context, const struct source_in_force *found,
                               struct error *error);

/* Instead of source_open(): calls `use` with what is in force, which is gone when it returns.
 * EXIT_FINE, whatever the diagnostics say, or EXIT_USAGE: complained. */
int source_use_in_force(struct source *source, const struct arguments *arguments, const char *path,
                        source_use *use, void *context);

/* Warns of calendars whose time zone this machine does not know: their rollouts would never go
 * further. Zones are the machine's, so no rule can tell; after source_open(). */
void source_check_zones(struct source *source);
/* Compiles one environment. The same codes as source_open(); *out is NULL unless EXIT_FINE. */
int source_compile(struct source *source, const struct environment *environment,
                   struct document **out);
/* Writes the diagnostics to standard error, as the option "format" says. */
void source_complain(const struct source *source, const struct arguments *arguments);

#endif
