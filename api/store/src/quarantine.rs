//! Submissions that wait, whole, for a reviewer.

use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{quarantine, submissions, unit_closure};
use crate::scope::Scope;
use crate::transaction::{Reading, Tx};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::upsert::excluded;
use muong_domain::id::{QuarantineId, RecordId, Seq, SubmissionId, UnitId, UserId};

/// How a waiting submission left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// A reviewer let it in.
    Released,
    /// A reviewer threw it away; it is kept all the same.
    Discarded,
    /// Its author sent a better one.
    Replaced,
}

impl Closing {
    /// The written form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Replaced => "replaced",
        }
    }
    fn parse(text: &str) -> Result<Self, StoreError> {
        ([Self::Released, Self::Discarded, Self::Replaced].into_iter().find(|closing| closing.as_str() == text))
            .ok_or_else(|| StoreError::corrupt("a quarantine's closing", text))
    }
}

/// One waiting submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredQuarantine {
    /// UUIDv5 of the submission.
    pub id: QuarantineId,
    /// The submission.
    pub submission: SubmissionId,
    /// The unit that it names, when that exists.
    pub unit: Option<UnitId>,
    /// Who said it.
    pub author: UserId,
    /// The form that it names.
    pub form: Option<String>,
    /// The first reason.
    pub code: String,
    /// The quarantined submission that it builds on.
    pub waits_on: Option<SubmissionId>,
    /// Since when.
    pub opened: Seq,
    /// Until when.
    pub closed: Option<Seq>,
    /// How it left.
    pub closing: Option<Closing>,
    /// The person it is about.
    pub subject: Option<RecordId>,
    /// The result of its release, as JSON.
    pub outcome: Option<Vec<u8>>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = quarantine, treat_none_as_default_value = false)]
struct Row {
    id: Id,
    submission_id: Id,
    unit_id: Option<Id>,
    author: Id,
    form: Option<String>,
    code: String,
    waits_on: Option<Id>,
    opened_seq: i64,
    closed_seq: Option<i64>,
    closing: Option<String>,
    subject: Option<Id>,
    outcome: Option<Vec<u8>>,
}

impl TryFrom<Row> for StoredQuarantine {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: QuarantineId::new(row.id.0),
            submission: SubmissionId::new(row.submission_id.0),
            unit: row.unit_id.map(|id| UnitId::new(id.0)),
            author: UserId::new(row.author.0),
            form: row.form,
            code: row.code,
            waits_on: row.waits_on.map(|id| SubmissionId::new(id.0)),
            opened: Seq(row.opened_seq),
            closed: row.closed_seq.map(Seq),
            closing: row.closing.as_deref().map(Closing::parse).transpose()?,
            subject: row.subject.map(|id| RecordId::new(id.0)),
            outcome: row.outcome,
        })
    }
}

impl From<&StoredQuarantine> for Row {
    fn from(q: &StoredQuarantine) -> Self {
        Self {
            id: q.id.into(),
            submission_id: q.submission.into(),
            unit_id: q.unit.map(Id::from),
            author: q.author.into(),
            form: q.form.clone(),
            code: q.code.clone(),
            waits_on: q.waits_on.map(Id::from),
            opened_seq: q.opened.0,
            closed_seq: q.closed.map(|seq| seq.0),
            closing: q.closing.map(|closing| closing.as_str().to_owned()),
            subject: q.subject.map(Id::from),
            outcome: q.outcome.clone(),
        }
    }
}

fn domain(rows: Vec<Row>) -> Result<Vec<StoredQuarantine>, StoreError> {
    rows.into_iter().map(StoredQuarantine::try_from).collect()
}

/// Writes them as they now stand.
pub fn save(tx: &mut Tx<'_>, changed: &[StoredQuarantine]) -> Result<(), StoreError> {
    for waiting in changed {
        let row = Row::from(waiting);
        on_backend!(tx.conn(), c => diesel::insert_into(quarantine::table)
            .values(&row)
            .on_conflict(quarantine::id)
            .do_update()
            .set((
                quarantine::closed_seq.eq(excluded(quarantine::closed_seq)),
                quarantine::closing.eq(excluded(quarantine::closing)),
                quarantine::outcome.eq(excluded(quarantine::outcome)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// One by its id.
pub fn find(read: &mut impl Reading, id: QuarantineId) -> Result<Option<StoredQuarantine>, StoreError> {
    let row: Option<Row> = on_backend!(read.conn(), c => quarantine::table
        .filter(quarantine::id.eq(Id::from(id)))
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.map(StoredQuarantine::try_from).transpose()
}

/// Those of these submissions, whether they still wait or not.
pub fn of_submissions(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<StoredQuarantine>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => quarantine::table
            .filter(quarantine::submission_id.eq_any(ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(rows)?);
    }
    Ok(found)
}

/// Those still waiting that speak of these records, as (record, waiting), the first received first.
pub fn open_of_records(
    read: &mut impl Reading,
    ids: &[RecordId],
) -> Result<Vec<(RecordId, StoredQuarantine)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        let rows: Vec<(Option<Id>, Row)> = on_backend!(read.conn(), c => submissions::table
            .inner_join(quarantine::table.on(quarantine::submission_id.eq(submissions::id)))
            .filter(submissions::record_id.eq_any(ids))
            .filter(quarantine::closed_seq.is_null())
            .order(submissions::seq)
            .select((submissions::record_id, Row::as_select()))
            .load(c))?;
        for (record, row) in rows {
            if let Some(record) = record {
                found.push((RecordId::new(record.0), row.try_into()?));
            }
        }
    }
    Ok(found)
}

/// Those that wait for this submission, the first received first.
pub fn waiting_on(read: &mut impl Reading, submission: SubmissionId) -> Result<Vec<StoredQuarantine>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => quarantine::table
        .filter(quarantine::waits_on.eq(Some(Id::from(submission))))
        .filter(quarantine::closed_seq.is_null())
        .order(quarantine::opened_seq)
        .select(Row::as_select())
        .load(c))?;
    domain(rows)
}

/// Whose waiting submissions a list holds.
#[derive(Clone, Debug)]
pub enum Whose {
    /// The reader's own; only of what lies below a unit, if one is named.
    Author(UserId, Option<UnitId>),
    /// Those of the units that the reader may review.
    Within(Scope),
    /// Those that name no unit that exists.
    Unplaced,
}

/// What a list is to hold.
#[derive(Clone, Debug)]
pub struct QuarantineFilter {
    /// Whose.
    pub whose: Whose,
    /// Only of these forms; none: of whatever form, also of none.
    pub forms: Option<Vec<String>>,
    /// With `forms`: also those whose form cannot be read.
    pub formless: bool,
    /// Only still waiting, or only closed ones.
    pub open: Option<bool>,
    /// After this id.
    pub after: Option<QuarantineId>,
}

/// A page in order of id.
pub fn list(
    read: &mut impl Reading,
    filter: &QuarantineFilter,
    limit: i64,
) -> Result<Vec<StoredQuarantine>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => {
        let mut query = quarantine::table.into_boxed();
        query = match &filter.whose {
            Whose::Author(author, None) => query.filter(quarantine::author.eq(Id::from(*author))),
            Whose::Author(author, Some(unit)) => query
                .filter(quarantine::author.eq(Id::from(*author)))
                .filter(exists(unit_closure::table
                    .filter(unit_closure::descendant_id.nullable().eq(quarantine::unit_id))
                    .filter(unit_closure::ancestor_id.eq(Id::from(*unit))))),
            Whose::Unplaced => query.filter(quarantine::unit_id.is_null()),
            Whose::Within(scope) => {
                let tops: Vec<Id> = scope.tops.iter().copied().map(Id::from).collect();
                if scope.narrow {
                    query.filter(quarantine::unit_id.eq_any(unit_closure::table
                        .filter(unit_closure::ancestor_id.eq_any(tops))
                        .select(unit_closure::descendant_id.nullable())))
                } else {
                    query.filter(exists(unit_closure::table
                        .filter(unit_closure::descendant_id.nullable().eq(quarantine::unit_id))
                        .filter(unit_closure::ancestor_id.eq_any(tops))))
                }
            }
        };
        if let Some(forms) = &filter.forms {
            let named = quarantine::form.eq_any(forms.iter().map(|form| Some(form.as_str())));
            query = if filter.formless {
                query.filter(named.or(quarantine::form.is_null()))
            } else {
                query.filter(named)
            };
        }
        match filter.open {
            Some(true) => query = query.filter(quarantine::closed_seq.is_null()),
            Some(false) => query = query.filter(quarantine::closed_seq.is_not_null()),
            None => {}
        }
        if let Some(after) = filter.after {
            query = query.filter(quarantine::id.gt(Id::from(after)));
        }
        query.order(quarantine::id).limit(limit).select(Row::as_select()).load(c)
    })?;
    domain(rows)
}
