//! One day: who does what, and what everybody is answered.

use super::drafts::Draft;
use muong_tests::builders::{MEETING, PERSON, STEP};
use muong_tests::client::{number, text, uuid};
use muong_tests::province::{COMMUNE, HUOI_SANG, NA_LONG, NEIGHBOUR, OFFICER, SECRETARY};
use muong_tests::{Answer, Reporter, Submission, TestApp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Who has a phone.
const PHONES: [&str; 4] = [SECRETARY, OFFICER, COMMUNE, NEIGHBOUR];
/// Which of them reviews.
const REVIEWER: usize = 2;

/// Chance that is the same on every run (Knuth's linear congruential generator, its high bits).
pub struct Chance(u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
    pub fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())) }
    }
}

/// A record that some phone has made up.
#[derive(Clone, Copy)]
pub struct Made {
    pub id: Uuid,
    pub form: &'static str,
    pub unit: Uuid,
}

/// A record as a phone last saw it.
pub struct Snapshot {
    pub data: Value,
    pub head: i64,
}

pub struct Day<'a> {
    phones: Vec<Reporter>,
    pub chance: Chance,
    pub made: Vec<Made>,
    snapshots: Vec<BTreeMap<Uuid, Snapshot>>,
    said: Vec<(usize, Submission)>,
    pub epoch: Value,
    pub head: i64,
    split: bool,
    answers: Vec<String>,
    _app: &'a TestApp,
}

impl<'a> Day<'a> {
    pub fn new(app: &'a TestApp, number: u64, split: bool) -> Self {
        let mut chance = Chance(number.wrapping_mul(7_919) + 13);
        for _ in 0..5 {
            chance.below(2);
        }
        Self {
            phones: PHONES.iter().map(|login| app.sign_in(login)).collect(),
            chance,
            made: Vec::new(),
            snapshots: PHONES.iter().map(|_| BTreeMap::new()).collect(),
            said: Vec::new(),
            epoch: Value::Null,
            head: 0,
            split,
            answers: Vec::new(),
            _app: app,
        }
    }

    pub fn deed(&mut self) {
        let who = self.chance.below(PHONES.len());
        match self.chance.below(20) {
            0 | 1 => self.look(who),
            2 | 3 => self.decide_conflict(),
            4 | 5 => self.decide_quarantine(),
            _ => self.push(who),
        }
    }

    /// What every record looks like to two readers in the end, after all answers.
    pub fn close(mut self) -> Vec<String> {
        for made in self.made.clone() {
            for who in [REVIEWER, 3] {
                let answer = self.phones[who].get(&format!("/v1/records/{}", made.id));
                self.note(&answer);
            }
        }
        self.answers
    }

    fn note(&mut self, answer: &Answer) {
        assert!(answer.status < 500, "{answer:?}");
        if !answer.body.is_empty() {
            let mut body = answer.json();
            if let Some(members) = body.as_object_mut() {
                members.remove("request_id");
            }
            self.answers.push(body.to_string());
        }
    }

    /// A phone fetches some of what there is.
    fn look(&mut self, who: usize) {
        for made in self.made.clone() {
            let answer = self.phones[who].get(&format!("/v1/records/{}", made.id));
            if self.chance.percent(60) && answer.status == 200 {
                let snapshot = Snapshot { data: answer.json()["data"].clone(), head: self.head };
                self.snapshots[who].insert(made.id, snapshot);
            }
        }
    }

    fn one_of(&mut self, list: &str) -> Option<Value> {
        let items = self.phones[REVIEWER].read(&format!("{list}?limit=50"))["items"].clone();
        self.chance.pick(items.as_array().expect("a list")).cloned()
    }

    fn decide_conflict(&mut self) {
        let Some(conflict) = self.one_of("/v1/conflicts") else { return };
        let address = format!("/v1/conflicts/{}", text(&conflict["id"]));
        let whole = self.phones[REVIEWER].read(&address);
        let listed = |name: &str| whole[name].as_array().cloned().unwrap_or_default();
        let by = listed("candidates").into_iter().flat_map(|c| c["by"].as_array().cloned().unwrap_or_default());
        let voices: Vec<Value> = by.chain(listed("withdrawals")).chain(listed("said_against")).collect();
        let behind: Vec<Uuid> = voices.iter().filter_map(|voice| voice["submission"].as_str()?.parse().ok()).collect();
        let people: Vec<Made> = self.made.iter().copied().filter(|made| made.form == PERSON).collect();
        let path = text(&conflict["path"]);
        let choice = match self.chance.pick(&behind) {
            _ if path == "$record" => json!({"keep": self.chance.percent(50)}),
            _ if path.starts_with('$') => json!({"values": {"place": "Quyết"}}),
            _ if path == "event" && self.chance.percent(40) && !people.is_empty() => {
                json!({"values": {"person": self.chance.pick(&people).map(|made| made.id)}})
            }
            Some(candidate) => json!({"candidate": candidate}),
            None => json!({"values": {"place": "X"}}),
        };
        let seen: Vec<Uuid> = behind.into_iter().filter(|_| self.chance.percent(70)).collect();
        let decision = json!({"choose": choice, "seen": seen, "reason": "Đã xem."});
        let answer = self.phones[REVIEWER].post(&format!("{address}/resolution"), &decision);
        self.note(&answer);
    }

    fn decide_quarantine(&mut self) {
        let Some(waiting) = self.one_of("/v1/quarantine") else { return };
        let verb = if self.chance.percent(85) { "release" } else { "discard" };
        let address = format!("/v1/quarantine/{}/{verb}", text(&waiting["id"]));
        let answer = self.phones[REVIEWER].post(&address, &json!({"reason": "Đã xem."}));
        self.note(&answer);
    }

    fn push(&mut self, who: usize) {
        let at_home = self.chance.percent(88);
        let unit = if at_home == (who != 3) { HUOI_SANG } else { NA_LONG };
        let mut batch = Vec::new();
        for _ in 0..=self.chance.below(4) {
            if self.chance.percent(6)
                && let Some((by, again)) = self.chance.pick(&self.said)
                && *by == who
            {
                batch.push(again.clone());
            } else if let Some(draft) = self.draft(who, unit) {
                batch.push(self.say(who, draft));
            }
        }
        let batches: Vec<Vec<&Submission>> =
            if self.split { batch.iter().map(|one| vec![one]).collect() } else { vec![batch.iter().collect()] };
        for said in batches {
            self.send(who, &said);
        }
    }

    fn send(&mut self, who: usize, said: &[&Submission]) {
        let answer = self.phones[who].tries_to_push(said);
        assert_eq!(answer.status, 200, "{answer:?}");
        let pushed = answer.json();
        (self.epoch, self.head) = (pushed["epoch"].clone(), number(&pushed["head"]));
        for (result, submission) in pushed["results"].as_array().expect("results").iter().zip(said) {
            assert_points(submission, result);
            self.answers.push(result.to_string());
        }
    }

    fn draft(&mut self, who: usize, unit: Uuid) -> Option<Submission> {
        let draft = Draft { epoch: &self.epoch, head: self.head, made: &self.made, unit };
        let own: Vec<Uuid> = self.said.iter().filter(|(by, _)| *by == who).map(|(_, said)| said.id()).collect();
        let mut draft = draft.any(&mut self.chance, &self.snapshots[who], &own)?;
        for (percent, part) in [(12, "replaces"), (3, "id")] {
            if self.chance.percent(percent)
                && let Some((_, other)) = self.chance.pick(&self.said)
            {
                let id = json!(other.id());
                draft = draft.with(part, if part == "id" { id } else { json!([id]) });
            }
        }
        Some(draft)
    }

    fn say(&mut self, who: usize, draft: Submission) -> Submission {
        let said = self.phones[who].says(draft);
        if said.json()["kind"] == "create" {
            let form = [MEETING, PERSON, STEP].into_iter().find(|form| said.json()["form"] == *form);
            let form = form.expect("a built-in form");
            self.made.push(Made { id: said.record(), form, unit: uuid(&said.json()["unit"]) });
        }
        self.said.push((who, said.clone()));
        said
    }
}

/// Every finding points at a part of the submission, or at a field that its form has.
fn assert_points(submission: &Submission, result: &Value) {
    let forms = [
        (MEETING, include_str!("../../../../forms/branch_meeting.json")),
        (PERSON, include_str!("../../../../forms/person.json")),
        (STEP, include_str!("../../../../forms/development_step.json")),
    ];
    let lists = ["errors", "warnings"].map(|list| result[list].as_array().cloned().unwrap_or_default());
    for finding in lists.iter().flatten() {
        let pointer = finding["pointer"].as_str().unwrap_or_default();
        let field = pointer
            .strip_prefix("/set/")
            .or_else(|| pointer.rsplit('/').next().filter(|_| pointer.starts_with("/items/")));
        let Some(field) = field else {
            let envelope =
                ["", "/record", "/unit", "/id", "/base/after", "/replaces", "/author", "/form_version", "/set"];
            assert!(envelope.contains(&pointer) || pointer.starts_with("/replaces/"), "{finding}");
            continue;
        };
        let form = forms.iter().find(|(code, _)| submission.json()["form"] == *code);
        let definition: Value = serde_json::from_str(form.expect("a form").1).expect("JSON");
        let plain = definition["fields"].as_array().into_iter().flatten();
        let of_items = definition["items"].as_array().into_iter().flatten();
        let of_items = of_items.flat_map(|list| list["fields"].as_array().into_iter().flatten());
        let names: BTreeSet<&str> = plain.chain(of_items).map(|field| text(&field["name"])).collect();
        let lists = definition["items"].as_array().into_iter().flatten().map(|list| text(&list["name"]));
        assert!(names.contains(field) || lists.into_iter().any(|list| list == field), "{finding} of {submission:?}");
    }
}
