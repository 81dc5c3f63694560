//! Properties 1, 3, 5, 6, 7 and 9 of the sync design, over random schedules of phones, on real databases. (4 and 6 of
//! the merge alone stand in `muong-domain`.) Here the use cases are driven directly, so that thousands of pushes fit; what
//! has to be asked over HTTP stands in modules of its own. A schedule that failed is lived through again with the seed that
//! it names, in `PROPTEST_RNG_SEED`.

mod between_pages;
mod own_chains;

use muong_domain::id::{DeviceId, Seq, SubmissionId, UserId};
use muong_server::clock::{Clock, Entropy};
use muong_server::config::Limits;
use muong_server::reference::ReferenceCache;
use muong_server::usecases::push::outcome::{ItemResult, Status};
use muong_server::usecases::push::said::{Origin, Said};
use muong_server::usecases::push::{Prepared, Turn, push_submissions, reference_now};
use muong_server::usecases::replay_log::replay_log;
use muong_store::{
    Database, DatabaseUrl, Outcome, Writer, WriterOptions, establish_epoch, grants, log, migrate, seal, state_hash,
};
use muong_tests::Submission;
use muong_tests::builders::{self, MEETING, begin_numbering, meeting};
use muong_tests::database::{Backend, TestDatabase, astray_in_feed};
use muong_tests::province::{self, COMMUNE, HUOI_SANG, OFFICER, PHIENG_SANG, SECRETARY, found, user_id};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, RngSeed, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// A store without a server in front of it.
struct Store {
    database: Database,
    writer: Writer,
    cache: Arc<ReferenceCache>,
    kept: TestDatabase,
}

impl Store {
    fn open(kept: TestDatabase) -> Self {
        let url = DatabaseUrl::parse(kept.url()).expect("an address");
        let mut conn = url.open().expect("a database");
        migrate(&mut conn).expect("migrations");
        let now = "2026-03-09T02:11:00Z".parse().expect("an instant");
        establish_epoch(&mut conn, Entropy::System.uuid(now), now).expect("an epoch");
        let clock = Clock::Fixed(now);
        let vault = province::vault();
        let (writer, _thread) = Writer::start(
            url.clone(),
            vault.clone(),
            Arc::default(),
            WriterOptions::default(),
            Arc::new(move || clock.now()),
        )
        .expect("a writer");
        province::commit::<_, ()>(&writer, |tx| seal::establish(tx).map(Outcome::Commit));
        let database = Database::open(url, Some(vault), 2).expect("readers");
        Self { database, writer, cache: Arc::new(ReferenceCache::default()), kept }
    }

    fn province(backend: Backend) -> Self {
        Self::open(TestDatabase::fresh(backend, found))
    }

    fn hash(&self) -> [u8; 32] {
        self.database.read(|snapshot| state_hash(snapshot)).expect("a hash")
    }

    fn assert_log_is_dense(&self) {
        assert_eq!(
            self.database.read(|snapshot| log::first_break(snapshot)).expect("a log"),
            None,
            "the log has a gap or a false link"
        );
    }

    fn assert_feed_is_in_order(&self) {
        assert_eq!(astray_in_feed(&mut self.kept.connect()), 0, "rows of the feed are astray");
    }

    /// How many entries of the log record what a phone said.
    fn entries_of_submissions(&self) -> usize {
        let entries = self.database.read(|snapshot| log::page(snapshot, Seq::ZERO, 10_000)).expect("a log");
        entries.iter().filter(|entry| entry.kind() == "submission").count()
    }

    fn push(&self, phone: usize, submissions: &[Submission]) -> Vec<ItemResult> {
        let (login, device) = PHONES[phone % PHONES.len()];
        let device = Uuid::from_u128(device + ANOTHER_DEVICE * (phone / PHONES.len()) as u128);
        let user = UserId::new(user_id(login));
        let origin = Origin { user, device: DeviceId::new(device), client: None, sent_at: None };
        let reference = reference_now(&self.database, &self.cache).expect("reference data");
        let read = |s: &Submission| Said::read(s.json().to_string().as_bytes(), &Limits::default());
        let now = "2026-03-09T02:11:00Z".parse().expect("an instant");
        let mut prepared = Prepared::new(origin, submissions.iter().map(read).collect(), &reference, now);
        let cache = Arc::clone(&self.cache);
        let pushed = self.writer.write(submissions.len(), move |tx| {
            let actor = Arc::new(grants::actor(tx, user)?);
            push_submissions(tx, &cache, Turn { actor, push: &mut prepared })
        });
        match pushed.expect("the store") {
            Outcome::Commit(pushed) => pushed.results,
            Outcome::Refuse(refusal) => panic!("a whole push was refused: {refusal:?}"),
        }
    }
}

/// Who has a phone, and its device. One that goes on as another device is counted once more, after all of them.
const PHONES: [(&str, u128); 3] = [(SECRETARY, 0xa1), (OFFICER, 0xa2), (COMMUNE, 0xa3)];
/// From a device of a phone to its next.
const ANOTHER_DEVICE: u128 = 0x100;

/// What somebody does on a phone that never hears anything of the server.
#[derive(Clone, Debug)]
enum Deed {
    /// Reports the meeting of a month.
    Create { month: u8, present: u8, sums_up: bool },
    /// Changes who was there, at one of the own meetings.
    Roll { which: usize, present: u8 },
    /// Changes where it was.
    Place { which: usize, place: u8 },
    /// Withdraws one of the own meetings.
    Delete { which: usize },
    /// Reports for a branch that is not theirs.
    Trespass,
}

fn deed() -> impl Strategy<Value = (usize, Deed)> {
    let deed = prop_oneof![
        4 => (1_u8..4, 5_u8..12, prop::bool::weighted(0.85))
            .prop_map(|(month, present, sums_up)| Deed::Create { month, present, sums_up }),
        3 => (0_usize..4, 5_u8..12).prop_map(|(which, present)| Deed::Roll { which, present }),
        3 => (0_usize..4, 0_u8..3).prop_map(|(which, place)| Deed::Place { which, place }),
        1 => (0_usize..4).prop_map(|which| Deed::Delete { which }),
        1 => Just(Deed::Trespass),
    ];
    (0..PHONES.len(), deed)
}

fn schedule() -> impl Strategy<Value = Vec<(usize, Deed)>> {
    prop::collection::vec(deed(), 4..24)
}

/// A meeting as its phone remembers it.
struct Remembered {
    record: Uuid,
    roll: Value,
    place: Value,
}

#[derive(Default)]
struct Phone {
    n: i64,
    own: Vec<Remembered>,
}

fn roll(present: u8, sums_up: bool) -> Value {
    let mut roll = json!(builders::roll());
    roll["present"] = json!(present);
    roll["excused"] = json!(12 - present + u8::from(!sums_up));
    roll
}

/// The schedule as submissions, each with the phone that says it.
fn say(schedule: &[(usize, Deed)]) -> Vec<(usize, Submission)> {
    begin_numbering();
    let mut phones: Vec<Phone> = PHONES.iter().map(|_| Phone::default()).collect();
    let mut said = Vec::new();
    for (at, deed) in schedule {
        let phone = &mut phones[*at];
        if let Some(draft) = phone.act(deed) {
            phone.n += 1;
            said.push((*at, draft.with("n", phone.n)));
        }
    }
    said
}

impl Phone {
    fn act(&mut self, deed: &Deed) -> Option<Submission> {
        let count = self.own.len();
        let own = |which: usize| (count > 0).then(|| which % count);
        match *deed {
            Deed::Trespass => Some(meeting(PHIENG_SANG)),
            Deed::Create { month, present, sums_up } => {
                let roll = roll(present, sums_up);
                let mut draft = meeting(HUOI_SANG)
                    .to("period", format!("2026-0{month}"))
                    .to("held_on", format!("2026-0{month}-05"));
                for (field, value) in builders::object(roll.clone()) {
                    draft = draft.to(&field, value);
                }
                self.own.push(Remembered { record: draft.record(), roll, place: Value::Null });
                Some(draft)
            }
            Deed::Roll { which, present } => {
                let meeting = &mut self.own[own(which)?];
                let next = roll(present, true);
                let mut draft = edit(meeting.record);
                for (field, to) in builders::object(next.clone()) {
                    draft = draft.changes(&field, meeting.roll[&field].clone(), to);
                }
                meeting.roll = next;
                Some(draft)
            }
            Deed::Place { which, place } => {
                let meeting = &mut self.own[own(which)?];
                let to = json!(format!("Nhà văn hóa {place}"));
                let draft = edit(meeting.record).changes("place", meeting.place.clone(), to.clone());
                meeting.place = to;
                Some(draft)
            }
            Deed::Delete { which } => {
                let meeting = self.own.remove(own(which)?);
                Some(Submission::delete(meeting.record, HUOI_SANG).with("base", json!({"v": null})))
            }
        }
    }
}

fn edit(record: Uuid) -> Submission {
    Submission::edit(MEETING, record, HUOI_SANG).with("base", json!({"v": null}))
}

/// What phones do, and after how much of it each goes on as another device: it had been cloned.
type Lives = (Vec<(usize, Deed)>, Vec<usize>);

fn lives() -> impl Strategy<Value = Lives> {
    (schedule(), prop::collection::vec(1_usize..12, PHONES.len()))
}

/// What is said in such lives. Whoever says more of a record names what that builds on, whichever device it was on.
fn said_in((schedule, forks): &Lives) -> Vec<(usize, Submission)> {
    let (mut counts, mut last) = ([0_usize; PHONES.len()], BTreeMap::new());
    let number = |(phone, mut draft): (usize, Submission)| {
        if let Some(earlier) = last.insert((phone, draft.record()), draft.id()) {
            draft = draft.with("base", json!({"v": null, "after": earlier}));
        }
        let count = counts[phone];
        counts[phone] += 1;
        match count.checked_sub(forks[phone]) {
            None => (phone, draft.with("n", count + 1)),
            Some(since) => (phone + PHONES.len(), draft.with("n", since + 1)),
        }
    };
    say(schedule).into_iter().map(number).collect()
}

/// Pushes in the order said, neighbours of one phone together when `batched`.
fn deliver(store: &Store, said: &[(usize, Submission)], batched: bool) -> Vec<ItemResult> {
    let mut results = Vec::new();
    let mut rest = said;
    while let Some((phone, _)) = rest.first() {
        let together = if batched { rest.iter().take_while(|(other, _)| other == phone).count() } else { 1 };
        let (batch, later) = rest.split_at(together);
        let batch: Vec<Submission> = batch.iter().map(|(_, submission)| submission.clone()).collect();
        results.extend(store.push(*phone, &batch));
        rest = later;
    }
    results
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() }
}

/// Other cases each time, unless a seed is named; which one it was is told when it fails.
fn holds<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = config(cases);
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(chance()),
        named => named,
    };
    runs(TestRunner::new(ProptestConfig { rng_seed, ..config }), strategy, property);
}

fn runs<S: Strategy>(mut runner: TestRunner, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seed = runner.config().rng_seed;
    runner.run(strategy, property).unwrap_or_else(|failure| panic!("PROPTEST_RNG_SEED={seed}: {failure}"));
}

fn chance() -> u64 {
    Entropy::System.uuid(chrono::DateTime::UNIX_EPOCH).as_u64_pair().1
}

/// What was answered to each submission that was recorded. It is answered so for ever, and recorded once.
#[derive(Default)]
struct Heard(BTreeMap<SubmissionId, (Status, Seq)>);

impl Heard {
    fn hears(&mut self, result: &ItemResult) -> Result<(), TestCaseError> {
        match result {
            ItemResult::Recorded(recorded) => {
                let before = self.0.insert(recorded.id, (recorded.status, recorded.v));
                prop_assert_eq!(before, None, "recorded again: {:?}", recorded);
            }
            ItemResult::Duplicate(recorded, _) => {
                prop_assert_eq!(self.0.get(&recorded.id).copied(), Some((recorded.status, recorded.v)));
            }
            ItemResult::Erased(id) => return Err(TestCaseError::fail(format!("{id} was about nobody who is erased"))),
            ItemResult::Deferred { .. } => {}
        }
        Ok(())
    }
}

/// What arrives first: some of it, in whatever order, some of it twice. The rest is lost on the way, and so is every answer.
fn arrivals() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..24)
}

fn properties_1_3_and_5_hold(backend: Backend, cases: u32) {
    holds(cases, &(lives(), arrivals()), |(lives, arrivals)| {
        let (store, said) = (Store::province(backend), said_in(&lives));
        let mut heard = Heard::default();
        // 3: of what is sent first nobody learns what has become of it; so everything is sent, in order.
        for at in arrivals.iter().filter(|_| !said.is_empty()) {
            let (phone, submission) = at.get(&said);
            store.push(*phone, std::slice::from_ref(submission)).iter().try_for_each(|result| heard.hears(result))?;
        }
        deliver(&store, &said, true).iter().try_for_each(|result| heard.hears(result))?;
        store.assert_log_is_dense();
        store.assert_feed_is_in_order();
        let hash = store.hash();
        // These replies were lost as well; everything comes again, one by one, the last first.
        let again: Vec<(usize, Submission)> = said.iter().rev().cloned().collect();
        for result in deliver(&store, &again, false) {
            heard.hears(&result)?;
            let is_known = !matches!(result, ItemResult::Recorded(_));
            prop_assert!(is_known, "pushed again: {result:?}");
        }
        prop_assert_eq!(store.hash(), hash, "pushing again changed something");
        prop_assert_eq!(store.entries_of_submissions(), heard.0.len(), "each is in the log once");
        // 5: the log alone rebuilds the same store, down to the last hash of its chain.
        let other = Store::open(TestDatabase::empty(backend));
        replay_log(&store.database, &other.writer, &Limits::default()).expect("a replay");
        prop_assert_eq!(other.hash(), hash, "the replay made another store");
        let chain = |store: &Store| store.database.read(|snapshot| Ok(snapshot.head()?.chain)).expect("a head");
        prop_assert_eq!(chain(&other), chain(&store));
        Ok(())
    });
}

#[test]
fn sqlite_properties_1_3_and_5_a_dense_log_idempotent_pushes_and_a_replay_that_rebuilds_the_store() {
    properties_1_3_and_5_hold(Backend::Sqlite, 24);
}

#[test]
fn postgres_properties_1_3_and_5_a_dense_log_idempotent_pushes_and_a_replay_that_rebuilds_the_store() {
    properties_1_3_and_5_hold(Backend::Postgres, 12);
}

#[test]
fn properties_7_and_9_neither_splitting_a_batch_nor_the_database_changes_anything() {
    holds(12, &lives(), |lives| {
        let (said, first) = (said_in(&lives), Store::province(Backend::Sqlite));
        let results = deliver(&first, &said, true);
        let others = [(Backend::Sqlite, false), (Backend::Postgres, true), (Backend::Postgres, false)];
        for (backend, batched) in others {
            let other = Store::province(backend);
            prop_assert_eq!(&deliver(&other, &said, batched), &results, "on {:?}, batched {}", backend, batched);
            prop_assert_eq!(other.hash(), first.hash(), "on {:?}, batched {}", backend, batched);
        }
        Ok(())
    });
}

/// For each meeting that is told of: what is claimed by path, without regard to what is shown and to names.
fn claims(store: &Store, months: &[&str]) -> BTreeMap<String, Value> {
    let unit = muong_domain::id::UnitId::new(HUOI_SANG);
    let key = |month: &&str| format!("{MEETING}|{unit}|period=\"{month}\"|type=\"regular\"|sitting=1");
    let keys: Vec<String> = months.iter().map(key).collect();
    let found = store.database.read(|s| muong_store::records::by_keys(s, &keys)).expect("records");
    let told = |stored: muong_store::records::StoredRecord| {
        let cells: BTreeMap<String, (std::collections::BTreeSet<String>, bool)> = (stored.record.cells.iter())
            .map(|(path, cell)| {
                let values = cell.claims.iter().map(|claim| claim.value.to_string()).collect();
                (path.to_string(), (values, cell.contest.is_some()))
            })
            .collect();
        let flags: Vec<String> = stored.record.questions.keys().map(ToString::to_string).collect();
        (stored.natural_key.unwrap_or_default(), json!({"cells": cells, "live": stored.live, "flags": flags}))
    };
    found.into_iter().map(told).collect()
}

fn property_6_holds(backend: Backend, cases: u32) {
    holds(cases, &lives(), |lives| {
        let said = said_in(&lives);
        let mut by_phone = said.clone();
        by_phone.sort_by_key(|(phone, _)| std::cmp::Reverse(*phone % PHONES.len()));
        let (one, other) = (Store::province(backend), Store::province(backend));
        deliver(&one, &said, true);
        deliver(&other, &by_phone, true);
        let months = ["2026-01", "2026-02", "2026-03"];
        prop_assert_eq!(claims(&one, &months), claims(&other, &months));
        Ok(())
    });
}

#[test]
fn sqlite_property_6_the_order_in_which_phones_are_heard_changes_neither_claims_nor_flags() {
    property_6_holds(Backend::Sqlite, 24);
}

#[test]
fn postgres_property_6_the_order_in_which_phones_are_heard_changes_neither_claims_nor_flags() {
    property_6_holds(Backend::Postgres, 8);
}

// --- rows that one removes and another edits --------------------------------------------------------------------

/// What somebody does with a row of a meeting that all have seen.
#[derive(Clone, Copy, Debug)]
enum RowDeed {
    /// Makes it, unless it is there.
    Add,
    /// Lets all of it go.
    Remove,
    /// Says how far it is.
    Status(usize),
    /// Says whose it is; nobody's, for none.
    Addressee(Option<usize>),
}

const STATUS: [&str; 3] = ["open", "answered", "closed"];
const ADDRESSEE: [&str; 2] = ["branch", "village"];

type Row = BTreeMap<&'static str, Value>;

impl RowDeed {
    fn after(self, row: &Row) -> Row {
        let mut after = row.clone();
        match self {
            Self::Add if row.is_empty() => {
                after = Row::from([("number", json!(1)), ("category", json!("land")), ("status", json!("open"))]);
            }
            Self::Remove => after.clear(),
            Self::Status(to) if !row.is_empty() => drop(after.insert("status", json!(STATUS[to]))),
            Self::Addressee(Some(to)) if !row.is_empty() => drop(after.insert("addressee", json!(ADDRESSEE[to]))),
            Self::Addressee(None) => drop(after.remove("addressee")),
            Self::Add | Self::Status(_) | Self::Addressee(Some(_)) => {}
        }
        after
    }
}

/// By phone: which of two rows, and what.
fn row_schedule() -> impl Strategy<Value = Vec<(usize, usize, RowDeed)>> {
    let deed = prop_oneof![
        1 => Just(RowDeed::Add),
        3 => Just(RowDeed::Remove),
        2 => (0..STATUS.len()).prop_map(RowDeed::Status),
        2 => prop::option::weighted(0.8, 0..ADDRESSEE.len()).prop_map(RowDeed::Addressee),
    ];
    prop::collection::vec((0..PHONES.len(), 0_usize..2, deed), 2..9)
}

fn change_row(draft: Submission, key: &str, before: &Row, after: &Row) -> Submission {
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let value = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
    (names.into_iter()).fold(draft, |draft, name| {
        let (from, to) = (value(before, name), value(after, name));
        if from == to { draft } else { draft.item_changes("issues", key, name, from, to) }
    })
}

/// What the phones say of a meeting whose rows they have all seen, each in view of what it has said itself.
fn say_of_rows(schedule: &[(usize, usize, RowDeed)]) -> (Submission, Vec<(usize, Submission)>) {
    begin_numbering();
    let keys = [muong_tests::id().to_string(), muong_tests::id().to_string()];
    let first = RowDeed::Add.after(&Row::new());
    let report = keys.iter().fold(meeting(HUOI_SANG), |draft, key| change_row(draft, key, &Row::new(), &first));
    let mut phones = vec![[first.clone(), first]; PHONES.len()];
    let mut said = Vec::new();
    for (n, (phone, which, deed)) in (2..).zip(schedule) {
        let row = &mut phones[*phone][*which];
        let after = deed.after(row);
        if after != *row {
            said.push((*phone, change_row(edit(report.record()).with("n", n), &keys[*which], row, &after)));
        }
        *row = after;
    }
    (report.with("n", 1), said)
}

fn property_6_holds_of_rows(backend: Backend, cases: u32) {
    holds(cases, &(row_schedule(), 0..PHONES.len()), |(schedule, first)| {
        let (report, said) = say_of_rows(&schedule);
        let mut by_phone = said.clone();
        by_phone.sort_by_key(|(phone, _)| (phone + first) % PHONES.len());
        let heard = |said: &[(usize, Submission)]| {
            let store = Store::province(backend);
            store.push(0, std::slice::from_ref(&report));
            let head = store.database.read(|read| read.head()).expect("a head");
            let base = json!({"epoch": head.epoch, "v": head.seq});
            for (phone, submission) in said {
                let result = store.push(*phone, &[submission.clone().with("base", base.clone())]).remove(0);
                let ItemResult::Recorded(recorded) = &result else { panic!("{result:?}") };
                assert!(recorded.errors.is_empty(), "each is right in its author's view: {recorded:?}");
            }
            claims(&store, &["2026-03"])
        };
        prop_assert_eq!(heard(&said), heard(&by_phone));
        Ok(())
    });
}

#[test]
fn sqlite_property_6_whoever_is_heard_first_of_those_who_edit_and_remove_rows_changes_neither_claims_nor_flags() {
    property_6_holds_of_rows(Backend::Sqlite, 48);
}

#[test]
fn postgres_property_6_whoever_is_heard_first_of_those_who_edit_and_remove_rows_changes_neither_claims_nor_flags() {
    property_6_holds_of_rows(Backend::Postgres, 12);
}

// --- a restore in between ------------------------------------------------------------------------------------

/// Some edits are of somebody who has just pulled: they change what stands, and say that they have seen it. (Withdrawals are
/// not: whether one had seen what another phone has yet to send again nobody can tell, so it is put before a reviewer.)
fn deliver_seeing(store: &Store, said: &mut [(usize, Submission)], pulled: &[bool]) {
    for ((phone, submission), pulled) in said.iter_mut().zip(pulled.iter().cycle()) {
        if *pulled && submission.json()["kind"] == "edit" {
            *submission = seeing(store, submission.clone());
        }
        store.push(*phone, std::slice::from_ref(submission));
    }
}

fn seeing(store: &Store, mut edit: Submission) -> Submission {
    let id = muong_domain::id::RecordId::new(edit.record());
    let (head, shown) = store
        .database
        .read(|read| {
            let alias = muong_store::names::aliases(read, &[id])?.pop().map_or(id, |(_, _, record)| record);
            let stored = muong_store::records::by_ids(read, &[alias])?.pop();
            let cells = stored.map(|stored| stored.record.cells);
            let shown = |path: &str| {
                let path = muong_domain::record::Path::field(path);
                Some(cells.as_ref()?.get(&path).map_or(Value::Null, |cell| cell.shown().clone()))
            };
            Ok((read.head()?, (shown("place"), shown("roll"))))
        })
        .expect("a record");
    let (Some(place), Some(roll)) = shown else { return edit };
    let fields: Vec<String> = edit.json()["set"].as_object().expect("fields").keys().cloned().collect();
    for field in fields {
        let to = edit.json()["set"][&field]["to"].clone();
        let from = if field == "place" { place.clone() } else { roll[&field].clone() };
        edit = edit.changes(&field, from, to);
    }
    edit.with("base", json!({"epoch": head.epoch, "v": head.seq}))
}

/// Takes a backup of a store and restores it into an empty database of either kind.
fn restored(store: &Store, lines: &[u8], backend: Backend) -> Store {
    let kept = TestDatabase::empty(backend);
    let url = DatabaseUrl::parse(kept.url()).expect("an address");
    migrate(&mut url.open().expect("a database")).expect("migrations");
    let now = "2026-03-10T02:11:00Z".parse().expect("an instant");
    let target = muong_store::backup::Target { url: &url, vault: province::vault(), replace: false, now };
    muong_store::backup::restore(&target, lines, seal::establish).expect("it is restored");
    let again = Store::open(kept);
    let heads = [store, &again].map(|store| store.database.read(|read| read.head()).expect("a head"));
    assert_ne!(heads[0].epoch, heads[1].epoch);
    again
}

/// Every phone sends all of it again, phone by phone, until nothing waits for another's; then it gives up waiting.
fn send_again(store: &Store, said: &[(usize, Submission)], first: usize) {
    let phones = (0..PHONES.len()).map(|at| (at + first) % PHONES.len());
    let order: Vec<usize> = phones.chain(0..PHONES.len()).chain(0..PHONES.len()).collect();
    for phone in order {
        for (_, submission) in said.iter().filter(|(other, _)| *other == phone) {
            store.push(phone, std::slice::from_ref(submission));
        }
    }
    for (phone, submission) in said {
        store.push(*phone, &[submission.clone().with("after_lost", true)]);
    }
}

/// What must be the same: claims and flags by meeting, and what waits by its submission. Which of two ids a meeting that two
/// phones created at once is known by is the first's to say, and may be another one.
fn told(store: &Store, backend: Backend) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let all = muong_tests::said::what_was_said(&store.database, backend);
    let waits = all.into_iter().filter(|(key, _)| key.starts_with("quarantine")).collect();
    (claims(store, &["2026-01", "2026-02", "2026-03"]), waits)
}

/// Without what brings an earlier value back (a, b, a): of whom one does not know what they had seen, that counts as seen, so
/// after a restore a question may be closed that was open (a known limit).
fn without_returns(schedule: Vec<(usize, Deed)>) -> Vec<(usize, Deed)> {
    let (mut rolls, mut places, mut changed) = (BTreeSet::new(), BTreeSet::new(), false);
    let is_new = |(_, deed): &(usize, Deed)| match deed {
        Deed::Create { present, .. } => rolls.insert(*present) || !changed,
        Deed::Roll { present, .. } => {
            changed = true;
            rolls.insert(*present)
        }
        Deed::Place { place, .. } => places.insert(*place),
        Deed::Delete { .. } | Deed::Trespass => true,
    };
    schedule.into_iter().filter(is_new).collect()
}

/// Whether a restored store holds all that the one before it held, and at most asks a reviewer more. Who had seen what was
/// lost is known again only when that has been sent: until then a withdrawal, or a change, may meet what its author had seen
/// and looks like one who had not (a known limit). Nothing may be missing, and no question closed.
fn asks_at_most_more(after: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>) -> Result<(), String> {
    let among = |part: &Value, whole: &Value| match (part.as_array(), whole.as_array()) {
        (Some(part), Some(whole)) => part.iter().all(|item| whole.contains(item)),
        _ => false,
    };
    let flagged = json!("$record");
    for (meeting, was) in before {
        let is = after.get(meeting).ok_or_else(|| format!("{meeting} is gone"))?;
        for (path, was) in was["cells"].as_object().expect("cells") {
            let is = &is["cells"][path];
            if !among(&was[0], &is[0]) || (was[1] == true && is[1] != true) {
                return Err(format!("{meeting} {path}: was {was}, is {is}"));
            }
        }
        let returned = is["live"] == true && is["flags"].as_array().is_some_and(|flags| flags.contains(&flagged));
        if !among(&was["flags"], &is["flags"]) || (was["live"] != is["live"] && !returned) {
            return Err(format!("{meeting}: was {was}, is {is}"));
        }
    }
    if after.len() == before.len() { Ok(()) } else { Err(format!("there is more: {after:?}")) }
}

fn a_restore_loses_nothing_that_phones_sent(backend: Backend, cases: u32) {
    let strategy = (schedule(), 0.0..1.0_f64, 0..PHONES.len(), prop::collection::vec(prop::bool::ANY, 5));
    let property = |(schedule, at, first, pulled): (Vec<(usize, Deed)>, f64, usize, Vec<bool>)| {
        let store = Store::province(backend);
        let mut said = say(&without_returns(schedule));
        let mut lines = Vec::new();
        let point = (said.len() as f64 * at) as usize;
        deliver_seeing(&store, &mut said[..point], &pulled);
        store
            .database
            .read(|read| {
                lines.clear();
                muong_store::backup::write(read, &mut lines)
            })
            .expect("a backup");
        muong_store::backup::check(lines.as_slice()).expect("it is whole");
        deliver_seeing(&store, &mut said[point..], &pulled);
        let again = restored(&store, &lines, backend);
        send_again(&again, &said, first);
        again.assert_log_is_dense();
        again.assert_feed_is_in_order();
        let (after, before) = (told(&again, backend), told(&store, backend));
        prop_assert_eq!(asks_at_most_more(&after.0, &before.0), Ok(()));
        prop_assert_eq!(after.1, before.1);
        let other = Store::open(TestDatabase::empty(backend));
        replay_log(&again.database, &other.writer, &Limits::default()).expect("a replay");
        prop_assert_eq!(other.hash(), again.hash(), "the replay made another store");
        Ok(())
    };
    // The same schedules each time, unless a seed is named: what a restore may ask more is bounded by what was seen of them.
    let config = config(cases);
    let runner = match config.rng_seed {
        RngSeed::Random => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        RngSeed::Fixed(_) => TestRunner::new(config),
    };
    runs(runner, &strategy, property);
}

#[test]
fn sqlite_what_phones_send_again_after_a_restore_is_all_there_and_at_most_asks_more() {
    a_restore_loses_nothing_that_phones_sent(Backend::Sqlite, 24);
}

#[test]
fn postgres_what_phones_send_again_after_a_restore_is_all_there_and_at_most_asks_more() {
    a_restore_loses_nothing_that_phones_sent(Backend::Postgres, 10);
}
