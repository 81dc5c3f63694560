//! What muong does, in sentences: black-box, over HTTP, each on SQLite and on PostgreSQL.

#[path = "acceptance/signing_in.rs"]
mod signing_in;
