/* JSON in and canonical JSON out: what was written reads back as the same value and is written the
 * same again; the three readers (trees, views, skipping) agree on what JSON is. */
#include "../../../rules/json.h"
#include "../../../rules/json_scan.h"
#include "../fuzz.h"

static enum status read_as(struct arena *arena, struct text json, bool views, bool unique,
                           const struct node **out)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct error error = {0};
    limits.views = views;
    limits.unique_keys = unique;
    enum status status = json_read(arena, json, limits, out, &error);
    FUZZ_CHECK((status == STATUS_OK) == (*out != NULL), "status %d with or without a value",
               (int)status);
    if (status != STATUS_OK)
        fuzz_check_error(status, &error);
    return status;
}

static bool skips(struct text json)
{
    struct json_cursor cursor = {.p = json.data, .end = json.data + json.length};
    json_scan_space(&cursor);
    if (!json_skip_value(&cursor, JSON_DEFAULT_DEPTH))
        return false;
    json_scan_space(&cursor);
    return cursor.p == cursor.end;
}

/* Nothing but what must be there: no space outside of strings. (That keys are sorted and stand once
 * shows in the second reading.) */
static void check_canonical(struct text json)
{
    bool quoted = false;
    for (size_t i = 0; i < json.length; i++) {
        char c = json.data[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else
            FUZZ_CHECK(quoted || !strchr(" \t\r\n", c), "space in %.*s", FUZZ_TEXT(json));
    }
}

static void check_sorted(const struct node *node)
{
    if (node->type != NODE_LIST && node->type != NODE_MAP)
        return;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        FUZZ_CHECK(node->type != NODE_MAP || !entry->next ||
                       text_compare(entry->key, entry->next->key) < 0,
                   "key \"%.*s\" stands too early", FUZZ_TEXT(entry->key));
        check_sorted(entry);
    }
}

/* Of equal keys the last one counts, and only that one is written. */
static bool is_same(const struct node *read, const struct node *written)
{
    if (read->type != NODE_LIST && read->type != NODE_MAP)
        return node_equal(read, written);
    if (read->type != written->type)
        return false;
    const struct node *other = written->first;
    for (const struct node *entry = read->first; entry; entry = entry->next) {
        if (read->type == NODE_MAP) {
            if (node_get_text(read, entry->key) != entry)
                continue;
            other = node_get_text(written, entry->key);
        }
        if (!other || !is_same(entry, other))
            return false;
        if (read->type == NODE_LIST)
            other = other->next;
    }
    return read->type == NODE_MAP || !other;
}

static void check_round_trip(struct arena *arena, const struct node *root)
{
    struct buffer once, twice;
    const struct node *again;
    buffer_init(&once, 0);
    buffer_init(&twice, 0);
    json_write_node(&once, root);
    check_canonical(buffer_text(&once));
    FUZZ_CHECK(read_as(arena, buffer_text(&once), false, true, &again) == STATUS_OK,
               "what was written cannot be read: %.*s", FUZZ_TEXT(buffer_text(&once)));
    check_sorted(again);
    FUZZ_CHECK(is_same(root, again), "another value: %.*s", FUZZ_TEXT(buffer_text(&once)));
    json_write_node(&twice, again);
    FUZZ_CHECK(text_equal(buffer_text(&once), buffer_text(&twice)), "%.*s is written again as %.*s",
               FUZZ_TEXT(buffer_text(&once)), FUZZ_TEXT(buffer_text(&twice)));
    buffer_dispose(&once);
    buffer_dispose(&twice);
}

static void check_views(struct arena *arena, struct text json, const struct node *root)
{
    struct buffer tree, views;
    const struct node *other;
    FUZZ_CHECK(read_as(arena, json, true, false, &other) == STATUS_OK, "views read less");
    buffer_init(&tree, 0);
    buffer_init(&views, 0);
    json_write_node(&tree, root);
    json_write_node(&views, other);
    FUZZ_CHECK(text_equal(buffer_text(&tree), buffer_text(&views)), "views read %.*s",
               FUZZ_TEXT(buffer_text(&views)));
    buffer_dispose(&tree);
    buffer_dispose(&views);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text json = {(const char *)data, size};
    struct arena arena;
    const struct node *root;
    arena_init(&arena, 0);
    enum status status = read_as(&arena, json, false, false, &root);
    FUZZ_CHECK(skips(json) == (status == STATUS_OK), "skipping and reading disagree");
    if (status == STATUS_OK) {
        fuzz_check_node(root, JSON_DEFAULT_DEPTH);
        check_round_trip(&arena, root);
        check_views(&arena, json, root);
    }
    arena_dispose(&arena);
    return 0;
}
