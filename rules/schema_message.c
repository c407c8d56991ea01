#include "schema_private.h"

#include <stdarg.h>

#include "codes.h"
#include "json.h"
#include "similar.h"
#include "utf8.h"

#define WORDS_SIZE 900
#define QUOTED_MAX 60  /* bytes of a person's own text in a message */
#define PATH_LEVELS 16 /* of a dotted path; the outer ones are left out beyond */
#define LISTED_MAX 40  /* names in "one of" */

/* A message in the making; what does not fit is cut. */
struct words {
    char text[WORDS_SIZE];
    size_t length;
};

static void add_bytes(struct words *words, const char *data, size_t length)
{
    size_t room = sizeof words->text - 1 - words->length;
    if (length > room)
        length = room;
    if (length)
        memcpy(words->text + words->length, data, length);
    words->length += length;
    words->text[words->length] = '\0';
}

static void add(struct words *words, const char *string)
{
    add_bytes(words, string, strlen(string));
}

static void add_format(struct words *words, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_format(struct words *words, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add(words, text);
}

/* One character as it may stand between quotes on one line of a terminal; returns its bytes. */
static size_t add_escaped(struct words *words, const unsigned char *at, size_t left)
{
    if (*at == '"' || *at == '\\') {
        add_format(words, "\\%c", *at);
        return 1;
    }
    if (*at < 0x20 || *at == 0x7f) {
        add_format(words, "\\x%02x", *at);
        return 1;
    }
    if (*at == 0xc2 && left > 1 && at[1] < 0xa0) {
        add_format(words, "\\x%02x", at[1]);
        return 2;
    }
    add_bytes(words, (const char *)at, 1);
    return 1;
}

static void add_quoted(struct words *words, struct text text)
{
    bool cut = text.length > QUOTED_MAX;
    if (cut)
        text.length = utf8_valid_length((struct text){text.data, QUOTED_MAX});
    add(words, "\"");
    for (size_t i = 0; i < text.length;)
        i += add_escaped(words, (const unsigned char *)text.data + i, text.length - i);
    add(words, cut ? "…\"" : "\"");
}

static void add_number(struct words *words, double number)
{
    char text[NUMBER_TEXT_SIZE];
    add_bytes(words, text, number_format(number, text));
}

static void add_value(struct words *words, const struct node *node)
{
    switch (node->type) {
    case NODE_NULL:
        add(words, "null");
        break;
    case NODE_BOOL:
        add(words, node->boolean ? "true" : "false");
        break;
    case NODE_NUMBER:
        add_number(words, node->number);
        break;
    case NODE_STRING:
        add_quoted(words, node->string);
        break;
    case NODE_LIST:
    case NODE_MAP:
        add_format(words, "a %s", node_type_name(node->type));
        break;
    }
}

/* --- places
 * ------------------------------------------------------------------------------------------ */

static bool is_plain(struct text name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '$'))
            return false;
    }
    return name.length > 0 && name.length <= QUOTED_MAX;
}

static void add_step(struct words *words, struct text key)
{
    if (is_plain(key)) {
        if (words->length > 0)
            add(words, ".");
        add_bytes(words, key.data, key.length);
        return;
    }
    add(words, "[");
    add_quoted(words, key);
    add(words, "]");
}

/* "spec.rules[0].when"; nothing for the root. */
static void add_path(struct words *words, const struct spot *spot, unsigned levels)
{
    while (spot && spot->is_key)
        spot = spot->up;
    if (!spot || !spot->up)
        return;
    if (levels == 0) {
        add(words, "…");
        return;
    }
    add_path(words, spot->up, levels - 1);
    if (spot->in_map)
        add_step(words, spot->node->key);
    else
        add_format(words, "[%u]", (unsigned)spot->index);
}

/* Begins a message: "spec.default: ". False when nobody listens. */
static bool begin(struct checker *checker, struct words *words, const struct spot *spot)
{
    words->length = 0;
    words->text[0] = '\0';
    if (!checker_reports(checker))
        return false;
    if (checker->out->count >= DIAGNOSTICS_KEPT)
        return true; /* it will only be counted */
    add_path(words, spot, PATH_LEVELS);
    if (words->length > 0)
        add(words, ": ");
    return true;
}

static struct place place_at(const struct checker *checker, const struct node *node)
{
    return (struct place){checker->path, node->line, node->column};
}

static struct place place_of_key(const struct checker *checker, const struct node *node)
{
    return (struct place){checker->path, node->key_line, node->key_column};
}

static void say(struct checker *checker, const char *code, struct place place,
                const struct words *message, const struct words *hint)
{
    diagnostics_add(checker->out, code, place, hint && hint->length ? hint->text : NULL, "%s",
                    message->text);
}

/* --- types
 * ------------------------------------------------------------------------------------------- */

static void add_types(struct words *words, unsigned types)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {TYPE_BIT(NODE_BOOL), "a boolean"},  {TYPE_INTEGER, "a whole number"},
        {TYPE_BIT(NODE_NUMBER), "a number"}, {TYPE_BIT(NODE_STRING), "a string"},
        {TYPE_BIT(NODE_LIST), "a list"},     {TYPE_BIT(NODE_MAP), "a map"},
        {TYPE_BIT(NODE_NULL), "null"},
    };
    if (types & TYPE_BIT(NODE_NUMBER))
        types &= ~TYPE_INTEGER;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!(types & names[i].bit))
            continue;
        types &= ~names[i].bit;
        add(words, names[i].name);
        if (types)
            add(words, types & (types - 1) ? ", " : " or ");
    }
}

/* What YAML 1.1 took for a boolean and we do not. */
static const char *old_boolean(struct text word)
{
    static const char *const yes[] = {"on", "On", "ON", "yes", "Yes", "YES", "True", "TRUE"};
    static const char *const no[] = {"off", "Off", "OFF", "no", "No", "NO", "False", "FALSE"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (text_is(word, yes[i]))
            return "true";
        if (text_is(word, no[i]))
            return "false";
    }
    return NULL;
}

static void hint_type(struct words *hint, unsigned types, const struct node *node)
{
    double number;
    hint->length = 0;
    hint->text[0] = '\0';
    if (node->type == NODE_NULL) {
        add(hint, "the value is empty: write one, or remove the field");
    } else if (node->type == NODE_STRING && (types & TYPE_BIT(NODE_BOOL)) &&
               old_boolean(node->string)) {
        add_format(hint, "only true and false are booleans: write %s", old_boolean(node->string));
    } else if (node->type == NODE_STRING && (types & (TYPE_BIT(NODE_NUMBER) | TYPE_INTEGER)) &&
               number_parse(node->string, &number)) {
        add(hint, "write the number without quotes");
    } else if ((node->type == NODE_BOOL || node->type == NODE_NUMBER) &&
               (types & TYPE_BIT(NODE_STRING))) {
        add(hint, "put it in quotes to make it a string: \"");
        add_value(hint, node);
        add(hint, "\"");
    }
}

void fault_type(struct checker *checker, unsigned types, const struct spot *spot)
{
    struct words words, hint;
    if (!begin(checker, &words, spot))
        return;
    add(&words, "expected ");
    add_types(&words, types);
    if (spot->node->type == NODE_NUMBER && (types & TYPE_INTEGER)) {
        add(&words, ", got ");
        add_number(&words, spot->node->number);
    } else {
        add(&words, spot->node->type == NODE_NULL ? ", got " : ", got a ");
        add(&words, node_type_name(spot->node->type));
    }
    hint_type(&hint, types, spot->node);
    say(checker, CODE_SCHEMA_TYPE, place_at(checker, spot->node), &words, &hint);
}

/* --- values
 * ------------------------------------------------------------------------------------------ */

static void add_got(struct words *words, const struct node *node)
{
    add(words, ", got ");
    add_value(words, node);
}

static void hint_similar(struct words *hint, struct text name)
{
    if (!name.length)
        return;
    add(hint, "did you mean ");
    add_quoted(hint, name);
    add(hint, "?");
}

static void hint_value(struct words *hint, const struct node *values, const struct node *node)
{
    struct similar best = {{NULL, 0}, 0};
    hint->length = 0;
    hint->text[0] = '\0';
    if (node->type != NODE_STRING)
        return;
    for (const struct node *value = values->first; value; value = value->next) {
        if (value->type == NODE_STRING)
            similar_offer(&best, node->string, value->string);
    }
    hint_similar(hint, best.name);
}

void fault_values(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    struct words words, hint;
    if (!begin(checker, &words, spot))
        return;
    if (schema->error_message.data) {
        add(&words, schema->error_message.data);
    } else {
        unsigned listed = 0;
        add(&words, schema->values->count == 1 ? "expected " : "expected one of ");
        for (const struct node *value = schema->values->first; value; value = value->next) {
            if (listed++ == LISTED_MAX) {
                add(&words, "…");
                break;
            }
            add_value(&words, value);
            if (value->next)
                add(&words, ", ");
        }
    }
    add_got(&words, spot->node);
    hint_value(&hint, schema->values, spot->node);
    say(checker, CODE_SCHEMA_VALUE, place_at(checker, spot->node), &words, &hint);
}

void fault_constant(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    add(&words, "expected ");
    add_value(&words, schema->constant);
    add_got(&words, spot->node);
    say(checker, CODE_SCHEMA_VALUE, place_at(checker, spot->node), &words, NULL);
}

void fault_pattern(struct checker *checker, const struct schema *schema, const struct spot *spot,
                   enum pattern_result result)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    if (result == PATTERN_GAVE_UP) {
        add_value(&words, spot->node);
        add(&words, " takes too long to match against ");
        add_quoted(&words, pattern_source(schema->pattern));
    } else if (schema->error_message.data) {
        add(&words, schema->error_message.data);
        add_got(&words, spot->node);
    } else {
        add_value(&words, spot->node);
        add(&words, " does not match ");
        add_quoted(&words, pattern_source(schema->pattern));
    }
    say(checker, CODE_SCHEMA_PATTERN, place_at(checker, spot->node), &words, NULL);
}

void fault_range(struct checker *checker, const struct spot *spot, const char *relation,
                 double bound)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    add_format(&words, "expected %s ", relation);
    add_number(&words, bound);
    add_got(&words, spot->node);
    say(checker, CODE_SCHEMA_RANGE, place_at(checker, spot->node), &words, NULL);
}

void fault_size(struct checker *checker, const struct spot *spot, const char *relation,
                size_t bound, const char *unit, size_t count)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    bool is_entry = strcmp(unit, "entry") == 0;
    add_format(&words, "expected %s %zu ", relation, bound);
    add(&words, is_entry ? (bound == 1 ? "entry" : "entries") : unit);
    if (!is_entry && bound != 1)
        add(&words, "s");
    add_format(&words, ", got %zu", count);
    say(checker, CODE_SCHEMA_SIZE, place_at(checker, spot->node), &words, NULL);
}

void fault_repeated(struct checker *checker, const struct spot *spot, const struct node *first)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    add_value(&words, spot->node);
    add(&words, " stands twice in the list");
    struct diagnostic *noted = diagnostics_add(
        checker->out, CODE_SCHEMA_OTHER, place_at(checker, spot->node), NULL, "%s", words.text);
    diagnostic_also(checker->out, noted, place_at(checker, first));
}

/* --- fields
 * ------------------------------------------------------------------------------------------ */

static bool works_now(const struct property *property)
{
    return !schema_target(property->schema)->later.data;
}

static struct text nearest_field(const struct schema *schema, struct text key)
{
    struct similar best = {{NULL, 0}, 0};
    for (size_t i = 0; i < schema->properties.count; i++) {
        if (works_now(&schema->properties.items[i]))
            similar_offer(&best, key, schema->properties.items[i].name);
    }
    return best.name;
}

static void hint_fields(struct words *hint, const struct schema *schema)
{
    bool any = false;
    for (size_t i = 0; i < schema->properties.count; i++) {
        const struct property *property = &schema->properties.items[i];
        if (!works_now(property))
            continue;
        add(hint, any ? ", " : "allowed here: ");
        add_bytes(hint, property->name.data, property->name.length);
        any = true;
    }
}

static void add_field(struct words *words, const struct spot *map, struct text name)
{
    struct words path = {.length = 0};
    add_path(&path, map, PATH_LEVELS);
    add_step(&path, name);
    add(words, "\"");
    add_bytes(words, path.text, path.length);
    add(words, "\"");
}

void fault_unknown(struct checker *checker, const struct schema *schema, const struct spot *spot,
                   const struct node *entry)
{
    struct words words = {.length = 0}, hint = {.length = 0};
    if (!checker_reports(checker))
        return;
    add(&words, "unknown field ");
    add_field(&words, spot, entry->key);
    struct text nearest = nearest_field(schema, entry->key);
    if (nearest.length)
        hint_similar(&hint, nearest);
    else
        hint_fields(&hint, schema);
    say(checker, CODE_SCHEMA_UNKNOWN, place_of_key(checker, entry), &words, &hint);
}

/* True when the map has a misspelt form of the field, about which fault_unknown() speaks
 * already. */
static bool is_misspelt(const struct schema *schema, const struct node *map, struct text name)
{
    uint32_t seen = 0;
    for (const struct node *entry = map->first; entry && seen < 100; entry = entry->next, seen++) {
        if (!schema_knows_key(schema, entry->key) &&
            text_equal(nearest_field(schema, entry->key), name))
            return true;
    }
    return false;
}

void fault_required(struct checker *checker, const struct schema *schema, const struct spot *spot,
                    struct text name)
{
    struct words words = {.length = 0}, hint = {.length = 0};
    if (!checker_reports(checker) || is_misspelt(schema, spot->node, name))
        return;
    add(&words, "required field ");
    add_field(&words, spot, name);
    add(&words, " is missing");
    const struct property *property = property_find(&schema->properties, name);
    const struct node *constant = property ? schema_target(property->schema)->constant : NULL;
    if (constant && constant->type == NODE_STRING && is_plain(name)) {
        add(&hint, "write ");
        add_bytes(&hint, name.data, name.length);
        add(&hint, ": ");
        add_bytes(&hint, constant->string.data, constant->string.length);
    }
    say(checker, CODE_SCHEMA_REQUIRED, place_at(checker, spot->node), &words, &hint);
}

void fault_dependency(struct checker *checker, const struct spot *spot, const struct node *because,
                      struct text name)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    add_quoted(&words, because->key);
    add(&words, " needs the field ");
    add_quoted(&words, name);
    add(&words, " beside it");
    say(checker, CODE_SCHEMA_REQUIRED, place_of_key(checker, because), &words, NULL);
}

void fault_one_field(struct checker *checker, const struct schema *schema, const struct spot *spot,
                     const struct schema_list *branches, const struct node *second)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    if (schema->error_message.data) {
        add(&words, schema->error_message.data);
    } else {
        add(&words, second ? "only one of " : "expected one of ");
        for (size_t i = 0; i < branches->count && i < LISTED_MAX; i++) {
            if (i > 0)
                add(&words, ", ");
            add_quoted(&words, schema_target(branches->items[i])->required.items[0]);
        }
        if (second)
            add(&words, " may stand here");
    }
    struct place place = second ? place_of_key(checker, second) : place_at(checker, spot->node);
    say(checker, CODE_SCHEMA_CHOICE, place, &words, NULL);
}

/* --- the rest
 * ----------------------------------------------------------------------------------------- */

void fault_later(struct checker *checker, const struct schema *schema, const struct spot *spot)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    add(&words, schema->later.data);
    struct place place = spot->in_map && !spot->is_key ? place_of_key(checker, spot->node)
                                                       : place_at(checker, spot->node);
    say(checker, CODE_FIELD_LATER, place, &words, NULL);
}

void fault_plain(struct checker *checker, const struct schema *schema, const struct spot *spot,
                 const char *code, const char *text)
{
    struct words words;
    if (!begin(checker, &words, spot))
        return;
    if (schema->error_message.data || !text)
        text = schema->error_message.data;
    add(&words, text ? text : "is refused");
    say(checker, code, place_at(checker, spot->node), &words, NULL);
}
