/* reconcile_unit.h - what tests of reconcile() share: texts, trees of them, and ways through
 * history.
 *
 * A way owns its inventory and its last result; the texts are the program's. */
#ifndef WEIR_TESTS_RECONCILE_UNIT_H
#define WEIR_TESTS_RECONCILE_UNIT_H

#include <stdlib.h>

#include "../../rules/reconcile.h"
#include "rules_unit.h"

/* A test may say which paths there are. */
#ifndef FILES
#define FILES 24
#define TREE_PATHS                                                                                 \
    {                                                                                              \
        "environments/dev.yaml", "environments/production.yaml", "environments/test.yaml",         \
            "flags/a.yaml", "flags/b.yaml", "flags/c.yaml", "flags/d.yaml", "flags/e.yaml",        \
            "flags/f.yaml", "flags/g.yaml", "flags/h.yaml", "flags/two.yaml", "flags/more.yaml",   \
            "segments/p.yaml", "segments/q.yaml", "segments/r.yaml", "segments/s.yaml",            \
            "segments/two.yaml", "targets/one.yaml", "targets/two.yaml", "other/marked.yaml",      \
            "other/plain.yaml", "segments/chain.yaml", "flags/link.yaml",                          \
    }
#endif
#define TEXTS 4096
#define LINK TEXTS /* instead of a text's number: a symbolic link */

/* Every text that a file ever had; its number is its blob id. */
static char *texts[TEXTS];
static uint32_t text_count;

/* What a commit has at each path: the number of a text, 0 where there is none. */
struct tree {
    uint32_t files[FILES];
};

static const char *const tree_paths[FILES] = TREE_PATHS;

static inline uint32_t keep_text(const char *text)
{
    ck_assert_uint_lt(text_count + 1, TEXTS);
    texts[++text_count] = strdup(text);
    return text_count;
}

static inline struct blob_id blob_of(uint32_t number)
{
    struct blob_id blob = {{0}};
    memcpy(blob.bytes, &number, sizeof number);
    return blob;
}

static inline enum status read_text(void *context, struct text path, const struct blob_id *blob,
                                    struct buffer *out)
{
    uint32_t number;
    (void)context;
    (void)path;
    memcpy(&number, blob->bytes, sizeof number);
    if (number == 0 || number > text_count) /* check itself needs memory */
        return STATUS_SYSTEM;
    buffer_append_string(out, texts[number]);
    return STATUS_OK;
}

/* One way through history. */
struct way {
    struct schema_set *schemas;
    struct inventory inventory;
    struct tree tree;
    struct reconcile_result result;
    bool is_lost; /* what is in force is not that of the parent of the commit that comes next */
};

static inline void way_init(struct way *way)
{
    struct error error;
    *way = (struct way){.schemas = catalog_schemas(&error)};
    ck_assert_ptr_nonnull(way->schemas);
    inventory_init(&way->inventory);
}

static inline void way_dispose(struct way *way)
{
    reconcile_result_dispose(&way->result);
    inventory_dispose(&way->inventory);
    schema_set_free(way->schemas);
}

static inline enum status way_step(struct way *way, const struct tree *tree,
                                   const struct exception *exceptions, size_t exception_count,
                                   bool known)
{
    struct file_change changes[FILES];
    struct error error;
    size_t count = 0;
    for (size_t i = 0; i < FILES; i++) {
        if (tree->files[i] == way->tree.files[i])
            continue;
        changes[count++] = (struct file_change){.path = text_of(tree_paths[i]),
                                                .state = tree->files[i] ? FILE_HERE : FILE_GONE,
                                                .blob = blob_of(tree->files[i])};
        if (tree->files[i] == LINK)
            changes[count - 1].state = FILE_OBSTACLE;
        else if (tree->files[i])
            changes[count - 1].size = strlen(texts[tree->files[i]]);
    }
    struct reconcile_task task = {.schemas = way->schemas,
                                  .reader = {read_text, NULL},
                                  .changes = changes,
                                  .change_count = count,
                                  .from = way->is_lost ? RECONCILE_ELSEWHERE : RECONCILE_PARENT,
                                  .is_known = known,
                                  .exceptions = exceptions,
                                  .exception_count = exception_count};
    reconcile_result_dispose(&way->result);
    way->tree = *tree;
    return reconcile(&way->inventory, &task, &way->result, &error);
}

static inline void way_go(struct way *way, const struct tree *tree)
{
    ck_assert_int_eq(way_step(way, tree, NULL, 0, false), STATUS_OK);
}

static inline void way_restart(struct way *way)
{
    inventory_dispose(&way->inventory);
    way->tree = (struct tree){{0}};
}

static inline const char *story(const struct diagnostics *diagnostics)
{
    static char out[64000];
    struct buffer buffer;
    buffer_init(&buffer, 0);
    diagnostics_write_text(&buffer, diagnostics, false);
    snprintf(out, sizeof out, "%.*s", (int)buffer.length, buffer.data ? buffer.data : "");
    buffer_dispose(&buffer);
    return out;
}

static inline void expect_same_documents(const struct inventory *a, const struct inventory *b,
                                         const char *what)
{
    ck_assert_msg(a->document_count == b->document_count, "%s: %zu and %zu environments", what,
                  a->document_count, b->document_count);
    for (size_t i = 0; i < a->document_count; i++) {
        ck_assert_str_eq(a->documents[i].environment, b->documents[i].environment);
        ck_assert_msg(document_equal(a->documents[i].document, b->documents[i].document),
                      "%s: %s differs", what, a->documents[i].environment);
    }
}

/* Newest first until one is whole, then back to the tip: as a controller with an empty disk does.
 */
static inline void go_fresh(struct way *way, const struct tree *trees, size_t tip)
{
    size_t at = tip;
    way_restart(way);
    way->is_lost = true;
    way_go(way, &trees[at]);
    while (!way->result.whole && at > 0)
        way_go(way, &trees[--at]);
    way->is_lost = false;
    if (!way->result.whole) {
        way_restart(way);
        way_go(way, &trees[at]);
    }
    while (at < tip)
        way_go(way, &trees[++at]);
}

#endif
