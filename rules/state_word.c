#include "state_word.h"

#include <nettle/sha2.h>
#include <stdio.h>

uint32_t state_word_seq(enum kind kind, const void *definition)
{
    return kind == KIND_FLAG_PIN ? ((const struct flag_pin *)definition)->seq
                                 : ((const struct rollout_state *)definition)->seq;
}

bool state_word_is_foreign(enum kind kind, const void *definition)
{
    return kind == KIND_FLAG_PIN ? ((const struct flag_pin *)definition)->is_foreign
                                 : ((const struct rollout_state *)definition)->is_foreign;
}

/* --- approvals ------------------------------------------------------------------------------- */

/* What approving leaves as it was. While it is pending the plan is only noted. */
static void write_rest(const struct rollout_state *state, struct buffer *out)
{
    struct rollout_state rest = *state;
    rest.approval_count = rest.intent_count = 0;
    if (rest.course == COURSE_PENDING)
        rest.plan.count = 0;
    rollout_state_write(&rest, out);
}

static bool same_rest(const struct rollout_state *a, const struct rollout_state *b)
{
    struct buffer of_a, of_b;
    buffer_init(&of_a, 0);
    buffer_init(&of_b, 0);
    write_rest(a, &of_a);
    write_rest(b, &of_b);
    bool same = !of_a.failed && !of_b.failed && text_equal(buffer_text(&of_a), buffer_text(&of_b));
    buffer_dispose(&of_a);
    buffer_dispose(&of_b);
    return same;
}

/* How many intents of `after` are newer than those of `before`; 0 where they are not that. */
static size_t count_new(const struct rollout_state *before, const struct rollout_state *after)
{
    for (size_t added = 1; added <= after->intent_count; added++) {
        size_t kept = after->intent_count - added, i = 0;
        if (kept > before->intent_count ||
            (kept < before->intent_count && after->intent_count < INTENTS_KEPT))
            continue;
        const struct text *tail = before->intents + (before->intent_count - kept);
        while (i < kept && text_equal(tail[i], after->intents[i]))
            i++;
        if (i == kept)
            return added;
    }
    return 0;
}

static bool is_approved(const struct rollout_state *before, const struct rollout_state *after)
{
    size_t added = count_new(before, after);
    if (added == 0 || after->approval_count > before->approval_count + added)
        return false;
    for (size_t i = 0; i < after->approval_count; i++) {
        if (after->approvals[i].run != after->run || after->approvals[i].seq != after->seq)
            return false;
    }
    return same_rest(before, after);
}

bool state_word_follows(enum kind kind, const void *before, const void *after)
{
    uint32_t was = state_word_seq(kind, before), is = state_word_seq(kind, after);
    return is > was || (is == was && kind == KIND_ROLLOUT_STATE && is_approved(before, after));
}

/* --- by the bytes ---------------------------------------------------------------------------- */

#define CHECKSUM_LINE 86 /* "  checksum: \"sha256:", 64 digits, a quote and the line's end */

/* The last line is the digest of all before it. */
static bool is_sealed(struct text file)
{
    char line[CHECKSUM_LINE + 1] = "  checksum: \"sha256:";
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t length = strlen(line);
    if (file.length < CHECKSUM_LINE)
        return false;
    sha256_init(&context);
    sha256_update(&context, file.length - CHECKSUM_LINE, (const uint8_t *)file.data);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(line + length + 2 * i, 3, "%02x", digest[i]);
    memcpy(line + length + 2 * sizeof digest, "\"\n", 3);
    return memcmp(file.data + file.length - CHECKSUM_LINE, line, CHECKSUM_LINE) == 0;
}

bool state_word_glance(struct text file, uint32_t *seq)
{
    static const char field[] = "\n  seq: ";
    uint64_t number = 0;
    if (!is_sealed(file))
        return false;
    const char *at = memmem(file.data, file.length, field, sizeof field - 1);
    const char *end = file.data + file.length, *digit = at ? at + sizeof field - 1 : end;
    for (; digit < end && *digit >= '0' && *digit <= '9' && number <= UINT32_MAX; digit++)
        number = number * 10 + (uint64_t)(*digit - '0');
    *seq = (uint32_t)number;
    return at && digit > at + sizeof field - 1 && digit < end && *digit == '\n' &&
           number <= UINT32_MAX;
}
