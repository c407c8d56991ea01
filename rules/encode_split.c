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

struct drawing {
    struct encoder *encoder;
    const struct split *split;
    struct text seed, operand; /* operand: KEY as JSON */
};

static void write_cat(const struct drawing *drawing, const char *suffix)
{
    struct buffer *out = drawing->encoder->out, seed;
    buffer_init(&seed, 0);
    buffer_append_text(&seed, drawing->seed);
    buffer_append_char(&seed, '/');
    buffer_append_string(out, "{\"cat\":[");
    json_write_string(out, buffer_text(&seed));
    buffer_append_char(out, ',');
    buffer_append_text(out, drawing->operand);
    buffer_append_text(out, TEXT(",\""));
    buffer_append_string(out, suffix);
    buffer_append_text(out, TEXT("\"]}"));
    if (seed.failed)
        out->failed = seed.failed;
    buffer_dispose(&seed);
}

static void write_padded(const struct drawing *drawing)
{
    char dots[PADDED + 1];
    memset(dots, '.', PADDED);
    dots[PADDED] = '\0';
    encode_raw(drawing->encoder, "{\"substr\":[");
    write_cat(drawing, dots);
    buffer_printf(drawing->encoder->out, ",0,%d]}", PADDED);
}

static void write_key(const struct drawing *drawing)
{
    unsigned evaluators = drawing->encoder->evaluators;
    if (!(evaluators & (EVALUATOR_PYTHON | EVALUATOR_JAVA))) {
        write_cat(drawing, "/");
        return;
    }
    bool v1 = evaluators & EVALUATOR_JAVA;
    encode_raw(drawing->encoder, "{\"if\":[{\"===\":[" PROBE);
    encode_raw(drawing->encoder, v1 ? ",\"3\"]}," : ",\"2\"]},");
    if (v1) {
        write_padded(drawing);
        buffer_append_char(drawing->encoder->out, ',');
    }
    encode_raw(drawing->encoder, "{\"cat\":[\"xx\",");
    write_padded(drawing);
    encode_raw(drawing->encoder, "]}");
    if (!v1) {
        buffer_append_char(drawing->encoder->out, ',');
        write_padded(drawing);
    }
    encode_raw(drawing->encoder, "]}");
}

static void write_share(const struct drawing *drawing, const struct share *share, uint32_t weight)
{
    encode_raw(drawing->encoder, ",[");
    json_write_string(drawing->encoder->out, share->variant.text);
    buffer_append_char(drawing->encoder->out, ',');
    buffer_append_u64(drawing->encoder->out, weight);
    buffer_append_char(drawing->encoder->out, ']');
}

static void write_fractional(const struct drawing *drawing, uint32_t factor)
{
    encode_raw(drawing->encoder, "{\"fractional\":[");
    write_key(drawing);
    for (size_t i = 0; i < drawing->split->share_count; i++)
        write_share(drawing, &drawing->split->shares[i], drawing->split->shares[i].weight * factor);
    encode_raw(drawing->encoder, "]}");
}

/* a b 2c b a: what v2 makes of it is what v1 makes of a b c. */
static void write_mirrored(const struct drawing *drawing)
{
    const struct split *split = drawing->split;
    size_t last = split->share_count - 1;
    encode_raw(drawing->encoder, "{\"fractional\":[");
    write_key(drawing);
    for (size_t i = 0; i < last; i++)
        write_share(drawing, &split->shares[i], split->shares[i].weight);
    write_share(drawing, &split->shares[last], split->shares[last].weight * 2);
    for (size_t i = last; i-- > 0;)
        write_share(drawing, &split->shares[i], split->shares[i].weight);
    encode_raw(drawing->encoder, "]}");
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
static void check_seed(const struct drawing *drawing)
{
    unsigned evaluators = drawing->encoder->evaluators;
    bool ascii = is_ascii(drawing->seed), spaced = begins_with_space(drawing->seed);
    const char *who = NULL;
    if ((evaluators & (EVALUATOR_PYTHON | EVALUATOR_JAVA)) &&
        (!ascii || spaced || drawing->seed.length + 1 >= PADDED / 2))
        who = "evaluators python and java";
    else if ((evaluators & EVALUATOR_JS) && !ascii)
        who = "evaluator js";
    else if ((evaluators & EVALUATOR_FLAGD) && spaced)
        who = "evaluator flagd";
    if (who)
        diagnostics_add(
            drawing->encoder->diagnostics, CODE_ENCODING, drawing->split->place,
            "use an ASCII seed of at most 58 characters that does not begin with a space",
            "this seed cannot be bucketed alike by the %s", who);
}

void encode_split(struct encoder *encoder, const struct flag *flag, const struct split *split,
                  struct text fallback)
{
    struct drawing drawing = {.encoder = encoder, .split = split};
    struct buffer operand;
    buffer_init(&operand, 0);
    drawing.seed = split->seed.length ? split->seed : flag->name.text;
    drawing.operand =
        encode_operand(split->bucket_by.length ? split->bucket_by : TEXT("targetingKey"), &operand);
    check_seed(&drawing);
    encode_raw(encoder, "{\"if\":[{\"and\":[");
    encode_guard(encoder->out, GUARD_STRING, drawing.operand, encoder->evaluators);
    encode_raw(encoder, "]},");
    if (encoder->evaluators & EVALUATOR_JAVA) {
        encode_raw(encoder, "{\"if\":[{\"===\":[" PROBE ",\"1\"]},");
        write_fractional(&drawing, 2);
        buffer_append_char(encoder->out, ',');
        write_mirrored(&drawing);
        encode_raw(encoder, "]}");
    } else {
        write_fractional(&drawing, 1);
    }
    buffer_append_char(encoder->out, ',');
    buffer_append_text(encoder->out, fallback);
    encode_raw(encoder, "]}");
    if (operand.failed)
        encoder->out->failed = operand.failed;
    buffer_dispose(&operand);
}
