/* data_folder.h - the folder that outlives the process: held by one process at a time, and it knows
 * when what is served was last confirmed by where it comes from. */
#ifndef WEIR_DATA_FOLDER_H
#define WEIR_DATA_FOLDER_H

#include <stdatomic.h>

#include "../rules/base.h"

struct data_folder {
    int lock; /* the file FOLDER/lock; -1: not taken */
    /* The last successful fetch, in wall seconds; 0: never. It outlives a restart: it is the lock
     * file's time. */
    _Atomic int64_t last_success;
};

/* Makes the folder where it is missing, not its parents. STATUS_SYSTEM: that fails, or another
 * process holds it. */
enum status data_folder_take(struct data_folder *folder, const char *path, struct error *error);
void data_folder_note(struct data_folder *folder, int64_t seconds); /* a success; of one thread */
void data_folder_release(struct data_folder *folder);               /* one not taken is fine */

#endif
