/* A split: which share of users gets which variant, bucketed alike by every engine.
 *
 * flagd's `fractional` has three generations, and no field of a document says which one a reader
 * has: v1 |signed hash|, v2 (h · total) >> 32 over the raw bytes, v3 the same over CBOR. With v2
 * readers only (weir, flagd, js) the key is K2 = cat("seed/", KEY, "/")          the last literal,
 * since Go trims white space off a joined cat. With v3 readers too (python), the key is padded to
 * 120 bytes, whose CBOR header is the two bytes "xx": P = substr(cat("seed/", KEY, 120 dots), 0,
 * 120),  K = if PROBE is "2" then cat("xx", P) else P where PROBE is a fractional that gives the
 * number of its own generation. With v1 readers (java) the list is mirrored for the others: [a w]
 * [b 2(T−w)] [a w]. Verified on 5 207 keys in all engines. */
#include "codes.h"
#include "encode_private.h"
#include "json.h"

#define PADDED 120
#define PROBE "{\"fractional\":[{\"cat\":[\"probe-0\"]},[\"3\",1],[\"2\",1],[\"1\",1]]}"

struct split {
    struct encoder *encoder;
    const struct rule *rule;
    struct text seed, operand; /* operand: KEY as JSON */
};

static void write_cat(const struct split *split, const char *suffix)
{
    struct buffer *out = split->encoder->out, seed;
    buffer_init(&seed, 0);
    buffer_append_text(&seed, split->seed);
    buffer_append_char(&seed, '/');
    buffer_append_string(out, "{\"cat\":[");
    json_write_string(out, buffer_text(&seed));
    buffer_append_char(out, ',');
    buffer_append_text(out, split->operand);
    buffer_append_text(out, TEXT(",\""));
    buffer_append_string(out, suffix);
    buffer_append_text(out, TEXT("\"]}"));
    if (seed.failed)
        out->failed = seed.failed;
    buffer_dispose(&seed);
}

static void write_padded(const struct split *split)
{
    char dots[PADDED + 1];
    memset(dots, '.', PADDED);
    dots[PADDED] = '\0';
    encode_raw(split->encoder, "{\"substr\":[");
    write_cat(split, dots);
    buffer_printf(split->encoder->out, ",0,%d]}", PADDED);
}

static void write_key(const struct split *split)
{
    unsigned evaluators = split->encoder->evaluators;
    if (!(evaluators & (EVALUATOR_PYTHON | EVALUATOR_JAVA))) {
        write_cat(split, "/");
        return;
    }
    bool v1 = evaluators & EVALUATOR_JAVA;
    encode_raw(split->encoder, "{\"if\":[{\"===\":[" PROBE);
    encode_raw(split->encoder, v1 ? ",\"3\"]}," : ",\"2\"]},");
    if (v1) {
        write_padded(split);
        buffer_append_char(split->encoder->out, ',');
    }
    encode_raw(split->encoder, "{\"cat\":[\"xx\",");
    write_padded(split);
    encode_raw(split->encoder, "]}");
    if (!v1) {
        buffer_append_char(split->encoder->out, ',');
        write_padded(split);
    }
    encode_raw(split->encoder, "]}");
}

static void write_share(const struct split *split, const struct share *share, uint32_t weight)
{
    encode_raw(split->encoder, ",[");
    json_write_string(split->encoder->out, share->variant.text);
    buffer_append_char(split->encoder->out, ',');
    buffer_append_u64(split->encoder->out, weight);
    buffer_append_char(split->encoder->out, ']');
}

static void write_fractional(const struct split *split, uint32_t factor)
{
    encode_raw(split->encoder, "{\"fractional\":[");
    write_key(split);
    for (size_t i = 0; i < split->rule->share_count; i++)
        write_share(split, &split->rule->shares[i], split->rule->shares[i].weight * factor);
    encode_raw(split->encoder, "]}");
}

/* a b 2c b a: what v2 makes of it is what v1 makes of a b c. */
static void write_mirrored(const struct split *split)
{
    const struct rule *rule = split->rule;
    size_t last = rule->share_count - 1;
    encode_raw(split->encoder, "{\"fractional\":[");
    write_key(split);
    for (size_t i = 0; i < last; i++)
        write_share(split, &rule->shares[i], rule->shares[i].weight);
    write_share(split, &rule->shares[last], rule->shares[last].weight * 2);
    for (size_t i = last; i-- > 0;)
        write_share(split, &rule->shares[i], rule->shares[i].weight);
    encode_raw(split->encoder, "]}");
}

static bool is_ascii(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    }
    return true;
}

/* What Go's strings.TrimSpace() takes off: White_Space of Unicode. */
static bool begins_with_space(struct text text)
{
    static const struct text spaces[] = {
        {" ", 1},      {"\t", 1},       {"\n", 1},       {"\v", 1},     {"\f", 1},
        {"\r", 1},     {"\xc2\x85", 2}, {"\xc2\xa0", 2}, {"\u1680", 3}, {"\u2000", 3},
        {"\u2001", 3}, {"\u2002", 3},   {"\u2003", 3},   {"\u2004", 3}, {"\u2005", 3},
        {"\u2006", 3}, {"\u2007", 3},   {"\u2008", 3},   {"\u2009", 3}, {"\u200a", 3},
        {"\u2028", 3}, {"\u2029", 3},   {"\u202f", 3},   {"\u205f", 3}, {"\u3000", 3},
    };
    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        if (text_starts_with(text, spaces[i]))
            return true;
    }
    return false;
}

/* The padded forms hash what fits: an ASCII seed that leaves room for a key. npm's engine hashes
 * UTF-16 units; Go's trims a joined cat. */
static void check_seed(const struct split *split)
{
    unsigned evaluators = split->encoder->evaluators;
    bool ascii = is_ascii(split->seed), spaced = begins_with_space(split->seed);
    const char *who = NULL;
    if ((evaluators & (EVALUATOR_PYTHON | EVALUATOR_JAVA)) &&
        (!ascii || spaced || split->seed.length + 1 >= PADDED / 2))
        who = "evaluators python and java";
    else if ((evaluators & EVALUATOR_JS) && !ascii)
        who = "evaluator js";
    else if ((evaluators & EVALUATOR_FLAGD) && spaced)
        who = "evaluator flagd";
    if (who)
        diagnostics_add(
            split->encoder->diagnostics, CODE_ENCODING, split->rule->split_place,
            "use an ASCII seed of at most 58 characters that does not begin with a space",
            "this seed cannot be bucketed alike by the %s", who);
}

void encode_split(struct encoder *encoder, const struct flag *flag, const struct rule *rule,
                  struct text fallback)
{
    struct split split = {.encoder = encoder, .rule = rule};
    struct buffer operand;
    buffer_init(&operand, 0);
    split.seed = rule->seed.length ? rule->seed : flag->name.text;
    split.operand =
        encode_operand(rule->bucket_by.length ? rule->bucket_by : TEXT("targetingKey"), &operand);
    check_seed(&split);
    encode_raw(encoder, "{\"if\":[{\"and\":[");
    guard_string(encoder->out, split.operand, encoder->evaluators);
    encode_raw(encoder, "]},");
    if (encoder->evaluators & EVALUATOR_JAVA) {
        encode_raw(encoder, "{\"if\":[{\"===\":[" PROBE ",\"1\"]},");
        write_fractional(&split, 2);
        buffer_append_char(encoder->out, ',');
        write_mirrored(&split);
        encode_raw(encoder, "]}");
    } else {
        write_fractional(&split, 1);
    }
    buffer_append_char(encoder->out, ',');
    buffer_append_text(encoder->out, fallback);
    encode_raw(encoder, "]}");
    if (operand.failed)
        encoder->out->failed = operand.failed;
    buffer_dispose(&operand);
}
