DROP INDEX feed_by_id;
ALTER TABLE feed DROP CONSTRAINT feed_pkey;
ALTER TABLE feed ADD PRIMARY KEY (id, scope);
CREATE INDEX feed_by_scope ON feed (scope, seq);
