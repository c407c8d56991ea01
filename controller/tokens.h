/* tokens.h - who may ask for what: bearer tokens, of which only hashes are kept.
 *
 * A token is "weir_" and 43 characters of URL-safe base64 over 32 random bytes. The tokens file has
 * a line for each:
 *     HASH ROLE ENVIRONMENTS CREATED NAME
 * with the token's SHA-256, a role, the environments it is for (a list with commas, or "*") and
 * when it was made. A token is looked up by its hash, so what a look-up takes tells nothing of any
 * token. Sets are immutable and counted; a reader thread holds a reference of its own, as it does
 * to a snapshot. */
#ifndef WEIR_TOKENS_H
#define WEIR_TOKENS_H

#include "../rules/buffer.h"
#include "../rules/fragment.h"
#include "clock.h"

/* Each may do all that the ones before it may. */
enum role { ROLE_NONE, ROLE_SDK, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
const char *role_name(enum role role);
enum role role_of(struct text name); /* ROLE_NONE where there is no such role */

#define TOKEN_TEXT_SIZE 49 /* with its NUL */
#define TOKENS_MAX_BYTES ((size_t)8 << 20)
#define TOKENS_MAX ((size_t)5000)

/* The texts are those of its set. */
struct token {
    uint8_t hash[SHA256_SIZE];
    enum role role;
    struct text environments; /* "*", or names with commas */
    struct text created, name;
};

struct token_set;

/* Reads the lines of a tokens file, which are copied. STATUS_INVALID tells the line. */
enum status token_set_read(struct text lines, struct token_set **out, struct error *error);
struct token_set *token_set_reference(struct token_set *set);
void token_set_release(struct token_set *set); /* NULL is fine */
size_t token_set_count(const struct token_set *set);
const struct token *token_set_at(const struct token_set *set, size_t index);
/* NULL where nobody was given it. */
const struct token *token_set_find(const struct token_set *set, struct text secret);

/* True when the token is for `environment`. */
bool token_covers(const struct token *token, struct text environment);
/* The environment that it is for, where that is one; else data is NULL. */
struct text token_only_environment(const struct token *token);

/* --- the file, for those who keep it --------------------------------------------------------- */

struct token_request {
    enum role role;
    const char *const *environments; /* none: all */
    size_t environment_count;
    const char *name; /* NULL: one is made of the role and the hash */
};

/* Makes a token, writes it to `secret` and appends its line to the file, which is made where it is
 * not there: mode 0600, replaced as a whole, under the folder's lock. */
enum status token_file_create(const char *path, const struct token_request *request,
                              const struct clock *clock, char secret[TOKEN_TEXT_SIZE],
                              struct error *error);
/* Takes the line of `name` away. STATUS_NOT_FOUND: there is none. */
enum status token_file_revoke(const char *path, const char *name, const struct clock *clock,
                              struct error *error);
enum status token_file_read(const char *path, struct token_set **out, struct error *error);

/* --- while serving --------------------------------------------------------------------------- */

struct tokens; /* the file as it is now; any thread may ask */

enum status tokens_open(const char *path, const struct clock *clock, struct tokens **out,
                        struct error *error);
void tokens_close(struct tokens *tokens); /* NULL is fine */
/* Reads the file again; *changed: it was another one. What cannot be read leaves the tokens as they
 * were. */
enum status tokens_reload(struct tokens *tokens, bool *changed, struct error *error);

/* A reader thread's own reference. Zero it before first use. */
struct tokens_reader {
    struct token_set *set;
    uint64_t version;
};
/* The set, borrowed until the reader's next call. At most once a second it looks whether the file
 * has changed, and reads it then; a fault is logged once, and the tokens stay as they were. */
const struct token_set *tokens_current(struct tokens *tokens, struct tokens_reader *reader);
void tokens_reader_dispose(struct tokens_reader *reader);

#endif
