//! Second factors: enrolled with the password, asked for at sign-in, each code good once, compulsory where a role says so.

use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::access::Role;
use muong_server::cli::{UserCommand, UserNamedArgs};
use muong_server::security::totp::code_at;
use muong_tests::client::text;
use muong_tests::database::{number, texts};
use muong_tests::province::{ADMIN, PASSWORD, SECRETARY};
use muong_tests::{Backend, Reporter, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    a_second_factor_is_asked_for_once_it_is_confirmed,
    a_code_is_good_once,
    a_recovery_code_is_good_once_in_place_of_a_code,
    enrolling_needs_the_password_and_a_right_code,
    a_second_factor_is_removed_by_a_code_and_by_the_shell_of_the_server,
    wrong_codes_wait_and_keep_nobody_out_of_a_known_device,
    a_wrong_password_is_told_nothing_of_a_second_factor,
    neither_secret_nor_codes_stand_in_the_log,
);

/// The app that shows codes: it knows the secret, and looks at the same clock.
struct Authenticator(Vec<u8>);

impl Authenticator {
    /// Base32, read by hand: another reader than the one under test.
    fn of(begun: &Value) -> Self {
        let letters = text(&begun["secret"]);
        let bits: Vec<u8> = letters
            .bytes()
            .flat_map(|letter| {
                let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|b| *b == letter).expect("Base32");
                (0..5).rev().map(move |bit| u8::try_from(value >> bit & 1).expect("a bit"))
            })
            .collect();
        Self(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit)).collect())
    }

    fn shows(&self, at: DateTime<Utc>) -> String {
        code_at(&self.0, at)
    }
}

fn sign_in_body(login: &str, totp: Option<&str>) -> Value {
    let mut body = json!({"username": login, "password": PASSWORD, "device": {"name": "Máy thử"}});
    if let Some(code) = totp {
        body["totp"] = json!(code);
    }
    body
}

fn sign_in(app: &TestApp, login: &str, totp: Option<&str>) -> muong_tests::Answer {
    app.anonymous().post("/v1/auth/sign-in", &sign_in_body(login, totp))
}

/// Enrols; the app and the recovery codes. The clock has moved past the code that confirmed it.
fn enrol(app: &TestApp, who: &Reporter) -> (Authenticator, Vec<String>) {
    let begun = who.post("/v1/me/totp", &json!({"password": PASSWORD})).expect(200);
    let authenticator = Authenticator::of(&begun);
    let confirmed = who.post("/v1/me/totp/confirm", &json!({"code": authenticator.shows(app.now())})).expect(200);
    let codes = confirmed["recovery_codes"].as_array().expect("codes");
    app.pass(TimeDelta::seconds(30));
    (authenticator, codes.iter().map(|code| text(code).to_owned()).collect())
}

fn a_second_factor_is_asked_for_once_it_is_confirmed(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let begun = secretary.post("/v1/me/totp", &json!({"password": PASSWORD})).expect(200);
    assert!(text(&begun["uri"]).starts_with("otpauth://totp/muong:secretary?secret="), "{begun}");
    sign_in(app, SECRETARY, None).expect(200);
    let authenticator = Authenticator::of(&begun);
    secretary.post("/v1/me/totp/confirm", &json!({"code": authenticator.shows(app.now())})).expect(200);
    let state = secretary.read("/v1/me/totp");
    assert_eq!(state, json!({"enrolled": true, "recovery_codes_left": 10, "required": false}));
    secretary.get("/v1/me").expect(200);
    sign_in(app, SECRETARY, None).problem(401, "auth.totp_required");
    sign_in(app, SECRETARY, Some("000000")).problem(401, "auth.totp_invalid");
    app.pass(TimeDelta::seconds(30));
    sign_in(app, SECRETARY, Some(&authenticator.shows(app.now()))).expect(200);
    // What is signed in goes on without a code.
    secretary.renew();
}

fn a_code_is_good_once(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (authenticator, _) = enrol(app, &secretary);
    let code = authenticator.shows(app.now());
    sign_in(app, SECRETARY, Some(&code)).expect(200);
    sign_in(app, SECRETARY, Some(&code)).problem(401, "auth.totp_invalid");
    // An older one that nobody has used is over as well.
    let older = authenticator.shows(app.now() - TimeDelta::seconds(30));
    sign_in(app, SECRETARY, Some(&older)).problem(401, "auth.totp_invalid");
    app.pass(TimeDelta::seconds(30));
    let client = app.anonymous();
    let body = sign_in_body(SECRETARY, Some(&authenticator.shows(app.now())));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| client.post("/v1/auth/sign-in", &body).status)).collect();
        all.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

fn a_recovery_code_is_good_once_in_place_of_a_code(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (_, codes) = enrol(app, &secretary);
    assert_eq!(codes.len(), 10);
    sign_in(app, SECRETARY, Some(&codes[3].to_uppercase().replace('-', " "))).expect(200);
    sign_in(app, SECRETARY, Some(&codes[3])).problem(401, "auth.totp_invalid");
    sign_in(app, SECRETARY, Some(&codes[4])).expect(200);
    assert_eq!(secretary.read("/v1/me/totp")["recovery_codes_left"], 8);
}

fn enrolling_needs_the_password_and_a_right_code(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let confirm = |code: &str| secretary.post("/v1/me/totp/confirm", &json!({"code": code}));
    confirm("000000").problem(422, "auth.totp_not_begun");
    let wrong = secretary.post("/v1/me/totp", &json!({"password": "không phải câu này"}));
    assert_eq!(wrong.problem(422, "auth.password_wrong")["errors"][0]["pointer"], "/password");
    let first = secretary.post("/v1/me/totp", &json!({"password": PASSWORD})).expect(200);
    let second = secretary.post("/v1/me/totp", &json!({"password": PASSWORD})).expect(200);
    assert_ne!(first["secret"], second["secret"]);
    let of_the_first = Authenticator::of(&first).shows(app.now());
    confirm(&of_the_first).problem(401, "auth.totp_invalid");
    let code = Authenticator::of(&second).shows(app.now());
    confirm(&code).expect(200);
    confirm(&code).problem(409, "auth.totp_enrolled");
    secretary.post("/v1/me/totp", &json!({"password": PASSWORD})).problem(409, "auth.totp_enrolled");
}

fn a_second_factor_is_removed_by_a_code_and_by_the_shell_of_the_server(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (authenticator, codes) = enrol(app, &secretary);
    let remove = |code: &str| secretary.post("/v1/me/totp/remove", &json!({"code": code}));
    remove("000000").problem(401, "auth.totp_invalid");
    remove(&authenticator.shows(app.now())).expect(204);
    sign_in(app, SECRETARY, None).expect(200);
    remove(&codes[0]).problem(422, "auth.totp_not_begun");
    app.pass(TimeDelta::minutes(1));
    enrol(app, &secretary);
    sign_in(app, SECRETARY, None).problem(401, "auth.totp_required");
    let said = app.user_command(UserCommand::RemoveTotp(UserNamedArgs { login: SECRETARY.to_owned() }));
    assert!(said.contains("no second factor"), "{said}");
    sign_in(app, SECRETARY, None).expect(200);
    assert_eq!(number(&mut app.database().connect(), "SELECT count(*) AS n FROM recovery_codes"), 0);
}

fn wrong_codes_wait_and_keep_nobody_out_of_a_known_device(app: &TestApp) {
    let known = app.anonymous().post("/v1/auth/sign-in", &sign_in_body(SECRETARY, None)).expect(200);
    let secretary = app.sign_in(SECRETARY);
    let (authenticator, _) = enrol(app, &secretary);
    for _ in 0..5 {
        sign_in(app, SECRETARY, Some("000000")).problem(401, "auth.totp_invalid");
    }
    let right = authenticator.shows(app.now());
    let answer = sign_in(app, SECRETARY, Some(&right));
    answer.problem(429, "auth.throttled");
    assert_eq!(answer.header("retry-after"), "1");
    let mut body = sign_in_body(SECRETARY, Some(&right));
    body["device"]["id"] = known["device"]["id"].clone();
    body["device"]["secret"] = known["device_secret"].clone();
    app.anonymous().post("/v1/auth/sign-in", &body).expect(200);
    app.pass(TimeDelta::seconds(30));
    sign_in(app, SECRETARY, Some(&authenticator.shows(app.now()))).expect(200);
}

fn a_wrong_password_is_told_nothing_of_a_second_factor(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (authenticator, _) = enrol(app, &secretary);
    for totp in [None, Some("000000"), Some(authenticator.shows(app.now()).as_str())] {
        let mut body = sign_in_body(SECRETARY, totp);
        body["password"] = json!("không phải câu này");
        app.anonymous().post("/v1/auth/sign-in", &body).problem(401, "auth.bad_credentials");
    }
    // And no code was used up.
    sign_in(app, SECRETARY, Some(&authenticator.shows(app.now()))).expect(200);
}

fn neither_secret_nor_codes_stand_in_the_log(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (_, codes) = enrol(app, &secretary);
    sign_in(app, SECRETARY, Some(&codes[0])).expect(200);
    let said = texts(
        &mut app.database().connect(),
        "SELECT outcome || ' ' || command AS name FROM log WHERE kind = 'totp' ORDER BY seq",
    );
    let command = format!("{{\"user\":\"{}\"}}", secretary.user);
    assert_eq!(said, ["begun", "confirmed", "recovery_code_used"].map(|outcome| format!("{outcome} {command}")));
}

// --- compulsory by role -------------------------------------------------------------------------------------------

fn whoever_must_enrol_can_do_nothing_else(backend: Backend) {
    let app = TestApp::start_with(backend, |config| config.totp_required_roles = vec![Role::Admin]);
    let (admin, secretary) = (app.sign_in(ADMIN), app.sign_in(SECRETARY));
    secretary.get("/v1/units").expect(200);
    for path in ["/v1/units", "/v1/devices", "/v1/sync/limits"] {
        admin.get(path).problem(403, "auth.totp_enrolment_required");
    }
    admin.post("/v1/devices", &json!({"name": "x"})).problem(403, "auth.totp_enrolment_required");
    admin.get("/v1/me").expect(200);
    assert_eq!(admin.read("/v1/me/totp")["required"], true);
    let (authenticator, _) = enrol(&app, &admin);
    admin.get("/v1/units").expect(200);
    sign_in(&app, ADMIN, Some(&authenticator.shows(app.now()))).expect(200);
    app.pass(TimeDelta::seconds(30));
    admin.post("/v1/me/totp/remove", &json!({"code": authenticator.shows(app.now())})).expect(204);
    admin.get("/v1/units").problem(403, "auth.totp_enrolment_required");
    admin.post("/v1/auth/sign-out", &json!({})).expect(204);
}

#[test]
fn whoever_must_enrol_can_do_nothing_else_on_sqlite() {
    whoever_must_enrol_can_do_nothing_else(Backend::Sqlite);
}

#[test]
fn whoever_must_enrol_can_do_nothing_else_on_postgres() {
    whoever_must_enrol_can_do_nothing_else(Backend::Postgres);
}
