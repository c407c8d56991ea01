/* libyaml's events into nodes. Everything libyaml would let pass and we would not is refused
 * here. */
#include "yaml.h"

#include <yaml.h>

#include "codes.h"
#include "json.h"
#include "json_scan.h"
#include "utf8.h"

#define SMALL_MAP 32

struct loader {
    struct arena *arena;
    struct text path, source;
    struct diagnostics *diagnostics;
    yaml_parser_t parser;
    struct node *stack[YAML_MAX_DEPTH]; /* open lists and maps */
    struct node *last[YAML_MAX_DEPTH];  /* their newest entry */
    struct node *pending;               /* a map's key that waits for its value */
    struct node *root;
    uint32_t depth, nodes, documents;
    enum status status;
};

static struct place place_of(const struct loader *loader, const yaml_mark_t *mark)
{
    return (struct place){loader->path, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

static bool fault(struct loader *loader, const char *code, const yaml_mark_t *mark,
                  const char *hint, const char *message)
{
    diagnostics_add(loader->diagnostics, code, place_of(loader, mark), hint, "%s", message);
    loader->status = STATUS_INVALID;
    return false;
}

static bool no_memory(struct loader *loader)
{
    loader->status = STATUS_NO_MEMORY;
    return false;
}

/* --- scalars: YAML 1.2 core, section 10.3.2, with true and false in lower case only ---------- */

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const special_numbers[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                              "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                              ".NaN",  ".NAN",  NULL};

static bool is_one_of(struct text text, const char *const *words)
{
    char first = text.length ? text.data[0] : '\0';
    for (; *words; words++) {
        if (**words == first && text_is(text, *words))
            return true;
    }
    return false;
}

/* Whether a plain scalar may be anything but a string. Asked of every key and value, and nearly
 * always answered by its first byte. */
static bool may_be_special(struct text text)
{
    if (text.length == 0)
        return true;
    switch (text.data[0]) {
    case '~':
        return text.length == 1;
    case 'n':
    case 'N':
    case 't':
        return text.length == 4; /* null, true */
    case 'f':
        return text.length == 5; /* false */
    default:
        return text.data[0] <= '9' && text.data[0] >= '+'; /* digits, signs and the point */
    }
}

static bool looks_like_number(struct text text)
{
    size_t i = text.length && (text.data[0] == '-' || text.data[0] == '+');
    bool digits = false, point = false;
    for (; i < text.length; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9')
            digits = true;
        else if (c == '.' && !point)
            point = true;
        else
            break;
    }
    if (!digits)
        return false;
    if (i == text.length)
        return true;
    if (text.data[i] != 'e' && text.data[i] != 'E')
        return false;
    i++;
    if (i < text.length && (text.data[i] == '-' || text.data[i] == '+'))
        i++;
    if (i == text.length)
        return false;
    for (; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return true;
}

/* 0x1F and 0o17: integers of YAML 1.2 core. Exact up to 2^53; what is larger only has to stay
 * larger. */
static bool read_prefixed(struct text text, double *out)
{
    double value = 0;
    if (text.length < 3 || text.data[0] != '0')
        return false;
    unsigned base = text.data[1] == 'x' ? 16 : text.data[1] == 'o' ? 8 : 0;
    if (base == 0)
        return false;
    for (size_t i = 2; i < text.length; i++) {
        char c = text.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 99;
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return true;
}

/* YAML allows +1, 01, .5 and 1. where JSON does not: bring them into JSON's form. */
static bool read_decimal(struct text text, double *out)
{
    char copy[400];
    size_t length = 0, i = 0;
    if (text.length > sizeof copy - 4)
        return false;
    if (text.data[0] == '-')
        copy[length++] = '-';
    if (text.data[0] == '-' || text.data[0] == '+')
        i = 1;
    while (i + 1 < text.length && text.data[i] == '0' && text.data[i + 1] >= '0' &&
           text.data[i + 1] <= '9')
        i++;
    if (text.data[i] == '.')
        copy[length++] = '0';
    for (; i < text.length; i++) {
        copy[length++] = text.data[i];
        bool digit_follows =
            i + 1 < text.length && text.data[i + 1] >= '0' && text.data[i + 1] <= '9';
        if (text.data[i] == '.' && !digit_follows)
            copy[length++] = '0';
    }
    return number_parse((struct text){copy, length}, out);
}

static bool read_number(struct loader *loader, struct node *node, struct text text,
                        const yaml_mark_t *mark)
{
    if (text.length == 0 || text.data[0] < '+' || text.data[0] > '9')
        return false;
    bool prefixed = read_prefixed(text, &node->number);
    if (!prefixed && !looks_like_number(text)) {
        /* Asked of nearly every string, and nearly always answered by its first byte. */
        if (text.length && strchr(".+-", text.data[0]) && is_one_of(text, special_numbers))
            return fault(loader, CODE_NUMBER, mark, "put it in quotes when it is a string",
                         "infinities and NaN are refused");
        return false;
    }
    node->type = NODE_NUMBER;
    bool whole = prefixed || !memchr(text.data, '.', text.length);
    if ((!prefixed && !read_decimal(text, &node->number)) ||
        (whole && (node->number > NUMBER_SAFE_INTEGER || node->number < -NUMBER_SAFE_INTEGER)))
        fault(loader, CODE_NUMBER, mark, "put it in quotes when it is an identifier",
              "number is beyond what every engine keeps exactly (2^53 - 1)");
    return true;
}

static bool set_scalar(struct loader *loader, struct node *node, const yaml_event_t *event)
{
    struct text text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && may_be_special(text);
    if (plain && text.length <= 4 && is_one_of(text, nulls)) {
        node->type = NODE_NULL;
    } else if (plain && (text_is(text, "true") || text_is(text, "false"))) {
        node->type = NODE_BOOL;
        node->boolean = text.length == 4;
    } else if (!plain || !read_number(loader, node, text, &event->start_mark)) {
        node->type = NODE_STRING;
        if (!arena_copy(loader->arena, text, &node->string))
            return no_memory(loader);
    }
    return loader->status == STATUS_OK;
}

/* --- the tree -------------------------------------------------------------------------------- */

static struct node *new_node(struct loader *loader, const yaml_event_t *event)
{
    if (++loader->nodes > YAML_MAX_NODES) {
        fault(loader, CODE_NODES, &event->start_mark, "split the document",
              "the document holds more than 200000 values");
        return NULL;
    }
    struct node *node = ARENA_NEW(loader->arena, struct node);
    if (!node) {
        no_memory(loader);
        return NULL;
    }
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    return node;
}

static bool duplicate_key(struct loader *loader, const struct node *first,
                          const struct node *second)
{
    struct text key = second->key;
    struct diagnostic *made =
        diagnostics_add(loader->diagnostics, CODE_DUPLICATE_KEY,
                        (struct place){loader->path, second->key_line, second->key_column},
                        "remove one of the two", "key \"%.*s\" stands twice in this map",
                        (int)(key.length < 100 ? key.length : 100), key.data);
    diagnostic_also(loader->diagnostics, made,
                    (struct place){loader->path, first->key_line, first->key_column});
    loader->status = STATUS_INVALID;
    return false;
}

static int by_key(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = text_compare(x->key, y->key);
    if (order == 0)
        order = (x->key_line > y->key_line) - (x->key_line < y->key_line);
    return order ? order : (x->key_column > y->key_column) - (x->key_column < y->key_column);
}

/* Small maps are compared key by key as they grow; a large one, once, sorted, when it is whole. */
static bool check_large_map(struct loader *loader, const struct node *map)
{
    size_t count = 0;
    if (map->type != NODE_MAP || map->count <= SMALL_MAP)
        return true;
    const struct node **entries = ARENA_ARRAY(loader->arena, const struct node *, map->count);
    if (!entries)
        return no_memory(loader);
    for (const struct node *entry = map->first; entry; entry = entry->next)
        entries[count++] = entry;
    qsort(entries, count, sizeof *entries, by_key);
    for (size_t i = 1; i < count; i++) {
        if (text_equal(entries[i - 1]->key, entries[i]->key))
            return duplicate_key(loader, entries[i - 1], entries[i]);
    }
    return true;
}

/* Whether a plain scalar is a string to YAML, and not null, a boolean or a number. */
static bool is_plain_string(struct text text)
{
    double number;
    if (!may_be_special(text))
        return true;
    return !is_one_of(text, nulls) && !text_is(text, "true") && !text_is(text, "false") &&
           !looks_like_number(text) && !read_prefixed(text, &number) &&
           !is_one_of(text, special_numbers);
}

/* A scalar where a key is due becomes the pending entry. */
static bool take_key(struct loader *loader, const yaml_event_t *event)
{
    const struct node *map = loader->stack[loader->depth - 1];
    struct text text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && text_is(text, "<<"))
        return fault(loader, CODE_ANCHOR, &event->start_mark, "write the fields out",
                     "merge keys (<<) are refused");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_plain_string(text))
        return fault(loader, CODE_KEY, &event->start_mark, "put the key in quotes",
                     "a key must be a plain string");
    struct node *entry = new_node(loader, event);
    if (!entry)
        return false;
    /* Not copied from the node: what was just stored in two halves is slow to load as one. */
    entry->key_line = (uint32_t)event->start_mark.line + 1;
    entry->key_column = (uint32_t)event->start_mark.column + 1;
    if (!arena_copy(loader->arena, text, &entry->key))
        return no_memory(loader);
    const struct node *same = map->count < SMALL_MAP ? map->first : NULL;
    for (; same; same = same->next) {
        if (text_equal(same->key, text))
            return duplicate_key(loader, same, entry);
    }
    loader->pending = entry;
    return true;
}

/* The node for a value: the pending map entry, a new list entry, or the document's root. */
static struct node *place_value(struct loader *loader, const yaml_event_t *event)
{
    struct node *node = loader->pending;
    if (node) {
        node->line = (uint32_t)event->start_mark.line + 1;
        node->column = (uint32_t)event->start_mark.column + 1;
        loader->pending = NULL;
    } else {
        node = new_node(loader, event);
        if (!node)
            return NULL;
    }
    if (loader->depth == 0) {
        loader->root = node;
        return node;
    }
    struct node *parent = loader->stack[loader->depth - 1];
    if (loader->last[loader->depth - 1])
        loader->last[loader->depth - 1]->next = node;
    else
        parent->first = node;
    loader->last[loader->depth - 1] = node;
    parent->count++;
    return node;
}

static bool expects_key(const struct loader *loader)
{
    return loader->depth > 0 && loader->stack[loader->depth - 1]->type == NODE_MAP &&
           !loader->pending;
}

static bool has_property(struct loader *loader, const yaml_event_t *event,
                         const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return !fault(loader, CODE_ANCHOR, &event->start_mark, "write the value out",
                      "anchors are refused: a definition must read the same from any place");
    if (tag)
        return !fault(loader, CODE_TAG, &event->start_mark, "remove the tag", "tags are refused");
    return false;
}

static bool on_scalar(struct loader *loader, const yaml_event_t *event)
{
    if (has_property(loader, event, event->data.scalar.anchor, event->data.scalar.tag))
        return false;
    if (expects_key(loader))
        return take_key(loader, event);
    struct node *node = place_value(loader, event);
    return node && set_scalar(loader, node, event);
}

static bool open_container(struct loader *loader, const yaml_event_t *event, enum node_type type,
                           const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (has_property(loader, event, anchor, tag))
        return false;
    if (expects_key(loader))
        return fault(loader, CODE_KEY, &event->start_mark, NULL, "a key must be a plain string");
    if (loader->depth == YAML_MAX_DEPTH)
        return fault(loader, CODE_DEPTH, &event->start_mark, NULL, "nested deeper than 64 levels");
    struct node *node = place_value(loader, event);
    if (!node)
        return false;
    node->type = type;
    loader->last[loader->depth] = NULL;
    loader->stack[loader->depth++] = node;
    return true;
}

static bool on_event(struct loader *loader, const yaml_event_t *event, yaml_document *document,
                     void *context)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(loader, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(loader, event, NODE_LIST, event->data.sequence_start.anchor,
                              event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_container(loader, event, NODE_MAP, event->data.mapping_start.anchor,
                              event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        loader->depth--;
        return check_large_map(loader, loader->stack[loader->depth]);
    case YAML_ALIAS_EVENT:
        return fault(loader, CODE_ANCHOR, &event->start_mark, "write the value out",
                     "aliases are refused");
    case YAML_DOCUMENT_START_EVENT:
        arena_reset(loader->arena);
        loader->root = NULL;
        loader->nodes = 0;
        if (++loader->documents > YAML_MAX_DOCUMENTS)
            return fault(loader, CODE_DOCUMENTS, &event->start_mark, "split the file",
                         "more than 1000 documents in one file");
        return true;
    case YAML_DOCUMENT_END_EVENT:
        if (loader->root && !(loader->root->type == NODE_NULL))
            loader->status = document(context, loader->root);
        return loader->status == STATUS_OK;
    default:
        return true;
    }
}

/* What makes most files no YAML, and what libyaml has no words for; NULL: something else. */
static const char *parser_hint(const struct loader *loader, uint32_t line)
{
    struct text left = loader->source;
    for (uint32_t number = 1; left.length; number++) {
        const char *end = memchr(left.data, '\n', left.length);
        struct text one = {left.data, end ? (size_t)(end - left.data) : left.length};
        if (text_starts_with(one, TEXT("<<<<<<< ")) || text_starts_with(one, TEXT(">>>>>>> ")))
            return "a merge left its conflict in this file: resolve it";
        while (number == line && one.length && one.data[0] == ' ') {
            one.data++;
            one.length--;
        }
        if (number == line && one.length && one.data[0] == '\t')
            return "indent by spaces: YAML takes no tabs there";
        size_t taken = (size_t)(one.data - left.data) + one.length + (end != NULL);
        left.data += taken;
        left.length -= taken;
    }
    return NULL;
}

/* libyaml's own words are good; only the place has to be found. */
static void parser_fault(struct loader *loader)
{
    const yaml_parser_t *parser = &loader->parser;
    struct place place = {loader->path, (uint32_t)parser->problem_mark.line + 1,
                          (uint32_t)parser->problem_mark.column + 1};
    if (parser->error == YAML_MEMORY_ERROR) {
        loader->status = STATUS_NO_MEMORY;
        return;
    }
    loader->status = STATUS_INVALID;
    if (parser->error == YAML_READER_ERROR) {
        /* A byte offset: control characters come here, invalid UTF-8 was found before. */
        place.line = place.column = 1;
        for (size_t i = 0; i < parser->problem_offset && i < loader->source.length; i++) {
            bool newline = loader->source.data[i] == '\n';
            place.line += newline;
            place.column =
                newline ? 1
                        : place.column + (((unsigned char)loader->source.data[i] & 0xc0) != 0x80);
        }
    }
    struct diagnostic *made =
        diagnostics_add(loader->diagnostics, CODE_YAML, place, parser_hint(loader, place.line),
                        "%s%s%s", parser->problem ? parser->problem : "not YAML",
                        parser->context ? ", " : "", parser->context ? parser->context : "");
    if (parser->context && (parser->context_mark.line != parser->problem_mark.line ||
                            parser->context_mark.column != parser->problem_mark.column))
        diagnostic_also(loader->diagnostics, made,
                        (struct place){loader->path, (uint32_t)parser->context_mark.line + 1,
                                       (uint32_t)parser->context_mark.column + 1});
}

/* The place of a byte, for a file that may not be UTF-8: columns count bytes there. */
static struct place place_of_byte(const struct loader *loader, size_t offset)
{
    struct place place = {loader->path, 1, 1};
    for (size_t i = 0; i < offset; i++) {
        place.line += loader->source.data[i] == '\n';
        place.column = loader->source.data[i] == '\n' ? 1 : place.column + 1;
    }
    return place;
}

/* U+0085, U+2028 and U+2029 end a line for libyaml, as in YAML 1.1, and are characters like others
 * for YAML 1.2 and for editors: the value would change, and every place behind them. */
static bool has_plain_lines(struct loader *loader)
{
    static const struct text breaks[] = {{"\xc2\x85", 2}, {"\xe2\x80\xa8", 3}, {"\xe2\x80\xa9", 3}};
    for (size_t i = 0; i < COUNT_OF(breaks); i++) {
        const char *end = loader->source.data + loader->source.length;
        /* memchr() reads ten times as fast as memmem(), and most files are ASCII. */
        const char *found = loader->source.length ? memchr(loader->source.data, breaks[i].data[0],
                                                           loader->source.length)
                                                  : NULL;
        if (found)
            found = memmem(found, (size_t)(end - found), breaks[i].data, breaks[i].length);
        if (!found)
            continue;
        struct place place = {loader->path, 1, 1};
        json_place(loader->source.data, found, &place.line, &place.column);
        diagnostics_add(loader->diagnostics, CODE_YAML, place,
                        "write it as \\u0085, \\u2028 or \\u2029 in double quotes",
                        "a character that only YAML 1.1 takes for the end of a line");
        return false;
    }
    return true;
}

static bool source_is_acceptable(struct loader *loader)
{
    if (loader->source.length > YAML_MAX_BYTES) {
        diagnostics_add(loader->diagnostics, CODE_FILE_SIZE, (struct place){loader->path, 0, 0},
                        "split the file", "file has %zu bytes; at most %zu are read",
                        loader->source.length, YAML_MAX_BYTES);
        return false;
    }
    size_t valid = utf8_valid_length(loader->source);
    if (valid == loader->source.length)
        return has_plain_lines(loader);
    diagnostics_add(loader->diagnostics, CODE_UTF8, place_of_byte(loader, valid),
                    "save the file as UTF-8", "byte 0x%02x is not UTF-8",
                    (unsigned char)loader->source.data[valid]);
    return false;
}

/* libyaml takes a byte order mark for the first column, so that a file's first key would stand
 * deeper than its second. */
static struct text without_mark(struct text source)
{
    bool marked = source.length >= 3 && memcmp(source.data, "\xef\xbb\xbf", 3) == 0;
    return marked ? (struct text){source.data + 3, source.length - 3} : source;
}

enum status yaml_read(struct arena *arena, struct text path, struct text source,
                      yaml_document *document, void *context, struct diagnostics *diagnostics)
{
    bool more = true;
    source = without_mark(source);
    struct loader loader = {
        .arena = arena, .path = path, .source = source, .diagnostics = diagnostics};
    if (!source_is_acceptable(&loader))
        return STATUS_INVALID;
    if (!yaml_parser_initialize(&loader.parser))
        return STATUS_NO_MEMORY;
    yaml_parser_set_encoding(&loader.parser, YAML_UTF8_ENCODING);
    /* An empty file has no bytes at all, which libyaml takes for a mistake. */
    const char *bytes = source.length ? source.data : "";
    yaml_parser_set_input_string(&loader.parser, (const unsigned char *)bytes, source.length);
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&loader.parser, &event)) {
            parser_fault(&loader);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT && on_event(&loader, &event, document, context);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&loader.parser);
    return loader.status;
}
