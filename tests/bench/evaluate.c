/* evaluate.c - how long one evaluation takes in process, through the public face (weir.h).
 *
 *     evaluate time DOCUMENT CONTEXTS FLAG...       nanoseconds, medians of ROUNDS rounds
 *     evaluate count DOCUMENT CONTEXTS FLAG CALLS   evaluates that often and times nothing: for
 *                                                   callgrind, which counts what is in the calls
 *
 * DOCUMENT is what weir build wrote, CONTEXTS a file of KEYS JSON objects, one a line, evaluated in
 * turn. What each evaluation answers is printed too, so that whoever runs this can check that it is
 * what the figures are to be about, and the same that others answer. */
#include "../../rules/context.h"
#include "../../rules/weir.h"
#include "bench.h"
#include "input.h"

#define KEYS 64
#define ROUNDS 5
#define EVALUATIONS 200000 /* a round */
#define READINGS 50000     /* a round; each also evaluates */
#define WARM 20000         /* evaluations, before anything is timed */
#define NOW 1767225600     /* 2026-01-01 */

struct bench {
    struct input document_json, contexts_json;
    weir_document *document;
    weir_context *contexts[KEYS], *fresh;
    struct text json[KEYS];
};

static void read_context(const struct bench *bench, weir_context *context, unsigned key)
{
    weir_error error;
    struct text json = bench->json[key];
    if (weir_context_read(context, bench->document, json.data, json.length, &error) != WEIR_OK)
        bench_fail("context %u cannot be read: %s", key, error.message);
}

static void split_lines(struct bench *bench)
{
    const char *at = bench->contexts_json.data, *end = at + bench->contexts_json.length;
    for (unsigned i = 0; i < KEYS; i++) {
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line_end)
            bench_fail("there are fewer than %d contexts", KEYS);
        bench->json[i] = (struct text){at, (size_t)(line_end - at)};
        at = line_end + 1;
    }
}

static void prepare(struct bench *bench, const char *document, const char *contexts)
{
    weir_error error;
    input_read(&bench->document_json, document);
    input_read(&bench->contexts_json, contexts);
    bench->document =
        weir_document_read(bench->document_json.data, bench->document_json.length, NULL, &error);
    if (!bench->document)
        bench_fail("\"%s\" is no document: %s", document, error.message);
    split_lines(bench);
    bench->fresh = weir_context_new();
    if (!bench->fresh)
        bench_fail("no memory");
    for (unsigned i = 0; i < KEYS; i++) {
        bench->contexts[i] = weir_context_new();
        if (!bench->contexts[i])
            bench_fail("no memory");
        read_context(bench, bench->contexts[i], i);
    }
}

static void dispose(struct bench *bench)
{
    for (unsigned i = 0; i < KEYS; i++)
        weir_context_free(bench->contexts[i]);
    weir_context_free(bench->fresh);
    weir_document_release(bench->document);
    input_dispose(&bench->document_json);
    input_dispose(&bench->contexts_json);
}

/* The reason of all (or "MIXED") and a letter a user: what the value begins with. */
static void print_answers(const struct bench *bench, const char *flag)
{
    char values[KEYS + 1];
    const char *reason = NULL;
    for (unsigned i = 0; i < KEYS; i++) {
        weir_decision decision;
        weir_evaluate(bench->document, flag, bench->contexts[i], NOW, &decision);
        const char *name = weir_reason_name(decision.reason);
        reason = !reason || strcmp(reason, name) == 0 ? name : "MIXED";
        values[i] = '-';
        if (decision.value && decision.value_length)
            values[i] = decision.value[0];
    }
    values[KEYS] = '\0';
    printf("{\"name\":\"answers.%s\",\"reason\":\"%s\",\"values\":\"%s\"}\n", flag, reason, values);
}

/* --- measuring ------------------------------------------------------------------------------- */

typedef void evaluation(const weir_document *document, const char *key, weir_context *context,
                        int64_t now, weir_decision *decision);

static void evaluate_nothing(const weir_document *document, const char *key, weir_context *context,
                             int64_t now, weir_decision *decision)
{
    (void)document;
    (void)key;
    (void)context;
    (void)now;
    (void)decision;
}

/* Through a pointer that the compiler cannot see through, so that no call is left out. */
static evaluation *volatile whole = weir_evaluate, *volatile nothing = evaluate_nothing;

/* A context remembers the truth of conditions that rules share until it is read again: without
 * this, all but the first evaluation would look it up. */
static void forget(weir_context *context)
{
    ((struct context *)(void *)context)->reading++;
}

/* Nanoseconds for one of `count` evaluations. */
static double time_evaluations(const struct bench *bench, evaluation *call, const char *flag,
                               unsigned count)
{
    weir_decision decision = {0};
    double start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        forget(bench->contexts[i % KEYS]);
        call(bench->document, flag, bench->contexts[i % KEYS], NOW, &decision);
    }
    return (bench_now() - start) / count;
}

static double time_readings(const struct bench *bench, const char *flag, unsigned count)
{
    weir_decision decision = {0};
    evaluation *call = whole;
    double start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        read_context(bench, bench->fresh, i % KEYS);
        call(bench->document, flag, bench->fresh, NOW, &decision);
    }
    return (bench_now() - start) / count;
}

static void time_flag(const struct bench *bench, const char *flag)
{
    double evaluations[ROUNDS], readings[ROUNDS];
    char name[64];
    time_evaluations(bench, whole, flag, WARM);
    time_readings(bench, flag, WARM);
    for (unsigned i = 0; i < ROUNDS; i++) {
        evaluations[i] = time_evaluations(bench, whole, flag, EVALUATIONS);
        readings[i] = time_readings(bench, flag, READINGS);
    }
    snprintf(name, sizeof name, "%s", flag);
    bench_report(name, bench_median(evaluations, ROUNDS));
    snprintf(name, sizeof name, "%s.reading", flag);
    bench_report(name, bench_median(readings, ROUNDS));
    print_answers(bench, flag);
}

static void time_floor(const struct bench *bench)
{
    double rounds[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++)
        rounds[i] = time_evaluations(bench, nothing, "", EVALUATIONS);
    bench_report("floor", bench_median(rounds, ROUNDS));
}

/* Every call of weir_evaluate() and, as many, of weir_context_read() beyond the KEYS first ones. */
static void count_calls(const struct bench *bench, const char *flag, unsigned calls)
{
    /* Arguments lie where the length of all of them and of the environment puts them, and what
     * looks at a string takes another way close to the end of a page. */
    static _Alignas(64) char name[64];
    snprintf(name, sizeof name, "%s", flag);
    time_readings(bench, name, calls);
    bench_report("evaluations", calls);
    bench_report("readings", calls + KEYS);
}

int main(int count, char **arguments)
{
    static struct bench bench;
    bool timing = count > 4 && strcmp(arguments[1], "time") == 0;
    bool counting = count == 6 && strcmp(arguments[1], "count") == 0;
    unsigned long calls = counting ? strtoul(arguments[5], NULL, 10) : 0;
    if (!timing && (calls == 0 || calls > 1000000)) {
        fprintf(stderr, "usage: evaluate time DOCUMENT CONTEXTS FLAG...\n"
                        "       evaluate count DOCUMENT CONTEXTS FLAG CALLS\n");
        return 2;
    }
    prepare(&bench, arguments[2], arguments[3]);
    if (counting) {
        count_calls(&bench, arguments[4], (unsigned)calls);
    } else {
        time_floor(&bench);
        for (int i = 4; i < count; i++)
            time_flag(&bench, arguments[i]);
    }
    dispose(&bench);
    return 0;
}
