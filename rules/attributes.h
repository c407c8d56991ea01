/* attributes.h - which attributes of a context an environment's rules look at, each with a slot.
 *
 * A table of dotted paths, append-only: a slot, once given, keeps its number, so that one flag can
 * be compiled alone and every fragment of an environment, old or new, can be evaluated against one
 * context. Reading a context (context.h) walks this table as a tree, so attributes nobody asks for
 * cost only their validation.
 *
 * While a snapshot is being made its table is private to the maker; once published it is read only.
 * attributes_clone() starts the next one. */
#ifndef WEIR_ATTRIBUTES_H
#define WEIR_ATTRIBUTES_H

#include "base.h"

#define ATTRIBUTES_MAX 65535 /* slots are 16 bits */
#define ATTRIBUTE_NONE 0xffff

/* One name at one level of a context: "app" of app.version. Children are a chain. */
struct attribute_name {
    struct text name;
    uint16_t slot;                      /* or ATTRIBUTE_NONE: only its children are asked for */
    uint32_t parent, first_child, next; /* indexes into names; 0 is none (0 itself is the root) */
};

struct attributes {
    uint32_t references;
    struct attribute_name *names; /* names[0] is the root */
    size_t name_count, name_size;
    uint32_t *children; /* hash of (parent, name) → index of names; open addressing, power of two */
    size_t children_size;
    bool sealed;         /* others read it now: a slot that is not there is STATUS_NOT_FOUND */
    uint16_t slots;      /* given so far */
    uint32_t *slot_name; /* slot → index of names */
};

#define ATTRIBUTE_TARGETING_KEY 0 /* "targetingKey" always has this slot */

struct attributes *attributes_new(void); /* NULL without memory */
struct attributes *attributes_clone(const struct attributes *attributes);
struct attributes *attributes_reference(struct attributes *attributes);
void attributes_release(struct attributes *attributes);

/* While it is sealed several threads may compile against it. */
void attributes_seal(struct attributes *attributes, bool sealed);

/* The slot of a dotted path, given now if it has none yet. */
enum status attributes_slot(struct attributes *attributes, struct text path, uint16_t *out);
/* The same for the names of a path, which may hold dots. */
enum status attributes_slot_of(struct attributes *attributes, const struct text *names,
                               size_t count, uint16_t *out);
/* The slot of the whole context; no names. */
enum status attributes_root(struct attributes *attributes, uint16_t *out);
/* The same for a table that others read: changes nothing, false where there is no such slot. No
 * names at all are the whole context. */
bool attributes_find_of(const struct attributes *attributes, const struct text *names, size_t count,
                        uint16_t *out);
/* The slot of a path that has one already; false where it has none. Changes nothing. */
bool attributes_find(const struct attributes *attributes, struct text path, uint16_t *out);
/* Whether some path may be refused for want of room, though fewer are asked for now than were. */
bool attributes_are_full(const struct attributes *attributes);
/* The child of `parent` called `name`, or 0. */
uint32_t attributes_child(const struct attributes *attributes, uint32_t parent, struct text name);

/* Writes the dotted path of a slot, NUL-terminated (cut where `size` ends), and returns its
 * length. */
size_t attributes_path(const struct attributes *attributes, uint16_t slot, char *out, size_t size);

#endif
