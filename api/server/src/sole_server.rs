//! On SQLite one process serves: its writer and its caches count on being told of every change. So it holds a lock on a
//! file beside the database for as long as it serves, which the system takes back however the process ends. Commands
//! beside it go through the same database and need no lock.

use muong_store::DatabaseUrl;
use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;

/// Why this process may not serve.
#[derive(Debug, thiserror::Error)]
pub enum SoleServerError {
    /// Another one does.
    #[error(
        "another process serves this database already ({0} is locked): stop it first, or use PostgreSQL, which \
         several processes can serve"
    )]
    Served(PathBuf),
    /// The file cannot be made.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// The right to serve a database, until it is dropped.
#[derive(Debug)]
pub struct SoleServer {
    _lock: Option<File>,
}

impl SoleServer {
    /// Takes it. On PostgreSQL everybody has it.
    pub fn of(database: &DatabaseUrl) -> Result<Self, SoleServerError> {
        let DatabaseUrl::Sqlite(path) = database else { return Ok(Self { _lock: None }) };
        let path = PathBuf::from(format!("{path}.lock"));
        // Not truncated and not removed afterwards: two processes must always mean the same file.
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|error| SoleServerError::Io(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(SoleServerError::Served(path)),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(path = %path.display(), "this file system has no locks: make sure that one process serves");
                Ok(Self { _lock: None })
            }
            Err(TryLockError::Error(error)) => Err(SoleServerError::Io(path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_serves_a_file_and_everybody_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let file = DatabaseUrl::Sqlite(folder.path().join("muong.db").display().to_string());
        let first = SoleServer::of(&file).unwrap();
        let second = SoleServer::of(&file).unwrap_err();
        assert!(second.to_string().contains("muong.db.lock"), "{second}");
        drop(first);
        SoleServer::of(&file).unwrap();
        let server = DatabaseUrl::Postgres("postgres:///muong".to_owned());
        let _both = (SoleServer::of(&server).unwrap(), SoleServer::of(&server).unwrap());
    }
}
