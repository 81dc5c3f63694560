//! Who attends and guides which branch, as the commune committee has assigned them; near the border also officers of the
//! post. A committee has a handful of such people, and each looks after several branches. All of them are invented.

use super::chance::Chance;
use super::meetings::Setting;
use super::names::People;
use super::paper::{envelope, fields};
use super::schedule::{later, local};
use super::units::{Sort, reform};
use chrono::NaiveDate;
use muong_domain::id::RecordId;
use muong_domain::submission::{Kind, Submission};

/// Somebody whom a commune can assign: which one, and in what capacity.
type Supervisor = (u64, &'static str);

/// The people of a commune committee who are assigned to branches.
const OF_COMMITTEE: [Supervisor; 8] = [
    (0, "committee_member"),
    (1, "committee_member"),
    (2, "committee_member"),
    (3, "committee_member"),
    (4, "cadre"),
    (5, "cadre"),
    (6, "specialist"),
    (7, "specialist"),
];
/// The officers of the border post.
const OF_POST: [Supervisor; 3] = [(10, BORDER_OFFICER), (11, BORDER_OFFICER), (12, BORDER_OFFICER)];
/// The capacity of an officer of the border post.
pub(super) const BORDER_OFFICER: &str = "border_officer";

/// One assignment to a branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Assignment {
    pub record: RecordId,
    pub capacity: &'static str,
    pub from: NaiveDate,
    decided_on: NaiveDate,
    /// The number of the decision.
    number: u32,
    /// Which of the people of the commune.
    which: u64,
}

/// Whoever is assigned to a branch, one or two, for as long as the sample lasts.
pub(super) fn of_branch(setting: &Setting<'_>) -> Vec<Assignment> {
    let mut chance = Chance::of(setting.seed, "supervision", &[setting.at as u64]);
    let first = *chance.pick(&OF_COMMITTEE);
    let is_near_border = setting.commune.is_border && setting.branch.sort == Sort::Village;
    let has_second = chance.permille(if is_near_border { 600 } else { 200 });
    let others: Vec<Supervisor> = OF_COMMITTEE.into_iter().filter(|other| *other != first).collect();
    let among: &[Supervisor] = if is_near_border { &OF_POST } else { &others };
    let second = *chance.pick(among);
    let assigned = std::iter::once(first).chain(has_second.then_some(second));
    assigned.map(|supervisor| assignment(setting, &mut chance, supervisor)).collect()
}

/// Decided in the first weeks of the communes of today, and good from a few days later on.
fn assignment(setting: &Setting<'_>, chance: &mut Chance, (which, capacity): Supervisor) -> Assignment {
    let opening = setting.schedule.opening;
    let days = u32::try_from((opening - reform()).num_days()).unwrap_or(0);
    let decided_on = later(reform(), chance.between(0, days.min(60)));
    let from = later(decided_on, chance.between(0, 10));
    let number = chance.between(1, 120);
    let record = RecordId::new(chance.id(local(opening, 0).timestamp_millis()));
    Assignment { record, capacity, from, decided_on, number, which }
}

/// The report of an assignment: the office enters it in the morning of the opening.
pub(super) fn report(setting: &Setting<'_>, assignment: &Assignment) -> Submission {
    let about = ("supervision_assignment", assignment.record, setting.branch.id);
    let captured_at = local(setting.schedule.opening, 7 * 60);
    let mut submission = envelope(setting.seed, Kind::Create, about, captured_at, 0);
    let of_person = [setting.branch.commune as u64, assignment.which];
    let mut chance = Chance::of(setting.seed, "supervisor", &of_person);
    let people = People::of_village(&mut chance, &setting.commune.name);
    let is_woman = assignment.capacity != BORDER_OFFICER && chance.permille(300);
    submission.set = fields([
        ("supervisor", people.person(&mut chance, is_woman).into()),
        ("capacity", assignment.capacity.into()),
        ("from", assignment.from.to_string().into()),
        ("decision", format!("{:02}-QĐ/ĐU", assignment.number).into()),
        ("decided_on", assignment.decided_on.to_string().into()),
    ]);
    submission
}
