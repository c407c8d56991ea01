/* Evidence as one line of text: every field in turn, so that reading and writing cannot differ. */
#include "evidence.h"
#include "json.h"

#define MAGIC "weir-evidence/1"

/* Walks over the fields, either to write or to read them. */
struct walker {
    struct buffer *out; /* NULL: reads */
    struct text rest;
    bool failed;
};

/* The next word of what is read. */
static struct text next_word(struct walker *walker)
{
    struct text *rest = &walker->rest;
    if (rest->length == 0 || rest->data[0] != ' ') {
        walker->failed = true;
        return (struct text){NULL, 0};
    }
    size_t end = 1;
    while (end < rest->length && rest->data[end] != ' ')
        end++;
    struct text word = {rest->data + 1, end - 1};
    rest->data += end;
    rest->length -= end;
    return word;
}

static void walk_double(struct walker *walker, double *value)
{
    char spelled[NUMBER_TEXT_SIZE];
    if (!walker->out) {
        walker->failed |= !number_parse(next_word(walker), value);
        return;
    }
    buffer_append_char(walker->out, ' ');
    buffer_append(walker->out, spelled, number_format(*value, spelled));
}

/* Of which a double would lose bits. */
static void walk_time(struct walker *walker, int64_t *value)
{
    if (walker->out) {
        buffer_printf(walker->out, " %lld", (long long)*value);
        return;
    }
    struct text word = next_word(walker);
    bool negative = word.length > 0 && word.data[0] == '-';
    int64_t number = 0;
    walker->failed |= word.length <= negative;
    for (size_t i = negative; !walker->failed && i < word.length; i++) {
        int digit = word.data[i] - '0';
        walker->failed |= digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
                          __builtin_sub_overflow(number, digit, &number);
    }
    /* counted downwards, since there is one more negative number than there are positive ones */
    walker->failed |= !negative && __builtin_sub_overflow((int64_t)0, number, &number);
    if (!walker->failed)
        *value = number;
}

static void walk_u32(struct walker *walker, uint32_t *value)
{
    int64_t number = *value;
    walk_time(walker, &number);
    walker->failed |= number < 0 || number > UINT32_MAX;
    if (!walker->failed)
        *value = (uint32_t)number;
}

static void walk_bool(struct walker *walker, bool *value)
{
    uint32_t number = *value;
    walk_u32(walker, &number);
    walker->failed |= number > 1;
    *value = number == 1;
}

static void walk_sample(struct walker *walker, struct sample *sample)
{
    walk_double(walker, &sample->n);
    walk_double(walker, &sample->sum);
    walk_double(walker, &sample->squares);
}

static void walk_design(struct walker *walker, struct evidence_design *design)
{
    uint32_t kind = design->kind, units = design->units;
    walk_u32(walker, &kind);
    walk_u32(walker, &units);
    walker->failed |= kind > EVIDENCE_SHARES || units > EVIDENCE_REQUESTS;
    if (!walker->failed) {
        design->kind = (enum evidence_kind)kind;
        design->units = (enum evidence_units)units;
    }
    walk_double(walker, &design->alpha);
    walk_double(walker, &design->horizon);
    walk_bool(walker, &design->has_min);
    walk_bool(walker, &design->has_max);
    walk_double(walker, &design->min);
    walk_double(walker, &design->max);
    walk_double(walker, &design->margin);
    walk_bool(walker, &design->decrease_is_harm);
    walk_double(walker, &design->minimum_sample);
}

static void walk_capital(struct walker *walker, struct evidence_capital *capital)
{
    walk_u32(walker, &capital->rounds);
    walk_double(walker, &capital->stake);
    walk_double(walker, &capital->evidence);
}

static void walk_evidence(struct walker *walker, struct evidence *evidence)
{
    walk_design(walker, &evidence->design);
    walk_u32(walker, &evidence->phases);
    walk_double(walker, &evidence->share);
    walk_time(walker, &evidence->since);
    walk_time(walker, &evidence->until);
    for (int side = 0; side < SIDE_COUNT; side++) {
        walk_capital(walker, &evidence->phase[side]);
        walk_capital(walker, &evidence->recent[side]);
        walk_double(walker, &evidence->peak[side]);
    }
    walk_double(walker, &evidence->estimate.value);
    walk_double(walker, &evidence->estimate.error);
    walk_double(walker, &evidence->estimate.n);
    walk_sample(walker, &evidence->round);
    walk_u32(walker, &evidence->buckets);
    walker->failed |= evidence->buckets > EVIDENCE_MOST_BUCKETS;
    for (int arm = 0; !walker->failed && arm < ARM_COUNT; arm++) {
        walk_sample(walker, &evidence->total[arm]);
        for (size_t i = 0; !walker->failed && i < evidence->buckets; i++)
            walk_sample(walker, &evidence->bucket[arm][i]);
    }
}

void evidence_write(const struct evidence *evidence, struct buffer *out)
{
    struct evidence copy = *evidence; /* the walker would change it if it read */
    struct walker walker = {.out = out};
    buffer_append_string(out, MAGIC);
    walk_evidence(&walker, &copy);
}

enum status evidence_read(struct text text, struct evidence *out, struct error *error)
{
    struct evidence read;
    struct walker walker = {.rest = text};
    if (!text_starts_with(text, TEXT(MAGIC)) || text.length > EVIDENCE_MOST_TEXT)
        return error_set(error, STATUS_INVALID, "not evidence of weir: expected \"%s\"", MAGIC);
    memset(&read, 0, sizeof read);
    walker.rest.data += sizeof MAGIC - 1;
    walker.rest.length -= sizeof MAGIC - 1;
    walk_evidence(&walker, &read);
    if (walker.failed || walker.rest.length > 0 || !evidence_is_sound(&read))
        return error_set(error, STATUS_INVALID,
                         "stored evidence is damaged: delete it, and the gate starts again");
    *out = read;
    return STATUS_OK;
}
