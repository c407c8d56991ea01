/* The words of the strict loader. */
#include "flagd_private.h"

#include <stdarg.h>

#include "similar.h"
#include "utf8.h"

#define QUOTED_MAX 60 /* bytes of a document's own text in a message */
#define OFFERED_MAX 100
#define LISTED_MAX 8

/* --- words ----------------------------------------------------------------------------------- */

struct place flagd_at(const struct flagd_checker *checker, const struct node *node)
{
    return (struct place){checker->path, node->line, node->column};
}

struct place flagd_at_key(const struct flagd_checker *checker, const struct node *entry)
{
    return (struct place){checker->path, entry->key_line, entry->key_column};
}

static void add(struct flagd_words *words, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct flagd_words *words, const char *format, ...)
{
    size_t length = strlen(words->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words->text + length, sizeof words->text - length, format, arguments);
    va_end(arguments);
}

/* A control character in a name must not reach a terminal; returns the bytes that it has. */
static size_t control_length(struct text text, size_t at)
{
    unsigned char c = (unsigned char)text.data[at];
    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && at + 1 < text.length && (unsigned char)text.data[at + 1] < 0xa0 ? 2 : 0;
}

struct flagd_words flagd_quote(struct text text)
{
    struct flagd_words words;
    bool cut = text.length > QUOTED_MAX;
    size_t length = 0;
    if (cut)
        text.length = utf8_valid_length((struct text){text.data, QUOTED_MAX});
    words.text[length++] = '"';
    for (size_t i = 0; i < text.length; i++) {
        size_t control = control_length(text, i);
        if (control) {
            i += control - 1;
            length += (size_t)snprintf(words.text + length, sizeof words.text - length, "\\x%02x",
                                       (unsigned char)text.data[i]);
            continue;
        }
        if (text.data[i] == '"' || text.data[i] == '\\')
            words.text[length++] = '\\';
        words.text[length++] = text.data[i];
    }
    words.text[length] = '\0';
    add(&words, cut ? "…\"" : "\"");
    return words;
}

const char *flagd_type_name(const struct node *node)
{
    switch (node->type) {
    case NODE_NULL:
        return "null";
    case NODE_BOOL:
        return "a boolean";
    case NODE_NUMBER:
        return "a number";
    case NODE_STRING:
        return "a string";
    case NODE_LIST:
        return "an array";
    case NODE_MAP:
        break;
    }
    return "an object";
}

struct flagd_words flagd_show(const struct flagd_checker *checker, const struct node *node)
{
    struct flagd_words words = {""};
    if (node->type == NODE_STRING)
        return flagd_quote(node->string);
    if (node->type == NODE_BOOL)
        add(&words, "%s", node->boolean ? "true" : "false");
    else if (node->type == NODE_NUMBER && node->end - node->start <= QUOTED_MAX)
        add(&words, "%.*s", (int)(node->end - node->start), checker->json.data + node->start);
    else
        add(&words, "%s", flagd_type_name(node));
    return words;
}

struct flagd_words flagd_suggest(const struct node *map, struct text wanted, const char *listed)
{
    struct similar best = {{NULL, 0}, 0};
    struct flagd_words words = {""};
    unsigned seen = 0;
    const struct node *first = map && map->type == NODE_MAP ? map->first : NULL;
    for (const struct node *entry = first; entry && seen < OFFERED_MAX; entry = entry->next, seen++)
        similar_offer(&best, wanted, entry->key);
    if (best.name.length) {
        add(&words, "did you mean %s?", flagd_quote(best.name).text);
        return words;
    }
    seen = 0;
    for (const struct node *entry = first; entry; entry = entry->next, seen++) {
        /* room for one more whole name, so that none is cut within a character */
        if (seen == LISTED_MAX || strlen(words.text) > FLAGD_WORDS_SIZE / 2) {
            add(&words, ", …");
            break;
        }
        add(&words, "%s%s", seen ? ", " : listed, flagd_quote(entry->key).text);
    }
    return words;
}

struct diagnostic *flagd_fault(struct flagd_checker *checker, const char *code, struct place place,
                               const char *hint, const char *format, ...)
{
    char words[2 * FLAGD_WORDS_SIZE];
    if (checker->out->count >= DIAGNOSTICS_KEPT) /* it will only be counted */
        return diagnostics_add(checker->out, code, place, NULL, "%s", "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (!checker->kind)
        return diagnostics_add(checker->out, code, place, hint, "%s", words);
    return diagnostics_add(checker->out, code, place, hint, "%s %s: %s", checker->kind,
                           flagd_quote(checker->name).text, words);
}
