//! Whole days of several phones and a reviewer, over HTTP: meetings, people, steps, cards, rows, keys that move, ids that are
//! taken, lost predecessors, corrections, conflicts decided, quarantine released and discarded. After each day properties 1,
//! 4, 5, 7 and 9 of the sync design must hold over the whole store. A day follows from its number alone.

mod day;
mod drafts;
mod kept;

use day::Day;
use muong_domain::id::RecordId;
use muong_store::{Database, DatabaseUrl};
use muong_tests::builders::person;
use muong_tests::client::uuid;
use muong_tests::province::{self, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::{Backend, Submission, TestApp, rebuilds_the_same_store};
use uuid::Uuid;

/// How much happens on a day.
const DEEDS: usize = 90;

/// Lives through a day, and proves the log dense, the replay equal and no value lost.
fn live(number: u64, backend: Backend, split: bool) -> Vec<String> {
    let app = TestApp::start(backend);
    let mut day = Day::new(&app, number, split);
    for _ in 0..DEEDS {
        day.deed();
    }
    let answers = day.close();
    let url = DatabaseUrl::parse(app.database().url()).expect("an address");
    let store = Database::open(url, Some(province::vault()), 2).expect("readers");
    rebuilds_the_same_store(&store, backend, &format!("day {number} on {backend:?}"));
    kept::nothing_is_lost(&store, number);
    answers
}

#[track_caller]
fn alike(number: u64, what: &str, one: &[String], other: &[String]) {
    for (at, (one, other)) in one.iter().zip(other).enumerate() {
        assert_eq!(one, other, "day {number}, answer {at}: {what}");
    }
    assert_eq!(one.len(), other.len(), "day {number}: {what}");
}

fn days(numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let sqlite = live(number, Backend::Sqlite, false);
        alike(number, "split", &live(number, Backend::Sqlite, true), &sqlite);
        alike(number, "on PostgreSQL", &live(number, Backend::Postgres, false), &sqlite);
    }
}

#[test]
fn some_days_are_the_same_in_one_batch_or_many_on_either_database_and_told_again_by_the_log() {
    days([1, 2]);
}

#[test]
fn another_day_is_the_same_in_one_batch_or_many_on_either_database_and_told_again_by_the_log() {
    // On it a record comes to show a key that is another's, though the change of the key was withheld.
    days([10]);
}

#[test]
fn a_delete_that_was_refused_for_its_author_is_not_applied_by_a_replay() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let app = TestApp::start(backend);
        let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
        let person = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
        // Without a form it is nobody's business what it is: to the officer the person does not exist.
        let delete = Submission::delete(uuid(&person["record"]), HUOI_SANG).with("after_lost", true);
        officer.reports_as("rejected", delete);
        let url = DatabaseUrl::parse(app.database().url()).expect("an address");
        let store = Database::open(url, Some(province::vault()), 2).expect("readers");
        rebuilds_the_same_store(&store, backend, "a delete that was refused");
    }
}

/// For a look at far more of them: `MUONG_TEST_DAYS=5..200 cargo test -p muong-tests -- --ignored days_beyond`.
#[test]
#[ignore = "takes as long as it is told to"]
fn days_beyond_those() {
    let range = std::env::var("MUONG_TEST_DAYS").unwrap_or_else(|_| "5..15".to_owned());
    let (from, to) = range.split_once("..").expect("from..to");
    days(from.parse().expect("a number")..to.parse().expect("a number"));
}

/// A record's id as the store knows it.
fn record_id(id: Uuid) -> RecordId {
    RecordId::new(id)
}
