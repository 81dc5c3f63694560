//! Units are founded: one, or the whole organisation of a province at once.

use crate::reference::ReferenceCache;
use muong_domain::access::Authority;
use muong_domain::id::UnitId;
use muong_domain::unit::{Unit, Units};
use muong_store::feed::{self, FeedRow};
use muong_store::units::{self, Coverage};
use muong_store::{LogEntry, Outcome, StoreError, Tx};
use serde_json::json;
use std::collections::BTreeMap;

/// What is to be founded.
#[derive(Clone, Debug, Default)]
pub struct Founding {
    /// Units, with their versions and codes; parents before or among them.
    pub units: Vec<Unit>,
    /// Which villages branches cover.
    pub coverage: Vec<Coverage>,
}

/// Why nothing was founded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FoundingRefusal {
    /// These units cannot stand, each with the code of the reason.
    Faulty(BTreeMap<UnitId, &'static str>),
    /// A unit of this id is there already.
    Exists(UnitId),
}

/// Founds them all, each as an entry of the log.
pub fn found_units(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    authority: &Authority,
    founding: &Founding,
) -> Result<Outcome<usize, FoundingRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let held = cache.get(tx, as_of)?;
    if let Some(known) = founding.units.iter().find(|unit| held.units.get(unit.id).is_some()) {
        return Ok(Outcome::Refuse(FoundingRefusal::Exists(known.id)));
    }
    let all = Units::new(held.units.iter().cloned().chain(founding.units.iter().cloned()));
    let faults = all.faults();
    if !faults.is_empty() {
        return Ok(Outcome::Refuse(FoundingRefusal::Faulty(faults)));
    }
    let mut covered: BTreeMap<UnitId, Vec<&Coverage>> = BTreeMap::new();
    for coverage in &founding.coverage {
        covered.entry(coverage.branch).or_default().push(coverage);
    }
    let mut stamps = Vec::with_capacity(founding.units.len());
    // Who covers comes after what is covered, so that the log can be replayed entry by entry.
    let (covering, others): (Vec<&Unit>, Vec<&Unit>) =
        founding.units.iter().partition(|unit| covered.contains_key(&unit.id));
    for unit in others.into_iter().chain(covering) {
        let villages: Vec<_> = (covered.get(&unit.id).into_iter().flatten())
            .map(|coverage| json!({"village": coverage.village, "from": coverage.from}))
            .collect();
        let command = json!({"unit": unit, "covers": villages});
        let v = tx.append(LogEntry::of_reference("unit", unit.id.uuid(), "founded", &command).by(authority));
        units::insert(tx, authority, std::slice::from_ref(unit), v)?;
        stamps.push(FeedRow { id: unit.id.uuid(), scope: unit.id, kind: "unit".to_owned(), seq: v, present: true });
    }
    units::cover(tx, authority, &founding.coverage)?;
    units::rebuild_closure(tx, authority, &all)?;
    feed::stamp(tx, stamps)?;
    tx.touch_reference();
    Ok(Outcome::Commit(founding.units.len()))
}
