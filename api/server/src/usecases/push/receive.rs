//! A push on its way through the process: read and assessed before it is handed over to be taken.

use super::outcome::Pushed;
use super::said::{Origin, Raw, Said};
use super::{Prepared, PushRefusal, together};
use crate::reference::Reference;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::failure::{Failure, read, work};
use muong_store::Outcome;
use std::sync::Arc;

/// A push of so many bytes is read where it came in; a bigger one off the async threads, which others wait for.
const SMALL: usize = 8 << 10;

/// Takes items as raw bytes; answers one result each.
pub async fn receive(
    app: &App,
    who: &Authenticated,
    origin: Origin,
    items: Vec<Raw>,
) -> Result<Outcome<Pushed, PushRefusal>, Failure> {
    let prepared = prepare(app, origin, items).await?;
    let outcome = together::push(app, who.clone(), prepared).await?;
    if let Outcome::Commit(pushed) = &outcome {
        app.metrics.pushed(pushed);
    }
    Ok(outcome)
}

/// Everything that can be done before the lock.
async fn prepare(app: &App, origin: Origin, items: Vec<Raw>) -> Result<Prepared, Failure> {
    let reference = reference(app).await?;
    let (limits, now) = (app.config.limits, app.clock.now());
    let is_small = items.iter().map(|item| item.len()).sum::<usize>() <= SMALL;
    let assess = move || {
        let said = items.into_iter().map(|item| Said::read(item, &limits)).collect();
        Prepared::new(origin, said, &reference, now)
    };
    if is_small { Ok(assess()) } else { work(app, assess).await }
}

/// Units and forms, as of now or a moment ago: under the lock they are looked at again.
async fn reference(app: &App) -> Result<Arc<Reference>, Failure> {
    if let Some(known) = app.head.recent().and_then(|head| app.reference.as_of(head.reference_as_of())) {
        return Ok(known);
    }
    read(app, |app, snapshot| {
        let as_of = snapshot.head()?.reference_as_of();
        app.reference.get(snapshot, as_of)
    })
    .await
}
