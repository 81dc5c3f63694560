//! A row of a list that one removes while another edits it: whoever is heard first, it ends the same, and nobody answers for
//! what another's row lacks.

use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{codes, number, text};
use muong_tests::province::{COMMUNE, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::review::{open_conflicts, resolve};
use muong_tests::{Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    a_row_that_is_removed_and_edited_is_in_question_whoever_is_heard_first,
    a_row_that_is_kept_without_what_it_needs_is_in_question_whoever_is_heard_first,
    a_decision_that_keeps_a_row_without_what_it_needs_is_refused,
    a_rule_about_a_row_is_decided_by_the_fields_of_the_row,
    a_row_that_is_added_without_what_it_needs_is_refused,
);

/// A meeting of a month with one issue, as both have seen it.
struct Scene {
    secretary: Reporter,
    officer: Reporter,
    key: String,
    report: Submission,
    seen: Value,
}

impl Scene {
    fn new(app: &TestApp, month: &str) -> Self {
        let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
        let key = id().to_string();
        let draft = meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"));
        let fields = [("number", json!(1)), ("category", json!("land")), ("status", json!("open"))];
        let draft = fields.into_iter().fold(draft, |draft, (name, to)| draft.item("issues", &key, name, to));
        let report = secretary.says(draft);
        let seen = secretary.push(&[&report]).0;
        Self { secretary, officer, key, report, seen }
    }

    fn edit(&self) -> Submission {
        Submission::edit(MEETING, self.report.record(), HUOI_SANG).seen(&self.seen, number(&self.seen["head"]))
    }

    fn removal(&self) -> Submission {
        let gone = |draft: Submission, (name, from)| draft.item_changes("issues", &self.key, name, from, json!(null));
        [("number", json!(1)), ("category", json!("land")), ("status", json!("open"))]
            .into_iter()
            .fold(self.edit(), gone)
    }

    /// The removal by the secretary and the officer's change, in one of two orders; the answers in that order.
    fn push(&self, removed_first: bool, change: Submission) -> Vec<Value> {
        let removed = || self.secretary.reports(self.removal());
        if removed_first {
            return vec![removed(), self.officer.reports(change)];
        }
        vec![self.officer.reports(change), removed()]
    }

    fn open_paths(&self, commune: &Reporter) -> Vec<String> {
        let record = commune.read(&format!("/v1/records/{}", self.report.record()));
        let mut paths: Vec<String> = (record["open_conflicts"].as_array().expect("conflicts").iter())
            .map(|conflict| text(&conflict["path"]).to_owned())
            .collect();
        paths.sort_unstable();
        paths
    }
}

fn a_row_that_is_removed_and_edited_is_in_question_whoever_is_heard_first(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    for (month, removed_first) in [("2026-01", true), ("2026-02", false)] {
        let scene = Scene::new(app, month);
        let closes = scene.edit().item_changes("issues", &scene.key, "status", json!("open"), json!("closed"));
        let results = scene.push(removed_first, closes);
        let statuses: Vec<&str> = results.iter().map(|result| text(&result["status"])).collect();
        assert_eq!(statuses, ["merged", "conflict"], "{results:?}");
        assert_eq!(scene.open_paths(&commune), [format!("issues/{}/status", scene.key)]);
    }
}

fn a_row_that_is_kept_without_what_it_needs_is_in_question_whoever_is_heard_first(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    for (month, removed_first) in [("2026-01", true), ("2026-02", false)] {
        let scene = Scene::new(app, month);
        let names = scene.edit().item_changes("issues", &scene.key, "addressee", json!(null), json!("village"));
        let results = scene.push(removed_first, names);
        let statuses: Vec<&str> = results.iter().map(|result| text(&result["status"])).collect();
        assert_eq!(statuses, ["merged", "conflict"], "{results:?}");
        assert_eq!(results[1]["conflicts"][0]["path"], "$rule/form.required", "{results:?}");
        assert_eq!(scene.open_paths(&commune), ["$rule/form.required"]);
    }
}

fn a_decision_that_keeps_a_row_without_what_it_needs_is_refused(app: &TestApp) {
    let (scene, commune) = (Scene::new(app, "2026-01"), app.sign_in(COMMUNE));
    let removal = scene.secretary.says(scene.removal());
    let closes = scene.edit().item_changes("issues", &scene.key, "status", json!("open"), json!("closed"));
    let closes = scene.officer.says(closes);
    scene.secretary.push(&[&removal]);
    scene.officer.push(&[&closes]);
    let [conflict] = &open_conflicts(&commune)[..] else { panic!("one question") };
    let decide = |candidate: &Submission| {
        let choice = json!({"candidate": candidate.id()});
        resolve(&commune, conflict, &choice, &[removal.id(), closes.id()], "Đã đối chiếu với biên bản.")
    };
    let problem = decide(&closes).problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&problem["errors"]), ["form.required", "form.required"], "{problem}");
    decide(&removal).expect(200);
    let record = commune.read(&format!("/v1/records/{}", scene.report.record()));
    assert_eq!((&record["data"]["issues"], &record["disputed"]), (&json!(null), &json!(false)), "{record}");
}

fn a_row_that_is_added_without_what_it_needs_is_refused(app: &TestApp) {
    let scene = Scene::new(app, "2026-01");
    let result = scene.officer.reports(scene.edit().item("issues", &id().to_string(), "addressee", "village"));
    assert_eq!(result["status"], "rejected", "{result}");
    assert_eq!(codes(&result["errors"]), ["form.required"; 3], "{result}");
}

fn a_rule_about_a_row_is_decided_by_the_fields_of_the_row(app: &TestApp) {
    let commune = app.sign_in(COMMUNE);
    for (month, stays) in [("2026-01", true), ("2026-02", false)] {
        let scene = Scene::new(app, month);
        let names = scene.edit().item_changes("issues", &scene.key, "addressee", json!(null), json!("village"));
        let (removal, names) = (scene.secretary.says(scene.removal()), scene.officer.says(names));
        scene.secretary.push(&[&removal]);
        let conflict = scene.officer.push(&[&names]).only()["conflicts"][0]["id"].clone();
        let at = |field: &str| format!("issues/{}/{field}", scene.key);
        let values = match stays {
            true => json!({at("number"): 1, at("category"): "land", at("status"): "open"}),
            false => json!({at("addressee"): null}),
        };
        let choice = json!({"values": values});
        let seen = [removal.id(), names.id()];
        resolve(&commune, text(&conflict), &choice, &seen, "Đã đối chiếu với biên bản.").expect(200);
        let record = commune.read(&format!("/v1/records/{}", scene.report.record()));
        let row = &record["data"]["issues"][&scene.key];
        assert_eq!((&record["disputed"], row["number"] == 1), (&json!(false), stays), "{record}");
    }
}
