//! What only tells that something is gone leaves the feed when it has told long enough; nothing else does.

use chrono::TimeDelta;
use muong_server::usecases::compact::compact;
use muong_tests::builders::{meeting, person};
use muong_tests::client::uuid;
use muong_tests::database::number;
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Submission, TestApp, on_both, rebuilds_the_same_store};
use uuid::Uuid;

on_both!(tombstones_go_when_they_are_old_enough_and_the_floor_rises_to_the_last_of_them,);

const DAYS: u32 = 30;

fn withdrawn(app: &TestApp, names: &[&str]) -> Vec<Uuid> {
    let secretary = app.sign_in(SECRETARY);
    let enter = |name: &&str| {
        let record = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "1980-04-12"))["record"]);
        let pushed = secretary.reports_as("accepted", Submission::delete(record, HUOI_SANG));
        assert_eq!(pushed["status"], "accepted");
        record
    };
    names.iter().map(enter).collect()
}

fn tombstones(app: &TestApp) -> i64 {
    number(&mut app.database().connect(), "SELECT count(*) AS n FROM feed WHERE NOT present")
}

fn rows(app: &TestApp) -> i64 {
    number(&mut app.database().connect(), "SELECT count(*) AS n FROM feed WHERE present")
}

fn floor(app: &TestApp) -> i64 {
    app.app().database.read(|read| Ok(read.head()?.floor.0)).expect("a head")
}

fn tombstones_go_when_they_are_old_enough_and_the_floor_rises_to_the_last_of_them(app: &TestApp) {
    withdrawn(app, &["Vừ A Một", "Vừ A Hai", "Vừ A Ba"]);
    let last = number(&mut app.database().connect(), "SELECT max(seq) AS n FROM feed WHERE NOT present");
    app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG));
    app.pass(TimeDelta::days(20));
    withdrawn(app, &["Vừ A Tư"]);
    let present = rows(app);
    assert_eq!(compact(&app.app().writer, DAYS).expect("it compacts"), 0, "none is old enough");
    assert_eq!((tombstones(app), floor(app)), (4, 0));
    app.pass(TimeDelta::days(11));
    assert_eq!(compact(&app.app().writer, DAYS).expect("it compacts"), 3);
    assert_eq!((tombstones(app), rows(app), floor(app)), (1, present, last));
    let head = app.app().database.read(|read| read.head()).expect("a head");
    assert_eq!(compact(&app.app().writer, DAYS).expect("it compacts"), 0);
    assert_eq!(app.app().database.read(|read| read.head()).expect("a head"), head, "nothing to do leaves nothing");
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "compacted"));
    app.pass(TimeDelta::days(20));
    assert_eq!(compact(&app.app().writer, DAYS).expect("it compacts"), 1);
    assert_eq!(tombstones(app), 0);
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "compacted twice"));
}
