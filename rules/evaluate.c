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

APART static enum truth test_value(struct machine *machine, const struct instruction *instruction,
                                   struct value *failure)
{
    size_t before = machine->context->scratch_used;
    struct value value = machine_evaluate(machine, instruction);
    machine->context->scratch_used =
        before; /* only its truth is looked at: what was put together for it may go */
    if (value.type == VALUE_BOOL)
        return value.boolean ? TRUE : NOT_TRUE;
    if (value.type == VALUE_ERROR) {
        *failure = value;
        return FAILED;
    }
    return value_is_truthy(&value) ? TRUE : NOT_TRUE;
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
    case OP_EXISTS:
        return machine->context->slots[instruction->slot].type != VALUE_NULL ? TRUE : NOT_TRUE;
    case OP_IS_STRING:
        return machine->context->slots[instruction->slot].type == VALUE_STRING ? TRUE : NOT_TRUE;
    default:
        return test_value(machine, instruction, failure);
    }
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
        machine->context->scratch_used =
            before; /* of the value before this one only the truth was wanted */
        value = machine_argument(machine, &instruction->arguments[i]);
        if (value.type == VALUE_ERROR || value_is_truthy(&value) == stop_at)
            return value;
    }
    return value;
}

APART static struct value evaluate_same(struct machine *machine,
                                        const struct instruction *instruction, bool wanted)
{
    struct value a = machine_first(machine, instruction);
    if (a.type == VALUE_ERROR)
        return a;
    struct value b = machine_second(machine, instruction);
    if (b.type == VALUE_ERROR)
        return b;
    return value_bool(value_is_same(&a, &b) == wanted);
}

APART static struct value evaluate_affix(struct machine *machine,
                                         const struct instruction *instruction, bool at_start)
{
    struct value whole = machine_first(machine, instruction);
    struct value part = machine_second(machine, instruction);
    if (whole.type == VALUE_ERROR)
        return whole;
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
                                       const struct instruction *instruction)
{
    struct value value = machine_evaluate(machine, &instruction->arguments[0]);
    return value.type == VALUE_ERROR ? value : value_bool(!value_is_truthy(&value));
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

APART static struct value flag_key(const struct machine *machine)
{
    struct text key = machine->program->key;
    return (struct value){.type = VALUE_STRING, .length = (uint32_t)key.length, .string = key.data};
}

/* {"var":"a.b"} on the element: the path is walked where it stands, since elements have no
 * slots. */
APART static struct value local_value(const struct machine *machine, struct text path)
{
    struct value value = machine->local;
    while (path.length) {
        const char *dot = memchr(path.data, '.', path.length);
        struct text part = {path.data, dot ? (size_t)(dot - path.data) : path.length};
        struct value found = value_null();
        for (uint32_t i = 0; value.type == VALUE_MAP && i < value.length; i++) {
            if (text_equal(value.members[i].name, part))
                found = value.members[i].value;
        }
        value = found;
        path = dot ? (struct text){dot + 1, path.length - part.length - 1} : (struct text){NULL, 0};
    }
    return value;
}

struct value machine_evaluate(struct machine *machine, const struct instruction *instruction)
{
    switch ((enum op)instruction->op) {
    case OP_CONSTANT:
    case OP_FAIL:
        return instruction->value;
    case OP_SLOT:
        return machine->context->slots[instruction->slot];
    case OP_LOCAL:
        return local_value(machine, instruction->text);
    case OP_FLAG_KEY:
        return flag_key(machine);
    case OP_TIMESTAMP:
        return value_number(machine->now);
    case OP_IF:
        return evaluate_if(machine, instruction);
    case OP_AND:
        return evaluate_chain(machine, instruction, false);
    case OP_OR:
        return evaluate_chain(machine, instruction, true);
    case OP_NOT:
        return evaluate_not(machine, instruction);
    case OP_SAME:
        return evaluate_same(machine, instruction, true);
    case OP_NOT_SAME:
        return evaluate_same(machine, instruction, false);
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
        return machine_compare(machine, instruction);
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
    case OP_SUBSTR:
        return machine_substr(machine, instruction);
    case OP_MERGE:
        return machine_merge(machine, instruction);
    case OP_SOME:
        return machine_some(machine, instruction);
    case OP_SEM_VER:
        return machine_sem_ver(machine, instruction);
    case OP_FRACTIONAL:
        return machine_fractional(machine, instruction);
    case OP_ADD:
    case OP_SUBTRACT:
    case OP_MULTIPLY:
    case OP_MINIMUM:
    case OP_MAXIMUM:
        return machine_arithmetic(machine, instruction);
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
    out->value = variant->value_json;
    out->variant = variant->name;
    out->variant_json = variant->name_json;
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

static void decide_value(struct decision *out, const struct program *program,
                         const struct value *value)
{
    char digits[NUMBER_TEXT_SIZE];
    struct text name;
    switch ((enum value_type)value->type) {
    case VALUE_NULL:
        decide_default(out, program, REASON_DEFAULT);
        return;
    case VALUE_ERROR:
        decide_error(out, ERROR_PARSE_ERROR, value->problem);
        return;
    case VALUE_STRING:
        name = (struct text){value->string, value->length};
        break;
    case VALUE_BOOL:
        name = value->boolean ? TEXT("true") : TEXT("false");
        break;
    case VALUE_NUMBER:
        name = (struct text){digits, number_format(value->number, digits)};
        break;
    default:
        decide_error(out, ERROR_GENERAL,
                     "targeting gave a list or an object, not the name of a variant");
        return;
    }
    const struct program_variant *variant = find_variant(program, name);
    if (variant)
        decide_variant(out, variant, REASON_TARGETING_MATCH);
    else
        decide_error(out, ERROR_GENERAL, "targeting gave the name of no variant");
}

void evaluate(const struct fragment *fragment, struct context *context, int64_t now,
              struct decision *out)
{
    *out = (struct decision){0};
    if (!fragment) {
        decide_error(out, ERROR_FLAG_NOT_FOUND, "flag does not exist");
        return;
    }
    const struct program *program = fragment->program;
    out->metadata = program->metadata;
    if (program->disabled) {
        out->reason = REASON_DISABLED;
        return;
    }
    if (!program->targeting) {
        decide_default(out, program, REASON_STATIC);
        return;
    }
    struct machine machine = {.context = context, .program = program, .now = (double)now};
    context->scratch_used = 0;
    struct value value = machine_evaluate(&machine, program->targeting);
    decide_value(out, program, &value);
}
