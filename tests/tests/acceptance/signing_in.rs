//! Signing in: one answer to whoever may not, tokens that last as long as they should, sessions that end when they must.

use chrono::TimeDelta;
use muong_store::users;
use muong_tests::client::{text, uuid};
use muong_tests::province::{self, NOBODY, PASSWORD, SECRETARY, STRANGER};
use muong_tests::{Reporter, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    a_cadre_signs_in_and_is_told_who_they_are,
    the_user_name_is_the_same_however_a_phone_writes_it,
    an_unknown_user_a_wrong_password_and_a_disabled_user_are_answered_alike,
    a_request_without_a_token_is_answered_401_and_told_how,
    a_token_that_was_tampered_with_is_not_believed,
    an_access_token_lasts_fifteen_minutes_and_a_refresh_helps,
    a_refresh_token_is_good_once_and_its_second_use_ends_the_session,
    a_refresh_token_is_of_no_use_on_another_device,
    a_refresh_token_ends_after_ninety_days,
    signing_out_ends_this_session_and_no_other,
    a_new_password_ends_every_session,
    a_known_device_signs_in_again_as_itself,
    another_ones_device_is_as_unknown_as_none,
    a_further_device_gets_tokens_of_its_own,
    a_wrong_body_is_told_its_place_and_not_its_value,
);

fn credentials(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password, "device": {"name": "Máy thử"}})
}

fn sign_in(app: &TestApp, body: &Value) -> Value {
    app.anonymous().post("/v1/auth/sign-in", body).expect(200)
}

fn refresh_body(reporter: &Reporter) -> Value {
    json!({"refresh_token": reporter.refresh_token(), "device": reporter.device})
}

fn a_cadre_signs_in_and_is_told_who_they_are(app: &TestApp) {
    let signed_in = sign_in(app, &credentials(SECRETARY, PASSWORD));
    assert_eq!(signed_in["token_type"], "Bearer");
    assert_eq!(signed_in["expires_in"], 900);
    let me = app.anonymous().with_token(text(&signed_in["access_token"])).read("/v1/me");
    assert_eq!(me["user"], signed_in["user"]);
    assert_eq!(me["user"]["display_name"], "Giàng A Dế");
    assert_eq!(me["device"]["id"], signed_in["device"]["id"]);
    assert_eq!(me["roles"], json!(["cadre"]));
    assert_eq!(me["grants"][0]["unit"]["name"], "Chi bộ bản Huổi Sang");
    assert_eq!(me["grants"][0]["holds"], true);
}

fn the_user_name_is_the_same_however_a_phone_writes_it(app: &TestApp) {
    for typed in ["Secretary", " secretary ", "SECRETARY"] {
        let signed_in = sign_in(app, &credentials(typed, PASSWORD));
        assert_eq!(uuid(&signed_in["user"]["id"]), province::user_id(SECRETARY));
    }
}

fn an_unknown_user_a_wrong_password_and_a_disabled_user_are_answered_alike(app: &TestApp) {
    let stranger = province::user_id(STRANGER).into();
    province::commit(&app.app().writer, move |tx| Ok(users::disable(tx, &province::OPERATOR, stranger)?.into()));
    let attempts =
        [("no.such.user", PASSWORD), (SECRETARY, "sai mật khẩu rồi"), (STRANGER, PASSWORD), ("Không hợp lệ!", "x")];
    let mut answers = attempts.map(|(username, password)| {
        app.anonymous().post("/v1/auth/sign-in", &credentials(username, password)).problem(401, "auth.bad_credentials")
    });
    answers.iter_mut().for_each(|answer| answer["request_id"] = Value::Null);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

fn a_request_without_a_token_is_answered_401_and_told_how(app: &TestApp) {
    let answer = app.anonymous().get("/v1/me");
    answer.problem(401, "auth.required");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

fn a_token_that_was_tampered_with_is_not_believed(app: &TestApp) {
    let signed_in = sign_in(app, &credentials(SECRETARY, PASSWORD));
    let parts: Vec<&str> = text(&signed_in["access_token"]).split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("not a JWT") };
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"; // {"alg":"none","typ":"JWT"}
    let forged = [
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{head}.{}A.{signature}", &claims[..claims.len() - 1]),
        format!("{head}.{claims}"),
        "x".to_owned(),
    ];
    for token in forged {
        app.anonymous().with_token(&token).get("/v1/me").problem(401, "auth.invalid_token");
    }
}

fn an_access_token_lasts_fifteen_minutes_and_a_refresh_helps(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    app.pass(TimeDelta::seconds(899));
    secretary.get("/v1/me").expect(200);
    app.pass(TimeDelta::seconds(1));
    let answer = secretary.get("/v1/me");
    answer.problem(401, "auth.expired_token");
    assert!(answer.header("www-authenticate").contains("invalid_token"), "{answer:?}");
    secretary.renew();
    secretary.get("/v1/me").expect(200);
}

fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let elsewhere = app.sign_in(SECRETARY);
    let first = refresh_body(&secretary);
    secretary.renew();
    app.pass(TimeDelta::seconds(60));
    app.anonymous().post("/v1/auth/refresh", &first).problem(401, "auth.refresh_reused");
    // The thief and the robbed one are both out, and whoever comes later learns why.
    secretary.get("/v1/me").problem(401, "auth.session_ended");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&secretary)).problem(401, "auth.refresh_reused");
    elsewhere.get("/v1/me").expect(200);
}

fn a_refresh_token_is_of_no_use_on_another_device(app: &TestApp) {
    let (secretary, stranger) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let stolen = json!({"refresh_token": secretary.refresh_token(), "device": stranger.device});
    app.anonymous().post("/v1/auth/refresh", &stolen).problem(401, "auth.refresh_invalid");
    secretary.renew();
}

fn a_refresh_token_ends_after_ninety_days(app: &TestApp) {
    let (punctual, late) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    app.pass(TimeDelta::days(90) - TimeDelta::seconds(1));
    punctual.renew();
    app.pass(TimeDelta::seconds(1));
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&late)).problem(401, "auth.refresh_invalid");
}

fn signing_out_ends_this_session_and_no_other(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    here.post("/v1/auth/sign-out", &json!({})).expect(204);
    here.get("/v1/me").problem(401, "auth.session_ended");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&here)).problem(401, "auth.refresh_invalid");
    there.get("/v1/me").expect(200);
}

fn a_new_password_ends_every_session(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let (user, hash) = (province::user_id(SECRETARY).into(), province::password_hash());
    province::commit(&app.app().writer, move |tx| Ok(users::set_password(tx, &province::OPERATOR, user, hash)?.into()));
    here.get("/v1/me").problem(401, "auth.session_ended");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&there)).problem(401, "auth.refresh_invalid");
}

fn a_known_device_signs_in_again_as_itself(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut again = credentials(SECRETARY, PASSWORD);
    again["device"]["id"] = json!(secretary.device);
    assert_eq!(uuid(&sign_in(app, &again)["device"]["id"]), secretary.device);
}

fn another_ones_device_is_as_unknown_as_none(app: &TestApp) {
    let stranger = app.sign_in(STRANGER);
    for device in [stranger.device, muong_tests::id()] {
        let mut body = credentials(SECRETARY, PASSWORD);
        body["device"]["id"] = json!(device);
        app.anonymous().post("/v1/auth/sign-in", &body).problem(422, "device.not_registered");
    }
}

fn a_further_device_gets_tokens_of_its_own(app: &TestApp) {
    let phone = app.sign_in(NOBODY);
    let copy = phone.registers_anew();
    assert_ne!(phone.device, copy.device);
    assert_eq!(copy.read("/v1/me")["device"]["id"], json!(copy.device));
    phone.post("/v1/auth/sign-out", &json!({})).expect(204);
    copy.get("/v1/me").expect(200);
}

fn a_wrong_body_is_told_its_place_and_not_its_value(app: &TestApp) {
    let mut body = credentials(SECRETARY, PASSWORD);
    body["password"] = json!(["rất bí mật"]);
    let problem = app.anonymous().post("/v1/auth/sign-in", &body).problem(400, "request.malformed");
    assert_eq!(problem["errors"][0]["pointer"], "/password");
    assert!(!problem.to_string().contains("bí mật"), "{problem}");
    let mut body = credentials(SECRETARY, PASSWORD);
    body["remember"] = json!(true);
    app.anonymous().post("/v1/auth/sign-in", &body).problem(400, "request.malformed");
}
