//! A push that the store failed on, although it can be reached: each of its submissions by itself, so that one that meets
//! a fault of ours (a stored value that does not read, a rule of the database, a panic) holds up no other. That one is
//! kept whole, in quarantine, and can be released once the fault is mended.

use super::desk::{Desk, Read};
use super::judge::{Exclusion, Right};
use super::outcome::{Pushed, Status};
use super::together::Ended;
use super::working_set::WorkingSet;
use super::{Item, Prepared, PushRefusal, Turn, push_submissions};
use crate::reference::ReferenceCache;
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, write_as};
use crate::usecases::failure::Failure;
use muong_domain::refusal::Finding;
use muong_store::{Outcome, StoreError, Tx};
use std::sync::Arc;

/// The code of what could not be judged.
pub const UNJUDGED: &str = "submission.not_processed";

/// Pushes; what the store fails on is tried by itself, and at last set aside.
pub async fn push(app: &App, who: &Authenticated, push: Prepared) -> Ended {
    match whole(app, who, push.clone()).await {
        Err(Failure::Store(error)) if error.is_of_content() => {
            tracing::error!(error = ?error, submissions = push.weight(), "a push failed; its submissions are tried one by one");
            one_by_one(app, who, push).await
        }
        ended => ended,
    }
}

async fn whole(app: &App, who: &Authenticated, mut push: Prepared) -> Ended {
    let shared = app.clone();
    write_as(app, who, move |tx, actor| {
        let turn = Turn { actor: Arc::clone(actor), push: &mut push };
        push_submissions(tx, &shared.reference, turn)
    })
    .await
}

async fn one_by_one(app: &App, who: &Authenticated, push: Prepared) -> Ended {
    let mut done: Option<Pushed> = None;
    for single in push.singles() {
        match single_out(app, who, single).await? {
            Outcome::Refuse(refusal) => return Ok(Outcome::Refuse(refusal)),
            Outcome::Commit(pushed) => {
                let mut results = done.take().map(|done| done.results).unwrap_or_default();
                results.extend(pushed.results);
                done = Some(Pushed { results, ..pushed });
            }
        }
    }
    done.map(Outcome::Commit).ok_or(Failure::Machine("a push of nothing failed"))
}

async fn single_out(app: &App, who: &Authenticated, single: Prepared) -> Ended {
    match whole(app, who, single.clone()).await {
        Err(Failure::Store(error)) if error.is_of_content() => {
            let id = single.items.first().map(|(said, _)| said.id);
            tracing::error!(error = ?error, submission = ?id, "a submission failed alone; it is set aside");
            let (shared, mut single) = (app.clone(), single);
            write_as(app, who, move |tx, actor| {
                let turn = Turn { actor: Arc::clone(actor), push: &mut single };
                set_aside(tx, &shared.reference, turn)
            })
            .await
        }
        ended => ended,
    }
}

/// Keeps what could not be judged, without looking at anything that it would meet.
fn set_aside(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    turn: Turn<'_>,
) -> Result<Outcome<Pushed, PushRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let set = WorkingSet::load(tx, reference, &[])?;
    let mut desk = Desk { set, origin: &turn.push.origin };
    let mut results = Vec::with_capacity(turn.push.items.len());
    for (said, assessed) in &mut turn.push.items {
        said.name(tx)?;
        let after = said.submission.as_ref().ok().and_then(|submission| submission.base.as_ref()?.after);
        desk.set.learn_submissions(tx, &after.into_iter().chain([said.id]).collect::<Vec<_>>())?;
        let is_known = desk.set.known(said.id).is_some();
        results.push(if is_known {
            desk.take(tx, said, assessed.as_ref(), &turn.actor)?
        } else {
            let place = desk.place(said, Right::Author(&turn.actor), tx.received_at());
            let read = match &said.submission {
                Ok(submission) => Read::Unjudged(submission, place),
                Err(_) => Read::Not(place),
            };
            let errors = vec![Finding::new(UNJUDGED, "")];
            let exclusion = Exclusion { status: Status::Rejected, errors, waits_on: None };
            desk.exclude(tx, said, said.id, turn.actor.user, read, exclusion)?
        });
    }
    desk.set.flush(tx)?;
    Ok(Outcome::Commit(Pushed { epoch: tx.head().epoch, head: tx.head().seq, results }))
}

impl Prepared {
    /// Each of its submissions as a push.
    fn singles(self) -> impl Iterator<Item = Self> {
        let Self { origin, items, assessed_at } = self;
        items.into_iter().map(move |item: Item| Self { origin: origin.clone(), items: vec![item], assessed_at })
    }
}
