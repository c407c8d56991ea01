#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdalign.h>

/* `^(a+)+$` over 31 bytes costs 130 ms by PCRE2's own limit and 0.14 ms by this one. */
#define MATCH_LIMIT 10000
#define DEPTH_LIMIT 1000
#define COMPILED_LIMIT ((size_t)1 << 20)
/* What one match may use of the stack: the interpreter begins with 20 KB of frames. */
#define WORKSPACE_SIZE ((size_t)64 << 10)

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    size_t length;
    char source[];
};

/* --- dialect --------------------------------------------------------------------------------- */

struct scan {
    struct text source;
    size_t at;
    bool in_class;
};

static char peek(const struct scan *scan, size_t ahead)
{
    size_t at = scan->at + ahead;
    return at < scan->source.length ? scan->source.data[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The escapes that mean the same in ECMAScript's unicode mode and in PCRE2 as it is called
 * below. */
static bool escape_is_shared(char c)
{
    return c != '\0' && strchr("dDwWsSbBtnfrxupPk123456789^$\\.*+?()[]{}|/-", c);
}

/* What may follow "(?". */
static bool group_is_shared(const struct scan *scan)
{
    char kind = peek(scan, 2), more = peek(scan, 3);
    if (kind == ':' || kind == '=' || kind == '!')
        return true;
    return kind == '<' && (more == '=' || more == '!' || more == '_' ||
                           (more >= 'a' && more <= 'z') || (more >= 'A' && more <= 'Z'));
}

/* "{2}", "{2,}" or "{2,5}": its length, or 0. */
static size_t quantifier_length(const struct scan *scan)
{
    size_t length = 1;
    while (is_digit(peek(scan, length)))
        length++;
    if (length == 1)
        return 0;
    if (peek(scan, length) == ',') {
        do {
            length++;
        } while (is_digit(peek(scan, length)));
    }
    return peek(scan, length) == '}' ? length + 1 : 0;
}

/* Steps over one construct; NULL, or what is wrong with it. */
static const char *scan_class(struct scan *scan)
{
    char c = peek(scan, 0), next = peek(scan, 1);
    if (c == '[' && (next == ':' || next == '.' || next == '='))
        return "a POSIX class";
    if (c == ']')
        scan->in_class = false;
    scan->at++;
    return NULL;
}

static const char *scan_plain(struct scan *scan)
{
    char c = peek(scan, 0), next = peek(scan, 1);
    size_t length = 1;
    switch (c) {
    case '[':
        scan->in_class = true;
        break;
    case '(':
        if (next == '*' || (next == '?' && !group_is_shared(scan)))
            return "an option, a verb or a group of PCRE's own";
        length = next == '?' ? 2 : 1;
        break;
    case '{':
        length = quantifier_length(scan);
        if (!length)
            return "a brace that is not a count; write \\{";
        break;
    case '*':
    case '+':
    case '?':
        break;
    default:
        scan->at++;
        return NULL;
    }
    scan->at += length;
    if ((c == '{' || c == '*' || c == '+' || c == '?') && peek(scan, 0) == '+')
        return "a possessive quantifier";
    return NULL;
}

static const char *dialect_problem(struct text source)
{
    struct scan scan = {.source = source};
    while (scan.at < source.length) {
        const char *problem = NULL;
        if (peek(&scan, 0) == '\\') {
            if (!escape_is_shared(peek(&scan, 1)))
                problem = "an escape that ECMAScript does not know";
            scan.at += 2;
        } else {
            problem = scan.in_class ? scan_class(&scan) : scan_plain(&scan);
        }
        if (problem)
            return problem;
    }
    return NULL;
}

/* --- making ---------------------------------------------------------------------------------- */

static pcre2_compile_context *new_compile_context(void)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return NULL;
    /* ECMAScript's "." stops at more than LF; this is the nearest that PCRE2 offers. */
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_max_pattern_length(context, PATTERN_MAX_LENGTH);
    return context;
}

static enum status compile(struct pattern *pattern, struct error *error)
{
    pcre2_compile_context *context = new_compile_context();
    if (!context)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                             PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
                             PCRE2_NEVER_BACKSLASH_C;
    int problem = 0;
    PCRE2_SIZE where = 0;
    pattern->code = pcre2_compile((PCRE2_SPTR)pattern->source, pattern->length, options, &problem,
                                  &where, context);
    pcre2_compile_context_free(context);
    if (pattern->code)
        return STATUS_OK;
    if (problem == PCRE2_ERROR_NOMEMORY)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    char text[128] = "";
    pcre2_get_error_message(problem, (PCRE2_UCHAR *)text, sizeof text);
    return error_set(error, STATUS_INVALID, "pattern \"%.100s\" is wrong at character %zu: %s",
                     pattern->source, where + 1, text);
}

static enum status finish(struct pattern *pattern, struct error *error)
{
    size_t size = 0;
    if (pcre2_pattern_info(pattern->code, PCRE2_INFO_SIZE, &size) != 0 || size > COMPILED_LIMIT)
        return error_set(error, STATUS_LIMIT, "pattern \"%.100s\" compiles to too much",
                         pattern->source);
    pattern->limits = pcre2_match_context_create(NULL);
    if (!pattern->limits)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    pcre2_set_match_limit(pattern->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(pattern->limits, DEPTH_LIMIT);
    /* Where the machine forbids making code, the interpreter does the same more slowly. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return STATUS_OK;
}

enum status pattern_new(struct text source, struct pattern **out, struct error *error)
{
    if (source.length > PATTERN_MAX_LENGTH)
        return error_set(error, STATUS_LIMIT, "pattern is longer than %d bytes",
                         PATTERN_MAX_LENGTH);
    if (memchr(source.length ? source.data : "", '\0', source.length))
        return error_set(error, STATUS_INVALID, "pattern holds a NUL character");
    struct pattern *pattern = calloc(1, sizeof *pattern + source.length + 1);
    if (!pattern)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    pattern->length = source.length;
    if (source.length)
        memcpy(pattern->source, source.data, source.length);

    enum status status = STATUS_OK;
    const char *problem = dialect_problem(source);
    if (problem)
        status =
            error_set(error, STATUS_INVALID, "pattern \"%.100s\" has %s", pattern->source, problem);
    if (status == STATUS_OK)
        status = compile(pattern, error);
    if (status == STATUS_OK)
        status = finish(pattern, error);
    if (status == STATUS_OK)
        *out = pattern;
    else
        pattern_free(pattern);
    return status;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

struct text pattern_source(const struct pattern *pattern)
{
    return (struct text){pattern->source, pattern->length};
}

/* --- matching -------------------------------------------------------------------------------- */

/* PCRE2 takes what it needs for one match from here: no heap, no sharing, and an end. */
struct workspace {
    size_t used;
    alignas(max_align_t) char bytes[WORKSPACE_SIZE];
};

static void *workspace_allocate(size_t size, void *context)
{
    struct workspace *workspace = context;
    const size_t step = alignof(max_align_t);
    if (size > WORKSPACE_SIZE - step)
        return NULL;
    size_t rounded = (size + step - 1) / step * step;
    if (rounded > WORKSPACE_SIZE - workspace->used)
        return NULL;
    void *memory = workspace->bytes + workspace->used;
    workspace->used += rounded;
    return memory;
}

static void workspace_free(void *memory, void *context)
{
    (void)memory;
    (void)context;
}

enum pattern_result pattern_match(const struct pattern *pattern, struct text subject)
{
    struct workspace workspace;
    workspace.used = 0;
    pcre2_general_context *memory =
        pcre2_general_context_create(workspace_allocate, workspace_free, &workspace);
    pcre2_match_data *data = memory ? pcre2_match_data_create(1, memory) : NULL;
    if (!data)
        return PATTERN_GAVE_UP;
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)(subject.length ? subject.data : ""),
                            subject.length, 0, 0, data, pattern->limits);
    if (found == PCRE2_ERROR_NOMATCH)
        return PATTERN_DIFFERS;
    return found >= 0 ? PATTERN_MATCHES : PATTERN_GAVE_UP;
}
