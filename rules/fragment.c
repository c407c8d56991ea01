#include "fragment.h"

#include <nettle/sha2.h>

#include "json.h"
#include "json_scan.h"
#include "program_pack.h"

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

/* What else a flag says is good, even where its rules are too deep to be read. */
static bool read_without_targeting(struct arena *arena, struct text json, const struct node **out)
{
    struct text targeting;
    if (!json_find_member(json, "targeting", FLAG_MAX_DEPTH, &targeting))
        return false;
    size_t before = (size_t)(targeting.data - json.data);
    char *copy = arena_allocate(arena, json.length);
    if (!copy)
        return false;
    memcpy(copy, json.data, json.length);
    memset(copy + before, ' ', targeting.length);
    copy[before] = '0'; /* as good as none */
    struct text rest = {copy, json.length};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    return json_read(arena, rest, limits, out, NULL) == STATUS_OK;
}

/* The flag's program as it was compiled, in `arena`, with strings left in `json`. */
static enum status compile(struct arena *arena, struct text key, struct text json,
                           struct program_settings settings, struct attributes *attributes,
                           const struct program **out, struct error *error)
{
    const struct node *node;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.views = true;
    enum status status = json_read(arena, json, limits, &node, error);
    if (status == STATUS_LIMIT && read_without_targeting(arena, json, &node)) {
        settings.problem = "targeting is too large, or nested deeper than 512 levels";
        status = STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    return program_compile(arena, key, node, json, settings, attributes, out, error);
}

/* The JSON as it is to be kept: packed, or else itself. `strings` of its bytes have to be there
 * plainly for the program, in it or beside it; what is left has to be worth unpacking it. */
static bool pack_json(struct arena *arena, const struct dictionary *dictionary, struct text json,
                      size_t strings, struct text *out)
{
    size_t worth = json.length - json.length / 8;
    *out = json;
    if (!dictionary || worth <= strings || json.length > DICTIONARY_TEXT_MOST)
        return true;
    char *packed = arena_allocate(arena, worth - strings);
    if (!packed)
        return false;
    size_t length = dictionary_pack(dictionary, json, packed, worth - strings);
    if (length)
        *out = (struct text){packed, length};
    return true;
}

/* One block: the fragment, its program, its JSON, and the strings that were in it. */
static enum status pack(struct arena *arena, const struct program *program,
                        const struct program_settings *settings, struct text json,
                        struct fragment **out)
{
    struct packer packer = {.used = sizeof(struct fragment), .from = json};
    struct text shared = settings->metadata ? settings->metadata->json : (struct text){0}, kept;
    program_pack(&packer, program, shared, NULL);
    size_t hot = packer.used, size;
    if (hot > UINT32_MAX || json.length > UINT32_MAX)
        return STATUS_LIMIT;
    if (!pack_json(arena, settings->dictionary, json, packer.tail, &kept))
        return STATUS_NO_MEMORY;
    bool is_packed = kept.data != json.data;
    if (!size_add(hot, kept.length, &size) || !size_add(size, is_packed ? packer.tail : 0, &size))
        return STATUS_LIMIT;
    struct fragment *fragment = malloc(size);
    if (!fragment)
        return STATUS_NO_MEMORY;
    char *copy = (char *)fragment + hot;
    if (kept.length)
        memcpy(copy, kept.data, kept.length);
    *fragment = (struct fragment){
        .hot = (uint32_t)hot, .references = 1, .json_length = (uint32_t)json.length};
    packer = (struct packer){.base = (char *)fragment,
                             .used = sizeof *fragment,
                             .tail = hot + kept.length,
                             .from = json,
                             .to = {is_packed ? NULL : copy, json.length}};
    program_pack(&packer, program, shared, &fragment->program);
    if (shared.length && program->metadata.data == shared.data)
        fragment->set = set_metadata_reference(settings->metadata);
    if (is_packed) {
        fragment->packed = (uint32_t)kept.length;
        fragment->dictionary = dictionary_reference(settings->dictionary);
    }
    *out = fragment;
    return STATUS_OK;
}

enum status fragment_new(struct text key, struct text json, struct program_settings settings,
                         struct attributes *attributes, struct fragment **out, struct error *error)
{
    struct arena own;
    const struct program *program;
    *out = NULL;
    arena_init(&own, 0);
    struct arena *arena = settings.arena ? settings.arena : &own;
    enum status status = compile(arena, key, json, settings, attributes, &program, error);
    if (status == STATUS_OK) {
        status = pack(arena, program, &settings, json, out);
        if (status == STATUS_OK)
            fragment_hash("flag", key, json, (*out)->hash);
        else
            error_set(error, status,
                      status == STATUS_LIMIT ? "flag is larger than 4 GiB" : "no memory");
    }
    if (settings.arena)
        arena_reset(settings.arena);
    arena_dispose(&own);
    return status;
}

struct fragment *fragment_reference(const struct fragment *fragment)
{
    struct fragment *counted = (struct fragment *)(uintptr_t)fragment; /* only the count changes */
    __atomic_add_fetch(&counted->references, 1, __ATOMIC_RELAXED);
    return counted;
}

void fragment_release(struct fragment *fragment)
{
    if (!fragment || __atomic_sub_fetch(&fragment->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    set_metadata_release(fragment->set);
    dictionary_release(fragment->dictionary);
    free(fragment);
}

void fragment_append_json(const struct fragment *fragment, struct buffer *out)
{
    const char *kept = (const char *)fragment + fragment->hot;
    size_t length = fragment->json_length;
    if (!fragment->packed) {
        buffer_append(out, kept, length);
        return;
    }
    char *room = buffer_reserve(out, length);
    if (!room)
        return;
    if (dictionary_unpack(fragment->dictionary, (struct text){kept, fragment->packed}, room,
                          length))
        out->length += length;
    else
        out->failed = STATUS_SYSTEM;
}

bool fragment_has_json(const struct fragment *fragment, struct text json)
{
    uint8_t hash[SHA256_SIZE];
    if (fragment->json_length != json.length)
        return false;
    fragment_hash("flag", fragment->program.key, json, hash);
    return memcmp(fragment->hash, hash, SHA256_SIZE) == 0;
}
