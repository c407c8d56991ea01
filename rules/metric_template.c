#include "metric_template.h"

static const char *const word_names[METRIC_WORDS] = {
    [WORD_FLAG] = "flag",       [WORD_VARIANT] = "variant",
    [WORD_CONTROL] = "control", [WORD_ENVIRONMENT] = "environment",
    [WORD_PHASE] = "phase",     [WORD_WINDOW] = "window",
};

/* --- finding --------------------------------------------------------------------------------- */

/* One {{…}}: what stands before it, its name, and what comes behind. */
struct slot {
    struct text before, whole, name, rest;
    enum metric_word word; /* METRIC_WORDS: unknown */
};

static struct text trim(struct text text)
{
    while (text.length && text.data[0] == ' ') {
        text.data++;
        text.length--;
    }
    while (text.length && text.data[text.length - 1] == ' ')
        text.length--;
    return text;
}

static enum metric_word word_of(struct text name)
{
    size_t word = 0;
    while (word < METRIC_WORDS && !text_is(name, word_names[word]))
        word++;
    return (enum metric_word)word;
}

static bool next_slot(struct text template, struct slot *out)
{
    if (template.length < 4)
        return false;
    const char *open = memmem(template.data, template.length, "{{", 2);
    if (!open)
        return false;
    size_t at = (size_t)(open - template.data), inside = template.length - at - 2;
    const char *close = memmem(open + 2, inside, "}}", 2);
    if (!close)
        return false;
    size_t length = (size_t)(close - open) - 2;
    out->before = (struct text){template.data, at};
    out->whole = (struct text){open, length + 4};
    out->name = trim((struct text){open + 2, length});
    out->rest = (struct text){close + 2, inside - length - 2};
    out->word = word_of(out->name);
    return true;
}

bool metric_template_names(struct text template, enum metric_word word)
{
    struct slot slot;
    for (; next_slot(template, &slot); template = slot.rest) {
        if (slot.word == word)
            return true;
    }
    return false;
}

bool metric_template_unknown(struct text template, struct text *name)
{
    struct slot slot;
    for (; next_slot(template, &slot); template = slot.rest) {
        if (slot.word != METRIC_WORDS)
            continue;
        *name = slot.name;
        return true;
    }
    return false;
}

/* --- filling --------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

static void escape_promql(unsigned char c, struct buffer *out)
{
    if (c == '"' || c == '\'' || c == '\\') {
        buffer_append_char(out, '\\');
        buffer_append_char(out, (char)c);
    } else if (c < 0x20 || c == '`' || c == 0x7f) {
        buffer_printf(out, "\\x%02x", c);
    } else {
        buffer_append_char(out, (char)c);
    }
}

static void escape_pointer(unsigned char c, struct buffer *out)
{
    if (c == '~' || c == '/')
        buffer_append_string(out, c == '~' ? "~0" : "~1");
    else
        buffer_append_char(out, (char)c);
}

void metric_escape(struct text value, enum metric_escape escape, struct buffer *out)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (escape == ESCAPE_PROMQL)
            escape_promql(c, out);
        else if (escape == ESCAPE_POINTER)
            escape_pointer(c, out);
        else if (is_unreserved(c))
            buffer_append_char(out, (char)c);
        else
            buffer_printf(out, "%%%02X", c);
    }
}

void metric_template_fill(struct text template, const struct metric_words *words,
                          enum metric_escape escape, struct buffer *out)
{
    struct slot slot;
    for (; next_slot(template, &slot); template = slot.rest) {
        buffer_append_text(out, slot.before);
        if (slot.word == METRIC_WORDS)
            buffer_append_text(out, slot.whole);
        else
            metric_escape(words->of[slot.word], escape, out);
    }
    buffer_append_text(out, template);
}
