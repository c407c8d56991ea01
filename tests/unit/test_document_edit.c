/* A document after changes is the one that would be made from nothing, and shares what it can. */
#include <stdlib.h>

#include "../../rules/document.h"
#include "fragments.h"

#define MOST 6000

/* What a test expects: the value of each flag, 0 where there is none. */
struct model {
    uint32_t values[MOST];
};

static struct fragment *make_fragment(struct attributes *attributes, unsigned name, uint32_t value)
{
    char key[20], json[200];
    struct fragment *fragment;
    struct error error;
    snprintf(key, sizeof key, "flag-%u", name * 7919u % 100003u);
    snprintf(json, sizeof json,
             "{\"defaultVariant\":\"a\",\"state\":\"ENABLED\",\"variants\":{\"a\":%u}}", value);
    ck_assert_int_eq(fragment_new(text_of(key), text_of(json), (struct program_settings){0},
                                  attributes, &fragment, &error),
                     STATUS_OK);
    return fragment;
}

static struct document *make_whole(struct attributes *attributes, const struct model *model)
{
    struct fragment **fragments = calloc(MOST, sizeof *fragments);
    struct document *document;
    size_t count = 0;
    ck_assert_ptr_nonnull(fragments);
    for (unsigned i = 0; i < MOST; i++) {
        if (model->values[i])
            fragments[count++] = make_fragment(attributes, i, model->values[i]);
    }
    ck_assert_int_eq(document_new(fragments, count, attributes_reference(attributes),
                                  TEXT("{\"m\":1}"), &document),
                     STATUS_OK);
    free(fragments);
    return document;
}

static int by_key(const void *a, const void *b)
{
    return text_compare(((const struct document_change *)a)->key,
                        ((const struct document_change *)b)->key);
}

/* Changes flags that chance picks, in the model too; a value of 0 takes them out. */
static struct document *edit(struct attributes *attributes, struct model *model,
                             const struct document *before, const unsigned *names, size_t count,
                             bool out_only)
{
    struct document_change *changes = calloc(count + 1, sizeof *changes);
    struct fragment **keys = calloc(count + 1, sizeof *keys);
    struct document *document;
    size_t made = 0;
    ck_assert(changes && keys);
    for (size_t i = 0; i < count; i++) {
        bool twice = false;
        for (size_t j = 0; j < i && !twice; j++)
            twice = names[i] == names[j];
        if (twice)
            continue;
        uint32_t value = out_only || rand() % 4 == 0 ? 0 : 1 + (uint32_t)rand() % 3;
        model->values[names[i]] = value;
        keys[made] = make_fragment(attributes, names[i], value);
        changes[made] = (struct document_change){keys[made]->program.key,
                                                 value ? fragment_reference(keys[made]) : NULL};
        made++;
    }
    qsort(changes, made, sizeof *changes, by_key);
    ck_assert_int_eq(document_edit(before, changes, made, attributes_reference(attributes),
                                   TEXT("{\"m\":1}"), &document),
                     STATUS_OK);
    for (size_t i = 0; i < made; i++)
        fragment_release(keys[i]);
    free(keys);
    free(changes);
    return document;
}

static void expect_alike(const struct document *document, const struct document *whole)
{
    struct document_cursor cursor = {0}, other = {0};
    const struct fragment *fragment;
    char one[DIGEST_TEXT_SIZE], two[DIGEST_TEXT_SIZE];
    ck_assert_uint_eq(document->count, whole->count);
    ck_assert_uint_eq(document->json_bytes, whole->json_bytes);
    while ((fragment = document_next(document, &cursor))) {
        const struct fragment *expected = document_next(whole, &other);
        ck_assert(text_equal(fragment->program.key, expected->program.key));
        char *json = json_of(expected);
        ck_assert(fragment_has_json(fragment, text_of(json)));
        free(json);
        ck_assert_ptr_eq(document_find(document, fragment->program.key), fragment);
    }
    ck_assert(document_equal(document, whole) && document_equal(whole, document));
    document_digest_text(document, one);
    document_digest_text(whole, two);
    ck_assert_str_eq(one, two);
}

static size_t shared_pages(const struct document *a, const struct document *b)
{
    size_t shared = 0;
    for (size_t i = 0; i < a->page_count; i++) {
        for (size_t j = 0; j < b->page_count; j++)
            shared += a->pages[i] == b->pages[j];
    }
    return shared;
}

START_TEST(edited_documents_are_those_made_from_nothing)
{
    struct attributes *attributes = attributes_new();
    struct model *model = calloc(1, sizeof *model);
    ck_assert(attributes && model);
    srand(20261123);
    struct document *document = make_whole(attributes, model); /* empty */
    for (unsigned round = 0; round < 150; round++) {
        /* A few, many, and in between; the last rounds only take out. */
        size_t count = round % 3 == 0   ? 1
                       : round % 3 == 1 ? (size_t)(rand() % 20)
                                        : (size_t)(rand() % 400);
        unsigned names[400];
        for (size_t i = 0; i < count; i++)
            names[i] = (unsigned)rand() % MOST;
        struct document *next = edit(attributes, model, document, names, count, round >= 120);
        if (round % 10 == 9 || round < 12) {
            struct document *whole = make_whole(attributes, model);
            expect_alike(next, whole);
            document_release(whole);
        }
        document_release(document);
        document = next;
    }
    ck_assert_uint_gt(document->count, 100);
    unsigned all[MOST];
    for (unsigned i = 0; i < MOST; i++)
        all[i] = i;
    for (unsigned i = 0; i < MOST; i += 300) {
        struct document *next = edit(attributes, model, document, all + i, 300, true);
        document_release(document);
        document = next;
    }
    ck_assert_uint_eq(document->count, 0);
    ck_assert_ptr_null(document_find(document, TEXT("flag-0")));
    document_release(document);
    attributes_release(attributes);
    free(model);
}
END_TEST

START_TEST(one_change_leaves_all_other_pages_and_buckets_shared)
{
    struct attributes *attributes = attributes_new();
    struct model *model = calloc(1, sizeof *model);
    ck_assert(attributes && model);
    for (unsigned i = 0; i < MOST; i++)
        model->values[i] = 9;
    struct document *document = make_whole(attributes, model);
    unsigned name = 4321;
    struct document *next;
    do
        next = edit(attributes, model, document, &name, 1, false);
    while (model->values[name] == 0 && (document_release(next), true));
    ck_assert_uint_gt(document->page_count, 20);
    ck_assert_uint_eq(shared_pages(document, next), document->page_count - 1);
    size_t buckets = (size_t)1 << document->bucket_bits, shared = 0;
    for (size_t i = 0; i < buckets; i++)
        shared += document->buckets[i] == next->buckets[i];
    ck_assert_uint_eq(shared, buckets - 1);

    struct document_walk walk = {0};
    const struct fragment *old, *new;
    ck_assert(document_next_change(document, next, &walk, &old, &new));
    ck_assert(old && new &&text_equal(old->program.key, new->program.key));
    ck_assert(!document_next_change(document, next, &walk, &old, &new));
    ck_assert(!document_equal(document, next));
    document_release(document);
    document_release(next);
    attributes_release(attributes);
    free(model);
}
END_TEST

UNIT_MAIN("document_edit", edited_documents_are_those_made_from_nothing,
          one_change_leaves_all_other_pages_and_buckets_shared)
