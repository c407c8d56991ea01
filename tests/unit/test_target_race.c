/* Three controllers, each as far as it is, write one Redis target in any order: they fetch, see
 * breaches, push, adopt, go beyond, are started anew, and the server is emptied. Whatever they do,
 * the digest is of what stands there or claims nothing, and no safe state that was put there is
 * undone before a commit records it; and once they all have fetched, all agree. */
#include "chance.h"
#include "override_site.h"

enum { FLAGS = 3, INTENTS = 24, COMMITS = 40, CONTROLLERS = 3, STEPS = 120, RUNS = 60 };

static const char *const flags[FLAGS] = {"banner", "checkout", "search"};

/* A decision; its number is also that of the run in which it was made. */
struct intent {
    struct override *override;
    char id[65];
    size_t flag;
    uint32_t opened; /* on this commit */
};

struct commit {
    unsigned variant[FLAGS];
    bool recorded[INTENTS];
};

struct controller {
    struct site site;
    uint32_t level, overlay;
    bool knows[INTENTS]; /* open as far as it knows */
};

struct world {
    struct intent intents[INTENTS];
    size_t opened;
    struct commit commits[COMMITS];
    uint32_t tip, pushed; /* the newest; the newest at the target */
    bool put[INTENTS];    /* it was pushed since the server was emptied */
    struct controller controllers[CONTROLLERS];
    struct site *server;
    uint64_t seed, chance;
};

static size_t chance_below(uint64_t *chance, size_t most)
{
    return (size_t)(chance_next(chance) % most);
}

/* --- what a controller serves ---------------------------------------------------------------- */

static void fragment_of(size_t intent, char out[256])
{
    snprintf(out, 256,
             "{\"defaultVariant\":\"off\",\"metadata\":{\"intent\":%zu},\"state\":\"ENABLED\","
             "\"variants\":{\"off\":false,\"on\":true}}",
             intent);
}

static void open_intent(struct world *world, struct controller *controller)
{
    static const enum walk_verb_kind actions[] = {VERB_STEP_BACK, VERB_ROLLBACK, VERB_KILL};
    size_t number = world->opened++;
    struct intent *intent = &world->intents[number];
    char fragment[256];
    fragment_of(number, fragment);
    snprintf(intent->id, sizeof intent->id, "%064zx", number + 1);
    intent->flag = chance_below(&world->chance, FLAGS);
    intent->opened = controller->level;
    struct override like = override_like(intent->id, flags[intent->flag], fragment);
    like.action = actions[chance_below(&world->chance, COUNT_OF(actions))];
    like.run = (uint32_t)number + 1;
    intent->override = override_new(&like);
    ck_assert_ptr_nonnull(intent->override);
    controller->knows[number] = true;
    controller->overlay++;
}

static void write_commit(const struct commit *commit, struct buffer *out)
{
    buffer_append_string(out, "{\"flags\":{");
    for (size_t i = 0; i < FLAGS; i++)
        buffer_printf(out,
                      "%s\"%s\":{\"defaultVariant\":\"on\",\"metadata\":{\"variant\":%u},"
                      "\"state\":\"ENABLED\",\"variants\":{\"off\":false,\"on\":true}}",
                      i ? "," : "", flags[i], commit->variant[i]);
    buffer_append_string(out, "}}");
}

/* Of those that `open` tells, the one that is served for a flag; NULL: none is. */
static struct override *winner(const struct world *world, const bool open[INTENTS], size_t flag)
{
    struct override *best = NULL;
    for (size_t i = 0; i < world->opened; i++)
        if (open[i] && world->intents[i].flag == flag &&
            (!best || override_wins(world->intents[i].override, best)))
            best = world->intents[i].override;
    return best;
}

static size_t number_of(const struct world *world, const struct override *override)
{
    for (size_t i = 0; i < world->opened; i++)
        if (text_is(override->intent, world->intents[i].id))
            return i;
    ck_abort_msg("nobody opened '%s'", override->intent.data);
}

static void drop_recorded(const struct world *world, struct controller *controller)
{
    for (size_t i = 0; i < world->opened; i++) {
        if (!controller->knows[i] || !world->commits[controller->level].recorded[i])
            continue;
        controller->knows[i] = false;
        controller->overlay++;
    }
}

static enum status push(struct world *world, struct controller *controller,
                        struct push_found *found)
{
    struct override *overrides[FLAGS];
    const char *recorded[INTENTS];
    struct serving serving = {.level = controller->level,
                              .overlay = controller->overlay,
                              .overrides = overrides,
                              .recorded = recorded};
    struct buffer json;
    buffer_init(&json, 0);
    write_commit(&world->commits[controller->level], &json);
    serving.json = buffer_string(&json);
    for (size_t i = 0; i < FLAGS; i++) {
        struct override *best = winner(world, controller->knows, i);
        if (best) {
            overrides[serving.count++] = best;
            world->put[number_of(world, best)] = true;
        }
    }
    for (size_t i = 0; i < world->opened; i++)
        if (world->commits[controller->level].recorded[i])
            recorded[serving.recorded_count++] = world->intents[i].id;
    enum status status = give_serving(&controller->site, &serving, found);
    buffer_dispose(&json);
    if (status == STATUS_OK && controller->level > world->pushed)
        world->pushed = controller->level;
    ck_assert_msg(status == STATUS_OK || status == STATUS_REFUSED, "%s",
                  controller->site.error.message);
    return status;
}

/* What core makes of it. True: it has something new to publish. */
static bool take_in(const struct world *world, struct controller *controller,
                    const struct push_found *found)
{
    bool news = false;
    for (size_t i = 0; i < found->count; i++) {
        size_t number = number_of(world, found->overrides[i]);
        if (controller->knows[number] || world->commits[controller->level].recorded[number])
            continue;
        controller->knows[number] = true;
        controller->overlay++;
        news = true;
    }
    if (found->outrun && found->held.overlay >= controller->overlay) {
        controller->overlay = found->held.overlay + 1;
        news = true;
    }
    return news;
}

/* --- what happens ---------------------------------------------------------------------------- */

/* A commit: flags change, or what was decided is recorded, with all that it makes void. */
static void commit_something(struct world *world)
{
    if (world->tip + 1 == COMMITS)
        return;
    struct commit *next = &world->commits[world->tip + 1];
    *next = world->commits[world->tip++];
    size_t flag = chance_below(&world->chance, FLAGS), number;
    next->variant[flag]++;
    if (!world->opened || chance_below(&world->chance, 2))
        return;
    number = chance_below(&world->chance, world->opened);
    for (size_t i = 0; i < world->opened; i++)
        if (world->intents[i].flag == world->intents[number].flag &&
            !override_wins(world->intents[i].override, world->intents[number].override))
            next->recorded[i] = true;
}

static void step(struct world *world, struct push_found *found)
{
    struct controller *controller = &world->controllers[chance_below(&world->chance, CONTROLLERS)];
    switch (chance_below(&world->chance, 12)) {
    case 0:
    case 1:
        commit_something(world);
        break;
    case 2:
        if (world->opened < INTENTS)
            open_intent(world, controller);
        break;
    case 3:
    case 4:
        controller->level = world->tip;
        drop_recorded(world, controller);
        break;
    case 5: /* started anew; its store has what it knew, not how often that changed */
        reopen(&controller->site);
        controller->overlay = 0;
        for (size_t i = 0; i < world->opened; i++)
            controller->overlay += controller->knows[i];
        break;
    case 6:
        if (chance_below(&world->chance, 4) == 0) {
            tell(&world->server->server, "FLUSHALL");
            memset(world->put, 0, sizeof world->put);
            world->pushed = 0;
        }
        break;
    default:
        push(world, controller, found);
        if (chance_below(&world->chance, 3))
            take_in(world, controller, found);
    }
}

/* --- what must be so ------------------------------------------------------------------------- */

static bool is_there(const struct world *world)
{
    redisReply *reply = ask(&world->server->server, "EXISTS {weir:production}:doc");
    bool there = reply->integer == 1;
    freeReplyObject(reply);
    return there;
}

/* For each flag, what stands there is as safe as what was put there and is not recorded. */
static void check_safe(const struct world *world)
{
    bool open[INTENTS] = {false};
    for (size_t i = 0; i < world->opened; i++)
        open[i] = world->put[i] && !world->commits[world->pushed].recorded[i];
    for (size_t i = 0; i < FLAGS; i++) {
        const struct override *best = winner(world, open, i);
        if (!best)
            continue;
        redisReply *reply = ask(&world->server->server, "HGET {weir:production}:doc %s", flags[i]);
        ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
        bool safe = text_is(best->fragment, reply->str);
        /* One that a controller put there since it does not know that it was recorded. */
        for (size_t k = 0; k < world->opened && !safe; k++)
            safe = world->put[k] && world->intents[k].flag == i &&
                   override_wins(world->intents[k].override, best) &&
                   text_is(world->intents[k].override->fragment, reply->str);
        ck_assert_msg(safe, "%s is %s and not %s; run again with SEED=%llu", flags[i], reply->str,
                      best->fragment.data, (unsigned long long)world->seed);
        freeReplyObject(reply);
    }
}

/* All fetch, and push until nobody has news: in a second round, since in the first the last may
 * have put something there. */
static void check_agreement(struct world *world, struct push_found *found)
{
    unsigned quiet = 0;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        world->controllers[i].level = world->tip;
        drop_recorded(world, &world->controllers[i]);
    }
    for (unsigned round = 0; quiet < 2; round++) {
        ck_assert_uint_lt(round, 20);
        bool news = false;
        for (size_t i = 0; i < CONTROLLERS; i++) {
            push(world, &world->controllers[i], found);
            news |= take_in(world, &world->controllers[i], found);
        }
        quiet = news ? 0 : quiet + 1;
    }
    bool open[INTENTS] = {false};
    for (size_t i = 0; i < world->opened; i++)
        for (size_t k = 0; k < CONTROLLERS; k++)
            open[i] |= world->controllers[k].knows[i];
    ck_assert(check_truth(world->server));
    check_safe(world);
    for (size_t i = 0; i < FLAGS; i++) {
        const struct override *best = winner(world, open, i);
        if (best)
            check_field(world->server, "doc", flags[i], best->fragment.data);
    }
    for (size_t i = 0; i < CONTROLLERS; i++)
        ck_assert_msg(push(world, &world->controllers[i], found) == STATUS_OK && !found->merged,
                      "%s; run again with SEED=%llu", world->controllers[i].site.error.message,
                      (unsigned long long)world->seed);
}

static void run(struct site *server, uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    struct push_found found = {0};
    ck_assert_ptr_nonnull(world);
    world->seed = world->chance = seed;
    world->server = server;
    tell(&server->server, "FLUSHALL");
    for (size_t i = 0; i < CONTROLLERS; i++)
        join(&world->controllers[i].site, server);
    for (unsigned i = 0; i < STEPS; i++) {
        step(world, &found);
        if (!is_there(world))
            continue;
        check_truth(server);
        check_safe(world);
    }
    check_agreement(world, &found);
    push_found_dispose(&found);
    for (size_t i = 0; i < CONTROLLERS; i++)
        part(&world->controllers[i].site);
    for (size_t i = 0; i < world->opened; i++)
        override_release(world->intents[i].override);
    free(world);
}

START_TEST(test_any_order)
{
    struct site server;
    const char *told = getenv("SEED");
    if (!make_site(&server))
        return;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        run(&server, told ? strtoull(told, NULL, 10) : seed);
    }
    leave(&server);
}
END_TEST

UNIT_MAIN("target_race", test_any_order)
