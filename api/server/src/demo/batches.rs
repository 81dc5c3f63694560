//! The reports of the year as batches, in the order in which they reach the centre: arrival by arrival, commune by
//! commune, so that no more than one commune's reports are in memory at once.

use super::Province;
use super::assignments;
use super::cases::{Case, cases};
use super::meetings;
use super::paper;
use super::schedule::local;
use super::users::Reporter;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::development::Step;
use muong_domain::id::{DeviceId, RecordId, SubmissionId, UserId};
use muong_domain::submission::Submission;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The most submissions that a push may hold.
const LIMIT: usize = 500;
/// The seconds between two batches.
const PACE: i64 = 20;

/// What a submission is meant to be answered, when not `accepted`, `merged` or what a second report of a thing gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Merged with what somebody else has said.
    Merged,
    /// In conflict with it.
    Conflict,
    /// The same as before.
    Duplicate,
    /// Refused and kept in quarantine.
    Rejected {
        /// The first error.
        code: &'static str,
    },
    /// Outside of what its author may do, and kept in quarantine.
    Forbidden,
}

/// One push of one device.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Who signed in.
    pub pushed_by: UserId,
    /// The device.
    pub device: DeviceId,
    /// When the centre received it; never before the batch that comes earlier.
    pub received_at: DateTime<Utc>,
    /// What it says.
    pub submissions: Vec<Submission>,
    /// What is meant to be answered, where it is not plain acceptance.
    pub expected: BTreeMap<SubmissionId, Expected>,
}

/// The batches of a province, made as they are asked for.
#[derive(Debug)]
pub struct Batches<'a> {
    province: &'a Province,
    wave: usize,
    commune: usize,
    clock: DateTime<Utc>,
    sent: HashMap<DeviceId, i64>,
    ready: VecDeque<Batch>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(province: &'a Province) -> Self {
        let (sent, ready) = (HashMap::new(), VecDeque::new());
        Self { province, wave: 0, commune: 0, clock: arrival(province, 0), sent, ready }
    }

    /// The next commune of this arrival, or the first one of the next arrival; after the last one the special cases.
    fn advance(&mut self) {
        let province = self.province;
        let branches = province.layout.communes[self.commune].branches.clone();
        let office = province.staff.office(self.commune);
        let assigned = branches.clone().flat_map(|at| of_committee(province, at, self.wave));
        let mut reports: Vec<(Reporter, Submission)> = assigned.map(|report| (office, report)).collect();
        for at in branches {
            let reporter = province.staff.reporter(province.layout.branches[at].id);
            reports.extend(of_branch(province, at, self.wave).into_iter().map(|report| (reporter, report)));
        }
        self.pack(reports);
        self.commune += 1;
        if self.commune == province.layout.communes.len() {
            (self.commune, self.wave) = (0, self.wave + 1);
            if self.wave == province.schedule.waves.len() {
                cases(province).into_iter().for_each(|case| self.send_case(case));
            } else {
                self.clock = self.clock.max(arrival(province, self.wave));
            }
        }
    }

    /// Batches of one device each, as large as a push may be.
    fn pack(&mut self, reports: Vec<(Reporter, Submission)>) {
        let mut packed: Vec<(Reporter, Vec<Submission>)> = Vec::new();
        for (reporter, report) in reports {
            match packed.last_mut() {
                Some((last, batch)) if *last == reporter && batch.len() < LIMIT => batch.push(report),
                _ => packed.push((reporter, vec![report])),
            }
        }
        for (reporter, batch) in packed {
            self.send(reporter, batch, BTreeMap::new());
        }
    }

    fn send(
        &mut self,
        reporter: Reporter,
        mut submissions: Vec<Submission>,
        expected: BTreeMap<SubmissionId, Expected>,
    ) {
        let sent = self.sent.entry(reporter.device).or_insert(0);
        for submission in &mut submissions {
            *sent += 1;
            submission.n = *sent;
        }
        let (pushed_by, device, received_at) = (reporter.user, reporter.device, self.clock);
        self.ready.push_back(Batch { pushed_by, device, received_at, submissions, expected });
        self.clock += TimeDelta::seconds(PACE);
    }

    fn send_case(&mut self, case: Case) {
        let expected = case.expected.map(|expected| (case.submission.id, expected));
        self.send(case.reporter, vec![case.submission], expected.into_iter().collect());
        if let Some(mut again) = case.twice.then(|| self.ready.back().cloned()).flatten() {
            again.received_at = self.clock;
            again.expected = again.submissions.iter().map(|sent| (sent.id, Expected::Duplicate)).collect();
            self.ready.push_back(again);
            self.clock += TimeDelta::seconds(PACE);
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        while self.ready.is_empty() && self.wave < self.province.schedule.waves.len() {
            self.advance();
        }
        self.ready.pop_front()
    }
}

/// The first instant of an arrival, after whatever was written in the morning.
fn arrival(province: &Province, wave: usize) -> DateTime<Utc> {
    local(province.schedule.waves[wave], 7 * 60 + 30).to_utc()
}

/// Whom the commune committee has assigned to a branch: entered at the opening, by its office.
fn of_committee(province: &Province, at: usize, wave: usize) -> Vec<Submission> {
    if wave > 0 {
        return Vec::new();
    }
    let setting = province.setting(at);
    assignments::of_branch(&setting).iter().map(|assignment| assignments::report(&setting, assignment)).collect()
}

/// What arrives about one branch: persons before steps, steps by date, then meetings and answers.
fn of_branch(province: &Province, at: usize, wave: usize) -> Vec<Submission> {
    let (seed, schedule) = (province.seed, &province.schedule);
    let unit = province.layout.branches[at].id;
    let mut reports = Vec::new();
    let mut steps: Vec<(RecordId, &Step)> = Vec::new();
    for person in &province.people[at] {
        let entered = schedule.wave_of_entry(person.consent_on);
        if entered == wave {
            reports.push(paper::person(seed, person, unit, schedule));
        }
        let due = person.steps.iter().filter(|step| schedule.wave_of_entry(step.on).max(entered) == wave);
        steps.extend(due.map(|step| (person.record, step)));
    }
    steps.sort_by_key(|(_, step)| step.order());
    reports.extend(steps.into_iter().map(|(person, step)| paper::step(seed, person, step, unit, schedule)));
    let setting = province.setting(at);
    for meeting in (0..schedule.periods.len()).flat_map(|month| meetings::of_month(&setting, month)) {
        if meeting.wave == wave {
            reports.push(meetings::report(&setting, &meeting));
        } else {
            reports.extend(meetings::answer(&setting, &meeting, wave));
        }
    }
    reports
}
