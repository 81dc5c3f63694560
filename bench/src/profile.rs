//! Where the time goes: the same load, recorded by `perf` from outside, without a change to the program.

use crate::Fallible;
use crate::database::Place;
use crate::measure::{Counts, Measure};
use crate::province::Province;
use crate::scripts::{BATCH, creates};
use crate::suite::name;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Samples a second and thread: not a divisor of what ticks by itself.
const FREQUENCY: &str = "497";

/// Records a load of batches, or of single submissions, and prints the functions that took most.
pub fn profile(program: &Path, place: Place<'_>, folder: &Path, singles: bool, seconds: u64) -> Fallible<()> {
    let mut province = Province::found(program, place, folder)?;
    let mut phones = std::mem::take(&mut province.phones);
    let server = province.installation.serve()?;
    let window = Duration::from_secs(seconds);
    let (name, batch, requests) = if singles { (name::SINGLES, 1, 30_000) } else { (name::BATCHES, BATCH, 1_500) };
    let load = creates(&mut phones, batch, requests * usize::try_from(seconds)?, Some(window));
    let recording = folder.join("perf.data");
    let pids: Vec<String> =
        province.database().processes().into_iter().chain([server.pid()]).map(|pid| pid.to_string()).collect();
    let mut recorder = Command::new("perf")
        .args(["record", "--quiet", "-e", "cpu-clock", "-F", FREQUENCY, "-p", &pids.join(","), "-o"])
        .arg(&recording)
        .args(["--", "sleep", &seconds.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("perf cannot be run ({error}): install it, on Debian as linux-perf"))?;
    let mut measure = Measure::new(name, place.name(), Counts::Submissions);
    let mut load = Some(load);
    measure.repeat(1, &server, Some(province.database()), || load.take().ok_or_else(|| "sent already".into()))?;
    recorder.wait()?;
    server.stop()?;
    for sort in ["comm", "comm,dso", "comm,symbol"] {
        let args = ["report", "--stdio", "--quiet", "--no-children", "--percent-limit", "0.5", "--sort", sort, "-i"];
        Command::new("perf").args(args).arg(&recording).stdin(Stdio::null()).status()?;
    }
    Ok(())
}
