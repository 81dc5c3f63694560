//! What the system says of this process: under the names that Prometheus' own clients use. Linux only, where `/proc`
//! is; elsewhere it says nothing.

use super::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Reads and sets them.
pub(super) fn look(registry: &Registry) {
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        look_at(registry, &stat);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        registry.set("process_open_fds", &[], open.count() as f64);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        registry.set("process_max_fds", &[], most as f64);
    }
}

/// proc_pid_stat(5): the second field is a name in parentheses, which may hold anything, so it is counted from there.
fn look_at(registry: &Registry, stat: &str) {
    let Some((_, rest)) = stat.rsplit_once(')') else { return };
    let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    // `rest` begins with the third field.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default() as f64;
    let ticks = clock_ticks_per_second() as f64;
    registry.set("process_cpu_seconds_total", &[], (field(14) + field(15)) / ticks);
    registry.set("process_threads", &[], field(20));
    registry.set("process_virtual_memory_bytes", &[], field(23));
    registry.set("process_resident_memory_bytes", &[], field(24) * page_size() as f64);
    if let Some(booted) = booted() {
        registry.set("process_start_time_seconds", &[], booted + field(22) / ticks);
    }
}

/// When the machine started, in seconds since 1970.
fn booted() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
