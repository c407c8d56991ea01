/* intents_private.h - what a fetch notes of the remote's intents. */
#ifndef WEIR_GIT_INTENTS_PRIVATE_H
#define WEIR_GIT_INTENTS_PRIVATE_H

#include "intents.h"
#include "mirror_private.h"

#define REFS_INTENTS "refs/weir/intents/"

struct intent_ref {
    git_oid commit;
    char intent[INTENT_NAME_LENGTH + 1];
};

/* Remembers in the handle which of `heads` are intents. STATUS_NO_MEMORY: those of before stay. */
enum status intents_note(struct mirror *mirror, const git_remote_head **heads, size_t count,
                         struct error *error);

#endif
