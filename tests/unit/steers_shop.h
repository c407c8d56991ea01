/* steers_shop.h - a rollout of one flag, watched by one metric, for tests of a controller's core:
 * it is set up, walked to where a test begins, asked, and broken. */
#ifndef WEIR_TESTS_STEERS_SHOP_H
#define WEIR_TESTS_STEERS_SHOP_H

#include "steers.h"

#define METRICS                                                                                    \
    "---\napiVersion: weir/v1\nkind: Metric\nmetadata: {name: errors}\nspec:\n"                    \
    "  prometheus: {address: 'http://127.0.0.1:9090', query: up}\n  thresholdRange: {max: 0.01}\n"
#define PHASES                                                                                     \
    "[{name: two, percent: 2, bake: 1h}, {name: ten, percent: 10, bake: 1h}, {name: half, "        \
    "percent: 50, bake: 1w}]"
#define START "  start: 2026-01-01T00:00:00Z\n"
#define WATCHED START "  metrics: [errors]\n"

static struct steers one;
static bool staff;

SHARED void write_rollout(const char *phases, const char *more)
{
    char text[3000];
    snprintf(text, sizeof text,
             "---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: shop-release}\nspec:\n"
             "  flag: shop\n  environment: production\n  variant: on\n  control: off\n  seed: s1\n"
             "  phases: %s\n%s" METRICS,
             phases, more);
    write_text("rollouts.yaml", text);
}

SHARED void set_up(const char *phases, const char *more)
{
    begin();
    log_set_level(LOG_LEVEL_ERROR);
    shell("mkdir -p work/flags");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_rollout(phases, more);
    commit("true");
    steers_measure(WALK_SUCCESS, "");
    steers_open(&one, "one");
    steers_fetch(&one);
    steers_take(&one);
}

SHARED void tear_down(void)
{
    steers_close(&one);
    mirror = NULL;
    end();
}

SHARED unsigned exposed(void)
{
    return steers_exposed(&one, &staff);
}

SHARED struct desk_request do_verb(enum walk_verb_kind verb, const char *by)
{
    struct desk_request request;
    steers_ask(&one, verb, by, &request);
    core_turn(one.core);
    return steers_answer(&one, &request);
}

/* It is asked, and recorded. */
SHARED void do_and_record(enum walk_verb_kind verb)
{
    struct desk_request request = do_verb(verb, "ada");
    ck_assert_msg(request.state == DESK_WAITING || request.state == DESK_SERVED, "%s: %s",
                  walk_verb_name(verb), request.words);
    ck_assert_int_eq(steers_record(&one), RECORDER_ACCEPTED);
    steers_take(&one);
    request = steers_answer(&one, &request);
    ck_assert_msg(request.state == DESK_RECORDED, "%s: %s", walk_verb_name(verb), request.words);
}

SHARED void refuses(enum walk_verb_kind verb, const char *words)
{
    struct desk_request request = do_verb(verb, "ada");
    ck_assert_int_eq(request.state, DESK_REFUSED);
    ck_assert_msg(strstr(request.words, words) != NULL, "%s", request.words);
    ck_assert_ptr_null(one.proposal);
}

SHARED void push_edit(const char *phases, const char *more)
{
    shell("cd work && git pull -q --rebase");
    write_rollout(phases, more);
    commit("true");
    steers_fetch(&one);
    steers_take(&one);
}

SHARED bool shows(const char *words)
{
    const struct rollout_filter all = {0};
    struct buffer out;
    buffer_init(&out, 0);
    ck_assert(steering_write_rollouts(core_steering(one.core), &all, &out));
    buffer_append_char(&out, '\0');
    bool found = strstr(out.data, words) != NULL;
    buffer_dispose(&out);
    return found;
}

/* In its last phase, with half of all. */
SHARED void set_up_half(const char *more)
{
    set_up(PHASES, more);
    for (int i = 0; i < 3; i++) {
        steers_settle(&one);
        pass(3600);
    }
    steers_settle(&one);
    ck_assert_uint_gt(exposed(), 400);
}

SHARED void breaks(enum metric_role role)
{
    steers_measure(WALK_FAILURE, "0.5 > 0.01");
    steers_gate.role = role;
    core_turn(one.core);
}

SHARED void refuse_pushes_of_weir(void)
{
    shell("printf '#!/bin/sh\nread old new ref\n! git log -1 --format=%%%%an $new | grep -q "
          "\"^weir\"\n' >remote.git/hooks/pre-receive && chmod +x remote.git/hooks/pre-receive");
}

#endif
