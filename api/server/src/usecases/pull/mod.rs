//! A pull: what a phone is told so that it has what its user may see, and nothing else. One snapshot for the head, the
//! grants and the rows; what is shown of persons is accounted for before it is answered. Waits, if asked to, without
//! holding a connection.

pub mod cursor;
pub mod hash;
pub mod message;
pub mod page;
pub mod rows;
pub mod sight;

use super::account_for::account_for;
use super::authenticate::{Authenticated, actor_within, authenticate_again};
use super::failure::Failure;
use super::keep_erasures::OUT_OF_STEP;
use super::reader::Reader;
use crate::standby::read_up_to_date;
use crate::state::App;
use chrono::{DateTime, Utc};
use cursor::Cursor;
use hash::Hash;
use message::Message;
use muong_domain::access::Actor;
use muong_domain::id::Seq;
use muong_store::feed;
use muong_store::{ANYTHING, Head, Note, Snapshot, StoreError, Waiter, grants, log};
use page::{Filled, Pulling};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// The longest wait for something new.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// How long an entry is waited for that another process has just written, when no wait was asked for.
const SHORT_WAIT: Duration = Duration::from_secs(2);

/// What a phone asks for.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Where it stands; none: it has nothing.
    pub cursor: Option<String>,
    /// At most so many messages.
    pub limit: usize,
    /// How long to wait until there is something new.
    pub wait: Duration,
    /// The answer must be as new as this entry, of the history that the cursor is of.
    pub at_least: Option<Seq>,
    /// Whether it wants to check what it has. Then it does not wait for something new.
    pub hash: bool,
}

/// Why a phone has to begin anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Another history of the store.
    Epoch,
    /// What has gone since is not known any more.
    Compacted,
    /// It has seen what this store has never written.
    Ahead,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Which history.
    pub epoch: Uuid,
    /// The last entry of the log.
    pub head: Seq,
    /// What it is told, or why it has to begin anew.
    pub told: Result<Told, Reset>,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Told {
    /// Where the phone stands when it has taken in the messages.
    pub cursor: String,
    /// Whether there is more.
    pub more: bool,
    /// What is kept in a finished backup.
    pub durable_before: Seq,
    /// What it is told.
    pub messages: Vec<Message>,
    /// What it has then, if it asked and there is no more.
    pub hash: Option<Hash>,
}

/// How far the log has come, where that is not as far as the entry that is asked for.
#[derive(Clone, Copy)]
struct Behind {
    epoch: Uuid,
    head: Seq,
}

/// One look at the store.
struct Looked {
    pulled: Pulled,
    note: Option<Note>,
    /// When a grant of the user begins or ends next.
    due: Option<DateTime<Utc>>,
}

impl Looked {
    /// Whether the phone is to be told at once.
    fn is_worth_telling(&self) -> bool {
        self.pulled.told.as_ref().map_or(true, |told| told.more || !told.messages.is_empty())
    }
}

/// Pulls. Waits no longer once `left` says that nobody waits for the answer.
///
/// What is not done while it waits has its room elsewhere, in boxes that are gone by then: thousands wait at once, and the
/// room of a future is that of the largest of its parts, whichever it is at.
pub async fn pull_changes(
    app: &App,
    mut who: Authenticated,
    asking: Asking,
    left: impl Future<Output = ()>,
) -> Result<Pulled, Failure> {
    let mut left = pin!(left);
    let waits = if asking.hash { Duration::ZERO } else { asking.wait.min(LONGEST_WAIT) };
    let until = Instant::now() + if asking.at_least.is_some() { waits.max(SHORT_WAIT) } else { waits };
    let enter = |for_anything: bool| {
        let (waiting, most) = (app.head.waiting(), app.config.http.most_waiting_pulls());
        waiting.enter(keys(app, &who, for_anything), most).map_err(|_too_many| Failure::Busy)
    };
    // Before the first look: what is written after it wakes us.
    let at_least = asking.at_least.is_some();
    let mut waiter = if waits > Duration::ZERO || at_least { Some(enter(at_least)?) } else { None };
    let mut turn = None;
    loop {
        let looked = Box::pin(look(app, &who, &asking)).await?;
        drop(turn.take());
        let is_over = Instant::now() >= until || app.head.waiting().is_closed();
        let is_enough = |looked: &Looked| waits == Duration::ZERO || looked.is_worth_telling();
        let (is_behind, due) = (looked.is_err(), looked.as_ref().ok().and_then(|looked| looked.due));
        let goes_on = !is_over && !looked.as_ref().is_ok_and(is_enough);
        // What nothing has changed meanwhile, and what nobody waits for, is not looked at again.
        let looks_again = goes_on
            && tokio::select! {
                changed = wait(app, waiter.as_ref(), until, due) => changed,
                () = &mut left => false,
            };
        if !looks_again {
            let looked = looked.map_err(|Behind { epoch, head }| Failure::Behind { epoch, head })?;
            return Box::pin(answer(app, &who, looked)).await;
        }
        // Woken with many others: they look a few at a time, and leave the other readers to the rest.
        turn = Some(app.capacity.woken.enter().await?);
        who = Box::pin(authenticate_again(app, &who)).await?;
        // Grants that were given meanwhile reach other units.
        if let Some(waiter) = &mut waiter {
            waiter.now_for(keys(app, &who, is_behind));
        }
    }
}

async fn answer(app: &App, who: &Authenticated, looked: Looked) -> Result<Pulled, Failure> {
    if let Some(note) = looked.note {
        account_for(app, who, note).await?;
    }
    Ok(looked.pulled)
}

/// What a change must concern for the phone to be woken.
fn keys(app: &App, who: &Authenticated, for_anything: bool) -> Vec<Uuid> {
    let now = app.clock.now();
    let units = who.actor.grants.iter().filter(|grant| grant.holds_at(now)).map(|grant| grant.unit.uuid());
    let own = [who.user.uuid(), who.session.uuid(), who.device.uuid(), feed::EVERYBODY.uuid()];
    let mut keys: Vec<Uuid> = units.chain(own).chain(for_anything.then_some(ANYTHING)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Returns when something may have changed, a grant begins or ends, or it has been long enough; whether it is worth while
/// to look again.
async fn wait(app: &App, waiter: Option<&Waiter>, until: Instant, due: Option<DateTime<Utc>>) -> bool {
    // One that is due already is not waited for.
    let due = due.map(|due| Instant::now() + (due - app.clock.now()).to_std().unwrap_or_default());
    let due = due.filter(|due| *due < until);
    match waiter {
        Some(waiter) => timeout_at(due.unwrap_or(until), waiter.changed()).await.is_ok() || due.is_some(),
        None => true,
    }
}

/// Looks once, in the newest snapshot that there is.
async fn look(app: &App, who: &Authenticated, asking: &Asking) -> Result<Result<Looked, Behind>, Failure> {
    let (who, asking) = (who.clone(), asking.clone());
    read_up_to_date(app, move |app, snapshot| match look_once(app, snapshot, &who, &asking) {
        Err(Failure::Store(error)) => Err(error),
        other => Ok(other),
    })
    .await?
}

fn look_once(
    app: &App,
    snapshot: &mut Snapshot<'_>,
    who: &Authenticated,
    asking: &Asking,
) -> Result<Result<Looked, Behind>, Failure> {
    let head = app.in_step.head(snapshot)?.ok_or_else(|| Failure::refused(OUT_OF_STEP))?;
    let (cursor, at_least) = match &asking.cursor {
        None => (None, asking.at_least),
        Some(text) => {
            let cursor = Cursor::read(snapshot, who.user, text)?;
            let cursor = cursor.ok_or_else(|| Failure::refused("request.cursor_invalid").at("/cursor"))?;
            // Who comes from another history has the number from there: here it means something else, and may never come.
            let at_least = asking.at_least.filter(|_| cursor.epoch == head.epoch);
            (Some(carried_over(snapshot, cursor, head.epoch)?), at_least)
        }
    };
    let (epoch, at) = (head.epoch, app.clock.now());
    if let Some(reset) = cursor.and_then(|cursor| reset(&cursor, &head)) {
        return Ok(Ok(Looked { pulled: Pulled { epoch, head: head.seq, told: Err(reset) }, note: None, due: None }));
    }
    if at_least > Some(head.seq) {
        return Ok(Err(Behind { epoch, head: head.seq }));
    }
    if let Err(code) = actor_within(app, snapshot, head.access_as_of(), who)? {
        return Err(Failure::refused(code));
    }
    let known = grants::known_of_user(snapshot, who.user)?;
    let actor = Actor { user: who.user, grants: known.iter().map(|known| known.held.clone()).collect() };
    let ends = actor.grants.iter().flat_map(|grant| [Some(grant.valid_from), grant.valid_to]).flatten();
    let due = ends.filter(|end| *end > at).min();
    let reference = app.reference.get(snapshot, head.reference_as_of())?;
    let reader = Reader::new(Arc::new(actor), reference, at, None);
    let told = tell(snapshot, &reader, who, &known, (&head, at), (cursor, asking))?;
    let pulled = Pulled { epoch, head: head.seq, told: Ok(told) };
    Ok(Ok(Looked { pulled, note: reader.account(), due }))
}

fn tell(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    who: &Authenticated,
    known: &[grants::KnownGrant],
    now: (&Head, DateTime<Utc>),
    (cursor, asking): (Option<Cursor>, &Asking),
) -> Result<Told, StoreError> {
    let mut pulling = Pulling::begin(snapshot, reader, (who.user, known), now, (cursor, asking.limit))?;
    let more = pulling.fill(snapshot)? == Filled::Full;
    let hash = if asking.hash && !more { pulling.hash(snapshot)? } else { None };
    let cursor = pulling.cursor.written(snapshot, who.user)?;
    Ok(Told { cursor, more, durable_before: now.0.durable, messages: pulling.page.messages, hash })
}

/// A cursor of an epoch that has ended is as good as new if all that it is of is in this history as well: after a
/// promotion nearly every phone's, after a restore those of the phones that have not pulled since the backup.
fn carried_over(snapshot: &mut Snapshot<'_>, cursor: Cursor, epoch: Uuid) -> Result<Cursor, StoreError> {
    if cursor.epoch == epoch {
        return Ok(cursor);
    }
    let shares = |(ended, last): &(Uuid, Seq)| *ended == cursor.epoch && cursor.newest() <= *last;
    let is_shared = log::ended_epochs(snapshot)?.iter().any(shares);
    Ok(if is_shared { Cursor { epoch, ..cursor } } else { cursor })
}

fn reset(cursor: &Cursor, head: &Head) -> Option<Reset> {
    if cursor.epoch != head.epoch {
        Some(Reset::Epoch)
    } else if cursor.newest() > head.seq {
        Some(Reset::Ahead)
    } else {
        (cursor.complete() < head.floor).then_some(Reset::Compacted)
    }
}
