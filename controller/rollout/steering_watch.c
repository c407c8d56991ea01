/* Flags under bake: which they are, that they are measured, and what is done when one breaks. */
#include <stdlib.h>

#include "../../rules/hash.h"
#include "../log.h"
#include "revert.h"
#include "steering_watch.h"

bool steering_watch_is_baking(const struct watch *watch, int64_t now)
{
    return watch->since && now < watch->since + watch->bake;
}

void steering_watch_free(struct watches *watches)
{
    if (!watches)
        return;
    roster_release(watches->measured);
    free(watches->items);
    free(watches->served);
    free(watches);
}

/* --- which are watched ----------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct watch *)a)->name, ((const struct watch *)b)->name);
}

static bool name_it(struct watch *watch, const char *environment, const struct flag *flag)
{
    struct text name = flag->name.text;
    if (name.length >= sizeof watch->flag || strlen(environment) >= sizeof watch->environment)
        return false;
    *watch = (struct watch){.bake = flag->watch_bake, .exposed = INT64_MAX, .is_sought = true};
    snprintf(watch->environment, sizeof watch->environment, "%s", environment);
    memcpy(watch->flag, name.data, name.length);
    snprintf(watch->name, sizeof watch->name, "%s/flags/%s", watch->environment, watch->flag);
    return true;
}

/* All that the roster's flags come to, those that were there before as they were. NULL without
 * memory; the caller frees the list. */
static struct watch *list(const struct steering *steering, size_t *count)
{
    const struct effective_documents *documents = &steering->parts.effective->documents;
    const struct catalog *catalog = roster_catalog(steering->roster);
    const struct watches *before = steering->watches;
    size_t most = catalog->flag_count ? documents->count : 0;
    *count = 0;
    if (most > WATCHES_MAX / (catalog->flag_count + 1)) {
        log_event(LOG_LEVEL_ERROR, "too_many_watched", "effect", "no flag is watched", NULL);
        most = 0;
    }
    struct watch *items = calloc(most * catalog->flag_count + 1, sizeof *items);
    for (size_t i = 0; items && i < most; i++) {
        for (size_t j = 0; j < catalog->flag_count; j++) {
            struct watch *watch = &items[*count];
            if (!name_it(watch, documents->items[i].environment, catalog->flags[j]))
                continue;
            const struct watch *known =
                before->count ? bsearch(watch, before->items, before->count, sizeof *watch, by_name)
                              : NULL;
            int64_t bake = watch->bake;
            if (known)
                *watch = *known;
            watch->bake = bake;
            watch->known = NULL;
            ++*count;
        }
    }
    if (*count)
        qsort(items, *count, sizeof *items, by_name);
    return items;
}

static void note_served(struct watches *watches, const char *commit, int64_t now)
{
    if (!watches->served)
        watches->served = calloc(WATCH_SERVED_MAX, sizeof *watches->served);
    if (!watches->served)
        return; /* then its committer's time counts */
    if (watches->served_count == WATCH_SERVED_MAX) {
        watches->served_count--;
        memmove(watches->served, watches->served + 1,
                watches->served_count * sizeof *watches->served);
    }
    struct revert_served *served = &watches->served[watches->served_count++];
    served->since = now;
    snprintf(served->commit, sizeof served->commit, "%s", commit);
}

/* A commit that cannot be compared is taken for a person's: what it changed is measured. */
static bool is_of_weir(const struct steering *steering, const char *before)
{
    struct error error = {0};
    bool is_state = false;
    enum status status = before[0] ? watch_is_state(steering->parts.mirror, before,
                                                    steering->commit, &is_state, &error)
                                   : STATUS_OK;
    if (status != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "commit_not_compared", "commit", steering->commit, "error",
                  error.message, NULL);
    return status == STATUS_OK && is_state;
}

/* All of them as the commit in force has them. */
static void note_all(struct steering *steering, const char *before)
{
    const struct effective *at = steering->parts.effective;
    struct watches *watches = steering->watches;
    int64_t now = clock_seconds(steering->parts.clock);
    bool is_asked = false, is_state = false;
    for (size_t i = 0; i < watches->count; i++) {
        struct watch *watch = &watches->items[i];
        if (!is_asked && watch_differs(watch, at)) {
            is_state = is_of_weir(steering, before);
            is_asked = true;
        }
        watch_note(watch, at, is_state, now);
        watches->has_unknown = watches->has_unknown || watch->is_sought;
    }
}

enum status steering_watch_take(struct steering *steering, const char *before, struct error *error)
{
    size_t count;
    if (!steering->parts.effective)
        return STATUS_OK;
    if (!steering->watches)
        steering->watches = calloc(1, sizeof *steering->watches);
    struct watches *watches = steering->watches;
    struct watch *items = watches ? list(steering, &count) : NULL;
    if (!items)
        return error_set(error, STATUS_NO_MEMORY, "no memory for watched flags");
    free(watches->items);
    watches->items = items;
    watches->count = count;
    if (strcmp(before, steering->commit) != 0 && watches->has_begun)
        note_served(watches, steering->commit, clock_seconds(steering->parts.clock));
    watches->has_begun = true;
    note_all(steering, before);
    return STATUS_OK;
}

/* --- what is measured ------------------------------------------------------------------------ */

/* What stands for a flag where rollouts are measured: running, in one phase that exposes everybody.
 * False without memory. */
static bool disguise(const struct watch *watch, const struct flag *flag, struct arena *arena,
                     struct roster_rollout *out)
{
    struct rollout *rollout = ARENA_NEW(arena, struct rollout);
    struct rollout_state *state = ARENA_NEW(arena, struct rollout_state);
    struct phase *phase = ARENA_NEW(arena, struct phase);
    struct text name, environment, short_name;
    /* What was measured before the flag was let go says nothing of it, be it of the same second. */
    uint32_t run = watch->pin_seq < UINT32_MAX ? watch->pin_seq + 1 : UINT32_MAX;
    if (!rollout || !state || !phase || !arena_copy(arena, text_of(watch->name), &name) ||
        !arena_copy(arena, text_of(watch->environment), &environment))
        return false;
    short_name = text_of(name.data + environment.length + 1);
    *phase = (struct phase){.name = TEXT("watch"),
                            .share = SPLIT_TOTAL,
                            .bake = watch->bake,
                            .metrics = flag->watched,
                            .metric_count = flag->watched_count};
    *rollout = (struct rollout){.name.text = short_name,
                                .flag = flag->name,
                                .environment.text = environment,
                                .metrics = flag->watched,
                                .metric_count = flag->watched_count,
                                .on_breach = BREACH_ROLLBACK};
    *state = (struct rollout_state){.name.text = name,
                                    .environment = environment,
                                    .rollout = short_name,
                                    .run = run,
                                    .seq = 1,
                                    .course = COURSE_RUNNING,
                                    .since = watch->since,
                                    .plan = {phase, 1}};
    *out = (struct roster_rollout){
        .rollout = rollout, .phases = &state->plan, .state = state, .name = name.data, .path = ""};
    return true;
}

/* Flags under bake. */
static enum status list_baking_flags(const struct steering *steering, int64_t now,
                                     struct arena *arena, struct roster_rollout *others,
                                     size_t *count)
{
    const struct watches *watches = steering->watches;
    enum status status = STATUS_OK;
    for (size_t i = 0; watches && i < watches->count && status == STATUS_OK; i++) {
        const struct watch *watch = &watches->items[i];
        const struct flag *flag =
            catalog_flag(roster_catalog(steering->roster), text_of(watch->flag));
        if (!flag || !steering_watch_is_baking(watch, now))
            continue;
        if (disguise(watch, flag, arena, &others[*count]))
            ++*count;
        else
            status = STATUS_NO_MEMORY;
    }
    return status;
}

static int by_item_name(const void *a, const void *b)
{
    return strcmp(((const struct roster_rollout *)a)->name,
                  ((const struct roster_rollout *)b)->name);
}

/* Of those under bake, and of those that stand elsewhere than on the tip; *out is NULL where there
 * are none. */
static enum status join(const struct steering *steering, int64_t now, struct roster **out)
{
    const struct roster *roster = steering->roster;
    size_t count = 0, most = steering->watches ? steering->watches->count : 0;
    struct roster_rollout *others = calloc(most + roster->count + 1, sizeof *others);
    struct arena arena;
    *out = NULL;
    arena_init(&arena, 0);
    const struct roster_rollout **stand = steering_stand(steering, &arena);
    enum status status = others && stand ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t i = 0; i < roster->count && status == STATUS_OK; i++) {
        if (stand[i] != &roster->items[i])
            others[count++] = *stand[i];
    }
    if (status == STATUS_OK)
        status = list_baking_flags(steering, now, &arena, others, &count);
    if (status == STATUS_OK && count)
        qsort(others, count, sizeof *others, by_item_name);
    if (status == STATUS_OK && count)
        status = roster_join(steering->roster, others, count, &arena, out);
    else
        arena_dispose(&arena);
    free(others);
    return status;
}

static int64_t exposed_of(const struct steering *steering, const struct roster_rollout *item)
{
    const struct watches *watches = steering->watches;
    const struct roster_rollout *own = roster_find(steering->roster, text_of(item->name));
    struct watch key = {0};
    if (own) {
        size_t index = (size_t)(own - steering->roster->items);
        return steering_is_exposed(steering, index) ? steering->exposures[index].since : INT64_MAX;
    }
    snprintf(key.name, sizeof key.name, "%s", item->name);
    const struct watch *watch =
        bsearch(&key, watches->items, watches->count, sizeof *watch, by_name);
    return watch ? watch->exposed : INT64_MAX;
}

/* Of who is under bake, since when, and where. */
static uint64_t find_key(const struct steering *steering, int64_t now)
{
    const struct watches *watches = steering->watches;
    uint64_t key = 1;
    for (size_t i = 0; i < watches->count; i++) {
        const struct watch *watch = &watches->items[i];
        if (!steering_watch_is_baking(watch, now))
            continue;
        const struct text instants[] = {{(const char *)&watch->since, sizeof watch->since},
                                        {(const char *)&watch->exposed, sizeof watch->exposed},
                                        {(const char *)&watch->bake, sizeof watch->bake},
                                        {(const char *)&watch->pin_seq, sizeof watch->pin_seq}};
        key = hash_text_seeded(text_of(watch->name), key);
        for (size_t j = 0; j < COUNT_OF(instants); j++)
            key = hash_text_seeded(instants[j], key);
    }
    return key;
}

void steering_watch_give(struct steering *steering)
{
    const struct steering_measures *measures = &steering->parts.measures;
    struct watches *watches = steering->watches;
    int64_t now = clock_seconds(steering->parts.clock);
    struct roster *joined = NULL;
    if (join(steering, now, &joined) != STATUS_OK)
        return; /* what is measured stays, and the key says that it is not this */
    struct roster *roster = joined ? joined : steering->roster;
    int64_t *exposed = calloc(roster->count + 1, sizeof *exposed);
    if (!exposed) {
        roster_release(joined);
        return;
    }
    for (size_t i = 0; i < roster->count; i++)
        exposed[i] = exposed_of(steering, &roster->items[i]);
    if (measures->watch)
        measures->watch(measures->self, roster, exposed);
    free(exposed);
    if (!watches) {
        roster_release(joined);
        return;
    }
    roster_release(watches->measured);
    watches->measured = joined;
    watches->key = find_key(steering, now);
}

/* --- a breach -------------------------------------------------------------------------------- */

/* A breaker before all others: no cap keeps it. */
static const struct walk_gate *find_breach(const struct metrics_view *known)
{
    const struct walk_gate *found = NULL;
    for (size_t i = 0; i < known->gate_count; i++) {
        const struct walk_gate *gate = &known->gates[i];
        bool fails = gate->verdict == WALK_FAILURE || gate->silent;
        if (fails && gate->role == METRIC_BREAKER)
            return gate;
        if (fails && gate->role == METRIC_GUARDRAIL && !found)
            found = gate;
    }
    return found;
}

static struct text evidence_of(const struct walk_gate *gate, char *out, size_t size)
{
    struct text why = gate->evidence.length ? gate->evidence
                      : gate->silent        ? TEXT("silent")
                                            : TEXT("failure");
    snprintf(out, size, "%.*s: %.*s", (int)gate->metric.length, gate->metric.data,
             (int)(why.length < 800 ? why.length : 800), why.data);
    return text_of(out);
}

/* Too much was taken back within the hour: this waits for a person. */
static bool is_capped(struct turn *turn, struct watch *watch, const struct roster_rollout *item,
                      const struct walk_gate *gate, struct text evidence)
{
    const struct steering_parts *parts = &turn->steering->parts;
    uint32_t most = parts->blast_cap ? parts->blast_cap : WALK_BLAST_CAP;
    if (gate->role == METRIC_BREAKER)
        return false;
    if (watch->is_capped)
        return true;
    if (steering_count_rollbacks(turn) < most)
        return false;
    watch->is_capped = true;
    log_event(LOG_LEVEL_ERROR, "watch_held", "flag", watch->name, "reason",
              hold_reason_name(HOLD_BLAST), "evidence", evidence.data, NULL);
    const struct walk_decision decision = {
        .kind = WALK_HOLD, .hold = HOLD_BLAST, .evidence = evidence};
    if (parts->tell)
        parts->tell(parts->context, item, &decision, TEXT(""), TEXT("weir"), TEXT(""), evidence);
    return true;
}

/* What it was is served: no flag, where it was none before. */
static enum status take_back(struct turn *turn, struct watch *watch, const struct revert *revert,
                             struct text evidence)
{
    struct override from = {.intent = text_of(revert->intent),
                            .environment = text_of(watch->environment),
                            .flag = text_of(watch->flag),
                            .action = VERB_ROLLBACK,
                            .seq = watch->pin_seq,
                            .by = TEXT("weir"),
                            .evidence = evidence,
                            .fragment = buffer_text(&revert->json),
                            .since = turn->now};
    enum status status = steering_flag_override(turn, &from);
    if (status == STATUS_REFUSED) /* it was, and Git said so */
        snprintf(watch->nothing, sizeof watch->nothing, "%s", turn->steering->commit);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status act(struct turn *turn, struct watch *watch, const struct walk_gate *gate,
                       const struct roster_rollout *item)
{
    struct steering *steering = turn->steering;
    struct watches *watches = steering->watches;
    char words[1024];
    struct text evidence = evidence_of(gate, words, sizeof words);
    struct error error = {0};
    struct revert revert;
    if (is_capped(turn, watch, item, gate, evidence))
        return STATUS_OK;
    const struct revert_task task = {.parts = steering->parts.effective->parts,
                                     .environment = text_of(watch->environment),
                                     .flag = text_of(watch->flag),
                                     .bake = watch->bake,
                                     .now = turn->now,
                                     .served = watches->served,
                                     .served_count = watches->served_count,
                                     .by = TEXT("weir"),
                                     .evidence = evidence};
    revert_init(&revert);
    enum status status = revert_find(&task, steering->commit, &revert, &error);
    if (status == STATUS_OK && revert.kind != REVERT_NOTHING) {
        status = take_back(turn, watch, &revert, evidence);
    } else if (status == STATUS_OK) {
        snprintf(watch->nothing, sizeof watch->nothing, "%s", steering->commit);
        log_event(LOG_LEVEL_WARN, "watch_broke", "flag", watch->name, "evidence", words,
                  "not_taken_back", revert.words, NULL);
    } else {
        log_event(LOG_LEVEL_ERROR, "watch_failed", "flag", watch->name, "error", error.message,
                  NULL);
        status = status == STATUS_NO_MEMORY ? status : STATUS_OK;
    }
    revert_dispose(&revert);
    return status;
}

/* --- a turn ---------------------------------------------------------------------------------- */

static enum status look_at(struct turn *turn, struct watch *watch)
{
    struct steering *steering = turn->steering;
    const struct steering_measures *measures = &steering->parts.measures;
    const struct roster *measured = steering->watches->measured;
    const struct roster_rollout *item =
        measured ? roster_find(measured, text_of(watch->name)) : NULL;
    struct metrics_view *known = item ? ARENA_NEW(turn->arena, struct metrics_view) : NULL;
    if (!item || !measures->view)
        return STATUS_OK;
    enum status status = known ? measures->view(measures->self, item, turn->now, turn->arena, known)
                               : STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        return status;
    watch->known = known;
    const struct walk_gate *gate = find_breach(known);
    if (!gate || strcmp(watch->nothing, steering->commit) == 0 ||
        steering_flag_is_overridden(steering, text_of(watch->environment), text_of(watch->flag)))
        return STATUS_OK;
    return act(turn, watch, gate, item);
}

static void check_exposure(struct turn *turn, struct watch *watch)
{
    if (watch->exposed != INT64_MAX)
        return;
    if (!turn->steering->has_published ||
        steering_is_behind(turn->steering, text_of(watch->environment)))
        turn->is_soon = true;
    else
        watch->exposed = turn->now;
}

/* The latest first: of several that break at once the blast cap lets those go back. */
static int by_since(const void *a, const void *b)
{
    const struct watch *x = *(struct watch *const *)a, *y = *(struct watch *const *)b;
    return x->since != y->since ? (x->since < y->since ? 1 : -1) : strcmp(x->name, y->name);
}

static struct watch **list_baking(struct turn *turn, size_t *count)
{
    struct watches *watches = turn->steering->watches;
    struct watch **baking = ARENA_ARRAY(turn->arena, struct watch *, watches->count + 1);
    *count = 0;
    for (size_t i = 0; baking && i < watches->count; i++) {
        struct watch *watch = &watches->items[i];
        watch->known = NULL;
        if (!steering_watch_is_baking(watch, turn->now))
            continue;
        baking[(*count)++] = watch;
        check_exposure(turn, watch);
        if (watch->since + watch->bake < turn->next)
            turn->next = watch->since + watch->bake;
    }
    if (*count)
        qsort(baking, *count, sizeof(struct watch *), by_since);
    return baking;
}

static void look_back(struct turn *turn)
{
    struct steering *steering = turn->steering;
    struct watches *watches = steering->watches;
    struct error error = {0};
    if (!watches->has_unknown)
        return;
    enum status status = watch_look_back(watches, &steering->parts.effective->parts,
                                         steering->commit, turn->now, &error);
    watches->has_unknown = status != STATUS_OK;
    if (status != STATUS_OK)
        log_event(LOG_LEVEL_ERROR, "watch_failed", "flag", "all", "error", error.message, NULL);
}

enum status steering_watch_turn(struct turn *turn)
{
    struct steering *steering = turn->steering;
    size_t count;
    if (!steering->watches || !steering->watches->count)
        return STATUS_OK;
    look_back(turn);
    struct watch **baking = list_baking(turn, &count);
    if (!baking)
        return STATUS_NO_MEMORY;
    if (find_key(steering, turn->now) != steering->watches->key)
        steering_watch_give(steering);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = look_at(turn, baking[i]);
    return status;
}
