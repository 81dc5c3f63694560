//! What the server does, one verb a file: plain functions over a transaction, without HTTP.

pub mod authenticate;
pub mod describe_me;
pub mod explain_permission;
pub mod failure;
pub mod open_session;
pub mod push;
pub mod refresh_session;
pub mod register_device;
pub mod sign_in;
pub mod sign_out;
