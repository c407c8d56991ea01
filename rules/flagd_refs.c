/* Evaluators and what refers to them: names that exist, circles, and rules that nobody uses. */
#include "flagd_private.h"

bool flagd_evaluators_learn(struct flagd_checker *checker, const struct node *map)
{
    size_t index = 0;
    checker->evaluators = ARENA_ARRAY(&checker->arena, struct flagd_evaluator, map->count);
    if (!checker->evaluators || !names_reset(&checker->evaluator_names, map->count))
        return false;
    for (const struct node *entry = map->first; entry; entry = entry->next, index++) {
        checker->evaluators[index].node = entry;
        names_put(&checker->evaluator_names, entry->key, entry, index);
    }
    checker->evaluator_map = map;
    checker->evaluator_count = map->count;
    return true;
}

void flagd_check_reference(struct flagd_checker *checker, const struct node *node)
{
    const struct name *found = names_find(&checker->evaluator_names, node->string);
    if (!found) {
        flagd_fault(checker, CODE_FLAGD_REF, flagd_at(checker, node),
                    checker->evaluator_map
                        ? flagd_suggest(checker->evaluator_map, node->string, "there are ").text
                        : "the document has no \"$evaluators\"",
                    "evaluator %s does not exist", flagd_quote(node->string).text);
        return;
    }
    struct flagd_evaluator *to = &checker->evaluators[found->index];
    to->used = true;
    if (!checker->inside)
        return;
    struct flagd_reference *reference = ARENA_NEW(&checker->arena, struct flagd_reference);
    if (!reference) {
        checker->no_memory = true;
        return;
    }
    *reference = (struct flagd_reference){checker->inside->references, node, to};
    checker->inside->references = reference;
}

/* --- circles --------------------------------------------------------------------------------- */

static void say_nested(struct flagd_checker *checker, const struct flagd_evaluator *from,
                       const struct flagd_reference *reference)
{
    struct text name = reference->to->node->key;
    checker->name = from->node->key;
    if (reference->to->state == SEARCH_OPEN) {
        struct diagnostic *fault =
            flagd_fault(checker, CODE_FLAGD_REF_CYCLE, flagd_at(checker, reference->node),
                        "write one of the rules out in place of its \"$ref\"",
                        reference->to == from ? "the \"$ref\" to %s leads to itself"
                                              : "the \"$ref\" to %s leads back here",
                        flagd_quote(name).text);
        diagnostic_also(checker->out, fault, flagd_at_key(checker, reference->to->node));
        return;
    }
    flagd_fault(checker, CODE_FLAGD_REF_NESTED, flagd_at(checker, reference->node),
                "write the rule out here, or in the flags",
                "a \"$ref\" inside an evaluator (here to %s) is read differently by each engine",
                flagd_quote(name).text);
}

/* Depth first, without recursion: a chain of evaluators is as long as the document likes. */
static void follow(struct flagd_checker *checker, struct flagd_evaluator *start)
{
    struct flagd_evaluator *at = start;
    at->state = SEARCH_OPEN;
    at->cursor = at->references;
    while (at) {
        struct flagd_reference *reference = at->cursor;
        if (!reference) {
            at->state = SEARCH_DONE;
            at = at->from;
            continue;
        }
        struct flagd_evaluator *to = reference->to;
        at->cursor = reference->next;
        say_nested(checker, at, reference);
        if (to->state == SEARCH_NEW) {
            to->state = SEARCH_OPEN;
            to->cursor = to->references;
            to->from = at;
            at = to;
        }
    }
}

void flagd_check_evaluators_used(struct flagd_checker *checker)
{
    checker->kind = "evaluator";
    for (size_t i = 0; i < checker->evaluator_count; i++) {
        struct flagd_evaluator *evaluator = &checker->evaluators[i];
        if (evaluator->state == SEARCH_NEW)
            follow(checker, evaluator);
        if (evaluator->used)
            continue;
        checker->name = evaluator->node->key;
        flagd_fault(checker, CODE_FLAGD_EVALUATOR_UNUSED, flagd_at_key(checker, evaluator->node),
                    "remove it", "no flag refers to it");
    }
    checker->kind = NULL;
}
