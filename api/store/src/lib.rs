//! The store: domain types in and out of SQLite and PostgreSQL. No SQL leaves, no HTTP enters.
//!
//! One set of `table!`s and one body of diesel code for each query serve both databases ([`on_backend!`]);
//! what really differs stands in `dialect.rs` and `columns.rs`. Only `transaction.rs` begins and commits.

#[macro_use]
mod dialect;
#[macro_use]
mod insert;
mod among;
mod audit;
mod audit_check;
mod auditor;
mod by_id;
mod checkpoint;
mod columns;
mod connection;
mod entry;
mod error;
mod head;
mod head_watch;
mod inspection;
mod migrate;
mod schema;
mod scope;
mod state_hash;
mod transaction;
mod vault;
mod waiting;
mod writer;

pub mod backup;
pub mod compaction;
pub mod conflicts;
pub mod decisions;
pub mod feed;
pub mod forms;
pub mod log;
pub mod names;
pub mod quarantine;
pub mod receipts;
pub mod records;
pub mod relocation;
pub mod remains;
pub mod seal;
pub mod standing;
pub mod stock;
pub mod submissions;
pub mod trail;
pub mod units;

pub mod attempts;
pub mod devices;
pub mod grants;
pub mod sessions;
pub mod totp;
pub mod users;

pub use audit::{ANCHOR, Note, NoteKind};
pub use audit_check::{Broken, Checked, Flaw, check_audit};
pub use auditor::{AuditError, Auditor, AuditorOptions};
pub use by_id::ById;
pub use connection::{Connection, Database, DatabaseUrl, PoolState};
pub use entry::LogEntry;
pub use error::StoreError;
pub use head::{Head, establish_epoch};
pub use head_watch::{HeadWatch, History};
pub use inspection::{Inspection, ServerFacts};
pub use migrate::{MigrationStatus, migrate, migration_status};
pub use scope::Scope;
pub use state_hash::state_hash;
pub use stock::Stock;
pub use transaction::{Outcome, Reading, Snapshot, Tx};
pub use vault::{Chance, MasterKey, Source, Vault};
pub use waiting::{ANYTHING, TooMany, Waiter, Waiting};
pub use writer::{Answer, Writer, WriterError, WriterMetrics, WriterOptions};
