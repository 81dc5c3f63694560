//! One entry of the log: what it says, how it stands in its row, and by which hash it follows the one before it.

use crate::columns::{Id, Instant, sql};
use crate::connection::Connection;
use crate::error::StoreError;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use muong_domain::id::{DeviceId, GrantId, UserId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What is written into the log about one change.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Who; none for the system itself.
    pub actor: Option<UserId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// By which grant it was allowed.
    pub grant: Option<GrantId>,
    /// What kind of change (`submission`, `resolve`, `unit` …).
    pub kind: &'static str,
    /// Which one.
    pub reference: Uuid,
    /// How it ended.
    pub outcome: String,
    /// SHA-256 of what was said.
    pub content_hash: [u8; 32],
    /// The change itself, when no other table keeps it; never a personal value.
    pub command: Option<String>,
}

impl LogEntry {
    /// An entry about reference data (a user, a grant, a unit, a form), whose command says everything that happened.
    pub fn of_reference(kind: &'static str, reference: Uuid, outcome: &str, command: &serde_json::Value) -> Self {
        let command = muong_domain::json::canonical(command);
        Self {
            actor: None,
            device: None,
            grant: None,
            kind,
            reference,
            outcome: outcome.to_owned(),
            content_hash: Sha256::digest(&command).into(),
            command: Some(String::from_utf8(command).expect("JSON is UTF-8")),
        }
    }

    /// Names who did it, and by which grant.
    #[must_use]
    pub fn by(mut self, authority: &muong_domain::access::Authority) -> Self {
        self.actor = authority.user();
        self.grant = authority.grant().map(|grant| grant.id());
        self
    }
}

/// An entry as it stands in the log.
#[derive(Clone, Debug, Queryable)]
pub(crate) struct LogRow {
    pub seq: i64,
    pub received_at: Instant,
    pub actor: Option<Id>,
    pub device_id: Option<Id>,
    pub grant_id: Option<Id>,
    pub kind: String,
    pub reference: Id,
    pub outcome: String,
    pub content_hash: Vec<u8>,
    pub command: Option<String>,
    pub hash: Vec<u8>,
}

insert_rows!(LogRow => "log" {
    seq: i64, BigInt, "bigint";
    received_at: Instant, sql::Instant, "timestamptz";
    actor: Option<Id>, Nullable<sql::Id>, "uuid";
    device_id: Option<Id>, Nullable<sql::Id>, "uuid";
    grant_id: Option<Id>, Nullable<sql::Id>, "uuid";
    kind: String, Text, "text";
    reference: Id, sql::Id, "uuid" as "ref";
    outcome: String, Text, "text";
    content_hash: Vec<u8>, Binary, "bytea";
    command: Option<String>, Nullable<Text>, "text";
    hash: Vec<u8>, Binary, "bytea";
} "");

fn hash_optional(hash: &mut Sha256, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return hash.update([0]) };
    hash.update([1]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

impl LogRow {
    /// The hash that this row must have when `previous` is the hash of the row before it: SHA-256 over that and the
    /// columns in their order. What may be missing or long says so first (0 or 1, and the length), so no two rows give the
    /// same bytes; numbers stand in eight bytes, the first the greatest.
    pub fn expected_hash(&self, previous: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new().chain_update(previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.received_at.0.timestamp_micros().to_be_bytes());
        for id in [self.actor, self.device_id, self.grant_id] {
            hash_optional(&mut hash, id.as_ref().map(|id| id.0.as_bytes().as_slice()));
        }
        hash_optional(&mut hash, Some(self.kind.as_bytes()));
        hash_optional(&mut hash, Some(self.reference.0.as_bytes()));
        hash_optional(&mut hash, Some(self.outcome.as_bytes()));
        hash_optional(&mut hash, Some(&self.content_hash));
        hash_optional(&mut hash, self.command.as_deref().map(str::as_bytes));
        hash.finalize().to_vec()
    }
}

/// Writes entries that have been stamped and chained.
pub(crate) fn write(conn: &mut Connection, entries: &[LogRow]) -> Result<(), StoreError> {
    Ok(insert_rows(conn, entries)?)
}
