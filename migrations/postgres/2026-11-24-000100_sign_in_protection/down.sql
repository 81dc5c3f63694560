DROP TABLE recovery_codes;
DROP TABLE totp;
DROP TABLE attempts;
DROP INDEX sessions_open;
ALTER TABLE refresh_tokens DROP COLUMN replaced_by;
ALTER TABLE devices DROP COLUMN secret_hash;
