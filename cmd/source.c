#include "source.h"

#include <stdlib.h>
#include <unistd.h>

#include "../controller/folder.h"
#include "../controller/threads.h"
#include "../controller/zone_files.h"
#include "../rules/codes.h"
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

/* Resolves the revision and hands the commit on. */
static enum status use_local(const char *repo, const char *revision, clone_use *use, void *context,
                             struct error *error)
{
    char commit[COMMIT_TEXT_SIZE];
    struct mirror *mirror = NULL;
    enum status status = mirror_open_local(repo, &mirror, error);
    if (status == STATUS_OK)
        status = mirror_resolve(mirror, revision ? revision : "HEAD", commit, error);
    if (status == STATUS_OK)
        status = use(context, mirror, commit, error);
    mirror_close(mirror);
    return status;
}

static enum status use_repository(const char *repo, const char *revision, clone_use *use,
                                  void *context, struct error *error)
{
    enum status status = mirror_startup(error);
    if (status)
        return status;
    if (is_local(repo))
        status = use_local(repo, revision, use, context, error);
    else
        status = clone_read(repo, revision, use, context, error);
    mirror_shutdown();
    return status;
}

static bool means_commit(const struct arguments *arguments)
{
    return argument_given(arguments, "repo") || argument_given(arguments, "rev");
}

/* As it says, whatever is in force. */
static enum status read_commit(void *context, struct mirror *mirror, const char *commit,
                               struct error *error)
{
    struct source *source = context;
    snprintf(source->commit, sizeof source->commit, "%s", commit);
    return mirror_read(mirror, commit, &source->bundle, &source->diagnostics, error);
}

static enum status check_path(const struct arguments *arguments, const char *path,
                              struct error *error)
{
    const char *repo = argument_given(arguments, "repo");
    if (path && means_commit(arguments))
        return error_set(
            error, STATUS_INVALID,
            "\"%.60s\" is a folder as it is now, \"--%s\" means a commit: give one of them%s", path,
            repo ? "repo" : "rev", repo ? "" : ", or \"--repo PATH --rev REV\"");
    return STATUS_OK;
}

static enum status use_commit(const struct arguments *arguments, clone_use *use, void *context,
                              struct error *error)
{
    const char *repo = argument_given(arguments, "repo"),
               *revision = argument_given(arguments, "rev");
    return use_repository(repo ? repo : ".", revision, use, context, error);
}

static enum status read_bytes(struct source *source, const struct arguments *arguments,
                              const char *path, struct error *error)
{
    enum status status = check_path(arguments, path, error);
    if (status != STATUS_OK)
        return status;
    if (means_commit(arguments))
        return use_commit(arguments, read_commit, source, error);
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

static int begin(struct source *source)
{
    struct error error = {0};
    *source = (struct source){.crew = threads_crew(0)};
    bundle_init(&source->bundle);
    diagnostics_init(&source->diagnostics);
    source->schemas = catalog_schemas(&error);
    return source->schemas ? EXIT_FINE : fail(error.status, &error);
}

static int open_definitions(struct source *source, const struct arguments *arguments,
                            const char *path)
{
    struct error error = {0};
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

int source_open(struct source *source, const struct arguments *arguments, const char *path)
{
    int code = begin(source);
    return code == EXIT_FINE ? open_definitions(source, arguments, path) : code;
}

void source_dispose(struct source *source)
{
    if (source->has_effective)
        effective_dispose(&source->effective);
    if (source->has_catalog)
        catalog_dispose(&source->catalog);
    diagnostics_dispose(&source->diagnostics);
    bundle_dispose(&source->bundle);
    schema_set_free(source->schemas);
}

void source_check_zones(struct source *source)
{
    struct zone_files zones;
    zone_files_init(&zones, NULL);
    for (size_t i = 0; i < source->catalog.rollout_count; i++) {
        const struct calendar_definition *calendar = &source->catalog.rollouts[i]->calendar;
        const struct zone *zone;
        struct error error = {0};
        if (calendar->timezone.length &&
            zone_files_find(&zones, calendar->timezone, &zone, &error) != STATUS_OK)
            diagnostics_add(&source->diagnostics, CODE_TIME_ZONE, calendar->timezone_place,
                            "the rollout does not go further where it is not known", "%s",
                            error.message);
    }
    zone_files_dispose(&zones);
    settle(source);
}

int source_compile(struct source *source, const struct environment *environment,
                   struct document **out)
{
    struct error error;
    size_t errors = source->diagnostics.errors;
    *out = NULL;
    catalog_note_pins(&source->catalog, environment->name.text, &source->diagnostics);
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

static int unknown_environment(const char *name, const struct text *names, size_t count)
{
    struct similar similar = {0};
    struct buffer list;
    buffer_init(&list, 400); /* a person's list; where it ends early, so be it */
    for (size_t i = 0; i < count; i++) {
        similar_offer(&similar, text_of(name), names[i]);
        buffer_printf(&list, "%s%.*s", i ? ", " : "", (int)names[i].length, names[i].data);
    }
    struct text known = buffer_text(&list);
    if (similar.name.length)
        command_fail("environment \"%.120s\" does not exist; did you mean \"%.*s\"?", name,
                     (int)similar.name.length, similar.name.data);
    else
        command_fail("environment \"%.120s\" does not exist; there are: %.*s", name,
                     (int)known.length, known.length ? known.data : "");
    buffer_dispose(&list);
    return EXIT_USAGE;
}

static int no_environment(const struct source *source, const char *name)
{
    const struct effective_documents *documents = &source->effective.documents;
    size_t count = source->has_effective ? documents->count : source->catalog.environment_count;
    struct text *names = calloc(count + 1, sizeof *names);
    if (!names)
        return command_fail("no memory");
    for (size_t i = 0; i < count; i++)
        names[i] = source->has_effective ? text_of(documents->items[i].environment)
                                         : source->catalog.environments[i]->name.text;
    int code = unknown_environment(name, names, count);
    free(names);
    return code;
}

/* --- what is in force at a commit ------------------------------------------------------------ */

static bool file_of(void *context, struct text path, struct text *out)
{
    struct source *source = context;
    const struct source_file *file = inventory_source(&source->effective.inventory, path);
    struct file_reader reader = mirror_reader(source->effective.parts.mirror);
    struct buffer bytes;
    buffer_init(&bytes, 0);
    bool found = file && reader.read(reader.context, path, &file->blob, &bytes) == STATUS_OK &&
                 arena_copy(&source->bundle.arena, buffer_text(&bytes), out);
    buffer_dispose(&bytes);
    return found;
}

static enum status take_in_force(void *context, struct mirror *mirror, const char *commit,
                                 struct error *error)
{
    struct source *source = context;
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = source->schemas, .clock = &system_clock};
    snprintf(source->commit, sizeof source->commit, "%s", commit);
    effective_init(&source->effective, &parts);
    source->has_effective = true;
    enum status status = effective_go(&source->effective, commit, error);
    if (status != STATUS_OK)
        return status;
    diagnostics_copy(&source->diagnostics, &source->effective.result.diagnostics);
    diagnostics_sort(&source->diagnostics);
    diagnostics_excerpts(&source->diagnostics, file_of, source);
    return source->diagnostics.failed;
}

static int document_in_force(struct source *source, const struct arguments *arguments,
                             const char *path, struct document **out)
{
    const char *name = argument_string(arguments, "env");
    struct error error = {0};
    enum status status = check_path(arguments, path, &error);
    if (status == STATUS_OK)
        status = use_commit(arguments, take_in_force, source, &error);
    if (status != STATUS_OK)
        return fail(status, &error);
    const struct document *document = effective_document(&source->effective, text_of(name));
    if (document) {
        *out = document_reference((struct document *)(uintptr_t)document);
        return EXIT_FINE;
    }
    return source->diagnostics.errors ? EXIT_DEFINITIONS : no_environment(source, name);
}

/* --- what is in force, of a commit or of a folder -------------------------------------------- */

struct in_force {
    struct source *source;
    source_use *use;
    void *context;
};

static enum status use_in_force(void *context, struct mirror *mirror, const char *commit,
                                struct error *error)
{
    const struct in_force *in_force = context;
    struct source *source = in_force->source;
    enum status status = take_in_force(source, mirror, commit, error);
    const struct source_in_force found = {&source->effective.inventory, source->schemas,
                                          mirror_reader(mirror), source->commit};
    return status == STATUS_OK ? in_force->use(in_force->context, &found, error) : status;
}

/* A file of the bundle is known by its number, from 1. */
static enum status read_bundled(void *context, struct text path, const struct blob_id *blob,
                                struct buffer *out)
{
    const struct bundle *bundle = context;
    uint32_t number;
    (void)path;
    memcpy(&number, blob->bytes, sizeof number);
    if (number == 0 || number > bundle->count)
        return STATUS_SYSTEM;
    buffer_append_text(out, bundle->files[number - 1].bytes);
    return out->failed;
}

static enum status use_bundle(struct source *source, source_use *use, void *context,
                              struct error *error)
{
    const struct bundle *bundle = &source->bundle;
    struct inventory inventory;
    struct reconcile_result result = {0};
    struct file_change *changes = calloc(bundle->count + 1, sizeof *changes);
    if (!changes)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    for (uint32_t i = 0; i < bundle->count; i++) {
        uint32_t number = i + 1;
        changes[i] = (struct file_change){.path = bundle->files[i].path,
                                          .state = FILE_HERE,
                                          .size = bundle->files[i].bytes.length};
        memcpy(changes[i].blob.bytes, &number, sizeof number);
    }
    const struct file_reader reader = {read_bundled, &source->bundle};
    const struct reconcile_task task = {.schemas = source->schemas,
                                        .crew = &source->crew,
                                        .reader = reader,
                                        .changes = changes,
                                        .change_count = bundle->count};
    const struct source_in_force found = {&inventory, source->schemas, reader, ""};
    inventory_init(&inventory);
    enum status status = reconcile(&inventory, &task, &result, error);
    if (status == STATUS_OK) {
        diagnostics_copy(&source->diagnostics, &result.diagnostics);
        settle(source);
        status = use(context, &found, error);
    }
    reconcile_result_dispose(&result);
    inventory_dispose(&inventory);
    free(changes);
    return status;
}

int source_use_in_force(struct source *source, const struct arguments *arguments, const char *path,
                        source_use *use, void *context)
{
    struct in_force in_force = {source, use, context};
    struct error error = {0};
    int code = begin(source);
    if (code != EXIT_FINE)
        return code;
    enum status status = check_path(arguments, path, &error);
    if (status == STATUS_OK && means_commit(arguments)) {
        status = use_commit(arguments, use_in_force, &in_force, &error);
    } else if (status == STATUS_OK) {
        status = read_bytes(source, arguments, path, &error);
        if (status == STATUS_OK)
            status = use_bundle(source, use, context, &error);
    }
    if (status == STATUS_OK)
        status = source->diagnostics.failed;
    return status == STATUS_OK ? EXIT_FINE : fail(status, &error);
}

/* --- the document of an environment ---------------------------------------------------------- */

int source_document(struct source *source, const struct arguments *arguments, const char *path,
                    struct document **out)
{
    *out = NULL;
    int code = begin(source);
    if (code == EXIT_FINE && means_commit(arguments))
        return document_in_force(source, arguments, path, out);
    if (code == EXIT_FINE)
        code = open_definitions(source, arguments, path);
    if (code != EXIT_FINE)
        return code;
    const char *name = argument_string(arguments, "env");
    const struct environment *environment = catalog_environment(&source->catalog, text_of(name));
    return environment ? source_compile(source, environment, out) : no_environment(source, name);
}

static void tell_quarantined(const struct source *source, struct buffer *out)
{
    size_t count = source->effective.inventory.quarantined.count;
    if (source->has_effective && count)
        buffer_printf(out, "%zu definition%s of commit %.12s %s not in force as it says\n", count,
                      count == 1 ? "" : "s", source->commit, count == 1 ? "is" : "are");
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
        tell_quarantined(source, &out);
    }
    command_print_aside(&out);
    buffer_dispose(&out);
}
