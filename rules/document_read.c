/* A whole flagd document into fragments, as leniently as flagd reads it.
 *
 * Only the outermost members are read as a tree of their own; each flag is cut out of the text and
 * compiled alone, so that a document of any size costs the memory of one flag beside its result.
 * Where a name stands twice the last one counts. Flags stand in an object, or, as the daemon's own
 * configuration has them, in a list of objects with a "key". */
#include "document.h"
#include "document_refs.h"
#include "flagd_check.h"
#include "json.h"
#include "json_scan.h"

#define DOCUMENT_MAX_DEPTH JSON_SKIP_DEPTH
static const char too_deep_words[] = "nested deeper than 10000 levels";
_Static_assert(DOCUMENT_MAX_DEPTH == 10000, "the words above say so");

/* What references may put in, in bytes: into one flag, as much as weir's own are large; and into
 * all of them together, since each becomes a program. */
#define PUT_IN_MAX ((size_t)4 << 20)
#define PUT_IN_MAX_OF_ALL ((size_t)64 << 20)
_Static_assert(PUT_IN_MAX >> 20 == 4 && PUT_IN_MAX_OF_ALL >> 20 == 64 && JSON_DEFAULT_DEPTH == 512,
               "the words below say so");

struct loader {
    struct document_options options;
    struct text json;
    struct json_cursor at;
    struct attributes *attributes;
    struct arena arena; /* of metadata and keys */
    struct arena work;  /* of one flag at a time */
    const struct node *metadata;
    struct set_metadata *set;
    struct dictionary *dictionary; /* or NULL */
    struct references references;
    size_t put_in;          /* bytes, by references, so far */
    struct buffer expanded; /* a flag with its references replaced */
    struct text flags;      /* what stands under "flags", as text */
    struct text evaluators; /* under "$evaluators", without data where there are none */
    struct fragment **fragments;
    size_t count, size;
    struct error *error;
    enum status status;
};

static bool stop(struct loader *loader, enum status status, const char *problem)
{
    uint32_t line, column;
    json_place(loader->json.data, loader->at.p, &line, &column);
    loader->status = error_set_at(loader->error, status, line, column, "%s", problem);
    return false;
}

static bool scan_fault(struct loader *loader)
{
    return stop(loader, loader->at.status, loader->at.problem);
}

typedef bool member_function(struct loader *loader, struct text key, struct text value);

static bool read_member(struct loader *loader, unsigned depth, member_function *take)
{
    struct text raw, key;
    bool escapes;
    if (!json_scan_key(&loader->at, &raw, &escapes))
        return scan_fault(loader);
    char *copy = arena_allocate(&loader->arena, raw.length + 1);
    if (!copy)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    key = (struct text){copy, json_decode_string(raw, copy)};
    copy[key.length] = '\0';
    const char *start = loader->at.p;
    if (!json_skip_value(&loader->at, depth))
        return scan_fault(loader);
    return take(loader, key, (struct text){start, (size_t)(loader->at.p - start)});
}

/* Calls `take` for each member of the object that the cursor is at. */
static bool each_member(struct loader *loader, unsigned depth, member_function *take)
{
    bool first = true;
    int more;
    if (loader->at.p == loader->at.end || *loader->at.p != '{')
        return stop(loader, STATUS_INVALID, "expected an object");
    loader->at.p++;
    while ((more = json_scan_entry(&loader->at, '}', first)) > 0) {
        first = false;
        if (!read_member(loader, depth, take))
            return false;
    }
    return more == 0 || scan_fault(loader);
}

static bool is_null(struct text value)
{
    return value.length > 0 && value.data[0] == 'n';
}

/* Of the set; null is as good as nothing. */
static bool take_metadata(struct loader *loader, struct text value)
{
    struct error error = {0};
    enum status status =
        json_read(&loader->arena, value, JSON_LIMITS_DEFAULT, &loader->metadata, &error);
    const char *end = loader->at.p;
    loader->at.p = value.data;
    if (status == STATUS_LIMIT) {
        char words[sizeof error.message];
        snprintf(words, sizeof words, "metadata: %.200s", error.message);
        return stop(loader, status, words);
    }
    if (status != STATUS_OK)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    if (is_null(value))
        loader->metadata = NULL;
    else if (loader->metadata->type != NODE_MAP)
        return stop(loader, STATUS_INVALID, "metadata is not an object");
    loader->at.p = end;
    return true;
}

static bool take_evaluators(struct loader *loader, struct text value)
{
    loader->evaluators = is_null(value) ? (struct text){NULL, 0} : value;
    if (is_null(value) || *value.data == '{')
        return true;
    loader->at.p = value.data;
    return stop(loader, STATUS_INVALID, "$evaluators is not an object");
}

static bool take_top(struct loader *loader, struct text key, struct text value)
{
    if (text_is(key, "flags"))
        loader->flags = value;
    else if (text_is(key, "metadata"))
        return take_metadata(loader, value);
    else if (text_is(key, "$evaluators"))
        return take_evaluators(loader, value);
    return true;
}

static bool make_room(struct loader *loader)
{
    size_t bytes;
    if (loader->count < loader->size)
        return true;
    size_t size = loader->size ? loader->size * 2 : 64;
    if (!size_multiply(size, sizeof *loader->fragments, &bytes))
        return false;
    struct fragment **fragments = realloc(loader->fragments, bytes);
    if (!fragments)
        return false;
    loader->fragments = fragments;
    loader->size = size;
    return true;
}

/* Why references cannot be replaced in a flag: its own harm. */
static const char *refuse_extent(const struct loader *loader, struct text flag,
                                 struct extent extent, size_t *put_in)
{
    *put_in = extent.size > flag.length ? extent.size - flag.length : 0;
    if (extent.depth > JSON_DEFAULT_DEPTH)
        return "nested deeper than 512 levels where \"$ref\"s are replaced";
    if (*put_in > PUT_IN_MAX)
        return "its \"$ref\"s put in more than 4 MiB";
    if (*put_in > PUT_IN_MAX_OF_ALL - loader->put_in)
        return "the \"$ref\"s of all flags together put in more than 64 MiB";
    return NULL;
}

/* The flag's JSON with the evaluators put in. Where that is too much it stays as it stands, and
 * *problem says why no rule of it can be followed. */
static enum status expand(struct loader *loader, struct text value, struct text *out,
                          const char **problem)
{
    const struct node *flag;
    struct extent extent;
    size_t put_in;
    *out = value;
    if (loader->references.count == 0 || !memmem(value.data, value.length, "\"$ref\"", 6))
        return STATUS_OK;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.views = true;
    enum status status = json_read(&loader->work, value, limits, &flag, NULL);
    if (status == STATUS_OK)
        status = references_measure(&loader->references, flag, &loader->expanded, &extent);
    if (status == STATUS_OK) {
        *problem = refuse_extent(loader, value, extent, &put_in);
        buffer_clear(&loader->expanded);
        if (!*problem) {
            references_write(&loader->references, flag, &loader->expanded);
            *out = buffer_text(&loader->expanded);
            loader->put_in += put_in;
            status = loader->expanded.failed;
        }
    }
    arena_reset(&loader->work);
    return status == STATUS_LIMIT ? STATUS_OK : status; /* more than can be read: told later */
}

/* What a flag that cannot be read leaves behind: it says of itself what is wrong with it, also when
 * the document is written out and read again. */
static struct text unread_flag(struct text flag, const char **problem)
{
    struct json_cursor at = {.p = flag.data, .end = flag.data + flag.length};
    struct text state;
    bool disabled = json_find_member(flag, "state", DOCUMENT_MAX_DEPTH, &state) &&
                    text_is(state, "\"DISABLED\"");
    bool is_deep = !json_skip_value(&at, JSON_DEFAULT_DEPTH);
    *problem = is_deep ? "nested deeper than 512 levels" : "more than 50 million values, or 1 GiB";
    if (disabled)
        return TEXT("{\"state\":\"DISABLED\",\"variants\":{}}");
#define UNREAD(words)                                                                              \
    TEXT("{\"state\":\"ENABLED\",\"variants\":{},\"targeting\":{\"" words "\":0}}")
    return is_deep ? UNREAD("nested deeper than 512 levels") : UNREAD("too large");
}

static bool take_flag(struct loader *loader, struct text key, struct text value)
{
    struct error inner = {0};
    struct program_settings settings = {.metadata = loader->set,
                                        .dictionary = loader->dictionary,
                                        .arena = &loader->work,
                                        .fractional = loader->options.fractional};
    struct text json;
    if (!make_room(loader) || expand(loader, value, &json, &settings.problem) != STATUS_OK)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    struct fragment **out = &loader->fragments[loader->count];
    enum status status = fragment_new(key, json, settings, loader->attributes, out, &inner);
    if (status == STATUS_LIMIT) {
        json = unread_flag(value, &settings.problem);
        status = fragment_new(key, json, settings, loader->attributes, out, &inner);
    }
    if (status != STATUS_OK) {
        loader->at.p = value.data;
        return stop(loader, status, inner.message);
    }
    loader->count++;
    return true;
}

/* A flag of a list: its key is a member. */
static bool take_listed_flag(struct loader *loader)
{
    const char *start = loader->at.p;
    const struct node *key = NULL;
    struct text member;
    if (!json_skip_value(&loader->at, DOCUMENT_MAX_DEPTH))
        return scan_fault(loader);
    const char *end = loader->at.p;
    struct text value = {start, (size_t)(end - start)};
    if (json_find_member(value, "key", DOCUMENT_MAX_DEPTH, &member) &&
        json_read(&loader->arena, member, JSON_LIMITS_DEFAULT, &key, NULL) == STATUS_NO_MEMORY)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    if (!key || key->type != NODE_STRING) {
        loader->at.p = start;
        return stop(loader, STATUS_INVALID, "a flag in a list needs a \"key\"");
    }
    if (!take_flag(loader, key->string, value))
        return false;
    loader->at.p = end;
    return true;
}

static bool each_listed_flag(struct loader *loader)
{
    bool first = true;
    int more;
    loader->at.p++;
    while ((more = json_scan_entry(&loader->at, ']', first)) > 0) {
        first = false;
        if (!take_listed_flag(loader))
            return false;
    }
    return more == 0 || scan_fault(loader);
}

struct placed {
    struct fragment *fragment;
    size_t place; /* in the document */
};

static int by_key(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int order = text_compare(x->fragment->program.key, y->fragment->program.key);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Sorted; of equal keys the last one stays. */
static bool sort_flags(struct loader *loader)
{
    size_t count = loader->count;
    struct placed *placed = calloc(count + 1, sizeof *placed);
    if (!placed)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    for (size_t i = 0; i < count; i++)
        placed[i] = (struct placed){loader->fragments[i], i};
    qsort(placed, count, sizeof *placed, by_key);
    loader->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count &&
            text_equal(placed[i].fragment->program.key, placed[i + 1].fragment->program.key))
            fragment_release(placed[i].fragment);
        else
            loader->fragments[loader->count++] = placed[i].fragment;
    }
    free(placed);
    return true;
}

/* The first flags, as they stand. */
static bool make_dictionary(struct loader *loader)
{
    if (loader->flags.length >= DICTIONARY_FROM)
        loader->dictionary = dictionary_new(loader->flags);
    return loader->dictionary || loader->flags.length < DICTIONARY_FROM;
}

static bool read_flags(struct loader *loader)
{
    if (loader->evaluators.data &&
        references_read(&loader->arena, loader->evaluators, &loader->references) != STATUS_OK)
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    if (!loader->flags.data)
        return stop(loader, STATUS_INVALID, "document has no \"flags\"");
    loader->set = set_metadata_new(&loader->arena, loader->metadata);
    if (!loader->set || !make_dictionary(loader))
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    loader->at.p = loader->flags.data;
    bool good = *loader->at.p == '[' ? each_listed_flag(loader)
                                     : each_member(loader, DOCUMENT_MAX_DEPTH, take_flag);
    return good && sort_flags(loader);
}

static bool read_document(struct loader *loader)
{
    json_scan_space(&loader->at);
    if (!each_member(loader, DOCUMENT_MAX_DEPTH - 1, take_top))
        return false;
    json_scan_space(&loader->at);
    if (loader->at.p != loader->at.end)
        return stop(loader, STATUS_INVALID, "something stands after the document");
    return read_flags(loader);
}

static enum status make_document(struct loader *loader, struct document **out)
{
    struct buffer metadata;
    buffer_init(&metadata, 0);
    if (loader->metadata)
        json_write_node(&metadata, loader->metadata);
    enum status status = metadata.failed;
    if (status == STATUS_OK) {
        status = document_new(loader->fragments, loader->count, loader->attributes,
                              buffer_text(&metadata), out);
        loader->count = 0; /* taken over, as the attributes are */
        loader->attributes = NULL;
    }
    buffer_dispose(&metadata);
    if (status != STATUS_OK)
        error_set(loader->error, status, "no memory");
    return status;
}

/* The first of the faults that a strict reader finds. */
static enum status check_strictly(struct text json, struct error *error)
{
    struct diagnostics faults;
    diagnostics_init(&faults);
    enum status status = flagd_check(json, "", &faults);
    diagnostics_sort(&faults);
    for (size_t i = 0; i < faults.count && status == STATUS_OK; i++) {
        const struct diagnostic *fault = &faults.items[i];
        if (fault->severity == SEVERITY_ERROR)
            status = error_set_at(error, STATUS_INVALID, fault->place.line, fault->place.column,
                                  "%.*s", (int)fault->message.length, fault->message.data);
    }
    if (status == STATUS_LIMIT)
        error_set(error, status, "larger than 64 MiB, too large to be checked strictly");
    if (status == STATUS_NO_MEMORY || faults.failed)
        status = error_set(error, STATUS_NO_MEMORY, "no memory");
    diagnostics_dispose(&faults);
    return status;
}

enum status document_read(struct text json, const struct document_options *options,
                          struct document **out, struct error *error)
{
    struct loader loader = {
        .json = json,
        .at = {.p = json.data, .end = json.data + json.length, .too_deep = too_deep_words},
        .error = error};
    *out = NULL;
    if (options)
        loader.options = *options;
    if (loader.options.strict) {
        enum status status = check_strictly(json, error);
        if (status != STATUS_OK)
            return status;
    }
    loader.attributes = attributes_new();
    if (!loader.attributes)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    arena_init(&loader.arena, 0);
    arena_init(&loader.work, 0);
    buffer_init(&loader.expanded, 0);
    if (read_document(&loader))
        loader.status = make_document(&loader, out);
    for (size_t i = 0; i < loader.count; i++)
        fragment_release(loader.fragments[i]);
    free(loader.fragments);
    attributes_release(loader.attributes);
    set_metadata_release(loader.set);
    dictionary_release(loader.dictionary);
    arena_dispose(&loader.arena);
    arena_dispose(&loader.work);
    buffer_dispose(&loader.expanded);
    references_dispose(&loader.references);
    return loader.status;
}
