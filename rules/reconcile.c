#include "reconcile.h"

#include <stdlib.h>

#include "codes.h"
#include "reconcile_private.h"

/* --- works ----------------------------------------------------------------------------------- */

bool works_add(struct works *works, struct work *work)
{
    if (works->count == works->size) {
        size_t size = works->size ? works->size * 2 : 64;
        struct work **items = reallocarray(works->items, size, sizeof *items);
        if (!items)
            return false;
        works->items = items;
        works->size = size;
    }
    works->items[works->count++] = work;
    return true;
}

struct work *step_work(struct step *step, struct entry *entry)
{
    if (entry->work)
        return entry->work;
    struct work *work = ARENA_NEW(step->arena, struct work);
    if (!work || !works_add(&step->all, work))
        return NULL;
    work->entry = entry;
    work->place = step->all.count - 1;
    entry->work = work;
    return work;
}

/* --- candidates ------------------------------------------------------------------------------ */

/* Of several documents with one name, the one that the others are told to be like: the first. */
static struct version *first_whole(const struct entry *entry)
{
    struct version *first = NULL;
    for (struct version *version = entry->wanted; version; version = version->next) {
        int order = first ? text_compare(version->source->path, first->source->path) : -1;
        if (version->whole && (order < 0 || (order == 0 && version->index < first->index)))
            first = version;
    }
    return first;
}

/* The same document, though a commit between took the file away or changed it, and another brought
 * it back. */
static bool is_same(const struct version *a, const struct version *b)
{
    return a && b && a->index == b->index && text_equal(a->source->path, b->source->path) &&
           memcmp(&a->source->blob, &b->source->blob, sizeof a->source->blob) == 0;
}

/* What the commit has, and whether that can count at all. */
enum status step_judge(struct step *step, struct entry *entry)
{
    struct work *work = step_work(step, entry);
    struct version *wanted = entry->wanted;
    if (!work)
        return STATUS_NO_MEMORY;
    if (work->candidate)
        return STATUS_OK; /* judged before */
    work->broken = wanted && (wanted->next || !wanted->whole);
    work->wanted = work->broken ? NULL : wanted;
    if (is_same(work->wanted, entry->in_force))
        inventory_exchange(entry, work->wanted);
    if (!work->broken && work->wanted == entry->in_force)
        return STATUS_OK;
    work->candidate = true;
    /* A state is known by its path: nothing else can be it. */
    work->stands =
        work->broken || (!wanted && step->inventory->unidentified && !kind_is_state(entry->kind));
    work->chosen = work->broken ? first_whole(entry) : wanted; /* for the telling */
    return works_add(&step->candidates, work) ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status find_candidates(struct step *step)
{
    const struct entries *quarantined = &step->inventory->quarantined;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < step->touched.count && status == STATUS_OK; i++)
        status = step_judge(step, step->touched.items[i]);
    for (size_t i = 0; i < quarantined->count && status == STATUS_OK; i++)
        status = step_judge(step, quarantined->items[i]);
    return status;
}

/* The outcome is known: what does not count, and what stands in its place. */
static enum status take_exception(struct step *step, const struct exception *exception)
{
    struct entry *entry = inventory_entry(step->inventory, exception->kind, exception->name);
    enum status status = entry ? step_judge(step, entry) : STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        return status;
    struct work *work = entry->work;
    if (!work->candidate && !works_add(&step->candidates, work))
        return STATUS_NO_MEMORY;
    work->candidate = work->stands = work->known = true;
    status = step_given_version(step, entry, exception, &work->chosen);
    return status == STATUS_NOT_FOUND ? STATUS_INVALID : status;
}

static enum status take_exceptions(struct step *step)
{
    const struct reconcile_task *task = step->task;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->exception_count && status == STATUS_OK; i++) {
        if (task->exceptions[i].edit.seq == 0)
            status = take_exception(step, &task->exceptions[i]);
    }
    for (size_t i = 0; i < step->candidates.count && status == STATUS_OK; i++) {
        struct work *work = step->candidates.items[i];
        if (work->known)
            continue;
        if (work->broken)
            status = STATUS_INVALID; /* it cannot be what counts */
        work->stands = false;
        work->chosen = work->wanted;
    }
    return status;
}

/* --- what is dirty --------------------------------------------------------------------------- */

static enum status soil(struct step *step, struct entry *entry, struct entries *list)
{
    struct work *work = step_work(step, entry);
    if (!work)
        return STATUS_NO_MEMORY;
    if (work->dirty)
        return STATUS_OK;
    work->dirty = true;
    return entries_add(list, entry) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Whether documents are made otherwise because of it: it comes, it goes, or somebody else reads
 * them. */
static enum status environment_matters(struct step *step, const struct work *work, bool *matters)
{
    struct version *versions[2] = {work->entry->in_force, work->chosen};
    *matters = true;
    if (!versions[0] || !versions[1])
        return STATUS_OK;
    *matters = false;
    if (work->stands && !work->known)
        return STATUS_OK; /* nothing is compiled for the telling */
    enum status status = step_read_versions(step, versions, 2);
    if (status != STATUS_OK)
        return status;
    const struct environment *old = versions[0]->definition, *new = versions[1]->definition;
    *matters = old->evaluators != new->evaluators;
    return STATUS_OK;
}

/* That it is absent while there is something else wrong that may have been it. */
static bool nobody_is_told(const struct step *step, const struct work *work)
{
    return work->stands && !work->known && !work->chosen &&
           (work->broken || step->inventory->unreadable > 0);
}

/* A rollout, or where it stands, changes the flag that it releases; so does a pin. */
static enum status soil_released(struct step *step, const struct entry *entry, struct entries *list)
{
    enum kind wanted = entry->kind == KIND_ROLLOUT_STATE ? KIND_ROLLOUT : KIND_FLAG;
    struct entry **released = NULL;
    size_t count = 0;
    enum status status = STATUS_OK;
    if (entry->kind != KIND_ROLLOUT && !kind_is_state(entry->kind))
        return STATUS_OK;
    for (uint32_t i = 0; i < entry->reference_count && status == STATUS_OK; i++) {
        if (entry->references[i].entry->kind == wanted)
            status = soil(step, entry->references[i].entry, list);
    }
    struct version *chosen = entry->work->candidate ? entry->work->chosen : NULL;
    chosen = chosen ? chosen : entry->work->before;
    if (status == STATUS_OK && chosen)
        status = step_read_versions(step, &chosen, 1);
    if (status == STATUS_OK && chosen)
        status = step_references(step, entry->kind, chosen->definition, &released, &count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (released[i]->kind == wanted)
            status = soil(step, released[i], list);
    }
    return status;
}

/* Everything that a candidate, or something that depends on one, may change. */
static enum status find_dirty(struct step *step)
{
    struct entries list = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < step->candidates.count && status == STATUS_OK; i++) {
        const struct work *work = step->candidates.items[i];
        bool matters = true;
        if (!work->before && (work->chosen == work->entry->in_force || nobody_is_told(step, work)))
            continue;
        if (work->entry->kind == KIND_ENVIRONMENT)
            status = environment_matters(step, work, &matters);
        if (status == STATUS_OK && matters)
            status = soil(step, work->entry, &list);
        step->all_flags = step->all_flags || (matters && work->entry->kind == KIND_ENVIRONMENT);
    }
    for (size_t i = 0; i < list.count && status == STATUS_OK; i++) {
        const struct entry *entry = list.items[i];
        for (size_t j = 0; j < entry->referrer_count && status == STATUS_OK; j++)
            status = soil(step, entry->referrers[j].entry, &list);
        if (status == STATUS_OK)
            status = soil_released(step, entry, &list);
    }
    entries_dispose(&list);
    for (size_t i = 0; i < step->inventory->document_count; i++) {
        const struct attributes *attributes = step->inventory->documents[i].document->attributes;
        step->all_flags = step->all_flags || attributes->slots > ATTRIBUTES_MAX / 4 * 3;
    }
    return status;
}

/* --- rounds ---------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct name *x = (*(struct version *const *)a)->definition,
                      *y = (*(struct version *const *)b)->definition;
    int order = text_compare(x->place.path, y->place.path);
    return order ? order : (x->place.line > y->place.line) - (x->place.line < y->place.line);
}

/* Names that are defined twice; the first place is where the others point to. */
static enum status tell_duplicates_of(struct step *step, const struct entry *entry)
{
    size_t count = 0;
    for (const struct version *version = entry->wanted; version; version = version->next)
        count += version->whole;
    struct version **versions = ARENA_ARRAY(step->arena, struct version *, count + 1);
    if (!versions)
        return STATUS_NO_MEMORY;
    count = 0;
    for (struct version *version = entry->wanted; version; version = version->next) {
        if (version->whole)
            versions[count++] = version;
    }
    enum status status = step_read_versions(step, versions, count);
    if (status != STATUS_OK || count < 2)
        return status;
    qsort(versions, count, sizeof(struct version *), by_place);
    for (size_t i = 1; i < count; i++) {
        const struct name *name = versions[i]->definition;
        struct diagnostic *made =
            diagnostics_add(&step->result->diagnostics, CODE_DUPLICATE_NAME, name->place,
                            "rename or remove one of the two", "%s \"%s\" is defined twice",
                            kind_name(entry->kind), entry->name.data);
        diagnostic_also(&step->result->diagnostics, made,
                        ((const struct name *)versions[0]->definition)->place);
    }
    return STATUS_OK;
}

static enum status tell_duplicates(struct step *step)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < step->candidates.count && status == STATUS_OK; i++) {
        const struct entry *entry = step->candidates.items[i]->entry;
        if (entry->work->broken && entry->wanted && entry->wanted->next)
            status = tell_duplicates_of(step, entry);
    }
    return status;
}

/* Nothing is defined any more: more likely somebody's mistake than their wish. */
static void tell_empty(struct step *step)
{
    const struct inventory *inventory = step->inventory;
    const struct entry *entry;
    for (size_t i = 0; (entry = table_next(&inventory->entries, &i));) {
        if (entry->wanted)
            return;
    }
    if (step->result->diagnostics.errors)
        return;
    diagnostics_add(
        &step->result->diagnostics, CODE_NO_DEFINITIONS, (struct place){TEXT("."), 0, 0},
        "put YAML documents with \"apiVersion: " API_VERSION
        "\" below flags/, segments/, environments/ or targets/",
        "no definitions found in %zu file%s", inventory->files, inventory->files == 1 ? "" : "s");
    step->collapsed = true;
}

/* What is wrong goes into `found`, which is empty. */
static enum status link_and_compile(struct step *step, bool is_first, struct diagnostics *found)
{
    const struct diagnostics *before = &step->result->diagnostics;
    enum status status = step_make_world(step, is_first);
    if (status == STATUS_OK)
        status = step_link(step, found);
    if (status == STATUS_OK && (!is_first || before->errors + found->errors == 0))
        status = step_compile(step, found);
    return status;
}

/* One way to a commit has slots for attributes that another never heard of. Where there are too
 * many, all is compiled anew, as it is where nothing was before: so the outcome is the same. */
static enum status run_round(struct step *step, bool is_first)
{
    struct diagnostics found;
    diagnostics_init(&found);
    enum status status = link_and_compile(step, is_first, &found);
    if (status == STATUS_INVALID && step->crowded && !step->anew) {
        diagnostics_dispose(&found);
        diagnostics_init(&found);
        step->anew = step->all_flags = true;
        status = link_and_compile(step, is_first, &found);
    }
    if (is_first)
        diagnostics_join(&step->result->diagnostics, &found);
    diagnostics_dispose(&found);
    return status;
}

/* Everything as the commit has it: what people are told, and most often all there is to do. */
static enum status first_round(struct step *step)
{
    const struct diagnostics *diagnostics = &step->result->diagnostics;
    bool some_stand = false;
    enum status status = run_round(step, true);
    for (size_t i = 0; i < step->candidates.count; i++) {
        struct work *work = step->candidates.items[i];
        if (work->stands)
            work->chosen = work_before(work);
        some_stand = some_stand || work->stands;
    }
    if (status != STATUS_OK)
        return status;
    if (diagnostics->failed)
        return diagnostics->failed;
    return some_stand || diagnostics->errors ? STATUS_INVALID : STATUS_OK;
}

/* Those that depend on one that stands, stand; the world may be another then. */
static enum status settle_dependence(struct step *step)
{
    enum status status = step_make_world(step, false);
    return status == STATUS_OK ? step_stand_by_dependence(step) : status;
}

static void let_all_stand(struct step *step)
{
    for (size_t i = 0; i < step->candidates.count; i++) {
        struct work *work = step->candidates.items[i];
        if (kind_is_state(work->entry->kind) && !work->broken)
            continue;
        work->stands = true;
        work->chosen = work_before(work);
    }
}

/* STATUS_INVALID: it went wrong too, and more stands now. */
static enum status run_next_round(struct step *step)
{
    enum status status = STATUS_OK;
    if (step->collapsed)
        let_all_stand(step);
    else
        status = settle_dependence(step);
    if (status == STATUS_OK)
        status = run_round(step, false);
    if (status != STATUS_INVALID)
        return status;
    if (step->collapsed)
        return STATUS_SYSTEM; /* what stood before stands no more: it cannot be */
    status = step_stand_by_faults(step);
    return status == STATUS_OK ? STATUS_INVALID : status;
}

static enum status run_rounds(struct step *step)
{
    enum status status = first_round(step), found = STATUS_OK;
    bool others = step->troubled;
    /* What was found wrong only counts when nothing was absent for the telling's sake. */
    for (size_t i = 0; i < step->candidates.count && !others; i++)
        others = step->candidates.items[i]->stands;
    if (status == STATUS_INVALID && !others)
        found = step_stand_by_faults(step);
    if (found != STATUS_OK)
        return found;
    while (status == STATUS_INVALID)
        status = run_next_round(step);
    return status;
}

/* --- the end --------------------------------------------------------------------------------- */

static enum status put_in_force(struct step *step)
{
    struct entries quarantined = {0};
    for (size_t i = 0; i < step->candidates.count; i++) {
        struct work *work = step->candidates.items[i];
        struct entry *entry = work->entry;
        if (work->chosen != entry->in_force &&
            !inventory_put_in_force(entry, work->chosen, work->references,
                                    work->chosen ? work->reference_count : 0))
            goto failed;
        if ((work->broken || work->wanted != entry->in_force) && !entries_add(&quarantined, entry))
            goto failed;
    }
    entries_dispose(&step->inventory->quarantined);
    step->inventory->quarantined = quarantined;
    return STATUS_OK;

failed:
    entries_dispose(&quarantined);
    return STATUS_NO_MEMORY;
}

static void take_documents(struct step *step)
{
    struct inventory *inventory = step->inventory;
    for (size_t i = 0; i < inventory->document_count; i++) {
        free(inventory->documents[i].environment);
        document_release(inventory->documents[i].document);
    }
    free(inventory->documents);
    inventory->documents = step->documents;
    inventory->document_count = step->document_count;
    step->documents = NULL;
    step->document_count = 0;
}

static void tell_result(struct step *step)
{
    struct reconcile_result *result = step->result;
    result->whole =
        step->inventory->quarantined.count == 0 && result->diagnostics.errors == 0 &&
        !step_leans(step) &&
        (step->task->is_known || step->task->from != RECONCILE_ELSEWHERE || !step_has_edits(step));
    result->targets = step->catalog.targets;
    result->target_count = step->catalog.target_count;
    diagnostics_sort(&result->diagnostics);
}

/* And names that nobody speaks of any more. */
static void forget_works(struct step *step)
{
    for (size_t i = 0; i < step->all.count; i++)
        step->all.items[i]->entry->work = NULL;
    for (size_t i = 0; i < step->all.count; i++)
        inventory_forget(step->inventory, step->all.items[i]->entry);
}

static void step_dispose(struct step *step)
{
    struct source_file *source;
    forget_works(step);
    step_forget_documents(step);
    for (size_t i = 0; (source = table_next(&step->given, &i));)
        source_release(source);
    table_dispose(&step->given);
    entries_dispose(&step->touched);
    free(step->all.items);
    free(step->candidates.items);
    free(step->world.items);
}

static enum status run(struct step *step)
{
    enum status status = step_take_files(step);
    if (status != STATUS_OK)
        return status;
    status = find_candidates(step);
    if (status == STATUS_OK && step->task->is_known)
        status = take_exceptions(step);
    if (status == STATUS_OK && !step->task->is_known)
        status = step_take_rivals(step);
    if (status == STATUS_OK && !step->task->is_known)
        status = step_check_hand(step);
    if (status == STATUS_OK)
        status = find_dirty(step);
    if (status != STATUS_OK)
        return status;
    step_tell_files(step);
    status = tell_duplicates(step);
    tell_empty(step);
    if (status == STATUS_OK && step->task->is_known)
        status = run_round(step, false);
    else if (status == STATUS_OK)
        status = run_rounds(step);
    if (status == STATUS_OK)
        status = put_in_force(step);
    if (status == STATUS_OK)
        status = step_note_hands(step);
    if (status != STATUS_OK)
        return status;
    take_documents(step);
    tell_result(step);
    return step->result->diagnostics.failed;
}

enum status reconcile(struct inventory *inventory, const struct reconcile_task *task,
                      struct reconcile_result *result, struct error *error)
{
    struct step step = {
        .inventory = inventory, .task = task, .result = result, .arena = &result->arena};
    *result = (struct reconcile_result){0};
    arena_init(&result->arena, READING_MEMORY);
    diagnostics_init(&result->diagnostics);
    inventory->step++;
    enum status status = run(&step);
    step_dispose(&step);
    if (status == STATUS_NO_MEMORY)
        error_set(error, status, "no memory to reconcile");
    else if (status != STATUS_OK)
        error_set(error, status, "the commit's files cannot be read again");
    return status;
}

void reconcile_result_dispose(struct reconcile_result *result)
{
    diagnostics_dispose(&result->diagnostics);
    arena_dispose(&result->arena);
    *result = (struct reconcile_result){0};
}
