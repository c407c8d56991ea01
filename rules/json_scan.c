#include "json_scan.h"

#include "json.h"
#include "utf8.h"

static bool read_hex4(const char *p, const char *end, uint32_t *out)
{
    uint32_t value = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A') + 10;
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

/* \uXXXX, or a pair of them; p is behind the first \u. NULL when it is malformed. */
static const char *read_code_point(const char *p, const char *end, uint32_t *out)
{
    uint32_t low;
    if (!read_hex4(p, end, out))
        return NULL;
    p += 4;
    if (*out < 0xd800 || *out > 0xdfff)
        return p;
    if (*out > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u' ||
        !read_hex4(p + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
        return NULL;
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return p + 6;
}

static const char escape_from[] = "\"\\/bfnrt", escape_into[] = "\"\\/\b\f\n\r\t";

static const char *check_escape(const char *p, const char *end)
{
    uint32_t code_point;
    if (p + 1 >= end)
        return NULL;
    if (p[1] == 'u')
        return read_code_point(p + 2, end, &code_point);
    return p[1] && strchr(escape_from, p[1]) ? p + 2 : NULL;
}

static bool finish_string(struct json_cursor *cursor, const char *start, const char *quote,
                          bool ascii, struct text *raw)
{
    *raw = (struct text){start, (size_t)(quote - start)};
    if (!ascii) {
        size_t valid = utf8_valid_length(*raw);
        if (valid < raw->length) {
            cursor->p = start + valid;
            return json_fail(cursor, "string is not UTF-8");
        }
    }
    cursor->p = quote + 1;
    return true;
}

bool json_scan_string_slowly(struct json_cursor *cursor, struct text *raw, bool *escapes)
{
    const char *start = cursor->p + 1, *p = start, *end = cursor->end;
    bool ascii = true;
    *escapes = false;
    while (p < end) {
        uint64_t eight;
        if (end - p >= 8) {
            memcpy(&eight, p, 8);
            uint64_t marks = json_special_bytes(eight);
            if (!marks) {
                p += 8;
                continue;
            }
            p += json_bytes_before(marks);
        }
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return finish_string(cursor, start, p, ascii, raw);
        if (c == '\\') {
            const char *next = check_escape(p, end);
            if (!next) {
                cursor->p = p;
                return json_fail(cursor, "malformed escape in a string");
            }
            *escapes = true;
            p = next;
            continue;
        }
        if (c < 0x20) {
            cursor->p = p;
            return json_fail(cursor, "control character in a string: write it as \\u00XX");
        }
        ascii = ascii && c < 0x80;
        p++;
    }
    cursor->p = end;
    return json_fail(cursor, "unfinished string");
}

size_t json_decode_string(struct text raw, char *out)
{
    const char *p = raw.data, *end = p + raw.length;
    char *to = out;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if (p[1] == 'u') {
            uint32_t code_point = 0;
            p = read_code_point(p + 2, end, &code_point);
            if (!p) /* cannot be: the scanner accepted it */
                break;
            to += utf8_encode(code_point, to);
        } else {
            *to++ = escape_into[strchr(escape_from, p[1]) - escape_from];
            p += 2;
        }
    }
    return (size_t)(to - out);
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

bool json_scan_number(struct json_cursor *cursor, double *out)
{
    const char *start = cursor->p;
    while (cursor->p < cursor->end && is_number_byte(*cursor->p))
        cursor->p++;
    if (number_parse((struct text){start, (size_t)(cursor->p - start)}, out))
        return true;
    cursor->p = start;
    return json_fail(cursor, "not a number that JSON and a double can hold");
}

char json_scan_word(struct json_cursor *cursor)
{
    const char *word = cursor->p;
    size_t left = (size_t)(cursor->end - word);
    if (left >= 4 && (memcmp(word, "true", 4) == 0 || memcmp(word, "null", 4) == 0)) {
        cursor->p += 4;
    } else if (left >= 5 && memcmp(word, "false", 5) == 0) {
        cursor->p += 5;
    } else {
        json_fail(cursor, "expected a value");
        return 0;
    }
    return *word;
}

int json_scan_no_entry(struct json_cursor *cursor, char close)
{
    bool is_map = close == '}';
    if (cursor->p == cursor->end)
        json_fail(cursor, is_map ? "unfinished object" : "unfinished array");
    else
        json_fail(cursor, is_map ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
    return -1;
}

static inline bool skip_scalar(struct json_cursor *cursor)
{
    struct text raw;
    bool escapes;
    double number;
    if (cursor->p == cursor->end)
        return json_fail(cursor, "expected a value");
    switch (*cursor->p) {
    case '"':
        return json_scan_string(cursor, &raw, &escapes);
    case 't':
    case 'f':
    case 'n':
        return json_scan_word(cursor) != 0;
    default:
        if (*cursor->p != '-' && (*cursor->p < '0' || *cursor->p > '9'))
            return json_fail(cursor, "expected a value");
        return json_scan_number(cursor, &number);
    }
}

/* Which of the lists and maps around the cursor are maps: a bit each, so that no depth takes more
 * stack than another. */
struct nesting {
    unsigned level; /* how many there are */
    uint64_t maps[JSON_SKIP_DEPTH / 64 + 1];
};

static bool enter(struct json_cursor *cursor, struct nesting *nesting, unsigned depth)
{
    uint64_t bit = UINT64_C(1) << nesting->level % 64, *word = &nesting->maps[nesting->level / 64];
    if (nesting->level >= depth || nesting->level >= JSON_SKIP_DEPTH) {
        json_fail(cursor, cursor->too_deep ? cursor->too_deep : "nested too deep");
        cursor->status = STATUS_LIMIT;
        return false;
    }
    if (nesting->level % 64 == 0)
        *word = 0;
    *word = *cursor->p == '{' ? *word | bit : *word & ~bit;
    nesting->level++;
    cursor->p++;
    return true;
}

static bool is_in_map(const struct nesting *nesting)
{
    unsigned inner = nesting->level - 1;
    return inner < JSON_SKIP_DEPTH && (nesting->maps[inner / 64] >> inner % 64 & 1);
}

static bool is_opening(const struct json_cursor *cursor)
{
    return cursor->p < cursor->end && (*cursor->p == '{' || *cursor->p == '[');
}

static bool skip_container(struct json_cursor *cursor, unsigned depth)
{
    struct nesting nesting; /* cleared while it is used: most values are small */
    struct text raw;
    bool escapes;
    nesting.level = 0;
    do {
        bool first = is_opening(cursor);
        if (first ? !enter(cursor, &nesting, depth) : !skip_scalar(cursor))
            return false;
        bool is_map = is_in_map(&nesting);
        int more = json_scan_entry(cursor, is_map ? '}' : ']', first);
        while (more == 0 && --nesting.level > 0) { /* out of all that ends here */
            is_map = is_in_map(&nesting);
            more = json_scan_entry(cursor, is_map ? '}' : ']', false);
        }
        if (more < 0 || (more > 0 && is_map && !json_scan_key(cursor, &raw, &escapes)))
            return false;
    } while (nesting.level > 0);
    return true;
}

bool json_skip_value(struct json_cursor *cursor, unsigned depth)
{
    return is_opening(cursor) ? skip_container(cursor, depth) : skip_scalar(cursor);
}

static bool is_name(struct text raw, bool escapes, const char *name)
{
    char decoded[64];
    if (!escapes || raw.length > sizeof decoded)
        return text_is(raw, name);
    size_t length = json_decode_string(raw, decoded);
    return text_is((struct text){decoded, length}, name);
}

bool json_find_member(struct text json, const char *name, unsigned depth, struct text *out)
{
    struct json_cursor at = {.p = json.data, .end = json.data + json.length};
    struct text key;
    bool escapes, found = false;
    json_scan_space(&at);
    if (at.p == at.end || *at.p != '{')
        return false;
    at.p++;
    for (bool first = true; json_scan_entry(&at, '}', first) > 0; first = false) {
        if (!json_scan_key(&at, &key, &escapes))
            return false;
        const char *start = at.p;
        if (!json_skip_value(&at, depth))
            return false;
        if (is_name(key, escapes, name)) {
            *out = (struct text){start, (size_t)(at.p - start)};
            found = true;
        }
    }
    return found;
}

void json_place(const char *start, const char *at, uint32_t *line, uint32_t *column)
{
    const char *line_start = start;
    *line = 1;
    for (const char *p = start; p < at; p++) {
        if (*p == '\n') {
            ++*line;
            line_start = p + 1;
        }
    }
    *column = (uint32_t)utf8_count((struct text){line_start, (size_t)(at - line_start)}) + 1;
}
