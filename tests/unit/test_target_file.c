#include "overrides.h"

#include <dirent.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "../../controller/write_file.h"

#define ONE_FLAG "{\"flags\":{\"checkout\":" FLAG("on") "}}\n"
#define OTHER_FLAG "{\"flags\":{\"checkout\":" FLAG("off") "}}\n"
/* As long as ONE_FLAG and not the same. */
#define EQUAL_SIZE "{\"flags\":{\"checkouT\":" FLAG("on") "}}\n"

struct site {
    char root[64], path[128], meta[160];
    struct reach reach;
    struct target_definition definition;
    void *state;
    const struct target_driver *driver;
    struct error error;
};

static void reopen(struct site *site)
{
    if (site->state)
        site->driver->close(site->state);
    site->state = site->driver->open(&site->definition, &site->reach, &system_clock);
    ck_assert_ptr_nonnull(site->state);
}

static void make_site(struct site *site, const char *location)
{
    *site = (struct site){0};
    make_folder(site->root);
    snprintf(site->path, sizeof site->path, "%s/%s", site->root, location);
    snprintf(site->meta, sizeof site->meta, "%s.meta.json", site->path);
    site->reach.base = site->root;
    site->definition = (struct target_definition){.name = (char[]){"files"},
                                                  .environment = (char[]){"production"},
                                                  .location = strdup(location),
                                                  .type = TARGET_FILE};
    site->driver = target_driver(TARGET_FILE);
    ck_assert_ptr_nonnull(site->driver);
    reopen(site);
}

static void leave(struct site *site)
{
    site->driver->close(site->state);
    free(site->definition.location);
    remove_folder(site->root);
}

static enum status give(struct site *site, struct snapshot *snapshot)
{
    const struct push push = push_of(snapshot);
    site->error = (struct error){0};
    return site->driver->push(site->state, &push, &site->error);
}

static void check_given(struct site *site, struct snapshot *snapshot)
{
    enum status status = give(site, snapshot);
    ck_assert_msg(status == STATUS_OK, "%s", site->error.message);
}

static void check_meta(const struct site *site, const struct snapshot *snapshot)
{
    char digest[DIGEST_TEXT_SIZE], generation[GENERATION_TEXT_SIZE], expected[512];
    digest_of(snapshot, digest);
    generation_format(snapshot->generation, generation);
    snprintf(expected, sizeof expected,
             "{\"commit\":\"%s\",\"digest\":\"%s\",\"environment\":\"production\",\"generation\":"
             "\"%s\"}\n",
             snapshot->commit, digest, generation);
    check_file(site->meta, expected);
}

static struct snapshot *snapshot_of(const char *json, uint32_t level, const char *commit)
{
    return make_snapshot("production", make_document(json), level, commit);
}

static ino_t inode_of(const char *path)
{
    struct stat about;
    ck_assert_int_eq(lstat(path, &about), 0);
    return about.st_ino;
}

static unsigned entries_of(const char *folder)
{
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    unsigned count = 0;
    for (const struct dirent *entry; (entry = readdir(entries));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

START_TEST(test_document_and_meta)
{
    struct site site;
    make_site(&site, "eu/flags.json");
    umask(077);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    check_given(&site, snapshot);
    check_file(site.path, ONE_FLAG);
    check_meta(&site, snapshot);
    struct stat about;
    ck_assert_int_eq(stat(site.path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 07777, 0644);
    ck_assert_int_eq(stat(site.meta, &about), 0);
    ck_assert_uint_eq(about.st_mode & 07777, 0644);
    ck_assert_uint_eq(entries_of(below(site.root, "eu")), 2);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

/* What is served before Git says so is named beside it, as long as that is so. */
START_TEST(test_open_overrides_are_named)
{
    struct site site;
    struct buffer meta;
    make_site(&site, "eu/flags.json");
    buffer_init(&meta, 0);
    for (uint32_t open = 0; open < 3; open++) {
        struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
        snapshot->generation.overlay = open;
        if (open == 1)
            set_two_overrides(snapshot);
        check_given(&site, snapshot);
        buffer_clear(&meta);
        ck_assert(slurp(site.meta, &meta));
        const char *named = strstr(buffer_string(&meta), ",\"overrides\":[");
        if (open == 1)
            ck_assert_str_eq(named, ",\"overrides\":[\"" INTENT_A "\",\"" INTENT_B "\"]}\n");
        else
            check_meta(&site, snapshot);
        /* What it wrote it understands. */
        snapshot->generation.overlay = 0;
        ck_assert_int_eq(give(&site, snapshot), open ? STATUS_REFUSED : STATUS_OK);
        snapshot_release(snapshot);
    }
    buffer_dispose(&meta);
    leave(&site);
}
END_TEST

START_TEST(test_newer_replaces_older)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *old = snapshot_of(ONE_FLAG, 7, COMMIT_A),
                    *new = snapshot_of(OTHER_FLAG, 8, COMMIT_B);
    check_given(&site, old);
    check_given(&site, new);
    check_file(site.path, OTHER_FLAG);
    check_meta(&site, new);
    snapshot_release(old);
    snapshot_release(new);
    leave(&site);
}
END_TEST

START_TEST(test_older_never_replaces_newer)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *old = snapshot_of(ONE_FLAG, 7, COMMIT_A),
                    *new = snapshot_of(OTHER_FLAG, 8, COMMIT_B);
    check_given(&site, new);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(give(&site, old), STATUS_REFUSED);
        ck_assert_ptr_nonnull(strstr(site.error.message, "holds a newer generation"));
        ck_assert_ptr_null(site.driver->code(site.state));
        check_file(site.path, OTHER_FLAG);
        check_meta(&site, new);
        reopen(&site); /* the same when nothing is remembered */
    }
    snapshot_release(old);
    snapshot_release(new);
    leave(&site);
}
END_TEST

START_TEST(test_what_is_there_is_not_written_again)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    check_given(&site, snapshot);
    ino_t document = inode_of(site.path), meta = inode_of(site.meta);
    check_given(&site, snapshot);
    reopen(&site);
    check_given(&site, snapshot);
    ck_assert_uint_eq(inode_of(site.path), document);
    ck_assert_uint_eq(inode_of(site.meta), meta);
    /* A commit that changes no flag renews the meta alone. */
    struct snapshot *next = snapshot_of(ONE_FLAG, 8, COMMIT_B);
    check_given(&site, next);
    ck_assert_uint_eq(inode_of(site.path), document);
    check_meta(&site, next);
    snapshot_release(snapshot);
    snapshot_release(next);
    leave(&site);
}
END_TEST

START_TEST(test_damage_is_repaired)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    static const char *const damages[] = {EQUAL_SIZE, "", ONE_FLAG "x", NULL};
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        for (int remembered = 0; remembered < 2; remembered++) {
            check_given(&site, snapshot);
            if (damages[i])
                spill(site.path, damages[i]);
            else
                ck_assert_int_eq(unlink(site.path), 0);
            if (!remembered)
                reopen(&site);
            check_given(&site, snapshot);
            check_file(site.path, ONE_FLAG);
        }
    }
    static const char *const metas[] = {
        "", "{", "[]", "{\"generation\":7}", "{\"generation\":\"ffff\"}", NULL};
    for (size_t i = 0; i < COUNT_OF(metas); i++) {
        if (metas[i])
            spill(site.meta, metas[i]);
        else
            ck_assert_int_eq(unlink(site.meta), 0);
        check_given(&site, snapshot);
        check_meta(&site, snapshot);
    }
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

/* A writer that died after the document and before the meta. The next commit takes its change back:
 * the meta that it left names that very digest, and the sizes are equal. */
START_TEST(test_a_crash_between_the_two_files)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *first = snapshot_of(ONE_FLAG, 7, COMMIT_A),
                    *third = snapshot_of(ONE_FLAG, 9, COMMIT_B);
    check_given(&site, first);
    spill(site.path, EQUAL_SIZE);
    reopen(&site);
    check_given(&site, third);
    check_file(site.path, ONE_FLAG);
    check_meta(&site, third);
    snapshot_release(first);
    snapshot_release(third);
    leave(&site);
}
END_TEST

START_TEST(test_leftovers_of_a_crash_are_removed)
{
    struct site site;
    make_site(&site, "flags.json");
    spill(below(site.root, ".flags.json.tmp.0123456789abcdef"), "half");
    spill(below(site.root, ".flags.json.meta.json.tmp.0123456789abcdef"), "half");
    /* These are not its own. */
    spill(below(site.root, ".flags.json.tmp.0123"), "kept");
    spill(below(site.root, ".other.json.tmp.0123456789abcdef"), "kept");
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    check_given(&site, snapshot);
    ck_assert_uint_eq(entries_of(site.root), 4);
    check_file(below(site.root, ".flags.json.tmp.0123"), "kept");
    check_file(below(site.root, ".other.json.tmp.0123456789abcdef"), "kept");
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_links_are_replaced_and_not_written_through)
{
    struct site site;
    make_site(&site, "flags.json");
    char outside[64];
    make_folder(outside);
    spill(below(outside, "precious"), "untouched");
    spill(below(outside, "meta"), "{\"generation\":\"ffffffffffffffffffffffffffffffff\"}");
    ck_assert_int_eq(symlink(below(outside, "precious"), site.path), 0);
    ck_assert_int_eq(symlink(below(outside, "meta"), site.meta), 0);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    check_given(&site, snapshot);
    check_file(below(outside, "precious"), "untouched");
    check_file(below(outside, "meta"), "{\"generation\":\"ffffffffffffffffffffffffffffffff\"}");
    struct stat about;
    ck_assert_int_eq(lstat(site.path, &about), 0);
    ck_assert(S_ISREG(about.st_mode));
    check_file(site.path, ONE_FLAG);
    check_meta(&site, snapshot);
    snapshot_release(snapshot);
    remove_folder(outside);
    leave(&site);
}
END_TEST

static void check_not_allowed(const char *location, const char *why)
{
    struct site site;
    make_site(&site, location);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    ck_assert_int_eq(give(&site, snapshot), STATUS_REFUSED);
    ck_assert_msg(strstr(site.error.message, why), "%s", site.error.message);
    ck_assert_str_eq(site.driver->code(site.state), "W501");
    ck_assert_uint_eq(entries_of(site.root), 0);
    snapshot_release(snapshot);
    leave(&site);
}

START_TEST(test_paths_that_are_not_allowed)
{
    check_not_allowed("../flags.json", "'..'");
    check_not_allowed("/etc/weir-flags.json", "outside the allowed folders");
    check_not_allowed("flags.json.meta.json", "keeps for itself");
    char name[250];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    check_not_allowed(name, "longer than");
}
END_TEST

START_TEST(test_what_is_in_the_way_fails_and_is_kept)
{
    struct site site;
    make_site(&site, "flags.json");
    ck_assert_int_eq(mkdir(site.path, 0755), 0);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    ck_assert_int_eq(give(&site, snapshot), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "'flags.json'"));
    ck_assert_uint_eq(entries_of(site.root), 1);
    ck_assert_int_eq(rmdir(site.path), 0);
    check_given(&site, snapshot);
    check_file(site.path, ONE_FLAG);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

START_TEST(test_a_folder_that_is_not_writable)
{
    struct site site;
    make_site(&site, "flags.json");
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    ck_assert_int_eq(chmod(site.root, 0555), 0);
    /* Root may write anywhere: this part is for others. */
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    enum status status = give(&site, snapshot);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(site.root, 0755), 0);
    ck_assert_int_ne(status, STATUS_OK);
    ck_assert_int_eq(site.error.status, STATUS_SYSTEM);
    check_given(&site, snapshot);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

/* Readers in another process see whole documents only, whatever a writer does at that time. */
START_TEST(test_readers_never_see_half_a_document)
{
    struct site site;
    make_site(&site, "flags.json");
    struct buffer wide;
    buffer_init(&wide, 0);
    buffer_append_string(&wide, "{\"flags\":{");
    for (int i = 0; i < 2000; i++)
        buffer_printf(&wide, "%s\"flag-%04d\":" FLAG("on"), i ? "," : "", i);
    buffer_append_string(&wide, "}}\n");
    struct document *documents[2] = {make_document(ONE_FLAG), make_document(buffer_string(&wide))};
    struct snapshot *snapshot =
        make_snapshot("production", document_reference(documents[0]), 1, COMMIT_A);
    check_given(&site, snapshot);
    snapshot_release(snapshot);
    /* It writes until the reader has seen enough and closes its end. */
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        struct pollfd reader = {.fd = ends[0], .events = POLLIN};
        close(ends[1]);
        for (uint32_t i = 0; i < 60 || poll(&reader, 1, 0) == 0; i++) {
            snapshot =
                make_snapshot("production", document_reference(documents[i & 1]), i + 2, COMMIT_A);
            if (give(&site, snapshot) != STATUS_OK)
                _exit(1);
            snapshot_release(snapshot);
        }
        _exit(0);
    }
    close(ends[0]);
    for (unsigned reads = 0; reads < 500; reads++) {
        struct buffer seen;
        buffer_init(&seen, 0);
        ck_assert(slurp(site.path, &seen));
        ck_assert(text_is(buffer_text(&seen), ONE_FLAG) ||
                  text_equal(buffer_text(&seen), buffer_text(&wide)));
        buffer_dispose(&seen);
    }
    close(ends[1]);
    int result = -1;
    ck_assert_int_eq(waitpid(writer, &result, 0), writer);
    ck_assert_int_eq(result, 0);
    document_release(documents[0]);
    document_release(documents[1]);
    buffer_dispose(&wide);
    leave(&site);
}
END_TEST

/* Two writers of one file take turns, so that the older of them cannot finish last. */
START_TEST(test_writers_lock_the_folder)
{
    struct site site;
    make_site(&site, "flags.json");
    int folder = open(site.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
    ck_assert_int_eq(flock(folder, LOCK_EX), 0);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        close(folder);
        ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
        _exit(give(&site, snapshot) == STATUS_OK ? 0 : 1);
    }
    char byte;
    ck_assert_int_eq((int)read(ends[0], &byte, 1), 1);
    /* As long as we write with the lock held, the other has not. */
    for (uint32_t i = 0; i < 200; i++) {
        spill(below(site.root, "busy"), "x");
        ck_assert_int_ne(access(site.path, F_OK), 0);
    }
    ck_assert_int_eq(unlink(below(site.root, "busy")), 0);
    close(folder);
    int result = 0;
    ck_assert_int_eq(waitpid(writer, &result, 0), writer);
    ck_assert_int_eq(result, 0);
    check_file(site.path, ONE_FLAG);
    close(ends[0]);
    close(ends[1]);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

/* Each look at this clock is ten seconds after the one before. */
static int64_t hasty_monotonic(void *self)
{
    int64_t *now = self;
    return *now += 10 * NANOSECONDS_PER_SECOND;
}

/* Whoever holds the lock may be frozen: it is told, and a stop does not wait for it either. */
START_TEST(test_a_lock_that_is_never_given_back)
{
    struct site site;
    int64_t now = 0;
    const _Atomic bool stop = true;
    make_site(&site, "flags.json");
    struct clock hasty = system_clock;
    hasty.monotonic = hasty_monotonic;
    hasty.self = &now;
    site.driver->close(site.state);
    site.state = site.driver->open(&site.definition, &site.reach, &hasty);
    int folder = open(site.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(folder, LOCK_EX), 0);
    struct snapshot *snapshot = snapshot_of(ONE_FLAG, 7, COMMIT_A);
    ck_assert_int_eq(give(&site, snapshot), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(site.error.message, "locked by another process"));
    reopen(&site);
    struct push push = push_of(snapshot);
    push.stop = &stop;
    ck_assert_int_eq(site.driver->push(site.state, &push, &site.error), STATUS_STOPPED);
    ck_assert_int_ne(access(site.path, F_OK), 0);
    close(folder);
    check_given(&site, snapshot);
    snapshot_release(snapshot);
    leave(&site);
}
END_TEST

UNIT_MAIN("target_file", test_a_lock_that_is_never_given_back, test_document_and_meta,
          test_open_overrides_are_named, test_newer_replaces_older, test_older_never_replaces_newer,
          test_what_is_there_is_not_written_again, test_damage_is_repaired,
          test_a_crash_between_the_two_files, test_leftovers_of_a_crash_are_removed,
          test_links_are_replaced_and_not_written_through, test_paths_that_are_not_allowed,
          test_what_is_in_the_way_fails_and_is_kept, test_a_folder_that_is_not_writable,
          test_readers_never_see_half_a_document, test_writers_lock_the_folder)
