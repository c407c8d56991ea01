/* What is served before Git says so outlives the process, whatever flag it is of. */
#include "overrides.h"
#include "repositories.h"

#include "../../controller/rollout/open_overrides.h"
#include "../../rules/compile.h"

static struct store *store;

static void set_up(struct open_overrides *set)
{
    begin();
    ck_assert_ok(store_open(root, &store, &failure));
    open_overrides_init(set, store);
}

static void tear_down(struct open_overrides *set)
{
    open_overrides_dispose(set);
    store_close(store);
    mirror = NULL;
    end();
}

/* The largest flag that compiles, of characters that are escaped wherever it is written. */
static void write_largest(struct buffer *out)
{
    static const char tail[] = "\"}}";
    buffer_append_string(
        out, "{\"defaultVariant\":\"on\",\"state\":\"ENABLED\",\"variants\":{\"on\":\"");
    while (out->length + 2 + sizeof tail - 1 <= COMPILE_FRAGMENT_MAX)
        buffer_append_string(out, "\\\"");
    buffer_append_string(out, tail);
    ck_assert_int_eq(out->failed, 0);
}

START_TEST(the_largest_flag_is_kept)
{
    struct open_overrides set;
    struct buffer fragment;
    set_up(&set);
    buffer_init(&fragment, 0);
    write_largest(&fragment);
    struct override like = override_like(INTENT_A, "checkout", "");
    like.fragment = buffer_text(&fragment);
    struct override *override = override_new(&like);
    ck_assert_ptr_nonnull(override);
    ck_assert_ok(open_overrides_open(&set, override, &failure));
    override_release(override);
    ck_assert_uint_eq(set.unkept, 0);
    open_overrides_dispose(&set);
    open_overrides_init(&set, store);
    ck_assert_ok(open_overrides_load(&set, &failure)); /* as a restart does */
    const struct override *kept = open_overrides_find(&set, TEXT(INTENT_A));
    ck_assert_ptr_nonnull(kept);
    ck_assert(text_equal(kept->fragment, like.fragment));
    buffer_dispose(&fragment);
    tear_down(&set);
}
END_TEST

UNIT_MAIN("open_overrides", the_largest_flag_is_kept)
