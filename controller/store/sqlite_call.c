/* Calls of prepared statements, transactions, and what failures are called. */
#include <errno.h>

#include "sqlite_private.h"

static const char *const statements[] = {STORE_STATEMENTS(STORE_STATEMENT_TEXT)};

/* --- failures -------------------------------------------------------------------------------- */

/* What the system said. SQLite does not keep it of a COMMIT; there it still stands in errno, which
 * was cleared before. */
static int system_error(struct sqlite_store *store, int primary)
{
    int why = sqlite3_system_errno(store->database);
    return why == 0 && primary == SQLITE_IOERR ? errno : why;
}

static bool is_full(int primary, int why)
{
    return primary == SQLITE_FULL ||
           (primary == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT || why == EFBIG));
}

enum status sqlite_failed(struct sqlite_store *store, int code, struct error *error)
{
    int primary = code & 0xff, why = system_error(store, primary);
    const char *path = store->path;
    if (primary == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
        return error_set(error, STATUS_INVALID, "store '%.120s' is damaged: %s", path,
                         sqlite3_errstr(code));
    if (is_full(primary, why))
        return error_set(error, STATUS_SYSTEM, "store '%.120s' cannot grow: the disk is full",
                         path);
    if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
        return error_set(error, STATUS_SYSTEM,
                         "store '%.120s' was held by another process for %d s", path,
                         STORE_PATIENCE);
    if (primary == SQLITE_READONLY || primary == SQLITE_PERM)
        return error_set(error, STATUS_SYSTEM, "store '%.120s' is not writable", path);
    return error_set(error, STATUS_SYSTEM, "store '%.120s' failed: %s%s%s", path,
                     sqlite3_errstr(code), why ? ": " : "", why ? strerror(why) : "");
}

/* --- calls ----------------------------------------------------------------------------------- */

struct call call_begin(struct sqlite_store *store, enum store_statement statement)
{
    struct call call = {.store = store, .code = SQLITE_OK};
    sqlite3_stmt **kept = &store->statements[statement];
    if (!*kept)
        call.code = sqlite3_prepare_v3(store->database, statements[statement], -1,
                                       SQLITE_PREPARE_PERSISTENT, kept, NULL);
    call.statement = *kept;
    return call;
}

static void keep_code(struct call *call, int code)
{
    call->bound++;
    if (call->code == SQLITE_OK)
        call->code = code;
}

void call_text(struct call *call, struct text text)
{
    /* A NULL pointer would be bound as NULL, which an empty text is not. */
    if (call->statement)
        keep_code(call, sqlite3_bind_text64(call->statement, call->bound + 1,
                                            text.length ? text.data : "", text.length,
                                            SQLITE_STATIC, SQLITE_UTF8));
}

void call_blob(struct call *call, struct text bytes)
{
    if (call->statement)
        keep_code(call,
                  sqlite3_bind_blob64(call->statement, call->bound + 1,
                                      bytes.length ? bytes.data : "", bytes.length, SQLITE_STATIC));
}

void call_number(struct call *call, int64_t number)
{
    if (call->statement)
        keep_code(call, sqlite3_bind_int64(call->statement, call->bound + 1, number));
}

void call_real(struct call *call, bool present, double number)
{
    if (call->statement)
        keep_code(call, present ? sqlite3_bind_double(call->statement, call->bound + 1, number)
                                : sqlite3_bind_null(call->statement, call->bound + 1));
}

bool call_next(struct call *call)
{
    if (!call->statement || call->code != SQLITE_OK)
        return false;
    errno = 0;
    int code = sqlite3_step(call->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        call->code = code;
    return code == SQLITE_ROW;
}

int64_t call_run(struct call *call)
{
    bool is_alone = sqlite3_get_autocommit(call->store->database); /* a transaction by itself */
    if (is_alone && !sqlite_take_turn()) {
        if (call->code == SQLITE_OK)
            call->code = SQLITE_BUSY;
        return 0;
    }
    (void)call_next(call);
    if (is_alone)
        sqlite_give_turn();
    return call->code == SQLITE_OK ? sqlite3_changes64(call->store->database) : 0;
}

enum status call_end(struct call *call, struct error *error)
{
    /* Before the reset, which may overwrite what the system said. */
    enum status status =
        call->code == SQLITE_OK ? STATUS_OK : sqlite_failed(call->store, call->code, error);
    if (call->statement) {
        sqlite3_reset(call->statement);
        sqlite3_clear_bindings(call->statement);
    }
    return status;
}

struct text row_text(const struct call *call, int column)
{
    const char *data = sqlite3_column_blob(call->statement, column);
    int length = sqlite3_column_bytes(call->statement, column);
    return (struct text){data, data && length > 0 ? (size_t)length : 0};
}

int64_t row_number(const struct call *call, int column)
{
    return sqlite3_column_int64(call->statement, column);
}

bool row_real(const struct call *call, int column, double *out)
{
    *out = sqlite3_column_double(call->statement, column);
    return sqlite3_column_type(call->statement, column) != SQLITE_NULL;
}

/* --- transactions ---------------------------------------------------------------------------- */

static enum status execute(struct sqlite_store *store, const char *sql, struct error *error)
{
    errno = 0;
    int code = sqlite3_exec(store->database, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sqlite_failed(store, code, error);
}

static enum status transact(struct sqlite_store *store, sqlite_work *work, void *context,
                            struct error *error)
{
    /* IMMEDIATE: whoever reads first and writes later would fail instead of waiting. */
    enum status status = execute(store, "BEGIN IMMEDIATE", error);
    if (status != STATUS_OK)
        return status;
    status = work(store, context, error);
    if (status == STATUS_OK)
        status = execute(store, "COMMIT", error);
    /* Some failures have rolled back already. */
    if (!sqlite3_get_autocommit(store->database))
        (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

enum status sqlite_transact(struct sqlite_store *store, sqlite_work *work, void *context,
                            struct error *error)
{
    if (!sqlite_take_turn())
        return sqlite_failed(store, SQLITE_BUSY, error);
    enum status status = transact(store, work, context, error);
    sqlite_give_turn();
    return status;
}
