//! Second factors: codes of six digits that an app shows (RFC 6238, with what every app understands: SHA-1, 30 s), and
//! recovery codes for whoever has lost the app. Pure: told the secret and the time. That each code is good once is the
//! store's to keep.

use crate::clock::Entropy;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::fmt;
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// The bytes of a secret: as many as SHA-1 gives (RFC 4226 §4, R6).
pub const SECRET_BYTES: usize = 20;
/// How many recovery codes somebody gets.
pub const RECOVERY_CODES: usize = 10;
/// The bytes of a recovery code: 80 bits of chance, so that a plain hash gives nothing away.
const RECOVERY_BYTES: usize = 10;
/// The letters of a recovery code, without hyphens.
const RECOVERY_LETTERS: usize = 16;
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// Clocks of phones differ: one step before and one after are taken too (RFC 6238 §5.2).
const SKEW: u16 = 1;

fn totp(secret: &[u8]) -> Totp {
    // Its checks are of what is constant here.
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_SECONDS)
        .with_skew(SKEW)
        .with_secret(secret.to_vec())
        .build_noncompliant()
}

fn seconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or(0)
}

/// The time step that `code` belongs to, if it is the code of a step around `now`.
pub fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>) -> Option<i64> {
    totp(secret).check(code, seconds(now)).and_then(|step| i64::try_from(step).ok())
}

/// The code that an app shows at that instant.
pub fn code_at(secret: &[u8], at: DateTime<Utc>) -> String {
    totp(secret).generate(seconds(at)).to_string()
}

/// A secret as people type it: Base32 (RFC 4648 §6).
pub fn written(secret: &[u8]) -> String {
    Secret::from(secret.to_vec()).to_base32()
}

/// What apps read from a QR code: the key URI format that all of them share.
pub fn key_uri(secret: &[u8], issuer: &str, username: &str) -> String {
    let (issuer, user, secret) = (percent_encoded(issuer), percent_encoded(username), written(secret));
    format!(
        "otpauth://totp/{issuer}:{user}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )
}

/// Unreserved characters stay (RFC 3986 §2.3).
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// A recovery code: shown once, stored as its hash.
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// A new one.
    pub fn new(entropy: &Entropy) -> Self {
        Self(Secret::from(entropy.bytes::<RECOVERY_BYTES>().to_vec()).to_base32().to_ascii_lowercase())
    }

    /// As it is shown: in groups of four.
    pub fn shown(&self) -> String {
        let groups: Vec<&str> =
            (0..self.0.len()).step_by(4).map(|at| &self.0[at..(at + 4).min(self.0.len())]).collect();
        groups.join("-")
    }

    /// What the store knows of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What somebody gives as their second factor.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// Six digits.
    Code(String),
    /// A recovery code, by its hash.
    Recovery([u8; 32]),
    /// Neither: wrong whatever the secret is.
    Neither,
}

impl Given {
    /// Reads what was typed: spaces, hyphens and capitals do not count.
    pub fn read(typed: &str) -> Self {
        let plain: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect();
        if plain.len() == usize::from(DIGITS) && plain.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Code(plain);
        }
        let plain = plain.to_ascii_lowercase();
        let is_base32 = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
        if plain.len() == RECOVERY_LETTERS && plain.bytes().all(is_base32) {
            return Self::Recovery(Sha256::digest(&plain).into());
        }
        Self::Neither
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // Appendix B, the rows of SHA-1, cut to six digits.
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(RFC_SECRET, at(time)), code);
            assert_eq!(step_of(RFC_SECRET, code, at(time)), Some(time / 30));
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_and_one_late_and_no_further() {
        let code = code_at(RFC_SECRET, at(1_111_111_111));
        let step = Some(1_111_111_111 / 30);
        for (off, taken) in [(-60, None), (-30, step), (0, step), (30, step), (60, None)] {
            assert_eq!(step_of(RFC_SECRET, &code, at(1_111_111_111 + off)), taken, "{off}");
        }
        for wrong in ["", "05047", "0504711", "O50471", "００００００"] {
            assert_eq!(step_of(RFC_SECRET, wrong, at(1_111_111_111)), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_written_as_apps_read_it() {
        assert_eq!(written(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = key_uri(RFC_SECRET, "mường", "vu.a.cha");
        assert_eq!(
            uri,
            "otpauth://totp/m%C6%B0%E1%BB%9Dng:vu.a.cha?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=m%C6%B0%E1%BB%9Dng&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_recovery_code_is_recognised_however_it_is_typed() {
        let code = RecoveryCode::new(&Entropy::seeded(1));
        let shown = code.shown();
        assert_eq!((shown.len(), shown.matches('-').count()), (19, 3));
        for typed in [shown.clone(), shown.replace('-', " "), shown.to_uppercase(), format!(" {shown} ")] {
            assert_eq!(Given::read(&typed), Given::Recovery(code.hash()), "{typed}");
        }
        assert_eq!(Given::read("123 456"), Given::Code("123456".to_owned()));
        assert_eq!(Given::read("12345"), Given::Neither);
        assert_eq!(Given::read(&"a".repeat(10_000)), Given::Neither);
    }
}
