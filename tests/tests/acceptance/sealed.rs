//! Personal values at rest: whoever steals the database finds no name in it, and cannot test a guess.

use muong_domain::json::canonical;
use muong_server::clock::Entropy;
use muong_server::commands::rotate_master;
use muong_tests::builders::{PERSON, person, step};
use muong_tests::client::{number, uuid};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, NEIGHBOUR, SECRETARY};
use muong_tests::review::{discard, open_conflicts, release, resolve};
use muong_tests::{Submission, TestApp, on_both};
use serde_json::json;
use sha2::{Digest, Sha256};

on_both!(a_stolen_database_holds_no_name_and_no_way_to_test_one, under_another_master_key_everything_reads_as_before,);

const NAME: &str = "Vừ A Chá Quá Dài";
const OTHER: &str = "Sùng Thị Không Đâu";
const WRONG: &str = "Lò Văn Sai Ngày";
const UNREADABLE: &str = "Quàng Thị Vỡ Gói";
const CARD: &str = "93001234";

/// Everything that may hold a name: a person, an edit of it, a conflict about it and its decision, a step, a rejected and a
/// forbidden submission, one that cannot be read, a release and a discard.
fn fill(app: &TestApp) -> Vec<Submission> {
    let (secretary, other) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let entered = secretary.says(person(HUOI_SANG, NAME, "1990-04-12").to("party_card", CARD));
    let pushed = secretary.push(&[&entered]).0;
    assert_eq!(pushed["results"][0]["status"], "accepted", "{pushed}");
    let v = number(&pushed["head"]);
    let seen = json!({"full_name": NAME, "birth_date": "1990-04-12", "gender": null});
    let identity = |to: &str| {
        let mut edit = Submission::edit(PERSON, entered.record(), HUOI_SANG);
        for (name, from) in seen.as_object().expect("fields") {
            edit = edit.changes(name, from.clone(), if name == "full_name" { json!(to) } else { from.clone() });
        }
        edit
    };
    let one = secretary.reports_as("merged", identity(OTHER).seen(&pushed, v));
    let another = other.reports_as("conflict", identity("Vừ A Cha").seen(&pushed, v));
    let seen_by_reviewer = [uuid(&one["id"]), uuid(&another["id"])];
    other.reports(step(HUOI_SANG, entered.record(), "exempted", "2026-01-02").to("decision_reference", NAME));
    let commune = app.sign_in(COMMUNE);
    let open = open_conflicts(&commune);
    assert!(!open.is_empty(), "two people disagree");
    for conflict in open {
        let values = json!({"values": {"full_name": OTHER, "birth_date": "1990-04-12", "gender": null}});
        resolve(&commune, &conflict, &values, &seen_by_reviewer, &format!("Theo giấy khai sinh của {OTHER}"))
            .expect(200);
    }
    let wrong = secretary.reports_as("rejected", person(HUOI_SANG, WRONG, "2999-01-01"));
    discard(&commune, &wrong["quarantine"], &format!("{WRONG} khai nhầm")).expect(204);
    let forbidden = app.sign_in(NEIGHBOUR).reports_as("forbidden", person(HUOI_SANG, WRONG, "1991-01-01"));
    release(&commune, &forbidden["quarantine"], &format!("Đã hỏi {WRONG}"));
    let broken = secretary.says(person(HUOI_SANG, UNREADABLE, "1990-01-01").with("n", json!("not a number")));
    secretary.push(&[&broken]);
    vec![entered, broken]
}

fn a_stolen_database_holds_no_name_and_no_way_to_test_one(app: &TestApp) {
    let said = fill(app);
    // What was kept is there, for those who may see it …
    let department = app.sign_in(DEPARTMENT);
    let seen = department.read_because("kiểm tra", &format!("/v1/records/{}", said[0].record())).expect(200);
    assert!(seen.to_string().contains(OTHER) || seen.to_string().contains(NAME), "{seen}");
    // … and in nothing that can be carried away.
    let stolen = app.database().stolen();
    let holds = |needle: &[u8]| {
        let hex: String = needle.iter().map(|byte| format!("{byte:02x}")).collect();
        let found = |needle: &[u8]| stolen.windows(needle.len()).any(|window| window == needle);
        found(needle) || found(hex.as_bytes())
    };
    assert!(holds(said[0].record().as_bytes()) || holds(said[0].record().to_string().as_bytes()), "it looks nowhere");
    for word in [NAME, OTHER, WRONG, UNREADABLE, CARD, "Quá Dài", "Không Đâu", "Sai Ngày", "Vỡ Gói"] {
        assert!(!holds(word.as_bytes()), "{word} lies open");
        let escaped: String = serde_json::to_string(word).expect("a text").chars().filter(|c| *c != '"').collect();
        assert!(!holds(escaped.as_bytes()), "{word} lies open");
    }
    // Whoever guesses a whole submission right, or a card, cannot see that they did.
    for submission in &said {
        let mut content = submission.json().clone();
        for name in ["n", "after_lost", "device"] {
            content.as_object_mut().expect("an object").remove(name);
        }
        let plain: [u8; 32] = Sha256::digest(canonical(&content)).into();
        let bytes: [u8; 32] = Sha256::digest(submission.json().to_string()).into();
        assert!(!holds(&plain) && !holds(&bytes), "the hash of a content lies open");
    }
    for card in [CARD.to_owned(), format!("party_card\0{CARD}")] {
        assert!(!holds(&Sha256::digest(card)), "the hash of a card lies open");
    }
}

fn under_another_master_key_everything_reads_as_before(app: &TestApp) {
    let said = fill(app);
    let read = || {
        let path = format!("/v1/records/{}", said[0].record());
        app.sign_in(DEPARTMENT).read_because("kiểm tra", &path).expect(200)
    };
    let before = read();
    let config = &app.app().config;
    let keys = config.master_key_file.as_ref().expect("a file");
    let rotate = |retire| {
        let mut told = Vec::new();
        rotate_master::run(config, app.app().clock, &Entropy::System, retire, &mut told).expect("it is rotated");
        String::from_utf8(told).expect("a text")
    };
    let old = std::fs::read_to_string(keys).expect("a key");
    assert!(!rotate(false).starts_with("Wrapped 0 "), "nothing was wrapped");
    assert_eq!(read(), before, "the server that runs finds the new key by itself");
    assert!(rotate(true).starts_with("Wrapped 0 "));
    assert!(!std::fs::read_to_string(keys).expect("a key").contains(old.trim()), "the old key has gone");
    assert_eq!(read(), before);
    app.sign_in(SECRETARY).reports_as("accepted", person(HUOI_SANG, "Lý A Mới", "1999-01-01"));
}
