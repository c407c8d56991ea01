/* histories.h - histories of states, made object by object without the git program: words of weir,
 * hands that put old ones back, merges; and whether who saw all of it and who begins anew agree. */
#ifndef WEIR_TESTS_HISTORIES_H
#define WEIR_TESTS_HISTORIES_H

#include "../../controller/effective.h"
#include "../../rules/catalog.h"
#include "pins.h"
#include "repositories.h"
#include "rollouts_unit.h"

#define STATE_PATH "state/production/shop-release.yaml"
#define PIN_PATH "state/production/flags/shop.yaml"

static struct schema_set *schemas;
static git_repository *objects;
static int64_t moment;

static inline void begin_history(void)
{
    struct error error;
    begin();
    schemas = catalog_schemas(&error);
    ck_assert_ptr_nonnull(schemas);
    moment = RIG_NOW;
    ck_assert_int_eq(git_repository_open(&objects, below(root, "remote.git")), 0);
    ck_assert_ok(mirror_open_local(below(root, "remote.git"), &mirror, &failure));
}

static inline void end_history(void)
{
    git_repository_free(objects);
    schema_set_free(schemas);
    end();
}

/* What a commit changes: a file, or (no text) that it is gone. */
struct file_text {
    const char *path, *text;
};

/* Of no parents, one or two (the tree is that of the first, but for the changes); the name of the
 * commit, in a ring of 64. */
SHARED const char *commit_on(const char *const *parents, size_t parent_count,
                             const struct file_text *files, size_t count)
{
    static char names[64][COMMIT_TEXT_SIZE];
    static unsigned next;
    git_commit *before[2] = {NULL, NULL};
    git_tree *base = NULL, *tree = NULL;
    git_tree_update updates[8];
    git_signature *who;
    git_oid id;
    char *name = names[next++ % 64];
    memset(updates, 0, sizeof updates);
    for (size_t i = 0; i < count; i++) {
        updates[i].path = files[i].path;
        updates[i].action = files[i].text ? GIT_TREE_UPDATE_UPSERT : GIT_TREE_UPDATE_REMOVE;
        updates[i].filemode = GIT_FILEMODE_BLOB;
        if (files[i].text)
            ck_assert_int_eq(git_blob_create_from_buffer(&updates[i].id, objects, files[i].text,
                                                         strlen(files[i].text)),
                             0);
    }
    for (size_t i = 0; i < parent_count; i++) {
        ck_assert_int_eq(git_oid_fromstr(&id, parents[i]), 0);
        ck_assert_int_eq(git_commit_lookup(&before[i], objects, &id), 0);
    }
    if (parent_count)
        ck_assert_int_eq(git_commit_tree(&base, before[0]), 0);
    ck_assert_int_eq(git_tree_create_updated(&id, objects, base, count, updates), 0);
    ck_assert_int_eq(git_tree_lookup(&tree, objects, &id), 0);
    ck_assert_int_eq(git_signature_new(&who, "A", "a@example.com", moment++, 0), 0);
    ck_assert_int_eq(git_commit_create(&id, objects, NULL, who, who, NULL, "change", tree,
                                       parent_count, (const git_commit **)before),
                     0);
    git_oid_tostr(name, COMMIT_TEXT_SIZE, &id);
    git_signature_free(who);
    git_tree_free(tree);
    git_tree_free(base);
    git_commit_free(before[0]);
    git_commit_free(before[1]);
    return name;
}

static inline const char *commit_one(const char *parent, const char *path, const char *text)
{
    const struct file_text file = {path, text};
    return commit_on(&parent, 1, &file, 1);
}

static inline const char *merge(const char *first, const char *second, const char *path,
                                const char *text)
{
    const char *const parents[] = {first, second};
    const struct file_text file = {path, text};
    return commit_on(parents, 2, &file, path ? 1 : 0);
}

/* The flag and its rollout, and somewhere a state. */
static inline const char *commit_first(const char *state)
{
    const struct file_text files[] = {{"flags/shop.yaml", ROLLOUT_FLAG},
                                      {"rollouts.yaml", ROLLOUT("shop-release", ROLLOUT_PHASES)},
                                      {STATE_PATH, state}};
    return commit_on(NULL, 0, files, state ? 3 : 2);
}

static inline struct effective begin_anew(const char *cache)
{
    struct effective effective;
    const struct effective_parts parts = {
        .mirror = mirror, .schemas = schemas, .cache = cache, .clock = &system_clock};
    effective_init(&effective, &parts);
    return effective;
}

/* --- where it stands -------------------------------------------------------------------------- */

static inline const struct entry *state_entry(const struct effective *effective)
{
    return inventory_find(&effective->inventory, KIND_ROLLOUT_STATE,
                          TEXT("production/shop-release"));
}

/* The file in force, in one of two buffers; empty: none. */
static inline const char *text_in_force(const struct effective *effective)
{
    static char texts[2][16384];
    static unsigned next;
    char *text = texts[next++ % 2];
    const struct entry *entry = state_entry(effective);
    struct file_reader reader = mirror_reader(mirror);
    struct buffer bytes;
    buffer_init(&bytes, 0);
    if (entry && entry->in_force)
        ck_assert_int_eq(reader.read(reader.context, entry->in_force->source->path,
                                     &entry->in_force->source->blob, &bytes),
                         STATUS_OK);
    snprintf(text, sizeof texts[0], "%.*s", (int)bytes.length, bytes.length ? bytes.data : "");
    buffer_dispose(&bytes);
    return text;
}

/* What weir goes on from. */
static inline uint32_t seq_in_force(const struct effective *effective)
{
    const struct entry *entry = state_entry(effective);
    const char *seq = strstr(text_in_force(effective), "\n  seq: ");
    if (entry && entry->edit)
        return entry->edit->seq;
    return seq ? (uint32_t)strtoul(seq + 8, NULL, 10) : 0;
}

static inline void expect_alike(struct effective *a, struct effective *b, const char *what)
{
    struct arena arena;
    struct exception *of_a, *of_b;
    size_t count_a, count_b;
    arena_init(&arena, 0);
    const struct document *one = effective_document(a, TEXT("production")),
                          *other = effective_document(b, TEXT("production"));
    ck_assert_msg((one != NULL) == (other != NULL), "%s: served or not", what);
    ck_assert_msg(!one || document_equal(one, other), "%s: served otherwise", what);
    ck_assert_str_eq(text_in_force(a), text_in_force(b));
    ck_assert_msg(seq_in_force(a) == seq_in_force(b), "%s: %u and %u", what, seq_in_force(a),
                  seq_in_force(b));
    ck_assert_int_eq(reconcile_exceptions(&a->inventory, &arena, &of_a, &count_a), STATUS_OK);
    ck_assert_int_eq(reconcile_exceptions(&b->inventory, &arena, &of_b, &count_b), STATUS_OK);
    ck_assert_msg(count_a == count_b, "%s: %zu and %zu exceptions", what, count_a, count_b);
    for (size_t i = 0; i < count_a; i++) {
        ck_assert_int_eq(of_a[i].kind, of_b[i].kind);
        ck_assert_int_eq(memcmp(&of_a[i].blob, &of_b[i].blob, sizeof of_a[i].blob), 0);
        ck_assert_int_eq(memcmp(&of_a[i].edit, &of_b[i].edit, sizeof of_a[i].edit), 0);
    }
    ck_assert_msg(a->result.whole == b->result.whole, "%s: whole or not", what);
    arena_dispose(&arena);
}

#endif
