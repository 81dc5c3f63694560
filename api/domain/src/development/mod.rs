//! Member development: dated steps about one person, folded into a state and checked against one another.
//! Knows neither records nor submissions: whoever calls has made plain steps of them.

pub mod check;
pub mod code;
mod contradiction;
mod episode;
pub mod fold;
mod lateness;
pub mod rules;
pub mod step;

pub use check::{Basis, check_card, check_facts, check_step, check_withdrawal_of};
pub use fold::{Absence, Episode, PersonState, Resolution, Standing, fold};
pub use rules::{RuleSet, Rules};
pub use step::{Discipline, PersonFacts, Status, Step, StepFacts, StepKind};
