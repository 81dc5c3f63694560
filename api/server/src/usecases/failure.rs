//! Why a use case did not do what it was asked to, and the two ways down to the store. Knows no HTTP status.

use crate::capacity::Full;
use crate::security::password::{MAX_BYTES, MIN_CHARS, PasswordError};
use crate::security::token::TokenError;
use crate::state::App;
use chrono::TimeDelta;
use muong_domain::id::Seq;
use muong_domain::refusal::Finding;
use muong_store::{AuditError, Database, Outcome, Snapshot, StoreError, Tx, WriterError};
use tracing::Span;
use uuid::Uuid;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, by a stable code; with the places of the input that are at fault, if it is about those.
    #[error("{code}")]
    Refused {
        /// The stable code.
        code: &'static str,
        /// The places.
        findings: Vec<Finding>,
    },
    /// Refused, because there was too much of it: to be tried again later.
    #[error("{code}")]
    Throttled {
        /// The stable code.
        code: &'static str,
        /// How long to wait.
        wait: TimeDelta,
    },
    /// The log has not come to the entry that is asked for, or is another one.
    #[error("the log has not come to that entry")]
    Behind {
        /// Which history it is.
        epoch: Uuid,
        /// Its last entry.
        head: Seq,
    },
    /// Too much waits already: to be tried again.
    #[error("too much waits already")]
    Busy,
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopping,
    /// It cannot be written down, so it is not answered.
    #[error("the audit cannot be written")]
    Unaudited,
    /// An erasure cannot be written down outside the store, or is gone from the log, so it is not answered.
    #[error("an erasure cannot be written down, or is not in the log any more")]
    Unledgered,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The machine failed.
    #[error("the machine failed: {0}")]
    Machine(&'static str),
}

impl Failure {
    /// A refusal of the whole request.
    pub const fn refused(code: &'static str) -> Self {
        Self::Refused { code, findings: Vec::new() }
    }

    /// The same refusal, because of one place of the input.
    #[must_use]
    pub fn at(self, pointer: &'static str) -> Self {
        match self {
            Self::Refused { code, findings } => {
                let told = findings.into_iter().find(|finding| finding.code.as_str() == code);
                let told = told.unwrap_or_else(|| Finding::new(code, pointer));
                Self::invalid(Finding { pointer: pointer.to_owned(), ..told }, code)
            }
            other => other,
        }
    }

    /// A refusal for now.
    pub const fn throttled(code: &'static str, wait: TimeDelta) -> Self {
        Self::Throttled { code, wait }
    }

    /// A refusal because of one place of the input.
    pub fn invalid(finding: Finding, code: &'static str) -> Self {
        Self::Refused { code, findings: vec![finding] }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<WriterError> for Failure {
    fn from(error: WriterError) -> Self {
        match error {
            WriterError::Busy => Self::Busy,
            WriterError::Stopped => Self::Stopping,
            WriterError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Busy => Self::Busy,
            AuditError::Stopped => Self::Stopping,
            AuditError::Failed => Self::Unaudited,
        }
    }
}

impl From<Full> for Failure {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            PasswordError::TooShort => {
                let code = "auth.password_too_short";
                Self::invalid(Finding::new(code, "").with("min", MIN_CHARS), code)
            }
            PasswordError::TooLong => {
                let code = "auth.password_too_long";
                Self::invalid(Finding::new(code, "").with("max", MAX_BYTES), code)
            }
            PasswordError::Failed => Self::Machine("a password could not be hashed"),
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::refused("auth.expired_token"),
            TokenError::Invalid => Self::refused("auth.invalid_token"),
        }
    }
}

/// Reads in one snapshot, off the async threads.
pub async fn read<T: Send + 'static>(
    app: &App,
    reading: impl FnMut(&App, &mut Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    read_in(app, &app.database, reading).await
}

/// The same in another database than the process's own, such as a standby of it.
pub async fn read_in<T: Send + 'static>(
    app: &App,
    database: &Database,
    mut reading: impl FnMut(&App, &mut Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let place = app.capacity.reads.enter().await.inspect_err(|_full| app.metrics.refused.reads.increment(1))?;
    let (app, database, span) = (app.clone(), database.clone(), Span::current());
    let work = move || {
        let _place = place;
        span.in_scope(|| database.read(|snapshot| reading(&app, snapshot)))
    };
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_panicked| Failure::Machine("a thread that read has panicked"))??)
}

/// Works off the async threads, when it is its turn.
pub async fn work<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let place = app.capacity.work.enter().await.inspect_err(|_full| app.metrics.refused.work.increment(1))?;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    done.await.map_err(|_panicked| Failure::Machine("a thread that worked has panicked"))
}

/// Changes, in the writer's next transaction. The change may run twice, and must not write before it refuses.
pub async fn write<T: Send + 'static, R: Send + 'static>(
    app: &App,
    change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
) -> Result<Outcome<T, R>, Failure> {
    let queued = app.writer.submit(1, change);
    if matches!(queued, Err(WriterError::Busy)) {
        app.metrics.refused.writer.increment(1);
    }
    let answer = queued?.await;
    Ok(answer.map_err(|_dropped| Failure::Stopping)??)
}
