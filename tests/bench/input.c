#include "input.h"

#include <errno.h>
#include <sys/stat.h>

#include "bench.h"

void input_read(struct input *input, const char *path)
{
    struct stat about;
    FILE *stream = fopen(path, "rbe");
    if (!stream || fstat(fileno(stream), &about) != 0 || about.st_size <= 0)
        bench_fail("cannot read \"%s\": %s", path, stream ? "it is empty" : strerror(errno));
    input->length = (size_t)about.st_size;
    input->data = malloc(input->length);
    if (!input->data || fread(input->data, 1, input->length, stream) != input->length)
        bench_fail("cannot read \"%s\" whole", path);
    fclose(stream);
}

void input_dispose(struct input *input)
{
    free(input->data);
    *input = (struct input){0};
}
