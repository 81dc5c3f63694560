DROP INDEX submissions_by_subject;
CREATE INDEX submissions_by_subject ON submissions (subject);
DROP INDEX records_by_subject;
CREATE INDEX records_by_subject ON records (subject, form, id);
DROP INDEX records_by_natural_key;
CREATE UNIQUE INDEX records_by_natural_key ON records (form, natural_key);
