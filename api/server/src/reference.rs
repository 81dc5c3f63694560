//! What every process keeps in memory because everything asks for it: units, forms, calendar and rules.
//! Valid as long as the head's epoch and `reference_seq` are those that it was read at; so no process ever acts on old
//! ones.

use chrono::NaiveDate;
use muong_domain::development::Rules;
use muong_domain::form::{Catalog, Form};
use muong_domain::id::{Seq, UnitId};
use muong_domain::time::Calendar;
use muong_domain::unit::Units;
use muong_domain::validate::Context;
use muong_store::{Reading, StoreError, forms, units};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// The built-in calendar of working days.
pub const CALENDAR: &str = include_str!("../../../forms/calendar.json");
/// The built-in thresholds of member development.
pub const RULES: &str = include_str!("../../../forms/development-rules.json");

/// Which units and forms: the epoch of the log, and the entry of it that last changed them. After a standby that lacked
/// some was promoted, the same number may stand for another change.
pub type AsOf = (Uuid, Seq);

/// Units and forms as of one entry of the log.
#[derive(Debug)]
pub struct Reference {
    /// The entry that last changed them.
    pub as_of: AsOf,
    /// The units.
    pub units: Units,
    /// Which villages branches cover, by village: the branch, the first day, the day after the last.
    coverage: HashMap<UnitId, Vec<(UnitId, NaiveDate, Option<NaiveDate>)>>,
    /// The forms.
    pub catalog: Catalog,
    /// Working days.
    pub calendar: Calendar,
    /// Thresholds of member development.
    pub rules: Rules,
}

impl Reference {
    /// Reads everything.
    pub fn load(read: &mut impl Reading, as_of: AsOf) -> Result<Self, StoreError> {
        let mut catalog = Catalog::default();
        for stored in forms::load_all(read)? {
            let name = format!("{} {}", stored.code, stored.version);
            let form = Form::parse(&name, &stored.definition).map_err(|e| StoreError::corrupt("a form", e))?;
            catalog.insert(form).map_err(|e| StoreError::corrupt("a form", e))?;
        }
        let mut coverage: HashMap<UnitId, Vec<_>> = HashMap::new();
        for (covered, to) in units::coverage(read)? {
            coverage.entry(covered.village).or_default().push((covered.branch, covered.from, to));
        }
        Ok(Self {
            as_of,
            units: units::load_all(read)?,
            coverage,
            catalog,
            calendar: Calendar::parse(CALENDAR).map_err(|e| StoreError::corrupt("the calendar", e))?,
            rules: Rules::parse(RULES).map_err(|e| StoreError::corrupt("the development rules", e))?,
        })
    }

    /// Whether a branch covers a village on a day.
    pub fn covers(&self, branch: UnitId, village: UnitId, on: NaiveDate) -> bool {
        let of_village = self.coverage.get(&village).into_iter().flatten();
        of_village.into_iter().any(|(by, from, to)| *by == branch && *from <= on && to.is_none_or(|to| on < to))
    }

    /// What rules may know of a unit on a day; none when there is no such unit.
    pub fn context(&self, unit: UnitId, today: NaiveDate) -> Option<Context> {
        let unit = self.units.get(unit)?;
        let version = unit.on(today).or_else(|| unit.latest())?;
        Some(Context { today, unit_founded_on: unit.founded_on, unit_kind: version.kind.clone() })
    }

    /// The newest version of every form that is about persons, or of every one that is not.
    pub fn forms(&self, about_persons: bool) -> impl Iterator<Item = &Arc<Form>> {
        let newest =
            |form: &&Arc<Form>| self.catalog.newest(form.code()).is_some_and(|n| n.version() == form.version());
        self.catalog.iter().filter(newest).filter(move |form| is_about_person(form) == about_persons)
    }
}

/// Whether records of the form are about a person: then the roles that never see persons never see them.
pub fn is_about_person(form: &Form) -> bool {
    form.is_about_person()
}

/// The last read reference data, shared by all threads.
#[derive(Debug, Default)]
pub struct ReferenceCache {
    current: RwLock<Option<Arc<Reference>>>,
    unsettled: bool,
}

impl ReferenceCache {
    /// One that also keeps what its transaction has changed and not yet committed: for whoever is alone with it and gives
    /// up altogether when anything fails, as a replay does.
    pub fn of_one_writer() -> Self {
        Self { unsettled: true, ..Self::default() }
    }

    /// Units and forms as of an entry, if that is what is kept.
    pub fn as_of(&self, as_of: AsOf) -> Option<Arc<Reference>> {
        let cached = self.current.read().ok().and_then(|current| current.clone());
        cached.filter(|reference| reference.as_of == as_of)
    }

    /// Units and forms as of an entry, which the caller has just read from the head in the same transaction.
    pub fn get(&self, read: &mut impl Reading, as_of: AsOf) -> Result<Arc<Reference>, StoreError> {
        if let Some(reference) = self.as_of(as_of) {
            return Ok(reference);
        }
        let fresh = Arc::new(Reference::load(read, as_of)?);
        if !read.is_settled() && !self.unsettled {
            return Ok(fresh); // another process may yet take this seq for something else
        }
        if let Ok(mut current) = self.current.write() {
            // A slower thread may come with an older reading: the newest stays. Between epochs there is no newer: whoever
            // comes late with one that has ended costs one more reading.
            let gives_way = |kept: &Arc<Reference>| kept.as_of.0 != as_of.0 || kept.as_of.1 < as_of.1;
            if current.as_ref().is_none_or(gives_way) {
                *current = Some(Arc::clone(&fresh));
            }
        }
        Ok(fresh)
    }
}
