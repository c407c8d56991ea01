/* A webhook: header lines, a line "---", a body. The verdict and the ref do not hang on how the
 * body is cut; a signature holds only where the HMAC of the whole body says so; the ref is the one
 * that the JSON reader finds. */
#include <strings.h>

#include "../../../controller/http/hook_ref.h"
#include "../../../controller/http/hook_signature.h"
#include "../../../rules/json.h"
#include "../fuzz.h"

#define SECRET "It's a Secret to Everybody"
#define TOKEN "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define NOW INT64_C(1614265330)

/* "Name: value" lines. */
static struct text find_header(const void *headers, const char *name)
{
    const struct text *lines = headers;
    size_t length = strlen(name);
    for (const char *line = lines->data, *end = line + lines->length; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        if ((size_t)(stop - line) > length + 1 && strncasecmp(line, name, length) == 0 &&
            line[length] == ':' && line[length + 1] == ' ')
            return (struct text){line + length + 2, (size_t)(stop - line) - length - 2};
        line = stop < end ? stop + 1 : end;
    }
    return (struct text){NULL, 0};
}

static enum hook_verdict verdict_of(enum hook_forge forge, struct text secret,
                                    const struct fuzz_parts *parts, size_t cut)
{
    struct hook_check check;
    struct request request = {.header = find_header, .headers = &parts->first};
    hook_check_begin(&check, forge, secret, &request, NOW);
    hook_check_take(&check, (struct text){parts->second.data, cut});
    hook_check_take(&check, (struct text){parts->second.data + cut, parts->second.length - cut});
    return hook_check_end(&check);
}

/* GitHub's signature over the whole body, made here. */
static bool is_signed_for_github(const struct fuzz_parts *parts)
{
    struct hmac_sha256_ctx hmac;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char hex[8 + 2 * SHA256_DIGEST_SIZE] = "sha256=";
    hmac_sha256_set_key(&hmac, strlen(SECRET), (const uint8_t *)SECRET);
    hmac_sha256_update(&hmac, parts->second.length, (const uint8_t *)parts->second.data);
    hmac_sha256_digest(&hmac, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 7 + 2 * i, 3, "%02x", digest[i]);
    struct text value = find_header(&parts->first, "X-Hub-Signature-256");
    return value.length == sizeof hex - 1 && memcmp(value.data, hex, 7) == 0 &&
           strncasecmp(value.data + 7, hex + 7, sizeof hex - 8) == 0;
}

static void check_signatures(const struct fuzz_parts *parts, size_t cut)
{
    static const char *const secrets[] = {SECRET, TOKEN};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        for (enum hook_forge forge = HOOK_GITHUB; forge < HOOK_FORGES; forge++) {
            struct text secret = text_of(secrets[i]);
            enum hook_verdict verdict = verdict_of(forge, secret, parts, 0);
            FUZZ_CHECK(verdict == verdict_of(forge, secret, parts, cut), "cut at %zu: differs",
                       cut);
            if (forge == HOOK_GITHUB && i == 0)
                FUZZ_CHECK((verdict == HOOK_SIGNED) == is_signed_for_github(parts),
                           "verdict %d on a signature of GitHub", (int)verdict);
        }
    }
}

static struct hook_ref ref_of(struct text body, size_t cut)
{
    struct hook_ref ref;
    hook_ref_begin(&ref);
    hook_ref_take(&ref, (struct text){body.data, cut});
    hook_ref_take(&ref, (struct text){body.data + cut, body.length - cut});
    return ref;
}

/* Where the body is JSON, and spells nothing by escapes, both find the same. */
static void check_ref(struct text body, size_t cut)
{
    struct hook_ref ref = ref_of(body, 0), other = ref_of(body, cut);
    struct text found = {ref.text, ref.length};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct arena arena;
    struct error error;
    const struct node *root;
    FUZZ_CHECK(ref.known == other.known &&
                   (!ref.known || text_equal(found, (struct text){other.text, other.length})),
               "cut at %zu: another ref", cut);
    limits.unique_keys = true;
    arena_init(&arena, (size_t)1 << 28);
    if (json_read(&arena, body, limits, &root, &error) == STATUS_OK) {
        const struct node *node = root->type == NODE_MAP ? node_get(root, "ref") : NULL;
        bool plain = !body.length || !memchr(body.data, '\\', body.length);
        bool is_text = node && node->type == NODE_STRING;
        if (ref.known)
            FUZZ_CHECK(is_text && text_equal(node->string, found), "a ref that is none: %.*s",
                       FUZZ_TEXT(found));
        else if (plain && is_text)
            FUZZ_CHECK(node->string.length > HOOK_REF_MAX, "a ref was missed: %.*s",
                       FUZZ_TEXT(node->string));
    }
    arena_dispose(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts;
    fuzz_split(data, size, &parts);
    if (parts.has_second) {
        size_t cut = parts.second.length ? parts.first.length % (parts.second.length + 1) : 0;
        check_signatures(&parts, cut);
        for (cut = 0; cut <= parts.second.length && cut < 64; cut++)
            check_ref(parts.second, cut);
        check_ref(parts.second, parts.second.length);
    }
    fuzz_parts_dispose(&parts);
    return 0;
}
