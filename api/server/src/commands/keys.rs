//! `muong keys …`: the keys that sign access tokens, for whoever holds the shell of the server. Touches the file alone:
//! running processes look at it again by themselves, and nobody is signed out.

use crate::cli::{KeysCommand, RotateSigningArgs};
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
    let KeysCommand::RotateSigning(RotateSigningArgs { retire_old }) = command;
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
