//! A push, from raw items to results: read → assess (both before the lock) → judge → record, in one transaction.

pub mod apart;
pub mod assess;
pub mod bounds;
pub mod desk;
pub mod judge;
mod lineage;
mod names;
pub mod notes;
pub mod outcome;
pub mod person;
pub mod readdress;
pub mod receive;
pub mod said;
pub mod together;
mod unreadable;
pub mod working_set;

use crate::reference::{AsOf, Reference, ReferenceCache};
use assess::Assessed;
use chrono::{DateTime, Utc};
use desk::Desk;
use muong_domain::access::Actor;
use muong_domain::id::{DeviceId, SubmissionId};
use muong_domain::time::local_date;
use muong_store::quarantine::StoredQuarantine;
use muong_store::submissions;
use muong_store::{Outcome, StoreError, Tx};
use outcome::{Pushed, Recorded, Since};
use said::{Origin, Said};
use std::collections::HashMap;
use std::sync::Arc;
use working_set::{Item, WorkingSet};

/// A push that is ready to be made: everything that can be done before the lock has been done.
#[derive(Clone)]
pub struct Prepared {
    /// Who pushes, and from where.
    pub origin: Origin,
    /// The items, read and assessed.
    pub items: Vec<Item>,
    /// The entry that units and forms were as of, and the local day that rules were asked for.
    assessed_at: (AsOf, chrono::NaiveDate),
}

/// Why a whole push is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushRefusal {
    /// Two devices use the same numbers: a phone was cloned. The later one registers anew.
    DeviceFork {
        /// The number that is taken.
        n: i64,
    },
}

impl Prepared {
    /// Assesses the items against units and forms as they are now.
    pub fn new(origin: Origin, said: Vec<Said>, reference: &Reference, now: DateTime<Utc>) -> Self {
        let today = local_date(now);
        let items = said
            .into_iter()
            .map(|said| {
                let assessed = Assessed::of(&said, reference, today);
                (said, assessed)
            })
            .collect();
        Self { origin, items, assessed_at: (reference.as_of, today) }
    }

    /// How many submissions there are.
    pub fn weight(&self) -> usize {
        self.items.len()
    }

    fn refresh(&mut self, reference: &Reference, today: chrono::NaiveDate) {
        if self.assessed_at != (reference.as_of, today) {
            for (said, assessed) in &mut self.items {
                *assessed = Assessed::of(said, reference, today);
            }
            self.assessed_at = (reference.as_of, today);
        }
    }
}

/// A push whose turn it is.
pub struct Turn<'a> {
    /// Who pushes, with the grants as they are now.
    pub actor: Arc<Actor>,
    /// What.
    pub push: &'a mut Prepared,
}

/// Pushes, inside a write transaction.
pub fn push_submissions(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    turn: Turn<'_>,
) -> Result<Outcome<Pushed, PushRefusal>, StoreError> {
    let mut outcomes = push_together(tx, cache, vec![turn])?;
    outcomes.pop().ok_or_else(|| StoreError::corrupt("a push", "no outcome"))
}

/// Pushes of several devices, one after the other, as if each came alone; but what they touch is read and written at
/// once. One outcome each, in order; one that is refused has written nothing.
pub fn push_together(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    mut turns: Vec<Turn<'_>>,
) -> Result<Vec<Outcome<Pushed, PushRefusal>>, StoreError> {
    let reference = {
        let as_of = tx.head().reference_as_of();
        cache.get(tx, as_of)?
    };
    let today = local_date(tx.received_at());
    for turn in &mut turns {
        turn.push.refresh(&reference, today);
        for (said, _) in &mut turn.push.items {
            said.name(tx)?;
        }
    }
    let forks = find_forks(tx, &turns)?;
    let admitted = turns.iter().zip(&forks).filter(|(_, fork)| fork.is_none());
    let items: Vec<&Item> = admitted.flat_map(|(turn, _)| &turn.push.items).collect();
    let mut set = WorkingSet::load(tx, reference, &items)?;
    let mut outcomes = Vec::with_capacity(turns.len());
    for (turn, fork) in turns.iter().zip(forks) {
        if let Some(refusal) = fork {
            outcomes.push(Outcome::Refuse(refusal));
            continue;
        }
        let mut desk = Desk { set, origin: &turn.push.origin };
        let mut results = Vec::with_capacity(turn.push.items.len());
        for (said, assessed) in &turn.push.items {
            results.push(desk.take(tx, said, assessed.as_ref(), &turn.actor)?);
        }
        set = desk.set;
        outcomes.push(Outcome::Commit(Pushed { epoch: tx.head().epoch, head: tx.head().seq, results }));
    }
    set.flush(tx)?;
    Ok(outcomes)
}

/// For each push, a number of its device that another submission has already: then there are two devices that think they
/// are one.
fn find_forks(tx: &mut Tx<'_>, turns: &[Turn<'_>]) -> Result<Vec<Option<PushRefusal>>, StoreError> {
    let numbers = |turn: &Turn<'_>| -> Vec<((DeviceId, i64), SubmissionId)> {
        let device = turn.push.origin.device;
        let read = turn.push.items.iter().filter_map(|(said, _)| Some((said.id, said.submission.as_ref().ok()?.n)));
        read.map(|(id, n)| ((device, n), id)).collect()
    };
    let said: Vec<_> = turns.iter().map(numbers).collect();
    let asked: Vec<(DeviceId, i64)> = said.iter().flatten().map(|(number, _)| *number).collect();
    let mut taken: HashMap<_, _> = submissions::by_numbers(tx, &asked)?.into_iter().collect();
    let mut forks = Vec::with_capacity(turns.len());
    for push in said {
        let mut own = HashMap::new();
        let fork = push.iter().find(|(number, id)| {
            let holder = taken.get(number).copied().unwrap_or_else(|| *own.entry(*number).or_insert(*id));
            holder != *id
        });
        forks.push(fork.map(|((_, n), _)| PushRefusal::DeviceFork { n: *n }));
        if fork.is_none() {
            taken.extend(own);
        }
    }
    Ok(forks)
}

/// What has been decided about a submission since it was quarantined, as its author is told.
pub fn since(waiting: &StoredQuarantine) -> Result<Option<Since>, StoreError> {
    let Some(closing) = waiting.closing else { return Ok(None) };
    let read = |bytes: &Vec<u8>| {
        let recorded: Result<Recorded, _> = serde_json::from_slice(bytes);
        recorded.map(Recorded::told_to_author).map_err(|error| StoreError::corrupt("a release", error))
    };
    Ok(Some(Since { closing: closing.as_str(), outcome: waiting.outcome.as_ref().map(read).transpose()? }))
}

/// Makes the reference data available to whoever prepares a push.
pub fn reference_now(db: &muong_store::Database, cache: &ReferenceCache) -> Result<Arc<Reference>, StoreError> {
    db.read(|snapshot| {
        let as_of = snapshot.head()?.reference_as_of();
        cache.get(snapshot, as_of)
    })
}
