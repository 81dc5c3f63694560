//! A reviewer lets a quarantined submission in, and with it what waits for it. It is judged as if it had come now,
//! by the reviewer's right instead of its author's.

use super::push::assess::Assessed;
use super::push::desk::Desk;
use super::push::judge::{Right, Trial, Verdict};
use super::push::outcome::Recorded;
use super::push::readdress::{self, Readdressed};
use super::push::said::{Origin, Said};
use super::push::working_set::WorkingSet;
use super::review::{self, Deciding, Reason, ReviewRefusal};
use crate::config::Limits;
use crate::reference::{Reference, ReferenceCache};
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Actor, Grant, authorize};
use muong_domain::id::{QuarantineId, UnitId, derived};
use muong_domain::refusal::Finding;
use muong_domain::time::local_date;
use muong_store::quarantine::{self, Closing, StoredQuarantine};
use muong_store::submissions;
use muong_store::{Outcome, StoreError, Tx};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use uuid::Uuid;

/// How many submissions one release may take along: each is judged while everybody else waits.
const MAX_FOLLOWERS: usize = 500;

/// What is to be released, by whom and why.
#[derive(Clone, Debug)]
pub struct Release {
    /// The waiting submission.
    pub quarantine: QuarantineId,
    /// The id of the decision.
    pub decision: Uuid,
    /// Why.
    pub reason: Reason,
}

/// Releases. Answers the result of the submission, and of each that waited for it.
pub fn release_quarantined(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    limits: &Limits,
    release: &Release,
) -> Result<Outcome<Vec<Recorded>, ReviewRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let (waiting, grant) = match review::waiting_for_decision(tx, actor, &reference, release.quarantine)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Outcome::Refuse(refusal)),
    };
    // Otherwise whoever may review but not report would report by releasing what they were forbidden.
    let (at, units, form) = (tx.received_at(), Arc::clone(&reference), waiting.form.clone());
    let is_own = waiting.author == actor.user;
    let may_release = |unit| !is_own || may_report(actor, &units, form.as_deref(), unit, at);
    if !may_release(waiting.unit) {
        return Ok(Outcome::Refuse(ReviewRefusal::Forbidden));
    }
    let elsewhere = |unit| {
        let grant = review::authorize_review(actor, &units, Some(unit), at).ok();
        grant.filter(|_| may_release(Some(unit)))
    };
    let releasing = Releasing { reference, grant, elsewhere: &elsewhere, limits, reason: &release.reason };
    match releasing.release(tx, &waiting, release.decision)? {
        Err(errors) => Ok(Outcome::Refuse(ReviewRefusal::NotReleasable(errors))),
        Ok(recorded) => {
            let mut all = vec![recorded];
            releasing.release_followers(tx, waiting, release.decision, &mut all)?;
            Ok(Outcome::Commit(all))
        }
    }
}

/// Whether somebody may report for that unit themselves.
fn may_report(
    actor: &Actor,
    reference: &Reference,
    form: Option<&str>,
    unit: Option<UnitId>,
    at: DateTime<Utc>,
) -> bool {
    let form = form.and_then(|code| reference.catalog.newest(code));
    let action = form.map_or(Action::ReportPersons, |form| form.action_to_report());
    let line = unit.map(|unit| reference.units.ancestors(unit)).unwrap_or_default();
    authorize(actor, action, &line, at, false).is_ok()
}

/// A release under way; also how a replay repeats one from the log.
pub struct Releasing<'a> {
    /// Units and forms.
    pub reference: Arc<Reference>,
    /// The reviewer's right.
    pub grant: Grant,
    /// Their right in another unit, to which what is named has gone.
    pub elsewhere: &'a dyn Fn(UnitId) -> Option<Grant>,
    /// What an item may be like.
    pub limits: &'a Limits,
    /// Why.
    pub reason: &'a Reason,
}

impl Releasing<'_> {
    /// Releases one, or says why it cannot be.
    pub fn release(
        &self,
        tx: &mut Tx<'_>,
        waiting: &StoredQuarantine,
        decision: Uuid,
    ) -> Result<Result<Recorded, Vec<Finding>>, StoreError> {
        let stored = submissions::by_ids(tx, &[waiting.submission])?.pop();
        let stored = stored.ok_or_else(|| review::not_loaded("a quarantined submission"))?;
        let Some(told) = &stored.told else { return Ok(Err(vec![Finding::new("person.erased", "")])) };
        let said = Said::read(Arc::clone(&told.body), self.limits);
        let submission = match &said.submission {
            Err(finding) => return Ok(Err(vec![(**finding).clone()])),
            // Kept under another id because its own was taken: it can only be said again under a new one.
            Ok(submission) if submission.id != stored.id => {
                return Ok(Err(vec![Finding::new("submission.id_reused", "/id")]));
            }
            Ok(submission) => (**submission).clone(),
        };
        let today = local_date(tx.received_at());
        let Some(assessed) = Assessed::of(&said, &self.reference, today) else { return Ok(Err(Vec::new())) };
        let items = [(said, Some(assessed))];
        let set = WorkingSet::load(tx, Arc::clone(&self.reference), &items.each_ref())?;
        let [(_, Some(assessed))] = &items else { return Ok(Err(Vec::new())) };
        let gone = set.has_gone(&submission, assessed).map(|gone| gone.record.unit);
        let there = gone.map(|to| Readdressed::new(&set, &submission, assessed, to, tx.received_at()));
        let to = gone.unwrap_or(submission.unit);
        // Where it waits is not always where it is said to: what it names may have gone elsewhere, or come back, since.
        let grant = match self.grant.unit() == to || self.reference.units.get(to).is_none() {
            true => self.grant,
            false => match (self.elsewhere)(to) {
                Some(grant) => grant,
                None => return Ok(Err(vec![readdress::beyond_review()])),
            },
        };
        let (submission, assessed) =
            there.as_ref().map_or((&submission, assessed), |there| (&there.submission, &there.assessed));
        let origin = Origin { user: stored.author, device: stored.device, client: None, sent_at: None };
        let mut desk = Desk { set, origin: &origin };
        let head = tx.head().clone();
        let trial = Trial {
            submission,
            author: stored.author,
            device: stored.device,
            assessed,
            right: Right::Granted(grant),
            v: head.seq.next(),
            head,
            at: tx.received_at(),
        };
        let mut admission = match trial.judge(&mut desk.set, tx)? {
            Verdict::In(admission) => *admission,
            Verdict::Out(exclusion) => return Ok(Err(exclusion.errors)),
            Verdict::Missing(missing) => {
                let is_earlier =
                    submission.base.as_ref().and_then(|base| base.after).is_some_and(|id| id.uuid() == missing);
                let (code, pointer) = match is_earlier {
                    true => ("submission.unknown_predecessor", "/base/after"),
                    false => ("submission.unknown_record", "/record"),
                };
                return Ok(Err(vec![Finding::new(code, pointer).with("missing", missing.to_string())]));
            }
        };
        let body = self.body(waiting);
        let deciding = Deciding {
            kind: "release",
            id: decision,
            target: waiting.id.uuid(),
            subject: waiting.subject,
            outcome: admission.status.as_str(),
            body,
            command: None,
        };
        let v = review::record(tx, &grant, deciding)?;
        desk.close_replaced(submission, v, &mut admission.warnings);
        let record = admission.stored.record.id;
        let recorded = desk.apply(submission.id, admission, v);
        if let Some(there) = &there {
            desk.set.was_named(there.name, record, v);
        }
        let outcome = serde_json::to_vec(&recorded).expect("a result serialises");
        let closed = StoredQuarantine {
            closed: Some(v),
            closing: Some(Closing::Released),
            outcome: Some(outcome),
            ..waiting.clone()
        };
        desk.set.wait(closed, None);
        desk.set.flush(tx)?;
        Ok(Ok(recorded))
    }

    fn body(&self, waiting: &StoredQuarantine) -> Vec<u8> {
        review::body(&json!({"quarantine": waiting.id, "reason": self.reason.as_str()}))
    }

    /// What builds on it waited with it and is released with it; what still cannot be merged goes on waiting, and so does
    /// what is said to a unit that the reviewer does not review. At most [`MAX_FOLLOWERS`]: the rest is
    /// released by a decision of its own.
    fn release_followers(
        &self,
        tx: &mut Tx<'_>,
        released: StoredQuarantine,
        decision: Uuid,
        all: &mut Vec<Recorded>,
    ) -> Result<(), StoreError> {
        let mut followed = VecDeque::from([released]);
        while let Some(leader) = followed.pop_front() {
            for follower in quarantine::waiting_on(tx, leader.submission)? {
                if all.len() > MAX_FOLLOWERS {
                    continue;
                }
                let own = derived("release", &[decision.as_bytes(), follower.id.uuid().as_bytes()]);
                if let Ok(recorded) = self.release(tx, &follower, own)? {
                    all.push(recorded);
                    followed.push_back(follower);
                }
            }
        }
        Ok(())
    }
}
