//! Reads one conflict: the question, every candidate with who said it, and, once it is closed, the decision.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::list_conflicts::{self, SeenConflict};
use super::mask;
use super::read_submissions::{names, parsed};
use super::reader::{Reader, Values, read_as};
use super::review::Reason;
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::id::{ConflictId, DeviceId, Seq, SubmissionId, UserId};
use muong_domain::record::{Path, Record};
use muong_domain::validate::concerned;
use muong_store::conflicts::{self, StoredConflict};
use muong_store::decisions::{self, StoredDecision};
use muong_store::records;
use muong_store::submissions::{self, Received};
use muong_store::{Reading, Snapshot, StoreError, receipts};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A conflict with all that a decision needs.
#[derive(Clone, Debug)]
pub struct ConflictDetail {
    /// The question.
    pub seen: SeenConflict,
    /// The values, the one that the record shows first.
    pub candidates: Vec<Candidate>,
    /// Of a question about a rule: what may be decided, with the values that stand there.
    pub concerned: Vec<Concerned>,
    /// Who withdrew the record, when that is the question.
    pub withdrawals: Vec<Voice>,
    /// Who said something that those had not seen: it goes with the record when the withdrawal is to stand.
    pub said_against: Vec<Voice>,
    /// How it was decided.
    pub decision: Option<SeenDecision>,
    /// Whether values were left out.
    pub values: Values,
    /// What the people in it are called.
    pub names: HashMap<UserId, String>,
}

/// One value in dispute.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The value; none when it is masked.
    pub value: Option<Value>,
    /// Who says so.
    pub by: Vec<Voice>,
}

/// A path that a rule reads.
#[derive(Clone, Debug)]
pub struct Concerned {
    /// The path.
    pub path: Path,
    /// The values that are claimed there, the one that the record shows first.
    pub candidates: Vec<Candidate>,
}

/// One entry of the log that says something.
#[derive(Clone, Debug)]
pub struct Voice {
    /// The entry.
    pub seq: Seq,
    /// When it was received.
    pub received_at: Option<DateTime<Utc>>,
    /// The submission.
    pub submission: Option<SubmissionId>,
    /// The decision, when a reviewer said it.
    pub decision: Option<Uuid>,
    /// Who.
    pub author: Option<UserId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// When, by the phone's clock.
    pub captured_at: Option<DateTime<Utc>>,
}

/// A decision as its reader may see it.
#[derive(Clone, Debug)]
pub struct SeenDecision {
    /// The decision: its body never to be shown itself.
    pub stored: StoredDecision,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// What was decided and why; none when it holds masked values, or whom it was about has been erased.
    pub body: Option<Value>,
}

/// Reads it.
pub async fn read_conflict(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    id: ConflictId,
) -> Result<ConflictDetail, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        reader.require_content()?;
        let Some(stored) = conflicts::find(snapshot, id)? else {
            return Err(Failure::refused("access.not_found"));
        };
        let values = reader.sees_conflict(&stored.form, stored.unit)?;
        detail(snapshot, reader, stored, values)
    })
    .await
}

fn detail(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    stored: StoredConflict,
    values: Values,
) -> Result<ConflictDetail, Failure> {
    let record = records::by_ids(snapshot, &[stored.record])?.pop();
    let record = record.ok_or_else(|| StoreError::corrupt("a conflict's record", stored.record))?;
    reader.note_record(&record, values);
    let record = record.record;
    let hidden = mask::hides(reader.form(&stored.form).map(AsRef::as_ref), &stored.path, values);
    let about = concerned_by(reader, &record, &stored);
    let voices = Voices::load(snapshot, &record, &stored, &about)?;
    let candidates_of = |path: &Path, hidden| match stored.closed {
        None => candidates(&record, path, hidden, &voices),
        Some(_) => Vec::new(),
    };
    let candidates = candidates_of(&stored.path, hidden);
    let form = reader.form(&stored.form).map(AsRef::as_ref);
    let one = |path: Path| {
        let candidates = candidates_of(&path, mask::hides(form, &path, values));
        Concerned { path, candidates }
    };
    let concerned = about.into_iter().map(one).collect();
    let withdrawn = stored.path == Path::record() && stored.closed.is_none();
    let withdrawals = record.deletions.iter().filter(|_| withdrawn).map(|d| voices.of(d.by)).collect();
    let against = if withdrawn { record.said_against_withdrawal() } else { BTreeSet::new() };
    let said_against = against.into_iter().map(|seq| voices.of(seq)).collect();
    let decided: Vec<Uuid> = stored.decision.into_iter().collect();
    let decided = decisions::by_ids(snapshot, &decided)?;
    let decision = see_decisions(snapshot, decided, hidden)?.pop();
    let said_by = voices.all.values().filter_map(|voice| voice.author);
    let people: Vec<UserId> = said_by.chain(decision.as_ref().map(|d| d.stored.actor)).collect();
    let names = names(snapshot, people)?;
    let seen = list_conflicts::see(snapshot, vec![stored])?.pop();
    let seen = seen.ok_or_else(|| StoreError::corrupt("a conflict", "lost"))?;
    let values = if hidden { Values::Masked } else { Values::Whole };
    Ok(ConflictDetail { seen, candidates, concerned, withdrawals, said_against, decision, values, names })
}

/// What an open question about a rule is about.
fn concerned_by(reader: &Reader, record: &Record, conflict: &StoredConflict) -> BTreeSet<Path> {
    let rule = conflict.path.as_rule().filter(|_| conflict.closed.is_none());
    let context = reader.reference().context(record.unit, reader.today());
    match (rule, reader.form(&conflict.form), context) {
        (Some(code), Some(form), Some(context)) => concerned(form, record, &context, code),
        _ => BTreeSet::new(),
    }
}

fn candidates(record: &Record, path: &Path, hidden: bool, voices: &Voices) -> Vec<Candidate> {
    let claims = record.cells.get(path).into_iter().flat_map(|cell| &cell.claims);
    let candidate = |claim: &muong_domain::record::Claim| Candidate {
        value: (!hidden).then(|| claim.value.clone()),
        by: claim.by.iter().map(|seq| voices.of(*seq)).collect(),
    };
    claims.map(candidate).collect()
}

/// Shows decisions, in the order in which they are given.
pub fn see_decisions(
    read: &mut impl Reading,
    found: Vec<StoredDecision>,
    hidden: bool,
) -> Result<Vec<SeenDecision>, StoreError> {
    let at = receipts::of(read, found.iter().map(|decision| decision.seq))?;
    let seen = found.into_iter().map(|stored| {
        let readable = !hidden && !stored.body.is_empty();
        let body = readable.then(|| parsed("a decision", &stored.body)).transpose()?;
        Ok(SeenDecision { decided_at: at.get(&stored.seq).copied(), body, stored })
    });
    seen.collect()
}

/// Who stands behind the entries that a question is about.
struct Voices {
    all: BTreeMap<Seq, Voice>,
}

impl Voices {
    fn load(
        read: &mut impl Reading,
        record: &Record,
        conflict: &StoredConflict,
        about: &BTreeSet<Path>,
    ) -> Result<Self, StoreError> {
        let paths = about.iter().chain([&conflict.path]);
        let said = paths.filter_map(|path| record.cells.get(path)).flat_map(|cell| &cell.claims);
        let mut seqs: BTreeSet<Seq> = said.flat_map(|claim| claim.by.iter().copied()).collect();
        if conflict.path == Path::record() {
            seqs.extend(record.deletions.iter().map(|deletion| deletion.by));
            seqs.extend(record.said_against_withdrawal());
        }
        // A reviewer's word has the decision's id where a submission's would stand; ids tell them apart.
        let ids: Vec<SubmissionId> = seqs.iter().filter_map(|seq| Some(record.writers.get(seq)?.submission)).collect();
        let decided: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let submissions: HashMap<SubmissionId, Received> =
            submissions::received(read, &ids)?.into_iter().map(|submission| (submission.id, submission)).collect();
        let decisions: HashMap<Uuid, StoredDecision> =
            decisions::by_ids(read, &decided)?.into_iter().map(|decision| (decision.id, decision)).collect();
        let at = receipts::of(read, seqs.iter().copied())?;
        let voice = |seq: Seq| {
            let writer = record.writers.get(&seq).map(|writer| writer.submission);
            let submission = writer.and_then(|id| submissions.get(&id));
            let decision = writer.and_then(|id| decisions.get(&id.uuid()));
            Voice {
                seq,
                received_at: at.get(&seq).copied(),
                submission: submission.map(|submission| submission.id),
                decision: decision.map(|decision| decision.id),
                author: submission.map(|s| s.author).or_else(|| decision.map(|d| d.actor)),
                device: submission.map(|submission| submission.device),
                captured_at: submission.and_then(|submission| submission.captured_at),
            }
        };
        Ok(Self { all: seqs.into_iter().map(|seq| (seq, voice(seq))).collect() })
    }

    fn of(&self, seq: Seq) -> Voice {
        self.all.get(&seq).cloned().unwrap_or(Voice {
            seq,
            received_at: None,
            submission: None,
            decision: None,
            author: None,
            device: None,
            captured_at: None,
        })
    }
}
