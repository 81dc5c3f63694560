//! What the server does, one verb a file: plain functions over a transaction, without HTTP.

pub mod authenticate;
pub mod describe_me;
pub mod discard_quarantined;
pub mod explain_permission;
pub mod failure;
pub mod found_units;
pub mod open_session;
pub mod publish_form;
pub mod push;
pub mod refresh_session;
pub mod register_device;
pub mod release_quarantined;
pub mod replay_log;
pub mod resolve_conflict;
pub mod review;
pub mod sign_in;
pub mod sign_out;
