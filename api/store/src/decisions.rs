//! What reviewers decided, whole and for ever.

use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::decisions;
use crate::seal::{self, Keyring, Owner, owner_of};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
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
    /// resolve, release, discard, move or erase.
    pub kind: String,
    /// Who decided.
    pub actor: UserId,
    /// The conflict, the quarantined submission, the record, or the person.
    pub target: Uuid,
    /// The person it concerns.
    pub subject: Option<RecordId>,
    /// Canonical JSON: what was decided and why; empty when whom it concerned has been erased.
    pub body: Vec<u8>,
}

impl StoredDecision {
    /// Under whose key a decision that concerns `subject` is kept: after that person has been erased, the store's.
    pub fn owner(tx: &mut Tx<'_>, subject: Option<RecordId>) -> Result<Owner, StoreError> {
        let Some(person) = subject.map(Owner::Person) else { return Ok(Owner::Store) };
        seal::learn(tx, [person])?;
        Ok(if tx.is_erased(person) { Owner::Store } else { person })
    }
}

#[derive(Clone, Debug, Insertable, Queryable, Selectable)]
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

impl Row {
    fn place(id: Id, seq: i64) -> Place {
        Place { column: "decisions/body", row: id.0, version: seq }
    }

    fn owner(&self) -> Result<Owner, StoreError> {
        owner_of(&self.body, self.subject.map(|id| id.0), None)
    }

    /// The key must have been learnt.
    fn open(self, keyring: &Keyring) -> Result<StoredDecision, StoreError> {
        let body = keyring.open(self.owner()?, Self::place(self.id, self.seq), &self.body)?;
        Ok(StoredDecision {
            id: self.id.0,
            seq: Seq(self.seq),
            kind: self.kind,
            actor: UserId::new(self.actor.0),
            target: self.target.0,
            subject: self.subject.map(|id| RecordId::new(id.0)),
            body: body.unwrap_or_default(),
        })
    }
}

fn domain(read: &mut impl Reading, rows: Vec<Row>) -> Result<Vec<StoredDecision>, StoreError> {
    let owners = rows.iter().map(Row::owner).collect::<Result<Vec<_>, _>>()?;
    seal::learn(read, owners)?;
    let (_, keyring) = read.parts();
    rows.into_iter().map(|row| row.open(keyring)).collect()
}

/// Records a decision.
pub fn insert(tx: &mut Tx<'_>, _grant: &Grant, decision: &StoredDecision) -> Result<(), StoreError> {
    let (id, seq) = (Id(decision.id), decision.seq.0);
    let owner = StoredDecision::owner(tx, decision.subject)?;
    let row = Row {
        id,
        seq,
        kind: decision.kind.clone(),
        actor: decision.actor.into(),
        target: Id(decision.target),
        subject: decision.subject.map(Id::from),
        body: seal::seal(tx, owner, Row::place(id, seq), &decision.body)?,
    };
    on_backend!(tx.conn(), c => diesel::insert_into(decisions::table).values(&row).execute(c))?;
    Ok(())
}

/// A decision with its sealed bytes, to be taken over as it stands into a store that is rebuilt from the log.
#[derive(Clone, Debug)]
pub struct DecisionCopy(Row);

impl DecisionCopy {
    /// What was decided.
    pub fn target(&self) -> Uuid {
        self.0.target.0
    }

    /// The entry that recorded it.
    pub fn seq(&self) -> Seq {
        Seq(self.0.seq)
    }
}

/// These decisions as they stand.
pub fn copies(read: &mut impl Reading, ids: &[Uuid]) -> Result<Vec<DecisionCopy>, StoreError> {
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id).collect();
        found.extend(on_backend!(read.conn(), c => decisions::table
            .filter(decisions::id.eq_any(ids))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    Ok(found.into_iter().map(DecisionCopy).collect())
}

/// Takes one over.
pub fn take_over(tx: &mut Tx<'_>, copy: &DecisionCopy) -> Result<(), StoreError> {
    on_backend!(tx.conn(), c => diesel::insert_into(decisions::table).values(&copy.0).execute(c))?;
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
        found.extend(domain(read, rows)?);
    }
    Ok(found)
}

/// All decisions after an entry, in order; for whoever walks the whole store.
pub(crate) fn page(read: &mut impl Reading, after: Seq, limit: i64) -> Result<Vec<StoredDecision>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => decisions::table
        .filter(decisions::seq.gt(after.0))
        .order(decisions::seq)
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    domain(read, rows)
}

/// The decisions about one thing, the first first.
pub fn about(read: &mut impl Reading, target: Uuid) -> Result<Vec<StoredDecision>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => decisions::table
        .filter(decisions::target.eq(Id(target)))
        .order(decisions::seq)
        .select(Row::as_select())
        .load(c))?;
    domain(read, rows)
}

/// The last decisions of one kind about one thing, at most `limit`, the first of them first.
pub fn last_about(
    read: &mut impl Reading,
    target: Uuid,
    kind: &str,
    limit: i64,
) -> Result<Vec<StoredDecision>, StoreError> {
    let mut rows: Vec<Row> = on_backend!(read.conn(), c => decisions::table
        .filter(decisions::target.eq(Id(target)))
        .filter(decisions::kind.eq(kind))
        .order(decisions::seq.desc())
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    rows.reverse();
    domain(read, rows)
}
