/* state_word.h - which of two versions of a state's file is weir's later word.
 *
 * A right checksum says that weir wrote a file, not that it is what weir said last: a `git revert`,
 * or a merge that takes an old side, brings old words back. But each commit of weir raises `seq` of
 * the state or pin that it moves, over all runs; only an approval leaves it, and adds itself and
 * its intent. So of two words the later is the one with the higher seq, and one that goes back, or
 * has the same seq with contents that approvals do not make, was put there by a hand (ROLLOUTS.md
 * section 2). */
#ifndef WEIR_STATE_WORD_H
#define WEIR_STATE_WORD_H

#include "flag_pin.h"
#include "rollout_state.h"

/* Of a definition of KIND_ROLLOUT_STATE or KIND_FLAG_PIN. */
uint32_t state_word_seq(enum kind kind, const void *definition);
bool state_word_is_foreign(enum kind kind, const void *definition);
/* Whether weir, which said `before`, may have said `after` at some time behind it. Both are its
 * words: their checksums are right. False without memory. */
bool state_word_follows(enum kind kind, const void *before, const void *after);

/* The seq of a file by its bytes alone, some hundred times as fast as reading it. False: it is not
 * just as weir spells it, which says nothing of what it means. */
bool state_word_glance(struct text file, uint32_t *seq);

#endif
