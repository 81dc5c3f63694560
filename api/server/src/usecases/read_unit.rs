//! Reads one unit with its whole history, if the reader's grants cover it or it stands above what they cover.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::reader::{Reader, read_as};
use crate::state::App;
use chrono::NaiveDate;
use muong_domain::id::UnitId;
use muong_domain::unit::{Unit, UnitVersion};
use std::collections::BTreeSet;

/// A unit as of a day.
#[derive(Clone, Debug)]
pub struct SeenUnit {
    /// The unit.
    pub unit: Unit,
    /// The day.
    pub today: NaiveDate,
}

impl SeenUnit {
    /// What it is on that day, or was last, or will be first.
    pub fn current(&self) -> Option<&UnitVersion> {
        self.unit.on(self.today).or_else(|| self.unit.latest())
    }
    /// Whether it stands on that day.
    pub fn is_active(&self) -> bool {
        self.unit.on(self.today).is_some()
    }
}

/// Reads it.
pub async fn read_unit(app: &App, who: &Authenticated, id: UnitId) -> Result<SeenUnit, Failure> {
    read_as(app, who, None, move |_, reader| {
        let unit = reader.reference().units.get(id).filter(|unit| Visible::of(reader).covers(unit.id));
        let unit = unit.ok_or_else(|| Failure::refused("access.not_found"))?;
        Ok(SeenUnit { unit: unit.clone(), today: reader.today() })
    })
    .await
}

/// The units that exist for a reader.
pub struct Visible<'a> {
    reader: &'a Reader,
    granted: BTreeSet<UnitId>,
    above: BTreeSet<UnitId>,
}

impl<'a> Visible<'a> {
    /// Those below a grant that holds now, whatever its role, and those above it.
    pub fn of(reader: &'a Reader) -> Self {
        let granted = reader.granted();
        let above = granted.iter().flat_map(|unit| reader.reference().units.ancestors(*unit)).collect();
        Self { reader, granted, above }
    }

    /// Whether it is one of them.
    pub fn covers(&self, unit: UnitId) -> bool {
        let below = || self.reader.reference().units.ancestors(unit).iter().any(|above| self.granted.contains(above));
        self.above.contains(&unit) || below()
    }
}
