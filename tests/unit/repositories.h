/* repositories.h - Git repositories for tests of the mirror: a bare remote, a work tree that pushes
 * to it, and the folder of the clone under test, all below one temporary folder. Made by the git
 * program. */
#ifndef WEIR_REPOSITORIES_H
#define WEIR_REPOSITORIES_H

#include <git2.h>
#include <stdarg.h>

#include "../../controller/git/mirror.h"
#include "folders.h"

static char root[64];
static struct error failure;
static struct mirror *mirror;

/* Runs a shell command in `root` and returns what it prints, in one of eight buffers taken in turn,
 * without the last newline. */
SHARED char *shell(const char *format, ...) PRINTF_LIKE(1, 2);
SHARED char *shell(const char *format, ...)
{
    static char outputs[8][512];
    static unsigned next;
    char command[2048], whole[2200];
    va_list arguments;
    va_start(arguments, format);
    ck_assert_int_lt(vsnprintf(command, sizeof command, format, arguments), (int)sizeof command);
    va_end(arguments);
    snprintf(whole, sizeof whole, "cd %s && { %s; }", root, command);
    FILE *pipe = popen(whole, "r");
    ck_assert_ptr_nonnull(pipe);
    char *output = outputs[next++ % 8];
    size_t length = fread(output, 1, sizeof outputs[0] - 1, pipe);
    ck_assert_msg(pclose(pipe) == 0, "failed: %s", command);
    while (length && output[length - 1] == '\n')
        length--;
    output[length] = '\0';
    return output;
}

/* root/remote.git, with HEAD on main; root/work, a clone of it; libgit2 with a home of its own. */
SHARED void begin(void)
{
    make_folder(root);
    mirror = NULL;
    setenv("HOME", root, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_AUTHOR_NAME", "A", 1);
    setenv("GIT_AUTHOR_EMAIL", "a@example.com", 1);
    setenv("GIT_COMMITTER_NAME", "A", 1);
    setenv("GIT_COMMITTER_EMAIL", "a@example.com", 1);
    unsetenv("SSH_AUTH_SOCK");
    ck_assert_int_eq(mirror_startup(&failure), STATUS_OK);
    shell("git init -q --bare -b main remote.git && git clone -q remote.git work 2>&1");
}

SHARED void end(void)
{
    mirror_close(mirror);
    mirror_shutdown();
    remove_folder(root);
}

/* Writes a file below root/work, for commit() to take in. */
SHARED void write_text(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* Commits what `change` (a shell command in root/work) leaves behind, pushes it and returns the
 * commit. */
SHARED char *commit(const char *change)
{
    return shell("cd work && { %s; } && git add -A && git commit -q --allow-empty -m change && git "
                 "push -q -f origin "
                 "HEAD 2>&1 && git rev-parse HEAD",
                 change);
}

#define ck_assert_ok(call)                                                                         \
    do {                                                                                           \
        failure.message[0] = '\0';                                                                 \
        enum status status_ = (call);                                                              \
        ck_assert_msg(status_ == STATUS_OK, "%s: %d: %s", #call, (int)status_, failure.message);   \
    } while (0)

/* The call fails with that status and a message that holds `words`. */
#define ck_assert_fails(call, expected, words)                                                     \
    do {                                                                                           \
        failure.message[0] = '\0';                                                                 \
        enum status status_ = (call);                                                              \
        ck_assert_msg(status_ == (expected), "%s: %d: %s", #call, (int)status_, failure.message);  \
        ck_assert_msg(strstr(failure.message, words), "'%s' is not in: %s", words,                 \
                      failure.message);                                                            \
        ck_assert_ptr_null(strchr(failure.message, '\n'));                                         \
    } while (0)

/* Opens root/clone as a mirror of root/remote.git. */
SHARED void open_mirror(void)
{
    ck_assert_ok(mirror_open(below(root, "clone"), below(root, "remote.git"), &mirror, &failure));
}

/* Fetches the default branch and returns the tip. */
SHARED const char *fetch(void)
{
    static char tips[4][COMMIT_TEXT_SIZE];
    static unsigned next;
    char *tip = tips[next++ % 4];
    ck_assert_ok(mirror_fetch(mirror, NULL, NULL, tip, &failure));
    return tip;
}

#endif
