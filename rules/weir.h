/* weir.h - evaluate feature flags from a flagd document, in your own process.
 *
 *     weir_error error;
 *     weir_document *document = weir_document_read(json, length, NULL, &error);
 *     weir_context *context = weir_context_new();
 *     weir_context_read(context, document, "{\"targetingKey\":\"u1\"}", 21, &error);
 *     weir_decision decision;
 *     weir_evaluate(document, "checkout-v2", context, time(NULL), &decision);
 *     printf("%.*s\n", (int)decision.value_length, decision.value);
 *
 * Threads: a document never changes after it was read; any number of threads may evaluate it at
 * once. A context belongs to one thread at a time. Evaluating allocates nothing. Nothing here does
 * I/O, reads a clock, or keeps global state. Stack: 192 KiB do for the deepest document, and to
 * explain; 768 KiB where it is read strictly; 128 KiB to evaluate, 32 KiB to read a context (more
 * than was measured with GCC 12 and -O2 on x86-64). Ownership: what weir_*_read and weir_*_new
 * return is yours to release; everything else is borrowed. Link with `pkg-config --libs weir`.
 * Semantics: flagd 0.16; https://flagd.dev. */
#ifndef WEIR_H
#define WEIR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

typedef struct weir_document weir_document; /* all flags of one environment, compiled */
typedef struct weir_context weir_context;   /* whom to evaluate for */

enum weir_status {
    WEIR_OK = 0,
    WEIR_NO_MEMORY = 1,
    WEIR_INVALID = 2, /* what was given is wrong; the error says where */
    WEIR_LIMIT = 3    /* what was given is too large or nested too deep */
};

typedef struct weir_error {
    enum weir_status status;
    uint32_t line, column; /* 1-based; 0 when there is no place */
    char message[256];
} weir_error;

enum weir_reason {
    WEIR_STATIC,          /* the flag has no rules */
    WEIR_DEFAULT,         /* no rule matched */
    WEIR_TARGETING_MATCH, /* a rule matched */
    WEIR_DISABLED,        /* the flag is switched off: use your own default */
    WEIR_ERROR
};

enum weir_error_code { WEIR_NO_ERROR, WEIR_FLAG_NOT_FOUND, WEIR_PARSE_ERROR, WEIR_GENERAL };

/* Strings here are not NUL-terminated and belong to the document: valid until it is released. */
typedef struct weir_decision {
    enum weir_reason reason;
    enum weir_error_code error_code;
    const char *error_details; /* NUL-terminated; NULL without an error */
    const char *value;         /* JSON text; NULL: use your own default */
    size_t value_length;
    const char *variant; /* its name; NULL where value is */
    size_t variant_length;
    const char *metadata; /* JSON object of set and flag merged; NULL: there is none */
    size_t metadata_length;
    const char *resolved; /* what the rules gave where no variant is called that (WEIR_GENERAL),
                             else NULL; valid until the context is used again */
    size_t resolved_length;
} weir_decision;

/* "0.1.0" */
WEIR_API const char *weir_version(void);
/* "TARGETING_MATCH"; "FLAG_NOT_FOUND", and "" for WEIR_NO_ERROR. Static. */
WEIR_API const char *weir_reason_name(enum weir_reason reason);
WEIR_API const char *weir_error_code_name(enum weir_error_code code);

/* Which hash `fractional` draws from. No document says which one its other readers use. */
enum weir_fractional {
    WEIR_FRACTIONAL_V2, /* flagd 0.15, npm flagd-core 3 and 4, Python's core 1 */
    WEIR_FRACTIONAL_V3  /* over CBOR: Python's core 2 */
};

typedef struct weir_options {
    enum weir_fractional fractional;
    int strict; /* refuse what flagd itself only warns of */
} weir_options;

/* Reads a flagd document (as `weir build` writes it). `options` NULL: lenient as flagd, second
 * generation. NULL with `error` filled (which may be NULL) when it is none. The bytes are not
 * needed afterwards. */
WEIR_API weir_document *weir_document_read(const char *json, size_t length,
                                           const weir_options *options, weir_error *error);
WEIR_API weir_document *weir_document_retain(weir_document *document);
WEIR_API void weir_document_release(weir_document *document); /* NULL is fine */
WEIR_API size_t weir_document_count(const weir_document *document);
/* The key of flag `index` (sorted by bytes), NUL-terminated, with its length (which may be NULL);
 * NULL past the end. */
WEIR_API const char *weir_document_key(const weir_document *document, size_t index, size_t *length);

/* NULL without memory. */
WEIR_API weir_context *weir_context_new(void);
WEIR_API void weir_context_free(weir_context *context); /* NULL is fine */
/* Takes the attributes that `document` asks for out of a JSON object. `json` must stay as it is
 * until the context is read again or freed. A context that was read for one document cannot be used
 * with another: to that one, and after a failure, every attribute is missing. */
WEIR_API enum weir_status weir_context_read(weir_context *context, weir_document *document,
                                            const char *json, size_t length, weir_error *error);

/* `now` is seconds since 1970, for rules that depend on the time. Always fills *decision. */
WEIR_API void weir_evaluate(const weir_document *document, const char *key, weir_context *context,
                            int64_t now, weir_decision *decision);

/* The same, told as text: which rule matched and why, each condition with the value it saw.
 * NUL-terminated; free() it. NULL without memory. */
WEIR_API char *weir_explain(const weir_document *document, const char *key, weir_context *context,
                            int64_t now);

#ifdef __cplusplus
}
#endif
#endif
