//! Units: two parallel, dated trees of organisation. A unit's id never changes; its name, kind, parent and codes are
//! versions. Knows nothing of who may do what there.

use crate::id::UnitId;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Included};

/// Which of the two trees. They are linked by coverage, never derived from each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tree {
    /// Provincial committee → commune committee → branch → party group.
    Party,
    /// Province → commune → village or residential group.
    Administrative,
}

impl Tree {
    /// The written form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::Administrative => "administrative",
        }
    }
    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Party, Self::Administrative].into_iter().find(|tree| tree.as_str() == text)
    }
}

/// Every kind of unit, and the tree that it stands in.
pub const KINDS: &[(&str, Tree)] = &[
    ("provincial_committee", Tree::Party),
    ("commune_committee", Tree::Party),
    ("border_post", Tree::Party),
    ("branch", Tree::Party),
    ("party_group", Tree::Party),
    ("province", Tree::Administrative),
    ("commune", Tree::Administrative),
    ("village", Tree::Administrative),
    ("residential_group", Tree::Administrative),
];

/// What a unit was called, and where it stood, from a day on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitVersion {
    /// The first day.
    pub valid_from: NaiveDate,
    /// The day after the last; none: still.
    pub valid_to: Option<NaiveDate>,
    /// One of [`KINDS`].
    pub kind: String,
    /// The name, in Vietnamese.
    pub name: String,
    /// The unit above, in the same tree.
    pub parent: Option<UnitId>,
}

impl UnitVersion {
    /// Whether it holds on that day.
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|end| day < end)
    }
}

/// A code of a unit in a scheme; always a text (`03127`), since leading zeros count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitCode {
    /// Whose code (`gso` for the statistics office's commune codes …).
    pub scheme: String,
    /// The code.
    pub code: String,
    /// The first day.
    pub valid_from: NaiveDate,
    /// The day after the last; none: still.
    pub valid_to: Option<NaiveDate>,
}

/// One unit with its whole history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// Never changes.
    pub id: UnitId,
    /// The tree.
    pub tree: Tree,
    /// When it was founded, where that is known.
    pub founded_on: Option<NaiveDate>,
    /// Its versions, oldest first, never overlapping.
    pub versions: Vec<UnitVersion>,
    /// Its codes.
    #[serde(default)]
    pub codes: Vec<UnitCode>,
}

impl Unit {
    /// What it is on that day; none before it was founded and after it ended.
    pub fn on(&self, day: NaiveDate) -> Option<&UnitVersion> {
        self.versions.iter().find(|version| version.holds_on(day))
    }
    /// What it is now, or was last.
    pub fn latest(&self) -> Option<&UnitVersion> {
        self.versions.last()
    }
}

/// All units, ready for questions about above and below.
#[derive(Clone, Debug, Default)]
pub struct Units {
    by_id: HashMap<UnitId, Unit>,
    /// By day, those of which a version begins or ends on it.
    turning: BTreeMap<NaiveDate, Vec<UnitId>>,
}

/// A tree deeper than this is a mistake (or a circle).
const MAX_DEPTH: usize = 16;

impl Units {
    /// Takes the units over.
    pub fn new(units: impl IntoIterator<Item = Unit>) -> Self {
        let by_id: HashMap<UnitId, Unit> = units.into_iter().map(|unit| (unit.id, unit)).collect();
        let mut turning: BTreeMap<NaiveDate, Vec<UnitId>> = BTreeMap::new();
        for unit in by_id.values() {
            for version in &unit.versions {
                for day in [Some(version.valid_from), version.valid_to].into_iter().flatten() {
                    turning.entry(day).or_default().push(unit.id);
                }
            }
        }
        Self { by_id, turning }
    }

    /// The unit, when there is one of this id.
    pub fn get(&self, id: UnitId) -> Option<&Unit> {
        self.by_id.get(&id)
    }

    /// Every unit, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.by_id.values()
    }

    /// Those of which another version holds on one day than on the other, or none any more, or not yet; whichever of the
    /// days is the earlier. Costs what turns in between, however many units there are.
    pub fn turned_between(&self, one: NaiveDate, other: NaiveDate) -> BTreeSet<UnitId> {
        if one == other {
            return BTreeSet::new();
        }
        let in_between = self.turning.range((Excluded(one.min(other)), Included(one.max(other))));
        in_between.flat_map(|(_, units)| units).copied().collect()
    }

    /// The unit itself and those above it by the latest versions, nearest first.
    pub fn ancestors(&self, id: UnitId) -> Vec<UnitId> {
        let mut line = Vec::with_capacity(4);
        let mut next = self.by_id.contains_key(&id).then_some(id);
        while let Some(unit) = next {
            line.push(unit);
            next = (line.len() < MAX_DEPTH)
                .then(|| self.by_id.get(&unit).and_then(Unit::latest).and_then(|version| version.parent))
                .flatten();
        }
        line
    }

    /// (ancestor, descendant, depth) of every pair, a unit being its own ancestor: the closure of both trees.
    pub fn closure(&self) -> Vec<(UnitId, UnitId, i32)> {
        let mut pairs: Vec<_> = (self.by_id.keys())
            .flat_map(|id| {
                let line = self.ancestors(*id);
                line.into_iter().zip(0..).map(|(ancestor, depth)| (ancestor, *id, depth))
            })
            .collect();
        pairs.sort_unstable();
        pairs
    }

    /// Why this set of units cannot stand: a parent that is missing, in the other tree, or in a circle; versions that
    /// overlap or run backwards; a kind of the other tree.
    pub fn faults(&self) -> BTreeMap<UnitId, &'static str> {
        self.by_id.values().filter_map(|unit| Some((unit.id, self.fault(unit)?))).collect()
    }

    fn fault(&self, unit: &Unit) -> Option<&'static str> {
        if unit.versions.is_empty() {
            return Some("unit.without_version");
        }
        if unit.versions.windows(2).any(|pair| pair[0].valid_to.is_none_or(|end| end > pair[1].valid_from))
            || unit.versions.iter().any(|v| v.valid_to.is_some_and(|end| end <= v.valid_from))
        {
            return Some("unit.versions_overlap");
        }
        for version in &unit.versions {
            if !KINDS.contains(&(version.kind.as_str(), unit.tree)) {
                return Some("unit.kind_of_other_tree");
            }
            if let Some(parent) = version.parent {
                match self.by_id.get(&parent) {
                    None => return Some("unit.parent_unknown"),
                    Some(parent) if parent.tree != unit.tree => return Some("unit.parent_of_other_tree"),
                    Some(_) => {}
                }
            }
        }
        (self.ancestors(unit.id).len() >= MAX_DEPTH).then_some("unit.circle")
    }
}
