#include "context.h"

#include "json_scan.h"

#define CONTEXT_MEMORY (CONTEXT_MAX_BYTES * 24)

static const char too_deep_words[] = "nested deeper than 64 levels";
static const char no_memory_words[] = "the context needs more than 24 MiB of memory";
_Static_assert(CONTEXT_MAX_DEPTH == 64 && CONTEXT_MEMORY >> 20 == 24, "the words above say so");

/* What this reading stored below a name of the table, so that it can be forgotten without a look at
 * all that is asked for: a key that stands twice costs what it wrote, not what it might have. */
struct trace {
    uint32_t reading;     /* which this is true of */
    uint32_t first, next; /* the names below it that were read, as a chain; 0 ends it */
};

enum status context_init(struct context *context)
{
    *context = (struct context){0};
    arena_init(&context->arena, CONTEXT_MEMORY);
    context->scratch = malloc(CONTEXT_SCRATCH);
    context->known = calloc(CONTEXT_KNOWN, sizeof *context->known);
    if (context->scratch && context->known)
        return STATUS_OK;
    context_dispose(context);
    return STATUS_NO_MEMORY;
}

void context_dispose(struct context *context)
{
    attributes_release(context->attributes);
    arena_dispose(&context->arena);
    free(context->slots);
    free(context->traces);
    free(context->scratch);
    free(context->known);
    *context = (struct context){0};
}

static bool make_room(struct context *context, const struct attributes *attributes)
{
    size_t slots = attributes->slots, names = attributes->name_count, bytes;
    if (slots > context->slot_size) {
        size_t size = slots + 16;
        struct value *grown =
            size_multiply(size, sizeof *grown, &bytes) ? realloc(context->slots, bytes) : NULL;
        if (!grown)
            return false;
        context->slots = grown;
        context->slot_size = size;
    }
    if (names > context->trace_size) {
        size_t size = names + 16;
        struct trace *grown = calloc(size, sizeof *grown); /* nothing in them outlives a reading */
        if (!grown)
            return false;
        free(context->traces);
        context->traces = grown;
        context->trace_size = size;
    }
    return true;
}

static void forget_all(struct context *context)
{
    memset(context->slots, 0, context->attributes->slots * sizeof *context->slots);
    arena_reset(&context->arena);
    context->scratch_used = 0;
    context->version_string = NULL;
    if (++context->reading == 0) { /* what was known four thousand million readings ago */
        memset(context->known, 0, CONTEXT_KNOWN * sizeof *context->known);
        memset(context->traces, 0, context->trace_size * sizeof *context->traces);
        context->reading = 1;
    }
}

enum status context_begin(struct context *context, struct attributes *attributes)
{
    if (!make_room(context, attributes))
        return STATUS_NO_MEMORY;
    if (context->attributes != attributes) {
        attributes_release(context->attributes);
        context->attributes = attributes_reference(attributes);
    }
    forget_all(context);
    return STATUS_OK;
}

struct reader {
    struct json_cursor at;
    struct context *context;
};

/* Why there were not `bytes` more. */
static bool no_memory(struct reader *reader, size_t bytes)
{
    const struct arena *arena = &reader->context->arena;
    size_t step = ARENA_ALIGNMENT, wanted = ((bytes ? bytes : 1) + step - 1) / step * step;
    bool limit = wanted > arena->maximum - arena->reserved;
    json_fail(&reader->at, limit ? no_memory_words : "no memory");
    reader->at.status = limit ? STATUS_LIMIT : STATUS_NO_MEMORY;
    return false;
}

static bool too_deep(struct reader *reader)
{
    json_fail(&reader->at, too_deep_words);
    reader->at.status = STATUS_LIMIT;
    return false;
}

static bool decode(struct reader *reader, struct text *text)
{
    char *copy = arena_allocate(&reader->context->arena, text->length);
    if (!copy)
        return no_memory(reader, text->length);
    text->length = json_decode_string(*text, copy);
    text->data = copy;
    return true;
}

/* A string as it is to be used: where it stands in the request, or decoded in the arena. */
static bool read_text(struct reader *reader, struct text *out)
{
    bool escapes;
    return json_scan_string(&reader->at, out, &escapes) && (!escapes || decode(reader, out));
}

/* --- values that are kept whole: lists, and maps that a rule asks for ------------------------ */

static bool read_value(struct reader *reader, struct value *out, unsigned depth);

static bool read_key(struct reader *reader, struct text *out)
{
    bool escapes;
    return json_scan_key(&reader->at, out, &escapes) && (!escapes || decode(reader, out));
}

/* Entries are linked while they are read, since their number is not known, then laid out as an
 * array. */
struct link {
    struct link *next;
    struct value_member member;
};

static bool lay_out(struct reader *reader, const struct link *first, uint32_t count, bool is_map,
                    struct value *out)
{
    struct arena *arena = &reader->context->arena;
    size_t i = 0;
    *out = (struct value){.type = is_map ? VALUE_MAP : VALUE_LIST, .length = count};
    if (is_map) {
        struct value_member *members = ARENA_ARRAY(arena, struct value_member, count ? count : 1);
        if (!members)
            return no_memory(reader, (count ? count : 1) * sizeof *members);
        for (; first; first = first->next)
            members[i++] = first->member;
        out->members = members;
    } else {
        struct value *items = ARENA_ARRAY(arena, struct value, count ? count : 1);
        if (!items)
            return no_memory(reader, (count ? count : 1) * sizeof *items);
        for (; first; first = first->next)
            items[i++] = first->member.value;
        out->items = items;
    }
    return true;
}

static bool read_container(struct reader *reader, struct value *out, unsigned depth)
{
    bool is_map = *reader->at.p == '{';
    struct link *first = NULL, **end = &first;
    uint32_t count = 0;
    int more;
    if (depth == 0)
        return too_deep(reader);
    reader->at.p++;
    while ((more = json_scan_entry(&reader->at, is_map ? '}' : ']', count == 0)) > 0) {
        struct link *link = arena_allocate(&reader->context->arena, sizeof *link);
        if (!link)
            return no_memory(reader, sizeof *link);
        *link = (struct link){0};
        if ((is_map && !read_key(reader, &link->member.name)) ||
            !read_value(reader, &link->member.value, depth - 1))
            return false;
        *end = link;
        end = &link->next;
        count++;
    }
    return more == 0 && lay_out(reader, first, count, is_map, out);
}

static bool read_string(struct reader *reader, struct value *out)
{
    struct text text;
    if (!read_text(reader, &text))
        return false;
    *out =
        (struct value){.type = VALUE_STRING, .length = (uint32_t)text.length, .string = text.data};
    return true;
}

static bool read_word(struct reader *reader, struct value *out)
{
    char word = json_scan_word(&reader->at);
    if (word == 'n')
        *out = (struct value){.type = VALUE_NULL, .length = 1}; /* written, so not missing */
    else
        *out = value_bool(word == 't');
    return word != 0;
}

static bool read_value(struct reader *reader, struct value *out, unsigned depth)
{
    if (reader->at.p == reader->at.end)
        return json_fail(&reader->at, "expected a value");
    switch (*reader->at.p) {
    case '{':
    case '[':
        return read_container(reader, out, depth);
    case '"':
        return read_string(reader, out);
    case 't':
    case 'f':
    case 'n':
        return read_word(reader, out);
    default:
        if (*reader->at.p != '-' && (*reader->at.p < '0' || *reader->at.p > '9'))
            return json_fail(&reader->at, "expected a value");
        *out = (struct value){.type = VALUE_NUMBER};
        return json_scan_number(&reader->at, &out->number);
    }
}

/* --- from an object into slots --------------------------------------------------------------- */

/* Recursion is bounded by the depth that was read. */
static void forget_below(struct context *context, uint32_t name)
{
    uint32_t next;
    for (uint32_t at = context->traces[name].first; at; at = next) {
        uint16_t slot = context->attributes->names[at].slot;
        if (slot != ATTRIBUTE_NONE)
            context->slots[slot] = (struct value){0};
        forget_below(context, at);
        next = context->traces[at].next;
        context->traces[at].reading = 0;
    }
    context->traces[name].first = 0;
}

/* Not of an attribute at the top that nothing is below: it can neither hold nor be what has to be
 * forgotten. */
static inline bool leaves_trace(const struct attribute_name *name)
{
    return (name->first_child | name->parent) != 0;
}

/* Where a key stands twice, the last one counts: what the first one left below it goes. */
static void enter(struct context *context, uint32_t index, uint32_t parent)
{
    struct trace *trace = &context->traces[index];
    if (trace->reading == context->reading) {
        forget_below(context, index);
        return;
    }
    *trace = (struct trace){.reading = context->reading};
    if (parent) {
        trace->next = context->traces[parent].first;
        context->traces[parent].first = index;
    }
}

/* An attribute that was read whole is also asked for in parts. */
static void hand_out(struct context *context, uint32_t parent, const struct value *whole)
{
    for (uint32_t i = 0; whole->type == VALUE_MAP && i < whole->length; i++) {
        const struct value_member *member = &whole->members[i];
        uint32_t child = attributes_child(context->attributes, parent, member->name);
        if (!child)
            continue;
        const struct attribute_name *name = &context->attributes->names[child];
        if (leaves_trace(name))
            enter(context, child, parent);
        if (name->slot != ATTRIBUTE_NONE)
            context->slots[name->slot] = member->value;
        if (name->first_child)
            hand_out(context, child, &member->value);
    }
}

static bool read_object(struct reader *reader, uint32_t parent, unsigned depth);

/* The value of an attribute somebody asks for, or has asked for something below it. */
static bool read_attribute(struct reader *reader, uint32_t index, unsigned depth)
{
    struct context *context = reader->context;
    const struct attribute_name *name = &context->attributes->names[index];
    if (leaves_trace(name))
        enter(context, index, name->parent);
    if (name->slot != ATTRIBUTE_NONE) {
        struct value *whole = &context->slots[name->slot];
        if (!read_value(reader, whole, depth))
            return false;
        if (name->first_child)
            hand_out(context, index, whole);
        return true;
    }
    if (reader->at.p < reader->at.end && *reader->at.p == '{')
        return read_object(reader, index, depth);
    return json_skip_value(&reader->at, depth);
}

static bool read_object(struct reader *reader, uint32_t parent, unsigned depth)
{
    bool first = true;
    int more;
    if (depth == 0)
        return too_deep(reader);
    reader->at.p++;
    while ((more = json_scan_entry(&reader->at, '}', first)) > 0) {
        struct text key;
        first = false;
        if (!read_key(reader, &key))
            return false;
        uint32_t child = attributes_child(reader->context->attributes, parent, key);
        if (child ? !read_attribute(reader, child, depth - 1)
                  : !json_skip_value(&reader->at, depth - 1))
            return false;
    }
    return more == 0;
}

/* The evaluator puts "$flagd" into every context, so that none is empty or flat; what stands below
 * it is the machine's to say. */
static bool add_flagd(struct reader *reader, struct value *root)
{
    struct arena *arena = &reader->context->arena;
    struct value_member *members =
        ARENA_ARRAY(arena, struct value_member, (size_t)root->length + 1);
    struct value_member *nothing = ARENA_NEW(arena, struct value_member);
    if (!members || !nothing)
        return no_memory(reader, ((size_t)root->length + 2) * sizeof *members);
    if (root->length)
        memcpy(members, root->members, root->length * sizeof *members);
    members[root->length] = (struct value_member){.name = TEXT("$flagd"),
                                                  .value = {.type = VALUE_MAP, .members = nothing}};
    root->members = members;
    root->length++;
    return true;
}

/* The context itself, whole where a rule may ask for any of it. */
static bool read_root(struct reader *reader)
{
    struct context *context = reader->context;
    const struct attribute_name *root = &context->attributes->names[0];
    if (root->slot == ATTRIBUTE_NONE)
        return read_object(reader, 0, CONTEXT_MAX_DEPTH);
    struct value *whole = &context->slots[root->slot];
    if (!read_value(reader, whole, CONTEXT_MAX_DEPTH))
        return false;
    hand_out(context, 0, whole);
    return add_flagd(reader, whole);
}

/* Where "context" stands more often than twice, those between the first and the last are only
 * checked. */
static bool read_last(struct reader *reader, const char *last, bool is_object)
{
    const char *end = reader->at.p;
    forget_all(reader->context);
    reader->at.p = last;
    if (is_object && !read_root(reader))
        return false;
    reader->at.p = end;
    return true;
}

/* A request's body: {"context": {…}}, other members checked and passed over. */
static bool read_request(struct reader *reader, bool *found)
{
    const char *taken = NULL, *last = NULL; /* of the members "context" */
    bool first = true;
    int more;
    *found = false;
    reader->at.p++;
    while ((more = json_scan_entry(&reader->at, '}', first)) > 0) {
        struct text key;
        first = false;
        if (!read_key(reader, &key))
            return false;
        bool is_context = text_is(key, "context");
        if (is_context) {
            last = reader->at.p;
            *found = last < reader->at.end && *last == '{';
        }
        if (is_context && *found && !taken) {
            taken = last;
            if (!read_root(reader))
                return false;
        } else if (!json_skip_value(&reader->at, CONTEXT_MAX_DEPTH)) {
            return false;
        }
    }
    return more == 0 && (last == taken || read_last(reader, last, *found));
}

static enum status read_whole(struct context *context, struct attributes *attributes,
                              struct text json, bool request, struct error *error)
{
    struct reader reader = {
        .at = {.p = json.data, .end = json.data + json.length, .too_deep = too_deep_words},
        .context = context};
    bool found = true, good;
    enum status status = context_begin(context, attributes);
    if (status != STATUS_OK)
        return error_set(error, status, "no memory");
    if (json.length > CONTEXT_MAX_BYTES)
        return error_set(error, STATUS_LIMIT,
                         "context of %zu bytes is larger than the limit of %zu", json.length,
                         CONTEXT_MAX_BYTES);
    json_scan_space(&reader.at);
    if (reader.at.p == reader.at.end || *reader.at.p != '{')
        good = json_skip_value(&reader.at, CONTEXT_MAX_DEPTH) &&
               json_fail(&reader.at, "expected a JSON object");
    else
        good = request ? read_request(&reader, &found) : read_root(&reader);
    if (good) {
        json_scan_space(&reader.at);
        if (reader.at.p != reader.at.end)
            good = json_fail(&reader.at, "something stands after the value");
    }
    if (!good) {
        uint32_t line, column;
        forget_all(context); /* the half of it: `json` may be gone when somebody asks */
        json_place(json.data, reader.at.p, &line, &column);
        return error_set_at(error, reader.at.status, line, column, "%s", reader.at.problem);
    }
    if (!found)
        return error_set(error, STATUS_NOT_FOUND, "\"context\" must be there and be an object");
    return STATUS_OK;
}

enum status context_read(struct context *context, struct attributes *attributes, struct text json,
                         struct error *error)
{
    return read_whole(context, attributes, json, false, error);
}

enum status context_read_request(struct context *context, struct attributes *attributes,
                                 struct text body, struct error *error)
{
    return read_whole(context, attributes, body, true, error);
}
