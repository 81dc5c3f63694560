//! The hash by which a phone finds out that its copy is spoiled: agrees with what it was told, whatever happened, and with
//! nothing else.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_server::usecases::compact::compact;
use muong_tests::builders::{MEETING, meeting, object, person, step};
use muong_tests::client::uuid;
use muong_tests::database::execute;
use muong_tests::province::{
    ADMIN, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, NA_LONG, NEIGHBOUR, NOBODY, OFFICER, SECRETARY,
};
use muong_tests::{Backend, Phone, Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

on_both!(
    a_phone_agrees_with_the_server_whatever_happens_to_what_it_has,
    a_spoiled_copy_is_found_out_and_where_and_mended_by_beginning_anew,
    a_hash_is_told_only_to_who_asks_and_has_everything,
    of_more_than_a_phone_can_hold_there_is_no_hash,
);
/// Those that need a server of their own.
mod configured {
    use super::a_hash_takes_more_of_the_budget_than_a_pull;

    muong_tests::on_each!(a_hash_takes_more_of_the_budget_than_a_pull);
}

const LOGINS: [&str; 6] = [SECRETARY, OFFICER, NEIGHBOUR, COMMUNE, DEPARTMENT, NOBODY];

/// Phones that follow, and what each of them was told last.
struct Followers<'a> {
    app: &'a TestApp,
    phones: BTreeMap<&'static str, (Phone, Value)>,
}

impl Followers<'_> {
    /// All agree, and so does a phone that begins now. Who must notice something has another hash than before.
    #[track_caller]
    fn agree(&mut self, after: &str, who_notice: &[&str]) {
        for login in LOGINS {
            let user = self.app.sign_in(login);
            let (phone, before) = self.phones.entry(login).or_insert_with(|| (Phone::default(), Value::Null));
            let (mine, told) = phone.checks(&user);
            assert_eq!(mine, told, "{login}, after {after}");
            let mut new = Phone::default();
            assert_eq!(new.checks(&user).0, told, "{login} from the beginning, after {after}");
            assert!(!who_notice.contains(&login) || told["all"] != before["all"], "{login}, after {after}");
            *before = told;
        }
    }
}

fn a_phone_agrees_with_the_server_whatever_happens_to_what_it_has(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let mut all = Followers { app, phones: BTreeMap::new() };
    all.agree("nothing", &LOGINS);
    let said = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&said]);
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"))["record"]);
    secretary.reports_as("accepted", step(HUOI_SANG, id, "branch_resolved", "2026-01-15"));
    all.agree("three reports", &[SECRETARY, OFFICER, COMMUNE, DEPARTMENT]);
    let edit = Submission::edit(MEETING, said.record(), HUOI_SANG);
    let edit = edit.changes_group(&object(json!({"place": null})), &json!({"place": "Nhà văn hóa"}));
    secretary.reports_as("merged", edit.after(said.id()));
    all.agree("a correction", &[SECRETARY, OFFICER, COMMUNE, DEPARTMENT]);
    officer.reports(meeting(HUOI_SANG).to("present", 12).to("unexcused", 0));
    all.agree("the same meeting by another id", &[SECRETARY, OFFICER]);
    app.pass(TimeDelta::seconds(1));
    app.grant(NEIGHBOUR, Role::Liaison, HUOI_SANG);
    all.agree("a grant", &[NEIGHBOUR]);
    app.grant(NEIGHBOUR, Role::Cadre, HUOI_SANG);
    all.agree("a grant that shows more", &[NEIGHBOUR]);
    app.pass(TimeDelta::seconds(1));
    app.revoke(NEIGHBOUR, Role::Cadre, HUOI_SANG);
    all.agree("the end of that", &[NEIGHBOUR]);
    let path = format!("/v1/records/{id}/erasure");
    let reason = json!({"reason": "Người này đã rút lại sự đồng ý."});
    app.sign_in(DEPARTMENT).post(&path, &reason).expect(200);
    all.agree("an erasure", &[SECRETARY, COMMUNE]);
    secretary.reports(Submission::delete(said.record(), HUOI_SANG).after(said.id()));
    all.agree("a withdrawal", &[SECRETARY]);
    app.sign_in(ADMIN).post(&format!("/v1/units/{HUOI_SANG}/move"), &json!({"parent": MUONG_CHA})).expect(200);
    all.agree("a move", &[COMMUNE]);
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    all.agree("the end of a grant", &[SECRETARY]);
    app.pass(TimeDelta::days(40));
    compact(&app.app().writer, 30).expect("it compacts");
    all.agree("compaction", &[]);
}

/// Spoils what a phone has saved of one record, or beside it.
type Spoil = fn(&mut Value, Uuid, Uuid);

fn a_spoiled_copy_is_found_out_and_where_and_mended_by_beginning_anew(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let lost = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let kept = uuid(&secretary.reports_as("accepted", person(NA_LONG, "Giàng A Vừ", "2001-04-12"))["record"]);
    let mut phone = Phone::default();
    let (mine, told) = phone.checks(&secretary);
    assert_eq!(mine, told);
    let spoilings: [(&str, Spoil); 4] = [
        ("a record is lost", |saved, lost, _| {
            drop(saved["things"].as_object_mut().expect("things").remove(&lost.to_string()));
        }),
        ("a record is older", |saved, lost, _| saved["things"][lost.to_string()]["v"] = json!(1)),
        ("a record is doubled", |saved, lost, kept| {
            let copy = saved["things"][lost.to_string()].clone();
            saved["things"][Uuid::from_u128(kept.as_u128() + 1).to_string()] = copy;
        }),
        ("an alias was never there", |saved, lost, _| {
            let alias = json!({"record": lost, "download": 0});
            saved["aliases"][HUOI_SANG.to_string()] = json!({Uuid::from_u128(7).to_string(): alias});
        }),
    ];
    for (what, spoil) in spoilings {
        let mut spoiled = phone.clone();
        spoiled.is_spoiled(|saved| spoil(saved, lost, kept));
        let (mine, told) = spoiled.checks(&secretary);
        assert_ne!(mine["all"], told["all"], "{what}");
        let differs = |unit: Uuid| mine["units"][unit.to_string()] != told["units"][unit.to_string()];
        assert_eq!((differs(HUOI_SANG), differs(NA_LONG)), (true, false), "{what}");
        assert_eq!(spoiled.cursor(), None, "it begins anew by itself: {what}");
        let (mine, told) = spoiled.checks(&secretary);
        assert_eq!((&mine, spoiled.things(), spoiled.aliases()), (&told, phone.things(), phone.aliases()), "{what}");
    }
}

fn a_hash_is_told_only_to_who_asks_and_has_everything(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut phone = Phone::default();
    let page = phone.asks(&secretary, &json!({"hash": true, "limit": 1}));
    assert_eq!((&page["more"], page.get("hash")), (&json!(true), None));
    phone.pulls(&secretary);
    assert_eq!(phone.asks(&secretary, &json!({})).get("hash"), None);
    assert_eq!(phone.asks(&secretary, &json!({"hash": false})).get("hash"), None);
    let told = phone.asks(&secretary, &json!({"hash": true, "wait_s": 25}));
    assert_eq!(told["hash"], phone.hash(), "at once");
}

/// As many rows as asked for in a scope, as if the log had come so much further.
pub fn fill_feed(app: &TestApp, scope: Uuid, rows: u32) {
    let mut conn = app.database().connect();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <";
    let (id, scope) = match app.backend() {
        Backend::Sqlite => ("randomblob(16)", format!("x'{}'", scope.simple())),
        Backend::Postgres => ("gen_random_uuid()", format!("'{scope}'::uuid")),
    };
    execute(
        &mut conn,
        &format!(
            "{numbers} {rows}) INSERT INTO feed (id, scope, kind, seq, present) \
             SELECT {id}, {scope}, '{MEETING}', (SELECT seq FROM feed_head) + i, {} FROM n",
            if app.backend() == Backend::Sqlite { "1" } else { "true" }
        ),
    );
    execute(&mut conn, &format!("UPDATE feed_head SET seq = seq + {rows}"));
}

fn of_more_than_a_phone_can_hold_there_is_no_hash(app: &TestApp) {
    let (neighbour, secretary) = (app.sign_in(NEIGHBOUR), app.sign_in(SECRETARY));
    let whole = |who: &Reporter| {
        let mut phone = Phone::default();
        while phone.asks(who, &json!({}))["more"] == true {
            let page = phone.asks(who, &json!({}));
            phone.takes(&page);
        }
        let page = phone.asks(who, &json!({"hash": true}));
        page.get("hash").cloned()
    };
    fill_feed(app, NA_LONG, 50_100);
    assert_eq!(whole(&neighbour), None);
    assert!(whole(&secretary).is_some());
    // What is there no more is no burden.
    let no = if app.backend() == Backend::Sqlite { "0" } else { "false" };
    let mut conn = app.database().connect();
    execute(&mut conn, &format!("UPDATE feed SET present = {no} WHERE kind = '{MEETING}'"));
    assert!(whole(&neighbour).is_some());
}

fn a_hash_takes_more_of_the_budget_than_a_pull(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        (config.throttle.pull_requests_burst, config.throttle.pull_requests_per_minute) = (150, 60);
    });
    let secretary = app.sign_in(SECRETARY);
    let asks = |hash: bool| secretary.post("/v1/sync/pull", &json!({"hash": hash}));
    assert!(asks(true).expect(200)["hash"].is_object());
    let answer = asks(true);
    answer.problem(429, "request.throttled");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 30));
    asks(false).expect(200);
}
