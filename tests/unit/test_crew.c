/* Many hands: what comes out is what one would have made, byte for byte and fault for fault. */
#include "../../controller/threads.h"
#include "rules_unit.h"

#define FILES 700
enum what { GOOD, BAD_FILES, BAD_SEEDS };

/* One hand that does the parts in the wrong order: what depends on the order shows at once. */
static void run_backwards(const struct crew *crew, unsigned parts,
                          void (*work)(void *context, unsigned part), void *context)
{
    (void)crew;
    while (parts--)
        work(context, parts);
}

#define HEAD "apiVersion: weir/v1\nkind: Flag\n"

static void write_good(char *yaml, size_t size, unsigned i, const char *seed)
{
    snprintf(yaml, size,
             HEAD "metadata: {name: f%u}\nspec:\n  variants: {on: true, off: false}\n"
                  "  default: off\n  rules:\n    - {when: {segment: s%u}, serve: on}\n"
                  "    - {when: {attribute: n%u, gt: 3}, serve: off}\n"
                  "    - {split: {on: 25, off: 75}, bucketBy: k%u, seed: \"%s\"}\n",
             i, i % 40, i % 7, i % 90, seed);
}

static void write_bad(char *yaml, size_t size, unsigned i)
{
    if (i % 3 == 0) /* no YAML */
        snprintf(yaml, size, HEAD "\tmetadata: %u\n", i);
    else if (i % 3 == 1) /* not by the schema */
        snprintf(yaml, size, HEAD "metadata: {name: f%u}\nspec: {variants: {on: 1}}\n", i);
    else /* does not link */
        snprintf(yaml, size,
                 HEAD "metadata: {name: f%u}\nspec:\n  variants: {on: true}\n  default: on\n"
                      "  rules: [{when: {segment: nobody}, serve: on}]\n",
                 i);
}

/* Segments, and attributes that only some flags ask for. */
static void add_files(struct rig *rig, enum what what)
{
    rig_add(rig, "environments/all.yaml",
            TEXT("apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"
                 "spec: {evaluators: [weir, flagd, js]}\n"));
    for (unsigned i = 0; i < 40; i++) {
        char yaml[300], path[64];
        snprintf(path, sizeof path, "segments/s%u.yaml", i);
        snprintf(yaml, sizeof yaml,
                 "apiVersion: weir/v1\nkind: Segment\nmetadata: {name: s%u}\nspec: {match: "
                 "{attribute: a%u.b, is: x}, include: [u%u]}\n",
                 i, i, i);
        rig_add(rig, path, text_of(yaml));
    }
    for (unsigned i = 0; i < FILES; i++) {
        char yaml[500], path[64];
        snprintf(path, sizeof path, "flags/f%03u.yaml", i);
        if (what == BAD_FILES && i % 50 == 3)
            write_bad(yaml, sizeof yaml, i);
        else
            write_good(yaml, sizeof yaml, i, what == BAD_SEEDS && i % 60 == 5 ? "\xc3\xa9" : "s");
        rig_add(rig, path, text_of(yaml));
    }
}

struct outcome {
    char digest[DIGEST_TEXT_SIZE];
    struct buffer story, document;
    size_t slots;
};

static void make(struct outcome *out, const struct crew *crew, enum what what)
{
    struct rig rig;
    rig_init(&rig);
    rig.crew = crew;
    add_files(&rig, what);
    *out = (struct outcome){0};
    buffer_init(&out->story, 0);
    buffer_init(&out->document, 0);
    ck_assert_int_eq(rig_link(&rig), what == BAD_FILES ? STATUS_INVALID : STATUS_OK);
    if (what == BAD_SEEDS)
        ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_INVALID);
    if (what == GOOD) {
        ck_assert_msg(rig_compile(&rig, "production", NULL) == STATUS_OK, "%s", rig_story(&rig));
        document_digest_text(rig.document, out->digest);
        document_write(rig.document, &out->document);
        out->slots = rig.document->attributes->slots;
        ck_assert_uint_eq(rig.document->count, FILES);
    }
    diagnostics_write_json(&out->story, &rig.faults);
    rig_dispose(&rig);
}

static void expect_same(const struct crew *crew, enum what what)
{
    struct outcome alone, together;
    make(&alone, NULL, what);
    make(&together, crew, what);
    ck_assert_str_eq(alone.digest, together.digest);
    ck_assert_uint_eq(alone.slots, together.slots);
    ck_assert(text_equal(buffer_text(&alone.story), buffer_text(&together.story)));
    ck_assert(text_equal(buffer_text(&alone.document), buffer_text(&together.document)));
    ck_assert_uint_gt(alone.story.length, what == GOOD ? 0 : 1500);
    buffer_dispose(&alone.story);
    buffer_dispose(&alone.document);
    buffer_dispose(&together.story);
    buffer_dispose(&together.document);
}

START_TEST(the_order_of_the_parts_changes_nothing)
{
    struct crew backwards = {.size = 3, .run = run_backwards};
    for (int what = GOOD; what <= BAD_SEEDS; what++)
        expect_same(&backwards, (enum what)what);
}
END_TEST

START_TEST(threads_make_what_one_makes)
{
    for (unsigned size = 1; size <= 9; size += 4) {
        struct crew crew = threads_crew(size);
        ck_assert_uint_eq(crew.size, size);
        for (int what = GOOD; what <= BAD_SEEDS; what++)
            expect_same(&crew, (enum what)what);
    }
    ck_assert_uint_ge(threads_crew(0).size, 1);
    ck_assert_uint_eq(threads_crew(100000).size, THREADS_MOST);
}
END_TEST

/* With what was compiled before at hand: only what changed is new. */
START_TEST(fragments_are_shared_by_many_hands_too)
{
    struct crew crew = threads_crew(4);
    struct rig rig;
    rig_init(&rig);
    rig.crew = &crew;
    add_files(&rig, GOOD);
    ck_assert_int_eq(rig_link(&rig), STATUS_OK);
    ck_assert_int_eq(rig_compile(&rig, "production", NULL), STATUS_OK);
    struct document *before = rig.document;
    ck_assert_int_eq(rig_compile(&rig, "production", before), STATUS_OK);
    for (size_t i = 0; i < before->count; i++)
        ck_assert_ptr_eq(document_at(before, i), document_at(rig.document, i));
    document_release(before);
    rig_dispose(&rig);
}
END_TEST

/* So many faults that the memory for telling them ends: it ends for all at the same one. */
START_TEST(limits_do_not_depend_on_the_hands)
{
    struct crew crews[] = {{.size = 1}, threads_crew(2), threads_crew(8)};
    for (size_t i = 0; i < COUNT_OF(crews); i++) {
        struct rig rig;
        char path[8100], yaml[2000];
        size_t length = (size_t)snprintf(yaml, sizeof yaml, RIG_PRODUCTION "spec:\n");
        rig_init(&rig);
        rig.crew = i ? &crews[i] : NULL;
        for (unsigned field = 0; field < 40; field++)
            length += (size_t)snprintf(yaml + length, sizeof yaml - length, "  zz%u: 1\n", field);
        for (unsigned file = 0; file < 300; file++) {
            snprintf(path, sizeof path, "flags/%08000u%u.yaml", 0U, file);
            rig_add(&rig, path, text_of(yaml));
        }
        ck_assert_int_eq(rig_link(&rig), STATUS_NO_MEMORY);
        rig_dispose(&rig);
    }
}
END_TEST

struct tally {
    _Atomic unsigned done[1000];
};

static void count_part(void *context, unsigned part)
{
    struct tally *tally = context;
    tally->done[part]++;
}

START_TEST(each_part_is_done_once)
{
    for (unsigned parts = 0; parts <= 1000; parts += 250) {
        static struct tally tally;
        struct crew crew = threads_crew(7);
        memset(&tally, 0, sizeof tally);
        crew_run(&crew, parts, count_part, &tally);
        for (unsigned i = 0; i < 1000; i++)
            ck_assert_uint_eq(tally.done[i], i < parts);
    }
    ck_assert_uint_eq(crew_parts(NULL, 100000, 1), 1);
    struct crew two = {.size = 2};
    ck_assert_uint_eq(crew_parts(&two, 100000, 64), 8);
    ck_assert_uint_eq(crew_parts(&two, 130, 64), 2);
    ck_assert_uint_eq(crew_parts(&two, 0, 64), 1);
    struct crew all = {.size = 100000};
    ck_assert_uint_eq(crew_parts(&all, 10000000, 64), CREW_MOST_PARTS);
}
END_TEST

UNIT_MAIN("crew", the_order_of_the_parts_changes_nothing, threads_make_what_one_makes,
          fragments_are_shared_by_many_hands_too, limits_do_not_depend_on_the_hands,
          each_part_is_done_once)
