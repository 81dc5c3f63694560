//! What the server does, one verb a file: plain functions over a transaction, without HTTP.

pub mod discard_quarantined;
pub mod found_units;
pub mod publish_form;
pub mod push;
pub mod release_quarantined;
pub mod resolve_conflict;
pub mod review;
