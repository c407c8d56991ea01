#include "../../rules/codes.h"
#include "../../rules/yaml.h"
#include "repositories.h"

static struct bundle bundle;
static struct diagnostics faults;

/* Reads a commit of root/remote.git into `bundle` and `faults`. */
static void read_commit(const char *id)
{
    if (!mirror)
        ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    bundle_init(&bundle);
    diagnostics_init(&faults);
    ck_assert_ok(mirror_read(mirror, id, &bundle, &faults, &failure));
    diagnostics_sort(&faults);
}

static void forget(void)
{
    bundle_dispose(&bundle);
    diagnostics_dispose(&faults);
}

static void finish(void)
{
    forget();
    end();
}

static void check_fault(size_t index, const char *code, const char *path)
{
    ck_assert_uint_gt(faults.count, index);
    ck_assert_str_eq(faults.items[index].code, code);
    ck_assert_text(faults.items[index].place.path, path);
}

/* --- trees that git does not make, written by hand ------------------------------------------- */

struct tree_entry {
    const char *mode, *name;
    git_oid id;
};

static git_oid write_tree(git_odb *odb, const struct tree_entry *entries, size_t count)
{
    struct buffer bytes;
    git_oid id;
    buffer_init(&bytes, 0);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&bytes, "%s %s", entries[i].mode, entries[i].name);
        buffer_append(&bytes, "", 1);
        buffer_append(&bytes, entries[i].id.id, GIT_OID_RAWSZ);
    }
    ck_assert_int_eq(
        git_odb_write(&id, odb, bytes.data ? bytes.data : "", bytes.length, GIT_OBJECT_TREE), 0);
    buffer_dispose(&bytes);
    return id;
}

static git_oid write_blob(git_odb *odb, const char *text)
{
    git_oid id;
    ck_assert_int_eq(git_odb_write(&id, odb, text, strlen(text), GIT_OBJECT_BLOB), 0);
    return id;
}

static git_odb *open_odb(void)
{
    git_odb *odb;
    ck_assert_int_eq(git_odb_open(&odb, below(root, "remote.git/objects")), 0);
    return odb;
}

static const char *commit_tree(const git_oid *tree)
{
    return shell("git -C remote.git commit-tree -m x %s", git_oid_tostr_s(tree));
}

/* --- what is read ---------------------------------------------------------------------------- */

START_TEST(definitions_come_sorted_and_nothing_else_does)
{
    begin();
    read_commit(commit(
        "mkdir -p flags/b state .github docs segments && printf z >flags/z.yaml && "
        "printf a >flags/a.yml && : >flags/b/c.yaml && chmod +x flags/z.yaml && "
        "printf weir/v1 | tee flags/README.md flags/.hidden.yaml state/x.yaml .github/x.yaml "
        "docs/marked.yaml >/dev/null && printf s >segments/s.yaml && "
        "printf 'a: 1' >docs/plain.yaml"));
    static const char *const expected[][2] = {{"docs/marked.yaml", "weir/v1"},
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
    finish();
}
END_TEST

START_TEST(each_commit_has_its_own_definitions)
{
    begin();
    const char *first = commit("mkdir flags && printf 1 >flags/x.yaml");
    const char *second = commit("printf 2 >flags/x.yaml");
    const char *none = commit("git rm -q -r flags");
    read_commit(second);
    ck_assert_text(bundle.files[0].bytes, "2");
    forget();
    read_commit(first);
    ck_assert_text(bundle.files[0].bytes, "1");
    forget();
    read_commit(none);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 0);
    ck_assert_fails(
        mirror_read(mirror, "0123456789012345678901234567890123456789", &bundle, &faults, &failure),
        STATUS_NOT_FOUND, "0123");
    finish();
}
END_TEST

START_TEST(links_and_submodules_are_noted_and_not_followed)
{
    begin();
    read_commit(commit(
        "mkdir flags .hidden && echo weir/v1 >flags/real.yaml && ln -s real.yaml flags/x.yaml && "
        "ln -s flags segments && ln -s flags shared && ln -s flags .hidden/shared && "
        "ln -s flags/real.yaml notes.md"));
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert_text(bundle.files[0].path, "flags/real.yaml");
    ck_assert_uint_eq(faults.count, 3);
    check_fault(0, CODE_LINK, "flags/x.yaml");
    check_fault(1, CODE_LINK, "segments");
    check_fault(2, CODE_LINK_ELSEWHERE, "shared");
    forget();

    git_odb *odb = open_odb();
    git_oid elsewhere = {{1}};
    const struct tree_entry lib[] = {{"160000", "lib", elsewhere}};
    const struct tree_entry top[] = {{"160000", "targets", elsewhere},
                                     {"40000", "vendor", write_tree(odb, lib, 1)}};
    git_oid tree = write_tree(odb, top, 2);
    git_odb_free(odb);
    read_commit(commit_tree(&tree));
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 2);
    check_fault(0, CODE_LINK, "targets");
    check_fault(1, CODE_SUBMODULE, "vendor/lib");
    ck_assert_uint_eq(faults.warnings, 1);
    finish();
}
END_TEST

START_TEST(large_files_are_noted_and_the_rest_is_read)
{
    begin();
    char change[400];
    snprintf(change, sizeof change,
             "mkdir flags && truncate -s %zu flags/fits.yaml && truncate -s %zu flags/large.yaml "
             "lock.yaml && "
             "truncate -s 50M huge.yaml && printf x >flags/small.yaml",
             YAML_MAX_BYTES, YAML_MAX_BYTES + 1);
    read_commit(commit(change));
    ck_assert_uint_eq(bundle.count, 2);
    ck_assert_text(bundle.files[0].path, "flags/fits.yaml");
    ck_assert_uint_eq(bundle.files[0].bytes.length, YAML_MAX_BYTES);
    ck_assert_text(bundle.files[1].path, "flags/small.yaml");
    ck_assert_uint_eq(faults.count, 2);
    check_fault(0, CODE_FILE_SIZE, "flags/large.yaml");
    check_fault(1, CODE_FILE_SIZE, "huge.yaml");
    finish();
}
END_TEST

START_TEST(names_that_could_deceive_are_refused)
{
    begin();
    git_odb *odb = open_odb();
    git_oid ours = write_blob(odb, "weir/v1"), other = write_blob(odb, "a: 1");
    const struct tree_entry inner[] = {{"100644", "x.yaml", ours}};
    git_oid folder = write_tree(odb, inner, 1);
    const struct tree_entry flags[] = {
        {"100644", "a\nb.yaml", ours}, {"100644", "\x1b[2J.yaml", ours},
        {"100644", "\xff.yaml", ours}, {"100644", "plain.yaml", ours},
        {"100644", "\x01.txt", ours},  {"100644", "x/y.yaml", ours},
        {"100644", "x/y.txt", ours},   {"40000", "..", folder},
        {"40000", ".", folder}};
    const struct tree_entry top[] = {{"40000", "flags", write_tree(odb, flags, COUNT_OF(flags))},
                                     {"40000", "segments/a", folder},
                                     {"100644", "b\n.yaml", other},
                                     {"100644", "c\n.yaml", ours},
                                     {"40000", "d\x07", folder}};
    git_oid tree = write_tree(odb, top, COUNT_OF(top));
    git_odb_free(odb);
    read_commit(commit_tree(&tree));
    ck_assert_uint_eq(bundle.count, 1);
    ck_assert_text(bundle.files[0].path, "flags/plain.yaml");
    static const char *const refused[] = {
        "c\\x0a.yaml",        "d\\x07/x.yaml",       "flags/../x.yaml",
        "flags/./x.yaml",     "flags/\\x1b[2J.yaml", "flags/\\xff.yaml",
        "flags/a\\x0ab.yaml", "flags/x/y.yaml",      "segments/a"};
    ck_assert_uint_eq(faults.count, COUNT_OF(refused));
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        check_fault(i, CODE_PATH, refused[i]);
    finish();
}
END_TEST

START_TEST(folders_are_read_to_a_depth)
{
    begin();
    git_odb *odb = open_odb();
    git_oid file = write_blob(odb, "weir/v1");
    struct tree_entry entries[] = {{"100644", "a.yaml", file}, {"40000", "f", {{0}}}};
    git_oid tree = write_tree(odb, entries, 1);
    for (int i = 0; i <= BUNDLE_MAX_DEPTH; i++) {
        entries[1].id = tree;
        tree = write_tree(odb, entries, 2);
    }
    git_odb_free(odb);
    read_commit(commit_tree(&tree));
    ck_assert_uint_eq(bundle.count, BUNDLE_MAX_DEPTH + 1);
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_str_eq(faults.items[0].code, CODE_TREE_SIZE);
    finish();
}
END_TEST

/* Nine trees of ten entries each, which unfold to a billion files. */
START_TEST(a_tree_bomb_is_refused)
{
    begin();
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct tree_entry entries[COUNT_OF(names)];
    git_odb *odb = open_odb();
    git_oid tree = write_blob(odb, "x");
    for (int i = 0; i < 9; i++) {
        for (size_t k = 0; k < COUNT_OF(names); k++)
            entries[k] = (struct tree_entry){i ? "40000" : "100644", names[k], tree};
        tree = write_tree(odb, entries, COUNT_OF(names));
    }
    const struct tree_entry top[] = {{"40000", "a", tree},
                                     {"100644", "x.yaml", write_blob(odb, "weir/v1")}};
    git_oid whole = write_tree(odb, top, 2);
    git_odb_free(odb);
    read_commit(commit_tree(&whole));
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 1);
    check_fault(0, CODE_TREE_SIZE, ".");
    finish();
}
END_TEST

START_TEST(a_missing_object_is_the_clones_fault)
{
    begin();
    git_odb *odb = open_odb();
    git_oid nowhere = {{1}};
    const struct tree_entry flags[] = {{"100644", "x.yaml", nowhere}};
    const struct tree_entry top[] = {{"40000", "flags", write_tree(odb, flags, 1)}};
    const struct tree_entry blind[] = {{"40000", "flags", nowhere}};
    git_oid first = write_tree(odb, top, 1), second = write_tree(odb, blind, 1);
    git_odb_free(odb);
    bundle_init(&bundle);
    diagnostics_init(&faults);
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    ck_assert_fails(mirror_read(mirror, commit_tree(&first), &bundle, &faults, &failure),
                    STATUS_SYSTEM, "flags/x.yaml");
    ck_assert_fails(mirror_read(mirror, commit_tree(&second), &bundle, &faults, &failure),
                    STATUS_SYSTEM, "flags");
    finish();
}
END_TEST

UNIT_MAIN("mirror_read", definitions_come_sorted_and_nothing_else_does,
          each_commit_has_its_own_definitions, links_and_submodules_are_noted_and_not_followed,
          large_files_are_noted_and_the_rest_is_read, names_that_could_deceive_are_refused,
          folders_are_read_to_a_depth, a_tree_bomb_is_refused, a_missing_object_is_the_clones_fault)
