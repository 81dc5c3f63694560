//! What figures mean nothing without: the machine, the day, the commit.

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::fs;
use std::process::Command;

/// Where and when something was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The model of the processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// The kernel.
    pub kernel: String,
    /// The commit of the sources, with a mark when they were changed since.
    pub commit: String,
    /// When the run began.
    pub at: DateTime<Utc>,
    /// The load average of the minute before: what the machine did besides.
    pub load_before: String,
}

impl Machine {
    /// This one, now.
    pub fn look(at: DateTime<Utc>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let kib = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get),
            memory: kib << 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit(),
            at,
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// BENCHMARKS.md itself does not count as a change: a run writes it.
fn commit() -> String {
    let git = |args: &[&str]| {
        let said = Command::new("git").args(args).output().ok().filter(|said| said.status.success());
        said.and_then(|said| String::from_utf8(said.stdout).ok()).unwrap_or_default().trim().to_owned()
    };
    let head = git(&["rev-parse", "--short", "HEAD"]);
    let changed = !git(&["status", "--porcelain", "--untracked-files=no", ":!BENCHMARKS.md"]).is_empty();
    format!("{head}{}", if changed { ", with changes that are not committed" } else { "" })
}
