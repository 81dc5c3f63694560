//! What goes wrong only when several things come together: one batch, two units, one card, an alias.

use muong_tests::builders::{MEETING, identity, meeting, object, person, step};
use muong_tests::client::{codes, text, uuid};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, NA_LONG, NEIGHBOUR, NOWHERE, SECRETARY};
use muong_tests::review::{discard, release};
use muong_tests::{Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_person_whose_id_is_taken_elsewhere_has_a_history_of_their_own,
    a_natural_key_may_go_from_one_record_to_another_in_one_batch,
    a_card_that_somebody_else_holds_by_now_is_not_activated_by_a_readmission,
    a_report_for_no_unit_at_all_cannot_be_released_into_nowhere,
    an_instant_of_another_age_waits_and_its_neighbours_do_not,
    the_parsers_own_tokens_are_data_to_nobody,
    whoever_may_not_report_cannot_do_so_by_a_release_of_their_own,
    what_waits_elsewhere_is_neither_told_nor_released_along,
    the_same_unreadable_bytes_of_two_people_are_kept_for_both,
);

fn member(reporter: &Reporter, unit: Uuid, name: &str, card: Option<&str>) -> Uuid {
    let mut draft = person(unit, name, "1980-04-12");
    if let Some(card) = card {
        draft = draft.to("party_card", card);
    }
    let id = uuid(&reporter.reports_as("accepted", draft)["record"]);
    let entry = step(unit, id, "opening_entry", "2025-09-01")
        .to("status", "official")
        .to("decision_on", "2005-05-01")
        .to("ceremony_on", "2005-05-19")
        .to("official_on", "2006-05-19");
    reporter.reports_as("accepted", entry);
    id
}

fn a_person_whose_id_is_taken_elsewhere_has_a_history_of_their_own(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let theirs = member(&there, NA_LONG, "Lò Văn Xuân", None);
    there.reports_as("accepted", step(NA_LONG, theirs, "deceased", "2026-01-10"));
    let namesake = person(HUOI_SANG, "Giàng A Sử", "1990-02-03").with("record", json!(theirs));
    let own = here.reports_as("accepted", namesake);
    assert_ne!(own["record"], json!(theirs), "the id stands for a record of its own");
    // Judged by the other's history this would be a step after a death.
    let taken = here.reports_as("accepted", step(HUOI_SANG, theirs, "awareness_class_completed", "2026-02-10"));
    let record = here.read(&format!("/v1/records/{}", text(&taken["record"])));
    assert_eq!(record["subject"], own["record"], "{record}");
    assert_eq!(record["data"]["person"], own["record"], "{record}");
    let history = there.read(&format!("/v1/records?form=development_step&subject={theirs}"));
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2), "{history}");
}

fn moved(record: Uuid, from: &str, to: &str) -> Submission {
    let held = |period: &str| json!({"period": period, "held_on": format!("{period}-05")});
    let mut seen = identity();
    seen.extend(object(held(from)));
    Submission::edit(MEETING, record, HUOI_SANG).changes_group(&seen, &held(to))
}

fn a_natural_key_may_go_from_one_record_to_another_in_one_batch(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = |period: &str| meeting(HUOI_SANG).to("period", period).to("held_on", format!("{period}-05"));
    let [low, high] =
        ["2026-02", "2026-03"].map(|period| uuid(&secretary.reports_as("accepted", of(period))["record"]));
    assert!(low < high, "the one that takes the key is written first");
    let batch = [secretary.says(moved(high, "2026-03", "2026-01")), secretary.says(moved(low, "2026-02", "2026-03"))];
    let pushed = secretary.push(&[&batch[0], &batch[1]]);
    assert_eq!(pushed.statuses(), ["merged", "merged"], "{}", pushed.0);
    let month = |id: Uuid| secretary.read(&format!("/v1/records/{id}"))["data"]["period"].clone();
    assert_eq!((month(low), month(high)), (json!("2026-03"), json!("2026-01")));
}

fn a_card_that_somebody_else_holds_by_now_is_not_activated_by_a_readmission(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = member(&secretary, HUOI_SANG, "Giàng A Chu", Some("29000001"));
    let taken = secretary.reports(person(HUOI_SANG, "Giàng A Dình", "1985-01-01").to("party_card", "29000001"));
    assert_eq!(codes(&taken["errors"]), ["person.card_taken"], "{taken}");
    secretary.reports_as("accepted", step(HUOI_SANG, first, "removed_from_roll", "2025-10-01"));
    member(&secretary, HUOI_SANG, "Giàng A Páo", Some("29000001"));
    let back = secretary.reports(step(HUOI_SANG, first, "readmitted", "2026-01-15"));
    let both = vec!["step.card_of_probationary", "person.card_taken"];
    assert_eq!((&back["status"], codes(&back["errors"])), (&json!("rejected"), both), "in probation there is no card");
}

fn a_report_for_no_unit_at_all_cannot_be_released_into_nowhere(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let waiting = secretary.reports_as("forbidden", meeting(NOWHERE));
    let refused =
        release(&department, &waiting["quarantine"], "Đúng nội dung.").problem(422, "quarantine.not_releasable");
    assert_eq!(codes(&refused["errors"]), ["scope.unknown_unit"]);
    discard(&department, &waiting["quarantine"], "Không có đơn vị này.").expect(204);
}

fn an_instant_of_another_age_waits_and_its_neighbours_do_not(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for (month, instant) in [("2026-01", "+262142-12-31T23:59:59Z"), ("2026-02", "-4800-01-01T00:00:00Z")] {
        let of = meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"));
        let batch = [secretary.says(meeting(HUOI_SANG).with("captured_at", instant)), secretary.says(of)];
        let pushed = secretary.push(&[&batch[0], &batch[1]]);
        assert_eq!(pushed.statuses(), ["rejected", "accepted"], "{}", pushed.0);
        let finding = &pushed.results()[0]["errors"][0];
        assert_eq!((text(&finding["code"]), text(&finding["pointer"])), ("submission.malformed", "/captured_at"));
        let mut body = secretary.envelope(&[]);
        body["sent_at"] = json!(instant);
        secretary.post("/v1/sync/push", &body).problem(400, "request.malformed");
    }
}

fn the_parsers_own_tokens_are_data_to_nobody(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let token = json!({"$serde_json::private::RawValue": deep});
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG).to("place", "Nhà văn hóa"))["record"]);
    let draft = Submission::edit(MEETING, record, HUOI_SANG).changes("place", token.clone(), "Nhà bí thư");
    let said = secretary.says(draft);
    let first = secretary.tries_to_push(&[&said]).expect(200);
    assert_eq!(codes(&first["results"][0]["errors"]), ["submission.not_ijson"], "{first}");
    let again = secretary.tries_to_push(&[&said]).expect(200);
    assert_eq!(again["results"][0]["status"], "duplicate", "what was answered can be answered again: {again}");
    let choice = json!({"values": {"place": token}});
    let body = json!({"choose": choice, "seen": [], "reason": "Thử."});
    let answer = app.sign_in(COMMUNE).post(&format!("/v1/conflicts/{}/resolution", id()), &body);
    answer.problem(400, "request.malformed");
}

fn whoever_may_not_report_cannot_do_so_by_a_release_of_their_own(app: &TestApp) {
    let department = app.sign_in(DEPARTMENT);
    let waiting = department.reports_as("forbidden", meeting(HUOI_SANG));
    release(&department, &waiting["quarantine"], "Tôi tự duyệt.").problem(403, "access.forbidden");
    release(&app.sign_in(COMMUNE), &waiting["quarantine"], "Xã đã kiểm tra.").expect(200);
}

fn what_waits_elsewhere_is_neither_told_nor_released_along(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let commune = app.sign_in(COMMUNE);
    let theirs = there.says(meeting(HUOI_SANG));
    let waiting = there.push(&[&theirs]).only();
    assert_eq!(waiting["status"], "forbidden");
    // Of another's submission nobody is told whether it is there.
    let own = uuid(&here.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let follow = |after: Uuid| {
        let draft = Submission::edit(MEETING, own, HUOI_SANG).changes("place", Value::Null, "Nhà văn hóa");
        here.reports(draft.after(after))
    };
    let (known, unknown) = (follow(theirs.id()), follow(id()));
    assert_eq!((&known["status"], &unknown["status"]), (&json!("deferred"), &json!("deferred")), "{known}");
    // An edit in another unit of a record that waits here.
    let draft = Submission::edit(MEETING, theirs.record(), NA_LONG).changes("place", Value::Null, "Nhà văn hóa");
    let elsewhere = there.reports(draft);
    assert_eq!((&elsewhere["status"], &elsewhere["missing"]), (&json!("deferred"), &json!(theirs.record())));
    let released = release(&commune, &waiting["quarantine"], "Đúng là họp chung.").expect(200);
    assert_eq!(released["results"].as_array().map(Vec::len), Some(1), "{released}");
}

fn the_same_unreadable_bytes_of_two_people_are_kept_for_both(app: &TestApp) {
    let people = [SECRETARY, NEIGHBOUR, COMMUNE].map(|login| app.sign_in(login));
    let waiting: Vec<String> = (people.iter())
        .map(|reporter| {
            let bytes = format!(r#"{{"protocol":1,"device":"{}","submissions":[{{"a":1,"a":2}}]}}"#, reporter.device);
            let json = [("content-type", "application/json")];
            let answer = reporter.client().post_bytes("/v1/sync/push", bytes.into_bytes(), &json).expect(200);
            assert_eq!(answer["results"][0]["status"], "rejected", "{answer}");
            let quarantine = text(&answer["results"][0]["quarantine"]).to_owned();
            reporter.read(&format!("/v1/quarantine/{quarantine}"));
            quarantine
        })
        .collect();
    assert!(waiting[0] != waiting[1] && waiting[1] != waiting[2], "{waiting:?}");
}
