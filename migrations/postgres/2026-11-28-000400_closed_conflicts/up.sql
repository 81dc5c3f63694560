-- What has been decided below a unit, found without passing what was decided elsewhere.
CREATE INDEX conflicts_closed ON conflicts (unit_id, id) WHERE closed_seq IS NOT NULL;
