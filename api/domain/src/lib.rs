//! The domain of muong: units, access, forms, submissions and their merging, as pure functions over plain values.
//!
//! No I/O, no clock, no randomness, no database, no HTTP: what a rule needs to know is an argument. So every rule
//! can be tried in a unit test, replayed from the log and reasoned about alone.

pub mod access;
pub mod account;
pub mod data;
pub mod development;
pub mod form;
pub mod id;
pub mod json;
pub mod lineage;
pub mod merge;
pub mod record;
pub mod refusal;
pub mod submission;
pub mod text;
pub mod time;
pub mod unit;
pub mod validate;
