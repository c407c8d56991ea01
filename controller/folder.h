/* folder.h - the definitions in a folder of files (a work tree), as a bundle. */
#ifndef WEIR_FOLDER_H
#define WEIR_FOLDER_H

#include "../rules/bundle.h"

/* Reads `path` (a folder, or one file) into `bundle` (sorted). Symbolic links are not followed but
 * noted, as are sockets and devices; .git and other hidden folders are passed over, and a folder
 * that is a repository of its own is noted as the submodule that it is to Git. `path` itself may be
 * a link. One file counts whatever its name is, and its path is `path` as given. What is wrong
 * inside goes into `diagnostics`, and the status is STATUS_OK. STATUS_SYSTEM when `path` cannot be
 * read. */
enum status folder_read(const char *path, struct bundle *bundle, struct diagnostics *diagnostics,
                        struct error *error);

#endif
