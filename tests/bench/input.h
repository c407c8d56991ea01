/* input.h - a whole file in memory, for the bench programs. They end where one cannot be read. */
#ifndef WEIR_BENCH_INPUT_H
#define WEIR_BENCH_INPUT_H

#include <stddef.h>

struct input {
    char *data; /* owned */
    size_t length;
};

void input_read(struct input *input, const char *path);
void input_dispose(struct input *input);

#endif
