//! One person is erased: by whom, what is gone, what stays, and what is refused afterwards; and a store that is rebuilt from
//! the log is the same, although nobody can open what was said of them.

use muong_tests::builders::{PERSON, STEP, meeting, person, step};
use muong_tests::client::{number, text, uuid};
use muong_tests::database::{self};
use muong_tests::province::{
    AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, NA_LONG, NEIGHBOUR, OFFICER, SECRETARY, STRANGER,
};
use muong_tests::review::{candidates, discard, open_conflicts, quarantined, release, resolve};
use muong_tests::{Answer, Backend, Reporter, Submission, TestApp, on_both, province, rebuilds_the_same_store};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    who_is_erased_leaves_no_personal_value_and_what_is_not_personal_stays,
    nothing_more_is_said_or_decided_of_somebody_erased,
    only_the_province_erases_and_it_says_why,
    of_the_key_of_somebody_erased_no_trace_is_left,
    the_inspection_finds_an_erasure_by_the_person,
    a_replay_of_the_log_makes_the_same_store_although_somebody_was_erased,
    a_step_that_was_once_another_persons_survives_the_erasure_of_either,
    what_could_not_be_read_goes_with_the_person_whom_its_correction_is_about,
    what_a_released_correction_has_replaced_goes_with_its_person,
    somebody_of_whom_much_is_said_is_erased_all_the_same,
);

const NAME: &str = "Vừ A Chá Quá Dài";
const OTHER: &str = "Sùng Thị Không Đâu";
const CARD: &str = "29000001";

fn erase(who: &Reporter, person: Uuid) -> Answer {
    who.post(&format!("/v1/records/{person}/erasure"), &json!({"reason": "Đơn rút lại sự đồng ý ngày 01/3/2026"}))
}

fn read(app: &TestApp, path: &str) -> Value {
    app.sign_in(DEPARTMENT).read_because("kiểm tra", path).expect(200)
}

/// An official member with a card.
fn member(reporter: &Reporter, name: &str, card: &str) -> Uuid {
    let id =
        uuid(&reporter.reports_as("accepted", person(HUOI_SANG, name, "1979-05-21").to("party_card", card))["record"]);
    let entry = step(HUOI_SANG, id, "opening_entry", "2025-09-01")
        .to("status", "official")
        .to("decision_on", "2005-05-01")
        .to("ceremony_on", "2005-05-19")
        .to("official_on", "2006-05-19");
    reporter.reports_as("accepted", entry);
    id
}

fn renamed(person: Uuid, from: &str, to: &str) -> Submission {
    let seen = json!({"full_name": from, "birth_date": "1980-04-12", "gender": null});
    Submission::edit(PERSON, person, HUOI_SANG)
        .changes_group(&muong_tests::builders::object(seen), &json!({"full_name": to}))
}

/// A life with everything in it: see [`live`].
struct Life {
    person: Uuid,
    first: Submission,
    step: Uuid,
    resolved: String,
    open: String,
    closed: Value,
    waiting: Value,
}

/// Somebody with a card, steps, a decided and two open conflicts, and submissions that were rejected, discarded, released,
/// forbidden and replaced; beside them others, one of whom asked for the same card.
fn live(app: &TestApp) -> Life {
    let (secretary, other, commune) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let first = secretary.says(person(HUOI_SANG, NAME, "1980-04-12").to("party_card", CARD));
    let pushed = secretary.push(&[&first]).0;
    let (id, v) = (first.record(), number(&pushed["head"]));
    let entry = step(HUOI_SANG, id, "opening_entry", "2025-09-01")
        .to("status", "official")
        .to("decision_on", "2005-05-01")
        .to("ceremony_on", "2005-05-19")
        .to("decision_reference", "01-QĐ/HU");
    let step_id = uuid(&secretary.reports_as("accepted", entry)["record"]);
    let neighbour = app.sign_in(NEIGHBOUR);
    neighbour.reports_as("rejected", person(NA_LONG, "Lò Văn Inh", "1981-01-01").to("party_card", CARD));
    neighbour.reports_as("deferred", step(NA_LONG, id, "exempted", "2026-01-02").to("until", "2026-06-01"));
    let stray = step(NA_LONG, id, "exempted", "2026-01-03").to("until", "2026-06-01").with("after_lost", json!(true));
    neighbour.reports_as("rejected", stray);
    member(&secretary, "Giàng A Páo", "29000002");
    // Names that stand against each other: decided once, and then open again.
    secretary.reports(renamed(id, NAME, OTHER).seen(&pushed, v));
    other.reports_as("conflict", renamed(id, NAME, "Vừ A Cha").seen(&pushed, v));
    let [resolved] = <[String; 1]>::try_from(open_conflicts(&commune)).expect("one conflict");
    let seen: Vec<Uuid> = candidates(&commune, &resolved).iter().map(|c| uuid(&c["by"][0]["submission"])).collect();
    let values = json!({"values": {"full_name": OTHER, "birth_date": "1980-04-12"}});
    resolve(&commune, &resolved, &values, &seen, &format!("Theo giấy khai sinh của {OTHER}")).expect(200);
    other.reports_as("conflict", renamed(id, NAME, "Vừ A Che").seen(&pushed, v));
    let agreed = |on: &str| {
        Submission::edit(PERSON, id, HUOI_SANG)
            .changes("basis", "own_application", "recorded_consent")
            .changes("consent_on", "2025-08-01", on)
            .changes("consent_reference", Value::Null, Value::Null)
            .seen(&pushed, v)
    };
    secretary.reports(agreed("2025-08-02"));
    other.reports_as("conflict", agreed("2025-08-03"));
    let open = open_conflicts(&commune);
    assert_eq!(open.len(), 2, "the name and the consent");
    // What waits, waited and was let in.
    let bad = |on: &str| step(HUOI_SANG, id, "exempted", on).to("until", "2020-01-01");
    let future = |reporter: &Reporter| reporter.reports_as("rejected", bad("2999-01-01"));
    let closed = future(&secretary);
    discard(&commune, &closed["quarantine"], &format!("{OTHER} khai nhầm")).expect(204);
    let waiting = future(&secretary);
    let wrong = secretary.says(bad("2998-01-01"));
    assert_eq!(secretary.push(&[&wrong]).statuses(), ["rejected"]);
    let corrected = step(HUOI_SANG, id, "exempted", "2026-02-02").to("until", "2026-06-01");
    secretary.reports_as("accepted", corrected.with("replaces", json!([wrong.id()])));
    let forbidden = app
        .sign_in(STRANGER)
        .reports_as("forbidden", step(HUOI_SANG, id, "disciplined", "2026-02-03").to("discipline", "warning"));
    let _either = release(&commune, &forbidden["quarantine"], &format!("Đã hỏi {OTHER}"));
    Life { person: id, first, step: step_id, resolved, open: open[0].clone(), closed, waiting }
}

fn who_is_erased_leaves_no_personal_value_and_what_is_not_personal_stays(app: &TestApp) {
    let life = live(app);
    let department = app.sign_in(DEPARTMENT);
    let count = |form: &str| read(app, &format!("/v1/records?form={form}&limit=500"))["items"].as_array().map(Vec::len);
    let before = (count(PERSON), count(STEP));
    let reason = json!({"reason": format!("{OTHER} rút lại sự đồng ý")});
    department.post(&format!("/v1/records/{}/erasure", life.person), &reason).expect(200);
    assert_eq!((count(PERSON), count(STEP)), before);
    let seen = read(app, &format!("/v1/records/{}", life.person));
    assert_eq!((&seen["erased"], &seen["disputed"], &seen["state"]), (&json!(true), &json!(false), &json!("live")));
    assert_eq!(seen["data"]["consent_on"], "2025-08-02", "in dispute before; what was shown stays: {seen}");
    for field in ["full_name", "birth_date", "party_card"] {
        assert!(seen["data"].get(field).is_none_or(Value::is_null), "{seen}");
    }
    let kept = read(app, &format!("/v1/records/{}", life.step));
    assert_eq!(
        (&kept["erased"], &kept["data"]["step"], &kept["data"]["on"]),
        (&json!(true), &json!("opening_entry"), &json!("2025-09-01"),)
    );
    let submissions = read(app, &format!("/v1/records/{}/submissions", life.person));
    let behind = submissions["items"].as_array().expect("a list");
    assert!(behind.len() > 3 && behind.iter().all(|s| s["erased"] == true && s["said"].is_null()), "{submissions}");
    let commune = app.sign_in(COMMUNE);
    assert_eq!(open_conflicts(&commune), Vec::<String>::new());
    let waited = quarantined(&commune, &life.waiting["quarantine"]);
    assert_eq!((&waited["state"], &waited["closing"]), (&json!("closed"), &json!("erased")), "{waited}");
    for word in ["Dài", "Sùng", "vừ", "quá"] {
        let query = muong_tests::client::percent_encoded(word);
        let found = read(app, &format!("/v1/records?form=person&unit={HUOI_SANG}&name={query}"));
        assert_eq!(found["items"].as_array().map(Vec::len), Some(0), "{found}");
    }
    let mut told = vec![seen, kept, submissions, waited];
    told.push(commune.read("/v1/records?limit=500"));
    told.push(commune.read("/v1/quarantine?limit=500"));
    told.push(commune.read("/v1/conflicts?state=closed"));
    told.push(commune.read(&format!("/v1/conflicts/{}", life.resolved)));
    told.push(commune.read(&format!("/v1/conflicts/{}", life.open)));
    told.push(quarantined(&commune, &life.closed["quarantine"]));
    for answer in told {
        for word in [NAME, OTHER, CARD, "Quá Dài", "Vừ A Che", "1980-04-12"] {
            assert!(!answer.to_string().contains(word), "{word}: {answer}");
        }
    }
    // The reason is kept, without the name that was written into it.
    let decided = commune.read(&format!("/v1/conflicts/{}", life.open));
    assert_eq!(
        (&decided["decision"]["kind"], &decided["decision"]["reason"]),
        (&json!("erase"), &json!("… … … … rút lại sự đồng ý"),)
    );
    // Somebody else may hold the card now; and others are as they were.
    app.sign_in(NEIGHBOUR).reports_as("accepted", person(NA_LONG, "Lò Văn Inh", "1981-01-01").to("party_card", CARD));
}

fn nothing_more_is_said_or_decided_of_somebody_erased(app: &TestApp) {
    let life = live(app);
    let secretary = app.sign_in(SECRETARY);
    let commune = app.sign_in(COMMUNE);
    erase(&app.sign_in(DEPARTMENT), life.person).expect(200);
    let again = secretary.push(&[&life.first.clone()]).only();
    assert_eq!((&again["status"], &again["erased"]), (&json!("duplicate"), &json!(true)), "{again}");
    let other_words = life.first.clone().to("full_name", "Ai đó khác");
    assert_eq!(secretary.push(&[&other_words]).only()["erased"], true, "the id alone answers");
    let drafts = [
        step(HUOI_SANG, life.person, "exempted", "2026-02-09").to("until", "2026-06-01"),
        renamed(life.person, NAME, "Ai đó khác"),
        Submission::delete(life.person, HUOI_SANG),
        Submission::delete(life.step, HUOI_SANG),
        person(HUOI_SANG, NAME, "1980-04-12").with("record", json!(life.person)),
    ];
    for draft in drafts {
        let result = secretary.reports_as("rejected", draft);
        assert_eq!(result["errors"][0]["code"], "person.erased", "{result}");
        release(&commune, &result["quarantine"], "thử").problem(422, "quarantine.not_releasable");
        discard(&commune, &result["quarantine"], "không nhận nữa").expect(204);
        quarantined(&commune, &result["quarantine"]);
    }
    for conflict in [&life.open, &life.resolved] {
        let choice = json!({"values": {"full_name": "Ai", "birth_date": "1980-04-12"}});
        resolve(&commune, conflict, &choice, &[], "thử").problem(409, "conflict.already_closed");
    }
    release(&commune, &life.waiting["quarantine"], "thử").problem(409, "quarantine.already_closed");
    discard(&commune, &life.closed["quarantine"], "thử").problem(409, "quarantine.already_closed");
    // Elsewhere nobody learns that there was somebody.
    let neighbour = app.sign_in(NEIGHBOUR);
    neighbour.reports_as("deferred", step(NA_LONG, life.person, "exempted", "2026-01-02").to("until", "2026-06-01"));
}

fn only_the_province_erases_and_it_says_why(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let entered = person(HUOI_SANG, NAME, "1980-04-12");
    let id = uuid(&secretary.reports_as("accepted", entered)["record"]);
    let report = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let department = app.sign_in(DEPARTMENT);
    for login in [SECRETARY, COMMUNE] {
        erase(&app.sign_in(login), id).problem(403, "access.forbidden");
    }
    for login in [STRANGER, NEIGHBOUR, OFFICER, AUDITOR, province::ADMIN, province::OTHER_COMMUNE] {
        erase(&app.sign_in(login), id).problem(404, "access.not_found");
    }
    erase(&department, muong_tests::id()).problem(404, "access.not_found");
    erase(&department, report).problem(422, "person.not_one");
    let path = format!("/v1/records/{id}/erasure");
    department.post(&path, &json!({"reason": "  "})).problem(422, "person.reason_required");
    let none = read(app, &format!("/v1/records/{id}"));
    assert_eq!((&none["erased"], &none["data"]["full_name"]), (&Value::Null, &json!(NAME)));
    erase(&department, id).expect(200);
    let head = || app.app().database.read(|snapshot| Ok(snapshot.head()?.seq)).expect("a head");
    let before = head();
    erase(&department, id).problem(409, "person.already_erased");
    assert_eq!(head(), before, "nothing has changed");
}

/// The wrapped keys of people, hexadecimal, with their owners.
fn keys(app: &TestApp, of: Uuid) -> String {
    let id = of.simple();
    let query = match app.backend() {
        Backend::Sqlite => {
            format!("SELECT coalesce(lower(hex(wrapped)), '') AS name FROM data_keys WHERE owner = x'{id}'")
        }
        Backend::Postgres => {
            format!("SELECT coalesce(encode(wrapped, 'hex'), '') AS name FROM data_keys WHERE owner = '{of}'")
        }
    };
    database::texts(&mut app.database().connect(), &query).concat()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn of_the_key_of_somebody_erased_no_trace_is_left(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    // Enough that pages are split, which leaves copies behind unless they are overwritten.
    let people: Vec<Uuid> = (0..4)
        .flat_map(|_| {
            let batch: Vec<Submission> =
                (0..50).map(|_| secretary.says(person(HUOI_SANG, NAME, "1980-04-12"))).collect();
            let pushed = secretary.push(&batch.iter().collect::<Vec<_>>());
            assert!(pushed.statuses().iter().all(|status| *status == "accepted"));
            batch.iter().map(Submission::record).collect::<Vec<_>>()
        })
        .collect();
    let stolen_before = app.database().stolen();
    let department = app.sign_in(DEPARTMENT);
    let is_in = |stolen: &[u8], key: &str| {
        let found = |needle: &[u8]| stolen.windows(needle.len()).any(|window| window == needle);
        // In part as well: any sixteen bytes of it that do not repeat are enough to find it by.
        match app.backend() {
            Backend::Sqlite => bytes(key).chunks_exact(16).any(found),
            Backend::Postgres => found(key.as_bytes()),
        }
    };
    let chosen: Vec<(Uuid, String)> = people.iter().step_by(20).map(|id| (*id, keys(app, *id))).collect();
    for (person, key) in &chosen {
        assert!(key.len() > 128 && is_in(&stolen_before, key), "it looks in the wrong place");
        erase(&department, *person).expect(200);
    }
    let stolen = app.database().stolen();
    for (person, key) in &chosen {
        assert!(!is_in(&stolen, key), "the key of {person} is still there");
        assert_eq!(keys(app, *person), "");
    }
}

fn the_inspection_finds_an_erasure_by_the_person(app: &TestApp) {
    let life = live(app);
    let done = erase(&app.sign_in(DEPARTMENT), life.person).expect(200);
    let auditor = app.sign_in(AUDITOR);
    for query in [format!("person={}", life.person), format!("record={}", life.person), "kind=erase".to_owned()] {
        let page = auditor.read(&format!("/v1/audit?limit=500&{query}"));
        let found = page["items"].as_array().expect("a list").iter().find(|entry| entry["kind"] == "erase");
        let found = found.unwrap_or_else(|| panic!("{query}: {page}"));
        assert_eq!((&found["v"], &found["outcome"]), (&done["v"], &json!("erased")), "{found}");
        assert_eq!(found["user"]["id"], json!(province::user_id(DEPARTMENT)), "{found}");
        assert_eq!(found["unit"], json!(HUOI_SANG), "{found}");
        assert_eq!(found["concerns"][0]["id"], json!(life.person), "{found}");
        assert!(!page.to_string().contains("Quá Dài"), "{page}");
    }
}

/// Rebuilds the store from its log, in a new one, and compares.
#[track_caller]
fn survives_a_replay(app: &TestApp) {
    rebuilds_the_same_store(&app.app().database, app.backend(), "erasure");
}

fn a_replay_of_the_log_makes_the_same_store_although_somebody_was_erased(app: &TestApp) {
    let life = live(app);
    survives_a_replay(app);
    let department = app.sign_in(DEPARTMENT);
    let secretary = app.sign_in(SECRETARY);
    erase(&department, life.person).expect(200);
    survives_a_replay(app);
    // Life goes on, also for those about whom nothing more is said.
    let commune = app.sign_in(COMMUNE);
    let refused = secretary
        .reports_as("rejected", step(HUOI_SANG, life.person, "exempted", "2026-02-09").to("until", "2026-06-01"));
    discard(&commune, &refused["quarantine"], "không nhận nữa").expect(204);
    secretary.reports_as("rejected", renamed(life.person, NAME, OTHER));
    let second = member(&secretary, "Lý A Mới", CARD);
    secretary.reports_as("accepted", step(HUOI_SANG, second, "exempted", "2026-02-02").to("until", "2026-06-01"));
    survives_a_replay(app);
    erase(&department, second).expect(200);
    member(&secretary, "Lý A Sau", CARD);
    survives_a_replay(app);
}

fn a_step_that_was_once_another_persons_survives_the_erasure_of_either(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let department = app.sign_in(DEPARTMENT);
    let [one, other, third] = [("Mùa A Một", "29000011"), ("Mùa A Hai", "29000012"), ("Mùa A Ba", "29000013")]
        .map(|(n, c)| member(&secretary, n, c));
    let misplaced =
        step(HUOI_SANG, one, "exempted", "2026-02-02").to("until", "2026-06-01").to("document_reference", "12-GCN");
    let id = uuid(&secretary.reports_as("accepted", misplaced)["record"]);
    let seen = json!({"person": one, "step": "exempted", "on": "2026-02-02", "until": "2026-06-01", "status": null,
        "certificate_on": null, "decision_on": null, "ceremony_on": null, "official_on": null});
    let seen = muong_tests::builders::object(seen);
    let head = secretary.push(&[]).0;
    let moved = Submission::edit(STEP, id, HUOI_SANG)
        .changes_group(&seen, &json!({"person": other}))
        .seen(&head, number(&head["head"]));
    secretary.reports_as("merged", moved);
    assert_eq!(read(app, &format!("/v1/records/{id}"))["subject"], json!(other));
    erase(&department, one).expect(200);
    let kept = read(app, &format!("/v1/records/{id}"));
    assert_eq!((&kept["subject"], &kept["data"]["document_reference"]), (&json!(other), &json!("12-GCN")), "{kept}");
    survives_a_replay(app);
    let taken = secretary.reports(person(HUOI_SANG, "Ai", "1985-01-01").to("party_card", "29000012"));
    assert_eq!(taken["errors"][0]["code"], "person.card_taken", "{taken}");
    secretary.reports_as("accepted", step(HUOI_SANG, other, "temporary_out", "2025-12-01").to("until", "2026-01-01"));
    secretary.reports_as("accepted", step(HUOI_SANG, third, "deceased", "2026-01-10"));
    survives_a_replay(app);
    erase(&department, other).expect(200);
    let gone = read(app, &format!("/v1/records/{id}"));
    assert!(gone["erased"] == true && gone["data"].get("document_reference").is_none_or(Value::is_null), "{gone}");
    survives_a_replay(app);
}

fn what_could_not_be_read_goes_with_the_person_whom_its_correction_is_about(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let broken = secretary.says(person(HUOI_SANG, NAME, "1980-04-12").with("form_version", json!(99)));
    let waiting = secretary.push(&[&broken]).only();
    assert_eq!(waiting["status"], "rejected", "{waiting}");
    let corrected = person(HUOI_SANG, NAME, "1980-04-12").with("replaces", json!([broken.id()]));
    let id = uuid(&secretary.reports_as("accepted", corrected)["record"]);
    let commune = app.sign_in(COMMUNE);
    assert!(quarantined(&secretary, &waiting["quarantine"]).to_string().contains(NAME));
    erase(&app.sign_in(DEPARTMENT), id).expect(200);
    for reader in [&secretary, &commune] {
        let seen = quarantined(reader, &waiting["quarantine"]);
        assert!(!seen.to_string().contains(NAME), "{seen}");
        assert_eq!(text(&seen["closing"]), "replaced");
    }
    let again = secretary.push(&[&broken]).only();
    assert_eq!((&again["status"], &again["erased"]), (&json!("duplicate"), &json!(true)), "{again}");
    survives_a_replay(app);
}

fn what_a_released_correction_has_replaced_goes_with_its_person(app: &TestApp) {
    let (neighbour, commune) = (app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    let broken = neighbour.says(person(HUOI_SANG, NAME, "1980-04-12").with("form_version", json!(99)));
    let waiting = neighbour.push(&[&broken]).only()["quarantine"].clone();
    let corrected = person(HUOI_SANG, NAME, "1980-04-12").with("replaces", json!([broken.id()]));
    let corrected = neighbour.reports_as("forbidden", corrected);
    assert!(quarantined(&neighbour, &waiting)["closing"].is_null());
    let released = release(&commune, &corrected["quarantine"], "Đã hỏi lại chi bộ").expect(200);
    let seen = quarantined(&neighbour, &waiting);
    assert!(seen["closing"] == "replaced" && seen.to_string().contains(NAME), "{seen}");
    survives_a_replay(app);
    erase(&app.sign_in(DEPARTMENT), uuid(&released["results"][0]["record"])).expect(200);
    let seen = quarantined(&neighbour, &waiting);
    assert!(seen["closing"] == "replaced" && !seen.to_string().contains(NAME), "{seen}");
    let again = neighbour.push(&[&broken]).only();
    assert_eq!((&again["status"], &again["erased"]), (&json!("duplicate"), &json!(true)), "{again}");
    survives_a_replay(app);
}

fn somebody_of_whom_much_is_said_is_erased_all_the_same(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"))["record"]);
    let wrong = |_| secretary.says(step(HUOI_SANG, id, "exempted", "2999-01-01").to("until", "2020-01-01"));
    let said: Vec<Submission> = (0..30).map(wrong).collect();
    assert_eq!(secretary.pushes_padded(&said, 250_000).statuses(), ["rejected"; 30]);
    erase(&app.sign_in(DEPARTMENT), id).expect(200);
    let closed = "SELECT count(*) AS n FROM quarantine WHERE closing = 'erased'";
    assert_eq!(database::number(&mut app.database().connect(), closed), 30);
    survives_a_replay(app);
}
