//! A province to report from, founded by the program's own use cases, and the phones of its reporters, signed in over
//! HTTP. Measures nothing.

use crate::Fallible;
use crate::database::{Place, Scratch};
use crate::installation::Installation;
use crate::phones::{BRANCHES, COMMUNES, PHONES, Phone, branch};
use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::access::{Authority, Role};
use muong_domain::account::{Label, Username};
use muong_domain::unit::{Tree, Unit, UnitVersion};
use muong_server::clock::{Clock, Entropy};
use muong_server::config::{Config, Secret};
use muong_server::security::password::{Password, hash_blocking};
use muong_server::state::App;
use muong_server::usecases::found_units::{Founding, found_units};
use muong_store::grants::{self, NewGrant};
use muong_store::users::{self, NewUser};
use muong_store::{Outcome, StoreError, Tx, Writer};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use uuid::Uuid;

/// The password of every reporter.
pub const PASSWORD: &str = "một câu chỉ để đo";
const OPERATOR: Authority = Authority::operator_of_the_server();
/// How often a request of the preparation may be told to come back later.
const PATIENCE: u32 = 60;

const PROVINCE: Uuid = Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_0000_0001);

/// The committee of a commune.
pub fn committee(commune: usize) -> Uuid {
    Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_0000_1000 + commune as u128)
}

/// A database with a province in it, and its phones.
pub struct Province {
    /// What serves it.
    pub installation: Installation,
    /// The phones, signed in.
    pub phones: Vec<Phone>,
    overseer: String,
}

impl Province {
    /// Founds it in an empty database and signs in its phones, on a server that is stopped again.
    pub fn found(program: &Path, place: Place<'_>, folder: &Path) -> Fallible<Self> {
        let installation = Installation::new(program, place, folder)?;
        settle(&installation, COMMUNES)?;
        let server = installation.serve()?;
        let signed_in = sign_in_all(&format!("http://{}", server.address));
        server.stop()?;
        let (phones, overseer) = signed_in?;
        Ok(Self { installation, phones, overseer })
    }

    /// The token of somebody who sees the whole province.
    pub fn overseer(&self) -> &str {
        &self.overseer
    }

    /// Its database.
    pub fn database(&self) -> &Scratch {
        &self.installation.database
    }
}

/// Founds it in an empty database, with so many communes.
pub fn settle(installation: &Installation, communes: usize) -> Fallible<()> {
    let config = Config {
        database_url: Secret::new(installation.database.url().to_owned()),
        data_dir: installation.folder().to_owned(),
        signing_key_file: Some(installation.key()),
        master_key_file: Some(installation.master_key()),
        ..Config::default()
    };
    let app = App::open(config, Clock::System, Entropy::System)?;
    let settled = people_it(&app, communes);
    app.close();
    settled
}

fn people_it(app: &App, communes: usize) -> Fallible<()> {
    let cache = Arc::clone(&app.reference);
    let founding = founding(communes);
    commit(&app.writer, move |tx| found_units(tx, &cache, &OPERATOR, &founding))?;
    let hash = hash_blocking(&Password::parse(PASSWORD)?, &app.entropy)?;
    commit(&app.writer, move |tx| hire(tx, communes, &hash))
}

fn commit<T: Send + 'static, R: Debug + Send + 'static>(
    writer: &Writer,
    change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
) -> Fallible<T> {
    match writer.write(1, change)? {
        Outcome::Commit(done) => Ok(done),
        Outcome::Refuse(refusal) => Err(format!("the province was refused: {refusal:?}").into()),
    }
}

fn founding(communes: usize) -> Founding {
    let mut units = vec![unit(PROVINCE, "provincial_committee", "Tỉnh ủy", None)];
    for commune in 0..communes {
        let name = format!("Đảng ủy xã {commune:02}");
        units.push(unit(committee(commune), "commune_committee", &name, Some(PROVINCE)));
        units.extend((0..BRANCHES).map(|number| {
            unit(
                branch(commune, number),
                "branch",
                &format!("Chi bộ {commune:02}.{number:02}"),
                Some(committee(commune)),
            )
        }));
    }
    Founding { units, coverage: Vec::new() }
}

fn unit(id: Uuid, kind: &str, name: &str, parent: Option<Uuid>) -> Unit {
    let valid_from = NaiveDate::from_ymd_opt(2003, 2, 3).expect("a day");
    let version = UnitVersion {
        valid_from,
        valid_to: None,
        kind: kind.to_owned(),
        name: name.to_owned(),
        parent: parent.map(Into::into),
    };
    let founded_on = (kind == "branch").then_some(valid_from);
    Unit { id: id.into(), tree: Tree::Party, founded_on, versions: vec![version], codes: Vec::new() }
}

/// The name that the reporter of a commune signs in with.
pub fn login(commune: usize) -> String {
    format!("reporter.{commune:02}")
}

/// The name that the administrator of the province signs in with.
pub const ADMIN: &str = "admin";
/// The name that the department of the province signs in with.
pub const DEPARTMENT: &str = "department";

/// The user with this number: the reporters of the communes come first.
pub fn user(number: usize) -> Uuid {
    muong_domain::id::derived("bench user", &[&number.to_be_bytes()])
}

/// A reporter for each commune, after them one for everything, and those who administer and erase.
fn hire(tx: &mut Tx<'_>, communes: usize, password_hash: &str) -> Result<Outcome<(), String>, StoreError> {
    let since: DateTime<Utc> = DateTime::from_timestamp(1_751_331_600, 0).unwrap_or_default(); // 1 July 2025
    let reporters = (0..communes).map(|commune| (login(commune), Role::Cadre, committee(commune)));
    let offices = [
        (login(communes), Role::Cadre),
        (ADMIN.to_owned(), Role::Admin),
        (DEPARTMENT.to_owned(), Role::ProvincialReviewer),
    ];
    let offices = offices.into_iter().map(|(login, role)| (login, role, PROVINCE));
    for (number, (login, role, unit)) in reporters.chain(offices).enumerate() {
        let (Ok(username), Ok(display_name)) = (Username::parse(&login), Label::parse(&login)) else {
            return Ok(Outcome::Refuse(login));
        };
        let user = user(number).into();
        let new = NewUser { id: user, username, display_name, password_hash: password_hash.to_owned() };
        let grant = NewGrant {
            id: muong_domain::id::derived("bench grant", &[&number.to_be_bytes()]).into(),
            user,
            role,
            unit: unit.into(),
            valid_from: since,
            valid_to: None,
        };
        if let Err(refusal) = users::add(tx, &OPERATOR, &new)? {
            return Ok(Outcome::Refuse(refusal.to_string()));
        }
        if let Err(refusal) = grants::add(tx, &OPERATOR, &grant)? {
            return Ok(Outcome::Refuse(refusal.to_string()));
        }
    }
    Ok(Outcome::Commit(()))
}

/// Each reporter signs in once, and registers further phones: a password is slow to check on purpose.
fn sign_in_all(address: &str) -> Fallible<(Vec<Phone>, String)> {
    let each = PHONES / COMMUNES;
    let mut phones = Vec::with_capacity(PHONES);
    for commune in 0..COMMUNES {
        let first = sign_in(address, commune)?;
        let token = text(&first["access_token"])?.to_owned();
        phones.push(phone(phones.len(), &first)?);
        for n in 1..each {
            let body = json!({"name": (n + 1).to_string()});
            let further = post(&format!("{address}/v1/devices"), Some(&token), &body)?;
            phones.push(phone(phones.len(), &further)?);
        }
    }
    let overseer = text(&sign_in(address, COMMUNES)?["access_token"])?.to_owned();
    Ok((phones, overseer))
}

fn sign_in(address: &str, commune: usize) -> Fallible<Value> {
    let body = json!({"username": login(commune), "password": PASSWORD, "device": {"name": "1"}});
    post(&format!("{address}/v1/auth/sign-in"), None, &body)
}

fn phone(number: usize, signed_in: &Value) -> Fallible<Phone> {
    let device = text(&signed_in["device"]["id"])?.parse()?;
    Ok(Phone::new(number, device, text(&signed_in["access_token"])?.to_owned()))
}

fn text(value: &Value) -> Fallible<&str> {
    value.as_str().ok_or_else(|| "an answer without what it should hold".into())
}

/// Asks until it is answered; a limiter says when to come back.
fn post(address: &str, token: Option<&str>, body: &Value) -> Fallible<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    for _ in 0..PATIENCE {
        let request = token
            .iter()
            .fold(agent.post(address), |request, token| request.header("authorization", format!("Bearer {token}")));
        let mut answer = request.send_json(body)?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        match (status, wait) {
            (200 | 201, _) => return Ok(answer.body_mut().read_json()?),
            (429 | 503, Some(seconds)) => sleep(Duration::from_secs(seconds)),
            _ => return Err(format!("POST {address}: {status}: {}", answer.body_mut().read_to_string()?).into()),
        }
    }
    Err(format!("POST {address}: told to come back {PATIENCE} times").into())
}
