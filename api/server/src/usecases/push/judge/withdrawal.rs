//! A delete: the record is withdrawn, if its author had seen what stands.

use super::{Admission, Exclusion, Trial, Verdict};
use crate::usecases::push::bounds;
use crate::usecases::push::notes::notes;
use crate::usecases::push::outcome::Status;
use crate::usecases::push::person;
use crate::usecases::push::working_set::WorkingSet;
use muong_domain::access::{Action, Grant};
use muong_domain::merge::{self, PathOutcome};
use muong_domain::record::Path;
use muong_domain::refusal::Finding;
use muong_store::records::StoredRecord;
use muong_store::{Reading, StoreError};
use std::collections::BTreeMap;

impl Trial<'_> {
    pub(super) fn judge_delete(
        &self,
        set: &WorkingSet,
        tx: &mut impl Reading,
        grant: Grant,
    ) -> Result<Verdict, StoreError> {
        let unknown = || self.absent(set, self.submission.record, "submission.unknown_record", "/record");
        let Some(stored) = set.resolve(self.submission.record, self.submission.unit) else { return Ok(unknown()) };
        if self.submission.form.as_ref().is_some_and(|form| *form != stored.record.form) {
            return Ok(unknown());
        }
        let newest = set.reference.catalog.newest(&stored.record.form);
        let needed = newest.map_or(Action::ReportPersons, |form| form.action_to_report());
        let allowed = if needed == grant.action() { Ok(grant) } else { self.authorize(needed) };
        let seen = Action::to_read(newest.is_none_or(|form| form.is_about_person()));
        let grant = match allowed {
            Ok(grant) => grant,
            Err(why) if self.authorize(seen).is_ok() => return Ok(Exclusion::forbidden(why)),
            Err(_) => return Ok(unknown()), // what its author may not see does not exist for them
        };
        let author = self.author(set, true);
        let mut record = stored.record.clone();
        let outcome = merge::delete(&mut record, &author, self.v);
        if let Some(finding) = bounds::too_many_claims(Some(&stored.record), &record) {
            return Ok(Exclusion::rejected(vec![Finding { pointer: "/record".to_owned(), ..finding }]));
        }
        let live = record.is_live();
        let view = person::view_of(set, &record);
        let cards = person::cards_after(set, &record, live.then_some(&view), &self.basis(set))?;
        if !live {
            let mut errors = person::check_withdrawal(set, &stored.record, &self.basis(set))?;
            errors.extend(person::card_taken(set, tx, &cards, "/record")?);
            if !errors.is_empty() {
                return Ok(Exclusion::rejected(errors));
            }
        }
        let conflicts = notes(&record, &[], &BTreeMap::from([(Path::record(), outcome)]), self.v);
        let status = if outcome == PathOutcome::Conflict { Status::Conflict } else { Status::Accepted };
        let stored = StoredRecord { record, live, ..stored.clone() };
        Ok(Verdict::In(Box::new(Admission {
            grant,
            status,
            stored,
            alias: None,
            fields: BTreeMap::new(),
            conflicts,
            warnings: Vec::new(),
            cards,
        })))
    }
}
