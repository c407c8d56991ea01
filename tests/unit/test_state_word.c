/* Which of two words of weir's is the later, and what a file's bytes alone say of that. */
#include "../../rules/state_word.h"
#include "pins.h"
#include "rollouts_unit.h"

START_TEST(a_glance_tells_the_seq_of_what_weir_wrote)
{
    static const uint32_t seqs[] = {0, 1, 7, 4294967295U};
    for (size_t i = 0; i < COUNT_OF(seqs); i++) {
        struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN);
        struct flag_pin pin = pin_of(NULL, true, "off");
        struct approval approval = {.by = TEXT("a\n  seq: 99\n"), .run = 1, .seq = 3};
        uint32_t seq = 12345;
        state.seq = pin.seq = seqs[i];
        state.approvals = &approval;
        state.approval_count = 1;
        char *texts[] = {state_text(&state), pin_text(&pin)};
        for (size_t j = 0; j < COUNT_OF(texts); j++) {
            ck_assert(state_word_glance(text_of(texts[j]), &seq));
            ck_assert_uint_eq(seq, seqs[i]);
            free(texts[j]);
        }
    }
}
END_TEST

START_TEST(a_glance_says_nothing_of_what_others_wrote)
{
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_TEN);
    char *text = state_text(&state);
    uint32_t seq;
    size_t length = strlen(text);
    for (size_t i = 0; i <= length; i++) {
        char byte = text[i];
        assert_each(i == length || !state_word_glance((struct text){text, i}, &seq), "cut at %zu",
                    i);
        text[i] = (char)(byte ^ 1);
        assert_each(i == length || !state_word_glance(text_of(text), &seq), "byte %zu", i);
        text[i] = byte;
    }
    ck_assert(state_word_glance(text_of(text), &seq));
    ck_assert(!state_word_glance((struct text){0}, &seq));
    free(text);
}
END_TEST

START_TEST(the_later_has_the_higher_seq)
{
    struct rollout_state a = state_in(COURSE_KILLED, PHASE_TEN),
                         b = state_in(COURSE_RUNNING, PHASE_ALL);
    struct flag_pin first = pin_of(NULL, true, NULL), second = pin_of(NULL, false, NULL);
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &a));
    b.seq++;
    ck_assert(state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &b, &a));
    ck_assert(!state_word_follows(KIND_FLAG_PIN, &first, &second));
    second.seq++;
    ck_assert(state_word_follows(KIND_FLAG_PIN, &first, &second));
    ck_assert(!state_word_follows(KIND_FLAG_PIN, &second, &first));
}
END_TEST

/* As walk_verb() makes it: the oldest intents go when there are as many as are kept. */
START_TEST(approvals_follow_and_nothing_else_of_the_same_seq)
{
    static char ids[INTENTS_KEPT + 2][INTENT_TEXT_SIZE];
    struct text intents[INTENTS_KEPT + 2];
    struct approval approvals[2] = {{.by = TEXT("ann"), .run = 1, .seq = 7},
                                    {.by = TEXT("bob"), .run = 1, .seq = 7}};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        snprintf(ids[i], sizeof ids[i], "%064zu", i);
        intents[i] = text_of(ids[i]);
    }
    struct rollout_state a = state_in(COURSE_RUNNING, PHASE_TEN), b = a;
    a.intents = b.intents = intents;
    b.approvals = approvals;
    a.intent_count = INTENTS_KEPT - 1;
    b.intent_count = INTENTS_KEPT;
    b.approval_count = 1;
    ck_assert(state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &b, &a));
    b.intents = intents + 2; /* three later */
    b.approval_count = 2;
    ck_assert(state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    b.intents = intents;
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &b)); /* one intent, two approvals */
    b.approval_count = 1;
    approvals[0].seq = 6; /* of another move */
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    approvals[0].seq = 7;
    b.bake = 5;
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
    b.bake = 0;
    b.intent_count = 1; /* those before are lost */
    b.intents = intents + INTENTS_KEPT;
    ck_assert(!state_word_follows(KIND_ROLLOUT_STATE, &a, &b));
}
END_TEST

UNIT_MAIN("state_word", a_glance_tells_the_seq_of_what_weir_wrote,
          a_glance_says_nothing_of_what_others_wrote, the_later_has_the_higher_seq,
          approvals_follow_and_nothing_else_of_the_same_seq)
