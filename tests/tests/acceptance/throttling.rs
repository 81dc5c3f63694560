//! Throttling: guessing takes time, nobody is locked out by somebody else's guesses, and a device that pushes too much
//! is asked to wait and loses nothing.

use chrono::TimeDelta;
use muong_server::config::Config;
use muong_tests::builders::meeting;
use muong_tests::client::Answer;
use muong_tests::database::{number, texts};
use muong_tests::province::{ADMIN, HUOI_SANG, PASSWORD, SECRETARY, STRANGER};
use muong_tests::{Backend, Client, Submission, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    guessing_takes_pauses_that_double_and_end,
    a_success_forgets_what_failed,
    an_account_that_does_not_exist_is_throttled_like_one_that_does,
    a_known_device_signs_in_whatever_is_guessed_elsewhere,
    a_device_is_known_by_its_own_secret_alone,
    the_guesses_of_a_known_device_are_its_own,
    many_guesses_at_once_are_no_more_than_one_after_the_other,
    what_was_guessed_is_not_kept_and_old_guesses_go,
    a_session_has_no_more_guesses_for_all_the_devices_that_it_registers,
    a_device_that_a_session_registered_is_known_once_its_user_has_signed_in_on_it,
    signing_in_without_end_takes_pauses_too_and_wrong_passwords_use_up_nobodys,
    a_password_that_an_administrator_sets_is_not_kept_waiting_by_guesses_at_the_old_one,
);

const WRONG: &str = "không phải câu này";

fn body(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password, "device": {"name": "Máy thử"}})
}

fn attempt(client: &Client, username: &str, password: &str) -> Answer {
    client.post("/v1/auth/sign-in", &body(username, password))
}

/// Uses up what is free.
fn guess(app: &TestApp, username: &str, times: usize) {
    for _ in 0..times {
        attempt(&app.anonymous(), username, WRONG).problem(401, "auth.bad_credentials");
    }
}

#[track_caller]
fn waits(answer: &Answer, seconds: u32) {
    answer.problem(429, "auth.throttled");
    assert_eq!(answer.header("retry-after"), seconds.to_string());
}

fn guessing_takes_pauses_that_double_and_end(app: &TestApp) {
    let anonymous = app.anonymous();
    guess(app, SECRETARY, 10);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        // The right password too: an answer would tell that it is right.
        waits(&attempt(&anonymous, SECRETARY, PASSWORD), pause);
        app.pass(TimeDelta::seconds(i64::from(pause)) - TimeDelta::milliseconds(1));
        waits(&attempt(&anonymous, SECRETARY, WRONG), 1);
        app.pass(TimeDelta::milliseconds(1));
        attempt(&anonymous, SECRETARY, WRONG).problem(401, "auth.bad_credentials");
    }
    attempt(&anonymous, STRANGER, PASSWORD).expect(200);
    app.pass(TimeDelta::seconds(60));
    attempt(&anonymous, SECRETARY, PASSWORD).expect(200);
}

fn a_success_forgets_what_failed(app: &TestApp) {
    guess(app, SECRETARY, 9);
    attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    guess(app, SECRETARY, 10);
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 1);
}

fn an_account_that_does_not_exist_is_throttled_like_one_that_does(app: &TestApp) {
    let mut said = [SECRETARY, "no.such.user", "Không hợp lệ!"].map(|username| {
        let mut all: Vec<Value> = (0..12)
            .map(|_| {
                let answer = attempt(&app.anonymous(), username, WRONG);
                let mut told = answer.json();
                told["request_id"] = json!(answer.header("retry-after"));
                told
            })
            .collect();
        // The same name in other letters is the same account.
        all.push(attempt(&app.anonymous(), &username.to_uppercase(), WRONG).json()["code"].clone());
        all
    });
    assert_eq!(said[0][11]["code"], "auth.throttled");
    let [first, others @ ..] = &mut said;
    assert!(others.iter().all(|other| other == first), "{others:#?}");
    // The same rows were written as well.
    assert_eq!(number(&mut app.database().connect(), "SELECT count(*) AS n FROM attempts WHERE failures = 10"), 3);
}

fn known(signed_in: &Value, password: &str) -> Value {
    let mut known = body(SECRETARY, password);
    known["device"]["id"] = signed_in["device"]["id"].clone();
    known["device"]["secret"] = signed_in["device_secret"].clone();
    known
}

fn a_known_device_signs_in_whatever_is_guessed_elsewhere(app: &TestApp) {
    let signed_in = attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    guess(app, SECRETARY, 10);
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 1);
    let again = app.anonymous().post("/v1/auth/sign-in", &known(&signed_in, PASSWORD)).expect(200);
    assert_eq!(again["device"]["id"], signed_in["device"]["id"]);
    assert_eq!(again["device_secret"], Value::Null, "a secret is told once");
    // And its success does not give the guesser new guesses.
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 1);
}

fn a_device_is_known_by_its_own_secret_alone(app: &TestApp) {
    let signed_in = attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    let guessers_own = attempt(&app.anonymous(), STRANGER, PASSWORD).expect(200);
    guess(app, SECRETARY, 10);
    let post = |body: &Value| app.anonymous().post("/v1/auth/sign-in", body);
    let mut wrong = known(&signed_in, PASSWORD);
    wrong["device"]["secret"] = guessers_own["device_secret"].clone();
    waits(&post(&wrong), 1);
    waits(&post(&known(&guessers_own, PASSWORD)), 1);
    let mut without = known(&signed_in, PASSWORD);
    without["device"]["secret"] = Value::Null;
    waits(&post(&without), 1);
    let token = signed_in["access_token"].as_str().expect("a token");
    let id = signed_in["device"]["id"].as_str().expect("an id");
    app.anonymous().with_token(token).delete(&format!("/v1/devices/{id}")).expect(204);
    waits(&post(&known(&signed_in, PASSWORD)), 1);
}

fn the_guesses_of_a_known_device_are_its_own(app: &TestApp) {
    let signed_in = attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    let post = |password: &str| app.anonymous().post("/v1/auth/sign-in", &known(&signed_in, password));
    for _ in 0..10 {
        post(WRONG).problem(401, "auth.bad_credentials");
    }
    waits(&post(PASSWORD), 1);
    attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    app.pass(TimeDelta::seconds(1));
    post(PASSWORD).expect(200);
}

fn a_session_has_no_more_guesses_for_all_the_devices_that_it_registers(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let guess = |client: &Client| client.post("/v1/me/totp", &json!({"password": WRONG}));
    for _ in 0..10 {
        let copy = secretary.post("/v1/devices", &json!({"name": "Máy sao"})).expect(201);
        let token = copy["access_token"].as_str().expect("a token");
        guess(&app.anonymous().with_token(token)).problem(422, "auth.password_wrong");
    }
    waits(&guess(&secretary.client()), 1);
    // It keeps nobody from signing in, and from ending that session.
    let signed_in = attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    let token = signed_in["access_token"].as_str().expect("a token");
    app.anonymous().with_token(token).delete(&format!("/v1/devices/{}", secretary.device)).expect(204);
    secretary.get("/v1/me").problem(401, "auth.device_revoked");
}

fn a_device_that_a_session_registered_is_known_once_its_user_has_signed_in_on_it(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let registered = secretary.post("/v1/devices", &json!({"name": "Máy mới"})).expect(201);
    assert_eq!(registered["device_secret"], Value::Null);
    let mut on_it = body(SECRETARY, PASSWORD);
    on_it["device"]["id"] = registered["device"]["id"].clone();
    let first = app.anonymous().post("/v1/auth/sign-in", &on_it).expect(200);
    guess(app, SECRETARY, 10);
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 1);
    let again = app.anonymous().post("/v1/auth/sign-in", &known(&first, PASSWORD)).expect(200);
    assert_eq!((&again["device"]["id"], &again["device_secret"]), (&registered["device"]["id"], &Value::Null));
}

fn signing_in_without_end_takes_pauses_too_and_wrong_passwords_use_up_nobodys(app: &TestApp) {
    for _ in 0..119 {
        attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    }
    guess(app, SECRETARY, 5);
    attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 10);
    attempt(&app.anonymous(), STRANGER, PASSWORD).expect(200);
    app.pass(TimeDelta::seconds(10));
    attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
}

fn a_password_that_an_administrator_sets_is_not_kept_waiting_by_guesses_at_the_old_one(app: &TestApp) {
    let (admin, secretary) = (app.sign_in(ADMIN), app.sign_in(SECRETARY));
    guess(app, SECRETARY, 10);
    waits(&attempt(&app.anonymous(), SECRETARY, PASSWORD), 1);
    let new = "một câu khác chỉ để thử";
    admin.post(&format!("/v1/users/{}/password", secretary.user), &json!({"password": new})).expect(200);
    attempt(&app.anonymous(), SECRETARY, new).expect(200);
}

fn many_guesses_at_once_are_no_more_than_one_after_the_other(app: &TestApp) {
    let client = app.anonymous();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..24).map(|_| scope.spawn(|| attempt(&client, SECRETARY, WRONG).status)).collect();
        all.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 14, "{statuses:?}");
}

fn what_was_guessed_is_not_kept_and_old_guesses_go(app: &TestApp) {
    for n in 0..20 {
        attempt(&app.anonymous(), &format!("guess-{n}"), WRONG).problem(401, "auth.bad_credentials");
    }
    let rows = |app: &TestApp| number(&mut app.database().connect(), "SELECT count(*) AS n FROM attempts");
    assert_eq!(rows(app), 20);
    let sizes = match app.backend() {
        Backend::Sqlite => "SELECT DISTINCT CAST(length(key) AS text) AS name FROM attempts",
        Backend::Postgres => "SELECT DISTINCT length(key)::text AS name FROM attempts",
    };
    assert_eq!(texts(&mut app.database().connect(), sizes), ["32"], "digests, all of one length");
    app.pass(TimeDelta::hours(1) + TimeDelta::seconds(1));
    guess(app, "guess-x", 1);
    assert_eq!(rows(app), 1);
    let logged = "SELECT count(*) AS n FROM log WHERE kind NOT IN ('user', 'grant', 'unit', 'form', 'audit_anchor')";
    assert_eq!(number(&mut app.database().connect(), logged), 0, "guesses are no changes");
}

// --- by address ----------------------------------------------------------------------------------------------------

fn few_from_one_address(config: &mut Config) {
    (config.throttle.address_burst, config.throttle.address_per_minute) = (5, 60);
}

fn one_address_that_guesses_at_many_accounts_waits(backend: Backend) {
    let app = TestApp::start_with(backend, few_from_one_address);
    let signed_in = attempt(&app.anonymous(), SECRETARY, PASSWORD).expect(200);
    // Successes cost nothing.
    (0..6).for_each(|_| drop(attempt(&app.anonymous(), STRANGER, PASSWORD).expect(200)));
    (0..5).for_each(|n| guess(&app, &format!("guess-{n}"), 1));
    waits(&attempt(&app.anonymous(), "guess-9", WRONG), 1);
    waits(&attempt(&app.anonymous(), STRANGER, PASSWORD), 1);
    let unknown = json!({"refresh_token": "x".repeat(43), "device": muong_tests::id()});
    waits(&app.anonymous().post("/v1/auth/refresh", &unknown), 1);
    // The neighbours of a guesser who are known go on: signing in, refreshing, working.
    app.anonymous().post("/v1/auth/sign-in", &known(&signed_in, PASSWORD)).expect(200);
    let own = json!({"refresh_token": signed_in["refresh_token"], "device": signed_in["device"]["id"]});
    app.anonymous().post("/v1/auth/refresh", &own).expect(200);
    app.pass(TimeDelta::seconds(1));
    attempt(&app.anonymous(), STRANGER, PASSWORD).expect(200);
}

// --- what a device pushes ---------------------------------------------------------------------------------------------

fn little_from_one_device(config: &mut Config) {
    let throttle = &mut config.throttle;
    (throttle.push_requests_burst, throttle.push_requests_per_minute) = (3, 60);
    (throttle.push_submissions_burst, throttle.push_submissions_per_minute) = (4, 60);
}

fn a_device_that_pushes_too_much_waits_and_loses_nothing(backend: Backend) {
    let app = TestApp::start_with(backend, little_from_one_device);
    let (secretary, other) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let said: Vec<Submission> =
        (1..=6).map(|sitting| secretary.says(meeting(HUOI_SANG).to("sitting", sitting))).collect();
    let said: Vec<&Submission> = said.iter().collect();
    assert_eq!(secretary.push(&said[..3]).statuses(), ["accepted"; 3]);
    let refused = secretary.tries_to_push(&said[3..]);
    refused.problem(429, "request.throttled");
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(number(&mut app.database().connect(), "SELECT count(*) AS n FROM submissions"), 3);
    // Another device of the same user has a budget of its own.
    other.reports_as("merged", meeting(HUOI_SANG).to("sitting", 1).to("present", 11));
    app.pass(TimeDelta::seconds(2));
    assert_eq!(secretary.push(&said[3..]).statuses(), ["accepted"; 3]);
    // Requests count by themselves, also for simple clients, and before their bodies are read.
    app.pass(TimeDelta::minutes(1));
    for _ in 0..3 {
        secretary.push(&[]);
    }
    for path in ["/v1/sync/push", "/v1/submissions"] {
        let answer = secretary.post(path, &json!("no object"));
        answer.problem(429, "request.throttled");
        assert_eq!(answer.header("retry-after"), "1");
    }
    app.pass(TimeDelta::seconds(1));
    secretary.push(&[]);
}

mod on_sqlite {
    use muong_tests::Backend::Sqlite;

    #[test]
    fn one_address_that_guesses_at_many_accounts_waits() {
        super::one_address_that_guesses_at_many_accounts_waits(Sqlite);
    }
    #[test]
    fn a_device_that_pushes_too_much_waits_and_loses_nothing() {
        super::a_device_that_pushes_too_much_waits_and_loses_nothing(Sqlite);
    }
}

mod on_postgres {
    use muong_tests::Backend::Postgres;

    #[test]
    fn one_address_that_guesses_at_many_accounts_waits() {
        super::one_address_that_guesses_at_many_accounts_waits(Postgres);
    }
    #[test]
    fn a_device_that_pushes_too_much_waits_and_loses_nothing() {
        super::a_device_that_pushes_too_much_waits_and_loses_nothing(Postgres);
    }
}

/// A guesser who asks each process in turn gets no more than one who asks a single one.
#[test]
fn what_failed_on_one_process_counts_on_another() {
    let first = TestApp::start(Backend::Postgres);
    let second = first.beside();
    let processes = [first.anonymous(), second.anonymous()];
    for n in 0..10 {
        attempt(&processes[n % 2], SECRETARY, WRONG).problem(401, "auth.bad_credentials");
    }
    processes.iter().for_each(|process| waits(&attempt(process, SECRETARY, PASSWORD), 1));
    first.pass(TimeDelta::seconds(1));
    attempt(&processes[1], SECRETARY, PASSWORD).expect(200);
    attempt(&processes[0], SECRETARY, WRONG).problem(401, "auth.bad_credentials");
}
