//! Lists submissions that wait, or waited, for a reviewer: the reader's own, or those that the reader may review.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::push::outcome::Recorded;
use super::read_submissions::parsed;
use super::reader::{Page, Reader, Values, one_more, read_as};
use super::review::Reason;
use crate::reference::is_about_person;
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::id::{QuarantineId, SubmissionId, UnitId};
use muong_domain::refusal::Finding;
use muong_store::quarantine::{self, QuarantineFilter, StoredQuarantine, Whose};
use muong_store::{Reading, Snapshot, StoreError, receipts, submissions};
use std::collections::HashMap;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct QuarantineQuery {
    /// The reader's own; unless said, whatever the reader may review, and the own of whoever reviews nothing.
    pub mine: Option<bool>,
    /// Only below this unit.
    pub unit: Option<UnitId>,
    /// Only this form.
    pub form: Option<String>,
    /// Only still waiting, or only closed ones.
    pub open: Option<bool>,
    /// After this one.
    pub after: Option<QuarantineId>,
    /// At most so many.
    pub limit: usize,
}

/// A waiting submission with its reasons and times.
#[derive(Clone, Debug)]
pub struct SeenQuarantine {
    /// Where it waits.
    pub stored: StoredQuarantine,
    /// Why.
    pub reasons: Vec<Finding>,
    /// Since when.
    pub opened_at: Option<DateTime<Utc>>,
    /// Until when.
    pub closed_at: Option<DateTime<Utc>>,
}

/// Lists them, in order of id.
pub async fn list_quarantine(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    query: QuarantineQuery,
) -> Result<Page<SeenQuarantine, QuarantineId>, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        // What somebody has sent stays theirs to see, also when they may read nothing else any more.
        let mine = query.mine.unwrap_or_else(|| !reader.reviews());
        if !mine {
            reader.require_reason_for(query.form.as_deref(), None)?;
        }
        let mut ids = Vec::new();
        for (whose, forms, formless) in views(reader, &query, mine)? {
            let filter = QuarantineFilter { whose, forms, formless, open: query.open, after: query.after };
            ids.extend(quarantine::list(snapshot, &filter, one_more(query.limit))?);
        }
        ids.sort_unstable();
        ids.truncate(query.limit.saturating_add(1));
        // The reasons may quote much of what was said.
        let page = Page::bounded(quarantine::sizes(snapshot, &ids)?, query.limit, |id: &QuarantineId| *id);
        let mut found = quarantine::by_ids(snapshot, &page.items)?;
        found.sort_unstable_by_key(|waiting| waiting.id);
        note(reader, &found);
        let (items, next) = (see(snapshot, found)?, page.next);
        Ok(Page { items, next })
    })
    .await
}

/// The reasons may quote what was said, so also a list tells of persons.
fn note(reader: &Reader, seen: &[StoredQuarantine]) {
    let tells = |waiting: &&StoredQuarantine| reader.is_about_person(waiting.form.as_deref());
    seen.iter().filter(tells).for_each(|waiting| reader.note_shown(waiting.id.uuid(), waiting.unit, waiting.subject));
}

type View = (Whose, Option<Vec<String>>, bool);

/// The parts that the list is made of; no submission is in two of them.
fn views(reader: &Reader, query: &QuarantineQuery, mine: bool) -> Result<Vec<View>, Failure> {
    if mine {
        let forms = query.form.clone().map(|form| vec![form]);
        return Ok(vec![(Whose::Author(reader.actor().user, query.unit), forms, false)]);
    }
    if !reader.reviews() {
        return Err(Failure::refused("access.forbidden"));
    }
    let mut views = Vec::new();
    for about_person in [false, true] {
        let forms = reader.forms(query.form.as_deref()).filter(|form| is_about_person(form) == about_person);
        let forms: Vec<String> = forms.map(|form| form.code().to_owned()).collect();
        // What cannot be read may be about a person.
        let formless = about_person && query.form.is_none();
        if forms.is_empty() && !formless {
            continue;
        }
        if let Some(scope) = reader.may_review_below(about_person, query.unit) {
            views.push((Whose::Within(scope), Some(forms.clone()), formless));
        }
        if query.unit.is_none() && reader.reviews_unplaced(about_person) {
            views.push((Whose::Unplaced, Some(forms), formless));
        }
    }
    Ok(views)
}

/// Adds reasons and times.
pub fn see(read: &mut impl Reading, found: Vec<StoredQuarantine>) -> Result<Vec<SeenQuarantine>, StoreError> {
    let ids: Vec<SubmissionId> = found.iter().map(|waiting| waiting.submission).collect();
    let results: HashMap<SubmissionId, Vec<u8>> = submissions::results(read, &ids)?.into_iter().collect();
    let seqs = found.iter().flat_map(|waiting| [Some(waiting.opened), waiting.closed]).flatten();
    let at = receipts::of(read, seqs)?;
    let seen = found.into_iter().map(|stored| {
        let result =
            results.get(&stored.submission).map(|result| parsed::<Recorded>("a result", result)).transpose()?;
        Ok(SeenQuarantine {
            reasons: result.map(|result| result.errors).unwrap_or_default(),
            opened_at: at.get(&stored.opened).copied(),
            closed_at: stored.closed.and_then(|seq| at.get(&seq).copied()),
            stored,
        })
    });
    seen.collect()
}

/// Reads and shows one.
pub(super) fn one(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    stored: StoredQuarantine,
    values: Values,
) -> Result<SeenQuarantine, Failure> {
    // What was said is shown with it, and may name somebody although it is about no person.
    match (values, stored.subject) {
        (Values::Whole, Some(person)) => reader.note_shown(stored.id.uuid(), stored.unit, Some(person)),
        _ => note(reader, std::slice::from_ref(&stored)),
    }
    let seen = see(snapshot, vec![stored])?.pop();
    Ok(seen.ok_or_else(|| StoreError::corrupt("a quarantine", "lost"))?)
}
