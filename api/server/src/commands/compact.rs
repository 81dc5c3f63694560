//! `muong compact`: takes out of the feed what only tells that something is gone, as a running server does every hour.

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::state::{StartError, Storage};
use crate::usecases::compact::{self, CompactError};
use std::io::{self, Write};

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum CompactCommandError {
    /// The store could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It failed on the way; what is done is done.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Compacts, and tells on `out` how much.
pub fn run(
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    mut out: impl Write,
) -> Result<usize, CompactCommandError> {
    let storage = Storage::open(config, clock, entropy)?;
    let done = compact::compact(&storage.writer, config.tombstone_days);
    storage.close();
    let removed = done?;
    writeln!(out, "Removed {removed} rows of the feed that were older than {} days.", config.tombstone_days)?;
    Ok(removed)
}
