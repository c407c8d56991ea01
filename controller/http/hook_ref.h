/* hook_ref.h - the ref that a push event's body is about, found while it streams past.
 *
 * Looks for the string under "ref" at the top level of a JSON object and keeps nothing else, so a
 * body of any size costs these few hundred bytes. What is no JSON, or spells its ref with escapes,
 * has none: nothing hangs on it but whether a fetch can be spared. */
#ifndef WEIR_HTTP_HOOK_REF_H
#define WEIR_HTTP_HOOK_REF_H

#include "../../rules/base.h"

#define HOOK_REF_MAX 256 /* bytes of a ref; a longer one is none */

struct hook_ref {
    uint32_t depth;
    bool over; /* nothing that follows can change the answer */
    bool in_string, escaped;
    bool plain;     /* what was kept of the string is all of it, as it is spelled */
    bool wants_key; /* the next string at the top level is a key */
    bool at_ref;    /* … and this value is that of "ref" */
    bool known;
    size_t length;
    char text[HOOK_REF_MAX];
};

void hook_ref_begin(struct hook_ref *ref);
void hook_ref_take(struct hook_ref *ref, struct text piece);
/* True when the push was surely not to `branch` (with or without refs/heads/; NULL: it is not known
 * which branch counts). */
bool hook_ref_is_elsewhere(const struct hook_ref *ref, const char *branch);

#endif
