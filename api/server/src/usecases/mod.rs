//! What the server does, one verb a file: plain functions over a transaction, without HTTP.

pub mod authenticate;
pub mod describe_me;
pub mod explain_permission;
pub mod failure;
pub mod list_conflicts;
pub mod list_forms;
pub mod list_quarantine;
pub mod list_records;
pub mod list_units;
pub mod mask;
pub mod open_session;
pub mod push;
pub mod read_conflict;
pub mod read_quarantined;
pub mod read_record;
pub mod read_submissions;
pub mod read_unit;
pub mod reader;
pub mod refresh_session;
pub mod register_device;
pub mod sign_in;
pub mod sign_out;
