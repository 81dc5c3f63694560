//! Whoever administers, and whom and what that reaches.
//!
//! A grant to administer covers a unit's subtree. What lies outside does not exist (404): units, grants over them, and
//! users who never held anything inside. Users who hold nothing yet exist for administrators of a whole tree alone.
//!
//! Who can set somebody's password can become them. So an account is changed only by whoever could give everything that
//! it holds or will hold; others who see it are refused (403). Nobody changes their own account or grants in this way.

use super::authenticate::{Authenticated, write_as};
use super::failure::{Failure, read};
use crate::reference::{Reference, ReferenceCache};
use crate::state::App;
use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::access::{Action, Actor, Authority, HeldGrant, Role, authorize};
use muong_domain::id::{UnitId, UserId};
use muong_domain::time::local_date;
use muong_store::{Outcome, Reading, Snapshot, StoreError, Tx, grants};
use std::sync::Arc;

const FORBIDDEN: Failure = Failure::refused("access.forbidden");
const NOT_FOUND: Failure = Failure::refused("access.not_found");

/// An administrator at one moment.
#[derive(Debug)]
pub struct Administrator {
    actor: Actor,
    reference: Arc<Reference>,
    now: DateTime<Utc>,
}

impl Administrator {
    /// Somebody, with what they hold as seen from here; perhaps nothing.
    pub fn of(
        cache: &ReferenceCache,
        r: &mut impl Reading,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let as_of = r.reference_as_of()?;
        Ok(Self { actor: grants::actor(r, user)?, reference: cache.get(r, as_of)?, now })
    }

    /// Who.
    pub fn user(&self) -> UserId {
        self.actor.user
    }

    /// The moment.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Its local date.
    pub fn today(&self) -> NaiveDate {
        local_date(self.now)
    }

    /// Units and forms as of this moment.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The units over whose subtrees they administer.
    pub fn tops(&self) -> Vec<UnitId> {
        self.actor.scope(Action::Administer, self.now, false)
    }

    /// Whoever administers nothing is told so, whatever they ask for.
    pub fn require(&self) -> Result<(), Failure> {
        if self.tops().is_empty() { Err(FORBIDDEN) } else { Ok(()) }
    }

    /// Whether they administer a whole tree.
    pub fn is_of_a_whole_tree(&self) -> bool {
        self.tops().iter().any(|top| self.reference.units.ancestors(*top).len() == 1)
    }

    /// Whether what they administer covers a unit.
    pub fn covers(&self, unit: UnitId) -> bool {
        self.over(unit).is_ok()
    }

    /// The tops of what they administer, narrowed to what lies below a unit.
    pub fn tops_below(&self, below: Option<UnitId>) -> Vec<UnitId> {
        let Some(below) = below else { return self.tops() };
        if self.covers(below) {
            return vec![below];
        }
        let inside = |top: &UnitId| self.reference.units.ancestors(*top).contains(&below);
        self.tops().into_iter().filter(inside).collect()
    }

    /// The right over a unit.
    pub fn over(&self, unit: UnitId) -> Result<Authority, Failure> {
        let line = self.reference.units.ancestors(unit);
        self.authority(&line).ok_or(NOT_FOUND)
    }

    /// The right over a unit that they may see without administering it: it stands above, or another role shows it.
    pub fn over_unit(&self, unit: UnitId) -> Result<Authority, Failure> {
        let units = &self.reference.units;
        let mut granted = self.actor.grants.iter().filter(|held| held.holds_at(self.now)).map(|held| held.unit);
        let line = units.ancestors(unit);
        let mut seen = || granted.any(|held| line.contains(&held) || units.ancestors(held).contains(&unit));
        self.over(unit).map_err(|not_found| if seen() { FORBIDDEN } else { not_found })
    }

    /// The right over what stands above a unit, to move or dissolve it: the top of what somebody administers is not
    /// theirs to take away.
    pub fn over_from_above(&self, unit: UnitId) -> Result<Authority, Failure> {
        let authority = self.over_unit(unit)?;
        let line = self.reference.units.ancestors(unit);
        self.authority(line.get(1..).unwrap_or_default()).map(|_| authority).ok_or(FORBIDDEN)
    }

    /// The right to give a role over a unit, and to end it.
    pub fn may_give(&self, role: Role, unit: UnitId) -> Result<Authority, Failure> {
        let authority = self.over(unit)?;
        let line = self.reference.units.ancestors(unit);
        let root = line.last().map(std::slice::from_ref).unwrap_or_default();
        if role.is_given_from_the_top() && self.authority(root).is_none() {
            return Err(Failure::refused("access.role_above"));
        }
        Ok(authority)
    }

    /// Whether a user who holds these grants exists for them.
    pub fn sees(&self, user: UserId, held: &[HeldGrant]) -> bool {
        user == self.actor.user || self.is_of_a_whole_tree() || held.iter().any(|held| self.covers(held.unit))
    }

    /// The right to change the account of a user who holds these grants.
    pub fn over_user(&self, user: UserId, held: &[HeldGrant]) -> Result<Authority, Failure> {
        self.require()?;
        if !self.sees(user, held) {
            return Err(NOT_FOUND);
        }
        self.not_oneself(user)?;
        let mut standing = held.iter().filter(|held| held.stands_at(self.now));
        let mut right = None;
        if !standing.all(|held| self.may_give(held.role, held.unit).map(|given| right = Some(given)).is_ok()) {
            return Err(FORBIDDEN);
        }
        let seen = || held.iter().find_map(|held| self.over(held.unit).ok());
        let any = || self.tops().first().and_then(|top| self.over(*top).ok());
        right.or_else(seen).or_else(any).ok_or(FORBIDDEN)
    }

    /// Nobody administers themselves: not even out of, or into, a role of their own.
    pub fn not_oneself(&self, user: UserId) -> Result<(), Failure> {
        if user == self.actor.user { Err(Failure::refused("access.own_account")) } else { Ok(()) }
    }

    fn authority(&self, line: &[UnitId]) -> Option<Authority> {
        authorize(&self.actor, Action::Administer, line, self.now, false).ok().and_then(Authority::granted)
    }
}

/// Reads as an administrator, in one snapshot.
pub async fn look<T: Send + 'static>(
    app: &App,
    who: &Authenticated,
    looking: impl Fn(&mut Snapshot<'_>, &Administrator) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (user, now) = (who.user, app.clock.now());
    read(app, move |app, snapshot| {
        let administrator = Administrator::of(&app.reference, snapshot, user, now)?;
        match administrator.require().and_then(|()| looking(snapshot, &administrator)) {
            Err(Failure::Store(error)) => Err(error),
            other => Ok(other),
        }
    })
    .await?
}

/// Changes as an administrator: with what they hold in the transaction that does it.
pub async fn change<T: Send + 'static>(
    app: &App,
    who: &Authenticated,
    changing: impl Fn(&mut Tx<'_>, &Administrator) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (user, shared) = (who.user, app.clone());
    let outcome = write_as(app, who, move |tx, _| {
        let now = tx.received_at();
        let administrator = Administrator::of(&shared.reference, tx, user, now)?;
        match administrator.require().and_then(|()| changing(tx, &administrator)) {
            Ok(done) => Ok(Outcome::Commit(done)),
            Err(Failure::Store(error)) => Err(error),
            Err(refused) => Ok(Outcome::Refuse(refused)),
        }
    })
    .await?;
    match outcome {
        Outcome::Commit(done) => Ok(done),
        Outcome::Refuse(refused) => Err(refused),
    }
}
