/* One round: does what counts so far link, and compile? */
#include <stdlib.h>

#include "compile.h"
#include "reconcile_private.h"

/* The works of one kind, in the order of the catalog's list. */
static struct work **works_of(const struct step *step, enum kind kind)
{
    size_t first = 0;
    for (size_t i = 0; i < (size_t)kind; i++)
        first += catalog_list(&step->catalog, (enum kind)i).count;
    return step->world.items + first;
}

enum status step_link(struct step *step, struct diagnostics *diagnostics)
{
    size_t at = 0, errors = diagnostics->errors;
    const struct catalog *catalog = &step->catalog;
    bool faulty = false;
    catalog_link(catalog, diagnostics, &step->faults);
    if (diagnostics->failed)
        return diagnostics->failed;
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        size_t count = catalog_list(catalog, (enum kind)kind).count;
        for (size_t i = 0; i < count; i++) {
            step->world.items[at]->faulty = step->faults.marked[kind][i];
            faulty = faulty || step->faults.marked[kind][i];
            at++;
        }
    }
    enum status status = step_guard_rollouts(step, diagnostics, &faulty);
    if (status != STATUS_OK)
        return status;
    return faulty || diagnostics->errors != errors ? STATUS_INVALID : STATUS_OK;
}

/* --- compiling ------------------------------------------------------------------------------- */

void step_forget_documents(struct step *step)
{
    for (size_t i = 0; i < step->document_count; i++) {
        document_release(step->documents[i].document);
        free(step->documents[i].environment);
    }
    free(step->documents);
    step->documents = NULL;
    step->document_count = 0;
}

/* Flags that are no more in this round, sorted by name. */
static enum status list_gone(struct step *step, struct text **out, size_t *count)
{
    struct text *gone = ARENA_ARRAY(step->arena, struct text, step->candidates.count + 1);
    *out = gone;
    *count = 0;
    if (!gone)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < step->candidates.count; i++) {
        const struct entry *entry = step->candidates.items[i]->entry;
        if (entry->kind == KIND_FLAG && entry->in_force && !entry->work->chosen)
            gone[(*count)++] = entry->name;
    }
    return STATUS_OK;
}

static int by_text(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* A table of attributes only grows: one that is nearly full is begun again, whoever once asked. */
static bool is_worn(const struct document *document)
{
    return document->attributes->slots > ATTRIBUTES_MAX / 4 * 3;
}

static enum status compile_one(struct step *step, size_t index, struct compile_task *task,
                               struct work **flags, struct diagnostics *diagnostics)
{
    const struct environment *environment = step->catalog.environments[index];
    const struct inventory_document *old =
        inventory_document(step->inventory, environment->name.text);
    struct inventory_document *made = &step->documents[step->document_count];
    const bool *wanted = task->wanted;
    size_t flag_count = step->catalog.flag_count;
    bool is_read_anew = !old || old->evaluators != environment->evaluators;
    task->environment = environment;
    task->previous = old && !step->anew && !is_worn(old->document) ? old->document : NULL;
    if (!task->previous || is_read_anew)
        task->wanted = NULL; /* all flags are in the catalog then: prepare() */
    if (flag_count)
        memset(task->faulty, 0, flag_count * sizeof *task->faulty);
    made->environment = strdup(environment->name.text.data);
    made->evaluators = environment->evaluators;
    made->holds = environment->holds;
    if (!made->environment)
        return STATUS_NO_MEMORY;
    enum status status = compile_document(task, &made->document, diagnostics);
    for (size_t i = 0; i < flag_count; i++) {
        step->result->compiled += !task->wanted || task->wanted[i];
        if (!task->faulty[i])
            continue;
        flags[i]->faulty = true;
        /* What went well before went wrong because of who reads it now. */
        if (is_read_anew && !work_counts(flags[i]))
            works_of(step, KIND_ENVIRONMENT)[index]->faulty = true;
    }
    task->wanted = wanted;
    step->document_count++; /* its name is to be freed in any case */
    return status;
}

enum status step_compile(struct step *step, struct diagnostics *diagnostics)
{
    const struct catalog *catalog = &step->catalog;
    struct work **flags = works_of(step, KIND_FLAG);
    struct compile_task task = {
        .catalog = catalog, .crew = step->task->crew, .crowded = &step->crowded};
    struct text *gone;
    bool *wanted = ARENA_ARRAY(step->arena, bool, catalog->flag_count + 1);
    task.faulty = ARENA_ARRAY(step->arena, bool, catalog->flag_count + 1);
    step_forget_documents(step);
    step->documents = calloc(catalog->environment_count + 1, sizeof *step->documents);
    enum status status = list_gone(step, &gone, &task.gone_count), worst = STATUS_OK;
    if (!wanted || !task.faulty || !step->documents || status != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (task.gone_count)
        qsort(gone, task.gone_count, sizeof *gone, by_text);
    for (size_t i = 0; i < catalog->flag_count; i++)
        wanted[i] = flags[i]->dirty;
    task.gone = gone;
    task.wanted = wanted;
    for (size_t i = 0; i < catalog->environment_count; i++) {
        status = compile_one(step, i, &task, flags, diagnostics);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status;
        worst = status == STATUS_INVALID ? status : worst;
    }
    return diagnostics->failed ? diagnostics->failed : worst;
}
