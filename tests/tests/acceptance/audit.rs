//! The audit trail: who signed in, read, was refused or changed what; written before it is answered, found by whom and
//! what it concerns, for the inspection and nobody else.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{meeting, person, step};
use muong_tests::client::{text, uuid};
use muong_tests::database::{execute, number, texts};
use muong_tests::province::{
    ADMIN, AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NEIGHBOUR, NOBODY, PASSWORD, PHIENG_SANG,
    SECRETARY, STRANGER, user_id,
};
use muong_tests::{Reporter, TestApp, id, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

on_both!(
    a_sign_in_is_noted_whether_it_succeeds_or_not,
    a_name_that_nobody_has_is_never_written_down,
    reading_a_person_is_noted_with_the_reason_and_from_where,
    a_page_of_persons_is_one_row_that_names_them_all,
    reading_what_concerns_nobody_is_not_noted,
    reading_steps_submissions_conflicts_and_quarantine_of_a_person_is_noted,
    a_name_in_a_reason_is_left_out_when_it_was_shown,
    what_is_refused_is_noted,
    changes_and_reads_are_found_by_person_record_user_kind_and_time,
    decisions_are_found_by_record_and_person,
    pages_hold_everything_once_although_more_is_noted_meanwhile,
    only_the_inspection_reads_the_trail_and_that_is_noted_too,
    an_auditor_of_a_commune_sees_what_concerns_its_units,
    what_cannot_be_noted_is_not_shown,
    no_personal_value_stands_in_the_audit_or_the_log,
    reads_that_come_together_are_all_noted_once,
);

const NAME: &str = "Giàng A Vừ";

#[track_caller]
fn trail(auditor: &Reporter, query: &str) -> Vec<Value> {
    let page = auditor.read(&format!("/v1/audit?limit=500&{query}"));
    assert_eq!(page["next"], Value::Null, "{page}");
    page["items"].as_array().expect("a list").clone()
}

fn concerns(entry: &Value) -> BTreeSet<Uuid> {
    entry["concerns"].as_array().expect("a list").iter().map(|concern| uuid(&concern["id"])).collect()
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| text(&entry["kind"])).collect()
}

fn enters(reporter: &Reporter, name: &str) -> Uuid {
    uuid(&reporter.reports_as("accepted", person(HUOI_SANG, name, "2001-04-12"))["record"])
}

fn tries(app: &TestApp, login: &str, password: &str) -> u16 {
    let body = json!({"username": login, "password": password, "device": {"name": "Máy lạ"}});
    app.anonymous().post("/v1/auth/sign-in", &body).status
}

fn a_sign_in_is_noted_whether_it_succeeds_or_not(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    assert_eq!(tries(app, SECRETARY, "một câu khác hẳn"), 401);
    assert_eq!(tries(app, "khong.co.ai", PASSWORD), 401);
    let auditor = app.sign_in(AUDITOR);
    let noted = trail(&auditor, "kind=sign_in");
    let facts: Vec<(Value, &str)> =
        noted.iter().map(|entry| (entry["user"]["id"].clone(), text(&entry["outcome"]))).collect();
    let bad = "auth.bad_credentials";
    let expected =
        [(json!(auditor.user), "ok"), (Value::Null, bad), (json!(secretary.user), bad), (json!(secretary.user), "ok")];
    assert_eq!(facts, expected);
    let [.., first] = noted.as_slice() else { panic!("the first sign-in") };
    assert_eq!((uuid(&first["device"]), &first["what"]), (secretary.device, &json!("post_sign_in")));
    assert_eq!(first["address"], "127.0.0.1");
    assert_eq!(trail(&auditor, &format!("kind=sign_in&user={}", secretary.user)).len(), 2);
}

fn a_name_that_nobody_has_is_never_written_down(app: &TestApp) {
    assert_eq!(tries(app, "mat-khau-go-nham-o", "x"), 401);
    assert_eq!(tries(app, "Mật khẩu gõ nhầm ô!", "x"), 401);
    let written = everything_written(app);
    assert!(written.iter().any(|row| row.contains("auth.bad_credentials")), "{written:?}");
    assert!(!written.iter().any(|row| row.contains("nham") || row.contains("nhầm")), "{written:?}");
}

fn reading_a_person_is_noted_with_the_reason_and_from_where(app: &TestApp) {
    let candidate = enters(&app.sign_in(SECRETARY), NAME);
    let department = app.sign_in(DEPARTMENT);
    let shown = department.read_because("Thẩm định hồ sơ kết nạp", &format!("/v1/records/{candidate}"));
    shown.expect(200);
    let noted = trail(&app.sign_in(AUDITOR), "kind=read");
    let [read] = noted.as_slice() else { panic!("one row: {noted:?}") };
    assert_eq!((uuid(&read["user"]["id"]), uuid(&read["device"])), (department.user, department.device));
    assert_eq!((&read["what"], &read["outcome"]), (&json!("get_record"), &json!("ok")));
    assert_eq!(read["reason"], "Thẩm định hồ sơ kết nạp");
    assert_eq!(read["request_id"], json!(shown.header("x-request-id")));
    assert_eq!(read["concerns"], json!([{"id": candidate, "unit": HUOI_SANG}]));
}

fn a_page_of_persons_is_one_row_that_names_them_all(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let people: BTreeSet<Uuid> = ["Giàng A Vừ", "Lò Thị Ánh", "Sùng A Páo"].map(|name| enters(&secretary, name)).into();
    secretary.read("/v1/records?form=person");
    let noted = trail(&app.sign_in(AUDITOR), "kind=read");
    assert_eq!(noted.iter().map(concerns).collect::<Vec<_>>(), [people]);
}

fn reading_what_concerns_nobody_is_not_noted(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    for path in ["/v1/records", "/v1/me", "/v1/units", "/v1/forms", "/v1/quarantine", &format!("/v1/records/{record}")]
    {
        secretary.read(path);
    }
    secretary.read(&format!("/v1/records/{record}/submissions"));
    assert_eq!(trail(&app.sign_in(AUDITOR), "kind=read"), Vec::<Value>::new());
}

fn reading_steps_submissions_conflicts_and_quarantine_of_a_person_is_noted(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let candidate = enters(&secretary, NAME);
    let done =
        uuid(&secretary.reports_as("accepted", step(HUOI_SANG, candidate, "branch_resolved", "2026-01-15"))["record"]);
    let refused = secretary.reports_as("rejected", step(HUOI_SANG, candidate, "branch_resolved", "2015-01-15"));
    let waiting = uuid(&refused["quarantine"]);
    let commune = app.sign_in(COMMUNE);
    let reads: [(String, BTreeSet<Uuid>); 5] = [
        (format!("/v1/records/{done}"), [done, candidate].into()),
        (format!("/v1/records/{candidate}/submissions"), [candidate].into()),
        (format!("/v1/records?form=development_step&subject={candidate}"), [done, candidate].into()),
        ("/v1/quarantine".to_owned(), [waiting, candidate].into()),
        (format!("/v1/quarantine/{waiting}"), [waiting, candidate].into()),
    ];
    let auditor = app.sign_in(AUDITOR);
    for (path, expected) in reads {
        commune.read(&path);
        let noted = trail(&auditor, &format!("kind=read&user={}", commune.user));
        assert_eq!(noted.first().map(concerns), Some(expected), "{path}");
    }
    assert_eq!(trail(&auditor, &format!("kind=read&person={candidate}")).len(), 5);
    // Whoever wrote it has read it, too.
    secretary.read(&format!("/v1/quarantine/{waiting}"));
    assert_eq!(trail(&auditor, &format!("kind=read&user={}", secretary.user)).len(), 1);
}

fn a_name_in_a_reason_is_left_out_when_it_was_shown(app: &TestApp) {
    let candidate = enters(&app.sign_in(SECRETARY), NAME);
    let department = app.sign_in(DEPARTMENT);
    department.read_because("Hồ sơ của giàng a vừ, đợt 2", &format!("/v1/records/{candidate}")).expect(200);
    let noted = trail(&app.sign_in(AUDITOR), "kind=read");
    assert_eq!(noted[0]["reason"], "Hồ sơ của … … … đợt 2");
}

fn what_is_refused_is_noted(app: &TestApp) {
    let candidate = enters(&app.sign_in(SECRETARY), NAME);
    let path = format!("/v1/records/{candidate}");
    let waiting = app.sign_in(NEIGHBOUR).reports_as("forbidden", meeting(HUOI_SANG));
    let waiting = uuid(&waiting["quarantine"]);
    let auditor = app.sign_in(AUDITOR);
    let refused = |login: &str, path: &str, status: u16| {
        let who = app.sign_in(login);
        match path.ends_with("/release") {
            true => who.post(path, &json!({"reason": "Tôi muốn thế."})),
            false => who.get(path),
        }
        .expect(status);
        let noted = trail(&auditor, &format!("kind=refusal&user={}", who.user));
        let entry = noted.first().cloned().unwrap_or_else(|| panic!("{login} {path} was not noted"));
        (text(&entry["what"]).to_owned(), text(&entry["outcome"]).to_owned(), concerns(&entry))
    };
    let noted = |what: &str, code: &str, of: Option<Uuid>| (what.to_owned(), code.to_owned(), of.into_iter().collect());
    let not_found = noted("get_record", "access.not_found", Some(candidate));
    assert_eq!(refused(STRANGER, &path, 404), not_found);
    assert_eq!(refused(ADMIN, &path, 403), noted("get_record", "access.forbidden", Some(candidate)));
    assert_eq!(refused(ADMIN, "/v1/records", 403), noted("get_records", "access.forbidden", None));
    assert_eq!(refused(DEPARTMENT, &path, 403), noted("get_record", "access.reason_required", Some(candidate)));
    let release = format!("/v1/quarantine/{waiting}/release");
    assert_eq!(refused(STRANGER, &release, 404), noted("post_release", "access.not_found", Some(waiting)));
    assert_eq!(refused(SECRETARY, &release, 404), noted("post_release", "access.not_found", Some(waiting)));
    // What is merely wrong is nobody's business, and neither is an address that there is not.
    let before = trail(&auditor, "kind=refusal").len();
    app.sign_in(STRANGER).get("/v1/records?limit=0").expect(400);
    app.sign_in(STRANGER).get("/v1/nothing").expect(404);
    assert_eq!(trail(&auditor, "kind=refusal").len(), before);
}

fn changes_and_reads_are_found_by_person_record_user_kind_and_time(app: &TestApp) {
    let (secretary, commune, auditor) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(AUDITOR));
    let candidate = enters(&secretary, NAME);
    app.set_clock("2026-03-09T02:20:00Z");
    let done =
        uuid(&secretary.reports_as("accepted", step(HUOI_SANG, candidate, "branch_resolved", "2026-01-15"))["record"]);
    enters(&secretary, "Lò Thị Ánh");
    app.set_clock("2026-03-09T02:21:00Z");
    commune.read(&format!("/v1/records/{candidate}"));
    commune.read(&format!("/v1/records/{done}"));
    let found = |query: &str| trail(&auditor, query).iter().map(|e| text(&e["kind"]).to_owned()).collect::<Vec<_>>();
    assert_eq!(found(&format!("person={candidate}")), ["read", "read", "submission", "submission"]);
    assert_eq!(found(&format!("record={done}")), ["audit_read", "read", "submission"][1..]);
    assert_eq!(found(&format!("record={candidate}&kind=submission")), ["submission"]);
    assert_eq!(found(&format!("person={candidate}&user={}", commune.user)), ["read", "read"]);
    assert_eq!(found(&format!("person={candidate}&to=2026-03-09T02:20:00Z")), ["submission"]);
    assert_eq!(
        found(&format!("person={candidate}&from=2026-03-09T02:20:00Z")).last().map(String::as_str),
        Some("submission")
    );
    assert_eq!(found("kind=submission").len(), 3);
    assert_eq!(found(&format!("kind=submission&user={}", commune.user)), Vec::<String>::new());
    let of_secretary = found(&format!("user={}&kind=submission", secretary.user));
    assert_eq!(of_secretary.len(), 3);
    let everything = found("from=2026-03-09T02:20:00Z&to=2026-03-09T02:21:00Z");
    assert_eq!(everything, ["submission", "submission"]);
    let entries = trail(&auditor, &format!("person={candidate}&kind=submission"));
    let of_the_branch = |entry: &&Value| entry["v"].is_i64() && entry["unit"] == json!(HUOI_SANG);
    assert_eq!(entries.iter().filter(of_the_branch).count(), 2, "{entries:?}");
    assert_eq!(entries.len(), 2);
    auditor.get("/v1/audit?from=yesterday").problem(400, "request.query_invalid");
}

fn decisions_are_found_by_record_and_person(app: &TestApp) {
    let (neighbour, commune, auditor) = (app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE), app.sign_in(AUDITOR));
    let waiting = neighbour.reports_as("forbidden", meeting(HUOI_SANG));
    muong_tests::review::release(&commune, &waiting["quarantine"], "Họp ghép hai chi bộ.").expect(200);
    let released = trail(&auditor, "kind=release");
    let record = released[0]["concerns"][0]["id"].clone();
    assert_eq!((&released[0]["unit"], uuid(&released[0]["user"]["id"])), (&json!(HUOI_SANG), commune.user));
    let of_record = trail(&auditor, &format!("record={}", text(&record)));
    assert!(kinds(&of_record).contains(&"release"), "{of_record:?}");
    assert!(kinds(&of_record).contains(&"submission"), "{of_record:?}");
}

fn pages_hold_everything_once_although_more_is_noted_meanwhile(app: &TestApp) {
    let (secretary, auditor) = (app.sign_in(SECRETARY), app.sign_in(AUDITOR));
    let candidate = enters(&secretary, NAME);
    for _ in 0..5 {
        secretary.read(&format!("/v1/records/{candidate}"));
    }
    for query in [format!("person={candidate}"), "from=2026-03-09T02:11:00Z".to_owned()] {
        let whole = trail(&auditor, &query);
        let known: Vec<String> = whole.iter().map(place).collect();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = auditor.read(&format!("/v1/audit?{query}&limit=2{cursor}"));
            found.extend(page["items"].as_array().expect("a list").iter().map(place));
            // Time goes on, and there is more to find: it is newer than what the pages began with.
            app.pass(TimeDelta::seconds(1));
            secretary.read(&format!("/v1/records/{candidate}"));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        found.retain(|place| known.contains(place));
        assert_eq!(found, known, "{query}");
    }
}

fn place(entry: &Value) -> String {
    format!("{} {} {}", entry["chain"], entry["position"], entry["v"])
}

fn only_the_inspection_reads_the_trail_and_that_is_noted_too(app: &TestApp) {
    for login in [SECRETARY, COMMUNE, DEPARTMENT, ADMIN, NOBODY] {
        app.sign_in(login).get("/v1/audit").problem(403, "access.forbidden");
    }
    app.anonymous().get("/v1/audit").problem(401, "auth.required");
    let auditor = app.sign_in(AUDITOR);
    let asked = id();
    trail(&auditor, &format!("person={asked}"));
    let noted = trail(&auditor, "kind=audit_read");
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!((uuid(&noted[0]["user"]["id"]), concerns(&noted[0])), (auditor.user, [asked].into()));
    assert_eq!(trail(&auditor, "kind=refusal").len(), 5);
}

fn an_auditor_of_a_commune_sees_what_concerns_its_units(app: &TestApp) {
    let here = enters(&app.sign_in(SECRETARY), NAME);
    let there = app.sign_in(STRANGER).reports_as("accepted", person(PHIENG_SANG, "Lò Thị Ánh", "2001-04-12"));
    let there = uuid(&there["record"]);
    app.sign_in(DEPARTMENT).read_because("Thẩm định", "/v1/records?form=person").expect(200);
    app.grant(NOBODY, Role::Auditor, MUONG_NHE);
    let local = app.sign_in(NOBODY);
    let seen = trail(&local, "");
    let all: BTreeSet<Uuid> = seen.iter().flat_map(concerns).collect();
    assert_eq!(all, [here].into(), "{seen:?}");
    let kinds: BTreeSet<&str> = kinds(&seen).into_iter().collect();
    // The page of the department names both; its part here is shown. Sign-ins lie in no unit.
    assert!(kinds.contains("read") && kinds.contains("submission") && kinds.contains("grant"), "{seen:?}");
    assert!(!kinds.contains("sign_in"), "{seen:?}");
    assert!(seen.iter().all(|entry| entry["unit"] != json!(MUONG_CHA) && entry["unit"] != json!(PHIENG_SANG)));
    assert_eq!(trail(&local, &format!("person={there}")), Vec::<Value>::new());
    let whole = trail(&app.sign_in(AUDITOR), "kind=read");
    assert_eq!(concerns(&whole[0]), [here, there].into());
}

fn what_cannot_be_noted_is_not_shown(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let candidate = enters(&secretary, NAME);
    let report = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let mut conn = app.database().connect();
    execute(&mut conn, "ALTER TABLE audit RENAME TO hidden");
    let refused = secretary.get(&format!("/v1/records/{candidate}"));
    let problem = refused.problem(503, "server.unaudited");
    assert!(!problem.to_string().contains("Giàng"), "{problem}");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(tries(app, SECRETARY, PASSWORD), 503);
    secretary.get("/v1/conflicts").problem(503, "server.unaudited");
    secretary.read(&format!("/v1/records/{report}"));
    secretary.reports_as("accepted", step(HUOI_SANG, candidate, "branch_resolved", "2026-01-15"));
    execute(&mut conn, "ALTER TABLE hidden RENAME TO audit");
    secretary.read(&format!("/v1/records/{candidate}"));
    let noted = trail(&app.sign_in(AUDITOR), "kind=read");
    assert_eq!(noted.len(), 1, "{noted:?}");
}

/// Every text of the audit and of the log.
fn everything_written(app: &TestApp) -> Vec<String> {
    let mut conn = app.database().connect();
    let select = "SELECT kind || ' ' || what || ' ' || outcome || ' ' || coalesce(reason, '') || ' ' || coalesce(address, '') \
                  AS name FROM audit UNION ALL \
                  SELECT kind || ' ' || outcome || ' ' || coalesce(command, '') FROM log WHERE kind <> 'form'";
    texts(&mut conn, select)
}

fn no_personal_value_stands_in_the_audit_or_the_log(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let people = ["Vừ Thị Xuân Mai", "Quàng Đức Thắng", "Khoàng Gió Sùng"];
    for name in people {
        let record = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "1999-06-05"))["record"]);
        secretary.reports_as("rejected", step(HUOI_SANG, record, "branch_resolved", "2013-06-05"));
        app.sign_in(STRANGER).get(&format!("/v1/records/{record}")).problem(404, "access.not_found");
    }
    let department = app.sign_in(DEPARTMENT);
    department.read_because("Xem Vừ Thị Xuân Mai sinh 1999-06-05", "/v1/records?form=person").expect(200);
    let named = "/v1/records?form=person&name=quang%20duc";
    secretary.read(&format!("{named}&unit={HUOI_SANG}"));
    department.read_because("Tra cứu", named).expect(422);
    app.sign_in(COMMUNE).read("/v1/quarantine");
    tries(app, people[1], people[2]);
    let written = everything_written(app);
    assert!(written.len() > 15, "{written:?}");
    for value in people.iter().flat_map(|name| name.split(' ')).chain(["1999-06-05", "2013-06-05", "quang"]) {
        let told = written.iter().find(|row| row.contains(value));
        assert_eq!(told, None, "{value}");
    }
}

fn reads_that_come_together_are_all_noted_once(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let candidate = enters(&secretary, NAME);
    let client = secretary.client();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let client = client.clone();
            scope.spawn(move || (0..10).for_each(|_| drop(client.read(&format!("/v1/records/{candidate}")))));
        }
    });
    let mut conn = app.database().connect();
    assert_eq!(number(&mut conn, "SELECT count(*) AS n FROM audit WHERE kind = 'read'"), 80);
    assert_eq!(user_id(SECRETARY), secretary.user);
}
