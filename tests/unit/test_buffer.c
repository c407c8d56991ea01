/* Memory that grows: buffers and arenas. */
#include "../../rules/arena.h"
#include "../../rules/buffer.h"
#include "unit.h"

START_TEST(buffer_writes_what_it_is_given)
{
    struct buffer buffer;
    size_t length;
    buffer_init(&buffer, 0);
    ck_assert_uint_eq(buffer_text(&buffer).length, 0);
    buffer_append_string(&buffer, "a");
    buffer_append_char(&buffer, '-');
    buffer_append_u64(&buffer, 0);
    buffer_append_u64(&buffer, UINT64_MAX);
    buffer_append_hex(&buffer, "\x00\xff\x1a", 3);
    buffer_append_text(&buffer, (struct text){NULL, 0});
    buffer_append(&buffer, "x\0y", 3);
    buffer_printf(&buffer, "%s=%d", "n", -7);
    ck_assert(text_equal(buffer_text(&buffer), TEXT("a-01844674407370955161500ff1ax\0yn=-7")));
    ck_assert_uint_eq(strlen(buffer_string(&buffer)), 30); /* up to the NUL inside */
    char *taken = buffer_take(&buffer, &length);
    ck_assert(length == 36 && taken[length] == '\0');
    ck_assert(buffer.data == NULL && buffer.length == 0);
    free(taken);
    buffer_dispose(&buffer);
}
END_TEST

START_TEST(buffer_remembers_its_first_failure)
{
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_append_string(&buffer, "0123456789");
    ck_assert_int_eq(buffer.failed, STATUS_OK); /* exactly full is fine */
    buffer_append_char(&buffer, 'x');
    ck_assert_int_eq(buffer.failed, STATUS_LIMIT);
    buffer_append_string(&buffer, "");
    buffer_printf(&buffer, "%d", 1);
    ck_assert_uint_eq(buffer.length, 10);
    ck_assert_ptr_null(buffer_string(&buffer));
    ck_assert_ptr_null(buffer_take(&buffer, NULL));
    buffer_clear(&buffer);
    buffer_append_string(&buffer, "again");
    ck_assert_text(buffer_text(&buffer), "again");
    ck_assert_int_eq(buffer.failed, STATUS_OK);
    ck_assert_ptr_null(buffer_reserve(&buffer, SIZE_MAX)); /* the sum would overflow */
    ck_assert_int_eq(buffer.failed, STATUS_LIMIT);
    buffer_dispose(&buffer);
}
END_TEST

START_TEST(buffer_grows_past_many_doublings)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000001);
    for (uint32_t i = 0; i < 1000000; i++)
        buffer_append_char(&buffer, (char)('a' + i % 26));
    ck_assert_int_eq(buffer.failed, STATUS_OK);
    ck_assert_uint_eq(buffer.length, 1000000);
    for (uint32_t i = 0; i < 1000000; i += 997)
        ck_assert_int_eq(buffer.data[i], (char)('a' + i % 26));
    ck_assert_ptr_nonnull(buffer_string(&buffer)); /* the one byte left takes the NUL */
    buffer_dispose(&buffer);
}
END_TEST

START_TEST(arena_gives_aligned_memory_of_its_own)
{
    struct arena arena;
    arena_init(&arena, 0);
    char *last = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        char *memory = arena_allocate(&arena, size);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % ARENA_ALIGNMENT, 0);
        ck_assert_ptr_ne(memory, last);
        memset(memory, 0x5a, size);
        last = memory;
    }
    unsigned char *zero = arena_allocate_zero(&arena, 100, 10);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(zero[i], 0);
    struct text copy, kept = TEXT("kept");
    ck_assert(arena_copy(&arena, TEXT("a\0b"), &copy) && text_equal(copy, TEXT("a\0b")) &&
              copy.data[3] == '\0');
    ck_assert(arena_copy(&arena, (struct text){NULL, 0}, &copy) && copy.length == 0 &&
              copy.data[0] == '\0');
    ck_assert(!arena_copy(&arena, (struct text){"x", SIZE_MAX}, &kept));
    ck_assert_text(kept, "kept");
    arena_dispose(&arena);
}
END_TEST

START_TEST(arena_refuses_overflow_and_keeps_its_maximum)
{
    struct arena arena;
    arena_init(&arena, 100000);
    ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX));
    ck_assert_ptr_null(arena_allocate(&arena, SIZE_MAX - 20));
    ck_assert_ptr_null(arena_allocate_zero(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_allocate(&arena, 100001));
    size_t given = 0;
    while (arena_allocate(&arena, 1000))
        given += 1000;
    ck_assert_uint_ge(given, 90000); /* the maximum is nearly all usable */
    ck_assert_uint_le(given, 100000);
    ck_assert_uint_le(arena.reserved, 100000);
    arena_reset(&arena);
    ck_assert_uint_le(arena.reserved, 100000);
    given = 0;
    while (arena_allocate(&arena, 1000))
        given += 1000;
    ck_assert_uint_ge(given, 80000); /* and again after a reset */
    ck_assert_uint_le(arena.reserved, 100000);
    arena_dispose(&arena);
    ck_assert_uint_eq(arena.maximum, 100000);
}
END_TEST

START_TEST(arena_reset_reuses_its_block)
{
    struct arena arena;
    arena_init(&arena, 0);
    ck_assert_ptr_nonnull(arena_allocate(&arena, 16));
    ck_assert_uint_eq(arena.reserved, 16384); /* small work stays small */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            ck_assert_ptr_nonnull(arena_allocate(&arena, 100));
        arena_reset(&arena);
    }
    size_t kept = arena.reserved;
    ck_assert_ptr_nonnull(arena_allocate(&arena, 100));
    ck_assert_uint_eq(arena.reserved, kept);
    arena_dispose(&arena);
}
END_TEST

UNIT_MAIN("buffer", buffer_writes_what_it_is_given, buffer_remembers_its_first_failure,
          buffer_grows_past_many_doublings, arena_gives_aligned_memory_of_its_own,
          arena_refuses_overflow_and_keeps_its_maximum, arena_reset_reuses_its_block)
