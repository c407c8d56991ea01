/* The roster of a commit, and what a flag would serve if its rollout stood elsewhere: just what it
 * serves once that was committed. */
#include "../../controller/effective.h"
#include "../../controller/rollout/preview.h"
#include "repositories.h"
#include "rollouts_unit.h"

static struct schema_set *schemas;
static struct effective effective;

static const char *commit_state(const struct rollout_state *state)
{
    char *text = state_text(state);
    write_text("state/production/shop-release.yaml", text);
    free(text);
    return commit("true");
}

static void go(const char *tip)
{
    ck_assert_ok(effective_go(&effective, tip, &failure));
}

static void set_up(void)
{
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    shell("mkdir -p work/flags work/state/production");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    write_text("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    const char *first = commit("true");
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .clock = &system_clock};
    effective_init(&effective, &parts);
    go(first);
}

static void tear_down(void)
{
    effective_dispose(&effective);
    schema_set_free(schemas);
    end();
}

static struct roster *make(struct roster *previous)
{
    struct roster *roster;
    ck_assert_ok(roster_make(&effective.inventory, schemas, mirror_reader(mirror), previous,
                             &roster, &failure));
    return roster;
}

static char *preview(const struct roster *roster, const struct rollout_state *state)
{
    struct buffer out;
    const struct preview_stand stand = {roster_find(roster, TEXT("production/shop-release")),
                                        state};
    const struct preview_task task = {.inventory = &effective.inventory,
                                      .schemas = schemas,
                                      .reader = mirror_reader(mirror),
                                      .roster = roster,
                                      .environment = TEXT("production"),
                                      .flag = TEXT("shop"),
                                      .stands = &stand,
                                      .stand_count = 1};
    buffer_init(&out, 0);
    ck_assert_ptr_nonnull(stand.item);
    ck_assert_ok(preview_flag(&task, &out, &failure));
    buffer_append_char(&out, '\0');
    return out.data;
}

static char *served(void)
{
    struct buffer out;
    const struct document *document = effective_document(&effective, TEXT("production"));
    buffer_init(&out, 0);
    fragment_append_json(document_find(document, TEXT("shop")), &out);
    buffer_append_char(&out, '\0');
    return out.data;
}

START_TEST(what_is_shown_ahead_is_what_a_commit_then_serves)
{
    static const struct {
        enum rollout_course course;
        size_t phase;
    } stands[] = {
        {COURSE_RUNNING, PHASE_STAFF},
        {COURSE_RUNNING, PHASE_TEN},
        {COURSE_RUNNING, PHASE_ALL},
        {COURSE_COMPLETED, PHASE_ALL},
        {COURSE_ROLLED_BACK, PHASE_HALF},
        {COURSE_KILLED, PHASE_HALF},
        {COURSE_PENDING, 0},
    };
    set_up();
    for (size_t i = 0; i < COUNT_OF(stands); i++) {
        struct rollout_state state = state_in(stands[i].course, stands[i].phase);
        state.seq += (uint32_t)i;
        state.ramp = stands[i].phase == PHASE_TEN ? (struct ramp_window){0, RIG_NOW, 86400}
                                                  : (struct ramp_window){0};
        struct roster *roster = make(NULL);
        char *before = served(), *ahead = preview(roster, &state), *again = served();
        ck_assert_str_eq(before, again); /* nothing was changed by asking */
        go(commit_state(&state));
        char *after = served();
        ck_assert_str_eq(ahead, after);
        free(before);
        free(ahead);
        free(again);
        free(after);
        roster_release(roster);
    }
    tear_down();
}
END_TEST

START_TEST(a_roster_knows_where_rollouts_stand)
{
    set_up();
    struct roster *first = make(NULL);
    ck_assert_uint_eq(first->count, 1);
    ck_assert_str_eq(first->items[0].name, "production/shop-release");
    ck_assert_str_eq(first->items[0].path, "state/production/shop-release.yaml");
    ck_assert(!first->items[0].has_file);
    ck_assert_int_eq(first->items[0].state->course, COURSE_PENDING);
    ck_assert_ptr_nonnull(first->items[0].phases);
    write_text("README.md", "nothing of ours\n");
    go(commit("true"));
    struct roster *same = make(first);
    ck_assert_ptr_eq(same, first);
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY);
    go(commit_state(&state));
    struct roster *moved = make(same);
    ck_assert_ptr_ne(moved, same);
    ck_assert(moved->items[0].has_file && !moved->items[0].unreadable);
    ck_assert_int_eq(moved->items[0].state->course, COURSE_RUNNING);
    ck_assert_uint_eq(moved->items[0].state->phase, PHASE_CANARY);
    ck_assert_ptr_eq(roster_of_flag(moved, TEXT("production"), TEXT("shop")), &moved->items[0]);
    ck_assert_ptr_null(roster_of_flag(moved, TEXT("staging"), TEXT("shop")));
    roster_release(first);
    roster_release(same);
    roster_release(moved);
    tear_down();
}
END_TEST

/* Of another rollout, beside the one that state_in() is of. */
#define OTHER                                                                                      \
    "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: other}\nspec: {variants: {on: true, off: "  \
    "false}, default: off}\n---\napiVersion: weir/v1\nkind: Rollout\nmetadata: {name: other}\n"    \
    "spec:\n  flag: other\n  environment: production\n  variant: on\n  control: off\n"             \
    "  phases: " ROLLOUT_PHASES "\n"

static void write_other(size_t phase)
{
    struct rollout rollout = {.name.text = TEXT("other"),
                              .flag.text = TEXT("other"),
                              .environment.text = TEXT("production"),
                              .variant.text = TEXT("on"),
                              .control.text = TEXT("off"),
                              .seed = TEXT("other")};
    struct rollout_state state = state_in(COURSE_RUNNING, phase);
    state.name.text = TEXT("production/other");
    state.rollout = TEXT("other");
    rollout_identity(&rollout, state.identity);
    char *text = state_text(&state);
    write_text("state/production/other.yaml", text);
    free(text);
}

static const struct roster_rollout *find(const struct roster *roster, const char *name)
{
    const struct roster_rollout *item = roster_find(roster, text_of(name));
    ck_assert_ptr_nonnull(item);
    return item;
}

/* Whichever way a roster was come to, it says the same. */
static void is_as_made_from_nothing(const struct roster *roster)
{
    struct roster *whole = make(NULL);
    ck_assert_uint_eq(roster->count, whole->count);
    for (size_t i = 0; i < whole->count; i++) {
        char *ours = state_text(roster->items[i].state), *other = state_text(whole->items[i].state);
        ck_assert_str_eq(roster->items[i].name, whole->items[i].name);
        ck_assert_int_eq(roster->items[i].has_file, whole->items[i].has_file);
        ck_assert_int_eq(roster->items[i].rollout->on_breach, whole->items[i].rollout->on_breach);
        ck_assert_str_eq(ours, other);
        free(ours);
        free(other);
    }
    roster_release(whole);
}

START_TEST(a_roster_shares_what_a_commit_leaves_as_it_was)
{
    set_up();
    write_text("other.yaml", OTHER);
    write_other(PHASE_CANARY);
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY);
    go(commit_state(&state));
    struct roster *first = make(NULL);
    const struct rollout_state *other = find(first, "production/other")->state;
    const struct rollout *rollout = find(first, "production/other")->rollout;
    ck_assert(find(first, "production/other")->has_file);

    state = state_in(COURSE_KILLED, PHASE_TEN); /* one state */
    go(commit_state(&state));
    struct roster *moved = make(first);
    roster_release(first);
    ck_assert_ptr_eq(find(moved, "production/other")->state, other);
    ck_assert_ptr_eq(find(moved, "production/other")->rollout, rollout);
    ck_assert_int_eq(find(moved, "production/shop-release")->state->course, COURSE_KILLED);
    is_as_made_from_nothing(moved);

    write_text("other.yaml", OTHER "  onBreach: pause\n"); /* one definition */
    go(commit("true"));
    struct roster *edited = make(moved);
    roster_release(moved);
    ck_assert_ptr_eq(find(edited, "production/other")->state, other);
    ck_assert_int_eq(find(edited, "production/other")->rollout->on_breach, BREACH_PAUSE);
    is_as_made_from_nothing(edited);

    write_other(PHASE_TEN); /* the other state, and no definition */
    go(commit("true"));
    struct roster *walked = make(edited);
    ck_assert_ptr_eq(find(walked, "production/other")->rollout,
                     find(edited, "production/other")->rollout);
    ck_assert_uint_eq(find(walked, "production/other")->state->phase, PHASE_TEN);
    ck_assert_uint_eq(find(edited, "production/other")->state->phase, PHASE_CANARY);
    is_as_made_from_nothing(walked);
    roster_release(edited);
    roster_release(walked);
    tear_down();
}
END_TEST

START_TEST(a_file_that_weir_did_not_write_so_is_told)
{
    set_up();
    struct rollout_state state = state_in(COURSE_RUNNING, PHASE_CANARY);
    go(commit_state(&state));
    shell("cd work && sed -i 's/^  phase: canary/  phase: half/' "
          "state/production/shop-release.yaml");
    go(commit("true"));
    struct roster *edited = make(NULL);
    ck_assert(edited->items[0].foreign_edit && !edited->items[0].unreadable);
    ck_assert_uint_eq(edited->items[0].state->phase, PHASE_CANARY);
    write_text("state/production/shop-release.yaml", "\t: what is this\n");
    go(commit("true"));
    struct roster *broken = make(edited);
    ck_assert_ptr_ne(broken, edited);
    ck_assert(broken->items[0].unreadable && !broken->items[0].foreign_edit);
    ck_assert_uint_eq(broken->items[0].state->phase, PHASE_CANARY);
    roster_release(edited);
    roster_release(broken);
    tear_down();
}
END_TEST

UNIT_MAIN("preview", what_is_shown_ahead_is_what_a_commit_then_serves,
          a_roster_knows_where_rollouts_stand, a_roster_shares_what_a_commit_leaves_as_it_was,
          a_file_that_weir_did_not_write_so_is_told)
