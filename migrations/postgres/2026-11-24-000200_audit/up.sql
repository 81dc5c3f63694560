-- What is no change but must be accounted for: sign-ins, refusals, reads of personal data and exports. One chain for each
-- run of a server process, each row hashing the one before; `audit_anchor` entries of the log vouch for the chains.
-- Rows are added and never changed. Never a personal value: ids, codes, and the stated reason.
CREATE TABLE audit (
    chain      uuid        NOT NULL,         -- the run of a process
    position   bigint      NOT NULL,         -- within the chain: dense, from 1
    at         timestamptz NOT NULL,
    kind       text        NOT NULL,         -- sign_in | refusal | read | export | audit_read
    user_id    uuid,
    device_id  uuid,
    what       text        NOT NULL,         -- the operation
    outcome    text        NOT NULL,         -- ok, or the code of the refusal
    reason     text,
    request_id uuid,
    address    text,
    hash       bytea       NOT NULL,
    PRIMARY KEY (chain, position)
);
CREATE INDEX audit_by_time ON audit (at, chain, position);
CREATE INDEX audit_by_user ON audit (user_id, at, chain, position);
CREATE INDEX audit_by_kind ON audit (kind, at, chain, position);

-- The records and persons that a row concerns. Hashed with the row.
CREATE TABLE audit_subjects (
    chain    uuid        NOT NULL,
    position bigint      NOT NULL,
    subject  uuid        NOT NULL,
    unit_id  uuid,                           -- where it lay then, as far as that was known
    at       timestamptz NOT NULL,           -- of the row: so that one subject's rows are found in order
    PRIMARY KEY (chain, position, subject)
);
CREATE INDEX audit_subjects_by_subject ON audit_subjects (subject, at, chain, position);

-- The log as an auditor asks for it. `log_by_kind` leaves out what most entries are: they are found by time.
CREATE INDEX log_by_time ON log (received_at, seq);
CREATE INDEX log_by_actor ON log (actor, received_at, seq);
CREATE INDEX log_by_kind ON log (kind, received_at, seq) WHERE kind <> 'submission';
CREATE INDEX log_anchors ON log (ref, seq) WHERE kind = 'audit_anchor';
CREATE INDEX decisions_by_subject ON decisions (subject);
