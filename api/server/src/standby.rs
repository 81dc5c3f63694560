//! A streaming standby of PostgreSQL, from which pulls are answered. It is asked only for what the primary has at that
//! moment: one that lags, or has another history, answers nothing, and then the primary does. So nobody sees less from
//! it than from the primary: no entry that they were told of or woken for, no revocation, no erasure.

use crate::config::Config;
use crate::state::App;
use crate::usecases::failure::{Failure, read, read_in};
use crate::usecases::keep_erasures::OUT_OF_STEP;
use muong_store::{Database, DatabaseUrl, Head, Snapshot, StoreError, Vault};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often, and how long apart, it is asked whether it has caught up: some milliseconds are all that streaming takes.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(3);
/// How long it is let alone when it has not caught up, or does not answer.
const AWAY: Duration = Duration::from_secs(1);

/// A standby, and whether it is worth asking.
pub struct Standby {
    database: Database,
    away_until: Mutex<Option<Instant>>,
}

/// What it has to say.
enum Said<T> {
    Read(T),
    Behind,
    OtherHistory,
}

impl Standby {
    /// The configured one.
    pub fn of(config: &Config, vault: &Arc<Vault>) -> Result<Option<Self>, StoreError> {
        let Some(url) = &config.database_read_url else { return Ok(None) };
        let readers = u32::try_from(config.readers.get()).unwrap_or(u32::MAX);
        let database = Database::open_lazily(DatabaseUrl::parse(url.expose())?, Some(Arc::clone(vault)), readers);
        Ok(Some(Self { database, away_until: Mutex::default() }))
    }

    fn is_away(&self) -> bool {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn let_alone(&self) {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + AWAY);
    }
}

/// Reads from the standby if it has all that the primary has now, otherwise from the primary.
pub async fn read_up_to_date<T: Send + 'static>(
    app: &App,
    reading: impl Fn(&App, &mut Snapshot<'_>) -> Result<T, StoreError> + Clone + Send + 'static,
) -> Result<T, Failure> {
    let Some(standby) = app.standby.as_ref().filter(|standby| !standby.is_away()) else {
        return from_primary(app, reading).await;
    };
    let now = read(app, |app, snapshot| app.in_step.head(snapshot)).await?;
    let now = now.ok_or_else(|| Failure::refused(OUT_OF_STEP))?;
    for _ in 0..ATTEMPTS {
        let (reading, now) = (reading.clone(), now.clone());
        let asked = read_in(app, &standby.database, move |app, snapshot| look(app, snapshot, &now, &reading)).await;
        match asked {
            Ok(Said::Read(done)) => {
                app.metrics.pulled_from.standby.increment(1);
                return Ok(done);
            }
            Ok(Said::Behind) => sleep(PAUSE).await,
            Ok(Said::OtherHistory) => break,
            Err(Failure::Busy) => return Err(Failure::Busy),
            Err(error) => {
                tracing::debug!(%error, "the standby does not answer");
                break;
            }
        }
    }
    standby.let_alone();
    from_primary(app, reading).await
}

async fn from_primary<T: Send + 'static>(
    app: &App,
    reading: impl Fn(&App, &mut Snapshot<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    app.metrics.pulled_from.primary.increment(1);
    read(app, reading).await
}

fn look<T>(
    app: &App,
    snapshot: &mut Snapshot<'_>,
    now: &Head,
    reading: &impl Fn(&App, &mut Snapshot<'_>) -> Result<T, StoreError>,
) -> Result<Said<T>, StoreError> {
    let (here, is_of_another_history) = snapshot.look()?;
    if is_of_another_history || here.epoch != now.epoch {
        Ok(Said::OtherHistory)
    } else if here.seq < now.seq {
        Ok(Said::Behind)
    } else {
        reading(app, snapshot).map(Said::Read)
    }
}
