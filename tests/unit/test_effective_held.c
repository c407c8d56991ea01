/* An environment that holds faulty commits back still follows where its rollouts stand. */
#include "../../controller/effective.h"
#include "../../rules/catalog.h"
#include "repositories.h"
#include "rollouts_unit.h"

static struct schema_set *schemas;

static const char *commit_state(enum rollout_course course, size_t phase)
{
    static uint32_t moves;
    struct rollout_state state = state_in(course, phase);
    state.seq += ++moves;
    char *text = state_text(&state);
    write_text("state/production/shop-release.yaml", text);
    free(text);
    return commit("true");
}

/* Whether staff have it, and what the flag "later" is. */
static void expect(struct effective *effective, const char *tip, const char *staff, bool later)
{
    struct context context;
    struct decision decision;
    ck_assert_ok(effective_go(effective, tip, &failure));
    const struct document *document = effective_document(effective, TEXT("production"));
    ck_assert_ptr_nonnull(document);
    ck_assert_int_eq(context_init(&context), STATUS_OK);
    ck_assert_ok(context_read(&context, document->attributes,
                              TEXT("{\"targetingKey\":\"x\",\"email\":\"a@example.com\"}"),
                              &failure));
    evaluate(document_find(document, TEXT("shop")), &context, RIG_NOW, &decision);
    ck_assert_msg(text_is(decision.variant, staff), "got %.*s", (int)decision.variant.length,
                  decision.variant.data);
    ck_assert((document_find(document, TEXT("later")) != NULL) == later);
    context_dispose(&context);
}

START_TEST(a_kill_reaches_an_environment_that_holds)
{
    struct effective effective, fresh;
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    shell("mkdir -p work/flags work/state/production");
    write_text("flags/shop.yaml", ROLLOUT_FLAG);
    shell("cd work && sed -i 's/^metadata: {name: production}$/&\\nspec: {onInvalid: hold}/' "
          "flags/shop.yaml");
    write_text("rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES));
    const char *running = commit_state(COURSE_RUNNING, PHASE_HALF);
    write_text("flags/later.yaml",
               "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: later}\nspec: "
               "{variants: {on: true}, default: on}\n");
    write_text("flags/broken.yaml", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: broken}\n");
    const char *broken = commit("true"), *killed = commit_state(COURSE_KILLED, PHASE_HALF);
    shell("cd work && git rm -q flags/broken.yaml");
    const char *mended = commit("true");
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .clock = &system_clock};
    effective_init(&effective, &parts);
    expect(&effective, running, "on", false);
    expect(&effective, broken, "on", false);
    expect(&effective, killed, "off", false);
    ck_assert(effective.documents.items[0].is_held);
    effective_init(&fresh, &parts); /* as after a restart on an empty disk */
    expect(&fresh, killed, "off", false);
    ck_assert(
        document_equal(fresh.documents.items[0].document, effective.documents.items[0].document));
    expect(&effective, mended, "off", true);
    effective_dispose(&fresh);
    effective_dispose(&effective);
    schema_set_free(schemas);
    end();
}
END_TEST

UNIT_MAIN("effective_held", a_kill_reaches_an_environment_that_holds)
