/* write_file.h - a file that is whole at every moment: its old bytes, then its new ones.
 *
 * Written under another name in the same folder (.NAME.tmp. and 16 hexadecimal digits), synced,
 * renamed, and the folder synced. What a crash leaves behind is removed by write_file_sweep(). */
#ifndef WEIR_WRITE_FILE_H
#define WEIR_WRITE_FILE_H

#include "clock.h"

/* With the temporary name around it, a name must still fit a folder entry. */
#define WRITE_FILE_NAME_MAXIMUM 220

/* Replaces `name` (no '/') in `folder`, mode 0644. What stands there is replaced, not followed,
 * when it is a link. On failure the old file is as it was. */
enum status write_file(int folder, const char *name, struct text bytes, const struct clock *clock,
                       struct error *error);
/* The same with another mode: 0600 for what only its owner may read. */
enum status write_file_mode(int folder, const char *name, struct text bytes, unsigned mode,
                            const struct clock *clock, struct error *error);
/* Writes all of `bytes` to a descriptor, through interruptions. False with errno. */
bool write_all(int file, struct text bytes);
/* Removes the temporary files of earlier writers of `name`. Only a writer that holds the folder's
 * lock may call it. */
enum status write_file_sweep(int folder, const char *name, struct error *error);

#endif
