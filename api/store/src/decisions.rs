//! What reviewers decided, whole and for ever.

use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::decisions;
use crate::transaction::{Reading, Tx};
use diesel::prelude::*;
use muong_domain::access::Grant;
use muong_domain::id::{RecordId, Seq, UserId};
use uuid::Uuid;

/// A decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredDecision {
    /// Its id.
    pub id: Uuid,
    /// The entry that recorded it.
    pub seq: Seq,
    /// resolve, release or discard.
    pub kind: String,
    /// Who decided.
    pub actor: UserId,
    /// The conflict or the quarantined submission.
    pub target: Uuid,
    /// The person it concerns.
    pub subject: Option<RecordId>,
    /// Canonical JSON: what was decided and why.
    pub body: Vec<u8>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = decisions, treat_none_as_default_value = false)]
struct Row {
    id: Id,
    seq: i64,
    kind: String,
    actor: Id,
    target: Id,
    subject: Option<Id>,
    body: Vec<u8>,
}

impl From<Row> for StoredDecision {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            seq: Seq(row.seq),
            kind: row.kind,
            actor: UserId::new(row.actor.0),
            target: row.target.0,
            subject: row.subject.map(|id| RecordId::new(id.0)),
            body: row.body,
        }
    }
}

/// Records a decision.
pub fn insert(tx: &mut Tx<'_>, _grant: &Grant, decision: &StoredDecision) -> Result<(), StoreError> {
    let row = Row {
        id: Id(decision.id),
        seq: decision.seq.0,
        kind: decision.kind.clone(),
        actor: decision.actor.into(),
        target: Id(decision.target),
        subject: decision.subject.map(Id::from),
        body: decision.body.clone(),
    };
    on_backend!(tx.conn(), c => diesel::insert_into(decisions::table).values(&row).execute(c))?;
    Ok(())
}

/// Decisions by id.
pub fn by_ids(read: &mut impl Reading, ids: &[Uuid]) -> Result<Vec<StoredDecision>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => decisions::table
            .filter(decisions::id.eq_any(ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(rows.into_iter().map(StoredDecision::from));
    }
    Ok(found)
}

/// The decisions about one thing, the first first.
pub fn about(read: &mut impl Reading, target: Uuid) -> Result<Vec<StoredDecision>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => decisions::table
        .filter(decisions::target.eq(Id(target)))
        .order(decisions::seq)
        .select(Row::as_select())
        .load(c))?;
    Ok(rows.into_iter().map(StoredDecision::from).collect())
}
