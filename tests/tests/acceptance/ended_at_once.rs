//! A grant that is ended ends by an entry of the log, not at an instant: nobody holds it again, whichever server they ask and
//! whatever its clock says, and their phones are told once. An end on a day is another matter: there the clock is asked.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{codes, uuid};
use muong_tests::database::execute;
use muong_tests::phone::kinds;
use muong_tests::province::{ADMIN, NA_LONG, NEIGHBOUR, SECRETARY};
use muong_tests::{Backend, Client, Phone, Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

on_both!(
    a_grant_ended_by_a_clock_that_was_wrong_is_not_held_again_once_that_is_put_right,
    what_had_ended_by_its_date_by_a_wrong_clock_is_told_again_when_it_is_given_anew,
    an_ended_grant_stays_ended_in_what_is_restored,
    a_grant_that_was_ended_by_an_earlier_version_stays_ended,
);

/// What the neighbour reports.
fn reported(app: &TestApp) -> Uuid {
    uuid(&app.sign_in(NEIGHBOUR).reports_as("accepted", meeting(NA_LONG))["record"])
}

/// A meeting of another month.
fn another() -> Submission {
    meeting(NA_LONG).to("period", "2026-01").to("held_on", "2026-01-05")
}

fn can_report(who: &Reporter) -> Value {
    who.read(&format!("/v1/me/can?action=report&unit={NA_LONG}"))["allowed"].clone()
}

fn purged(told: &[Value]) -> Vec<Uuid> {
    told.iter().filter(|message| message["t"] == "purge_scope").map(|message| uuid(&message["unit"])).collect()
}

fn is_refused_everything(who: &Reporter, record: Uuid) {
    assert_eq!(can_report(who), false);
    who.get(&format!("/v1/records/{record}")).problem(404, "access.not_found");
    let refused = who.reports_as("forbidden", another());
    assert_eq!(codes(&refused["errors"]), ["scope.outside"], "{refused}");
}

fn has_what_a_new_phone_has(phone: &Phone, who: &Reporter) {
    let mut new = Phone::default();
    new.pulls(who);
    assert_eq!(phone.things(), new.things());
}

/// In which states the grant is listed.
fn states(admin: &Client, grant: Uuid) -> Vec<&'static str> {
    let is_listed = |state: &&str| {
        let list = admin.read(&format!("/v1/grants?below={NA_LONG}&state={state}&limit=50"));
        list["items"].as_array().expect("grants").iter().any(|listed| uuid(&listed["id"]) == grant)
    };
    ["holds", "future", "ended"].into_iter().filter(is_listed).collect()
}

#[test]
fn a_grant_ended_where_the_clock_is_ahead_ends_at_once_where_it_is_behind() {
    let ahead = TestApp::start(Backend::Postgres);
    ahead.grant(SECRETARY, Role::Cadre, NA_LONG);
    ahead.pass(TimeDelta::seconds(60));
    let behind = ahead.beside_ahead_by(TimeDelta::seconds(-5));
    let record = reported(&behind);
    let (secretary, admin) = (behind.sign_in(SECRETARY), ahead.sign_in(ADMIN));
    let admin_there = admin.at(behind.address());
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert!(phone.things().contains_key(&record));
    let given = phone.of_kind("grant").into_iter().find(|(_, grant)| grant["unit"] == json!(NA_LONG));
    let (grant, _) = given.expect("the grant");
    assert_eq!(states(&admin_there, grant), ["holds"]);
    let ended = admin.post(&format!("/v1/grants/{grant}/end"), &json!({})).expect(200);
    assert_eq!((&ended["valid_to"], &ended["holds"]), (&json!("2026-03-09T02:12:00Z"), &json!(false)));
    behind.looks();
    assert_eq!(behind.now().to_rfc3339(), "2026-03-09T02:11:55+00:00", "by this clock that instant is to come");
    is_refused_everything(&secretary, record);
    assert_eq!(states(&admin_there, grant), ["ended"]);
    admin_there.post(&format!("/v1/grants/{grant}/end"), &json!({})).problem(422, "grant.not_held");
    assert_eq!(purged(&phone.pulls(&secretary)), [NA_LONG]);
    assert!(!phone.things().contains_key(&record));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    // It stands in the way of no other one, and takes nothing along when its instant comes there too.
    let anew = json!({"user": secretary.user, "role": "cadre", "unit": NA_LONG});
    admin_there.post("/v1/grants", &anew).expect(201);
    let mut told = phone.pulls(&secretary);
    told.sort_by_key(|message| message["kind"].to_string());
    assert_eq!(kinds(&told), [MEETING, "grant", "unit"]);
    behind.pass(TimeDelta::seconds(10));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    has_what_a_new_phone_has(&phone, &secretary);
}

fn a_grant_ended_by_a_clock_that_was_wrong_is_not_held_again_once_that_is_put_right(app: &TestApp) {
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let (secretary, record) = (app.sign_in(SECRETARY), reported(app));
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    app.pass(TimeDelta::days(2));
    app.revoke(SECRETARY, Role::Cadre, NA_LONG);
    app.pass(TimeDelta::days(-2));
    is_refused_everything(&secretary, record);
    assert_eq!(purged(&phone.pulls(&secretary)), [NA_LONG]);
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    // Nor does anything happen when the instant comes that the clock had shown.
    app.pass(TimeDelta::days(3));
    secretary.renew();
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    has_what_a_new_phone_has(&phone, &secretary);
}

fn what_had_ended_by_its_date_by_a_wrong_clock_is_told_again_when_it_is_given_anew(app: &TestApp) {
    app.grant_between(SECRETARY, Role::Cadre, NA_LONG, (app.now(), app.now() + TimeDelta::days(1)));
    let (secretary, record) = (app.sign_in(SECRETARY), reported(app));
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    app.pass(TimeDelta::days(2));
    secretary.renew();
    assert_eq!(purged(&phone.pulls(&secretary)), [NA_LONG]);
    app.pass(TimeDelta::days(-2) + TimeDelta::seconds(1));
    app.revoke(SECRETARY, Role::Cadre, NA_LONG);
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    // On a device whose budget the wrong clock has not touched.
    let secretary = app.sign_in(SECRETARY);
    phone.pulls(&secretary);
    assert!(phone.things().contains_key(&record));
    has_what_a_new_phone_has(&phone, &secretary);
}

/// Somebody's grant is ended while the clock is two days ahead.
fn ends_ahead_of_time(app: &TestApp) {
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    app.pass(TimeDelta::days(2));
    app.revoke(SECRETARY, Role::Cadre, NA_LONG);
    app.pass(TimeDelta::days(-2));
}

fn an_ended_grant_stays_ended_in_what_is_restored(app: &TestApp) {
    ends_ahead_of_time(app);
    let folder = TempDir::with_prefix("muong-backups-").expect("a folder");
    let restored = app.restored(&app.back_up(folder.path()));
    assert_eq!(can_report(&restored.sign_in(SECRETARY)), false);
}

/// The rows are as that version left them when the migration finds them.
fn a_grant_that_was_ended_by_an_earlier_version_stays_ended(app: &TestApp) {
    ends_ahead_of_time(app);
    app.grant_between(NEIGHBOUR, Role::Liaison, NA_LONG, (app.now(), app.now() + TimeDelta::days(1)));
    let database = match app.backend() {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(database);
    let mut conn = app.database().connect();
    for step in ["down.sql", "up.sql"] {
        let path = folder.join("2026-11-29-000300_grants_ended_at_once").join(step);
        execute(&mut conn, &std::fs::read_to_string(path).expect("a migration"));
    }
    assert_eq!(can_report(&app.sign_in(SECRETARY)), false);
    let me = app.sign_in(NEIGHBOUR).read("/v1/me");
    assert_eq!(me["roles"], json!(["cadre", "liaison"]), "what is to end on a day holds until then");
}
