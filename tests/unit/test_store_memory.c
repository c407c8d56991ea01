/* Memory that runs out anywhere in the store, ours or SQLite's: the n-th allocation fails, for
 * every n until none does. Each time the answer is STATUS_NO_MEMORY or the right one; what was
 * acknowledged is there afterwards, and the handle still works. Linked with --wrap, see
 * TEST_LDFLAGS_torture in the Makefile. */
#include <sqlite3.h>

#include "failing.h"
#include "store_rows.h"

static char root[64];

/* --- SQLite's allocations, through ours ------------------------------------------------------ */

static sqlite3_mem_methods usual;

static void *failing_malloc(int size)
{
    return fails() ? NULL : usual.xMalloc(size);
}

static void *failing_realloc(void *memory, int size)
{
    return fails() ? NULL : usual.xRealloc(memory, size);
}

static void hook_sqlite(void)
{
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual), SQLITE_OK);
    sqlite3_mem_methods methods = usual;
    methods.xMalloc = failing_malloc;
    methods.xRealloc = failing_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    /* Else it would put small ones aside, and fewer would fail. */
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
}

/* --- ways ------------------------------------------------------------------------------------ */

static enum status go_open(struct store **store)
{
    return store_open(root, store, NULL);
}

static enum status go_put(struct store **store)
{
    struct store_override override = override_numbered(1);
    return store_override_put(*store, &override, NULL);
}

static enum status go_list(struct store **store)
{
    struct buffer out;
    buffer_init(&out, 0);
    enum status status = store_override_each(*store, tell_override, &out, NULL);
    buffer_dispose(&out);
    return status;
}

static enum status go_measure(struct store **store)
{
    struct store_measurement batch[2] = {measurement_at(10), measurement_at(20)};
    enum status status = store_measurement_append(*store, batch, 2, NULL);
    struct buffer out;
    buffer_init(&out, 0);
    if (status == STATUS_OK)
        status = store_measurement_each(*store, TEXT("production"), TEXT("checkout-v2"),
                                        TEXT("errors"), 0, tell_measurement, &out, NULL);
    buffer_dispose(&out);
    return status;
}

static enum status go_take(struct store **store)
{
    static int64_t now; /* a way that failed late has taken it until then */
    struct store_notice notice = notice_numbered(1), taken;
    now += 1000;
    enum status status = store_outbox_append(*store, &notice, NULL);
    if (status == STATUS_OK)
        status = store_outbox_take(*store, TEXT(""), now, now + 100, &taken, NULL);
    if (status == STATUS_OK)
        status = store_outbox_retry(*store, TEXT("notice-000001"), 0, TEXT("later"), NULL);
    return status;
}

static enum status go_prune(struct store **store)
{
    struct store_keep keep = {.measurements = 1, .measurements_since = 5};
    uint64_t removed;
    return store_prune(*store, &keep, &removed, NULL);
}

/* In memory where that can be had: a thousand stores are made, and none of them is to last. */
static void begin(void)
{
    snprintf(root, sizeof root, "/dev/shm/weir-unit-XXXXXX");
    if (!mkdtemp(root))
        make_folder(root);
}

/* --- each allocation in turn ----------------------------------------------------------------- */

static void check_way(enum status (*go)(struct store **), bool opens)
{
    size_t failed = 0;
    for (size_t n = 1;; n++) {
        struct store *store = NULL;
        begin();
        if (!opens)
            store = open_store(root);
        plan.seen = 0, plan.failing = n, plan.armed = true;
        enum status status = go(&store);
        plan.armed = false;
        ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY, "allocation %zu: %d", n,
                      status);
        failed += status == STATUS_NO_MEMORY;
        bool over = plan.seen < n;
        if (status == STATUS_NO_MEMORY && opens)
            ck_assert_ptr_null(store);
        if (store) {
            /* The handle goes on, and the same way leads to the end. */
            if (!opens)
                ck_assert_int_eq(go(&store), STATUS_OK);
            store_close(store);
        }
        store_close(open_store(root));
        remove_folder(root);
        if (over)
            break;
        ck_assert_uint_lt(n, 5000);
    }
    ck_assert_uint_gt(failed, 3);
}

START_TEST(test_opening)
{
    hook_sqlite();
    check_way(go_open, true);
}
END_TEST

START_TEST(test_overrides)
{
    hook_sqlite();
    check_way(go_put, false);
    check_way(go_list, false);
}
END_TEST

START_TEST(test_measurements)
{
    hook_sqlite();
    check_way(go_measure, false);
    check_way(go_prune, false);
}
END_TEST

START_TEST(test_outbox)
{
    hook_sqlite();
    check_way(go_take, false);
}
END_TEST

UNIT_MAIN("store_memory", test_opening, test_overrides, test_measurements, test_outbox)
