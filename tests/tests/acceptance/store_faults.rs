//! What a fault of the store's own does to those who report meanwhile: it holds up nobody else, and nothing is lost.

use muong_tests::builders::{MEETING, PERSON, meeting, person};
use muong_tests::client::{assert_finding, codes, number, text, uuid};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::replay::rebuilds_the_same_store;
use muong_tests::review::{quarantined, release};
use muong_tests::{Submission, TestApp, database, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_stored_value_that_does_not_read_holds_up_no_other_submission,
    what_was_set_aside_is_told_again_and_released_once_the_fault_is_mended,
    what_was_set_aside_goes_with_the_person_whom_it_turned_out_to_be_about,
    a_fault_that_everything_meets_is_told_as_one_and_records_nothing,
);

/// Makes a record unreadable; answers how to mend it.
fn spoil(app: &TestApp, record: Uuid) -> String {
    let mut conn = app.database().connect();
    let id = match app.backend() {
        database::Backend::Sqlite => format!("x'{}'", record.simple()),
        database::Backend::Postgres => format!("'{record}'"),
    };
    let cells = database::texts(&mut conn, &format!("SELECT CAST(cells AS text) AS name FROM records WHERE id = {id}"))
        .remove(0);
    database::execute(&mut conn, &format!("UPDATE records SET cells = '7' WHERE id = {id}"));
    format!("UPDATE records SET cells = '{}' WHERE id = {id}", cells.replace('\'', "''"))
}

fn of_month(month: &str) -> Submission {
    meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"))
}

fn moved(record: Uuid, seen: &Value) -> Submission {
    let edit = Submission::edit(MEETING, record, HUOI_SANG).changes("place", json!(null), "Nhà văn hóa");
    edit.seen(seen, number(&seen["head"]))
}

/// One that waits because of the server, as its author is told.
#[track_caller]
fn is_set_aside(result: &Value) {
    assert_eq!(result["status"], "rejected", "{result}");
    assert_eq!(codes(&result["errors"]), ["submission.not_processed"], "{result}");
    assert_finding(&result["errors"][0]);
}

fn a_stored_value_that_does_not_read_holds_up_no_other_submission(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let seen = secretary.push(&[&secretary.says(of_month("2026-01"))]).0;
    let broken = uuid(&seen["results"][0]["record"]);
    spoil(app, broken);
    let said = [of_month("2026-02"), moved(broken, &seen), of_month("2025-12")].map(|draft| secretary.says(draft));
    let pushed = secretary.push(&said.each_ref());
    assert_eq!(pushed.statuses(), ["accepted", "rejected", "accepted"], "{}", pushed.0);
    is_set_aside(&pushed.results()[1]);
    let ids: Vec<&str> = pushed.results().iter().map(|result| text(&result["id"])).collect();
    assert_eq!(ids, said.each_ref().map(|said| text(&said.json()["id"])), "in order");
    assert_eq!(number(&pushed.0["head"]), number(&pushed.results()[2]["v"]));
    officer.reports_as("accepted", of_month("2025-11"));
    is_set_aside(&officer.reports(moved(broken, &seen)));
}

fn what_was_set_aside_is_told_again_and_released_once_the_fault_is_mended(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let seen = secretary.push(&[&secretary.says(of_month("2026-01"))]).0;
    let broken = uuid(&seen["results"][0]["record"]);
    let mend = spoil(app, broken);
    let said = secretary.says(moved(broken, &seen));
    let first = secretary.push(&[&said]).only();
    is_set_aside(&first);
    let again = secretary.push(&[&said]).only();
    assert_eq!((&again["status"], &again["original"]["v"]), (&json!("duplicate"), &first["v"]), "{again}");
    let waiting = quarantined(&secretary, &first["quarantine"]);
    assert_eq!((&waiting["unit"], &waiting["closing"]), (&json!(HUOI_SANG), &Value::Null), "{waiting}");
    database::execute(&mut app.database().connect(), &mend);
    let released = release(&commune, &first["quarantine"], "lỗi của máy chủ đã được khắc phục").expect(200);
    assert_eq!(released["results"][0]["status"], "merged", "{released}");
    assert_eq!(secretary.read(&format!("/v1/records/{broken}"))["data"]["place"], "Nhà văn hóa");
    let now = secretary.push(&[&said]).only();
    assert_eq!(now["now"]["status"], "released", "{now}");
    rebuilds_the_same_store(&app.app().database, app.backend(), "what was set aside and released");
}

fn what_was_set_aside_goes_with_the_person_whom_it_turned_out_to_be_about(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let seen = secretary.push(&[&secretary.says(person(HUOI_SANG, "Lò Văn Sau", "1980-04-12"))]).0;
    let broken = uuid(&seen["results"][0]["record"]);
    let mend = spoil(app, broken);
    let corrected = Submission::edit(PERSON, broken, HUOI_SANG)
        .changes("full_name", "Lò Văn Sau", "Lò Văn Sáu")
        .changes("birth_date", "1980-04-12", "1980-04-12")
        .changes("gender", json!(null), json!(null));
    let released = secretary.reports(corrected.seen(&seen, number(&seen["head"])));
    is_set_aside(&released);
    let waits = secretary.reports(Submission::edit(PERSON, broken, HUOI_SANG).changes("phone", json!(null), "x"));
    is_set_aside(&waits);
    database::execute(&mut app.database().connect(), &mend);
    let reason = "lỗi của máy chủ đã được khắc phục";
    let released = release(&commune, &released["quarantine"], reason).expect(200);
    assert_eq!(released["results"][0]["status"], "merged", "{released}");
    let erasure = format!("/v1/records/{broken}/erasure");
    app.sign_in(DEPARTMENT).post(&erasure, &json!({"reason": "theo yêu cầu của người đó"})).expect(200);
    let said = commune.read(&format!("/v1/records/{broken}/submissions"));
    let said = said["items"].as_array().expect("a list");
    let said: Vec<_> = said.iter().map(|said| (text(&said["kind"]), &said["erased"], &said["said"])).collect();
    assert_eq!(said, ["create", "edit"].map(|kind| (kind, &json!(true), &Value::Null)));
    let waiting = quarantined(&secretary, &waits["quarantine"]);
    assert_eq!(waiting["closing"], "erased", "{waiting}");
    rebuilds_the_same_store(&app.app().database, app.backend(), "what was set aside, released and erased");
}

fn a_fault_that_everything_meets_is_told_as_one_and_records_nothing(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut conn = app.database().connect();
    let entries = |conn: &mut _| database::number(conn, "SELECT count(*) AS n FROM log");
    let before = entries(&mut conn);
    // The data keys are out of reach: nothing can be written at all.
    database::execute(&mut conn, "ALTER TABLE data_keys RENAME TO data_keys_away");
    let said = secretary.says(person(HUOI_SANG, "Lò Văn Sau", "1980-04-12"));
    secretary.tries_to_push(&[&said]).problem(500, "server.internal");
    assert_eq!(entries(&mut conn), before, "nothing of it is recorded");
    database::execute(&mut conn, "ALTER TABLE data_keys_away RENAME TO data_keys");
    let result = secretary.push(&[&said]).only();
    assert_eq!(result["status"], "accepted", "{result}");
    assert_eq!(secretary.read(&format!("/v1/records/{}", text(&result["record"])))["form"], PERSON);
}
