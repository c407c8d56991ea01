/* The list of faults: order, repeats, caps, and how it looks to a person and to a program. */
#include "../../rules/codes.h"
#include "../../rules/diagnostics.h"
#include "../../rules/json.h"
#include "unit.h"

static struct place at(const char *path, uint32_t line, uint32_t column)
{
    return (struct place){text_of(path), line, column};
}

static void expect_text(const struct diagnostics *list, bool colour, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    diagnostics_write_text(&out, list, colour);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
}

static void expect_json(const struct diagnostics *list, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    diagnostics_write_json(&out, list);
    ck_assert_text(buffer_text(&out), expected);
    buffer_dispose(&out);
}

static bool one_source(void *context, struct text path, struct text *out)
{
    *out = text_of(context);
    return text_is(path, "flags/a.yaml");
}

START_TEST(nothing_looks_like_nothing)
{
    struct diagnostics list;
    diagnostics_init(&list);
    diagnostics_sort(&list);
    expect_text(&list, false, "");
    expect_json(&list, "{\"diagnostics\":[],\"errors\":0,\"warnings\":0}");
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(a_fault_shows_line_and_caret)
{
    struct diagnostics list;
    char source[] = "one\r\n  when: {segm\xc3\xa9nt: \"staf\"}\r\nthree";
    diagnostics_init(&list);
    struct diagnostic *made =
        diagnostics_add(&list, CODE_UNKNOWN_SEGMENT, at("flags/a.yaml", 2, 19),
                        "did you mean \"staff\"?", "segment \"%s\" does not exist", "staf");
    diagnostic_also(&list, made, at("segments/s.yaml", 4, 5));
    diagnostics_add(&list, CODE_SUBMODULE, at("vendor", 0, 0), NULL, "submodule is not followed");
    diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", 3, 6), NULL, "at the end");
    diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", 9, 1), NULL, "past the end");
    diagnostics_sort(&list);
    diagnostics_excerpts(&list, one_source, source);
    expect_text(&list, false,
                "flags/a.yaml:2:19: error[W302]: segment \"staf\" does not exist\n"
                "      2 |   when: {segm\xc3\xa9nt: \"staf\"}\n"
                "        |                   ^\n"
                "  also: segments/s.yaml:4:5\n"
                "  hint: did you mean \"staff\"?\n"
                "flags/a.yaml:3:6: error[W306]: at the end\n"
                "      3 | three\n"
                "        |      ^\n"
                "flags/a.yaml:9:1: error[W306]: past the end\n"
                "vendor: warning[W113]: submodule is not followed\n"
                "\n3 errors, 1 warning\n");
    expect_json(
        &list,
        "{\"diagnostics\":["
        "{\"code\":\"W302\",\"column\":19,\"hint\":\"did you mean \\\"staff\\\"?\",\"line\":2,"
        "\"message\":\"segment \\\"staf\\\" does not exist\","
        "\"other\":{\"column\":5,\"line\":4,\"path\":\"segments/s.yaml\"},"
        "\"path\":\"flags/a.yaml\",\"severity\":\"error\"},"
        "{\"code\":\"W306\",\"column\":6,\"line\":3,\"message\":\"at the "
        "end\",\"path\":\"flags/a.yaml\","
        "\"severity\":\"error\"},"
        "{\"code\":\"W306\",\"column\":1,\"line\":9,\"message\":\"past the "
        "end\",\"path\":\"flags/a.yaml\","
        "\"severity\":\"error\"},"
        "{\"code\":\"W113\",\"column\":0,\"line\":0,\"message\":\"submodule is not followed\","
        "\"path\":\"vendor\",\"severity\":\"warning\"}"
        "],\"errors\":3,\"warnings\":1}");
    diagnostics_dispose(&list);
}
END_TEST

/* YAML counts three kinds of line ends; the excerpt has to be of the line that was counted. */
START_TEST(lines_end_as_yaml_has_it)
{
    struct diagnostics list;
    char source[] = "one\rtwo\r\nthree\n\rfive";
    diagnostics_init(&list);
    for (uint32_t line = 1; line <= 5; line++)
        diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", line, 0), NULL, "here");
    diagnostics_excerpts(&list, one_source, source);
    ck_assert_text(list.items[0].excerpt, "one");
    ck_assert_text(list.items[1].excerpt, "two");
    ck_assert_text(list.items[2].excerpt, "three");
    ck_assert_text(list.items[3].excerpt, "");
    ck_assert_text(list.items[4].excerpt, "five");
    diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", 2, 0), NULL, "not in order");
    diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", 9, 0), NULL, "past the end");
    diagnostics_add(&list, CODE_CYCLE, at("flags/b.yaml", 9, 0), NULL, "of no file");
    diagnostics_add(&list, CODE_CYCLE, at("flags/a.yaml", 1, 0), NULL, "the first again");
    diagnostics_excerpts(&list, one_source, source);
    ck_assert_text(list.items[5].excerpt, "two");
    ck_assert_text(list.items[6].excerpt, "");
    ck_assert_text(list.items[7].excerpt, "");
    ck_assert_text(list.items[8].excerpt, "one");
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(colour_only_when_asked)
{
    struct diagnostics list;
    struct buffer out;
    diagnostics_init(&list);
    diagnostics_add(&list, CODE_YAML, at("a", 1, 1), "mend it", "broken");
    buffer_init(&out, 0);
    diagnostics_write_text(&out, &list, false);
    ck_assert_ptr_null(memchr(out.data, '\033', out.length));
    buffer_clear(&out);
    diagnostics_write_text(&out, &list, true);
    const char *text = buffer_string(&out);
    ck_assert_ptr_nonnull(strstr(text, "\033[1;31merror[W104]:\033[0m broken"));
    ck_assert(text_ends_with(buffer_text(&out), TEXT("\033[0m\n")));
    buffer_dispose(&out);
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(the_order_is_stable_and_repeats_are_dropped)
{
    static const struct {
        const char *path, *code, *message;
        uint32_t line, column;
    } sorted[] = {
        {"a", CODE_YAML, "m", 1, 1},   {"a", CODE_YAML, "n", 1, 1},
        {"a", CODE_CYCLE, "a", 1, 1},  {"a", CODE_YAML, "a", 1, 2},
        {"a", CODE_YAML, "a", 2, 1},   {"a", CODE_YAML, "a", 10, 1},
        {"a/b", CODE_YAML, "a", 1, 1}, {"b", CODE_SUBMODULE, "a", 0, 0},
    };
    struct diagnostics list;
    diagnostics_init(&list);
    for (size_t round = 0; round < 2; round++) { /* the second round only repeats */
        for (size_t i = COUNT_OF(sorted); i-- > 0;)
            diagnostics_add(&list, sorted[i].code,
                            at(sorted[i].path, sorted[i].line, sorted[i].column), NULL, "%s",
                            sorted[i].message);
    }
    ck_assert(list.errors == 14 && list.warnings == 2);
    diagnostics_sort(&list);
    ck_assert(list.errors == 7 && list.warnings == 1);
    ck_assert_uint_eq(list.count, COUNT_OF(sorted));
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        const struct diagnostic *item = &list.items[i];
        ck_assert_msg(
            text_is(item->place.path, sorted[i].path) && item->place.line == sorted[i].line &&
                item->place.column == sorted[i].column && strcmp(item->code, sorted[i].code) == 0 &&
                text_is(item->message, sorted[i].message),
            "item %zu: %s:%u:%u %s %s", i, item->place.path.data, item->place.line,
            item->place.column, item->code, item->message.data);
    }
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(a_hundred_are_printed_and_ten_thousand_kept)
{
    struct diagnostics list;
    struct buffer out;
    size_t lines = 0;
    diagnostics_init(&list);
    for (uint32_t i = 1; i <= 12000; i++) {
        struct diagnostic *made =
            diagnostics_add(&list, CODE_YAML, at("a", i, 1), NULL, "fault %u", i);
        ck_assert((made != NULL) == (i <= DIAGNOSTICS_KEPT));
        diagnostic_also(&list, made, at("b", 1, 1));
    }
    diagnostics_sort(&list);
    ck_assert_uint_eq(list.count, DIAGNOSTICS_KEPT);
    ck_assert_uint_eq(list.errors, 12000);
    ck_assert_int_eq(list.failed, STATUS_OK);
    buffer_init(&out, 0);
    diagnostics_write_text(&out, &list, false);
    for (size_t i = 0; i < out.length; i++)
        lines += out.data[i] == '\n';
    ck_assert_uint_eq(lines, 202); /* each with its other place, an empty line, the count */
    ck_assert(text_ends_with(buffer_text(&out),
                             TEXT("\n12000 errors, 0 warnings (the first 100 are shown)\n")));
    buffer_clear(&out);
    diagnostics_write_json(&out, &list);
    ck_assert(text_ends_with(buffer_text(&out), TEXT("],\"errors\":12000,\"warnings\":0}")));
    ck_assert_ptr_nonnull(memmem(out.data, out.length, "\"fault 100\"", 11));
    ck_assert_ptr_null(memmem(out.data, out.length, "\"fault 101\"", 11));
    buffer_dispose(&out);
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(text_from_files_does_not_steer_the_terminal)
{
    struct diagnostics list;
    struct buffer out;
    char source[] = "key:\t\x1b]0;x\x07\xc2\x9b"
                    "31m";
    diagnostics_init(&list);
    diagnostics_add(&list, CODE_KIND, at("flags/a.yaml", 1, 6), "h\x1b[1m", "kind \"%s\"",
                    "a\x1b[31m\x7f\r\n");
    diagnostics_sort(&list);
    diagnostics_excerpts(&list, one_source, source);
    expect_text(&list, false,
                "flags/a.yaml:1:6: error[W210]: kind \"a\\x1b[31m\\x7f\\x0d\\x0a\"\n"
                "      1 | key: \\x1b]0;x\\x07\\x9b31m\n"
                "        |      ^\n"
                "  hint: h\\x1b[1m\n"
                "\n1 error, 0 warnings\n");
    buffer_init(&out, 0);
    diagnostics_write_json(&out, &list);
    for (size_t i = 0; i < out.length; i++)
        ck_assert_uint_ge((unsigned char)out.data[i], 0x20);
    buffer_dispose(&out);
    diagnostics_dispose(&list);
}
END_TEST

/* What turns the direction of the text is shown, not obeyed; the caret stays where it points. */
START_TEST(text_from_files_does_not_turn_around)
{
    struct diagnostics list;
    char source[] = "\u05d0\t\x1b\u202e\u202c\u2066\u2069\u202fon: x";
    diagnostics_init(&list);
    diagnostics_add(&list, CODE_KIND, at("flags/a.yaml", 1, 13), NULL, "kind \"%s\"",
                    "a\u2069\u2029\u2065");
    diagnostics_excerpts(&list, one_source, source);
    expect_text(&list, false,
                "flags/a.yaml:1:13: error[W210]: kind \"a\\u2069\u2029\u2065\"\n"
                "      1 | \u05d0 \\x1b\\u202e\\u202c\\u2066\\u2069\u202fon: x\n"
                "        |                                    ^\n"
                "\n1 error, 0 warnings\n");
    diagnostics_dispose(&list);
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
    struct diagnostics list;
    struct arena arena;
    struct buffer out;
    const struct node *node;
    char longer[3001], source[2001];
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(longer + i, "\xe2\x82\xac", 3);
    longer[3000] = '\0';
    memcpy(source, longer, 2000);
    source[0] = source[1] = source[2] = 'x'; /* 300 bytes end on a character: shift it off */
    memmove(source + 1, source, 1999);
    source[2000] = '\0';
    diagnostics_init(&list);
    arena_init(&arena, 0);
    buffer_init(&out, 0);
    diagnostics_add(&list, CODE_YAML, at("flags/a.yaml", 1, 1), NULL, "x%s", longer);
    diagnostics_add(&list, CODE_YAML, at("flags/a.yaml", 1, 1), NULL, "key \"%.4s\" twice", longer);
    ck_assert_text(list.items[1].message, "key \"\xe2\x82\xac\" twice");
    diagnostics_excerpts(&list, one_source, source);
    ck_assert_uint_le(list.items[0].message.length, 1000);
    diagnostics_write_json(&out, &list);
    ck_assert_int_eq(json_read(&arena, buffer_text(&out), JSON_LIMITS_DEFAULT, &node, NULL),
                     STATUS_OK);
    buffer_clear(&out);
    diagnostics_write_text(&out, &list, false);
    json_write_string(&out, TEXT(""));
    ck_assert_uint_lt(out.length, 2000);
    buffer_dispose(&out);
    arena_dispose(&arena);
    diagnostics_dispose(&list);
}
END_TEST

/* The list outlives what it speaks of. */
START_TEST(faults_keep_copies)
{
    struct diagnostics list;
    char path[] = "flags/a.yaml", hint[] = "hint", word[] = "word";
    diagnostics_init(&list);
    diagnostics_add(&list, CODE_YAML, at(path, 1, 1), hint, "%s", word);
    memset(path, 'x', sizeof path - 1);
    memset(hint, 'x', sizeof hint - 1);
    memset(word, 'x', sizeof word - 1);
    ck_assert_text(list.items[0].place.path, "flags/a.yaml");
    ck_assert_text(list.items[0].hint, "hint");
    ck_assert_text(list.items[0].message, "word");
    diagnostics_dispose(&list);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

/* A code never changes its meaning: none is used twice, and few are warnings. */
START_TEST(codes_are_distinct)
{
    static const struct {
        const char *code;
        enum severity severity;
        const char *title;
    } all[] = {
#define ROW(name, code, severity, title) {code, severity, title},
        DIAGNOSTIC_CODES(ROW)
#undef ROW
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ck_assert(strlen(all[i].code) == 4 && all[i].code[0] == 'W' && all[i].title[0]);
        bool warning =
            strstr("W113 W114 W119 W317 W318 W319 W320 W321 W322 W323 W325 W326 W327 W328 "
                   "W708 W709 W710 W711 "
                   "W712 W817 W818 W820 W822",
                   all[i].code) != NULL;
        ck_assert_int_eq(all[i].severity, warning ? SEVERITY_WARNING : SEVERITY_ERROR);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(all[i].code, all[j].code);
    }
}
END_TEST

UNIT_MAIN("diagnostics", nothing_looks_like_nothing, a_fault_shows_line_and_caret,
          lines_end_as_yaml_has_it, colour_only_when_asked,
          the_order_is_stable_and_repeats_are_dropped, a_hundred_are_printed_and_ten_thousand_kept,
          text_from_files_does_not_steer_the_terminal, text_from_files_does_not_turn_around,
          long_texts_are_cut_between_characters, faults_keep_copies, codes_are_distinct)
