//! Keeps the ledger of erasures and the store in step: what was erased here is written down there before it is answered,
//! and what stands there and is not known here, since an older copy was restored or a standby promoted, is erased again;
//! nothing is shown before it has been.

use super::erase_person::erase_again;
use super::failure::{Failure, work};
use crate::ledger::{Erased, Ledger, LedgerError};
use crate::reference::ReferenceCache;
use crate::state::App;
use muong_domain::id::{GrantId, Seq, UserId};
use muong_store::log::{self, StoredEntry};
use muong_store::remains::Remains;
use muong_store::{Head, Reading, Snapshot, StoreError, Tx, decisions, submissions};
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};
use uuid::Uuid;

/// How whoever wants to see anything is refused until all that the ledger tells of has been erased.
pub const OUT_OF_STEP: &str = "server.not_ready";

/// In which history of the store all is erased that the ledger tells of. What is read of another one, such as that of a
/// standby that has just been promoted and may lack erasures, is shown to nobody.
#[derive(Debug, Default)]
pub struct InStep(RwLock<Option<Uuid>>);

impl InStep {
    /// Notes that it is so in an epoch.
    pub fn reach(&self, epoch: Uuid) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(epoch);
    }

    /// Whether it was so in an epoch, and that is another one.
    pub fn is_behind(&self, epoch: Uuid) -> bool {
        self.epoch().is_some_and(|reached| reached != epoch)
    }

    /// The head as of a snapshot from which nothing has been read yet; none, if nothing in it may be shown.
    pub fn head(&self, snapshot: &mut Snapshot<'_>) -> Result<Option<Head>, StoreError> {
        // Before the look, with which the snapshot is taken: what was erased until then is gone from it.
        let reached = self.epoch();
        let (head, is_of_another_history) = snapshot.look()?;
        Ok((!is_of_another_history && reached == Some(head.epoch)).then_some(head))
    }

    fn epoch(&self) -> Option<Uuid> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an erasure could be written down now: otherwise nobody is erased.
pub async fn make_ready(app: &App) -> Result<(), Failure> {
    let shared = app.clone();
    work(app, move || shared.ledger.make_ready().map_err(unwritten)).await?
}

/// Writes down the erasure of that entry, which that decision made. Until it has, nobody may be told that it is done. It may
/// be there no more: the primary that took it in may have given way to a standby that lacks it.
pub async fn write_down(app: &App, entry: Seq, decision: Uuid) -> Result<(), Failure> {
    let shared = app.clone();
    let write = move || {
        let before = Seq(entry.0 - 1);
        let is_it = |found: &StoredEntry| (found.seq(), found.kind(), found.reference()) == (entry, "erase", decision);
        let erased = shared.database.read(|snapshot| {
            let found = log::page(snapshot, before, 1)?.pop().filter(is_it);
            found.map(|found| described(snapshot, &found)).transpose()
        })?;
        let erased = erased.ok_or_else(|| {
            tracing::error!(entry = entry.0, "an erasure is not in the log any more, and is not answered");
            Failure::Unledgered
        })?;
        shared.ledger.append(&[erased]).map_err(unwritten)
    };
    work(app, write).await?
}

/// Writes down whatever was erased and is not written down yet, such as when the disk was full.
pub async fn write_down_all(app: &App) -> Result<(), Failure> {
    let shared = app.clone();
    let write = move || {
        let known = shared.ledger.read().map_err(unwritten)?;
        let erased = shared.database.read(|snapshot| unknown_to(snapshot, &known))?;
        shared.ledger.append(&erased).map_err(unwritten)
    };
    work(app, write).await?
}

fn unwritten(error: LedgerError) -> Failure {
    tracing::error!(%error, "an erasure cannot be written down, and is not answered");
    Failure::Unledgered
}

/// What the store has erased and these do not tell of.
pub fn unknown_to(read: &mut impl Reading, known: &[Erased]) -> Result<Vec<Erased>, StoreError> {
    let known: BTreeSet<Uuid> = known.iter().map(|erased| erased.id).collect();
    let entries = log::of_kind(read, "erase")?;
    let new: Vec<&StoredEntry> = entries.iter().filter(|entry| !known.contains(&entry.reference())).collect();
    new.into_iter().map(|entry| described(read, entry)).collect()
}

/// An erasure as its entry tells of it.
fn described(read: &mut impl Reading, entry: &StoredEntry) -> Result<Erased, StoreError> {
    let remains: Remains = serde_json::from_str(entry.command().unwrap_or_default())
        .map_err(|error| StoreError::corrupt("an erasure", error))?;
    let mut said = submissions::about(read, &[remains.person])?;
    said.retain(|submission| submission.seq < entry.seq());
    said.extend(submissions::received(read, &remains.orphans())?);
    let mut authors: Vec<_> = said.into_iter().map(|submission| (submission.id, submission.author)).collect();
    authors.extend(remains.absent().submissions.iter().copied());
    authors.sort_unstable();
    authors.dedup();
    let nobody = Uuid::nil();
    Ok(Erased {
        id: entry.reference(),
        person: remains.person,
        by: entry.actor().unwrap_or(UserId::new(nobody)),
        grant: entry.grant().unwrap_or(GrantId::new(nobody)),
        submissions: authors,
        records: remains.own_names(),
    })
}

/// Erases again what the ledger tells of and the store does not know. Answers how many.
pub fn erase_all_again(tx: &mut Tx<'_>, cache: &ReferenceCache, ledger: &[Erased]) -> Result<usize, StoreError> {
    let ids: Vec<Uuid> = ledger.iter().map(|erased| erased.id).collect();
    let known: BTreeSet<Uuid> = decisions::by_ids(tx, &ids)?.into_iter().map(|decision| decision.id).collect();
    let mut count = 0;
    for erased in ledger.iter().filter(|erased| !known.contains(&erased.id)) {
        erase_again(tx, cache, erased)?;
        count += 1;
    }
    Ok(count)
}

/// The same as a change of the writer's; answers as well in which epoch the store knows of all of it now.
pub fn come_into_step(tx: &mut Tx<'_>, cache: &ReferenceCache, ledger: &[Erased]) -> Result<(usize, Uuid), StoreError> {
    let count = erase_all_again(tx, cache, ledger)?;
    Ok((count, tx.head().epoch))
}

/// Reads the ledger, erases again what the store does not know of, and writes down what the ledger does not.
pub fn catch_up(app: &App) -> Result<(), CatchUpError> {
    let ledger = app.ledger.read()?;
    let (told, cache) = (ledger.clone(), std::sync::Arc::clone(&app.reference));
    let again = app.writer.write::<_, std::convert::Infallible>(1, move |tx| {
        come_into_step(tx, &cache, &told).map(muong_store::Outcome::Commit)
    })?;
    let (count, epoch) = match again {
        muong_store::Outcome::Commit(done) => done,
        muong_store::Outcome::Refuse(never) => match never {},
    };
    app.in_step.reach(epoch);
    if count > 0 {
        tracing::warn!(
            count,
            "erased again, by the ledger, people whom this copy of the store did not know to be erased"
        );
    }
    let unknown = app.database.read(|snapshot| unknown_to(snapshot, &ledger))?;
    if !unknown.is_empty() {
        let (path, count) = (app.ledger.path().display().to_string(), unknown.len());
        tracing::warn!(path, count, "the ledger lacks erasures of this store; they are written down now");
    }
    Ok(app.ledger.append(&unknown)?)
}

/// Why ledger and store are not in step.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The writer.
    #[error("the database: {0}")]
    Writer(#[from] muong_store::WriterError),
}

impl Ledger {
    /// Several ledgers in one list, each erasure once.
    pub fn read_all(ledgers: &[Self]) -> Result<Vec<Erased>, LedgerError> {
        let mut all: Vec<Erased> = Vec::new();
        for ledger in ledgers {
            for erased in ledger.read()? {
                if !all.iter().any(|known| known.id == erased.id) {
                    all.push(erased);
                }
            }
        }
        Ok(all)
    }
}
