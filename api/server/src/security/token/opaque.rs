//! Tokens that carry nothing: what they stand for is in the store, by their hash.

use crate::clock::Entropy;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// A refresh token, or the secret of a device: 256 bits of chance. Only its hash is ever stored, so a stolen database
/// opens no session.
pub struct OpaqueToken(String);

impl OpaqueToken {
    /// A new one.
    pub fn new(entropy: &Entropy) -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
    }

    /// The token, for the one answer that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the store knows of it.
    pub fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What the store knows of a token that was presented: SHA-256, which is enough for 256 bits of chance.
pub fn hash_of(presented: &str) -> [u8; 32] {
    Sha256::digest(presented).into()
}
