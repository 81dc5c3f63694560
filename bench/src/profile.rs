//! Where the time goes: the same load, recorded by `perf` from outside, without a change to the program.

use crate::Fallible;
use crate::database::Place;
use crate::measure::{Counts, Measure};
use crate::province::Province;
use crate::scripts::{BATCH, creates};
use crate::suite::name;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Samples a second and thread: not a divisor of what ticks by itself.
const FREQUENCY: &str = "497";

/// The same where each sample brings the stack along.
const FREQUENCY_OF_STACKS: &str = "97";

/// What is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    /// Single submissions, instead of batches.
    pub singles: bool,
    /// With the functions that called.
    pub stacks: bool,
    /// How long.
    pub seconds: u64,
}

/// Records a load and prints the functions that took most.
pub fn profile(program: &Path, place: Place<'_>, folder: &Path, wanted: Recording) -> Fallible<()> {
    let mut province = Province::found(program, place, folder)?;
    let mut phones = std::mem::take(&mut province.phones);
    let server = province.installation.serve()?;
    let window = Duration::from_secs(wanted.seconds);
    let (name, batch, requests) =
        if wanted.singles { (name::SINGLES, 1, 30_000) } else { (name::BATCHES, BATCH, 1_500) };
    let load = creates(&mut phones, batch, requests * usize::try_from(wanted.seconds)?, Some(window));
    let data = folder.join("perf.data");
    let pids: Vec<String> =
        province.database().processes().into_iter().chain([server.pid()]).map(|pid| pid.to_string()).collect();
    let mut recorder = record(&wanted, &pids.join(","), &data)?;
    let mut measure = Measure::new(name, place.name(), Counts::Submissions);
    let mut load = Some(load);
    measure.repeat(1, &server, Some(province.database()), || load.take().ok_or_else(|| "sent already".into()))?;
    recorder.wait()?;
    server.stop()?;
    let sorts: &[&str] = if wanted.stacks { &["symbol"] } else { &["comm", "comm,dso", "comm,symbol"] };
    sorts.iter().try_for_each(|sort| print(&data, sort, wanted.stacks))
}

fn record(wanted: &Recording, pids: &str, data: &Path) -> Fallible<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "-e", "cpu-clock", "-p", pids, "-o"]).arg(data);
    if wanted.stacks {
        // By the tables that unwinding uses anyway: a release build keeps no frame pointers.
        command.args(["-F", FREQUENCY_OF_STACKS, "--call-graph", "dwarf,32768"]);
    } else {
        command.args(["-F", FREQUENCY]);
    }
    command.args(["--", "sleep", &wanted.seconds.to_string()]).stdin(Stdio::null());
    Ok(command.spawn().map_err(|error| format!("perf cannot be run ({error}): install it, on Debian as linux-perf"))?)
}

/// A table; what is called counts for its callers too when there are stacks.
fn print(data: &Path, sort: &str, stacks: bool) -> Fallible<()> {
    let mut command = Command::new("perf");
    command.args(["report", "--stdio", "--quiet", "--percent-limit", if stacks { "2" } else { "0.5" }, "--sort", sort]);
    command.args(if stacks { &["--children", "--call-graph=none"][..] } else { &["--no-children"] });
    let said = command.arg("-i").arg(data).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        println!("{}", line.trim_end_matches([' ', '-']));
    }
    Ok(())
}
