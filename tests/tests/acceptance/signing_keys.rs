//! The keys of access tokens: public where they should be, and changed without anybody noticing.

use chrono::TimeDelta;
use muong_tests::province::{SECRETARY, STRANGER};
use muong_tests::{Backend, TestApp, on_both};
use serde_json::{Value, json};
use std::process::Command;

on_both!(
    the_public_keys_are_told_to_everybody_and_may_be_kept,
    a_new_key_signs_nobody_out,
    retired_keys_are_believed_no_more_and_a_refresh_helps,
);

fn kids(app: &TestApp) -> Vec<Value> {
    let keys = app.anonymous().read("/.well-known/jwks.json")["keys"].clone();
    keys.as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect()
}

fn the_public_keys_are_told_to_everybody_and_may_be_kept(app: &TestApp) {
    let answer = app.anonymous().get("/.well-known/jwks.json");
    let keys = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert_eq!(key.as_object().expect("a key").keys().collect::<Vec<_>>(), ["alg", "crv", "kid", "kty", "use", "x"]);
}

fn a_new_key_signs_nobody_out(app: &TestApp) {
    let before = app.sign_in(SECRETARY);
    before.get("/v1/me").expect(200);
    let old = kids(app);
    let said = app.rotate_signing(false);
    app.pass(TimeDelta::seconds(1));
    let new = kids(app);
    assert_eq!((new.len(), &new[1..]), (2, &old[..]), "the newest first");
    assert!(said.contains(new[0].as_str().expect("a kid")), "{said}");
    before.get("/v1/me").expect(200);
    app.sign_in(STRANGER).get("/v1/me").expect(200);
    before.renew();
    app.pass(TimeDelta::days(2));
    assert_eq!(kids(app), new[..1], "the old key is over by itself");
    before.renew();
    before.get("/v1/me").expect(200);
}

fn retired_keys_are_believed_no_more_and_a_refresh_helps(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    secretary.get("/v1/me").expect(200);
    app.rotate_signing(true);
    app.pass(TimeDelta::seconds(1));
    secretary.get("/v1/me").problem(401, "auth.invalid_token");
    secretary.renew();
    secretary.get("/v1/me").expect(200);
    assert_eq!(kids(app).len(), 1);
}

/// The clock stands still, so that only the signal can be what tells it.
#[test]
fn a_running_process_reads_new_keys_when_it_is_told_to() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    let old = kids(&app);
    app.rotate_signing(false);
    assert_eq!(kids(&app), old);
    let told = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
    assert!(told.expect("a signal can be sent").success());
    // The signal arrives when it arrives; a test that waits for ever fails by the suite's own limit.
    while kids(&app) == old {
        std::thread::yield_now();
    }
    secretary.get("/v1/me").expect(200);
    assert_eq!(kids(&app).len(), 2);
}

#[test]
fn two_processes_that_share_the_file_believe_each_other_while_keys_change() {
    let first = TestApp::start(Backend::Postgres);
    let second = first.beside();
    let before = first.sign_in(SECRETARY);
    before.at(second.address()).get("/v1/me").expect(200);
    first.rotate_signing(false);
    // Long enough for a look because of a key that is unknown, too short for one without a reason.
    first.pass(TimeDelta::milliseconds(100));
    assert!(first.app().keys.reload().expect("the file can be read"));
    let after = first.sign_in(SECRETARY);
    after.at(second.address()).get("/v1/me").expect(200);
    before.at(second.address()).get("/v1/me").expect(200);
}
