/* The roster of a commit, and what a flag would serve if its rollout stood elsewhere: just what it
 * serves once that was committed. */
#include "../../controller/effective.h"
#include "../../controller/rollout/preview.h"
#include "repositories.h"
#include "rollouts_unit.h"

static struct schema_set *schemas;
static struct effective effective;

static void write_text(const char *path, const char *text)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/work/%s", root, path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

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
    const struct preview_task task = {&effective.inventory,
                                      schemas,
                                      mirror_reader(mirror),
                                      roster,
                                      roster_find(roster, TEXT("production/shop-release")),
                                      state};
    buffer_init(&out, 0);
    ck_assert_ptr_nonnull(task.item);
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
          a_roster_knows_where_rollouts_stand, a_file_that_weir_did_not_write_so_is_told)
