//! What a phone may come to say: nearly right, now and then quite wrong.

use super::day::{Chance, Made, Snapshot};
use muong_tests::Submission;
use muong_tests::builders::{MEETING, PERSON, STEP, meeting, person, step};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const IDENTITY: &[&str] = &["period", "type", "sitting", "scheduled_on", "held", "held_on", "not_held_reason"];
const EVENT: &[&str] =
    &["person", "step", "on", "until", "status", "certificate_on", "decision_on", "ceremony_on", "official_on"];
const KINDS: &[&str] = &[
    "opening_entry",
    "awareness_class_completed",
    "dossier_complete",
    "branch_resolved",
    "superior_endorsed",
    "admission_decided",
    "ceremony_held",
    "recognised_official",
    "withdrawn",
    "transferred_out",
    "transferred_in",
    "temporary_out",
    "disciplined",
    "removed_from_roll",
    "left",
    "deceased",
    "readmitted",
];
/// Few, so that phones meet.
const NAMES: [&str; 3] = ["Vàng A Một", "Vàng A Hai", "Vàng A Ba"];
const BIRTHS: [&str; 3] = ["1970-02-28", "2006-02-28", "1990-05-05"];
const STATUSES: [&str; 3] = ["candidate", "probationary", "official"];

/// What a draft is made from.
pub struct Draft<'a> {
    pub epoch: &'a Value,
    pub head: i64,
    pub made: &'a [Made],
    pub unit: Uuid,
}

type Seen = BTreeMap<Uuid, Snapshot>;

impl Draft<'_> {
    /// Something, unless there is nothing yet to say it of.
    pub fn any(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        match chance.below(12) {
            0 | 1 => Some(self.meeting(chance, own)),
            2 => Some(self.person(chance)),
            3..=5 => self.step(chance),
            6 => self.place(chance, seen, own),
            7 => self.moved_meeting(chance, seen, own),
            8 => self.moved_step(chance, seen, own),
            9 => self.card(chance, seen, own),
            10 => self.delete(chance, seen, own),
            _ => self.row(chance, seen, own),
        }
    }

    fn pick(&self, chance: &mut Chance, form: &str) -> Option<Made> {
        let of: Vec<Made> = self.made.iter().copied().filter(|made| made.form == form).collect();
        chance.pick(&of).copied()
    }

    /// Now and then under the id of another record, of this form or another.
    fn under_taken_id(&self, chance: &mut Chance, percent: usize, form: &str, draft: Submission) -> Submission {
        if !chance.percent(percent) {
            return draft;
        }
        let form = if chance.percent(85) { form } else { [MEETING, PERSON, STEP][chance.below(3)] };
        match self.pick(chance, form) {
            Some(taken) => draft.with("record", json!(taken.id)),
            None => draft,
        }
    }

    /// What its author had seen: nothing, this epoch, another one, an own earlier submission.
    fn based(&self, chance: &mut Chance, draft: Submission, head: Option<i64>, own: &[Uuid]) -> Submission {
        let draft = match (chance.below(8), head, chance.pick(own)) {
            (0, ..) => draft,
            (1, ..) => draft.with("base", json!({"v": null})),
            (2, Some(v), _) => draft.with("base", json!({"epoch": Uuid::from_u128(5), "v": v})),
            (3, _, Some(after)) => draft.with("base", json!({"after": after})),
            (_, Some(v), _) => draft.with("base", json!({"epoch": self.epoch, "v": v})),
            _ => draft,
        };
        if chance.percent(15) { draft.with("after_lost", true) } else { draft }
    }

    fn meeting(&self, chance: &mut Chance, own: &[Uuid]) -> Submission {
        let (period, present) = (format!("2026-0{}", 1 + chance.below(2)), 5 + chance.below(7));
        let mut draft = meeting(self.unit).to("held_on", format!("{period}-05")).to("period", period);
        draft = draft.to("present", present).to("excused", if chance.percent(15) { 13 } else { 12 - present });
        if chance.percent(40) {
            draft = draft.to("place", format!("N{}", chance.below(3)));
        }
        if chance.percent(30) {
            let key = row_key(chance);
            for (field, to) in row(chance) {
                draft = draft.item("resolutions", &key, field, to);
            }
        }
        draft = self.under_taken_id(chance, 30, MEETING, draft);
        if chance.percent(40) { self.based(chance, draft, Some(self.head), own) } else { draft }
    }

    fn person(&self, chance: &mut Chance) -> Submission {
        let mut draft = person(self.unit, NAMES[chance.below(3)], BIRTHS[chance.below(3)]);
        if chance.percent(50) {
            draft = draft.to("party_card", card_number(chance));
        }
        self.under_taken_id(chance, 20, PERSON, draft)
    }

    fn step(&self, chance: &mut Chance) -> Option<Submission> {
        let of = self.pick(chance, PERSON)?;
        let kind = KINDS[chance.below(KINDS.len())];
        let unit = if chance.percent(90) { of.unit } else { self.unit };
        let mut draft = step(unit, of.id, kind, &any_day(chance));
        match kind {
            "disciplined" => draft = draft.to("discipline", ["warning", "expulsion"][chance.below(2)]),
            "temporary_out" => draft = draft.to("until", "2026-06-01"),
            "opening_entry" | "transferred_in" => {
                draft = draft.to("status", STATUSES[chance.below(3)]);
                draft = draft.to("decision_on", "2021-01-05").to("ceremony_on", "2021-02-05");
            }
            _ => {}
        }
        Some(self.under_taken_id(chance, 20, STEP, draft))
    }

    fn edit(
        &self,
        chance: &mut Chance,
        seen: &Seen,
        own: &[Uuid],
        of: Made,
        change: &[(&str, Value, Value)],
    ) -> Submission {
        let edit = Submission::edit(of.form, of.id, of.unit);
        let edit = change.iter().fold(edit, |edit, (field, from, to)| edit.changes(field, from.clone(), to.clone()));
        self.based(chance, edit, seen.get(&of.id).map(|snapshot| snapshot.head), own)
    }

    fn place(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let of = self.pick(chance, MEETING)?;
        let from = seen.get(&of.id).map_or(Value::Null, |snapshot| snapshot.data["place"].clone());
        let to = if chance.percent(20) { Value::Null } else { json!(format!("N{}", chance.below(3))) };
        Some(self.edit(chance, seen, own, of, &[("place", from, to)]))
    }

    /// A whole group as it was seen, with what is different; a `from` is wrong now and then.
    fn group(
        &self,
        chance: &mut Chance,
        seen: &Seen,
        own: &[Uuid],
        of: Made,
        fields: &[&'static str],
        different: &Value,
    ) -> Option<Submission> {
        let data = &seen.get(&of.id)?.data;
        let change: Vec<(&str, Value, Value)> = (fields.iter())
            .map(|field| {
                let was = data.get(*field).cloned().unwrap_or_default();
                let to = different.get(*field).cloned().unwrap_or_else(|| was.clone());
                (*field, if chance.percent(3) { Value::Null } else { was }, to)
            })
            .collect();
        Some(self.edit(chance, seen, own, of, &change))
    }

    /// Onto another month, where there may be a meeting already.
    fn moved_meeting(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let of = self.pick(chance, MEETING)?;
        let period = format!("2026-0{}", 1 + chance.below(3));
        let different = json!({"period": period, "held_on": format!("{period}-05")});
        self.group(chance, seen, own, of, IDENTITY, &different)
    }

    /// To another day, or to another person.
    fn moved_step(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let of = self.pick(chance, STEP)?;
        let mut different = json!({"on": any_day(chance)});
        if chance.percent(30) {
            different["person"] = json!(self.pick(chance, PERSON)?.id);
        }
        self.group(chance, seen, own, of, EVENT, &different)
    }

    fn card(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let of = self.pick(chance, PERSON)?;
        let from = seen.get(&of.id).map_or(Value::Null, |snapshot| snapshot.data["party_card"].clone());
        let to = if chance.percent(30) { Value::Null } else { json!(card_number(chance)) };
        Some(self.edit(chance, seen, own, of, &[("party_card", from, to)]))
    }

    fn delete(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let form = [MEETING, STEP, PERSON][chance.below(3)];
        let of = self.pick(chance, form)?;
        let head = seen.get(&of.id).map(|snapshot| snapshot.head);
        Some(self.based(chance, Submission::delete(of.id, of.unit), head, own))
    }

    /// A row of a list: new, changed or removed.
    fn row(&self, chance: &mut Chance, seen: &Seen, own: &[Uuid]) -> Option<Submission> {
        let of = self.pick(chance, MEETING)?;
        let key = row_key(chance);
        let was = seen.get(&of.id).map_or(Value::Null, |snapshot| snapshot.data["resolutions"][&key].clone());
        let is_removed = chance.percent(30);
        let mut edit = Submission::edit(MEETING, of.id, of.unit);
        for (field, to) in row(chance) {
            let to = if is_removed { Value::Null } else { to };
            edit = edit.item_changes("resolutions", &key, field, was[field].clone(), to);
        }
        Some(self.based(chance, edit, seen.get(&of.id).map(|snapshot| snapshot.head), own))
    }
}

fn any_day(chance: &mut Chance) -> String {
    format!("202{}-0{}-{:02}", 3 + chance.below(4), 1 + chance.below(2), 1 + chance.below(28))
}

fn card_number(chance: &mut Chance) -> String {
    format!("0000000{}", chance.below(3))
}

fn row_key(chance: &mut Chance) -> String {
    Uuid::from_u128(0x99 + chance.below(2) as u128).to_string()
}

fn row(chance: &mut Chance) -> [(&'static str, Value); 4] {
    let votes = json!(chance.below(14));
    [("number", json!("1")), ("votes_for", votes), ("votes_against", json!(0)), ("votes_blank", json!(0))]
}
