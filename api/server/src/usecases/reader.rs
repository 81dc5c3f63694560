//! Whoever reads, and what of the store exists for them: which records, and which values in them.
//!
//! What lies outside the reader's scope does not exist (404), and neither do records about persons for a role that
//! never sees persons. What exists but may not be seen so is forbidden (403), or asks for a stated reason.

use super::account_for::account_for;
use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use super::keep_erasures::OUT_OF_STEP;
use super::mask::has_personal;
use super::review::Reason;
use crate::reference::{Reference, is_about_person};
use crate::state::App;
use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::access::Action::{ReadPersons, ReadReports, Review};
use muong_domain::access::{Action, Actor, Denied, authorize};
use muong_domain::form::Form;
use muong_domain::id::{RecordId, UnitId};
use muong_domain::text::search_key;
use muong_domain::time::local_date;
use muong_store::records::StoredRecord;
use muong_store::{Note, NoteKind, Scope, Snapshot};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// A reader at one moment.
#[derive(Debug)]
pub struct Reader {
    actor: Arc<Actor>,
    reference: Arc<Reference>,
    now: DateTime<Utc>,
    reason: Option<Reason>,
    seen: RefCell<Seen>,
}

/// What has to be accounted for.
#[derive(Debug, Default)]
struct Seen {
    /// Nothing, so far, or as what.
    kind: Option<NoteKind>,
    /// What it concerns.
    subjects: BTreeMap<Uuid, Option<UnitId>>,
    /// Personal values that were shown: they have no place in the account, whoever wrote them into the reason.
    values: BTreeSet<String>,
}

/// Which values of a visible thing may be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// All.
    Whole,
    /// Without those that the form marks as personal.
    Masked,
}

/// One page of a list, and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page<T, P> {
    /// The items.
    pub items: Vec<T>,
    /// The position of the last item, when there are more.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// From at least one item more than the page holds, if there is one.
    pub fn new(mut items: Vec<T>, limit: usize, position: impl Fn(&T) -> P) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(position);
        Self { items, next }
    }

    /// The same of things that may be large, each with its size: a page also ends when it has come to [`MOST_BYTES`].
    pub fn bounded(found: Vec<(T, usize)>, limit: usize, position: impl Fn(&T) -> P) -> Self {
        let limit = limit.min(fitting(found.iter().map(|(_, bytes)| *bytes), MOST_BYTES));
        Self::new(found.into_iter().map(|(item, _)| item).collect(), limit, position)
    }

    /// The same page, its items turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U, P> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// How much of what phones say, or what comes of it, a page is made of, in bytes of the database. One thing may be larger.
pub const MOST_BYTES: usize = 4 << 20;

/// How many of the first of some things come to no more than `most` together; one at least, if there is one.
pub fn fitting(sizes: impl IntoIterator<Item = usize>, most: usize) -> usize {
    let mut whole = 0_usize;
    let fits = |(at, size): &(usize, usize)| {
        whole = whole.saturating_add(*size);
        *at == 0 || whole <= most
    };
    sizes.into_iter().enumerate().take_while(fits).count()
}

/// How many rows to ask for so that it shows whether there are more.
pub fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Reads as somebody, in one snapshot, off the async threads. What was seen of persons is accounted for before it is
/// answered.
pub async fn read_as<T: Send + 'static>(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    reading: impl Fn(&mut Snapshot<'_>, &Reader) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (actor, now) = (Arc::clone(&who.actor), app.clock.now());
    let (done, note) = read(app, move |app, snapshot| {
        let Some(head) = app.in_step.head(snapshot)? else { return Ok(Err(Failure::refused(OUT_OF_STEP))) };
        let reference = app.reference.get(snapshot, head.reference_as_of())?;
        let (actor, reason) = (Arc::clone(&actor), reason.clone());
        let reader = Reader::new(actor, reference, now, reason);
        match reading(snapshot, &reader) {
            Err(Failure::Store(error)) => Err(error),
            other => Ok(other.map(|done| (done, reader.account()))),
        }
    })
    .await??;
    if let Some(note) = note {
        account_for(app, who, note).await?;
    }
    Ok(done)
}

impl Reader {
    /// Somebody who reads, with these grants, at a moment of which units and forms are known.
    pub fn new(actor: Arc<Actor>, reference: Arc<Reference>, now: DateTime<Utc>, reason: Option<Reason>) -> Self {
        Self { actor, reference, now, reason, seen: RefCell::default() }
    }

    /// Who.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Units and forms as of this moment.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The local date of this moment.
    pub fn today(&self) -> NaiveDate {
        local_date(self.now)
    }

    /// Whoever may read no content anywhere (`admin`, `auditor`) is told so, whatever they ask for.
    pub fn require_content(&self) -> Result<(), Failure> {
        let any = |action| !self.actor.scope(action, self.now, true).is_empty();
        if any(ReadReports) || any(ReadPersons) { Ok(()) } else { Err(Failure::refused("access.forbidden")) }
    }

    /// Whoever asks for what is about persons, and may see it with a reason only, is told so: an empty list would seem to
    /// say that there is nothing.
    pub fn require_reason_for(&self, form: Option<&str>, subject: Option<RecordId>) -> Result<(), Failure> {
        let asks = subject.is_some() || form.and_then(|code| self.form(code)).is_some_and(|form| is_about_person(form));
        let may = !self.actor.scope(ReadPersons, self.now, true).is_empty();
        if asks && may && self.tops(ReadPersons).is_empty() {
            return Err(Failure::refused("access.reason_required"));
        }
        Ok(())
    }

    /// Whether the reader decides anything anywhere.
    pub fn reviews(&self) -> bool {
        !self.actor.scope(Review, self.now, true).is_empty()
    }

    /// The units over whose subtrees any grant of the reader holds now.
    pub fn granted(&self) -> BTreeSet<UnitId> {
        self.actor.grants.iter().filter(|grant| grant.holds_at(self.now)).map(|grant| grant.unit).collect()
    }

    /// The form that reads all records of this code.
    pub fn form(&self, code: &str) -> Option<&Arc<Form>> {
        self.reference.catalog.newest(code)
    }

    /// The newest version of each form (of the one asked for, if one is).
    pub fn forms<'a>(&'a self, code: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Form>> {
        let all = self.reference.forms(false).chain(self.reference.forms(true));
        all.filter(move |form| code.is_none_or(|code| code == form.code()))
    }

    /// Where records of a form may be read, narrowed to what lies below a unit. Nowhere: `None`.
    pub fn may_read_below(&self, about_person: bool, below: Option<UnitId>) -> Option<Scope> {
        self.scope(self.tops(Action::to_read(about_person)), below)
    }

    /// Where conflicts and quarantine may be looked into; about persons only where persons may be read.
    pub fn may_review_below(&self, about_person: bool, below: Option<UnitId>) -> Option<Scope> {
        let tops = self.tops(Review);
        let tops = if about_person { self.intersection(&tops, &self.tops(ReadPersons)) } else { tops };
        self.scope(tops, below)
    }

    /// The units over whose subtrees the trail may be read.
    pub fn audits(&self) -> Vec<UnitId> {
        self.tops(Action::Audit)
    }

    fn tops(&self, action: Action) -> Vec<UnitId> {
        self.actor.scope(action, self.now, self.reason.is_some())
    }

    fn scope(&self, tops: Vec<UnitId>, below: Option<UnitId>) -> Option<Scope> {
        let tops = below.map_or_else(|| tops.clone(), |unit| self.intersection(&tops, &[unit]));
        let narrow = !tops.iter().any(|top| self.is_root(*top));
        (!tops.is_empty()).then_some(Scope { tops, narrow })
    }

    /// The tops of what lies below one of `a` and below one of `b`.
    fn intersection(&self, a: &[UnitId], b: &[UnitId]) -> Vec<UnitId> {
        let covered =
            |unit: &UnitId, by: &[UnitId]| self.reference.units.ancestors(*unit).iter().any(|above| by.contains(above));
        let both: BTreeSet<UnitId> = (a.iter().filter(|unit| covered(unit, b)))
            .chain(b.iter().filter(|unit| covered(unit, a)))
            .copied()
            .collect();
        both.into_iter().collect()
    }

    /// Whether a unit is the top of a whole tree.
    pub fn is_root(&self, unit: UnitId) -> bool {
        self.reference.units.ancestors(unit).len() == 1
    }

    /// What of a record may be seen, if it exists for the reader.
    pub fn sees(&self, form: &str, unit: UnitId) -> Result<Values, Failure> {
        let line = self.reference.units.ancestors(unit);
        self.allowed(Action::to_read(self.is_about_person(Some(form))), &line).map_err(refused)?;
        Ok(self.values(&line))
    }

    /// What of a conflict may be seen. The record shows that it has one, so who may not review is told so.
    pub fn sees_conflict(&self, form: &str, unit: UnitId) -> Result<Values, Failure> {
        let values = self.sees(form, unit)?;
        let line = self.reference.units.ancestors(unit);
        self.allowed(Review, &line).map_err(|_| Failure::refused("access.forbidden"))?;
        Ok(values)
    }

    /// What of somebody else's quarantined submission may be seen. One that names no unit that exists is for whoever
    /// reviews a whole tree; one whose form cannot be read may be about a person.
    pub fn sees_quarantined(&self, form: Option<&str>, unit: Option<UnitId>) -> Result<Values, Failure> {
        let lines = match unit {
            Some(unit) => vec![self.reference.units.ancestors(unit)],
            None => self.roots().map(|root| vec![root]).collect(),
        };
        let mut denied = Failure::refused("access.not_found");
        for line in lines.iter().filter(|line| self.allowed(Review, line).is_ok()) {
            match self.allowed(Action::to_read(self.is_about_person(form)), line) {
                Ok(()) => return Ok(self.values(line)),
                Err(why) => denied = refused(why),
            }
        }
        Err(denied)
    }

    /// Whether the reader reviews a whole tree, and so what names no unit.
    pub fn reviews_unplaced(&self, about_person: bool) -> bool {
        let may = |root: UnitId| {
            self.allowed(Review, &[root]).is_ok() && self.allowed(Action::to_read(about_person), &[root]).is_ok()
        };
        self.roots().any(may)
    }

    fn roots(&self) -> impl Iterator<Item = UnitId> {
        let units = self.reference.units.iter();
        units.filter(|unit| unit.latest().is_some_and(|version| version.parent.is_none())).map(|unit| unit.id)
    }

    /// Whether things of this form are about persons. What the server does not know is treated as if it were.
    pub fn is_about_person(&self, form: Option<&str>) -> bool {
        form.and_then(|code| self.form(code)).is_none_or(|form| is_about_person(form))
    }

    fn allowed(&self, action: Action, line: &[UnitId]) -> Result<(), Denied> {
        authorize(&self.actor, action, line, self.now, self.reason.is_some()).map(drop)
    }

    fn values(&self, line: &[UnitId]) -> Values {
        if self.allowed(ReadPersons, line).is_ok() { Values::Whole } else { Values::Masked }
    }

    /// Notes that something was shown that tells of a person.
    pub fn note_shown(&self, thing: Uuid, unit: Option<UnitId>, person: Option<RecordId>) {
        let mut seen = self.seen.borrow_mut();
        seen.kind = Some(NoteKind::Read);
        seen.subjects.insert(thing, unit);
        seen.subjects.extend(person.map(|person| (person.uuid(), unit)));
    }

    /// Notes that a record was shown, if it holds anything of a person that was not masked.
    pub fn note_record(&self, stored: &StoredRecord, values: Values) {
        let (record, form) = (&stored.record, self.form(&stored.record.form));
        let tells_of_persons = stored.subject.is_some() || form.is_none_or(|form| has_personal(form));
        if values == Values::Masked || !tells_of_persons {
            return;
        }
        self.note_shown(record.id.uuid(), Some(record.unit), stored.subject);
        let personal = record.shown().filter(|(path, _)| form.is_none_or(|form| form.is_personal(path)));
        personal.for_each(|(_, value)| self.note_value(value));
    }

    /// Notes a personal value that was shown.
    pub fn note_value(&self, value: &Value) {
        match value {
            Value::String(text) if self.reason.is_some() => drop(self.seen.borrow_mut().values.insert(text.clone())),
            Value::Object(fields) => fields.values().for_each(|value| self.note_value(value)),
            _ => {}
        }
    }

    /// Notes that the audit trail was read, and about what.
    pub fn note_trail(&self, about: impl IntoIterator<Item = RecordId>) {
        let mut seen = self.seen.borrow_mut();
        seen.kind = Some(NoteKind::AuditRead);
        seen.subjects.extend(about.into_iter().map(|id| (id.uuid(), None)));
    }

    /// What is to be accounted for of this reading, if anything.
    pub fn account(&self) -> Option<Note> {
        let Seen { kind, subjects, values } = self.seen.take();
        let reason = self.reason.as_ref().map(|reason| without(reason.as_str(), &values));
        Some(Note { kind: kind?, outcome: "ok".to_owned(), reason, subjects, ..Note::default() })
    }
}

/// A reason, without the values that were shown: it says why, and the ids say about whom. They are found by their words,
/// whatever the marks and capitals.
pub fn without(reason: &str, values: &BTreeSet<String>) -> String {
    let key = |word: &str| search_key(word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    let words: Vec<&str> = reason.split_whitespace().collect();
    let keys: Vec<String> = words.iter().map(|word| key(word)).collect();
    let mut hidden = vec![false; words.len()];
    for value in values {
        let wanted: Vec<String> = value.split_whitespace().map(key).collect();
        if wanted.iter().all(String::is_empty) {
            continue;
        }
        for at in (0..keys.len()).filter(|at| keys[*at..].starts_with(&wanted)) {
            hidden[at..at + wanted.len()].fill(true);
        }
    }
    if !hidden.contains(&true) {
        return reason.to_owned();
    }
    let shown = words.iter().zip(&hidden).map(|(word, hidden)| if *hidden { "…" } else { *word });
    shown.collect::<Vec<_>>().join(" ")
}

/// A role that never sees this kind of thing does not learn that there is one.
fn refused(denied: Denied) -> Failure {
    match denied {
        Denied::ReasonRequired(_) => Failure::refused("access.reason_required"),
        Denied::Outside | Denied::NotAllowed(_) => Failure::refused("access.not_found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_when_it_is_large_and_holds_one_thing_however_large_that_is() {
        assert_eq!(fitting([1, 2, 3], 6), 3);
        assert_eq!(fitting([1, 2, 3], 5), 2);
        assert_eq!(fitting([9, 1], 5), 1);
        assert_eq!(fitting([0, usize::MAX, usize::MAX], 5), 1);
        assert_eq!(fitting([], 5), 0);
        let page = |sizes: &[usize], limit| {
            let page = Page::bounded(sizes.iter().copied().enumerate().collect(), limit, |at: &usize| *at);
            (page.items, page.next)
        };
        assert_eq!(page(&[1, 1, 1], 2), (vec![0, 1], Some(1)));
        assert_eq!(page(&[1, 1], 2), (vec![0, 1], None));
        assert_eq!(page(&[1, MOST_BYTES, 1], 3), (vec![0], Some(0)));
        assert_eq!(page(&[MOST_BYTES + 1], 3), (vec![0], None));
        assert_eq!(page(&[], 3), (vec![], None));
    }

    #[test]
    fn a_reason_is_kept_without_the_values_that_were_shown() {
        let values = BTreeSet::from(["Giàng A Vừ".to_owned(), "2001-04-12".to_owned(), "…".to_owned()]);
        for (reason, kept) in [
            ("Thẩm định hồ sơ kết nạp", "Thẩm định hồ sơ kết nạp"),
            ("Hồ sơ của Giàng A Vừ, quý I", "Hồ sơ của … … … quý I"),
            ("ho so giang a vu", "ho so … … …"),
            ("sinh 2001-04-12?", "sinh …"),
            ("Giàng A Vữ", "… … …"),
            ("Giàng A", "Giàng A"),
        ] {
            assert_eq!(without(reason, &values), kept, "{reason}");
        }
    }
}
