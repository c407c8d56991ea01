#include "source.h"

#include <unistd.h>

#include "../controller/folder.h"
#include "../controller/threads.h"
#include "../rules/similar.h"
#include "clone.h"
#include "commands.h"

/* --- bytes ----------------------------------------------------------------------------------- */

/* A path of this machine rather than a URL or host:path; what exists here is a path in any case. */
static bool is_local(const char *repo)
{
    size_t first = strcspn(repo, ":/");
    return access(repo, F_OK) == 0 || (!strstr(repo, "://") && !(first > 0 && repo[first] == ':'));
}

static enum status read_local(struct source *source, const char *repo, const char *revision,
                              struct error *error)
{
    struct mirror *mirror = NULL;
    enum status status = mirror_open_local(repo, &mirror, error);
    if (status == STATUS_OK)
        status = mirror_resolve(mirror, revision ? revision : "HEAD", source->commit, error);
    if (status == STATUS_OK)
        status = mirror_read(mirror, source->commit, &source->bundle, &source->diagnostics, error);
    mirror_close(mirror);
    return status;
}

static enum status read_repository(struct source *source, const char *repo, const char *revision,
                                   struct error *error)
{
    enum status status = mirror_startup(error);
    if (status)
        return status;
    if (is_local(repo))
        status = read_local(source, repo, revision, error);
    else
        status = clone_read(repo, revision, &source->bundle, &source->diagnostics, source->commit,
                            error);
    mirror_shutdown();
    return status;
}

static enum status read_bytes(struct source *source, const struct arguments *arguments,
                              const char *path, struct error *error)
{
    const char *repo = argument_given(arguments, "repo"),
               *revision = argument_given(arguments, "rev");
    if (path && (repo || revision))
        return error_set(
            error, STATUS_INVALID,
            "\"%.60s\" is a folder as it is now, \"--%s\" means a commit: give one of them%s", path,
            repo ? "repo" : "rev", repo ? "" : ", or \"--repo PATH --rev REV\"");
    if (repo || revision)
        return read_repository(source, repo ? repo : ".", revision, error);
    return folder_read(path ? path : ".", &source->bundle, &source->diagnostics, error);
}

/* --- definitions ----------------------------------------------------------------------------- */

/* Brings the diagnostics into the form in which they are printed. */
static void settle(struct source *source)
{
    diagnostics_sort(&source->diagnostics);
    diagnostics_excerpts(&source->diagnostics, bundle_source, &source->bundle);
}

static int fail(enum status status, const struct error *error)
{
    return status == STATUS_NO_MEMORY ? command_fail("no memory")
                                      : command_fail("%s", error->message);
}

/* Faults in the definitions, or the outside world: after a step that ended with `status` and began
 * with so many errors noted already. */
static int code_of(const struct source *source, enum status status, size_t errors,
                   const struct error *error)
{
    if (source->diagnostics.failed)
        return fail(source->diagnostics.failed, error);
    if (source->diagnostics.errors > errors)
        return EXIT_DEFINITIONS;
    return status == STATUS_OK ? EXIT_FINE : fail(status, error);
}

int source_open(struct source *source, const struct arguments *arguments, const char *path)
{
    struct error error = {0};
    *source = (struct source){.crew = threads_crew(0)};
    bundle_init(&source->bundle);
    diagnostics_init(&source->diagnostics);
    source->schemas = catalog_schemas(&error);
    if (!source->schemas)
        return fail(error.status, &error);
    enum status status = read_bytes(source, arguments, path, &error);
    if (status == STATUS_OK) {
        status = catalog_build(&source->catalog, source->schemas, &source->bundle, &source->crew,
                               &source->diagnostics);
        source->has_catalog = true;
        error_set(&error, status, "the definitions cannot be read");
    }
    settle(source);
    return code_of(source, status, 0, &error);
}

void source_dispose(struct source *source)
{
    if (source->has_catalog)
        catalog_dispose(&source->catalog);
    diagnostics_dispose(&source->diagnostics);
    bundle_dispose(&source->bundle);
    schema_set_free(source->schemas);
}

int source_compile(struct source *source, const struct environment *environment,
                   struct document **out)
{
    struct error error;
    size_t errors = source->diagnostics.errors;
    *out = NULL;
    enum status status = compile_environment(&source->catalog, environment, NULL, &source->crew,
                                             out, &source->diagnostics);
    error_set(&error, status, "environment \"%.*s\" cannot be compiled",
              (int)environment->name.text.length, environment->name.text.data);
    settle(source);
    int code = code_of(source, status, errors, &error);
    if (code != EXIT_FINE && *out) {
        document_release(*out);
        *out = NULL;
    }
    return code;
}

const struct environment *source_environment(const struct source *source, const char *name)
{
    const struct catalog *catalog = &source->catalog;
    const struct environment *environment = catalog_environment(catalog, text_of(name));
    if (environment)
        return environment;
    struct similar similar = {0};
    struct buffer list;
    buffer_init(&list, 400); /* a person's list; where it ends early, so be it */
    for (size_t i = 0; i < catalog->environment_count; i++) {
        struct text other = catalog->environments[i]->name.text;
        similar_offer(&similar, text_of(name), other);
        buffer_printf(&list, "%s%.*s", i ? ", " : "", (int)other.length, other.data);
    }
    struct text known = buffer_text(&list);
    if (similar.name.length)
        command_fail("environment \"%.120s\" does not exist; did you mean \"%.*s\"?", name,
                     (int)similar.name.length, similar.name.data);
    else
        command_fail("environment \"%.120s\" does not exist; there are: %.*s", name,
                     (int)known.length, known.length ? known.data : "");
    buffer_dispose(&list);
    return NULL;
}

void source_complain(const struct source *source, const struct arguments *arguments)
{
    struct buffer out;
    if (source->diagnostics.count == 0)
        return;
    buffer_init(&out, 0);
    if (format_is_json(arguments)) {
        diagnostics_write_json(&out, &source->diagnostics);
        buffer_append_char(&out, '\n');
    } else {
        diagnostics_write_text(&out, &source->diagnostics, command_colour(STDERR_FILENO));
    }
    command_print_aside(&out);
    buffer_dispose(&out);
}
