/* The file: made, told from others, brought up to date, checked, and set aside when damaged. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../clock.h"
#include "sqlite_private.h"

#define APPLICATION_ID 0x77656972 /* "weir" */
#define LOG_MAXIMUM "67108864"    /* bytes that weir.db-wal keeps when it is not needed */

/* schemas/sql/, put into the program by the Makefile; ended by an entry without name. */
struct sql_file {
    const char *name, *data;
    size_t size;
};
extern const struct sql_file sql_files[];

/* --- small questions ------------------------------------------------------------------------- */

static struct sqlite_store *store_of(struct store *store)
{
    return (struct sqlite_store *)store;
}

/* The first column of the first row. */
static int ask(struct sqlite_store *store, const char *sql, int64_t *number, bool *is_ok)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW && number)
            *number = sqlite3_column_int64(statement, 0);
        if (code == SQLITE_ROW && is_ok) {
            const unsigned char *text = sqlite3_column_text(statement, 0);
            *is_ok = text && strcmp((const char *)text, "ok") == 0;
        }
    }
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum status ask_number(struct sqlite_store *store, const char *sql, int64_t *out,
                              struct error *error)
{
    *out = 0;
    int code = ask(store, sql, out, NULL);
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(store, code, error);
}

/* --- versions -------------------------------------------------------------------------------- */

static const struct sql_file *script_of(int64_t version)
{
    char name[32];
    snprintf(name, sizeof name, "sqlite-%lld.sql", (long long)version);
    for (const struct sql_file *file = sql_files; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static int64_t newest_version(void)
{
    int64_t version = 0;
    while (script_of(version + 1))
        version++;
    return version;
}

static enum status run_script(struct sqlite_store *store, const struct sql_file *file,
                              struct error *error)
{
    const char *at = file->data, *end = file->data + file->size;
    int code = SQLITE_OK;
    while (at < end && code == SQLITE_OK) {
        sqlite3_stmt *statement = NULL;
        code = sqlite3_prepare_v2(store->database, at, (int)(end - at), &statement, &at);
        if (code == SQLITE_OK && !statement)
            break; /* comments and spaces were left */
        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        sqlite3_finalize(statement);
        if (code == SQLITE_DONE)
            code = SQLITE_OK;
    }
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(store, code, error);
}

/* Who made the file, and how new it is. STATUS_REFUSED: not for us. */
static enum status read_version(struct sqlite_store *store, int64_t *version, struct error *error)
{
    int64_t owner, objects;
    enum status status = ask_number(store, "PRAGMA application_id", &owner, error);
    if (status == STATUS_OK)
        status = ask_number(store, "PRAGMA user_version", version, error);
    if (status == STATUS_OK)
        status = ask_number(store, "SELECT COUNT(*) FROM sqlite_master", &objects, error);
    if (status != STATUS_OK)
        return status;
    bool is_new = owner == 0 && *version == 0 && objects == 0;
    if (!is_new && owner != APPLICATION_ID)
        return error_set(error, STATUS_REFUSED,
                         "'%.120s' is not weir's: move it away, or name another folder",
                         store->path);
    if (*version < 0 || *version > newest_version())
        return error_set(error, STATUS_REFUSED,
                         "store '%.120s' has version %lld, this weir knows up to %lld: run the "
                         "newer weir that wrote it",
                         store->path, (long long)*version, (long long)newest_version());
    return STATUS_OK;
}

static enum status upgrade(struct sqlite_store *store, void *context, struct error *error)
{
    (void)context;
    int64_t version; /* asked again: another process may have been sooner */
    char pragmas[96];
    enum status status = read_version(store, &version, error);
    while (status == STATUS_OK && version < newest_version())
        status = run_script(store, script_of(++version), error);
    if (status != STATUS_OK)
        return status;
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %lld",
             APPLICATION_ID, (long long)version);
    int code = sqlite3_exec(store->database, pragmas, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(store, code, error);
}

/* Three questions, one moment: else a store that another process is just making looks half like
 * weir's, and half like nobody's. */
static enum status read_version_at_once(struct sqlite_store *store, int64_t *version,
                                        struct error *error)
{
    int code = sqlite3_exec(store->database, "BEGIN", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_failed(store, code, error);
    enum status status = read_version(store, version, error);
    code = sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    return status == STATUS_OK && code != SQLITE_OK ? sqlite_failed(store, code, error) : status;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Two that begin to use a log at once do not wait for each other by themselves. */
static int use_log(struct sqlite_store *store)
{
    int code = SQLITE_BUSY;
    for (int waited = 0; code == SQLITE_BUSY && waited < STORE_PATIENCE * 1000; waited += 10) {
        if (waited)
            sqlite3_sleep(10);
        code = ask(store, "PRAGMA journal_mode = WAL", NULL, NULL) & 0xff;
    }
    return code;
}

static enum status set_up(struct sqlite_store *store, struct error *error)
{
    static const char pragmas[] =
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; "
        "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = " LOG_MAXIMUM;
    int code = use_log(store);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->database, pragmas, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_failed(store, code, error);
    return STATUS_OK;
}

/* All of a large file would take too long at a start; these are what a start depends on. */
static enum status check(struct sqlite_store *store, struct error *error)
{
    static const char *const questions[] = {"PRAGMA quick_check(overrides)",
                                            "PRAGMA quick_check(rollbacks)"};
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        bool is_ok = false;
        int code = ask(store, questions[i], NULL, &is_ok);
        if (code != SQLITE_OK)
            return sqlite_failed(store, code, error);
        if (!is_ok)
            return sqlite_failed(store, SQLITE_CORRUPT, error);
    }
    return STATUS_OK;
}

static enum status open_file(struct sqlite_store *store, struct error *error)
{
    /* Made here, so that nobody else may read it; mknod(), since closing a descriptor of the file
     * would end the locks that other handles of this process have on it. */
    if (mknod(store->path, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        return error_set(error, STATUS_SYSTEM, "store '%.120s' cannot be made: %s", store->path,
                         strerror(errno));
    int code =
        sqlite3_open_v2(store->path, &store->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!store->database)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(store->database, STORE_PATIENCE * 1000);
    if (code != SQLITE_OK)
        return sqlite_failed(store, code, error);
    if (sqlite3_db_readonly(store->database, "main") == 1)
        return sqlite_failed(store, SQLITE_READONLY, error);
    return STATUS_OK;
}

static enum status path_of(const char *folder, const char *name, char *out, size_t size,
                           struct error *error)
{
    int length = snprintf(out, size, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= size)
        return error_set(error, STATUS_LIMIT, "path of the store has %d bytes, at most %zu fit",
                         length, size - 1);
    return STATUS_OK;
}

enum status sqlite_open(const char *location, struct store **out, struct error *error)
{
    char path[PATH_MAX];
    int64_t version = 0;
    enum status status = path_of(location, SQLITE_FILE, path, sizeof path, error);
    if (status != STATUS_OK)
        return status;
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    store->store.driver = &sqlite_driver;
    buffer_init(&store->taken, 0);
    store->path = strdup(path);
    status =
        store->path ? open_file(store, error) : error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK)
        status = read_version_at_once(store, &version, error); /* before any change */
    if (status == STATUS_OK)
        status = set_up(store, error);
    if (status == STATUS_OK && version < newest_version())
        status = sqlite_transact(store, upgrade, NULL, error);
    if (status == STATUS_OK)
        status = check(store, error);
    if (status != STATUS_OK) {
        sqlite_close(&store->store);
        return status;
    }
    *out = &store->store;
    return STATUS_OK;
}

void sqlite_close(struct store *base)
{
    struct sqlite_store *store = store_of(base);
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->database);
    buffer_dispose(&store->taken);
    free(store->path);
    free(store);
}

/* --- setting aside --------------------------------------------------------------------------- */

/* weir.db.damaged-20261123T101112Z, and -2, -3, … where that is taken. */
static enum status free_name(const char *path, int64_t now, char *out, size_t size,
                             struct error *error)
{
    char time[TIME_TEXT_SIZE], compact[TIME_TEXT_SIZE];
    size_t length = 0;
    time_format(now, time);
    for (size_t i = 0; time[i]; i++)
        if (time[i] != '-' && time[i] != ':')
            compact[length++] = time[i];
    compact[length] = 0;
    for (int number = 1; number < 1000; number++) {
        struct stat about;
        char suffix[8] = "";
        if (number > 1)
            snprintf(suffix, sizeof suffix, "-%d", number);
        int written = snprintf(out, size, "%s.damaged-%s%s", path, compact, suffix);
        if (written < 0 || (size_t)written >= size)
            return error_set(error, STATUS_LIMIT, "path of a damaged store is too long");
        if (lstat(out, &about) != 0 && errno == ENOENT)
            return STATUS_OK;
    }
    return error_set(error, STATUS_SYSTEM, "store '%.120s' has too many damaged ones beside it",
                     path);
}

static enum status rename_part(const char *path, const char *kept, const char *suffix,
                               struct error *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    int first = snprintf(from, sizeof from, "%s%s", path, suffix);
    int second = snprintf(to, sizeof to, "%s%s", kept, suffix);
    if (first < 0 || second < 0 || (size_t)first >= sizeof from || (size_t)second >= sizeof to)
        return error_set(error, STATUS_LIMIT, "path of a damaged store is too long");
    if (rename(from, to) != 0 && (errno != ENOENT || !suffix[0]))
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM,
                         "store '%.120s' cannot be set aside: %s", from, strerror(errno));
    return STATUS_OK;
}

enum status sqlite_set_aside(const char *location, int64_t now, char *kept, size_t size,
                             struct error *error)
{
    /* The log goes first: left beside a new file it would be taken for that one's. */
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    char path[PATH_MAX];
    enum status status = path_of(location, SQLITE_FILE, path, sizeof path, error);
    if (status == STATUS_OK)
        status = free_name(path, now, kept, size, error);
    for (size_t i = 0; i < COUNT_OF(suffixes) && status == STATUS_OK; i++)
        status = rename_part(path, kept, suffixes[i], error);
    return status;
}
