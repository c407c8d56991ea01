/* read.h - shared by the files that turn schema-valid nodes into definitions. Private to read_*.c.
 *
 * Every function returns false only without memory, or when a node is not what the schema
 * promised. */
#ifndef WEIR_READ_H
#define WEIR_READ_H

#include "buffer.h"
#include "definitions.h"

struct reading {
    struct arena *arena;
    struct text path;
    struct diagnostics *diagnostics;
    struct buffer scratch;
};

struct place reading_place(const struct reading *reading, const struct node *node);
/* A string node as a name, with the place of the value. */
bool read_name(struct reading *reading, const struct node *node, struct name *out);
/* A map entry's key as a name, with the place of the key. */
bool read_key(struct reading *reading, const struct node *entry, struct name *out);
/* Leaves *out empty where the field is absent. */
bool read_optional_text(struct reading *reading, const struct node *map, const char *field,
                        struct text *out);

bool read_flag(struct reading *reading, const struct node *root, struct flag *flag);

#endif
