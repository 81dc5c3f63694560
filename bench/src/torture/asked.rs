//! Questions to a database past the program, in the words of either.

use crate::Fallible;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use muong_store::Connection;
use uuid::Uuid;

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Text>)]
    other: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    text: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    n: Option<i64>,
}

/// A row of what was asked for.
#[derive(Clone, Debug)]
pub struct Row {
    /// An id.
    pub id: Uuid,
    /// Another one.
    pub other: Option<Uuid>,
    /// A text.
    pub text: Option<String>,
    /// A number.
    pub n: i64,
}

/// What to ask for: columns, `NULL` for what is not wanted.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// A column of ids.
    pub id: &'a str,
    /// Another one.
    pub other: &'a str,
    /// A column of texts, or what is one as a text.
    pub text: &'a str,
    /// A column of numbers.
    pub n: &'a str,
}

impl Columns<'_> {
    /// None but the ids.
    pub const ID: Self = Self { id: "id", other: "NULL", text: "NULL", n: "NULL" };
}

/// An id as a database has it.
pub fn id(conn: &Connection, id: Uuid) -> String {
    match conn {
        Connection::Sqlite(_) => format!("x'{}'", id.simple()),
        Connection::Postgres(_) => format!("'{}'::uuid", id.hyphenated()),
    }
}

/// Asks; `from` is all that follows the columns.
pub fn rows(conn: &mut Connection, columns: Columns<'_>, from: &str) -> Fallible<Vec<Row>> {
    let Columns { id, other, text, n } = columns;
    let select = |id: String, other: String| {
        format!(
            "SELECT {id} AS id, {other} AS other, CAST({text} AS text) AS text, CAST({n} AS bigint) AS n FROM {from}"
        )
    };
    let answers: Vec<Answer> = match conn {
        Connection::Sqlite(conn) => {
            let hex = |column: &str| format!("CASE WHEN {column} IS NULL THEN NULL ELSE lower(hex({column})) END");
            sql_query(select(hex(id), hex(other))).load(conn)?
        }
        Connection::Postgres(conn) => {
            let text = |column: &str| format!("CAST({column} AS text)");
            sql_query(select(text(id), text(other))).load(conn)?
        }
    };
    let row = |Answer { id, other, text, n }: Answer| {
        let other = other.map(|other| other.parse()).transpose()?;
        Ok(Row { id: id.parse()?, other, text, n: n.unwrap_or_default() })
    };
    answers.into_iter().map(row).collect()
}
