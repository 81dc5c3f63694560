-- Which entries the last finished backup holds, and when it was finished: a phone keeps what is later.
ALTER TABLE feed_head ADD COLUMN durable bigint NOT NULL DEFAULT 0;
ALTER TABLE feed_head ADD COLUMN durable_at integer;

-- What had been said of somebody erased after the backup that was restored: the id alone answers.
CREATE TABLE erased_submissions (
    id     blob   PRIMARY KEY,
    author blob   NOT NULL,
    seq    bigint NOT NULL                   -- of the erasure
) WITHOUT ROWID;

-- Under which ids, in which units, their records were known.
CREATE TABLE erased_records (
    id      blob   NOT NULL,
    unit_id blob   NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (id, unit_id)
) WITHOUT ROWID;

-- What compaction removes.
CREATE INDEX feed_gone ON feed (seq) WHERE NOT present;
