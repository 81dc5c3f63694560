-- Indexes that every push pays for, as lean as their questions allow.

-- A natural key begins with its form: alone it says everything, and there is no other index that a look-up by it could
-- take (PostgreSQL, planning on an almost empty table, took one that begins with the form, and kept that plan).
DROP INDEX records_by_natural_key;
CREATE UNIQUE INDEX records_by_natural_key ON records (natural_key);

-- Most reports are about nobody.
DROP INDEX records_by_subject;
CREATE INDEX records_by_subject ON records (subject, form, id) WHERE subject IS NOT NULL;
DROP INDEX submissions_by_subject;
CREATE INDEX submissions_by_subject ON submissions (subject) WHERE subject IS NOT NULL;
