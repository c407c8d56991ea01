/* statements.h - what is asked of a store in SQL, in words that SQLite and PostgreSQL share.
 *
 * Parameters are $1, $2, … in the order in which they first appear, since SQLite numbers them so. A
 * row is X(NAME, "SQL"). Private to drivers that speak SQL. */
#ifndef WEIR_STORE_STATEMENTS_H
#define WEIR_STORE_STATEMENTS_H

#define OVERRIDE_COLUMNS                                                                           \
    "intent, environment, flag, seq, generation, fragment, since, evidence, closed"
#define MEASUREMENT_COLUMNS                                                                        \
    "environment, rollout, metric, finished, started, arm, run, phase, verdict, value, "           \
    "numerator, denominator, message, silent, mismatch"
#define MEASUREMENT_KEY "environment, rollout, metric, finished, started, arm, run, phase"
#define EVIDENCE_KEY "environment, rollout, metric, run, phase"
#define EVIDENCE_IS "environment = $1 AND rollout = $2 AND metric = $3 AND run = $4 AND phase = $5"
#define NOTICE_COLUMNS "id, channel, body, created, due, attempts, last_error"

#define STORE_STATEMENTS(X)                                                                        \
    X(OVERRIDE_PUT, "INSERT INTO overrides (" OVERRIDE_COLUMNS ") "                                \
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)")                                  \
    X(OVERRIDE_CLOSED, "SELECT closed FROM overrides WHERE intent = $1")                           \
    X(OVERRIDE_COUNT, "SELECT COUNT(*) FROM overrides WHERE closed = 0")                           \
    X(OVERRIDE_CLOSE, "UPDATE overrides SET closed = $1 WHERE intent = $2")                        \
    X(OVERRIDE_DROP, "DELETE FROM overrides WHERE intent = $1")                                    \
    X(OVERRIDE_EACH, "SELECT " OVERRIDE_COLUMNS " FROM overrides WHERE closed = 0 "                \
                     "ORDER BY since, intent")                                                     \
    X(OVERRIDE_GET, "SELECT " OVERRIDE_COLUMNS " FROM overrides WHERE intent = $1")                \
    X(OVERRIDE_PRUNE, "DELETE FROM overrides WHERE intent IN (SELECT intent FROM overrides "       \
                      "WHERE closed > 0 AND closed < $1 ORDER BY closed LIMIT $2)")                \
    X(MEASUREMENT_APPEND,                                                                          \
      "INSERT INTO measurements (" MEASUREMENT_COLUMNS ") VALUES "                                 \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING") \
    X(MEASUREMENT_EACH,                                                                            \
      "SELECT " MEASUREMENT_COLUMNS " FROM measurements WHERE environment = $1 AND "               \
      "rollout = $2 AND metric = $3 AND finished >= $4 "                                           \
      "ORDER BY finished, started, arm, run, phase")                                               \
    X(MEASUREMENT_ALL,                                                                             \
      "SELECT " MEASUREMENT_COLUMNS " FROM measurements WHERE environment = $1 AND "               \
      "rollout = $2 AND finished >= $3 "                                                           \
      "ORDER BY finished, metric, started, arm, run, phase LIMIT $4")                              \
    X(MEASUREMENT_COUNT, "SELECT COUNT(*) FROM measurements")                                      \
    X(MEASUREMENT_PRUNE,                                                                           \
      "DELETE FROM measurements WHERE (" MEASUREMENT_KEY ") IN (SELECT " MEASUREMENT_KEY           \
      " FROM measurements WHERE finished < $1 ORDER BY finished LIMIT $2)")                        \
    X(EVIDENCE_PUT,                                                                                \
      "INSERT INTO evidence (" EVIDENCE_KEY ", version, bytes, written) "                          \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (" EVIDENCE_KEY ") DO UPDATE "          \
      "SET version = excluded.version, bytes = excluded.bytes, written = excluded.written")        \
    X(EVIDENCE_GET, "SELECT version, bytes FROM evidence WHERE " EVIDENCE_IS)                      \
    X(EVIDENCE_DELETE, "DELETE FROM evidence WHERE " EVIDENCE_IS)                                  \
    X(EVIDENCE_PRUNE, "DELETE FROM evidence WHERE (" EVIDENCE_KEY ") IN (SELECT " EVIDENCE_KEY     \
                      " FROM evidence WHERE written < $1 ORDER BY written LIMIT $2)")              \
    X(NOTICE_KNOWN, "SELECT state FROM outbox WHERE id = $1")                                      \
    X(NOTICE_COUNT, "SELECT COUNT(*), MIN(due) FROM outbox WHERE state = $1 "                      \
                    "AND ($2 = '' OR channel = $2)")                                               \
    X(NOTICE_DROP_OLDEST, "UPDATE outbox SET state = 1, last_error = $1 WHERE id IN "              \
                          "(SELECT id FROM outbox WHERE state = 0 ORDER BY created, id LIMIT 1)")  \
    X(NOTICE_APPEND, "INSERT INTO outbox (" NOTICE_COLUMNS ", state) "                             \
                     "VALUES ($1, $2, $3, $4, $5, 0, '', 0)")                                      \
    X(NOTICE_NEXT, "SELECT " NOTICE_COLUMNS " FROM outbox WHERE state = 0 AND due <= $1 "          \
                   "AND ($2 = '' OR channel = $2) ORDER BY due, created, id LIMIT 1")              \
    X(NOTICE_LEASE, "UPDATE outbox SET due = $1, attempts = attempts + 1 WHERE id = $2")           \
    X(NOTICE_DONE, "UPDATE outbox SET state = 2, body = $1 WHERE id = $2 AND state = 0")           \
    X(NOTICE_RETRY, "UPDATE outbox SET due = $1, last_error = $2 WHERE id = $3 AND state = 0")     \
    X(NOTICE_DROP, "UPDATE outbox SET state = 1, last_error = $1 WHERE id = $2 AND state = 0")     \
    X(NOTICE_DROPPED, "SELECT " NOTICE_COLUMNS " FROM outbox WHERE state = 1 "                     \
                      "ORDER BY created DESC, id DESC")                                            \
    X(NOTICE_PRUNE, "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox "                       \
                    "WHERE state = $1 AND created < $2 ORDER BY created, id LIMIT $3)")            \
    X(ROLLBACK_NOTE, "INSERT INTO rollbacks (happened, environment, rollout, intent) "             \
                     "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")                             \
    X(ROLLBACK_EACH, "SELECT happened, environment, rollout, intent FROM rollbacks "               \
                     "WHERE happened >= $1 ORDER BY happened DESC, intent DESC")                   \
    X(ROLLBACK_PRUNE, "DELETE FROM rollbacks WHERE intent IN (SELECT intent FROM rollbacks "       \
                      "WHERE happened < $1 ORDER BY happened LIMIT $2)")

#define STORE_STATEMENT_NAME(name, sql) STATEMENT_##name,
#define STORE_STATEMENT_TEXT(name, sql) sql,

enum store_statement { STORE_STATEMENTS(STORE_STATEMENT_NAME) STATEMENT_COUNT };

#endif
