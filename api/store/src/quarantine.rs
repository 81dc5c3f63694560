//! Submissions that wait, whole, for a reviewer.

use crate::among::among;
use crate::columns::{Id, hex};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::feed::{self, FeedRow};
use crate::schema::{quarantine, submissions, unit_closure};
use crate::scope::Scope;
use crate::seal::{self, Keyring, Owner, owner_of};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
use diesel::dsl::{self, exists};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel::upsert::excluded;
use muong_domain::id::{QuarantineId, RecordId, Seq, SubmissionId, UnitId, UserId};
use serde::{Deserialize, Serialize};

/// How a waiting submission left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// A reviewer let it in.
    Released,
    /// A reviewer threw it away; it is kept all the same.
    Discarded,
    /// Its author sent a better one.
    Replaced,
    /// Whom it is about has been erased.
    Erased,
}

impl Closing {
    /// The written form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Replaced => "replaced",
            Self::Erased => "erased",
        }
    }
    fn parse(text: &str) -> Result<Self, StoreError> {
        let all = [Self::Released, Self::Discarded, Self::Replaced, Self::Erased];
        (all.into_iter().find(|closing| closing.as_str() == text))
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

/// A waiting submission without how its release ended: as much as decides who may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Who said it.
    pub author: UserId,
    /// The unit that it names, when that exists.
    pub unit: Option<UnitId>,
    /// The form that it names.
    pub form: Option<String>,
}

/// A waiting submission as it stands in its row.
#[derive(Clone, Debug, Insertable, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = quarantine, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub id: Id,
    pub submission_id: Id,
    unit_id: Option<Id>,
    author: Id,
    form: Option<String>,
    code: String,
    waits_on: Option<Id>,
    pub opened_seq: i64,
    pub closed_seq: Option<i64>,
    pub closing: Option<String>,
    subject: Option<Id>,
    #[serde(with = "hex")]
    pub outcome: Option<Vec<u8>>,
}

impl Row {
    /// What its author is told in the feed: that it waits no more.
    fn told(&self) -> Option<FeedRow> {
        let (id, scope, kind) = (self.id.0, UnitId::new(self.author.0), feed::QUARANTINE.to_owned());
        Some(FeedRow { id, scope, kind, seq: Seq(self.closed_seq?), present: true })
    }

    fn place(&self) -> Place {
        Place { column: "quarantine/outcome", row: self.id.0, version: self.closed_seq.unwrap_or_default() }
    }

    fn owner(&self) -> Result<Option<Owner>, StoreError> {
        let owner = |sealed: &Vec<u8>| owner_of(sealed, self.subject.map(|id| id.0), Some(self.submission_id.0));
        self.outcome.as_ref().map(owner).transpose()
    }

    /// The key of its outcome must have been learnt.
    fn open(self, keyring: &Keyring) -> Result<StoredQuarantine, StoreError> {
        let outcome = match (self.owner()?, &self.outcome) {
            (Some(owner), Some(sealed)) => keyring.open(owner, self.place(), sealed)?,
            _ => None,
        };
        Ok(StoredQuarantine {
            id: QuarantineId::new(self.id.0),
            submission: SubmissionId::new(self.submission_id.0),
            unit: self.unit_id.map(|id| UnitId::new(id.0)),
            author: UserId::new(self.author.0),
            form: self.form,
            code: self.code,
            waits_on: self.waits_on.map(|id| SubmissionId::new(id.0)),
            opened: Seq(self.opened_seq),
            closed: self.closed_seq.map(Seq),
            closing: self.closing.as_deref().map(Closing::parse).transpose()?,
            subject: self.subject.map(|id| RecordId::new(id.0)),
            outcome,
        })
    }

    fn seal(tx: &mut Tx<'_>, waiting: &StoredQuarantine) -> Result<Self, StoreError> {
        let mut row = Self::from(waiting);
        if let Some(outcome) = &waiting.outcome {
            let own = Owner::Submission(waiting.submission);
            let person = waiting.subject.map_or(own, Owner::Person);
            seal::learn(tx, [person])?;
            let owner = if tx.is_erased(person) { own } else { person };
            row.outcome = Some(seal::seal(tx, owner, row.place(), outcome)?);
        }
        Ok(row)
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
            outcome: None,
        }
    }
}

/// The rows of these submissions, in order of id.
pub(crate) fn rows(
    read: &mut impl Reading,
    submissions: impl IntoIterator<Item = SubmissionId>,
) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Id> = submissions.into_iter().map(Id::from).collect();
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => quarantine::table
            .filter(among(quarantine::submission_id, chunk.iter().copied()))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    found.sort_unstable_by_key(|row| row.id);
    Ok(found)
}

fn domain(read: &mut impl Reading, rows: Vec<Row>) -> Result<Vec<StoredQuarantine>, StoreError> {
    let owners = rows.iter().map(Row::owner).collect::<Result<Vec<_>, _>>()?;
    seal::learn(read, owners.into_iter().flatten())?;
    let (_, keyring) = read.parts();
    rows.into_iter().map(|row| row.open(keyring)).collect()
}

/// Writes them as they now stand.
pub fn save(tx: &mut Tx<'_>, changed: &[StoredQuarantine]) -> Result<(), StoreError> {
    let rows = changed.iter().map(|waiting| Row::seal(tx, waiting)).collect::<Result<Vec<_>, _>>()?;
    put_back(tx, &rows)
}

/// Writes rows as they now stand.
pub(crate) fn put_back(tx: &mut Tx<'_>, rows: &[Row]) -> Result<(), StoreError> {
    for row in rows {
        on_backend!(tx.conn(), c => diesel::insert_into(quarantine::table)
            .values(row)
            .on_conflict(quarantine::id)
            .do_update()
            .set((
                quarantine::closed_seq.eq(excluded(quarantine::closed_seq)),
                quarantine::closing.eq(excluded(quarantine::closing)),
                quarantine::outcome.eq(excluded(quarantine::outcome)),
            ))
            .execute(c))?;
    }
    feed::stamp(tx, rows.iter().filter_map(Row::told).collect())
}

/// Who may see one is to be asked of this, before anything of it is opened.
pub fn outline(read: &mut impl Reading, id: QuarantineId) -> Result<Option<Outline>, StoreError> {
    let row: Option<(Id, Option<Id>, Option<String>)> = on_backend!(read.conn(), c => quarantine::table
        .filter(quarantine::id.eq(Id::from(id)))
        .select((quarantine::author, quarantine::unit_id, quarantine::form))
        .first(c)
        .optional())?;
    Ok(row.map(|(author, unit, form)| {
        let (author, unit) = (UserId::new(author.0), unit.map(|id| UnitId::new(id.0)));
        Outline { author, unit, form }
    }))
}

/// One by its id.
pub fn find(read: &mut impl Reading, id: QuarantineId) -> Result<Option<StoredQuarantine>, StoreError> {
    let row: Option<Row> = on_backend!(read.conn(), c => quarantine::table
        .filter(quarantine::id.eq(Id::from(id)))
        .select(Row::as_select())
        .first(c)
        .optional())?;
    Ok(domain(read, row.into_iter().collect())?.pop())
}

/// Those of these ids.
pub fn by_ids(read: &mut impl Reading, ids: &[QuarantineId]) -> Result<Vec<StoredQuarantine>, StoreError> {
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids = chunk.iter().copied().map(Id::from);
        found.extend(on_backend!(read.conn(), c => quarantine::table
            .filter(among(quarantine::id, ids))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    domain(read, found)
}

/// All of them after an id, in order of id; for whoever walks the whole store.
pub(crate) fn page(
    read: &mut impl Reading,
    after: QuarantineId,
    limit: i64,
) -> Result<Vec<StoredQuarantine>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => quarantine::table
        .filter(quarantine::id.gt(Id::from(after)))
        .order(quarantine::id)
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    domain(read, rows)
}

/// Those of these submissions, whether they still wait or not.
pub fn of_submissions(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<StoredQuarantine>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => quarantine::table
            .filter(among(quarantine::submission_id, ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(read, rows)?);
    }
    Ok(found)
}

/// Of these submissions, those that were released, with the entries that did so.
pub fn released(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<(SubmissionId, Seq)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, Option<i64>)> = on_backend!(read.conn(), c => quarantine::table
            .filter(among(quarantine::submission_id, chunk.iter().copied().map(Id::from)))
            .filter(quarantine::closing.eq(Some(Closing::Released.as_str())))
            .select((quarantine::submission_id, quarantine::closed_seq))
            .load(c))?;
        found.extend(left(rows));
    }
    Ok(found)
}

/// As the index `quarantine_replaced` says it.
const IS_REPLACED: &str = "quarantine.closing = 'replaced'";

/// The submissions that were replaced with these entries, and with which.
pub fn replaced_at(read: &mut impl Reading, entries: &[Seq]) -> Result<Vec<(SubmissionId, Seq)>, StoreError> {
    let mut found = Vec::new();
    for chunk in entries.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, Option<i64>)> = on_backend!(read.conn(), c => quarantine::table
            .filter(among(quarantine::closed_seq, chunk.iter().map(|seq| Some(seq.0))))
            .filter(dsl::sql::<Bool>(IS_REPLACED))
            .select((quarantine::submission_id, quarantine::closed_seq))
            .load(c))?;
        found.extend(left(rows));
    }
    Ok(found)
}

fn left(rows: Vec<(Id, Option<i64>)>) -> impl Iterator<Item = (SubmissionId, Seq)> {
    rows.into_iter().filter_map(|(id, seq)| Some((SubmissionId::new(id.0), Seq(seq?))))
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
            .filter(among(submissions::record_id, ids))
            .filter(quarantine::closed_seq.is_null())
            .order(submissions::seq)
            .select((submissions::record_id, Row::as_select()))
            .load(c))?;
        let (records, rows): (Vec<Option<Id>>, Vec<Row>) = rows.into_iter().unzip();
        let waiting = records.into_iter().zip(domain(read, rows)?);
        found.extend(waiting.filter_map(|(record, waiting)| Some((RecordId::new(record?.0), waiting))));
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
    domain(read, rows)
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

/// A page of ids, in their order.
pub fn list(read: &mut impl Reading, filter: &QuarantineFilter, limit: i64) -> Result<Vec<QuarantineId>, StoreError> {
    let ids: Vec<Id> = on_backend!(read.conn(), c => {
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
        query.order(quarantine::id).limit(limit).select(quarantine::id).load(c)
    })?;
    Ok(ids.into_iter().map(|id| QuarantineId::new(id.0)).collect())
}

/// What is kept of a waiting submission beside what it says, and may be long, in bytes: why it waits, and how its release
/// ended. Neither database reads it to tell.
const BYTES: &str = "CAST(octet_length(submissions.result) + coalesce(octet_length(quarantine.outcome), 0) AS BIGINT)";

/// How many bytes there are of these, in order of id.
pub fn sizes(read: &mut impl Reading, ids: &[QuarantineId]) -> Result<Vec<(QuarantineId, usize)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, i64)> = on_backend!(read.conn(), c => quarantine::table
            .inner_join(submissions::table.on(submissions::id.eq(quarantine::submission_id)))
            .filter(among(quarantine::id, chunk.iter().copied().map(Id::from)))
            .select((quarantine::id, dsl::sql::<BigInt>(BYTES)))
            .load(c))?;
        let size = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
        found.extend(rows.into_iter().map(|(id, bytes)| (QuarantineId::new(id.0), size(bytes))));
    }
    found.sort_unstable();
    Ok(found)
}
