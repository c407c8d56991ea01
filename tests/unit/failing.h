/* failing.h - allocations that fail when a test wants them to. For programs that are linked with
 * --wrap (TEST_LDFLAGS_torture in the Makefile); included once in a program. */
#ifndef WEIR_TESTS_FAILING_H
#define WEIR_TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static struct {
    bool armed, lasting; /* lasting: all that come after the n-th fail too */
    size_t seen, failing;
} plan;

static bool fails(void)
{
    if (!plan.armed)
        return false;
    plan.seen++;
    return plan.lasting ? plan.seen >= plan.failing : plan.seen == plan.failing;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

#endif
