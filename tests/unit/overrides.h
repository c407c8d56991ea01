/* overrides.h - overrides for tests. */
#ifndef WEIR_OVERRIDES_H
#define WEIR_OVERRIDES_H

#include "pushes.h"

#include "../../controller/rollout/override.h"

#define INTENT_A "aa11111111111111111111111111111111111111111111111111111111111111"
#define INTENT_B "bb22222222222222222222222222222222222222222222222222222222222222"
#define INTENT_C "cc33333333333333333333333333333333333333333333333333333333333333"
#define SAFE_JSON FLAG("off")

/* Its texts are literals: for override_new(), or to be compared with. */
SHARED struct override override_like(const char *intent, const char *flag, const char *fragment)
{
    return (struct override){.intent = text_of(intent),
                             .environment = TEXT("production"),
                             .flag = text_of(flag),
                             .rollout = text_of(flag),
                             .action = VERB_ROLLBACK,
                             .run = 2,
                             .seq = 7,
                             .by = TEXT("weir"),
                             .note = TEXT("errors \"rose\""),
                             .evidence = TEXT("checkout-errors: 0.031 > 0.01, n=5120"),
                             .fragment = text_of(fragment),
                             .since = 1800000000,
                             .generation = "00000000000000050000000100000000"};
}

SHARED struct override *make_override(const char *intent, const char *flag, const char *fragment)
{
    const struct override like = override_like(intent, flag, fragment);
    struct override *override = override_new(&like);
    ck_assert_ptr_nonnull(override);
    return override;
}

/* Two overrides, of flags that are not in the document: what is told beside it asks for no more. */
SHARED void set_two_overrides(struct snapshot *snapshot)
{
    struct override_set *set = override_set_new(2, 0);
    ck_assert_ptr_nonnull(set);
    set->items[0] = make_override(INTENT_A, "banner", SAFE_JSON);
    set->items[1] = make_override(INTENT_B, "checkout", SAFE_JSON);
    snapshot_set_overrides(snapshot, 0, set);
}

#endif
