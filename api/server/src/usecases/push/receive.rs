//! A push on its way through the process: read and assessed off the async threads, then handed to the writer.

use super::outcome::Pushed;
use super::said::{Origin, Said};
use super::{Prepared, PushRefusal, push_submissions};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::failure::{Failure, read, work, write_weighing};
use muong_store::{Outcome, StoreError, Tx, grants};
use std::sync::Arc;

/// Takes items as raw bytes; answers one result each.
pub async fn receive(
    app: &App,
    who: &Authenticated,
    origin: Origin,
    items: Vec<Vec<u8>>,
) -> Result<Outcome<Pushed, PushRefusal>, Failure> {
    let mut prepared = prepare(app, origin, items).await?;
    let (app_of_change, who) = (app.clone(), who.clone());
    let weight = prepared.weight();
    let outcome = write_weighing(app, weight, move |tx| push(tx, &app_of_change, &who, &mut prepared)).await?;
    if let Outcome::Commit(pushed) = &outcome {
        app.metrics.pushed(pushed);
    }
    Ok(outcome)
}

/// Everything that can be done before the lock.
async fn prepare(app: &App, origin: Origin, items: Vec<Vec<u8>>) -> Result<Prepared, Failure> {
    let reference = read(app, |app, snapshot| {
        let seq = snapshot.head()?.reference_seq;
        app.reference.get(snapshot, seq)
    })
    .await?;
    let (limits, now) = (app.config.limits, app.clock.now());
    let assess = move || {
        let said = items.iter().map(|bytes| Said::read(bytes, &limits)).collect();
        Prepared::new(origin, said, &reference, now)
    };
    work(app, assess).await
}

/// Under the lock: with the grants that the caller holds now, which are those of the token unless some have changed.
fn push(
    tx: &mut Tx<'_>,
    app: &App,
    who: &Authenticated,
    prepared: &mut Prepared,
) -> Result<Outcome<Pushed, PushRefusal>, StoreError> {
    let actor = if (tx.head().epoch, tx.head().access_seq) == who.as_of {
        Arc::clone(&who.actor)
    } else {
        Arc::new(grants::actor(tx, who.user)?)
    };
    push_submissions(tx, &app.reference, &actor, prepared)
}
