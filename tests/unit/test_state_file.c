/* The served snapshot on disk: read back as it was, believed only when it is whole, and kept by a
 * thread. */
#include "folders.h"

#include <dirent.h>
#include <time.h>

#include "../../controller/state_file.h"
#include "../../controller/state_keeper.h"
#include "../../controller/threads.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static char root[64], folder[80];

static void begin(void)
{
    make_folder(root);
    snprintf(folder, sizeof folder, "%s/served", root);
}

static void end(void)
{
    remove_folder(root);
}

static struct document *document_of(const char *value)
{
    struct document *document = NULL;
    struct error error = {0};
    char json[512];
    snprintf(json, sizeof json,
             "{\"flags\":{\"a\":{\"defaultVariant\":\"on\",\"state\":\"ENABLED\",\"variants\":{"
             "\"on\":\"%s\"}}},\"metadata\":{\"owner\":\"shop\"}}",
             value);
    ck_assert_msg(document_read(text_of(json), NULL, &document, &error) == STATUS_OK, "%s",
                  error.message);
    return document;
}

/* Two environments: "production" with `value`, and "staging", which is always the same. */
static struct snapshot *snapshot_of(const char *value, uint32_t level)
{
    struct snapshot *snapshot = snapshot_new(2);
    ck_assert_ptr_nonnull(snapshot);
    memcpy(snapshot->commit, COMMIT, sizeof COMMIT);
    snapshot->generation = (struct generation){1, level, 0, 7};
    snapshot->since = 1795383000;
    ck_assert_int_eq(snapshot_fill(snapshot, 0, TEXT("production"), document_of(value)), STATUS_OK);
    ck_assert_int_eq(snapshot_fill(snapshot, 1, TEXT("staging"), document_of("steady")), STATUS_OK);
    return snapshot;
}

static void keep(const char *value, uint32_t level)
{
    struct snapshot *snapshot = snapshot_of(value, level);
    struct error error = {0};
    ck_assert_msg(state_file_write(folder, snapshot, &system_clock, &error) == STATUS_OK, "%s",
                  error.message);
    snapshot_release(snapshot);
}

static void check_equal(const struct snapshot *got, const struct snapshot *expected)
{
    ck_assert_str_eq(got->commit, expected->commit);
    ck_assert_int_eq(generation_compare(got->generation, expected->generation), 0);
    ck_assert_int_eq(got->since, expected->since);
    ck_assert_uint_eq(got->environment_count, expected->environment_count);
    for (size_t i = 0; i < got->environment_count; i++) {
        ck_assert_str_eq(got->environments[i].name.data, expected->environments[i].name.data);
        ck_assert(
            document_equal(got->environments[i].document, expected->environments[i].document));
    }
}

static void check_kept(const char *value, uint32_t level)
{
    struct snapshot *expected = snapshot_of(value, level), *got = NULL;
    struct error error = {0};
    ck_assert_msg(state_file_read(folder, NULL, &got, &error) == STATUS_OK, "%s", error.message);
    check_equal(got, expected);
    ck_assert(got->from_disk);
    ck_assert_ptr_null(got->standard);
    snapshot_release(got);
    snapshot_release(expected);
}

static void check_refused(enum status expected, const char *words)
{
    struct snapshot *got = NULL;
    struct error error = {0};
    enum status status = state_file_read(folder, NULL, &got, &error);
    ck_assert_ptr_null(got);
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(error.message, words) != NULL, "'%s' does not say '%s'", error.message,
                  words);
}

/* The names that do not begin with a dot twice, counted; the last one of a document in `name`. */
static unsigned list(char name[256])
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    unsigned count = 0;
    ck_assert_ptr_nonnull(entries);
    while ((entry = readdir(entries))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (strlen(entry->d_name) > 64 && entry->d_name[0] != '.')
            snprintf(name, 256, "%s", entry->d_name);
    }
    closedir(entries);
    return count;
}

/* --- there and back -------------------------------------------------------------------------- */

START_TEST(test_there_and_back)
{
    char name[256];
    begin();
    keep("hello", 3);
    check_kept("hello", 3);
    ck_assert_uint_eq(list(name), 3);

    const struct crew crew = threads_crew(2);
    struct snapshot *expected = snapshot_of("hello", 3), *got = NULL;
    ck_assert_int_eq(state_file_read(folder, &crew, &got, NULL), STATUS_OK);
    check_equal(got, expected);
    snapshot_release(got);
    snapshot_release(expected);
    end();
}
END_TEST

START_TEST(test_environments_with_the_same_flags_share_a_file)
{
    char name[256];
    begin();
    keep("steady", 3);
    ck_assert_uint_eq(list(name), 2);
    check_kept("steady", 3);
    end();
}
END_TEST

START_TEST(test_no_environment_at_all)
{
    struct snapshot *none = snapshot_new(0), *got = NULL;
    begin();
    memcpy(none->commit, COMMIT, sizeof COMMIT);
    ck_assert_int_eq(state_file_write(folder, none, &system_clock, NULL), STATUS_OK);
    ck_assert_int_eq(state_file_read(folder, NULL, &got, NULL), STATUS_OK);
    check_equal(got, none);
    snapshot_release(got);
    snapshot_release(none);
    end();
}
END_TEST

START_TEST(test_only_what_changed_is_written)
{
    char name[256], unused[256];
    begin();
    keep("steady", 1); /* both environments in one file */
    list(name);
    struct stat before, after;
    ck_assert_int_eq(stat(below(folder, name), &before), 0);
    keep("other", 2);
    ck_assert_uint_eq(list(unused), 3);
    ck_assert_int_eq(stat(below(folder, name), &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    check_kept("other", 2);
    /* What no environment has any more is removed. */
    keep("third", 3);
    ck_assert_uint_eq(list(unused), 3);
    check_kept("third", 3);
    end();
}
END_TEST

/* --- a crash --------------------------------------------------------------------------------- */

START_TEST(test_killed_between_two_files)
{
    char name[256];
    struct buffer old;
    begin();
    keep("old", 1);
    buffer_init(&old, 0);
    ck_assert(slurp(below(folder, "state.json"), &old));
    keep("new", 2);
    /* As it was when the new document had been written and state.json had not: the old one names a
     * document that has not been removed yet. */
    struct snapshot *before = snapshot_of("old", 1);
    char digest[DIGEST_TEXT_SIZE], file[80];
    struct buffer bytes;
    document_digest_text(before->environments[0].document, digest);
    snprintf(file, sizeof file, "%s.json", digest + sizeof "sha256:" - 1);
    buffer_init(&bytes, 0);
    document_write(before->environments[0].document, &bytes);
    spill(below(folder, file), buffer_string(&bytes));
    spill(below(folder, "state.json"), buffer_string(&old));
    spill(below(folder, ".state.json.tmp.0123456789abcdef"), "{\"commit\":");
    check_kept("old", 1);
    /* The next write goes through, and clears away what was left. */
    keep("newer", 3);
    check_kept("newer", 3);
    ck_assert_uint_eq(list(name), 3);
    snapshot_release(before);
    buffer_dispose(&bytes);
    buffer_dispose(&old);
    end();
}
END_TEST

START_TEST(test_files_of_others_stay)
{
    char name[256];
    begin();
    keep("old", 1);
    spill(below(folder, "notes.json"), "mine");
    spill(below(folder, ".hidden"), "mine");
    keep("new", 2);
    ck_assert_uint_eq(list(name), 5);
    check_file(below(folder, "notes.json"), "mine");
    end();
}
END_TEST

/* --- damage ---------------------------------------------------------------------------------- */

START_TEST(test_nothing_kept)
{
    begin();
    check_refused(STATUS_NOT_FOUND, "cannot open");
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    check_refused(STATUS_NOT_FOUND, "state.json");
    end();
}
END_TEST

/* Every byte of the meta, changed or cut off behind it. */
START_TEST(test_damaged_meta)
{
    struct buffer bytes;
    begin();
    keep("hello", 3);
    buffer_init(&bytes, 0);
    ck_assert(slurp(below(folder, "state.json"), &bytes));
    const char *path = below(folder, "state.json");
    char copy[256];
    snprintf(copy, sizeof copy, "%s", path);
    size_t length = bytes.length;
    const char *whole = buffer_string(&bytes);
    for (size_t i = 0; i < length; i++) {
        char *bent = strdup(whole);
        ck_assert_ptr_nonnull(bent);
        bent[i] ^= 1;
        spill(copy, bent);
        check_refused(STATUS_INVALID, "state.json");
        bent[i] = '\0';
        spill(copy, bent);
        check_refused(STATUS_INVALID, "state.json");
        free(bent);
    }
    spill(copy, whole);
    check_kept("hello", 3);
    buffer_dispose(&bytes);
    end();
}
END_TEST

/* Every byte of a document: whatever still reads as the same flags is the same. */
START_TEST(test_damaged_document)
{
    char name[256], path[400];
    struct buffer bytes;
    begin();
    keep("hello", 3);
    list(name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    buffer_init(&bytes, 0);
    ck_assert(slurp(path, &bytes));
    size_t length = bytes.length;
    const char *whole = buffer_string(&bytes);
    for (size_t i = 0; i + 1 < length; i++) { /* the last is white space */
        char *bent = strdup(whole);
        ck_assert_ptr_nonnull(bent);
        bent[i] ^= 1;
        spill(path, bent);
        check_refused(STATUS_INVALID, name);
        bent[i] = '\0';
        spill(path, bent);
        check_refused(STATUS_INVALID, name);
        free(bent);
    }
    ck_assert_int_eq(unlink(path), 0);
    check_refused(STATUS_INVALID, "is missing");
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    check_refused(STATUS_SYSTEM, name);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    check_refused(STATUS_INVALID, "is no regular file");
    ck_assert_int_eq(rmdir(path), 0);
    spill(path, whole);
    check_kept("hello", 3);
    buffer_dispose(&bytes);
    end();
}
END_TEST

START_TEST(test_meta_that_is_no_file)
{
    begin();
    keep("hello", 3);
    ck_assert_int_eq(unlink(below(folder, "state.json")), 0);
    ck_assert_int_eq(mkfifo(below(folder, "state.json"), 0600), 0);
    check_refused(STATUS_INVALID, "is no regular file");
    ck_assert_int_eq(unlink(below(folder, "state.json")), 0);
    ck_assert_int_eq(symlink("/dev/zero", below(folder, "state.json")), 0);
    check_refused(STATUS_SYSTEM, "state.json");
    ck_assert_int_eq(unlink(below(folder, "state.json")), 0);
    int file = open(below(folder, "state.json"), O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, (off_t)4 << 20), 0);
    close(file);
    check_refused(STATUS_INVALID, "is too large");
    end();
}
END_TEST

START_TEST(test_a_folder_that_cannot_be_made)
{
    struct snapshot *snapshot = snapshot_of("hello", 1);
    struct error error = {0};
    begin();
    spill(folder, "a file");
    ck_assert_int_eq(state_file_write(folder, snapshot, &system_clock, &error), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.message, "served"));
    snapshot_release(snapshot);
    end();
}
END_TEST

/* --- serving --------------------------------------------------------------------------------- */

START_TEST(test_served_from_disk)
{
    struct hub hub;
    begin();
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    state_file_serve(folder, NULL, &hub);
    ck_assert_uint_eq(hub.version, 0);
    keep("hello", 3);
    state_file_serve(folder, NULL, &hub);
    ck_assert_uint_eq(hub.version, 1);
    ck_assert(hub.current->from_disk);
    ck_assert_ptr_null(hub.current->standard);
    state_file_serve(folder, "staging", &hub);
    ck_assert_ptr_eq(hub.current->standard, &hub.current->environments[1]);
    spill(below(folder, "state.json"), "{}");
    state_file_serve(folder, NULL, &hub);
    ck_assert_uint_eq(hub.version, 2);
    hub_dispose(&hub);
    end();
}
END_TEST

/* What is served once more, after a file of it was damaged, is on the disk again. */
START_TEST(test_what_was_damaged_is_written_again)
{
    struct hub hub;
    char name[256];
    begin();
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    keep("hello", 3);
    list(name);
    spill(below(folder, name), "{\"flags\":{}}");
    state_file_serve(folder, NULL, &hub);
    ck_assert_uint_eq(hub.version, 0);
    keep("hello", 3);
    check_kept("hello", 3);
    hub_dispose(&hub);
    end();
}
END_TEST

/* --- the keeper ------------------------------------------------------------------------------ */

static void wait_for_level(uint32_t level)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct snapshot *got = NULL;
        bool there = state_file_read(folder, NULL, &got, NULL) == STATUS_OK &&
                     got->generation.level == level;
        snapshot_release(got);
        if (there)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    ck_abort_msg("level %u was never kept", level);
}

START_TEST(test_keeper_writes_the_newest)
{
    struct hub hub;
    struct state_keeper *keeper;
    struct error error = {0};
    begin();
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    ck_assert_msg(state_keeper_start(&hub, folder, &system_clock, &keeper, &error) == STATUS_OK,
                  "%s", error.message);
    hub_publish(&hub, snapshot_of("one", 1));
    wait_for_level(1);
    for (uint32_t level = 2; level <= 50; level++)
        hub_publish(&hub, snapshot_of(level % 2 ? "odd" : "even", level));
    /* What was published before the stop is on disk after it. */
    state_keeper_stop(keeper);
    check_kept("even", 50);
    ck_assert_ptr_null(hub.listeners);
    hub_dispose(&hub);
    end();
}
END_TEST

START_TEST(test_keeper_does_not_write_back)
{
    struct hub hub;
    struct state_keeper *keeper;
    struct snapshot *old = snapshot_of("old", 1);
    begin();
    old->from_disk = true;
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    hub_publish(&hub, old);
    ck_assert_int_eq(state_keeper_start(&hub, folder, &system_clock, &keeper, NULL), STATUS_OK);
    state_keeper_stop(keeper);
    ck_assert_int_ne(access(folder, F_OK), 0);
    hub_dispose(&hub);
    end();
}
END_TEST

START_TEST(test_keeper_tries_again)
{
    struct hub hub;
    struct state_keeper *keeper;
    begin();
    spill(folder, "in the way");
    ck_assert_int_eq(hub_init(&hub), STATUS_OK);
    ck_assert_int_eq(state_keeper_start(&hub, folder, &system_clock, &keeper, NULL), STATUS_OK);
    hub_publish(&hub, snapshot_of("one", 1));
    ck_assert_int_eq(unlink(folder), 0);
    wait_for_level(1);
    state_keeper_stop(keeper);
    hub_dispose(&hub);
    end();
}
END_TEST

UNIT_MAIN("state_file", test_there_and_back, test_environments_with_the_same_flags_share_a_file,
          test_no_environment_at_all, test_only_what_changed_is_written,
          test_killed_between_two_files, test_files_of_others_stay, test_nothing_kept,
          test_damaged_meta, test_damaged_document, test_meta_that_is_no_file,
          test_a_folder_that_cannot_be_made, test_served_from_disk,
          test_what_was_damaged_is_written_again, test_keeper_writes_the_newest,
          test_keeper_does_not_write_back, test_keeper_tries_again)
