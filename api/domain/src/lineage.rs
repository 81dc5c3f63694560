//! What happens to a unit after it was founded: renamed, moved, dissolved, given another code. Each begins a new version
//! on a day and ends the one before it; nothing that a unit once was is ever changed. Merging and splitting are not here.

use crate::account::Label;
use crate::id::UnitId;
use crate::unit::{Unit, UnitCode, UnitVersion, Units};
use chrono::NaiveDate;

/// A code in a scheme, as somebody gives it to a unit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SchemeCode {
    scheme: String,
    code: String,
}

impl SchemeCode {
    /// The most characters of either part.
    pub const MAX_CHARS: usize = 40;

    /// Reads both parts: ASCII letters, digits, `-`, `_`, `.`, and `/` in the code.
    pub fn parse(scheme: &str, code: &str) -> Option<Self> {
        let plain = |text: &str, more: &[char]| {
            (1..=Self::MAX_CHARS).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c) || more.contains(&c))
        };
        let fine = plain(scheme, &[]) && plain(code, &['/']);
        fine.then(|| Self { scheme: scheme.to_owned(), code: code.to_owned() })
    }
    /// Whose.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }
    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// What happens to a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnitChange {
    /// It is called otherwise.
    Rename(Label),
    /// It stands below another unit of its tree.
    Move(UnitId),
    /// It is no more.
    Dissolve,
    /// It has this code of a scheme, instead of the one that it had.
    Code(SchemeCode),
    /// It has no code of this scheme any more.
    EndCode(String),
}

impl UnitChange {
    /// How the log calls it.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Rename(_) => "renamed",
            Self::Move(_) => "moved",
            Self::Dissolve => "dissolved",
            Self::Code(_) => "coded",
            Self::EndCode(_) => "code_ended",
        }
    }
}

/// Why it does not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineageRefusal {
    /// There is no such unit.
    #[error("unit.unknown")]
    Unknown,
    /// It has been dissolved, or will be.
    #[error("unit.dissolved")]
    Dissolved,
    /// What it is now began on that day or later: what was before is never rewritten.
    #[error("unit.too_early")]
    TooEarly(NaiveDate),
    /// A move counts for access as soon as it is said, so it is said on its day.
    #[error("unit.date_in_future")]
    InFuture,
    /// Units stand below it on that day.
    #[error("unit.has_units_below")]
    HasUnitsBelow,
    /// It is so already.
    #[error("unit.unchanged")]
    Unchanged,
    /// The unit above does not stand on that day.
    #[error("unit.parent_unknown")]
    ParentUnknown,
    /// The unit above is of the other tree.
    #[error("unit.parent_of_other_tree")]
    ParentOfOtherTree,
    /// It would stand below itself.
    #[error("unit.circle")]
    Circle,
    /// Another unit has that code from that day on or later.
    #[error("unit.code_taken")]
    CodeTaken,
}

impl LineageRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unit.unknown",
            Self::Dissolved => "unit.dissolved",
            Self::TooEarly(_) => "unit.too_early",
            Self::InFuture => "unit.date_in_future",
            Self::HasUnitsBelow => "unit.has_units_below",
            Self::Unchanged => "unit.unchanged",
            Self::ParentUnknown => "unit.parent_unknown",
            Self::ParentOfOtherTree => "unit.parent_of_other_tree",
            Self::Circle => "unit.circle",
            Self::CodeTaken => "unit.code_taken",
        }
    }
}

impl Units {
    /// The unit as it is after the change on that day; `today` is the day on which it is said.
    pub fn changed(
        &self,
        id: UnitId,
        on: NaiveDate,
        change: &UnitChange,
        today: NaiveDate,
    ) -> Result<Unit, LineageRefusal> {
        let mut unit = self.get(id).cloned().ok_or(LineageRefusal::Unknown)?;
        let last = unit.latest().cloned().ok_or(LineageRefusal::Unknown)?;
        if last.valid_to.is_some() {
            return Err(LineageRefusal::Dissolved);
        }
        match change {
            UnitChange::Rename(name) if name.as_str() == last.name => return Err(LineageRefusal::Unchanged),
            UnitChange::Rename(name) => succeed(&mut unit, on, UnitVersion { name: name.as_str().to_owned(), ..last })?,
            UnitChange::Move(parent) => {
                self.may_stand_below(&unit, &last, *parent, on, today)?;
                succeed(&mut unit, on, UnitVersion { parent: Some(*parent), ..last })?;
            }
            UnitChange::Dissolve if self.has_units_below(id, on) => return Err(LineageRefusal::HasUnitsBelow),
            UnitChange::Dissolve => {
                end_last(&mut unit, on)?;
                end_codes(&mut unit, on, None)?;
            }
            UnitChange::Code(given) => self.give_code(&mut unit, on, given)?,
            UnitChange::EndCode(scheme) => {
                if !end_codes(&mut unit, on, Some(scheme))? {
                    return Err(LineageRefusal::Unchanged);
                }
            }
        }
        Ok(unit)
    }

    /// Whether a unit of these codes may be founded: nobody else has one of them from its day on.
    pub fn may_have(&self, unit: UnitId, scheme: &str, code: &str, on: NaiveDate) -> bool {
        !self
            .iter()
            .filter(|other| other.id != unit)
            .flat_map(|other| &other.codes)
            .any(|held| held.scheme == scheme && held.code == code && held.valid_to.is_none_or(|end| end > on))
    }

    /// Whether a unit stands on that day, so that another may stand below it.
    pub fn stands(&self, unit: UnitId, on: NaiveDate) -> bool {
        self.get(unit).is_some_and(|unit| unit.on(on).is_some())
    }

    fn may_stand_below(
        &self,
        unit: &Unit,
        last: &UnitVersion,
        parent: UnitId,
        on: NaiveDate,
        today: NaiveDate,
    ) -> Result<(), LineageRefusal> {
        let above = self.get(parent).filter(|above| above.latest().is_some_and(|v| v.valid_to.is_none()));
        match above {
            None => Err(LineageRefusal::ParentUnknown),
            Some(above) if above.on(on).is_none() => Err(LineageRefusal::ParentUnknown),
            Some(above) if above.tree != unit.tree => Err(LineageRefusal::ParentOfOtherTree),
            Some(_) if self.ancestors(parent).contains(&unit.id) => Err(LineageRefusal::Circle),
            Some(_) if last.parent == Some(parent) => Err(LineageRefusal::Unchanged),
            Some(_) if on > today => Err(LineageRefusal::InFuture),
            Some(_) => Ok(()),
        }
    }

    fn has_units_below(&self, id: UnitId, on: NaiveDate) -> bool {
        let stays = |version: &UnitVersion| version.valid_to.is_none_or(|end| end > on);
        self.iter().any(|unit| unit.versions.iter().any(|version| version.parent == Some(id) && stays(version)))
    }

    fn give_code(&self, unit: &mut Unit, on: NaiveDate, given: &SchemeCode) -> Result<(), LineageRefusal> {
        let (scheme, code) = (given.scheme(), given.code());
        let open = |held: &&UnitCode| held.scheme == scheme && held.valid_to.is_none();
        if unit.codes.iter().any(|held| open(&held) && held.code == code) {
            return Err(LineageRefusal::Unchanged);
        }
        if !self.may_have(unit.id, scheme, code, on) {
            return Err(LineageRefusal::CodeTaken);
        }
        end_codes(unit, on, Some(scheme))?;
        if let Some(later) =
            unit.codes.iter().find(|held| held.scheme == scheme && held.valid_to.is_some_and(|end| end > on))
        {
            return Err(LineageRefusal::TooEarly(later.valid_from));
        }
        unit.codes.push(UnitCode { scheme: scheme.to_owned(), code: code.to_owned(), valid_from: on, valid_to: None });
        Ok(())
    }
}

/// Ends the last version on that day and begins another.
fn succeed(unit: &mut Unit, on: NaiveDate, next: UnitVersion) -> Result<(), LineageRefusal> {
    end_last(unit, on)?;
    unit.versions.push(UnitVersion { valid_from: on, valid_to: None, ..next });
    Ok(())
}

fn end_last(unit: &mut Unit, on: NaiveDate) -> Result<(), LineageRefusal> {
    let last = unit.versions.last_mut().ok_or(LineageRefusal::Unknown)?;
    if on <= last.valid_from {
        return Err(LineageRefusal::TooEarly(last.valid_from));
    }
    last.valid_to = Some(on);
    Ok(())
}

/// Ends the open codes (of one scheme, or all) on that day; tells whether there was one.
fn end_codes(unit: &mut Unit, on: NaiveDate, scheme: Option<&str>) -> Result<bool, LineageRefusal> {
    let mut any = false;
    let open = |held: &&mut UnitCode| held.valid_to.is_none() && scheme.is_none_or(|scheme| held.scheme == scheme);
    for held in unit.codes.iter_mut().filter(open) {
        if on <= held.valid_from {
            return Err(LineageRefusal::TooEarly(held.valid_from));
        }
        held.valid_to = Some(on);
        any = true;
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Tree;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, d).unwrap()
    }

    fn id(n: u128) -> UnitId {
        UnitId::new(Uuid::from_u128(n))
    }

    fn unit(n: u128, parent: Option<u128>) -> Unit {
        let version = UnitVersion {
            valid_from: day(1),
            valid_to: None,
            kind: "branch".to_owned(),
            name: format!("Chi bộ {n}"),
            parent: parent.map(id),
        };
        Unit { id: id(n), tree: Tree::Party, founded_on: None, versions: vec![version], codes: Vec::new() }
    }

    fn units() -> Units {
        Units::new([unit(1, None), unit(2, Some(1)), unit(3, Some(1)), unit(4, Some(2))])
    }

    fn renamed(name: &str) -> UnitChange {
        UnitChange::Rename(Label::parse(name).unwrap())
    }

    #[test]
    fn what_a_unit_was_stays_and_what_it_is_begins_on_the_day() {
        let after = units().changed(id(4), day(9), &renamed("Chi bộ mới"), day(9)).unwrap();
        assert_eq!(after.on(day(8)).map(|v| v.name.as_str()), Some("Chi bộ 4"));
        assert_eq!(after.on(day(9)).map(|v| v.name.as_str()), Some("Chi bộ mới"));
        assert_eq!(after.versions.len(), 2);
        let before = units().changed(id(4), day(1), &renamed("Chi bộ mới"), day(9));
        assert_eq!(before, Err(LineageRefusal::TooEarly(day(1))));
        assert_eq!(units().changed(id(4), day(9), &renamed("Chi bộ 4"), day(9)), Err(LineageRefusal::Unchanged));
    }

    #[test]
    fn a_unit_moves_within_its_tree_and_never_below_itself_nor_ahead_of_time() {
        let moved = |unit, below, on| {
            units().changed(id(unit), on, &UnitChange::Move(id(below)), day(9)).map(|u| u.versions.len())
        };
        assert_eq!(moved(4, 3, day(9)), Ok(2));
        assert_eq!(moved(4, 3, day(10)), Err(LineageRefusal::InFuture));
        assert_eq!(moved(2, 4, day(9)), Err(LineageRefusal::Circle));
        assert_eq!(moved(2, 2, day(9)), Err(LineageRefusal::Circle));
        assert_eq!(moved(4, 9, day(9)), Err(LineageRefusal::ParentUnknown));
        assert_eq!(moved(4, 2, day(9)), Err(LineageRefusal::Unchanged));
    }

    #[test]
    fn a_unit_is_dissolved_once_nothing_stands_below_it_and_then_nothing_happens_to_it_any_more() {
        assert_eq!(units().changed(id(2), day(9), &UnitChange::Dissolve, day(9)), Err(LineageRefusal::HasUnitsBelow));
        let gone = units().changed(id(4), day(9), &UnitChange::Dissolve, day(9)).unwrap();
        assert_eq!((gone.on(day(8)).is_some(), gone.on(day(9)).is_some()), (true, false));
        let later = Units::new(units().iter().filter(|u| u.id != id(4)).cloned().chain([gone]));
        assert!(later.changed(id(2), day(9), &UnitChange::Dissolve, day(9)).is_ok());
        assert_eq!(later.changed(id(4), day(10), &renamed("x"), day(10)), Err(LineageRefusal::Dissolved));
    }

    #[test]
    fn what_begins_or_ends_by_its_dates_turns_on_its_day_whichever_way_one_looks() {
        let called = units().changed(id(4), day(12), &renamed("Chi bộ mới"), day(9)).unwrap();
        let gone = units().changed(id(3), day(14), &UnitChange::Dissolve, day(9)).unwrap();
        let others = units();
        let others = others.iter().filter(|unit| ![id(3), id(4)].contains(&unit.id)).cloned();
        let after = Units::new(others.chain([called, gone]));
        let turned = |one, other| after.turned_between(day(one), day(other));
        assert_eq!(turned(12, 12), BTreeSet::new());
        assert_eq!(turned(1, 11), BTreeSet::new(), "all of them stood on the first day already");
        assert_eq!(turned(11, 12), BTreeSet::from([id(4)]));
        assert_eq!(turned(12, 13), BTreeSet::new());
        assert_eq!(turned(9, 20), BTreeSet::from([id(3), id(4)]));
        assert_eq!(turned(20, 12), BTreeSet::from([id(3)]));
    }

    #[test]
    fn a_code_is_one_units_at_a_time_and_a_unit_has_one_of_a_scheme() {
        let code = |code: &str| UnitChange::Code(SchemeCode::parse("gso", code).unwrap());
        let first = units().changed(id(4), day(9), &code("03127"), day(9)).unwrap();
        let with = Units::new(units().iter().filter(|u| u.id != id(4)).cloned().chain([first]));
        assert_eq!(with.changed(id(3), day(12), &code("03127"), day(12)), Err(LineageRefusal::CodeTaken));
        let second = with.changed(id(4), day(12), &code("03128"), day(12)).unwrap();
        let ends: Vec<_> = second.codes.iter().map(|held| (held.code.as_str(), held.valid_to)).collect();
        assert_eq!(ends, [("03127", Some(day(12))), ("03128", None)]);
        let with = Units::new(with.iter().filter(|u| u.id != id(4)).cloned().chain([second]));
        assert!(with.changed(id(3), day(12), &code("03127"), day(12)).is_ok(), "it is free again");
        assert_eq!(with.changed(id(3), day(11), &code("03127"), day(12)), Err(LineageRefusal::CodeTaken));
        for wrong in [("", "1"), ("gso", ""), ("g:so", "1"), ("gso", "=1+1"), ("gso", "0 1")] {
            assert_eq!(SchemeCode::parse(wrong.0, wrong.1), None, "{wrong:?}");
        }
    }
}
