//! What somebody may know of now, as plain SQL over the tables of record says it: another way to the answer than the
//! product's, which expands grants in memory and walks the feed.

use chrono::{DateTime, SecondsFormat, Utc};
use muong_store::Connection;
use muong_tests::builders::MEETING;
use muong_tests::client::{text, uuid};
use muong_tests::database::texts;
use muong_tests::province::user_id;
use muong_tests::{Backend, TestApp};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What somebody may know of.
#[derive(Debug)]
pub struct Seen {
    /// Records that are there, as `id:v` with the id in plain hexadecimal digits.
    pub live: BTreeSet<String>,
    /// Records that were withdrawn.
    pub gone: BTreeSet<Uuid>,
    /// Units.
    pub units: BTreeSet<Uuid>,
    /// Their own grants, whether they hold or not.
    pub grants: BTreeSet<Uuid>,
    records: BTreeSet<Uuid>,
}

impl Seen {
    /// By somebody, now.
    pub fn by(conn: &mut Connection, app: &TestApp, login: &str) -> Self {
        let of = Dialect(app.backend());
        let (user, now) = (of.uuid(user_id(login)), of.instant(app.now()));
        let mine = format!(
            "g.user_id = {user} AND NOT g.ended AND g.valid_from <= {now} AND (g.valid_to IS NULL OR g.valid_to > {now})"
        );
        let mut ask = |select: String| texts(conn, &select);
        let ids =
            |names: Vec<String>| names.iter().map(|name| name.parse().expect("an id")).collect::<BTreeSet<Uuid>>();
        let records: Vec<[String; 3]> = ask(of.records(&mine)).iter().map(|name| parts(name)).collect();
        let is_live = |[_, _, state]: &&[String; 3]| state == "live";
        let gone: Vec<String> = records.iter().filter(|record| !is_live(record)).map(|[id, ..]| id.clone()).collect();
        Self {
            live: records.iter().filter(is_live).map(|[id, v, _]| format!("{id}:{v}")).collect(),
            gone: ids(gone),
            units: ids(ask(of.units(&mine))),
            grants: ids(ask(format!("SELECT {} AS name FROM grants g WHERE g.user_id = {user}", of.hex("g.id")))),
            records: ids(records.iter().map(|[id, ..]| id.clone()).collect()),
        }
    }

    /// Whether they may be told this.
    pub fn allows(&self, message: &Value) -> bool {
        let id = |member: &str| uuid(&message[member]);
        match (text(&message["t"]), message["kind"].as_str(), message["code"].as_str()) {
            ("put", Some("unit"), _) => self.units.contains(&id("id")),
            ("put", Some("grant"), _) => self.grants.contains(&id("id")),
            ("put", Some("form"), _) | ("purge" | "purge_scope", ..) => true,
            ("put", ..) => self.live.contains(&format!("{}:{}", id("id").simple(), message["v"])),
            ("tombstone", ..) => self.gone.contains(&id("id")),
            ("alias", ..) => self.records.contains(&id("record")),
            ("notice", _, Some("conflict.decided")) => self.records.contains(&id("about")),
            ("notice", ..) => true,
            _ => false,
        }
    }
}

fn parts(name: &str) -> [String; 3] {
    let parts: Vec<String> = name.split(':').map(str::to_owned).collect();
    parts.try_into().expect("an id, a version, a state")
}

/// How a database writes what the questions need.
pub struct Dialect(pub Backend);

impl Dialect {
    /// A UUID.
    pub fn uuid(&self, id: Uuid) -> String {
        match self.0 {
            Backend::Sqlite => format!("x'{}'", id.simple()),
            Backend::Postgres => format!("'{id}'::uuid"),
        }
    }

    fn instant(&self, at: DateTime<Utc>) -> String {
        match self.0 {
            Backend::Sqlite => at.timestamp_micros().to_string(),
            Backend::Postgres => format!("'{}'::timestamptz", at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        }
    }

    /// A column of UUIDs in plain hexadecimal digits.
    pub fn hex(&self, column: &str) -> String {
        match self.0 {
            Backend::Sqlite => format!("lower(hex({column}))"),
            Backend::Postgres => format!("replace({column}::text, '-', '')"),
        }
    }

    /// Of everybody who has been erased nothing is there any more.
    pub fn is_erased(&self) -> &'static str {
        "EXISTS (SELECT 1 FROM data_keys k WHERE k.kind = 'person' AND k.owner = r.subject AND k.wrapped IS NULL)"
    }

    /// Records below a grant that shows them to a phone: the province gets no copies of persons.
    fn records(&self, mine: &str) -> String {
        format!(
            "SELECT DISTINCT {} || ':' || r.version || ':' || r.state AS name FROM records r \
             JOIN unit_closure c ON c.descendant_id = r.unit_id JOIN grants g ON g.unit_id = c.ancestor_id \
             WHERE {mine} AND NOT {} AND (g.role IN ('cadre', 'commune_reviewer') \
             OR (g.role IN ('liaison', 'provincial_reviewer') AND r.form = '{MEETING}'))",
            self.hex("r.id"),
            self.is_erased()
        )
    }

    /// Units below a grant, and those above it.
    fn units(&self, mine: &str) -> String {
        let side = |seen: &str, granted: &str| {
            let seen = self.hex(&format!("c.{seen}"));
            format!("SELECT {seen} AS name FROM unit_closure c JOIN grants g ON g.unit_id = c.{granted} WHERE {mine}")
        };
        format!("{} UNION {}", side("descendant_id", "ancestor_id"), side("ancestor_id", "descendant_id"))
    }
}
