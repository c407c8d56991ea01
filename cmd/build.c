/* weir build: the state document of one environment, or its digest. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../controller/write_file.h"
#include "commands.h"
#include "source.h"

/* --- to a file ------------------------------------------------------------------------------- */

/* Nobody ever sees half a document. */
static enum status replace_file(const char *path, struct text bytes, struct error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *above = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!above)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    enum status status = STATUS_OK;
    int folder = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        status = error_set(error, STATUS_SYSTEM, "%s", strerror(errno));
    else
        status = write_file(folder, name, bytes, &system_clock, error);
    if (folder >= 0)
        close(folder);
    free(above);
    return status;
}

/* A pipe or a device cannot be replaced; it is written to. */
static enum status write_special(const char *path, struct text bytes, struct error *error)
{
    enum status status = STATUS_OK;
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || !write_all(file, bytes))
        status = error_set(error, STATUS_SYSTEM, "%s", strerror(errno));
    if (file >= 0)
        close(file);
    return status;
}

static int write_output(const char *path, struct buffer *document)
{
    struct stat about;
    struct error error;
    struct text bytes = buffer_text(document);
    if (document->failed)
        return command_fail("no memory for the document");
    bool exists = stat(path, &about) == 0;
    bool special = exists && !S_ISREG(about.st_mode);
    enum status status =
        special ? write_special(path, bytes, &error) : replace_file(path, bytes, &error);
    if (status == STATUS_OK)
        return EXIT_FINE;
    return command_fail("cannot write \"%s\": %s", path, error.message);
}

/* --- the command ----------------------------------------------------------------------------- */

static int write_document(const struct document *document, const struct arguments *arguments)
{
    const char *path = argument_string(arguments, "output");
    bool to_file = path && strcmp(path, "-") != 0, digest = argument_flag(arguments, "digest");
    int code = EXIT_FINE;
    struct buffer out;
    buffer_init(&out, 0);
    if (to_file || !digest)
        document_write(document, &out);
    if (to_file) {
        code = write_output(path, &out);
        buffer_clear(&out);
    }
    if (digest && code == EXIT_FINE) {
        char text[DIGEST_TEXT_SIZE];
        document_digest_text(document, text);
        buffer_printf(&out, "%s\n", text);
    }
    if (code == EXIT_FINE)
        code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct source source;
    struct document *document = NULL;
    int code = source_document(&source, arguments, argument_operand(arguments, 0), &document);
    if (code != EXIT_USAGE)
        source_complain(&source, arguments);
    if (document) {
        code = write_document(document, arguments);
        document_release(document);
    }
    source_dispose(&source);
    return code;
}

static const struct option options[] = {
    {.name = "env",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "E",
     .required = true,
     .help = "the environment to build the document of"},
    SOURCE_OPTIONS,
    {.name = "output",
     .letter = 'o',
     .type = OPTION_STRING,
     .argument = "FILE",
     .complete = COMPLETE_FILE,
     .help = "write the document to this file, all of it or nothing, instead of printing it"},
    {.name = "digest",
     .type = OPTION_FLAG,
     .help = "print the digest of the document instead of the document"},
    {.name = "format",
     .type = OPTION_STRING,
     .argument = "FORMAT",
     .choices = "text|json",
     .standard = "text",
     .help = "how to print faults, which go to standard error"},
    {0},
};

static const struct operand operands[] = {
    {.name = "PATH",
     .help = "the folder of definitions, or one file (default: the working folder)",
     .complete = COMPLETE_FOLDER},
    {0},
};

const struct command build_command = {
    .name = "build",
    .summary = "compile definitions to the document of one environment",
    .description =
        "Compiles the definitions for one environment and prints its state document: flag "
        "definitions as flagd reads them, in canonical JSON. The same commit gives the same "
        "bytes on every machine, so what a controller serves can be rebuilt and compared.\n\n"
        "Of a commit with faults (--rev, --repo) the document is what a controller serves: what "
        "is wrong stands as it stood before, and the faults are told on standard error. A folder "
        "must be without faults.\n\n"
        "The digest is the one that the controller shows in its status and writes beside "
        "the document in every target.",
    .options = options,
    .operands = operands,
    .examples =
        "weir build --env production examples/acme-shop  # print the document\n"
        "weir build --env production --digest examples/acme-shop  # only its digest\n"
        "weir build --env production --rev HEAD -o /tmp/flags.json  # of a commit, to a file\n",
    .run = run,
};
