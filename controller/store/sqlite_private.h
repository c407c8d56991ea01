/* sqlite_private.h - one handle on an SQLite file, and calls of prepared statements.
 *
 * sqlite.c has the operations, sqlite_open.c the file and its versions, sqlite_turn.c who writes
 * when, sqlite_call.c what is here. The first failure of a call is kept in it; binding and reading
 * after that do nothing, so that callers look once, at its end. */
#ifndef WEIR_STORE_SQLITE_PRIVATE_H
#define WEIR_STORE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "../../rules/buffer.h"
#include "driver.h"
#include "statements.h"

struct sqlite_store {
    struct store store;
    sqlite3 *database;
    char *path;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared when first asked for */
    struct buffer taken;                       /* the texts of the notice that was taken last */
};

/* "/data/weir.db" */
#define SQLITE_FILE "weir.db"

/* The column outbox.state. */
enum notice_state { NOTICE_WAITS, NOTICE_IS_DROPPED, NOTICE_IS_SENT };

/* sqlite_prune.c */
enum status sqlite_prune(struct store *store, const struct store_keep *keep, uint64_t *removed,
                         struct error *error);
/* sqlite_open.c */
enum status sqlite_open(const char *location, struct store **out, struct error *error);
void sqlite_close(struct store *store);
enum status sqlite_set_aside(const char *location, int64_t now, char *kept, size_t size,
                             struct error *error);

/* sqlite_turn.c: of all handles of this process one writes at a time. False: it was another's turn
 * for STORE_PATIENCE. Who has it asks for no other. */
bool sqlite_take_turn(void);
void sqlite_give_turn(void);

/* --- calls ----------------------------------------------------------------------------------- */

struct call {
    struct sqlite_store *store;
    sqlite3_stmt *statement; /* NULL: it could not be prepared */
    int bound, code;         /* `code` is SQLITE_OK or the first failure */
};

/* What a code of SQLite means to a user of the store. */
enum status sqlite_failed(struct sqlite_store *store, int code, struct error *error);

struct call call_begin(struct sqlite_store *store, enum store_statement statement);
/* Parameters in their order. Bytes have to stay until call_end(). */
void call_text(struct call *call, struct text text);
void call_blob(struct call *call, struct text bytes);
void call_number(struct call *call, int64_t number);
void call_real(struct call *call, bool present, double number); /* NULL where not present */
/* True: there is a row. False: there is none, or it failed. */
bool call_next(struct call *call);
/* For statements without rows: runs it, and says how many rows it changed. */
int64_t call_run(struct call *call);
/* Makes the statement ready for its next call. */
enum status call_end(struct call *call, struct error *error);

/* Columns of the present row; borrowed until the next call_next() or call_end(). */
struct text row_text(const struct call *call, int column); /* also of blobs */
int64_t row_number(const struct call *call, int column);
bool row_real(const struct call *call, int column, double *out); /* false: NULL */

/* Runs `work` in one transaction that writes: all of it happens, or nothing. */
typedef enum status sqlite_work(struct sqlite_store *store, void *context, struct error *error);
enum status sqlite_transact(struct sqlite_store *store, sqlite_work *work, void *context,
                            struct error *error);

#endif
