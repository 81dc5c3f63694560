DROP INDEX quarantine_open_by_author;
DROP INDEX quarantine_open_by_unit;
DROP INDEX quarantine_open;
