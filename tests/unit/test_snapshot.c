#include "unit.h"

#include "../../controller/snapshot.h"

/* --- generations ----------------------------------------------------------------------------- */

START_TEST(test_generation_text)
{
    char text[GENERATION_TEXT_SIZE];
    struct generation generation = {1, 0xabcdef, 0, UINT32_MAX}, read = {0, 0, 0, 0};
    generation_format(generation, text);
    ck_assert_str_eq(text, "0000000100abcdef00000000ffffffff");
    ck_assert(generation_parse(text_of(text), &read));
    ck_assert_int_eq(generation_compare(read, generation), 0);
    static const char *const wrong[] = {
        "",
        "0000000100abcdef00000000fffffff",
        "0000000100abcdef00000000ffffffff0",
        "0000000100ABCDEF00000000ffffffff",
        "0000000100abcdeg00000000ffffffff",
        " 000000100abcdef00000000ffffffff",
        "0000000100abcdef-0000000ffffffff",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(!generation_parse(text_of(wrong[i]), &read), "'%s'", wrong[i]);
    ck_assert_int_eq(generation_compare(read, generation), 0);
}
END_TEST

START_TEST(test_generation_order_is_that_of_its_text)
{
    static const struct generation rising[] = {
        {0, 0, 0, 0},  {0, 0, 0, 1},  {0, 0, 1, 0},   {0, 9, 0, 0},
        {0, 10, 0, 0}, {0, 16, 0, 0}, {0, 255, 7, 0}, {1, 0, 0, 0},
    };
    char a[GENERATION_TEXT_SIZE], b[GENERATION_TEXT_SIZE];
    for (size_t i = 0; i < COUNT_OF(rising); i++) {
        for (size_t j = 0; j < COUNT_OF(rising); j++) {
            int order = generation_compare(rising[i], rising[j]);
            generation_format(rising[i], a);
            generation_format(rising[j], b);
            int bytes = strcmp(a, b);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
            ck_assert_int_eq((bytes > 0) - (bytes < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

/* --- snapshots ------------------------------------------------------------------------------- */

static struct document *empty_document(void)
{
    struct document *document = NULL;
    struct error error = {0};
    ck_assert_msg(document_read(TEXT("{\"flags\":{}}"), NULL, &document, &error) == STATUS_OK, "%s",
                  error.message);
    return document;
}

START_TEST(test_environments_by_name)
{
    static const char *const names[] = {"a", "b", "production", "production-eu", "staging"};
    struct snapshot *snapshot = snapshot_new(COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_int_eq(snapshot_fill(snapshot, i, text_of(names[i]), empty_document()),
                         STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_ptr_eq(snapshot_environment(snapshot, text_of(names[i])),
                         &snapshot->environments[i]);
        ck_assert_str_eq(snapshot->environments[i].name.data, names[i]);
    }
    static const char *const absent[] = {"", "aa", "produc", "production-", "zz"};
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        ck_assert_ptr_null(snapshot_environment(snapshot, text_of(absent[i])));
    snapshot_release(snapshot);

    snapshot = snapshot_new(0);
    ck_assert_ptr_null(snapshot_environment(snapshot, TEXT("a")));
    snapshot_release(snapshot);
    snapshot_release(NULL);
}
END_TEST

START_TEST(test_last_release_gives_documents_back)
{
    struct document *document = empty_document();
    struct snapshot *snapshot = snapshot_new(1);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, TEXT("e"), document_reference(document)),
                     STATUS_OK);
    ck_assert_uint_eq(document->references, 2);
    ck_assert_ptr_eq(snapshot_reference(snapshot), snapshot);
    snapshot_release(snapshot);
    ck_assert_uint_eq(document->references, 2);
    snapshot_release(snapshot);
    ck_assert_uint_eq(document->references, 1);
    document_release(document);
}
END_TEST

/* --- the hub --------------------------------------------------------------------------------- */

static struct snapshot *numbered(uint32_t number)
{
    struct snapshot *snapshot = snapshot_new(1);
    ck_assert_ptr_nonnull(snapshot);
    char name[16];
    snprintf(name, sizeof name, "e%u", number);
    ck_assert_int_eq(snapshot_fill(snapshot, 0, text_of(name), NULL), STATUS_OK);
    snapshot->generation.level = number;
    return snapshot;
}

START_TEST(test_readers_follow)
{
    struct hub hub;
    struct reader reader = {0};
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    ck_assert_ptr_null(hub_acquire(&hub));
    ck_assert_ptr_null(reader_current(&reader, &hub));

    struct snapshot *first = numbered(1);
    hub_publish(&hub, first);
    ck_assert_uint_eq(hub.version, 1);
    ck_assert_ptr_eq(reader_current(&reader, &hub), first);
    ck_assert_ptr_eq(reader_current(&reader, &hub), first);
    ck_assert_uint_eq(first->references, 2); /* the hub's and the reader's, however often it asks */

    struct snapshot *held = hub_acquire(&hub);
    ck_assert_ptr_eq(held, first);
    hub_publish(&hub, numbered(2));
    ck_assert_uint_eq(first->references, 2); /* the reader's and ours */
    ck_assert_uint_eq(reader_current(&reader, &hub)->generation.level, 2);
    ck_assert_uint_eq(first->references, 1);
    ck_assert_str_eq(held->environments[0].name.data, "e1");
    snapshot_release(held);

    reader_dispose(&reader);
    ck_assert_ptr_null(reader.snapshot);
    hub_dispose(&hub);
}
END_TEST

enum { SWAPS = 3000 };

static void *follow(void *context)
{
    struct hub *hub = context;
    struct reader reader = {0};
    uint32_t last = 0;
    char name[16];
    while (last < SWAPS) {
        const struct snapshot *snapshot = reader_current(&reader, hub);
        if (!snapshot)
            continue;
        /* Never backwards, and never one that is half made or already freed. */
        ck_assert_uint_ge(snapshot->generation.level, last);
        last = snapshot->generation.level;
        snprintf(name, sizeof name, "e%u", last);
        ck_assert_str_eq(snapshot->environments[0].name.data, name);
        struct snapshot *held = hub_acquire(hub);
        ck_assert_uint_ge(held->generation.level, last);
        snapshot_release(held);
    }
    reader_dispose(&reader);
    return NULL;
}

START_TEST(test_swaps_under_readers)
{
    struct hub hub;
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, follow, &hub), 0);
    for (uint32_t number = 1; number <= SWAPS; number++)
        hub_publish(&hub, numbered(number));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(hub.version, SWAPS);
    ck_assert_uint_eq(hub.current->references, 1);
    hub_dispose(&hub);
}
END_TEST

struct listening {
    struct hub_listener listener;
    struct hub *hub;
    unsigned told;
    uint64_t version; /* of the hub, when last told */
};

static void note(void *context)
{
    struct listening *listening = context;
    listening->told++;
    listening->version = atomic_load(&listening->hub->version);
}

START_TEST(test_listeners_are_told)
{
    struct hub hub;
    struct listening first = {{note, &first, NULL}, &hub, 0, 0};
    struct listening second = {{note, &second, NULL}, &hub, 0, 0};
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    hub_publish(&hub, numbered(1));
    hub_listen(&hub, &first.listener);
    hub_listen(&hub, &second.listener);
    ck_assert_uint_eq(first.told, 0);
    hub_publish(&hub, numbered(2));
    ck_assert_uint_eq(first.told, 1);
    ck_assert_uint_eq(second.told, 1);
    ck_assert_uint_eq(first.version, 2); /* what was published is there by then */
    hub_unlisten(&hub, &first.listener);
    hub_unlisten(&hub, &first.listener);
    hub_publish(&hub, numbered(3));
    ck_assert_uint_eq(first.told, 1);
    ck_assert_uint_eq(second.told, 2);
    hub_unlisten(&hub, &second.listener);
    hub_dispose(&hub);
}
END_TEST

UNIT_MAIN("snapshot", test_generation_text, test_generation_order_is_that_of_its_text,
          test_environments_by_name, test_last_release_gives_documents_back, test_readers_follow,
          test_listeners_are_told, test_swaps_under_readers)
