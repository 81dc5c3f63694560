-- Second factors, the memory of failed attempts, and what tells a known device and a lost reply from a thief.

-- What a device proves itself with when it signs in again: known devices have a budget of attempts of their own.
ALTER TABLE devices ADD COLUMN secret_hash blob;     -- SHA-256; null: registered without one

-- The token that was given out for this one. Null although it was used: this one was withdrawn, its reply being lost.
ALTER TABLE refresh_tokens ADD COLUMN replaced_by blob;

CREATE INDEX sessions_open ON sessions (user_id, id) WHERE ended_at IS NULL;

-- Attempts to prove who one is that have failed, or are under way. Keys are digests; rows go when they are old.
CREATE TABLE attempts (
    key      blob    PRIMARY KEY,
    failures integer NOT NULL,
    last_at  integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX attempts_by_time ON attempts (last_at);

-- One second factor a user (RFC 6238). The secret is opaque bytes in a column of its own, so that it can be sealed.
CREATE TABLE totp (
    user_id      blob    PRIMARY KEY REFERENCES users (id),
    secret       blob    NOT NULL,
    begun_at     integer NOT NULL,
    confirmed_at integer,                    -- null: begun, not yet asked for
    last_step    bigint  NOT NULL            -- the last time step of which a code was taken: each is good once
) WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id   blob    NOT NULL REFERENCES users (id),
    code_hash blob    NOT NULL,
    used_at   integer,
    PRIMARY KEY (user_id, code_hash)
) WITHOUT ROWID;
