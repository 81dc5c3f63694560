//! Where somebody is signed in, and how that ends: by themselves, by an administrator, by the shell of the server; at
//! once, and on every server process.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_server::cli::{UserCommand, UserNamedArgs};
use muong_tests::builders::meeting;
use muong_tests::client::{text, uuid};
use muong_tests::province::{ADMIN, COMMUNE, HUOI_SANG, NA_LONG, NOBODY, PASSWORD, SECRETARY, STRANGER, user_id};
use muong_tests::socket::Socket;
use muong_tests::{Backend, Client, Reporter, TestApp, database, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    one_sees_ones_own_devices_and_which_of_them_asks,
    a_list_of_devices_goes_on_where_its_page_ends,
    a_device_that_is_revoked_is_out_at_once_and_stays_out,
    a_push_that_was_begun_before_its_device_was_revoked_is_refused,
    anothers_device_does_not_exist,
    an_administrator_sees_and_ends_what_anybody_is_signed_in_by,
    one_sees_ones_own_sessions_and_ends_one_of_them,
    a_new_password_needs_the_present_one_and_ends_the_other_sessions,
    a_wrong_present_password_is_told_its_place_and_waits_in_the_end,
    a_lost_reply_to_a_refresh_is_given_again_for_a_minute,
    a_lost_token_that_comes_back_ends_the_session,
    a_token_whose_next_one_was_used_ends_the_session_within_the_minute_too,
    two_refreshes_at_once_leave_one_token_that_is_good,
    a_user_who_is_disabled_is_out_at_once_until_they_are_enabled,
    a_session_is_refreshed_so_often_and_a_token_that_comes_back_is_found_out_all_the_same,
    of_a_session_that_has_ended_only_the_last_tokens_are_remembered,
);

fn page(who: &Reporter, path: &str) -> Vec<Value> {
    who.read(path)["items"].as_array().expect("items").clone()
}

fn refresh_body(reporter: &Reporter) -> Value {
    json!({"refresh_token": reporter.refresh_token(), "device": reporter.device})
}

fn session_of(who: &Reporter) -> Uuid {
    let own = page(who, "/v1/sessions");
    uuid(&own.iter().find(|session| session["current"] == true).expect("the one that asks")["id"])
}

fn named(login: &str) -> UserNamedArgs {
    UserNamedArgs { login: login.to_owned() }
}

fn one_sees_ones_own_devices_and_which_of_them_asks(app: &TestApp) {
    let (phone, tablet, other) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let devices = page(&tablet, "/v1/devices");
    let ids: Vec<Uuid> = devices.iter().map(|device| uuid(&device["id"])).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&phone.device) && ids.contains(&tablet.device) && !ids.contains(&other.device));
    for device in &devices {
        assert_eq!(device["current"], uuid(&device["id"]) == tablet.device, "{device}");
        assert_eq!(device["name"], "Máy của secretary");
        assert_eq!(device["revoked_at"], Value::Null);
    }
}

fn a_list_of_devices_goes_on_where_its_page_ends(app: &TestApp) {
    let phone = app.sign_in(NOBODY);
    let others: Vec<Reporter> = (0..4).map(|_| phone.registers_anew()).collect();
    phone.delete(&format!("/v1/devices/{}", others[1].device)).expect(204);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let read = phone.read(&format!("/v1/devices?limit=2&revoked=false{cursor}"));
        found.extend(read["items"].as_array().expect("items").iter().map(|device| uuid(&device["id"])));
        match read["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 4);
    assert!(found.is_sorted() && !found.contains(&others[1].device));
    let revoked = page(&phone, "/v1/devices?revoked=true");
    assert_eq!(revoked.iter().map(|device| uuid(&device["id"])).collect::<Vec<_>>(), [others[1].device]);
    phone.get("/v1/devices?colour=red").problem(400, "request.query_invalid");
}

fn a_device_that_is_revoked_is_out_at_once_and_stays_out(app: &TestApp) {
    let (lost, kept) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    lost.get("/v1/me").expect(200);
    kept.delete(&format!("/v1/devices/{}", lost.device)).expect(204);
    lost.get("/v1/me").problem(401, "auth.device_revoked");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&lost)).problem(401, "auth.device_revoked");
    let again = json!({"username": SECRETARY, "password": PASSWORD, "device": {"name": "x", "id": lost.device}});
    app.anonymous().post("/v1/auth/sign-in", &again).problem(401, "auth.device_revoked");
    let before = page(&kept, "/v1/devices?revoked=true");
    app.pass(TimeDelta::seconds(1));
    kept.delete(&format!("/v1/devices/{}", lost.device)).expect(204);
    assert_eq!(page(&kept, "/v1/devices?revoked=true"), before, "the first time stays");
    kept.get("/v1/me").expect(200);
    let ended = page(&kept, "/v1/sessions?ended=true");
    assert_eq!((ended.len(), &ended[0]["end"]), (1, &json!("device_revoked")));
}

fn anothers_device_does_not_exist(app: &TestApp) {
    let (secretary, stranger) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let mut answers = [stranger.device, muong_tests::id()]
        .map(|device| secretary.delete(&format!("/v1/devices/{device}")).problem(404, "access.not_found"));
    answers.iter_mut().for_each(|answer| answer["request_id"] = Value::Null);
    assert_eq!(answers[0], answers[1]);
    let session = session_of(&stranger);
    secretary.delete(&format!("/v1/sessions/{session}")).problem(404, "access.not_found");
    for list in ["devices", "sessions"] {
        secretary.get(&format!("/v1/{list}?user={}", stranger.user)).problem(404, "access.not_found");
    }
    stranger.get("/v1/me").expect(200);
}

fn an_administrator_sees_and_ends_what_anybody_is_signed_in_by(app: &TestApp) {
    let (admin, phone, tablet) = (app.sign_in(ADMIN), app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let devices = page(&admin, &format!("/v1/devices?user={}", phone.user));
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().all(|device| device["current"] == false));
    admin.delete(&format!("/v1/devices/{}", phone.device)).expect(204);
    phone.get("/v1/me").problem(401, "auth.device_revoked");
    let sessions = page(&admin, &format!("/v1/sessions?user={}", phone.user));
    assert_eq!(sessions.len(), 1);
    assert_eq!(uuid(&sessions[0]["device"]), tablet.device);
    admin.delete(&format!("/v1/sessions/{}", text(&sessions[0]["id"]))).expect(204);
    tablet.get("/v1/me").problem(401, "auth.session_ended");
    for nobody in ["devices", "sessions"] {
        admin.get(&format!("/v1/{nobody}?user={}", muong_tests::id())).problem(404, "access.not_found");
        admin.delete(&format!("/v1/{nobody}/{}", muong_tests::id())).problem(404, "access.not_found");
    }
    // A reviewer administers nobody, however much lies below them.
    app.sign_in(COMMUNE).get(&format!("/v1/devices?user={}", phone.user)).problem(404, "access.not_found");
}

fn one_sees_ones_own_sessions_and_ends_one_of_them(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    app.sign_in(STRANGER);
    app.pass(TimeDelta::minutes(5));
    here.renew();
    let sessions = page(&here, "/v1/sessions");
    assert_eq!(sessions.len(), 2);
    let of = |device: Uuid| sessions.iter().find(|session| uuid(&session["device"]) == device).expect("it stands");
    assert_eq!(of(here.device)["current"], true);
    assert_eq!(text(&of(here.device)["refreshed_at"]), "2026-03-09T02:16:00Z");
    assert_eq!(text(&of(there.device)["refreshed_at"]), "2026-03-09T02:11:00Z");
    let path = format!("/v1/sessions/{}", text(&of(there.device)["id"]));
    here.delete(&path).expect(204);
    there.get("/v1/me").problem(401, "auth.session_ended");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&there)).problem(401, "auth.refresh_invalid");
    here.delete(&path).expect(204);
    let ended = page(&here, "/v1/sessions?ended=true");
    assert_eq!((ended.len(), &ended[0]["end"]), (1, &json!("revoked")));
    here.delete(&format!("/v1/sessions/{}", session_of(&here))).expect(204);
    here.get("/v1/me").problem(401, "auth.session_ended");
}

const OTHER_PASSWORD: &str = "một câu khác hẳn câu trước";

fn change(present: &str, new: &str) -> Value {
    json!({"present": present, "new": new})
}

fn a_new_password_needs_the_present_one_and_ends_the_other_sessions(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    here.post("/v1/me/password", &change(PASSWORD, OTHER_PASSWORD)).expect(204);
    here.get("/v1/me").expect(200);
    here.renew();
    there.get("/v1/me").problem(401, "auth.session_ended");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&there)).problem(401, "auth.refresh_invalid");
    let sign_in = |password: &str| {
        let body = json!({"username": SECRETARY, "password": password, "device": {"name": "Máy thử"}});
        app.anonymous().post("/v1/auth/sign-in", &body)
    };
    sign_in(PASSWORD).problem(401, "auth.bad_credentials");
    sign_in(OTHER_PASSWORD).expect(200);
}

fn a_wrong_present_password_is_told_its_place_and_waits_in_the_end(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let problem = |body: &Value, status: u16, code: &str| secretary.post("/v1/me/password", body).problem(status, code);
    let wrong = problem(&change("không phải câu này", OTHER_PASSWORD), 422, "auth.password_wrong");
    assert_eq!(wrong["errors"][0]["pointer"], "/present");
    assert_eq!(problem(&change(PASSWORD, "ngắn"), 422, "auth.password_too_short")["errors"][0]["pointer"], "/new");
    problem(&change(PASSWORD, PASSWORD), 422, "auth.password_unchanged");
    for _ in 2..10 {
        problem(&change("không phải câu này", OTHER_PASSWORD), 422, "auth.password_wrong");
    }
    let answer = secretary.post("/v1/me/password", &change(PASSWORD, OTHER_PASSWORD));
    answer.problem(429, "auth.throttled");
    assert_eq!(answer.header("retry-after"), "1");
    // Whoever has borrowed the phone has not locked its user out elsewhere.
    app.sign_in(SECRETARY);
    app.pass(TimeDelta::seconds(1));
    secretary.post("/v1/me/password", &change(PASSWORD, OTHER_PASSWORD)).expect(204);
}

fn a_lost_reply_to_a_refresh_is_given_again_for_a_minute(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = refresh_body(&secretary);
    let refresh = |body: &Value| app.anonymous().post("/v1/auth/refresh", body);
    let lost = refresh(&first).expect(200);
    app.pass(TimeDelta::seconds(30));
    let also_lost = refresh(&first).expect(200);
    app.pass(TimeDelta::seconds(29));
    let arrived = refresh(&first).expect(200);
    assert_ne!(lost["refresh_token"], also_lost["refresh_token"]);
    app.anonymous().with_token(text(&arrived["access_token"])).read("/v1/me");
    let next = json!({"refresh_token": arrived["refresh_token"], "device": secretary.device});
    refresh(&next).expect(200);
    app.pass(TimeDelta::seconds(1));
    refresh(&first).problem(401, "auth.refresh_reused");
}

fn a_lost_token_that_comes_back_ends_the_session(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = refresh_body(&secretary);
    let refresh = |body: &Value| app.anonymous().post("/v1/auth/refresh", body);
    let of = |answer: &Value| json!({"refresh_token": answer["refresh_token"], "device": secretary.device});
    let (robbed, thief) = (refresh(&first).expect(200), refresh(&first).expect(200));
    refresh(&of(&robbed)).problem(401, "auth.refresh_reused");
    refresh(&of(&thief)).problem(401, "auth.refresh_reused");
    app.anonymous().with_token(text(&thief["access_token"])).get("/v1/me").problem(401, "auth.session_ended");
}

fn a_token_whose_next_one_was_used_ends_the_session_within_the_minute_too(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = refresh_body(&secretary);
    secretary.renew();
    secretary.renew();
    app.anonymous().post("/v1/auth/refresh", &first).problem(401, "auth.refresh_reused");
    secretary.get("/v1/me").problem(401, "auth.session_ended");
}

fn two_refreshes_at_once_leave_one_token_that_is_good(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (client, first) = (app.anonymous(), refresh_body(&secretary));
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let both: Vec<_> =
            (0..6).map(|_| scope.spawn(|| client.post("/v1/auth/refresh", &first).expect(200))).collect();
        both.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    let good = muong_tests::database::number(
        &mut app.database().connect(),
        "SELECT count(*) AS n FROM refresh_tokens WHERE used_at IS NULL",
    );
    assert_eq!((answers.len(), good), (6, 1), "all others are withdrawn");
}

fn a_user_who_is_disabled_is_out_at_once_until_they_are_enabled(app: &TestApp) {
    let (secretary, other) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let said = app.user_command(UserCommand::Disable(named(SECRETARY)));
    assert!(said.contains("secretary is disabled"), "{said}");
    secretary.get("/v1/me").problem(403, "auth.user_disabled");
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&secretary)).problem(403, "auth.user_disabled");
    let body = json!({"username": SECRETARY, "password": PASSWORD, "device": {"name": "Máy thử"}});
    app.anonymous().post("/v1/auth/sign-in", &body).problem(401, "auth.bad_credentials");
    app.user_command(UserCommand::Enable(named(SECRETARY)));
    secretary.get("/v1/me").problem(401, "auth.session_ended");
    app.sign_in(SECRETARY).get("/v1/me").expect(200);
    other.get("/v1/me").expect(200);
}

fn a_session_is_refreshed_so_often_and_a_token_that_comes_back_is_found_out_all_the_same(app: &TestApp) {
    let (secretary, elsewhere) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let refresh = |body: &Value| app.anonymous().post("/v1/auth/refresh", body);
    let first = refresh_body(&secretary);
    (0..60).for_each(|_| secretary.renew());
    let answer = refresh(&refresh_body(&secretary));
    answer.problem(429, "request.throttled");
    assert_eq!(answer.header("retry-after"), "15");
    elsewhere.renew();
    app.pass(TimeDelta::seconds(15));
    // Whoever has stolen the token, and not the device, takes nothing of it.
    let stolen = json!({"refresh_token": secretary.refresh_token(), "device": elsewhere.device});
    refresh(&stolen).problem(401, "auth.refresh_invalid");
    secretary.renew();
    refresh(&refresh_body(&secretary)).problem(429, "request.throttled");
    refresh(&first).problem(401, "auth.refresh_reused");
    secretary.get("/v1/me").problem(401, "auth.session_ended");
    elsewhere.get("/v1/me").expect(200);
}

fn of_a_session_that_has_ended_only_the_last_tokens_are_remembered(app: &TestApp) {
    let (ends, stays) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    for _ in 0..40 {
        app.pass(TimeDelta::seconds(1));
        ends.renew();
    }
    let refreshed_at = |list: &str| {
        let sessions = page(&stays, list);
        let of = sessions.iter().find(|session| uuid(&session["device"]) == ends.device).expect("it is listed");
        text(&of["refreshed_at"]).to_owned()
    };
    let tokens = || database::number(&mut app.database().connect(), "SELECT count(*) AS n FROM refresh_tokens");
    assert_eq!(tokens(), 41 + 1, "as long as it lives each may come back");
    let last = refreshed_at("/v1/sessions");
    assert_eq!(last, "2026-03-09T02:11:40Z");
    ends.post("/v1/auth/sign-out", &json!({})).expect(204);
    assert_eq!(tokens(), 16 + 1);
    assert_eq!(refreshed_at("/v1/sessions?ended=true"), last);
    app.anonymous().post("/v1/auth/refresh", &refresh_body(&ends)).problem(401, "auth.refresh_invalid");
}

/// Whatever ends here ends there, although the other process has believed the token a moment ago.
#[test]
fn what_is_revoked_on_one_process_counts_on_another_as_soon_as_it_looks() {
    let first = TestApp::start(Backend::Postgres);
    let second = first.beside();
    let admin = first.sign_in(ADMIN);
    let there = |who: &Reporter| -> Client { who.at(second.address()) };
    let [by_device, by_session, by_user, by_grant] = [SECRETARY, SECRETARY, STRANGER, NOBODY].map(|login| {
        let who = first.sign_in(login);
        there(&who).get("/v1/me").expect(200);
        who
    });
    admin.delete(&format!("/v1/devices/{}", by_device.device)).expect(204);
    second.looks();
    there(&by_device).get("/v1/me").problem(401, "auth.device_revoked");
    by_session.post("/v1/auth/sign-out", &json!({})).expect(204);
    second.looks();
    there(&by_session).get("/v1/me").problem(401, "auth.session_ended");
    first.user_command(UserCommand::Disable(named(STRANGER)));
    second.looks();
    there(&by_user).get("/v1/me").problem(403, "auth.user_disabled");
    let can = |client: &Client| client.read(&format!("/v1/me/can?action=report&unit={NA_LONG}"))["allowed"].clone();
    first.grant(NOBODY, Role::Cadre, NA_LONG);
    second.looks();
    assert_eq!(can(&there(&by_grant)), true);
    first.pass(TimeDelta::seconds(1));
    first.revoke(NOBODY, Role::Cadre, NA_LONG);
    second.looks();
    assert_eq!(can(&there(&by_grant)), false);
    assert_eq!(by_grant.user, user_id(NOBODY));
}

fn a_push_that_was_begun_before_its_device_was_revoked_is_refused(app: &TestApp) {
    let (lost, own) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let report = lost.says(meeting(HUOI_SANG));
    let body = lost.envelope(&[&report]).to_string();
    let mut slow = Socket::begin_push(app, &lost, body.len());
    own.delete(&format!("/v1/devices/{}", lost.device)).expect(204);
    slow.send(&body);
    let answer = slow.answer();
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("auth.device_revoked")), "{answer:?}");
    own.get(&format!("/v1/records/{}", report.record())).problem(404, "access.not_found");
}
