#include "../../controller/folder.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../rules/codes.h"
#include "../../rules/yaml.h"
#include "folders.h"

static char root[64];
static struct bundle bundle;
static struct diagnostics faults;
static struct error failure;

static void begin(void)
{
    make_folder(root);
    bundle_init(&bundle);
    diagnostics_init(&faults);
}

static void end(void)
{
    bundle_dispose(&bundle);
    diagnostics_dispose(&faults);
    remove_folder(root);
}

/* Reads `path` into `bundle` and `faults`. */
static void read_path(const char *path)
{
    ck_assert_int_eq(folder_read(path, &bundle, &faults, &failure), STATUS_OK);
    diagnostics_sort(&faults);
}

static void folder(const char *name)
{
    ck_assert_int_eq(mkdir(below(root, name), 0777), 0);
}

static void file(const char *name, const char *text)
{
    spill(below(root, name), text);
}

static void check_fault(size_t index, const char *code, const char *path)
{
    ck_assert_uint_gt(faults.count, index);
    ck_assert_str_eq(faults.items[index].code, code);
    ck_assert_text(faults.items[index].place.path, path);
}

START_TEST(definitions_come_sorted_and_nothing_else_does)
{
    begin();
    static const char *const folders[] = {"flags",   "flags/b", "state",   ".git",
                                          ".github", "docs",    "segments"};
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        folder(folders[i]);
    file("flags/z.yaml", "z");
    file("flags/a.yml", "a");
    file("flags/b/c.yaml", "");
    file("flags/README.md", "weir/v1");
    file("flags/.hidden.yaml", "weir/v1");
    file("segments/s.yaml", "s");
    file("state/x.yaml", "weir/v1");
    file(".git/x.yaml", "weir/v1");
    file(".github/x.yaml", "weir/v1");
    file("docs/plain.yaml", "a: 1");
    file("docs/marked.yaml", "apiVersion: weir/v1");
    read_path(root);
    static const char *const expected[][2] = {{"docs/marked.yaml", "apiVersion: weir/v1"},
                                              {"flags/a.yml", "a"},
                                              {"flags/b/c.yaml", ""},
                                              {"flags/z.yaml", "z"},
                                              {"segments/s.yaml", "s"}};
    ck_assert_uint_eq(bundle.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        ck_assert_text(bundle.files[i].path, expected[i][0]);
        ck_assert_text(bundle.files[i].bytes, expected[i][1]);
    }
    ck_assert_uint_eq(faults.count, 0);
    end();
}
END_TEST

START_TEST(links_are_noted_and_not_followed)
{
    begin();
    char outside[64];
    make_folder(outside);
    spill(below(outside, "secret.yaml"), "weir/v1");
    folder("flags");
    ck_assert_int_eq(symlink(below(outside, "secret.yaml"), below(root, "flags/x.yaml")), 0);
    ck_assert_int_eq(symlink(outside, below(root, "segments")), 0);
    ck_assert_int_eq(symlink(outside, below(root, "shared")), 0);
    ck_assert_int_eq(symlink("nowhere", below(root, "flags/gone.yaml")), 0);
    ck_assert_int_eq(symlink(outside, below(root, ".shared")), 0);
    ck_assert_int_eq(symlink("flags", below(root, "notes.md")), 0);
    read_path(root);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 4);
    check_fault(0, CODE_LINK, "flags/gone.yaml");
    check_fault(1, CODE_LINK, "flags/x.yaml");
    check_fault(2, CODE_LINK, "segments");
    check_fault(3, CODE_LINK_ELSEWHERE, "shared");
    ck_assert_uint_eq(faults.errors, 3);
    ck_assert_uint_eq(faults.warnings, 1);
    remove_folder(outside);
    end();
}
END_TEST

START_TEST(sockets_pipes_and_refused_names_are_noted)
{
    begin();
    folder("flags");
    file("flags/a\nb.yaml", "x");
    file("flags/\xff.yaml", "x");
    file("c\x1b.yaml", "not ours");
    ck_assert_int_eq(mkfifo(below(root, "flags/pipe.yaml"), 0600), 0);
    ck_assert_int_eq(mkfifo(below(root, "pipe"), 0600), 0);
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert_int_lt(
        snprintf(address.sun_path, sizeof address.sun_path, "%s/flags/socket.yaml", root),
        (int)sizeof address.sun_path);
    ck_assert_int_eq(bind(made, (struct sockaddr *)&address, sizeof address), 0);
    close(made);
    read_path(root);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 4);
    check_fault(0, CODE_PATH, "flags/\\xff.yaml");
    check_fault(1, CODE_PATH, "flags/a\\x0ab.yaml");
    check_fault(2, CODE_UNREADABLE, "flags/pipe.yaml");
    check_fault(3, CODE_UNREADABLE, "flags/socket.yaml");
    end();
}
END_TEST

/* A file of `size` zero bytes without the disk space. */
static void sparse(const char *name, off_t size)
{
    int made = open(below(root, name), O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(made, 0);
    ck_assert_int_eq(ftruncate(made, size), 0);
    close(made);
}

START_TEST(large_files_are_noted_and_the_rest_is_read)
{
    begin();
    folder("flags");
    sparse("flags/large.yaml", (off_t)YAML_MAX_BYTES + 1);
    sparse("flags/fits.yaml", (off_t)YAML_MAX_BYTES);
    sparse("lock.yaml", (off_t)YAML_MAX_BYTES + 1);
    sparse("huge.yaml", (off_t)50 << 20);
    file("flags/small.yaml", "x");
    read_path(root);
    ck_assert_uint_eq(bundle.count, 2);
    ck_assert_text(bundle.files[0].path, "flags/fits.yaml");
    ck_assert_uint_eq(bundle.files[0].bytes.length, YAML_MAX_BYTES);
    ck_assert_text(bundle.files[1].path, "flags/small.yaml");
    ck_assert_uint_eq(faults.count, 2);
    check_fault(0, CODE_FILE_SIZE, "flags/large.yaml");
    check_fault(1, CODE_FILE_SIZE, "huge.yaml");
    end();
}
END_TEST

START_TEST(a_repository_in_the_tree_is_a_submodule)
{
    begin();
    folder("flags");
    folder("vendor");
    folder("vendor/lib");
    folder("vendor/lib/flags");
    file("vendor/lib/.git", "gitdir: elsewhere");
    file("vendor/lib/flags/x.yaml", "x");
    folder("targets");
    folder("targets/.git");
    file("targets/x.yaml", "x");
    read_path(root);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 2);
    check_fault(0, CODE_LINK, "targets");
    check_fault(1, CODE_SUBMODULE, "vendor/lib");
    end();
}
END_TEST

START_TEST(folders_are_read_to_a_depth)
{
    begin();
    char path[1024] = "";
    size_t length = 0;
    for (int depth = 1; depth <= BUNDLE_MAX_DEPTH + 1; depth++) {
        length +=
            (size_t)snprintf(path + length, sizeof path - length, "%sf", depth > 1 ? "/" : "");
        folder(path);
        if (depth >= BUNDLE_MAX_DEPTH) {
            char name[1100];
            snprintf(name, sizeof name, "%s/%d.yaml", path, depth);
            file(name, "weir/v1");
        }
    }
    read_path(root);
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert(text_ends_with(bundle.files[0].path, TEXT("/64.yaml")));
    ck_assert_uint_eq(faults.count, 1);
    check_fault(0, CODE_TREE_SIZE, path);
    end();
}
END_TEST

START_TEST(one_file_counts_whatever_its_name)
{
    begin();
    folder("state");
    file("state/.odd-name", "x: 1");
    const char *path = below(root, "state/.odd-name");
    read_path(path);
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert_text(bundle.files[0].path, path);
    ck_assert_text(bundle.files[0].bytes, "x: 1");
    bundle_dispose(&bundle);

    sparse("large", (off_t)YAML_MAX_BYTES + 1);
    path = below(root, "large");
    read_path(path);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 1);
    check_fault(0, CODE_FILE_SIZE, path);
    end();
}
END_TEST

START_TEST(the_path_itself_may_be_a_link)
{
    begin();
    char link[80];
    folder("flags");
    file("flags/x.yaml", "x");
    snprintf(link, sizeof link, "%s.link", root);
    ck_assert_int_eq(symlink(root, link), 0);
    read_path(link);
    unlink(link);
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert_text(bundle.files[0].path, "flags/x.yaml");
    end();
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    begin();
    ck_assert_int_eq(folder_read(below(root, "nothing"), &bundle, &faults, &failure),
                     STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(failure.message, "nothing"));
    ck_assert_ptr_nonnull(strstr(failure.message, strerror(ENOENT)));
    ck_assert_uint_eq(bundle.count, 0);
    end();
}
END_TEST

START_TEST(what_may_not_be_read_is_noted)
{
    begin();
    folder("flags");
    folder("flags/closed");
    file("flags/closed.yaml", "x");
    file("flags/open.yaml", "x");
    ck_assert_int_eq(chmod(below(root, "flags/closed"), 0), 0);
    ck_assert_int_eq(chmod(below(root, "flags/closed.yaml"), 0), 0);
    ck_assert_int_eq(chmod(root, 0755), 0);
    /* The superuser may read everything: become nobody, in this process of the test alone. */
    bool superuser = geteuid() == 0;
    if (superuser)
        ck_assert_int_eq(seteuid(65534), 0);
    read_path(root);
    if (superuser)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert_text(bundle.files[0].path, "flags/open.yaml");
    ck_assert_uint_eq(faults.count, 2);
    check_fault(0, CODE_UNREADABLE, "flags/closed");
    check_fault(1, CODE_UNREADABLE, "flags/closed.yaml");
    ck_assert_int_eq(chmod(below(root, "flags/closed"), 0700), 0);
    end();
}
END_TEST

UNIT_MAIN("folder", definitions_come_sorted_and_nothing_else_does, links_are_noted_and_not_followed,
          sockets_pipes_and_refused_names_are_noted, large_files_are_noted_and_the_rest_is_read,
          a_repository_in_the_tree_is_a_submodule, folders_are_read_to_a_depth,
          one_file_counts_whatever_its_name, the_path_itself_may_be_a_link,
          what_is_not_there_is_said, what_may_not_be_read_is_noted)
