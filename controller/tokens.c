#include "tokens.h"

#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SECRET_PREFIX "weir_"
#define HASH_PREFIX "sha256:"
#define HASH_DIGITS ((size_t)2 * SHA256_SIZE)
#define NAME_MAX_LENGTH 100
#define FIELDS 5

struct token_set {
    _Atomic uint32_t references;
    char *lines; /* what the tokens' texts point into */
    struct token *tokens;
    size_t count;
    uint32_t *index; /* open addressing by the hash's first bytes: position + 1, 0 is free */
    size_t index_size;
};

/* --- roles ----------------------------------------------------------------------------------- */

static const char *const role_names[] = {"none", "sdk", "viewer", "operator", "admin"};

const char *role_name(enum role role)
{
    return role_names[role];
}

enum role role_of(struct text name)
{
    for (size_t i = ROLE_SDK; i < COUNT_OF(role_names); i++) {
        if (text_is(name, role_names[i]))
            return (enum role)i;
    }
    return ROLE_NONE;
}

/* --- one line -------------------------------------------------------------------------------- */

static bool is_label(struct text text)
{
    if (text.length == 0 || text.length > 63 || text.data[0] == '-' ||
        text.data[text.length - 1] == '-')
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool is_token_name(struct text text)
{
    if (text.length == 0 || text.length > NAME_MAX_LENGTH)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || (c == '.' && i > 0)))
            return false;
    }
    return true;
}

/* The part of a list before its first comma; `rest` is what follows, data NULL at the end. */
static struct text first_of(struct text list, struct text *rest)
{
    const char *comma = list.length ? memchr(list.data, ',', list.length) : NULL;
    if (!comma) {
        *rest = (struct text){NULL, 0};
        return list;
    }
    size_t length = (size_t)(comma - list.data);
    *rest = (struct text){comma + 1, list.length - length - 1};
    return (struct text){list.data, length};
}

static bool are_environments(struct text list)
{
    if (text_is(list, "*"))
        return true;
    while (list.data) {
        if (!is_label(first_of(list, &list)))
            return false;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(struct text text, uint8_t out[SHA256_SIZE])
{
    const size_t prefix = sizeof HASH_PREFIX - 1;
    if (text.length != prefix + HASH_DIGITS || !text_starts_with(text, TEXT(HASH_PREFIX)))
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_digit(text.data[prefix + 2 * i]);
        int low = hex_digit(text.data[prefix + 2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Splits at single spaces; the count of parts, at most one more than FIELDS. */
static size_t split(struct text line, struct text fields[FIELDS])
{
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= line.length; i++) {
        if (i < line.length && line.data[i] != ' ')
            continue;
        if (count == FIELDS)
            return FIELDS + 1;
        fields[count++] = (struct text){line.data + start, i - start};
        start = i + 1;
    }
    return count;
}

/* NULL, or what is wrong. */
static const char *read_line(struct text line, struct token *token)
{
    struct text fields[FIELDS];
    if (split(line, fields) != FIELDS)
        return "a token is HASH ROLE ENVIRONMENTS CREATED NAME, with one space between them";
    *token = (struct token){.role = role_of(fields[1]),
                            .environments = fields[2],
                            .created = fields[3],
                            .name = fields[4]};
    if (!read_hash(fields[0], token->hash))
        return "the hash is not sha256: and 64 hexadecimal digits";
    if (token->role == ROLE_NONE)
        return "the role is none of sdk, viewer, operator and admin";
    if (!are_environments(fields[2]))
        return "the environments are neither \"*\" nor names with commas between them";
    if (fields[3].length != sizeof "2026-11-22T21:30:00Z" - 1)
        return "the date is not like 2026-11-22T21:30:00Z";
    return is_token_name(fields[4]) ? NULL : "the name is not letters, digits, \"-\", \"_\", \".\"";
}

/* --- a set ----------------------------------------------------------------------------------- */

static size_t slot_of(const struct token_set *set, const uint8_t hash[SHA256_SIZE])
{
    uint64_t start;
    memcpy(&start, hash, sizeof start);
    return (size_t)start & (set->index_size - 1);
}

static const struct token *find_hash(const struct token_set *set, const uint8_t hash[SHA256_SIZE])
{
    for (size_t at = slot_of(set, hash); set->index[at]; at = (at + 1) & (set->index_size - 1)) {
        const struct token *token = &set->tokens[set->index[at] - 1];
        if (memcmp(token->hash, hash, SHA256_SIZE) == 0)
            return token;
    }
    return NULL;
}

static bool has_name(const struct token_set *set, struct text name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (text_equal(set->tokens[i].name, name))
            return true;
    }
    return false;
}

static void add(struct token_set *set, const struct token *token)
{
    size_t at = slot_of(set, token->hash);
    while (set->index[at])
        at = (at + 1) & (set->index_size - 1);
    set->tokens[set->count++] = *token;
    set->index[at] = (uint32_t)set->count;
}

static size_t count_lines(struct text lines)
{
    size_t count = 1;
    for (size_t i = 0; i < lines.length; i++)
        count += lines.data[i] == '\n';
    return count;
}

/* Room for `count` tokens; NULL without memory. */
static struct token_set *new_set(struct text lines, size_t count)
{
    struct token_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    atomic_init(&set->references, 1);
    set->index_size = 16;
    while (set->index_size < 2 * count)
        set->index_size *= 2;
    set->lines = malloc(lines.length + 1);
    set->tokens = calloc(count, sizeof *set->tokens);
    set->index = calloc(set->index_size, sizeof *set->index);
    if (!set->lines || !set->tokens || !set->index) {
        token_set_release(set);
        return NULL;
    }
    if (lines.length)
        memcpy(set->lines, lines.data, lines.length);
    set->lines[lines.length] = '\0';
    return set;
}

static enum status read_lines(struct token_set *set, size_t length, struct error *error)
{
    const char *at = set->lines, *end = set->lines + length;
    for (uint32_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct text line = {at, (size_t)((stop ? stop : end) - at)};
        struct token token;
        at = stop ? stop + 1 : end;
        if (line.length == 0 || line.data[0] == '#')
            continue;
        const char *problem = read_line(line, &token);
        if (!problem && find_hash(set, token.hash))
            problem = "the hash stands there twice";
        if (!problem && has_name(set, token.name))
            problem = "the name stands there twice";
        if (problem)
            return error_set_at(error, STATUS_INVALID, number, 1, "line %u: %s", (unsigned)number,
                                problem);
        add(set, &token);
    }
    return STATUS_OK;
}

enum status token_set_read(struct text lines, struct token_set **out, struct error *error)
{
    size_t count = count_lines(lines);
    if (lines.length > TOKENS_MAX_BYTES || count > TOKENS_MAX)
        return error_set(error, STATUS_LIMIT, "more than %zu lines or %zu MiB", TOKENS_MAX,
                         TOKENS_MAX_BYTES >> 20);
    struct token_set *set = new_set(lines, count);
    if (!set)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the tokens");
    enum status status = read_lines(set, lines.length, error);
    if (status == STATUS_OK)
        *out = set;
    else
        token_set_release(set);
    return status;
}

struct token_set *token_set_reference(struct token_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void token_set_release(struct token_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    free(set->lines);
    free(set->tokens);
    free(set->index);
    free(set);
}

size_t token_set_count(const struct token_set *set)
{
    return set->count;
}

const struct token *token_set_at(const struct token_set *set, size_t index)
{
    return &set->tokens[index];
}

const struct token *token_set_find(const struct token_set *set, struct text secret)
{
    uint8_t hash[SHA256_SIZE];
    struct sha256_ctx context;
    if (secret.length != TOKEN_TEXT_SIZE - 1 || !text_starts_with(secret, TEXT(SECRET_PREFIX)))
        return NULL;
    sha256_init(&context);
    sha256_update(&context, secret.length, (const uint8_t *)secret.data);
    sha256_digest(&context, sizeof hash, hash);
    return find_hash(set, hash);
}

bool token_covers(const struct token *token, struct text environment)
{
    struct text list = token->environments;
    if (text_is(list, "*"))
        return true;
    while (list.data) {
        if (text_equal(first_of(list, &list), environment))
            return true;
    }
    return false;
}

struct text token_only_environment(const struct token *token)
{
    struct text rest, first = first_of(token->environments, &rest);
    return rest.data || text_is(first, "*") ? (struct text){NULL, 0} : first;
}
