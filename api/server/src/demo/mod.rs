//! A believable province, made from a seed: units, people with accounts, and a year of reports in the shape in which
//! phones send them. Everybody and everything below the communes is invented.
//!
//! Pure: no store, no HTTP, no clock, no entropy. The same seed, scale and day make the same province to the last byte.
//! Whoever calls stores the units and accounts and pushes the batches, in their order, through the ordinary push.

mod assignments;
mod batches;
mod cases;
pub mod chance;
mod meetings;
pub mod names;
mod paper;
pub mod people;
pub mod schedule;
pub mod units;
pub mod users;
pub mod welcome;

pub use batches::{Batch, Batches, Expected};

use chrono::{DateTime, Utc};
use people::Person;
use schedule::Schedule;
use units::Layout;
use users::Staff;

/// The province before anybody has reported.
#[derive(Clone, Debug)]
pub struct Province {
    seed: u64,
    /// The units.
    pub layout: Layout,
    /// Who has an account, a device, a role.
    pub staff: Staff,
    /// When reports arrive.
    pub schedule: Schedule,
    /// The people of each branch.
    people: Vec<Vec<Person>>,
}

impl Province {
    /// Makes a province whose reports end with the month before `as_of`. At scale 1 it has the true size.
    pub fn new(seed: u64, scale: f64, as_of: DateTime<Utc>) -> Self {
        let layout = Layout::new(seed, scale);
        let schedule = Schedule::new(as_of);
        let staff = Staff::new(seed, &layout, &schedule);
        let branches = layout.branches.iter().enumerate();
        let people = branches
            .map(|(at, branch)| people::of_branch(seed, at, branch, &layout.communes[branch.commune], &schedule))
            .collect();
        Self { seed, layout, staff, schedule, people }
    }

    /// Every report, in the order in which it is to be pushed. Each batch of a device continues its numbers, so batches
    /// of one device must not overtake each other.
    pub fn batches(&self) -> Batches<'_> {
        Batches::new(self)
    }

    /// About how many submissions the batches hold, for a progress bar; answers to issues are not counted.
    pub fn submissions(&self) -> u64 {
        let persons: usize = self.people.iter().flatten().map(|person| 1 + person.steps.len()).sum();
        let months = 0..self.schedule.periods.len();
        let meetings: usize = (0..self.layout.branches.len())
            .map(|at| months.clone().map(|month| meetings::of_month(&self.setting(at), month).len()).sum::<usize>())
            .sum();
        let assigned = (0..self.layout.branches.len()).map(|at| assignments::of_branch(&self.setting(at)).len());
        (persons + meetings + assigned.sum::<usize>()) as u64
    }

    fn setting(&self, at: usize) -> meetings::Setting<'_> {
        let branch = &self.layout.branches[at];
        meetings::Setting {
            seed: self.seed,
            at,
            branch,
            commune: &self.layout.communes[branch.commune],
            people: &self.people[at],
            schedule: &self.schedule,
        }
    }
}

#[cfg(test)]
mod tests;
