/* A whole flagd document into fragments.
 *
 * Only the outermost members are read as a tree of their own; each flag is cut out of the text and
 * compiled alone, so that a document of any size costs the memory of one flag beside its result.
 * "$evaluators" are not resolved yet: weir emits none. */
#include "document.h"
#include "json.h"
#include "json_scan.h"

struct loader {
    struct document_options options;
    struct text json;
    struct json_cursor at;
    struct attributes *attributes;
    struct arena arena; /* of metadata and keys */
    const struct node *metadata;
    struct text flags; /* the object under "flags", as text */
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

static bool take_top(struct loader *loader, struct text key, struct text value)
{
    if (text_is(key, "flags")) {
        loader->flags = value;
    } else if (text_is(key, "metadata")) {
        enum status status =
            json_read(&loader->arena, value, JSON_LIMITS_DEFAULT, &loader->metadata, loader->error);
        if (status != STATUS_OK)
            return stop(loader, status, "metadata is not readable");
        if (loader->metadata->type != NODE_MAP && loader->metadata->type != NODE_NULL) {
            loader->at.p = value.data;
            return stop(loader, STATUS_INVALID, "metadata is not an object");
        }
        if (loader->metadata->type == NODE_NULL)
            loader->metadata = NULL;
    }
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

static bool take_flag(struct loader *loader, struct text key, struct text value)
{
    struct error inner;
    if (!make_room(loader))
        return stop(loader, STATUS_NO_MEMORY, "no memory");
    struct program_settings settings = {loader->metadata, loader->options.fractional};
    enum status status = fragment_new(key, value, settings, loader->attributes,
                                      &loader->fragments[loader->count], &inner);
    if (status != STATUS_OK) {
        loader->at.p = value.data;
        return stop(loader, status, inner.message);
    }
    loader->count++;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct fragment *x = *(struct fragment *const *)a, *y = *(struct fragment *const *)b;
    int order = text_compare(x->key, y->key);
    return order ? order : (x->json.data > y->json.data) - (x->json.data < y->json.data);
}

static bool read_flags(struct loader *loader)
{
    if (!loader->flags.data)
        return stop(loader, STATUS_INVALID, "document has no \"flags\"");
    loader->at.p = loader->flags.data;
    if (!each_member(loader, JSON_DEFAULT_DEPTH, take_flag))
        return false;
    if (loader->count)
        qsort(loader->fragments, loader->count, sizeof *loader->fragments, by_key);
    for (size_t i = 1; i < loader->count; i++) {
        if (text_equal(loader->fragments[i - 1]->key, loader->fragments[i]->key))
            return stop(loader, STATUS_INVALID, "a flag stands twice");
    }
    return true;
}

static bool read_document(struct loader *loader)
{
    json_scan_space(&loader->at);
    if (!each_member(loader, JSON_DEFAULT_DEPTH, take_top))
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

enum status document_read(struct text json, const struct document_options *options,
                          struct document **out, struct error *error)
{
    struct loader loader = {
        .json = json, .at = {.p = json.data, .end = json.data + json.length}, .error = error};
    *out = NULL;
    if (options)
        loader.options = *options;
    loader.attributes = attributes_new();
    if (!loader.attributes)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    arena_init(&loader.arena, 0);
    if (read_document(&loader))
        loader.status = make_document(&loader, out);
    for (size_t i = 0; i < loader.count; i++)
        fragment_release(loader.fragments[i]);
    free(loader.fragments);
    attributes_release(loader.attributes);
    arena_dispose(&loader.arena);
    return loader.status;
}
