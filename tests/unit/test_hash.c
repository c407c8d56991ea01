/* Hashes: MurmurHash3 for buckets, SHA-256 for fragments and the digest of a document. */
#include <nettle/sha2.h>

#include "../../rules/document.h"
#include "../../rules/hash.h"
#include "../../rules/murmur3.h"
#include "unit.h"

/* Of smhasher's MurmurHash3_x86_32 with seed 0, also in the tests of flagd and of other ports. */
START_TEST(murmur3_has_the_known_values)
{
    static const struct {
        struct text text;
        uint32_t hash;
    } cases[] = {
        {TEXT(""), 0},
        {TEXT("hello"), 0x248bfa47},
        {TEXT("hello, world"), 0x149bbb7f},
        {TEXT("The quick brown fox jumps over the lazy dog"), 0x2e4ff723},
        {TEXT("\xc3\xa9"), 269551495},
        {TEXT("\0"), 0x514e28b7},
        {TEXT("\0\0"), 0x30f4c306},
        {TEXT("\0\0\0"), 0x85f0b427},
        {TEXT("\0\0\0\0"), 0x2362f9de},
        {TEXT("\xff\xff\xff\xff"), 0x76293b50},
        {TEXT("\x21\x43\x65\x87"), 0xf55b516b},
        {TEXT("\x21\x43\x65"), 0x7e4a8634},
        {TEXT("\x21\x43"), 0xa0f7b07a},
        {TEXT("\x21"), 0x72661cf4},
        {TEXT("test"), 0xba6bd213},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(murmur3_32(cases[i].text) == cases[i].hash, "case %zu: %08x", i,
                      murmur3_32(cases[i].text));
}
END_TEST

START_TEST(murmur3_of_pieces_is_that_of_the_whole)
{
    struct text whole = TEXT("The quick brown fox jumps");
    uint32_t expected = murmur3_32(whole);
    for (size_t a = 0; a <= whole.length; a++) {
        for (size_t b = a; b <= whole.length; b++) {
            struct murmur3 murmur = {0};
            murmur3_add(&murmur, (struct text){whole.data, a});
            murmur3_add(&murmur, (struct text){whole.data + a, b - a});
            murmur3_add(&murmur, (struct text){whole.data + b, whole.length - b});
            ck_assert_msg(murmur3_end(&murmur) == expected, "cut at %zu and %zu", a, b);
        }
    }
}
END_TEST

static void expect_hex(const uint8_t *hash, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    buffer_append_hex(&out, hash, SHA256_SIZE);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
}

START_TEST(fragments_hash_kind_key_and_bytes)
{
    uint8_t hash[SHA256_SIZE];
    /* printf 'flag\0a\0{}' | sha256sum */
    fragment_hash("flag", TEXT("a"), TEXT("{}"), hash);
    expect_hex(hash, "64f56e548f2d6c6dd8cba6ad980064fbc5f8d4abc55ff066ae3cac06e933971a");
    uint8_t other[SHA256_SIZE];
    fragment_hash("flag", TEXT("a{"), TEXT("}"), other);
    ck_assert_int_ne(memcmp(hash, other, sizeof hash), 0);
    fragment_hash("metadata", TEXT(""), TEXT("{}"), other);
    expect_hex(other, "091e792bba6fdf4ac32e864de1ce2027bf50d9015323cba0276baa718c553c31");
}
END_TEST

static struct document *read_document(const char *json)
{
    struct document *document = NULL;
    struct error error = {0};
    ck_assert_msg(document_read(text_of(json), NULL, &document, &error) == STATUS_OK, "%u:%u: %s",
                  error.line, error.column, error.message);
    return document;
}

#define FLAG "{\"variants\":{\"on\":true},\"state\":\"ENABLED\"}"

/* The definition of the digest, from the bytes alone. */
START_TEST(the_digest_is_the_hash_of_the_hashes)
{
    struct document *document =
        read_document("{\"metadata\":{\"b\":1,\"a\":2},\"flags\":{\"z\":" FLAG ",\"a\":" FLAG
                      ",\"ab\":" FLAG "}}");
    struct sha256_ctx sha;
    uint8_t hash[SHA256_SIZE], expected[SHA256_SIZE];
    static const char *const keys[] = {"a", "ab", "z"};
    char text[DIGEST_TEXT_SIZE];
    sha256_init(&sha);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        fragment_hash("flag", text_of(keys[i]), TEXT(FLAG), hash);
        sha256_update(&sha, sizeof hash, hash);
    }
    fragment_hash("metadata", TEXT(""), TEXT("{\"a\":2,\"b\":1}"), hash);
    sha256_update(&sha, sizeof hash, hash);
    sha256_digest(&sha, sizeof expected, expected);
    document_digest(document, hash);
    ck_assert_mem_eq(hash, expected, sizeof expected);
    document_digest_text(document, text);
    ck_assert_uint_eq(strlen(text), 71);
    ck_assert(text_starts_with(text_of(text), TEXT("sha256:")));
    expect_hex(expected, text + 7);
    document_release(document);
}
END_TEST

START_TEST(documents_find_their_flags)
{
    struct buffer json;
    buffer_init(&json, 0);
    buffer_append_string(&json, "{\"flags\":{");
    for (unsigned i = 0; i < 3000; i++)
        buffer_printf(&json, "%s\"flag-%u\":" FLAG, i ? "," : "", i);
    buffer_append_string(&json, "}}");
    struct document *document = read_document(buffer_string(&json));
    ck_assert_uint_eq(document->count, 3000);
    for (unsigned i = 0; i < 3000; i++) {
        char key[20];
        snprintf(key, sizeof key, "flag-%u", i);
        const struct fragment *fragment = document_find(document, text_of(key));
        ck_assert(fragment && text_is(fragment->program.key, key));
    }
    ck_assert_ptr_null(document_find(document, TEXT("flag-3000")));
    ck_assert_ptr_null(document_find(document, TEXT("flag-1\0")));
    ck_assert_ptr_null(document_find(document, TEXT("")));
    for (size_t i = 1; i < document->count; i++)
        ck_assert_int_lt(text_compare(document_at(document, i - 1)->program.key,
                                      document_at(document, i)->program.key),
                         0);
    struct document *again = document_reference(document);
    document_release(document);
    ck_assert_ptr_nonnull(document_find(again, TEXT("flag-7")));
    document_release(again);
    document_release(NULL);
    document = read_document("{\"flags\":{}}");
    ck_assert_ptr_null(document_find(document, TEXT("a")));
    document_release(document);
    buffer_dispose(&json);
}
END_TEST

START_TEST(faulty_documents_have_a_place)
{
    static const struct {
        const char *json;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "expected an object"},
        {"[]", 1, 1, "expected an object"},
        {"{}", 1, 3, "document has no \"flags\""},
        {"{\"flags\":null}", 1, 10, "expected an object"},
        {"{\"flags\":[" FLAG "]}", 1, 11, "a flag in a list needs a \"key\""},
        {"{\"flags\":[{\"key\":5}]}", 1, 11, "a flag in a list needs a \"key\""},
        {"{\"flags\":{},\"$evaluators\":[]}", 1, 27, "$evaluators is not an object"},
        {"{\"flags\":{}} x", 1, 14, "something stands after the document"},
        {"{\"flags\":{},}", 1, 13, "expected a key in quotes"},
        {"{\"flags\":{\n \"a\":5}}", 2, 6, "flag \"a\" is not an object"},
        {"{\"flags\":{\n \"a\":{}}}", 2, 6, "flag \"a\" has no variants"},
        {"{\"flags\":{\"a\":{\"variants\":{}}}}", 1, 15,
         "flag \"a\": state is neither ENABLED nor DISABLED"},
        {"{\"flags\":{\"a\":{\"state\":\"ENABLED\",\"variants\":{\"x\":1},\"defaultVariant\":\"y\"}"
         "}}",
         1, 15, "flag \"a\": defaultVariant is not one of its variants"},
        {"{\"flags\":{},\"metadata\":5}", 1, 24, "metadata is not an object"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct document *document;
        struct error error = {0};
        ck_assert_msg(document_read(text_of(cases[i].json), NULL, &document, &error) ==
                          STATUS_INVALID,
                      "%s", cases[i].json);
        ck_assert_ptr_null(document);
        ck_assert_str_eq(error.message, cases[i].message);
        ck_assert_msg(cases[i].line == 0 ||
                          (error.line == cases[i].line && error.column == cases[i].column),
                      "%s: %u:%u", cases[i].json, error.line, error.column);
    }
}
END_TEST

START_TEST(metadata_may_stand_anywhere)
{
    struct document *first = read_document("{\"metadata\":{\"a\":1},\"flags\":{\"f\":" FLAG "}}");
    struct document *last = read_document("{\"flags\":{\"f\":" FLAG "},\"metadata\":{\"a\":1}}");
    ck_assert_text(first->metadata, "{\"a\":1}");
    ck_assert_text(document_at(first, 0)->program.metadata, "{\"a\":1}");
    ck_assert_text(document_at(last, 0)->program.metadata, "{\"a\":1}");
    ck_assert(document_equal(first, last));
    document_release(first);
    document_release(last);
}
END_TEST

UNIT_MAIN("hash", murmur3_has_the_known_values, murmur3_of_pieces_is_that_of_the_whole,
          fragments_hash_kind_key_and_bytes, the_digest_is_the_hash_of_the_hashes,
          documents_find_their_flags, faulty_documents_have_a_place, metadata_may_stand_anywhere)
