//! How many files and connections the system lets this process have. Most systems begin with 1,024, however many they
//! would allow; a server that wants more has to ask.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beside connections: databases, their logs, temporary files, sockets of the process itself.
const OTHERS: u64 = 128;

/// What this configuration may need when everything is in use.
pub fn needed(config: &Config) -> u64 {
    // A reader of SQLite has the file, its log and their index open.
    let readers = config.readers.get().saturating_mul(3);
    (config.http.connections.get().saturating_add(readers) as u64).saturating_add(OTHERS)
}

/// The most that the system allows; none when it does not say.
pub fn allowed() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Asks for `needed`, or for as many as there may be.
pub fn raise(needed: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let wanted = maximum.map_or(needed, |most| most.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) if wanted < needed => {
            tracing::warn!(wanted, needed, "the system allows fewer open files than http.connections may need");
        }
        Ok(()) => {}
        Err(error) => tracing::warn!(%error, needed, "the limit of open files could not be raised"),
    }
}
