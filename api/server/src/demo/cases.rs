//! A few dozen reports with which something is the matter, so that every list has something to show: conflicts,
//! quarantine, merges, names written in several ways. All of them stand in the showcase commune.

use super::batches::Expected;
use super::meetings::{self, Meeting};
use super::paper::{self, envelope, fields, from_to, to};
use super::people::Person;
use super::schedule::{date, earlier, later, local};
use super::units::Branch;
use super::users::{ASSIGNED, Reporter};
use super::{Province, chance::Chance};
use chrono::NaiveDate;
use muong_domain::development::{Step, StepFacts, StepKind};
use muong_domain::id::RecordId;
use muong_domain::submission::{Base, Kind, Submission};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

/// One report and what is meant to come of it.
pub(super) struct Case {
    pub reporter: Reporter,
    pub submission: Submission,
    /// None: accepted.
    pub expected: Option<Expected>,
    /// Whether it is sent again, as if the answer had been lost.
    pub twice: bool,
}

/// The cases, in the order in which they are pushed. Without a whole month of reports there are none.
pub(super) fn cases(province: &Province) -> Vec<Case> {
    if province.schedule.periods.is_empty() {
        return Vec::new();
    }
    let mut author = Author { province, first: province.layout.showcase().branches.start, made: 0, cases: Vec::new() };
    author.two_reporters();
    author.wrong_sums();
    author.outside_of_the_grant();
    author.edits_that_merge();
    author.delete_beside_edit();
    author.impossible_dates();
    author.names_in_several_spellings();
    author.cases
}

struct Author<'a> {
    province: &'a Province,
    /// The first branch of the showcase.
    first: usize,
    /// How many reports have been made, to tell their identifiers apart.
    made: u64,
    cases: Vec<Case>,
}

/// Branches of the showcase by their use here.
const WRITES: usize = 4;

impl<'a> Author<'a> {
    fn branch(&self, at: usize) -> &'a Branch {
        &self.province.layout.branches[self.first + at]
    }

    fn cadre(&self, at: usize) -> Reporter {
        self.province.staff.reporter(self.branch(at).id)
    }

    fn add(&mut self, reporter: Reporter, submission: Submission, expected: Option<Expected>) {
        self.cases.push(Case { reporter, submission, expected, twice: false });
    }

    /// A day near the end of the year.
    fn day(&self, before_last: u32) -> NaiveDate {
        earlier(self.province.schedule.last_day(), before_last)
    }

    /// An extraordinary meeting of a branch with a roll that is right.
    fn meeting(&mut self, at: usize, on: NaiveDate) -> Submission {
        self.made += 1;
        let captured_at = local(on, 21 * 60);
        let record = Chance::of(self.province.seed, "case", &[self.made]).id(captured_at.timestamp_millis());
        let about = ("branch_meeting", RecordId::new(record), self.branch(at).id);
        let mut submission = envelope(self.province.seed, Kind::Create, about, captured_at, 0);
        let roll = super::people::roll(&self.province.people[self.first + at], on);
        let expected = roll.official + roll.probationary - roll.exempt - roll.out;
        let set = [
            ("type", Value::from("extraordinary")),
            ("held", true.into()),
            ("held_on", on.to_string().into()),
            ("started", "19:00".into()),
            ("ended", "20:45".into()),
            ("place", "Nhà văn hóa".into()),
            ("on_roll", (roll.official + roll.probationary).into()),
            ("official", roll.official.into()),
            ("probationary", roll.probationary.into()),
            ("exempt", roll.exempt.into()),
            ("temporarily_out", roll.out.into()),
            ("present", expected.into()),
            ("excused", 0.into()),
            ("unexcused", 0.into()),
            ("subjects", json!(["political_task"])),
        ];
        submission.set = fields(set);
        submission
    }

    /// The last regular meetings of a branch that were held and have arrived.
    fn held(&self, at: usize, most: usize) -> Vec<Meeting> {
        let setting = self.province.setting(self.first + at);
        let months = (0..self.province.schedule.periods.len()).rev();
        let all = months.flat_map(|month| meetings::of_month(&setting, month));
        all.filter(|meeting| meeting.kind == "regular" && meeting.not_held.is_none()).take(most).collect()
    }

    /// The liaison reports meetings that the cadre has reported too, and counted one head less.
    fn two_reporters(&mut self) {
        for at in 0..ASSIGNED {
            let setting = self.province.setting(self.first + at);
            for meeting in self.held(at, 2) {
                let cadres = meetings::report(&setting, &meeting);
                let count = |name: &str| cadres.set.get(name).and_then(|change| change.to.as_u64()).unwrap_or(0);
                if count("present") == 0 {
                    continue;
                }
                let mut own = self.meeting(at, meeting.on);
                own.set.clone_from(&cadres.set);
                own.set.insert("present".to_owned(), to(count("present") - 1));
                own.set.insert("excused".to_owned(), to(count("excused") + 1));
                let liaison = self.province.staff.liaison;
                self.add(liaison, own, Some(Expected::Conflict));
            }
        }
    }

    /// Reports that the form refuses; the first one is corrected afterwards.
    fn wrong_sums(&mut self) {
        let mistakes: [(&'static str, &str, Value); 6] = [
            ("meeting.roll_sum", "excused", 1.into()),
            ("meeting.roll_sum", "unexcused", 2.into()),
            ("meeting.roll_total", "official", 1_999.into()),
            ("meeting.ends_before_start", "ended", "18:30".into()),
            ("meeting.exempt_present_exceeds", "exempt_present", 900.into()),
            ("form.range", "self_score", 104.into()),
        ];
        for (number, (code, field, value)) in (0..).zip(mistakes) {
            let at = WRITES + usize::try_from(number).unwrap_or(0) % 4;
            let right = self.meeting(at, self.day(12 + number));
            let mut wrong = right.clone();
            wrong.set.insert(field.to_owned(), to(value));
            self.add(self.cadre(at), wrong.clone(), Some(Expected::Rejected { code }));
            if number == 0 {
                let mut corrected = self.meeting(at, self.day(12));
                corrected.replaces = vec![wrong.id];
                self.add(self.cadre(at), corrected, None);
            }
        }
        let accepted = self.meeting(WRITES, self.day(40));
        let reporter = self.cadre(WRITES);
        self.cases.push(Case { reporter, submission: accepted, expected: None, twice: true });
    }

    /// Reports of branches that are not the author's, of persons by the liaison, and of a cadre who is none any more.
    fn outside_of_the_grant(&mut self) {
        for (of, about) in [(0, 4), (1, 5), (2, 6)] {
            let foreign = self.meeting(about, self.day(25));
            self.add(self.cadre(of), foreign, Some(Expected::Forbidden));
        }
        for number in 0..2 {
            let person = self.applicant(0, "Lò Văn Thử", date(1999, 4, 10 + number));
            let report = paper::person(self.province.seed, &person, self.branch(0).id, &self.province.schedule);
            self.add(self.province.staff.liaison, report, Some(Expected::Forbidden));
        }
        let (former, _) = self.province.staff.former;
        for back in [30, 33] {
            let late = self.meeting(ASSIGNED, self.day(back));
            self.add(former, late, Some(Expected::Forbidden));
        }
    }

    /// The cadre and the liaison each change another field of one meeting.
    fn edits_that_merge(&mut self) {
        for at in 0..ASSIGNED {
            let created = self.meeting(at, self.day(20));
            let (cadre, liaison) = (self.cadre(at), self.province.staff.liaison);
            let mut first = self.edit(&created, 1);
            first.base = Some(Base { epoch: None, v: None, after: Some(created.id) });
            first.set.insert("place".to_owned(), from_to("Nhà văn hóa", "Nhà bí thư chi bộ"));
            let mut second = self.edit(&created, 2);
            let subjects = json!(["political_task", "border_security"]);
            second.set.insert("subjects".to_owned(), from_to(json!(["political_task"]), subjects));
            self.add(cadre, created, None);
            self.add(cadre, first, Some(Expected::Merged));
            self.add(liaison, second, Some(Expected::Merged));
        }
    }

    fn edit(&self, of: &Submission, which: u64) -> Submission {
        let captured_at = of.captured_at.unwrap_or_else(|| local(self.day(0), 0)) + chrono::TimeDelta::hours(20);
        envelope(self.province.seed, Kind::Edit, ("branch_meeting", of.record, of.unit), captured_at, which)
    }

    /// The cadre withdraws a report while the liaison adds to it: it stays, flagged.
    fn delete_beside_edit(&mut self) {
        let created = self.meeting(1, self.day(16));
        let (cadre, liaison) = (self.cadre(1), self.province.staff.liaison);
        let mut deleted = self.edit(&created, 1);
        deleted.kind = Kind::Delete;
        deleted.base = Some(Base { epoch: None, v: None, after: Some(created.id) });
        let mut edited = self.edit(&created, 2);
        edited.set.insert("place".to_owned(), from_to("Nhà văn hóa", "Điểm trường"));
        self.add(cadre, created, None);
        self.add(cadre, deleted, None);
        self.add(liaison, edited, Some(Expected::Conflict));
    }

    fn applicant(&mut self, at: usize, name: &str, birth: NaiveDate) -> Person {
        self.made += 1;
        let consent_on = self.day(60);
        let made = Chance::of(self.province.seed, "case", &[self.made]).id(local(consent_on, 0).timestamp_millis());
        Person {
            card: None,
            record: RecordId::new(made),
            name: name.to_owned(),
            birth,
            is_woman: name.contains(" Thị "),
            village: self.branch(at).villages.first().copied(),
            fostered_by: None,
            applied: true,
            consent_on,
            steps: Vec::new(),
        }
    }

    fn steps(&mut self, person: &Person, at: usize, kinds: &[(StepKind, NaiveDate)]) -> Vec<Submission> {
        let unit = self.branch(at).id;
        let mut reports = Vec::new();
        for &(kind, on) in kinds {
            self.made += 1;
            let made = Chance::of(self.province.seed, "case", &[self.made]).id(local(on, 1).timestamp_millis());
            let votes = kind == StepKind::BranchResolved;
            let facts = StepFacts { eligible: votes.then_some(9), yes: votes.then_some(8), ..StepFacts::default() };
            let step = Step { id: RecordId::new(made), kind, on, facts };
            reports.push(paper::step(self.province.seed, person.record, &step, unit, &self.province.schedule));
        }
        reports
    }

    /// A ceremony before its decision, and a branch that resolves on somebody of seventeen.
    fn impossible_dates(&mut self) {
        let seed = self.province.seed;
        let (unit, cadre) = (self.branch(0).id, self.cadre(0));
        let adult = self.applicant(0, "Mùa A Nếnh", date(1998, 5, 17));
        let young = self.applicant(0, "Hạng Thị Dua", later(self.day(20), 90) - chrono::Months::new(18 * 12));
        let of_adult = [(StepKind::AdmissionDecided, self.day(10)), (StepKind::CeremonyHeld, self.day(11))];
        let of_adult = self.steps(&adult, 0, &of_adult);
        let of_young = self.steps(&young, 0, &[(StepKind::BranchResolved, self.day(20))]);
        self.add(cadre, paper::person(seed, &adult, unit, &self.province.schedule), None);
        self.add(cadre, paper::person(seed, &young, unit, &self.province.schedule), None);
        let expected = [None, Some(Expected::Rejected { code: "step.out_of_order" })];
        for (report, expected) in of_adult.into_iter().zip(expected) {
            self.add(cadre, report, expected);
        }
        for report in of_young {
            self.add(cadre, report, Some(Expected::Rejected { code: "step.under_age" }));
        }
    }

    /// Names that are one and look different, and names of two that look alike.
    fn names_in_several_spellings(&mut self) {
        let decomposed: String = "Vừ A Chá".nfd().collect();
        let people = [
            ("Vừ A Chá", date(2001, 4, 12)),
            (&decomposed, date(2001, 4, 12)),
            ("Ðiêu Thị Ánh", date(2003, 9, 2)),
            ("Lường Văn Hoà", date(2000, 1, 20)),
            ("Lường Văn Hòa", date(2000, 1, 20)),
            ("Giàng A Páo", date(2004, 6, 8)),
            ("Giàng A Pao", date(2004, 6, 8)),
        ];
        for (name, birth) in people {
            let person = self.applicant(1, name, birth);
            let report = paper::person(self.province.seed, &person, self.branch(1).id, &self.province.schedule);
            self.add(self.cadre(1), report, None);
        }
    }
}
