#include "oracle.h"

#include <math.h>

/* Each entry of a list takes some 60 bytes decoded and two in the text: less text than this cannot
 * need CONTEXT_MEMORY, however often it is asked for as a whole and in parts. */
#define MEMORY_MATTERS ((size_t)64 << 10)

/* How deep brackets stand in one another, quotes heeded: right for JSON, and for any beginning of
 * JSON. */
static unsigned deepest(struct text json)
{
    unsigned depth = 0, most = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            depth++;
            most = depth > most ? depth : most;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return most;
}

enum verdict oracle_read(struct text json, unsigned depth, json_t **out)
{
    json_error_t problem;
    *out = NULL;
    if (json.length && memchr(json.data, '\0', json.length))
        return VERDICT_REFUSE;
    *out = json_loadb(json.data, json.length,
                      JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &problem);
    if (*out)
        return deepest(json) > depth ? VERDICT_LIMIT : VERDICT_ACCEPT;
    switch (json_error_code(&problem)) {
    case json_error_null_byte_in_key:
    case json_error_out_of_memory:
    case json_error_stack_overflow:
        return VERDICT_UNKNOWN;
    default:
        return VERDICT_REFUSE;
    }
}

void oracle_check_status(enum verdict verdict, struct text json, unsigned depth, enum status status,
                         const struct error *error)
{
    if (status == STATUS_LIMIT) {
        FUZZ_CHECK(deepest(json) > depth || json.length > MEMORY_MATTERS,
                   "refused for a limit it is within: %s", error->message);
        return;
    }
    switch (verdict) {
    case VERDICT_ACCEPT:
        FUZZ_CHECK(status == STATUS_OK || status == STATUS_NOT_FOUND,
                   "jansson reads it, ours says %u:%u %s", error->line, error->column,
                   error->message);
        break;
    case VERDICT_REFUSE:
        FUZZ_CHECK(status == STATUS_INVALID, "jansson refuses it, ours says %d", (int)status);
        break;
    case VERDICT_LIMIT:
        FUZZ_CHECK(status != STATUS_OK, "deeper than %u was read", depth);
        break;
    case VERDICT_UNKNOWN:
        break;
    }
}

static void check_value(const struct value *value, const json_t *expected, const char *path);

static void check_list(const struct value *value, const json_t *expected, const char *path)
{
    FUZZ_CHECK(value->length == json_array_size(expected), "%s: %u entries, jansson has %zu", path,
               value->length, json_array_size(expected));
    for (uint32_t i = 0; i < value->length; i++)
        check_value(&value->items[i], json_array_get(expected, i), path);
}

/* Of equal names the last one counts, wherever a member is looked for. */
static const struct value *last_member(const struct value *map, const char *name)
{
    for (uint32_t i = map->length; i-- > 0;) {
        if (text_is(map->members[i].name, name))
            return &map->members[i].value;
    }
    return NULL;
}

static void check_map(const struct value *value, const json_t *expected, const char *path)
{
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)(uintptr_t)expected, key, inner)
    {
        const struct value *found = last_member(value, key);
        FUZZ_CHECK(found, "%s: member \"%s\" is missing", path, key);
        check_value(found, inner, path);
    }
    for (uint32_t i = 0; i < value->length; i++) {
        struct text name = value->members[i].name;
        FUZZ_CHECK(json_object_getn(expected, name.data ? name.data : "", name.length),
                   "%s: member \"%.*s\" that jansson has not", path, FUZZ_TEXT(name));
    }
}

static enum value_type type_of(const json_t *expected)
{
    switch (expected ? json_typeof(expected) : JSON_NULL) {
    case JSON_OBJECT:
        return VALUE_MAP;
    case JSON_ARRAY:
        return VALUE_LIST;
    case JSON_STRING:
        return VALUE_STRING;
    case JSON_INTEGER:
    case JSON_REAL:
        return VALUE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return VALUE_BOOL;
    case JSON_NULL:
        break;
    }
    return VALUE_NULL;
}

static void check_value(const struct value *value, const json_t *expected, const char *path)
{
    double number;
    struct text string;
    FUZZ_CHECK(value->type == type_of(expected), "%s: type %u, jansson has %u", path, value->type,
               type_of(expected));
    switch (value->type) {
    case VALUE_BOOL:
        FUZZ_CHECK(value->boolean == json_is_true(expected), "%s: another boolean", path);
        break;
    case VALUE_NUMBER:
        number = json_real_value(expected);
        FUZZ_CHECK(number == value->number && signbit(number) == signbit(value->number),
                   "%s: %.17g, jansson has %.17g", path, value->number, number);
        break;
    case VALUE_STRING:
        string = (struct text){json_string_value(expected), json_string_length(expected)};
        FUZZ_CHECK(text_equal((struct text){value->string, value->length}, string),
                   "%s: another string", path);
        break;
    case VALUE_LIST:
        check_list(value, expected, path);
        break;
    case VALUE_MAP:
        check_map(value, expected, path);
        break;
    default:
        break;
    }
}

/* Walks a dotted path from map to map. */
static const json_t *find(const json_t *object, const char *path)
{
    while (object && path) {
        const char *dot = strchr(path, '.');
        size_t length = dot ? (size_t)(dot - path) : strlen(path);
        object = json_object_getn(object, path, length);
        path = dot ? dot + 1 : NULL;
    }
    return object;
}

void oracle_check_slots(const struct context *context, const json_t *object)
{
    char path[64];
    for (uint16_t slot = 0; slot < context->attributes->slots; slot++) {
        attributes_path(context->attributes, slot, path, sizeof path);
        check_value(&context->slots[slot], find(object, path), path);
    }
}
