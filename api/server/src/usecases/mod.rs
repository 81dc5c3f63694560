//! What the server does, one verb a file: plain functions over a transaction, without HTTP.

pub mod push;
