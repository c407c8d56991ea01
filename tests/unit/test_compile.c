/* The state document: canonical bytes, shared fragments, and the document of examples/acme-shop as
 * it was reviewed. */
#include <nettle/sha2.h>

#include "../../controller/folder.h"
#include "../../rules/explain.h"
#include "../../rules/json.h"
#include "fragments.h"
#include "rules_unit.h"

static void add_shop(struct rig *rig)
{
    struct error error = {0};
    rig_init(rig);
    ck_assert_msg(folder_read("examples/acme-shop", &rig->bundle, &rig->faults, &error) ==
                      STATUS_OK,
                  "%s (run from the root of the tree)", error.message);
    ck_assert_msg(rig_link(rig) == STATUS_OK, "%s", rig_story(rig));
}

static char *read_golden(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    char *bytes = malloc(1 << 20);
    *length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

START_TEST(the_shop_compiles_to_the_reviewed_bytes)
{
    struct rig rig;
    struct buffer out;
    size_t length;
    add_shop(&rig);
    ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_OK);
    buffer_init(&out, 0);
    document_write(rig.document, &out);
    char *golden = read_golden("tests/unit/golden/acme-production.json", &length);
    size_t same = 0;
    while (same < length && same < out.length && golden[same] == out.data[same])
        same++;
    ck_assert_msg(length == out.length && same == length,
                  "differs from byte %zu on: '%.60s', reviewed '%.60s'", same,
                  same < out.length ? out.data + same : "", golden + (same < length ? same : 0));
    ck_assert(out.data[out.length - 1] == '\n' && !memchr(out.data, '\n', out.length - 1));
    free(golden);
    buffer_dispose(&out);
    rig_dispose(&rig);
}
END_TEST

/* Reading and writing it again gives the same bytes: keys are sorted and every number has its one
 * spelling. */
START_TEST(documents_are_canonical)
{
    static const char *const environments[] = {"production", "staging"};
    for (size_t i = 0; i < COUNT_OF(environments); i++) {
        struct rig rig;
        struct arena arena;
        struct buffer out, again;
        const struct node *node;
        add_shop(&rig);
        ck_assert_int_eq(rig_compile(&rig, environments[i], NULL), STATUS_OK);
        arena_init(&arena, 0);
        buffer_init(&out, 0);
        buffer_init(&again, 0);
        document_write(rig.document, &out);
        ck_assert_int_eq(
            json_read(&arena, buffer_text(&out),
                      (struct json_limits){
                          .bytes = 1 << 30, .depth = 512, .nodes = 1 << 20, .unique_keys = true},
                      &node, NULL),
            STATUS_OK);
        json_write_node(&again, node);
        buffer_append_char(&again, '\n');
        ck_assert(text_equal(buffer_text(&out), buffer_text(&again)));
        buffer_dispose(&out);
        buffer_dispose(&again);
        arena_dispose(&arena);
        rig_dispose(&rig);
    }
}
END_TEST

/* What a reader makes of the bytes is what the compiler made: same flags, same digest, same
 * answers. */
START_TEST(a_document_read_back_is_the_same)
{
    struct rig rig;
    struct buffer out;
    struct document *copy;
    struct error error = {0};
    static const char context[] =
        "{\"targetingKey\":\"u7\",\"country\":\"DE\",\"sessionId\":\"s\",\"orders\":9,"
        "\"customerSince\":\"2020-02-02T00:00:00Z\",\"userAgent\":\"x\"}";
    add_shop(&rig);
    ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_OK);
    buffer_init(&out, 0);
    document_write(rig.document, &out);
    ck_assert_msg(document_read(buffer_text(&out), NULL, &copy, &error) == STATUS_OK, "%s",
                  error.message);
    ck_assert_uint_eq(copy->count, rig.document->count);
    ck_assert(document_equal(copy, rig.document));
    for (size_t i = 0; i < copy->count; i++) {
        struct decision a, b;
        const struct fragment *one = document_at(rig.document, i), *two = document_at(copy, i);
        char *json = json_of(one);
        ck_assert(text_equal(one->program.key, two->program.key) &&
                  fragment_has_json(two, text_of(json)));
        free(json);
        ck_assert_int_eq(context_read(&rig.context, rig.document->attributes, TEXT(context), NULL),
                         STATUS_OK);
        evaluate(one, &rig.context, RIG_NOW, &a);
        ck_assert_int_eq(context_read(&rig.context, copy->attributes, TEXT(context), NULL),
                         STATUS_OK);
        evaluate(two, &rig.context, RIG_NOW, &b);
        ck_assert(a.reason == b.reason && text_equal(a.value, b.value) &&
                  text_equal(a.variant, b.variant));
        ck_assert(text_equal(a.metadata, b.metadata));
    }
    document_release(copy);
    buffer_dispose(&out);
    rig_dispose(&rig);
}
END_TEST

/* --- from one commit to the next
 * ------------------------------------------------------------------------------ */

static const char base[] =
    RIG_PRODUCTION RIG_FLAG("a", "  rules: [{when: {attribute: x, is: 1}, serve: on}]\n")
        RIG_FLAG("b", "  rules: [{when: {attribute: y.z, is: 1}, serve: on}]\n") RIG_FLAG("c", "");
static const char changed[] =
    RIG_PRODUCTION RIG_FLAG("a", "  rules: [{when: {attribute: x, is: 1}, serve: on}]\n")
        RIG_FLAG("b", "  rules: [{when: {attribute: other, is: 1}, serve: on}]\n")
            RIG_FLAG("d", "");

START_TEST(unchanged_fragments_are_shared)
{
    struct rig first, second;
    rig_build(&first, base);
    rig_init(&second);
    rig_add(&second, "flags/all.yaml", TEXT(changed));
    ck_assert_int_eq(rig_link(&second), STATUS_OK);
    ck_assert_int_eq(rig_compile(&second, "production", first.document), STATUS_OK);
    const struct document *old = first.document, *new = second.document;
    ck_assert_uint_eq(new->count, 3);
    ck_assert_ptr_eq(document_find(old, TEXT("a")), document_find(new, TEXT("a")));
    ck_assert_ptr_ne(document_find(old, TEXT("b")), document_find(new, TEXT("b")));
    ck_assert_ptr_null(document_find(new, TEXT("c")));
    ck_assert_uint_eq(document_find(new, TEXT("a"))->references, 2);
    /* slots keep their numbers, and the old table is untouched */
    uint16_t before, after;
    ck_assert(attributes_find(old->attributes, TEXT("y.z"), &before) &&
              attributes_find(new->attributes, TEXT("y.z"), &after));
    ck_assert_uint_eq(before, after);
    ck_assert(!attributes_find(old->attributes, TEXT("other"), &before));
    rig_dispose(&first); /* the second one stands alone */
    rig_expect(&second, "a", "{\"x\":1}", "on", "TARGETING_MATCH");
    rig_expect(&second, "b", "{\"other\":1}", "on", "TARGETING_MATCH");
    rig_expect(&second, "b", "{\"y\":{\"z\":1}}", "off", "DEFAULT");
    rig_dispose(&second);
}
END_TEST

START_TEST(the_incremental_digest_is_the_recomputed_one)
{
    struct rig first, next, fresh;
    rig_build(&first, base);
    rig_init(&next);
    rig_add(&next, "flags/all.yaml", TEXT(changed));
    ck_assert_int_eq(rig_link(&next), STATUS_OK);
    ck_assert_int_eq(rig_compile(&next, "production", first.document), STATUS_OK);
    rig_build(&fresh, changed);
    ck_assert(document_equal(next.document, fresh.document));
    ck_assert(!document_equal(next.document, first.document));
    struct sha256_ctx sha;
    uint8_t hash[SHA256_SIZE];
    sha256_init(&sha);
    for (size_t i = 0; i < next.document->count; i++) {
        const struct fragment *fragment = document_at(next.document, i);
        char *json = json_of(fragment);
        fragment_hash("flag", fragment->program.key, text_of(json), hash);
        free(json);
        ck_assert_int_eq(memcmp(hash, fragment->hash, sizeof hash), 0);
        sha256_update(&sha, sizeof hash, hash);
    }
    fragment_hash("metadata", TEXT(""), TEXT("{\"flagSetId\":\"production\"}"), hash);
    sha256_update(&sha, sizeof hash, hash);
    sha256_digest(&sha, sizeof hash, hash);
    uint8_t digest[SHA256_SIZE];
    document_digest(next.document, digest);
    ck_assert_mem_eq(hash, digest, sizeof hash);
    rig_dispose(&first);
    rig_dispose(&next);
    rig_dispose(&fresh);
}
END_TEST

/* Neither the order of files and documents nor comments and spelling change a byte; the order of
 * rules and shares does. */
START_TEST(only_what_matters_changes_the_bytes)
{
    static const char one[] = RIG_PRODUCTION RIG_FLAG(
        "f",
        "  rules: [{name: n, when: {attribute: x, in: [1.0, 1e1]}, split: {on: 25, off: 75}}]\n")
        RIG_FLAG("g", "");
    static const char same[] = "# a comment\n"
                               "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: g, owner: "
                               "someone, description: what}\nspec:\n"
                               "  default: off\n  variants: {off: false, on: true}\n"
                               "---\nkind: Flag\nspec:\n  rules:\n  - split:\n      on: 25.000\n   "
                               "   off: 0x4b\n    when:\n"
                               "      in: [1, 10.0]\n      attribute: \"x\"\n  default: \"off\"\n  "
                               "variants: {on: true, \"off\": false}\n"
                               "metadata: {name: f}\napiVersion: weir/v1\n---\n" RIG_PRODUCTION;
    static const char other[] = RIG_PRODUCTION RIG_FLAG(
        "f",
        "  rules: [{name: n, when: {attribute: x, in: [1.0, 1e1]}, split: {off: 75, on: 25}}]\n")
        RIG_FLAG("g", "");
    struct rig a, b, c;
    rig_build(&a, one);
    rig_build(&b, same);
    rig_build(&c, other);
    ck_assert(document_equal(a.document, b.document));
    ck_assert(!document_equal(a.document, c.document));
    rig_dispose(&a);
    rig_dispose(&b);
    rig_dispose(&c);
}
END_TEST

START_TEST(fragments_stand_alone)
{
    struct rig rig;
    rig_build(&rig, RIG_PRODUCTION RIG_SEGMENT("s", "{include: [\"a\\\"b\"]}")
                        RIG_FLAG("f", "  rules: [{when: {segment: s}, serve: on}]\n"));
    char *json = json_of(document_at(rig.document, 0));
    ck_assert_str_eq(
        json,
        "{\"defaultVariant\":\"off\",\"state\":\"ENABLED\",\"targeting\":{\"if\":[{\"===\":[{"
        "\"var\":"
        "\"targetingKey\"},\"a\\\"b\"]},\"on\",null]},\"variants\":{\"off\":false,\"on\":true}}");
    free(json);
    rig_dispose(&rig);
}
END_TEST

UNIT_MAIN("compile", the_shop_compiles_to_the_reviewed_bytes, documents_are_canonical,
          a_document_read_back_is_the_same, unchanged_fragments_are_shared,
          the_incremental_digest_is_the_recomputed_one, only_what_matters_changes_the_bytes,
          fragments_stand_alone)
