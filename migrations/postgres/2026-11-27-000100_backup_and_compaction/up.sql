-- Which entries the last finished backup holds, and when it was finished: a phone keeps what is later.
ALTER TABLE feed_head ADD COLUMN durable bigint NOT NULL DEFAULT 0;
ALTER TABLE feed_head ADD COLUMN durable_at timestamptz;

-- What had been said of somebody erased after the backup that was restored: the id alone answers.
CREATE TABLE erased_submissions (
    id     uuid   PRIMARY KEY,
    author uuid   NOT NULL,
    seq    bigint NOT NULL                   -- of the erasure
);

-- Under which ids, in which units, their records were known.
CREATE TABLE erased_records (
    id      uuid   NOT NULL,
    unit_id uuid   NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (id, unit_id)
);

-- What compaction removes.
CREATE INDEX IF NOT EXISTS feed_gone ON feed (seq) WHERE NOT present;
