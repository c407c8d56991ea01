#include "effective.h"

#include <malloc.h>
#include <stdlib.h>

#include "log.h"
#include "threads.h"

#define LOOK_BACK                                                                                  \
    2000 /* commits, for one that is known, before they are compiled on the way back */
#define SAVE_EVERY 256  /* commits of a long way forward */
#define TELL_EVERY 2000 /* commits of a long way */
#define TRIM_FROM 1000  /* files read at once */

void effective_known_init(struct effective_known *known)
{
    *known = (struct effective_known){0};
    arena_init(&known->arena, 0);
}

void effective_known_dispose(struct effective_known *known)
{
    arena_dispose(&known->arena);
    effective_known_init(known);
}

/* --- documents ------------------------------------------------------------------------------- */

static void documents_dispose(struct effective_documents *documents)
{
    for (size_t i = 0; i < documents->count; i++) {
        free(documents->items[i].environment);
        free(documents->items[i].grafts);
        document_release(documents->items[i].document);
        document_release(documents->items[i].base);
    }
    free(documents->items);
    *documents = (struct effective_documents){0};
}

/* NULL without memory. */
static struct effective_document *documents_add(struct effective_documents *documents,
                                                const char *environment, struct document *document,
                                                bool is_held)
{
    struct effective_document *made = &documents->items[documents->count];
    made->environment = strdup(environment);
    if (!made->environment)
        return NULL;
    made->document = document_reference(document);
    made->base = document_reference(document);
    made->is_held = is_held;
    documents->count++;
    return made;
}

static bool documents_begin(struct effective_documents *documents, size_t most)
{
    documents_dispose(documents);
    documents->items = calloc(most + 1, sizeof *documents->items);
    return documents->items != NULL;
}

static struct effective_document *documents_item(const struct effective_documents *documents,
                                                 struct text environment)
{
    for (size_t i = 0; documents->items && i < documents->count; i++) {
        if (text_is(environment, documents->items[i].environment))
            return &documents->items[i];
    }
    return NULL;
}

static struct document *documents_find(const struct effective_documents *documents,
                                       struct text environment)
{
    const struct effective_document *item = documents_item(documents, environment);
    return item ? item->document : NULL;
}

const struct document *effective_document(const struct effective *effective,
                                          struct text environment)
{
    return documents_find(&effective->documents, environment);
}

/* What is in force at a wholly valid commit is what environments that hold will serve. */
static enum status keep_whole(struct effective *effective, struct error *error)
{
    const struct inventory *inventory = &effective->inventory;
    bool good = documents_begin(&effective->whole, inventory->document_count);
    for (size_t i = 0; i < inventory->document_count && good; i++)
        good = documents_add(&effective->whole, inventory->documents[i].environment,
                             inventory->documents[i].document, false);
    snprintf(effective->whole_commit, sizeof effective->whole_commit, "%s", effective->commit);
    if (!good || !effective_states_keep(inventory, &effective->whole_states))
        return error_set(error, STATUS_NO_MEMORY, "no memory for documents");
    enum status status = effective_pins_refresh(effective, error);
    if (status != STATUS_OK)
        return status;
    effective_pins_release(effective->whole_pins);
    effective->whole_pins = effective->pins;
    if (effective->pins)
        effective->pins->references++;
    return STATUS_OK;
}

/* --- making and unmaking --------------------------------------------------------------------- */

void effective_init(struct effective *effective, const struct effective_parts *parts)
{
    *effective = (struct effective){.parts = *parts, .crew = threads_crew(0)};
    inventory_init(&effective->inventory);
    effective_known_init(&effective->last);
    arena_init(&effective->result.arena, 0);
    diagnostics_init(&effective->result.diagnostics);
}

void effective_dispose(struct effective *effective)
{
    reconcile_result_dispose(&effective->result);
    inventory_dispose(&effective->inventory);
    effective_known_dispose(&effective->last);
    documents_dispose(&effective->documents);
    documents_dispose(&effective->whole);
    effective_states_dispose(&effective->whole_states);
    effective_pins_release(effective->pins);
    effective_pins_release(effective->whole_pins);
    effective_fragments_dispose(&effective->fragments);
}

/* Nothing is in force. */
static void begin_anew(struct effective *effective)
{
    inventory_dispose(&effective->inventory);
    effective->commit[0] = effective->tree[0] = '\0';
    effective->entries = 0;
    effective->is_exact = false;
    documents_dispose(&effective->whole);
    effective->whole_commit[0] = '\0';
}

/* --- one step -------------------------------------------------------------------------------- */

static void copy_commit(char out[COMMIT_TEXT_SIZE], const char *commit)
{
    snprintf(out, COMMIT_TEXT_SIZE, "%s", commit);
}

/* From wherever the inventory is to `commit`; `known` (or NULL) tells the outcome. */
static enum status step(struct effective *effective, const char *commit, enum reconcile_from from,
                        const struct effective_known *known, struct error *error)
{
    struct tree_changes changes;
    struct exception *rivals = NULL;
    size_t rival_count = 0;
    tree_changes_init(&changes);
    enum status status =
        mirror_compare(effective->parts.mirror, effective->tree[0] ? effective->tree : NULL,
                       effective->entries, commit, &changes, error);
    if (status == STATUS_OK && changes.overflow && known)
        status = error_set(error, STATUS_INVALID, "commit %s is too large to be known", commit);
    if (status == STATUS_OK && from == RECONCILE_PARENT)
        status = effective_rivals(effective, commit, &changes.arena, &rivals, &rival_count, error);
    if (status == STATUS_OK) {
        struct reconcile_task task = {.schemas = effective->parts.schemas,
                                      .crew = &effective->crew,
                                      .reader = mirror_reader(effective->parts.mirror),
                                      .changes = changes.items,
                                      .change_count = changes.overflow ? 0 : changes.count,
                                      .overflow = changes.overflow,
                                      .from = from,
                                      .rivals = rivals,
                                      .rival_count = rival_count};
        if (known) {
            task.is_known = true;
            task.exceptions = known->exceptions;
            task.exception_count = known->count;
        }
        reconcile_result_dispose(&effective->result);
        status = reconcile(&effective->inventory, &task, &effective->result, error);
        effective->steps++;
    }
    if (status == STATUS_OK) {
        copy_commit(effective->commit, commit);
        if (!changes.overflow) {
            copy_commit(effective->tree, commit);
            effective->entries = changes.entries;
        }
    }
    tree_changes_dispose(&changes);
    return status;
}

/* Takes the step on which all others build: what is in force now is E(first parent), or whatever.
 */
static enum status visit(struct effective *effective, const char *commit, bool from_parent,
                         struct error *error)
{
    const _Atomic bool *stop = effective->parts.stop;
    if (stop && atomic_load(stop))
        return error_set(error, STATUS_STOPPED, "stopped");
    effective->is_exact = false;
    enum reconcile_from from = from_parent ? RECONCILE_PARENT : RECONCILE_ELSEWHERE;
    enum status status = step(effective, commit, from, NULL, error);
    bool alone = status == STATUS_OK && effective->result.whole;
    if (alone && !from_parent)
        status = effective_is_intact(effective, commit, &alone, error);
    effective->is_exact = status == STATUS_OK && (from_parent || alone);
    if (status == STATUS_OK && alone)
        status = keep_whole(effective, error);
    return status;
}

/* --- what is known --------------------------------------------------------------------------- */

/* Exceptions are to what a commit's files say; where those were too many to be looked at, there is
 * nothing to remember. */
static enum status remember(struct effective *effective)
{
    struct effective_known *last = &effective->last;
    effective_known_dispose(last);
    if (strcmp(effective->tree, effective->commit) != 0)
        return STATUS_OK;
    enum status status =
        reconcile_exceptions(&effective->inventory, &last->arena, &last->exceptions, &last->count);
    if (status == STATUS_OK) {
        copy_commit(last->commit, effective->commit);
        copy_commit(last->whole, effective->whole_commit);
    }
    return status;
}

static bool is_known(const struct effective *effective, const char *commit,
                     struct effective_known *known)
{
    const struct effective_known *last = &effective->last;
    if (strcmp(last->commit, commit) == 0 && last->commit[0]) {
        copy_commit(known->commit, commit); /* borrows: its arena stays empty */
        copy_commit(known->whole, last->whole);
        known->exceptions = last->exceptions;
        known->count = last->count;
        return true;
    }
    return effective_load(effective, commit, known) == STATUS_OK;
}

/* Makes what is known of a commit the inventory's. STATUS_INVALID: it was not so. */
static enum status adopt(struct effective *effective, const struct effective_known *known,
                         struct error *error)
{
    enum status status = step(effective, known->commit, RECONCILE_ELSEWHERE, known, error);
    effective->is_exact = status == STATUS_OK;
    if (status != STATUS_OK) {
        begin_anew(effective);
    } else if (strcmp(effective->whole_commit, known->whole) != 0) {
        documents_dispose(&effective->whole); /* found again when somebody needs it */
        copy_commit(effective->whole_commit, known->whole);
    }
    return status;
}

/* --- the way back ---------------------------------------------------------------------------- */

/* Commits along first parents, the newest first. */
struct chain {
    char (*commits)[COMMIT_TEXT_SIZE];
    size_t count, size;
};

static bool chain_add(struct chain *chain, const char *commit)
{
    if (chain->count == chain->size) {
        size_t size = chain->size ? chain->size * 2 : 64;
        void *commits = reallocarray(chain->commits, size, sizeof *chain->commits);
        if (!commits)
            return false;
        chain->commits = commits;
        chain->size = size;
    }
    copy_commit(chain->commits[chain->count++], commit);
    return true;
}

/* The parent of the chain's end becomes its end; STATUS_NOT_FOUND at the root. */
static enum status chain_grow(struct chain *chain, struct mirror *mirror, struct error *error)
{
    char parent[COMMIT_TEXT_SIZE];
    enum status status =
        mirror_first_parent(mirror, chain->commits[chain->count - 1], parent, error);
    if (status == STATUS_OK && !chain_add(chain, parent))
        status = error_set(error, STATUS_NO_MEMORY, "no memory for the way back");
    return status;
}

/* Looks for an ancestor that is known, and makes it the inventory's. The chain ends with it then;
 * STATUS_NOT_FOUND: there is none near, and the chain is as it was. */
static enum status look_back(struct effective *effective, struct chain *chain, struct error *error)
{
    struct effective_known known;
    const size_t before = chain->count;
    enum status status = STATUS_OK;
    while (chain->count - before < LOOK_BACK && status == STATUS_OK) {
        status = chain_grow(chain, effective->parts.mirror, error);
        if (status != STATUS_OK)
            break;
        const char *commit = chain->commits[chain->count - 1];
        effective_known_init(&known);
        bool found = is_known(effective, commit, &known);
        if (found)
            status = adopt(effective, &known, error);
        effective_known_dispose(&known);
        if (found && status == STATUS_OK)
            return STATUS_OK;
        if (found && (status == STATUS_INVALID || status == STATUS_SYSTEM)) {
            effective_forget(effective, commit); /* it tells of what is not there */
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        chain->count = before;
        status = STATUS_NOT_FOUND;
    }
    return status;
}

/* Compiles one ancestor after the other until one is whole, or known, or the root. */
static enum status go_back(struct effective *effective, struct chain *chain, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !effective->is_exact) {
        status = chain_grow(chain, effective->parts.mirror, error);
        if (status == STATUS_NOT_FOUND) { /* the root: what is in force before it is nothing */
            begin_anew(effective);
            return visit(effective, chain->commits[chain->count - 1], true, error);
        }
        if (status == STATUS_OK)
            status = visit(effective, chain->commits[chain->count - 1], false, error);
        if (chain->count % TELL_EVERY == 0)
            log_event(LOG_LEVEL_INFO, "looking_back", "commit", effective->commit, NULL);
    }
    return status;
}

/* From the chain's end, of which E is known, to its beginning. */
static enum status go_forward(struct effective *effective, const struct chain *chain,
                              struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = chain->count - 1; i > 0 && status == STATUS_OK; i--) {
        status = visit(effective, chain->commits[i - 1], true, error);
        if (status == STATUS_OK && i % SAVE_EVERY == 0)
            status = remember(effective);
        if (status == STATUS_OK && i % SAVE_EVERY == 0 && effective->last.commit[0])
            effective_save(effective, &effective->last);
    }
    return status;
}

static enum status find_way(struct effective *effective, const char *commit, struct error *error)
{
    struct chain chain = {0};
    enum status status = chain_add(&chain, commit) ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = look_back(effective, &chain, error);
    if (status == STATUS_NOT_FOUND)
        status = go_back(effective, &chain, error);
    if (status == STATUS_OK)
        status = go_forward(effective, &chain, error);
    free(chain.commits);
    return status;
}

/* --- going ----------------------------------------------------------------------------------- */

/* Whether E(first parent) is in force now: of a root that is nothing. */
static enum status comes_next(struct effective *effective, const char *commit, bool *yes,
                              struct error *error)
{
    char parent[COMMIT_TEXT_SIZE];
    enum status status = mirror_first_parent(effective->parts.mirror, commit, parent, error);
    *yes = status == STATUS_OK ? effective->is_exact && strcmp(parent, effective->commit) == 0
                               : !effective->commit[0];
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The documents of the newest wholly valid commit, by a way of its own: after a restart nobody has
 * them. */
static enum status find_whole(struct effective *effective, struct error *error)
{
    struct effective other;
    struct effective_parts parts = effective->parts;
    parts.cache = NULL;
    effective_init(&other, &parts);
    enum status status = step(&other, effective->whole_commit, RECONCILE_ASIDE, NULL, error);
    if (status == STATUS_OK)
        status = keep_whole(&other, error);
    if (status == STATUS_OK) {
        documents_dispose(&effective->whole);
        effective_states_dispose(&effective->whole_states);
        effective_pins_release(effective->whole_pins);
        effective->whole_pins = other.whole_pins;
        other.whole_pins = NULL;
        effective->whole = other.whole;
        effective->whole_states = other.whole_states;
        other.whole = (struct effective_documents){0};
        other.whole_states = (struct effective_states){0};
    }
    effective_dispose(&other);
    return status;
}

/* Where faults hold all of it back: what was whole, with rollouts where they stand now. */
static enum status held_document(struct effective *effective, const struct inventory_document *made,
                                 struct document **out, struct error *error)
{
    enum status status = STATUS_OK;
    *out = NULL;
    if (effective->whole_commit[0] && !effective->whole.items)
        status = find_whole(effective, error);
    struct document *whole =
        status == STATUS_OK ? documents_find(&effective->whole, text_of(made->environment)) : NULL;
    if (!whole)
        return status;
    return effective_states_apply(effective, made, whole, out, error);
}

/* What is in force is served, or what is held; and what pinned flags were. */
static enum status settle_one(struct effective *effective, const struct effective_documents *before,
                              const struct inventory_document *made, struct error *error)
{
    enum status status = STATUS_OK;
    bool holds = made->holds && !effective->result.whole;
    struct document *document = holds ? NULL : document_reference(made->document);
    if (holds)
        status = held_document(effective, made, &document, error);
    if (status != STATUS_OK || !document)
        return status;
    struct effective_document *item =
        documents_add(&effective->documents, made->environment, document, holds);
    document_release(document);
    if (!item)
        return error_set(error, STATUS_NO_MEMORY, "no memory for documents");
    return effective_pins_graft(effective, documents_item(before, text_of(made->environment)), item,
                                error);
}

enum status effective_settle(struct effective *effective, struct error *error)
{
    const struct inventory *inventory = &effective->inventory;
    struct effective_documents before = effective->documents;
    effective->documents = (struct effective_documents){0};
    enum status status = effective_pins_refresh(effective, error);
    if (status == STATUS_OK && !documents_begin(&effective->documents, inventory->document_count))
        status = error_set(error, STATUS_NO_MEMORY, "no memory for documents");
    for (size_t i = 0; i < inventory->document_count && status == STATUS_OK; i++)
        status = settle_one(effective, &before, &inventory->documents[i], error);
    effective_fragments_trim(effective);
    diagnostics_sort(&effective->result.diagnostics);
    documents_dispose(&before);
    return status;
}

void effective_trim(struct effective *effective)
{
    bool large = effective->result.read > TRIM_FROM;
    arena_dispose(&effective->result.arena);
    effective->result.targets = NULL;
    effective->result.target_count = 0;
    if (large)
        malloc_trim(0); /* what was needed once would stay with the process for its life */
}

static enum status go(struct effective *effective, const char *commit, struct error *error)
{
    bool next;
    effective->undone_at[0] = '\0';
    enum status status = comes_next(effective, commit, &next, error);
    if (status == STATUS_OK)
        status = visit(effective, commit, next, error);
    if (status == STATUS_OK && !effective->is_exact)
        status = find_way(effective, commit, error);
    if (status == STATUS_OK)
        status = effective_settle(effective, error);
    if (status == STATUS_OK)
        status = remember(effective);
    if (status == STATUS_OK && effective->last.count)
        effective_save(effective, &effective->last);
    return status;
}

enum status effective_go(struct effective *effective, const char *commit, struct error *error)
{
    if (effective->is_exact && strcmp(effective->commit, commit) == 0)
        return STATUS_OK;
    const uint64_t steps = effective->steps;
    const bool was_exact = effective->is_exact;
    enum status status = go(effective, commit, error);
    if (status == STATUS_OK)
        return status;
    effective->is_exact = was_exact && effective->steps == steps; /* then all is as it was */
    if (!effective->is_exact)
        begin_anew(effective);
    return status;
}
