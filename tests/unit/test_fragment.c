/* What a fragment keeps packed comes out as it went in, whoever keeps it and for however long; and
 * nothing that evaluating touches is packed. */
#include <stdlib.h>

#include "../../rules/dictionary.h"
#include "fragments.h"
#include "rules_unit.h"

#define LONG "a-string-that-is-too-long-to-stand-with-the-instructions-"

static unsigned chance(unsigned below)
{
    return (unsigned)rand() % below;
}

/* --- dictionaries ---------------------------------------------------------------------------- */

/* Text of a few words in any order. */
static void write_words(struct buffer *out, size_t length)
{
    static const char *const words[] = {"{\"var\":", "\"email\"", "},",
                                        "[null]",    "0.25",      "ends_with"};
    buffer_clear(out);
    while (out->length < length)
        buffer_append_string(out, words[chance(COUNT_OF(words))]);
}

static void write_noise(struct buffer *out, size_t length)
{
    buffer_clear(out);
    while (out->length < length)
        buffer_append_char(out, (char)chance(256));
}

static void expect_back(const struct dictionary *dictionary, struct text text)
{
    char *packed = malloc(text.length + 1), *again = malloc(text.length + 1);
    ck_assert(packed && again);
    size_t length = dictionary_pack(dictionary, text, packed, text.length);
    if (length) {
        ck_assert_uint_le(length, text.length);
        ck_assert(dictionary_unpack(dictionary, (struct text){packed, length}, again, text.length));
        ck_assert_mem_eq(again, text.data, text.length);
        /* Room for one byte less is too little, and nothing is written behind it. */
        packed[length - 1] = '!';
        ck_assert_uint_eq(dictionary_pack(dictionary, text, packed, length - 1), 0);
        ck_assert_int_eq(packed[length - 1], '!');
    }
    free(packed);
    free(again);
}

START_TEST(texts_come_back)
{
    struct buffer sample, text;
    buffer_init(&sample, 0);
    buffer_init(&text, 0);
    srand(20261123);
    for (unsigned round = 0; round < 300; round++) {
        write_words(&sample, round % 5 ? chance(4000) : chance(100000));
        struct dictionary *dictionary = dictionary_new(buffer_text(&sample));
        ck_assert_ptr_nonnull(dictionary);
        if (round % 3)
            write_words(&text, 1 + chance(round % 7 ? 2000 : 200000));
        else
            write_noise(&text, 1 + chance(2000));
        expect_back(dictionary, buffer_text(&text));
        dictionary_release(dictionary);
    }
    buffer_dispose(&sample);
    buffer_dispose(&text);
}
END_TEST

START_TEST(what_is_like_the_sample_is_small)
{
    struct buffer text;
    char packed[4000];
    buffer_init(&text, 0);
    for (unsigned i = 0; text.length < 3000; i++)
        buffer_printf(&text, "%u,", i * 2654435761u);
    struct dictionary *like = dictionary_new(buffer_text(&text)), *none = dictionary_new(TEXT(""));
    ck_assert(like && none);
    size_t small = dictionary_pack(like, buffer_text(&text), packed, sizeof packed);
    size_t large = dictionary_pack(none, buffer_text(&text), packed, sizeof packed);
    ck_assert_uint_gt(small, 0);
    ck_assert_uint_lt(small, 60);
    ck_assert(large == 0 || large > 5 * small);
    ck_assert_uint_eq(dictionary_pack(like, TEXT(""), packed, sizeof packed), 0);
    ck_assert_uint_eq(dictionary_pack(like, buffer_text(&text), packed, 0), 0);
    dictionary_release(like);
    dictionary_release(none);
    dictionary_release(NULL);
    buffer_dispose(&text);
}
END_TEST

/* None of it can happen; but if it does, it is a failure and no overrun (that shows under ASan). */
START_TEST(damage_stays_within_bounds)
{
    struct buffer sample, text;
    buffer_init(&sample, 0);
    buffer_init(&text, 0);
    srand(99);
    write_words(&sample, 2000);
    write_words(&text, 700);
    size_t length = text.length;
    struct dictionary *dictionary = dictionary_new(buffer_text(&sample));
    char *packed = malloc(length), *damaged = malloc(length), *again = malloc(length);
    ck_assert(dictionary && packed && damaged && again);
    size_t size = dictionary_pack(dictionary, buffer_text(&text), packed, length);
    ck_assert_uint_gt(size, 10);
    for (size_t i = 0; i < size; i++) {
        char *cut = malloc(i + 1); /* of its exact size */
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, packed, i);
        ck_assert(!dictionary_unpack(dictionary, (struct text){cut, i}, again, length));
        free(cut);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(damaged, packed, size);
            damaged[i] = (char)(damaged[i] ^ 1 << bit);
            if (dictionary_unpack(dictionary, (struct text){damaged, size}, again, length))
                ck_assert_mem_ne(damaged, packed, size);
        }
    }
    ck_assert(!dictionary_unpack(dictionary, (struct text){packed, size}, again, length - 1));
    ck_assert(!dictionary_unpack(dictionary, (struct text){packed, size}, again,
                                 DICTIONARY_TEXT_MOST + 1));
    free(packed);
    free(damaged);
    free(again);
    dictionary_release(dictionary);
    buffer_dispose(&sample);
    buffer_dispose(&text);
}
END_TEST

/* --- fragments ------------------------------------------------------------------------------- */

static struct fragment *make(struct attributes *attributes, struct text json,
                             struct dictionary *dictionary)
{
    struct fragment *fragment;
    struct error error = {0};
    /* The JSON is gone when the fragment is asked. */
    char *own = malloc(json.length);
    ck_assert_ptr_nonnull(own);
    memcpy(own, json.data, json.length);
    enum status status = fragment_new(TEXT("f"), (struct text){own, json.length},
                                      (struct program_settings){.dictionary = dictionary},
                                      attributes, &fragment, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.message);
    memset(own, '#', json.length);
    free(own);
    return fragment;
}

/* A flag that compares x with `count` long strings, of which the last is `last`. */
static void write_flag(struct buffer *out, unsigned count, const char *last)
{
    buffer_clear(out);
    buffer_append_string(out, "{\"state\":\"ENABLED\",\"variants\":{\"" LONG "on\":\"" LONG
                              "value\",\"off\":false},\"defaultVariant\":\"off\",\"targeting\":"
                              "{\"if\":[{\"in\":[{\"var\":\"x\"},[");
    for (unsigned i = 1; i < count; i++)
        buffer_printf(out, "\"" LONG "%u\",", i);
    buffer_printf(out, "\"%s\"]]},\"" LONG "on\",null]}}", last);
}

static void expect(const struct fragment *fragment, struct attributes *attributes, const char *x,
                   const char *variant)
{
    struct context context;
    struct decision decision;
    char json[300];
    snprintf(json, sizeof json, "{\"x\":\"%s\"}", x);
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_int_eq(context_read(&context, attributes, text_of(json), NULL), STATUS_OK);
    evaluate(fragment, &context, RIG_NOW, &decision);
    ck_assert_text(decision.variant, variant);
    if (strcmp(variant, "off") != 0)
        ck_assert_text(decision.value, "\"" LONG "value\"");
    context_dispose(&context);
}

START_TEST(packed_fragments_are_those_that_are_not)
{
    static const unsigned counts[] = {1, 3, 40, 900};
    struct attributes *attributes = attributes_new();
    struct buffer sample, json;
    buffer_init(&sample, 0);
    buffer_init(&json, 0);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        write_flag(&sample, counts[i], LONG "a");
        write_flag(&json, counts[i], LONG "b");
        struct dictionary *dictionary = dictionary_new(buffer_text(&sample));
        struct fragment *packed = make(attributes, buffer_text(&json), dictionary);
        struct fragment *plain = make(attributes, buffer_text(&json), NULL);
        dictionary_release(dictionary); /* the fragment keeps it */
        ck_assert_uint_eq(plain->packed, 0);
        /* The strings are needed plainly: of mere strings nothing is won. */
        ck_assert_int_eq(packed->packed > 0, counts[i] <= 3);
        ck_assert_uint_eq(packed->hot, plain->hot);
        ck_assert_mem_eq(packed->hash, plain->hash, SHA256_SIZE);
        char *a = json_of(packed), *b = json_of(plain);
        ck_assert_str_eq(a, b);
        ck_assert_text(buffer_text(&json), a);
        ck_assert(fragment_has_json(packed, buffer_text(&json)));
        ck_assert(!fragment_has_json(packed, buffer_text(&sample)));
        ck_assert(!fragment_has_json(packed, TEXT("{}")));
        free(a);
        free(b);
        const struct fragment *const both[] = {packed, plain};
        for (size_t k = 0; k < COUNT_OF(both); k++) {
            expect(both[k], attributes, LONG "b", LONG "on");
            expect(both[k], attributes, LONG "a", "off");
            expect(both[k], attributes, LONG "1", counts[i] > 1 ? LONG "on" : "off");
        }
        fragment_release(packed);
        fragment_release(plain);
    }
    attributes_release(attributes);
    buffer_dispose(&sample);
    buffer_dispose(&json);
}
END_TEST

START_TEST(what_cannot_be_unpacked_fails)
{
    struct attributes *attributes = attributes_new();
    struct buffer json, out;
    buffer_init(&json, 0);
    buffer_init(&out, 0);
    write_flag(&json, 1, "short");
    struct dictionary *dictionary = dictionary_new(buffer_text(&json));
    struct fragment *fragment = make(attributes, buffer_text(&json), dictionary);
    ck_assert_uint_gt(fragment->packed, 0);
    ck_assert_uint_lt(fragment->packed, json.length / 4);
    buffer_append_string(&out, "before");
    fragment->packed--;
    fragment_append_json(fragment, &out);
    ck_assert_int_eq(out.failed, STATUS_SYSTEM);
    ck_assert_uint_eq(out.length, 6);
    fragment->packed++;
    fragment_append_json(fragment, &out); /* a failure lasts */
    ck_assert_int_eq(out.failed, STATUS_SYSTEM);
    buffer_dispose(&out);
    buffer_init(&out, json.length - 1);
    fragment_append_json(fragment, &out);
    ck_assert_int_eq(out.failed, STATUS_LIMIT);
    buffer_dispose(&out);
    fragment_release(fragment);
    dictionary_release(dictionary);
    attributes_release(attributes);
    buffer_dispose(&json);
}
END_TEST

START_TEST(larger_ones_than_weirs_own_stay_as_they_are)
{
    struct attributes *attributes = attributes_new();
    struct buffer json;
    buffer_init(&json, 0);
    for (size_t padding = DICTIONARY_TEXT_MOST - 100; padding < DICTIONARY_TEXT_MOST + 200;
         padding += 100) {
        buffer_clear(&json);
        buffer_append_string(&json, "{\"state\":\"ENABLED\",\"variants\":{}");
        while (json.length < padding)
            buffer_append_char(&json, ' ');
        buffer_append_char(&json, '}');
        struct dictionary *dictionary = dictionary_new(buffer_text(&json));
        struct fragment *fragment = make(attributes, buffer_text(&json), dictionary);
        ck_assert_int_eq(fragment->packed > 0, json.length <= DICTIONARY_TEXT_MOST);
        ck_assert(fragment_has_json(fragment, buffer_text(&json)));
        char *again = json_of(fragment);
        ck_assert_text(buffer_text(&json), again);
        free(again);
        fragment_release(fragment);
        dictionary_release(dictionary);
    }
    attributes_release(attributes);
    buffer_dispose(&json);
}
END_TEST

/* --- documents ------------------------------------------------------------------------------- */

static void add_flags(struct rig *rig, unsigned first, unsigned count, const char *value)
{
    struct buffer yaml;
    char path[32];
    buffer_init(&yaml, 0);
    snprintf(path, sizeof path, "flags/%05u.yaml", first);
    for (unsigned i = first; i < first + count; i++)
        buffer_printf(&yaml,
                      "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f%05u}\nspec:\n"
                      "  variants: {on: true, off: false}\n  default: off\n  rules:\n"
                      "    - {when: {attribute: email, endsWith: \"@%s%u\"}, serve: on}\n"
                      "    - {split: {on: 25, off: 75}}\n",
                      i, value, i);
    rig_add(rig, path, buffer_text(&yaml));
    buffer_dispose(&yaml);
}

/* Flags from 0 to `count`, compiled behind `previous`. */
static void build(struct rig *rig, unsigned count, const char *value,
                  const struct document *previous)
{
    rig_init(rig);
    rig_add(rig, "environments/production.yaml", TEXT(RIG_PRODUCTION));
    add_flags(rig, 0, 100, "same");
    add_flags(rig, 100, count - 100, value);
    ck_assert_msg(rig_link(rig) == STATUS_OK, "%s", rig_story(rig));
    ck_assert_msg(rig_compile(rig, "production", previous) == STATUS_OK, "%s", rig_story(rig));
}

static size_t packed_flags(const struct document *document, size_t *bytes)
{
    struct document_cursor cursor = {0};
    const struct fragment *fragment;
    size_t count = 0;
    *bytes = 0;
    while ((fragment = document_next(document, &cursor))) {
        count += fragment->packed > 0;
        *bytes += fragment->packed ? fragment->packed : fragment_json_length(fragment);
    }
    return count;
}

START_TEST(a_large_document_is_packed_and_the_next_one_too)
{
    struct rig rigs[4];
    size_t bytes;
    build(&rigs[0], 200, "x", NULL); /* for so few it is not worth it */
    ck_assert_uint_eq(packed_flags(rigs[0].document, &bytes), 0);
    ck_assert_ptr_null(rigs[0].document->dictionary);
    build(&rigs[1], 400, "y", rigs[0].document); /* the first 100 are those of before */
    ck_assert_uint_eq(packed_flags(rigs[1].document, &bytes), 300);
    build(&rigs[2], 400, "z", rigs[1].document);
    ck_assert_ptr_eq(rigs[2].document->dictionary, rigs[1].document->dictionary);
    ck_assert_uint_eq(packed_flags(rigs[2].document, &bytes), 300);
    build(&rigs[3], 400, "z", NULL);
    ck_assert_uint_eq(packed_flags(rigs[3].document, &bytes), 400);
    ck_assert_uint_lt(bytes, rigs[3].document->json_bytes / 4);
    /* How they are kept is not to be seen. */
    ck_assert(document_equal(rigs[2].document, rigs[3].document));
    struct buffer a, b;
    buffer_init(&a, 0);
    buffer_init(&b, 0);
    document_write(rigs[2].document, &a);
    document_write(rigs[3].document, &b);
    ck_assert(!a.failed && text_equal(buffer_text(&a), buffer_text(&b)));
    /* One of each stays longer than its document. */
    struct fragment *kept = fragment_reference(document_at(rigs[2].document, 399));
    char *before = json_of(kept);
    for (size_t i = 0; i < COUNT_OF(rigs); i++)
        rig_dispose(&rigs[i]);
    char *after = json_of(kept);
    ck_assert_ptr_nonnull(strstr(after, "\"@z399\""));
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    fragment_release(kept);
    buffer_dispose(&a);
    buffer_dispose(&b);
}
END_TEST

START_TEST(a_document_that_grew_slowly_is_packed_from_some_size_on)
{
    struct rig small, next;
    size_t bytes;
    build(&small, 110, "x", NULL);
    struct document *document = document_reference(small.document);
    rig_dispose(&small);
    for (unsigned count = 210; count <= 410; count += 100) {
        rig_init(&next);
        rig_add(&next, "environments/production.yaml", TEXT(RIG_PRODUCTION));
        add_flags(&next, count - 100, 100, "x"); /* only these are wanted */
        ck_assert_int_eq(rig_link(&next), STATUS_OK);
        bool wanted[100];
        memset(wanted, true, sizeof wanted);
        const struct compile_task task = {
            .catalog = &next.catalog,
            .environment = catalog_environment(&next.catalog, TEXT("production")),
            .previous = document,
            .wanted = wanted};
        struct document *grown;
        ck_assert_int_eq(compile_document(&task, &grown, &next.faults), STATUS_OK);
        document_release(document);
        document = grown;
        ck_assert_uint_eq(document->count, count);
        ck_assert_uint_eq(packed_flags(document, &bytes), count == 410 ? 100 : 0);
        rig_dispose(&next);
    }
    build(&next, 410, "x", NULL);
    ck_assert_uint_eq(next.document->count, document->count);
    document_release(document);
    rig_dispose(&next);
}
END_TEST

START_TEST(foreign_documents_are_packed)
{
    struct buffer json, flag, again;
    struct document *document;
    size_t bytes;
    buffer_init(&json, 0);
    buffer_init(&flag, 0);
    buffer_init(&again, 0);
    buffer_append_string(&json, "{\"flags\":{");
    for (unsigned i = 0; json.length <= DICTIONARY_FROM; i++) {
        char x[20];
        snprintf(x, sizeof x, "%u", i);
        write_flag(&flag, 2, x);
        buffer_printf(&json, "%s\"f%05u\":", i ? "," : "", i);
        buffer_append_text(&json, buffer_text(&flag));
    }
    buffer_append_string(&json, "}}\n");
    ck_assert_int_eq(document_read(buffer_text(&json), NULL, &document, NULL), STATUS_OK);
    ck_assert_uint_eq(packed_flags(document, &bytes), document->count);
    ck_assert_uint_lt(bytes, document->json_bytes / 4);
    document_write(document, &again);
    ck_assert(!again.failed && text_equal(buffer_text(&json), buffer_text(&again)));
    expect(document_find(document, TEXT("f00007")), document->attributes, "7", LONG "on");
    expect(document_find(document, TEXT("f00007")), document->attributes, "8", "off");
    document_release(document);
    buffer_dispose(&json);
    buffer_dispose(&flag);
    buffer_dispose(&again);
}
END_TEST

UNIT_MAIN("fragment", texts_come_back, what_is_like_the_sample_is_small, damage_stays_within_bounds,
          packed_fragments_are_those_that_are_not, what_cannot_be_unpacked_fails,
          larger_ones_than_weirs_own_stay_as_they_are,
          a_large_document_is_packed_and_the_next_one_too,
          a_document_that_grew_slowly_is_packed_from_some_size_on, foreign_documents_are_packed)
