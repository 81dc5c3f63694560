//! What the machine gives without us: the same web framework with nothing behind it, a batch that is read and dropped,
//! the bytes of a batch inserted as they came. Our figures are ratios to these, whatever the machine.

use crate::Fallible;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Array, Binary};
use diesel::{RunQueryDsl, sql_query};
use muong_domain::submission::Submission;
use muong_store::{Connection, DatabaseUrl};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// The path that answers nothing.
pub const EMPTY: &str = "/empty";
/// The path that reads a push and drops it.
pub const PARSED: &str = "/parsed";
/// The path that inserts the submissions of a push as bytes.
pub const INSERTED: &str = "/inserted";

/// As many pushes share a transaction as in the server.
const GROUP: usize = 128;
/// Values that one statement of SQLite may bind.
const BOUND: usize = 16_000;

/// Makes the one table.
pub fn prepare(url: &str) -> Fallible<()> {
    let (mut conn, bytes) = match DatabaseUrl::parse(url)?.open()? {
        Connection::Sqlite(conn) => (Either::Sqlite(conn), "BLOB"),
        Connection::Postgres(conn) => (Either::Postgres(conn), "BYTEA"),
    };
    let rowid = if matches!(conn, Either::Sqlite(_)) { " WITHOUT ROWID" } else { "" };
    conn.execute(&format!("CREATE TABLE floor (id {bytes} PRIMARY KEY, body {bytes} NOT NULL){rowid}"))
}

/// Serves until it is killed. One worker a core, as the server has.
pub fn serve(listen: SocketAddr, url: &str) -> Fallible<()> {
    let (queue, waiting) = sync_channel(1024);
    let url = DatabaseUrl::parse(url)?;
    std::thread::spawn(move || {
        if let Err(error) = insert_groups(&url, &waiting) {
            eprintln!("the floor's writer: {error}");
        }
    });
    let listener = TcpListener::bind(listen)?;
    let queue = Data::new(queue);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(queue.clone())
            .app_data(PayloadConfig::new(8 << 20))
            .route(EMPTY, web::get().to(HttpResponse::Ok))
            .route(PARSED, web::post().to(parsed))
            .route(INSERTED, web::post().to(inserted))
    });
    let workers = std::thread::available_parallelism()?.get();
    Ok(actix_web::rt::System::new().block_on(server.workers(workers).listen(listener)?.run())?)
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    submissions: Vec<&'a RawValue>,
}

fn answered(good: bool) -> HttpResponse {
    HttpResponse::new(if good { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR })
}

/// Frame and items, into the type that the server reads them as.
async fn parsed(body: Bytes) -> HttpResponse {
    let Ok(push) = serde_json::from_slice::<Push<'_>>(&body) else { return answered(false) };
    answered(push.submissions.iter().all(|raw| serde_json::from_str::<Submission>(raw.get()).is_ok()))
}

/// The id and the bytes of one submission.
type Row = (Vec<u8>, Vec<u8>);
type Waiting = (Vec<Row>, oneshot::Sender<bool>);

async fn inserted(body: Bytes, queue: Data<SyncSender<Waiting>>) -> HttpResponse {
    #[derive(Deserialize)]
    struct Named {
        id: uuid::Uuid,
    }
    let Ok(push) = serde_json::from_slice::<Push<'_>>(&body) else { return answered(false) };
    let row = |raw: &&RawValue| {
        let named: Named = serde_json::from_str(raw.get()).ok()?;
        Some((named.id.as_bytes().to_vec(), raw.get().as_bytes().to_vec()))
    };
    let Some(rows) = push.submissions.iter().map(row).collect() else { return answered(false) };
    let (reply, answer) = oneshot::channel();
    if queue.try_send((rows, reply)).is_err() {
        return answered(false);
    }
    answered(answer.await.unwrap_or(false))
}

/// Connections of diesel without the store's own rules.
enum Either {
    Sqlite(diesel::SqliteConnection),
    Postgres(diesel::PgConnection),
}

impl Either {
    fn execute(&mut self, statement: &str) -> Fallible<()> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(statement)?,
            Self::Postgres(conn) => conn.batch_execute(statement)?,
        }
        Ok(())
    }

    fn insert(&mut self, rows: &[Row]) -> Fallible<()> {
        match self {
            Self::Sqlite(conn) => {
                for rows in rows.chunks(BOUND / 2) {
                    let values = vec!["(?,?)"; rows.len()].join(",");
                    let query = sql_query(format!("INSERT INTO floor VALUES {values}")).into_boxed();
                    let query = rows.iter().fold(query, |query, (id, body)| {
                        query.bind::<Binary, _>(id.as_slice()).bind::<Binary, _>(body.as_slice())
                    });
                    query.execute(conn)?;
                }
            }
            Self::Postgres(conn) => {
                let (ids, bodies): (Vec<&[u8]>, Vec<&[u8]>) = rows.iter().map(|(id, b)| (&id[..], &b[..])).unzip();
                sql_query("INSERT INTO floor SELECT * FROM unnest($1, $2)")
                    .bind::<Array<Binary>, _>(ids)
                    .bind::<Array<Binary>, _>(bodies)
                    .execute(conn)?;
            }
        }
        Ok(())
    }
}

/// One writer, one transaction for all that waits: the same way of committing as ours, with nothing in it.
fn insert_groups(url: &DatabaseUrl, waiting: &Receiver<Waiting>) -> Fallible<()> {
    let mut conn = match url.open()? {
        Connection::Sqlite(conn) => Either::Sqlite(conn),
        Connection::Postgres(conn) => Either::Postgres(conn),
    };
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(GROUP - 1));
        let rows: Vec<Row> = group.iter_mut().flat_map(|(rows, _)| std::mem::take(rows)).collect();
        conn.execute("BEGIN")?;
        conn.insert(&rows)?;
        conn.execute("COMMIT")?;
        for (_, reply) in group {
            // Who has gone needs no answer.
            let _gone = reply.send(true);
        }
    }
    Ok(())
}
