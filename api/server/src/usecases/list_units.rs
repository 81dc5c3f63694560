//! Lists the units that exist for the reader, from memory, in order of id or of name.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::read_unit::{SeenUnit, Visible};
use super::reader::{Page, read_as};
use crate::state::App;
use muong_domain::id::UnitId;
use muong_domain::text::search_key;
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
    /// By the name of today (or the last one), as people look it up; otherwise by id.
    pub by_name: bool,
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
            query.kind.as_deref().is_none_or(|kind| current.is_some_and(|version| version.kind == kind))
                && query.code.as_ref().is_none_or(|(scheme, code)| has_code(unit, scheme, code))
                && query.below.is_none_or(|below| units.ancestors(unit.id).contains(&below))
                && visible.covers(unit.id)
        };
        let place = |unit: &Unit| {
            let named = unit.on(today).or_else(|| unit.latest()).filter(|_| query.by_name);
            (named.map(|version| search_key(&version.name)), unit.id)
        };
        // After a unit wherever it stands now: between two pages it may have got another name.
        let after = query.after.map(|after| units.get(after).map_or((None, after), place));
        let found = units.iter().filter(wanted).map(|unit| (place(unit), unit));
        let mut found: Vec<_> = found.filter(|(place, _)| after.as_ref().is_none_or(|after| place > after)).collect();
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let found = found.into_iter().map(|(_, unit)| unit).collect();
        let page = Page::new(found, query.limit, |unit: &&Unit| unit.id);
        Ok(page.map(|unit| SeenUnit { unit: unit.clone(), today }))
    })
    .await
}

fn has_code(unit: &Unit, scheme: &str, code: &str) -> bool {
    unit.codes.iter().any(|held| held.scheme == scheme && held.code == code)
}
