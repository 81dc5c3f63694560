//! Pull that waits: woken by what concerns it, whichever process wrote it, without holding a connection meanwhile.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::number;
use muong_tests::phone::kinds;
use muong_tests::province::{ADMIN, HUOI_SANG, NA_LONG, NEIGHBOUR, OFFICER, SECRETARY};
use muong_tests::socket::Socket;
use muong_tests::{Answer, Backend, Phone, Reporter, TestApp, eventually, on_both};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

on_both!(
    who_waits_is_woken_by_what_concerns_them_and_sleeps_through_the_rest,
    those_who_wait_hold_no_connection,
    a_session_that_ends_ends_its_wait,
    nobody_waits_for_a_client_who_has_gone,
    a_device_that_waits_too_often_at_once_is_asked_to_come_again_and_no_other_is,
    a_grant_that_ends_ends_a_wait_with_what_is_gone,
    a_wait_is_over_in_its_time_with_nothing_new,
    what_is_there_already_is_not_waited_for,
);
/// Those that need a server of their own.
mod configured {
    use super::{a_stop_ends_every_wait_at_once, more_than_may_wait_are_told_to_come_again};

    muong_tests::on_each!(more_than_may_wait_are_told_to_come_again, a_stop_ends_every_wait_at_once);
}

/// Long enough for any test; a wait that is not woken would be seen.
const LONG: u64 = 25;
/// Well before that.
const SOON: Duration = Duration::from_secs(15);

/// Pulls in a thread of its own and waits; the answer, and how long it took.
fn waits(who: &Reporter, cursor: Option<String>) -> JoinHandle<(Answer, Duration)> {
    let (client, body) = (who.client(), json!({"cursor": cursor, "wait_s": LONG}));
    spawn(move || {
        let begun = Instant::now();
        (client.post("/v1/sync/pull", &body), begun.elapsed())
    })
}

fn up_to_date(who: &Reporter) -> Phone {
    let mut phone = Phone::default();
    phone.pulls(who);
    phone
}

fn waiting(app: &TestApp, count: usize) {
    eventually("so many wait", || app.app().head.waiting().count() == count);
}

fn told(done: JoinHandle<(Answer, Duration)>) -> Value {
    let (answer, took) = done.join().expect("it answers");
    assert!(took < SOON, "it was not woken: {took:?}");
    answer.expect(200)
}

fn who_waits_is_woken_by_what_concerns_them_and_sleeps_through_the_rest(app: &TestApp) {
    let (secretary, officer, neighbour) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(NEIGHBOUR));
    let (hers, his) = (up_to_date(&secretary), up_to_date(&neighbour));
    let (woken, asleep) = (waits(&secretary, hers.cursor()), waits(&neighbour, his.cursor()));
    waiting(app, 2);
    officer.reports_as("accepted", meeting(HUOI_SANG));
    let page = told(woken);
    assert_eq!(kinds(page["messages"].as_array().expect("messages")), [MEETING]);
    assert_eq!(app.app().head.waiting().count(), 1, "whom it does not concern waits on");
    secretary.reports_as("forbidden", meeting(NA_LONG));
    neighbour.reports_as("accepted", meeting(NA_LONG));
    assert_eq!(kinds(told(asleep)["messages"].as_array().expect("messages")), [MEETING]);
}

fn those_who_wait_hold_no_connection(app: &TestApp) {
    let people = [SECRETARY, OFFICER, NEIGHBOUR].map(|login| app.sign_in(login));
    let cursors = people.each_ref().map(|who| up_to_date(who).cursor());
    let all: Vec<_> = (0..4).flat_map(|_| people.iter().zip(&cursors)).map(|(who, c)| waits(who, c.clone())).collect();
    waiting(app, all.len());
    let readers = app.app().database.readers();
    assert!(all.len() > usize::try_from(readers).expect("few"), "more wait than there are connections");
    let (pool, reads) = (|| app.app().database.pool().in_use, || app.app().capacity.reads.waiting());
    eventually("every connection is free, and nobody waits for one", || (pool(), reads()) == (0, 0));
    people[0].read("/v1/records");
    people[0].reports_as("accepted", meeting(HUOI_SANG));
    people[2].reports_as("accepted", meeting(NA_LONG));
    all.into_iter().for_each(|done| assert_eq!(told(done)["messages"].as_array().map(Vec::len), Some(1)));
    waiting(app, 0);
}

fn a_session_that_ends_ends_its_wait(app: &TestApp) {
    let (secretary, other) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let phone = up_to_date(&secretary);
    let done = waits(&secretary, phone.cursor());
    waiting(app, 1);
    other.delete(&format!("/v1/devices/{}", secretary.device));
    let (answer, took) = done.join().expect("it answers");
    assert!(took < SOON, "{took:?}");
    assert_eq!(answer.status, 401, "{answer:?}");
}

fn a_grant_that_ends_ends_a_wait_with_what_is_gone(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut phone = up_to_date(&secretary);
    let done = waits(&secretary, phone.cursor());
    waiting(app, 1);
    app.pass(TimeDelta::seconds(1));
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    phone.takes(&told(done));
    assert!(phone.of_kind("unit").is_empty());
    let done = waits(&secretary, phone.cursor());
    waiting(app, 1);
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    phone.takes(&told(done));
    assert!(phone.of_kind("unit").contains_key(&NA_LONG));
}

fn a_wait_is_over_in_its_time_with_nothing_new(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let phone = up_to_date(&secretary);
    let begun = Instant::now();
    let page = phone.asks(&secretary, &json!({"wait_s": 1}));
    assert!(begun.elapsed() >= Duration::from_secs(1) && begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    waiting(app, 0);
}

fn what_is_there_already_is_not_waited_for(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let begun = Instant::now();
    let page = Phone::default().asks(&secretary, &json!({"wait_s": LONG, "limit": 1}));
    assert_eq!(page["more"], true);
    assert!(begun.elapsed() < SOON);
    assert_eq!(app.app().head.waiting().count(), 0);
}

fn more_than_may_wait_are_told_to_come_again(backend: Backend) {
    let app = TestApp::start_with(backend, |config| config.http.waiting_pulls = 1);
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let (hers, his) = (up_to_date(&secretary), up_to_date(&neighbour));
    let done = waits(&secretary, hers.cursor());
    waiting(&app, 1);
    let asked = json!({"cursor": his.cursor(), "wait_s": LONG});
    let answer = neighbour.post("/v1/sync/pull", &asked);
    answer.problem(503, "server.busy");
    assert_eq!(answer.header("retry-after"), "1");
    his.asks(&neighbour, &json!({}));
    app.sign_in(OFFICER).reports_as("accepted", meeting(HUOI_SANG));
    told(done);
    waiting(&app, 0);
}

fn a_stop_ends_every_wait_at_once(backend: Backend) {
    let mut app = TestApp::start_with(backend, |config| config.workers = NonZeroUsize::MIN);
    let secretary = app.sign_in(SECRETARY);
    let phone = up_to_date(&secretary);
    let done = waits(&secretary, phone.cursor());
    waiting(&app, 1);
    app.ask_to_stop();
    assert_eq!(told(done)["messages"], json!([]), "it is answered, with nothing new");
}

#[test]
fn who_waits_is_woken_by_what_another_process_writes() {
    let app = TestApp::start(Backend::Postgres);
    let beside = app.beside();
    let (secretary, officer) = (app.sign_in(SECRETARY), beside.sign_in(OFFICER));
    let mut phone = up_to_date(&secretary);
    let done = waits(&secretary, phone.cursor());
    waiting(&app, 1);
    let v = number(&officer.reports_as("accepted", meeting(HUOI_SANG))["v"]);
    let page = told(done);
    phone.takes(&page);
    assert_eq!((phone.of_kind(MEETING).len(), number(&page["head"]) >= v), (1, true));
    // A cursor of one process is one of the other, and a grant that ends there is known here.
    let admin = beside.sign_in(ADMIN);
    let done = waits(&secretary, phone.cursor());
    waiting(&app, 1);
    let grant = phone.of_kind("grant").into_keys().next().expect("a grant");
    admin.post(&format!("/v1/grants/{grant}/end"), &json!({})).expect(200);
    phone.takes(&told(done));
    assert!(phone.records().is_empty());
    let other = secretary.at(beside.address()).post("/v1/sync/pull", &json!({"cursor": phone.cursor()})).expect(200);
    assert_eq!(other["messages"], json!([]));
    // What one process has written, the other can be asked to have reached.
    let v = number(
        &officer.reports_as("accepted", meeting(HUOI_SANG).to("period", "2026-01").to("held_on", "2026-01-05"))["v"],
    );
    assert!(number(&phone.asks(&secretary, &json!({"at_least": v}))["head"]) >= v);
}

fn a_device_that_waits_too_often_at_once_is_asked_to_come_again_and_no_other_is(app: &TestApp) {
    let (secretary, other) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let cursor = up_to_date(&secretary).cursor();
    let all: Vec<_> = (0..8).map(|_| waits(&secretary, cursor.clone())).collect();
    waiting(app, 8);
    let answer = secretary.post("/v1/sync/pull", &json!({"cursor": cursor, "wait_s": LONG}));
    answer.problem(429, "request.throttled");
    assert_eq!(answer.header("retry-after"), "5");
    secretary.post("/v1/sync/pull", &json!({"cursor": cursor})).expect(200);
    let elsewhere = waits(&other, cursor.clone());
    waiting(app, 9);
    other.reports_as("accepted", meeting(HUOI_SANG));
    for one in all.into_iter().chain([elsewhere]) {
        assert_eq!(kinds(told(one)["messages"].as_array().expect("messages")), [MEETING]);
    }
    told(waits(&secretary, cursor));
}

fn nobody_waits_for_a_client_who_has_gone(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let cursor = up_to_date(&secretary).cursor().expect("a cursor");
    let body = json!({"cursor": cursor, "wait_s": LONG}).to_string();
    let mut gone = Socket::connect(app);
    gone.send(format!(
        "POST /v1/sync/pull HTTP/1.1\r\nhost: muong\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        secretary.authorization(),
        body.len()
    ));
    waiting(app, 1);
    let begun = Instant::now();
    drop(gone);
    waiting(app, 0);
    assert!(begun.elapsed() < SOON, "its place was kept until the wait was over");
}
