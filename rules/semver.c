#include "semver.h"

#include "utf16.h"

/* npm's semver 7, which flagd for JavaScript reads versions with. */
#define MAX_LENGTH 256
#define SAFE_INTEGER ((UINT64_C(1) << 53) - 1)

/* A number without leading zeros that fits 64 bits; `rest` moves behind it. */
static bool take_number(struct text *rest, uint64_t *out)
{
    size_t length = 0;
    *out = 0;
    while (length < rest->length && rest->data[length] >= '0' && rest->data[length] <= '9') {
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(rest->data[length] - '0'), out))
            return false;
        length++;
    }
    if (length == 0 || (length > 1 && rest->data[0] == '0'))
        return false;
    rest->data += length;
    rest->length -= length;
    return true;
}

static bool take_char(struct text *rest, char c)
{
    if (rest->length == 0 || rest->data[0] != c)
        return false;
    rest->data++;
    rest->length--;
    return true;
}

static bool is_identifier(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static bool is_numeric(struct text part)
{
    for (size_t i = 0; i < part.length; i++) {
        if (part.data[i] < '0' || part.data[i] > '9')
            return false;
    }
    return part.length > 0;
}

/* Cuts the part before the next dot off `rest`; false when nothing is left. */
static bool next_part(struct text *rest, struct text *part)
{
    if (!rest->data)
        return false;
    const char *dot = rest->length ? memchr(rest->data, '.', rest->length) : NULL;
    *part = (struct text){rest->data, dot ? (size_t)(dot - rest->data) : rest->length};
    *rest = dot ? (struct text){dot + 1, rest->length - part->length - 1} : (struct text){NULL, 0};
    return true;
}

/* Dot-separated identifiers; numeric ones of a pre-release have no leading zeros. */
static bool identifiers_are_valid(struct text list, bool prerelease)
{
    struct text part;
    while (next_part(&list, &part)) {
        if (part.length == 0)
            return false;
        for (size_t i = 0; i < part.length; i++) {
            if (!is_identifier(part.data[i]))
                return false;
        }
        if (prerelease && part.length > 1 && part.data[0] == '0' && is_numeric(part))
            return false;
    }
    return true;
}

static bool parse_tail(struct text rest, struct semver *out)
{
    if (take_char(&rest, '-')) {
        const char *plus = memchr(rest.data, '+', rest.length);
        out->prerelease = (struct text){rest.data, plus ? (size_t)(plus - rest.data) : rest.length};
        if (!identifiers_are_valid(out->prerelease, true))
            return false;
        rest.data += out->prerelease.length;
        rest.length -= out->prerelease.length;
    }
    if (take_char(&rest, '+'))
        return identifiers_are_valid(rest, false);
    return rest.length == 0;
}

bool semver_parse(struct text text, struct semver *out)
{
    *out = (struct semver){0};
    return take_number(&text, &out->major) && take_char(&text, '.') &&
           take_number(&text, &out->minor) && take_char(&text, '.') &&
           take_number(&text, &out->patch) && parse_tail(text, out);
}

/* "2" and "2.4": what is not written counts as 0. */
static bool parse_partly(struct text text, struct semver *out)
{
    *out = (struct semver){0};
    return take_number(&text, &out->major) &&
           (text.length == 0 || (take_char(&text, '.') && take_number(&text, &out->minor))) &&
           text.length == 0;
}

static bool is_safe(const struct semver *version)
{
    return version->major <= SAFE_INTEGER && version->minor <= SAFE_INTEGER &&
           version->patch <= SAFE_INTEGER;
}

bool semver_parse_loosely(struct text text, struct semver *out)
{
    if (!take_char(&text, 'v'))
        take_char(&text, 'V');
    struct text trimmed = utf16_trim(text);
    take_char(&trimmed, 'v');
    if (text.length <= MAX_LENGTH && semver_parse(trimmed, out))
        return is_safe(out);
    return parse_partly(text, out) && is_safe(out);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Digits without leading zeros compare by length first. */
static int compare_numeric(struct text a, struct text b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return text_compare(a, b);
}

static int compare_prereleases(struct text a, struct text b)
{
    struct text x, y;
    if (a.length == 0 || b.length == 0)
        return (a.length == 0) - (b.length == 0); /* a release comes after its pre-releases */
    for (;;) {
        bool more_a = next_part(&a, &x), more_b = next_part(&b, &y);
        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;
        bool numeric_x = is_numeric(x), numeric_y = is_numeric(y);
        int order = numeric_x && numeric_y   ? compare_numeric(x, y)
                    : numeric_x != numeric_y ? (numeric_x ? -1 : 1)
                                             : text_compare(x, y);
        if (order != 0)
            return order;
    }
}

int semver_compare(const struct semver *a, const struct semver *b)
{
    int order = compare_numbers(a->major, b->major);
    if (order == 0)
        order = compare_numbers(a->minor, b->minor);
    if (order == 0)
        order = compare_numbers(a->patch, b->patch);
    return order ? order : compare_prereleases(a->prerelease, b->prerelease);
}

bool semver_holds(const struct semver *a, struct text comparison, const struct semver *b,
                  bool *known)
{
    int order = semver_compare(a, b);
    *known = true;
    if (text_is(comparison, "="))
        return order == 0;
    if (text_is(comparison, "!="))
        return order != 0;
    if (text_is(comparison, "<"))
        return order < 0;
    if (text_is(comparison, "<="))
        return order <= 0;
    if (text_is(comparison, ">"))
        return order > 0;
    if (text_is(comparison, ">="))
        return order >= 0;
    if (text_is(comparison, "^"))
        return a->major == b->major;
    if (text_is(comparison, "~"))
        return a->major == b->major && a->minor == b->minor;
    *known = false;
    return false;
}
