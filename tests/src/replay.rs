//! Property 5 of the design, for whatever a test has done to a store: the log alone rebuilds it, in an empty database,
//! down to the last hash of its chain.

use crate::database::{Backend, TestDatabase};
use crate::province;
use chrono::{DateTime, Utc};
use muong_server::config::Limits;
use muong_server::usecases::replay_log::replay_log;

use muong_store::{
    Database, DatabaseUrl, Outcome, Writer, WriterOptions, establish_epoch, log, migrate, seal, state_hash,
};
use std::sync::Arc;
use uuid::Uuid;

/// Rebuilds a store from its log in a new database, compares, and gives out the copy. `what` tells which store it was when
/// they differ.
#[track_caller]
pub fn rebuilds_the_same_store(source: &Database, backend: Backend, what: &str) -> TestDatabase {
    let broken = source.read(|snapshot| log::first_break(snapshot)).expect("a log");
    assert_eq!(broken, None, "{what}: the log has a gap or a false link");
    let copy = TestDatabase::empty(backend);
    let url = DatabaseUrl::parse(copy.url()).expect("an address");
    let mut conn = url.open().expect("a database");
    migrate(&mut conn).expect("migrations");
    let now: DateTime<Utc> = crate::app::MORNING.parse().expect("an instant");
    establish_epoch(&mut conn, Uuid::from_u128(77), now).expect("an epoch");
    drop(conn);
    let vault = province::vault();
    let clock = Arc::new(move || now);
    let (writer, thread) =
        Writer::start(url.clone(), vault.clone(), Arc::default(), WriterOptions::default(), clock).expect("a writer");
    province::commit::<_, ()>(&writer, |tx| seal::establish(tx).map(Outcome::Commit));
    replay_log(source, &writer, &Limits::default()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    drop(writer);
    thread.join().expect("the writer stops");
    let target = Database::open(url, Some(vault), 1).expect("readers");
    let state = |of: &Database| of.read(|r| Ok((state_hash(r)?, r.head()?.chain))).expect("a state");
    let (ours, theirs) = (state(source), state(&target));
    assert_eq!(theirs.1, ours.1, "{what}: the replay made another log");
    assert_eq!(theirs.0, ours.0, "{what}: the replay made another store");
    copy
}
