/* draft7.c - runs the JSON Schema test suite's required draft-07 cases against rules/schema.h.
 *
 * Reads Debian's json-schema-test-suite, or the folder in WEIR_JSON_SCHEMA_SUITE (which holds
 * tests/draft7 and remotes). Each group of a file has a schema and several values with the verdict
 * that is right; every verdict is compared. A group that cannot be asked (a file that it refers to
 * is not on this machine) is skipped and named. A schema that does not compile makes all its cases
 * fail. Exit status 1 when any case failed. */
#include <dirent.h>
#include <stdio.h>

#include "../../rules/json.h"
#include "../../rules/schema.h"

#define SUITE "/usr/share/json-schema-test-suite"
#define METASCHEMA "/usr/lib/python3/dist-packages/jsonschema/schemas/draft7.json"
#define METASCHEMA_ID "http://json-schema.org/draft-07/schema#"
#define REMOTE_BASE "http://localhost:1234/"

struct counts {
    unsigned passed, failed, skipped;
};

/* A file that cases may refer to by its address. */
static const char *const remotes[] = {"integer.json", "name.json", "subSchemas.json",
                                      "folder/folderInteger.json"};

static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    char chunk[8192];
    size_t length;
    if (!file)
        return false;
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, length);
    bool good = !ferror(file) && out->failed == STATUS_OK;
    fclose(file);
    return good;
}

/* STATUS_NOT_FOUND when the file is not there. */
static enum status add_file(struct schema_set *set, const char *name, const char *path,
                            struct error *error)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    enum status status = STATUS_NOT_FOUND;
    if (read_file(path, &bytes))
        status = schema_set_add(set, name, buffer_text(&bytes), error);
    buffer_dispose(&bytes);
    return status;
}

static enum status add_remotes(struct schema_set *set, const char *suite, struct error *error)
{
    for (size_t i = 0; i < COUNT_OF(remotes); i++) {
        char path[512], name[128];
        snprintf(path, sizeof path, "%s/remotes/%s", suite, remotes[i]);
        snprintf(name, sizeof name, "%s%s", REMOTE_BASE, remotes[i]);
        enum status status = add_file(set, name, path, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Compiles the schema of a group. `missing` is set when it needs a file that is not on this
 * machine. */
static struct schema_set *compile(const struct node *group, const char *suite, struct error *error,
                                  const char **missing)
{
    struct schema_set *set = schema_set_new();
    struct buffer text;
    buffer_init(&text, 0);
    json_write_node(&text, node_get(group, "schema"));
    const char *string = buffer_string(&text);
    enum status status = set && string ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        /* The specification lets a schema hold keywords that nobody knows, and refer into them. */
        schema_set_ignore_unknown(set);
        status = schema_set_add(set, "case", buffer_text(&text), error);
    }
    if (status == STATUS_OK && strstr(string, METASCHEMA_ID)) {
        status = add_file(set, "metaschema", METASCHEMA, error);
        if (status == STATUS_NOT_FOUND)
            *missing = METASCHEMA;
    }
    if (status == STATUS_OK && strstr(string, REMOTE_BASE)) {
        status = add_remotes(set, suite, error);
        if (status == STATUS_NOT_FOUND)
            *missing = "remotes/";
    }
    if (status == STATUS_OK)
        status = schema_set_seal(set, error);
    buffer_dispose(&text);
    if (status == STATUS_OK)
        return set;
    schema_set_free(set);
    return NULL;
}

static int width(struct text text)
{
    return (int)text.length;
}

static bool run_case(const struct schema *schema, const struct node *group, const struct node *test)
{
    const struct node *data = node_get(test, "data"), *valid = node_get(test, "valid");
    struct diagnostics faults;
    diagnostics_init(&faults);
    /* Both ways of asking must agree: with the faults, and without. */
    enum status quiet = schema_validate(schema, data, TEXT("data"), NULL);
    enum status loud = schema_validate(schema, data, TEXT("data"), &faults);
    bool expected = valid && valid->type == NODE_BOOL && valid->boolean;
    bool good = data && quiet == loud && (quiet == STATUS_OK) == expected &&
                (faults.errors == 0) == expected;
    diagnostics_dispose(&faults);
    if (!good) {
        struct text a = node_get_string(group, "description"),
                    b = node_get_string(test, "description");
        printf("  failed: %.*s: %.*s: status %d and %d\n", width(a), a.data, width(b), b.data,
               (int)quiet, (int)loud);
    }
    return good;
}

static void run_group(const struct node *group, const char *suite, struct counts *counts)
{
    struct error error = {0};
    const char *missing = NULL;
    const struct node *tests = node_get(group, "tests");
    struct text name = node_get_string(group, "description");
    struct schema_set *set = compile(group, suite, &error, &missing);
    if (missing) {
        printf("  skipped: %.*s: %s is not on this machine\n", width(name), name.data, missing);
        counts->skipped += tests->count;
        return;
    }
    if (!set) {
        printf("  failed: %.*s: %s\n", width(name), name.data, error.message);
        counts->failed += tests->count;
        return;
    }
    const struct schema *schema = schema_set_find(set, "case");
    for (const struct node *test = tests->first; test; test = test->next) {
        if (run_case(schema, group, test))
            counts->passed++;
        else
            counts->failed++;
    }
    schema_set_free(set);
}

static bool run_file(const char *suite, const char *name, struct counts *total)
{
    char path[512];
    struct buffer bytes;
    struct arena arena;
    struct error error = {0};
    const struct node *groups = NULL;
    struct counts counts = {0};
    snprintf(path, sizeof path, "%s/tests/draft7/%s", suite, name);
    buffer_init(&bytes, 0);
    arena_init(&arena, 0);
    bool good =
        read_file(path, &bytes) &&
        json_read(&arena, buffer_text(&bytes), JSON_LIMITS_DEFAULT, &groups, &error) == STATUS_OK;
    if (good) {
        for (const struct node *group = groups->first; group; group = group->next)
            run_group(group, suite, &counts);
        printf("%-28s %3u/%u%s\n", name, counts.passed,
               counts.passed + counts.failed + counts.skipped,
               counts.skipped ? " (some skipped)" : "");
    } else {
        printf("%-28s cannot be read: %s\n", name, error.message);
    }
    total->passed += counts.passed;
    total->failed += counts.failed;
    total->skipped += counts.skipped;
    arena_dispose(&arena);
    buffer_dispose(&bytes);
    return good;
}

static int is_test_file(const struct dirent *entry)
{
    return text_ends_with(text_of(entry->d_name), TEXT(".json"));
}

int main(void)
{
    const char *suite = getenv("WEIR_JSON_SCHEMA_SUITE");
    char folder[512];
    struct dirent **entries = NULL;
    struct counts total = {0};
    bool good = true;
    if (!suite)
        suite = SUITE;
    snprintf(folder, sizeof folder, "%s/tests/draft7", suite);
    int count = scandir(folder, &entries, is_test_file, alphasort);
    if (count <= 0) {
        printf("skipped: no JSON Schema test suite at %s\n", folder);
        printf("0 passed, 0 failed, 0 skipped\n");
        free(entries);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        good = run_file(suite, entries[i]->d_name, &total) && good;
        free(entries[i]);
    }
    free(entries);
    printf("not asked: optional/ (bignum, format, content, ECMAScript regular expressions): "
           "annotations, or "
           "beyond the required set\n");
    printf("%u passed, %u failed, %u skipped\n", total.passed, total.failed, total.skipped);
    return good && total.failed == 0 ? 0 : 1;
}
