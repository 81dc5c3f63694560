//! `muong keys …`: the keys of an installation, for whoever holds the shell of the server. Here those that sign access
//! tokens: the file alone is touched, running processes look at it again by themselves, and nobody is signed out.

use super::rotate_master::{self, RotateError};
use crate::cli::{KeysCommand, RotateMasterArgs, RotateSigningArgs};
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::security::key_file;
use crate::security::token::KeyError;
use crate::state::{StartError, signing_key_path};
use std::io::{self, Write};

/// Why the keys are as they were.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is not known which file is meant.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The master key.
    #[error(transparent)]
    Master(#[from] RotateError),
    /// The terminal.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Does what the command says; tells it on `out`.
pub fn run(
    command: &KeysCommand,
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    mut out: impl Write,
) -> Result<(), KeysError> {
    let retire_old = match command {
        KeysCommand::RotateSigning(RotateSigningArgs { retire_old }) => retire_old,
        KeysCommand::RotateMaster(RotateMasterArgs { retire_old }) => {
            return Ok(rotate_master::run(config, clock, entropy, *retire_old, out)?);
        }
    };
    let path = signing_key_path(config)?;
    let rotated = key_file::rotate(&path, *retire_old, clock.now(), entropy)?;
    writeln!(out, "{} signs from now on ({}).", rotated.kid, path.display())?;
    match (rotated.kept, *retire_old) {
        (_, true) => writeln!(out, "Older keys are retired: phones get new access tokens by themselves.")?,
        (0, _) => {}
        (kept, _) => writeln!(out, "Older keys that still verify for two days at most: {kept}.")?,
    }
    Ok(writeln!(out, "Running processes notice within a second of their next request, or at once by SIGHUP.")?)
}
