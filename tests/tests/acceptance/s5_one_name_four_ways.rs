//! S5: the same name written in several ways has one stored spelling and one search key, and is never taken for identity.

use muong_tests::builders::{PERSON, person};
use muong_tests::client::text;
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Reporter, TestApp, on_both};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

on_both!(
    composed_and_decomposed_letters_are_stored_alike_and_found_alike,
    an_eth_becomes_the_vietnamese_letter,
    old_and_new_tone_placement_are_found_together_and_stay_two_people,
    twins_who_differ_by_one_mark_stay_two_people,
    spaces_and_apostrophes_that_nobody_sees_do_not_make_another_name,
);

fn stored_name(secretary: &Reporter, typed: &str) -> String {
    let result = secretary.reports_as("accepted", person(HUOI_SANG, typed, "2001-04-12"));
    let record = secretary.read(&format!("/v1/records/{}", text(&result["record"])));
    text(&record["data"]["full_name"]).to_owned()
}

fn found(secretary: &Reporter, asked: &str) -> Vec<String> {
    let asked = muong_tests::client::percent_encoded(asked);
    let found = secretary.read(&format!("/v1/records?form={PERSON}&unit={HUOI_SANG}&name={asked}"));
    let name = |item: &Value| text(&item["data"]["full_name"]).to_owned();
    found["items"].as_array().expect("a list").iter().map(name).collect()
}

fn composed_and_decomposed_letters_are_stored_alike_and_found_alike(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let name = "Vừ A Chá";
    let decomposed: String = name.nfd().collect();
    assert_ne!(name, decomposed);
    assert_eq!(stored_name(&secretary, name), name);
    assert_eq!(stored_name(&secretary, &decomposed), name);
    for asked in [name, &decomposed, "vu a cha", "VU A CHA", "chá"] {
        assert_eq!(found(&secretary, asked), [name, name], "{asked}");
    }
}

fn an_eth_becomes_the_vietnamese_letter(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    assert_eq!(stored_name(&secretary, "\u{00D0}iêu Thị Ánh"), "\u{0110}iêu Thị Ánh");
    assert_eq!(found(&secretary, "dieu thi anh"), ["Điêu Thị Ánh"]);
}

fn old_and_new_tone_placement_are_found_together_and_stay_two_people(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let typed = ["Lường Văn Hoà", "Lường Văn Hòa"];
    assert_eq!(typed.map(|name| stored_name(&secretary, name)), typed, "each as it was written");
    assert_eq!(found(&secretary, "luong van hoa").len(), 2);
}

fn twins_who_differ_by_one_mark_stay_two_people(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let twins = ["Giàng A Páo", "Giàng A Pao"];
    assert_eq!(twins.map(|name| stored_name(&secretary, name)), twins);
    let people = secretary.read(&format!("/v1/records?form={PERSON}&unit={HUOI_SANG}"));
    assert_eq!(people["items"].as_array().map(Vec::len), Some(2), "{people}");
    assert_eq!(people["items"][0]["disputed"], json!(false), "nobody was merged: {people}");
}

fn spaces_and_apostrophes_that_nobody_sees_do_not_make_another_name(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    assert_eq!(stored_name(&secretary, "\u{00A0} Sùng  A\u{200B} Tủa "), "Sùng A Tủa");
    assert_eq!(stored_name(&secretary, "H\u{2019}Mông Thị Dế"), "H'Mông Thị Dế");
}
