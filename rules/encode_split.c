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
#include <stdlib.h>

#include "codes.h"
#include "encode_private.h"
#include "json.h"

#define PADDED 120
#define PROBE "{\"fractional\":[{\"cat\":[\"probe-0\"]},[\"3\",1],[\"2\",1],[\"1\",1]]}"

/* A weight: so many, or of a ramp `fixed` + `slope` × the seconds of its window that are behind. */
struct weight {
    struct text variant;
    int64_t fixed, slope;
};

struct drawing {
    struct encoder *encoder;
    const struct weight *weights;
    size_t count;
    struct place place;
    int64_t begin, length;     /* a ramp's window */
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

/* The seconds of a ramp's window that are behind: flagd refuses fractions, Python divisions. */
static void write_elapsed(const struct drawing *drawing)
{
    buffer_printf(drawing->encoder->out,
                  "{\"min\":[{\"max\":[{\"-\":[{\"var\":\"$flagd.timestamp\"},%lld]},0]},%lld]}",
                  (long long)drawing->begin, (long long)drawing->length);
}

static void write_share(const struct drawing *drawing, const struct weight *weight, uint32_t factor)
{
    struct buffer *out = drawing->encoder->out;
    int64_t fixed = weight->fixed * factor, slope = weight->slope * factor;
    encode_raw(drawing->encoder, ",[");
    json_write_string(out, weight->variant);
    buffer_append_char(out, ',');
    if (slope) {
        buffer_printf(out, "{\"%s\":[%lld,{\"*\":[%lld,", slope > 0 ? "+" : "-", (long long)fixed,
                      (long long)(slope > 0 ? slope : -slope));
        write_elapsed(drawing);
        encode_raw(drawing->encoder, "]}]}");
    } else {
        buffer_append_u64(out, (uint64_t)fixed);
    }
    buffer_append_char(out, ']');
}

static void write_fractional(const struct drawing *drawing, uint32_t factor)
{
    encode_raw(drawing->encoder, "{\"fractional\":[");
    write_key(drawing);
    for (size_t i = 0; i < drawing->count; i++)
        write_share(drawing, &drawing->weights[i], factor);
    encode_raw(drawing->encoder, "]}");
}

/* a b 2c b a: what v2 makes of it is what v1 makes of a b c. */
static void write_mirrored(const struct drawing *drawing)
{
    size_t last = drawing->count - 1;
    encode_raw(drawing->encoder, "{\"fractional\":[");
    write_key(drawing);
    for (size_t i = 0; i < last; i++)
        write_share(drawing, &drawing->weights[i], 1);
    write_share(drawing, &drawing->weights[last], 2);
    for (size_t i = last; i-- > 0;)
        write_share(drawing, &drawing->weights[i], 1);
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
            drawing->encoder->diagnostics, CODE_ENCODING, drawing->place,
            "use an ASCII seed of at most 58 characters that does not begin with a space",
            "this seed cannot be bucketed alike by the %s", who);
}

/* flagd takes weights up to 2^31 − 1 in all, Java up to 2^31 / 100 each, and those are doubled. */
static void check_total(const struct drawing *drawing)
{
    bool java = drawing->encoder->evaluators & EVALUATOR_JAVA;
    int64_t total = 0, most = java ? INT32_MAX / 200 : INT32_MAX;
    for (size_t i = 0; i < drawing->count; i++)
        total += drawing->weights[i].fixed;
    if (total > most)
        diagnostics_add(drawing->encoder->diagnostics, CODE_ENCODING, drawing->place,
                        "make the ramp shorter, or its percentages whole numbers",
                        "this ramp needs larger weights than the evaluator%s can count with",
                        java ? " java" : "s");
}

static void encode_drawing(struct drawing *drawing, struct text bucket_by, struct text fallback)
{
    struct encoder *encoder = drawing->encoder;
    struct buffer operand;
    buffer_init(&operand, 0);
    drawing->operand =
        encode_operand(bucket_by.length ? bucket_by : TEXT("targetingKey"), &operand);
    check_seed(drawing);
    check_total(drawing);
    encode_raw(encoder, "{\"if\":[{\"and\":[");
    encode_guard(encoder->out, GUARD_STRING, drawing->operand, encoder->evaluators);
    encode_raw(encoder, "]},");
    if (encoder->evaluators & EVALUATOR_JAVA) {
        encode_raw(encoder, "{\"if\":[{\"===\":[" PROBE ",\"1\"]},");
        write_fractional(drawing, 2);
        buffer_append_char(encoder->out, ',');
        write_mirrored(drawing);
        encode_raw(encoder, "]}");
    } else {
        write_fractional(drawing, 1);
    }
    buffer_append_char(encoder->out, ',');
    buffer_append_text(encoder->out, fallback);
    encode_raw(encoder, "]}");
    if (operand.failed)
        encoder->out->failed = operand.failed;
    buffer_dispose(&operand);
}

void encode_split(struct encoder *encoder, const struct flag *flag, const struct split *split,
                  const struct released *released, struct text fallback)
{
    struct weight *weights = calloc(split->share_count + 1, sizeof *weights);
    struct drawing drawing = {.encoder = encoder,
                              .weights = weights,
                              .count = split->share_count,
                              .place = split->place,
                              .seed = split->seed.length ? split->seed : flag->name.text};
    for (size_t i = 0; weights && i < split->share_count; i++)
        weights[i] = (struct weight){released_variant(released, split->shares[i].variant.text),
                                     split->shares[i].weight, 0};
    if (weights)
        encode_drawing(&drawing, split->bucket_by, fallback);
    else
        encoder->out->failed = STATUS_NO_MEMORY;
    free(weights);
}

/* The smallest total of which both ends of a ramp are whole parts. */
static int64_t ramp_parts(const struct encode_draw *draw)
{
    int64_t parts = 100;
    while (parts < SPLIT_TOTAL &&
           (draw->from % (SPLIT_TOTAL / parts) != 0 || draw->share % (SPLIT_TOTAL / parts) != 0))
        parts *= 10;
    return parts;
}

/* DESIGN section 3, Ramps: A = p0·D + (p1 − p0)·C of N = q·D, and N − A for the others. */
void encode_draw(struct encoder *encoder, const struct encode_draw *draw)
{
    struct weight weights[2] = {{draw->variant, draw->share, 0},
                                {draw->control, (int64_t)SPLIT_TOTAL - draw->share, 0}};
    struct drawing drawing = {.encoder = encoder,
                              .weights = weights,
                              .count = 2,
                              .place = draw->place,
                              .begin = draw->begin,
                              .length = draw->length,
                              .seed = draw->seed};
    if (draw->is_ramp) {
        int64_t parts = ramp_parts(draw), unit = SPLIT_TOTAL / parts;
        int64_t from = draw->from / unit, slope = draw->share / unit - from;
        weights[0].fixed = from * draw->over + slope * draw->done;
        weights[1].fixed = parts * draw->over - weights[0].fixed;
        weights[0].slope = draw->length ? slope : 0;
        weights[1].slope = -weights[0].slope;
    }
    encode_drawing(&drawing, draw->bucket_by, draw->fallback);
}
