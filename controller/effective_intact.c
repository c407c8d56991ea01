/* Whether the files of a commit alone say what is in force; and what the other side of a merge
 * said.
 */
#include <stdlib.h>

#include "../rules/hash.h"
#include "../rules/reading.h"
#include "../rules/state_word.h"
#include "effective.h"
#include "git/state_history.h"

/* --- one file --------------------------------------------------------------------------------- */

/* One file of a state or pin, as it was. */
struct state_text {
    struct arena arena;
    struct buffer bytes;
    struct read_file file;
    enum kind kind;
    const void *definition; /* NULL: it cannot be read */
};

static void text_init(struct state_text *text)
{
    *text = (struct state_text){0};
    arena_init(&text->arena, 0);
    buffer_init(&text->bytes, 0);
}

static void text_dispose(struct state_text *text)
{
    read_files_dispose(&text->file, 1);
    buffer_dispose(&text->bytes);
    arena_dispose(&text->arena);
}

static enum status bytes_of(void *context, unsigned part, size_t index, struct text *out)
{
    (void)part;
    (void)index;
    *out = buffer_text(context);
    return STATUS_OK;
}

static enum status fetch_bytes(struct effective *effective, struct text path,
                               const struct blob_id *blob, struct state_text *text)
{
    struct file_reader reader = mirror_reader(effective->parts.mirror);
    buffer_clear(&text->bytes);
    enum status status = reader.read(reader.context, path, blob, &text->bytes);
    return status == STATUS_OK ? text->bytes.failed : status;
}

static enum status parse(struct effective *effective, struct text path, struct state_text *text)
{
    const struct file_bytes source = {bytes_of, &text->bytes};
    text->file = (struct read_file){.path = path};
    enum status status =
        read_files(effective->parts.schemas, &text->file, 1, &source, NULL, &text->arena);
    const struct read_document *document = status == STATUS_OK ? text->file.documents : NULL;
    if (document && document->definition && kind_is_state(document->kind)) {
        text->kind = document->kind;
        text->definition = document->definition;
    }
    return status;
}

static enum status read_state(struct effective *effective, struct text path,
                              const struct blob_id *blob, struct state_text *text)
{
    enum status status = fetch_bytes(effective, path, blob, text);
    return status == STATUS_OK ? parse(effective, path, text) : status;
}

/* Whether it is a word of weir's, and its seq. */
static enum status read_word(struct effective *effective, struct text path,
                             const struct blob_id *blob, bool *is_word, uint32_t *seq)
{
    struct state_text text;
    text_init(&text);
    *is_word = false;
    enum status status = fetch_bytes(effective, path, blob, &text);
    if (status == STATUS_OK)
        *is_word = state_word_glance(buffer_text(&text.bytes), seq);
    if (status == STATUS_OK && !*is_word)
        status = parse(effective, path, &text);
    if (text.definition && !state_word_is_foreign(text.kind, text.definition)) {
        *is_word = true;
        *seq = state_word_seq(text.kind, text.definition);
    }
    text_dispose(&text);
    return status;
}

/* --- words by their paths --------------------------------------------------------------------- */

struct word {
    uint64_t hash; /* of the path */
    struct text path;
    struct blob_id blob;
    bool is_word;
    uint32_t seq;
};

struct words {
    struct effective *effective;
    struct table table;
    struct arena arena;
    enum status status; /* of the last visit */
    bool found;         /* by a look at history */
};

static void words_init(struct words *words, struct effective *effective)
{
    *words = (struct words){.effective = effective};
    arena_init(&words->arena, 0);
}

static void words_dispose(struct words *words)
{
    table_dispose(&words->table);
    arena_dispose(&words->arena);
}

static bool is_of_path(const void *item, const void *key)
{
    return text_equal(((const struct word *)item)->path, *(const struct text *)key);
}

static struct word *words_find(const struct words *words, struct text path)
{
    return table_find(&words->table, hash_text(path), is_of_path, &path);
}

static struct word *words_add(struct words *words, struct text path, const struct blob_id *blob)
{
    struct word *word = ARENA_NEW(&words->arena, struct word);
    if (!word || !arena_copy(&words->arena, path, &word->path))
        return NULL;
    word->hash = hash_text(path);
    word->blob = *blob;
    return table_add(&words->table, word) ? word : NULL;
}

/* --- what was taken away ---------------------------------------------------------------------- */

static bool is_wanted(const struct effective *effective, struct text path)
{
    struct text name = {0};
    if (!bundle_state_name(path, &name))
        return true;
    const char *slash = memchr(name.data, '/', name.length);
    size_t before = slash ? (size_t)(slash - name.data) + 1 : 0;
    const struct text rollout = {name.data + before, name.length - before};
    const struct entry *entry = inventory_find(&effective->inventory, KIND_ROLLOUT, rollout);
    return entry && entry->wanted;
}

/* A state that has ended may go together with its rollout. What cannot be read says nothing, and a
 * hand's not what stood. */
static enum status may_be_gone(struct words *words, const struct state_version *version, bool *yes)
{
    struct state_text text;
    text_init(&text);
    enum status status = read_state(words->effective, version->path, &version->blob, &text);
    *yes = status == STATUS_OK && text.definition && text.kind == KIND_ROLLOUT_STATE &&
           !state_word_is_foreign(text.kind, text.definition) &&
           !rollout_state_is_unfinished(text.definition) &&
           !is_wanted(words->effective, version->path);
    text_dispose(&text);
    return status;
}

/* --- what was said ---------------------------------------------------------------------------- */

/* Of the same seq: approvals came to it. */
static enum status may_follow(struct words *words, const struct state_version *version,
                              const struct word *last, bool *yes)
{
    struct state_text was, is;
    text_init(&was);
    text_init(&is);
    enum status status = read_state(words->effective, version->path, &version->blob, &was);
    if (status == STATUS_OK)
        status = read_state(words->effective, version->path, &last->blob, &is);
    *yes = was.definition && is.definition && was.kind == is.kind &&
           state_word_follows(was.kind, was.definition, is.definition);
    text_dispose(&is);
    text_dispose(&was);
    return status;
}

/* Whether the last word is behind that version. */
static enum status is_behind(struct words *words, const struct state_version *version,
                             const struct word *last, bool *yes)
{
    bool is_word;
    uint32_t seq = 0;
    *yes = true;
    if (memcmp(&version->blob, &last->blob, sizeof last->blob) == 0)
        return STATUS_OK;
    enum status status = read_word(words->effective, version->path, &version->blob, &is_word, &seq);
    if (status != STATUS_OK || !is_word)
        return status; /* it was never weir's */
    *yes = last->is_word && seq < last->seq;
    return last->is_word && seq == last->seq ? may_follow(words, version, last, yes) : STATUS_OK;
}

/* The one that stands there, or that stood there when it was taken away. */
static enum status note_last(struct words *words, const struct state_version *version,
                             struct word **out)
{
    const struct blob_id *blob = version->is_there ? &version->now : &version->blob;
    struct word *last = *out = words_add(words, version->path, blob);
    return last ? read_word(words->effective, version->path, blob, &last->is_word, &last->seq)
                : STATUS_NO_MEMORY;
}

/* Newest first: so of a file that is gone the first to be seen is the one that was taken away. A
 * pin that is gone holds nothing; what never was on first parents never stood. */
static enum status look_at(struct words *words, const struct state_version *version, bool *is_fine)
{
    struct text environment, flag;
    struct word *last = words_find(words, version->path);
    enum status status = STATUS_OK;
    *is_fine = true;
    if (!version->is_there &&
        (bundle_pin_name(version->path, &environment, &flag) || (!last && !version->was_taken)))
        return STATUS_OK;
    if (!last && !version->is_there)
        status = may_be_gone(words, version, is_fine);
    if (!last && status == STATUS_OK && *is_fine)
        status = note_last(words, version, &last);
    return last && status == STATUS_OK ? is_behind(words, version, last, is_fine) : status;
}

static bool look(void *context, const struct state_version *version)
{
    struct words *words = context;
    bool is_fine;
    words->status = look_at(words, version, &is_fine);
    words->found = !is_fine;
    return words->status == STATUS_OK && is_fine;
}

enum status effective_is_intact(struct effective *effective, const char *commit, bool *yes,
                                struct error *error)
{
    struct words words;
    *yes = false;
    if (strcmp(effective->undone_at, commit) == 0) { /* what is before it is another matter */
        effective->undone_at[0] = '\0';
        return STATUS_OK;
    }
    if (effective->undone_at[0]) /* on the way back to that one */
        return STATUS_OK;
    words_init(&words, effective);
    enum status status = mirror_state_history(
        effective->parts.mirror, commit, effective->intact[0] ? effective->intact : NULL, look,
        &words, effective->parts.stop, effective->undone_at, error);
    if (status == STATUS_OK && words.status != STATUS_OK)
        status = error_set(error, words.status, "a state of before cannot be read");
    words_dispose(&words);
    *yes = status == STATUS_OK && !words.found;
    if (*yes)
        snprintf(effective->intact, sizeof effective->intact, "%s", commit);
    if (strcmp(effective->undone_at, commit) == 0)
        effective->undone_at[0] = '\0';
    return status;
}

/* --- the other side of a merge -----------------------------------------------------------------
 */

/* Of each path the latest; of two with the same seq the one that came last. */
static bool collect(void *context, const struct state_version *version)
{
    struct words *words = context;
    struct word *best = words_find(words, version->path);
    bool is_word;
    uint32_t seq = 0;
    if (version->is_there && memcmp(&version->blob, &version->now, sizeof version->now) == 0)
        return true;
    words->status = read_word(words->effective, version->path, &version->blob, &is_word, &seq);
    if (words->status != STATUS_OK || !is_word || (best && seq <= best->seq))
        return words->status == STATUS_OK;
    if (!best)
        best = words_add(words, version->path, &version->blob);
    if (!best) {
        words->status = STATUS_NO_MEMORY;
        return false;
    }
    best->blob = version->blob;
    best->seq = seq;
    return true;
}

/* As reconcile() takes them. */
static bool list_rivals(struct words *words, struct arena *arena, struct exception **out,
                        size_t *count)
{
    struct exception *list = ARENA_ARRAY(arena, struct exception, words->table.count + 1);
    const struct word *word;
    *out = list;
    for (size_t i = 0; list && (word = table_next(&words->table, &i));) {
        struct exception *rival = &list[*count];
        struct text name, flag;
        char pin[2 * (STATE_NAME_MOST + 1)];
        *rival = (struct exception){.kind = KIND_ROLLOUT_STATE, .blob = word->blob};
        if (!bundle_state_name(word->path, &name)) {
            bundle_pin_name(word->path, &name, &flag);
            snprintf(pin, sizeof pin, "%.*s/%.*s", (int)name.length, name.data, (int)flag.length,
                     flag.data);
            rival->kind = KIND_FLAG_PIN;
            name = text_of(pin);
        }
        if (!arena_copy(arena, word->path, &rival->path) || !arena_copy(arena, name, &rival->name))
            return false;
        (*count)++;
    }
    return list != NULL;
}

enum status effective_rivals(struct effective *effective, const char *commit, struct arena *arena,
                             struct exception **out, size_t *count, struct error *error)
{
    struct words words;
    words_init(&words, effective);
    *out = NULL;
    *count = 0;
    enum status status = mirror_states_beside(effective->parts.mirror, commit, collect, &words,
                                              effective->parts.stop, error);
    if (status == STATUS_OK && words.status != STATUS_OK)
        status = error_set(error, words.status, "a state of before cannot be read");
    if (status == STATUS_OK && words.table.count && !list_rivals(&words, arena, out, count))
        status = error_set(error, STATUS_NO_MEMORY, "no memory for states");
    words_dispose(&words);
    return status;
}
