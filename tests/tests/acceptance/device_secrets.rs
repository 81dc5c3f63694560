//! What a device is known by: told once, to whoever has proved who they are on it; told anew when that answer was lost, and
//! then the lost one counts no more. A device that is not known has no guesses of its own.

use chrono::TimeDelta;
use muong_domain::id::UserId;
use muong_store::{Outcome, totp};
use muong_tests::client::text;
use muong_tests::province::{self, PASSWORD, SECRETARY, STRANGER, user_id};
use muong_tests::{Answer, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    a_device_whose_answer_was_lost_gets_another_secret_and_the_lost_one_counts_no_more,
    a_device_that_says_a_secret_that_is_not_its_own_gets_another_once_the_password_is_right,
    a_secret_stays_as_long_as_nobody_has_proved_who_they_are,
    a_device_that_a_session_registered_has_no_guesses_of_its_own_before_its_user_signs_in_on_it,
);

const WRONG: &str = "không phải câu này";
const NONE: &Value = &Value::Null;

/// Signs in, on a device of that id that says it is known by that secret.
fn tries(app: &TestApp, login: &str, password: &str, (device, secret): (&Value, &Value)) -> Answer {
    let device = json!({"id": device, "secret": secret, "name": "Máy thử"});
    app.anonymous().post("/v1/auth/sign-in", &json!({"username": login, "password": password, "device": device}))
}

fn signs_in(app: &TestApp, device: &Value, secret: &Value) -> Value {
    tries(app, SECRETARY, PASSWORD, (device, secret)).expect(200)
}

/// A device without a secret, as a session registers it.
fn registered(app: &TestApp) -> Value {
    let registered = app.sign_in(SECRETARY).post("/v1/devices", &json!({"name": "Máy mới"})).expect(201);
    assert_eq!(registered["device_secret"], Value::Null, "{registered}");
    registered
}

/// From elsewhere, until whoever is not known has to wait.
#[track_caller]
fn guesses(app: &TestApp) {
    for _ in 0..10 {
        tries(app, SECRETARY, WRONG, (NONE, NONE)).problem(401, "auth.bad_credentials");
    }
    waits(&tries(app, SECRETARY, PASSWORD, (NONE, NONE)));
}

#[track_caller]
fn waits(answer: &Answer) {
    answer.problem(429, "auth.throttled");
    assert_eq!(answer.header("retry-after"), "1");
}

fn a_device_whose_answer_was_lost_gets_another_secret_and_the_lost_one_counts_no_more(app: &TestApp) {
    let registered = registered(app);
    let device = &registered["device"]["id"];
    // The answer to the first time is lost, and to the second.
    let told: Vec<Value> = (0..3).map(|_| signs_in(app, device, NONE)).collect();
    assert!(told.iter().all(|signed_in| signed_in["device"]["id"] == *device), "{told:?}");
    let [first, second, third] = [0, 1, 2].map(|time| &told[time]["device_secret"]);
    assert!(text(first) != text(second) && text(second) != text(third) && text(first) != text(third));
    guesses(app);
    for lost in [first, second] {
        waits(&tries(app, SECRETARY, PASSWORD, (device, lost)));
    }
    let known = signs_in(app, device, third);
    assert_eq!((&known["device"]["id"], &known["device_secret"]), (device, NONE), "a secret is told once");
    assert_eq!(signs_in(app, device, third)["device_secret"], Value::Null, "and stays");
    // Who is signed in on it already stays so.
    app.anonymous().with_token(text(&registered["access_token"])).get("/v1/me").expect(200);
}

fn a_device_that_says_a_secret_that_is_not_its_own_gets_another_once_the_password_is_right(app: &TestApp) {
    let (one, other) = (signs_in(app, NONE, NONE), signs_in(app, NONE, NONE));
    let device = &one["device"]["id"];
    let anew = signs_in(app, device, &other["device_secret"]);
    assert_eq!(anew["device"]["id"], *device);
    assert_ne!(text(&anew["device_secret"]), text(&other["device_secret"]));
    guesses(app);
    waits(&tries(app, SECRETARY, PASSWORD, (device, &one["device_secret"])));
    waits(&tries(app, SECRETARY, PASSWORD, (device, &other["device_secret"])));
    signs_in(app, device, &anew["device_secret"]);
    // The device that it was another one's goes on by it.
    signs_in(app, &other["device"]["id"], &other["device_secret"]);
}

/// As if they had enrolled one.
fn has_a_second_factor(app: &TestApp, login: &str) {
    let user = UserId::new(user_id(login));
    province::commit::<_, ()>(&app.app().writer, move |tx| {
        totp::begin(tx, user, &[7; 20])?;
        totp::confirm(tx, user, 0, &[])?;
        Ok(Outcome::Commit(()))
    });
}

fn a_secret_stays_as_long_as_nobody_has_proved_who_they_are(app: &TestApp) {
    let signed_in = signs_in(app, NONE, NONE);
    let (device, secret) = (&signed_in["device"]["id"], &signed_in["device_secret"]);
    tries(app, SECRETARY, WRONG, (device, NONE)).problem(401, "auth.bad_credentials");
    tries(app, STRANGER, PASSWORD, (device, NONE)).problem(422, "device.not_registered");
    assert_eq!(signs_in(app, device, secret)["device_secret"], Value::Null);
    has_a_second_factor(app, SECRETARY);
    tries(app, SECRETARY, PASSWORD, (device, NONE)).problem(401, "auth.totp_required");
    guesses(app);
    // Known, so it does not wait: it is asked for what it lacks.
    tries(app, SECRETARY, PASSWORD, (device, secret)).problem(401, "auth.totp_required");
}

fn a_device_that_a_session_registered_has_no_guesses_of_its_own_before_its_user_signs_in_on_it(app: &TestApp) {
    let registered = registered(app);
    let device = &registered["device"]["id"];
    let refresh = json!({"refresh_token": registered["refresh_token"], "device": device});
    let refreshed = app.anonymous().post("/v1/auth/refresh", &refresh).expect(200);
    assert_eq!(refreshed["device_secret"], Value::Null, "a session proves no password");
    guesses(app);
    for secret in [NONE, &refreshed["refresh_token"]] {
        waits(&tries(app, SECRETARY, WRONG, (device, secret)));
    }
    app.pass(TimeDelta::seconds(1));
    let secret = &signs_in(app, device, NONE)["device_secret"];
    guesses(app);
    for _ in 0..10 {
        tries(app, SECRETARY, WRONG, (device, secret)).problem(401, "auth.bad_credentials");
    }
    waits(&tries(app, SECRETARY, PASSWORD, (device, secret)));
}
