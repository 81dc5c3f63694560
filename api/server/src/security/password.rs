//! Passwords: their rules, and their hashing by argon2id off the async threads, so many at a time and no more.
//! Keeps the work for an unknown user equal to that for a wrong password. Knows neither users nor sessions.

use crate::clock::Entropy;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a new password (OWASP ASVS 4.0.3, 2.1.1). No rules of composition (NIST SP 800-63B-4, 3.1.1.2).
pub const MIN_CHARS: usize = 12;
/// The most bytes that are hashed: enough for any pass phrase, too few to be a burden.
pub const MAX_BYTES: usize = 1024;

/// Stands for the hash of those who have no password: nobody signs in with their name.
pub const NO_PASSWORD: &str = "!";

/// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Why a password was not taken or not checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`MIN_CHARS`] characters.
    #[error("the password is too short")]
    TooShort,
    /// More than [`MAX_BYTES`] bytes.
    #[error("the password is too long")]
    TooLong,
    /// So many are being checked that this one would wait too long.
    #[error("too many passwords are being checked")]
    Busy,
    /// The machine failed: no memory, or a stopped thread pool.
    #[error("the password could not be hashed")]
    Failed,
}

/// A new password that satisfies the rules, normalised (NFC), so that it is the same from every keyboard.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Checks the rules for a new password. Characters are counted as Unicode code points (NIST SP 800-63B-4, 3.1.1.2).
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let normalised: String = text.nfc().collect();
        if normalised.chars().count() < MIN_CHARS {
            return Err(PasswordError::TooShort);
        }
        Ok(Self(normalised))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Hashes and checks passwords, a bounded number at a time. One for each process; share it by `Arc`.
pub struct Passwords {
    gate: Arc<Semaphore>,
    inside: AtomicUsize,
    most_inside: usize,
    /// The hash that is checked for a user who does not exist.
    nobody: String,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("most_inside", &self.most_inside).finish_non_exhaustive()
    }
}

impl Passwords {
    /// At most `at_once` together, and `waiting_for_each` more for each of them.
    pub fn new(at_once: NonZeroUsize, waiting_for_each: usize, entropy: &Entropy) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(at_once.get())),
            inside: AtomicUsize::new(0),
            most_inside: at_once.get().saturating_mul(waiting_for_each.saturating_add(1)),
            nobody: hash_of_nothing(entropy),
        }
    }

    /// How many wait or run now.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: Password, entropy: &Entropy) -> Result<String, PasswordError> {
        let salt: [u8; 16] = entropy.bytes();
        let place = self.reserve()?;
        self.run(place, move || hash_now(password.0.as_bytes(), &salt)).await?
    }

    /// A place among those who wait or run, for whoever must do something else first that is lost when there is none.
    pub fn reserve(&self) -> Result<Place<'_>, PasswordError> {
        Place::take(&self.inside, self.most_inside).ok_or(PasswordError::Busy)
    }

    /// Whether `attempt` is the password behind `stored`; without one (no such user, or a user who has none) the same work
    /// and `false`.
    pub async fn verify(&self, place: Place<'_>, attempt: &str, stored: Option<String>) -> Result<bool, PasswordError> {
        let (attempt, stored) = match stored.filter(|stored| stored != NO_PASSWORD) {
            Some(stored) if attempt.len() <= MAX_BYTES => (attempt.nfc().collect::<String>(), stored),
            // Nobody's password is that long; and the empty one is nobody's either.
            _ => (String::new(), self.nobody.clone()),
        };
        self.run(place, move || verify_now(attempt.as_bytes(), &stored)).await?
    }

    /// Runs `work` on the blocking pool when there is room.
    async fn run<T: Send + 'static>(
        &self,
        _place: Place<'_>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.gate).acquire_owned().await.map_err(|_closed| PasswordError::Failed)?;
        // The permit goes with the work: a client that leaves does not make room while its hash still runs.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|_stopped| PasswordError::Failed)
    }
}

/// A place among those who wait or run; given back when dropped, also by a client that leaves.
#[derive(Debug)]
pub struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(inside: &'a AtomicUsize, most: usize) -> Option<Self> {
        inside
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < most).then_some(now + 1))
            .ok()
            .map(|_before| Self(inside))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn argon2id() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes on this thread, for commands that have nobody else waiting.
pub fn hash_blocking(password: &Password, entropy: &Entropy) -> Result<String, PasswordError> {
    hash_now(password.0.as_bytes(), &entropy.bytes())
}

fn hash_now(password: &[u8], salt: &[u8; 16]) -> Result<String, PasswordError> {
    let hash: PasswordHash = argon2id()?.hash_password_with_salt(password, salt).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

/// What no password is known to hash to, with the parameters of a new hash: checked for the users who do not exist. Not
/// made by hashing, which would take its 19 MiB at every start.
fn hash_of_nothing(entropy: &Entropy) -> String {
    let (salt, output): ([u8; 16], [u8; 32]) = (entropy.bytes(), entropy.bytes());
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}")
}

/// The parameters of the stored hash count, so that older hashes stay valid when the defaults rise.
fn verify_now(attempt: &[u8], stored: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::Failed)?;
    Ok(argon2id()?.verify_password(attempt, &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(at_once: usize) -> Passwords {
        Passwords::new(NonZeroUsize::new(at_once).unwrap(), 16, &Entropy::seeded(1))
    }

    #[test]
    fn nobodys_hash_costs_what_a_new_one_does() {
        let entropy = Entropy::seeded(1);
        let (nobody, new) = (hash_of_nothing(&entropy), hash_now(b"correct horse", &entropy.bytes()).unwrap());
        let parts = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), hash.hash.map(|output| output.len()))
        };
        assert_eq!(parts(&nobody), parts(&new));
        assert_eq!(verify_now(b"", &nobody), Ok(false));
    }

    async fn verify(passwords: &Passwords, attempt: &str, stored: Option<String>) -> Result<bool, PasswordError> {
        passwords.verify(passwords.reserve()?, attempt, stored).await
    }

    #[test]
    fn a_new_password_has_twelve_characters_however_they_are_typed() {
        assert_eq!(Password::parse("ngắn quá nhé").map(|p| p.0.chars().count()), Ok(12));
        // Eleven characters, in NFD many more code points: still eleven.
        let decomposed: String = "ngắn quá nh".nfd().collect();
        assert_eq!(Password::parse(&decomposed).unwrap_err(), PasswordError::TooShort);
        assert_eq!(Password::parse(&"x".repeat(1025)).unwrap_err(), PasswordError::TooLong);
        assert!(Password::parse(&"x".repeat(1024)).is_ok());
    }

    #[actix_web::test]
    async fn a_password_is_recognised_in_both_normal_forms_and_another_is_not() {
        let passwords = passwords(2);
        let text = "Mường Nhé 03160";
        let stored = passwords.hash(Password::parse(text).unwrap(), &Entropy::System).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let decomposed: String = text.nfd().collect();
        assert!(verify(&passwords, text, Some(stored.clone())).await.unwrap());
        assert!(verify(&passwords, &decomposed, Some(stored.clone())).await.unwrap());
        assert!(!verify(&passwords, "Muong Nhe 03160", Some(stored.clone())).await.unwrap());
        assert!(!verify(&passwords, &"x".repeat(2000), Some(stored)).await.unwrap());
    }

    #[actix_web::test]
    async fn nobody_has_no_password_and_costs_the_same_parameters() {
        let passwords = passwords(1);
        assert!(!verify(&passwords, "", None).await.unwrap());
        assert!(!verify(&passwords, NO_PASSWORD, Some(NO_PASSWORD.to_owned())).await.unwrap());
        assert!(passwords.nobody.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[actix_web::test]
    async fn too_many_at_once_are_refused_and_their_places_come_back() {
        let mut passwords = passwords(1);
        passwords.most_inside = 1;
        let (first, second) = tokio::join!(verify(&passwords, "a", None), verify(&passwords, "b", None));
        assert_eq!((first, second), (Ok(false), Err(PasswordError::Busy)));
        assert_eq!(verify(&passwords, "c", None).await, Ok(false));
    }
}
