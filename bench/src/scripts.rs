//! The loads that are measured, each prepared to the last byte.

use crate::load::{Expected, Lane, Load};
use crate::phones::{Phone, Seen, get, redirected};
use std::time::Duration;

/// Connections that push at once.
pub const CONNECTIONS: usize = 32;
/// Submissions of a batch.
pub const BATCH: usize = 50;
/// Where nothing ends before its lanes do.
const UNTIL_SENT: Duration = Duration::from_secs(24 * 3600);

/// Deals phones out to connections, and asks each in turn for its next request.
fn deal(phones: &mut [Phone], requests: usize, mut make: impl FnMut(&mut Phone) -> Vec<u8>) -> Vec<Lane> {
    let each = requests.div_ceil(CONNECTIONS);
    let turns = phones.len() / CONNECTIONS;
    let mut lane = |n: usize| (0..each).map(|k| make(&mut phones[k % turns * CONNECTIONS + n])).collect();
    (0..CONNECTIONS).map(&mut lane).collect()
}

/// New reports, `batch` in a request, until `limit` or until `requests` are sent.
pub fn creates(phones: &mut [Phone], batch: usize, requests: usize, limit: Option<Duration>) -> Load {
    Load {
        lanes: deal(phones, requests, |phone| phone.creates(batch)),
        repeats: false,
        limit: limit.unwrap_or(UNTIL_SENT),
        items: batch,
        expected: Expected::pushed(r#""status":"accepted""#, batch),
    }
}

/// The reports of each phone, corrected: `requests` of `batch` each, from the one on that `first` names for its phone.
pub fn edits(phones: &mut [Phone], first: &[u64], batch: usize, requests: usize, seen: Seen) -> Load {
    let mut next = first.to_vec();
    let edit = |phone: &mut Phone| {
        let from = next[phone.number()];
        next[phone.number()] += batch as u64;
        phone.edits(from, batch, seen)
    };
    Load {
        lanes: deal(phones, requests, edit),
        repeats: false,
        limit: UNTIL_SENT,
        items: batch,
        expected: Expected::pushed(r#""status":"merged""#, batch),
    }
}

/// One question, over and over; each connection as another phone where it needs a token.
pub fn questions(phones: Option<&[Phone]>, path: &str, limit: Duration) -> Load {
    let lane = |n: usize| vec![get(path, phones.map(|phones| phones[n].token()))];
    Load {
        lanes: (0..CONNECTIONS).map(lane).collect(),
        repeats: true,
        limit,
        items: 1,
        expected: Expected::status(200),
    }
}

/// The bodies of a load of pushes, to another path; answered by a bare 204.
pub fn to_floor(load: Load, path: &str, repeats: bool) -> Load {
    let lanes = load.lanes.into_iter().map(|lane| lane.iter().map(|request| redirected(request, path)).collect());
    Load { lanes: lanes.collect(), repeats, expected: Expected::status(204), ..load }
}
