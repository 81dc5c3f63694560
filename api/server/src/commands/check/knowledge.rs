//! What the server goes by: the calendar, the rules and the forms, those that it brings and those that were published.

use super::{Report, Subject};
use crate::reference::{CALENDAR, RULES, Reference};
use muong_domain::development::Rules;
use muong_domain::time::Calendar;

/// What comes with the program.
pub(super) fn built_in(_subject: &Subject, report: &mut Report) {
    let remedy = "this program was built wrongly: install it anew";
    match (Calendar::parse(CALENDAR), Rules::parse(RULES)) {
        (Ok(_), Ok(_)) => report.ok("can be read"),
        (Err(error), _) => report.fault(format!("the calendar: {error}"), remedy),
        (_, Err(error)) => report.fault(format!("the development rules: {error}"), remedy),
    }
}

/// What was published.
pub(super) fn forms(subject: &Subject, report: &mut Report) {
    let Some(database) = subject.migrated() else { return };
    let loaded = database.read(|snapshot| {
        let as_of = snapshot.head()?.reference_as_of();
        Reference::load(snapshot, as_of)
    });
    match loaded {
        Ok(reference) if reference.catalog.iter().next().is_none() => {
            report.warning("none is published", "muong serve publishes those that come with it");
        }
        Ok(reference) => {
            let (forms, units) = (reference.catalog.iter().count(), reference.units.iter().count());
            report.ok(format!("{forms} versions of forms and {units} units can be read"));
        }
        Err(error) => {
            let remedy = "was it published by a newer muong? Then run that one here too";
            report.fault(format!("they cannot be read: {error}"), remedy);
        }
    }
}
