//! One small province for every test: a few units, the people who report and review there, the built-in forms. Founded
//! through the same use cases as any other, the way the command line does it. Communes are real; everything below them,
//! and everybody, is fictional.

use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::access::{Authority, Role};
use muong_domain::account::{Label, Username};
use muong_domain::id::{UnitId, UserId};
use muong_domain::unit::{Tree, Unit, UnitCode, UnitVersion};
use muong_server::clock::Entropy;
use muong_server::reference::ReferenceCache;
use muong_server::security::password::{Password, hash_blocking};
use muong_server::usecases::found_units::{Founding, found_units};
use muong_server::usecases::publish_form::publish_built_in;
use muong_store::grants::NewGrant;
use muong_store::units::Coverage;
use muong_store::users::NewUser;
use muong_store::{
    DatabaseUrl, MasterKey, Outcome, StoreError, Tx, Vault, Writer, WriterOptions, establish_epoch, grants, migrate,
    seal, users,
};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// The password of everybody.
pub const PASSWORD: &str = "một câu chỉ để thử";
/// Whoever holds the shell of the server.
pub const OPERATOR: Authority = Authority::operator_of_the_server();

const fn unit(number: u128) -> Uuid {
    Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_0001_0000 + number)
}

/// Tỉnh ủy Điện Biên.
pub const PROVINCE: Uuid = unit(1);
/// Đảng ủy xã Mường Nhé.
pub const MUONG_NHE: Uuid = unit(2);
/// Đảng ủy xã Mường Chà.
pub const MUONG_CHA: Uuid = unit(3);
/// The branch of the village Huổi Sang, of Mường Nhé.
pub const HUOI_SANG: Uuid = unit(4);
/// The branch of the village Nà Lóng, of Mường Nhé.
pub const NA_LONG: Uuid = unit(5);
/// The branch of the village Phiêng Sáng, of Mường Chà.
pub const PHIENG_SANG: Uuid = unit(6);
/// Tỉnh Điện Biên, of the tree of administration.
pub const TINH: Uuid = unit(7);
/// Xã Mường Nhé.
pub const XA_MUONG_NHE: Uuid = unit(8);
/// Bản Huổi Sang.
pub const BAN_HUOI_SANG: Uuid = unit(9);
/// No unit at all.
pub const NOWHERE: Uuid = unit(0xffff);

/// The secretary of the branch Huổi Sang.
pub const SECRETARY: &str = "secretary";
/// The border-guard officer to whom Huổi Sang is assigned.
pub const OFFICER: &str = "officer";
/// The secretary of Nà Lóng, in the same commune.
pub const NEIGHBOUR: &str = "neighbour";
/// The secretary of Phiêng Sáng, in another commune.
pub const STRANGER: &str = "stranger";
/// The commune committee of Mường Nhé.
pub const COMMUNE: &str = "commune";
/// The commune committee of Mường Chà.
pub const OTHER_COMMUNE: &str = "other.commune";
/// The provincial organisation department.
pub const DEPARTMENT: &str = "department";
/// The administrator.
pub const ADMIN: &str = "admin";
/// The inspection.
pub const AUDITOR: &str = "auditor";
/// Somebody who may sign in and holds nothing.
pub const NOBODY: &str = "nobody";

/// Roles, each over a unit.
type Held = &'static [(Role, Uuid)];

/// Everybody: the name to sign in with, the name that others see, what they hold.
const PEOPLE: &[(&str, &str, Held)] = &[
    (SECRETARY, "Giàng A Dế", &[(Role::Cadre, HUOI_SANG)]),
    (OFFICER, "Nguyễn Văn Lâm", &[(Role::Liaison, HUOI_SANG)]),
    (NEIGHBOUR, "Lò Văn Inh", &[(Role::Cadre, NA_LONG)]),
    (STRANGER, "Vàng A Tủa", &[(Role::Cadre, PHIENG_SANG)]),
    (COMMUNE, "Sùng Thị Mai", &[(Role::CommuneReviewer, MUONG_NHE)]),
    (OTHER_COMMUNE, "Mùa A Vảng", &[(Role::CommuneReviewer, MUONG_CHA)]),
    (DEPARTMENT, "Trần Thu Hà", &[(Role::ProvincialReviewer, PROVINCE)]),
    (ADMIN, "Đỗ Quang Minh", &[(Role::Admin, PROVINCE), (Role::Admin, TINH)]),
    (AUDITOR, "Phạm Thị Yến", &[(Role::Auditor, PROVINCE)]),
    (NOBODY, "Hồ A Chinh", &[]),
];

/// The id of somebody of the province.
pub fn user_id(login: &str) -> Uuid {
    let index = PEOPLE.iter().position(|(name, ..)| *name == login).expect("somebody of the province");
    Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_0002_0000 + index as u128)
}

/// When it was founded: the day on which the present communes began.
fn founding_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 7, 1).expect("a day")
}

fn founding_time() -> DateTime<Utc> {
    "2025-07-01T01:00:00Z".parse().expect("an instant")
}

/// The master key of every test, in base64.
pub const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A vault with that key, whose data keys are the same each time: so both databases derive the same ids by them.
pub fn vault() -> Arc<Vault> {
    let chance = Entropy::seeded(3);
    let keys = || Some(vec![MasterKey::new(&[7; MasterKey::BYTES])]);
    Arc::new(Vault::new(Arc::new(keys), Arc::new(move |bytes| chance.fill(bytes))).expect("a key"))
}

/// Brings an empty database to the schema and founds the province in it.
pub fn found(url: &DatabaseUrl) {
    let entropy = Entropy::seeded(1);
    let mut conn = url.open().expect("the database opens");
    migrate(&mut conn).expect("the migrations apply");
    let epoch = entropy.uuid(founding_time());
    establish_epoch(&mut conn, epoch, founding_time()).expect("the log begins");
    drop(conn);
    let now = Arc::new(founding_time);
    let (writer, thread) =
        Writer::start(url.clone(), vault(), Arc::default(), WriterOptions::default(), now).expect("the writer starts");
    let cache = Arc::new(ReferenceCache::default());
    let of_forms = Arc::clone(&cache);
    commit::<_, ()>(&writer, |tx| seal::establish(tx).map(Outcome::Commit));
    commit(&writer, move |tx| publish_built_in(tx, &of_forms));
    commit(&writer, move |tx| found_units(tx, &cache, &OPERATOR, &units()));
    commit(&writer, add_people);
    drop(writer);
    thread.join().expect("the writer stops");
}

/// Makes a change that is not to be refused.
pub fn commit<T, R>(
    writer: &Writer,
    change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
) -> T
where
    T: Send + 'static,
    R: Send + std::fmt::Debug + 'static,
{
    match writer.write(1, change).expect("the store works") {
        Outcome::Commit(done) => done,
        Outcome::Refuse(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// A branch was founded earlier than its commune in its present borders.
fn units() -> Founding {
    let party = |id, kind, name, parent| found_unit(id, Tree::Party, kind, name, parent, None);
    let administrative = |id, kind, name, parent, code| found_unit(id, Tree::Administrative, kind, name, parent, code);
    Founding {
        units: vec![
            party(PROVINCE, "provincial_committee", "Tỉnh ủy Điện Biên", None),
            party(MUONG_NHE, "commune_committee", "Đảng ủy xã Mường Nhé", Some(PROVINCE)),
            party(MUONG_CHA, "commune_committee", "Đảng ủy xã Mường Chà", Some(PROVINCE)),
            party(HUOI_SANG, "branch", "Chi bộ bản Huổi Sang", Some(MUONG_NHE)),
            party(NA_LONG, "branch", "Chi bộ bản Nà Lóng", Some(MUONG_NHE)),
            party(PHIENG_SANG, "branch", "Chi bộ bản Phiêng Sáng", Some(MUONG_CHA)),
            administrative(TINH, "province", "Tỉnh Điện Biên", None, None),
            administrative(XA_MUONG_NHE, "commune", "Xã Mường Nhé", Some(TINH), Some("03160")),
            administrative(BAN_HUOI_SANG, "village", "Bản Huổi Sang", Some(XA_MUONG_NHE), None),
        ],
        coverage: vec![Coverage { branch: HUOI_SANG.into(), village: BAN_HUOI_SANG.into(), from: founding_day() }],
    }
}

fn found_unit(id: Uuid, tree: Tree, kind: &str, name: &str, parent: Option<Uuid>, code: Option<&str>) -> Unit {
    let valid_from = if kind == "branch" { branch_founded_on() } else { founding_day() };
    let code_of = |code: &str| UnitCode { scheme: "gso".to_owned(), code: code.to_owned(), valid_from, valid_to: None };
    Unit {
        id: UnitId::new(id),
        tree,
        founded_on: (kind == "branch").then(branch_founded_on),
        versions: vec![UnitVersion {
            valid_from,
            valid_to: None,
            kind: kind.to_owned(),
            name: name.to_owned(),
            parent: parent.map(UnitId::new),
        }],
        codes: code.map(code_of).into_iter().collect(),
    }
}

/// When the branches were founded.
pub fn branch_founded_on() -> NaiveDate {
    NaiveDate::from_ymd_opt(2003, 2, 3).expect("a day")
}

fn add_people(tx: &mut Tx<'_>) -> Result<Outcome<(), String>, StoreError> {
    for (login, name, roles) in PEOPLE {
        let new = NewUser {
            id: UserId::new(user_id(login)),
            username: Username::parse(login).expect("a user name"),
            display_name: Label::parse(name).expect("a name"),
            password_hash: password_hash().to_owned(),
        };
        if let Err(refusal) = users::add(tx, &OPERATOR, &new)? {
            return Ok(Outcome::Refuse(refusal.to_string()));
        }
        for (role, unit) in *roles {
            if let Err(refusal) = grants::add(tx, &OPERATOR, &grant(login, *role, *unit, founding_time()))? {
                return Ok(Outcome::Refuse(refusal.to_string()));
            }
        }
    }
    Ok(Outcome::Commit(()))
}

/// A grant from an instant on, with an id that follows from what it says.
pub fn grant(login: &str, role: Role, unit: Uuid, valid_from: DateTime<Utc>) -> NewGrant {
    let user = user_id(login);
    let parts: [&[u8]; 4] =
        [user.as_bytes(), role.as_str().as_bytes(), unit.as_bytes(), &valid_from.timestamp_micros().to_be_bytes()];
    let id = muong_domain::id::derived("test grant", &parts);
    NewGrant { id: id.into(), user: user.into(), role, unit: unit.into(), valid_from, valid_to: None }
}

/// Everybody's password, hashed once: as slowly as anybody's.
pub fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let password = Password::parse(PASSWORD).expect("a password");
        hash_blocking(&password, &Entropy::seeded(2)).expect("it is hashed")
    })
}
