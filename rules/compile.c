#include "compile.h"

#include "codes.h"
#include "encode.h"
#include "json.h"

#define FRAGMENT_MAX ((size_t)4 << 20)
#define DOCUMENT_MAX ((size_t)512 << 20) /* of all fragments: segments written out may multiply */

static void write_flag(struct encoder *encoder, const struct flag *flag)
{
    struct flag_settings settings = flag_settings_in(flag, encoder->environment);
    struct buffer *out = encoder->out;
    buffer_append_string(out, "{\"defaultVariant\":");
    json_write_string(out, settings.default_variant.text);
    buffer_append_string(out,
                         settings.enabled ? ",\"state\":\"ENABLED\"" : ",\"state\":\"DISABLED\"");
    if (settings.rule_count) {
        buffer_append_string(out, ",\"targeting\":");
        encode_targeting(encoder, flag, &settings);
    }
    buffer_append_string(out, ",\"variants\":{");
    const struct variant *last = NULL;
    for (size_t written = 0; written < flag->variant_count; written++) {
        const struct variant *next = NULL; /* the smallest name above the last one */
        for (size_t i = 0; i < flag->variant_count; i++) {
            const struct variant *variant = &flag->variants[i];
            if (last && text_compare(variant->name.text, last->name.text) <= 0)
                continue;
            if (!next || text_compare(variant->name.text, next->name.text) < 0)
                next = variant;
        }
        if (!next)
            break;
        if (last)
            buffer_append_char(out, ',');
        json_write_string(out, next->name.text);
        buffer_append_char(out, ':');
        buffer_append_text(out, next->json);
        last = next;
    }
    buffer_append_string(out, "}}");
}

void compile_flag(const struct catalog *catalog, const struct environment *environment,
                  const struct flag *flag, struct buffer *out, struct diagnostics *diagnostics)
{
    struct encoder encoder = {
        catalog, environment->name.text, environment->evaluators, out, diagnostics, NULL};
    write_flag(&encoder, flag);
}

struct compilation {
    const struct catalog *catalog;
    const struct environment *environment;
    const struct document *previous;
    struct diagnostics *diagnostics;
    struct attributes *attributes;
    struct fragment **fragments;
    size_t count, bytes;      /* of fragments so far, of their JSON */
    struct arena arena, work; /* of the metadata; of one flag at a time */
    struct set_metadata *metadata;
    struct buffer metadata_json, json;
    struct segment_texts segments;
    bool same_metadata; /* as the previous document's, so that its fragments can be shared */
};

/* The previous fragment when its bytes are the same, else a new one. */
static enum status make_fragment(struct compilation *compilation, const struct flag *flag)
{
    struct text json = buffer_text(&compilation->json), key = flag->name.text;
    struct fragment **out = &compilation->fragments[compilation->count];
    struct error error;
    const struct fragment *old =
        compilation->same_metadata ? document_find(compilation->previous, key) : NULL;
    if (old && text_equal(old->json, json)) {
        *out = fragment_reference((struct fragment *)(uintptr_t)old);
        compilation->count++;
        return STATUS_OK;
    }
    enum status status = fragment_new(
        key, json,
        (struct program_settings){.metadata = compilation->metadata, .arena = &compilation->work},
        compilation->attributes, out, &error);
    if (status == STATUS_OK)
        compilation->count++;
    else if (status != STATUS_NO_MEMORY)
        diagnostics_add(compilation->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place, NULL,
                        "flag \"%.64s\" cannot be compiled for \"%.64s\": %s", key.data,
                        compilation->environment->name.text.data, error.message);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status compile_one(struct compilation *compilation, const struct flag *flag)
{
    size_t errors = compilation->diagnostics->errors;
    const struct environment *environment = compilation->environment;
    struct encoder encoder = {compilation->catalog,     environment->name.text,
                              environment->evaluators,  &compilation->json,
                              compilation->diagnostics, &compilation->segments};
    buffer_clear(&compilation->json);
    write_flag(&encoder, flag);
    if (compilation->json.failed == STATUS_LIMIT) {
        diagnostics_add(
            compilation->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place,
            "segments are written out in each flag that uses them: use fewer, or smaller ones",
            "flag \"%.64s\" compiles to more than 4 MiB", flag->name.text.data);
        return STATUS_OK;
    }
    if (compilation->json.failed)
        return compilation->json.failed;
    compilation->bytes += compilation->json.length;
    if (compilation->bytes > DOCUMENT_MAX) {
        diagnostics_add(
            compilation->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place,
            "segments are written out in each flag that uses them: use fewer, or smaller ones",
            "environment \"%.64s\" compiles to more than 512 MiB",
            compilation->environment->name.text.data);
        return STATUS_INVALID;
    }
    /* What was refused need not be whole JSON. */
    return compilation->diagnostics->errors == errors ? make_fragment(compilation, flag)
                                                      : STATUS_OK;
}

/* {"flagSetId": the environment's name}: flagd's identity of a set; OpenFeature's telemetry carries
 * it. */
static enum status make_metadata(struct compilation *compilation)
{
    buffer_append_string(&compilation->metadata_json, "{\"flagSetId\":");
    json_write_string(&compilation->metadata_json, compilation->environment->name.text);
    buffer_append_char(&compilation->metadata_json, '}');
    if (compilation->metadata_json.failed)
        return compilation->metadata_json.failed;
    struct text json = buffer_text(&compilation->metadata_json);
    compilation->same_metadata =
        compilation->previous && text_equal(compilation->previous->metadata, json);
    const struct node *members;
    enum status status = json_read(&compilation->arena, json, JSON_LIMITS_DEFAULT, &members, NULL);
    if (status != STATUS_OK)
        return status;
    compilation->metadata = set_metadata_new(members);
    return compilation->metadata ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status compile_all(struct compilation *compilation)
{
    const struct catalog *catalog = compilation->catalog;
    compilation->attributes = compilation->previous
                                  ? attributes_clone(compilation->previous->attributes)
                                  : attributes_new();
    compilation->fragments = calloc(catalog->flag_count + 1, sizeof *compilation->fragments);
    if (!compilation->attributes || !compilation->fragments ||
        segment_texts_init(&compilation->segments, catalog) != STATUS_OK)
        return STATUS_NO_MEMORY;
    enum status status = make_metadata(compilation);
    for (size_t i = 0; i < catalog->flag_count && status == STATUS_OK; i++)
        status = compile_one(compilation, catalog->flags[i]);
    return status;
}

enum status compile_environment(const struct catalog *catalog,
                                const struct environment *environment,
                                const struct document *previous, struct document **out,
                                struct diagnostics *diagnostics)
{
    struct compilation compilation = {.catalog = catalog,
                                      .environment = environment,
                                      .previous = previous,
                                      .diagnostics = diagnostics};
    size_t errors = diagnostics->errors;
    *out = NULL;
    arena_init(&compilation.arena, 0);
    arena_init(&compilation.work, 0);
    buffer_init(&compilation.json, FRAGMENT_MAX);
    buffer_init(&compilation.metadata_json, 0);
    enum status status = compile_all(&compilation);
    if (status == STATUS_OK && diagnostics->errors != errors)
        status = STATUS_INVALID;
    if (status == STATUS_OK) {
        status = document_new(compilation.fragments, compilation.count, compilation.attributes,
                              buffer_text(&compilation.metadata_json), out);
    } else {
        for (size_t i = 0; i < compilation.count; i++)
            fragment_release(compilation.fragments[i]);
        attributes_release(compilation.attributes);
    }
    free(compilation.fragments);
    segment_texts_dispose(&compilation.segments);
    buffer_dispose(&compilation.json);
    buffer_dispose(&compilation.metadata_json);
    set_metadata_release(compilation.metadata);
    arena_dispose(&compilation.arena);
    arena_dispose(&compilation.work);
    return status;
}
