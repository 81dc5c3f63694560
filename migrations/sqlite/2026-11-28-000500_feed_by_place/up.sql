-- The SQLite twin of the PostgreSQL migration of the same name: here the table is ordered by its key, so it is made anew.
CREATE TABLE feed_by_place (
    id      blob    NOT NULL,
    scope   blob    NOT NULL,
    kind    text    NOT NULL,
    seq     bigint  NOT NULL,
    present boolean NOT NULL,
    PRIMARY KEY (scope, seq, id)
) WITHOUT ROWID;
INSERT INTO feed_by_place (id, scope, kind, seq, present) SELECT id, scope, kind, seq, present FROM feed ORDER BY scope, seq, id;
DROP TABLE feed;
ALTER TABLE feed_by_place RENAME TO feed;
-- Whole rows, so that whoever reads by seq needs no other place.
CREATE INDEX feed_by_seq ON feed (seq, id, scope, kind, present);
CREATE INDEX feed_gone ON feed (seq) WHERE NOT present;
CREATE UNIQUE INDEX feed_by_id ON feed (id, scope)
    WHERE (NOT present OR kind IN ('alias', 'conflict', 'form', 'grant', 'quarantine', 'unit'));
