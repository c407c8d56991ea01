/* cache_folder.h - a folder of files that can be found out again: losing them costs time only.
 *
 * So nothing here is an error that anybody is told of: what cannot be read is not there. Whoever
 * reads checks what it reads. */
#ifndef WEIR_CACHE_FOLDER_H
#define WEIR_CACHE_FOLDER_H

#include "../rules/buffer.h"

#define CACHE_FILES_MOST 512

/* A descriptor, the caller's to close; the folder is made where there is none. −1: there is no such
 * folder, or `path` is NULL. */
int cache_folder_open(const char *path);
/* Appends all of a file; false where there is none, or it cannot be read, or not held by `out`. */
bool cache_folder_read(int folder, const char *name, struct buffer *out);
/* Removes the oldest file when there are more than CACHE_FILES_MOST. */
void cache_folder_prune(int folder);

#endif
