//! What somebody may see, unit by unit, at a moment that is past or now, and what lies between two such moments.
//! Owns the steps of seeing; which role sees what is the domain's to say (`access.rs`).

use super::cursor::{AsOf, Cut, Scopes};
use crate::reference::Reference;
use muong_domain::access::Action::{ReadPersons, ReadReports};
use muong_domain::access::Actor;
use muong_domain::id::{Seq, UnitId, UserId};
use muong_domain::unit::{Unit, Units};
use muong_store::feed::EVERYBODY;
use muong_store::grants::KnownGrant;
use muong_store::{Head, Reading, StoreError, units};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How much of what lies in a scope somebody sees: each step shows what the one before shows, and more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// That the unit is there, and what it is called.
    Unit,
    /// What is about nobody, without personal values.
    Reports,
    /// Persons as well, and every value. Of a role that must state a reason for it, a phone gets no copy.
    Persons,
}

/// The trees at a moment: as they are now, but for what has moved since. A unit that was not there yet counts as being
/// there already: all of it comes after the moment.
struct Trees<'a> {
    now: &'a Units,
    /// What stood above those that have moved since.
    moved: HashMap<UnitId, Option<UnitId>>,
}

/// A tree deeper than this is a mistake.
const MAX_DEPTH: usize = 16;

impl<'a> Trees<'a> {
    fn now(now: &'a Units) -> Self {
        Self { now, moved: HashMap::new() }
    }

    fn at(read: &mut impl Reading, now: &'a Units, seq: Seq) -> Result<Self, StoreError> {
        let mut trees = Self { now, moved: units::parents_before(read, seq)? };
        trees.moved.retain(|unit, then| parent(now, *unit) != *then);
        Ok(trees)
    }

    /// A unit and those above it.
    fn line(&self, unit: UnitId) -> Vec<UnitId> {
        if self.moved.is_empty() {
            return self.now.ancestors(unit);
        }
        let known = self.now.get(unit).map(|known| known.id);
        let above = |unit: &UnitId| self.moved.get(unit).copied().unwrap_or_else(|| parent(self.now, *unit));
        std::iter::successors(known, above).take(MAX_DEPTH).collect()
    }
}

fn parent(units: &Units, unit: UnitId) -> Option<UnitId> {
    units.get(unit).and_then(Unit::latest).and_then(|version| version.parent)
}

/// What somebody may see at a moment.
pub struct Sight<'a> {
    own: UnitId,
    tops: BTreeMap<UnitId, Level>,
    above: BTreeSet<UnitId>,
    trees: Trees<'a>,
    /// What has been found out: asked for every message several times, of few scopes.
    levels: RefCell<HashMap<UnitId, Option<Level>>>,
}

impl<'a> Sight<'a> {
    /// Of a user as of a moment.
    pub fn as_of(
        read: &mut impl Reading,
        reference: &'a Reference,
        head: &Head,
        (user, grants): (UserId, &[KnownGrant]),
        moment: AsOf,
    ) -> Result<Self, StoreError> {
        let units = &reference.units;
        let trees =
            if head.reference_seq > moment.seq { Trees::at(read, units, moment.seq)? } else { Trees::now(units) };
        let held = grants.iter().filter_map(|known| known.as_of(moment.seq)).collect();
        Ok(Self::of(&Actor { user, grants: held }, moment, trees))
    }

    /// Of somebody who sees what is always seen, and nothing else.
    fn least(user: UserId, reference: &'a Reference) -> Self {
        let (own, trees) = (UnitId::new(user.uuid()), Trees::now(&reference.units));
        Self { own, tops: BTreeMap::new(), above: BTreeSet::new(), trees, levels: RefCell::default() }
    }

    fn of(actor: &Actor, moment: AsOf, trees: Trees<'a>) -> Self {
        let mut tops: BTreeMap<UnitId, Level> = BTreeMap::new();
        let held = actor.grants.iter().filter(|grant| grant.holds_at(moment.at)).map(|grant| grant.unit);
        tops.extend(held.map(|unit| (unit, Level::Unit)));
        // The later, the more is seen.
        for (action, level) in [(ReadReports, Level::Reports), (ReadPersons, Level::Persons)] {
            tops.extend(actor.scope(action, moment.at, false).into_iter().map(|unit| (unit, level)));
        }
        let above = tops.keys().flat_map(|top| trees.line(*top)).collect();
        Self { own: UnitId::new(actor.user.uuid()), tops, above, trees, levels: RefCell::default() }
    }

    /// What is seen of a scope; none: nothing.
    pub fn level(&self, scope: UnitId) -> Option<Level> {
        if scope == EVERYBODY || scope == self.own {
            return Some(Level::Persons);
        }
        *self.levels.borrow_mut().entry(scope).or_insert_with(|| {
            let covered = self.trees.line(scope).iter().filter_map(|unit| self.tops.get(unit).copied()).max();
            covered.max(self.above.contains(&scope).then_some(Level::Unit))
        })
    }

    /// Every scope of which anything is seen.
    pub fn scopes(&self, read: &mut impl Reading) -> Result<BTreeSet<UnitId>, StoreError> {
        // Whoever stood below a top then stands there now, or below something that has moved.
        let tops: Vec<UnitId> = self.tops.keys().chain(self.trees.moved.keys()).copied().collect();
        let mut scopes: BTreeSet<UnitId> = units::below(read, &tops)?.into_iter().collect();
        if !self.trees.moved.is_empty() {
            scopes.retain(|unit| self.level(*unit).is_some());
        }
        scopes.extend(self.above.iter().copied().chain([EVERYBODY, self.own]));
        Ok(scopes)
    }

    /// Whether it reaches over a whole tree.
    pub fn is_wide(&self) -> bool {
        self.tops.keys().any(|top| self.trees.line(*top).len() == 1)
    }

    /// Whether there is certainly nothing between the two.
    pub fn equals(&self, other: &Sight<'_>) -> bool {
        self.tops == other.tops && self.trees.moved == other.trees.moved
    }

    /// Every scope of which another amount is seen than a phone may have, in order.
    pub fn changes_from(&self, had: &Had<'_>, read: &mut impl Reading) -> Result<Vec<Change>, StoreError> {
        if had.cut.is_none() && had.most.as_ref().is_some_and(|most| most.equals(self)) {
            return Ok(Vec::new());
        }
        let mut scopes = self.scopes(read)?;
        if let Some(most) = &had.most {
            scopes.extend(most.scopes(read)?);
        }
        let change = |scope| {
            let (from, to) = (had.most(scope), self.level(scope));
            ((had.least(scope), from) != (to, to)).then_some(Change { scope, from, to, told: Level::Persons })
        };
        Ok(scopes.into_iter().filter_map(change).collect())
    }
}

/// What a phone has of scopes, as far as that is known.
pub struct Had<'a> {
    /// It does not have more than this; none: it has nothing.
    most: Option<Sight<'a>>,
    /// What of it that was not seen then, it may lack; none: it has all.
    cut: Option<Sight<'a>>,
}

impl<'a> Had<'a> {
    /// Of a user's phone that has come to some scopes.
    pub fn of(
        read: &mut impl Reading,
        reference: &'a Reference,
        head: &Head,
        (user, grants): (UserId, &[KnownGrant]),
        scopes: Option<Scopes>,
    ) -> Result<Self, StoreError> {
        let Some(Scopes { as_of, cut }) = scopes else { return Ok(Self { most: None, cut: None }) };
        let most = Some(Sight::as_of(read, reference, head, (user, grants), as_of)?);
        let cut = match cut {
            Cut::Nothing => None,
            Cut::AsOf(moment) => Some(Sight::as_of(read, reference, head, (user, grants), moment)?),
            Cut::Everything => Some(Sight::least(user, reference)),
        };
        Ok(Self { most, cut })
    }

    /// The most that it has of a scope.
    pub fn most(&self, scope: UnitId) -> Option<Level> {
        self.most.as_ref().and_then(|most| most.level(scope))
    }

    /// What it has of a scope for certain.
    pub fn least(&self, scope: UnitId) -> Option<Level> {
        let most = self.most(scope);
        self.cut.as_ref().map_or(most, |cut| most.min(cut.level(scope)))
    }
}

/// A scope of which another amount is seen than before, or of which something may be lacking; or a unit that is another by
/// now, since the day has come on which it is called otherwise, begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The scope.
    pub scope: UnitId,
    /// The most that was seen.
    pub from: Option<Level>,
    /// What is seen.
    pub to: Option<Level>,
    /// No more than this of it is told.
    pub told: Level,
}

impl Change {
    /// Of a unit that is another by now, and seen as before: nothing but the unit is told.
    pub fn of_unit(scope: UnitId, seen: Level) -> Self {
        Self { scope, from: Some(seen), to: Some(seen), told: Level::Unit }
    }

    /// Whether something must go.
    pub fn takes(&self) -> bool {
        self.to < self.from
    }
}
