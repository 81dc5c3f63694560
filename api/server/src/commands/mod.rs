//! What the verbs of the command line do; one file a verb.

pub mod audit;
pub mod backup;
pub mod check;
pub mod compact;
pub mod demo;
pub mod keys;
pub mod migrate;
pub mod openapi;
pub mod restore;
pub mod rotate_master;
pub mod serve;
pub mod unit;
pub mod user;
