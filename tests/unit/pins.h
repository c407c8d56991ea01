/* pins.h - pins as files, for tests. */
#ifndef WEIR_TESTS_PINS_H
#define WEIR_TESTS_PINS_H

#include <stdlib.h>

#include "../../rules/flag_pin.h"
#include "rules_unit.h"

/* Of the flag "shop" in production; `as_of` and `control` may be NULL. */
static inline struct flag_pin pin_of(const char *as_of, bool is_killed, const char *control)
{
    return (struct flag_pin){.name.text = TEXT("production/shop"),
                             .environment = TEXT("production"),
                             .flag = TEXT("shop"),
                             .as_of = text_of(as_of),
                             .is_killed = is_killed,
                             .control = text_of(control),
                             .seq = 1,
                             .since = RIG_NOW - 3600,
                             .by = TEXT("weir")};
}

/* Its file; the caller frees it. */
static inline char *pin_text(const struct flag_pin *pin)
{
    struct buffer out;
    buffer_init(&out, 0);
    flag_pin_write(pin, &out);
    buffer_append_char(&out, '\0');
    ck_assert_int_eq(out.failed, 0);
    return out.data;
}

#endif
