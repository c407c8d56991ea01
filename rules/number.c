/* Numbers in JSON: reading without the locale, and the one spelling of each that canonical JSON
 * has. */
#include <float.h>
#include <locale.h>
#include <math.h>

#include "json.h"
#include "utf16.h"

struct decimal {
    uint64_t digits; /* the first 19 significant digits */
    int exponent;    /* value = digits · 10^exponent, when not `truncated` */
    bool negative, truncated;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Walks digits into `decimal`; each digit of a `fraction` takes one from the exponent. */
static const char *scan_digits(const char *p, const char *end, struct decimal *decimal,
                               bool fraction)
{
    for (; p < end && is_digit(*p); p++) {
        if (decimal->digits < UINT64_C(1000000000000000000)) {
            decimal->digits = decimal->digits * 10 + (uint64_t)(*p - '0');
            decimal->exponent -= fraction;
        } else {
            decimal->truncated = decimal->truncated || *p != '0';
            decimal->exponent += !fraction;
        }
    }
    return p;
}

/* The exponent part: "e+10". NULL when it is malformed. Clamped far beyond what a double holds. */
static const char *scan_exponent(const char *p, const char *end, struct decimal *decimal)
{
    bool negative = false;
    int exponent = 0;
    p++;
    if (p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
    if (p == end || !is_digit(*p))
        return NULL;
    for (; p < end && is_digit(*p); p++) {
        if (exponent < 100000)
            exponent = exponent * 10 + (*p - '0');
    }
    decimal->exponent += negative ? -exponent : exponent;
    return p;
}

/* The grammar of RFC 8259: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool scan(struct text text, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    if (text.length == 0) /* its pointer may be NULL */
        return false;
    const char *p = text.data, *end = p + text.length;
    if (*p == '-') {
        decimal->negative = true;
        p++;
    }
    if (p == end || !is_digit(*p))
        return false;
    if (*p == '0' && end - p > 1 && is_digit(p[1]))
        return false;
    p = scan_digits(p, end, decimal, false);
    if (p < end && *p == '.') {
        p++;
        if (p == end || !is_digit(*p))
            return false;
        p = scan_digits(p, end, decimal, true);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = scan_exponent(p, end, decimal);
        if (!p)
            return false;
    }
    return p == end;
}

/* glibc's C locale object is static: making it neither allocates nor fails. */
static bool parse_slowly(struct text text, double *out)
{
    char stack[1024], *copy = stack;
    if (text.length >= sizeof stack) {
        copy = malloc(text.length + 1);
        if (!copy)
            return false;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double number = c ? strtod_l(copy, NULL, c) : HUGE_VAL;
    if (c)
        freelocale(c);
    if (copy != stack)
        free(copy);
    if (!isfinite(number))
        return false;
    *out = number;
    return true;
}

bool number_parse(struct text text, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal decimal;
    if (!scan(text, &decimal))
        return false;
    /* Clinger's fast path: digits and power are both exact, so one rounding gives the nearest
     * double. */
    if (!decimal.truncated && decimal.digits <= (UINT64_C(1) << 53) && decimal.exponent >= -22 &&
        decimal.exponent <= 22) {
        double number = (double)decimal.digits;
        number = decimal.exponent < 0 ? number / powers[-decimal.exponent]
                                      : number * powers[decimal.exponent];
        *out = decimal.negative ? -number : number;
        return true;
    }
    return parse_slowly(text, out);
}

/* --- what JavaScript makes of a string ------------------------------------------------------- */

#define LOOSE_DIGITS 800 /* significant ones that can matter to the nearest double are fewer */

/* Copies digits, the first LOOSE_DIGITS significant ones of them; the rest only counts in
 * *exponent, and as one more digit if it is not all zeros. */
static const char *copy_digits(const char *p, const char *end, char *out, size_t *length,
                               int *exponent, bool fraction)
{
    for (; p < end && is_digit(*p); p++) {
        if (*length == 0 && *p == '0') {
            *exponent -= fraction;
        } else if (*length < LOOSE_DIGITS) {
            out[(*length)++] = *p;
            *exponent -= fraction;
        } else {
            if (*p != '0')
                out[LOOSE_DIGITS - 1] |= 1; /* not exactly half way any more */
            *exponent += !fraction;
        }
    }
    return p;
}

/* StrUnsignedDecimalLiteral of ECMAScript: "5", "5.", ".5", "007", "1e3". */
static double decimal_of(struct text text)
{
    char copy[LOOSE_DIGITS + 32];
    const char *p = text.data, *end = p + text.length, *digits = p;
    size_t length = 0;
    int exponent = 0;
    double number;
    p = copy_digits(p, end, copy, &length, &exponent, false);
    size_t seen = (size_t)(p - digits);
    if (p < end && *p == '.') {
        digits = ++p;
        p = copy_digits(p, end, copy, &length, &exponent, true);
        seen += (size_t)(p - digits);
    }
    if (seen == 0)
        return NAN;
    if (p < end && (*p == 'e' || *p == 'E')) {
        struct decimal decimal = {.exponent = exponent};
        p = scan_exponent(p, end, &decimal);
        if (!p)
            return NAN;
        exponent = decimal.exponent;
    }
    if (p != end)
        return NAN;
    if (length == 0)
        return 0;
    int written = snprintf(copy + length, sizeof copy - length, "e%d", exponent);
    if (!number_parse((struct text){copy, length + (size_t)written}, &number))
        return HUGE_VAL;
    return number;
}

/* "0x1F", "0o17", "0b11": rounded once, at the end. */
static double radix_of(struct text text)
{
    char kind = (char)(text.data[1] | 0x20);
    unsigned bits = kind == 'x' ? 4 : kind == 'o' ? 3 : 1;
    uint64_t digits = 0, rest = 0;
    int exponent = 0;
    if (text.length < 3)
        return NAN;
    for (size_t i = 2; i < text.length; i++) {
        char c = (char)(text.data[i] | 0x20);
        unsigned digit = is_digit(text.data[i]) ? (unsigned)(text.data[i] - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit >= 1u << bits)
            return NAN;
        if (digits >> 59 == 0) {
            digits = digits << bits | digit;
        } else {
            rest |= digit; /* only whether it is nothing can still matter */
            exponent += exponent < 100000 ? (int)bits : 0;
        }
    }
    return ldexp((double)(digits | (rest != 0)), exponent);
}

double number_of_text(struct text text)
{
    text = utf16_trim(text);
    if (text.length == 0)
        return 0;
    if (text.length > 1 && text.data[0] == '0' && strchr("xXoObB", text.data[1]) && text.data[1])
        return radix_of(text);
    bool negative = text.data[0] == '-';
    if (negative || text.data[0] == '+')
        text = (struct text){text.data + 1, text.length - 1};
    double number = text_is(text, "Infinity") ? HUGE_VAL : decimal_of(text);
    return negative ? -number : number;
}

static size_t format_integer(double number, char *out)
{
    char digits[20];
    size_t at = sizeof digits, length = 0;
    uint64_t rest = (uint64_t)fabs(number);
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        out[length++] = '-';
    memcpy(out + length, digits + at, sizeof digits - at);
    return length + sizeof digits - at;
}

/* The next decimal above "d.ddde±x"; false where that would need one more digit. */
static bool round_up(char *text)
{
    char *p = strchr(text, 'e');
    while (p && p-- > text) {
        if (*p == '9')
            *p = '0';
        else if (is_digit(*p))
            return ++*p != '\0';
    }
    return false;
}

/* The shortest digits that read back the same, as "d.ddde±x" taken apart. */
static int shortest_digits(double number, char digits[18], int *exponent)
{
    char text[40];
    int binary;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c);
    /* Any decimal of 15 digits survives a normal double, so the shortest one shows after the zeros
     * are cut. */
    for (int precision = number < DBL_MIN ? 0 : 14; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (precision == 16 || strtod_l(text, NULL, c) == number)
            break;
        /* Above a power of two doubles lie twice as far apart as below it: the decimal above may
         * read back where the nearest one, below, does not. */
        if (frexp(number, &binary) == 0.5 && round_up(text) && strtod_l(text, NULL, c) == number)
            break;
    }
    uselocale(before);
    freelocale(c);
    int count = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++) {
        if (is_digit(*p))
            digits[count++] = *p;
    }
    *exponent = (int)strtol(p + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

/* ECMAScript's Number::toString, which RFC 8785 prescribes: digits d1…dk, value 0.d1…dk · 10^n. */
static size_t lay_out(const char *digits, int k, int n, char *out)
{
    size_t length = 0;
    if (k <= n && n <= 21) {
        memcpy(out, digits, (size_t)k);
        memset(out + k, '0', (size_t)(n - k));
        return (size_t)n;
    }
    if (0 < n && n <= 21) {
        memcpy(out, digits, (size_t)n);
        out[n] = '.';
        memcpy(out + n + 1, digits + n, (size_t)(k - n));
        return (size_t)k + 1;
    }
    if (-6 < n && n <= 0) {
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-n);
        memcpy(out + 2 - n, digits, (size_t)k);
        return (size_t)(2 - n + k);
    }
    out[length++] = digits[0];
    if (k > 1) {
        out[length++] = '.';
        memcpy(out + length, digits + 1, (size_t)(k - 1));
        length += (size_t)(k - 1);
    }
    out[length++] = 'e';
    out[length++] = n - 1 < 0 ? '-' : '+';
    return length + format_integer(abs(n - 1), out + length);
}

size_t number_format(double number, char out[NUMBER_TEXT_SIZE])
{
    if (!isfinite(number)) {
        const char *name = isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity";
        size_t length = strlen(name);
        memcpy(out, name, length);
        return length;
    }
    if (number == 0) {
        out[0] = '0';
        return 1;
    }
    if (number == floor(number) && fabs(number) <= NUMBER_SAFE_INTEGER)
        return format_integer(number, out);
    char digits[18];
    int exponent;
    size_t length = 0;
    int count = shortest_digits(fabs(number), digits, &exponent);
    if (number < 0)
        out[length++] = '-';
    return length + lay_out(digits, count, exponent + 1, out + length);
}
