//! The server of muong: configuration, signing in, use cases and HTTP. Speaks to people and phones above it and to
//! `muong-store` below it; contains no SQL.

pub mod archive;
pub mod capacity;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod http;
pub mod ledger;
pub mod messages;
pub mod metrics;
pub mod open_files;
pub mod reference;
pub mod security;
pub mod shape;
pub mod shared_look;
pub mod sole_server;
pub mod standby;
pub mod state;
pub mod telemetry;
pub mod usecases;
