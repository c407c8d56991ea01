/* weir validate: every fault in the definitions at once, or what there is when there is none. */
#include <unistd.h>

#include "../rules/json.h"
#include "commands.h"
#include "source.h"
#include "style.h"

/* What an environment compiles to. */
struct compiled {
    const struct environment *environment;
    size_t flags;
    char digest[DIGEST_TEXT_SIZE];
};

struct report {
    struct source source;
    struct compiled *compiled; /* as many as the catalog has environments, or fewer after a fault */
    size_t count;
};

/* Compiles them all, also after a fault in one: all faults are told in one go. */
static int compile_all(struct report *report)
{
    const struct catalog *catalog = &report->source.catalog;
    int worst = EXIT_FINE;
    report->compiled = calloc(catalog->environment_count + 1, sizeof *report->compiled);
    if (!report->compiled)
        return command_fail("no memory");
    for (size_t i = 0; i < catalog->environment_count && worst != EXIT_USAGE; i++) {
        struct document *document;
        int code = source_compile(&report->source, catalog->environments[i], &document);
        if (code > worst)
            worst = code;
        if (code != EXIT_FINE)
            continue;
        struct compiled *compiled = &report->compiled[report->count++];
        compiled->environment = catalog->environments[i];
        compiled->flags = document->count;
        document_digest_text(document, compiled->digest);
        document_release(document);
    }
    return worst;
}

static void write_count(struct buffer *out, const char *before, size_t count, const char *noun)
{
    buffer_printf(out, "%s%zu %s%s", before, count, noun, count == 1 ? "" : "s");
}

/* Of what many do without. */
static void write_some(struct buffer *out, size_t count, const char *noun)
{
    if (count)
        write_count(out, ", ", count, noun);
}

static void write_table(struct buffer *out, const struct report *report, const struct style *style)
{
    size_t width = strlen("ENVIRONMENT");
    for (size_t i = 0; i < report->count; i++) {
        size_t length = report->compiled[i].environment->name.text.length;
        width = length > width ? length : width;
    }
    buffer_printf(out, "\n  %s%-*s  FLAGS  DIGEST%s\n", style->bold, (int)width, "ENVIRONMENT",
                  style->end);
    for (size_t i = 0; i < report->count; i++) {
        const struct compiled *compiled = &report->compiled[i];
        buffer_append_string(out, "  ");
        buffer_append_text(out, compiled->environment->name.text);
        style_pad(out, width - compiled->environment->name.text.length);
        buffer_printf(out, "  %5zu  %s%s%s\n", compiled->flags, style->faint, compiled->digest,
                      style->end);
    }
}

static void write_text(struct buffer *out, const struct report *report, bool fine)
{
    bool colour = command_colour(STDOUT_FILENO);
    const struct style *style = style_of(colour);
    const struct source *source = &report->source;
    const struct catalog *catalog = &source->catalog;
    diagnostics_write_text(out, &source->diagnostics, colour);
    if (!fine)
        return;
    if (source->diagnostics.count)
        buffer_append_char(out, '\n');
    buffer_printf(out, "%s✓%s", style->good, style->end);
    write_count(out, " ", catalog->flag_count, "flag");
    write_count(out, ", ", catalog->segment_count, "segment");
    write_count(out, ", ", catalog->environment_count, "environment");
    write_count(out, ", ", catalog->target_count, "target");
    write_some(out, catalog->rollout_count, "rollout");
    write_some(out, catalog->phase_plan_count, "phase plan");
    write_some(out, catalog->metric_count, "metric");
    write_count(out, " in ", catalog->files, "file");
    if (source->commit[0])
        buffer_printf(out, " at commit %.12s", source->commit);
    buffer_append_char(out, '\n');
    write_table(out, report, style);
}

static void write_json(struct buffer *out, const struct report *report)
{
    const struct source *source = &report->source;
    diagnostics_write_json(out, &source->diagnostics);
    if (out->failed)
        return;
    out->length--; /* the brace that closes the object: more members follow */
    if (source->commit[0])
        buffer_printf(out, ",\"commit\":\"%s\"", source->commit);
    buffer_append_string(out, ",\"environments\":[");
    for (size_t i = 0; i < report->count; i++) {
        const struct compiled *compiled = &report->compiled[i];
        buffer_append_string(out, i ? ",{\"name\":" : "{\"name\":");
        json_write_string(out, compiled->environment->name.text);
        buffer_printf(out, ",\"flags\":%zu,\"digest\":\"%s\"}", compiled->flags, compiled->digest);
    }
    buffer_printf(out, "],\"files\":%zu}\n", source->catalog.files);
}

static int run(const struct arguments *arguments)
{
    struct report report = {0};
    struct buffer out;
    buffer_init(&out, 0);
    int code = source_open(&report.source, arguments, argument_operand(arguments, 0));
    if (code == EXIT_FINE) {
        source_check_zones(&report.source);
        code = compile_all(&report);
    }
    if (code != EXIT_USAGE) {
        if (format_is_json(arguments))
            write_json(&out, &report);
        else
            write_text(&out, &report, code == EXIT_FINE);
        if (command_print(&out) != EXIT_FINE)
            code = EXIT_USAGE;
    }
    free(report.compiled);
    source_dispose(&report.source);
    buffer_dispose(&out);
    return code;
}

static const struct option options[] = {SOURCE_OPTIONS, FORMAT_OPTION, {0}};

static const struct operand operands[] = {
    {.name = "PATH",
     .help = "the folder of definitions, or one file (default: the working folder)",
     .complete = COMPLETE_FOLDER},
    {0},
};

const struct command validate_command = {
    .name = "validate",
    .summary = "check definitions and tell every fault with its place",
    .description =
        "Reads all definitions of a folder, or of a commit of a Git repository, and checks "
        "them the way the controller does before it serves them: each document against the "
        "schema of its kind, then all of them together, then each environment by compiling "
        "it. Every fault is printed with file, line and column, what was expected, and how "
        "to mend it.\n\n"
        "Nothing is written, and nothing but the URL of --repo is contacted, so this is the "
        "command for an editor, a pre-commit hook and continuous integration.",
    .options = options,
    .operands = operands,
    .examples =
        "weir validate examples/acme-shop  # check a folder\n"
        "weir validate --repo . --rev HEAD~1  # check a commit of the repository here\n"
        "weir validate --format json examples/acme-shop  # the same for a program to read\n",
    .run = run,
};
