//! What the verbs of the command line do; one file a verb.

pub mod demo;
pub mod migrate;
pub mod openapi;
pub mod serve;
pub mod unit;
pub mod user;
