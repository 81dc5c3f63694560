-- What phones pull.

-- Who sees nearly everything reads by seq alone; so does whoever looks for what others have just changed.
CREATE INDEX feed_by_seq ON feed (seq);

-- A cursor says as of which entry its scopes were computed, so what was held and stood where then must be found again.
-- 0 (what was there before this): always.
ALTER TABLE grants ADD COLUMN given_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE unit_versions ADD COLUMN seq bigint NOT NULL DEFAULT 0;   -- the entry that began it
CREATE INDEX unit_versions_by_seq ON unit_versions (seq);

-- One's own grants, and how one's own quarantined submissions were decided, are told in the feed, in the scope of the user.
INSERT INTO feed (id, scope, kind, seq, present) SELECT id, user_id, 'grant', seq, true FROM grants;
INSERT INTO feed (id, scope, kind, seq, present)
    SELECT id, author, 'quarantine', closed_seq, true FROM quarantine WHERE closed_seq IS NOT NULL;
