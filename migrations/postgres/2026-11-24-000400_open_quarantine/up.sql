-- Nearly all that was ever quarantined is closed; what is looked at is what still waits.
CREATE INDEX quarantine_open ON quarantine (id) WHERE closed_seq IS NULL;
CREATE INDEX quarantine_open_by_unit ON quarantine (unit_id, id) WHERE closed_seq IS NULL;
CREATE INDEX quarantine_open_by_author ON quarantine (author, id) WHERE closed_seq IS NULL;
