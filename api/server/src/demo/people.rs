//! The people of one branch, all invented, and the dated steps that made each of them what they are.
//! Knows the rules of member development well enough to break none; how a report is written is `paper`'s business.

use super::chance::Chance;
use super::schedule::{Schedule, date, earlier, later, local};
use super::units::{Branch, Commune};
use chrono::{Datelike, NaiveDate};
use muong_domain::development::{Discipline, PersonFacts, Status, Step, StepFacts, StepKind};
use muong_domain::id::{RecordId, UnitId};
use muong_domain::time::add_months;

/// One member or applicant.
#[derive(Clone, Debug)]
pub struct Person {
    /// The record.
    pub record: RecordId,
    /// The full name, in Vietnamese order.
    pub name: String,
    /// The birth date.
    pub birth: NaiveDate,
    /// Whether a woman.
    pub is_woman: bool,
    /// Where the person lives, when that is known.
    pub village: Option<UnitId>,
    /// The branch that looks after somebody of a village without one.
    pub fostered_by: Option<UnitId>,
    /// Own application, or consent recorded from somebody who was a member already.
    pub applied: bool,
    /// The day of the application or consent.
    pub consent_on: NaiveDate,
    /// The number of the party card, of somebody who was official before the system knew of them.
    pub card: Option<String>,
    /// The steps, by date.
    pub steps: Vec<Step>,
}

impl Person {
    /// What the rules know of the person.
    pub fn facts(&self) -> PersonFacts {
        PersonFacts { birth_date: Some(self.birth), consent_on: Some(self.consent_on) }
    }

    fn counts_from(&self, kinds: &[StepKind], field: fn(&Step) -> Option<NaiveDate>) -> Option<NaiveDate> {
        self.steps.iter().filter(|step| kinds.contains(&step.kind)).find_map(field)
    }

    /// From when on the roll, and from when as official.
    fn joined(&self) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let ceremony = self.counts_from(&[StepKind::CeremonyHeld, StepKind::TransferredIn], |step| Some(step.on));
        let opening = self.counts_from(&[StepKind::OpeningEntry], |step| step.facts.ceremony_on);
        let recognised = self.counts_from(&[StepKind::RecognisedOfficial], |step| Some(step.on));
        let entered = self.counts_from(&[StepKind::OpeningEntry, StepKind::TransferredIn], |step| {
            (step.facts.status == Some(Status::Official)).then_some(step.facts.official_on).flatten()
        });
        (opening.or(ceremony), recognised.or(entered))
    }

    fn left_on(&self) -> Option<NaiveDate> {
        let gone = |step: &&Step| step.ends_episode() || step.kind == StepKind::TransferredOut;
        self.steps.iter().find(gone).map(|step| step.on)
    }

    fn is_away(&self, kind: StepKind, day: NaiveDate) -> bool {
        let mut away = self.steps.iter().filter(|step| step.kind == kind && step.on <= day);
        away.any(|step| step.facts.until.is_none_or(|until| day <= until))
    }
}

/// The roll of a branch on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Roll {
    /// Official members.
    pub official: u32,
    /// Members in probation.
    pub probationary: u32,
    /// Exempt and not away.
    pub exempt: u32,
    /// Temporarily with another branch.
    pub out: u32,
}

/// Counts the members of a branch on a day.
pub fn roll(people: &[Person], day: NaiveDate) -> Roll {
    let mut roll = Roll::default();
    for person in people {
        let (joined, official) = person.joined();
        if joined.is_none_or(|joined| day < joined) || person.left_on().is_some_and(|left| left <= day) {
            continue;
        }
        if official.is_some_and(|official| official <= day) {
            roll.official += 1;
        } else {
            roll.probationary += 1;
        }
        if person.is_away(StepKind::TemporaryOut, day) {
            roll.out += 1;
        } else if person.is_away(StepKind::Exempted, day) {
            roll.exempt += 1;
        }
    }
    roll
}

/// How many people a branch can have before the numbers of their cards would meet those of the next one.
const PER_BRANCH: u64 = 1_000;

/// The people of the branch at `at`: its members, those who left within the year, its applicants.
pub fn of_branch(seed: u64, at: usize, branch: &Branch, commune: &Commune, schedule: &Schedule) -> Vec<Person> {
    let mut chance = Chance::of(seed, "people", &[at as u64]);
    let left: u32 = (0..branch.size).map(|_| u32::from(chance.permille(8))).sum();
    let applicants = chance.between(0, 1) + u32::from(chance.permille(100));
    let mut people = Vec::new();
    for number in 0..branch.size + left + applicants {
        let which = at as u64 * PER_BRANCH + u64::from(number);
        let mut writer = Biographer { chance: Chance::of(seed, "person", &[which]), branch, commune, schedule, which };
        let person = if number < branch.size {
            // The first three were members long ago, so that a branch can always vote.
            match writer.chance.below(1000) {
                0..39 if number > 2 && schedule.days() > 0 => writer.admitted(),
                39..78 if number > 2 => writer.probationary(),
                78..81 if number > 2 && schedule.days() > 60 => writer.transferred_in(),
                _ => writer.official(),
            }
        } else if number < branch.size + left {
            writer.leaver()
        } else {
            writer.applicant()
        };
        people.push(person);
    }
    people
}

/// Writes one invented life.
struct Biographer<'a> {
    chance: Chance,
    branch: &'a Branch,
    commune: &'a Commune,
    schedule: &'a Schedule,
    which: u64,
}

impl Biographer<'_> {
    fn days(&mut self, first: u32, last: u32) -> u32 {
        self.chance.between(first, last)
    }

    /// A day between the opening and the last day.
    fn within_year(&mut self) -> NaiveDate {
        let days = self.schedule.days();
        later(self.schedule.opening, self.chance.between(0, days))
    }

    /// A person without a history.
    fn person(&mut self, birth: NaiveDate, applied: bool, consent_on: NaiveDate) -> Person {
        let is_woman = self.chance.permille(340);
        let people = if self.chance.permille(880) { self.branch.people } else { super::names::People::Kinh };
        let name = people.person(&mut self.chance, is_woman);
        let village = (!self.branch.villages.is_empty()).then(|| *self.chance.pick(&self.branch.villages));
        let record = RecordId::new(self.chance.id(local(self.entered_on(consent_on), 0).timestamp_millis()));
        let (fostered_by, steps) = (None, Vec::new());
        Person { record, name, birth, is_woman, village, fostered_by, applied, consent_on, card: None, steps }
    }

    fn entered_on(&self, day: NaiveDate) -> NaiveDate {
        day.max(self.schedule.opening)
    }

    fn step(&mut self, kind: StepKind, on: NaiveDate, facts: StepFacts) -> Step {
        let id = RecordId::new(self.chance.id(local(self.entered_on(on), 1).timestamp_millis()));
        Step { id, kind, on, facts }
    }

    fn card(&self) -> String {
        format!("{:08}", 40_000_000 + self.which % 50_000_000)
    }

    /// A birth date so many years before a day.
    fn born(&mut self, before: NaiveDate, youngest: u32, oldest: u32) -> NaiveDate {
        let years = i32::try_from(self.chance.between(youngest, oldest)).unwrap_or(30);
        let (month, day) = (self.chance.between(1, 12), self.chance.between(1, 28));
        date(before.year() - years - 1, month, day)
    }

    /// Decision, ceremony and official date of an admission with this ceremony.
    fn admission(&mut self, ceremony: NaiveDate) -> StepFacts {
        StepFacts {
            decision_on: Some(earlier(ceremony, self.chance.between(5, 25))),
            ceremony_on: Some(ceremony),
            official_on: Some(add_months(ceremony, 12)),
            ..StepFacts::default()
        }
    }

    /// A member of long standing, entered as such at the opening.
    fn official(&mut self) -> Person {
        let opening = self.schedule.opening;
        // Most are between 25 and 55; some stayed from older times.
        let (youngest, oldest) = match self.chance.below(100) {
            0..62 => (25, 45),
            62..88 => (46, 62),
            _ => (63, 84),
        };
        let birth = self.born(opening, youngest, oldest);
        let age = opening.year() - birth.year();
        let at_age = self.days(20, 38).min(u32::try_from(age - 3).unwrap_or(20));
        let ceremony =
            later(date(birth.year() + i32::try_from(at_age).unwrap_or(20), 1, 15), self.chance.between(0, 330));
        let consent_on = earlier(opening, self.days(3, 45));
        let mut person = self.person(birth, false, consent_on);
        let mut facts = self.admission(ceremony);
        facts.status = Some(Status::Official);
        person.card = Some(self.card());
        person.steps.push(self.step(StepKind::OpeningEntry, opening, facts));
        self.live(&mut person, youngest >= 63);
        person
    }

    /// What happens to some members: they are exempted or go away for a while, or are disciplined.
    fn live(&mut self, person: &mut Person, is_old: bool) {
        let opening = self.schedule.opening;
        let since = earlier(later(opening, self.schedule.days()), self.chance.between(0, self.schedule.days() + 250));
        if is_old && self.chance.permille(300) {
            let facts = StepFacts { until: Some(add_months(since, 24)), ..StepFacts::default() };
            person.steps.push(self.step(StepKind::Exempted, since, facts));
        } else if !is_old && self.chance.permille(14) {
            let facts = StepFacts { until: Some(later(since, self.chance.between(60, 330))), ..StepFacts::default() };
            person.steps.push(self.step(StepKind::TemporaryOut, since, facts));
        } else if self.chance.permille(2) {
            let measure = *self.chance.pick(&[Discipline::Reprimand, Discipline::Reprimand, Discipline::Warning]);
            let on = self.within_year();
            let facts = StepFacts { discipline: Some(measure), ..StepFacts::default() };
            person.steps.push(self.step(StepKind::Disciplined, on, facts));
        }
        person.steps.sort_by_key(Step::order);
    }

    /// In probation at the opening; recognised when the twelve months are over, mostly soon.
    fn probationary(&mut self) -> Person {
        let opening = self.schedule.opening;
        let ceremony = earlier(opening, self.days(1, 360));
        let birth = self.born(ceremony, 19, 36);
        let consent_on = earlier(opening, self.days(3, 45));
        let mut person = self.person(birth, false, consent_on);
        let mut facts = self.admission(ceremony);
        (facts.status, facts.official_on) = (Some(Status::Probationary), None);
        person.steps.push(self.step(StepKind::OpeningEntry, opening, facts));
        let class = earlier(add_months(ceremony, 12), self.days(20, 200)).max(later(ceremony, 30));
        if class > opening && class <= self.schedule.last_day() {
            person.steps.push(self.step(StepKind::NewMemberClassCompleted, class, StepFacts::default()));
        }
        let late = if self.chance.permille(930) { self.days(0, 25) } else { self.days(60, 120) };
        let recognised = later(add_months(ceremony, 12), late).max(later(class, 1));
        if recognised >= opening && recognised <= self.schedule.last_day() {
            let facts = StepFacts { official_on: Some(add_months(ceremony, 12)), ..StepFacts::default() };
            person.steps.push(self.step(StepKind::RecognisedOfficial, recognised, facts));
        }
        person
    }

    /// Admitted within the year, step by step.
    fn admitted(&mut self) -> Person {
        let ceremony = self.within_year();
        let late = self.chance.permille(30);
        let decision = earlier(ceremony, if late { self.days(50, 70) } else { self.days(6, 26) });
        let mut person = self.applied(StepKind::AdmissionDecided, decision);
        person.steps.push(self.step(StepKind::CeremonyHeld, ceremony, StepFacts::default()));
        let class = later(ceremony, self.days(60, 220));
        if class <= self.schedule.last_day() {
            person.steps.push(self.step(StepKind::NewMemberClassCompleted, class, StepFacts::default()));
        }
        person
    }

    /// On the way: somewhere between the class and the decision.
    fn applicant(&mut self) -> Person {
        const STAGES: [StepKind; 5] = [
            StepKind::AwarenessClassCompleted,
            StepKind::DossierComplete,
            StepKind::BranchResolved,
            StepKind::SuperiorEndorsed,
            StepKind::AdmissionDecided,
        ];
        let stage = STAGES[*self.chance.pick(&[0, 0, 0, 0, 1, 1, 2, 2, 3, 4])];
        let recent = self.days(1, if stage == StepKind::AwarenessClassCompleted { 300 } else { 40 });
        let last = earlier(self.schedule.last_day(), recent);
        let mut person = self.applied(stage, last);
        if stage == StepKind::AwarenessClassCompleted && self.chance.permille(60) {
            let on = later(last, 20).min(self.schedule.last_day());
            person.steps.push(self.step(StepKind::Withdrawn, on, StepFacts::default()));
        }
        if !self.commune.uncovered.is_empty() && self.chance.permille(90) {
            person.village = Some(*self.chance.pick(&self.commune.uncovered));
            person.fostered_by = Some(self.branch.id);
        }
        person
    }

    /// The steps up to `stage`, which is on `last`, reckoned backwards.
    fn applied(&mut self, stage: StepKind, last: NaiveDate) -> Person {
        let slow = if self.chance.permille(40) { self.days(95, 120) } else { 0 };
        let gaps = [
            (StepKind::AdmissionDecided, self.days(4, 15)),
            (StepKind::SuperiorEndorsed, self.days(5, 25) + slow),
            (StepKind::BranchResolved, self.days(8, 60)),
            (StepKind::DossierComplete, self.days(40, 420)),
            (StepKind::AwarenessClassCompleted, self.days(12, 60)),
        ];
        let mut on = last;
        let mut steps = Vec::new();
        for (kind, gap) in gaps.into_iter().skip_while(|(kind, _)| *kind != stage) {
            let facts = if kind == StepKind::BranchResolved { self.votes() } else { StepFacts::default() };
            steps.push(self.step(kind, on, facts));
            on = earlier(on, gap);
        }
        steps.reverse();
        // Of age long before the class, so before every step that asks for it.
        let birth = self.born(on, 18, 38);
        let mut person = self.person(birth, true, on);
        person.steps = steps;
        person
    }

    /// Nearly always carried; now and then not, and forwarded all the same.
    fn votes(&mut self) -> StepFacts {
        let eligible = (self.branch.size * 9 / 10).max(3);
        let against = if self.chance.permille(25) { eligible / 3 + 1 } else { self.chance.between(0, eligible / 8) };
        StepFacts { eligible: Some(eligible), yes: Some(eligible - against), ..StepFacts::default() }
    }

    /// Came from outside of the province.
    fn transferred_in(&mut self) -> Person {
        let on = later(self.schedule.opening, self.chance.between(30, self.schedule.days()));
        let birth = self.born(on, 28, 45);
        let ceremony = earlier(on, self.days(700, 2_000));
        let consent_on = earlier(on, self.days(0, 10));
        let mut person = self.person(birth, false, consent_on);
        let mut facts = self.admission(ceremony);
        facts.status = Some(Status::Official);
        person.card = Some(self.card());
        person.steps.push(self.step(StepKind::TransferredIn, on, facts));
        person
    }

    /// A member at the opening who has since died, left, moved away or been removed.
    fn leaver(&mut self) -> Person {
        let mut person = self.official();
        person.steps.retain(|step| step.kind == StepKind::OpeningEntry);
        let on = self.within_year();
        let kind = match self.chance.below(100) {
            0..52 => StepKind::Deceased,
            52..86 => StepKind::TransferredOut,
            86..95 => StepKind::RemovedFromRoll,
            _ => StepKind::Left,
        };
        person.steps.push(self.step(kind, on, StepFacts::default()));
        person
    }
}

#[cfg(test)]
mod tests {
    use super::super::units::Layout;
    use super::*;
    use muong_domain::development::{Basis, Rules, Standing, check_step, fold};
    use muong_domain::refusal::Level;
    use muong_domain::time::Calendar;
    use std::collections::BTreeSet;

    fn people() -> (Layout, Schedule, Vec<Vec<Person>>) {
        let layout = Layout::new(3, 0.02);
        let schedule = Schedule::new(local(date(2026, 11, 23), 0).to_utc());
        let all = layout.branches.iter().enumerate();
        let people =
            all.map(|(at, branch)| of_branch(3, at, branch, &layout.communes[branch.commune], &schedule)).collect();
        (layout, schedule, people)
    }

    #[test]
    fn no_step_contradicts_another() {
        let rules = Rules::parse(include_str!("../../../../forms/development-rules.json")).unwrap();
        let calendar = Calendar::parse(include_str!("../../../../forms/calendar.json")).unwrap();
        let (_, schedule, people) = people();
        let (mut steps, mut warned) = (0, 0);
        for person in people.iter().flatten() {
            for (at, step) in person.steps.iter().enumerate() {
                let today = schedule.waves[schedule.wave_after(step.on)].max(schedule.opening);
                let basis = Basis { rules: &rules, calendar: &calendar, today };
                for (level, finding) in check_step(&person.facts(), &person.steps[..at], step, &basis) {
                    assert_ne!(level, Level::Error, "{finding:?} {person:#?}");
                    warned += 1;
                }
                steps += 1;
            }
        }
        assert!(steps > 800 && warned * 10 < steps, "{warned} warnings of {steps} steps");
    }

    #[test]
    fn members_at_the_end_are_as_many_as_was_laid_out() {
        let rules = Rules::parse(include_str!("../../../../forms/development-rules.json")).unwrap();
        let (layout, schedule, people) = people();
        for (branch, people) in layout.branches.iter().zip(&people) {
            let end = roll(people, schedule.last_day());
            assert_eq!(end.official + end.probationary, branch.size, "{}", branch.name);
            let standing = |wanted: Standing| {
                let folded = people.iter().map(|person| fold(&person.steps, &rules));
                folded.filter(|state| state.standing == wanted && !state.in_transit()).count()
            };
            assert_eq!(end.official as usize, standing(Standing::Official), "{}", branch.name);
            assert_eq!(end.probationary as usize, standing(Standing::Probationary), "{}", branch.name);
            assert!(end.exempt + end.out <= branch.size);
        }
    }

    #[test]
    fn cards_and_records_are_unique() {
        let (_, _, people) = people();
        let all: Vec<&Person> = people.iter().flatten().collect();
        let records: BTreeSet<_> = all.iter().map(|person| person.record).collect();
        assert_eq!(records.len(), all.len());
        let cards: Vec<_> = all.iter().filter_map(|person| person.card.clone()).collect();
        assert_eq!(cards.iter().collect::<BTreeSet<_>>().len(), cards.len());
    }
}
