//! Where submissions are taken in, one after the other: known already, merged, set aside in quarantine, or deferred; and
//! what is kept of each.

use super::assess::Assessed;
use super::bounds;
use super::judge::{Admission, Exclusion, Right, Trial, Verdict};
use super::lineage;
use super::outcome::{ItemResult, Recorded, Since, Status};
use super::readdress::{self, Readdressed};
use super::said::{Origin, Said, content_digest};
use super::since;
use super::working_set::{Known, PERSON, WorkingSet};
use crate::usecases::mask;
use crate::usecases::reader::Values;
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Actor, authorize};
use muong_domain::form::{Form, Subject};
use muong_domain::id::{QuarantineId, RecordId, Seq, SubmissionId, UnitId, UserId, derived};
use muong_domain::record::Predecessor;
use muong_domain::refusal::Finding;
use muong_domain::submission::{Kind, Submission};
use muong_store::quarantine::{Closing, StoredQuarantine};
use muong_store::seal::{self, Owner};
use muong_store::submissions::{StoredSubmission, Told};
use muong_store::{LogEntry, Reading, StoreError, Tx};
use serde::Serialize;
use std::sync::Arc;

/// Where submissions are taken in, one after the other.
pub struct Desk<'a> {
    /// What the batch works on.
    pub set: WorkingSet,
    /// Who pushed it, and how.
    pub origin: &'a Origin,
}

impl Desk<'_> {
    /// Takes one item: known already, judged and recorded, or deferred. Answers it as its author may see it.
    pub fn take(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        assessed: Option<&Assessed>,
        actor: &Actor,
    ) -> Result<ItemResult, StoreError> {
        let result = self.take_any(tx, said, assessed, actor)?;
        Ok(self.shown(result, assessed, actor, tx.received_at()))
    }

    fn take_any(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        assessed: Option<&Assessed>,
        actor: &Actor,
    ) -> Result<ItemResult, StoreError> {
        let Some(known) = self.set.known(said.id) else {
            return self.take_new(tx, said, said.id, assessed, Right::Author(actor));
        };
        if known.author != actor.user {
            return self.take_reused(tx, said, actor);
        }
        // Of somebody erased the content can no longer be compared: the id alone answers.
        if known.result.is_none() || content_digest(tx, known.owner, &said.hash)?.as_slice() == known.digest {
            return self.duplicate(said.id);
        }
        self.take_reused(tx, said, actor)
    }

    /// A form may name somebody and be reported by who sees no names, or only with a reason: what stood there is not told to them.
    fn shown(&self, result: ItemResult, assessed: Option<&Assessed>, actor: &Actor, at: DateTime<Utc>) -> ItemResult {
        let named = |form: &&Arc<Form>| form.definition().subject == Subject::Named;
        let Some(form) = assessed.and_then(|assessed| assessed.form.as_ref()).filter(named) else { return result };
        let masked = |recorded: &Recorded| {
            let unit = recorded.record.and_then(|id| self.set.record(id)).map(|stored| stored.record.unit);
            let line = unit.map(|unit| self.set.reference.units.ancestors(unit)).unwrap_or_default();
            let values = match authorize(actor, Action::ReadPersons, &line, at, false) {
                Ok(_) => Values::Whole,
                Err(_) => Values::Masked,
            };
            mask::answer(Some(form), recorded.clone(), values)
        };
        match result {
            ItemResult::Recorded(recorded) => ItemResult::Recorded(Arc::new(masked(&recorded))),
            ItemResult::Duplicate(recorded, since) => {
                let since = since.map(|since| Since { outcome: since.outcome.as_ref().map(masked), ..since });
                ItemResult::Duplicate(Arc::new(masked(&recorded)), since)
            }
            other => other,
        }
    }

    fn duplicate(&self, id: SubmissionId) -> Result<ItemResult, StoreError> {
        let known = self.set.known(id).ok_or_else(|| StoreError::corrupt("a submission", "not loaded"))?;
        let Some(result) = known.result.clone() else { return Ok(ItemResult::Erased(id)) };
        Ok(ItemResult::Duplicate(result, self.set.quarantined(id).map(since).transpose()?.flatten()))
    }

    /// The same id with another content: kept under a derived id, since nothing that was sent is lost.
    fn take_reused(&mut self, tx: &mut Tx<'_>, said: &Said, actor: &Actor) -> Result<ItemResult, StoreError> {
        let author = actor.user;
        let surrogate = said.surrogate(tx, author)?;
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
        Ok(named(self.exclude(tx, said, surrogate, author, read, exclusion)?, said.id))
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
                return self.exclude(tx, said, id, author, read, exclusion);
            }
            (Ok(_), None) => return Err(StoreError::corrupt("a push", "not assessed")),
        };
        let at = tx.received_at();
        let Some(to) = readdress::gone_to(&self.set, submission, assessed, right, at) else {
            let trial = self.trial(tx, submission, assessed, right);
            let verdict = trial.judge(&mut self.set, tx)?;
            return self.end(tx, said, id, &trial, verdict);
        };
        let there = Readdressed::new(&self.set, submission, assessed, to, at);
        if !there.is_allowed(right, at) {
            // What builds on what waits here waits with it, and is released with it.
            let trial = self.trial(tx, submission, assessed, right);
            let verdict = trial.check_predecessor(&self.set).unwrap_or_else(|| Verdict::Out(readdress::has_left()));
            return self.end(tx, said, id, &trial, verdict);
        }
        let trial = self.trial(tx, &there.submission, &there.assessed, right);
        let verdict = trial.judge(&mut self.set, tx)?;
        let (admitted, waits) = match &verdict {
            Verdict::In(admission) => (Some(admission.stored.record.id), false),
            Verdict::Out(_) => (None, true),
            Verdict::Missing(_) => (None, false),
        };
        let ended = self.end(tx, said, id, &trial, verdict)?;
        if let Some(record) = admitted {
            self.set.was_named(there.name, record, trial.v);
        }
        if waits {
            self.set.waits_as(there.name, id);
        }
        Ok(ended)
    }

    fn trial<'t>(
        &self,
        tx: &Tx<'_>,
        submission: &'t Submission,
        assessed: &'t Assessed,
        right: Right<'t>,
    ) -> Trial<'t> {
        let Origin { user: author, device, .. } = *self.origin;
        let head = tx.head().clone();
        Trial { submission, author, device, assessed, right, v: head.seq.next(), head, at: tx.received_at() }
    }

    /// Records how something ended.
    fn end(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        id: SubmissionId,
        trial: &Trial<'_>,
        verdict: Verdict,
    ) -> Result<ItemResult, StoreError> {
        match verdict {
            Verdict::Missing(missing) => Ok(ItemResult::Deferred { id, missing }),
            Verdict::Out(exclusion) => {
                let read = Read::Whole(trial.submission, trial.assessed);
                self.exclude(tx, said, id, self.origin.user, read, exclusion)
            }
            Verdict::In(admission) => self.admit(tx, said, trial, *admission),
        }
    }

    fn admit(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        trial: &Trial<'_>,
        mut admission: Admission,
    ) -> Result<ItemResult, StoreError> {
        // Of whom it says that the record is about, also while somebody else is shown there: so it goes with them.
        let subject = self.person_named(trial).or(admission.stored.subject);
        let owner = subject.map_or(Owner::Store, Owner::Person);
        let content_hash = content_digest(tx, owner, &said.hash)?;
        let entry = LogEntry {
            actor: Some(self.origin.user),
            device: Some(self.origin.device),
            grant: Some(admission.grant.id()),
            kind: "submission",
            reference: said.id.uuid(),
            outcome: admission.status.as_str().to_owned(),
            content_hash,
            command: None,
        };
        let v = tx.append(entry);
        self.close_replaced(trial.submission, v, &mut admission.warnings);
        let recorded = self.apply(said.id, admission, v);
        let (submission, assessed) = (Some(trial.submission), Some(trial.assessed));
        let facts = Facts { id: said.id, v, submission, assessed, place: None };
        Ok(self.receive(said, &facts, Kept { owner, subject, content_hash }, recorded))
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
    pub fn place(&self, said: &Said, right: Right<'_>, at: DateTime<Utc>) -> Option<UnitId> {
        let unit = said.unit?;
        let line = self.set.reference.units.ancestors(unit);
        let may = |actor: &Actor| {
            let actions = [Action::Report, Action::ReportPersons, Action::Review];
            actions.into_iter().any(|action| authorize(actor, action, &line, at, false).is_ok())
        };
        let authorised = match right {
            Right::Author(actor) => may(actor),
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
    ) -> Result<ItemResult, StoreError> {
        let subject = match read {
            Read::Whole(submission, assessed) => self.subject_of(submission, assessed),
            Read::Unjudged(..) | Read::Not(_) => None,
        };
        self.exclude_about(tx, said, id, author, (read, subject), exclusion)
    }

    /// The same of what is known to be about somebody: a replay knows it from then, since it might tell otherwise now.
    pub fn exclude_about(
        &mut self,
        tx: &mut Tx<'_>,
        said: &Said,
        id: SubmissionId,
        author: UserId,
        (read, subject): (Read<'_>, Option<RecordId>),
        exclusion: Exclusion,
    ) -> Result<ItemResult, StoreError> {
        let (submission, assessed, place) = match read {
            Read::Whole(submission, assessed) => (Some(submission), Some(assessed), None),
            Read::Unjudged(submission, place) => (Some(submission), None, place),
            Read::Not(place) => (None, None, place),
        };
        let owner = self.owner_of_excluded(tx, subject, id)?;
        let content_hash = content_digest(tx, owner, &said.hash)?;
        let v = tx.append(LogEntry {
            actor: Some(self.origin.user),
            device: Some(self.origin.device),
            grant: None,
            kind: "submission",
            reference: id.uuid(),
            outcome: exclusion.status.as_str().to_owned(),
            content_hash,
            command: None,
        });
        let quarantine = QuarantineId::new(derived("quarantine", &[id.uuid().as_bytes()]));
        let mut recorded = Recorded::new(id, exclusion.status, v);
        recorded.quarantine = Some(quarantine);
        recorded.errors = bounds::bounded(exclusion.errors);
        let facts = Facts { id, v, submission, assessed, place };
        let code = recorded.errors.first().map_or_else(String::new, |finding| finding.code.as_str().to_owned());
        let waiting = StoredQuarantine {
            id: quarantine,
            submission: id,
            unit: facts.unit(),
            author,
            form: facts.form().map(str::to_owned),
            code,
            waits_on: exclusion.waits_on,
            opened: v,
            closed: None,
            closing: None,
            subject,
            outcome: None,
        };
        self.set.wait(waiting, submission.map(|s| s.record));
        Ok(self.receive(said, &facts, Kept { owner, subject, content_hash }, recorded))
    }

    /// What waits about somebody is kept under that person's key; about nobody, or somebody erased, under one of its own.
    fn owner_of_excluded(
        &self,
        tx: &mut Tx<'_>,
        subject: Option<RecordId>,
        id: SubmissionId,
    ) -> Result<Owner, StoreError> {
        let own = Owner::Submission(id);
        let Some(person) = subject.map(Owner::Person) else { return Ok(own) };
        seal::learn(tx, [person])?;
        Ok(if tx.is_erased(person) { own } else { person })
    }

    /// The person that a submission is about, as its unit knows them.
    fn subject_of(&self, submission: &Submission, assessed: &Assessed) -> Option<RecordId> {
        let named = assessed.form.as_ref()?.subject(&assessed.view, submission.record)?;
        self.own_subject(named, submission.unit)
    }

    /// The person that a submission names, who is there.
    fn person_named(&self, trial: &Trial<'_>) -> Option<RecordId> {
        let Submission { record, unit, .. } = *trial.submission;
        let named = trial.assessed.form.as_ref()?.subject(&trial.assessed.view, record)?;
        self.set.resolve(named, unit).filter(|stored| stored.record.form == PERSON).map(|stored| stored.record.id)
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

    /// The person that a submission is about, as the unit that it names knows them, or knew them before they left it. One of
    /// another unit is nobody here: what was said of them must not be kept under that person's name.
    fn own_subject(&self, id: RecordId, unit: UnitId) -> Option<RecordId> {
        match self.set.resolve(id, unit).or_else(|| self.set.has_left(id, unit)) {
            Some(stored) => Some(stored.record.id),
            None => (!self.set.is_taken(id)).then_some(id),
        }
    }

    /// Notes a submission as received, with its answer.
    fn receive(&mut self, said: &Said, facts: &Facts<'_>, kept: Kept, recorded: Recorded) -> ItemResult {
        let Kept { owner, subject, content_hash } = kept;
        let submission = facts.submission;
        let before = submission.map_or_else(Vec::new, |submission| {
            lineage::before(&self.set, submission, self.origin.user, self.origin.device)
        });
        let reused = facts.id != said.id;
        let stored = StoredSubmission {
            id: facts.id,
            seq: facts.v,
            device: self.origin.device,
            n: submission.filter(|_| !reused).map(|s| s.n),
            author: self.origin.user,
            unit: facts.unit(),
            record: recorded.record.or_else(|| submission.map(|s| s.record)),
            kind: submission.map(|s| kind(s.kind).to_owned()),
            form: facts.form().map(str::to_owned),
            captured_at: submission.and_then(|s| s.captured_at).map(|at| at.to_utc()),
            origin: origin_text(self.origin, submission, &before),
            content_hash: content_hash.to_vec(),
            status: recorded.status.as_str().to_owned(),
            subject,
            owner,
            told: Some(Told {
                body: Arc::clone(&said.body),
                result: serde_json::to_vec(&recorded).expect("a result serialises"),
            }),
        };
        let (digest, author, recorded) = (content_hash.to_vec(), self.origin.user, Arc::new(recorded));
        let said = stored.n.map(|n| (stored.device, n));
        self.set.receive(stored, Known { digest, owner, author, said, before, result: Some(Arc::clone(&recorded)) });
        ItemResult::Recorded(recorded)
    }
}

/// What is known of a submission that is not merged.
#[derive(Clone, Copy)]
pub enum Read<'a> {
    /// All that it says.
    Whole(&'a Submission, &'a Assessed),
    /// What it says, but nobody has looked at what that meets: whom it is about is not known. Perhaps the unit where it waits.
    Unjudged(&'a Submission, Option<UnitId>),
    /// Nothing that could be gone by, but perhaps the unit where it waits.
    Not(Option<UnitId>),
}

/// What is known of a submission that is being recorded.
struct Facts<'a> {
    id: SubmissionId,
    v: Seq,
    submission: Option<&'a Submission>,
    assessed: Option<&'a Assessed>,
    /// Where it waits although it cannot be read.
    place: Option<UnitId>,
}

impl Facts<'_> {
    /// The unit that it names, when there is one.
    fn unit(&self) -> Option<UnitId> {
        self.submission.and_then(|s| self.assessed.filter(|a| !a.line.is_empty()).map(|_| s.unit)).or(self.place)
    }

    fn form(&self) -> Option<&str> {
        self.assessed.and_then(|assessed| assessed.form.as_ref()).map(|form| form.code())
    }
}

/// Under whose key it is kept.
struct Kept {
    owner: Owner,
    subject: Option<RecordId>,
    content_hash: [u8; 32],
}

/// The answer under the id that its author knows it by.
fn named(mut result: ItemResult, id: SubmissionId) -> ItemResult {
    if let ItemResult::Recorded(recorded) | ItemResult::Duplicate(recorded, _) = &mut result {
        Arc::make_mut(recorded).id = id;
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

/// What is kept of a submission's way here.
#[derive(Serialize)]
struct Way<'a> {
    client: Option<&'a str>,
    form_version: Option<i32>,
    on_behalf_of: Option<UserId>,
    pushed_by: UserId,
    sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    before: &'a [Predecessor],
}

fn origin_text(origin: &Origin, submission: Option<&Submission>, before: &[Predecessor]) -> String {
    let way = Way {
        client: origin.client.as_deref(),
        form_version: submission.and_then(|s| s.form_version),
        on_behalf_of: submission.and_then(|s| s.on_behalf_of),
        pushed_by: origin.user,
        sent_at: origin.sent_at,
        before,
    };
    serde_json::to_string(&way).expect("plain values serialise")
}
