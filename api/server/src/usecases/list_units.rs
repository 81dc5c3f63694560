//! Lists the units that exist for the reader, from memory, in order of id.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::read_unit::{SeenUnit, Visible};
use super::reader::{Page, read_as};
use crate::state::App;
use muong_domain::id::UnitId;
use muong_domain::unit::Unit;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct UnitQuery {
    /// Only this unit and those below it.
    pub below: Option<UnitId>,
    /// Only what is of this kind now (or was last).
    pub kind: Option<String>,
    /// Only what has, or had, this code: scheme and code.
    pub code: Option<(String, String)>,
    /// After this unit.
    pub after: Option<UnitId>,
    /// At most so many.
    pub limit: usize,
}

/// Lists them.
pub async fn list_units(app: &App, who: &Authenticated, query: UnitQuery) -> Result<Page<SeenUnit, UnitId>, Failure> {
    read_as(app, who, None, move |_, reader| {
        let units = &reader.reference().units;
        let visible = Visible::of(reader);
        let today = reader.today();
        let wanted = |unit: &&Unit| {
            let current = unit.on(today).or_else(|| unit.latest());
            query.after.is_none_or(|after| unit.id > after)
                && query.kind.as_deref().is_none_or(|kind| current.is_some_and(|version| version.kind == kind))
                && query.code.as_ref().is_none_or(|(scheme, code)| has_code(unit, scheme, code))
                && query.below.is_none_or(|below| units.ancestors(unit.id).contains(&below))
                && visible.covers(unit.id)
        };
        let mut found: Vec<&Unit> = units.iter().filter(wanted).collect();
        found.sort_unstable_by_key(|unit| unit.id);
        let page = Page::new(found, query.limit, |unit: &&Unit| unit.id);
        Ok(page.map(|unit| SeenUnit { unit: unit.clone(), today }))
    })
    .await
}

fn has_code(unit: &Unit, scheme: &str, code: &str) -> bool {
    unit.codes.iter().any(|held| held.scheme == scheme && held.code == code)
}
