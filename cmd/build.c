/* weir build: the state document of one environment, or its digest. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "source.h"

/* --- to a file ------------------------------------------------------------------------------- */

static bool write_all(int file, struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(file, bytes.data, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes.data += written;
        bytes.length -= (size_t)written;
    }
    return true;
}

/* Into a file beside `path`, then over it: nobody ever sees half a document. */
static bool replace_file(const char *path, struct text bytes)
{
    struct buffer beside;
    buffer_init(&beside, 0);
    buffer_printf(&beside, "%s.%ld.tmp", path, (long)getpid());
    const char *temporary = buffer_string(&beside);
    errno = ENOMEM;
    int file = temporary ? open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    bool fine = file >= 0 && write_all(file, bytes) && fsync(file) == 0;
    int reason = errno;
    if (file >= 0) {
        if (close(file) != 0 && fine) {
            reason = errno;
            fine = false;
        }
        if (fine && rename(temporary, path) != 0) {
            reason = errno;
            fine = false;
        }
        if (!fine)
            unlink(temporary);
    }
    buffer_dispose(&beside);
    errno = reason;
    return fine;
}

/* A pipe or a device cannot be replaced; it is written to. */
static bool write_special(const char *path, struct text bytes)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool fine = file >= 0 && write_all(file, bytes);
    int reason = errno;
    if (file >= 0)
        close(file);
    errno = reason;
    return fine;
}

static int write_output(const char *path, struct buffer *document)
{
    struct stat about;
    struct text bytes = buffer_text(document);
    if (document->failed)
        return command_fail("no memory for the document");
    bool exists = stat(path, &about) == 0;
    bool special = exists && !S_ISREG(about.st_mode);
    if (special ? write_special(path, bytes) : replace_file(path, bytes))
        return EXIT_FINE;
    return command_fail("cannot write \"%s\": %s", path, strerror(errno));
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
    int code = source_open(&source, arguments, argument_operand(arguments, 0));
    if (code == EXIT_FINE) {
        const struct environment *environment =
            source_environment(&source, argument_string(arguments, "env"));
        code = environment ? source_compile(&source, environment, &document) : EXIT_USAGE;
    }
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
