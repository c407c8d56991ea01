#include "fragment.h"

#include <nettle/sha2.h>

#include "json.h"
#include "json_scan.h"

void fragment_hash(const char *kind, struct text key, struct text bytes, uint8_t out[SHA256_SIZE])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, strlen(kind) + 1, (const uint8_t *)kind);
    sha256_update(&context, key.length, (const uint8_t *)key.data);
    sha256_update(&context, 1, (const uint8_t *)"");
    sha256_update(&context, bytes.length, (const uint8_t *)bytes.data);
    sha256_digest(&context, SHA256_SIZE, out);
}

/* The bytes of the value of "targeting" in a flag object. */
static bool find_targeting(struct text json, struct text *out)
{
    struct json_cursor at = {.p = json.data, .end = json.data + json.length};
    struct text key;
    bool escapes, found = false;
    json_scan_space(&at);
    if (at.p == at.end || *at.p != '{')
        return false;
    at.p++;
    for (bool first = true; json_scan_entry(&at, '}', first) > 0; first = false) {
        if (!json_scan_key(&at, &key, &escapes))
            return false;
        const char *start = at.p;
        if (!json_skip_value(&at, FLAG_MAX_DEPTH))
            return false;
        if (text_is(key, "targeting")) {
            *out = (struct text){start, (size_t)(at.p - start)};
            found = true;
        }
    }
    return found;
}

/* What else a flag says is good, even where its rules are too deep to be read. */
static bool read_without_targeting(struct arena *arena, struct text json, const struct node **out)
{
    struct text targeting;
    if (!find_targeting(json, &targeting))
        return false;
    size_t before = (size_t)(targeting.data - json.data);
    char *copy = arena_allocate(arena, json.length);
    if (!copy)
        return false;
    memcpy(copy, json.data, json.length);
    memset(copy + before, ' ', targeting.length);
    memcpy(copy + before, "null", 4);
    struct text rest = {copy, json.length};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    return json_read(arena, rest, limits, out, NULL) == STATUS_OK;
}

static enum status fill(struct fragment *fragment, struct text key, struct text json,
                        struct program_settings settings, struct attributes *attributes,
                        struct error *error)
{
    struct arena scratch; /* the nodes are not needed after compiling */
    const struct node *node;
    if (!arena_copy(&fragment->arena, key, &fragment->key) ||
        !arena_copy(&fragment->arena, json, &fragment->json))
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.views = true;
    arena_init(&scratch, 0);
    enum status status = json_read(&scratch, fragment->json, limits, &node, error);
    if (status == STATUS_LIMIT && read_without_targeting(&scratch, fragment->json, &node)) {
        settings.problem = "targeting is nested deeper than 512 levels";
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = program_compile(&fragment->arena, key, node, fragment->json, settings, attributes,
                                 &fragment->program, error);
    arena_dispose(&scratch);
    fragment_hash("flag", key, json, fragment->hash);
    return status;
}

enum status fragment_new(struct text key, struct text json, struct program_settings settings,
                         struct attributes *attributes, struct fragment **out, struct error *error)
{
    struct fragment *fragment = calloc(1, sizeof *fragment);
    *out = NULL;
    if (!fragment)
        return error_set(error, STATUS_NO_MEMORY, "no memory");
    fragment->references = 1;
    /* As measured, a program takes some two and a half times the bytes of its JSON: one block is
     * enough. */
    arena_init_small(&fragment->arena, 0, json.length / 2 * 7 + 256);
    enum status status = fill(fragment, key, json, settings, attributes, error);
    if (status == STATUS_OK)
        *out = fragment;
    else
        fragment_release(fragment);
    return status;
}

struct fragment *fragment_reference(struct fragment *fragment)
{
    __atomic_add_fetch(&fragment->references, 1, __ATOMIC_RELAXED);
    return fragment;
}

void fragment_release(struct fragment *fragment)
{
    if (!fragment || __atomic_sub_fetch(&fragment->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    arena_dispose(&fragment->arena);
    free(fragment);
}
