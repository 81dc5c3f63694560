//! What a loss of the database would cost: how old the last backup is, and whether erasures are written down.

use super::{Report, Subject};
use crate::state::ledger_path;
use chrono::TimeDelta;
use std::os::unix::fs::PermissionsExt;

/// A backup a day is what a server should have; some hours more while one is on its way.
const OLD: TimeDelta = TimeDelta::hours(36);

/// When the last backup was finished.
pub(super) fn last(subject: &Subject, report: &mut Report) {
    let Some(database) = subject.migrated() else { return };
    let Ok(head) = database.read(|snapshot| snapshot.head()) else { return };
    let remedy = "muong backup FOLDER, once a day, to a place that outlives this machine";
    match head.durable_at {
        None if head.seq == head.durable => report.ok("there is nothing to back up yet"),
        None => report.warning("there has never been a backup", remedy),
        Some(at) => {
            let age = subject.clock.now() - at;
            let says = format!(
                "the last backup was finished {} hours ago, and holds entries up to {} of {}",
                age.num_hours(),
                head.durable,
                head.seq
            );
            if age > OLD { report.warning(says, remedy) } else { report.ok(says) }
        }
    }
}

/// Where erasures are written down, so that a restored backup erases again.
pub(super) fn ledger(subject: &Subject, report: &mut Report) {
    let path = ledger_path(&subject.config);
    let shown = path.display();
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => report.warning(
            format!("there is no ledger of erasures at {shown}"),
            "muong serve makes it; if there was one, put its copy back: without it a restored backup brings back the erased",
        ),
        Err(error) => report.fault(
            format!("the ledger of erasures {shown} cannot be looked at: {error}"),
            "give it to the user that runs muong: without it nobody can be erased",
        ),
        Ok(metadata) if !metadata.is_file() => {
            report.fault(format!("the ledger of erasures {shown} is no file"), "name another in erasure_ledger");
        }
        Ok(metadata) => match std::fs::OpenOptions::new().append(true).open(&path) {
            Ok(_) => {
                let mode = metadata.permissions().mode() & 0o777;
                report.ok(format!("the ledger of erasures {shown} can be written to (mode {mode:04o})"));
            }
            Err(error) => report.fault(
                format!("the ledger of erasures {shown} cannot be written to: {error}"),
                "give it to the user that runs muong: without it nobody can be erased",
            ),
        },
    }
}
