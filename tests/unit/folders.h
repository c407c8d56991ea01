/* folders.h - a temporary folder for a test, and files in it. */
#ifndef WEIR_FOLDERS_H
#define WEIR_FOLDERS_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "../../rules/buffer.h"

/* Unused ones are no fault in a header that several tests share. */
#define SHARED static __attribute__((unused))

/* A path below `root`, in one of four buffers taken in turn. */
SHARED const char *below(const char *root, const char *name)
{
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];
    ck_assert_int_lt(snprintf(path, sizeof paths[0], "%s/%s", root, name), (int)sizeof paths[0]);
    return path;
}

SHARED void make_folder(char root[64])
{
    snprintf(root, 64, "/tmp/weir-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

SHARED void remove_folder(const char *root)
{
    ck_assert_int_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Appends a file's bytes; false when there is none. */
SHARED bool slurp(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(out, piece, got);
    fclose(file);
    return true;
}

SHARED void spill(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

SHARED void check_file(const char *path, const char *expected)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    ck_assert_msg(slurp(path, &bytes), "'%s' is not there", path);
    ck_assert_str_eq(buffer_string(&bytes), expected);
    buffer_dispose(&bytes);
}

#endif
