/* Following a branch, in process: how long a commit takes from fetched to a snapshot's documents.
 *
 *     follow REPOSITORY COMMIT…      the first one cold, then each of the others
 *
 * Prints one line a commit: seconds, files read, flags compiled, resident KB afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../controller/effective.h"
#include "../../rules/catalog.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long resident(void)
{
    long pages = 0, kept = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%ld %ld", &pages, &kept) != 2)
        kept = 0;
    if (file)
        fclose(file);
    return kept * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int count, char **arguments)
{
    struct error error = {0};
    struct mirror *mirror = NULL;
    struct schema_set *schemas = catalog_schemas(&error);
    if (count < 3 || !schemas || mirror_startup(&error) != STATUS_OK ||
        mirror_open_local(arguments[1], &mirror, &error) != STATUS_OK) {
        fprintf(stderr, "follow: %s\n", error.message);
        return 1;
    }
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .clock = &system_clock};
    struct effective effective;
    effective_init(&effective, &parts);
    for (int i = 2; i < count; i++) {
        double start = now();
        if (effective_go(&effective, arguments[i], &error) != STATUS_OK) {
            fprintf(stderr, "follow: %s: %s\n", arguments[i], error.message);
            return 1;
        }
        double taken = now() - start;
        size_t read = effective.result.read, compiled = effective.result.compiled;
        effective_trim(&effective);
        printf("%.6f %zu %zu %ld\n", taken, read, compiled, resident());
    }
    effective_dispose(&effective);
    schema_set_free(schemas);
    mirror_close(mirror);
    mirror_shutdown();
    return 0;
}
