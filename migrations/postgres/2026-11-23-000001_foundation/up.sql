-- The whole first house. The SQLite twin has the same tables and names; types differ only as columns.rs says:
-- uuid/BLOB, jsonb/TEXT, timestamptz/INTEGER (µs since 1970), bytea/BLOB.
-- Columns named *body*, *personal*, *result*, *outcome* hold what was said about a person, or is derived from it:
-- they are opaque bytes from the beginning, so that they can be sealed under that person's key (subject).

-- The head of the log: taken (FOR UPDATE) by every write transaction before anything else.
CREATE TABLE feed_head (
    id            integer PRIMARY KEY CHECK (id = 1),
    epoch         uuid    NOT NULL,
    epoch_began   bigint  NOT NULL,          -- seq at which the epoch began: a base above it from elsewhere is unknown
    lineage       text    NOT NULL,          -- what the epoch was derived with (system id and timeline on PostgreSQL)
    seq           bigint  NOT NULL,
    floor         bigint  NOT NULL,
    chain_head    bytea   NOT NULL,
    reference_seq bigint  NOT NULL,          -- last change of units or forms: validates what processes cache
    access_seq    bigint  NOT NULL           -- last change of users or grants
);

-- Every change, dense and hash-chained; the source of truth.
CREATE TABLE log (
    seq          bigint      PRIMARY KEY,
    received_at  timestamptz NOT NULL,
    actor        uuid,
    device_id    uuid,
    grant_id     uuid,
    kind         text        NOT NULL,
    ref          uuid        NOT NULL,
    outcome      text        NOT NULL,
    content_hash bytea       NOT NULL,
    command      text,                       -- canonical JSON of changes of reference data; never a personal value
    hash         bytea       NOT NULL
);

CREATE TABLE users (
    id            uuid        PRIMARY KEY,
    username      text        NOT NULL UNIQUE,
    display_name  text        NOT NULL,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);

CREATE TABLE devices (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id),
    name          text        NOT NULL,
    registered_at timestamptz NOT NULL,
    revoked_at    timestamptz
);
CREATE INDEX devices_by_user ON devices (user_id, id);

-- A family of refresh tokens: ended as a whole.
CREATE TABLE sessions (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id),
    device_id  uuid        NOT NULL REFERENCES devices (id),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_device ON sessions (device_id, id);

CREATE TABLE refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES sessions (id),
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

CREATE TABLE units (
    id         uuid   PRIMARY KEY,
    tree       text   NOT NULL,              -- party | administrative
    founded_on date,
    seq        bigint NOT NULL
);

CREATE TABLE unit_versions (
    unit_id    uuid NOT NULL REFERENCES units (id),
    valid_from date NOT NULL,
    valid_to   date,                         -- exclusive; null: still
    kind       text NOT NULL,
    name       text NOT NULL,
    parent_id  uuid,
    PRIMARY KEY (unit_id, valid_from)
);
CREATE INDEX unit_versions_by_parent ON unit_versions (parent_id);

CREATE TABLE unit_codes (
    scheme     text NOT NULL,
    code       text NOT NULL,
    valid_from date NOT NULL,
    unit_id    uuid NOT NULL REFERENCES units (id),
    valid_to   date,
    PRIMARY KEY (scheme, code, valid_from)
);
CREATE INDEX unit_codes_by_unit ON unit_codes (unit_id);

-- Which villages a branch covers, over time: many to many.
CREATE TABLE unit_coverage (
    branch_id  uuid NOT NULL REFERENCES units (id),
    village_id uuid NOT NULL REFERENCES units (id),
    valid_from date NOT NULL,
    valid_to   date,
    PRIMARY KEY (branch_id, village_id, valid_from)
);
CREATE INDEX unit_coverage_by_village ON unit_coverage (village_id);

-- The trees as of now, closed transitively (a unit is its own ancestor): what a grant covers is one join away.
CREATE TABLE unit_closure (
    ancestor_id   uuid    NOT NULL,
    descendant_id uuid    NOT NULL,
    depth         integer NOT NULL,
    PRIMARY KEY (ancestor_id, descendant_id)
);
CREATE INDEX unit_closure_by_descendant ON unit_closure (descendant_id, ancestor_id);

CREATE TABLE grants (
    id         uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users (id),
    role       text        NOT NULL,
    unit_id    uuid        NOT NULL REFERENCES units (id),
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,                  -- exclusive; null: open
    seq        bigint      NOT NULL
);
CREATE INDEX grants_by_user ON grants (user_id, role);
CREATE INDEX grants_by_unit ON grants (unit_id);

CREATE TABLE forms (
    code       text    NOT NULL,
    version    integer NOT NULL,
    valid_from date    NOT NULL,
    definition text    NOT NULL,
    seq        bigint  NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE submissions (
    id           uuid   PRIMARY KEY,
    seq          bigint NOT NULL UNIQUE,     -- of the log entry that recorded it
    device_id    uuid   NOT NULL,
    n            bigint,                     -- none when it could not be read
    author       uuid   NOT NULL,
    unit_id      uuid,                       -- as named by the phone; none when unknown or unreadable
    record_id    uuid,                       -- canonical
    kind         text,
    form         text,
    captured_at  timestamptz,
    origin       text   NOT NULL,            -- who pushed, for whom, which client, clock offset
    content_hash bytea  NOT NULL,
    status       text   NOT NULL,
    subject      uuid,                       -- the person it is about
    body         bytea  NOT NULL,
    result       bytea  NOT NULL
);
CREATE UNIQUE INDEX submissions_by_device_n ON submissions (device_id, n);
CREATE INDEX submissions_by_record ON submissions (record_id, seq);
CREATE INDEX submissions_by_subject ON submissions (subject);

CREATE TABLE records (
    id          uuid   PRIMARY KEY,
    form        text   NOT NULL,
    unit_id     uuid   NOT NULL,
    subject     uuid,
    version     bigint NOT NULL,
    created_seq bigint NOT NULL,
    state       text   NOT NULL,             -- live | deleted
    disputed    boolean NOT NULL,            -- has an open conflict
    occurred_on date,
    natural_key text,
    cells       jsonb  NOT NULL,             -- claims by path, deletions, rounds: the state of the merge
    personal    bytea                        -- the same for paths that are marked personal
);
CREATE UNIQUE INDEX records_by_natural_key ON records (form, natural_key);
CREATE INDEX records_by_unit ON records (unit_id, form, id);
CREATE INDEX records_by_subject ON records (subject, form, id);
CREATE INDEX records_by_form ON records (form, id, unit_id); -- unit_id: so that a list in order of id needs no row
CREATE INDEX records_by_day ON records (form, occurred_on, id);
CREATE INDEX records_disputed ON records (form, id) WHERE disputed;
CREATE INDEX records_deleted ON records (form, id) WHERE state = 'deleted';

-- Other ids under which phones know a record; an alias speaks only within the unit that it was used in.
CREATE TABLE record_aliases (
    alias     uuid   NOT NULL,
    unit_id   uuid   NOT NULL,
    record_id uuid   NOT NULL REFERENCES records (id),
    seq       bigint NOT NULL,
    PRIMARY KEY (alias, unit_id)
);
CREATE INDEX record_aliases_by_record ON record_aliases (record_id);

-- Values that must be unique among people (an active party card), as digests.
CREATE TABLE personal_keys (
    kind      text  NOT NULL,
    digest    bytea NOT NULL,
    record_id uuid  NOT NULL REFERENCES records (id),
    PRIMARY KEY (kind, digest)
);
CREATE INDEX personal_keys_by_record ON personal_keys (record_id, kind);

CREATE TABLE conflicts (
    id         uuid    PRIMARY KEY,
    record_id  uuid    NOT NULL REFERENCES records (id),
    form       text    NOT NULL,
    unit_id    uuid    NOT NULL,
    path       text    NOT NULL,
    round      integer NOT NULL,
    code       text    NOT NULL,
    fields     text    NOT NULL,             -- JSON list of the names that differ
    opened_seq bigint  NOT NULL,
    closed_seq bigint,
    decision   uuid,
    subject    uuid
);
CREATE UNIQUE INDEX conflicts_by_record ON conflicts (record_id, path, round);
CREATE INDEX conflicts_open ON conflicts (unit_id, id) WHERE closed_seq IS NULL;
CREATE INDEX conflicts_open_by_id ON conflicts (id) WHERE closed_seq IS NULL;

CREATE TABLE quarantine (
    id            uuid   PRIMARY KEY,
    submission_id uuid   NOT NULL UNIQUE REFERENCES submissions (id),
    unit_id       uuid,
    author        uuid   NOT NULL,
    form          text,
    code          text   NOT NULL,           -- of the first reason
    waits_on      uuid,                      -- the quarantined submission that it builds on
    opened_seq    bigint NOT NULL,
    closed_seq    bigint,
    closing       text,                      -- released | discarded | replaced
    subject       uuid,
    outcome       bytea                      -- the result of its release
);
CREATE INDEX quarantine_by_unit ON quarantine (unit_id, id);
CREATE INDEX quarantine_by_author ON quarantine (author, id);
CREATE INDEX quarantine_by_wait ON quarantine (waits_on);

-- What reviewers decided, whole: resolutions, releases, discards.
CREATE TABLE decisions (
    id      uuid   PRIMARY KEY,
    seq     bigint NOT NULL UNIQUE,
    kind    text   NOT NULL,
    actor   uuid   NOT NULL,
    target  uuid   NOT NULL,
    subject uuid,
    body    bytea  NOT NULL
);
CREATE INDEX decisions_by_target ON decisions (target, seq);

-- The current state by scope and seq: what phones pull.
CREATE TABLE feed (
    id      uuid    NOT NULL,
    scope   uuid    NOT NULL,
    kind    text    NOT NULL,
    seq     bigint  NOT NULL,
    present boolean NOT NULL,
    PRIMARY KEY (id, scope)
);
CREATE INDEX feed_by_scope ON feed (scope, seq);
