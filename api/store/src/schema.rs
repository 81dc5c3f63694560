//! The tables of both databases, as the migrations make them.

use crate::columns::sql;

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    feed_head (id) {
        id -> Integer,
        epoch -> sql::Id,
        epoch_began -> BigInt,
        lineage -> Text,
        seq -> BigInt,
        floor -> BigInt,
        chain_head -> Binary,
        reference_seq -> BigInt,
        access_seq -> BigInt,
        durable -> BigInt,
        durable_at -> Nullable<sql::Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    log (seq) {
        seq -> BigInt,
        received_at -> sql::Instant,
        actor -> Nullable<sql::Id>,
        device_id -> Nullable<sql::Id>,
        grant_id -> Nullable<sql::Id>,
        kind -> Text,
        #[sql_name = "ref"]
        reference -> sql::Id,
        outcome -> Text,
        content_hash -> Binary,
        command -> Nullable<Text>,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    users (id) {
        id -> sql::Id,
        username -> Text,
        display_name -> Text,
        password_hash -> Text,
        created_at -> sql::Instant,
        disabled_at -> Nullable<sql::Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    devices (id) {
        id -> sql::Id,
        user_id -> sql::Id,
        name -> Text,
        registered_at -> sql::Instant,
        revoked_at -> Nullable<sql::Instant>,
        secret_hash -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    sessions (id) {
        id -> sql::Id,
        user_id -> sql::Id,
        device_id -> sql::Id,
        started_at -> sql::Instant,
        ended_at -> Nullable<sql::Instant>,
        end_reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    refresh_tokens (token_hash) {
        token_hash -> Binary,
        session_id -> sql::Id,
        issued_at -> sql::Instant,
        expires_at -> sql::Instant,
        used_at -> Nullable<sql::Instant>,
        replaced_by -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    attempts (key) {
        key -> Binary,
        failures -> Integer,
        last_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    totp (user_id) {
        user_id -> sql::Id,
        secret -> Binary,
        begun_at -> sql::Instant,
        confirmed_at -> Nullable<sql::Instant>,
        last_step -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    recovery_codes (user_id, code_hash) {
        user_id -> sql::Id,
        code_hash -> Binary,
        used_at -> Nullable<sql::Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    units (id) {
        id -> sql::Id,
        tree -> Text,
        founded_on -> Nullable<Date>,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    unit_versions (unit_id, valid_from) {
        unit_id -> sql::Id,
        valid_from -> Date,
        valid_to -> Nullable<Date>,
        kind -> Text,
        name -> Text,
        parent_id -> Nullable<sql::Id>,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    unit_codes (scheme, code, valid_from) {
        scheme -> Text,
        code -> Text,
        valid_from -> Date,
        unit_id -> sql::Id,
        valid_to -> Nullable<Date>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    unit_coverage (branch_id, village_id, valid_from) {
        branch_id -> sql::Id,
        village_id -> sql::Id,
        valid_from -> Date,
        valid_to -> Nullable<Date>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    unit_closure (ancestor_id, descendant_id) {
        ancestor_id -> sql::Id,
        descendant_id -> sql::Id,
        depth -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    grants (id) {
        id -> sql::Id,
        user_id -> sql::Id,
        role -> Text,
        unit_id -> sql::Id,
        valid_from -> sql::Instant,
        valid_to -> Nullable<sql::Instant>,
        seq -> BigInt,
        given_seq -> BigInt,
        ended -> Bool,
        earlier_ends -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    forms (code, version) {
        code -> Text,
        version -> Integer,
        valid_from -> Date,
        definition -> Text,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    submissions (id) {
        id -> sql::Id,
        seq -> BigInt,
        device_id -> sql::Id,
        n -> Nullable<BigInt>,
        author -> sql::Id,
        unit_id -> Nullable<sql::Id>,
        record_id -> Nullable<sql::Id>,
        kind -> Nullable<Text>,
        form -> Nullable<Text>,
        captured_at -> Nullable<sql::Instant>,
        origin -> Text,
        content_hash -> Binary,
        status -> Text,
        subject -> Nullable<sql::Id>,
        body -> Binary,
        result -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    records (id) {
        id -> sql::Id,
        form -> Text,
        unit_id -> sql::Id,
        subject -> Nullable<sql::Id>,
        version -> BigInt,
        created_seq -> BigInt,
        state -> Text,
        disputed -> Bool,
        occurred_on -> Nullable<Date>,
        natural_key -> Nullable<Text>,
        cells -> Text,
        personal -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    record_aliases (alias, unit_id) {
        alias -> sql::Id,
        unit_id -> sql::Id,
        record_id -> sql::Id,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    record_moves (record_id, unit_id) {
        record_id -> sql::Id,
        unit_id -> sql::Id,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    personal_keys (kind, digest) {
        kind -> Text,
        digest -> Binary,
        record_id -> sql::Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    conflicts (id) {
        id -> sql::Id,
        record_id -> sql::Id,
        form -> Text,
        unit_id -> sql::Id,
        path -> Text,
        round -> Integer,
        code -> Text,
        fields -> Text,
        opened_seq -> BigInt,
        closed_seq -> Nullable<BigInt>,
        decision -> Nullable<sql::Id>,
        subject -> Nullable<sql::Id>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    quarantine (id) {
        id -> sql::Id,
        submission_id -> sql::Id,
        unit_id -> Nullable<sql::Id>,
        author -> sql::Id,
        form -> Nullable<Text>,
        code -> Text,
        waits_on -> Nullable<sql::Id>,
        opened_seq -> BigInt,
        closed_seq -> Nullable<BigInt>,
        closing -> Nullable<Text>,
        subject -> Nullable<sql::Id>,
        outcome -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    decisions (id) {
        id -> sql::Id,
        seq -> BigInt,
        kind -> Text,
        actor -> sql::Id,
        target -> sql::Id,
        subject -> Nullable<sql::Id>,
        body -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    feed (scope, seq, id) {
        id -> sql::Id,
        scope -> sql::Id,
        kind -> Text,
        seq -> BigInt,
        present -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    data_keys (kind, owner) {
        kind -> Text,
        owner -> sql::Id,
        master -> Text,
        wrapped -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    erased_submissions (id) {
        id -> sql::Id,
        author -> sql::Id,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    erased_records (id, unit_id) {
        id -> sql::Id,
        unit_id -> sql::Id,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    audit (chain, position) {
        chain -> sql::Id,
        position -> BigInt,
        at -> sql::Instant,
        kind -> Text,
        user_id -> Nullable<sql::Id>,
        device_id -> Nullable<sql::Id>,
        what -> Text,
        outcome -> Text,
        reason -> Nullable<Text>,
        request_id -> Nullable<sql::Id>,
        address -> Nullable<Text>,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    audit_subjects (chain, position, subject) {
        chain -> sql::Id,
        position -> BigInt,
        subject -> sql::Id,
        unit_id -> Nullable<sql::Id>,
        at -> sql::Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    audit,
    audit_subjects,
    erased_submissions,
    erased_records,
    feed_head,
    log,
    users,
    devices,
    sessions,
    refresh_tokens,
    attempts,
    totp,
    recovery_codes,
    units,
    unit_versions,
    unit_codes,
    unit_coverage,
    unit_closure,
    grants,
    forms,
    submissions,
    records,
    record_aliases,
    record_moves,
    personal_keys,
    conflicts,
    quarantine,
    decisions,
    feed,
    data_keys
);
