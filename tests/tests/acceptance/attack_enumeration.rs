//! Who is there, and what: asked by somebody who may not know. The answers to what exists and to what does not are the
//! same byte for byte, and so is the work behind them.

use chrono::TimeDelta;
use muong_server::config::Config;
use muong_store::users;
use muong_tests::builders::{meeting, person};
use muong_tests::client::text;
use muong_tests::database::execute;
use muong_tests::province::{self, COMMUNE, NEIGHBOUR, PASSWORD, PHIENG_SANG, SECRETARY, STRANGER};
use muong_tests::{Answer, Backend, TestApp, id, on_both, on_each};
use serde_json::{Value, json};
use std::num::NonZeroUsize;

on_both!(
    patience_with_a_name_does_not_tell_whether_it_is_somebodys,
    a_name_that_nobody_has_is_answered_like_one_that_somebody_has_in_every_byte,
    what_is_out_of_scope_is_answered_like_what_is_not_there_in_every_byte,
    what_is_out_of_scope_is_refused_before_anything_of_it_is_opened,
);

fn credentials(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password, "device": {"name": "Máy lạ"}})
}

/// Everything of an answer but what differs between any two requests.
fn bytes(answer: &Answer) -> (u16, Vec<String>, String) {
    let mut head: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    head.sort();
    let body = String::from_utf8_lossy(&answer.body).replace(answer.header("x-request-id"), "…");
    (answer.status, head, body)
}

#[track_caller]
fn alike(answers: &[Answer]) {
    for answer in answers {
        assert_eq!(bytes(answer), bytes(&answers[0]));
    }
}

/// Names of every sort: somebody's, a disabled one's, nobody's, and those that nobody can have.
fn names() -> [String; 7] {
    [SECRETARY, STRANGER, "no.such.user", "Không hợp lệ!", "", "' OR 1=1 --", &"x".repeat(5_000)].map(str::to_owned)
}

fn disable(app: &TestApp, login: &str) {
    let user = province::user_id(login).into();
    province::commit(&app.app().writer, move |tx| Ok(users::disable(tx, &province::OPERATOR, user)?.into()));
}

fn a_name_that_nobody_has_is_answered_like_one_that_somebody_has_in_every_byte(app: &TestApp) {
    disable(app, STRANGER);
    for language in ["vi", "en"] {
        for password in ["sai", "", PASSWORD, &"x".repeat(2_000)] {
            let attempt = |name: &String| {
                let client = app.anonymous().with_header("accept-language", language);
                client.post("/v1/auth/sign-in", &credentials(name, password))
            };
            let right = |name: &&String| password == PASSWORD && **name == SECRETARY;
            let answers: Vec<Answer> = names().iter().filter(|name| !right(name)).map(attempt).collect();
            alike(&answers);
            answers[0].problem(401, "auth.bad_credentials");
            // Names have their patience, and it comes back.
            app.pass(TimeDelta::hours(1));
        }
    }
}

/// The pauses, too: they grow for a name, whether somebody has it or not.
fn patience_with_a_name_does_not_tell_whether_it_is_somebodys(app: &TestApp) {
    disable(app, STRANGER);
    let mut seen = Vec::new();
    for name in [SECRETARY, STRANGER, "no.such.user"] {
        let attempts: Vec<_> = (0..14)
            .map(|_| bytes(&app.anonymous().post("/v1/auth/sign-in", &credentials(name, "sai mật khẩu"))))
            .collect();
        assert!(attempts.iter().any(|(status, ..)| *status == 429), "{attempts:?}");
        seen.push(attempts);
        app.pass(TimeDelta::hours(1));
    }
    assert_eq!(seen[0], seen[1], "somebody and one who is disabled");
    assert_eq!(seen[0], seen[2], "somebody and nobody");
}

fn what_is_out_of_scope_is_answered_like_what_is_not_there_in_every_byte(app: &TestApp) {
    let (secretary, stranger, neighbour) = (app.sign_in(SECRETARY), app.sign_in(STRANGER), app.sign_in(NEIGHBOUR));
    let theirs = stranger.reports_as("accepted", meeting(PHIENG_SANG));
    let waiting = stranger.reports_as("rejected", meeting(PHIENG_SANG).to("excused", 7));
    let commune = app.sign_in(COMMUNE);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (path, existing) in [
        ("/v1/records/ID", text(&theirs["record"])),
        ("/v1/records/ID/submissions", text(&theirs["record"])),
        ("/v1/quarantine/ID", text(&waiting["quarantine"])),
        ("/v1/sessions?user=ID", province::user_id(STRANGER).to_string()),
        ("/v1/devices?user=ID", province::user_id(STRANGER).to_string()),
    ] {
        for who in [&secretary, &neighbour, &commune] {
            let answers = [existing.clone(), id().to_string(), id().to_string()]
                .map(|id| (who.get(&path.replace("ID", &id)), id))
                .map(|(mut answer, id)| {
                    answer.body = hide(&answer.body, &id);
                    answer
                });
            assert_eq!(answers[0].status, 404, "{:?}", answers[0]);
            alike(&answers);
        }
    }
    for (path, existing) in [
        ("/v1/sessions/ID", text(&stranger.read("/v1/sessions")["items"][0]["id"])),
        ("/v1/devices/ID", stranger.device.to_string()),
    ] {
        let answers = [existing, id().to_string()].map(|id| secretary.delete(&path.replace("ID", &id)));
        assert_eq!(answers[0].status, 404, "{:?}", answers[0]);
        alike(&answers);
    }
    stranger.get("/v1/me").expect(200);
}

/// Work, not time: with a key that cannot be had, whoever opens anything of the person fails.
fn what_is_out_of_scope_is_refused_before_anything_of_it_is_opened(app: &TestApp) {
    let (stranger, commune) = (app.sign_in(STRANGER), app.sign_in(COMMUNE));
    let theirs = stranger.reports_as("accepted", person(PHIENG_SANG, "Vàng A Dơ", "1990-04-12"));
    let existing = text(&theirs["record"]).to_owned();
    execute(&mut app.database().connect(), "UPDATE data_keys SET master = 'gone' WHERE kind = 'person'");
    for path in ["/v1/records/ID", "/v1/records/ID/submissions"] {
        stranger.get(&path.replace("ID", &existing)).problem(500, "server.internal");
        let answers = [existing.clone(), id().to_string()].map(|id| {
            let mut answer = commune.get(&path.replace("ID", &id));
            answer.body = hide(&answer.body, &id);
            answer
        });
        answers[0].problem(404, "access.not_found");
        alike(&answers);
    }
    let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
    commune.post(&format!("/v1/records/{existing}/erasure"), &reason).problem(404, "access.not_found");
}

/// What was asked for may be repeated; it must be all that differs.
fn hide(body: &[u8], id: &str) -> Vec<u8> {
    String::from_utf8_lossy(body).replace(id, "…").into_bytes()
}

/// With a server of its own.
mod work {
    use super::*;

    on_each!(a_name_that_nobody_has_costs_a_hash_like_one_that_somebody_has,);

    /// Work, not time: with no place left to hash in, nobody's name is refused like somebody's; with one, each takes it.
    fn a_name_that_nobody_has_costs_a_hash_like_one_that_somebody_has(backend: Backend) {
        let app = TestApp::start_with(backend, |config: &mut Config| {
            config.argon2.max_concurrent = NonZeroUsize::MIN;
            config.argon2.max_waiting = 0;
        });
        disable(&app, STRANGER);
        for password in ["sai mật khẩu", "", &"x".repeat(2_000)] {
            let place = app.app().passwords.reserve().expect("a place");
            let answers: Vec<Answer> = names()
                .iter()
                .map(|name| app.anonymous().post("/v1/auth/sign-in", &credentials(name, password)))
                .collect();
            drop(place);
            for answer in &answers {
                answer.problem(503, "server.busy");
            }
            alike(&answers);
        }
    }
}
