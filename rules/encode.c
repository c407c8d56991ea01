/* Conditions as JSONLogic.
 *
 * Every form was evaluated by flagd (Go), npm's flagd-core, Python's core and Java's provider over
 * each JSON type, missing and null; the parts in [brackets] are only written for an environment
 * whose `evaluators` name that engine. X is {"var":"path"}; missing and null are one thing, and
 * every form is false for it, except ! ones.
 *
 *   is s          X === s
 *   is n          X === n                     [python, 0 and 1: and cat(X) is not False/True]
 *   is b          X === b                     [python: and (1 !== true or cat(X) === "True")]
 *   in            STRING and X in [strings]; X in [numbers]; is b; joined by or
 *   startsWith    [flagd: X !== null and] starts_with(X, s)
 *   contains s    some(merge([], X), it === s) or (STRING and s in X)
 *   contains n    some(merge([], X), it is n)
 *   lt …          NUMBER and X < n            between a b: NUMBER and a <= X <= b
 *   before, after number: as lt, gt; RFC 3339: STRING, the separators, then the digits compared as
 * one string semver        STRING, a dot in it, first two and last characters, then sem_ver for
 * each bound exists        X !== null segment       inlined: not in exclude, and (in include or
 * match) flag          that flag's targeting with its default instead of null, === variant
 *
 * STRING is GUARD_STRING, NUMBER is GUARD_NUMBER (encode_guard.c). */
#include "encode.h"

#include "codes.h"
#include "encode_private.h"
#include "json.h"
#include "semver.h"

#define MOST_RULES 1000 /* npm's evaluator fails at an if of 3000 arguments */
#define MOST_ALTERNATIVES 2000

/* --- writing pieces -------------------------------------------------------------------------- */

void encode_raw(struct encoder *encoder, const char *json)
{
    buffer_append_string(encoder->out, json);
}

static void write_scalar(struct encoder *encoder, const struct scalar *scalar)
{
    if (scalar->type == SCALAR_BOOL)
        encode_raw(encoder, scalar->boolean ? "true" : "false");
    else if (scalar->type == SCALAR_NUMBER)
        json_write_number(encoder->out, scalar->number);
    else
        json_write_string(encoder->out, scalar->string);
}

struct text encode_operand(struct text path, struct buffer *out)
{
    buffer_append_string(out, "{\"var\":");
    json_write_string(out, path);
    buffer_append_char(out, '}');
    return buffer_text(out);
}

/* Appends a template in which '$' stands for the operand. */
void encode_template(struct buffer *out, const char *template, struct text operand)
{
    for (;;) {
        const char *end = strchrnul(template, '$');
        buffer_append(out, template, (size_t)(end - template));
        if (!*end)
            return;
        buffer_append_text(out, operand);
        template = end + 1;
    }
}

/* --- comparing with scalars ------------------------------------------------------------------ */

static void encode_is_number(struct encoder *encoder, struct text operand, double number)
{
    bool confusable = (encoder->evaluators & EVALUATOR_PYTHON) && (number == 0 || number == 1);
    encode_raw(encoder, confusable ? "{\"and\":[{\"===\":[" : "{\"===\":[");
    buffer_append_text(encoder->out, operand);
    buffer_append_char(encoder->out, ',');
    json_write_number(encoder->out, number);
    encode_raw(encoder, "]}");
    if (confusable) {
        encode_template(encoder->out, ",{\"!==\":[{\"cat\":[$]},", operand);
        encode_raw(encoder, number == 0 ? "\"False\"]}]}" : "\"True\"]}]}");
    }
}

static void encode_is_bool(struct encoder *encoder, struct text operand, bool boolean)
{
    const char *literal = boolean ? "true" : "false";
    bool python = encoder->evaluators & EVALUATOR_PYTHON;
    encode_raw(encoder, python ? "{\"and\":[{\"===\":[" : "{\"===\":[");
    buffer_append_text(encoder->out, operand);
    buffer_printf(encoder->out, ",%s]}", literal);
    if (python) {
        encode_template(encoder->out, ",{\"or\":[{\"!==\":[1,true]},{\"===\":[{\"cat\":[$]},",
                        operand);
        encode_raw(encoder, boolean ? "\"True\"]}]}]}" : "\"False\"]}]}]}");
    }
}

void encode_is(struct encoder *encoder, struct text operand, const struct scalar *scalar)
{
    if (scalar->type == SCALAR_BOOL) {
        encode_is_bool(encoder, operand, scalar->boolean);
    } else if (scalar->type == SCALAR_NUMBER) {
        encode_is_number(encoder, operand, scalar->number);
    } else {
        encode_template(encoder->out, "{\"===\":[$,", operand);
        json_write_string(encoder->out, scalar->string);
        encode_raw(encoder, "]}");
    }
}

/* --- lists ----------------------------------------------------------------------------------- */

/* Python takes true for 1 inside a list, so 0 and 1 stand alone there. */
static bool joins_list(const struct encoder *encoder, const struct scalar *scalar)
{
    if (scalar->type == SCALAR_NUMBER)
        return !(encoder->evaluators & EVALUATOR_PYTHON) ||
               (scalar->number != 0 && scalar->number != 1);
    return scalar->type == SCALAR_STRING;
}

static void encode_in_one_type(struct encoder *encoder, struct text operand,
                               const struct scalar *items, size_t count, enum scalar_type type)
{
    const struct scalar *only = NULL;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type == type && joins_list(encoder, &items[i])) {
            only = &items[i];
            found++;
        }
    }
    if (found == 1) {
        encode_is(encoder, operand, only);
        return;
    }
    bool guarded = type == SCALAR_STRING && (encoder->evaluators & EVALUATOR_FLAGD);
    if (guarded) { /* Go finds 0 in ["DE"] */
        encode_raw(encoder, "{\"and\":[");
        encode_guard(encoder->out, GUARD_STRING, operand, encoder->evaluators);
        buffer_append_char(encoder->out, ',');
    }
    encode_template(encoder->out, "{\"in\":[$,[", operand);
    bool comma = false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != type || !joins_list(encoder, &items[i]))
            continue;
        if (comma)
            buffer_append_char(encoder->out, ',');
        write_scalar(encoder, &items[i]);
        comma = true;
    }
    encode_raw(encoder, guarded ? "]]}]}" : "]]}");
}

static void encode_in(struct encoder *encoder, const struct condition *condition,
                      struct text operand)
{
    const struct scalar *items = condition->operands;
    size_t count = condition->count, strings = 0, numbers = 0, alone = 0, written = 0;
    for (size_t i = 0; i < count; i++) {
        bool joins = joins_list(encoder, &items[i]);
        strings += joins && items[i].type == SCALAR_STRING;
        numbers += joins && items[i].type == SCALAR_NUMBER;
        alone += !joins;
    }
    size_t parts = (strings > 0) + (numbers > 0) + alone;
    if (parts > MOST_ALTERNATIVES)
        diagnostics_add(encoder->diagnostics, CODE_ENCODING, condition->place,
                        "remove repeated values",
                        "list has too many values that are neither strings nor numbers");
    if (parts > 1)
        encode_raw(encoder, "{\"or\":[");
    if (strings) {
        encode_in_one_type(encoder, operand, items, count, SCALAR_STRING);
        written++;
    }
    if (numbers) {
        if (written++)
            buffer_append_char(encoder->out, ',');
        encode_in_one_type(encoder, operand, items, count, SCALAR_NUMBER);
    }
    for (size_t i = 0; i < count && parts <= MOST_ALTERNATIVES; i++) {
        if (joins_list(encoder, &items[i]))
            continue;
        if (written++)
            buffer_append_char(encoder->out, ',');
        encode_is(encoder, operand, &items[i]);
    }
    if (parts > 1)
        encode_raw(encoder, "]}");
}

/* The targeting key among `keys`, as a condition on strings. */
static void encode_key_in(struct encoder *encoder, const struct text *keys, size_t count)
{
    struct text operand = TEXT("{\"var\":\"targetingKey\"}");
    bool guarded = count > 1 && (encoder->evaluators & EVALUATOR_FLAGD);
    if (count == 1) {
        struct scalar scalar = {.type = SCALAR_STRING, .string = keys[0]};
        encode_is(encoder, operand, &scalar);
        return;
    }
    if (guarded) {
        encode_raw(encoder, "{\"and\":[");
        encode_guard(encoder->out, GUARD_STRING, operand, encoder->evaluators);
        buffer_append_char(encoder->out, ',');
    }
    encode_template(encoder->out, "{\"in\":[$,[", operand);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(encoder->out, ',');
        json_write_string(encoder->out, keys[i]);
    }
    encode_raw(encoder, guarded ? "]]}]}" : "]]}");
}

static void encode_contains(struct encoder *encoder, const struct scalar *scalar,
                            struct text operand)
{
    bool is_string = scalar->type == SCALAR_STRING;
    if (is_string)
        encode_raw(encoder, "{\"or\":[");
    encode_template(encoder->out, "{\"some\":[{\"merge\":[[],$]},", operand);
    encode_is(encoder, TEXT("{\"var\":\"\"}"), scalar);
    encode_raw(encoder, "]}");
    if (!is_string)
        return;
    encode_raw(encoder, ",{\"and\":[");
    encode_guard(encoder->out, GUARD_STRING, operand, encoder->evaluators);
    encode_raw(encoder, ",{\"in\":[");
    json_write_string(encoder->out, scalar->string);
    encode_template(encoder->out, ",$]}]}]}", operand);
}

/* --- numbers, times, versions ---------------------------------------------------------------- */

void encode_compare(struct encoder *encoder, const char *operator_text, const struct scalar *scalar,
                    struct text operand)
{
    encode_raw(encoder, "{\"and\":[");
    encode_guard(encoder->out, GUARD_NUMBER, operand, encoder->evaluators);
    buffer_append_text(encoder->out, TEXT(",{\""));
    encode_raw(encoder, operator_text);
    buffer_append_text(encoder->out, TEXT("\":["));
    buffer_append_text(encoder->out, operand);
    buffer_append_char(encoder->out, ',');
    json_write_number(encoder->out, scalar->number);
    encode_raw(encoder, "]}]}");
}

static void encode_between(struct encoder *encoder, const struct condition *condition,
                           struct text operand)
{
    encode_raw(encoder, "{\"and\":[");
    encode_guard(encoder->out, GUARD_NUMBER, operand, encoder->evaluators);
    encode_raw(encoder, ",{\"<=\":[");
    json_write_number(encoder->out, condition->operands[0].number);
    encode_template(encoder->out, ",$,", operand);
    json_write_number(encoder->out, condition->operands[1].number);
    encode_raw(encoder, "]}]}");
}

/* Java's provider reads the three numbers of a version into an int. */
static bool java_reads(struct text version)
{
    struct semver parsed;
    return semver_parse(version, &parsed) && parsed.major <= INT32_MAX &&
           parsed.minor <= INT32_MAX && parsed.patch <= INT32_MAX;
}

static void encode_semver(struct encoder *encoder, const struct condition *condition,
                          struct text operand)
{
    for (size_t i = 0; i < condition->count && (encoder->evaluators & EVALUATOR_JAVA); i++) {
        if (!java_reads(condition->bounds[i].version))
            diagnostics_add(encoder->diagnostics, CODE_ENCODING, condition->place,
                            "use numbers of at most 2147483647, or leave java out of the "
                            "environment's evaluators",
                            "version \"%.80s\" has a number beyond 32 bits, which the evaluator "
                            "java cannot compare",
                            condition->bounds[i].version.data);
    }
    encode_raw(encoder, "{\"and\":[");
    encode_guard(encoder->out, GUARD_VERSION, operand, encoder->evaluators);
    for (size_t i = 0; i < condition->count; i++) {
        encode_template(encoder->out, ",{\"sem_ver\":[$,", operand);
        json_write_string(encoder->out, text_of(condition->bounds[i].comparison));
        buffer_append_char(encoder->out, ',');
        json_write_string(encoder->out, condition->bounds[i].version);
        encode_raw(encoder, "]}");
    }
    encode_raw(encoder, "]}");
}

static void encode_affix(struct encoder *encoder, const char *operator_text,
                         const struct scalar *scalar, struct text operand)
{
    bool guarded = encoder->evaluators & EVALUATOR_FLAGD;
    if (guarded)
        encode_template(encoder->out, "{\"and\":[{\"!==\":[$,null]},", operand);
    buffer_append_text(encoder->out, TEXT("{\""));
    encode_raw(encoder, operator_text);
    buffer_append_text(encoder->out, TEXT("\":["));
    buffer_append_text(encoder->out, operand);
    buffer_append_char(encoder->out, ',');
    json_write_string(encoder->out, scalar->string);
    encode_raw(encoder, guarded ? "]}]}" : "]}");
}

/* --- conditions ------------------------------------------------------------------------------ */

static void encode_operator(struct encoder *encoder, const struct condition *condition,
                            struct text operand)
{
    const struct scalar *first = condition->operands;
    switch (condition->operator_name) {
    case OPERATOR_IS:
    case OPERATOR_IS_NOT:
        encode_is(encoder, operand, first);
        break;
    case OPERATOR_IN:
    case OPERATOR_NOT_IN:
        encode_in(encoder, condition, operand);
        break;
    case OPERATOR_STARTS_WITH:
        encode_affix(encoder, "starts_with", first, operand);
        break;
    case OPERATOR_ENDS_WITH:
        encode_affix(encoder, "ends_with", first, operand);
        break;
    case OPERATOR_CONTAINS:
        encode_contains(encoder, first, operand);
        break;
    case OPERATOR_LT:
        encode_compare(encoder, "<", first, operand);
        break;
    case OPERATOR_LTE:
        encode_compare(encoder, "<=", first, operand);
        break;
    case OPERATOR_GT:
        encode_compare(encoder, ">", first, operand);
        break;
    case OPERATOR_GTE:
        encode_compare(encoder, ">=", first, operand);
        break;
    case OPERATOR_BETWEEN:
        encode_between(encoder, condition, operand);
        break;
    case OPERATOR_SEMVER:
        encode_semver(encoder, condition, operand);
        break;
    case OPERATOR_BEFORE:
    case OPERATOR_AFTER:
        encode_time(encoder, condition, operand);
        break;
    case OPERATOR_EXISTS:
        encode_template(encoder->out, first->boolean ? "{\"!==\":[$,null]}" : "{\"===\":[$,null]}",
                        operand);
        break;
    case OPERATOR_COUNT:
        break;
    }
}

static void encode_attribute(struct encoder *encoder, const struct condition *condition)
{
    struct buffer scratch;
    bool negated =
        condition->operator_name == OPERATOR_IS_NOT || condition->operator_name == OPERATOR_NOT_IN;
    buffer_init(&scratch, 0);
    struct text operand = encode_operand(condition->attribute, &scratch);
    if (scratch.failed)
        encoder->out->failed = scratch.failed;
    if (negated)
        encode_raw(encoder, "{\"!\":[");
    encode_operator(encoder, condition, operand);
    if (negated)
        encode_raw(encoder, "]}");
    buffer_dispose(&scratch);
}

static void check_length(struct encoder *encoder, const struct condition *list)
{
    size_t count = 0;
    for (const struct condition *child = list->children; child; child = child->next)
        count++;
    if (count > MOST_ALTERNATIVES)
        diagnostics_add(encoder->diagnostics, CODE_ENCODING, list->place,
                        "put some of them into a list of their own",
                        "list has more than %d conditions", MOST_ALTERNATIVES);
}

/* Engines fail on "and" and "or" without members, so an empty list is a literal. */
static void encode_list(struct encoder *encoder, const struct condition *condition)
{
    const struct condition *child = condition->children;
    bool all = condition->type == CONDITION_ALL;
    if (!child) {
        encode_raw(encoder, all ? "true" : "false");
        return;
    }
    if (!child->next) {
        encode_condition(encoder, child);
        return;
    }
    check_length(encoder, condition);
    encode_raw(encoder, all ? "{\"and\":[" : "{\"or\":[");
    for (; child; child = child->next) {
        encode_condition(encoder, child);
        if (child->next)
            buffer_append_char(encoder->out, ',');
    }
    encode_raw(encoder, "]}");
}

static void encode_segment(struct encoder *encoder, const struct segment *segment)
{
    bool both = segment->include_count && segment->match;
    if (segment->exclude_count) {
        encode_raw(encoder, "{\"and\":[{\"!\":[");
        encode_key_in(encoder, segment->exclude, segment->exclude_count);
        encode_raw(encoder, "]},");
    }
    if (both)
        encode_raw(encoder, "{\"or\":[");
    if (segment->include_count)
        encode_key_in(encoder, segment->include, segment->include_count);
    if (both)
        buffer_append_char(encoder->out, ',');
    if (segment->match)
        encode_condition(encoder, segment->match);
    if (!segment->match && !segment->include_count)
        encode_raw(encoder, "false");
    if (both)
        encode_raw(encoder, "]}");
    if (segment->exclude_count)
        encode_raw(encoder, "]}");
}

#define SEGMENT_TEXTS_MAX ((size_t)64 << 20) /* of memory, for what need not be encoded again */

enum status segment_texts_init(struct segment_texts *texts, const struct catalog *catalog)
{
    buffer_init(&texts->json, SEGMENT_TEXTS_MAX);
    texts->spans = calloc(catalog->segment_count + 1, sizeof *texts->spans);
    return texts->spans ? STATUS_OK : STATUS_NO_MEMORY;
}

void segment_texts_dispose(struct segment_texts *texts)
{
    buffer_dispose(&texts->json);
    free(texts->spans);
    texts->spans = NULL;
}

/* What was refused is not kept, so that the next flag is told of it too. */
static void encode_known_segment(struct encoder *encoder, size_t index)
{
    struct segment_texts *texts = encoder->segments;
    struct segment_span *span = &texts->spans[index];
    size_t start = encoder->out->length, errors = encoder->diagnostics->errors;
    if (span->length) {
        buffer_append(encoder->out, texts->json.data + span->start, span->length);
        return;
    }
    encode_segment(encoder, encoder->catalog->segments[index]);
    if (encoder->out->failed || encoder->diagnostics->errors != errors)
        return;
    size_t length = encoder->out->length - start, known = texts->json.length;
    buffer_append(&texts->json, encoder->out->data + start, length);
    if (!texts->json.failed)
        *span = (struct segment_span){known, length};
}

static void encode_segment_named(struct encoder *encoder, struct text name)
{
    const struct catalog *catalog = encoder->catalog;
    size_t index = catalog_index(catalog->segments, catalog->segment_count, name);
    if (index == catalog->segment_count)
        encode_raw(encoder, "false");
    else if (encoder->segments)
        encode_known_segment(encoder, index);
    else
        encode_segment(encoder, catalog->segments[index]);
}

/* A prerequisite: what the other flag evaluates to, with its default in the place of null. */
static void encode_flag(struct encoder *encoder, const struct condition *condition)
{
    const struct flag *flag = catalog_flag(encoder->catalog, condition->name.text);
    struct flag_settings settings =
        flag ? flag_settings_in(flag, encoder->environment) : (struct flag_settings){0};
    if (!flag || !settings.enabled) {
        encode_raw(encoder, "false");
        return;
    }
    struct released released;
    encode_released(encoder, flag, &released);
    if (!encode_settings(&released, &settings)) {
        encode_raw(encoder, text_equal(settings.default_variant.text, condition->variant->text)
                                ? "true"
                                : "false");
        return;
    }
    struct buffer fallback;
    buffer_init(&fallback, 0);
    json_write_string(&fallback, settings.default_variant.text);
    if (fallback.failed)
        encoder->out->failed = fallback.failed;
    encode_raw(encoder, "{\"===\":[");
    encode_rules(encoder, flag, &settings, &released, buffer_text(&fallback));
    buffer_append_char(encoder->out, ',');
    json_write_string(encoder->out, condition->variant->text);
    encode_raw(encoder, "]}");
    buffer_dispose(&fallback);
}

void encode_condition(struct encoder *encoder, const struct condition *condition)
{
    if (encoder->out->failed) /* too large: do not walk what may be exponentially much */
        return;
    switch (condition->type) {
    case CONDITION_ALL:
    case CONDITION_ANY:
        encode_list(encoder, condition);
        break;
    case CONDITION_NOT:
        encode_raw(encoder, "{\"!\":[");
        encode_condition(encoder, condition->children);
        encode_raw(encoder, "]}");
        break;
    case CONDITION_SEGMENT:
        encode_segment_named(encoder, condition->name.text);
        break;
    case CONDITION_FLAG:
        encode_flag(encoder, condition);
        break;
    case CONDITION_ATTRIBUTE:
        encode_attribute(encoder, condition);
        break;
    }
}

/* --- rules ----------------------------------------------------------------------------------- */

static void encode_served(struct encoder *encoder, const struct flag *flag, const struct rule *rule,
                          const struct released *released, struct text fallback)
{
    if (rule->split)
        encode_split(encoder, flag, rule->split, released, fallback);
    else
        json_write_string(encoder->out, released_variant(released, rule->serve.text));
}

void encode_rules(struct encoder *encoder, const struct flag *flag,
                  const struct flag_settings *settings, const struct released *released,
                  struct text fallback)
{
    if (settings->rule_count > MOST_RULES) {
        diagnostics_add(encoder->diagnostics, CODE_ENCODING, settings->rules[MOST_RULES].place,
                        "put what the rules have in common into a segment",
                        "flag \"%.64s\" has more than %d rules", flag->name.text.data, MOST_RULES);
        return;
    }
    encode_raw(encoder, "{\"if\":[");
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule = &settings->rules[i];
        if (rule->when)
            encode_condition(encoder, rule->when);
        else
            encode_raw(encoder, "true");
        buffer_append_char(encoder->out, ',');
        encode_served(encoder, flag, rule, released, fallback);
        buffer_append_char(encoder->out, ',');
    }
    encode_exposures(encoder, released, fallback);
    buffer_append_text(encoder->out, fallback);
    encode_raw(encoder, "]}");
}

void encode_flag_head(struct encoder *encoder, const struct flag *flag)
{
    struct flag_settings settings = flag_settings_in(flag, encoder->environment);
    struct released released;
    encode_released(encoder, flag, &released);
    bool targeting = encode_settings(&released, &settings);
    encode_raw(encoder, "{\"defaultVariant\":");
    json_write_string(encoder->out, settings.default_variant.text);
    encode_raw(encoder, settings.enabled ? ",\"state\":\"ENABLED\"" : ",\"state\":\"DISABLED\"");
    if (!targeting)
        return;
    encode_raw(encoder, ",\"targeting\":");
    encode_rules(encoder, flag, &settings, &released, TEXT("null"));
}
