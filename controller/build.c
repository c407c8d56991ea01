#include "build.h"

#include "../rules/compile.h"
#include "threads.h"

static const struct document *previous_document(const struct snapshot *previous, struct text name)
{
    const struct snapshot_environment *environment =
        previous ? snapshot_environment(previous, name) : NULL;
    return environment ? environment->document : NULL;
}

static enum status compile_all(struct build *build, const struct snapshot *previous)
{
    const struct catalog *catalog = &build->catalog;
    const struct crew crew = threads_crew(0);
    bool faults = false;
    build->documents = calloc(catalog->environment_count + 1, sizeof *build->documents);
    if (!build->documents)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < catalog->environment_count; i++) {
        const struct environment *environment = catalog->environments[i];
        enum status status = compile_environment(
            catalog, environment, previous_document(previous, environment->name.text), &crew,
            &build->documents[i], &build->diagnostics);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status;
        faults = faults || status == STATUS_INVALID;
    }
    return faults ? STATUS_INVALID : STATUS_OK;
}

enum status build_commit(struct build *build, struct mirror *mirror, const char *commit,
                         const struct schema_set *schemas, const struct snapshot *previous,
                         struct error *error)
{
    *build = (struct build){0};
    diagnostics_init(&build->diagnostics);
    bundle_init(&build->bundle);
    build->has_bundle = true;
    enum status status = mirror_read(mirror, commit, &build->bundle, &build->diagnostics, error);
    if (status != STATUS_OK)
        return status;
    const struct crew crew = threads_crew(0);
    status = catalog_build(&build->catalog, schemas, &build->bundle, &crew, &build->diagnostics);
    build->has_catalog = true;
    if (status == STATUS_OK)
        status = compile_all(build, previous);
    if (status == STATUS_NO_MEMORY)
        error_set(error, status, "no memory to compile commit %s", commit);
    diagnostics_sort(&build->diagnostics);
    return status;
}

void build_dispose(struct build *build)
{
    if (build->documents) {
        for (size_t i = 0; i < build->catalog.environment_count; i++)
            document_release(build->documents[i]);
        free(build->documents);
    }
    if (build->has_catalog)
        catalog_dispose(&build->catalog);
    if (build->has_bundle)
        bundle_dispose(&build->bundle);
    diagnostics_dispose(&build->diagnostics);
    *build = (struct build){0};
}

struct snapshot *build_snapshot(struct build *build, const char *commit,
                                struct generation generation, const char *standard, int64_t now)
{
    const struct catalog *catalog = &build->catalog;
    struct snapshot *snapshot = snapshot_new(catalog->environment_count);
    if (!snapshot)
        return NULL;
    snprintf(snapshot->commit, sizeof snapshot->commit, "%s", commit);
    snapshot->generation = generation;
    snapshot->since = now;
    for (size_t i = 0; i < catalog->environment_count; i++) {
        struct document *document = build->documents[i];
        build->documents[i] = NULL;
        if (snapshot_fill(snapshot, i, catalog->environments[i]->name.text, document) !=
            STATUS_OK) {
            snapshot_release(snapshot);
            return NULL;
        }
    }
    if (standard)
        snapshot->standard = snapshot_environment(snapshot, text_of(standard));
    else if (catalog->environment_count == 1)
        snapshot->standard = &snapshot->environments[0];
    return snapshot;
}
