//! Torture: phones at work over bad links while everything happens to the server that can happen to one, and their grants,
//! branches and people change. Afterwards an oracle looks whether anything was lost, doubled or told to whom it must not
//! be. Owns the order of events and what is told at the end.

mod asked;
mod carried;
mod chance;
mod cluster;
mod crew;
mod disk;
mod history;
mod journal;
mod link;
mod office;
mod oracle;
mod sights;
mod stage;
mod tally;
mod values;

use crate::Fallible;
use chance::Chance;
use cluster::Cluster;
use crew::Crew;
use muong_server::telemetry::with_causes;
use oracle::Verdict;
use stage::{Fault, Stage, Unanswered};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tally::{Event, Tally};

/// Committees whose phones meet each other.
const COMMUNES: usize = 4;
/// Branches of each that they report on: few, so that they meet.
const MET: usize = 6;
/// The forms that they fill in.
const MEETING: &str = "branch_meeting";
const PERSON: &str = "person";

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long things go wrong.
    pub lasts: Duration,
    /// How many phones there are.
    pub phones: usize,
    /// What everything random follows from.
    pub seed: u64,
}

/// How long phones may take to come to rest once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much longer things go wrong than planned, until each kind of event has happened.
const OVERTIME: Duration = Duration::from_secs(60);
/// Between two faults, at most.
const PAUSE_MS: u64 = 1_500;

/// Tortures the program on one database and prints what came of it. Fails when the oracle finds anything, or when a
/// kind of fault that this machine can have, or of event, did not happen: then nothing would be shown.
///
/// `clusters` is the script that makes a PostgreSQL primary and its standby; without it, the database is SQLite.
pub fn torture(program: &Path, clusters: Option<&Path>, folder: &Path, plan: Plan) -> Fallible<()> {
    let database = if clusters.is_some() { "PostgreSQL" } else { "SQLite" };
    eprintln!("torture on {database}, seed {} …", plan.seed);
    let cluster = clusters.map(Cluster::start).transpose()?;
    let stage = Stage::set(program, cluster, folder).map_err(|error| format!("the stage: {}", with_causes(&*error)))?;
    let stage = Arc::new(stage);
    let played = play(&stage, plan, database);
    if played.is_err() {
        // The phones' threads may still hold the stage.
        stage.clear();
    }
    played
}

fn play(stage: &Arc<Stage>, plan: Plan, database: &str) -> Fallible<()> {
    let tally = Arc::<Tally>::default();
    let crew = Crew::embark(stage, &tally, plan);
    let mut chance = Chance::new(plan.seed);
    let faults = stage.possible_faults();
    let (begun, mut turn) = (Instant::now(), 0);
    let is_over = |turn: usize| {
        let lasted = begun.elapsed();
        let all = turn >= faults.len() && tally.missing().is_empty() && stage.has_suffered(&faults);
        lasted >= plan.lasts && (all || lasted >= plan.lasts + OVERTIME)
    };
    while !is_over(turn) && !crew.has_failed() {
        std::thread::sleep(Duration::from_millis(chance.below(PAUSE_MS)));
        // Each kind at least once, however short it is.
        let fault = if turn < faults.len() { faults[turn] } else { *chance.pick(&faults) };
        stage.suffer(fault, &mut chance)?;
        turn += 1;
    }
    stage.recover()?;
    let notes = crew.come_to_rest(PATIENCE)?;
    let happened = stage.happened();
    let (left, spare) = (stage.stop()?, stage.another_database()?);
    let verdict = oracle::judge(left, &spare, stage.cuts(), &notes)
        .map_err(|error| format!("the oracle: {}", with_causes(&*error)))?;
    tell(database, &tally, &happened, stage.unanswered(), &verdict);
    let mut missing = tally.missing();
    missing
        .extend(faults.iter().filter(|fault| !happened.iter().any(|(had, _)| had == *fault)).map(|fault| fault.name()));
    match (verdict.is_good(), missing.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(format!("nothing is shown of what did not happen: {}", missing.join(", ")).into()),
        _ => Err("something was lost, doubled or told wrongly".into()),
    }
}

fn tell(database: &str, tally: &Tally, happened: &[(Fault, usize)], unanswered: Unanswered, verdict: &Verdict) {
    let listed = |counts: &mut dyn Iterator<Item = (&str, usize)>| {
        counts.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(" · ")
    };
    let Verdict { said, acknowledged, owed, stored, pages, faults } = verdict;
    println!("torture, {database}:");
    println!(
        "  submissions said {said} · acknowledged {acknowledged} · owed {owed} · in the store {stored} · pages checked {pages}"
    );
    println!("  events: {}", listed(&mut Event::ALL.into_iter().map(|event| (event.name(), tally.of(event)))));
    println!("  faults: {}", listed(&mut happened.iter().map(|(fault, times)| (fault.name(), *times))));
    println!("  {unanswered}");
    println!("  found: {}", listed(&mut faults.named().into_iter()));
}
