//! An administrator founds a unit, and what happens to units afterwards: each a new version from a day on, an entry of
//! the log, and told in the feed. What a unit was is never rewritten; merging and splitting are not here.

use super::administration::{Administrator, change, look};
use super::authenticate::Authenticated;
use super::failure::Failure;
use super::found_units::{Founding, FoundingRefusal, found_units};
use super::read_unit::SeenUnit;
use super::reader::Page;
use crate::state::App;
use chrono::NaiveDate;
use muong_domain::access::Authority;
use muong_domain::account::Label;
use muong_domain::id::{Seq, UnitId};
use muong_domain::lineage::{LineageRefusal, SchemeCode, UnitChange};
use muong_domain::refusal::Finding;
use muong_domain::unit::{KINDS, Unit, UnitCode, UnitVersion, Units};
use muong_store::feed::{self, FeedRow};
use muong_store::units::{self, Coverage, Covered};
use muong_store::{LogEntry, Outcome, StoreError, Tx};
use serde_json::{Value, json};

/// A unit that is to be founded.
#[derive(Clone, Debug)]
pub struct NewUnit {
    /// The unit above it; it stands in the same tree.
    pub parent: UnitId,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: Label,
    /// The first day.
    pub valid_from: NaiveDate,
    /// When it was founded, where that is known and was earlier.
    pub founded_on: Option<NaiveDate>,
    /// Its codes.
    pub codes: Vec<SchemeCode>,
}

/// Founds it.
pub async fn found_unit(app: &App, who: &Authenticated, new: NewUnit) -> Result<SeenUnit, Failure> {
    let (id, shared) = (UnitId::new(app.entropy.uuid(app.clock.now())), app.clone());
    change(app, who, move |tx, administrator| {
        let held = &administrator.reference().units;
        let authority = administrator.over(new.parent).map_err(|_| Failure::refused("unit.unknown").at("/parent"))?;
        let unit = planned(held, id, &new)?;
        let founding = Founding { units: vec![unit.clone()], coverage: Vec::new() };
        match found_units(tx, &shared.reference, &authority, &founding)? {
            Outcome::Commit(_) => Ok(SeenUnit { unit, today: administrator.today() }),
            Outcome::Refuse(FoundingRefusal::Exists(_)) => Err(Failure::refused("unit.unchanged")),
            Outcome::Refuse(FoundingRefusal::Faulty(faults)) => {
                Err(Failure::refused(faults.get(&id).copied().unwrap_or("unit.parent_unknown")).at("/parent"))
            }
        }
    })
    .await
}

fn planned(held: &Units, id: UnitId, new: &NewUnit) -> Result<Unit, Failure> {
    let tree = held.get(new.parent).map(|parent| parent.tree).ok_or(Failure::refused("unit.unknown").at("/parent"))?;
    if !held.stands(new.parent, new.valid_from) {
        return Err(Failure::refused("unit.parent_unknown").at("/parent"));
    }
    if !KINDS.contains(&(new.kind.as_str(), tree)) {
        return Err(Failure::refused("unit.kind_of_other_tree").at("/kind"));
    }
    if new.founded_on.is_some_and(|day| day > new.valid_from) {
        return Err(Failure::refused("unit.founded_later").at("/founded_on"));
    }
    let code = |given: &SchemeCode| UnitCode {
        scheme: given.scheme().to_owned(),
        code: given.code().to_owned(),
        valid_from: new.valid_from,
        valid_to: None,
    };
    let free = |given: &SchemeCode| held.may_have(id, given.scheme(), given.code(), new.valid_from);
    let once = |at: usize| !new.codes[..at].iter().any(|other| other.scheme() == new.codes[at].scheme());
    if !new.codes.iter().enumerate().all(|(at, given)| free(given) && once(at)) {
        return Err(Failure::refused("unit.code_taken").at("/codes"));
    }
    let version = UnitVersion {
        valid_from: new.valid_from,
        valid_to: None,
        kind: new.kind.clone(),
        name: new.name.as_str().to_owned(),
        parent: Some(new.parent),
    };
    let codes = new.codes.iter().map(code).collect();
    Ok(Unit { id, tree, founded_on: new.founded_on, versions: vec![version], codes })
}

/// Makes something happen to a unit on a day; today, unless one is said.
pub async fn change_unit(
    app: &App,
    who: &Authenticated,
    id: UnitId,
    on: Option<NaiveDate>,
    to: UnitChange,
) -> Result<SeenUnit, Failure> {
    change(app, who, move |tx, administrator| {
        let authority = right(administrator, id, &to)?;
        let (held, today) = (&administrator.reference().units, administrator.today());
        let unit = held.changed(id, on.unwrap_or(today), &to, today).map_err(refused)?;
        let v = note(tx, &authority, id, to.outcome(), &json!({"unit": unit}))?;
        units::write(tx, &authority, &unit, v)?;
        if matches!(to, UnitChange::Move(_)) {
            let others = held.iter().filter(|other| other.id != id).cloned();
            units::rebuild_closure(tx, &authority, &Units::new(others.chain([unit.clone()])))?;
        }
        if matches!(to, UnitChange::Dissolve) {
            end_all_coverage(tx, &authority, id, on.unwrap_or(today))?;
        }
        Ok(SeenUnit { unit, today })
    })
    .await
}

/// What it takes: over the unit itself for what it is called; from above for where and whether it stands.
fn right(administrator: &Administrator, id: UnitId, to: &UnitChange) -> Result<Authority, Failure> {
    match to {
        UnitChange::Rename(_) | UnitChange::Code(_) | UnitChange::EndCode(_) => administrator.over_unit(id),
        UnitChange::Dissolve => administrator.over_from_above(id),
        UnitChange::Move(parent) => {
            let authority = administrator.over_from_above(id)?;
            administrator.over(*parent).map_err(|_| Failure::refused("unit.unknown").at("/parent"))?;
            Ok(authority)
        }
    }
}

fn refused(refusal: LineageRefusal) -> Failure {
    let (code, pointer) = (
        refusal.code(),
        match refusal {
            LineageRefusal::TooEarly(_) | LineageRefusal::InFuture => "/on",
            LineageRefusal::ParentUnknown | LineageRefusal::ParentOfOtherTree | LineageRefusal::Circle => "/parent",
            LineageRefusal::CodeTaken => "/code",
            _ => return Failure::refused(refusal.code()),
        },
    );
    let finding = Finding::new(code, pointer);
    match refusal {
        LineageRefusal::TooEarly(began) => Failure::invalid(finding.with("began", began.to_string()), code),
        _ => Failure::invalid(finding, code),
    }
}

fn note(
    tx: &mut Tx<'_>,
    authority: &Authority,
    unit: UnitId,
    outcome: &str,
    command: &Value,
) -> Result<Seq, StoreError> {
    let v = tx.append(LogEntry::of_reference("unit", unit.uuid(), outcome, command).by(authority));
    feed::stamp(tx, vec![FeedRow { id: unit.uuid(), scope: unit, kind: "unit".to_owned(), seq: v, present: true }])?;
    tx.touch_reference();
    Ok(v)
}

// --- which villages a branch covers ---------------------------------------------------------------------------------

/// Which village a branch is to cover from a day on, or no longer.
#[derive(Clone, Copy, Debug)]
pub struct Covering {
    /// The branch.
    pub branch: UnitId,
    /// The village.
    pub village: UnitId,
    /// The day; none: today.
    pub on: Option<NaiveDate>,
    /// Whether it covers it from then on.
    pub covers: bool,
}

/// Says so. It takes both: the branch, and the village in the other tree.
pub async fn cover_village(app: &App, who: &Authenticated, covering: Covering) -> Result<(), Failure> {
    change(app, who, move |tx, administrator| {
        let Covering { branch, village, on, covers } = covering;
        let authority = administrator.over_unit(branch)?;
        administrator.over(village).map_err(|_| Failure::refused("unit.unknown").at("/village"))?;
        let on = on.unwrap_or(administrator.today());
        require_kinds(&administrator.reference().units, &covering, on)?;
        let known = units::covered_by(tx, branch)?;
        let open = known.iter().find(|known| known.coverage.village == village && known.to.is_none());
        match (covers, open) {
            (true, Some(_)) | (false, None) => Err(Failure::refused("unit.unchanged").at("/village")),
            (true, None) if known.iter().any(|known| known.coverage.village == village && known.to > Some(on)) => {
                Err(Failure::refused("unit.unchanged").at("/on"))
            }
            (true, None) => {
                note(tx, &authority, branch, "covers", &json!({"village": village, "from": on}))?;
                Ok(units::cover(tx, &authority, &[Coverage { branch, village, from: on }])?)
            }
            (false, Some(open)) if open.coverage.from >= on => {
                Err(refused(LineageRefusal::TooEarly(open.coverage.from)))
            }
            (false, Some(open)) => Ok(end_coverage(tx, &authority, &open.coverage, on)?),
        }
    })
    .await
}

fn require_kinds(units: &Units, covering: &Covering, on: NaiveDate) -> Result<(), Failure> {
    let is = |unit: UnitId, kinds: &[&str]| {
        units.get(unit).and_then(|unit| unit.on(on)).is_some_and(|version| kinds.contains(&version.kind.as_str()))
    };
    if !is(covering.village, &["village", "residential_group"]) {
        return Err(Failure::refused("unit.not_a_village").at("/village"));
    }
    if !is(covering.branch, &["branch"]) { Err(Failure::refused("unit.not_a_branch")) } else { Ok(()) }
}

fn end_coverage(tx: &mut Tx<'_>, authority: &Authority, ended: &Coverage, on: NaiveDate) -> Result<(), StoreError> {
    let command = json!({"village": ended.village, "from": ended.from, "to": on});
    note(tx, authority, ended.branch, "covers_no_more", &command)?;
    units::uncover(tx, authority, ended, on)
}

/// What is dissolved covers nothing, and is covered by nobody (what a village was covered by ends with its branches).
fn end_all_coverage(tx: &mut Tx<'_>, authority: &Authority, branch: UnitId, on: NaiveDate) -> Result<(), StoreError> {
    let open = units::covered_by(tx, branch)?;
    for covered in open.iter().filter(|covered| covered.to.is_none() && covered.coverage.from < on) {
        end_coverage(tx, authority, &covered.coverage, on)?;
    }
    Ok(())
}

/// Lists what a branch covers or covered: the villages that exist for the administrator.
pub async fn list_coverage(
    app: &App,
    who: &Authenticated,
    query: CoverageQuery,
) -> Result<Page<Covered, (UnitId, NaiveDate)>, Failure> {
    look(app, who, move |snapshot, administrator| {
        administrator.over_unit(query.branch)?;
        let position = |covered: &Covered| (covered.coverage.village, covered.coverage.from);
        let mut found = units::covered_by(snapshot, query.branch)?;
        found.retain(|covered| {
            let coverage = &covered.coverage;
            administrator.covers(coverage.village)
                && query.village.is_none_or(|village| village == coverage.village)
                && query.on.is_none_or(|day| coverage.from <= day && covered.to.is_none_or(|to| day < to))
        });
        found.sort_by_key(position);
        if query.descending {
            found.reverse();
        }
        if let Some(after) = query.after {
            found.retain(|covered| position(covered) != after && (position(covered) > after) != query.descending);
        }
        Ok(Page::new(found, query.limit, position))
    })
    .await
}

/// Which of what a branch covers.
#[derive(Clone, Copy, Debug)]
pub struct CoverageQuery {
    /// The branch.
    pub branch: UnitId,
    /// Only this village.
    pub village: Option<UnitId>,
    /// Only what it covers on this day.
    pub on: Option<NaiveDate>,
    /// From the last village and day to the first.
    pub descending: bool,
    /// After this village and day.
    pub after: Option<(UnitId, NaiveDate)>,
    /// At most so many.
    pub limit: usize,
}
