//! The database: whether it answers, is up to date, can be written to, keeps what it has promised, and shows our time.

use super::{Report, Subject, Unreached};
use chrono::{DateTime, TimeDelta, Utc};
use muong_store::{Inspection, MigrationStatus, ServerFacts, StoreError};

/// The oldest PostgreSQL that the tests are run on.
const OLDEST: i32 = 150_000;
/// How far two clocks may be apart before dates come out differently.
const APART: TimeDelta = TimeDelta::seconds(5);
/// Before this program was written, it was not now.
const BEGINNING: &str = "2026-01-01T00:00:00Z";

/// It answers.
pub(super) fn reachable(subject: &Subject, report: &mut Report) {
    match &subject.database {
        Ok(database) => match inspect(subject, database) {
            Ok(inspection) => report.ok(format!("{} answers", inspection.version)),
            Err(error) => report.fault(format!("it does not answer as it should: {error}"), "look into its log"),
        },
        Err(Unreached::Missing) => {
            report.warning("there is no database file yet", "muong serve or muong migrate will make it");
        }
        Err(Unreached::Failed(why)) => {
            let remedy = "check database_url, that the server runs, and that it lets this role in";
            report.fault(format!("it cannot be reached: {why}"), remedy);
        }
    }
}

fn inspect(subject: &Subject, database: &muong_store::Database) -> Result<Inspection, StoreError> {
    database.inspect(subject.migrated().is_some())
}

/// What the server says, if it is one and answers.
fn facts(subject: &Subject) -> Option<ServerFacts> {
    inspect(subject, subject.database()?).ok()?.server
}

/// It has this program's tables.
pub(super) fn migrations(subject: &Subject, report: &mut Report) {
    match (subject.database(), subject.migrated) {
        (None, _) => {}
        (_, Some(MigrationStatus::Current)) => report.ok("all are applied"),
        (_, Some(MigrationStatus::Pending(missing))) => {
            report.fault(format!("{missing} are missing"), "muong migrate (muong serve does it as well)");
        }
        (_, None) => report.fault(
            "it cannot be told which are applied",
            "see what else is said of the database; was it made by a newer muong?",
        ),
    }
}

/// This role can change it.
pub(super) fn writes(subject: &Subject, report: &mut Report) {
    let Some(database) = subject.migrated() else { return };
    match database.try_to_write() {
        Ok(()) => report.ok("the head of the log can be taken and written"),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let remedy = "give the role INSERT, UPDATE and DELETE on every table, and connect to a primary";
            report.fault(format!("a change is refused: {error}: {cause}"), remedy);
        }
    }
}

/// It keeps what it has said, and says what we need to know.
pub(super) fn settings(subject: &Subject, report: &mut Report) {
    let Some(database) = subject.database() else { return };
    let Some(facts) = facts(subject) else {
        return report.ok(format!("{}: WAL, synchronous=FULL, set by muong itself", database.url().kind()));
    };
    let ServerFacts { version_number, in_recovery, forbidden_tables, .. } = facts;
    if version_number < OLDEST {
        report.fault(format!("PostgreSQL {} is too old", version_number / 10_000), "use 15 or later");
    }
    if in_recovery {
        report.fault("it is a standby, which only reads", "connect to the primary");
    }
    if facts.encoding != "UTF8" {
        report.fault(format!("its encoding is {}", facts.encoding), "make a database with ENCODING 'UTF8'");
    }
    if facts.default_read_only == "on" {
        report.fault("default_transaction_read_only is on", "ALTER ROLE … SET default_transaction_read_only = off");
    }
    if forbidden_tables > 0 {
        let remedy = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO the role";
        report.fault(format!("{forbidden_tables} tables may not be read and changed by this role"), remedy);
    }
    if !facts.may_create {
        // Also to ask which migrations are applied.
        report.fault("this role may not make tables", "GRANT CREATE ON SCHEMA … TO the role");
    }
    if !facts.may_ask_lineage {
        let remedy = "GRANT pg_monitor TO the role";
        report.fault("this role may not ask which history this is (pg_control_system)", remedy);
    }
    durability(&facts, report);
    let ServerFacts { default_isolation, time_zone, .. } = facts;
    // Both are said by ourselves in every transaction, so they need not be anything.
    report.ok(format!("default isolation {default_isolation}, time zone {time_zone}: either will do"));
}

/// A commit that was answered is on disk.
fn durability(facts: &ServerFacts, report: &mut Report) {
    for (name, value) in [("fsync", &facts.fsync), ("full_page_writes", &facts.full_page_writes)] {
        if value != "on" {
            report.warning(format!("{name} is {value}: a power cut can destroy the database"), format!("{name} = on"));
        }
    }
    match facts.synchronous_commit.as_str() {
        "off" | "local" => {
            let says = format!("synchronous_commit is {}: what was answered can be lost", facts.synchronous_commit);
            report.warning(says, "synchronous_commit = on");
        }
        value => report.ok(format!("synchronous_commit is {value}")),
    }
}

/// There is room for our connections.
pub(super) fn connections(subject: &Subject, report: &mut Report) {
    let Some(facts) = facts(subject) else { return };
    // Readers, the writer, the auditor, and one that watches the head.
    let needed = i64::try_from(subject.config.readers.get()).unwrap_or(i64::MAX).saturating_add(3);
    let says =
        format!("{needed} are needed for each process, {} may be open, {} are", facts.connections, facts.connected);
    if needed > facts.connections {
        report.fault(says, "raise max_connections, or lower readers");
    } else if needed.saturating_mul(2) > facts.connections {
        report.warning(says, "for a second process, raise max_connections or lower readers");
    } else {
        report.ok(says);
    }
}

/// Ours, the database's, and the one that stood when the last entry was written.
pub(super) fn clock(subject: &Subject, report: &mut Report) {
    let now = subject.clock.now();
    let set = "set the machine's clock, and let a time service keep it";
    if BEGINNING.parse::<DateTime<Utc>>().is_ok_and(|beginning| now < beginning) {
        return report.fault(format!("it is not {now}"), set);
    }
    let Some(Ok(inspection)) = subject.database().map(|database| inspect(subject, database)) else {
        return report.ok(format!("{now}, nothing to compare it with"));
    };
    if let Some(last) = inspection.last_entry.filter(|last| *last > now + APART) {
        report.fault(format!("the last entry of the log is of {last}, and it is {now}"), set);
    }
    match inspection.server.map(|server| server.now - subject.clock.now()) {
        Some(apart) if apart.abs() > APART => {
            let says = format!("the database's clock is {} s away from ours", apart.num_seconds());
            report.fault(says, set);
        }
        // Local dates are UTC+7 in all of Vietnam, since 1975 and without daylight saving: nothing is looked up.
        _ => report.ok(format!("{now}; no time zone data is needed")),
    }
}
