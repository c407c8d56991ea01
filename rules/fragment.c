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

/* One block: the fragment, its program, its JSON. */
static struct fragment *pack(const struct program *program, struct set_metadata *set,
                             struct text json)
{
    struct packer packer = {.used = sizeof(struct fragment), .from = json};
    struct text shared = set ? set->json : (struct text){0};
    program_pack(&packer, program, shared, NULL);
    size_t hot = packer.used, size;
    if (!size_add(hot, json.length + 1, &size))
        return NULL;
    struct fragment *fragment = malloc(size);
    if (!fragment)
        return NULL;
    char *copy = (char *)fragment + hot;
    if (json.length)
        memcpy(copy, json.data, json.length);
    copy[json.length] = '\0';
    *fragment = (struct fragment){
        .hot = hot < UINT32_MAX ? (uint32_t)hot : UINT32_MAX,
        .references = 1,
        .json = {copy, json.length},
    };
    packer = (struct packer){
        .base = (char *)fragment, .used = sizeof *fragment, .from = json, .to = fragment->json};
    program_pack(&packer, program, shared, &fragment->program);
    if (shared.length && program->metadata.data == shared.data)
        fragment->set = set_metadata_reference(set);
    return fragment;
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
        *out = pack(program, settings.metadata, json);
        if (*out)
            fragment_hash("flag", key, json, (*out)->hash);
        else
            status = error_set(error, STATUS_NO_MEMORY, "no memory");
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
    free(fragment);
}
