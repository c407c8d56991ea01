#include "effective_fragment.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <unistd.h>

#include "../rules/excerpt.h"
#include "cache_folder.h"
#include "log.h"
#include "write_file.h"

#define FILE_MOST ((size_t)64 << 20)
#define STATE_MOST ((size_t)1 << 20) /* of a state's file */

/* --- what is wanted -------------------------------------------------------------------------- */

static bool releases(const struct entry *state, const struct effective_wanted *wanted)
{
    if (!state->in_force || !text_starts_with(state->name, wanted->environment) ||
        state->name.data[wanted->environment.length] != '/')
        return false;
    for (uint32_t i = 0; i < state->reference_count; i++) {
        const struct entry *rollout = state->references[i].entry;
        for (uint32_t j = 0; rollout->kind == KIND_ROLLOUT && j < rollout->reference_count; j++) {
            const struct entry *flag = rollout->references[j].entry;
            if (flag->kind == KIND_FLAG && text_equal(flag->name, wanted->flag))
                return true;
        }
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return text_compare((*(const struct entry *const *)a)->name,
                        (*(const struct entry *const *)b)->name);
}

static bool keep_state(struct effective_wanted *wanted, const struct source_file *source)
{
    struct file_change *change = &wanted->undone[wanted->undone_count];
    *change = (struct file_change){.state = FILE_HERE, .blob = source->blob, .size = source->size};
    wanted->undone_count++;
    return arena_copy(&wanted->arena, source->path, &change->path);
}

/* Whether the rollout stood further by its file of then than it does now: it was stepped back, or
 * rolled back and started again. */
static enum status was_further(const struct effective *effective, const char *as_of,
                               const char *path, const struct rollout_state *state, bool *yes,
                               struct error *error)
{
    struct buffer file;
    char run[16];
    *yes = false;
    buffer_init(&file, STATE_MOST);
    enum status status =
        mirror_read_file(effective->parts.mirror, as_of, path, STATE_MOST, &file, error);
    struct text phase = rollout_state_field(buffer_text(&file), "phase");
    struct text course = rollout_state_field(buffer_text(&file), "course");
    bool was_exposed = text_is(course, rollout_course_name(COURSE_RUNNING)) ||
                       text_is(course, rollout_course_name(COURSE_COMPLETED));
    snprintf(run, sizeof run, "%u", state->run);
    if (status == STATUS_OK && was_exposed && state->course == COURSE_RUNNING) {
        *yes = !text_is(rollout_state_field(buffer_text(&file), "run"), run);
        for (size_t i = state->phase + 1; i < state->plan.count && !*yes; i++)
            *yes = text_equal(state->plan.items[i].name, phase);
    }
    buffer_dispose(&file);
    return status == STATUS_NOT_FOUND || status == STATUS_LIMIT ? STATUS_OK : status;
}

/* Of the states that may matter those that took something from users. */
static enum status keep_undone(const struct effective *effective, struct effective_wanted *wanted,
                               const struct entry *const *states, size_t count, struct error *error)
{
    struct catalog catalog;
    const struct excerpt_task task = {.inventory = &effective->inventory,
                                      .schemas = effective->parts.schemas,
                                      .reader = mirror_reader(effective->parts.mirror),
                                      .entries = states,
                                      .count = count};
    enum status status = excerpt_read(&task, &catalog, error);
    wanted->undone = calloc(count + 1, sizeof *wanted->undone);
    bool good = wanted->undone != NULL;
    for (size_t i = 0; i < count && status == STATUS_OK && good; i++) {
        const struct source_file *source = states[i]->in_force->source;
        size_t at =
            catalog_index(catalog.rollout_states, catalog.rollout_state_count, states[i]->name);
        if (at == catalog.rollout_state_count)
            continue;
        const struct rollout_state *state = catalog.rollout_states[at];
        bool is_kept = state->course == COURSE_ROLLED_BACK || state->course == COURSE_KILLED;
        if (!is_kept)
            status =
                was_further(effective, wanted->as_of, source->path.data, state, &is_kept, error);
        if (is_kept)
            good = keep_state(wanted, source);
    }
    catalog_dispose(&catalog);
    return good ? status : error_set(error, STATUS_NO_MEMORY, "no memory for pins");
}

static enum status find_undone(const struct effective *effective, struct effective_wanted *wanted,
                               struct error *error)
{
    const struct entries *all = &effective->inventory.kinds[KIND_ROLLOUT_STATE];
    const struct entry **states = calloc(all->count + 1, sizeof *states);
    enum status status = STATUS_OK;
    size_t count = 0;
    if (!states)
        return error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    for (size_t i = 0; i < all->count; i++) {
        if (releases(all->items[i], wanted))
            states[count++] = all->items[i];
    }
    if (count) {
        qsort(states, count, sizeof *states, by_name);
        status = keep_undone(effective, wanted, states, count, error);
    }
    free(states);
    return status;
}

static void write_key(struct effective_wanted *wanted)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    int length = snprintf(wanted->key, sizeof wanted->key, "%s.%.*s.%.*s", wanted->as_of,
                          (int)wanted->environment.length, wanted->environment.data,
                          (int)wanted->flag.length, wanted->flag.data);
    if (wanted->undone_count == 0)
        return;
    sha256_init(&context);
    for (size_t i = 0; i < wanted->undone_count; i++) {
        const struct file_change *change = &wanted->undone[i];
        sha256_update(&context, sizeof change->blob.bytes, change->blob.bytes);
        sha256_update(&context, change->path.length + 1, (const uint8_t *)change->path.data);
    }
    sha256_digest(&context, sizeof digest, digest);
    snprintf(wanted->key + length, sizeof wanted->key - (size_t)length,
             ".%02x%02x%02x%02x%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3],
             digest[4], digest[5], digest[6], digest[7]);
}

enum status effective_wanted_init(const struct effective *effective, const struct flag_pin *pin,
                                  struct effective_wanted *wanted, struct error *error)
{
    *wanted = (struct effective_wanted){0};
    arena_init(&wanted->arena, 0);
    if (pin->environment.length == 0 || pin->environment.length > STATE_NAME_MOST ||
        pin->flag.length == 0 || pin->flag.length > STATE_NAME_MOST)
        return error_set(error, STATUS_INVALID, "there is no flag of that name");
    snprintf(wanted->name, sizeof wanted->name, "%.*s/%.*s", (int)pin->environment.length,
             pin->environment.data, (int)pin->flag.length, pin->flag.data);
    snprintf(wanted->as_of, sizeof wanted->as_of, "%.*s", (int)pin->as_of.length, pin->as_of.data);
    wanted->environment = (struct text){wanted->name, pin->environment.length};
    wanted->flag = text_of(wanted->name + pin->environment.length + 1);
    enum status status = find_undone(effective, wanted, error);
    write_key(wanted);
    return status;
}

void effective_wanted_dispose(struct effective_wanted *wanted)
{
    free(wanted->undone);
    wanted->undone = NULL;
    arena_dispose(&wanted->arena);
}

enum status effective_pin_counts(const struct effective *effective, const struct flag_pin *pin,
                                 bool *yes, struct error *error)
{
    char as_of[COMMIT_TEXT_SIZE];
    struct error why;
    snprintf(as_of, sizeof as_of, "%.*s", (int)pin->as_of.length, pin->as_of.data);
    *yes = false;
    if (strcmp(as_of, effective->commit) == 0)
        return STATUS_OK;
    enum status status =
        mirror_descends(effective->parts.mirror, effective->commit, as_of, yes, &why);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return STATUS_OK;
    return error_set(error, status, "%s", why.message);
}

/* What came of looking for it. */
struct outcome {
    struct buffer json;
    bool found;
    unsigned hops;
};

/* --- in memory ------------------------------------------------------------------------------- */

static void forget(struct effective_fragment *fragment)
{
    free(fragment->key);
    free(fragment->json);
}

void effective_fragments_dispose(struct effective_fragments *fragments)
{
    for (size_t i = 0; i < fragments->count; i++)
        forget(&fragments->items[i]);
    free(fragments->items);
    *fragments = (struct effective_fragments){0};
}

void effective_fragments_trim(struct effective *effective)
{
    struct effective_fragments *fragments = &effective->fragments;
    size_t kept = 0;
    for (size_t i = 0; i < fragments->count; i++) {
        struct effective_fragment fragment = fragments->items[i];
        if (fragment.is_used) {
            fragment.is_used = false;
            fragments->items[kept++] = fragment;
        } else {
            forget(&fragment);
        }
    }
    fragments->count = kept;
}

static bool recall(struct effective_fragments *fragments, const char *key, struct outcome *outcome)
{
    for (size_t i = 0; i < fragments->count; i++) {
        struct effective_fragment *fragment = &fragments->items[i];
        if (strcmp(fragment->key, key) != 0)
            continue;
        fragment->is_used = true;
        outcome->hops += fragment->hops;
        outcome->found = fragment->json != NULL;
        if (outcome->found)
            buffer_append(&outcome->json, fragment->json, fragment->length);
        return true;
    }
    return false;
}

static enum status remember(struct effective_fragments *fragments, const char *key,
                            struct outcome *outcome)
{
    if (fragments->count == fragments->size) {
        size_t size = fragments->size ? fragments->size * 2 : 8;
        void *items = reallocarray(fragments->items, size, sizeof *fragments->items);
        if (!items)
            return STATUS_NO_MEMORY;
        fragments->items = items;
        fragments->size = size;
    }
    struct text json = buffer_text(&outcome->json);
    struct effective_fragment fragment = {
        .key = strdup(key), .length = json.length, .hops = outcome->hops, .is_used = true};
    if (outcome->found)
        fragment.json = malloc(json.length + 1);
    if (!fragment.key || (outcome->found && !fragment.json)) {
        forget(&fragment);
        return STATUS_NO_MEMORY;
    }
    if (outcome->found && json.length)
        memcpy(fragment.json, json.data, json.length);
    fragments->items[fragments->count++] = fragment;
    return STATUS_OK;
}

/* --- on the disk ----------------------------------------------------------------------------- */

static int open_folder(const struct effective *effective)
{
    char path[4300];
    const char *cache = effective->parts.cache;
    if (!cache || snprintf(path, sizeof path, "%s-pins", cache) >= (int)sizeof path)
        return -1;
    return cache_folder_open(path);
}

/* What stands before the JSON: a file that was cut or changed is not taken for what it was. */
static void write_head(struct text json, bool found, unsigned hops, struct buffer *out)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    if (json.length)
        sha256_update(&context, json.length, (const uint8_t *)json.data);
    sha256_digest(&context, sizeof digest, digest);
    buffer_printf(out, "%c%02u " EFFECTIVE_RULES " ", found ? 'f' : 'n', hops % 100);
    buffer_append_hex(out, digest, sizeof digest);
    buffer_append_char(out, '\n');
}

static void save(const struct effective *effective, const char *key, struct outcome *outcome)
{
    struct buffer out;
    struct error error = {0};
    int folder = open_folder(effective);
    if (folder < 0)
        return;
    buffer_init(&out, FILE_MOST);
    write_head(buffer_text(&outcome->json), outcome->found, outcome->hops, &out);
    buffer_append_text(&out, buffer_text(&outcome->json));
    if (!out.failed &&
        write_file(folder, key, buffer_text(&out), effective->parts.clock, &error) != STATUS_OK)
        log_event(LOG_LEVEL_WARN, "cache_not_written", "pin", key, "error", error.message, NULL);
    cache_folder_prune(folder);
    buffer_dispose(&out);
    close(folder);
}

/* The head is written again of what is read, and must be the same. */
static bool take_file(struct text all, struct outcome *outcome)
{
    struct buffer head;
    const char *line = all.length > 4 ? memchr(all.data, '\n', all.length) : NULL;
    if (!line)
        return false;
    size_t length = (size_t)(line - all.data) + 1;
    struct text json = {line + 1, all.length - length};
    bool found = all.data[0] == 'f';
    unsigned hops = (unsigned)(all.data[1] - '0') * 10 + (unsigned)(all.data[2] - '0');
    buffer_init(&head, 0);
    write_head(json, found, hops, &head);
    bool good = text_equal(buffer_text(&head), (struct text){all.data, length});
    buffer_dispose(&head);
    if (good) {
        outcome->found = found;
        outcome->hops += hops;
        buffer_append_text(&outcome->json, json);
    }
    return good;
}

static bool load(const struct effective *effective, const char *key, struct outcome *outcome)
{
    struct buffer bytes;
    int folder = open_folder(effective);
    if (folder < 0)
        return false;
    buffer_init(&bytes, FILE_MOST);
    bool good = cache_folder_read(folder, key, &bytes) && take_file(buffer_text(&bytes), outcome);
    buffer_dispose(&bytes);
    close(folder);
    return good;
}

/* --- finding out ----------------------------------------------------------------------------- */

/* What was taken from users since then is taken there too. */
static enum status undo(struct effective *then, const struct effective_wanted *wanted,
                        struct error *error)
{
    const struct reconcile_task task = {.schemas = then->parts.schemas,
                                        .crew = &then->crew,
                                        .reader = mirror_reader(then->parts.mirror),
                                        .changes = wanted->undone,
                                        .change_count = wanted->undone_count,
                                        .from = RECONCILE_ASIDE};
    if (wanted->undone_count == 0)
        return STATUS_OK;
    reconcile_result_dispose(&then->result);
    enum status status = reconcile(&then->inventory, &task, &then->result, error);
    return status == STATUS_OK ? effective_settle(then, error) : status;
}

/* At one commit: what the flag was there, or (*next) as of what it was pinned. */
static enum status look_at(const struct effective *effective, const struct effective_wanted *wanted,
                           struct effective_wanted *next, bool *goes_on, struct outcome *outcome,
                           struct error *error)
{
    struct effective then;
    effective_init(&then, &effective->parts);
    then.is_plain = true;
    *goes_on = false;
    enum status status = effective_go(&then, wanted->as_of, error);
    if (status == STATUS_OK)
        status = undo(&then, wanted, error);
    const struct flag_pin *pin =
        status == STATUS_OK ? effective_pins_find(then.pins, text_of(wanted->name)) : NULL;
    if (pin && pin->as_of.length && !pin->is_killed)
        status = effective_pin_counts(&then, pin, goes_on, error);
    if (status == STATUS_OK && *goes_on) {
        status = effective_wanted_init(&then, pin, next, error);
    } else if (status == STATUS_OK) {
        const struct document *document = effective_document(&then, wanted->environment);
        const struct fragment *fragment = document ? document_find(document, wanted->flag) : NULL;
        outcome->found = fragment != NULL;
        if (fragment)
            fragment_append_json(fragment, &outcome->json);
    }
    effective_dispose(&then);
    return status;
}

/* Follows pins from commit to commit. How many of them that takes is the same whatever of it was
 * known before. */
static enum status find_out(struct effective *effective, const struct effective_wanted *first,
                            struct outcome *outcome, struct error *error)
{
    struct effective_wanted at = {0}, next = {0};
    bool goes_on = true;
    enum status status = look_at(effective, first, &next, &goes_on, outcome, error);
    while (status == STATUS_OK && goes_on && ++outcome->hops <= EFFECTIVE_PIN_HOPS) {
        effective_wanted_dispose(&at);
        at = next;
        /* Names stand in the struct itself. */
        at.environment = (struct text){at.name, next.environment.length};
        at.flag = (struct text){at.name + at.environment.length + 1, next.flag.length};
        next = (struct effective_wanted){0};
        if (recall(&effective->fragments, at.key, outcome) || load(effective, at.key, outcome))
            break;
        status = look_at(effective, &at, &next, &goes_on, outcome, error);
    }
    effective_wanted_dispose(&next);
    effective_wanted_dispose(&at);
    if (status == STATUS_OK && outcome->hops > EFFECTIVE_PIN_HOPS)
        return error_set(error, STATUS_LIMIT, "too many pins lead to each other");
    return status;
}

static enum status find_and_keep(struct effective *effective, const struct effective_wanted *wanted,
                                 struct outcome *outcome, struct error *error)
{
    enum status status = STATUS_OK;
    if (recall(&effective->fragments, wanted->key, outcome))
        return STATUS_OK;
    if (!load(effective, wanted->key, outcome)) {
        status = find_out(effective, wanted, outcome, error);
        if (status == STATUS_OK && !outcome->json.failed)
            save(effective, wanted->key, outcome);
    }
    if (status == STATUS_OK && !outcome->json.failed &&
        remember(&effective->fragments, wanted->key, outcome) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    return status;
}

enum status effective_fragment_find(struct effective *effective,
                                    const struct effective_wanted *wanted, struct buffer *out,
                                    bool *found, struct error *error)
{
    struct outcome outcome = {0};
    buffer_init(&outcome.json, 0);
    enum status status = find_and_keep(effective, wanted, &outcome, error);
    if (status == STATUS_OK) {
        buffer_append_text(out, buffer_text(&outcome.json));
        *found = outcome.found;
        if (outcome.json.failed || out->failed)
            status = error_set(error, STATUS_NO_MEMORY, "no memory for pins");
    }
    buffer_dispose(&outcome.json);
    return status;
}

enum status effective_fragment_as_of(struct effective *effective, struct text environment,
                                     struct text flag, const char *as_of, struct buffer *out,
                                     bool *found, struct error *error)
{
    const struct flag_pin pin = {.environment = environment, .flag = flag, .as_of = text_of(as_of)};
    struct effective_wanted wanted;
    enum status status = effective_wanted_init(effective, &pin, &wanted, error);
    if (status == STATUS_OK)
        status = effective_fragment_find(effective, &wanted, out, found, error);
    effective_wanted_dispose(&wanted);
    return status;
}
