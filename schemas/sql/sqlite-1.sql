-- What weir's store holds, version 1 (PRAGMA user_version). The meaning of each column: controller/store/store.h.
-- Times are seconds since 1970. A later version is a file of its own, sqlite-2.sql, that changes this one; a file that
-- was ever released is not edited.

CREATE TABLE overrides (
  intent TEXT NOT NULL PRIMARY KEY,
  environment TEXT NOT NULL,
  flag TEXT NOT NULL,
  seq BIGINT NOT NULL,
  generation TEXT NOT NULL,
  fragment BLOB NOT NULL,
  since BIGINT NOT NULL,
  evidence TEXT NOT NULL,
  closed BIGINT NOT NULL -- 0: open
);
CREATE INDEX overrides_closed ON overrides (closed, since, intent);

-- Clustered by series, since that is how they are asked for; pruned by time.
CREATE TABLE measurements (
  environment TEXT NOT NULL,
  rollout TEXT NOT NULL,
  metric TEXT NOT NULL,
  finished BIGINT NOT NULL,
  started BIGINT NOT NULL,
  arm TEXT NOT NULL,
  run BIGINT NOT NULL,
  phase TEXT NOT NULL,
  verdict TEXT NOT NULL,
  value DOUBLE PRECISION,
  numerator DOUBLE PRECISION,
  denominator DOUBLE PRECISION,
  message TEXT NOT NULL,
  PRIMARY KEY (environment, rollout, metric, finished, started, arm, run, phase)
) WITHOUT ROWID;
CREATE INDEX measurements_finished ON measurements (finished);

CREATE TABLE evidence (
  environment TEXT NOT NULL,
  rollout TEXT NOT NULL,
  metric TEXT NOT NULL,
  run BIGINT NOT NULL,
  phase TEXT NOT NULL,
  version BIGINT NOT NULL,
  bytes BLOB NOT NULL,
  written BIGINT NOT NULL,
  PRIMARY KEY (environment, rollout, metric, run, phase)
);
CREATE INDEX evidence_written ON evidence (written);

CREATE TABLE outbox (
  id TEXT NOT NULL PRIMARY KEY,
  channel TEXT NOT NULL,
  body BLOB NOT NULL,
  created BIGINT NOT NULL,
  due BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  state BIGINT NOT NULL -- 0: waits, 1: dropped, 2: sent
);
CREATE INDEX outbox_due ON outbox (state, due, created, id);
CREATE INDEX outbox_created ON outbox (state, created, id);

CREATE TABLE rollbacks (
  intent TEXT NOT NULL PRIMARY KEY,
  happened BIGINT NOT NULL,
  environment TEXT NOT NULL,
  rollout TEXT NOT NULL
);
CREATE INDEX rollbacks_happened ON rollbacks (happened);
