DROP INDEX feed_gone;
DROP TABLE erased_records;
DROP TABLE erased_submissions;
ALTER TABLE feed_head DROP COLUMN durable_at;
ALTER TABLE feed_head DROP COLUMN durable;
