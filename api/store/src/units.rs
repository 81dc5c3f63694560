//! Units, their versions, codes, coverage and the closure of their trees.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{unit_closure, unit_codes, unit_coverage, unit_versions, units};
use crate::transaction::{Reading, Tx};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::upsert::excluded;
use muong_domain::access::Authority;
use muong_domain::id::{Seq, UnitId};
use muong_domain::unit::{Tree, Unit, UnitCode, UnitVersion, Units};
use std::collections::HashMap;

#[derive(Insertable)]
#[diesel(table_name = units, treat_none_as_default_value = false)]
struct UnitRow {
    id: Id,
    tree: &'static str,
    founded_on: Option<NaiveDate>,
    seq: i64,
}

#[derive(Insertable, Queryable)]
#[diesel(table_name = unit_versions, treat_none_as_default_value = false)]
struct VersionRow {
    unit_id: Id,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
    kind: String,
    name: String,
    parent_id: Option<Id>,
    seq: i64,
}

#[derive(Insertable, Queryable)]
#[diesel(table_name = unit_codes, treat_none_as_default_value = false)]
struct CodeRow {
    scheme: String,
    code: String,
    valid_from: NaiveDate,
    unit_id: Id,
    valid_to: Option<NaiveDate>,
}

#[derive(Insertable)]
#[diesel(table_name = unit_closure, treat_none_as_default_value = false)]
struct ClosureRow {
    ancestor_id: Id,
    descendant_id: Id,
    depth: i32,
}

/// Which village a branch covers from a day on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The branch.
    pub branch: UnitId,
    /// The village.
    pub village: UnitId,
    /// The first day.
    pub from: NaiveDate,
}

/// A village that a branch covers, or covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Covered {
    /// Since when, by which branch, which village.
    pub coverage: Coverage,
    /// The day after the last; none: still.
    pub to: Option<NaiveDate>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = unit_coverage, treat_none_as_default_value = false)]
struct CoverageRow {
    branch_id: Id,
    village_id: Id,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
}

/// Every unit with its history.
pub fn load_all(read: &mut impl Reading) -> Result<Units, StoreError> {
    type Head = (Id, String, Option<NaiveDate>);
    let conn = read.conn();
    let heads: Vec<Head> =
        on_backend!(conn, c => units::table.select((units::id, units::tree, units::founded_on)).load(c))?;
    let versions: Vec<VersionRow> = on_backend!(conn, c => unit_versions::table
        .order((unit_versions::unit_id, unit_versions::valid_from))
        .load(c))?;
    let codes: Vec<CodeRow> = on_backend!(conn, c => unit_codes::table
        .order((unit_codes::scheme, unit_codes::code, unit_codes::valid_from))
        .load(c))?;
    let mut by_id: HashMap<Id, Unit> = HashMap::with_capacity(heads.len());
    for (id, tree, founded_on) in heads {
        let tree = Tree::parse(&tree).ok_or_else(|| StoreError::corrupt("a unit's tree", tree))?;
        by_id.insert(id, Unit { id: UnitId::new(id.0), tree, founded_on, versions: Vec::new(), codes: Vec::new() });
    }
    for row in versions {
        if let Some(unit) = by_id.get_mut(&row.unit_id) {
            unit.versions.push(UnitVersion {
                valid_from: row.valid_from,
                valid_to: row.valid_to,
                kind: row.kind,
                name: row.name,
                parent: row.parent_id.map(|id| UnitId::new(id.0)),
            });
        }
    }
    for row in codes {
        if let Some(unit) = by_id.get_mut(&row.unit_id) {
            unit.codes.push(UnitCode {
                scheme: row.scheme,
                code: row.code,
                valid_from: row.valid_from,
                valid_to: row.valid_to,
            });
        }
    }
    Ok(Units::new(by_id.into_values()))
}

/// Adds units that are new, as entry `seq`. Their parents must be there or among them.
pub fn insert(tx: &mut Tx<'_>, _authority: &Authority, added: &[Unit], seq: Seq) -> Result<(), StoreError> {
    let heads: Vec<UnitRow> = (added.iter())
        .map(|unit| UnitRow { id: unit.id.into(), tree: unit.tree.as_str(), founded_on: unit.founded_on, seq: seq.0 })
        .collect();
    let versions: Vec<VersionRow> = added.iter().flat_map(|unit| version_rows(unit, seq)).collect();
    let codes: Vec<CodeRow> = added.iter().flat_map(code_rows).collect();
    let conn = tx.conn();
    for chunk in heads.chunks(BIND_CHUNK) {
        on_backend!(conn, c => diesel::insert_into(units::table).values(chunk).execute(c))?;
    }
    for chunk in versions.chunks(BIND_CHUNK) {
        on_backend!(conn, c => diesel::insert_into(unit_versions::table).values(chunk).execute(c))?;
    }
    for chunk in codes.chunks(BIND_CHUNK) {
        on_backend!(conn, c => diesel::insert_into(unit_codes::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// Of a version that was there before, the entry that began it stays.
fn version_rows(unit: &Unit, seq: Seq) -> impl Iterator<Item = VersionRow> {
    unit.versions.iter().map(move |version| VersionRow {
        unit_id: unit.id.into(),
        valid_from: version.valid_from,
        valid_to: version.valid_to,
        kind: version.kind.clone(),
        name: version.name.clone(),
        parent_id: version.parent.map(Id::from),
        seq: seq.0,
    })
}

fn code_rows(unit: &Unit) -> impl Iterator<Item = CodeRow> {
    unit.codes.iter().map(|code| CodeRow {
        scheme: code.scheme.clone(),
        code: code.code.clone(),
        valid_from: code.valid_from,
        unit_id: unit.id.into(),
        valid_to: code.valid_to,
    })
}

/// Notes which villages branches cover.
pub fn cover(tx: &mut Tx<'_>, _authority: &Authority, coverage: &[Coverage]) -> Result<(), StoreError> {
    let rows: Vec<CoverageRow> = (coverage.iter())
        .map(|c| CoverageRow {
            branch_id: c.branch.into(),
            village_id: c.village.into(),
            valid_from: c.from,
            valid_to: None,
        })
        .collect();
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(tx.conn(), c => diesel::insert_into(unit_coverage::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// Which villages branches cover or covered: each with the day after the last, when there is one.
pub fn coverage(read: &mut impl Reading) -> Result<Vec<(Coverage, Option<NaiveDate>)>, StoreError> {
    let rows: Vec<CoverageRow> =
        on_backend!(read.conn(), c => unit_coverage::table.select(CoverageRow::as_select()).load(c))?;
    let covered = |row: CoverageRow| {
        let (branch, village) = (UnitId::new(row.branch_id.0), UnitId::new(row.village_id.0));
        (Coverage { branch, village, from: row.valid_from }, row.valid_to)
    };
    Ok(rows.into_iter().map(covered).collect())
}

/// Writes a unit as it is after a change, as entry `seq`. A version or a code that was there before keeps all that it
/// says but its end: so history cannot be rewritten from here.
pub fn write(tx: &mut Tx<'_>, _authority: &Authority, unit: &Unit, seq: Seq) -> Result<(), StoreError> {
    let conn = tx.conn();
    on_backend!(conn, c => diesel::update(units::table.find(Id::from(unit.id)))
        .set(units::seq.eq(seq.0))
        .execute(c))?;
    for row in version_rows(unit, seq) {
        on_backend!(conn, c => diesel::insert_into(unit_versions::table)
            .values(&row)
            .on_conflict((unit_versions::unit_id, unit_versions::valid_from))
            .do_update()
            .set(unit_versions::valid_to.eq(excluded(unit_versions::valid_to)))
            .execute(c))?;
    }
    for row in code_rows(unit) {
        on_backend!(conn, c => diesel::insert_into(unit_codes::table)
            .values(&row)
            .on_conflict((unit_codes::scheme, unit_codes::code, unit_codes::valid_from))
            .do_update()
            .set(unit_codes::valid_to.eq(excluded(unit_codes::valid_to)))
            .execute(c))?;
    }
    Ok(())
}

/// Every village that a branch covers or covered, in order of village and day.
pub fn covered_by(read: &mut impl Reading, branch: UnitId) -> Result<Vec<Covered>, StoreError> {
    let rows: Vec<CoverageRow> = on_backend!(read.conn(), c => unit_coverage::table
        .filter(unit_coverage::branch_id.eq(Id::from(branch)))
        .order((unit_coverage::village_id, unit_coverage::valid_from))
        .load(c))?;
    let covered = |row: CoverageRow| Covered {
        coverage: Coverage { branch, village: row.village_id.0.into(), from: row.valid_from },
        to: row.valid_to,
    };
    Ok(rows.into_iter().map(covered).collect())
}

/// Ends what a branch covers on a day.
pub fn uncover(tx: &mut Tx<'_>, _authority: &Authority, ended: &Coverage, on: NaiveDate) -> Result<(), StoreError> {
    let key = (Id::from(ended.branch), Id::from(ended.village), ended.from);
    on_backend!(tx.conn(), c => diesel::update(unit_coverage::table.find(key))
        .set(unit_coverage::valid_to.eq(on))
        .execute(c))?;
    Ok(())
}

/// Writes the closure of both trees anew, from the units as they are now.
pub fn rebuild_closure(tx: &mut Tx<'_>, _authority: &Authority, all: &Units) -> Result<(), StoreError> {
    let rows: Vec<ClosureRow> = (all.closure().into_iter())
        .map(|(ancestor, descendant, depth)| ClosureRow {
            ancestor_id: ancestor.into(),
            descendant_id: descendant.into(),
            depth,
        })
        .collect();
    let conn = tx.conn();
    on_backend!(conn, c => diesel::delete(unit_closure::table).execute(c))?;
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(conn, c => diesel::insert_into(unit_closure::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// Every unit below one of these, itself among them.
pub fn below(read: &mut impl Reading, tops: &[UnitId]) -> Result<Vec<UnitId>, StoreError> {
    let mut found: Vec<Id> = Vec::new();
    for chunk in tops.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => unit_closure::table
            .filter(among(unit_closure::ancestor_id, chunk.iter().copied().map(Id::from)))
            .select(unit_closure::descendant_id)
            .load::<Id>(c))?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|id| id.0.into()).collect())
}

/// Of the units that were there at an entry and have begun another version since, what stood above each then. Costs what
/// has changed since, however large the trees are.
pub fn parents_before(read: &mut impl Reading, seq: Seq) -> Result<HashMap<UnitId, Option<UnitId>>, StoreError> {
    type Version = (Id, Option<Id>);
    let begun: Vec<Id> = on_backend!(read.conn(), c => unit_versions::table
        .filter(unit_versions::seq.gt(seq.0))
        .select(unit_versions::unit_id)
        .distinct()
        .load(c))?;
    let mut versions: Vec<Version> = Vec::new();
    for chunk in begun.chunks(BIND_CHUNK) {
        versions.extend(on_backend!(read.conn(), c => unit_versions::table
            .filter(unit_versions::seq.le(seq.0))
            .filter(among(unit_versions::unit_id, chunk.iter().copied()))
            .order((unit_versions::unit_id, unit_versions::valid_from))
            .select((unit_versions::unit_id, unit_versions::parent_id))
            .load::<Version>(c))?);
    }
    // The oldest first, so that the latest stays.
    Ok(versions.into_iter().map(|(unit, parent)| (unit.0.into(), parent.map(|id| id.0.into()))).collect())
}

/// A unit and those above it, nearest first; empty for a unit that does not exist. What [`authorize`] takes.
///
/// [`authorize`]: muong_domain::access::authorize
pub fn line(r: &mut impl Reading, unit: UnitId) -> Result<Vec<UnitId>, StoreError> {
    let rows: Vec<Id> = on_backend!(r.conn(), c => unit_closure::table
        .filter(unit_closure::descendant_id.eq(Id::from(unit)))
        .order(unit_closure::depth)
        .select(unit_closure::ancestor_id)
        .load(c))?;
    Ok(rows.into_iter().map(|id| id.0.into()).collect())
}

/// The unit that has that code on that day.
pub fn unit_of_code(
    r: &mut impl Reading,
    scheme: &str,
    code: &str,
    on: NaiveDate,
) -> Result<Option<UnitId>, StoreError> {
    let found: Option<Id> = on_backend!(r.conn(), c => unit_codes::table
        .filter(unit_codes::scheme.eq(scheme))
        .filter(unit_codes::code.eq(code))
        .filter(unit_codes::valid_from.le(on))
        .filter(unit_codes::valid_to.is_null().or(unit_codes::valid_to.gt(on)))
        .select(unit_codes::unit_id)
        .first(c)
        .optional())?;
    Ok(found.map(|id| id.0.into()))
}

/// What a unit is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitName {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What these units are called now, or were called last.
pub fn unit_names(r: &mut impl Reading, of: &[UnitId]) -> Result<HashMap<UnitId, UnitName>, StoreError> {
    let mut names = HashMap::with_capacity(of.len());
    for chunk in of.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, String, String)> = on_backend!(r.conn(), c => unit_versions::table
            .filter(unit_versions::unit_id.eq_any(&ids))
            .order((unit_versions::unit_id, unit_versions::valid_from))
            .select((unit_versions::unit_id, unit_versions::kind, unit_versions::name))
            .load(c))?;
        // Oldest first, so that the latest version stays.
        names.extend(rows.into_iter().map(|(id, kind, name)| (id.0.into(), UnitName { kind, name })));
    }
    Ok(names)
}
