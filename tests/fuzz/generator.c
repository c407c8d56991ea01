#include "generator.h"

#include <math.h>

#include "../../rules/json.h"

struct generator {
    const uint8_t *next, *end; /* choices that are left */
    struct buffer *out;
    size_t limit; /* from this length of `out` on only the smallest things are written */
    struct {
        size_t start, length;
    } pieces[16]; /* rules in `out` that may be written once more */
    unsigned piece_count;
    bool may_refer; /* there are evaluators, and this is none of them */
};

#define DOCUMENT_LIMIT ((size_t)5 << 10)
#define CONTEXT_LIMIT ((size_t)1 << 10)
#define RULE_DEPTH 7

static unsigned choose(struct generator *generator, unsigned count)
{
    return generator->next < generator->end ? *generator->next++ % count : 0;
}

static void put(struct generator *generator, const char *text)
{
    buffer_append_string(generator->out, text);
}

/* --- constants: the ones at which engines differ, and any other ------------------------------ */

static const char *const numbers[] = {
    "0",
    "1",
    "-1",
    "2",
    "10",
    "0.1",
    "-0",
    "0.5",
    "1e308",
    "-1e308",
    "5e-324",
    "1e21",
    "1e-7",
    "2147483647",
    "2147483648",
    "100",
    "4294967296",
    "9007199254740991",
    "9007199254740993",
    "-2147483649",
    "50",
    "1795383000",
    "9223372036854775808",
    "18446744073709551616",
};

static const char *const strings[] = {
    "\"\"",
    "\"a\"",
    "\"on\"",
    "\"off\"",
    "\"1\"",
    "\"10\"",
    "\"1.2.3\"",
    "\"v2.4.0\"",
    "\"2.4.0-rc.1+b\"",
    "\"\xc3\xa9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"true\"",
    "\"null\"",
    "\" 12 \"",
    "\"0x10\"",
    "\"Infinity\"",
    "\"NaN\"",
    "\"-0\"",
    "\"1e3\"",
    "\"=\"",
    "\">=\"",
    "\"~\"",
    "\"^\"",
    "\"[object Object]\"",
    "\"1,2\"",
    "\"ann@acme.example\"",
    "\"DE\"",
    "\"__proto__\"",
    "\"length\"",
};

static const char *const paths[] = {
    "targetingKey",
    "a",
    "n",
    "s",
    "list",
    "map",
    "map.k",
    "map.k.d",
    "v",
    "list.0",
    "list.1.k",
    "$flagd.timestamp",
    "$flagd.flagKey",
    "",
    "accumulator",
    "current",
    "current.k",
    "missing",
    "$flagd",
    "\xc3\xa9",
    "t",
    "$flagd.other",
    "a.b.c",
    ".",
    "s.length",
};

static void put_double(struct generator *generator)
{
    double number;
    uint8_t bytes[sizeof number];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)choose(generator, 256);
    memcpy(&number, bytes, sizeof number);
    json_write_number(generator->out, isfinite(number) ? number : 7);
}

static void put_number(struct generator *generator)
{
    unsigned which = choose(generator, COUNT_OF(numbers) + 1);
    if (which < COUNT_OF(numbers))
        put(generator, numbers[which]);
    else
        put_double(generator);
}

static void put_any_string(struct generator *generator)
{
    char text[12];
    size_t length = choose(generator, sizeof text + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)choose(generator, 128);
    json_write_string(generator->out, (struct text){text, length});
}

static void put_string(struct generator *generator)
{
    unsigned which = choose(generator, COUNT_OF(strings) + 1);
    if (which < COUNT_OF(strings))
        put(generator, strings[which]);
    else
        put_any_string(generator);
}

static void put_scalar(struct generator *generator)
{
    static const char *const words[] = {"null", "true", "false"};
    switch (choose(generator, 3)) {
    case 0:
        put_string(generator);
        break;
    case 1:
        put_number(generator);
        break;
    default:
        put(generator, words[choose(generator, COUNT_OF(words))]);
    }
}

static bool is_full(const struct generator *generator, unsigned depth)
{
    return depth == 0 || generator->out->length >= generator->limit;
}

/* A value as a context or a variant holds it. */
static void put_value(struct generator *generator, unsigned depth)
{
    static const char *const names[] = {"k", "d", "a", "\xc3\xa9", "", "length", "x.y"};
    unsigned kind = is_full(generator, depth) ? 0 : choose(generator, 6), count;
    if (kind < 4) {
        put_scalar(generator);
        return;
    }
    count = choose(generator, 4);
    put(generator, kind == 4 ? "[" : "{");
    for (unsigned i = 0; i < count; i++) {
        if (i)
            put(generator, ",");
        if (kind == 5) { /* each name once, since variations change the order */
            json_write_string(generator->out, text_of(names[(choose(generator, 2) * 4 + i) % 7]));
            put(generator, ":");
        }
        put_value(generator, depth - 1);
    }
    put(generator, kind == 4 ? "]" : "}");
}

/* --- rules ----------------------------------------------------------------------------------- */

static void put_rule(struct generator *generator, unsigned depth);

static const struct {
    const char *name;
    unsigned least, most; /* arguments that make sense */
} operators[] = {
    {"if", 2, 5},
    {"==", 2, 2},
    {"===", 2, 2},
    {"!=", 2, 2},
    {"!==", 2, 2},
    {">", 2, 2},
    {">=", 2, 2},
    {"<", 2, 3},
    {"<=", 2, 3},
    {"and", 1, 4},
    {"or", 1, 4},
    {"!", 1, 1},
    {"!!", 1, 1},
    {"in", 2, 2},
    {"starts_with", 2, 2},
    {"ends_with", 2, 2},
    {"sem_ver", 3, 3},
    {"cat", 1, 4},
    {"substr", 2, 3},
    {"%", 2, 2},
    {"/", 2, 2},
    {"*", 1, 3},
    {"+", 1, 3},
    {"-", 1, 2},
    {"max", 1, 3},
    {"min", 1, 3},
    {"merge", 0, 3},
    {"map", 2, 2},
    {"filter", 2, 2},
    {"reduce", 3, 3},
    {"all", 2, 2},
    {"none", 2, 2},
    {"some", 2, 2},
    {"missing", 0, 3},
    {"missing_some", 2, 2},
    {"fractional", 1, 4},
    {"var", 1, 2},
    {"log", 1, 1},
};

static void put_path(struct generator *generator)
{
    json_write_string(generator->out, text_of(paths[choose(generator, COUNT_OF(paths))]));
}

static void put_var(struct generator *generator, unsigned depth)
{
    unsigned how = choose(generator, 8);
    put(generator, "{\"var\":");
    if (how == 7 && !is_full(generator, depth)) {
        put(generator, "[");
        put_path(generator);
        put(generator, ",");
        put_rule(generator, depth - 1);
        put(generator, "]");
    } else if (how == 6) {
        put_scalar(generator);
    } else if (how == 5) {
        put(generator, "[");
        put_path(generator);
        put(generator, "]");
    } else {
        put_path(generator);
    }
    put(generator, "}");
}

static void put_leaf(struct generator *generator)
{
    if (choose(generator, 2))
        put_scalar(generator);
    else
        put_var(generator, 0);
}

/* Mostly to what is there, since the rest fails as a whole: seldom to what is not, or from one
 * evaluator to another, which may close a circle. */
static void put_reference(struct generator *generator)
{
    static const char names[] = "00011223"; /* there is no e3 */
    char name = names[choose(generator, 8)];
    if (!generator->may_refer && choose(generator, 16) < 15) {
        put_leaf(generator);
        return;
    }
    buffer_printf(generator->out, "{\"$ref\":\"e%c\"}", name);
}

/* [key, [variant, weight]…], or what the schema would not have. */
static void put_fractional(struct generator *generator, unsigned depth)
{
    unsigned shares = choose(generator, 5);
    put(generator, "{\"fractional\":[");
    if (choose(generator, 3) > 0) {
        put_rule(generator, depth - 1);
        put(generator, shares ? "," : "");
    }
    for (unsigned i = 0; i < shares; i++) {
        unsigned how = choose(generator, 8);
        put(generator, i ? ",[" : "[");
        if (how < 6)
            put(generator, how % 2 ? "\"off\"" : "\"on\"");
        else
            put_rule(generator, depth - 1);
        if (how != 5) {
            put(generator, ",");
            if (how == 7)
                put_rule(generator, depth - 1);
            else
                put_number(generator);
        }
        put(generator, "]");
    }
    put(generator, "]}");
}

static void put_operator(struct generator *generator, unsigned depth)
{
    unsigned which = choose(generator, COUNT_OF(operators));
    unsigned least = operators[which].least, most = operators[which].most;
    unsigned count = least + choose(generator, most - least + 1);
    unsigned how = choose(generator, 16);
    if (how == 15) /* a wrong number */
        count = choose(generator, 6);
    if (how == 14 && choose(generator, 8) == 7)
        put(generator, choose(generator, 2) ? "{\"no_such_operator\":" : "{\"?:\":");
    else
        buffer_printf(generator->out, "{\"%s\":", operators[which].name);
    if (count == 1 && how % 2) {
        put_rule(generator, depth - 1);
    } else {
        put(generator, "[");
        for (unsigned i = 0; i < count; i++) {
            put(generator, i ? "," : "");
            put_rule(generator, depth - 1);
        }
        put(generator, "]");
    }
    put(generator, "}");
}

static void put_list(struct generator *generator, unsigned depth)
{
    unsigned count = choose(generator, 16); /* from nine strings on `in` uses a set */
    put(generator, "[");
    for (unsigned i = 0; i < count; i++) {
        put(generator, i ? "," : "");
        put_rule(generator, choose(generator, 4) ? 0 : depth - 1);
    }
    put(generator, "]");
}

/* What was written before, once more: the same rule may mean something else inside of `map`. */
static void put_again(struct generator *generator)
{
    unsigned count = generator->piece_count < COUNT_OF(generator->pieces)
                         ? generator->piece_count
                         : (unsigned)COUNT_OF(generator->pieces);
    unsigned which = choose(generator, count);
    size_t length = generator->pieces[which].length;
    char *room = buffer_reserve(generator->out, length);
    FUZZ_CHECK(room, "no memory");
    memcpy(room, generator->out->data + generator->pieces[which].start, length);
    generator->out->length += length;
}

static void put_rule(struct generator *generator, unsigned depth)
{
    size_t start = generator->out->length;
    unsigned kind = is_full(generator, depth) ? 0 : choose(generator, 16);
    if (kind < 4) {
        put_leaf(generator);
        return;
    }
    if (kind == 4 && generator->piece_count > 0) {
        put_again(generator);
        return;
    }
    if (kind == 5)
        put_reference(generator);
    else if (kind == 6)
        put_fractional(generator, depth);
    else if (kind == 7)
        put_list(generator, depth);
    else if (kind == 8)
        put_var(generator, depth);
    else
        put_operator(generator, depth);
    unsigned at = generator->piece_count++ % COUNT_OF(generator->pieces);
    generator->pieces[at].start = start;
    generator->pieces[at].length = generator->out->length - start;
}

/* --- documents ------------------------------------------------------------------------------- */

static void put_targeting(struct generator *generator)
{
    if (choose(generator, 8) == 7) {
        put_rule(generator, RULE_DEPTH);
        return;
    }
    put(generator, "{\"if\":[");
    put_rule(generator, RULE_DEPTH - 1);
    put(generator, ",\"on\",");
    put_rule(generator, RULE_DEPTH - 2);
    put(generator, ",\"off\"");
    put(generator, choose(generator, 2) ? ",null]}" : "]}");
}

static void put_flag(struct generator *generator)
{
    static const char *const variants[] = {
        "\"variants\":{\"on\":true,\"off\":false}",
        "\"variants\":{\"on\":1,\"off\":0,\"true\":2,\"10\":3,\"0.1\":4,\"null\":5}",
        "\"variants\":{\"on\":\"\\u00e9\",\"off\":\"\",\"\":\"empty\",\"a\":\"A\"}",
        "\"variants\":{\"on\":{\"k\":[1,2]},\"off\":{}}",
    };
    static const char *const defaults[] = {",\"defaultVariant\":\"off\"",
                                           ",\"defaultVariant\":\"on\"", "",
                                           ",\"defaultVariant\":null"};
    put(generator, "{");
    put(generator, variants[choose(generator, COUNT_OF(variants))]);
    put(generator,
        choose(generator, 8) == 7 ? ",\"state\":\"DISABLED\"" : ",\"state\":\"ENABLED\"");
    put(generator, defaults[choose(generator, COUNT_OF(defaults))]);
    if (choose(generator, 4) == 3)
        put(generator, ",\"metadata\":{\"owner\":\"x\",\"n\":1.5,\"b\":true}");
    put(generator, ",\"targeting\":");
    put_targeting(generator);
    put(generator, "}");
}

struct span {
    size_t start, end;
};

static struct text text_at(const struct buffer *buffer, struct span span)
{
    return (struct text){buffer->data + span.start, span.end - span.start};
}

/* Views only where the buffer does not move any more. */
void generate_document(struct generated *out, const uint8_t *data, size_t size)
{
    static const struct text keys[] = {{"f", 1}, {"g.2", 3}, {"h\xc3\xa9\"", 4}};
    struct generator generator = {
        .next = data, .end = data + size, .out = &out->text, .limit = DOCUMENT_LIMIT};
    struct span flags[GENERATED_FLAGS], evaluators, metadata;
    *out = (struct generated){.text = {0}};
    buffer_init(&out->text, 0);
    evaluators.start = 0;
    if (choose(&generator, 4) > 0) {
        put(&generator, ",\"$evaluators\":{\"e0\":");
        put_rule(&generator, RULE_DEPTH - 2);
        put(&generator, ",\"e1\":");
        put_rule(&generator, RULE_DEPTH - 2);
        put(&generator, ",\"e2\":");
        put_rule(&generator, 2);
        put(&generator, "}");
        generator.may_refer = true;
    }
    evaluators.end = metadata.start = out->text.length;
    if (choose(&generator, 4) == 3)
        put(&generator, ",\"metadata\":{\"flagSetId\":\"s\",\"n\":2}");
    metadata.end = out->text.length;
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        flags[i].start = out->text.length;
        put_flag(&generator);
        flags[i].end = out->text.length;
    }
    FUZZ_CHECK(out->text.failed == STATUS_OK, "no memory");
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        out->keys[i] = keys[i];
        out->flags[i] = text_at(&out->text, flags[i]);
    }
    out->evaluators = text_at(&out->text, evaluators);
    out->metadata = text_at(&out->text, metadata);
}

void generated_dispose(struct generated *generated)
{
    buffer_dispose(&generated->text);
}

void generated_write(const struct generated *generated, unsigned only, struct buffer *out)
{
    bool comma = false;
    buffer_append_string(out, "{\"flags\":{");
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        if (only != GENERATED_FLAGS && only != i)
            continue;
        if (comma)
            buffer_append_char(out, ',');
        json_write_string(out, generated->keys[i]);
        buffer_append_char(out, ':');
        buffer_append_text(out, generated->flags[i]);
        comma = true;
    }
    buffer_append_char(out, '}');
    buffer_append_text(out, generated->evaluators);
    buffer_append_text(out, generated->metadata);
    buffer_append_char(out, '}');
}

/* --- contexts -------------------------------------------------------------------------------- */

void generate_context(struct buffer *out, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"targetingKey", "a",   "n",      "s",
                                        "list",         "map", "v",      "t",
                                        "\xc3\xa9",     "",    "$flagd", "current"};
    struct generator generator = {
        .next = data, .end = data + size, .out = out, .limit = out->length + CONTEXT_LIMIT};
    bool comma = false;
    buffer_append_char(out, '{');
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (choose(&generator, 4) == 0)
            continue;
        if (comma)
            buffer_append_char(out, ',');
        json_write_string(out, text_of(names[i]));
        buffer_append_char(out, ':');
        put_value(&generator, 4);
        comma = true;
    }
    buffer_append_char(out, '}');
}
