/* Random valid documents and contexts: evaluating does not fail in unheard-of ways and depends on
 * nothing but the flag, the context and the time. So the answer stays the same
 * - a second time, and after other contexts, other flags and other times were evaluated;
 * - for the same context written in another order and with other escapes;
 * - where the flag stands alone in its document, and where the document was written out and read.
 *
 * The first byte chooses the generation of fractional, the next ones two contexts, the rest the
 * document. FUZZ_SHOW=1 in the environment prints
 * what they chose. */
#include <stdio.h>
#include <stdlib.h>

#include "../generator.h"

#define CHOICES_A 64
#define CHOICES_B 32

struct trial {
    struct generated generated;
    struct buffer json;       /* the document */
    struct buffer a, a_again; /* a context in two spellings */
    struct buffer other, b;   /* another context: as it was chosen, and as it is read */
    struct document_options options;
    struct context context;
};

static struct document *read_document(struct text json, const struct document_options *options)
{
    struct document *document;
    struct error error = {0};
    enum status status = document_read(json, options, &document, &error);
    FUZZ_CHECK(status == STATUS_OK, "valid, but refused, %u:%u %s: %.*s", error.line, error.column,
               error.message, FUZZ_TEXT(json));
    return document;
}

static void read_context(struct trial *trial, const struct document *document,
                         const struct buffer *json)
{
    struct error error = {0};
    enum status status =
        context_read(&trial->context, document->attributes, buffer_text(json), &error);
    FUZZ_CHECK(status == STATUS_OK, "context is refused, %s: %.*s", error.message,
               FUZZ_TEXT(buffer_text(json)));
}

/* The answer for flag `index`, as text. */
static void decide(struct trial *trial, const struct document *document, unsigned index,
                   int64_t now, struct buffer *out)
{
    const struct fragment *fragment = document_find(document, trial->generated.keys[index]);
    FUZZ_CHECK(fragment, "flag %u is lost", index);
    buffer_clear(out);
    fuzz_decide(fragment, &trial->context, now, out);
}

/* Evaluates all flags, the last one first, and compares with what they gave before. */
static void compare(struct trial *trial, const struct document *document,
                    const struct buffer *expected, const char *when)
{
    struct buffer got;
    buffer_init(&got, 0);
    for (unsigned i = GENERATED_FLAGS; i-- > 0;) {
        decide(trial, document, i, FUZZ_NOW, &got);
        FUZZ_CHECK(text_equal(buffer_text(&got), buffer_text(&expected[i])),
                   "flag %u %s:\n%.*sbefore:\n%.*sdocument: %.*s\ncontext: %.*s", i, when,
                   FUZZ_TEXT(buffer_text(&got)), FUZZ_TEXT(buffer_text(&expected[i])),
                   FUZZ_TEXT(buffer_text(&trial->json)), FUZZ_TEXT(buffer_text(&trial->a)));
    }
    buffer_dispose(&got);
}

static void compare_alone(struct trial *trial, const struct buffer *expected)
{
    struct buffer json, got;
    buffer_init(&json, 0);
    buffer_init(&got, 0);
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        buffer_clear(&json);
        generated_write(&trial->generated, i, &json);
        struct document *alone = read_document(buffer_text(&json), &trial->options);
        read_context(trial, alone, &trial->a);
        decide(trial, alone, i, FUZZ_NOW, &got);
        FUZZ_CHECK(text_equal(buffer_text(&got), buffer_text(&expected[i])),
                   "flag %u alone:\n%.*samong others:\n%.*sdocument: %.*s\ncontext: %.*s", i,
                   FUZZ_TEXT(buffer_text(&got)), FUZZ_TEXT(buffer_text(&expected[i])),
                   FUZZ_TEXT(buffer_text(&trial->json)), FUZZ_TEXT(buffer_text(&trial->a)));
        document_release(alone);
    }
    buffer_dispose(&json);
    buffer_dispose(&got);
}

static void compare_rewritten(struct trial *trial, const struct document *document,
                              const struct buffer *expected)
{
    struct buffer json;
    buffer_init(&json, 0);
    document_write(document, &json);
    struct document *again = read_document(buffer_text(&json), &trial->options);
    read_context(trial, again, &trial->a);
    compare(trial, again, expected, "written out and read");
    document_release(again);
    buffer_dispose(&json);
}

/* What must not change an answer, between one time and the next. */
static void disturb(struct trial *trial, const struct document *document)
{
    struct buffer got;
    buffer_init(&got, 0);
    read_context(trial, document, &trial->b);
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        decide(trial, document, i, FUZZ_NOW, &got);
        fuzz_explain(document_find(document, trial->generated.keys[i]), &trial->context, FUZZ_NOW);
    }
    buffer_dispose(&got);
}

static void run(struct trial *trial, enum fractional fractional)
{
    struct buffer expected[GENERATED_FLAGS], other;
    trial->options = (struct document_options){.fractional = fractional};
    struct document *document = read_document(buffer_text(&trial->json), &trial->options);
    buffer_init(&other, 0);
    read_context(trial, document, &trial->a);
    for (unsigned i = 0; i < GENERATED_FLAGS; i++) {
        buffer_init(&expected[i], 0);
        decide(trial, document, i, FUZZ_NOW, &expected[i]);
        decide(trial, document, i, FUZZ_NOW + 86400, &other);
    }
    compare(trial, document, expected, "after another time");
    disturb(trial, document);
    read_context(trial, document, &trial->a);
    compare(trial, document, expected, "after another context");
    disturb(trial, document);
    read_context(trial, document, &trial->a_again);
    compare(trial, document, expected, "with the context in another order");
    compare_alone(trial, expected);
    compare_rewritten(trial, document, expected);
    for (unsigned i = 0; i < GENERATED_FLAGS; i++)
        buffer_dispose(&expected[i]);
    buffer_dispose(&other);
    document_release(document);
}

static void show(const struct trial *trial)
{
    if (getenv("FUZZ_SHOW"))
        printf("%.*s\n%.*s\n%.*s\n", FUZZ_TEXT(buffer_text(&trial->json)),
               FUZZ_TEXT(buffer_text(&trial->a)), FUZZ_TEXT(buffer_text(&trial->other)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trial trial = {.options = {0}};
    bool third = size > 0 && data[0] % 2;
    if (size > 0) {
        data++;
        size--;
    }
    size_t a = size < CHOICES_A ? size : CHOICES_A;
    size_t b = size - a < CHOICES_B ? size - a : CHOICES_B;
    FUZZ_CHECK(context_init(&trial.context) == STATUS_OK, "no memory");
    struct buffer *buffers[] = {&trial.json, &trial.a, &trial.a_again, &trial.other, &trial.b};
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_init(buffers[i], 0);
    generate_context(&trial.a, data, a);
    generate_context(&trial.other, data + a, b);
    /* Both with escapes: what was decoded of the one is where the other's is going to be. */
    generate_variation(buffer_text(&trial.a), &trial.a_again);
    generate_variation(buffer_text(&trial.other), &trial.b);
    generate_document(&trial.generated, data + a + b, size - a - b);
    generated_write(&trial.generated, GENERATED_FLAGS, &trial.json);
    show(&trial);
    run(&trial, third ? FRACTIONAL_V3 : FRACTIONAL_V2);
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_dispose(buffers[i]);
    generated_dispose(&trial.generated);
    context_dispose(&trial.context);
    return 0;
}
