#include "arena.h"

#define BLOCK_FIRST ((size_t)16 << 10)
#define BLOCK_LARGEST ((size_t)1 << 20)

struct arena_block {
    struct arena_block *older;
    size_t size; /* of bytes */
    alignas(ARENA_ALIGNMENT) char bytes[];
};

void arena_init(struct arena *arena, size_t maximum)
{
    *arena = (struct arena){.maximum = maximum ? maximum : SIZE_MAX};
}

void arena_begin_with(struct arena *arena, size_t first)
{
    arena->first = first;
}

static void free_chain(struct arena_block *block)
{
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_dispose(struct arena *arena)
{
    free_chain(arena->blocks);
    arena_init(arena, arena->maximum);
}

bool arena_adopt(struct arena *arena, struct arena *from)
{
    struct arena_block **oldest = &arena->blocks;
    while (*oldest)
        oldest = &(*oldest)->older;
    *oldest = from->blocks;
    if (!arena->next && from->next) { /* it had none: the newest is now its own */
        arena->next = from->next;
        arena->end = from->end;
    }
    bool fits = from->reserved <= arena->maximum - arena->reserved;
    arena->reserved = fits ? arena->reserved + from->reserved : arena->maximum;
    from->blocks = NULL;
    arena_dispose(from);
    return fits;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    if (!block)
        return;
    free_chain(block->older);
    block->older = NULL;
    arena->next = block->bytes;
    arena->end = block->bytes + block->size;
    arena->reserved = block->size;
}

/* Blocks double, so that small work stays small and large work makes few of them. */
static bool add_block(struct arena *arena, size_t least)
{
    size_t first = arena->first ? arena->first : BLOCK_FIRST,
           size = arena->blocks ? arena->blocks->size * 2 : first;
    if (size > BLOCK_LARGEST)
        size = BLOCK_LARGEST;
    if (size < least)
        size = least;
    if (size > arena->maximum - arena->reserved) {
        size = least;
        if (size > arena->maximum - arena->reserved)
            return false;
    }
    size_t total;
    if (!size_add(size, sizeof(struct arena_block), &total))
        return false;
    struct arena_block *block = malloc(total);
    if (!block)
        return false;
    block->older = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->next = block->bytes;
    arena->end = block->bytes + size;
    arena->reserved += size;
    return true;
}

void *arena_allocate_more(struct arena *arena, size_t size)
{
    const size_t alignment = ARENA_ALIGNMENT;
    if (size > SIZE_MAX - alignment)
        return NULL;
    size_t rounded = (size + (size == 0) + alignment - 1) & ~(alignment - 1);
    if (rounded > (size_t)(arena->end - arena->next) && !add_block(arena, rounded))
        return NULL;
    void *memory = arena->next;
    arena->next += rounded;
    return memory;
}

bool arena_copy(struct arena *arena, struct text source, struct text *out)
{
    size_t total;
    if (!size_add(source.length, 1, &total))
        return false;
    char *copy = arena_allocate(arena, total);
    if (!copy)
        return false;
    if (source.length)
        memcpy(copy, source.data, source.length);
    copy[source.length] = '\0';
    *out = (struct text){copy, source.length};
    return true;
}
