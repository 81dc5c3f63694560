//! Merging what a phone says into a record: pure, deterministic, without clock and without randomness.
//!
//! Each path holds a set of claims, as a multi-value register does (Shapiro et al., "A comprehensive study of
//! convergent and commutative replicated data types", 2011, §3.2.2): a change takes away the claims that its author
//! had seen and changed, and adds its own. One claim left: applied. Several: a conflict, and the value shown stays.
//! Since what is taken away depends only on what the author had seen, and never on what happened to arrive first,
//! concurrent submissions end in the same set of claims in whatever order they come.

use crate::id::{DeviceId, Seq, SubmissionId};
use crate::record::{Cell, Claim, Contest, Deletion, Path, Predecessor, Record, Writer};
use crate::validate::{Broken, PathChange};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Up to where the author had seen the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Every entry up to this seq, and the own earlier ones.
    UpTo(Seq),
    /// Every entry up to this seq, and perhaps later ones: its author had seen more, in an epoch that was lost from there on.
    /// Of what is later the `from` values alone decide.
    AtLeast(Seq),
    /// Nobody can tell (an epoch that nobody here knows): the `from` values alone decide.
    Unknown,
}

impl Seen {
    /// Up to where everything had been seen for certain.
    fn certain(self) -> Seq {
        match self {
            Self::UpTo(seq) | Self::AtLeast(seq) => seq,
            Self::Unknown => Seq::ZERO,
        }
    }

    /// Whether more may have been seen than is certain.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::UpTo(_))
    }
}

/// Who says it.
#[derive(Clone, Debug)]
pub struct Author {
    /// The submission.
    pub submission: SubmissionId,
    /// The device that it comes from.
    pub device: DeviceId,
    /// Its number on that device.
    pub n: i64,
    /// What its author had seen.
    pub seen: Seen,
    /// What its author had said on other devices before: they had seen that.
    pub after: Vec<Predecessor>,
}

impl Author {
    /// Whether this entry is an own earlier one: of the same device, or of those that said what this builds on.
    fn is_own(&self, writer: Option<&Writer>) -> bool {
        let Some(writer) = writer else { return false };
        let is_of_this = writer.device == self.device && writer.n < self.n;
        is_of_this || self.after.iter().any(|before| before.had_said(writer))
    }

    /// Whether the author had provably seen this entry.
    fn knew(&self, seq: Seq, writer: Option<&Writer>) -> bool {
        self.is_own(writer) || seq <= self.seen.certain()
    }

    /// Whether the author may be taken to have seen it: with an unknown base the `from` value vouches for it, but
    /// never for a guarded path.
    fn saw(&self, seq: Seq, writer: Option<&Writer>, guarded: bool) -> bool {
        self.knew(seq, writer) || (self.seen.is_open() && !guarded)
    }

    fn knew_contest(&self, contest: &Contest) -> bool {
        contest.opened <= self.seen.certain()
    }
}

/// What became of one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathOutcome {
    /// The value stands.
    Applied,
    /// It stood already.
    Already,
    /// It is one of several candidates; a reviewer decides.
    Conflict,
}

/// How a path is to be merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Care {
    /// Never merges by itself when it is not certain what the author had seen.
    pub guarded: bool,
    /// The value may not be shown (another record has this key): it becomes a candidate only.
    pub withheld: bool,
}

/// Merges the changes of one submission, recorded as entry `v`.
pub fn merge(
    record: &mut Record,
    author: &Author,
    v: Seq,
    changes: &[PathChange],
    care: impl Fn(&Path) -> Care,
) -> BTreeMap<Path, PathOutcome> {
    record.writers.insert(v, Writer { submission: author.submission, device: author.device, n: author.n });
    let writers = std::mem::take(&mut record.writers);
    let mut outcomes = BTreeMap::new();
    for change in changes {
        let cell = record.cells.entry(change.path.clone()).or_default();
        let merging = Merging { author, v, writers: &writers, care: care(&change.path) };
        outcomes.insert(change.path.clone(), merging.merge(cell, change));
    }
    // A cell that has been in question keeps its count: the next question is another one.
    record.cells.retain(|_, cell| !cell.claims.is_empty() || cell.rounds > 0);
    record.writers = writers;
    if changes.iter().any(|change| change.from != change.to) {
        revive(record, author);
    }
    settle(record, v);
    outcomes
}

/// An edit that claims something, by somebody who knew of a withdrawal, lifts it; of others the flag in [`settle`] tells.
fn revive(record: &mut Record, author: &Author) {
    let writers = &record.writers;
    record.deletions.retain(|deletion| !author.knew(deletion.by, writers.get(&deletion.by)));
}

/// After any change: the version, the flag of an edit ‖ delete, and writers that nobody needs any more.
fn settle(record: &mut Record, v: Seq) {
    record.version = v;
    let contradicted = !record.deletions.is_empty() && record.is_live();
    record.ask(Path::record(), v, "merge.edit_delete", contradicted);
    record.prune();
}

/// A create on a record that was withdrawn, by somebody who knew that: what had been withdrawn is gone, also when
/// somebody else has revived the record in between, since it must not matter who was heard first.
pub fn begin_anew(record: &mut Record, author: &Author) {
    let (known, others): (Vec<Deletion>, Vec<Deletion>) = (std::mem::take(&mut record.deletions).into_iter())
        .partition(|deletion| author.knew(deletion.by, record.writers.get(&deletion.by)));
    record.deletions = known.clone();
    record.forget_seen_by(&known);
    record.deletions = others;
}

/// Withdraws the record; answers whether it is gone (or contradicted by what the author had not seen).
pub fn delete(record: &mut Record, author: &Author, v: Seq) -> PathOutcome {
    if !record.is_live() && record.deletions.iter().any(|d| author.knew(d.by, record.writers.get(&d.by))) {
        return PathOutcome::Already;
    }
    record.writers.insert(v, Writer { submission: author.submission, device: author.device, n: author.n });
    record.deletions.push(Deletion { by: v, saw: author.seen.certain(), after: author.after.clone() });
    settle(record, v);
    if record.is_live() { PathOutcome::Conflict } else { PathOutcome::Applied }
}

/// One path being merged.
struct Merging<'a> {
    author: &'a Author,
    v: Seq,
    writers: &'a BTreeMap<Seq, Writer>,
    care: Care,
}

impl Merging<'_> {
    fn merge(&self, cell: &mut Cell, change: &PathChange) -> PathOutcome {
        if change.from == change.to {
            return PathOutcome::Already; // nothing was changed, so nothing is claimed
        }
        if cell.claims.is_empty() && (!change.from.is_null() || self.care.withheld) {
            // What the author changed was never there, or may not be shown: emptiness itself is a candidate.
            cell.claims.push(Claim { value: Value::Null, by: BTreeSet::new() });
        }
        let already = *cell.shown() == change.to;
        let knew = |contest| self.author.knew_contest(contest) || self.must_have_known(cell, change);
        let knew_contest = cell.contest.as_ref().is_some_and(knew);
        let shown_taken = self.supersede(cell, change, knew_contest);
        self.claim(cell, &change.to, shown_taken && !self.care.withheld);
        self.judge(cell, already, knew_contest)
    }

    /// Whoever has proposed another value and then changes the one shown has seen that theirs is contested. For an author of
    /// whom it is not certain what they had seen.
    fn must_have_known(&self, cell: &Cell, change: &PathChange) -> bool {
        let own = |claim: &Claim| claim.by.iter().any(|seq| self.author.is_own(self.writers.get(seq)));
        let changes_shown = cell.claims.first().is_some_and(|claim| claim.value == change.from && !own(claim));
        matches!(self.author.seen, Seen::AtLeast(_)) && changes_shown && cell.claims.iter().skip(1).any(own)
    }

    /// Takes away what the author had seen and changed; answers whether the value shown is gone.
    fn supersede(&self, cell: &mut Cell, change: &PathChange, knew_contest: bool) -> bool {
        let seen = |seq: &Seq| self.author.saw(*seq, self.writers.get(seq), self.care.guarded);
        let own = |seq: &Seq| self.author.is_own(self.writers.get(seq));
        let saw_shown = cell.claims.first().is_some_and(|c| c.value == change.from && c.by.iter().all(seen));
        for (index, claim) in cell.claims.iter_mut().enumerate() {
            let withheld_shown = self.care.withheld && index == 0;
            if claim.value == change.from && !withheld_shown {
                claim.by.retain(|seq| !seen(seq));
            } else if knew_contest && saw_shown && index > 0 {
                // Who edits in view of the conflict replaces what they had proposed before.
                claim.by.retain(|seq| !own(seq));
            }
        }
        let emptiness_stays = !change.from.is_null() || self.care.withheld;
        let stays = |claim: &Claim| !claim.by.is_empty() || (emptiness_stays && claim.value.is_null());
        let shown_goes = cell.claims.first().is_some_and(|shown| !stays(shown));
        cell.claims.retain(stays);
        shown_goes
    }

    /// Adds the author's claim, as the one shown when what was shown is gone.
    fn claim(&self, cell: &mut Cell, to: &Value, show: bool) {
        let index = match cell.claims.iter().position(|claim| claim.value == *to) {
            Some(index) => index,
            None => {
                cell.claims.push(Claim { value: to.clone(), by: BTreeSet::new() });
                cell.claims.len() - 1
            }
        };
        cell.claims[index].by.insert(self.v);
        if show {
            cell.claims[..=index].rotate_right(1);
        }
    }

    fn judge(&self, cell: &mut Cell, already: bool, knew_contest: bool) -> PathOutcome {
        if cell.claims.len() > 1 {
            cell.open(self.v, if self.care.withheld { "merge.key_taken" } else { "merge.conflict" });
        } else if !knew_contest {
            cell.contest = None; // all agree, and nobody closed over another's head
        }
        match (&cell.contest, already) {
            (Some(_), _) => PathOutcome::Conflict,
            (None, true) => PathOutcome::Already,
            (None, false) => PathOutcome::Applied,
        }
    }
}

/// What a reviewer decides about a cell's question.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The value that is to stand.
    pub value: Value,
    /// The submissions behind the candidates that the reviewer had seen.
    pub seen: BTreeSet<SubmissionId>,
}

/// Resolves the question at `path`: what the reviewer had seen gives way to the decision, what was not stays open in
/// a round of its own. Answers whether the question is closed for good.
pub fn resolve(record: &mut Record, path: &Path, decision: SubmissionId, v: Seq, resolution: Resolution) -> bool {
    let was_live = record.is_live();
    let Some(cell) = record.cells.get_mut(path) else { return false };
    let writers = &record.writers;
    let was_seen = |seq: &Seq| writers.get(seq).is_some_and(|w| resolution.seen.contains(&w.submission));
    let unseen: Vec<Claim> = (cell.claims.drain(..))
        .filter(|claim| !claim.by.is_empty() && !claim.by.iter().any(was_seen) && claim.value != resolution.value)
        .collect();
    cell.claims.push(Claim { value: resolution.value, by: BTreeSet::from([v]) });
    cell.claims.extend(unseen);
    cell.contest = None;
    let closed = cell.claims.len() == 1;
    if !closed {
        cell.open(v, "merge.conflict");
    }
    record.writers.insert(v, Writer { submission: decision, device: DeviceId::new(uuid::Uuid::nil()), n: 0 });
    if !was_live {
        // Tidying up a question of a withdrawn record does not bring it back.
        record.deletions.iter_mut().for_each(|deletion| deletion.saw = deletion.saw.max(v));
    }
    settle(record, v);
    closed
}

/// Decides an edit ‖ delete: the record stays, or it goes with what was said. Only what the reviewer had `seen` gives way, a
/// withdrawal or what was said against it; the rest stays open in a round of its own.
pub fn resolve_deletion(
    record: &mut Record,
    decision: SubmissionId,
    v: Seq,
    keep: bool,
    seen: &BTreeSet<SubmissionId>,
) {
    let was_seen = |record: &Record, seq: Seq| record.writers.get(&seq).is_some_and(|w| seen.contains(&w.submission));
    if keep {
        let deletions = std::mem::take(&mut record.deletions);
        record.deletions = deletions.into_iter().filter(|deletion| !was_seen(record, deletion.by)).collect();
    } else {
        let unseen = record.said_against_withdrawal().into_iter().find(|seq| !was_seen(record, *seq));
        record.writers.insert(v, Writer { submission: decision, device: DeviceId::new(uuid::Uuid::nil()), n: 0 });
        let saw = unseen.map_or(v, |seq| Seq(seq.0 - 1));
        if unseen.is_none() {
            record.deletions.clear();
        }
        record.deletions.push(Deletion { by: v, saw, after: Vec::new() });
    }
    record.questions.remove(&Path::record());
    settle(record, v);
}

/// Whether the author set what the rule reads, or had seen what stands there, and knows the row that it is asked of: then a
/// rule that fails is the author's own error, not the work of two. Of a row that others alone keep, nobody else answers for
/// what is missing.
pub fn is_responsible(record: &Record, author: &Author, changes: &[PathChange], rule: &Broken) -> bool {
    let is_own = |path: &Path| {
        let cell = record.cells.get(path);
        let shown_seen = || {
            cell.and_then(|c| c.claims.first())
                .is_none_or(|claim| claim.by.iter().all(|seq| author.saw(*seq, record.writers.get(seq), false)))
        };
        match changes.iter().find(|change| change.path == *path) {
            // What its author changed and is not shown is not what its author looks at.
            Some(change) if change.from != change.to => cell.is_some_and(|cell| *cell.shown() == change.to),
            Some(change) => cell.is_none_or(|cell| *cell.shown() == change.to) || shown_seen(),
            None => shown_seen(),
        }
    };
    rule.reads.iter().all(is_own) && (rule.stands.is_empty() || rule.stands.iter().any(is_own))
}

/// Opens or closes the question about a rule that fails over what is shown.
pub fn flag_rule(record: &mut Record, code: &str, v: Seq, broken: bool) {
    record.ask(Path::rule(code), v, "merge.merged_invalid", broken);
}
