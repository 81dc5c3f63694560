//! What remains of somebody who is erased, as the log keeps it: the rows that can no longer be rebuilt by saying again
//! what was said, since nobody can open that any more. Knows rows, and which of them belong together; what in them is
//! personal is decided, and taken out, before.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::feed::{self, Before, FeedRow};
use crate::names::Name;
use crate::quarantine::Closing;
use crate::schema::{erased_records, erased_submissions};
use crate::submissions::{self, Received, StoredSubmission};
use crate::transaction::{Reading, Tx};
use crate::{compaction, conflicts, names, quarantine, records};
use diesel::prelude::*;
use muong_domain::id::{ConflictId, RecordId, Seq, SubmissionId, UnitId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A person with all that was said of them. Where a step was once another person's, that one belongs to it as well, with
/// everything: what the rules said of either depended on both.
#[derive(Debug, Default)]
pub struct Family {
    /// The people: nearly always one.
    pub people: BTreeSet<RecordId>,
    /// Their records.
    pub records: BTreeSet<RecordId>,
    /// What was said of them, accepted or not; not what it says, of which there may be any amount.
    pub said: BTreeMap<SubmissionId, Received>,
    /// Under which ids their records are known, each in its unit.
    names: BTreeMap<Name, RecordId>,
}

impl Family {
    /// Finds them, beginning with one.
    pub fn of(read: &mut impl Reading, person: RecordId) -> Result<Self, StoreError> {
        let mut family = Self { people: BTreeSet::from([person]), ..Self::default() };
        let mut new = vec![person];
        while !new.is_empty() {
            let said = submissions::about(read, &new)?;
            let mut records = records::ids_about(read, &new)?;
            records.extend(family.spoken_of(read, &said)?);
            family.said.extend(said.into_iter().map(|submission| (submission.id, submission)));
            new = family.add(read, records)?;
        }
        Ok(family)
    }

    /// The records of which submissions speak, each of the unit that the submission names.
    fn spoken_of(&self, read: &mut impl Reading, said: &[Received]) -> Result<Vec<RecordId>, StoreError> {
        let named: BTreeSet<Name> = said.iter().filter_map(|s| Some((s.record?, s.unit?))).collect();
        let ids: Vec<RecordId> = named.iter().map(|(id, _)| *id).collect();
        let aliases = names::aliases(read, &ids)?;
        let ids: Vec<RecordId> = aliases.iter().map(|(_, _, record)| *record).chain(ids).collect();
        let outlines = records::outlines(read, &ids)?;
        let names = names::of(read, &outlines)?;
        Ok(named.iter().filter_map(|name| names.get(name).copied()).collect())
    }

    /// Adds records, and what was said to them. Answers the people who are new by that.
    fn add(&mut self, read: &mut impl Reading, found: Vec<RecordId>) -> Result<Vec<RecordId>, StoreError> {
        let found: BTreeSet<RecordId> = found.into_iter().filter(|id| !self.records.contains(id)).collect();
        let outlines = records::outlines(read, &found.iter().copied().collect::<Vec<_>>())?;
        let mut people: BTreeSet<RecordId> = outlines.iter().filter_map(|outline| outline.subject).collect();
        let names = names::of(read, &outlines)?;
        let ids: BTreeSet<RecordId> = names.keys().map(|(id, _)| *id).collect();
        for submission in submissions::naming(read, &ids.into_iter().collect::<Vec<_>>())? {
            if is_of(&submission, &names) {
                people.extend(submission.subject);
                self.said.insert(submission.id, submission);
            }
        }
        self.records.extend(found);
        self.names.extend(names);
        Ok(people.into_iter().filter(|person| self.people.insert(*person)).collect())
    }

    /// The record to which a submission was said; none when it was about one of the people all the same.
    pub fn record_of(&self, submission: &Received) -> Option<RecordId> {
        self.names.get(&(submission.record?, submission.unit?)).copied()
    }
}

fn is_of(submission: &Received, names: &BTreeMap<Name, RecordId>) -> bool {
    submission.record.zip(submission.unit).is_some_and(|name| names.contains_key(&name))
}

/// The rows as they stand once somebody has been erased: the command of the log's entry. Without a personal value of the
/// one who is erased; those of others who belong to it are sealed under their own keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Remains {
    /// Who has been erased.
    pub person: RecordId,
    /// They, and whose history touches theirs.
    pub people: BTreeSet<RecordId>,
    /// Submissions that could not be told to be about them but were, and whose own keys have been destroyed.
    submissions: BTreeSet<SubmissionId>,
    records: Vec<records::Row>,
    aliases: Vec<names::AliasRow>,
    /// Which units their records have left. Before there was a way to, none had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moves: Vec<names::MoveRow>,
    conflicts: Vec<conflicts::Row>,
    quarantine: Vec<quarantine::Row>,
    /// What had been said of them after the backup that this store was restored from.
    #[serde(default, skip_serializing_if = "Absent::is_empty")]
    absent: Absent,
}

/// What is known of somebody erased by the ledger of erasures alone, since the backup is older.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Submissions, with their authors.
    pub submissions: Vec<(SubmissionId, UserId)>,
    /// Ids of their records, each in its unit.
    pub records: Vec<(RecordId, UnitId)>,
}

impl Absent {
    /// Nothing is.
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.records.is_empty()
    }

    /// Notes that these are erased although they are not there.
    fn note(&self, tx: &mut Tx<'_>, seq: Seq) -> Result<(), StoreError> {
        for (id, author) in &self.submissions {
            let row = (
                erased_submissions::id.eq(Id::from(*id)),
                erased_submissions::author.eq(Id::from(*author)),
                erased_submissions::seq.eq(seq.0),
            );
            on_backend!(tx.conn(), c => diesel::insert_into(erased_submissions::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(c))?;
        }
        for (id, unit) in &self.records {
            let row = (
                erased_records::id.eq(Id::from(*id)),
                erased_records::unit_id.eq(Id::from(*unit)),
                erased_records::seq.eq(seq.0),
            );
            on_backend!(tx.conn(), c => diesel::insert_into(erased_records::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(c))?;
        }
        Ok(())
    }
}

/// Which of these submissions are not there because whom they were about has been erased; with their authors.
pub fn erased_submissions(
    read: &mut impl Reading,
    ids: &[SubmissionId],
) -> Result<Vec<(SubmissionId, UserId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, Id)> = on_backend!(read.conn(), c => erased_submissions::table
            .filter(among(erased_submissions::id, chunk.iter().copied().map(Id::from)))
            .select((erased_submissions::id, erased_submissions::author))
            .load(c))?;
        found.extend(rows.into_iter().map(|(id, author)| (SubmissionId::new(id.0), UserId::new(author.0))));
    }
    Ok(found)
}

/// Which of these ids named records of somebody erased that are not there; with their units.
pub fn erased_records(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<(RecordId, UnitId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, Id)> = on_backend!(read.conn(), c => erased_records::table
            .filter(among(erased_records::id, chunk.iter().copied().map(Id::from)))
            .select((erased_records::id, erased_records::unit_id))
            .load(c))?;
        found.extend(rows.into_iter().map(|(id, unit)| (RecordId::new(id.0), UnitId::new(unit.0))));
    }
    Ok(found)
}

impl Remains {
    /// Under which ids the records of the person are known, each in its unit.
    pub fn own_names(&self) -> Vec<Name> {
        let person = Some(Id::from(self.person));
        let own: BTreeSet<Id> = self.records.iter().filter(|row| row.subject == person).map(|row| row.id).collect();
        let records = self.records.iter().filter(|row| own.contains(&row.id)).map(|row| (row.id, row.unit_id));
        let aliases =
            self.aliases.iter().filter(|row| own.contains(&row.record_id)).map(|row| (row.alias, row.unit_id));
        let left = self.moves.iter().filter(|row| own.contains(&row.record_id)).map(|row| (row.record_id, row.unit_id));
        let names = records.chain(aliases).chain(left).map(|(id, unit)| (RecordId::new(id.0), UnitId::new(unit.0)));
        names.chain(self.absent.records.iter().copied()).collect()
    }

    /// What could not be told to be about the person but was.
    pub fn orphans(&self) -> Vec<SubmissionId> {
        self.submissions.iter().copied().collect()
    }

    /// What is known by the ledger alone.
    pub fn absent(&self) -> &Absent {
        &self.absent
    }

    /// Adds what is known by the ledger alone, and notes it.
    pub fn add_absent(&mut self, tx: &mut Tx<'_>, absent: Absent, seq: Seq) -> Result<(), StoreError> {
        absent.note(tx, seq)?;
        self.absent = absent;
        Ok(())
    }

    /// Reads the rows. `submissions` are those whose own keys have been destroyed; `replaced`, what the family's
    /// submissions have replaced, whomever it was about.
    pub fn gather(
        read: &mut impl Reading,
        person: RecordId,
        family: &Family,
        submissions: BTreeSet<SubmissionId>,
        replaced: &BTreeSet<SubmissionId>,
    ) -> Result<Self, StoreError> {
        let records: Vec<RecordId> = family.records.iter().copied().collect();
        let waited: BTreeSet<SubmissionId> = family.said.keys().chain(&submissions).chain(replaced).copied().collect();
        let mut quarantine = quarantine::rows(read, waited)?;
        // What was only named and not replaced went its own way.
        quarantine.retain(|row| {
            let id = SubmissionId::new(row.submission_id.0);
            let is_own = family.said.contains_key(&id) || submissions.contains(&id);
            is_own || row.closing.as_deref() == Some(Closing::Replaced.as_str())
        });
        Ok(Self {
            person,
            people: family.people.clone(),
            submissions,
            records: records::rows(read, records.iter().copied())?,
            aliases: names::alias_rows(read, records.iter().copied())?,
            moves: names::move_rows(read, records.iter().copied())?,
            conflicts: conflicts::rows(read, &records)?,
            quarantine,
            absent: Absent::default(),
        })
    }

    /// Puts back what came about with one entry, as far as others could tell: that an id is taken, or stands for another,
    /// and that something waits or waits no longer.
    fn put_back_of(&self, tx: &mut Tx<'_>, seq: Seq) -> Result<(), StoreError> {
        let records: Vec<records::Row> =
            self.records.iter().filter(|row| row.created_seq == seq.0).map(keyless).collect();
        records::put_back(tx, &records)?;
        // They stand as where they are now; so it is known at once that they were elsewhere.
        let is_new = |row: &&names::MoveRow| records.iter().any(|record| record.id == row.record_id);
        names::put_back_moves(tx, &self.moves.iter().filter(is_new).copied().collect::<Vec<_>>())?;
        let aliases: Vec<names::AliasRow> = self.aliases.iter().filter(|row| row.seq == seq.0).copied().collect();
        names::put_back_aliases(tx, &aliases)?;
        let waits = |row: &&quarantine::Row| row.opened_seq == seq.0;
        quarantine::put_back(tx, &self.quarantine.iter().filter(waits).map(still_open).collect::<Vec<_>>())?;
        let leaves = |row: &&quarantine::Row| row.closed_seq == Some(seq.0);
        quarantine::put_back(tx, &self.quarantine.iter().filter(leaves).cloned().collect::<Vec<_>>())
    }

    /// Puts everything back as it stood after the erasure, and into the feed.
    fn put_back(&self, tx: &mut Tx<'_>, seq: Seq) -> Result<(), StoreError> {
        self.absent.note(tx, seq)?;
        // No natural key is taken before all have been let go of: among them one may have gone from one to another.
        records::put_back(tx, &self.records.iter().map(keyless).collect::<Vec<_>>())?;
        records::put_back(tx, &self.records)?;
        names::put_back_aliases(tx, &self.aliases)?;
        names::put_back_moves(tx, &self.moves)?;
        conflicts::put_back(tx, &self.conflicts)?;
        quarantine::put_back(tx, &self.quarantine)?;
        let stamp = |id: Id, unit: Id, kind: &str, seq: i64, present: bool| FeedRow {
            id: id.0,
            scope: UnitId::new(unit.0),
            kind: kind.to_owned(),
            seq: Seq(seq),
            present,
        };
        let records =
            self.records.iter().map(|row| stamp(row.id, row.unit_id, &row.form, row.version, row.state == "live"));
        let aliases = self.aliases.iter().map(|row| stamp(row.alias, row.unit_id, "alias", row.seq, true));
        let left = self.left().map(|(row, form)| stamp(row.record_id, row.unit_id, form, row.seq, false));
        let floor = tx.head().floor;
        feed::stamp_records(tx, records.chain(left).map(|row| (row, Before::Unknown)).collect())?;
        feed::stamp(tx, aliases.collect())?;
        // What has been compacted is taken away again.
        if floor > Seq::ZERO { compaction::remove(tx, floor).map(drop) } else { Ok(()) }
    }

    /// The units that records have left and are not in again, with the records' forms.
    fn left(&self) -> impl Iterator<Item = (&names::MoveRow, &str)> {
        self.moves.iter().filter_map(|row| {
            let record = self.records.iter().find(|record| record.id == row.record_id)?;
            (record.unit_id != row.unit_id).then_some((row, record.form.as_str()))
        })
    }

    fn seqs(&self) -> BTreeSet<Seq> {
        let records = self.records.iter().map(|row| row.created_seq);
        let aliases = self.aliases.iter().map(|row| row.seq);
        let waited = self.quarantine.iter().flat_map(|row| [Some(row.opened_seq), row.closed_seq]).flatten();
        records.chain(aliases).chain(waited).map(Seq).collect()
    }
}

fn still_open(row: &quarantine::Row) -> quarantine::Row {
    let mut row = row.clone();
    (row.closed_seq, row.closing, row.outcome) = (None, None, None);
    row
}

fn keyless(row: &records::Row) -> records::Row {
    let mut row = row.clone();
    row.natural_key = None;
    row
}

/// All erasures of a log, for whoever replays it: up to each, what was said of the erased is taken over as it stands, and
/// with the erasure itself what remains of them is put back.
#[derive(Debug, Default)]
pub struct Erasures {
    all: BTreeMap<Seq, Remains>,
    people: HashMap<RecordId, Seq>,
    names: HashMap<(Uuid, Uuid), Seq>,
    submissions: HashMap<SubmissionId, Seq>,
    targets: HashMap<Uuid, Seq>,
    /// With which entries something came about.
    began: HashMap<Seq, BTreeSet<Seq>>,
}

impl Erasures {
    /// Adds one: those of a log, in order.
    pub fn learn(&mut self, seq: Seq, remains: Remains) {
        self.people.extend(remains.people.iter().map(|person| (*person, seq)));
        let records = remains.records.iter().map(|row| (row.id, row.unit_id));
        let left = remains.moves.iter().map(|row| (row.record_id, row.unit_id));
        let names = records.chain(remains.aliases.iter().map(|row| (row.alias, row.unit_id))).chain(left);
        self.names.extend(names.map(|(id, unit)| ((id.0, unit.0), seq)));
        self.submissions.extend(remains.submissions.iter().map(|submission| (*submission, seq)));
        let targets = remains.conflicts.iter().map(|row| row.id).chain(remains.quarantine.iter().map(|row| row.id));
        self.targets.extend(targets.map(|id| (id.0, seq)));
        for began in remains.seqs() {
            self.began.entry(began).or_default().insert(seq);
        }
        self.all.insert(seq, remains);
    }

    /// Whether a submission was said before the erasure of somebody whom it concerned.
    pub fn cover(&self, submission: &StoredSubmission) -> bool {
        let name = submission.record.zip(submission.unit).map(|(record, unit)| (record.uuid(), unit.uuid()));
        let erased = [
            submission.subject.and_then(|person| self.people.get(&person)),
            name.and_then(|name| self.names.get(&name)),
            self.submissions.get(&submission.id),
        ];
        erased.into_iter().flatten().any(|erased| submission.seq < *erased)
    }

    /// Whether a decision was made before the erasure of somebody whom it concerned.
    pub fn cover_decision(&self, seq: Seq, subject: Option<RecordId>, target: Uuid) -> bool {
        let of_person = subject.and_then(|person| self.people.get(&person));
        of_person.into_iter().chain(self.targets.get(&target)).any(|erased| seq < *erased)
    }

    /// Puts back what came about with an entry that is taken over as it stands.
    pub fn put_back_of(&self, tx: &mut Tx<'_>, seq: Seq) -> Result<(), StoreError> {
        for erased in self.began.get(&seq).into_iter().flatten().filter(|erased| seq < **erased) {
            if let Some(remains) = self.all.get(erased) {
                remains.put_back_of(tx, seq)?;
            }
        }
        Ok(())
    }

    /// The record that a question is about, when it was one about somebody who was erased later.
    pub fn record_of(&self, conflict: ConflictId) -> Option<RecordId> {
        let erased = self.targets.get(&conflict.uuid())?;
        let rows = &self.all.get(erased)?.conflicts;
        rows.iter().find(|row| row.id.0 == conflict.uuid()).map(|row| RecordId::new(row.record_id.0))
    }

    /// Puts back what remained after the erasure of that entry; answers it.
    pub fn put_back(&self, tx: &mut Tx<'_>, seq: Seq) -> Result<&Remains, StoreError> {
        let remains = self.all.get(&seq).ok_or_else(|| StoreError::corrupt("an erasure", "not loaded"))?;
        remains.put_back(tx, seq)?;
        Ok(remains)
    }
}
