/* redis_overrides.h - the overrides that stand at a Redis target: read before each push, judged,
 * and told to whoever pushes.
 *
 * What stands there is hostile. Its number and its bytes are bounded by the script that reads it;
 * what is no override of this environment stays where it is, is told, and is never served. */
#ifndef WEIR_REDIS_OVERRIDES_H
#define WEIR_REDIS_OVERRIDES_H

#include <nettle/sha1.h>

#include "../rollout/override.h"
#include "redis_connection.h"

#define SHA1_TEXT_SIZE (2 * SHA1_DIGEST_SIZE + 1)
/* As scripts and hashes are named there: 40 hexadecimal digits. */
void redis_sha1(struct text bytes, char out[SHA1_TEXT_SIZE]);

#define STANDING_FIELD_SIZE 65 /* of an intent, or of the beginning of what is none */

struct standing_override {
    char field[STANDING_FIELD_SIZE];
    char sha1[SHA1_TEXT_SIZE]; /* of the value */
    struct override *override; /* a reference; NULL: it cannot be served */
    bool recorded;             /* the push's commit records it */
};

struct standing {
    struct standing_override *items;
    size_t count, recorded, unservable; /* the last two: so many of `count` */
    char problem[PUSH_PROBLEM_SIZE];    /* what is wrong with the first that cannot be served */
};

/* Asks for what stands under `key` ({KEY}:overrides). Zero *out before; give it back by
 * standing_dispose() whatever is returned. STATUS_REFUSED: there is too much. */
enum status standing_read(struct redis_connection *connection, const char *key,
                          const struct push *push, struct standing *out, struct error *error);
void standing_dispose(struct standing *standing);
/* The refusal: STATUS_REFUSED. */
enum status standing_is_crowded(const char *key, struct error *error);

/* Tells push->found what the push does not have, and what cannot be served. STATUS_NO_MEMORY. */
enum status standing_tell(const struct standing *standing, const struct push *push,
                          struct error *error);

/* Runs a script by its name, and by its text where the server does not know it. `send` appends what
 * follows (how many `arguments`, keys and their number included). NULL: `error` is set. The caller
 * frees the reply, which may be an error. */
struct redis_script {
    const char *text;
    char name[SHA1_TEXT_SIZE];
    size_t arguments;
    void (*send)(struct redis_connection *connection, const void *context);
    const void *context;
};
redisReply *redis_run(struct redis_connection *connection, const struct redis_script *script,
                      struct error *error);

#endif
