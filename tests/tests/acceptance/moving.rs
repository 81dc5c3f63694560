//! A record goes to another unit: who may send it there, who is told what, and what goes with it. What is still said to the unit
//! that it has left is in `readdressing.rs`.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{PERSON, STEP, meeting, object, person, step};
use muong_tests::client::{number, text, uuid};
use muong_tests::phone::kinds;
use muong_tests::province::{
    ADMIN, AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, NOBODY, OFFICER,
    OTHER_COMMUNE, PHIENG_SANG, PROVINCE, SECRETARY, STRANGER,
};
use muong_tests::replay::rebuilds_the_same_store;
use muong_tests::review::{quarantined, resolve};
use muong_tests::{Answer, Phone, Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_person_goes_with_all_that_has_happened_to_them_and_is_told_of_there,
    who_reviews_both_units_moves_and_nobody_else,
    a_step_goes_with_its_person_alone_and_nothing_goes_where_it_does_not_fit,
    a_meeting_that_the_other_branch_has_already_does_not_go_there,
    what_has_come_back_is_known_by_all_its_ids_again,
    its_history_and_its_disputes_go_with_it,
    a_move_stands_in_the_audit_of_both_units,
    the_log_alone_repeats_moves_also_of_somebody_erased_later,
    the_log_alone_repeats_a_move_between_two_erasures_that_belong_together,
    why_somebody_was_moved_is_shown_where_they_are_until_they_are_erased,
    why_a_meeting_was_moved_is_shown_to_whoever_sees_persons_where_it_is,
);

pub(super) const WHY: &str = "Đã thống nhất với hai chi bộ";

pub(super) fn moves(who: &Reporter, record: Uuid, to: Uuid) -> Answer {
    who.post(&format!("/v1/records/{record}/move"), &json!({"unit": to, "reason": WHY}))
}

pub(super) fn accepted(who: &Reporter, draft: Submission) -> Uuid {
    uuid(&who.reports_as("accepted", draft)["record"])
}

/// A candidate of Huổi Sang, with a step.
pub(super) fn candidate(secretary: &Reporter) -> (Uuid, Uuid) {
    let person = accepted(secretary, person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let step = accepted(secretary, step(HUOI_SANG, person, "awareness_class_completed", "2026-01-15"));
    (person, step)
}

pub(super) fn all_replay(app: &TestApp) {
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "after moves"));
}

fn a_person_goes_with_all_that_has_happened_to_them_and_is_told_of_there(app: &TestApp) {
    let people = [SECRETARY, NEIGHBOUR, COMMUNE].map(|login| app.sign_in(login));
    let [secretary, neighbour, commune] = &people;
    let (who, what) = candidate(secretary);
    let mut phones = [Phone::default(), Phone::default(), Phone::default()];
    phones.iter_mut().zip(&people).for_each(|(phone, who)| drop(phone.pulls(who)));
    let moved = moves(commune, who, NA_LONG).expect(200);
    assert_eq!(moved["records"], 2, "{moved}");
    let told: Vec<Vec<Value>> = phones.iter_mut().zip(&people).map(|(phone, who)| phone.pulls(who)).collect();
    assert_eq!(kinds(&told[0]), ["purge", "purge"], "{told:?}");
    let mut there = kinds(&told[1]);
    there.sort_unstable();
    assert_eq!(there, [STEP, PERSON], "{told:?}");
    for (phone, sees) in phones.iter().zip([false, true, true]) {
        assert_eq!(phone.things().contains_key(&who), sees);
        assert_eq!(phone.things().contains_key(&what), sees);
    }
    assert_eq!(phones[2].things()[&what]["unit"], json!(NA_LONG));
    secretary.get(&format!("/v1/records/{who}")).problem(404, "access.not_found");
    assert_eq!(neighbour.read(&format!("/v1/records/{who}"))["unit"], json!(NA_LONG));
    // Whoever begins anew has the same.
    for (phone, who) in phones.iter_mut().zip(&people) {
        let mut new = Phone::default();
        new.pulls(who);
        assert_eq!(new.things(), phone.things());
        let (mine, told) = phone.checks(who);
        assert_eq!(mine, told);
    }
    // The branch where they are goes on with them.
    accepted(neighbour, step(NA_LONG, who, "dossier_complete", "2026-02-10"));
    all_replay(app);
}

fn who_reviews_both_units_moves_and_nobody_else(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let record = accepted(&secretary, meeting(HUOI_SANG));
    moves(&secretary, record, NA_LONG).problem(403, "access.forbidden");
    let commune = app.sign_in(COMMUNE);
    moves(&commune, record, PHIENG_SANG).problem(422, "unit.unknown");
    moves(&commune, record, id()).problem(422, "unit.unknown");
    moves(&commune, id(), NA_LONG).problem(404, "access.not_found");
    let stranger = app.sign_in(OTHER_COMMUNE);
    moves(&stranger, record, PHIENG_SANG).problem(404, "access.not_found");
    let nothing = commune.post(&format!("/v1/records/{record}/move"), &json!({"unit": NA_LONG, "reason": " "}));
    nothing.problem(422, "record.reason_required");
    let department = app.sign_in(DEPARTMENT);
    moves(&department, record, PHIENG_SANG).expect(200);
    moves(&commune, record, NA_LONG).problem(404, "access.not_found");
    moves(&department, record, PHIENG_SANG).problem(422, "record.already_there");
}

fn a_step_goes_with_its_person_alone_and_nothing_goes_where_it_does_not_fit(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (who, what) = candidate(&secretary);
    moves(&commune, what, NA_LONG).problem(422, "record.goes_with_its_person");
    // A meeting is one of a branch.
    let record = accepted(&secretary, meeting(HUOI_SANG));
    let unfit = moves(&commune, record, MUONG_NHE).problem(422, "record.unfit_there");
    assert_eq!(unfit["errors"][0]["code"], "form.unit_kind", "{unfit}");
    let admin = app.sign_in(ADMIN);
    app.pass(TimeDelta::days(1));
    [&admin, &commune].iter().for_each(|who| who.renew());
    admin.post(&format!("/v1/units/{NA_LONG}/dissolve"), &json!({})).expect(200);
    moves(&commune, who, NA_LONG).problem(422, "unit.dissolved");
}

fn a_meeting_that_the_other_branch_has_already_does_not_go_there(app: &TestApp) {
    let (secretary, neighbour, commune) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    let other = accepted(&neighbour, meeting(NA_LONG));
    moves(&commune, record, NA_LONG).problem(409, "record.taken_there");
    neighbour.reports_as("accepted", Submission::delete(other, NA_LONG).with("after_lost", true));
    // A withdrawn record keeps its key.
    moves(&commune, record, NA_LONG).problem(409, "record.taken_there");
    assert_eq!(secretary.read(&format!("/v1/records/{record}"))["unit"], json!(HUOI_SANG));
}

fn what_has_come_back_is_known_by_all_its_ids_again(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    // The same meeting under another id: an alias in this unit.
    let other = commune.says(meeting(HUOI_SANG).with("record", id().to_string()));
    commune.push(&[&other]);
    let alias = other.record();
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert_eq!(phone.aliases().len(), 1);
    moves(&commune, record, NA_LONG).expect(200);
    phone.pulls(&secretary);
    // One that begins while it is away knows nothing of either id.
    let mut other_phone = Phone::default();
    other_phone.pulls(&secretary);
    assert_eq!((phone.aliases().len(), other_phone.aliases().len()), (0, 0));
    moves(&commune, alias, HUOI_SANG).expect(200);
    for phone in [&mut phone, &mut other_phone] {
        let (mine, told) = phone.checks(&secretary);
        assert_eq!(mine, told);
        assert_eq!(phone.aliases().into_values().collect::<Vec<_>>(), [record]);
    }
    assert_eq!(secretary.read(&format!("/v1/records/{alias}"))["aliases"], json!([alias]));
    all_replay(app);
}

fn its_history_and_its_disputes_go_with_it(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let neighbour = app.sign_in(NEIGHBOUR);
    let first = meeting(HUOI_SANG);
    let record = accepted(&secretary, first.clone());
    let other = first.anew().with("record", id().to_string()).to("present", 12).to("unexcused", 0);
    let conflict = commune.reports_as("conflict", other);
    let conflict = text(&conflict["conflicts"][0]["id"]).to_owned();
    moves(&commune, record, NA_LONG).expect(200);
    let said = neighbour.read(&format!("/v1/records/{record}/submissions"));
    assert_eq!(said["items"].as_array().map(Vec::len), Some(2), "{said}");
    let open = commune.read(&format!("/v1/conflicts?unit={NA_LONG}"));
    assert_eq!(text(&open["items"][0]["id"]), conflict);
    assert_eq!(commune.read(&format!("/v1/conflicts?unit={HUOI_SANG}"))["items"], json!([]));
    // Whoever had said something of it, where it was, is told how it was decided if they see where it is.
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    phone.notices();
    let seen: Vec<Uuid> = said["items"].as_array().expect("items").iter().map(|item| uuid(&item["id"])).collect();
    resolve(&commune, &conflict, &json!({"candidate": seen[0]}), &seen, WHY).expect(200);
    phone.pulls(&secretary);
    let told: Vec<String> = phone.notices().iter().map(|notice| notice.code.clone()).collect();
    assert_eq!(told, ["conflict.decided"]);
    all_replay(app);
}

fn a_move_stands_in_the_audit_of_both_units(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    let v = moves(&department, record, PHIENG_SANG).expect(200)["v"].clone();
    let seen_by = |login: &str| {
        let found = app.sign_in(login).read(&format!("/v1/audit?record={record}&kind=move"));
        found["items"].as_array().expect("items").first().cloned().unwrap_or_default()
    };
    let whole = seen_by(AUDITOR);
    assert_eq!((&whole["v"], &whole["unit"]), (&v, &json!(PHIENG_SANG)), "{whole}");
    assert_eq!(whole["change"], json!({"from": HUOI_SANG, "to": PHIENG_SANG}));
    for (top, unit) in [(MUONG_NHE, HUOI_SANG), (MUONG_CHA, PHIENG_SANG)] {
        app.grant(NOBODY, Role::Auditor, top);
        let part = seen_by(NOBODY);
        assert_eq!((&part["v"], &part["unit"], &part["change"]), (&v, &json!(unit), &Value::Null), "{part}");
        app.revoke(NOBODY, Role::Auditor, top);
    }
}

fn the_log_alone_repeats_moves_also_of_somebody_erased_later(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (neighbour, department) = (app.sign_in(NEIGHBOUR), app.sign_in(DEPARTMENT));
    let (who, _) = candidate(&secretary);
    let (other, _) = candidate(&secretary);
    moves(&commune, who, NA_LONG).expect(200);
    moves(&commune, other, NA_LONG).expect(200);
    let waits = secretary.reports_as("rejected", step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    accepted(&neighbour, step(NA_LONG, who, "branch_resolved", "2026-02-20").to("eligible", 9).to("yes", 8));
    moves(&department, who, PHIENG_SANG).expect(200);
    moves(&department, who, HUOI_SANG).expect(200);
    moves(&department, who, PHIENG_SANG).expect(200);
    all_replay(app);
    let erasure = json!({"reason": "Người này đã rút lại sự đồng ý."});
    department.post(&format!("/v1/records/{who}/erasure"), &erasure).expect(200);
    // What waited in a unit that they had left goes with them.
    assert_eq!(quarantined(&secretary, &waits["quarantine"])["content"]["kind"], "erased");
    moves(&department, other, PROVINCE).problem(422, "record.unfit_there");
    moves(&department, other, HUOI_SANG).expect(200);
    all_replay(app);
    let again = secretary.reports_as("rejected", step(HUOI_SANG, who, "ceremony_held", "2026-03-01"));
    assert_eq!(again["errors"][0]["code"], "record.moved", "{again}");
}

pub(super) fn exempted(person: Uuid) -> Submission {
    step(HUOI_SANG, person, "exempted", "2026-02-02").to("until", "2026-06-01")
}

pub(super) fn event(person: Uuid) -> serde_json::Map<String, Value> {
    object(json!({"person": person, "step": "exempted", "on": "2026-02-02", "until": "2026-06-01", "status": null,
        "certificate_on": null, "decision_on": null, "ceremony_on": null, "official_on": null}))
}

fn the_log_alone_repeats_a_move_between_two_erasures_that_belong_together(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let (one, other) = (candidate(&secretary).0, candidate(&secretary).0);
    let said = secretary.says(exempted(one));
    let seen = secretary.push(&[&said]);
    let edit = Submission::edit(STEP, said.record(), HUOI_SANG).seen(&seen.0, number(&seen.0["head"]));
    secretary.reports_as("merged", edit.changes_group(&event(one), &json!({"person": other})));
    // Somebody tells of them in another unit, before they come there.
    let neighbour = app.sign_in(NEIGHBOUR);
    let early = step(NA_LONG, other, "exempted", "2026-02-03").to("until", "2026-06-01").with("after_lost", true);
    neighbour.reports_as("rejected", early);
    let erase = |person: Uuid| {
        let reason = json!({"reason": "Người này đã rút lại sự đồng ý."});
        department.post(&format!("/v1/records/{person}/erasure"), &reason).expect(200);
    };
    erase(one);
    moves(&department, other, NA_LONG).expect(200);
    moves(&department, other, PHIENG_SANG).expect(200);
    moves(&department, one, NA_LONG).expect(200);
    all_replay(app);
    erase(other);
    all_replay(app);
}

/// Why a record was moved, the first time first, as it is told with it.
fn reasons(record: &Value) -> Vec<Value> {
    let told = record["moves"].as_array().unwrap_or_else(|| panic!("no moves: {record}"));
    told.iter().map(|decision| decision["reason"].clone()).collect()
}

fn why_somebody_was_moved_is_shown_where_they_are_until_they_are_erased(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let (commune, department) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    let (who, what) = candidate(&secretary);
    let path = format!("/v1/records/{who}");
    assert_eq!(secretary.read(&path)["moves"], json!([]));
    let v = moves(&commune, who, NA_LONG).expect(200)["v"].clone();
    let seen = neighbour.read(&path);
    assert_eq!(reasons(&seen), [WHY], "{seen}");
    let moved = &seen["moves"][0];
    assert_eq!((&moved["kind"], &moved["v"]), (&json!("move"), &v), "{seen}");
    assert_eq!(moved["by"], json!({"id": commune.user, "name": "Sùng Thị Mai"}), "{seen}");
    assert!(moved["at"].is_string(), "{seen}");
    // Their steps went with them, and a list tells of no moves.
    assert_eq!(neighbour.read(&format!("/v1/records/{what}"))["moves"], json!([]));
    let listed = neighbour.read(&format!("/v1/records?form={PERSON}"));
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["moves"]), (&json!(who), &Value::Null), "{listed}");
    // In the unit that they have left nobody sees them, nor why they went.
    secretary.get(&path).problem(404, "access.not_found");
    department.get(&path).problem(403, "access.reason_required");
    assert_eq!(reasons(&department.read_because("kiểm tra", &path).expect(200)), [WHY]);
    let erasure = json!({"reason": "Người này đã rút lại sự đồng ý."});
    department.post(&format!("{path}/erasure"), &erasure).expect(200);
    let remains = department.read_because("kiểm tra", &path).expect(200);
    assert_eq!(remains["erased"], true, "{remains}");
    assert_eq!(reasons(&remains), [Value::Null], "{remains}");
    assert_eq!(remains["moves"][0]["by"], moved["by"], "{remains}");
}

fn why_a_meeting_was_moved_is_shown_to_whoever_sees_persons_where_it_is(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let (commune, department) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    let path = format!("/v1/records/{record}");
    moves(&commune, record, NA_LONG).expect(200);
    for who in [&neighbour, &commune] {
        assert_eq!(reasons(&who.read(&path)), [WHY]);
    }
    // An officer sees no persons, and the province sees them with a stated reason only: that it was moved, and not why.
    app.grant(OFFICER, Role::Liaison, NA_LONG);
    let officer = app.sign_in(OFFICER);
    for who in [&officer, &department] {
        let seen = who.read(&path);
        assert_eq!(reasons(&seen), [Value::Null], "{seen}");
        assert_eq!(seen["moves"][0]["by"]["id"], json!(commune.user), "{seen}");
    }
    // The reason may name somebody, so whoever is shown it is accounted for; who is not shown it has been shown nothing.
    let noted = || app.sign_in(AUDITOR).read(&format!("/v1/audit?kind=read&user={}", department.user))["items"].clone();
    assert_eq!(noted(), json!([]));
    assert_eq!(reasons(&department.read_because("kiểm tra", &path).expect(200)), [WHY]);
    assert_eq!(noted()[0]["concerns"], json!([{"id": record, "unit": NA_LONG}]));
    // Where it goes next all that is told as well, and here nothing any more.
    moves(&department, record, PHIENG_SANG).expect(200);
    assert_eq!(reasons(&app.sign_in(STRANGER).read(&path)), [WHY, WHY]);
    for who in [&secretary, &neighbour, &commune, &officer] {
        who.get(&path).problem(404, "access.not_found");
    }
}
