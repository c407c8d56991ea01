/* reading.h - files into typed definitions, by as many hands as there are.
 *
 * bytes → nodes → schema → definitions (definitions.h). Each file stands by itself: what is wrong
 * with it is told in its own faults, and says nothing of the others. */
#ifndef WEIR_READING_H
#define WEIR_READING_H

#include "crew.h"
#include "definitions.h"
#include "schema.h"

#define API_VERSION "weir/v1"
#define READING_MEMORY ((size_t)4 << 30) /* of all definitions read at once */

/* One document of a file that says what it defines. */
struct read_document {
    struct read_document *next; /* of the same file, as they stand in it */
    enum kind kind;
    struct text name;
    uint32_t index;   /* counted from 0, also those that define nothing */
    void *definition; /* struct flag …; NULL: it has faults of its own */
};

struct read_file {
    struct text path;                /* given by the caller; copied for what is read */
    struct read_document *documents; /* in the arena */
    struct diagnostics *faults;      /* NULL: none; the caller's, see read_files_dispose() */
    bool unreadable;                 /* not YAML, from some place on */
    bool unidentified;               /* holds something that nobody can name: it may be anything */
};

/* Gives the bytes of files[index], valid until it is called with the same `part` again. Called by
 * several threads at once, each with a part of its own. STATUS_NOT_FOUND: the file is not one of
 * definitions after all, and is passed over. */
struct file_bytes {
    enum status (*get)(void *context, unsigned part, size_t index, struct text *out);
    void *context;
};

/* Reads all files; memory of what is read comes from `arena`. What is wrong with a file is no
 * failure. */
enum status read_files(const struct schema_set *schemas, struct read_file *files, size_t count,
                       const struct file_bytes *bytes, const struct crew *crew,
                       struct arena *arena);
/* The number of parts that read_files() will ask with. */
unsigned read_files_parts(const struct crew *crew, size_t count);
void read_files_dispose(struct read_file *files, size_t count); /* the faults that are left */

#endif
