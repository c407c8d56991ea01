#include "override.h"

#include <stdlib.h>

#include "../../rules/fragment.h"
#include "../../rules/json.h"

_Static_assert(OVERRIDE_JSON_MAX >= 2 * (OVERRIDE_FRAGMENT_MAX + OVERRIDE_EVIDENCE_MAX +
                                         OVERRIDE_AFTER_MAX + (size_t)4 * OVERRIDE_LINE_MAX),
               "OVERRIDE_JSON_MAX");

#define NAME_LENGTH_MAX 63              /* a DNS label, as every name in definitions */
#define SINCE_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define OVERRIDE_TEXTS 10               /* of one override */
/* An override is a flat object; the rest is room for what a newer weir says besides. */
#define NODES_MAX 256
#define DEPTH_MAX 8

static struct text *text_at(struct override *override, size_t index)
{
    struct text *const texts[OVERRIDE_TEXTS] = {
        &override->intent, &override->environment, &override->flag,     &override->rollout,
        &override->by,     &override->note,        &override->evidence, &override->fragment,
        &override->after,  &override->told};
    return texts[index];
}

/* --- life ------------------------------------------------------------------------------------ */

/* Copies all texts into one piece, each followed by NUL. */
static bool keep_texts(struct override *override)
{
    size_t total = OVERRIDE_TEXTS + ARENA_ALIGNMENT;
    for (size_t i = 0; i < OVERRIDE_TEXTS; i++)
        if (!size_add(total, text_at(override, i)->length, &total))
            return false;
    /* Its maximum keeps the arena from taking more than is asked for: there may be thousands. */
    arena_init(&override->arena, total);
    char *next = arena_allocate(&override->arena, total - ARENA_ALIGNMENT);
    if (!next)
        return false;
    for (size_t i = 0; i < OVERRIDE_TEXTS; i++) {
        struct text *text = text_at(override, i);
        if (text->length)
            memcpy(next, text->data, text->length);
        next[text->length] = '\0';
        text->data = next;
        next += text->length + 1;
    }
    return true;
}

struct override override_words(const struct override *of)
{
    struct override words = {
        .intent = of->intent,
        .environment = of->environment,
        .flag = of->flag,
        .rollout = of->rollout,
        .action = of->action,
        .run = of->run,
        .seq = of->seq,
        .after = of->after,
        .by = of->by,
        .note = of->note,
        .evidence = of->evidence,
        .fragment = of->fragment,
        .told = of->told,
        .since = of->since,
    };
    memcpy(words.generation, of->generation, sizeof words.generation);
    return words;
}

struct override *override_new(const struct override *from)
{
    struct override *override = calloc(1, sizeof *override);
    if (!override)
        return NULL;
    *override = override_words(from);
    override->is_joined = from->is_joined;
    atomic_init(&override->references, 1);
    if (!keep_texts(override)) {
        override_release(override);
        return NULL;
    }
    return override;
}

struct override *override_reference(struct override *override)
{
    if (override)
        atomic_fetch_add_explicit(&override->references, 1, memory_order_relaxed);
    return override;
}

void override_release(struct override *override)
{
    if (!override || atomic_fetch_sub_explicit(&override->references, 1, memory_order_acq_rel) != 1)
        return;
    arena_dispose(&override->arena);
    free(override);
}

/* --- which one is served --------------------------------------------------------------------- */

/* How safe an action is; 0: none that an override can have. */
static unsigned safety(enum walk_verb_kind action)
{
    switch (action) {
    case VERB_STEP_BACK:
        return 1;
    case VERB_ROLLBACK:
        return 2;
    case VERB_KILL:
        return 3;
    default:
        return 0;
    }
}

/* The kill of a flag takes all of its rules away, that of a rollout one variant. */
static unsigned rank(const struct override *override)
{
    return safety(override->action) +
           (override->action == VERB_KILL && override->rollout.length == 0);
}

bool override_wins(const struct override *a, const struct override *b)
{
    if (rank(a) != rank(b))
        return rank(a) > rank(b);
    if (a->run != b->run)
        return a->run > b->run;
    if (a->seq != b->seq)
        return a->seq > b->seq;
    return text_compare(a->intent, b->intent) < 0;
}

/* --- how it is recorded ---------------------------------------------------------------------- */

size_t override_move_count(const struct override *override)
{
    return (override->after.length + 1) / (OVERRIDE_INTENT_LENGTH + 1) + 1;
}

struct walk_verb override_move(const struct override *override, size_t index)
{
    if (index + 1 >= override_move_count(override))
        return (struct walk_verb){.kind = override->action,
                                  .by = override->by,
                                  .note = override->note,
                                  .intent = override->intent,
                                  .run = override->run};
    const char *intent = override->after.data + index * (OVERRIDE_INTENT_LENGTH + 1);
    return (struct walk_verb){.kind = VERB_STEP_BACK,
                              .by = TEXT("weir"),
                              .intent = {intent, OVERRIDE_INTENT_LENGTH},
                              .run = override->run};
}

bool override_goes_before(const struct override *a, const struct override *b)
{
    if (a->run != b->run)
        return a->run < b->run;
    if (a->seq != b->seq)
        return a->seq < b->seq;
    if (safety(a->action) != safety(b->action))
        return safety(a->action) < safety(b->action);
    return text_compare(a->intent, b->intent) < 0;
}

/* --- whose decision it is -------------------------------------------------------------------- */

bool override_is_automatic(struct text by)
{
    static const struct text told = {"weir" OVERRIDE_TOLD, sizeof "weir" OVERRIDE_TOLD - 1};
    return text_is(by, "weir") || text_starts_with(by, told);
}

bool override_is_told(struct text by)
{
    static const char told[] = OVERRIDE_TOLD;
    return by.length && memmem(by.data, by.length, told, sizeof told - 1);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_text(struct buffer *out, const char *name, struct text value)
{
    buffer_append_string(out, name);
    json_write_string(out, value);
}

static void write_integer(struct buffer *out, const char *name, uint64_t value)
{
    buffer_append_string(out, name);
    buffer_append_u64(out, value);
}

void override_write(const struct override *override, struct buffer *out)
{
    write_text(out, "{\"action\":", text_of(walk_verb_name(override->action)));
    if (override->after.length) /* so that most are as they always were */
        write_text(out, ",\"after\":", override->after);
    write_text(out, ",\"by\":", override->by);
    write_text(out, ",\"environment\":", override->environment);
    write_text(out, ",\"evidence\":", override->evidence);
    write_text(out, ",\"flag\":", override->flag);
    write_text(out, ",\"fragment\":", override->fragment);
    write_text(out, ",\"generation\":", text_of(override->generation));
    write_text(out, ",\"intent\":", override->intent);
    write_text(out, ",\"note\":", override->note);
    write_text(out, ",\"rollout\":", override->rollout);
    write_integer(out, ",\"run\":", override->run);
    write_integer(out, ",\"seq\":", override->seq);
    write_integer(out, ",\"since\":", override->since > 0 ? (uint64_t) override->since : 0);
    if (override->told.length)
        write_text(out, ",\"told\":", override->told);
    buffer_append_char(out, '}');
}

/* --- reading --------------------------------------------------------------------------------- */

static enum status odd(struct error *error, const char *name, const char *expected)
{
    return error_set(error, STATUS_INVALID, "an override's \"%s\" is not %s", name, expected);
}

static bool is_intent(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!memchr("0123456789abcdef", text.data[i], 16))
            return false;
    return text.length == OVERRIDE_INTENT_LENGTH;
}

static bool is_name(struct text text)
{
    if (text.length == 0 || text.length > NAME_LENGTH_MAX || text.data[0] == '-' ||
        text.data[text.length - 1] == '-')
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789-", text.data[i], 37))
            return false;
    return true;
}

/* What people are shown: no NUL, no line ends, nothing that moves a terminal's cursor. */
static bool is_line(struct text text, size_t most)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.length <= most;
}

static bool read_text(const struct node *map, const char *name, struct text *out)
{
    const struct node *node = node_get(map, name);
    if (!node || node->type != NODE_STRING)
        return false;
    *out = node->string;
    return true;
}

static bool read_integer(const struct node *map, const char *name, double most, uint64_t *out)
{
    const struct node *node = node_get(map, name);
    if (!node || node->type != NODE_NUMBER || node->number < 0 || node->number > most)
        return false;
    *out = (uint64_t)node->number;
    return (double)*out == node->number;
}

static enum status read_names(const struct node *map, struct override *out, struct error *error)
{
    if (!read_text(map, "intent", &out->intent) || !is_intent(out->intent))
        return odd(error, "intent", "64 lower-case hexadecimal digits");
    if (!read_text(map, "environment", &out->environment) || !is_name(out->environment))
        return odd(error, "environment", "a name");
    if (!read_text(map, "flag", &out->flag) || !is_name(out->flag))
        return odd(error, "flag", "a name");
    if (!read_text(map, "rollout", &out->rollout) ||
        (out->rollout.length && !is_name(out->rollout)))
        return odd(error, "rollout", "a name, or empty");
    return STATUS_OK;
}

static enum status read_words(const struct node *map, struct override *out, struct error *error)
{
    if (!read_text(map, "by", &out->by) || !is_line(out->by, OVERRIDE_LINE_MAX))
        return odd(error, "by", "a line of at most 1024 bytes");
    if (!read_text(map, "note", &out->note) || !is_line(out->note, OVERRIDE_LINE_MAX))
        return odd(error, "note", "a line of at most 1024 bytes");
    if (!read_text(map, "evidence", &out->evidence) ||
        !is_line(out->evidence, OVERRIDE_EVIDENCE_MAX))
        return odd(error, "evidence", "a line of at most 16384 bytes");
    if (node_get(map, "told") &&
        (!read_text(map, "told", &out->told) || !is_line(out->told, OVERRIDE_LINE_MAX)))
        return odd(error, "told", "a line of at most 1024 bytes");
    return STATUS_OK;
}

/* Intents with a space between two. */
static bool is_after(struct text text)
{
    const size_t step = OVERRIDE_INTENT_LENGTH + 1;
    if (text.length > OVERRIDE_AFTER_MAX || (text.length + 1) % step != 0)
        return false;
    for (size_t i = 0; i < text.length; i += step) {
        if (!is_intent((struct text){text.data + i, OVERRIDE_INTENT_LENGTH}) ||
            (i && text.data[i - 1] != ' '))
            return false;
    }
    return true;
}

/* It may be missing. */
static enum status read_after(const struct node *map, struct override *out, struct error *error)
{
    if (!node_get(map, "after"))
        return STATUS_OK;
    if (!read_text(map, "after", &out->after) || (out->after.length && !is_after(out->after)))
        return odd(error, "after", "a list of intents");
    return STATUS_OK;
}

static enum status read_place(const struct node *map, struct override *out, struct error *error)
{
    struct text action, generation;
    struct generation parsed;
    uint64_t run, seq, since;
    if (!read_text(map, "action", &action) || !walk_verb_parse(action, &out->action) ||
        !safety(out->action))
        return odd(error, "action", "step-back, rollback or kill");
    if (!read_integer(map, "run", UINT32_MAX, &run))
        return odd(error, "run", "a number below 2^32");
    if (!read_integer(map, "seq", UINT32_MAX, &seq))
        return odd(error, "seq", "a number below 2^32");
    if (!read_integer(map, "since", (double)SINCE_MAX, &since))
        return odd(error, "since", "seconds since 1970");
    if (!read_text(map, "generation", &generation) || !generation_parse(generation, &parsed))
        return odd(error, "generation", "32 lower-case hexadecimal digits");
    out->run = (uint32_t)run;
    out->seq = (uint32_t)seq;
    out->since = (int64_t)since;
    generation_format(parsed, out->generation);
    return STATUS_OK;
}

bool override_is_absence(const struct override *override)
{
    return override->fragment.length == 0;
}

/* It is compiled once for nothing, so that one which cannot be served is found out here. */
static enum status read_fragment(const struct node *map, struct override *out, struct error *error)
{
    const struct program_settings settings = {0};
    struct fragment *fragment = NULL;
    struct error cause = {0};
    if (!read_text(map, "fragment", &out->fragment))
        return odd(error, "fragment", "a flag's JSON as a string");
    if (override_is_absence(out) && out->action == VERB_ROLLBACK && out->rollout.length == 0)
        return STATUS_OK; /* a watched flag that was none before it broke */
    if (override_is_absence(out))
        return odd(error, "fragment", "a flag's JSON as a string");
    if (out->fragment.length > OVERRIDE_FRAGMENT_MAX)
        return error_set(error, STATUS_LIMIT, "an override's \"fragment\" is larger than %zu bytes",
                         OVERRIDE_FRAGMENT_MAX);
    struct attributes *attributes = attributes_new();
    if (!attributes)
        return error_set(error, STATUS_NO_MEMORY, "no memory for an override");
    enum status status =
        fragment_new(out->flag, out->fragment, settings, attributes, &fragment, &cause);
    fragment_release(fragment);
    attributes_release(attributes);
    if (status == STATUS_NO_MEMORY)
        return error_set(error, status, "no memory for an override");
    if (status != STATUS_OK)
        return error_set(error, status, "an override's \"fragment\" is not a flag: %.160s",
                         cause.message);
    return STATUS_OK;
}

static enum status read_all(struct text json, struct arena *arena, struct override *out,
                            struct error *error)
{
    const struct json_limits limits = {OVERRIDE_JSON_MAX, DEPTH_MAX, NODES_MAX, true, false};
    const struct node *map;
    struct error cause = {0};
    enum status status = json_read(arena, json, limits, &map, &cause);
    if (status == STATUS_NO_MEMORY)
        return error_set(error, status, "no memory for an override");
    if (status != STATUS_OK)
        return error_set(error, status, "an override is not JSON: %.160s", cause.message);
    if (map->type != NODE_MAP)
        return error_set(error, STATUS_INVALID, "an override is not a JSON object");
    status = read_names(map, out, error);
    if (status == STATUS_OK)
        status = read_words(map, out, error);
    if (status == STATUS_OK)
        status = read_place(map, out, error);
    if (status == STATUS_OK)
        status = read_after(map, out, error);
    return status == STATUS_OK ? read_fragment(map, out, error) : status;
}

enum status override_read(struct text json, struct override **out, struct error *error)
{
    struct arena arena;
    struct override borrowed = {.since = 0};
    *out = NULL;
    arena_init(&arena, 0);
    enum status status = read_all(json, &arena, &borrowed, error);
    if (status == STATUS_OK) {
        *out = override_new(&borrowed);
        if (!*out)
            status = error_set(error, STATUS_NO_MEMORY, "no memory for an override");
    }
    arena_dispose(&arena);
    return status;
}

/* --- sets ------------------------------------------------------------------------------------ */

struct override_set *override_set_new(size_t overrides, size_t recorded)
{
    struct override_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    atomic_init(&set->references, 1);
    arena_init(&set->arena, 0);
    set->items = ARENA_ARRAY(&set->arena, struct override *, overrides);
    set->recorded = ARENA_ARRAY(&set->arena, struct text, recorded);
    if (!set->items || !set->recorded) {
        override_set_release(set);
        return NULL;
    }
    set->count = overrides;
    set->recorded_count = recorded;
    return set;
}

struct override_set *override_set_reference(struct override_set *set)
{
    if (set)
        atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void override_set_release(struct override_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        override_release(set->items[i]);
    arena_dispose(&set->arena);
    free(set);
}

static int compare_intents(const void *key, const void *item)
{
    return text_compare(*(const struct text *)key, *(const struct text *)item);
}

bool override_set_records(const struct override_set *set, struct text intent)
{
    return set && set->recorded_count &&
           bsearch(&intent, set->recorded, set->recorded_count, sizeof intent, compare_intents);
}

static void name_one(struct buffer *out, char quote, struct text text, bool first)
{
    if (!first)
        buffer_append_char(out, ',');
    if (quote)
        buffer_append_char(out, quote);
    buffer_append_text(out, text);
    if (quote)
        buffer_append_char(out, quote);
}

void override_set_name(const struct override_set *set, char quote, struct buffer *out)
{
    size_t count = set ? set->count : 0, named = count < OVERRIDES_NAMED ? count : OVERRIDES_NAMED;
    for (size_t i = 0; i < named; i++)
        name_one(out, quote, set->items[i]->intent, i == 0);
    if (count > named) {
        char rest[24];
        snprintf(rest, sizeof rest, "+%zu", count - named);
        name_one(out, quote, text_of(rest), false);
    }
}

static int compare_flags(const void *key, const void *item)
{
    return text_compare(*(const struct text *)key, (*(struct override *const *)item)->flag);
}

struct override *override_set_find(const struct override_set *set, struct text flag)
{
    struct override **found = set && set->count ? bsearch(&flag, set->items, set->count,
                                                          sizeof(struct override *), compare_flags)
                                                : NULL;
    return found ? *found : NULL;
}
