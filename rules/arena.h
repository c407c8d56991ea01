/* arena.h - memory for one piece of work, given back all at once.
 *
 * Parsing and linking make many small things that live exactly as long as each other; they take
 * them from an arena. Nothing in an arena is ever freed alone. An arena has a maximum, so hostile
 * input runs into STATUS_LIMIT (arena_allocate returns NULL) instead of the machine's memory.
 * Not for sharing between threads. */
#ifndef WEIR_ARENA_H
#define WEIR_ARENA_H

#include <stdalign.h>

#include "base.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *next, *end;           /* the free part of the newest block */
    size_t reserved;            /* bytes taken from the system */
    size_t maximum;             /* never reserve more than this */
    size_t first;               /* bytes of the first block; 0: the usual number */
};

/* A maximum of 0 means no maximum. */
void arena_init(struct arena *arena, size_t maximum);
/* The first block is of so many bytes, the next ones double from there: for an arena that will hold
 * little, and stay. Of one that is empty. */
void arena_begin_with(struct arena *arena, size_t first);
void arena_dispose(struct arena *arena);
/* Takes over all that `from` holds, which is empty afterwards; false when that is more than the
 * maximum (it is taken over all the same). */
bool arena_adopt(struct arena *arena, struct arena *from);
/* Forgets what was allocated and keeps one block for the next use. */
void arena_reset(struct arena *arena);

/* For pointers, doubles and integers, which is all that is kept here. The 16 bytes that long double
 * asks for would make definitions and nodes a tenth larger. */
#define ARENA_ALIGNMENT alignof(uint64_t)

/* `size` bytes, aligned, not cleared; NULL when memory or the maximum is exhausted. */
static inline void *arena_allocate(struct arena *arena, size_t size) MUST_CHECK;
/* `count * size` bytes, all zero; NULL also when the product overflows. */
static inline void *arena_allocate_zero(struct arena *arena, size_t count, size_t size) MUST_CHECK;
/* A NUL-terminated copy. *out is left alone when false is returned. */
bool arena_copy(struct arena *arena, struct text source, struct text *out) MUST_CHECK;

#define ARENA_NEW(arena, type) ((type *)arena_allocate_zero((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, type, count)                                                            \
    ((type *)arena_allocate_zero((arena), (count), sizeof(type)))

/* --- here, since a compile makes millions of small things whose sizes are constants ------------
 */

/* arena_allocate() where the newest block has no room. */
void *arena_allocate_more(struct arena *arena, size_t size) MUST_CHECK;

static inline void *arena_allocate(struct arena *arena, size_t size)
{
    const size_t alignment = ARENA_ALIGNMENT;
    size_t room = (size_t)(arena->end - arena->next); /* both are NULL without a block */
    if (size == 0 || size > room)
        return arena_allocate_more(arena, size);
    size_t rounded = (size + alignment - 1) & ~(alignment - 1);
    if (rounded > room)
        return arena_allocate_more(arena, size);
    void *memory = arena->next;
    arena->next += rounded;
    return memory;
}

static inline void *arena_allocate_zero(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (!size_multiply(count, size, &total))
        return NULL;
    void *memory = arena_allocate(arena, total);
    if (memory)
        memset(memory, 0, total);
    return memory;
}

#endif
