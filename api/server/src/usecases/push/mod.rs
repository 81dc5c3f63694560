//! A push, from raw items to results: read → assess (both before the lock) → judge → record, in one transaction.

pub mod assess;
pub mod bounds;
pub mod judge;
pub mod notes;
pub mod outcome;
pub mod person;
pub mod receive;
pub mod said;
pub mod working_set;

use crate::reference::{Reference, ReferenceCache};
use assess::Assessed;
use chrono::{DateTime, Utc};
use judge::{Admission, Exclusion, Right, Trial, Verdict};
use muong_domain::access::{Action, Actor, authorize};
use muong_domain::id::{QuarantineId, RecordId, Seq, SubmissionId, UnitId, UserId, derived};
use muong_domain::refusal::Finding;
use muong_domain::submission::{Kind, Submission};
use muong_domain::time::local_date;
use muong_store::quarantine::{Closing, StoredQuarantine};
use muong_store::submissions::StoredSubmission;
use muong_store::{LogEntry, Outcome, StoreError, Tx};
use outcome::{ItemResult, Pushed, Recorded, Since, Status};
use said::{Origin, Said};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use working_set::{Known, WorkingSet};

/// A push that is ready to be made: everything that can be done before the lock has been done.
#[derive(Clone)]
pub struct Prepared {
    /// Who pushes, and from where.
    pub origin: Origin,
    /// The items, read and assessed.
    pub items: Vec<(Said, Option<Assessed>)>,
    /// The entry that units and forms were as of, and the local day that rules were asked for.
    assessed_at: (Seq, chrono::NaiveDate),
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
        Self { origin, items, assessed_at: (reference.seq, today) }
    }

    /// How many submissions there are.
    pub fn weight(&self) -> usize {
        self.items.len()
    }

    fn refresh(&mut self, reference: &Reference, today: chrono::NaiveDate) {
        if self.assessed_at != (reference.seq, today) {
            for (said, assessed) in &mut self.items {
                *assessed = Assessed::of(said, reference, today);
            }
            self.assessed_at = (reference.seq, today);
        }
    }
}

/// Pushes, inside a write transaction. `actor` holds the grants as they are now.
pub fn push_submissions(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    push: &mut Prepared,
) -> Result<Outcome<Pushed, PushRefusal>, StoreError> {
    let reference = {
        let seq = tx.head().reference_seq;
        cache.get(tx, seq)?
    };
    push.refresh(&reference, local_date(tx.received_at()));
    if let Some(refusal) = find_fork(tx, push)? {
        return Ok(Outcome::Refuse(refusal));
    }
    let set = WorkingSet::load(tx, reference, &push.items)?;
    let mut desk = Desk { set, origin: &push.origin };
    let mut results = Vec::with_capacity(push.items.len());
    for (said, assessed) in &push.items {
        results.push(desk.take(tx, said, assessed.as_ref(), actor)?);
    }
    desk.set.flush(tx)?;
    Ok(Outcome::Commit(Pushed { epoch: tx.head().epoch, head: tx.head().seq, results }))
}

/// A number of this device that another submission has already: then there are two devices that think they are one.
fn find_fork(tx: &mut Tx<'_>, push: &Prepared) -> Result<Option<PushRefusal>, StoreError> {
    let mut taken: HashMap<i64, SubmissionId> = working_set::taken_numbers(tx, push.origin.device, &push.items)?;
    for (said, _) in &push.items {
        let Ok(submission) = &said.submission else { continue };
        let holder = *taken.entry(submission.n).or_insert(said.id);
        if holder != said.id {
            return Ok(Some(PushRefusal::DeviceFork { n: submission.n }));
        }
    }
    Ok(None)
}

/// Where submissions are taken in, one after the other.
pub struct Desk<'a> {
    /// What the batch works on.
    pub set: WorkingSet,
    /// Who pushed it, and how.
    pub origin: &'a Origin,
}

impl Desk<'_> {
    /// Takes one item: known already, judged and recorded, or deferred.
    fn take(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        assessed: Option<&Assessed>,
        actor: &Actor,
    ) -> Result<ItemResult, StoreError> {
        let Some(known) = self.set.known(said.id) else {
            return self.take_new(tx, said, said.id, assessed, Right::Author(actor));
        };
        if known.hash == said.hash && known.author == actor.user {
            return self.duplicate(said.id);
        }
        self.take_reused(tx, said, actor)
    }

    fn duplicate(&self, id: SubmissionId) -> Result<ItemResult, StoreError> {
        let known = self.set.known(id).ok_or_else(|| StoreError::corrupt("a submission", "not loaded"))?;
        Ok(ItemResult::Duplicate(known.result.clone(), self.set.quarantined(id).map(since).transpose()?.flatten()))
    }

    /// The same id with another content: kept under a derived id, since nothing that was sent is lost.
    fn take_reused(&mut self, tx: &mut Tx<'_>, said: &Said, actor: &Actor) -> Result<ItemResult, StoreError> {
        let author = actor.user;
        let surrogate = said.surrogate(author);
        self.set.learn_submissions(tx, &[surrogate])?;
        if self.set.known(surrogate).is_some() {
            return Ok(named(self.duplicate(surrogate)?, said.id));
        }
        let exclusion = Exclusion {
            status: Status::Rejected,
            errors: vec![Finding::new("submission.id_reused", "/id")],
            waits_on: None,
        };
        let read = Read::Not(self.place(said, Right::Author(actor), tx.received_at()));
        Ok(named(self.exclude(tx, said, surrogate, author, read, exclusion), said.id))
    }

    /// Judges and records one item that has not been received before.
    pub fn take_new(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        id: SubmissionId,
        assessed: Option<&Assessed>,
        right: Right<'_>,
    ) -> Result<ItemResult, StoreError> {
        let author = self.origin.user;
        let (submission, assessed) = match (&said.submission, assessed) {
            (Ok(submission), Some(assessed)) => (submission, assessed),
            (Err(finding), _) => {
                let exclusion =
                    Exclusion { status: Status::Rejected, errors: vec![(**finding).clone()], waits_on: None };
                let read = Read::Not(self.place(said, right, tx.received_at()));
                return Ok(self.exclude(tx, said, id, author, read, exclusion));
            }
            (Ok(_), None) => return Err(StoreError::corrupt("a push", "not assessed")),
        };
        let head = tx.head().clone();
        let trial = Trial {
            submission,
            author,
            device: self.origin.device,
            assessed,
            right,
            v: head.seq.next(),
            head: &head,
            at: tx.received_at(),
        };
        match trial.judge(&mut self.set, tx)? {
            Verdict::Missing(missing) => Ok(ItemResult::Deferred { id, missing }),
            Verdict::Out(exclusion) => {
                Ok(self.exclude(tx, said, id, author, Read::Whole(submission, assessed), exclusion))
            }
            Verdict::In(admission) => self.admit(tx, said, &trial, *admission),
        }
    }

    fn admit(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        trial: &Trial<'_>,
        mut admission: Admission,
    ) -> Result<ItemResult, StoreError> {
        let entry = LogEntry {
            actor: Some(self.origin.user),
            device: Some(self.origin.device),
            grant: Some(admission.grant.id()),
            kind: "submission",
            reference: said.id.uuid(),
            outcome: admission.status.as_str().to_owned(),
            content_hash: said.hash,
            command: None,
        };
        let v = tx.append(entry);
        self.close_replaced(trial.submission, v, &mut admission.warnings);
        let subject = admission.stored.subject;
        let recorded = self.apply(said.id, admission, v);
        let stored = self.stored(said, said.id, v, Some(trial.submission), Some(trial.assessed), &recorded);
        let stored = StoredSubmission { subject, ..stored };
        self.set.receive(stored, Known { hash: said.hash, author: self.origin.user, result: recorded.clone() });
        Ok(ItemResult::Recorded(recorded))
    }

    /// Lets what was judged become part of the record, as entry `v`.
    pub fn apply(&mut self, said: SubmissionId, admission: Admission, v: Seq) -> Recorded {
        let Admission { grant, status, stored, alias, fields, conflicts, warnings, cards } = admission;
        let (id, unit) = (stored.record.id, stored.record.unit);
        let before = self.set.record(id).map(|old| old.record.open_conflicts()).unwrap_or_default();
        if let Some(alias) = alias {
            self.set.alias(alias, unit, id, v);
        }
        self.set.put(grant, &before, stored);
        for (person, digest) in cards {
            self.set.hold_card(grant, person, digest);
        }
        let mut recorded = Recorded::new(said, status, v);
        recorded.record = Some(id);
        recorded.fields = fields;
        recorded.conflicts = conflicts;
        recorded.warnings = bounds::bounded(warnings);
        recorded
    }

    /// Where something waits that cannot be taken as what it says: in the unit that it names, if its author may report
    /// there. Otherwise it is for those who review everything; so nobody puts anything before strangers, and nobody learns
    /// what units there are.
    fn place(&self, said: &Said, right: Right<'_>, at: DateTime<Utc>) -> Option<UnitId> {
        let unit = said.unit?;
        let line = self.set.reference.units.ancestors(unit);
        let may = |actor, about_person| authorize(actor, Action::to_report(about_person), &line, at, false).is_ok();
        let authorised = match right {
            Right::Author(actor) => may(actor, false) || may(actor, true),
            Right::Granted(grant) => grant.unit() == unit,
        };
        authorised.then_some(unit)
    }

    /// Records what is not merged, as waiting in quarantine.
    pub fn exclude(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        id: SubmissionId,
        author: UserId,
        read: Read<'_>,
        exclusion: Exclusion,
    ) -> ItemResult {
        let v = tx.append(LogEntry {
            actor: Some(self.origin.user),
            device: Some(self.origin.device),
            grant: None,
            kind: "submission",
            reference: id.uuid(),
            outcome: exclusion.status.as_str().to_owned(),
            content_hash: said.hash,
            command: None,
        });
        let quarantine = QuarantineId::new(derived("quarantine", &[id.uuid().as_bytes()]));
        let mut recorded = Recorded::new(id, exclusion.status, v);
        recorded.quarantine = Some(quarantine);
        recorded.errors = bounds::bounded(exclusion.errors);
        let (submission, assessed, place) = match read {
            Read::Whole(submission, assessed) => (Some(submission), Some(assessed), None),
            Read::Not(place) => (None, None, place),
        };
        let stored = self.stored(said, id, v, submission, assessed, &recorded);
        let stored = StoredSubmission { unit: stored.unit.or(place), ..stored };
        let code = recorded.errors.first().map_or_else(String::new, |finding| finding.code.as_str().to_owned());
        let waiting = StoredQuarantine {
            id: quarantine,
            submission: id,
            unit: stored.unit,
            author,
            form: stored.form.clone(),
            code,
            waits_on: exclusion.waits_on,
            opened: v,
            closed: None,
            closing: None,
            subject: stored.subject,
            outcome: None,
        };
        self.set.wait(waiting, stored.record);
        self.set.receive(stored, Known { hash: said.hash, author, result: recorded.clone() });
        ItemResult::Recorded(recorded)
    }

    /// The author's own quarantined submissions that this one corrects.
    pub fn close_replaced(&mut self, submission: &Submission, v: Seq, warnings: &mut Vec<Finding>) {
        for (index, id) in submission.replaces.iter().enumerate() {
            let waiting = self.set.quarantined(*id).filter(|w| w.author == self.origin.user && w.closed.is_none());
            match waiting.cloned() {
                Some(waiting) => {
                    let closed = StoredQuarantine { closed: Some(v), closing: Some(Closing::Replaced), ..waiting };
                    self.set.wait(closed, None);
                }
                None => warnings.push(Finding::new("submission.nothing_to_replace", format!("/replaces/{index}"))),
            }
        }
    }

    /// The person that a submission is about, as the unit that it names knows them. One of another unit is nobody here:
    /// what was said of them must not be kept under that person's name.
    fn own_subject(&self, id: RecordId, unit: UnitId) -> Option<RecordId> {
        match self.set.resolve(id, unit) {
            Some(stored) => Some(stored.record.id),
            None => (!self.set.is_taken(id)).then_some(id),
        }
    }

    fn stored(
        &self,
        said: &Said,
        id: SubmissionId,
        v: Seq,
        submission: Option<&Submission>,
        assessed: Option<&Assessed>,
        recorded: &Recorded,
    ) -> StoredSubmission {
        let form = assessed.and_then(|assessed| assessed.form.as_ref());
        let reused = id != said.id;
        StoredSubmission {
            id,
            seq: v,
            device: self.origin.device,
            n: submission.filter(|_| !reused).map(|s| s.n),
            author: self.origin.user,
            unit: submission.and_then(|s| assessed.filter(|a| !a.line.is_empty()).map(|_| s.unit)),
            record: recorded.record.or_else(|| submission.map(|s| s.record)),
            kind: submission.map(|s| kind(s.kind).to_owned()),
            form: form.map(|form| form.code().to_owned()),
            captured_at: submission.and_then(|s| s.captured_at).map(|at| at.to_utc()),
            origin: origin_text(self.origin, submission),
            content_hash: said.hash.to_vec(),
            status: recorded.status.as_str().to_owned(),
            subject: submission.and_then(|s| self.own_subject(form?.subject(&assessed?.view, s.record)?, s.unit)),
            body: said.body.clone(),
            result: serde_json::to_vec(recorded).expect("a result serialises"),
        }
    }
}

/// What is known of a submission that is not merged.
#[derive(Clone, Copy)]
pub enum Read<'a> {
    /// All that it says.
    Whole(&'a Submission, &'a Assessed),
    /// Nothing that could be gone by, but perhaps the unit where it waits.
    Not(Option<UnitId>),
}

/// The answer under the id that its author knows it by.
fn named(mut result: ItemResult, id: SubmissionId) -> ItemResult {
    if let ItemResult::Recorded(recorded) | ItemResult::Duplicate(recorded, _) = &mut result {
        recorded.id = id;
    }
    result
}

/// The written form of a kind.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "create",
        Kind::Edit => "edit",
        Kind::Delete => "delete",
    }
}

fn origin_text(origin: &Origin, submission: Option<&Submission>) -> String {
    json!({
        "pushed_by": origin.user,
        "on_behalf_of": submission.and_then(|s| s.on_behalf_of),
        "client": origin.client,
        "sent_at": origin.sent_at,
        "form_version": submission.and_then(|s| s.form_version),
    })
    .to_string()
}

/// What has been decided about a submission since it was quarantined.
pub fn since(waiting: &StoredQuarantine) -> Result<Option<Since>, StoreError> {
    let Some(closing) = waiting.closing else { return Ok(None) };
    let read = |bytes: &Vec<u8>| serde_json::from_slice(bytes).map_err(|e| StoreError::corrupt("a release", e));
    Ok(Some(Since { closing: closing.as_str(), outcome: waiting.outcome.as_ref().map(read).transpose()? }))
}

/// Makes the reference data available to whoever prepares a push.
pub fn reference_now(db: &muong_store::Database, cache: &ReferenceCache) -> Result<Arc<Reference>, StoreError> {
    db.read(|snapshot| {
        let seq = snapshot.head()?.reference_seq;
        cache.get(snapshot, seq)
    })
}
