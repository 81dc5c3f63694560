//! Torture: phones at work over bad links while everything happens to the server that can happen to one. Afterwards an
//! oracle looks whether anything was lost or doubled. Owns the order of events and what is told at the end.

mod chance;
mod cluster;
mod crew;
mod disk;
mod oracle;
mod stage;

use crate::Fallible;
use chance::Chance;
use cluster::Cluster;
use crew::{Counts, Crew};
use oracle::Verdict;
use stage::{Fault, Stage};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// Between two faults, at most.
const PAUSE_MS: u64 = 1_500;

/// Tortures the program on one database and prints what came of it. Fails when anything was lost or doubled, or when a kind
/// of fault that this machine can have did not happen: then nothing would be shown.
///
/// `clusters` is the script that makes a PostgreSQL primary and its standby; without it, the database is SQLite.
pub fn torture(program: &Path, clusters: Option<&Path>, folder: &Path, plan: Plan) -> Fallible<()> {
    let database = if clusters.is_some() { "PostgreSQL" } else { "SQLite" };
    eprintln!("torture on {database}, seed {} …", plan.seed);
    let cluster = clusters.map(Cluster::start).transpose()?;
    let stage = Arc::new(Stage::set(program, cluster, folder)?);
    let played = play(&stage, plan, database);
    if played.is_err() {
        // The phones' threads may still hold the stage.
        stage.clear();
    }
    played
}

fn play(stage: &Arc<Stage>, plan: Plan, database: &str) -> Fallible<()> {
    let crew = Crew::embark(stage, plan)?;
    let mut chance = Chance::new(plan.seed);
    let faults = stage.possible_faults();
    let begun = Instant::now();
    let mut turn = 0;
    // Each kind at least once, however short it is.
    while begun.elapsed() < plan.lasts || turn < faults.len() {
        std::thread::sleep(Duration::from_millis(chance.below(PAUSE_MS)));
        let fault = if turn < faults.len() { faults[turn] } else { *chance.pick(&faults) };
        stage.suffer(fault, &mut chance)?;
        turn += 1;
    }
    stage.recover()?;
    let (counts, journals) = crew.come_to_rest(PATIENCE)?;
    let happened = stage.happened();
    let verdict = oracle::judge(stage.stop()?, &journals)?;
    tell(database, &counts, &happened, &verdict);
    if verdict.is_good() { Ok(()) } else { Err("something was lost, doubled or not told".into()) }
}

fn tell(database: &str, counts: &Counts, happened: &[(Fault, usize)], verdict: &Verdict) {
    println!("torture, {database}:");
    println!(
        "  submissions said {} · acknowledged {} · in the store {} · answers lost {} · requests lost {} · pages pulled {}",
        verdict.said, verdict.acknowledged, verdict.stored, counts.answers_lost, counts.requests_lost, counts.pages
    );
    println!(
        "  phones restored {} · cloned {} · signed in again {} · registered anew {}",
        counts.restored, counts.cloned, counts.signed_in, counts.registered
    );
    let faults: Vec<String> = happened.iter().map(|(fault, times)| format!("{} {times}", fault.name())).collect();
    println!("  faults: {}", faults.join(" · "));
    println!(
        "  lost {} · doubled {} · made up {} · gaps in the log {} · phones unlike their scope {}",
        verdict.lost, verdict.doubled, verdict.made_up, verdict.gaps, verdict.unlike
    );
}
