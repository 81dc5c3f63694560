//! Many who hold one refresh token, at the same moment: no two of them go on. Each race is started by a barrier and judged
//! by what is left when it is over, whoever came first.

use muong_tests::client::text;
use muong_tests::province::SECRETARY;
use muong_tests::{Answer, Backend, Client, Reporter, TestApp, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

on_both!(
    of_many_who_present_one_token_at_most_one_goes_on,
    an_old_token_that_many_present_ends_the_session_once_and_for_all,
    a_refresh_that_races_with_signing_out_leaves_nothing_open,
    a_refresh_that_races_with_a_new_password_leaves_nothing_open_but_the_one_who_changed_it,
);

const RUNNERS: usize = 8;

/// All at once; their answers, in the order of the runners.
fn race(requests: Vec<(Client, &str, Value)>) -> Vec<Answer> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let runners: Vec<_> = requests
            .into_iter()
            .map(|(client, path, body)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    client.post(path, &body)
                })
            })
            .collect();
        runners.into_iter().map(|runner| runner.join().expect("it is answered")).collect()
    })
}

fn body(token: &str, reporter: &Reporter) -> Value {
    json!({"refresh_token": token, "device": reporter.device})
}

const REFRESH: &str = "/v1/auth/refresh";

/// Refreshed, or refused in one of the two ways there are.
#[track_caller]
fn settled(answer: &Answer) -> Option<Value> {
    if answer.status == 200 {
        return Some(answer.json());
    }
    let code = answer.json()["code"].clone();
    assert!(code == "auth.refresh_reused" || code == "auth.refresh_invalid", "{answer:?}");
    answer.problem(401, text(&code));
    None
}

/// One token from several places: each gets a next one, since a reply may have been lost; but when those come back, only
/// one can be the last, and the others are found out.
fn none_go_on_but_one(anonymous: &[Client], secretary: &Reporter) {
    let token = secretary.refresh_token();
    let clients = || anonymous.iter().cycle().take(RUNNERS).cloned();
    let first = race(clients().map(|client| (client, REFRESH, body(&token, secretary))).collect());
    let pairs: Vec<Value> = first.iter().filter_map(settled).collect();
    let next: BTreeSet<&str> = pairs.iter().map(|pair| text(&pair["refresh_token"])).collect();
    assert!(!pairs.is_empty() && next.len() == pairs.len(), "each got another one");
    let second = race(clients().zip(&next).map(|(client, token)| (client, REFRESH, body(token, secretary))).collect());
    let went_on: Vec<Value> = second.iter().filter_map(settled).collect();
    assert!(went_on.len() <= 1, "{} of {} went on", went_on.len(), next.len());
    if next.len() == 1 {
        return assert_eq!(went_on.len(), 1, "who was alone goes on");
    }
    for pair in pairs.iter().chain(&went_on) {
        anonymous[0].with_token(text(&pair["access_token"])).get("/v1/me").problem(401, "auth.session_ended");
        let again = body(text(&pair["refresh_token"]), secretary);
        anonymous[0].post(REFRESH, &again).problem(401, "auth.refresh_reused");
    }
}

fn of_many_who_present_one_token_at_most_one_goes_on(app: &TestApp) {
    for _ in 0..3 {
        none_go_on_but_one(&[app.anonymous()], &app.sign_in(SECRETARY));
    }
}

#[test]
fn of_many_who_present_one_token_to_two_processes_at_most_one_goes_on() {
    let first = TestApp::start(Backend::Postgres);
    let second = first.beside();
    for _ in 0..3 {
        none_go_on_but_one(&[first.anonymous(), second.anonymous()], &first.sign_in(SECRETARY));
    }
}

fn an_old_token_that_many_present_ends_the_session_once_and_for_all(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let elsewhere = app.sign_in(SECRETARY);
    let old = secretary.refresh_token();
    secretary.renew();
    app.pass(chrono::TimeDelta::seconds(61));
    let answers = race((0..RUNNERS).map(|_| (app.anonymous(), REFRESH, body(&old, &secretary))).collect());
    for answer in answers {
        answer.problem(401, "auth.refresh_reused");
    }
    secretary.get("/v1/me").problem(401, "auth.session_ended");
    elsewhere.get("/v1/me").expect(200);
}

fn a_refresh_that_races_with_signing_out_leaves_nothing_open(app: &TestApp) {
    for _ in 0..5 {
        let secretary = app.sign_in(SECRETARY);
        let refresh = (app.anonymous(), REFRESH, body(&secretary.refresh_token(), &secretary));
        let answers = race(vec![refresh, (secretary.client(), "/v1/auth/sign-out", json!({}))]);
        assert_eq!(answers[1].status, 204, "{answers:?}");
        secretary.get("/v1/me").problem(401, "auth.session_ended");
        if let Some(pair) = settled(&answers[0]) {
            app.anonymous().with_token(text(&pair["access_token"])).get("/v1/me").problem(401, "auth.session_ended");
            let late = app.anonymous().post(REFRESH, &body(text(&pair["refresh_token"]), &secretary));
            late.problem(401, "auth.refresh_invalid");
        }
    }
}

fn a_refresh_that_races_with_a_new_password_leaves_nothing_open_but_the_one_who_changed_it(app: &TestApp) {
    let mut passwords = [muong_tests::province::PASSWORD, "một câu hoàn toàn khác"];
    let keeper = app.sign_in(SECRETARY);
    for _ in 0..3 {
        let thief = {
            let who = json!({"username": SECRETARY, "password": passwords[0], "device": {"name": "Máy lạ"}});
            app.anonymous().post("/v1/auth/sign-in", &who).expect(200)
        };
        let stolen = json!({"refresh_token": thief["refresh_token"], "device": thief["device"]["id"]});
        let change = json!({"present": passwords[0], "new": passwords[1]});
        let answers = race(vec![(app.anonymous(), REFRESH, stolen), (keeper.client(), "/v1/me/password", change)]);
        assert_eq!(answers[1].status, 204, "{answers:?}");
        if let Some(pair) = settled(&answers[0]) {
            app.anonymous().with_token(text(&pair["access_token"])).get("/v1/me").problem(401, "auth.session_ended");
            let late = json!({"refresh_token": pair["refresh_token"], "device": thief["device"]["id"]});
            app.anonymous().post(REFRESH, &late).problem(401, "auth.refresh_invalid");
        }
        keeper.get("/v1/me").expect(200);
        passwords.reverse();
    }
}
