/* whole.h - documents as whole bytes, put together once for all who poll them.
 *
 * A document's bytes are a function of its digest, so they are kept by it: the next commit that
 * changes nothing in an environment finds them there. Kept while they are asked for. */
#ifndef WEIR_HTTP_WHOLE_H
#define WEIR_HTTP_WHOLE_H

#include <stdatomic.h>

#include "../snapshot.h"

struct whole {
    _Atomic uint32_t references;
    char digest[DIGEST_TEXT_SIZE];
    char *bytes;
    size_t length;
};

struct whole *whole_reference(struct whole *whole);
void whole_release(struct whole *whole); /* NULL is fine */

struct wholes;

struct wholes *wholes_new(void);         /* NULL without memory */
void wholes_free(struct wholes *wholes); /* NULL is fine */
/* A reference to the bytes of `document`, which is one of `snapshot`; NULL without memory. Whoever
 * comes while they are put together waits for them. `now` is monotonic. */
struct whole *wholes_take(struct wholes *wholes, const struct snapshot *snapshot,
                          const struct document *document, int64_t now);
/* Forgets those that nobody has asked for in a while. */
void wholes_expire(struct wholes *wholes, int64_t now);

#endif
