//! What can go wrong below the domain. Nothing here is a client's fault.

/// A failure of the database or of what was read from it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A query failed.
    #[error("the database refused a query")]
    Query(#[from] diesel::result::Error),
    /// No connection could be had.
    #[error("no connection to the database")]
    Connect(#[from] diesel::ConnectionError),
    /// The pool had none to give in time.
    #[error("no free connection in time")]
    Pool(#[from] diesel::r2d2::PoolError),
    /// A migration failed or the binary does not know one that was applied.
    #[error("migration: {0}")]
    Migration(String),
    /// A stored value does not read as what it should be.
    #[error("stored {what} cannot be read: {reason}")]
    Corrupt {
        /// Which thing.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The address of the database cannot be used.
    #[error("database address: {0}")]
    Address(String),
    /// The database is gone and does not come back at once.
    #[error("the database is gone")]
    Gone,
    /// A change that shared a transaction refused after it had written: it must be undone alone.
    #[error("a change refused after it had written")]
    RefusedLate,
    /// A sealed value or its key cannot be used.
    #[error("{0}")]
    Sealed(&'static str),
    /// Data is sealed under a master key that this process does not have.
    #[error(
        "data is sealed under the master key {0}, which is not among the keys given (master_key_file): \
         it must stay there until `muong keys rotate-master` has finished"
    )]
    NoMasterKey(String),
    /// The database's file cannot be opened or flushed.
    #[error("the database's file: {0}")]
    File(std::io::Error),
    /// A backup cannot be written or read.
    #[error("the backup: {0}")]
    Backup(String),
    /// The same, because of its file.
    #[error("the backup: {0}")]
    BackupFile(#[from] std::io::Error),
    /// A database in which there is something already is not restored into.
    #[error("the database is not empty")]
    NotEmpty,
    /// A change panicked; nothing of it was written.
    #[error("a change panicked")]
    Panicked,
}

impl StoreError {
    /// A stored value that does not read. What the reason quotes is left out: it is a stored value, perhaps somebody's
    /// name, and this goes to the log.
    pub fn corrupt(what: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt { what, reason: without_quotes(&reason.to_string()) }
    }

    /// Whether the database cannot be reached at the moment: to be tried again, and nobody's fault here.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Gone | Self::Pool(_)) || self.is_broken_connection()
    }

    /// Whether it is about what was to be read or written, not about the machine: it would fail again, and something else
    /// beside it may well succeed.
    pub fn is_of_content(&self) -> bool {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        let Self::Query(error) = self else {
            return matches!(self, Self::Corrupt { .. } | Self::Sealed(_) | Self::Panicked);
        };
        match error {
            Error::DatabaseError(kind, _) => matches!(
                kind,
                Kind::UniqueViolation | Kind::ForeignKeyViolation | Kind::NotNullViolation | Kind::CheckViolation
            ),
            error => matches!(error, Error::DeserializationError(_) | Error::SerializationError(_) | Error::NotFound),
        }
    }

    /// Whether the connection itself is gone, so that another one may do better.
    pub fn is_broken_connection(&self) -> bool {
        use diesel::result::{DatabaseErrorKind, Error};
        matches!(
            self,
            Self::Connect(_)
                | Self::Query(
                    // The latter two: of a connection that was found to be gone before.
                    Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
                        | Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, _)
                        | Error::BrokenTransactionManager
                )
        )
    }
}

/// The text with everything between quotation marks or backticks left out.
fn without_quotes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut inside = None;
    let mut escaped = false;
    for letter in text.chars() {
        match inside {
            None => {
                clean.push(letter);
                inside = ['"', '`'].into_iter().find(|mark| *mark == letter);
            }
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(mark) if letter == mark => {
                clean.push('…');
                clean.push(letter);
                inside = None;
            }
            Some(_) => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_value_that_an_error_quotes_stays_out_of_it() {
        let parsed = serde_json::from_str::<i64>(r#""Vừ A \"Chá\"""#).expect_err("not a number");
        let error = StoreError::corrupt("a step's facts", parsed);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("Vừ") && !text.contains("Chá") && text.contains("expected i64"), "{text}");
        assert!(!StoreError::corrupt("x", "unknown variant `Vừ`, expected one").to_string().contains("Vừ"));
        assert!(!StoreError::corrupt("x", "cut off: \"Vừ A Chá").to_string().contains("Vừ"));
    }
}
