CREATE TABLE feed_by_thing (
    id      blob    NOT NULL,
    scope   blob    NOT NULL,
    kind    text    NOT NULL,
    seq     bigint  NOT NULL,
    present boolean NOT NULL,
    PRIMARY KEY (id, scope)
) WITHOUT ROWID;
INSERT INTO feed_by_thing (id, scope, kind, seq, present) SELECT id, scope, kind, seq, present FROM feed;
DROP TABLE feed;
ALTER TABLE feed_by_thing RENAME TO feed;
CREATE INDEX feed_by_scope ON feed (scope, seq);
CREATE INDEX feed_by_seq ON feed (seq);
CREATE INDEX feed_gone ON feed (seq) WHERE NOT present;
