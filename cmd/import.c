/* weir import: flags of other systems as weir definitions. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../controller/write_file.h"
#include "../rules/import.h"
#include "commands.h"

/* --- reading --------------------------------------------------------------------------------- */

static enum status read_descriptor(int file, struct buffer *out)
{
    for (;;) {
        char *room = buffer_reserve(out, 65536);
        if (!room)
            return STATUS_NO_MEMORY;
        ssize_t got = read(file, room, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_SYSTEM;
        if (got == 0)
            return STATUS_OK;
        out->length += (size_t)got;
    }
}

static int read_input(const char *path, struct buffer *out)
{
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return command_fail("cannot read \"%s\": %s", path, strerror(errno));
    enum status status = read_descriptor(file, out);
    int cause = errno;
    if (!standard)
        close(file);
    if (out->failed == STATUS_LIMIT)
        return command_fail("\"%s\" has more than %zu bytes", path, IMPORT_MAX_BYTES);
    if (status == STATUS_OK)
        return EXIT_FINE;
    return command_fail("cannot read \"%s\": %s", path,
                        status == STATUS_NO_MEMORY ? "no memory" : strerror(cause));
}

/* --- writing --------------------------------------------------------------------------------- */

static int print_documents(const struct import *import)
{
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < import->count; i++) {
        if (i)
            buffer_append_string(&out, "---\n");
        buffer_append_text(&out, import->documents[i].yaml);
    }
    int code = command_print(&out);
    buffer_dispose(&out);
    return code;
}

/* Opens (and makes) the folder in which a document stands: DIR, then flags/ below it. */
static int open_folder(int base, const char *path, const char **name)
{
    char folder[64];
    const char *slash = strchr(path, '/');
    size_t length = (size_t)(slash - path);
    if (length >= sizeof folder)
        return -1;
    memcpy(folder, path, length);
    folder[length] = '\0';
    *name = slash + 1;
    if (mkdirat(base, folder, 0777) != 0 && errno != EEXIST)
        return -1;
    return openat(base, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_document(int base, const char *directory, const struct import_document *document)
{
    struct error error;
    const char *path = document->path.data, *name = NULL;
    int folder = open_folder(base, path, &name);
    if (folder < 0)
        return command_fail("cannot write \"%s/%s\": %s", directory, path, strerror(errno));
    enum status status = write_file(folder, name, document->yaml, &system_clock, &error);
    close(folder);
    if (status == STATUS_OK)
        return EXIT_FINE;
    return command_fail("cannot write \"%s/%s\": %s", directory, path, error.message);
}

/* Nothing is written where one of the files is there already. */
static int check_free(int base, const char *directory, const struct import *import)
{
    struct stat about;
    for (size_t i = 0; i < import->count; i++) {
        const char *path = import->documents[i].path.data;
        if (fstatat(base, path, &about, AT_SYMLINK_NOFOLLOW) == 0)
            return command_fail("\"%s/%s\" exists; --force overwrites it", directory, path);
    }
    return EXIT_FINE;
}

static int write_documents(const struct import *import, const char *directory, bool force)
{
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return command_fail("cannot make \"%s\": %s", directory, strerror(errno));
    int base = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        return command_fail("cannot open \"%s\": %s", directory, strerror(errno));
    int code = force ? EXIT_FINE : check_free(base, directory, import);
    for (size_t i = 0; i < import->count && code == EXIT_FINE; i++)
        code = write_document(base, directory, &import->documents[i]);
    close(base);
    return code;
}

/* --- telling --------------------------------------------------------------------------------- */

static bool find_source(void *context, struct text path, struct text *out)
{
    (void)path;
    *out = buffer_text(context);
    return true;
}

static void complain(const struct import *import, struct diagnostics *diagnostics,
                     struct buffer *source, bool json)
{
    struct buffer out;
    buffer_init(&out, 0);
    diagnostics_sort(diagnostics);
    diagnostics_excerpts(diagnostics, find_source, source);
    if (json) {
        diagnostics_write_json(&out, diagnostics);
        if (!out.failed) {
            out.length--;
            buffer_printf(&out, ",\"flags\":%zu,\"leftOut\":%zu}\n", import->flags,
                          import->left_out);
        }
    } else {
        if (diagnostics->count)
            diagnostics_write_text(&out, diagnostics, command_colour(STDERR_FILENO));
        buffer_printf(&out, "%zu flag%s carried over, %zu left out\n", import->flags,
                      import->flags == 1 ? "" : "s", import->left_out);
    }
    command_print_aside(&out);
    buffer_dispose(&out);
}

/* --- the command ----------------------------------------------------------------------------- */

static int import_file(const struct arguments *arguments, struct import_options options,
                       struct buffer *source)
{
    struct import import;
    struct diagnostics diagnostics;
    const char *path = argument_operand(arguments, 1), *directory;
    diagnostics_init(&diagnostics);
    enum status status =
        import_read(&import, text_of(path), buffer_text(source), options, &diagnostics);
    int code = status == STATUS_OK && import.left_out == 0 ? EXIT_FINE : EXIT_DEFINITIONS;
    if (status == STATUS_NO_MEMORY) {
        code = command_fail("no memory");
    } else {
        complain(&import, &diagnostics, source, format_is_json(arguments));
        directory = argument_string(arguments, "output");
        int written = EXIT_FINE;
        if (status == STATUS_OK)
            written = directory
                          ? write_documents(&import, directory, argument_flag(arguments, "force"))
                          : print_documents(&import);
        code = written == EXIT_FINE ? code : written;
    }
    import_dispose(&import);
    diagnostics_dispose(&diagnostics);
    return code;
}

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 63 && text[0] != '-' && text[length - 1] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int run(const struct arguments *arguments)
{
    const char *format = argument_operand(arguments, 0);
    const char *environment = argument_string(arguments, "env");
    struct import_options options = {.format = IMPORT_FLAGD,
                                     .environment = text_of(environment),
                                     .rebucket = argument_flag(arguments, "rebucket"),
                                     .as_written = argument_flag(arguments, "as-written")};
    struct buffer source;
    if (strcmp(format, "goff") == 0)
        options.format = IMPORT_GOFF;
    else if (strcmp(format, "flagd") != 0)
        return command_fail("format \"%s\" is not known: it is flagd or goff", format);
    if (!is_name(environment))
        return command_fail("\"%s\" cannot be the name of an environment: it is 1 to 63 lower-case "
                            "letters, digits and \"-\"",
                            environment);
    buffer_init(&source, IMPORT_MAX_BYTES);
    int code = read_input(argument_operand(arguments, 1), &source);
    if (code == EXIT_FINE)
        code = import_file(arguments, options, &source);
    buffer_dispose(&source);
    return code;
}

static const struct option options[] = {
    {.name = "env",
     .letter = 'e',
     .type = OPTION_STRING,
     .argument = "NAME",
     .standard = "production",
     .help = "the name of the Environment that is made"},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_STRING,
     .argument = "DIR",
     .complete = COMPLETE_FOLDER,
     .help = "write flags/NAME.yaml, segments/ and environments/ below this folder instead of "
             "printing"},
    {.name = "force", .type = OPTION_FLAG, .help = "overwrite files that are there"},
    {.name = "rebucket",
     .type = OPTION_FLAG,
     .help = "carry shares over also where weir draws other buckets for them: users move"},
    {.name = "as-written",
     .type = OPTION_FLAG,
     .help = "take attributes to have the type and the letters that rules are written with"},
    {.name = "format",
     .type = OPTION_STRING,
     .argument = "FORMAT",
     .choices = "text|json",
     .standard = "text",
     .help = "how to print what is left out, which goes to standard error"},
    {0},
};

static const struct operand operands[] = {
    {.name = "SYSTEM",
     .help = "whose flags they are: flagd or goff (GO Feature Flag)",
     .required = true},
    {.name = "FILE",
     .help = "the file to read, or - for standard input",
     .required = true,
     .complete = COMPLETE_FILE},
    {0},
};

const struct command import_command = {
    .name = "import",
    .summary = "turn flags of flagd or GO Feature Flag into definitions",
    .description =
        "Reads flagd's JSON, or GO Feature Flag's YAML or JSON, and prints weir definitions that "
        "answer the same for every context. A flag of which any part has no exact counterpart is "
        "left out whole; each is listed with its place and the reason on standard error, and then "
        "the exit code is 1.\n\n"
        "Shares are drawn by each system in its own way, so they are only carried over where "
        "nobody moves, or with --rebucket. Many rules also match what nobody sends: flagd's "
        "{\"<\": [age, 18]} takes \"9\" for a number, GO Feature Flag compares without regard to "
        "case. --as-written carries them over as they read.",
    .options = options,
    .operands = operands,
    .examples =
        "weir import flagd flags.json  # print definitions\n"
        "weir import flagd --as-written --rebucket -o definitions flags.json  # files in a folder\n"
        "weir import goff --env staging flags.goff.yaml  # GO Feature Flag's\n",
    .run = run,
};
