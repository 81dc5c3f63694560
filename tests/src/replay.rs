//! Property 5 of the design, for whatever a test has done to a store: the log alone rebuilds it, in an empty database,
//! down to the last hash of its chain.

use crate::database::{Backend, TestDatabase};
use crate::province;
use muong_server::usecases::replay_log::{State, rebuild};
use muong_store::{Database, DatabaseUrl, log};

/// Rebuilds a store from its log in a new database, compares, and gives out the copy. `what` tells which store it was when
/// they differ.
#[track_caller]
pub fn rebuilds_the_same_store(source: &Database, backend: Backend, what: &str) -> TestDatabase {
    let broken = source.read(|snapshot| log::first_break(snapshot)).expect("a log");
    assert_eq!(broken, None, "{what}: the log has a gap or a false link");
    let copy = TestDatabase::empty(backend);
    let url = DatabaseUrl::parse(copy.url()).expect("an address");
    let now = crate::app::MORNING.parse().expect("an instant");
    let target = rebuild(source, url, &province::vault(), now).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let (ours, theirs) = (State::of(source).expect("a state"), State::of(&target).expect("a state"));
    assert_eq!(theirs.chain, ours.chain, "{what}: the replay made another log");
    assert_eq!(theirs.store, ours.store, "{what}: the replay made another store");
    copy
}
