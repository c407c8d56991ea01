/* What there is to take back: which commit was good, and which changed the flag since. */
#include "revert.h"

#include <inttypes.h>
#include <stdlib.h>

#include "revert_private.h"

void revert_init(struct revert *revert)
{
    *revert = (struct revert){0};
    buffer_init(&revert->json, 0);
}

void revert_dispose(struct revert *revert)
{
    buffer_dispose(&revert->json);
    effective_pins_release(revert->pins);
    revert_init(revert);
}

void revert_name(const struct revert_task *task, char out[REVERT_NAME_SIZE])
{
    snprintf(out, REVERT_NAME_SIZE, "%.*s/%.*s", (int)task->environment.length,
             task->environment.data, (int)task->flag.length, task->flag.data);
}

bool revert_is_state(const char *path)
{
    return strncmp(path, "state/", 6) == 0;
}

static void nothing(struct revert *revert, const char *words)
{
    revert->kind = REVERT_NOTHING;
    snprintf(revert->words, sizeof revert->words, "%s", words);
}

/* --- since when a commit stands -------------------------------------------------------------- */

/* On the way from the tip back along first parents. */
struct looking {
    const struct revert_served *served, *oldest;
    size_t count;
    int64_t since; /* of the commit before */
    bool is_past;  /* the oldest that is known was passed */
};

static void look_begin(struct looking *looking, const struct revert_task *task, bool uses_served)
{
    *looking = (struct looking){.served = task->served, .since = task->now};
    looking->count = uses_served ? task->served_count : 0;
    for (size_t i = 0; i < looking->count; i++) {
        if (!looking->oldest || task->served[i].since < looking->oldest->since)
            looking->oldest = &task->served[i];
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A commit that came with others stands since then: when it was made says little. A clock that went
 * wrong must not make a parent younger than its child. */
static int64_t stands_since(struct looking *looking, const char *commit, int64_t made)
{
    for (size_t i = 0; i < looking->count; i++) {
        const struct revert_served *served = &looking->served[i];
        if (strcmp(served->commit, commit) != 0)
            continue;
        looking->is_past = looking->is_past || served == looking->oldest;
        looking->since = earlier(looking->since, served->since);
        return looking->since;
    }
    if (!looking->oldest || looking->is_past)
        looking->since = earlier(looking->since, made);
    return looking->since;
}

/* --- which was good -------------------------------------------------------------------------- */

/* Along first parents, the tip first, the good one last. */
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
    snprintf(chain->commits[chain->count++], COMMIT_TEXT_SIZE, "%s", commit);
    return true;
}

/* *found is false when there is none. */
static enum status find_good(const struct revert_task *task, const char *tip, bool uses_served,
                             struct chain *chain, bool *found, struct error *error)
{
    struct looking looking;
    struct commit_facts facts;
    char commit[COMMIT_TEXT_SIZE];
    enum status status = STATUS_OK;
    look_begin(&looking, task, uses_served);
    snprintf(commit, sizeof commit, "%s", tip);
    chain->count = 0;
    *found = false;
    while (commit[0] && !*found && chain->count < REVERT_LOOK_MAX && status == STATUS_OK) {
        const _Atomic bool *stop = task->parts.stop;
        if (stop && atomic_load(stop))
            return error_set(error, STATUS_STOPPED, "stopped");
        if (!chain_add(chain, commit))
            return error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
        status = mirror_commit_facts(task->parts.mirror, commit, &facts, error);
        if (status == STATUS_OK)
            *found = stands_since(&looking, commit, facts.time) <= task->now - task->bake;
        memcpy(commit, facts.parents[0], sizeof commit);
    }
    return status;
}

/* --- which changed it ------------------------------------------------------------------------ */

static const struct fragment *fragment_at(const struct effective *way,
                                          const struct revert_task *task)
{
    const struct document *document = effective_document(way, task->environment);
    return document ? document_find(document, task->flag) : NULL;
}

/* What a flag is; it outlives the document. */
struct print {
    bool is_there;
    uint8_t hash[SHA256_SIZE];
};

static struct print print_of(const struct fragment *fragment)
{
    struct print print = {.is_there = fragment != NULL};
    if (fragment)
        memcpy(print.hash, fragment->hash, sizeof print.hash);
    return print;
}

static bool is_same(const struct print *a, const struct print *b)
{
    return a->is_there == b->is_there && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* The newest stand first; the oldest fall out. */
static void note_change(struct revert *revert, const char *commit)
{
    size_t kept = revert->change_count;
    if (kept == REVERT_CHANGES_MAX) {
        revert->is_more = true;
        kept--;
    }
    memmove(revert->changes + 1, revert->changes, kept * sizeof *revert->changes);
    revert->change_count = kept + 1;
    revert->changes[0] = (struct revert_change){0};
    snprintf(revert->changes[0].commit, sizeof revert->changes[0].commit, "%s", commit);
}

/* As a pin to the good commit serves it at the tip, which is in force: what was rolled back or
 * killed since is so there too. */
static enum status take_good(const struct revert_task *task, const char *good,
                             struct effective *way, struct revert *revert, bool *is_as_it_was,
                             struct error *error)
{
    const struct fragment *fragment = fragment_at(way, task);
    struct buffer tip;
    buffer_init(&tip, 0);
    enum status status = effective_fragment_as_of(way, task->environment, task->flag, good,
                                                  &revert->json, &revert->found, error);
    if (fragment)
        fragment_append_json(fragment, &tip);
    *is_as_it_was = *is_as_it_was || ((fragment != NULL) == revert->found &&
                                      text_equal(buffer_text(&tip), buffer_text(&revert->json)));
    if (status == STATUS_OK && tip.failed)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    buffer_dispose(&tip);
    return status;
}

/* E of each commit since the good one; or of the tip alone, where they are too many. */
static enum status walk(const struct revert_task *task, const struct chain *chain,
                        struct effective *way, struct revert *revert, bool *is_as_it_was,
                        struct error *error)
{
    size_t at = chain->count - 1;
    enum status status = effective_go(way, chain->commits[at], error);
    if (status != STATUS_OK)
        return status;
    const struct print good = print_of(fragment_at(way, task));
    struct print before = good;
    if (at > REVERT_STEPS_MAX) {
        revert->is_more = true;
        at = 1;
    }
    while (at > 0 && status == STATUS_OK) {
        status = effective_go(way, chain->commits[--at], error);
        struct print now = print_of(status == STATUS_OK ? fragment_at(way, task) : NULL);
        if (status == STATUS_OK && !is_same(&before, &now) && chain->count - 1 <= REVERT_STEPS_MAX)
            note_change(revert, chain->commits[at]);
        before = now;
    }
    *is_as_it_was = is_same(&good, &before);
    return status == STATUS_OK
               ? take_good(task, chain->commits[chain->count - 1], way, revert, is_as_it_was, error)
               : status;
}

/* Whether one of the changes is more than a move of weir: a rollout's moves are judged by its own
 * metrics. */
static enum status find_persons(const struct revert_task *task, struct revert *revert,
                                bool *is_persons, struct error *error)
{
    enum status status = STATUS_OK;
    *is_persons = revert->is_more;
    for (size_t i = 0; i < revert->change_count && status == STATUS_OK; i++) {
        struct revert_change *change = &revert->changes[i];
        struct changed_files files = {0};
        status = mirror_commit_facts(task->parts.mirror, change->commit, &change->facts, error);
        if (status == STATUS_OK)
            status = mirror_changed_files(task->parts.mirror, change->facts.parents[0],
                                          change->commit, REVERT_FILES_MAX, &files, error);
        *is_persons = *is_persons || status == STATUS_LIMIT;
        for (size_t j = 0; j < files.count && status == STATUS_OK; j++)
            *is_persons = *is_persons || !revert_is_state(files.items[j].path);
        arena_dispose(&files.arena);
        status = status == STATUS_LIMIT ? STATUS_OK : status;
    }
    return status;
}

static enum status find_intent(const struct revert_task *task, struct revert *revert,
                               struct error *error)
{
    if (task->intent.length) {
        snprintf(revert->intent, sizeof revert->intent, "%.*s", (int)task->intent.length,
                 task->intent.data);
    } else if (flag_pin_intent(task->environment, task->flag,
                               revert->before ? revert->before->seq : 0, TEXT("revert"),
                               revert->intent) != STATUS_OK) {
        return error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    }
    snprintf(revert->branch, sizeof revert->branch, "refs/heads/weir/revert/%.16s", revert->intent);
    return STATUS_OK;
}

/* --- all of it ------------------------------------------------------------------------------- */

static enum status take_tip(const struct revert_task *task, struct effective *way,
                            struct revert *revert, struct error *error)
{
    char name[REVERT_NAME_SIZE];
    revert_name(task, name);
    revert->pins = way->pins;
    if (revert->pins)
        revert->pins->references++;
    revert->before = effective_pins_find(revert->pins, text_of(name));
    revert->faults = way->result.diagnostics.errors + way->inventory.quarantined.count;
    return find_intent(task, revert, error);
}

static enum status judge(const struct revert_task *task, struct revert *revert, bool is_as_it_was,
                         struct error *error)
{
    bool is_persons = false;
    const struct flag_pin *before = revert->before;
    if (before && flag_pin_has_intent(before, text_of(revert->intent))) {
        nothing(revert, "it is recorded already");
    } else if (before && !flag_pin_is_lifted(before)) {
        nothing(revert, "the flag is killed or pinned already");
    } else if (is_as_it_was) {
        nothing(revert, "the flag is what it was when it last finished its bake");
    } else {
        enum status status = find_persons(task, revert, &is_persons, error);
        if (status != STATUS_OK)
            return status;
        revert->kind = REVERT_PIN;
        if (!is_persons)
            nothing(revert, "what changed it are moves of a rollout, which are judged by its own "
                            "metrics");
    }
    return STATUS_OK;
}

static enum status find(const struct revert_task *task, const struct chain *chain,
                        struct revert *revert, struct error *error)
{
    struct effective way;
    bool is_as_it_was = false;
    snprintf(revert->good, sizeof revert->good, "%s", chain->commits[chain->count - 1]);
    effective_init(&way, &task->parts);
    enum status status = walk(task, chain, &way, revert, &is_as_it_was, error);
    if (status == STATUS_OK)
        status = take_tip(task, &way, revert, error);
    if (status == STATUS_OK)
        status = judge(task, revert, is_as_it_was, error);
    if (status == STATUS_OK && revert->json.failed)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for a revert");
    effective_dispose(&way);
    return status;
}

enum status revert_find(const struct revert_task *task, const char *tip, struct revert *revert,
                        struct error *error)
{
    struct chain chain = {0};
    bool found = false;
    revert_dispose(revert);
    snprintf(revert->tip, sizeof revert->tip, "%s", tip);
    enum status status = find_good(task, tip, true, &chain, &found, error);
    if (status == STATUS_OK && !found && task->served_count)
        status = find_good(task, tip, false, &chain, &found, error);
    if (status == STATUS_OK && !found)
        nothing(revert, "no commit of its history finished its bake");
    else if (status == STATUS_OK)
        status = find(task, &chain, revert, error);
    free(chain.commits);
    return status;
}
