#include "../../rules/bundle.h"

#include "../../rules/codes.h"
#include "../../rules/yaml.h"
#include "unit.h"

#define ck_assert_interest(path, expected) ck_assert_int_eq(bundle_interest(TEXT(path)), expected)

START_TEST(yaml_below_a_conventional_folder_must_be_ours)
{
    ck_assert_interest("flags/checkout.yaml", BUNDLE_STRICT);
    ck_assert_interest("flags/checkout.yml", BUNDLE_STRICT);
    ck_assert_interest("teams/payments/flags/deep/down/checkout.yaml", BUNDLE_STRICT);
    static const char *const folders[] = {"flags",    "segments",     "phases",  "metrics",
                                          "programs", "environments", "targets", "tests"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        char path[64];
        int length = snprintf(path, sizeof path, "%s/x.yaml", folders[i]);
        ck_assert(bundle_is_conventional_folder(text_of(folders[i])));
        ck_assert_int_eq(bundle_interest((struct text){path, (size_t)length}), BUNDLE_STRICT);
    }
}
END_TEST

START_TEST(other_yaml_counts_when_it_is_marked)
{
    ck_assert_interest("checkout.yaml", BUNDLE_MARKED);
    ck_assert_interest("shop/checkout.yml", BUNDLE_MARKED);
    ck_assert_interest("flags.yaml", BUNDLE_MARKED);
    ck_assert_interest("myflags/x.yaml", BUNDLE_MARKED);
    ck_assert_interest("Flags/x.yaml", BUNDLE_MARKED);
    ck_assert(bundle_is_marked(TEXT("apiVersion: weir/v1\n")));
    ck_assert(bundle_is_marked(TEXT("weir/v")));
    ck_assert(!bundle_is_marked(TEXT("weir/")));
    ck_assert(!bundle_is_marked(TEXT("")));
    ck_assert(!bundle_is_marked((struct text){NULL, 0}));
}
END_TEST

START_TEST(the_rest_is_ignored)
{
    static const char *const paths[] = {
        "README.md",
        "flags/README",
        "flags/x.json",
        "flags/x.yaml.orig",
        "flags/xyaml",
        "flags/.x.yaml",
        "",
        ".github/workflows/ci.yaml",
        "teams/.hidden/flags/x.yaml",
        ".x.yaml",
        "state/epoch",
        "state/x.yaml",
        "state/production/flags/more/x.yaml",
        "state/production/others/x.yaml",
        "state/production/flags/x.yml",
        "state/production/x.yml",
        "state/.hidden/x.yaml",
        "flags/yaml",
        "flags/x.YAML",
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ck_assert_msg(bundle_interest(text_of(paths[i])) == BUNDLE_IGNORE, "%s", paths[i]);
    ck_assert_interest("teams/state/x.yaml", BUNDLE_MARKED);
    ck_assert_interest("flags/state/x.yaml", BUNDLE_STRICT);
    ck_assert_interest("state.yaml", BUNDLE_MARKED);
    ck_assert_interest("state/production/x.yaml", BUNDLE_STRICT);
    ck_assert_interest("state/production/flags/x.yaml", BUNDLE_STRICT);
    ck_assert(bundle_is_folder_read(TEXT("state")));
    ck_assert(bundle_is_folder_read(TEXT("state/production")));
    ck_assert(bundle_is_folder_read(TEXT("state/production/flags")));
    ck_assert(!bundle_is_folder_read(TEXT("state/production/flags/more")));
    ck_assert(!bundle_is_folder_read(TEXT("state/production/others")));
    ck_assert(!bundle_is_folder_read(TEXT("a/.git")));
    ck_assert(bundle_is_folder_read(TEXT("a/state")));
}
END_TEST

START_TEST(paths_that_could_deceive_are_refused)
{
    static const char *const refused[] = {
        "",
        "/x.yaml",
        "flags//x.yaml",
        "flags/",
        "../x.yaml",
        "flags/../x.yaml",
        "flags/..",
        "./x.yaml",
        "a/./b",
        "flags/a\nb.yaml",
        "flags/\x1b[31m.yaml",
        "flags/\x7f.yaml",
        "flags/\xc2\x85.yaml",
        "flags/\xff.yaml",
        "flags/\xc3.yaml",
        "flags/\tx.yaml",
    };
    static const char *const accepted[] = {"x.yaml",
                                           "flags/x y.yaml",
                                           "flags/..x.yaml",
                                           "flags/x..yaml",
                                           "flags/\xc3\xa9t\xc3\xa9.yaml",
                                           "flags/\xc2\xa0.yaml",
                                           "..."};
    char longest[BUNDLE_MAX_PATH + 1];
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        ck_assert_msg(!bundle_path_is_acceptable(text_of(refused[i])), "%zu: '%s'", i, refused[i]);
    for (size_t i = 0; i < COUNT_OF(accepted); i++)
        ck_assert_msg(bundle_path_is_acceptable(text_of(accepted[i])), "%s", accepted[i]);
    ck_assert(!bundle_path_is_acceptable((struct text){"a\0b", 3}));
    memset(longest, 'a', sizeof longest);
    ck_assert(bundle_path_is_acceptable((struct text){longest, BUNDLE_MAX_PATH}));
    ck_assert(!bundle_path_is_acceptable((struct text){longest, BUNDLE_MAX_PATH + 1}));
}
END_TEST

START_TEST(shown_paths_are_one_line_of_utf8)
{
    static const struct {
        const char *path, *shown;
    } cases[] = {
        {"flags/x.yaml", "flags/x.yaml"},
        {"a\nb", "a\\x0ab"},
        {"a\x1b[0m", "a\\x1b[0m"},
        {"\xc2\x9b", "\\xc2\\x9b"},
        {"\xc3\xa9\xff", "\xc3\xa9\\xff"},
        {"a\x80z", "a\\x80z"},
        {"C:\\x0a", "C:\\x5cx0a"},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"", ""},
    };
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&out);
        bundle_write_path(&out, text_of(cases[i].path));
        ck_assert_text(buffer_text(&out), cases[i].shown);
    }
    char many[2000];
    memset(many, 'a', sizeof many);
    buffer_clear(&out);
    bundle_write_path(&out, (struct text){many, sizeof many});
    ck_assert_uint_lt(out.length, 310);
    ck_assert(text_ends_with(buffer_text(&out), TEXT("a...")));
    buffer_dispose(&out);
}
END_TEST

START_TEST(sorted_files_are_found_by_path)
{
    struct bundle bundle;
    struct text found;
    bundle_init(&bundle);
    ck_assert(!bundle_source(&bundle, TEXT("a"), &found));
    for (int i = 999; i >= 0; i--) {
        char path[32], bytes[32];
        int path_length = snprintf(path, sizeof path, "flags/%d.yaml", i);
        int length = snprintf(bytes, sizeof bytes, "bytes %d", i);
        ck_assert_int_eq(bundle_add(&bundle, (struct text){path, (size_t)path_length},
                                    (struct text){bytes, (size_t)length}),
                         STATUS_OK);
    }
    bundle_sort(&bundle);
    ck_assert_uint_eq(bundle.count, 1000);
    for (size_t i = 1; i < bundle.count; i++)
        ck_assert_int_lt(text_compare(bundle.files[i - 1].path, bundle.files[i].path), 0);
    ck_assert(bundle_source(&bundle, TEXT("flags/617.yaml"), &found));
    ck_assert_text(found, "bytes 617");
    ck_assert(bundle_source(&bundle, TEXT("flags/0.yaml"), &found));
    ck_assert_text(found, "bytes 0");
    ck_assert(!bundle_source(&bundle, TEXT("flags/1000.yaml"), &found));
    ck_assert(!bundle_source(&bundle, TEXT("flags/61"), &found));
    bundle_dispose(&bundle);
    ck_assert_uint_eq(bundle.count, 0);
}
END_TEST

START_TEST(too_many_files_or_bytes_are_a_limit)
{
    struct bundle bundle;
    struct diagnostics faults;
    diagnostics_init(&faults);
    bundle_init(&bundle);
    for (size_t i = 0; i < BUNDLE_MAX_FILES; i++)
        ck_assert_int_eq(bundle_add(&bundle, TEXT("x"), TEXT("")), STATUS_OK);
    ck_assert_int_eq(bundle_add(&bundle, TEXT("x"), TEXT("")), STATUS_LIMIT);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("flags/x.yaml"), TEXT("a: 1"), &faults),
                     STATUS_LIMIT);
    bundle_overflow(&bundle, &faults);
    ck_assert_uint_eq(bundle.count, 0);
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_str_eq(faults.items[0].code, CODE_TREE_SIZE);

    bundle.bytes = BUNDLE_MAX_BYTES - 5;
    ck_assert_int_eq(bundle_add(&bundle, TEXT("ab"), TEXT("abcd")), STATUS_LIMIT);
    ck_assert_int_eq(bundle_add(&bundle, TEXT("ab"), TEXT("abc")), STATUS_OK);
    ck_assert_int_eq(bundle_add(&bundle, TEXT("a"), TEXT("")), STATUS_LIMIT);

    bundle_dispose(&bundle);
    bundle.looked = BUNDLE_MAX_BYTES - 1;
    ck_assert_int_eq(bundle_take(&bundle, TEXT("a.yaml"), TEXT("ab"), &faults), STATUS_LIMIT);
    bundle.entries = BUNDLE_MAX_ENTRIES - 1;
    ck_assert_int_eq(bundle_enter(&bundle), STATUS_OK);
    ck_assert_int_eq(bundle_enter(&bundle), STATUS_LIMIT);
    bundle_dispose(&bundle);
    diagnostics_dispose(&faults);
}
END_TEST

START_TEST(a_file_is_taken_by_its_path_mark_size_and_name)
{
    struct bundle bundle;
    struct diagnostics faults;
    size_t large = YAML_MAX_BYTES + 1;
    char *bytes = calloc(1, large);
    ck_assert_ptr_nonnull(bytes);
    bundle_init(&bundle);
    diagnostics_init(&faults);

    ck_assert(!bundle_wants(TEXT("README.md"), 1, &faults));
    ck_assert(bundle_wants(TEXT("flags/x.yaml"), YAML_MAX_BYTES, &faults));
    ck_assert(bundle_wants(TEXT("lock.yaml"), BUNDLE_MAX_LOOK, &faults));
    ck_assert_uint_eq(faults.count, 0);
    ck_assert(!bundle_wants(TEXT("flags/x.yaml"), YAML_MAX_BYTES + 1, &faults));
    ck_assert(!bundle_wants(TEXT("lock.yaml"), BUNDLE_MAX_LOOK + 1, &faults));
    ck_assert_uint_eq(faults.count, 2);

    ck_assert_int_eq(bundle_take(&bundle, TEXT("flags/x.yaml"), TEXT("a: 1"), &faults), STATUS_OK);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("other.yaml"), TEXT("a: 1"), &faults), STATUS_OK);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("marked.yaml"), TEXT("a: weir/v1"), &faults),
                     STATUS_OK);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("lock.yaml"), (struct text){bytes, large}, &faults),
                     STATUS_OK);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("a\n.yaml"), TEXT("a: 1"), &faults), STATUS_OK);
    ck_assert_uint_eq(faults.count, 2);
    ck_assert_uint_eq(bundle.count, 2);
    ck_assert_text(bundle.files[0].path, "flags/x.yaml");
    ck_assert_text(bundle.files[1].path, "marked.yaml");

    memcpy(bytes, "weir/v1", 7);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("big.yaml"), (struct text){bytes, large}, &faults),
                     STATUS_OK);
    ck_assert_int_eq(bundle_take(&bundle, TEXT("a\n.yaml"), TEXT("weir/v1"), &faults), STATUS_OK);
    ck_assert_uint_eq(bundle.count, 2);
    ck_assert_uint_eq(faults.count, 4);
    ck_assert_str_eq(faults.items[2].code, CODE_FILE_SIZE);
    ck_assert_text(faults.items[2].place.path, "big.yaml");
    ck_assert_str_eq(faults.items[3].code, CODE_PATH);
    ck_assert_text(faults.items[3].place.path, "a\\x0a.yaml");
    free(bytes);
    bundle_dispose(&bundle);
    diagnostics_dispose(&faults);
}
END_TEST

START_TEST(obstacles_are_noted_where_they_could_hide_definitions)
{
    static const struct {
        const char *path;
        enum bundle_obstacle obstacle;
        const char *code; /* NULL: silent */
    } cases[] = {
        {"flags/x.yaml", BUNDLE_LINK, CODE_LINK},
        {"x.yml", BUNDLE_LINK, CODE_LINK},
        {"flags", BUNDLE_LINK, CODE_LINK},
        {"teams/a/segments", BUNDLE_LINK, CODE_LINK},
        {"flags/shared", BUNDLE_LINK, CODE_LINK_ELSEWHERE},
        {"shared", BUNDLE_LINK, CODE_LINK_ELSEWHERE},
        {"shared/v1.2", BUNDLE_LINK, CODE_LINK_ELSEWHERE},
        {"docs/README.md", BUNDLE_LINK, NULL},
        {".github/shared", BUNDLE_LINK, NULL},
        {".tools/x.yaml", BUNDLE_LINK, NULL},
        {"state/x.yaml", BUNDLE_LINK, NULL},
        {"vendor/lib", BUNDLE_SUBMODULE, CODE_SUBMODULE},
        {"flags", BUNDLE_SUBMODULE, CODE_LINK},
        {".vendor/lib", BUNDLE_SUBMODULE, NULL},
        {"flags/x.yaml", BUNDLE_SPECIAL, CODE_UNREADABLE},
        {"run/weir.socket", BUNDLE_SPECIAL, NULL},
        {"a/b", BUNDLE_DEEP, CODE_TREE_SIZE},
        {"flags/x.yaml", BUNDLE_LARGE, CODE_FILE_SIZE},
        {"flags/x.yaml", BUNDLE_NAME, CODE_PATH},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diagnostics faults;
        diagnostics_init(&faults);
        bundle_note(&faults, text_of(cases[i].path), cases[i].obstacle);
        ck_assert_msg(faults.count == (cases[i].code ? 1 : 0), "%s", cases[i].path);
        if (cases[i].code) {
            ck_assert_str_eq(faults.items[0].code, cases[i].code);
            ck_assert_text(faults.items[0].place.path, cases[i].path);
        }
        diagnostics_dispose(&faults);
    }
}
END_TEST

UNIT_MAIN("bundle", yaml_below_a_conventional_folder_must_be_ours,
          other_yaml_counts_when_it_is_marked, the_rest_is_ignored,
          paths_that_could_deceive_are_refused, shown_paths_are_one_line_of_utf8,
          sorted_files_are_found_by_path, too_many_files_or_bytes_are_a_limit,
          a_file_is_taken_by_its_path_mark_size_and_name,
          obstacles_are_noted_where_they_could_hide_definitions)
