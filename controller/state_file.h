/* state_file.h - the served snapshot on disk, so that a restart answers before anybody else does.
 *
 *   FOLDER/<64 hexadecimal digits>.json   a document, as document_write() has it, named by its
 *                                         digest: what has not changed is not written again, and
 *                                         environments with the same flags share a file
 *   FOLDER/state.json                     commit, generation, since when, and which environment has
 *                                         which digest; then a line with the SHA-256 of that
 *
 * Documents are written first, state.json then names them, and what it does not name is removed
 * last: whoever dies in between leaves the old state whole. What is read is believed only when
 * every checksum fits; it is taken whole or not at all. The folder belongs to one process at a
 * time, which is its caller's to see to. */
#ifndef WEIR_STATE_FILE_H
#define WEIR_STATE_FILE_H

#include "../rules/crew.h"
#include "clock.h"
#include "snapshot.h"

/* Writes what differs from what is there. The folder is made where it is missing; its parent must
 * be there. */
enum status state_file_write(const char *folder, const struct snapshot *snapshot,
                             const struct clock *clock, struct error *error);

/* Reads it into a snapshot with one reference, which is marked as from disk and has no standard.
 * `crew` (NULL: nobody) reads several environments at once. STATUS_NOT_FOUND: there is none;
 * STATUS_INVALID: it is damaged, the message tells what; STATUS_SYSTEM: it cannot be read. */
enum status state_file_read(const char *folder, const struct crew *crew, struct snapshot **out,
                            struct error *error);

/* Reads it and publishes that to a hub to which nothing was published yet, with `standard` (or
 * NULL: none is named) as core chooses it. Logs what came of it; a state that is missing or damaged
 * is no fault of the start. Documents of a damaged one are removed, so that the next is written
 * whole. */
void state_file_serve(const char *folder, const char *standard, struct hub *hub);

#endif
