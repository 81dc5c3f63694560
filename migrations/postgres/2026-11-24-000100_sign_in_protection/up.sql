-- Second factors, the memory of failed attempts, and what tells a known device and a lost reply from a thief.

-- What a device proves itself with when it signs in again: known devices have a budget of attempts of their own.
ALTER TABLE devices ADD COLUMN secret_hash bytea;    -- SHA-256; null: registered without one

-- The token that was given out for this one. Null although it was used: this one was withdrawn, its reply being lost.
ALTER TABLE refresh_tokens ADD COLUMN replaced_by bytea;

CREATE INDEX sessions_open ON sessions (user_id, id) WHERE ended_at IS NULL;

-- Attempts to prove who one is that have failed, or are under way. Keys are digests; rows go when they are old.
CREATE TABLE attempts (
    key      bytea       PRIMARY KEY,
    failures integer     NOT NULL,
    last_at  timestamptz NOT NULL
);
CREATE INDEX attempts_by_time ON attempts (last_at);

-- One second factor a user (RFC 6238). The secret is opaque bytes in a column of its own, so that it can be sealed.
CREATE TABLE totp (
    user_id      uuid        PRIMARY KEY REFERENCES users (id),
    secret       bytea       NOT NULL,
    begun_at     timestamptz NOT NULL,
    confirmed_at timestamptz,                    -- null: begun, not yet asked for
    last_step    bigint      NOT NULL            -- the last time step of which a code was taken: each is good once
);

CREATE TABLE recovery_codes (
    user_id   uuid        NOT NULL REFERENCES users (id),
    code_hash bytea       NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (user_id, code_hash)
);
