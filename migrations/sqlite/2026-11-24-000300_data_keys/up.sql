-- The keys that personal values are sealed under, one for each person, wrapped by a master key that is never in the
-- database. To destroy one is to erase that person.
CREATE TABLE data_keys (
    kind    text NOT NULL,                   -- person | submission | user; store and index: the store's own
    owner   blob NOT NULL,
    master  text NOT NULL,                   -- which master key wraps it
    wrapped blob,                           -- null: destroyed
    PRIMARY KEY (kind, owner)
) WITHOUT ROWID;
CREATE INDEX data_keys_by_master ON data_keys (master, kind, owner);
