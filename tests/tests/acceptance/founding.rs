//! A server of one's own, as the README tells it: units from the public data and from a table, a first administrator,
//! and somebody who reports.

use chrono::DateTime;
use muong_server::cli::{PasswordArgs, UnitCommand, UnitImportArgs, UserAddArgs, UserCommand, UserGrantArgs};
use muong_server::clock::{Clock, Entropy};
use muong_server::commands::{unit, user};
use muong_server::config::{Config, Secret};
use muong_tests::app::MORNING;
use muong_tests::builders::meeting;
use muong_tests::client::{text, uuid};
use muong_tests::database::TestDatabase;
use muong_tests::province::{ADMIN, MASTER_KEY, PASSWORD, SECRETARY};
use muong_tests::{Backend, TestApp};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use tempfile::TempDir;

const BRANCHES: &str = "\u{feff}code;kind;name;parent;founded_on;covers\r\n\
    own:cb-01;branch;Chi bộ bản Huổi Sang;gso:03160;1996-05-19;own:b-01 own:b-02\r\n\
    own:b-01;village;Bản Huổi Sang;gso_commune:03160;;\r\n\
    own:b-02;village;Bản Huổi Cảnh;gso_commune:03160;;\r\n";

/// The shell of a server that does not run.
struct Shell {
    config: Config,
    clock: Clock,
    folder: TempDir,
}

impl Shell {
    fn of(database: &TestDatabase) -> Self {
        let folder = TempDir::with_prefix("muong-test-").expect("a temporary folder");
        let url = Secret::new(database.url().to_owned());
        let morning = DateTime::parse_from_rfc3339(MORNING).expect("an instant").timestamp_micros();
        let clock = Clock::Set(Box::leak(Box::new(AtomicI64::new(morning))));
        Self {
            clock,
            config: Config {
                database_url: url,
                data_dir: folder.path().to_owned(),
                master_key: Some(Secret::new(MASTER_KEY.to_owned())),
                ..Config::default()
            },
            folder,
        }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn unit(&self, command: &UnitCommand) -> Result<String, String> {
        let mut out = Vec::new();
        unit::run(command, &self.config, self.clock, &Entropy::System, &mut out).map_err(|e| e.to_string())?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn import(&self, table: &str) -> Result<String, String> {
        self.unit(&UnitCommand::Import(UnitImportArgs { file: self.file("units.csv", table) }))
    }

    fn user(&self, command: UserCommand) {
        let mut out = Vec::new();
        user::run(command, &self.config, self.clock, &Entropy::System, &mut out).expect("the command does it");
    }

    fn employ(&self, login: &str, role: &str, unit: &str) {
        let password = PasswordArgs { password_file: Some(self.file("password", PASSWORD)) };
        self.user(UserCommand::Add(UserAddArgs { login: login.to_owned(), name: None, password }));
        let (login, role, unit) = (login.to_owned(), role.to_owned(), unit.to_owned());
        self.user(UserCommand::Grant(UserGrantArgs { login, role, unit, from: None, to: None }));
    }
}

fn founded(answer: &str) -> (&str, &str) {
    let numbers: Vec<&str> = answer.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    (numbers[0], numbers[1])
}

fn a_server_of_ones_own_is_founded_from_nothing(backend: Backend) {
    let database = TestDatabase::empty(backend);
    let shell = Shell::of(&database);
    assert_eq!(founded(&shell.unit(&UnitCommand::Found).expect("it is founded")), ("92", "0"));
    assert_eq!(founded(&shell.unit(&UnitCommand::Found).expect("it is left as it is")), ("0", "92"));
    let wrong = BRANCHES.replace("gso:03160", "gso:3160").replace("own:b-02;village", "own:b-02;hamlet");
    let refused = shell.import(&wrong).expect_err("its codes are wrong");
    assert!(refused.contains("line 2, gso:3160: ") && refused.contains("line 4, hamlet: "), "{refused}");
    assert_eq!(founded(&shell.import(BRANCHES).expect("it is imported")), ("3", "0"));
    let longer = format!("{BRANCHES}own:cb-02;branch;Chi bộ Trạm Y tế;gso:03160;;\r\n");
    assert_eq!(founded(&shell.import(&longer).expect("it is imported")), ("1", "3"));
    shell.employ(ADMIN, "admin", "gso:11");
    shell.employ(SECRETARY, "cadre", "own:cb-01");
    let app = TestApp::serve(backend, database, |_| {});
    let (admin, secretary) = (app.sign_in(ADMIN), app.sign_in(SECRETARY));
    let of_code = |code: &str| admin.read(&format!("/v1/units?code={code}"))["items"][0].clone();
    let (branch, committee): (Value, Value) = (of_code("own:cb-01"), of_code("gso:03160"));
    assert_eq!((&branch["parent"], text(&committee["name"])), (&committee["id"], "Đảng ủy xã Mường Nhé"));
    assert_eq!((text(&branch["founded_on"]), &branch["active"]), ("1996-05-19", &Value::Bool(true)));
    assert_eq!(admin.read("/v1/units?kind=commune_committee&limit=500")["items"].as_array().map(Vec::len), Some(45));
    secretary.reports_as("accepted", meeting(uuid(&branch["id"])));
}

#[test]
fn a_server_of_ones_own_is_founded_from_nothing_on_sqlite() {
    a_server_of_ones_own_is_founded_from_nothing(Backend::Sqlite);
}

#[test]
fn a_server_of_ones_own_is_founded_from_nothing_on_postgres() {
    a_server_of_ones_own_is_founded_from_nothing(Backend::Postgres);
}
