//! Supervision assignments: who attends and guides a branch is said by those who review there, is told to the branch's
//! phones in the feed, with the name or without it, and is ended, withdrawn and erased like any other record.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::object;
use muong_tests::client::{assert_finding, codes, uuid};
use muong_tests::phone::kinds;
use muong_tests::province::{
    AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, NEIGHBOUR, OFFICER, OTHER_COMMUNE, SECRETARY, STRANGER,
};
use muong_tests::review::{quarantined, release};
use muong_tests::{Phone, Reporter, Submission, TestApp, id, on_both, rebuilds_the_same_store};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_reviewer_assigns_and_the_phones_of_the_branch_are_told,
    another_branchs_phone_is_told_nothing,
    whoever_begins_to_see_persons_is_told_the_name,
    whoever_only_reports_assigns_nobody_and_what_they_sent_waits_whole,
    what_waits_is_released_by_a_reviewer,
    an_assignment_that_ends_before_it_begins_is_rejected_at_its_end,
    an_assignment_that_was_decided_late_is_taken_and_said_so,
    an_assignment_that_has_ended_reaches_the_phone,
    a_withdrawn_assignment_is_a_tombstone,
    whoever_only_reports_changes_and_withdraws_none,
    the_name_is_erased_by_the_record_and_the_assignment_stays,
    it_is_explained_who_may_assign,
    whoever_reports_without_seeing_names_is_told_none_by_what_they_push,
    whoever_is_shown_the_name_in_quarantine_is_accounted_for_and_nobody_else,
);

/// The form of assignments.
const ASSIGNMENT: &str = "supervision_assignment";
/// Who is assigned.
const NAME: &str = "Sùng A Lềnh";

/// A committee member is assigned from the beginning of March on.
fn assignment(unit: Uuid) -> Submission {
    Submission::create(ASSIGNMENT, id(), unit)
        .to("supervisor", NAME)
        .to("capacity", "committee_member")
        .to("from", "2026-03-01")
        .to("decision", "15-QĐ/ĐU")
        .to("decided_on", "2026-02-25")
}

/// What is said of it, to whoever may see the name.
fn whole() -> Value {
    json!({"supervisor": NAME, "capacity": "committee_member", "from": "2026-03-01", "decision": "15-QĐ/ĐU",
        "decided_on": "2026-02-25"})
}

/// The same, to whoever may not.
fn masked() -> Value {
    json!({"capacity": "committee_member", "from": "2026-03-01", "decision": "15-QĐ/ĐU", "decided_on": "2026-02-25",
        "masked": ["supervisor"]})
}

/// The reviewer assigns somebody to Huổi Sang.
#[track_caller]
fn assigns(reviewer: &Reporter) -> Submission {
    let said = reviewer.says(assignment(HUOI_SANG));
    assert_eq!(reviewer.push(&[&said]).statuses(), ["accepted"]);
    said
}

/// A phone that has everything that its user may see.
#[track_caller]
fn phone_of(user: &Reporter) -> Phone {
    let mut phone = Phone::default();
    phone.pulls(user);
    phone
}

/// The end of an assignment whose author had said it.
fn ended(said: &Submission, until: &str) -> Submission {
    let seen = object(json!({"capacity": "committee_member", "from": "2026-03-01", "until": null}));
    Submission::edit(ASSIGNMENT, said.record(), HUOI_SANG)
        .changes_group(&seen, &json!({"until": until}))
        .after(said.id())
}

fn a_reviewer_assigns_and_the_phones_of_the_branch_are_told(app: &TestApp) {
    let who = [SECRETARY, OFFICER, COMMUNE, DEPARTMENT].map(|login| app.sign_in(login));
    let mut phones = who.each_ref().map(phone_of);
    for reviewer in [COMMUNE, DEPARTMENT] {
        let said = assigns(&app.sign_in(reviewer));
        // The branch's secretary sees whom to expect; the officer, and a copy of the province's, only that there is somebody.
        for ((phone, user), seen) in phones.iter_mut().zip(&who).zip([whole(), masked(), whole(), masked()]) {
            let told = phone.pulls(user);
            assert_eq!(kinds(&told), [ASSIGNMENT], "{told:?}");
            assert_eq!((&told[0]["t"], &told[0]["id"]), (&json!("put"), &json!(said.record())), "{told:?}");
            assert_eq!((&told[0]["unit"], &told[0]["data"]), (&json!(HUOI_SANG), &seen), "{told:?}");
            assert_eq!(user.read(&format!("/v1/records/{}", said.record()))["data"], seen);
        }
        let reason = who[3].read_because("kiểm tra", &format!("/v1/records/{}", said.record())).expect(200);
        assert_eq!((&reason["data"], &reason["occurred_on"]), (&whole(), &json!("2026-03-01")));
    }
}

fn another_branchs_phone_is_told_nothing(app: &TestApp) {
    let others = [NEIGHBOUR, STRANGER, OTHER_COMMUNE].map(|login| app.sign_in(login));
    let mut phones = others.each_ref().map(phone_of);
    let said = assigns(&app.sign_in(COMMUNE));
    for (phone, user) in phones.iter_mut().zip(&others) {
        assert_eq!(phone.pulls(user), Vec::<Value>::new());
        user.get(&format!("/v1/records/{}", said.record())).problem(404, "access.not_found");
    }
    let result = app.sign_in(OTHER_COMMUNE).reports_as("forbidden", assignment(HUOI_SANG));
    assert_eq!(codes(&result["errors"]), ["scope.outside"]);
}

fn whoever_begins_to_see_persons_is_told_the_name(app: &TestApp) {
    let said = assigns(&app.sign_in(COMMUNE));
    let officer = app.sign_in(OFFICER);
    let mut phone = phone_of(&officer);
    let seen = |phone: &Phone| phone.of_kind(ASSIGNMENT)[&said.record()]["data"].clone();
    assert_eq!(seen(&phone), masked());
    app.pass(TimeDelta::seconds(1));
    app.grant(OFFICER, Role::Cadre, HUOI_SANG);
    phone.pulls(&officer);
    assert_eq!(seen(&phone), whole());
    app.pass(TimeDelta::seconds(1));
    app.revoke(OFFICER, Role::Cadre, HUOI_SANG);
    phone.pulls(&officer);
    assert_eq!(seen(&phone), masked());
}

fn whoever_only_reports_assigns_nobody_and_what_they_sent_waits_whole(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    for login in [SECRETARY, OFFICER] {
        let reporter = app.sign_in(login);
        let said = reporter.says(assignment(HUOI_SANG));
        let result = reporter.push(&[&said]).only();
        assert_eq!((&result["status"], codes(&result["errors"])), (&json!("forbidden"), vec!["access.forbidden"]));
        assert_finding(&result["errors"][0]);
        let waiting = quarantined(&commune, &result["quarantine"]);
        assert_eq!((&waiting["form"], &waiting["unit"]), (&json!(ASSIGNMENT), &json!(HUOI_SANG)), "{waiting}");
        assert_eq!(&waiting["content"], &json!({"kind": "json", "value": said.json()}), "{waiting}");
        commune.get(&format!("/v1/records/{}", said.record())).problem(404, "access.not_found");
    }
    // Whoever may not see the name does not see it in what waits either.
    let listed = app.sign_in(DEPARTMENT).read(&format!("/v1/quarantine?form={ASSIGNMENT}"));
    let waiting = listed["items"].as_array().expect("a list");
    assert_eq!(waiting.len(), 2, "{listed}");
    let seen = quarantined(&app.sign_in(DEPARTMENT), &waiting[0]["id"]);
    assert_eq!(seen["content"]["value"]["set"]["supervisor"], json!({"masked": true}), "{seen}");
    assert!(!listed.to_string().contains(NAME) && !seen.to_string().contains(NAME), "{seen}");
}

fn what_waits_is_released_by_a_reviewer(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let mut phone = phone_of(&secretary);
    let result = secretary.reports_as("forbidden", assignment(HUOI_SANG));
    release(&commune, &result["quarantine"], "Đảng ủy đã phân công đúng như vậy.").expect(200);
    let told = phone.pulls(&secretary);
    let put = told.iter().find(|message| message["kind"] == ASSIGNMENT).expect("it is told of");
    assert_eq!(put["data"], whole(), "{told:?}");
}

fn an_assignment_that_ends_before_it_begins_is_rejected_at_its_end(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    let said = assigns(&commune);
    for wrong in [assignment(HUOI_SANG).to("until", "2026-02-28"), ended(&said, "2026-02-28")] {
        let result = commune.reports_as("rejected", wrong);
        assert_eq!(codes(&result["errors"]), ["assignment.until_before_from"], "{result}");
        assert_eq!(result["errors"][0]["pointer"], "/set/until", "{result}");
        assert_finding(&result["errors"][0]);
    }
    commune.reports_as("accepted", assignment(HUOI_SANG).to("until", "2026-03-01"));
}

fn an_assignment_that_was_decided_late_is_taken_and_said_so(app: &TestApp) {
    let result = app.sign_in(COMMUNE).reports_as("accepted", assignment(HUOI_SANG).to("decided_on", "2026-03-02"));
    assert_eq!(codes(&result["warnings"]), ["assignment.decided_after_from"], "{result}");
    assert_finding(&result["warnings"][0]);
}

fn an_assignment_that_has_ended_reaches_the_phone(app: &TestApp) {
    let (commune, secretary) = (app.sign_in(COMMUNE), app.sign_in(SECRETARY));
    let said = assigns(&commune);
    let mut phone = phone_of(&secretary);
    let edited = commune.reports_as("merged", ended(&said, "2026-12-31"));
    let told = phone.pulls(&secretary);
    assert_eq!(kinds(&told), [ASSIGNMENT], "{told:?}");
    assert_eq!((&told[0]["data"]["until"], &told[0]["v"]), (&json!("2026-12-31"), &edited["v"]), "{told:?}");
    assert_eq!(told[0]["data"]["supervisor"], NAME, "{told:?}");
}

fn a_withdrawn_assignment_is_a_tombstone(app: &TestApp) {
    let (commune, department) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    let who = [SECRETARY, OFFICER].map(|login| app.sign_in(login));
    let (first, second) = (assigns(&commune), assigns(&department));
    let mut phones = who.each_ref().map(phone_of);
    // Who may report nothing else there names the form; of the others the record tells it.
    let withdrawals = [
        (&commune, Submission::delete(first.record(), HUOI_SANG).after(first.id())),
        (&department, Submission::delete(second.record(), HUOI_SANG).with("form", ASSIGNMENT).after(second.id())),
    ];
    for (reviewer, withdrawal) in withdrawals {
        let record = withdrawal.record();
        let done = reviewer.reports_as("accepted", withdrawal);
        for (phone, user) in phones.iter_mut().zip(&who) {
            let told = phone.pulls(user);
            assert_eq!(told, [json!({"t": "tombstone", "id": record, "unit": HUOI_SANG, "v": done["v"]})]);
        }
    }
    assert!(phones.iter().all(|phone| phone.records().is_empty()));
}

fn whoever_only_reports_changes_and_withdraws_none(app: &TestApp) {
    let (commune, secretary, neighbour) = (app.sign_in(COMMUNE), app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let said = assigns(&commune);
    let mut phone = phone_of(&secretary);
    let record = said.record();
    let renamed = || Submission::edit(ASSIGNMENT, record, HUOI_SANG).changes("supervisor", NAME, "Vừ A Chá");
    let withdrawn = || Submission::delete(record, HUOI_SANG);
    for login in [SECRETARY, OFFICER] {
        let reporter = app.sign_in(login);
        for draft in [renamed(), withdrawn(), withdrawn().with("form", ASSIGNMENT)] {
            let result = reporter.reports_as("forbidden", draft);
            assert_eq!(codes(&result["errors"]), ["access.forbidden"], "{login}: {result}");
        }
    }
    for draft in [renamed(), withdrawn()] {
        assert_eq!(codes(&neighbour.reports_as("forbidden", draft)["errors"]), ["scope.outside"]);
    }
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    assert_eq!(phone.of_kind(ASSIGNMENT)[&record]["data"], whole());
}

fn the_name_is_erased_by_the_record_and_the_assignment_stays(app: &TestApp) {
    let (commune, department, secretary) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT), app.sign_in(SECRETARY));
    let record = assigns(&commune).record();
    let other = assigns(&commune).record();
    let mut phone = phone_of(&secretary);
    let path = format!("/v1/records/{record}/erasure");
    let reason = json!({"reason": "Đồng chí đã yêu cầu xóa tên."});
    commune.post(&path, &reason).problem(403, "access.forbidden");
    department.post(&path, &reason).expect(200);
    let told = phone.pulls(&secretary);
    let purged: Vec<Uuid> = told.iter().filter(|m| m["t"] == "purge").map(|m| uuid(&m["id"])).collect();
    assert_eq!(purged, [record], "{told:?}");
    assert_eq!(phone.of_kind(ASSIGNMENT)[&other]["data"], whole(), "another assignment of the same name is another's");
    let seen = commune.read(&format!("/v1/records/{record}"));
    assert_eq!((&seen["state"], &seen["erased"]), (&json!("live"), &json!(true)), "{seen}");
    assert_eq!((&seen["data"]["from"], &seen["data"]["supervisor"]), (&json!("2026-03-01"), &Value::Null), "{seen}");
    rebuilds_the_same_store(&app.app().database, app.backend(), "an erased supervisor");
}

fn it_is_explained_who_may_assign(app: &TestApp) {
    for (login, allowed) in [(SECRETARY, false), (OFFICER, false), (COMMUNE, true), (DEPARTMENT, true)] {
        let ask = |action: &str| {
            let query = format!("action={action}&unit={HUOI_SANG}&form={ASSIGNMENT}");
            app.sign_in(login).read(&format!("/v1/me/can?{query}"))
        };
        let answer = ask("report");
        assert_eq!((&answer["allowed"], &answer["action"]), (&json!(allowed), &json!("review")), "{login}: {answer}");
        assert_eq!(ask("read_reports")["allowed"], true, "{login}");
    }
}

fn whoever_reports_without_seeing_names_is_told_none_by_what_they_push(app: &TestApp) {
    let (commune, department) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    let said = assigns(&commune);
    let guess = |name: &str| {
        let edit = Submission::edit(ASSIGNMENT, said.record(), HUOI_SANG).changes("supervisor", "Ai đó", name);
        department.says(edit.with("base", json!({"v": null})))
    };
    for (name, status) in [("Vừ A Khác", "conflict"), (NAME, "conflict")] {
        let edit = guess(name);
        for expected in [status, "duplicate"] {
            let pushed = department.push(&[&edit]);
            assert_eq!(pushed.statuses(), [expected], "{pushed:?}");
            assert!(!pushed.0.to_string().contains(NAME), "{pushed:?}");
            assert!(!pushed.0.to_string().contains("already"), "{pushed:?}");
        }
    }
    // Whoever sees names is told what stands against theirs.
    let edit = Submission::edit(ASSIGNMENT, said.record(), HUOI_SANG).changes("supervisor", "Ai đó", "Vừ A Ba");
    let told = commune.push(&[&commune.says(edit.with("base", json!({"v": null})))]);
    assert!(told.0.to_string().contains(NAME), "{told:?}");
}

fn whoever_is_shown_the_name_in_quarantine_is_accounted_for_and_nobody_else(app: &TestApp) {
    let (secretary, commune, department) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    let waits = secretary.reports_as("forbidden", assignment(HUOI_SANG))["quarantine"].clone();
    let reads = |user: &Reporter| {
        let found = app.sign_in(AUDITOR).read(&format!("/v1/audit?kind=read&user={}", user.user));
        found["items"].as_array().expect("items").len()
    };
    assert!(!quarantined(&department, &waits).to_string().contains(NAME));
    commune.read("/v1/quarantine");
    assert_eq!((reads(&department), reads(&commune)), (0, 0));
    assert!(quarantined(&commune, &waits).to_string().contains(NAME));
    assert_eq!(reads(&commune), 1);
}
