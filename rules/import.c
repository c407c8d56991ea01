/* What imports of all formats share: memory, places, complaints, and the documents that come out.
 */
#include "import.h"

#include <stdarg.h>
#include <stdio.h>

#include "codes.h"
#include "import_private.h"
#include "yaml.h"

#define ARENA_MAXIMUM ((size_t)2 << 30)

void *importer_take(struct importer *importer, size_t count, size_t size)
{
    void *memory = arena_allocate_zero(importer->arena, count ? count : 1, size);
    if (!memory)
        importer->no_memory = true;
    return memory;
}

struct text importer_number(struct importer *importer, double number)
{
    char digits[NUMBER_TEXT_SIZE] = {0};
    size_t length = number_format(number, digits);
    struct text out = {NULL, 0};
    if (!arena_copy(importer->arena, (struct text){digits, length}, &out))
        importer->no_memory = true;
    return out;
}

/* Up to so many each is compared with each. */
#define FEW_KEYS 8

void importer_learn_keys(struct importer *importer, const struct node *map)
{
    importer->keys_of_few = map->count <= FEW_KEYS;
    if (importer->keys_of_few)
        return;
    if (!names_reset(&importer->keys, map->count)) {
        importer->no_memory = true;
        importer->keys_of_few = true;
        return;
    }
    for (const struct node *entry = map->first; entry; entry = entry->next)
        names_set(&importer->keys, entry->key, entry, 0);
}

bool importer_is_last(const struct importer *importer, const struct node *entry)
{
    if (!importer->keys_of_few)
        return names_find(&importer->keys, entry->key)->node == entry;
    for (const struct node *later = entry->next; later; later = later->next) {
        if (text_equal(later->key, entry->key))
            return false;
    }
    return true;
}

size_t importer_distinct(struct importer *importer, struct text *texts, size_t count)
{
    static const struct node there = {.type = NODE_NULL};
    size_t kept = 0;
    if (!names_reset(&importer->keys, count)) {
        importer->no_memory = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!names_put(&importer->keys, texts[i], &there, 0))
            texts[kept++] = texts[i];
    }
    return kept;
}

struct place importer_place(const struct importer *importer, const struct node *node)
{
    if (!node)
        return (struct place){importer->path, 0, 0};
    return (struct place){importer->path, node->line, node->column};
}

struct place importer_key_place(const struct importer *importer, const struct node *node)
{
    return (struct place){importer->path, node->key_line ? node->key_line : node->line,
                          node->key_line ? node->key_column : node->column};
}

void importer_refuse(struct importer *importer, const char *code, struct place place,
                     const char *hint, const char *format, ...)
{
    char message[400];
    va_list arguments;
    if (importer->quiet)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (strcmp(code, CODE_IMPORT_FIELD) == 0)
        importer->out->left_out++;
    diagnostics_add(importer->diagnostics, code, place, hint, "%s", message);
}

static bool measure(const struct node *node, unsigned depth, size_t *nodes)
{
    if (depth > YAML_MAX_DEPTH - 2 || ++*nodes > YAML_MAX_NODES / 2)
        return false;
    for (const struct node *entry = node->type == NODE_LIST || node->type == NODE_MAP ? node->first
                                                                                      : NULL;
         entry; entry = entry->next) {
        if (!measure(entry, depth + 1, nodes))
            return false;
    }
    return true;
}

bool import_fits(const struct node *document)
{
    size_t nodes = 0;
    return measure(document, 0, &nodes);
}

bool importer_keep(struct importer *importer, const char *folder, struct text name,
                   const struct node *document, const struct node *place)
{
    struct import *out = importer->out;
    struct import_document *kept = &out->documents[out->count];
    struct buffer yaml, path;
    if (importer->no_memory || !document)
        return false;
    buffer_init(&yaml, YAML_MAX_BYTES);
    buffer_init(&path, 0);
    if (import_fits(document))
        import_write(&yaml, document);
    else
        yaml.failed = STATUS_LIMIT;
    buffer_printf(&path, "%s/", folder);
    buffer_append_text(&path, name);
    buffer_append_string(&path, ".yaml");
    bool large = yaml.failed == STATUS_LIMIT;
    if (large)
        importer_refuse(importer, CODE_IMPORT_RULE, importer_key_place(importer, place),
                        "weir's files are nested at most 64 deep and hold at most 4 MiB",
                        "\"" QUOTE "\" is too large, or nested too deep", QUOTED(name));
    else if (yaml.failed || path.failed ||
             !arena_copy(importer->arena, buffer_text(&path), &kept->path) ||
             !arena_copy(importer->arena, buffer_text(&yaml), &kept->yaml))
        importer->no_memory = true;
    else
        out->count++;
    buffer_dispose(&yaml);
    buffer_dispose(&path);
    return !large && !importer->no_memory;
}

void importer_note(struct importer *importer, const struct import_flag *flag)
{
    struct place place = importer_key_place(importer, flag->source);
    struct text name = flag->source->key;
    if (flag->errors)
        diagnostics_add(importer->diagnostics, CODE_IMPORT_ERRORS, place, NULL,
                        "flag \"" QUOTE "\" fails for contexts with attributes of other types than "
                        "its rules compare; weir answers there",
                        QUOTED(name));
    if (flag->assumed)
        diagnostics_add(importer->diagnostics, CODE_IMPORT_ASSUMED, place, NULL,
                        "rules of flag \"" QUOTE "\" hold for attributes of the type and in the "
                        "letters that they are written with",
                        QUOTED(name));
    if (flag->moves)
        diagnostics_add(importer->diagnostics, CODE_IMPORT_MOVES, place, NULL,
                        "users of flag \"" QUOTE
                        "\" move: weir draws other buckets, and who has no "
                        "key gets the default",
                        QUOTED(name));
}

/* --- the environment ------------------------------------------------------------------------- */

static void put_evaluators(struct importer *importer, struct node *spec)
{
    static const char *const names[] = {"weir", "flagd", "js", "python", "java"};
    size_t count = importer->bucketing == BUCKETING_MIRRORED ? 5 : 4;
    struct node *list = build_list(importer);
    for (size_t i = 0; i < count; i++)
        build_append(importer, list, build_string(importer, text_of(names[i])));
    build_put(importer, spec, "evaluators", list);
}

void importer_keep_environment(struct importer *importer, const struct node *labels)
{
    struct node *document = build_map(importer), *metadata = build_map(importer),
                *spec = build_map(importer);
    struct text name = importer->options.environment;
    build_put(importer, document, "apiVersion", build_string(importer, TEXT("weir/v1")));
    build_put(importer, document, "kind", build_string(importer, TEXT("Environment")));
    build_put(importer, metadata, "name", build_string(importer, name));
    for (const struct node *field = labels ? labels->first : NULL; field; field = field->next)
        build_put_text(importer, metadata, field->key, field);
    build_put(importer, document, "metadata", metadata);
    if (importer->bucketing > BUCKETING_PLAIN)
        put_evaluators(importer, spec);
    if (spec && spec->count)
        build_put(importer, document, "spec", spec);
    importer_keep(importer, "environments", name, document, importer->root);
}

/* --- the face --------------------------------------------------------------------------------- */

enum status import_read(struct import *out, struct text path, struct text source,
                        struct import_options options, struct diagnostics *diagnostics)
{
    struct importer importer = {.out = out,
                                .arena = &out->arena,
                                .path = path,
                                .options = options,
                                .diagnostics = diagnostics};
    *out = (struct import){0};
    importer.work = IMPORT_WORK + IMPORT_WORK_BYTE * source.length;
    arena_init(&out->arena, ARENA_MAXIMUM);
    if (source.length > IMPORT_MAX_BYTES) {
        importer_refuse(&importer, CODE_IMPORT_FILE, importer_place(&importer, NULL), NULL,
                        "file has more than %zu bytes", IMPORT_MAX_BYTES);
        return STATUS_INVALID;
    }
    enum status status = options.format == IMPORT_GOFF ? import_goff(&importer, source)
                                                       : import_flagd(&importer, source);
    names_dispose(&importer.keys);
    names_dispose(&importer.evaluators_by);
    names_dispose(&importer.segments);
    names_dispose(&importer.variants);
    if (importer.no_memory || diagnostics->failed)
        return STATUS_NO_MEMORY;
    return status;
}

void import_dispose(struct import *import)
{
    arena_dispose(&import->arena);
    *import = (struct import){0};
}
