//! Which record a submission is about: by its id, by an alias of it, or by its natural key; or none that is there.

use super::{Exclusion, Right, Trial, Verdict};
use crate::usecases::push::working_set::WorkingSet;
use muong_domain::form::{Form, Subject};
use muong_domain::id::{RecordId, derived};
use muong_domain::merge::Seen;
use muong_domain::record::{Path, Record};
use muong_domain::refusal::Finding;
use muong_domain::submission::{Kind, Submission};
use muong_domain::validate::PathChange;
use muong_store::{Reading, StoreError};
use serde_json::Value;
use std::borrow::Cow;

/// What an id or a key leads to.
pub(super) enum Target {
    Existing { id: RecordId, alias: Option<RecordId> },
    New { id: RecordId, alias: Option<RecordId> },
    Unknown,
}

impl Trial<'_> {
    pub(super) fn target(
        &self,
        set: &mut WorkingSet,
        tx: &mut impl Reading,
        key: Option<&str>,
    ) -> Result<Target, StoreError> {
        let Submission { record, unit, kind, .. } = *self.submission;
        if let Some(stored) = set.resolve(record, unit) {
            return Ok(Target::Existing { id: stored.record.id, alias: None });
        }
        if kind != Kind::Create {
            return Ok(Target::Unknown);
        }
        if let Some(key) = key
            && let Some(id) = set.holder_of(tx, key)?
        {
            return Ok(Target::Existing { id, alias: Some(record) });
        }
        if set.is_taken(record) {
            // Of another unit: its author must not learn that, so here the id stands for a record of its own.
            let id = derived("record", &[record.uuid().as_bytes(), unit.uuid().as_bytes()]);
            return Ok(Target::New { id: RecordId::new(id), alias: Some(record) });
        }
        Ok(Target::New { id: record, alias: None })
    }

    /// The person is named as the phone knows them: an alias stands for its record, in this unit alone. From here on only
    /// the record's own id is used, so that no rule ever looks at a person of another unit. Answers whether anything was
    /// named otherwise.
    pub(super) fn name_subject(&self, set: &WorkingSet, form: &Form, changes: &mut Cow<'_, [PathChange]>) -> bool {
        let Subject::Field(field) = &form.definition().subject else { return false };
        let path = form.path_of(field);
        let mut renamed = false;
        let mut canonical = |value: &mut Value| {
            let id = value.as_str().and_then(|text| text.parse().ok());
            let stored = id.and_then(|id| set.resolve(id, self.submission.unit));
            if let Some(stored) = stored.filter(|stored| Some(stored.record.id) != id) {
                *value = Value::from(stored.record.id.to_string());
                renamed = true;
            }
        };
        // Nearly always it is named by its own id: then nothing is copied.
        let Some(at) = changes.iter().position(|change| change.path == path) else { return false };
        let mut change = changes[at].clone();
        for side in [&mut change.from, &mut change.to] {
            match side {
                Value::Object(members) => members.get_mut(field).into_iter().for_each(&mut canonical),
                value => canonical(value),
            }
        }
        if renamed {
            changes.to_mut()[at] = change;
        }
        renamed
    }

    /// A record that is not there: lost, waiting, or still on its way. One that is there but of another form, which its
    /// author may not even see, is as good as unknown; nothing that waits will bring it.
    pub(super) fn absent(&self, set: &WorkingSet, record: RecordId, lost: &'static str, pointer: &str) -> Verdict {
        let unit = self.submission.unit;
        match set.brings(record, unit).filter(|_| set.resolve(record, unit).is_none()) {
            Some(waiting) => Exclusion::waits(waiting, pointer),
            None if self.submission.after_lost => Exclusion::rejected(vec![Finding::new(lost, pointer)]),
            None => Verdict::Missing(record.uuid()),
        }
    }

    /// After a restore phones send again what was lost, in whatever order. Whoever changes a value that is not here, and had
    /// seen more than what was restored, builds on what another phone has yet to send: it waits, until that has come or its
    /// own phone gives up. Otherwise what had come after would seem to contradict what it was a change of.
    pub(super) fn builds_on_lost(&self, record: &Record, changes: &[PathChange], seen: Seen) -> bool {
        let is_lost = matches!(seen, Seen::AtLeast(_)) && !self.submission.after_lost;
        let is_here = |path: &Path, value: &Value| match record.cells.get(path) {
            Some(cell) if !cell.claims.is_empty() => cell.claims.iter().any(|claim| claim.value == *value),
            _ => value.is_null(),
        };
        let unseen = |change: &PathChange| !is_here(&change.path, &change.from) && !is_here(&change.path, &change.to);
        let is_change = self.submission.kind == Kind::Edit && matches!(self.right, Right::Author(_));
        is_change && is_lost && changes.iter().any(|change| change.from != change.to && unseen(change))
    }
}
