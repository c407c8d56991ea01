/* unit.h - what every unit test program shares: include it, write START_TEST blocks, and end with
 *     UNIT_MAIN("module", test_one, test_two)
 * Each test runs in its own process (check's fork mode), unless CK_FORK=no. */
#ifndef WEIR_UNIT_H
#define WEIR_UNIT_H

#include <check.h>

#include "../../rules/base.h"

static int unit_main(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 180);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#define UNIT_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_main(name, tests, COUNT_OF(tests));                                            \
    }

/* For loops of millions: every ck_assert() that passes writes its place to a file, for the case
 * that the next one crashes; this one only looks. */
#define assert_each(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

#define ck_assert_text(value, expected)                                                            \
    do {                                                                                           \
        struct text text_ = (value);                                                               \
        ck_assert_msg(text_is(text_, expected), "got '%.*s', expected '%s'", (int)text_.length,    \
                      text_.data ? text_.data : "", expected);                                     \
    } while (0)

#endif
