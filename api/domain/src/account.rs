//! Users, their devices and their sessions, as plain values. Knows no password, no token and no permission.

use crate::id::{DeviceId, SessionId, UserId};
use crate::text;
use chrono::{DateTime, Utc};
use std::fmt;

/// The name that somebody signs in with: small ASCII letters, digits, `.`, `_` and `-`, so that every keyboard can
/// type it and no two spellings of it differ.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Username(String);

/// A text that is no [`Username`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("user.name_invalid")]
pub struct NotAUsername;

impl Username {
    /// The fewest and the most characters.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 2..=64;

    /// Reads a name as it was typed: space around it and capitals, which phones put there by themselves, do not count.
    pub fn parse(typed: &str) -> Result<Self, NotAUsername> {
        let name = typed.trim().to_ascii_lowercase();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let ends_plainly = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = name.as_bytes();
        let fine = Self::LENGTH.contains(&name.len())
            && bytes.iter().copied().all(plain)
            && ends_plainly(bytes.first())
            && ends_plainly(bytes.last());
        if fine { Ok(Self(name)) } else { Err(NotAUsername) }
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that people read, of a person or of a device: one line in one spelling.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label(String);

/// A text that is no [`Label`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("user.label_invalid")]
pub struct NotALabel;

impl Label {
    /// The most characters.
    pub const MAX_CHARS: usize = 120;

    /// Reads a name as it was typed.
    pub fn parse(typed: &str) -> Result<Self, NotALabel> {
        let name = text::single_line(typed).map_err(|_control_character| NotALabel)?;
        if (1..=Self::MAX_CHARS).contains(&name.chars().count()) { Ok(Self(name)) } else { Err(NotALabel) }
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person who signs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The name to sign in with.
    pub username: String,
    /// The name that others see.
    pub display_name: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Since when no longer.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// One installation of a client, registered to one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// Whose.
    pub user: UserId,
    /// What its user calls it.
    pub name: String,
    /// Since when.
    pub registered_at: DateTime<Utc>,
    /// Since when no longer.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// One sign-in on one device: a family of refresh tokens, ended as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub device: DeviceId,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// How it ended, if it did.
    pub ended: Option<SessionEnd>,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionEnd {
    /// Its user signed out.
    SignedOut,
    /// Its user, or an administrator, ended it from elsewhere.
    Revoked,
    /// A refresh token was presented twice: one of the two who have it has stolen it.
    RefreshReused,
    /// Its user's password was changed.
    PasswordChanged,
    /// Its user was disabled.
    UserDisabled,
    /// Its device was revoked.
    DeviceRevoked,
    /// The store was restored from a backup, in which nobody knows what has been revoked since.
    Restored,
}

impl SessionEnd {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::SignedOut,
        Self::Revoked,
        Self::RefreshReused,
        Self::PasswordChanged,
        Self::UserDisabled,
        Self::DeviceRevoked,
        Self::Restored,
    ];

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::RefreshReused => "refresh_reused",
            Self::PasswordChanged => "password_changed",
            Self::UserDisabled => "user_disabled",
            Self::DeviceRevoked => "device_revoked",
            Self::Restored => "restored",
        }
    }
    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_the_same_however_a_phone_writes_it() {
        assert_eq!(Username::parse(" Sung.A.Pao ").map(|name| name.0), Ok("sung.a.pao".to_owned()));
        for wrong in ["", "a", "Sùng", "a b", ".ab", "ab-", "a\u{0}b", "ａｂｃ", &"a".repeat(65)] {
            assert_eq!(Username::parse(wrong), Err(NotAUsername), "{wrong:?}");
        }
    }

    #[test]
    fn a_label_is_one_line_of_some_length() {
        assert_eq!(Label::parse("  Sùng A  Páo ").map(|label| label.0), Ok("Sùng A Páo".to_owned()));
        for wrong in ["", "   ", "a\u{0}b", "a\u{7}b", &"a".repeat(121)] {
            assert_eq!(Label::parse(wrong), Err(NotALabel), "{wrong:?}");
        }
    }

    #[test]
    fn every_end_of_a_session_reads_back() {
        assert!(SessionEnd::ALL.into_iter().all(|end| SessionEnd::parse(end.as_str()) == Some(end)));
    }
}
