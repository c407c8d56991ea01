/* The guards: what encode.c writes before an operator that not every engine refuses for the wrong
 * type, and what program_guard.c recognises again. */
#include "encode.h"

#include "encode_private.h"

#define MOST_PARTS 4

/* What a guard is made of: templates in which '$' stands for the operand. */
struct guard_text {
    const char *parts[MOST_PARTS];
    size_t count;
};

static void add(struct guard_text *text, const char *part)
{
    text->parts[text->count++] = part;
}

static void add_string(struct guard_text *text, unsigned evaluators)
{
    if (evaluators & EVALUATOR_FLAGD) /* keeps flagd's log quiet */
        add(text, "{\"!==\":[$,null]},");
    add(text, "{\"starts_with\":[$,\"\"]}");
}

/* In this order: not null; Go says false to X === X for lists and maps; no booleans (to Python 1 is
 * true); no lists; no strings; no maps, which npm would fail on. */
static void add_number(struct guard_text *text, unsigned evaluators)
{
    add(text, "{\"!==\":[$,null]},");
    if (evaluators & EVALUATOR_FLAGD)
        add(text, "{\"===\":[$,$]},");
    if (evaluators & EVALUATOR_PYTHON)
        add(text, "{\"or\":[{\"and\":[{\"!==\":[$,true]},{\"!==\":[$,false]}]},{\"and\":[{\"=="
                  "=\":[1,true]},"
                  "{\"!\":[{\"in\":[{\"cat\":[$]},[\"True\",\"False\"]]}]}]}]},");
    else
        add(text, "{\"!==\":[$,true]},{\"!==\":[$,false]},");
    add(text, "{\"in\":[$,{\"merge\":[$]}]},{\"!==\":[$,{\"cat\":[$]}]},"
              "{\"!==\":[{\"cat\":[$]},\"[object Object]\"]}");
}

static void add_version(struct guard_text *text, unsigned evaluators)
{
    add_string(text, evaluators);
    add(text, ",{\"in\":[\".\",$]},{\"in\":[{\"substr\":[$,0,1]},\"v0123456789\"]},"
              "{\"in\":[{\"substr\":[$,1,1]},\"0123456789.\"]},{\"in\":[{\"substr\":[$,-1]},"
              "\"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\"]}");
}

static struct guard_text text_of_guard(enum guard guard, unsigned evaluators)
{
    struct guard_text text = {.count = 0};
    switch (guard) {
    case GUARD_STRING:
        add_string(&text, evaluators);
        break;
    case GUARD_NUMBER:
        add_number(&text, evaluators);
        break;
    case GUARD_VERSION:
        add_version(&text, evaluators);
        break;
    }
    return text;
}

void encode_guard(struct buffer *out, enum guard guard, struct text operand, unsigned evaluators)
{
    struct guard_text text = text_of_guard(guard, evaluators);
    for (size_t i = 0; i < text.count; i++)
        encode_template(out, text.parts[i], operand);
}

/* Cuts `text` off the front of `json`, or leaves it alone and returns false. */
static bool cut(struct text *json, const char *text, size_t length)
{
    if (length > json->length || memcmp(json->data, text, length) != 0)
        return false;
    *json = (struct text){json->data + length, json->length - length};
    return true;
}

static bool cut_template(struct text *json, const char *template, struct text operand)
{
    for (;;) {
        const char *end = strchrnul(template, '$');
        if (!cut(json, template, (size_t)(end - template)))
            return false;
        if (!*end)
            return true;
        if (!cut(json, operand.data, operand.length))
            return false;
        template = end + 1;
    }
}

size_t guard_length(enum guard guard, struct text json, struct text operand, unsigned evaluators)
{
    struct guard_text text = text_of_guard(guard, evaluators);
    struct text rest = json;
    for (size_t i = 0; i < text.count; i++) {
        if (!cut_template(&rest, text.parts[i], operand))
            return 0;
    }
    return json.length - rest.length;
}
