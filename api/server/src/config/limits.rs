//! How much one request may carry, and how often things may be tried.

use serde::{Deserialize, Serialize};

/// What one request may carry; advertised at `GET /v1/sync/limits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Submissions in one push. Default 500.
    pub submissions: usize,
    /// Bytes as they come over the wire. Default 1 MiB.
    pub wire_bytes: usize,
    /// Bytes after inflation. Default 8 MiB.
    pub inflated_bytes: usize,
    /// Bytes of one submission. Default 256 KiB.
    pub submission_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { submissions: 500, wire_bytes: 1 << 20, inflated_bytes: 8 << 20, submission_bytes: 256 << 10 }
    }
}

/// How often things may be tried: so many at once, so many a minute in the long run (0: no limit). Budgets of addresses
/// and devices are kept by each process for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Attempts to sign in to one account that may fail before it takes pauses. Default 10.
    pub sign_in_free: u32,
    /// The longest pause between two such attempts. Low, because it also keeps out whoever the account belongs to, on
    /// a device that it does not know. Default 60.
    pub sign_in_longest_wait_seconds: u32,
    /// Failed attempts to sign in from one address. High, because half a province may share one. Default 100.
    pub address_burst: u32,
    /// The same a minute. Default 60.
    pub address_per_minute: u32,
    /// Sessions that one user opens with the right password: each costs a hash, and a row or two that stay. Default 120.
    pub session_burst: u32,
    /// The same a minute. Default 6.
    pub session_per_minute: u32,
    /// Refreshes of one session. A phone makes one in the life of an access token, which is half a minute at least; each
    /// leaves a token that must be known, should it come again, for as long as the session lives. Default 60.
    pub refresh_burst: u32,
    /// The same a minute. Default 4.
    pub refresh_per_minute: u32,
    /// Pushes of one device. Default 1000.
    pub push_requests_burst: u32,
    /// The same a minute. Default 1200.
    pub push_requests_per_minute: u32,
    /// Pulls of one device: a phone that begins anew takes one for each page. Default 3000.
    pub pull_requests_burst: u32,
    /// The same a minute. Default 1200.
    pub pull_requests_per_minute: u32,
    /// Submissions of one device; one of more than 4 KiB counts as several. Default 50000: years of reports, in case a phone
    /// has to send all again.
    pub push_submissions_burst: u32,
    /// The same a minute. Default 30000.
    pub push_submissions_per_minute: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            sign_in_free: 10,
            sign_in_longest_wait_seconds: 60,
            address_burst: 100,
            address_per_minute: 60,
            session_burst: 120,
            session_per_minute: 6,
            refresh_burst: 60,
            refresh_per_minute: 4,
            push_requests_burst: 1_000,
            push_requests_per_minute: 1_200,
            pull_requests_burst: 3_000,
            pull_requests_per_minute: 1_200,
            push_submissions_burst: 50_000,
            push_submissions_per_minute: 30_000,
        }
    }
}
