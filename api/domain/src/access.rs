//! Who may do what where: the permission table, and [`Grant`], the only key to a change.
//!
//! Deny by default. What lies outside a person's scope does not exist for them (404); what they may see but not do
//! is forbidden (403). What comes of the table, operation by operation, is the
//! golden file `tests/golden/access_matrix.snap`.

use crate::id::{GrantId, UnitId, UserId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What somebody is, by a grant, over a unit's subtree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Village cadre, usually the branch secretary.
    Cadre,
    /// Border-guard officer who reports meetings of assigned branches.
    Liaison,
    /// Commune committee: first review of its subtree.
    CommuneReviewer,
    /// Provincial organisation department: second review.
    ProvincialReviewer,
    /// System administrator: never the content of records.
    Admin,
    /// Inspection: the audit trail, nothing else.
    Auditor,
}

/// What may be allowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Read records that concern no person (meetings).
    ReadReports,
    /// Read records about persons (candidates, members, their steps).
    ReadPersons,
    /// Create, edit and withdraw records that concern no person.
    Report,
    /// Create, edit and withdraw records about persons.
    ReportPersons,
    /// See and decide conflicts and quarantine.
    Review,
    /// Erase a person: destroy the key that everything personal about them is sealed under.
    ErasePersons,
    /// Users, devices, grants, units, forms.
    Administer,
    /// Read the audit trail.
    Audit,
}

use Action::{Administer, Audit, ErasePersons, ReadPersons, ReadReports, Report, ReportPersons, Review};
use Role::{Admin, Auditor, Cadre, CommuneReviewer, Liaison, ProvincialReviewer};

/// The whole permission table. Erasing is the province's alone: it cannot be undone, and whoever enters people, as the
/// commune does as well, must not be able to make them and what was said of them vanish.
pub const PERMISSIONS: &[(Role, &[Action])] = &[
    (Cadre, &[ReadReports, ReadPersons, Report, ReportPersons]),
    (Liaison, &[ReadReports, Report]),
    (CommuneReviewer, &[ReadReports, ReadPersons, Report, ReportPersons, Review]),
    (ProvincialReviewer, &[ReadReports, ReadPersons, Review, ErasePersons]),
    (Admin, &[Administer]),
    (Auditor, &[Audit]),
];

/// What needs a stated reason, which is logged.
pub const NEEDS_REASON: &[(Role, Action)] = &[(ProvincialReviewer, ReadPersons), (ProvincialReviewer, ErasePersons)];

/// Roles that stand above a part of a tree, or look into it: only an administrator of the whole tree gives or ends them.
/// The others an administrator gives below the unit that they administer.
pub const GIVEN_FROM_THE_TOP: &[Role] = &[ProvincialReviewer, Admin, Auditor];

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [Cadre, Liaison, CommuneReviewer, ProvincialReviewer, Admin, Auditor];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cadre => "cadre",
            Liaison => "liaison",
            CommuneReviewer => "commune_reviewer",
            ProvincialReviewer => "provincial_reviewer",
            Admin => "admin",
            Auditor => "auditor",
        }
    }
    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
    /// Whether the table allows it.
    pub fn allows(self, action: Action) -> bool {
        PERMISSIONS.iter().any(|(role, actions)| *role == self && actions.contains(&action))
    }
    /// Whether it needs a stated reason.
    pub fn needs_reason(self, action: Action) -> bool {
        NEEDS_REASON.contains(&(self, action))
    }
    /// Whether only an administrator of a whole tree gives it.
    pub fn is_given_from_the_top(self) -> bool {
        GIVEN_FROM_THE_TOP.contains(&self)
    }
    /// Whether holding both at once is refused: `admin` holds no other role.
    pub fn excludes(self, other: Self) -> bool {
        self != other && (self == Admin || other == Admin)
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 8] =
        [ReadReports, ReadPersons, Report, ReportPersons, Review, ErasePersons, Administer, Audit];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReadReports => "read_reports",
            ReadPersons => "read_persons",
            Report => "report",
            ReportPersons => "report_persons",
            Review => "review",
            ErasePersons => "erase_persons",
            Administer => "administer",
            Audit => "audit",
        }
    }
    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
    /// What reading a record takes.
    pub const fn to_read(about_person: bool) -> Self {
        if about_person { ReadPersons } else { ReadReports }
    }
    /// What reporting a record takes.
    pub const fn to_report(about_person: bool) -> Self {
        if about_person { ReportPersons } else { Report }
    }
}

/// A grant as it is held: over a unit's subtree, for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldGrant {
    /// Its id.
    pub id: GrantId,
    /// The role.
    pub role: Role,
    /// The top of the subtree.
    pub unit: UnitId,
    /// The first instant.
    pub valid_from: DateTime<Utc>,
    /// The first instant after; none: open.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether an entry of the log ended it at once. `valid_to` is then what the clock showed that wrote the entry, and
    /// another clock may be behind that one: from the entry on it holds never again, whatever a clock says.
    pub ended: bool,
}

impl HeldGrant {
    /// Whether it holds at that instant.
    pub fn holds_at(&self, at: DateTime<Utc>) -> bool {
        !self.ended && self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }
    /// Whether it holds at that instant, or will.
    pub fn stands_at(&self, at: DateTime<Utc>) -> bool {
        !self.ended && self.valid_to.is_none_or(|end| at < end && self.valid_from < end)
    }
}

/// Somebody who has signed in, with every grant they hold or held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// Who.
    pub user: UserId,
    /// All grants, also ended and future ones.
    pub grants: Vec<HeldGrant>,
}

impl Actor {
    /// The same for a question about an instant that is past: what has been ended at once since then held by its dates.
    #[must_use]
    pub fn in_retrospect(&self) -> Self {
        let grants = self.grants.iter().map(|grant| HeldGrant { ended: false, ..grant.clone() }).collect();
        Self { user: self.user, grants }
    }

    /// Whether anything at all is granted to the actor at that instant.
    pub fn holds_any(&self, at: DateTime<Utc>) -> bool {
        self.grants.iter().any(|grant| grant.holds_at(at))
    }

    /// The units over whose subtrees the actor may do this at that instant, without a further reason or with one.
    pub fn scope(&self, action: Action, at: DateTime<Utc>, with_reason: bool) -> Vec<UnitId> {
        (self.grants.iter())
            .filter(|g| g.holds_at(at) && g.role.allows(action) && (with_reason || !g.role.needs_reason(action)))
            .map(|g| g.unit)
            .collect()
    }
}

/// The proof that somebody may do one thing in one unit: only [`authorize`] makes it (and the replay of what it
/// once allowed), and every change asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    id: GrantId,
    user: UserId,
    role: Role,
    unit: UnitId,
    action: Action,
}

impl Grant {
    /// A grant as the log tells of it: what was allowed when it was said is not asked again when the log is replayed.
    /// The log keeps no role; whoever replays must not ask for it.
    pub fn replayed(id: GrantId, user: UserId, unit: UnitId, action: Action) -> Self {
        Self { id, user, role: Role::Auditor, unit, action }
    }
    /// The grant that allowed it.
    pub fn id(&self) -> GrantId {
        self.id
    }
    /// Who acts.
    pub fn user(&self) -> UserId {
        self.user
    }
    /// As what.
    pub fn role(&self) -> Role {
        self.role
    }
    /// In which unit.
    pub fn unit(&self) -> UnitId {
        self.unit
    }
    /// Doing what.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// Why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// Nothing that the actor holds covers the unit now: it does not exist for them.
    #[error("scope.outside")]
    Outside,
    /// A grant covers the unit, but its role does not allow this.
    #[error("access.forbidden")]
    NotAllowed(Role),
    /// The role allows it with a stated reason only.
    #[error("access.reason_required")]
    ReasonRequired(Role),
}

/// Decides. `line` is the unit itself and the units above it.
pub fn authorize(
    actor: &Actor,
    action: Action,
    line: &[UnitId],
    at: DateTime<Utc>,
    with_reason: bool,
) -> Result<Grant, Denied> {
    let Some(unit) = line.first().copied() else { return Err(Denied::Outside) };
    let mut denied = Denied::Outside;
    for held in actor.grants.iter().filter(|held| held.holds_at(at) && line.contains(&held.unit)) {
        if !held.role.allows(action) {
            if denied == Denied::Outside {
                denied = Denied::NotAllowed(held.role);
            }
        } else if held.role.needs_reason(action) && !with_reason {
            denied = Denied::ReasonRequired(held.role);
        } else {
            return Ok(Grant { id: held.id, user: actor.user, role: held.role, unit, action });
        }
    }
    Err(denied)
}

/// By what right users, devices and grants are changed. Store functions that do so ask for it.
///
/// Either a [`Grant`] for [`Action::Administer`], or the shell of the server: whoever can run commands there holds the
/// database and its keys already, so a grant would protect nothing from them, and without this way there could be no
/// first administrator. The log tells the two apart: such a change has neither actor nor grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authority(Right);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    Granted(Grant),
    Operator,
}

impl Authority {
    /// The right of an administrator; none when the grant is for something else.
    pub fn granted(grant: Grant) -> Option<Self> {
        (grant.action == Administer).then_some(Self(Right::Granted(grant)))
    }
    /// The right of whoever holds the shell of the server. For the command line alone; no HTTP handler may say this.
    pub const fn operator_of_the_server() -> Self {
        Self(Right::Operator)
    }
    /// Who acts; none for the operator.
    pub fn user(&self) -> Option<UserId> {
        self.grant().map(|grant| grant.user)
    }
    /// By which grant; none for the operator.
    pub fn grant(&self) -> Option<Grant> {
        match self.0 {
            Right::Granted(grant) => Some(grant),
            Right::Operator => None,
        }
    }
    /// Whether it reaches that unit: a grant is proof for one unit only.
    pub fn reaches(&self, unit: UnitId) -> bool {
        self.grant().is_none_or(|grant| grant.unit == unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn actor(role: Role, unit: u128, from: i64, to: Option<i64>) -> Actor {
        let grant = HeldGrant {
            id: GrantId::new(Uuid::from_u128(9)),
            role,
            unit: UnitId::new(Uuid::from_u128(unit)),
            valid_from: DateTime::UNIX_EPOCH + TimeDelta::days(from),
            valid_to: to.map(|days| DateTime::UNIX_EPOCH + TimeDelta::days(days)),
            ended: false,
        };
        Actor { user: UserId::new(Uuid::from_u128(1)), grants: vec![grant] }
    }

    fn line(units: &[u128]) -> Vec<UnitId> {
        units.iter().map(|u| UnitId::new(Uuid::from_u128(*u))).collect()
    }

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    #[test]
    fn a_grant_covers_its_subtree_from_its_first_instant_and_before_its_last() {
        let cadre = actor(Cadre, 2, 10, Some(20));
        for (at, allowed) in [(9, false), (10, true), (19, true), (20, false)] {
            let decision = authorize(&cadre, Report, &line(&[3, 2, 1]), day(at), false);
            assert_eq!(decision.is_ok(), allowed, "day {at}");
        }
        assert_eq!(authorize(&cadre, Report, &line(&[1]), day(11), false), Err(Denied::Outside));
    }

    #[test]
    fn a_grant_that_was_ended_at_once_is_held_by_no_clock_but_was_held_until_then() {
        let mut cadre = actor(Cadre, 2, 10, Some(20));
        cadre.grants[0].ended = true;
        for at in [9, 10, 19, 20] {
            assert_eq!(authorize(&cadre, Report, &line(&[2]), day(at), false), Err(Denied::Outside), "day {at}");
            assert!(!cadre.holds_any(day(at)) && !cadre.grants[0].stands_at(day(at)));
            assert_eq!(cadre.scope(Report, day(at), true), line(&[]));
        }
        let then = [9, 10, 19, 20].map(|at| cadre.in_retrospect().holds_any(day(at)));
        assert_eq!(then, [false, true, true, false]);
    }

    #[test]
    fn what_is_seen_but_not_allowed_is_told_from_what_is_outside() {
        let liaison = actor(Liaison, 2, 0, None);
        assert_eq!(authorize(&liaison, ReadPersons, &line(&[2]), day(1), false), Err(Denied::NotAllowed(Liaison)));
        assert_eq!(authorize(&liaison, ReadPersons, &line(&[3]), day(1), false), Err(Denied::Outside));
    }

    #[test]
    fn the_province_reads_persons_only_with_a_reason() {
        let reviewer = actor(ProvincialReviewer, 1, 0, None);
        let persons = |reason| authorize(&reviewer, ReadPersons, &line(&[3, 1]), day(1), reason);
        assert_eq!(persons(false), Err(Denied::ReasonRequired(ProvincialReviewer)));
        assert!(persons(true).is_ok());
    }

    #[test]
    fn only_a_grant_to_administer_is_authority_and_it_reaches_its_unit_alone() {
        let (admin, cadre) = (actor(Admin, 1, 0, None), actor(Cadre, 1, 0, None));
        let grant = authorize(&admin, Administer, &line(&[2, 1]), day(1), false).expect("allowed");
        let authority = Authority::granted(grant).expect("a grant to administer");
        assert!(authority.reaches(line(&[2])[0]) && !authority.reaches(line(&[3])[0]));
        let other = authorize(&cadre, Report, &line(&[2, 1]), day(1), false).expect("allowed");
        assert_eq!(Authority::granted(other), None);
        assert_eq!(Authority::operator_of_the_server().user(), None);
    }

    #[test]
    fn admin_and_auditor_never_read_content() {
        for role in [Admin, Auditor] {
            for action in [ReadReports, ReadPersons, Report, ReportPersons, Review, ErasePersons] {
                assert!(!role.allows(action));
            }
        }
    }
}
