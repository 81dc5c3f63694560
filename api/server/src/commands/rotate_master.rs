//! `muong keys rotate-master`: a new master key, under which every data key is wrapped anew. Nothing is sealed again, and
//! running servers go on: they read the file again when they meet a key that they do not know.

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::security::master_key::{self, MasterKeyError};
use crate::state::{StartError, Storage};
use muong_domain::access::Authority;
use muong_store::{DatabaseUrl, Outcome, StoreError, WriterError, seal};
use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;

/// How many data keys share a transaction: servers wait no longer than for a push.
const PAGE: i64 = 500;

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The key file.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The store could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store failed.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The writer failed.
    #[error("the database: {0}")]
    Writer(#[from] WriterError),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Rotates, or with `retire_old` drops the older keys from the file once nothing is wrapped under them.
pub fn run(
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    retire_old: bool,
    mut out: impl Write,
) -> Result<(), RotateError> {
    let path = file(config)?;
    if !retire_old {
        master_key::add_key(&path, entropy)?;
    }
    let storage = Storage::open(config, clock, entropy)?;
    let done = rewrap(&storage);
    storage.close();
    let count = done?;
    writeln!(out, "Wrapped {count} data keys anew.")?;
    if retire_old {
        master_key::keep_first(&path)?;
        writeln!(out, "Dropped the older keys from {}. Backups from before need them: keep a copy.", path.display())?;
    } else {
        writeln!(
            out,
            "The older keys stay in {} for backups. Servers that run now take up the new one by themselves. To drop the \
             older ones, once every server has the new file: muong keys rotate-master --retire-old",
            path.display()
        )?;
    }
    Ok(())
}

fn rewrap(storage: &Storage) -> Result<usize, RotateError> {
    let mut count = 0;
    loop {
        let page = storage.writer.write::<_, Infallible>(1, |tx| {
            seal::rewrap(tx, &Authority::operator_of_the_server(), PAGE).map(Outcome::Commit)
        })?;
        match page {
            Outcome::Commit(0) => return Ok(count),
            Outcome::Commit(some) => count += some,
            Outcome::Refuse(never) => match never {},
        }
    }
}

fn file(config: &Config) -> Result<PathBuf, RotateError> {
    if config.master_key.is_some() {
        return Err(MasterKeyError::NotAFile.into());
    }
    match &config.master_key_file {
        Some(path) => Ok(path.clone()),
        None if DatabaseUrl::parse(config.database_url.expose())?.kind() == "sqlite" => {
            Ok(config.data_dir.join(master_key::FILE))
        }
        None => Err(StartError::NoSharedMasterKey.into()),
    }
}
