//! The signing keys of a running process: what the file held when it was last looked at. Owns when to look again, so
//! that keys are changed without a restart and without signing anybody out. What a key file says is `token`'s.

use super::token::{AccessClaims, Bearer, KeyError, Keys, TokenError};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How often, in µs, a process asks whether the file is another one: at most so often, when it has anything to do.
const LOOK_EVERY: u64 = 1_000_000;
/// The same when a token names a key that is unknown here: another process may have changed keys a moment ago. Whoever
/// makes up names of keys costs us no more than this.
const LOOK_FOR_A_STRANGER: u64 = 50_000;

/// The keys, and the file that they come from.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    issuer: String,
    audience: String,
    held: RwLock<(Arc<Keys>, Stamp)>,
    /// Counts the changes of keys: what was believed before counts no longer.
    generation: AtomicU64,
    /// When the file was last looked at, in µs since 1970.
    looked_at: AtomicI64,
}

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, KeyError> {
        let file = std::fs::metadata(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(Self { inode: file.ino(), modified: (file.mtime(), file.mtime_nsec()), size: file.size() })
    }
}

/// What an access token said when it was believed, and by which state of the keys.
#[derive(Clone, Debug)]
pub struct Believed {
    /// The claims.
    pub claims: Arc<AccessClaims>,
    generation: u64,
}

impl Keyring {
    /// Reads the keys of a file.
    pub fn open(path: &Path, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        // Before the keys: a change in between is noticed at the next look.
        let stamp = Stamp::of(path)?;
        let keys = Keys::load(path, issuer, audience)?;
        Ok(Self {
            path: path.to_owned(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            held: RwLock::new((Arc::new(keys), stamp)),
            generation: AtomicU64::new(0),
            looked_at: AtomicI64::new(0),
        })
    }

    /// Signs an access token with the newest key.
    pub fn issue(&self, who: Bearer, now: DateTime<Utc>, seconds: u32) -> Result<String, TokenError> {
        self.look_again(now, LOOK_EVERY);
        self.keys().issue(who, now, seconds)
    }

    /// Believes a token or not.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Believed, TokenError> {
        // Before the keys: what was verified by old ones must not pass for verified by new ones.
        let generation = self.generation.load(Ordering::Acquire);
        let keys = self.keys();
        let claims = match keys.verify(token, now) {
            Err(TokenError::Invalid) if !keys.knows(token) && self.look_again(now, LOOK_FOR_A_STRANGER) => {
                return self.verify_once(token, now);
            }
            verified => verified?,
        };
        Ok(Believed { claims: Arc::new(claims), generation })
    }

    fn verify_once(&self, token: &str, now: DateTime<Utc>) -> Result<Believed, TokenError> {
        let generation = self.generation.load(Ordering::Acquire);
        Ok(Believed { claims: Arc::new(self.keys().verify(token, now)?), generation })
    }

    /// Whether what was believed once is still to be believed as far as keys go; its time is the caller's to check.
    pub fn still_believes(&self, believed: &Believed, now: DateTime<Utc>) -> bool {
        self.look_again(now, LOOK_EVERY);
        believed.generation == self.generation.load(Ordering::Acquire)
    }

    /// The public keys that tokens are verified by (RFC 7517), for others who want to verify them.
    pub fn public(&self, now: DateTime<Utc>) -> Value {
        self.look_again(now, LOOK_EVERY);
        self.keys().public(now)
    }

    /// Reads the file again, if it is another one than before; true when there are new keys. Keeps the old keys when
    /// the new ones cannot be read.
    pub fn reload(&self) -> Result<bool, KeyError> {
        let stamp = Stamp::of(&self.path)?;
        if self.held.read().unwrap_or_else(PoisonError::into_inner).1 == stamp {
            return Ok(false);
        }
        let keys = Arc::new(Keys::load(&self.path, &self.issuer, &self.audience)?);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        *held = (keys, stamp);
        self.generation.fetch_add(1, Ordering::AcqRel);
        tracing::info!(path = %self.path.display(), kid = held.0.kid(), "new signing keys are in use");
        Ok(true)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Looks at the file, unless somebody has a moment ago; true when there are new keys. A file of some hundred bytes,
    /// whose metadata the kernel has at hand: no work for another thread.
    fn look_again(&self, now: DateTime<Utc>, every: u64) -> bool {
        let (now, before) = (now.timestamp_micros(), self.looked_at.load(Ordering::Acquire));
        if now.abs_diff(before) < every
            || self.looked_at.compare_exchange(before, now, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return false;
        }
        self.reload().unwrap_or_else(|error| {
            tracing::error!(%error, "the signing keys cannot be read again; the old ones stay in use");
            false
        })
    }
}
