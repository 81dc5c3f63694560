//! A record: the merged current state of one meeting, person, step, … as sets of claims by path.
//! Knows who claimed what and who had seen it; what a value means is the form's business.

use crate::id::{ConflictId, DeviceId, RecordId, Seq, SubmissionId, UnitId, derived};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The unit of merging: a field, a group of fields, or one field of a keyed item.
///
/// Written `held_on`, `roll`, `issues/<key>/status`. Groups and fields share one name space (the form checks it).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(String);

impl Path {
    /// The path of a plain field or of a group.
    pub fn field(name: &str) -> Self {
        Self(name.to_owned())
    }
    /// The path of one field of one item of a list.
    pub fn item(list: &str, key: &str, field: &str) -> Self {
        Self(format!("{list}/{key}/{field}"))
    }
    /// The place of a conflict about the record as a whole: it was deleted and edited at once.
    pub fn record() -> Self {
        Self("$record".to_owned())
    }
    /// The place of a conflict about a rule that two edits, each valid, break together.
    pub fn rule(code: &str) -> Self {
        Self(format!("$rule/{code}"))
    }
    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The code of the rule that a question is about, when it is `$rule/<code>`.
    pub fn as_rule(&self) -> Option<&str> {
        self.0.strip_prefix("$rule/")
    }

    /// List, item key and field, when it is an item's path.
    pub fn as_item(&self) -> Option<(&str, &str, &str)> {
        let mut parts = self.0.splitn(3, '/');
        Some((parts.next()?, parts.next()?, parts.next()?))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who wrote: enough to tell, later, whether somebody had seen it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Writer {
    /// The submission (or, for a reviewer, the decision) that said it.
    pub submission: SubmissionId,
    /// Its device; nil for a decision.
    pub device: DeviceId,
    /// Its number on that device.
    pub n: i64,
}

/// How far one had come on another device: a phone that was cloned goes on as another one, and what it had said before stays
/// under the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Predecessor {
    /// The device.
    pub device: DeviceId,
    /// The number, on that device, of the last submission that one knows of. What it said later may be another phone's, a clone
    /// that went on as it.
    pub n: i64,
}

impl Predecessor {
    /// Whether an entry had been said there by then.
    pub fn had_said(&self, writer: &Writer) -> bool {
        writer.device == self.device && writer.n <= self.n
    }
}

/// One value that somebody holds to be true, and the log entries that say so.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The value; an object of all its fields for a group.
    pub value: Value,
    /// The seqs of those who said it; none for the emptiness before anybody spoke.
    pub by: BTreeSet<Seq>,
}

/// An open question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contest {
    /// Which question about this path it is, from 1.
    pub round: u32,
    /// The seq at which it was opened: an author whose base reaches it had seen it.
    pub opened: Seq,
    /// Why: `merge.conflict`, `merge.key_taken`, `merge.edit_delete`, `merge.merged_invalid`.
    pub code: String,
}

/// What is claimed at one path. The first claim is the one shown; several are a conflict.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    /// The claims, the shown one first. Never two of the same value.
    pub claims: Vec<Claim>,
    /// The open question, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<Contest>,
    /// How many questions there have been.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rounds: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Cell {
    /// The value shown; null when nobody has spoken.
    pub fn shown(&self) -> &Value {
        self.claims.first().map_or(&Value::Null, |claim| &claim.value)
    }
    /// The seq of the last who said what is shown.
    pub fn version(&self) -> Seq {
        self.claims.first().and_then(|claim| claim.by.last().copied()).unwrap_or_default()
    }
    /// Opens a question unless one is open.
    pub(crate) fn open(&mut self, at: Seq, code: &str) {
        if self.contest.is_none() {
            self.rounds += 1;
            self.contest = Some(Contest { round: self.rounds, opened: at, code: code.to_owned() });
        }
    }
    /// The names of the fields in which the claims differ: of a group its fields, else the path's own name.
    pub fn differing(&self, path: &Path) -> Vec<String> {
        let objects: Option<Vec<&Map<String, Value>>> = self.claims.iter().map(|c| c.value.as_object()).collect();
        let own = || vec![path.as_item().map_or(path.as_str(), |(_, _, field)| field).to_owned()];
        let Some(objects) = objects.filter(|o| !o.is_empty()) else { return own() };
        let names: BTreeSet<&String> = objects.iter().flat_map(|o| o.keys()).collect();
        let differing: Vec<String> = names
            .into_iter()
            .filter(|name| objects.iter().any(|o| o.get(*name) != objects[0].get(*name)))
            .cloned()
            .collect();
        if differing.is_empty() { own() } else { differing }
    }
}

/// A withdrawal of the record, and what its author had seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deletion {
    /// The log entry.
    pub by: Seq,
    /// Everything up to here had been seen.
    pub saw: Seq,
    /// And what its author had said on other devices before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Predecessor>,
}

/// The merged state of one record.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Its canonical id.
    pub id: RecordId,
    /// Its form.
    pub form: String,
    /// The unit that it belongs to: its scope.
    pub unit: UnitId,
    /// The entry that made it.
    pub created: Seq,
    /// The last entry that changed it.
    pub version: Seq,
    /// What is claimed, by path.
    pub cells: BTreeMap<Path, Cell>,
    /// Withdrawals that still stand against it.
    pub deletions: Vec<Deletion>,
    /// Questions about the record or about rules, which no cell holds.
    pub questions: BTreeMap<Path, Contest>,
    /// How many such questions there have been.
    pub rounds: BTreeMap<Path, u32>,
    /// The writers of what is claimed, by seq.
    pub writers: BTreeMap<Seq, Writer>,
}

/// One open question of a record, as reviewers and phones see it.
#[derive(Clone, PartialEq, Debug)]
pub struct OpenConflict {
    /// UUIDv5 of record, path and round.
    pub id: ConflictId,
    /// Where.
    pub path: Path,
    /// The question itself.
    pub contest: Contest,
    /// The names that differ.
    pub fields: Vec<String>,
}

impl Record {
    /// A record that nobody has said anything about yet.
    pub fn new(id: RecordId, form: &str, unit: UnitId, created: Seq) -> Self {
        Self {
            id,
            form: form.to_owned(),
            unit,
            created,
            version: created,
            cells: BTreeMap::new(),
            deletions: Vec::new(),
            questions: BTreeMap::new(),
            rounds: BTreeMap::new(),
            writers: BTreeMap::new(),
        }
    }

    /// Path → value shown.
    pub fn shown(&self) -> impl Iterator<Item = (&Path, &Value)> {
        self.cells.iter().map(|(path, cell)| (path, cell.shown()))
    }

    /// Whether the value of any path is in question.
    pub fn is_disputed(&self) -> bool {
        self.cells.values().any(|cell| cell.contest.is_some())
    }

    /// Whether it stands: nobody withdrew it, or somebody said something that those who withdrew it had not seen.
    pub fn is_live(&self) -> bool {
        self.deletions.is_empty() || self.unseen_by_withdrawals().next().is_some()
    }

    /// What was said that nobody who withdrew the record had seen, by seq: it stands against the withdrawals.
    pub fn said_against_withdrawal(&self) -> BTreeSet<Seq> {
        match self.deletions.is_empty() {
            true => BTreeSet::new(),
            false => self.unseen_by_withdrawals().collect(),
        }
    }

    fn unseen_by_withdrawals(&self) -> impl Iterator<Item = Seq> {
        let claims = self.cells.values().flat_map(|cell| &cell.claims);
        let said = claims.flat_map(|claim| claim.by.iter().copied());
        said.filter(|seq| !self.deletions.iter().any(|deletion| self.had_seen(deletion, *seq)))
    }

    /// How many items a list has ever had: what was removed is remembered, so that nobody brings it back unknowingly.
    pub fn items_ever(&self, list: &str) -> usize {
        let items = self.cells.keys().filter_map(Path::as_item).filter(|(of, ..)| *of == list);
        items.map(|(_, key, _)| key).collect::<BTreeSet<_>>().len()
    }

    /// Whether the author of `deletion` had seen entry `seq`.
    fn had_seen(&self, deletion: &Deletion, seq: Seq) -> bool {
        seq <= deletion.saw
            || match (self.writers.get(&seq), self.writers.get(&deletion.by)) {
                (Some(writer), Some(deleter)) => {
                    let is_own =
                        !deleter.device.uuid().is_nil() && writer.device == deleter.device && writer.n < deleter.n;
                    is_own || deletion.after.iter().any(|before| before.had_said(writer))
                }
                _ => false,
            }
    }

    /// Drops what the given withdrawals took away: their author knew that it was gone.
    pub(crate) fn forget_seen_by(&mut self, deletions: &[Deletion]) {
        let gone: BTreeSet<Seq> = (self.writers.keys().copied())
            .filter(|seq| deletions.iter().any(|deletion| self.had_seen(deletion, *seq)))
            .collect();
        for cell in self.cells.values_mut() {
            for claim in &mut cell.claims {
                claim.by.retain(|seq| !gone.contains(seq));
            }
            cell.claims.retain(|claim| !claim.by.is_empty());
            if cell.claims.len() < 2 {
                cell.contest = None;
            }
        }
    }

    /// The identifier of the question at `path` of a round.
    pub fn conflict_id(&self, path: &Path, round: u32) -> ConflictId {
        let record = self.id.uuid();
        ConflictId::new(derived("conflict", &[record.as_bytes(), path.as_str().as_bytes(), &round.to_be_bytes()]))
    }

    /// Every open question, by path.
    pub fn open_conflicts(&self) -> Vec<OpenConflict> {
        let of_cells = self.cells.iter().filter_map(|(path, cell)| {
            let contest = cell.contest.clone()?;
            Some(self.open_conflict(path, contest, cell.differing(path)))
        });
        let of_record =
            (self.questions.iter()).map(|(path, contest)| self.open_conflict(path, contest.clone(), Vec::new()));
        of_cells.chain(of_record).collect()
    }

    fn open_conflict(&self, path: &Path, contest: Contest, fields: Vec<String>) -> OpenConflict {
        OpenConflict { id: self.conflict_id(path, contest.round), path: path.clone(), contest, fields }
    }

    /// Opens or closes the question at `path` that belongs to no cell.
    pub(crate) fn ask(&mut self, path: Path, at: Seq, code: &str, open: bool) {
        if !open {
            self.questions.remove(&path);
        } else if !self.questions.contains_key(&path) {
            let round = self.rounds.entry(path.clone()).or_insert(0);
            *round += 1;
            self.questions.insert(path, Contest { round: *round, opened: at, code: code.to_owned() });
        }
    }

    /// Forgets what is personal, as entry `v`: whom it is about has been erased. What is in dispute in the rest keeps the
    /// value shown, since nobody can decide about it any more, and no question stays open.
    pub fn forget(&mut self, v: Seq, is_personal: impl Fn(&Path) -> bool) {
        self.cells.retain(|path, _| !is_personal(path));
        for cell in self.cells.values_mut().filter(|cell| cell.contest.is_some()) {
            cell.claims.truncate(1);
            cell.contest = None;
        }
        self.questions.clear();
        self.version = v;
        self.prune();
    }

    /// Forgets, as entry `v`, what is claimed of somebody erased whom the record does not show: the claims by which it would be
    /// theirs, and what these submissions said of them at personal paths. Answers whether it was claimed to be theirs at all.
    pub fn forget_claimed(
        &mut self,
        v: Seq,
        said: &BTreeSet<SubmissionId>,
        is_personal: impl Fn(&Path) -> bool,
        is_theirs: impl Fn(&Path, &Value) -> bool,
    ) -> bool {
        let claimed = |(path, cell): (&Path, &Cell)| cell.claims.iter().any(|claim| is_theirs(path, &claim.value));
        if !self.cells.iter().any(claimed) {
            return false;
        }
        let writers = &self.writers;
        let said_of_them = |seq: &Seq| writers.get(seq).is_some_and(|writer| said.contains(&writer.submission));
        for (path, cell) in &mut self.cells {
            cell.claims.retain_mut(|claim| {
                let is_emptiness = claim.by.is_empty();
                if is_personal(path) {
                    claim.by.retain(|seq| !said_of_them(seq));
                }
                !is_theirs(path, &claim.value) && (is_emptiness || !claim.by.is_empty())
            });
            if cell.claims.len() < 2 {
                cell.contest = None;
            }
        }
        self.cells.retain(|_, cell| !cell.claims.is_empty() || cell.rounds > 0);
        self.version = v;
        self.prune();
        true
    }

    /// Forgets writers whose every claim is superseded.
    pub(crate) fn prune(&mut self) {
        let mut used: BTreeSet<Seq> = self.deletions.iter().map(|deletion| deletion.by).collect();
        used.extend(self.cells.values().flat_map(|cell| &cell.claims).flat_map(|claim| claim.by.iter().copied()));
        self.writers.retain(|seq, _| used.contains(seq));
    }
}

/// What the store keeps of a record beside its columns. Personal paths are kept apart, so that they can be sealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default)]
    cells: BTreeMap<Path, Cell>,
    #[serde(default)]
    deletions: Vec<Deletion>,
    #[serde(default)]
    questions: BTreeMap<Path, Contest>,
    #[serde(default)]
    rounds: BTreeMap<Path, u32>,
    #[serde(default)]
    writers: BTreeMap<Seq, Writer>,
}

/// The same, as it is written, from where it stands.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cells: BTreeMap<&'a Path, &'a Cell>,
    #[serde(flatten)]
    rest: Option<Rest<'a>>,
}

/// What belongs to the record and not to any path.
#[derive(Serialize)]
struct Rest<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    deletions: &'a [Deletion],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    questions: &'a BTreeMap<Path, Contest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rounds: &'a BTreeMap<Path, u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    writers: &'a BTreeMap<Seq, Writer>,
}

impl Record {
    /// The state as two JSON texts: what is open, and (if there is any) what is personal.
    pub fn to_documents(&self, is_personal: impl Fn(&Path) -> bool) -> (String, Option<String>) {
        let (personal, open): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.cells.iter().partition(|(path, _)| is_personal(path));
        let Self { deletions, questions, rounds, writers, .. } = self;
        let rest = Some(Rest { deletions, questions, rounds, writers });
        let text = |written: &Written<'_>| serde_json::to_string(written).expect("plain values serialise");
        let personal = (!personal.is_empty()).then(|| text(&Written { cells: personal, rest: None }));
        (text(&Written { cells: open, rest }), personal)
    }

    /// Takes the state back from the two texts.
    pub fn restore(&mut self, open: &str, personal: Option<&str>) -> Result<(), serde_json::Error> {
        let kept: Kept = serde_json::from_str(open)?;
        self.cells = kept.cells;
        self.deletions = kept.deletions;
        self.questions = kept.questions;
        self.rounds = kept.rounds;
        self.writers = kept.writers;
        if let Some(personal) = personal {
            let kept: Kept = serde_json::from_str(personal)?;
            self.cells.extend(kept.cells);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    #[test]
    fn who_is_erased_leaves_what_is_not_personal_and_nothing_to_decide() {
        let claim = |value: Value, by: i64| Claim { value, by: BTreeSet::from([Seq(by)]) };
        let contest = Contest { round: 1, opened: Seq(2), code: "merge.conflict".to_owned() };
        let contested = |values: [&str; 2]| Cell {
            claims: vec![claim(json!(values[0]), 1), claim(json!(values[1]), 2)],
            contest: Some(contest.clone()),
            rounds: 1,
        };
        let mut record = Record::new(RecordId::new(Uuid::from_u128(1)), "person", UnitId::new(Uuid::nil()), Seq(1));
        for seq in [1, 2] {
            let submission = SubmissionId::new(Uuid::from_u128(seq));
            let writer = Writer { submission, device: DeviceId::new(Uuid::nil()), n: 1 };
            record.writers.insert(Seq(i64::try_from(seq).unwrap()), writer);
        }
        record.cells.insert(Path::field("full_name"), contested(["Vừ A Chá", "Vừ A Cha"]));
        record.cells.insert(Path::field("basis"), contested(["own_application", "recorded_consent"]));
        record.questions.insert(Path::record(), contest.clone());
        record.forget(Seq(9), |path| path.as_str() == "full_name");
        assert_eq!(record.shown().collect::<Vec<_>>(), [(&Path::field("basis"), &json!("own_application"))]);
        assert_eq!(record.open_conflicts(), []);
        assert_eq!((record.version, record.writers.len()), (Seq(9), 1));
        // Which question it was is remembered: the next one has another id.
        assert_eq!(record.cells[&Path::field("basis")].rounds, 1);
    }
}
