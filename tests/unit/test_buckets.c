/* Splits draw what they promise: over a million users, for twenty seeds, to three decimals, and
 * nobody who is in falls out while a share grows. */
#include "../../rules/murmur3.h"
#include "rules_unit.h"

#define USERS 1000000
#define SEEDS 20
#define TOTAL 100000
/* Chi-square with three degrees of freedom: above this p is below 0.001. Source: any table of the
 * distribution's quantiles. */
#define CHI_SQUARE_3_0_001 16.266

static struct text user_key(unsigned user, char *key)
{
    int length = snprintf(key, 24, "user-%u", user);
    return (struct text){key, (size_t)length};
}

/* The variant that a user gets, without reading JSON. */
static struct text draw(struct rig *rig, const struct fragment *fragment, struct text key)
{
    struct decision decision;
    rig->context.slots[ATTRIBUTE_TARGETING_KEY] = value_string(key);
    evaluate(fragment, &rig->context, RIG_NOW, &decision);
    if (decision.error) /* an assertion for each of twenty millions would be most of the work */
        ck_abort_msg("%s", decision.problem);
    return decision.variant;
}

/* One flag `f` with four variants a, b, c, d. */
static void build(struct rig *rig, const char *seed, const char *split)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    buffer_printf(&yaml,
                  RIG_PRODUCTION
                  "---\napiVersion: weir/v1\nkind: Flag\nmetadata: {name: f}\nspec:\n"
                  "  variants: {a: 1, b: 2, c: 3, d: 4}\n  default: a\n"
                  "  rules: [{split: %s, seed: %s}]\n",
                  split, seed);
    rig_build(rig, buffer_string(&yaml));
    ck_assert_int_eq(context_begin(&rig->context, rig->document->attributes), STATUS_OK);
    buffer_dispose(&yaml);
}

/* Only plain builds draw a million: a sanitizer needs ten times as long for the same proof. */
static unsigned users(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return USERS / 20;
#else
    return USERS;
#endif
}

START_TEST(shares_are_what_is_written_for_every_seed)
{
    static const double shares[] = {0.00125, 0.12375, 0.375, 0.5};
    struct text names[] = {TEXT("a"), TEXT("b"), TEXT("c"), TEXT("d")};
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct rig rig;
        char name[24], key[24];
        unsigned counts[4] = {0};
        double chi_square = 0;
        snprintf(name, sizeof name, "seed-%u", seed);
        build(&rig, name, "{a: 0.125, b: 12.375, c: 37.5, d: 50}");
        const struct fragment *fragment = document_find(rig.document, TEXT("f"));
        for (unsigned user = 0; user < users(); user++) {
            struct text variant = draw(&rig, fragment, user_key(user, key));
            for (unsigned i = 0; i < 4; i++)
                counts[i] += text_equal(variant, names[i]);
        }
        ck_assert_uint_eq(counts[0] + counts[1] + counts[2] + counts[3], users());
        for (unsigned i = 0; i < 4; i++) {
            double expected = shares[i] * users();
            chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
        ck_assert_msg(chi_square < CHI_SQUARE_3_0_001, "%s: %u %u %u %u, chi-square %.2f", name,
                      counts[0], counts[1], counts[2], counts[3], chi_square);
        rig_dispose(&rig);
    }
}
END_TEST

START_TEST(nobody_falls_out_of_a_growing_share)
{
    static const char *const steps[] = {"0.001",  "0.1",    "1",  "10",
                                        "37.123", "37.124", "50", "99.999"};
    unsigned count = users() / 10;
    bool *in = calloc(count, sizeof *in);
    ck_assert_ptr_nonnull(in);
    for (unsigned i = 0; i < COUNT_OF(steps); i++) {
        struct rig rig;
        char split[64], key[24];
        double percent = strtod(steps[i], NULL);
        snprintf(split, sizeof split, "{a: %s, b: %.3f}", steps[i], 100 - percent);
        build(&rig, "growing", split);
        const struct fragment *fragment = document_find(rig.document, TEXT("f"));
        for (unsigned user = 0; user < count; user++) {
            bool now = text_is(draw(&rig, fragment, user_key(user, key)), "a");
            if (in[user] && !now)
                ck_abort_msg("user-%u fell out at %s %%", user, steps[i]);
            in[user] = now;
        }
        rig_dispose(&rig);
    }
    free(in);
}
END_TEST

/* Each user is in exactly when the bucket of flagd's formula is below the share. */
START_TEST(three_decimals_are_honoured)
{
    struct rig rig;
    char key[24], hashed[64];
    unsigned in = 0;
    build(&rig, "decimals", "{a: 37.123, b: 62.877}");
    const struct fragment *fragment = document_find(rig.document, TEXT("f"));
    for (unsigned user = 0; user < users(); user++) {
        struct text text = user_key(user, key);
        int length = snprintf(hashed, sizeof hashed, "decimals/%s/", key);
        uint64_t hash = murmur3_32((struct text){hashed, (size_t)length});
        bool expected = (hash * TOTAL) >> 32 < 37123;
        bool drawn = text_is(draw(&rig, fragment, text), "a");
        if (drawn != expected)
            ck_abort_msg("%s", key);
        in += drawn;
    }
    double expected = 0.37123 * users(), deviation = in - expected;
    ck_assert_msg(deviation * deviation < 16 * expected * (1 - 0.37123), "%u of %u", in, users());
    rig_dispose(&rig);
}
END_TEST

#define SPLIT(key)                                                                                 \
    "{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":2},\"defaultVariant\":\"a\","              \
    "\"targeting\":"                                                                               \
    "{\"fractional\":[" key ",[\"a\",1000],[\"b\",1000]]}}"

/* A value that comes in pieces is the same value: 200 users draw the same from both. */
START_TEST(pieces_draw_as_the_whole_does)
{
    struct rig rig = {0};
    unsigned on = 0;
    static const char document[] = "{\"flags\":{\"pieces\":" SPLIT(
        "{\"cat\":[{\"substr\":[\"\xf0\x9f\x98\x80\",0,1]},"
        "{\"substr\":[\"\xf0\x9f\x98\x80\",1]},"
        "{\"var\":\"targetingKey\"},\"/\"]}") ","
                                              "\"whole\":" SPLIT(
                                                  "{\"cat\":[\"\xf0\x9f\x98\x80\",{\"var\":"
                                                  "\"number\"},\"/\"]}") "}}";
    ck_assert_int_eq(document_read(text_of(document), NULL, &rig.document, NULL), STATUS_OK);
    ck_assert_int_eq(context_init(&rig.context), STATUS_OK);
    for (unsigned user = 0; user < 200; user++) {
        struct decision pieces, whole;
        char json[128];
        snprintf(json, sizeof json, "{\"targetingKey\":\"%u\",\"number\":%u}", user, user);
        ck_assert_int_eq(context_read(&rig.context, rig.document->attributes, text_of(json), NULL),
                         STATUS_OK);
        evaluate(document_find(rig.document, TEXT("pieces")), &rig.context, 0, &pieces);
        evaluate(document_find(rig.document, TEXT("whole")), &rig.context, 0, &whole);
        ck_assert_int_eq(pieces.reason, REASON_TARGETING_MATCH);
        ck_assert_msg(text_equal(pieces.variant, whole.variant), "user %u", user);
        on += text_is(whole.variant, "a");
    }
    ck_assert(on > 60 && on < 140);
    context_dispose(&rig.context);
    document_release(rig.document);
}
END_TEST

UNIT_MAIN("buckets", shares_are_what_is_written_for_every_seed, nobody_falls_out_of_a_growing_share,
          three_decimals_are_honoured, pieces_draw_as_the_whole_does)
