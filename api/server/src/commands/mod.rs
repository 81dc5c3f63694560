//! What the verbs of the command line do; one file a verb.

pub mod openapi;
pub mod serve;
