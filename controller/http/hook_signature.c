#include "hook_signature.h"

#include <nettle/base64.h>
#include <nettle/memops.h>

#define SIGNING_TOKEN "whsec_"
#define TOLERANCE INT64_C(300)    /* seconds: what Standard Webhooks recommends */
#define ID_MAX 256                /* bytes of a webhook-id */
#define KEY_MAX ((size_t)1 << 10) /* bytes of a signing token's key */

const char *hook_signature_header(enum hook_forge forge)
{
    static const char *const names[] = {"X-Hub-Signature-256", "X-Gitlab-Token",
                                        "X-Gitea-Signature"};
    return names[forge];
}

/* --- the headers' spellings ------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_hex(struct text text, uint8_t out[SHA256_DIGEST_SIZE])
{
    if (text.length != (size_t)2 * SHA256_DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* At most `size` bytes; false when it is no base64, or longer. */
static bool read_base64(struct text text, uint8_t *out, size_t size, size_t *length)
{
    struct base64_decode_ctx decode;
    uint8_t room[BASE64_DECODE_LENGTH(BASE64_ENCODE_RAW_LENGTH(KEY_MAX))];
    if (text.length > BASE64_ENCODE_RAW_LENGTH(KEY_MAX))
        return false;
    *length = sizeof room;
    base64_decode_init(&decode);
    bool fine = base64_decode_update(&decode, length, room, text.length, text.data) &&
                base64_decode_final(&decode) && *length <= size;
    if (fine)
        memcpy(out, room, *length);
    explicit_bzero(room, sizeof room);
    return fine;
}

static struct text without(struct text text, struct text prefix)
{
    return (struct text){text.data + prefix.length, text.length - prefix.length};
}

/* --- by the body ----------------------------------------------------------------------------- */

/* `signature` is as the header has it, or its data is NULL. */
static void expect_hex(struct hook_check *check, struct text secret, struct text signature)
{
    if (!signature.data)
        return;
    check->verdict = HOOK_FORGED;
    if (!read_hex(signature, check->expected[0]))
        return;
    check->count = 1;
    check->by_body = true;
    hmac_sha256_set_key(&check->hmac, secret.length, (const uint8_t *)secret.data);
}

static struct text hub_signature(const struct request *request)
{
    struct text value = request_header(request, "X-Hub-Signature-256");
    if (!value.data)
        return value;
    /* Another algorithm's is no signature of ours, but there is one: an empty text is refused. */
    return text_starts_with(value, TEXT("sha256=")) ? without(value, TEXT("sha256=")) : TEXT("");
}

static void begin_gitea(struct hook_check *check, struct text secret, const struct request *request)
{
    struct text value = request_header(request, "X-Gitea-Signature");
    if (!value.data)
        value = request_header(request, "X-Forgejo-Signature");
    if (!value.data)
        value = hub_signature(request);
    expect_hex(check, secret, value);
}

/* --- GitLab ---------------------------------------------------------------------------------- */

/* Digests are compared, so that the time tells nothing of the secret's length either. */
static bool is_same_secret(struct text secret, struct text token)
{
    struct sha256_ctx hash;
    uint8_t left[SHA256_DIGEST_SIZE], right[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, secret.length, (const uint8_t *)secret.data);
    sha256_digest(&hash, sizeof left, left);
    sha256_update(&hash, token.length, (const uint8_t *)token.data);
    sha256_digest(&hash, sizeof right, right);
    return memeql_sec(left, right, sizeof left);
}

/* Seconds since 1970, or false. */
static bool read_time(struct text text, int64_t *out)
{
    if (text.length == 0 || text.length > 12)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return true;
}

/* "v1,<base64> v1,<base64>": those that are none, or of another version, are passed over. */
static void expect_list(struct hook_check *check, struct text list)
{
    while (list.length && check->count < HOOK_SIGNATURES) {
        const char *space = memchr(list.data, ' ', list.length);
        struct text one = {list.data, space ? (size_t)(space - list.data) : list.length};
        list = without(list, (struct text){NULL, one.length + (space ? 1 : 0)});
        size_t length;
        if (text_starts_with(one, TEXT("v1,")) &&
            read_base64(without(one, TEXT("v1,")), check->expected[check->count],
                        SHA256_DIGEST_SIZE, &length) &&
            length == SHA256_DIGEST_SIZE)
            check->count++;
    }
}

/* The key is what stands behind whsec_, decoded; a secret of another form is a key as it is. */
static bool set_signing_key(struct hook_check *check, struct text secret)
{
    uint8_t key[KEY_MAX];
    size_t length;
    if (!text_starts_with(secret, TEXT(SIGNING_TOKEN))) {
        hmac_sha256_set_key(&check->hmac, secret.length, (const uint8_t *)secret.data);
        return true;
    }
    if (!read_base64(without(secret, TEXT(SIGNING_TOKEN)), key, sizeof key, &length))
        return false;
    hmac_sha256_set_key(&check->hmac, length, key);
    explicit_bzero(key, sizeof key);
    return true;
}

static void begin_standard(struct hook_check *check, struct text secret,
                           const struct request *request, int64_t now)
{
    struct text id = request_header(request, "webhook-id");
    struct text time = request_header(request, "webhook-timestamp");
    struct text list = request_header(request, "webhook-signature");
    int64_t sent;
    if (!id.data || !time.data || !list.data)
        return;
    check->verdict = HOOK_FORGED;
    if (id.length > ID_MAX || !read_time(time, &sent))
        return;
    if (sent < now - TOLERANCE || sent > now + TOLERANCE) {
        check->verdict = HOOK_STALE;
        return;
    }
    expect_list(check, list);
    check->by_body = check->count > 0 && set_signing_key(check, secret);
    if (!check->by_body)
        return;
    hook_check_take(check, id);
    hook_check_take(check, TEXT("."));
    hook_check_take(check, time);
    hook_check_take(check, TEXT("."));
}

static void begin_gitlab(struct hook_check *check, struct text secret,
                         const struct request *request, int64_t now)
{
    struct text token = request_header(request, "X-Gitlab-Token");
    /* A signing token is never sent, so whoever sends it has not understood it: not a proof. */
    if (token.data && !text_starts_with(secret, TEXT(SIGNING_TOKEN)))
        check->verdict = is_same_secret(secret, token) ? HOOK_SIGNED : HOOK_FORGED;
    else
        begin_standard(check, secret, request, now);
}

/* --- one delivery ---------------------------------------------------------------------------- */

void hook_check_begin(struct hook_check *check, enum hook_forge forge, struct text secret,
                      const struct request *request, int64_t now)
{
    check->count = 0;
    check->by_body = false;
    check->verdict = HOOK_UNSIGNED;
    if (forge == HOOK_GITLAB)
        begin_gitlab(check, secret, request, now);
    else if (forge == HOOK_GITEA)
        begin_gitea(check, secret, request);
    else
        expect_hex(check, secret, hub_signature(request));
}

void hook_check_take(struct hook_check *check, struct text piece)
{
    if (check->by_body)
        hmac_sha256_update(&check->hmac, piece.length, (const uint8_t *)piece.data);
}

enum hook_verdict hook_check_end(struct hook_check *check)
{
    if (!check->by_body)
        return check->verdict;
    uint8_t digest[SHA256_DIGEST_SIZE];
    int equal = 0;
    hmac_sha256_digest(&check->hmac, sizeof digest, digest);
    for (size_t i = 0; i < check->count; i++)
        equal |= memeql_sec(digest, check->expected[i], sizeof digest);
    check->by_body = false;
    check->verdict = equal ? HOOK_SIGNED : HOOK_FORGED;
    return check->verdict;
}
