-- Version 2: what a measurement says beside its verdict, so that a play of it comes to the same decision.

ALTER TABLE measurements ADD COLUMN silent BIGINT NOT NULL DEFAULT 0; -- 1: the variant, while control spoke
ALTER TABLE measurements ADD COLUMN mismatch TEXT NOT NULL DEFAULT ''; -- words, where the sample ratio was one
