//! What must be proven of the merge, not believed: properties 4 and 6 of the sync design.

use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId, UnitId};
use muong_domain::merge::{self, Author, Care, PathOutcome, Resolution, Seen};
use muong_domain::record::{Path, Predecessor, Record};
use muong_domain::validate::PathChange;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const PATHS: [&str; 3] = ["place", "roll", "guarded"];

/// What a device does next, knowing the common past and itself.
#[derive(Clone, Debug)]
enum Deed {
    Edit { path: usize, to: u8 },
    Delete,
}

/// What one phone does. Each time that it has done so much, it goes on as another device: it had been cloned.
#[derive(Clone, Debug)]
struct Chain {
    deeds: Vec<Deed>,
    moves_after: usize,
}

/// One submission of a device, with what its author believed to stand.
#[derive(Clone, Debug)]
struct Said {
    device: usize,
    n: i64,
    /// How far its author had come on other devices.
    after: Vec<(usize, i64)>,
    change: Option<PathChange>,
}

/// A phone that goes on as another device is this many further, each time.
const ANOTHER: usize = 100;

fn uuid(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..PATHS.len(), 0_u8..4).prop_map(|(path, to)| Deed::Edit { path, to }),
        1 => Just(Deed::Delete),
    ]
}

/// The chains of two to four phones that all saw the same record and nothing of one another.
fn chains() -> impl Strategy<Value = Vec<Chain>> {
    let chain = (prop::collection::vec(deed(), 1..6), 1_usize..6);
    prop::collection::vec(chain.prop_map(|(deeds, moves_after)| Chain { deeds, moves_after }), 2..5)
}

/// A phone that stays the device that it is.
fn of_one_device(deeds: Vec<Deed>) -> Chain {
    Chain { deeds, moves_after: usize::MAX }
}

/// The deeds of each phone as honest submissions: `from` is the phone's own view.
fn submissions(chains: &[Chain]) -> Vec<Vec<Said>> {
    let tell = |(phone, chain): (usize, &Chain)| {
        let mut view: BTreeMap<usize, Value> = (0..PATHS.len()).map(|path| (path, json!(0))).collect();
        let mut said: Vec<Said> = Vec::new();
        for (at, deed) in chain.deeds.iter().enumerate() {
            let (moves, since) = (at / chain.moves_after, at % chain.moves_after);
            let (device, n) = (phone + ANOTHER * moves, since as i64 + 1);
            let after = (0..moves).map(|earlier| (phone + ANOTHER * earlier, chain.moves_after as i64)).collect();
            let change = match deed {
                Deed::Delete => None,
                Deed::Edit { path, to } => {
                    let from = view.insert(*path, json!(to)).expect("every path has a value");
                    Some(PathChange { path: Path::field(PATHS[*path]), from, to: json!(to) })
                }
            };
            said.push(Said { device, n, after, change });
        }
        said
    };
    chains.iter().enumerate().map(tell).collect()
}

fn care(path: &Path) -> Care {
    Care { guarded: path.as_str() == "guarded", withheld: false }
}

fn submission(said: &Said) -> SubmissionId {
    SubmissionId::new(Uuid::from_u128((said.device as u128 + 1) << 64 | said.n as u128))
}

/// The record that everybody saw: each path 0, written by a device of its own as entry 1.
fn beginning() -> Record {
    let mut record = Record::new(RecordId::new(uuid(0)), "form", UnitId::new(uuid(0)), Seq(1));
    let author = Author {
        submission: SubmissionId::new(uuid(999)),
        device: DeviceId::new(uuid(999)),
        n: 1,
        seen: Seen::UpTo(Seq::ZERO),
        after: Vec::new(),
    };
    let changes = PATHS.map(|path| PathChange { path: Path::field(path), from: Value::Null, to: json!(0) });
    merge::merge(&mut record, &author, Seq(1), &changes, care);
    record
}

fn apply(record: &mut Record, said: &Said, v: Seq, seen: Seen) -> Vec<PathOutcome> {
    let after =
        said.after.iter().map(|(device, n)| Predecessor { device: DeviceId::new(uuid(*device)), n: *n }).collect();
    let device = DeviceId::new(uuid(said.device));
    let author = Author { submission: submission(said), device, n: said.n, seen, after };
    match &said.change {
        Some(change) => merge::merge(record, &author, v, std::slice::from_ref(change), care).into_values().collect(),
        None => vec![merge::delete(record, &author, v)],
    }
}

/// Interleaves the chains in the order that `picks` says, keeping each device's own order.
fn interleave(chains: &[Vec<Said>], picks: &[usize]) -> Vec<Said> {
    let mut rest: Vec<std::collections::VecDeque<Said>> = chains.iter().map(|c| c.iter().cloned().collect()).collect();
    let mut order = Vec::new();
    let mut picks = picks.iter().copied().cycle();
    while rest.iter().any(|chain| !chain.is_empty()) {
        let open: Vec<usize> = (0..rest.len()).filter(|i| !rest[*i].is_empty()).collect();
        let chosen = open[picks.next().expect("a cycle has no end") % open.len()];
        order.extend(rest[chosen].pop_front());
    }
    order
}

fn run(order: &[Said]) -> Record {
    let mut record = beginning();
    for (v, said) in (2..).zip(order) {
        apply(&mut record, said, Seq(v), Seen::UpTo(Seq(1)));
    }
    record
}

/// By path the set of claims, and whether it is contested.
type Claims = BTreeMap<String, (BTreeSet<String>, bool)>;

/// For each path its claims; whether the record is live and flagged.
fn outcome(record: &Record) -> (Claims, bool, Vec<String>) {
    let claims = |cell: &muong_domain::record::Cell| cell.claims.iter().map(|claim| claim.value.to_string()).collect();
    let told = record.cells.iter().filter(|(_, cell)| !cell.claims.is_empty());
    let cells = told.map(|(path, cell)| (path.to_string(), (claims(cell), cell.contest.is_some())));
    (cells.collect(), record.is_live(), record.questions.keys().map(ToString::to_string).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn property_6_permuting_concurrent_submissions_changes_neither_claims_nor_flags(
        chains in chains(),
        first in prop::collection::vec(0_usize..12, 12),
        second in prop::collection::vec(0_usize..12, 12),
    ) {
        let said = submissions(&chains);
        let one = run(&interleave(&said, &first));
        let other = run(&interleave(&said, &second));
        prop_assert_eq!(outcome(&one), outcome(&other));
    }

    #[test]
    fn property_4_no_value_is_lost(chains in chains(), picks in prop::collection::vec(0_usize..12, 12)) {
        let said = submissions(&chains);
        let record = run(&interleave(&said, &picks));
        for chain in &said {
            for (index, one) in chain.iter().enumerate() {
                let Some(change) = one.change.as_ref().filter(|change| change.from != change.to) else { continue };
                let cell = &record.cells[&change.path];
                let stands = cell.claims.iter().any(|claim| claim.value == change.to);
                // Superseded by somebody who had seen it: here only the phone itself can have.
                let superseded = chain[index + 1..].iter().filter_map(|later| later.change.as_ref()).any(|later| {
                    later.path == change.path && later.from == change.to && later.to != change.to
                });
                prop_assert!(stands || superseded, "{change:?} of {one:?} is neither shown nor a candidate: {cell:?}");
            }
        }
    }

    #[test]
    fn the_documents_of_a_record_give_the_record_back(chains in chains(), picks in prop::collection::vec(0_usize..12, 12)) {
        let record = run(&interleave(&submissions(&chains), &picks));
        let (open, personal) = record.to_documents(|path| path.as_str() == "guarded");
        prop_assert!(!open.contains("\"guarded\""), "what is personal stands apart: {open}");
        let mut again = Record::new(record.id, &record.form, record.unit, record.created);
        again.version = record.version;
        again.restore(&open, personal.as_deref()).expect("what was written reads");
        prop_assert_eq!(again, record);
    }

    #[test]
    fn whoever_goes_on_as_another_device_is_heard_as_the_one_that_they_were(
        chains in chains(),
        picks in prop::collection::vec(0_usize..12, 12),
    ) {
        let stay: Vec<Chain> = chains.iter().map(|chain| of_one_device(chain.deeds.clone())).collect();
        let [stay, go] = [stay, chains].map(|chains| run(&interleave(&submissions(&chains), &picks)));
        prop_assert_eq!(outcome(&stay), outcome(&go));
    }

    #[test]
    fn a_contested_path_keeps_showing_what_it_showed(to in 1_u8..4, by in 1_u8..3) {
        let other = (to - 1 + by) % 3 + 1;
        let said = submissions(&[to, other].map(|to| of_one_device(vec![Deed::Edit { path: 0, to }])));
        let record = run(&interleave(&said, &[0]));
        prop_assert_eq!(record.cells[&Path::field("place")].shown(), &json!(to));
        prop_assert_eq!(record.open_conflicts().len(), 1);
    }
}

fn edit(device: usize, n: i64, path: &str, from: u8, to: u8) -> Said {
    let change = PathChange { path: Path::field(path), from: json!(from), to: json!(to) };
    Said { device, n, after: Vec::new(), change: Some(change) }
}

fn delete(device: usize, n: i64) -> Said {
    Said { device, n, after: Vec::new(), change: None }
}

#[test]
fn with_an_unknown_base_the_from_value_decides_but_never_for_a_guarded_path() {
    let mut record = beginning();
    assert_eq!(apply(&mut record, &edit(0, 1, "place", 0, 1), Seq(2), Seen::Unknown), [PathOutcome::Applied]);
    assert_eq!(apply(&mut record, &edit(1, 1, "place", 0, 2), Seq(3), Seen::Unknown), [PathOutcome::Conflict]);
    assert_eq!(apply(&mut record, &edit(0, 2, "guarded", 0, 1), Seq(4), Seen::Unknown), [PathOutcome::Conflict]);
}

#[test]
fn of_the_device_of_what_one_builds_on_what_it_had_said_until_then_counts_as_seen_and_nothing_later() {
    let base = Seen::UpTo(Seq(1));
    let mut record = beginning();
    let earlier = [edit(0, 1, "place", 0, 1), edit(0, 2, "guarded", 0, 1), edit(0, 3, "roll", 0, 1)];
    for (v, said) in (2..).zip(&earlier) {
        assert_eq!(apply(&mut record, said, Seq(v), base), [PathOutcome::Applied]);
    }
    let mut goes_on = |n: i64, path: &str, outcome: PathOutcome| {
        let said = Said { after: vec![(0, 2)], ..edit(ANOTHER, n, path, 1, 2) };
        assert_eq!(apply(&mut record, &said, Seq(10 + n), base), [outcome], "{path}");
    };
    goes_on(1, "place", PathOutcome::Applied);
    goes_on(2, "guarded", PathOutcome::Applied);
    goes_on(3, "roll", PathOutcome::Conflict);
    // Whoever builds on nothing of it has seen nothing of it.
    let mut record = beginning();
    apply(&mut record, &earlier[0], Seq(2), base);
    assert_eq!(apply(&mut record, &edit(ANOTHER, 1, "place", 1, 2), Seq(3), base), [PathOutcome::Conflict]);
}

#[test]
fn who_withdrew_a_record_and_goes_on_as_another_device_revives_it_unflagged() {
    let mut record = run(&[delete(0, 1)]);
    assert!(!record.is_live());
    let said = Said { after: vec![(0, 1)], ..edit(ANOTHER, 1, "place", 0, 1) };
    apply(&mut record, &said, Seq(3), Seen::UpTo(Seq(1)));
    assert!(record.is_live() && record.open_conflicts().is_empty());
}

#[test]
fn an_edit_in_view_of_the_conflict_changes_what_is_shown_and_closes_nothing() {
    let mut record = beginning();
    apply(&mut record, &edit(0, 1, "place", 0, 1), Seq(2), Seen::UpTo(Seq(1)));
    apply(&mut record, &edit(1, 1, "place", 0, 2), Seq(3), Seen::UpTo(Seq(1)));
    assert_eq!(apply(&mut record, &edit(2, 1, "place", 1, 3), Seq(4), Seen::UpTo(Seq(3))), [PathOutcome::Conflict]);
    let cell = &record.cells[&Path::field("place")];
    assert_eq!(cell.shown(), &json!(3));
    assert!(cell.contest.is_some() && cell.claims.iter().any(|claim| claim.value == json!(2)));
}

#[test]
fn a_resolution_closes_what_was_seen_and_leaves_open_what_was_not() {
    let mut record = beginning();
    let said = [edit(0, 1, "place", 0, 1), edit(1, 1, "place", 0, 2), edit(2, 1, "place", 0, 3)];
    for (v, one) in (2..).zip(&said) {
        apply(&mut record, one, Seq(v), Seen::UpTo(Seq(1)));
    }
    let path = Path::field("place");
    let before = record.open_conflicts()[0].id;
    let seen = BTreeSet::from([submission(&said[0]), submission(&said[1])]);
    let decision = SubmissionId::new(uuid(77));
    assert!(!merge::resolve(&mut record, &path, decision, Seq(5), Resolution { value: json!(2), seen }));
    let open = record.open_conflicts();
    assert!(open.len() == 1 && open[0].id != before, "what had not been seen is a question of its own");
    let seen = BTreeSet::from([decision, submission(&said[2])]);
    assert!(merge::resolve(
        &mut record,
        &path,
        SubmissionId::new(uuid(78)),
        Seq(6),
        Resolution { value: json!(2), seen }
    ));
    assert!(record.open_conflicts().is_empty());
}

#[test]
fn edit_beside_delete_ends_live_and_flagged_in_either_order() {
    let delete = delete(1, 1);
    for order in [[edit(0, 1, "place", 0, 1), delete.clone()], [delete.clone(), edit(0, 1, "place", 0, 1)]] {
        let record = run(&order);
        assert!(record.is_live());
        assert_eq!(record.open_conflicts()[0].path, Path::record());
    }
    let mut seen = run(&[delete]);
    assert!(!seen.is_live());
    apply(&mut seen, &edit(0, 1, "place", 0, 1), Seq(9), Seen::UpTo(Seq(8)));
    assert!(seen.is_live() && seen.open_conflicts().is_empty(), "who had seen the delete revives it unflagged");
}

#[test]
fn a_question_asked_anew_is_another_one_and_tidying_up_a_withdrawn_record_leaves_it_withdrawn() {
    let mut record = beginning();
    apply(&mut record, &edit(0, 1, "place", 0, 1), Seq(2), Seen::UpTo(Seq(1)));
    apply(&mut record, &edit(1, 1, "place", 0, 2), Seq(3), Seen::UpTo(Seq(1)));
    let first = record.open_conflicts()[0].id;
    apply(&mut record, &delete(2, 1), Seq(4), Seen::UpTo(Seq(3)));
    assert!(!record.is_live());
    let resolution = Resolution { value: json!(2), seen: BTreeSet::from([SubmissionId::new(uuid(0))]) };
    let path = Path::field("place");
    merge::resolve(&mut record, &path, SubmissionId::new(uuid(77)), Seq(5), resolution);
    assert!(!record.is_live(), "a decision about a field is none about the record");
    let anew = Author {
        submission: SubmissionId::new(uuid(78)),
        device: DeviceId::new(uuid(5)),
        n: 1,
        seen: Seen::UpTo(Seq(5)),
        after: Vec::new(),
    };
    merge::begin_anew(&mut record, &anew);
    for (v, (device, to)) in (6..).zip([(6, 7_u8), (7, 8)]) {
        let change = PathChange { path: path.clone(), from: Value::Null, to: json!(to) };
        let said = Said { device, n: 1, after: Vec::new(), change: Some(change) };
        apply(&mut record, &said, Seq(v), Seen::UpTo(Seq(5)));
    }
    let open = record.open_conflicts();
    assert!(record.is_live() && open.len() == 1 && open[0].id != first, "{open:?}");
}
