//! Who reports: a login of each role, the offices of the communes, the cadres of one commune; their devices and grants.
//!
//! Most reports of the sample come from the offices of the communes, which may report on behalf of their branches; only
//! in the showcase commune does every branch have a cadre with a phone. Passwords are not made here, and most of these
//! people have none: hashing thousands would take longer than all the rest.

use super::chance::Chance;
use super::schedule::{Schedule, earlier, local};
use super::units::Layout;
use chrono::{DateTime, Utc};
use muong_domain::access::Role;
use muong_domain::account::{Label, Username};
use muong_domain::id::{DeviceId, GrantId, UnitId, UserId, derived};
use std::collections::HashMap;

/// Somebody who signs in, or would.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// The name that others see.
    pub display_name: Label,
    /// Whether the demo's password is theirs; the others get a hash that never verifies.
    pub signs_in: bool,
}

/// A registered device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// The device.
    pub id: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// How its owner calls it.
    pub name: Label,
}

/// A role over a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleGiven {
    /// The grant.
    pub id: GrantId,
    /// To whom.
    pub user: UserId,
    /// The role.
    pub role: Role,
    /// Over which subtree.
    pub unit: UnitId,
    /// The first instant.
    pub valid_from: DateTime<Utc>,
    /// The first instant after; none: open.
    pub valid_to: Option<DateTime<Utc>>,
}

/// A user who reports, with the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reporter {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
}

/// Everybody with an account.
#[derive(Clone, Debug)]
pub struct Staff {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Their devices.
    pub devices: Vec<Device>,
    /// Their grants.
    pub grants: Vec<RoleGiven>,
    /// The login of each role, in the order of the printed table: role, place in `accounts`.
    pub logins: Vec<(Role, usize)>,
    /// The border-guard officer, assigned to the first branches of the showcase.
    pub liaison: Reporter,
    /// A former cadre whose grant has ended, and the branch that it covered.
    pub former: (Reporter, UnitId),
    /// A device of the first cadre that has sent nothing yet: for trying by hand.
    pub spare: Reporter,
    by_branch: HashMap<UnitId, Reporter>,
    /// The offices of the communes, in their order.
    offices: Vec<Reporter>,
}

/// How many branches of the showcase the liaison is assigned to.
pub const ASSIGNED: usize = 3;
/// How many cadres of the showcase can sign in.
const CADRES: usize = 5;

impl Staff {
    /// Gives everybody an account, a device and a role.
    pub fn new(seed: u64, layout: &Layout, schedule: &Schedule) -> Self {
        let mut hiring = Hiring::new(seed, schedule);
        let showcase = layout.showcase();
        hiring.account("tinh", "Ban Tổ chức Tỉnh ủy (mẫu)", true);
        hiring.login(Role::ProvincialReviewer, layout.province);
        hiring.offices(layout);
        let liaison = hiring.liaison(layout);
        let by_branch = hiring.cadres(layout);
        let former = hiring.former(layout);
        hiring.account("quantri", "Quản trị hệ thống (mẫu)", true);
        hiring.login(Role::Admin, layout.province);
        hiring.account("thanhtra", "Ủy ban Kiểm tra (mẫu)", true);
        hiring.login(Role::Auditor, layout.province);
        let first = by_branch[&layout.branches[showcase.branches.start].id];
        let spare = hiring.device(first.user, "Thử bằng curl");
        let mut staff = hiring.staff(liaison, former, spare);
        for (at, commune) in layout.communes.iter().enumerate() {
            let office = office(seed, at);
            staff.offices.push(office);
            staff.by_branch.extend(layout.branches[commune.branches.clone()].iter().map(|branch| (branch.id, office)));
        }
        staff.by_branch.extend(by_branch);
        staff
    }

    /// Who reports for the branch.
    pub fn reporter(&self, branch: UnitId) -> Reporter {
        self.by_branch[&branch]
    }

    /// The office of a commune committee, by the commune's place in the layout: it reviews there.
    pub fn office(&self, commune: usize) -> Reporter {
        self.offices[commune]
    }
}

fn id(seed: u64, what: &str, which: &str) -> uuid::Uuid {
    derived("demo.user", &[&seed.to_be_bytes(), what.as_bytes(), which.as_bytes()])
}

fn label(text: &str) -> Label {
    Label::parse(text).expect("labels of the sample are short lines")
}

fn office_name(at: usize) -> String {
    format!("office-{at}")
}

/// The office of a commune by its place: user and device.
fn office(seed: u64, at: usize) -> Reporter {
    let name = office_name(at);
    Reporter {
        user: UserId::new(id(seed, "user", &name)),
        device: DeviceId::new(id(seed, "device", &format!("{name} 0"))),
    }
}

/// The staff while it is being put together.
struct Hiring {
    seed: u64,
    since: DateTime<Utc>,
    ended: DateTime<Utc>,
    accounts: Vec<Account>,
    devices: Vec<Device>,
    grants: Vec<RoleGiven>,
    logins: Vec<(Role, usize)>,
}

impl Hiring {
    fn new(seed: u64, schedule: &Schedule) -> Self {
        let since = local(earlier(schedule.opening, 14), 0).to_utc();
        let middle = schedule.waves[schedule.waves.len() / 2];
        let ended = local(middle, 0).to_utc().max(since + chrono::TimeDelta::days(1));
        Self { seed, since, ended, accounts: Vec::new(), devices: Vec::new(), grants: Vec::new(), logins: Vec::new() }
    }

    fn staff(self, liaison: Reporter, former: (Reporter, UnitId), spare: Reporter) -> Staff {
        Staff {
            accounts: self.accounts,
            devices: self.devices,
            grants: self.grants,
            logins: self.logins,
            liaison,
            former,
            spare,
            by_branch: HashMap::new(),
            offices: Vec::new(),
        }
    }

    /// An account whose identifier is made of the username.
    fn account(&mut self, username: &str, display_name: &str, signs_in: bool) -> UserId {
        self.named(username, username, display_name, signs_in)
    }

    fn named(&mut self, key: &str, username: &str, display_name: &str, signs_in: bool) -> UserId {
        let id = UserId::new(id(self.seed, "user", key));
        self.accounts.push(Account {
            id,
            username: Username::parse(username).expect("usernames of the sample are plain"),
            display_name: label(display_name),
            signs_in,
        });
        id
    }

    /// The account just made is the one of its role that is printed.
    fn login(&mut self, role: Role, unit: UnitId) {
        let at = self.accounts.len() - 1;
        self.logins.push((role, at));
        self.grant(self.accounts[at].id, role, unit);
    }

    fn grant(&mut self, user: UserId, role: Role, unit: UnitId) {
        let id = GrantId::new(id(self.seed, "grant", &format!("{user} {} {unit}", role.as_str())));
        self.grants.push(RoleGiven { id, user, role, unit, valid_from: self.since, valid_to: None });
    }

    fn device(&mut self, user: UserId, name: &str) -> Reporter {
        let at = self.devices.iter().filter(|device| device.user == user).count();
        let key = self.accounts.iter().position(|account| account.id == user);
        let key = key.map_or_else(String::new, |at| self.accounts[at].username.to_string());
        let device = DeviceId::new(id(self.seed, "device", &format!("{key} {at}")));
        self.devices.push(Device { id: device, user, name: label(name) });
        Reporter { user, device }
    }

    /// The office of each commune committee reports for its branches and reviews.
    fn offices(&mut self, layout: &Layout) {
        for (at, commune) in layout.communes.iter().enumerate() {
            let is_showcase = commune.code == super::units::SHOWCASE;
            let username = if is_showcase { "xa".to_owned() } else { format!("xa.{}", commune.code) };
            let display = format!("Văn phòng Đảng ủy {} (mẫu)", commune.name);
            let user = self.named(&office_name(at), &username, &display, is_showcase);
            if is_showcase {
                self.login(Role::CommuneReviewer, commune.committee);
            } else {
                self.grant(user, Role::CommuneReviewer, commune.committee);
            }
            self.devices.push(Device { id: office(self.seed, at).device, user, name: label("Máy tính văn phòng") });
        }
    }

    fn liaison(&mut self, layout: &Layout) -> Reporter {
        let user = self.account("bienphong", "Cán bộ biên phòng tăng cường (mẫu)", true);
        let branches = &layout.branches[layout.showcase().branches.clone()];
        for (at, branch) in branches.iter().take(ASSIGNED).enumerate() {
            if at == 0 {
                self.login(Role::Liaison, branch.id);
            } else {
                self.grant(user, Role::Liaison, branch.id);
            }
        }
        self.device(user, "Điện thoại")
    }

    /// A cadre for each branch of the showcase.
    fn cadres(&mut self, layout: &Layout) -> HashMap<UnitId, Reporter> {
        let mut by_branch = HashMap::new();
        for (at, branch) in layout.branches[layout.showcase().branches.clone()].iter().enumerate() {
            let username = if at == 0 { "canbo".to_owned() } else { format!("canbo{}", at + 1) };
            let mut chance = Chance::of(self.seed, "cadre", &[at as u64]);
            let is_woman = chance.permille(250);
            let name = format!("{} (mẫu)", branch.people.person(&mut chance, is_woman));
            let user = self.account(&username, &name, at < CADRES);
            if at == 0 {
                self.login(Role::Cadre, branch.id);
            } else {
                self.grant(user, Role::Cadre, branch.id);
            }
            by_branch.insert(branch.id, self.device(user, "Điện thoại"));
        }
        by_branch
    }

    /// Somebody who was a cadre of the fourth branch until the middle of the year.
    fn former(&mut self, layout: &Layout) -> (Reporter, UnitId) {
        let branch = layout.branches[layout.showcase().branches.start + ASSIGNED].id;
        let user = self.account("canbocu", "Cán bộ đã thôi nhiệm vụ (mẫu)", false);
        self.grant(user, Role::Cadre, branch);
        if let Some(grant) = self.grants.last_mut() {
            grant.valid_to = Some(self.ended);
        }
        (self.device(user, "Điện thoại"), branch)
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::date;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_role_has_a_login_and_names_and_devices_are_unique() {
        let layout = Layout::new(1, 0.02);
        let staff = Staff::new(1, &layout, &Schedule::new(local(date(2026, 11, 23), 0).to_utc()));
        let roles: BTreeSet<_> = staff.logins.iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, Role::ALL.into_iter().collect());
        assert!(staff.logins.iter().all(|(_, at)| staff.accounts[*at].signs_in));
        assert!(staff.accounts.iter().filter(|account| account.signs_in).count() <= 12);
        let unique = |values: Vec<String>| values.iter().collect::<BTreeSet<_>>().len() == values.len();
        assert!(unique(staff.accounts.iter().map(|account| account.username.to_string()).collect()));
        assert!(unique(staff.accounts.iter().map(|account| account.id.to_string()).collect()));
        assert!(unique(staff.devices.iter().map(|device| device.id.to_string()).collect()));
        assert!(unique(staff.grants.iter().map(|grant| grant.id.to_string()).collect()));
        assert!(layout.branches.iter().all(|branch| {
            let reporter = staff.reporter(branch.id);
            staff.devices.iter().any(|device| device.id == reporter.device && device.user == reporter.user)
        }));
    }
}
