/* Feeds files to a target, each in a process of its own, without libFuzzer: the regression test of
 * what fuzzing has found, by any compiler.
 *
 *     build/tests/fuzz/yaml tests/fuzz/corpus/yaml [FILE…]
 *
 * A file has failed when its process does not end well; a sanitizer sees to that, too. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS 60 /* more than enough for one input under a sanitizer */

/* The smallest stack that a thread of somebody's program is likely to have. A sanitizer's frames
 * are several times as large. */
#ifdef __SANITIZE_ADDRESS__
#define STACK ((rlim_t)4 << 20)
#else
#define STACK ((rlim_t)512 << 10)
#endif

static unsigned passed, failed;

static void refuse(const char *path, const char *problem)
{
    printf("%s: %s\n", path, problem);
    failed++;
}

/* What is nested without a bound runs into this one. */
static void limit_stack(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit))
        fuzz_fail(__FILE__, __LINE__, "stack: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max < STACK ? limit.rlim_max : STACK;
    if (setrlimit(RLIMIT_STACK, &limit))
        fuzz_fail(__FILE__, __LINE__, "stack: %s", strerror(errno));
}

/* In the child: ends it. */
_Noreturn static void feed(const char *path, FILE *stream, size_t size)
{
    uint8_t *bytes = fuzz_allocate(size); /* a block of just that size: ASan watches its end */
    if (fread(bytes, 1, size, stream) != size)
        fuzz_fail(__FILE__, __LINE__, "%s cannot be read", path);
    limit_stack();
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    fclose(stream);
    exit(0); /* not _exit(): leaks are looked for on the way */
}

static void judge(const char *path, int status)
{
    char problem[64];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        passed++;
        return;
    }
    if (WIFSIGNALED(status))
        snprintf(problem, sizeof problem, "ended by signal %d", WTERMSIG(status));
    else
        snprintf(problem, sizeof problem, "ended with status %d", WEXITSTATUS(status));
    refuse(path, problem);
}

static void try_file(const char *path)
{
    struct stat file;
    int status;
    FILE *stream = fopen(path, "rbe");
    if (!stream || fstat(fileno(stream), &file)) {
        refuse(path, strerror(errno));
        if (stream)
            fclose(stream);
        return;
    }
    fflush(NULL); /* what is in the buffers would be written by both */
    pid_t child = fork();
    if (child == 0)
        feed(path, stream, (size_t)file.st_size);
    fclose(stream);
    if (child < 0 || waitpid(child, &status, 0) != child)
        refuse(path, strerror(errno));
    else
        judge(path, status);
}

static void try_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            if (length > 0 && (size_t)length < sizeof path)
                try_file(path);
            else
                refuse(folder, "the name of a file in it is too long");
        }
        free(entries[i]);
    }
    if (count < 0)
        refuse(folder, strerror(errno));
    else
        free(entries);
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        struct stat found;
        if (stat(arguments[i], &found) == 0 && S_ISDIR(found.st_mode))
            try_folder(arguments[i]);
        else
            try_file(arguments[i]);
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed || passed == 0 ? 1 : 0;
}
