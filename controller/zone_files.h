/* zone_files.h - time zones by their IANA names, from the system's files.
 *
 * A name comes from definitions, which strangers may write: it is letters, digits, '_', '+' and '-'
 * in parts divided by '/', so that it cannot leave the folder. "UTC" and "Etc/UTC" need no file.
 * Zones are read once and kept until the set is disposed of; a calendar borrows them. What the
 * machine updates meanwhile is seen by a new set. Of one thread at a time; the zones themselves may
 * be asked by any. */
#ifndef WEIR_ZONE_FILES_H
#define WEIR_ZONE_FILES_H

#include "../rules/zone.h"

#define ZONE_FILES_FOLDER "/usr/share/zoneinfo"
/* The environment variable that names another folder: for tests, and for systems that keep it
 * elsewhere. */
#define ZONE_FILES_VARIABLE "WEIR_ZONEINFO"
#define ZONE_NAME_MAXIMUM 64
#define ZONE_FILES_MAXIMUM 1024 /* the IANA database has some 600 names */

struct zone_file {
    char name[ZONE_NAME_MAXIMUM + 1];
    struct zone *zone;
};
struct zone_files {
    const char *folder;      /* borrowed */
    struct zone_file *files; /* sorted by name */
    size_t count, size;
};

/* Reads nothing yet. NULL for `folder`: $WEIR_ZONEINFO, or else ZONE_FILES_FOLDER. */
void zone_files_init(struct zone_files *files, const char *folder);
void zone_files_dispose(struct zone_files *files);

/* *out is borrowed from the set. STATUS_INVALID: no name of a zone, or the file is damaged;
 * STATUS_NOT_FOUND: there is no such zone; STATUS_LIMIT: too many zones, or a file too long;
 * STATUS_SYSTEM: it cannot be read. */
enum status zone_files_find(struct zone_files *files, struct text name, const struct zone **out,
                            struct error *error) MUST_CHECK;

#endif
