DELETE FROM feed WHERE kind IN ('grant', 'quarantine', 'conflict');
DROP INDEX unit_versions_by_seq;
ALTER TABLE unit_versions DROP COLUMN seq;
ALTER TABLE grants DROP COLUMN given_seq;
DROP INDEX feed_by_seq;
