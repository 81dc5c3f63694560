//! Lists conflicts for whoever may decide them, in order of id.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::reader::{Page, Reader, one_more, read_as};
use super::review::Reason;
use crate::reference::is_about_person;
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::id::{ConflictId, RecordId, Seq, UnitId};
use muong_store::conflicts::{self, ConflictFilter, StoredConflict};
use muong_store::{Reading, Snapshot, StoreError, receipts};
use std::collections::BTreeMap;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ConflictQuery {
    /// Only this form.
    pub form: Option<String>,
    /// Only below this unit.
    pub unit: Option<UnitId>,
    /// Only of this record.
    pub record: Option<RecordId>,
    /// Open ones, or closed ones.
    pub open: bool,
    /// After this conflict.
    pub after: Option<ConflictId>,
    /// At most so many.
    pub limit: usize,
}

/// A conflict with its times.
#[derive(Clone, Debug)]
pub struct SeenConflict {
    /// The question.
    pub stored: StoredConflict,
    /// When it was opened.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
}

/// Lists them.
pub async fn list_conflicts(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    query: ConflictQuery,
) -> Result<Page<SeenConflict, ConflictId>, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        if !reader.reviews() {
            return Err(Failure::refused("access.forbidden"));
        }
        reader.require_reason_for(query.form.as_deref(), None)?;
        let mut found = of_kind(snapshot, reader, &query, false)?;
        found.extend(of_kind(snapshot, reader, &query, true)?);
        found.sort_unstable_by_key(|conflict| conflict.id);
        let page = Page::new(found, query.limit, |conflict: &StoredConflict| conflict.id);
        // Of what only names somebody a list tells no name.
        let tells = |conflict: &&StoredConflict| {
            conflict.subject.is_some() && reader.is_about_person(Some(conflict.form.as_str()))
        };
        for conflict in page.items.iter().filter(tells) {
            reader.note_shown(conflict.record.uuid(), Some(conflict.unit), conflict.subject);
        }
        let (items, next) = (see(snapshot, page.items)?, page.next);
        Ok(Page { items, next })
    })
    .await
}

fn of_kind(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    query: &ConflictQuery,
    about_person: bool,
) -> Result<Vec<StoredConflict>, Failure> {
    let forms: Vec<String> = (reader.forms(query.form.as_deref()))
        .filter(|form| is_about_person(form) == about_person)
        .map(|form| form.code().to_owned())
        .collect();
    let Some(scope) = reader.may_review_below(about_person, query.unit).filter(|_| !forms.is_empty()) else {
        return Ok(Vec::new());
    };
    let filter = ConflictFilter { scope, forms, record: query.record, open: query.open, after: query.after };
    Ok(conflicts::list(snapshot, &filter, one_more(query.limit))?)
}

/// Adds the times.
pub fn see(read: &mut impl Reading, found: Vec<StoredConflict>) -> Result<Vec<SeenConflict>, StoreError> {
    let seqs = found.iter().flat_map(|conflict| [Some(conflict.opened), conflict.closed]).flatten();
    let at: BTreeMap<Seq, DateTime<Utc>> = receipts::of(read, seqs)?;
    let seen = found.into_iter().map(|stored| SeenConflict {
        opened_at: at.get(&stored.opened).copied(),
        closed_at: stored.closed.and_then(|seq| at.get(&seq).copied()),
        stored,
    });
    Ok(seen.collect())
}
