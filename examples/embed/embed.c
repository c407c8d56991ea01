/* A program of your own that decides by a document which `weir build` wrote:
 *     cc embed.c -o embed $(pkg-config --cflags --libs weir)
 *     weir build --env production examples/acme-shop -o flags.json
 *     ./embed flags.json checkout-v2 '{"targetingKey":"ann","email":"ann@acme.example"}' */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir.h>

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(16 << 20);
    *length = file && bytes ? fread(bytes, 1, 16 << 20, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    weir_error error = {0};
    weir_decision decision;
    size_t length;
    if (argc != 4) {
        fprintf(stderr, "usage: embed DOCUMENT FLAG CONTEXT\n");
        return 2;
    }
    char *json = read_file(argv[1], &length);
    weir_document *document = weir_document_read(json, length, NULL, &error);
    weir_context *context = weir_context_new();
    free(json);
    if (!document || !context ||
        weir_context_read(context, document, argv[3], strlen(argv[3]), &error) != WEIR_OK) {
        fprintf(stderr, "embed: line %u, column %u: %s\n", error.line, error.column, error.message);
        return 2;
    }
    weir_evaluate(document, argv[2], context, time(NULL), &decision);
    if (decision.value)
        printf("%s = %.*s\n\n", argv[2], (int)decision.value_length, decision.value);
    char *story = weir_explain(document, argv[2], context, time(NULL));
    printf("%s", story ? story : "");
    free(story);
    weir_context_free(context);
    weir_document_release(document);
    return decision.reason == WEIR_ERROR;
}
