#include "evaluate.h"

#include "json.h"
#include "machine.h"

const char *reason_name(enum reason reason)
{
    static const char *const names[] = {
        [REASON_STATIC] = "STATIC",
        [REASON_DEFAULT] = "DEFAULT",
        [REASON_TARGETING_MATCH] = "TARGETING_MATCH",
        [REASON_DISABLED] = "DISABLED",
        [REASON_ERROR] = "ERROR",
    };
    return names[reason];
}

const char *error_code_name(enum error_code code)
{
    static const char *const names[] = {
        [ERROR_NONE] = "",
        [ERROR_FLAG_NOT_FOUND] = "FLAG_NOT_FOUND",
        [ERROR_PARSE_ERROR] = "PARSE_ERROR",
        [ERROR_GENERAL] = "GENERAL",
    };
    return names[code];
}

/* --- instructions ---------------------------------------------------------------------------- */

/* Inlined into machine_evaluate() or test(), these would have every instruction pay for the
 * registers of the largest. */
#define APART __attribute__((noinline))

#define PLAIN_LIST 64 /* longer ones cost steps */

enum truth { NOT_TRUE, TRUE, FAILED };

static enum truth test(struct machine *machine, const struct instruction *instruction,
                       struct value *failure);

APART static enum truth test_chain(struct machine *machine, const struct instruction *instruction,
                                   enum truth stop_at, struct value *failure)
{
    enum truth truth = NOT_TRUE;
    for (uint32_t i = 0; i < instruction->count; i++) {
        truth = test(machine, &instruction->arguments[i], failure);
        if (truth == FAILED || truth == stop_at)
            break;
    }
    return truth;
}

APART static enum truth test_not(struct machine *machine, const struct instruction *instruction,
                                 struct value *failure)
{
    enum truth truth = test(machine, instruction->arguments, failure);
    return truth == FAILED ? FAILED : truth == TRUE ? NOT_TRUE : TRUE;
}

/* The truth of a condition that other rules may share, remembered for as long as the context stays
 * the same. An entry that two conditions contend for belongs to the last one. */
APART static enum truth test_once(struct machine *machine, const struct instruction *once,
                                  struct value *failure)
{
    struct context *context = machine->context;
    struct known_truth *known = &context->known[once->identity % CONTEXT_KNOWN];
    if (known->reading == context->reading && known->identity == once->identity &&
        known->more == once->count)
        return known->truth ? TRUE : NOT_TRUE;
    enum truth truth = test(machine, once->arguments, failure);
    if (truth != FAILED)
        *known = (struct known_truth){once->identity, once->count, context->reading, truth == TRUE};
    return truth;
}

static enum truth truth_of(struct value value, struct value *failure)
{
    if (value.type == VALUE_BOOL)
        return value.boolean ? TRUE : NOT_TRUE;
    if (value.type == VALUE_ERROR) {
        *failure = value;
        return FAILED;
    }
    return value_is_truthy(&value) ? TRUE : NOT_TRUE;
}

APART static enum truth test_value(struct machine *machine, const struct instruction *instruction,
                                   struct value *failure)
{
    size_t before = machine->context->scratch_used;
    struct value value = machine_evaluate(machine, instruction);
    if (machine->comparing == 0) /* only its truth is looked at: what was put together may go */
        machine->context->scratch_used = before;
    return truth_of(value, failure);
}

/* An attribute and a constant (program.h): nothing is put together. */
APART static enum truth test_plain(struct machine *machine, const struct instruction *instruction,
                                   struct value *failure)
{
    const struct value *value = &machine->context->slots[instruction->slot],
                       *constant = &instruction->value;
    if (!instruction->direct || value->type != VALUE_STRING)
        return test_value(machine, instruction, failure);
    if (instruction->op == OP_IN) {
        if (constant->type != VALUE_LIST || constant->length > PLAIN_LIST)
            return test_value(machine, instruction, failure);
        return machine_has_text(value_text(value), constant) ? TRUE : NOT_TRUE;
    }
    if (constant->type != VALUE_STRING)
        return test_value(machine, instruction, failure);
    bool is_end = instruction->op == OP_ENDS_WITH;
    return constant->length <= value->length &&
                   string_is_same(value->string + (is_end ? value->length - constant->length : 0),
                                  constant->string, constant->length)
               ? TRUE
               : NOT_TRUE;
}

/* What a condition comes to where only its truth counts. *failure is set for FAILED. */
static enum truth test(struct machine *machine, const struct instruction *instruction,
                       struct value *failure)
{
    switch (instruction->op) {
    case OP_AND:
        return test_chain(machine, instruction, NOT_TRUE, failure);
    case OP_OR:
        return test_chain(machine, instruction, TRUE, failure);
    case OP_NOT:
        return test_not(machine, instruction, failure);
    case OP_TRUTH:
        return test(machine, instruction->arguments, failure);
    case OP_ONCE:
        return test_once(machine, instruction, failure);
    case OP_IN:
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
        return test_plain(machine, instruction, failure);
    case OP_EXISTS:
        return machine->context->slots[instruction->slot].type != VALUE_NULL ? TRUE : NOT_TRUE;
    case OP_IS_STRING:
        return machine->context->slots[instruction->slot].type == VALUE_STRING ? TRUE : NOT_TRUE;
    default:
        return test_value(machine, instruction, failure);
    }
}

bool machine_test(struct machine *machine, const struct instruction *instruction,
                  struct value *failure)
{
    *failure = value_null();
    return test(machine, instruction, failure) == TRUE;
}

APART static struct value evaluate_if(struct machine *machine,
                                      const struct instruction *instruction)
{
    struct value failure;
    uint32_t i = 0;
    for (; i + 1 < instruction->count; i += 2) {
        enum truth truth = test(machine, &instruction->arguments[i], &failure);
        if (truth == FAILED)
            return failure;
        if (truth == TRUE)
            return machine_argument(machine, &instruction->arguments[i + 1]);
    }
    return i < instruction->count ? machine_argument(machine, &instruction->arguments[i])
                                  : value_null();
}

/* "and" stops at the first value that is not truthy, "or" at the first that is; both return it. */
APART static struct value evaluate_chain(struct machine *machine,
                                         const struct instruction *instruction, bool stop_at)
{
    struct value value = value_null();
    size_t before = machine->context->scratch_used;
    for (uint32_t i = 0; i < instruction->count; i++) {
        if (machine->comparing == 0) /* of the value before this one only the truth was wanted */
            machine->context->scratch_used = before;
        value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR || value_is_truthy(&value) == stop_at)
            return value;
    }
    return value;
}

/* With three arguments, each is compared with the next. */
APART static struct value evaluate_same_chain(struct machine *machine,
                                              const struct instruction *instruction, bool wanted)
{
    struct value a = machine_argument(machine, &instruction->arguments[0]), b;
    for (uint32_t i = 1; i < instruction->count; i++, a = b) {
        if (a.type == VALUE_ERROR)
            return a;
        b = machine_argument(machine, &instruction->arguments[i]);
        if (b.type == VALUE_ERROR)
            return b;
        if (value_is_same(&a, &b) != wanted)
            return value_bool(false);
    }
    return value_bool(true);
}

APART static struct value evaluate_same(struct machine *machine,
                                        const struct instruction *instruction, bool wanted)
{
    if (instruction->count > 2)
        return evaluate_same_chain(machine, instruction, wanted);
    struct value a = machine_first(machine, instruction);
    if (a.type == VALUE_ERROR)
        return a;
    struct value b = machine_second(machine, instruction);
    if (b.type == VALUE_ERROR)
        return b;
    if (a.type == VALUE_STRING && b.type == VALUE_STRING)
        return value_bool((a.length == b.length && string_is_same(a.string, b.string, a.length)) ==
                          wanted);
    return value_bool(value_is_same(&a, &b) == wanted);
}

APART static struct value evaluate_affix(struct machine *machine,
                                         const struct instruction *instruction, bool at_start)
{
    struct value whole = machine_first(machine, instruction);
    if (whole.type == VALUE_ERROR)
        return whole;
    struct value part = machine_second(machine, instruction);
    if (part.type == VALUE_ERROR)
        return part;
    if (whole.type != VALUE_STRING || part.type != VALUE_STRING)
        return value_null(); /* flagd: a custom operator that cannot work is null, not false */
    if (part.length > whole.length)
        return value_bool(false);
    const char *from = at_start ? whole.string : whole.string + whole.length - part.length;
    return value_bool(string_is_same(from, part.string, part.length));
}

APART static struct value evaluate_in_set(struct machine *machine,
                                          const struct instruction *instruction)
{
    struct value value = machine_first(machine, instruction);
    if (value.type == VALUE_ERROR)
        return value;
    return value_bool(value.type == VALUE_STRING &&
                      string_set_has(instruction->set, (struct text){value.string, value.length}));
}

APART static struct value evaluate_not(struct machine *machine,
                                       const struct instruction *instruction, bool negated)
{
    struct value value = machine_evaluate(machine, &instruction->arguments[0]);
    return value.type == VALUE_ERROR ? value : value_bool(value_is_truthy(&value) != negated);
}

APART static struct value evaluate_default(struct machine *machine,
                                           const struct instruction *instruction)
{
    struct value value = machine_argument(machine, &instruction->arguments[0]);
    return value.type == VALUE_NULL ? machine_argument(machine, &instruction->arguments[1]) : value;
}

APART static struct value evaluate_walk(struct machine *machine,
                                        const struct instruction *instruction)
{
    struct value from = machine_argument(machine, &instruction->arguments[0]);
    return from.type == VALUE_ERROR ? from : machine_walk(machine, from, instruction->path);
}

APART static struct value remember(struct machine *machine, const struct instruction *instruction)
{
    machine->previous = machine_argument(machine, &instruction->arguments[0]);
    return machine->previous;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What guard_version() asks for, which is less than being one: a dot, and characters that fit at
 * both ends. */
APART static bool is_version(const struct value *value)
{
    if (value->type != VALUE_STRING || value->length < 2)
        return false;
    char first = value->string[0], second = value->string[1],
         last = value->string[value->length - 1];
    return (first == 'v' || (first >= '0' && first <= '9')) &&
           (second == '.' || (second >= '0' && second <= '9')) &&
           (last == '-' || is_alphanumeric(last)) &&
           (second == '.' || memchr(value->string, '.', value->length));
}

/* The value that an OP_BUILTIN works on. */
static struct value gather(struct machine *machine, const struct instruction *instruction)
{
    if (instruction->count < ARGUMENT_AS_LIST)
        return machine_list(machine, instruction);
    struct value value = machine_argument(machine, &instruction->arguments[0]);
    if (instruction->count == ARGUMENT_AS_IT_IS || value.type == VALUE_LIST ||
        value.type == VALUE_ERROR)
        return value;
    struct value *items = machine_scratch(machine, sizeof *items);
    if (!items)
        return out_of_scratch();
    *items = value;
    return (struct value){.type = VALUE_LIST, .length = 1, .items = items};
}

/* "!" and "!!" of the interpreter look at the first element of a list. */
static struct value truth_of_first(const struct value *data, bool negated)
{
    bool truth = data->type == VALUE_LIST ? data->length && value_is_truthy(&data->items[0])
                                          : value_is_truthy(data);
    return value_bool(truth != negated);
}

APART static struct value evaluate_builtin(struct machine *machine,
                                           const struct instruction *instruction)
{
    struct value data = gather(machine, instruction);
    if (data.type == VALUE_ERROR)
        return data;
    switch ((enum builtin)instruction->slot) {
    case BUILTIN_VAR:
        return builtin_var(machine, &data);
    case BUILTIN_MISSING:
        return builtin_missing(machine, &data);
    case BUILTIN_MISSING_SOME:
        return builtin_missing_some(machine, &data);
    case BUILTIN_IN:
        return builtin_in(machine, &data);
    case BUILTIN_SUBSTR:
        return builtin_substr(machine, &data);
    case BUILTIN_MERGE:
        return builtin_merge(machine, &data);
    case BUILTIN_MAXIMUM:
    case BUILTIN_MINIMUM:
        return builtin_extreme(&data, instruction->slot == BUILTIN_MAXIMUM);
    case BUILTIN_STARTS_WITH:
    case BUILTIN_ENDS_WITH:
        return builtin_affix(&data, instruction->slot == BUILTIN_STARTS_WITH);
    case BUILTIN_SEM_VER:
        return builtin_sem_ver(machine, &data);
    case BUILTIN_FRACTIONAL:
        return builtin_fractional(machine, &data);
    case BUILTIN_CAT:
        return builtin_cat(machine, &data);
    case BUILTIN_NOT:
    case BUILTIN_TRUTH:
        return truth_of_first(&data, instruction->slot == BUILTIN_NOT);
    default:
        return builtin_arithmetic(machine, (enum builtin)instruction->slot, &data);
    }
}

struct value machine_evaluate(struct machine *machine, const struct instruction *instruction)
{
    switch ((enum op)instruction->op) {
    case OP_CONSTANT:
    case OP_FAIL:
        return instruction->value;
    case OP_SLOT:
        return machine->context->slots[instruction->slot];
    case OP_WALK:
        return evaluate_walk(machine, instruction);
    case OP_LOCAL:
        return machine_local(machine, instruction->path);
    case OP_DEFAULT:
        return evaluate_default(machine, instruction);
    case OP_FLAG_KEY:
        return value_string(machine->program->key);
    case OP_TIMESTAMP:
        return value_number(machine->now);
    case OP_FLAGD:
        return machine_flagd(machine);
    case OP_LIST:
        return machine_list(machine, instruction);
    case OP_IF:
        return evaluate_if(machine, instruction);
    case OP_AND:
        return evaluate_chain(machine, instruction, false);
    case OP_OR:
        return evaluate_chain(machine, instruction, true);
    case OP_NOT:
    case OP_TRUTH:
        return evaluate_not(machine, instruction, instruction->op == OP_NOT);
    case OP_ONCE:
        return machine_evaluate(machine, instruction->arguments);
    case OP_REMEMBER:
        return remember(machine, instruction);
    case OP_SAME:
        return evaluate_same(machine, instruction, true);
    case OP_NOT_SAME:
        return evaluate_same(machine, instruction, false);
    case OP_EQUAL:
    case OP_NOT_EQUAL:
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
        return machine_compare_constant(machine, instruction);
    case OP_COMPARE:
        return machine_compare(machine, instruction);
    case OP_COMPARE_PLAINLY:
        return machine_compare_plainly(machine, instruction);
    case OP_IN:
        return machine_in(machine, instruction);
    case OP_IN_SET:
        return evaluate_in_set(machine, instruction);
    case OP_STARTS_WITH:
        return evaluate_affix(machine, instruction, true);
    case OP_ENDS_WITH:
        return evaluate_affix(machine, instruction, false);
    case OP_CAT:
        return machine_cat(machine, instruction);
    case OP_ADD:
    case OP_SUBTRACT:
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_REMAINDER:
        return machine_arithmetic(machine, instruction);
    case OP_MAP:
    case OP_FILTER:
    case OP_SOME:
    case OP_ALL:
    case OP_NONE:
        return machine_iterate(machine, instruction);
    case OP_REDUCE:
        return machine_reduce(machine, instruction);
    case OP_MISSING:
        return machine_missing(machine, instruction);
    case OP_SEM_VER:
        return machine_sem_ver(machine, instruction);
    case OP_FRACTIONAL:
        return machine_fractional(machine, instruction);
    case OP_BUILTIN:
        return evaluate_builtin(machine, instruction);
    case OP_IS_STRING:
        return value_bool(machine->context->slots[instruction->slot].type == VALUE_STRING);
    case OP_EXISTS:
        return value_bool(machine->context->slots[instruction->slot].type != VALUE_NULL);
    case OP_IS_VERSION:
        return value_bool(is_version(&machine->context->slots[instruction->slot]));
    case OP_IS_NUMBER:
        return value_bool(machine->context->slots[instruction->slot].type == VALUE_NUMBER);
    }
    return value_error("unknown instruction");
}

/* --- from a value to a decision -------------------------------------------------------------- */

/* Member by member: compilers clear a structure of this size by an instruction that takes longer
 * than most rules. */
static void decide_nothing(struct decision *out)
{
    static const struct text none;
    out->reason = REASON_STATIC;
    out->error = ERROR_NONE;
    out->problem = NULL;
    out->resolved = none;
    out->value = none;
    out->variant = none;
    out->variant_json = none;
    out->members = none;
    out->metadata = none;
}

static void decide_error(struct decision *out, enum error_code code, const char *problem)
{
    out->reason = REASON_ERROR;
    out->error = code;
    out->problem = problem;
}

static void decide_variant(struct decision *out, const struct program_variant *variant,
                           enum reason reason)
{
    out->reason = reason;
    out->value = variant_value(variant);
    out->variant = variant->name;
    out->variant_json = variant_name_json(variant);
    out->members = variant_members(variant);
}

static void decide_default(struct decision *out, const struct program *program, enum reason reason)
{
    if (program->default_variant)
        decide_variant(out, program->default_variant, reason);
    else
        out->reason = REASON_DEFAULT;
}

static const struct program_variant *find_variant(const struct program *program, struct text name)
{
    for (uint32_t i = program->variant_count; i-- > 0;) { /* of equal names the last one counts */
        const struct text *known = &program->variants[i].name;
        if (known->length == name.length && string_is_same(known->data, name.data, name.length))
            return &program->variants[i];
    }
    return NULL;
}

static void decide_value(struct decision *out, struct machine *machine, const struct value *value)
{
    const struct program *program = machine->program;
    char digits[NUMBER_TEXT_SIZE];
    struct text name;
    if (value->type == VALUE_NULL) {
        decide_default(out, program, REASON_DEFAULT);
        return;
    }
    if (value->type == VALUE_ERROR) {
        decide_error(out, ERROR_GENERAL, value->problem);
        return;
    }
    if (value->type == VALUE_STRING) {
        name = value_text(value);
    } else if (!machine_string(machine, value, digits, &name)) {
        decide_error(out, ERROR_GENERAL, out_of_scratch().problem);
        return;
    }
    const struct program_variant *variant = find_variant(program, name);
    if (variant) {
        decide_variant(out, variant, REASON_TARGETING_MATCH);
        return;
    }
    decide_error(out, ERROR_GENERAL, "targeting gave the name of no variant");
    char *copy = machine_scratch(machine, name.length);
    if (copy) {
        memmove(copy, name.data, name.length);
        out->resolved = (struct text){copy, name.length};
    }
}

void evaluate(const struct fragment *fragment, struct context *context, int64_t now,
              struct decision *out)
{
    decide_nothing(out);
    if (!fragment) {
        decide_error(out, ERROR_FLAG_NOT_FOUND, "flag does not exist");
        return;
    }
    const struct program *program = &fragment->program;
    out->metadata = program->metadata;
    if (program->disabled) {
        out->reason = REASON_DISABLED;
        return;
    }
    if (program->problem) {
        decide_error(out, ERROR_PARSE_ERROR, program->problem);
        return;
    }
    if (!program->targeting) {
        decide_default(out, program, REASON_STATIC);
        return;
    }
    struct machine machine = {.context = context, .program = program, .now = (double)now};
    context->scratch_used = 0;
    struct value value = machine_evaluate(&machine, program->targeting);
    decide_value(out, &machine, &value);
}
