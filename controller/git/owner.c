#include "owner.h"

#include <git2.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_off;

/* The same folder, however it is written; a repository may be meant by its work tree too. */
static bool is_same(const char *allowed, const char *real)
{
    char *other = realpath(allowed, NULL);
    size_t length = other ? strlen(other) : 0;
    bool same = other && strncmp(other, real, length) == 0 &&
                (real[length] == '\0' || strcmp(real + length, "/.git") == 0);
    free(other);
    return same;
}

bool owner_is_allowed(const struct git_access *access, const char *path)
{
    bool allowed = false;
    if (!access || access->safe_directory_count == 0)
        return false;
    char *real = realpath(path, NULL);
    for (size_t i = 0; real && i < access->safe_directory_count && !allowed; i++)
        allowed = strcmp(access->safe_directories[i], "*") == 0 ||
                  is_same(access->safe_directories[i], real);
    free(real);
    return allowed;
}

void owner_begin(const struct git_access *access, const char *path)
{
    bool allowed = owner_is_allowed(access, path);
    pthread_mutex_lock(&lock);
    is_off = allowed && git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) == 0;
}

void owner_end(void)
{
    if (is_off)
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
    is_off = false;
    pthread_mutex_unlock(&lock);
}

bool owner_was_refused(int code)
{
    const git_error *last = git_error_last();
    if (code == 0 || code == GIT_EOWNER)
        return code != 0;
    return last && last->message &&
           (strstr(last->message, "is not owned by current user") ||
            strstr(last->message, "'safe.directory' was not found"));
}
