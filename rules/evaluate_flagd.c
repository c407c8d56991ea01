/* flagd's own operators: starts_with, ends_with, sem_ver and fractional. What they cannot work with
 * gives null, not an error and not false. */
#include <math.h>

#include "cbor.h"
#include "machine.h"
#include "murmur3.h"

struct value builtin_affix(const struct value *data, bool at_start)
{
    if (data->length != 2 || data->items[0].type != VALUE_STRING ||
        data->items[1].type != VALUE_STRING)
        return value_null();
    struct text whole = value_text(&data->items[0]), part = value_text(&data->items[1]);
    return value_bool(at_start ? text_starts_with(whole, part) : text_ends_with(whole, part));
}

/* --- sem_ver --------------------------------------------------------------------------------- */

static bool version_of(struct machine *machine, const struct value *value,
                       char digits[NUMBER_TEXT_SIZE], struct semver *out)
{
    struct text text;
    return machine_string(machine, value, digits, &text) && semver_parse_loosely(text, out);
}

/* The value of a slot as a version, parsed once for each context; NULL where it is none. */
static const struct semver *version_in(struct context *context, const struct value *value)
{
    if (context->version_string != value->string) {
        context->version_string = value->string;
        context->version_is_good = semver_parse_loosely(value_text(value), &context->version);
    }
    return context->version_is_good ? &context->version : NULL;
}

static struct value tell_version(const struct version_test *test, const struct semver *version)
{
    int order = semver_compare(version, &test->version);
    return value_bool(order < 0 ? test->less : order > 0 ? test->greater : test->equal);
}

/* An attribute, or an expression, with a constant comparison and a constant version. */
struct value machine_sem_ver(struct machine *machine, const struct instruction *instruction)
{
    char digits[NUMBER_TEXT_SIZE];
    struct semver version;
    struct value left = machine_first(machine, instruction);
    if (left.type == VALUE_ERROR)
        return left;
    if (instruction->direct && left.type == VALUE_STRING) {
        const struct semver *known = version_in(machine->context, &left);
        return known ? tell_version(instruction->test, known) : value_null();
    }
    return version_of(machine, &left, digits, &version) ? tell_version(instruction->test, &version)
                                                        : value_null();
}

struct value builtin_sem_ver(struct machine *machine, const struct value *data)
{
    char digits[3][NUMBER_TEXT_SIZE];
    struct semver a, b;
    struct text comparison;
    bool known;
    if (data->length != 3 || !version_of(machine, &data->items[0], digits[0], &a) ||
        !version_of(machine, &data->items[2], digits[1], &b))
        return value_null();
    if (!machine_string(machine, &data->items[1], digits[2], &comparison))
        return out_of_scratch();
    bool result = semver_holds(&a, comparison, &b, &known);
    return known ? value_bool(result) : value_null();
}

/* --- fractional ------------------------------------------------------------------------------ */

/* The hash of a bucketing value; false where it buckets nobody. The third generation hashes the
 * CBOR of whatever is not null. */
static bool hash_value(struct machine *machine, const struct value *value, uint32_t *out)
{
    if (machine->program->fractional == FRACTIONAL_V2) {
        if (value->type == VALUE_STRING)
            *out = murmur3_32(value_text(value));
        return value->type == VALUE_STRING;
    }
    size_t start = machine->context->scratch_used;
    struct cbor cbor = {.out = machine->context->scratch + start, .size = CONTEXT_SCRATCH - start};
    if (value->type == VALUE_NULL)
        return false;
    cbor_write(&cbor, value);
    *out = murmur3_32((struct text){cbor.out, cbor.length});
    return !cbor.failed;
}

/* Most bucketing values are put together of a seed and an attribute: strings are hashed piece by
 * piece, without becoming one. False where a part is something else. */
static bool hash_parts(const struct machine *machine, const struct instruction *cat, uint32_t *out)
{
    struct murmur3 murmur = {0};
    bool half = false; /* a surrogate pair may be halved here, and would have to be joined */
    for (uint32_t i = 0; i < cat->count; i++) {
        const struct instruction *part = &cat->arguments[i];
        const struct value *value =
            part->op == OP_SLOT ? &machine->context->slots[part->slot] : &part->value;
        if ((part->op != OP_SLOT && part->op != OP_CONSTANT) || value->type != VALUE_STRING || half)
            return false;
        murmur3_add(&murmur, value_text(value));
        half = value->length >= 3 && (unsigned char)value->string[value->length - 3] == 0xed;
    }
    *out = murmur3_end(&murmur);
    return true;
}

/* Without a bucketing value: of flag and user. */
static bool hash_user(struct machine *machine, uint32_t *out)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text key = machine->program->key, user;
    struct value value = machine->context->slots[ATTRIBUTE_TARGETING_KEY];
    size_t start = machine->context->scratch_used;
    struct cbor cbor = {.out = machine->context->scratch + start, .size = CONTEXT_SCRATCH - start};
    if (!value_is_true(&value))
        return false;
    if (machine->program->fractional == FRACTIONAL_V3) {
        cbor_write_list(&cbor, 2);
        cbor_write_text(&cbor, key);
        cbor_write(&cbor, &value);
    } else {
        char *copy = machine_scratch(machine, key.length);
        if (!copy)
            return false;
        memcpy(copy, key.data, key.length);
        start = (size_t)(copy - machine->context->scratch);
        if (!machine_string(machine, &value, digits, &user) ||
            user.length > CONTEXT_SCRATCH - start - key.length)
            return false;
        memmove(copy + key.length, user.data, user.length);
        cbor = (struct cbor){.out = copy, .length = key.length + user.length};
    }
    *out = murmur3_32((struct text){cbor.out, cbor.length});
    machine->context->scratch_used = start;
    return !cbor.failed;
}

/* A weight as flagd counts it: whole, negative ones count 0. False when it is none. */
static bool weight_of(const struct value *value, uint64_t *out)
{
    if (value->type != VALUE_NUMBER || !isfinite(value->number) ||
        value->number != floor(value->number) || value->number > INT32_MAX)
        return false;
    *out = value->number > 0 ? (uint64_t)value->number : 0;
    return true;
}

/* The sum of weights that must be evaluated; 0 when one is malformed or there is nothing to
 * share. */
static uint64_t evaluate_total(struct machine *machine, const struct instruction *instruction,
                               struct value *failure)
{
    uint64_t total = 0, weight;
    bool good = true;
    for (uint32_t i = 2; i < instruction->count; i += 2) {
        struct value value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR) {
            *failure = value;
            return 0;
        }
        good = good && weight_of(&value, &weight);
        total += good ? weight : 0;
    }
    return good && total <= INT32_MAX ? total : 0;
}

/* One share that an expression gave. */
static bool share_of(const struct value *share, struct value *variant, uint64_t *weight)
{
    *weight = 1;
    if (share->type != VALUE_LIST || share->length < 1 || share->length > 2)
        return false;
    *variant = share->items[0];
    return variant->type != VALUE_LIST && variant->type != VALUE_MAP &&
           (share->length == 1 || weight_of(&share->items[1], weight));
}

/* Shares of any form: [bucketing value, share…], or shares only. */
struct value builtin_fractional(struct machine *machine, const struct value *data)
{
    uint64_t total = 0, end = 0, weight;
    uint32_t hash, first = data->length && data->items[0].type != VALUE_LIST;
    struct value variant;
    if (first == 0 ? !hash_user(machine, &hash) : !hash_value(machine, &data->items[0], &hash))
        return value_null();
    for (uint32_t i = first; i < data->length; i++) {
        if (!share_of(&data->items[i], &variant, &weight))
            return value_null();
        total += weight;
        if (total > INT32_MAX)
            return value_null();
    }
    uint64_t bucket = ((uint64_t)hash * total) >> 32;
    for (uint32_t i = first; i < data->length; i++) {
        share_of(&data->items[i], &variant, &weight);
        end += weight;
        if (bucket < end)
            return variant;
    }
    return value_null();
}

/* [variant, weight] from what is written; an error where a weight gives one. */
static struct value pair_of(struct machine *machine, const struct instruction *instruction,
                            uint32_t i, struct value *pair)
{
    const struct drawn_shares *shares = instruction->shares;
    if (shares) {
        pair[0] = shares->items[i].variant;
        pair[1] = value_number((double)(shares->items[i].end - (i ? shares->items[i - 1].end : 0)));
    } else {
        pair[0] = machine_argument(machine, &instruction->arguments[1 + 2 * (size_t)i]);
        pair[1] = machine_argument(machine, &instruction->arguments[2 + 2 * (size_t)i]);
    }
    if (pair[1].type == VALUE_ERROR)
        return pair[1];
    return (struct value){.type = VALUE_LIST, .length = 2, .items = pair};
}

/* A bucketing value that turns out to be a list is one more share. */
static struct value share_too(struct machine *machine, const struct instruction *instruction,
                              const struct value *key)
{
    uint32_t count =
        1 + (instruction->shares ? instruction->shares->count : (instruction->count - 1) / 2);
    struct value *shares = machine_scratch(machine, (size_t)count * 3 * sizeof *shares);
    if (!shares)
        return out_of_scratch();
    struct value *pairs = shares + count;
    shares[0] = *key;
    for (uint32_t i = 1; i < count; i++, pairs += 2) {
        shares[i] = pair_of(machine, instruction, i - 1, pairs);
        if (shares[i].type == VALUE_ERROR)
            return shares[i];
    }
    struct value all = {.type = VALUE_LIST, .length = count, .items = shares};
    return builtin_fractional(machine, &all);
}

/* Weights that must be evaluated; `hash` is the user's. */
static struct value weigh(struct machine *machine, const struct instruction *instruction,
                          uint64_t total, uint32_t hash)
{
    uint64_t bucket = ((uint64_t)hash * total) >> 32, end = 0, weight;
    for (uint32_t i = 1; i + 1 < instruction->count; i += 2) {
        struct value value = machine_argument(machine, &instruction->arguments[i + 1]);
        if (!weight_of(&value, &weight))
            return value_null();
        end += weight;
        if (bucket < end)
            return machine_argument(machine, &instruction->arguments[i]);
    }
    return value_null();
}

static struct value choose(const struct drawn_shares *shares, uint32_t hash)
{
    uint64_t bucket = ((uint64_t)hash * shares->total) >> 32;
    for (uint32_t i = 0; i < shares->count; i++) {
        if (bucket < shares->items[i].end)
            return shares->items[i].variant;
    }
    return value_null();
}

/* Written-out shares with constant variants. Source of the formula: flagd 0.15,
 * core/pkg/evaluator/fractional.go: (hash · total) >> 32, and the first share whose cumulative
 * weight is above it. */
struct value machine_fractional(struct machine *machine, const struct instruction *instruction)
{
    const struct drawn_shares *shares = instruction->shares;
    const struct instruction *from = instruction->arguments;
    uint32_t hash;
    if (shares && from->op == OP_CAT && machine->program->fractional == FRACTIONAL_V2 &&
        hash_parts(machine, from, &hash))
        return choose(shares, hash);
    struct value key = machine_argument(machine, from), none = value_null();
    if (key.type == VALUE_ERROR)
        return key;
    if (key.type == VALUE_LIST)
        return share_too(machine, instruction, &key);
    uint64_t total = shares ? shares->total : evaluate_total(machine, instruction, &none);
    if (total == 0 ||
        !(instruction->slot ? hash_user(machine, &hash) : hash_value(machine, &key, &hash)))
        return none;
    return shares ? choose(shares, hash) : weigh(machine, instruction, total, hash);
}
