-- The feed stands in the order in which it is read. What a changed record had there before is found by its scope and its
-- version, which its own row tells; by id are found the few things that are no records, or are there no more. So a report
-- is spared an index of random ids. Processes of the version before this one must have ended: they write by the old key.
ALTER TABLE feed DROP CONSTRAINT feed_pkey;
ALTER TABLE feed ADD PRIMARY KEY (scope, seq, id);
DROP INDEX feed_by_scope;
CREATE UNIQUE INDEX feed_by_id ON feed (id, scope)
    WHERE (NOT present OR kind IN ('alias', 'conflict', 'form', 'grant', 'quarantine', 'unit'));
