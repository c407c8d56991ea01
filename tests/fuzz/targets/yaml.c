/* A file of definitions as YAML: nodes that keep what yaml.h promises, or faults with places. */
#include "../../../rules/yaml.h"
#include "../../../rules/json.h"
#include "../fuzz.h"

static void check_keys(const struct node *node)
{
    if (node->type != NODE_LIST && node->type != NODE_MAP)
        return;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        if (node->type == NODE_MAP && node->count < 1000)
            FUZZ_CHECK(node_get_text(node, entry->key) == entry, "key \"%.*s\" stands twice",
                       FUZZ_TEXT(entry->key));
        check_keys(entry);
    }
}

/* The value survives being written as JSON, which is how variants come into documents. */
static void check_as_json(const struct node *root)
{
    struct buffer json;
    struct arena arena;
    const struct node *again;
    struct error error = {0};
    buffer_init(&json, 0);
    arena_init(&arena, 0);
    json_write_node(&json, root);
    FUZZ_CHECK(json_read(&arena, buffer_text(&json), JSON_LIMITS_DEFAULT, &again, &error) ==
                   STATUS_OK,
               "%s: %.*s", error.message, FUZZ_TEXT(buffer_text(&json)));
    FUZZ_CHECK(node_equal(root, again), "another value as JSON: %.*s",
               FUZZ_TEXT(buffer_text(&json)));
    arena_dispose(&arena);
    buffer_dispose(&json);
}

static enum status look(void *context, const struct node *root)
{
    unsigned *documents = context;
    ++*documents;
    fuzz_check_node(root, YAML_MAX_DEPTH);
    check_keys(root);
    check_as_json(root);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text source = {(const char *)data, size};
    struct diagnostics faults;
    struct arena arena;
    unsigned documents = 0;
    arena_init(&arena, 0);
    diagnostics_init(&faults);
    enum status status = yaml_read(&arena, TEXT("f.yaml"), source, look, &documents, &faults);
    FUZZ_CHECK(documents <= YAML_MAX_DOCUMENTS, "%u documents", documents);
    fuzz_check_diagnostics(&faults, status, source);
    diagnostics_dispose(&faults);
    arena_dispose(&arena);
    return 0;
}
