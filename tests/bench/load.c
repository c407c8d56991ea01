/* load.c - how long a document takes to load, and how much memory at its peak and afterwards.
 *
 *     load weir DOCUMENT     the library's own reader, as an application would call it
 *     load scan DOCUMENT     the floor: the JSON is only checked, nothing is kept
 *
 * The file is read before the clock starts; its bytes are in the peak, and given back before what
 * stays is measured. A process measures once, so that no memory is warm. */
#include "../../rules/json_scan.h"
#include "../../rules/weir.h"
#include "bench.h"
#include "input.h"

#define DEPTH 64

/* Bytes, from the system's own account of this process: its line "VmHWM:" or "VmRSS:". */
static double memory(const char *which)
{
    char line[256];
    double kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, which, 6) == 0)
            kilobytes = strtod(line + 6, NULL);
    }
    if (!status || kilobytes <= 0)
        bench_fail("/proc/self/status does not tell the memory in use");
    fclose(status);
    return kilobytes * 1024;
}

static void load(struct input *json)
{
    weir_error error;
    double start = bench_now();
    weir_document *document = weir_document_read(json->data, json->length, NULL, &error);
    double took = bench_now() - start;
    if (!document)
        bench_fail("the document is refused: %s", error.message);
    bench_report("ms", took / 1e6);
    bench_report("peak", memory("VmHWM:"));
    input_dispose(json);
    bench_report("resident", memory("VmRSS:"));
    bench_report("flags", (double)weir_document_count(document));
    weir_document_release(document);
}

static void scan(struct input *json)
{
    struct json_cursor cursor = {.p = json->data, .end = json->data + json->length};
    double start = bench_now();
    bool fine = json_skip_value(&cursor, DEPTH);
    double took = bench_now() - start;
    if (!fine)
        bench_fail("the document is no JSON: %s", cursor.problem);
    bench_report("ms", took / 1e6);
    bench_report("peak", memory("VmHWM:"));
    input_dispose(json);
}

int main(int count, char **arguments)
{
    struct input json;
    bool loading = count == 3 && strcmp(arguments[1], "weir") == 0;
    if (!loading && (count != 3 || strcmp(arguments[1], "scan") != 0)) {
        fprintf(stderr, "usage: load weir|scan DOCUMENT\n");
        return 2;
    }
    input_read(&json, arguments[2]);
    if (loading)
        load(&json);
    else
        scan(&json);
    return 0;
}
