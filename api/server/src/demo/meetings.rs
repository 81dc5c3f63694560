//! A year of branch meetings: when each was held and reported, who came, what was raised.
//! Knows the form of a meeting; the roll comes from the people of the branch.

use super::assignments;
use super::chance::Chance;
use super::paper::{envelope, fields, from_to};
use super::people::{Person, Roll, roll};
use super::schedule::{Schedule, later, local};
use super::units::{Branch, Commune, Sort};
use chrono::{DateTime, FixedOffset, NaiveDate};
use muong_domain::id::RecordId;
use muong_domain::submission::{Base, Changes, Kind, Submission};
use muong_domain::time::Period;
use serde_json::Value;

/// What a branch's meetings are drawn from.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub seed: u64,
    /// The branch's place in the layout.
    pub at: usize,
    pub branch: &'a Branch,
    pub commune: &'a Commune,
    pub people: &'a [Person],
    pub schedule: &'a Schedule,
}

/// One meeting, as far as it is needed to know when it arrives.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub record: RecordId,
    pub kind: &'static str,
    pub period: Period,
    /// The day it was held, or was to be held.
    pub on: NaiveDate,
    /// Why it was not held.
    pub not_held: Option<&'static str>,
    pub captured_at: DateTime<FixedOffset>,
    /// The arrival of reports with which it comes.
    pub wave: usize,
    chance: Chance,
}

const REASONS: [&str; 6] =
    ["quorum", "disaster", "secretary_absent", "urgent_duty", "merged_with_other", "consolidation"];
const SUBJECTS: [&str; 12] = [
    "political_task",
    "study_resolution",
    "ho_chi_minh_example",
    "party_building",
    "recognition",
    "economy",
    "new_countryside",
    "border_security",
    "culture",
    "supervision",
    "mass_work",
    "criticism",
];
const CATEGORIES: [&str; 12] = [
    "land",
    "road",
    "water",
    "electricity",
    "livelihood",
    "housing",
    "education",
    "health",
    "policy",
    "environment",
    "security",
    "organisation",
];
const ADDRESSEES: [&str; 6] =
    ["branch", "village", "commune_committee", "commune_people_committee", "border_post", "province"];

/// The meetings of a branch in one month, by its place in the schedule: the regular one, now and then a thematic one,
/// now and then none, with a reason or without a word.
pub(super) fn of_month(setting: &Setting<'_>, month: usize) -> Vec<Meeting> {
    let mut chance = Chance::of(setting.seed, "month", &[setting.at as u64, month as u64]);
    let mut meetings = Vec::new();
    if !chance.permille(8) {
        meetings.push(meeting(setting, month, "regular"));
    }
    if chance.permille(32) {
        meetings.push(meeting(setting, month, "thematic"));
    }
    meetings
}

fn meeting(setting: &Setting<'_>, month: usize, kind: &'static str) -> Meeting {
    let schedule = setting.schedule;
    let period = schedule.periods[month];
    let is_regular = kind == "regular";
    let mut chance = Chance::of(setting.seed, kind, &[setting.at as u64, month as u64]);
    let day = if is_regular && chance.permille(780) { chance.between(3, 7) } else { chance.between(8, 24) };
    let on = later(period.first_day(), day - 1);
    let not_held = (is_regular && chance.permille(24)).then(|| *chance.pick(&REASONS));
    // Most write it down the same evening; some only when they come to it.
    let wait = if chance.permille(970) { 0 } else { chance.between(3, 40) };
    let written = later(on, wait).min(schedule.last_day());
    let captured_at = local(written, chance.between(21 * 60, 22 * 60 + 50));
    // A phone without a signal sends it later.
    let sent = later(written, if chance.permille(955) { 0 } else { chance.between(10, 45) });
    let record = RecordId::new(chance.id(captured_at.timestamp_millis()));
    Meeting { record, kind, period, on, not_held, captured_at, wave: schedule.wave_after(sent), chance }
}

/// The report of the meeting.
pub(super) fn report(setting: &Setting<'_>, meeting: &Meeting) -> Submission {
    let about = ("branch_meeting", meeting.record, setting.branch.id);
    let mut submission = envelope(setting.seed, Kind::Create, about, meeting.captured_at, 0);
    let mut chance = meeting.chance.clone();
    let is_regular = meeting.kind == "regular";
    let is_held = meeting.not_held.is_none();
    submission.set = fields([
        ("period", is_regular.then(|| meeting.period.to_string()).into()),
        ("type", meeting.kind.into()),
        ("scheduled_on", meeting.on.to_string().into()),
        ("held", is_held.into()),
        ("held_on", is_held.then(|| meeting.on.to_string()).into()),
        ("not_held_reason", meeting.not_held.into()),
    ]);
    if !is_held {
        return submission;
    }
    let presence = Presence::draw(&mut chance, roll(setting.people, meeting.on));
    submission.set.extend(presence.fields());
    submission.set.extend(conduct(&mut chance, setting, meeting));
    attending(&mut chance, setting, meeting, &mut submission);
    resolutions(&mut chance, meeting, &presence, &mut submission);
    issues(&mut chance, meeting, &mut submission);
    submission
}

/// The roll call of one meeting, with sums that are right.
struct Presence {
    roll: Roll,
    joined: u32,
    present: u32,
    excused: u32,
    unexcused: u32,
    exempt_present: u32,
}

impl Presence {
    fn draw(chance: &mut Chance, roll: Roll) -> Self {
        let joined = u32::from(chance.permille(30));
        let expected = roll.official + roll.probationary - roll.exempt - roll.out + joined;
        let missing = match chance.below(1000) {
            0..18 => expected / 2 + expected / 10 + 1,
            18..520 => chance.between(0, expected / 9 + 1),
            _ => chance.between(0, expected / 5 + 1),
        };
        let missing = missing.min(expected);
        let unexcused = if chance.permille(220) { chance.between(0, missing / 2) } else { 0 };
        let exempt_present = if chance.permille(300) { chance.between(0, roll.exempt) } else { 0 };
        Self { roll, joined, present: expected - missing, excused: missing - unexcused, unexcused, exempt_present }
    }

    fn fields(&self) -> Changes {
        fields([
            ("on_roll", (self.roll.official + self.roll.probationary).into()),
            ("official", self.roll.official.into()),
            ("probationary", self.roll.probationary.into()),
            ("exempt", self.roll.exempt.into()),
            ("temporarily_out", self.roll.out.into()),
            ("temporarily_in", self.joined.into()),
            ("present", self.present.into()),
            ("excused", self.excused.into()),
            ("unexcused", self.unexcused.into()),
            ("exempt_present", self.exempt_present.into()),
        ])
    }
}

fn clock(minute: u32) -> Value {
    format!("{:02}:{:02}", minute / 60, minute % 60).into()
}

/// Times, place, roles, subjects and scores.
fn conduct(chance: &mut Chance, setting: &Setting<'_>, meeting: &Meeting) -> Changes {
    let is_village = setting.branch.sort == Sort::Village;
    let start = if is_village { 18 * 60 } else { *chance.pick(&[8 * 60, 14 * 60]) } + 15 * chance.between(0, 3);
    let combined = chance.permille(140);
    let least = if combined { 120 } else { 90 };
    let lasted = if chance.permille(35) { chance.between(50, 85) } else { least + 5 * chance.between(0, 6) };
    let place = if is_village { "Nhà văn hóa" } else { "Phòng họp cơ quan" };
    let mut subjects: Vec<&str> = SUBJECTS.into_iter().filter(|_| chance.permille(230)).collect();
    if subjects.is_empty() {
        subjects.push(if meeting.kind == "thematic" { "ho_chi_minh_example" } else { "political_task" });
    }
    let self_score = 60 + chance.between(0, 38);
    let superior = if chance.permille(300) { Value::from(self_score - chance.between(0, 8)) } else { Value::Null };
    fields([
        ("started", clock(start)),
        ("ended", clock(start + lasted)),
        ("combined_thematic", combined.into()),
        ("place", place.into()),
        ("chair_role", if chance.permille(850) { "secretary" } else { "deputy_secretary" }.into()),
        ("secretary_role", if chance.permille(700) { "committee_member" } else { "party_member" }.into()),
        ("subjects", subjects.into()),
        ("self_score", self_score.into()),
        ("superior_score", superior),
    ])
}

/// Now and then a superior, and near the border often an officer; known by their assignment, never by name.
fn attending(chance: &mut Chance, setting: &Setting<'_>, meeting: &Meeting, submission: &mut Submission) {
    for assignment in assignments::of_branch(setting) {
        let comes = chance.permille(if assignment.capacity == assignments::BORDER_OFFICER { 400 } else { 160 });
        if comes && assignment.from <= meeting.on {
            // The two forms call a member of the committee differently.
            let is_member = assignment.capacity == "committee_member";
            let capacity = if is_member { "supervisor" } else { assignment.capacity };
            let list = submission.items.entry("attending".to_owned()).or_default();
            list.insert(assignment.record.to_string(), fields([("capacity", capacity.into())]));
        }
    }
}

fn resolutions(chance: &mut Chance, meeting: &Meeting, presence: &Presence, submission: &mut Submission) {
    if presence.present < 3 || !chance.permille(300) {
        return;
    }
    let against = u32::from(chance.permille(120));
    let blank = u32::from(chance.permille(80));
    let month = chance.between(1, 24);
    let vote = fields([
        ("number", format!("{month:02}-NQ/CB").into()),
        ("votes_for", (presence.present - against - blank).into()),
        ("votes_against", against.into()),
        ("votes_blank", blank.into()),
    ]);
    let key = chance.id(meeting.captured_at.timestamp_millis()).to_string();
    submission.items.entry("resolutions".to_owned()).or_default().insert(key, vote);
}

fn issues(chance: &mut Chance, meeting: &Meeting, submission: &mut Submission) {
    let count = match chance.below(100) {
        0..82 => 0,
        82..96 => 1,
        _ => 2,
    };
    for number in 1..=count {
        let issue = fields([
            ("number", number.into()),
            ("category", (*chance.pick(&CATEGORIES)).into()),
            ("addressee", (*chance.pick(&ADDRESSEES)).into()),
            ("due_on", later(meeting.on, 30 * chance.between(1, 4)).to_string().into()),
            ("status", "open".into()),
        ]);
        let key = chance.id(meeting.captured_at.timestamp_millis()).to_string();
        submission.items.entry("issues".to_owned()).or_default().insert(key, issue);
    }
}

/// How many arrivals after a meeting's own the answer to its first issue is reported, if at all.
const ANSWERED_AFTER: usize = 4;

/// The answer to the first issue of a meeting, told by whoever reported the meeting: some weeks later, or never.
pub(super) fn answer(setting: &Setting<'_>, meeting: &Meeting, wave: usize) -> Option<Submission> {
    let is_answered = meeting.chance.clone().permille(500);
    if wave != meeting.wave + ANSWERED_AFTER || !is_answered || meeting.not_held.is_some() {
        return None;
    }
    let told = report(setting, meeting);
    let key = told.items.get("issues")?.keys().next()?.clone();
    let about = ("branch_meeting", meeting.record, setting.branch.id);
    let day = later(setting.schedule.waves[wave - 1], 1);
    let mut edit = envelope(setting.seed, Kind::Edit, about, local(day, 20 * 60), 1);
    edit.base = Some(Base { epoch: None, v: None, after: Some(told.id) });
    let changed = Changes::from([
        ("status".to_owned(), from_to("open", "closed")),
        ("reply".to_owned(), from_to(Value::Null, "resolved")),
    ]);
    edit.items.entry("issues".to_owned()).or_default().insert(key, changed);
    Some(edit)
}
