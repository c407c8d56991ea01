#include "compile.h"

#include "codes.h"
#include "compile_private.h"
#include "encode.h"
#include "json.h"

#define DOCUMENT_MAX ((size_t)512 << 20) /* of all fragments: segments written out may multiply */

/* The first byte behind the string or number that begins at `i`; else the one behind `i`. */
static size_t skip_token(struct text json, size_t i)
{
    bool string = json.data[i] == '"';
    for (i++; i < json.length; i++) {
        if (string && json.data[i] == '\\')
            i++;
        else if (string && json.data[i] == '"')
            return i + 1;
        else if (!string && !strchr("0123456789.eE+-", json.data[i]))
            break;
    }
    return i;
}

/* Whether a number is written without a fraction or exponent and is no 32-bit integer. */
static bool is_long(struct text number)
{
    bool negative = number.data[0] == '-';
    uint64_t magnitude = 0;
    for (size_t i = negative; i < number.length; i++) {
        if (number.data[i] < '0' || number.data[i] > '9')
            return false;
        if (magnitude <= INT32_MAX)
            magnitude = magnitude * 10 + (uint64_t)(number.data[i] - '0');
    }
    return magnitude > (uint64_t)INT32_MAX + negative;
}

static bool has_long(struct text json)
{
    for (size_t i = 0, end; i < json.length; i = end) {
        bool scalar = json.data[i] == '"' || json.data[i] == '-' ||
                      (json.data[i] >= '0' && json.data[i] <= '9');
        end = scalar ? skip_token(json, i) : i + 1;
        if (scalar && json.data[i] != '"' && is_long((struct text){json.data + i, end - i}))
            return true;
    }
    return false;
}

/* Java's provider refuses a Long as the value of a flag, and anywhere in an object. */
static void check_numbers(const struct encoder *encoder, const struct flag *flag)
{
    bool numbers = flag->type == VARIANT_NUMBER || flag->type == VARIANT_OBJECT;
    for (size_t i = 0; numbers && i < flag->variant_count; i++) {
        const struct variant *variant = &flag->variants[i];
        if (has_long(variant->json))
            diagnostics_add(encoder->diagnostics, CODE_ENCODING, variant->name.place,
                            "keep it between -2147483648 and 2147483647, or leave java out of "
                            "the environment's evaluators",
                            "variant \"%.64s\" has a whole number beyond 32 bits, which the "
                            "evaluator java cannot serve",
                            variant->name.text.data);
    }
}

static void write_flag(struct encoder *encoder, const struct flag *flag)
{
    struct buffer *out = encoder->out;
    if (encoder->evaluators & EVALUATOR_JAVA)
        check_numbers(encoder, flag);
    encode_flag_head(encoder, flag);
    buffer_append_string(out, ",\"variants\":{");
    for (size_t i = 0; i < flag->variant_count; i++) {
        if (i)
            buffer_append_char(out, ',');
        json_write_string(out, flag->sorted[i]->name.text);
        buffer_append_char(out, ':');
        buffer_append_text(out, flag->sorted[i]->json);
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

#define FLAGS_ALIKE 256 /* of fewer, what packing saves is little beside the dictionary itself */
#define SAMPLE_FLAGS 32 /* of which it is made */
#define FLAGS_WORTH 128 /* of one part: compiling fewer takes less time than starting a thread */

/* What all parts look at and none changes. */
struct compilation {
    const struct compile_task *task;
    const struct catalog *catalog;
    const struct environment *environment;
    const struct document *previous;
    size_t *chosen; /* the places of the flags that are wanted */
    size_t count;   /* of them */
    struct attributes *attributes;
    struct set_metadata *metadata;
    struct dictionary *dictionary; /* or NULL */
    struct text metadata_json;
    bool same_metadata; /* as the previous document's, so that its fragments can be shared */
    struct fragment **fragments; /* of the chosen, in their order; NULL: refused, or late */
    size_t kept;                 /* bytes of JSON of the fragments that are not compiled */
    size_t bytes;                /* of all JSON so far; added to atomically */
};

/* Neighbouring flags, compiled by one hand. */
struct part {
    struct compilation *compilation;
    size_t first, end; /* of the chosen flags */
    struct diagnostics diagnostics;
    struct arena work; /* for one flag at a time */
    struct buffer json;
    struct segment_texts segments;
    bool late; /* some flags use attributes that have no slot yet */
    enum status status;
};

static const struct flag *chosen_flag(const struct compilation *compilation, size_t index)
{
    return compilation->catalog->flags[compilation->chosen[index]];
}

static void mark_faulty(const struct compilation *compilation, size_t index)
{
    if (compilation->task->faulty)
        compilation->task->faulty[compilation->chosen[index]] = true;
}

static void refuse(struct part *part, size_t index, const char *why)
{
    const struct compilation *compilation = part->compilation;
    const struct flag *flag = chosen_flag(compilation, index);
    mark_faulty(compilation, index);
    diagnostics_add(&part->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place, NULL,
                    "flag \"%.64s\" cannot be compiled for \"%.64s\": %s", flag->name.text.data,
                    compilation->environment->name.text.data, why);
}

/* A foreign document's flag that is too much to compile is served as one that fails. One of ours is
 * refused: it was good before. */
static void refuse_if_it_fails(struct part *part, size_t index)
{
    struct fragment **fragment = &part->compilation->fragments[index];
    if (!(*fragment)->program.problem)
        return;
    refuse(part, index, (*fragment)->program.problem);
    fragment_release(*fragment);
    *fragment = NULL;
}

/* The previous fragment when its bytes are the same, else a new one. */
static enum status make_fragment(struct part *part, size_t index)
{
    const struct compilation *compilation = part->compilation;
    struct text json = buffer_text(&part->json), key = chosen_flag(compilation, index)->name.text;
    struct error error;
    const struct fragment *old =
        compilation->same_metadata ? document_find(compilation->previous, key) : NULL;
    if (old && fragment_has_json(old, json)) {
        compilation->fragments[index] = fragment_reference(old);
        return STATUS_OK;
    }
    enum status status =
        fragment_new(key, json,
                     (struct program_settings){.metadata = compilation->metadata,
                                               .dictionary = compilation->dictionary,
                                               .arena = &part->work},
                     compilation->attributes, &compilation->fragments[index], &error);
    if (status == STATUS_NOT_FOUND)
        part->late = true;
    else if (status == STATUS_OK)
        refuse_if_it_fails(part, index);
    else if (status != STATUS_NO_MEMORY)
        refuse(part, index, error.message);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* The JSON of a flag into part->json; false when there is none to go on with. */
static bool encode_flag(struct part *part, size_t index)
{
    const struct flag *flag = chosen_flag(part->compilation, index);
    const struct environment *environment = part->compilation->environment;
    size_t errors = part->diagnostics.errors;
    struct encoder encoder = {part->compilation->catalog, environment->name.text,
                              environment->evaluators,    &part->json,
                              &part->diagnostics,         &part->segments};
    buffer_clear(&part->json);
    write_flag(&encoder, flag);
    if (part->json.failed == STATUS_LIMIT)
        diagnostics_add(
            &part->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place,
            "segments are written out in each flag that uses them: use fewer, or smaller ones",
            "flag \"%.64s\" compiles to more than 4 MiB", flag->name.text.data);
    else if (part->json.failed)
        part->status = part->json.failed;
    /* What was refused need not be whole JSON. */
    bool good = !part->json.failed && part->diagnostics.errors == errors;
    if (!good)
        mark_faulty(part->compilation, index);
    return good;
}

/* What a part works with is there only while it is worked on: parts are many, hands are few. */
static bool begin_work(struct part *part)
{
    arena_init(&part->work, 0);
    buffer_init(&part->json, COMPILE_FRAGMENT_MAX);
    enum status status = segment_texts_init(&part->segments, part->compilation->catalog);
    if (part->status == STATUS_OK)
        part->status = status;
    return part->status == STATUS_OK;
}

static void end_work(struct part *part)
{
    arena_dispose(&part->work);
    buffer_dispose(&part->json);
    segment_texts_dispose(&part->segments);
}

static void compile_part(void *context, unsigned index)
{
    struct part *part = (struct part *)context + index;
    struct compilation *compilation = part->compilation;
    bool fits = begin_work(part);
    for (size_t i = part->first; fits && i < part->end && part->status == STATUS_OK; i++) {
        bool good = encode_flag(part, i);
        size_t length = part->json.failed ? 0 : part->json.length; /* not all of it: chance */
        size_t before = __atomic_fetch_add(&compilation->bytes, length, __ATOMIC_RELAXED);
        fits = before + length <= DOCUMENT_MAX;
        if (good && fits)
            part->status = make_fragment(part, i);
    }
    end_work(part);
}

/* Those whose attributes were not foreseen, one after the other. */
static void compile_late(struct part *part)
{
    const struct compilation *compilation = part->compilation;
    bool good = begin_work(part);
    for (size_t i = part->first; good && i < part->end && part->status == STATUS_OK; i++) {
        if (!compilation->fragments[i] && encode_flag(part, i))
            part->status = make_fragment(part, i);
    }
    end_work(part);
}

/* The flag with which the document becomes too large is the same whoever compiles it: they are
 * encoded once more, in their order. */
static void refuse_size(const struct compilation *compilation, struct part *part)
{
    size_t bytes = compilation->kept;
    bool good = begin_work(part);
    for (size_t i = 0; good && i < compilation->count && part->status == STATUS_OK; i++) {
        const struct flag *flag = chosen_flag(compilation, i);
        encode_flag(part, i);
        bytes += part->json.failed ? 0 : part->json.length;
        if (bytes <= DOCUMENT_MAX)
            continue;
        diagnostics_add(
            &part->diagnostics, CODE_FRAGMENT_SIZE, flag->name.place,
            "segments are written out in each flag that uses them: use fewer, or smaller ones",
            "environment \"%.64s\" compiles to more than 512 MiB",
            compilation->environment->name.text.data);
        break;
    }
    end_work(part);
}

/* In the order of the flags, as if one had compiled them all. */
static enum status end_parts(struct part *parts, unsigned count, struct diagnostics *diagnostics)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < count; i++) {
        if (status == STATUS_OK)
            status = parts[i].status;
        diagnostics_join(diagnostics, &parts[i].diagnostics);
    }
    return status;
}

static void compile_parts(struct compilation *compilation, struct part *parts, unsigned count,
                          const struct crew *crew)
{
    bool good = true;
    attributes_seal(compilation->attributes, true);
    crew_run(crew, count, compile_part, parts);
    attributes_seal(compilation->attributes, false);
    if (compilation->bytes > DOCUMENT_MAX) {
        for (unsigned i = 0; i < count; i++) { /* how far each came is chance */
            diagnostics_dispose(&parts[i].diagnostics);
            parts[i].status = STATUS_OK;
        }
        for (size_t i = 0; i < compilation->count && compilation->task->faulty; i++)
            compilation->task->faulty[compilation->chosen[i]] = false;
        refuse_size(compilation, &parts[0]);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        good = good && parts[i].status == STATUS_OK && parts[i].diagnostics.errors == 0;
    for (unsigned i = 0; i < count && good; i++) {
        if (parts[i].late)
            compile_late(&parts[i]);
    }
}

static enum status compile_flags(struct compilation *compilation, const struct crew *crew,
                                 struct diagnostics *diagnostics)
{
    size_t flags = compilation->count;
    unsigned count = crew_parts(crew, flags, FLAGS_WORTH);
    struct part *parts = calloc(count, sizeof *parts);
    if (!parts)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct part){
            .compilation = compilation, .first = flags * i / count, .end = flags * (i + 1) / count};
        diagnostics_init(&parts[i].diagnostics);
    }
    compile_parts(compilation, parts, count, crew);
    enum status status = end_parts(parts, count, diagnostics);
    free(parts);
    return status;
}

/* {"flagSetId": the environment's name}: flagd's identity of a set; OpenFeature's telemetry carries
 * it. */
static enum status make_metadata(struct compilation *compilation, struct arena *arena,
                                 struct buffer *json)
{
    buffer_append_string(json, "{\"flagSetId\":");
    json_write_string(json, compilation->environment->name.text);
    buffer_append_char(json, '}');
    if (json->failed)
        return json->failed;
    compilation->metadata_json = buffer_text(json);
    compilation->same_metadata =
        compilation->previous &&
        text_equal(compilation->previous->metadata, compilation->metadata_json);
    const struct node *members;
    enum status status =
        json_read(arena, compilation->metadata_json, JSON_LIMITS_DEFAULT, &members, NULL);
    if (status != STATUS_OK)
        return status;
    compilation->metadata = set_metadata_new(arena, members);
    return compilation->metadata ? STATUS_OK : STATUS_NO_MEMORY;
}

/* Which flags, and how much the others come to. */
static enum status choose(struct compilation *compilation)
{
    const struct compile_task *task = compilation->task;
    const struct document *previous = task->wanted ? task->previous : NULL;
    size_t flags = compilation->catalog->flag_count;
    compilation->chosen = calloc(flags + 1, sizeof *compilation->chosen);
    compilation->fragments = calloc(flags + 1, sizeof *compilation->fragments);
    if (!compilation->chosen || !compilation->fragments)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < flags; i++) {
        if (!task->wanted || task->wanted[i])
            compilation->chosen[compilation->count++] = i;
    }
    compilation->kept = previous ? previous->json_bytes : 0;
    for (size_t i = 0; previous && i < compilation->count + task->gone_count; i++) {
        const struct fragment *old =
            document_find(previous, i < compilation->count ? chosen_flag(compilation, i)->name.text
                                                           : task->gone[i - compilation->count]);
        compilation->kept -= old ? fragment_json_length(old) : 0;
    }
    compilation->bytes = compilation->kept;
    return STATUS_OK;
}

/* A sample of the document: of flags at even distances the JSON, as it is now or was before. */
static enum status sample_flags(const struct compilation *compilation, struct buffer *sample)
{
    const struct document *previous = compilation->previous;
    bool anew = compilation->count >= FLAGS_ALIKE;
    size_t count = anew ? compilation->count : previous->count;
    struct diagnostics passed_over; /* they are found again */
    struct buffer json;
    enum status status = STATUS_OK;
    diagnostics_init(&passed_over);
    buffer_init(&json, COMPILE_FRAGMENT_MAX);
    for (size_t i = 0; i < SAMPLE_FLAGS && status == STATUS_OK; i++) {
        size_t index = count * i / SAMPLE_FLAGS;
        buffer_clear(&json);
        if (anew)
            compile_flag(compilation->catalog, compilation->environment,
                         chosen_flag(compilation, index), &json, &passed_over);
        else
            fragment_append_json(document_at(previous, index), &json);
        struct text part = buffer_text(&json);
        if (part.length > DICTIONARY_MOST / SAMPLE_FLAGS)
            part.length = DICTIONARY_MOST / SAMPLE_FLAGS;
        if (json.failed == STATUS_OK)
            buffer_append_text(sample, part);
        else if (json.failed != STATUS_LIMIT) /* that flag is refused later */
            status = json.failed;
    }
    if (status == STATUS_OK)
        status = passed_over.failed ? passed_over.failed : sample->failed;
    diagnostics_dispose(&passed_over);
    buffer_dispose(&json);
    return status;
}

/* The previous document's, or one that is made before the parts begin, so that all share it. */
static enum status find_dictionary(struct compilation *compilation)
{
    const struct document *previous = compilation->previous;
    struct buffer sample;
    if (previous && previous->dictionary) {
        compilation->dictionary = dictionary_reference(previous->dictionary);
        return STATUS_OK;
    }
    if (compilation->count < FLAGS_ALIKE && (!previous || previous->count < FLAGS_ALIKE))
        return STATUS_OK;
    buffer_init(&sample, 0);
    enum status status = sample_flags(compilation, &sample);
    if (status == STATUS_OK) {
        compilation->dictionary = dictionary_new(buffer_text(&sample));
        status = compilation->dictionary ? STATUS_OK : STATUS_NO_MEMORY;
    }
    buffer_dispose(&sample);
    return status;
}

static enum status begin(struct compilation *compilation, struct arena *arena, struct buffer *json)
{
    compilation->attributes = compilation->previous
                                  ? attributes_clone(compilation->previous->attributes)
                                  : attributes_new();
    if (!compilation->attributes)
        return STATUS_NO_MEMORY;
    enum status status = choose(compilation);
    if (status == STATUS_OK)
        status = compile_attributes(compilation->catalog, compilation->environment,
                                    compilation->attributes);
    if (status == STATUS_OK)
        status = find_dictionary(compilation);
    return status == STATUS_OK ? make_metadata(compilation, arena, json) : status;
}

/* The changes to the previous document, in the order of their keys; their number, or none when
 * there is no memory. Fragments that stay are given back. */
static struct document_change *list_changes(struct compilation *compilation, size_t *out)
{
    const struct compile_task *task = compilation->task;
    size_t made = 0, gone = 0, i = 0;
    struct document_change *changes =
        calloc(compilation->count + task->gone_count + 1, sizeof *changes);
    while (changes && (i < compilation->count || gone < task->gone_count)) {
        struct text key =
            i < compilation->count ? chosen_flag(compilation, i)->name.text : TEXT("");
        bool is_gone = i == compilation->count ||
                       (gone < task->gone_count && text_compare(task->gone[gone], key) < 0);
        struct fragment *fragment = is_gone ? NULL : compilation->fragments[i++];
        key = is_gone ? task->gone[gone++] : key;
        const struct fragment *old = document_find(task->previous, key);
        if (fragment == old)
            fragment_release(fragment); /* of two references the document has one */
        else
            changes[made++] = (struct document_change){key, fragment};
    }
    *out = made;
    return changes;
}

/* The references to fragments and attributes go to the document. */
static enum status edit_previous(struct compilation *compilation, struct document **out)
{
    const struct document *previous = compilation->previous;
    size_t count;
    struct document_change *changes = list_changes(compilation, &count);
    enum status status = STATUS_OK;
    if (!changes) {
        for (size_t i = 0; i < compilation->count; i++)
            fragment_release(compilation->fragments[i]);
        attributes_release(compilation->attributes);
        return STATUS_NO_MEMORY;
    }
    if (count == 0 && compilation->same_metadata) {
        attributes_release(compilation->attributes);
        *out = document_reference((struct document *)(uintptr_t)previous);
    } else {
        status = document_edit(previous, changes, count, compilation->attributes,
                               compilation->metadata_json, out);
    }
    free(changes);
    return status;
}

static enum status finish(struct compilation *compilation, enum status status,
                          struct document **out)
{
    size_t count = compilation->count;
    if (status != STATUS_OK) {
        for (size_t i = 0; i < count && compilation->fragments; i++)
            fragment_release(compilation->fragments[i]);
        attributes_release(compilation->attributes);
    } else if (compilation->task->wanted && compilation->previous) {
        status = edit_previous(compilation, out);
    } else {
        status = document_new(compilation->fragments, count, compilation->attributes,
                              compilation->metadata_json, out);
    }
    if (status == STATUS_OK && *out != compilation->previous && !(*out)->dictionary)
        (*out)->dictionary = dictionary_reference(compilation->dictionary);
    free(compilation->fragments);
    free(compilation->chosen);
    return status;
}

enum status compile_document(const struct compile_task *task, struct document **out,
                             struct diagnostics *diagnostics)
{
    struct compilation compilation = {.task = task,
                                      .catalog = task->catalog,
                                      .environment = task->environment,
                                      .previous = task->previous};
    size_t errors = diagnostics->errors;
    struct arena arena; /* of the metadata */
    struct buffer json;
    *out = NULL;
    arena_init(&arena, 0);
    buffer_init(&json, 0);
    enum status status = begin(&compilation, &arena, &json);
    if (status == STATUS_OK)
        status = compile_flags(&compilation, task->crew, diagnostics);
    if (status == STATUS_OK && diagnostics->errors != errors)
        status = STATUS_INVALID;
    if (status == STATUS_INVALID && task->previous && task->crowded)
        *task->crowded = *task->crowded || attributes_are_full(compilation.attributes);
    status = finish(&compilation, status, out);
    set_metadata_release(compilation.metadata);
    dictionary_release(compilation.dictionary);
    buffer_dispose(&json);
    arena_dispose(&arena);
    return status;
}

enum status compile_environment(const struct catalog *catalog,
                                const struct environment *environment,
                                const struct document *previous, const struct crew *crew,
                                struct document **out, struct diagnostics *diagnostics)
{
    const struct compile_task task = {
        .catalog = catalog, .environment = environment, .previous = previous, .crew = crew};
    return compile_document(&task, out, diagnostics);
}
