//! Reading: lists that miss and repeat nothing, filters, and nothing that is not the reader's to see.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, meeting, person, step};
use muong_tests::client::{codes, number, text, uuid};
use muong_tests::province::{
    ADMIN, AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, OFFICER, OTHER_COMMUNE,
    PHIENG_SANG, PROVINCE, SECRETARY, STRANGER, XA_MUONG_NHE,
};
use muong_tests::{Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both!(
    pages_hold_everything_once_although_records_are_added_meanwhile,
    records_are_filtered_by_form_unit_day_state_and_dispute,
    steps_are_found_by_their_person,
    each_reader_sees_the_own_scope_and_no_more,
    who_may_read_no_content_is_told_so,
    the_province_reads_persons_with_a_stated_reason_only,
    people_of_a_branch_are_listed_by_given_name,
    a_record_tells_the_entry_of_each_field,
    the_submissions_behind_a_record_tell_who_said_what_and_when,
    a_quarantined_submission_is_listed_for_its_author_and_those_above,
    the_own_quarantine_is_read_also_when_every_grant_has_ended,
    the_own_quarantine_is_filtered_by_unit_form_and_state,
    a_date_is_written_with_a_year_of_four_digits,
    units_are_those_of_the_scope_and_those_above_them,
    a_cursor_is_of_no_use_for_another_reader,
    a_page_of_long_submissions_ends_before_its_limit,
    a_page_of_long_reasons_ends_before_its_limit,
);

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().expect("a list").iter().map(|item| text(&item["id"]).to_owned()).collect()
}

#[track_caller]
fn listed(reader: &Reporter, path: &str) -> BTreeSet<String> {
    ids(&reader.read(path)).into_iter().collect()
}

fn set(of: &[&Value]) -> BTreeSet<String> {
    of.iter().map(|value| text(value).to_owned()).collect()
}

fn of_month(unit: uuid::Uuid, month: &str) -> Submission {
    meeting(unit).to("period", month).to("held_on", format!("{month}-05"))
}

fn pages_hold_everything_once_although_records_are_added_meanwhile(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let months = ["2025-07", "2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"];
    let first: Vec<String> = months
        .iter()
        .map(|month| text(&secretary.reports_as("accepted", of_month(HUOI_SANG, month))["record"]).to_owned())
        .collect();
    let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = secretary.read(&format!("/v1/records?form={MEETING}&limit=2{cursor}"));
        assert!(page["items"].as_array().is_some_and(|items| items.len() <= 2), "{page}");
        found.extend(ids(&page));
        pages += 1;
        // Between any two pages somebody reports.
        let sitting = of_month(HUOI_SANG, "2026-02").to("sitting", pages);
        secretary
            .reports_as("accepted", sitting.with("record", json!(uuid::Uuid::from_u128(u128::from(pages as u32)))));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let once: BTreeSet<&String> = found.iter().collect();
    assert_eq!(once.len(), found.len(), "nothing twice: {found:?}");
    assert!(first.iter().all(|id| once.contains(id)), "nothing is missing: {found:?}");
    assert!(pages >= 4);
}

fn records_are_filtered_by_form_unit_day_state_and_dispute(app: &TestApp) {
    let (secretary, officer, neighbour) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(NEIGHBOUR));
    let commune = app.sign_in(COMMUNE);
    let january = &secretary.reports_as("accepted", of_month(HUOI_SANG, "2026-01"))["record"];
    let february = secretary.says(of_month(HUOI_SANG, "2026-02"));
    let seen = secretary.push(&[&february]).0;
    let february = &json!(february.record());
    let delete = Submission::delete(uuid(february), HUOI_SANG).seen(&seen, seen["head"].as_i64().expect("a head"));
    secretary.reports_as("accepted", delete);
    let march = &neighbour.reports_as("accepted", of_month(NA_LONG, "2026-03"))["record"];
    officer.reports_as("conflict", of_month(HUOI_SANG, "2026-01").to("present", 12).to("unexcused", 0));
    let entered = &secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"))["record"];
    let cases: [(&str, BTreeSet<String>); 10] = [
        ("", set(&[january, february, march, entered])),
        ("form=branch_meeting", set(&[january, february, march])),
        ("form=person", set(&[entered])),
        (&format!("form=branch_meeting&unit={HUOI_SANG}"), set(&[january, february])),
        (&format!("form=branch_meeting&unit={MUONG_NHE}"), set(&[january, february, march])),
        (&format!("unit={PHIENG_SANG}"), set(&[])),
        ("form=branch_meeting&from=2026-02-05&to=2026-02-28", set(&[february])),
        ("form=branch_meeting&state=live", set(&[january, march])),
        ("form=branch_meeting&state=deleted", set(&[february])),
        ("disputed=true", set(&[january])),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&commune, &format!("/v1/records?{query}")), expected, "{query}");
    }
}

fn steps_are_found_by_their_person(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let [mine, other] = ["Giàng A Vừ", "Sùng Thị Mỷ"].map(|name| {
        let entered = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "2001-04-12"))["record"]);
        let resolved = secretary.reports_as("accepted", step(HUOI_SANG, entered, "branch_resolved", "2026-01-15"));
        (entered, text(&resolved["record"]).to_owned())
    });
    let found = listed(&secretary, &format!("/v1/records?form=development_step&subject={}", mine.0));
    assert_eq!(found, BTreeSet::from([mine.1]));
    assert!(!found.contains(&other.1));
}

fn each_reader_sees_the_own_scope_and_no_more(app: &TestApp) {
    let here = &app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG))["record"];
    let beside = &app.sign_in(NEIGHBOUR).reports_as("accepted", meeting(NA_LONG))["record"];
    let elsewhere = &app.sign_in(STRANGER).reports_as("accepted", meeting(PHIENG_SANG))["record"];
    for (login, expected) in [
        (SECRETARY, set(&[here])),
        (OFFICER, set(&[here])),
        (NEIGHBOUR, set(&[beside])),
        (COMMUNE, set(&[here, beside])),
        (OTHER_COMMUNE, set(&[elsewhere])),
        (DEPARTMENT, set(&[here, beside, elsewhere])),
    ] {
        assert_eq!(listed(&app.sign_in(login), "/v1/records"), expected, "{login}");
    }
}

fn who_may_read_no_content_is_told_so(app: &TestApp) {
    let record = app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG))["record"].clone();
    for login in [ADMIN, AUDITOR] {
        let who = app.sign_in(login);
        for path in
            ["/v1/records", "/v1/quarantine?mine=false", "/v1/conflicts", &format!("/v1/records/{}", text(&record))]
        {
            who.get(path).problem(403, "access.forbidden");
        }
    }
}

fn the_province_reads_persons_with_a_stated_reason_only(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let entered = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let path = format!("/v1/records/{}", text(&entered["record"]));
    let department = app.sign_in(DEPARTMENT);
    let problem = department.get(&path).problem(403, "access.reason_required");
    assert!(!problem.to_string().contains("Giàng"), "{problem}");
    let record = department.read_because("Thẩm định hồ sơ kết nạp", &path).expect(200);
    assert_eq!(record["data"]["full_name"], "Giàng A Vừ");
    assert_eq!(ids(&department.read("/v1/records")), Vec::<String>::new(), "among others they are left out");
    let about_it = format!("subject={}", text(&entered["record"]));
    for asked in [
        "records?form=person",
        "records?form=development_step",
        &format!("records?{about_it}"),
        "conflicts?form=person",
        "quarantine?form=person",
    ] {
        department.get(&format!("/v1/{asked}")).problem(403, "access.reason_required");
    }
    department.read("/v1/quarantine?form=person&mine=true");
    let listed = department.read_because("Thẩm định hồ sơ kết nạp", "/v1/records?form=person").expect(200);
    assert_eq!(ids(&listed), [text(&entered["record"])]);
}

fn people_of_a_branch_are_listed_by_given_name(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for name in ["Vừ A Chá", "Lò Văn Ánh", "Điêu Thị Ánh", "Cà Thị Đào", "Lò Dung"] {
        secretary.reports_as("accepted", person(HUOI_SANG, name, "2001-04-12"));
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = secretary.read(&format!("/v1/records?form=person&unit={HUOI_SANG}&limit=2{cursor}"));
        let on_page = page["items"].as_array().expect("a list").iter();
        names.extend(on_page.map(|item| text(&item["data"]["full_name"]).to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["Điêu Thị Ánh", "Lò Văn Ánh", "Vừ A Chá", "Lò Dung", "Cà Thị Đào"]);
}

fn a_record_tells_the_entry_of_each_field(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let edit =
        Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, seen["head"].as_i64().expect("a head"));
    let edited = officer.reports_as("merged", edit.changes("place", json!(null), "Nhà văn hóa"));
    let record = secretary.read(&format!("/v1/records/{}", report.record()));
    let created = &seen["results"][0]["v"];
    assert_eq!(
        record["versions"],
        json!({"identity": created, "times": created, "roll": created, "place": edited["v"]})
    );
}

fn the_submissions_behind_a_record_tell_who_said_what_and_when(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&report]);
    app.set_clock("2026-03-09T02:12:00Z");
    let second = officer.says(meeting(HUOI_SANG).to("present", 12).to("unexcused", 0));
    officer.push(&[&second]);
    let said = secretary.read(&format!("/v1/records/{}/submissions", report.record()));
    let items = said["items"].as_array().expect("a list");
    let facts: Vec<(&str, &Value)> = items.iter().map(|item| (text(&item["id"]), &item["author"])).collect();
    assert_eq!(facts.len(), 2, "{said}");
    let (first, second_id) = (report.id().to_string(), second.id().to_string());
    assert_eq!([facts[0].0, facts[1].0], [&first[..], &second_id[..]], "in the order of their entries");
    for (item, who) in items.iter().zip([&secretary, &officer]) {
        assert!(item["author"].to_string().contains(&who.user.to_string()), "{item}");
    }
    assert_eq!(items[1]["result"]["status"], "conflict", "{said}");
}

fn a_quarantined_submission_is_listed_for_its_author_and_those_above(app: &TestApp) {
    let neighbour = app.sign_in(NEIGHBOUR);
    let waiting = neighbour.reports_as("forbidden", meeting(HUOI_SANG));
    for (login, sees) in [
        (NEIGHBOUR, true),
        (COMMUNE, true),
        (DEPARTMENT, true),
        (SECRETARY, false),
        (OFFICER, false),
        (STRANGER, false),
        (OTHER_COMMUNE, false),
    ] {
        let listed = ids(&app.sign_in(login).read("/v1/quarantine"));
        assert_eq!(listed.contains(&text(&waiting["quarantine"]).to_owned()), sees, "{login}");
    }
}

fn the_own_quarantine_is_read_also_when_every_grant_has_ended(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let wrong = secretary.reports_as("rejected", meeting(HUOI_SANG).to("excused", 2));
    app.pass(TimeDelta::seconds(5));
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    let late = secretary.reports_as("forbidden", meeting(HUOI_SANG));
    assert_eq!(codes(&late["errors"]), ["scope.no_grant"]);
    let own = set(&[&wrong["quarantine"], &late["quarantine"]]);
    for path in ["/v1/quarantine", "/v1/quarantine?mine=true"] {
        assert_eq!(listed(&secretary, path), own, "{path}");
    }
    for waiting in &own {
        let shown = secretary.read(&format!("/v1/quarantine/{waiting}"));
        assert_eq!(shown["content"]["value"]["set"]["present"]["to"], 11, "{shown}");
    }
    secretary.get("/v1/quarantine?mine=false").problem(403, "access.forbidden");
    secretary.get("/v1/records").problem(403, "access.forbidden");
    let others = app.sign_in(NEIGHBOUR).reports_as("forbidden", meeting(HUOI_SANG))["quarantine"].clone();
    secretary.get(&format!("/v1/quarantine/{}", text(&others))).problem(403, "access.forbidden");
}

fn the_own_quarantine_is_filtered_by_unit_form_and_state(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    let wrong = |unit| commune.reports_as("rejected", meeting(unit).to("excused", 2))["quarantine"].clone();
    let (here, beside) = (&wrong(HUOI_SANG), &wrong(NA_LONG));
    let about = person(HUOI_SANG, "Giàng A Vừ", "2001-02-30");
    let entry = &commune.reports_as("rejected", about)["quarantine"];
    let nowhere = &commune.reports_as("rejected", meeting(HUOI_SANG).with("unit", "x"))["quarantine"];
    let foreign = &commune.reports_as("forbidden", meeting(PHIENG_SANG))["quarantine"];
    app.sign_in(SECRETARY).reports_as("rejected", meeting(HUOI_SANG).to("excused", 2));
    let cases: [(&str, BTreeSet<String>); 7] = [
        ("", set(&[here, beside, entry, nowhere, foreign])),
        (&format!("&unit={HUOI_SANG}"), set(&[here, entry])),
        (&format!("&unit={MUONG_NHE}"), set(&[here, beside, entry])),
        (&format!("&unit={PHIENG_SANG}"), set(&[foreign])),
        (&format!("&unit={HUOI_SANG}&form=person"), set(&[entry])),
        (&format!("&unit={}", id()), set(&[])),
        ("&state=closed", set(&[])),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&commune, &format!("/v1/quarantine?mine=true{query}")), expected, "{query}");
    }
}

fn a_date_is_written_with_a_year_of_four_digits(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    for date in ["%2B99999-1-1", "-9999-1-01", "12026-3-05", "20260305", "2026-02-30"] {
        let problem = secretary.get(&format!("/v1/records?from={date}")).problem(400, "request.query_invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/from", "{problem}");
    }
    assert_eq!(ids(&secretary.read("/v1/records?from=0000-01-01&to=9999-12-31")).len(), 1);
}

fn units_are_those_of_the_scope_and_those_above_them(app: &TestApp) {
    let (secretary, commune, admin) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(ADMIN));
    let all = |units: &[uuid::Uuid]| units.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(listed(&secretary, "/v1/units"), all(&[PROVINCE, MUONG_NHE, HUOI_SANG]));
    assert_eq!(listed(&commune, "/v1/units?kind=branch"), all(&[HUOI_SANG, NA_LONG]));
    assert_eq!(listed(&commune, &format!("/v1/units?below={MUONG_NHE}")), all(&[MUONG_NHE, HUOI_SANG, NA_LONG]));
    assert_eq!(listed(&admin, "/v1/units?code=gso:03160"), all(&[XA_MUONG_NHE]));
    let unit = secretary.read(&format!("/v1/units/{HUOI_SANG}"));
    assert_eq!(unit["name"], "Chi bộ bản Huổi Sang", "{unit}");
    for unit in [NA_LONG, MUONG_CHA, PHIENG_SANG, id()] {
        secretary.get(&format!("/v1/units/{unit}")).problem(404, "access.not_found");
    }
}

fn a_cursor_is_of_no_use_for_another_reader(app: &TestApp) {
    let (secretary, stranger) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    for month in ["2026-01", "2026-02"] {
        secretary.reports_as("accepted", of_month(HUOI_SANG, month));
    }
    let next = secretary.read("/v1/records?limit=1")["next"].clone();
    let page = stranger.get(&format!("/v1/records?limit=1&cursor={}", text(&next)));
    // It grants nothing: either it is refused, or what it leads to is empty.
    assert!(page.status == 400 || ids(&page.json()).is_empty(), "{page:?}");
}

/// The ids on all pages of a list that asks for as many at once as it may, and how many pages that are.
fn all_pages(reader: &Reporter, list: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = reader.read(&format!("{list}?limit=500{cursor}"));
        found.extend(ids(&page));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (found, pages),
        }
    }
}

fn a_page_of_long_submissions_ends_before_its_limit(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let edit = || Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let said: Vec<Submission> =
        (0..20).map(|n| secretary.says(edit().changes("place", json!(null), format!("Nhà {n}")))).collect();
    // 5 MB, of which 4 MiB are a page: the report and sixteen of these, then the rest.
    let pushed = secretary.pushes_padded(&said, 250_000);
    assert!(pushed.statuses().iter().all(|status| ["merged", "conflict"].contains(status)), "{}", pushed.0);
    let (found, pages) = all_pages(&secretary, &format!("/v1/records/{}/submissions", report.record()));
    let expected: Vec<String> = [&report].into_iter().chain(&said).map(|said| said.id().to_string()).collect();
    assert_eq!((found, pages), (expected, 2), "each once, in order");
    let short = secretary.read(&format!("/v1/records/{}/submissions?limit=3", report.record()));
    assert_eq!(ids(&short).len(), 3);
    assert!(short["next"].is_string());
}

fn a_page_of_long_reasons_ends_before_its_limit(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let long = "x".repeat(4_000);
    let nonsense = |_| (0..50).fold(meeting(HUOI_SANG), |draft, n| draft.to(&format!("a{n}{long}"), 1));
    // Fifty places are told of each, 200 KB.
    let said: Vec<Submission> = (0..25).map(|n| secretary.says(nonsense(n))).collect();
    let pushed = secretary.pushes_padded(&said, 0);
    assert_eq!(pushed.statuses(), ["rejected"; 25]);
    let (found, pages) = all_pages(&secretary, "/v1/quarantine");
    assert!(found.is_sorted() && pages == 2, "{pages} pages");
    let expected = pushed.results().iter().map(|result| text(&result["quarantine"]).to_owned());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected.collect::<BTreeSet<_>>());
}
