//! Tokens: access tokens that carry who and until when (JWT, EdDSA), and the keys that sign them; how those stand in their
//! file (`pem.rs`); refresh tokens that carry nothing at all (`opaque.rs`). Knows neither sessions nor revocation; those are
//! in the store.

mod opaque;
mod pem;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use muong_domain::id::{DeviceId, SessionId, UserId};
use pem::public_part;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;
use uuid::Uuid;

pub use opaque::{OpaqueToken, hash_of};
pub use pem::{KeyError, generate_key_file};
pub(super) use pem::{entries, generate_pem};

/// What an access token says. Short-lived, so it may be believed without asking the store each time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The user.
    #[serde(with = "letters")]
    pub sub: UserId,
    /// The device that signed in.
    #[serde(with = "letters")]
    pub dev: DeviceId,
    /// The session: a family of refresh tokens.
    #[serde(with = "letters")]
    pub sid: SessionId,
    /// From when on it is no longer good, in seconds since 1970. No leeway: the clocks that matter are the servers' own.
    pub exp: i64,
}

/// Ids as base64url of their sixteen bytes, 22 letters: a phone sends its token with each request, often over a poor line.
mod letters {
    use super::{Engine, URL_SAFE_NO_PAD, Uuid};
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub fn serialize<I: Copy + Into<Uuid>, S: Serializer>(id: &I, serializer: S) -> Result<S::Ok, S::Error> {
        let id: Uuid = (*id).into();
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(id.as_bytes()))
    }

    /// Only as they are written: any other spelling of an id is none.
    pub fn deserialize<'de, I: From<Uuid>, D: Deserializer<'de>>(deserializer: D) -> Result<I, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        Uuid::from_slice(&bytes).map(I::from).map_err(D::Error::custom)
    }
}

/// Why a token is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// It was good and its time is over: a refresh will help.
    #[error("the access token has expired")]
    Expired,
    /// It is not one of ours. Why not is nobody's business.
    #[error("the access token is not valid")]
    Invalid,
}

/// How long a key verifies after it was replaced: an access token lives a day at most, and a process that shares the
/// file may go on signing with the old key until it notices.
pub const REPLACED_KEYS_LAST: TimeDelta = TimeDelta::days(2);

/// The keys: the first signs, all verify, so that a key can be changed while its tokens are still out.
pub struct Keys {
    signs: (String, EncodingKey),
    /// The newest first; there are few.
    verify: Vec<VerifyingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
}

/// A public key.
struct VerifyingKey {
    kid: String,
    /// The key itself, as a JWK has it.
    x: String,
    key: DecodingKey,
    /// From when on it verifies no longer; none: as long as it stands in the file.
    until: Option<DateTime<Utc>>,
}

impl VerifyingKey {
    fn verifies_at(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("signs", &self.signs.0).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys of one PEM text: to change keys, put the new one first and keep the old one for as long as an
    /// access token lives.
    pub fn from_pem(pem: &str, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let (mut signs, mut verify, mut newer) = (None, Vec::new(), None);
        for entry in entries(pem)? {
            let x = public_part(&entry.key);
            let der = entry.key.to_pkcs8_der().map_err(|_| KeyError::Malformed)?;
            signs.get_or_insert_with(|| (entry.kid.clone(), EncodingKey::from_ed_der(der.as_bytes())));
            let key = DecodingKey::from_ed_components(&x).map_err(|_| KeyError::Malformed)?;
            let until = newer.map(|since: DateTime<Utc>| since + REPLACED_KEYS_LAST);
            verify.push(VerifyingKey { kid: entry.kid, x, key, until });
            newer = entry.since;
        }
        Ok(Self {
            signs: signs.ok_or(KeyError::Malformed)?,
            verify,
            validation: validation(issuer, audience),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        })
    }

    /// Reads the keys of a file.
    pub fn load(path: &Path, issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let pem = std::fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Self::from_pem(&pem, issuer, audience)
    }

    /// The names (`kid`) of the keys that verify at `now`, the one that signs first.
    pub fn key_ids(&self, now: DateTime<Utc>) -> Vec<&str> {
        let others = self.verify.iter().filter(|key| key.kid != self.signs.0 && key.verifies_at(now));
        std::iter::once(self.signs.0.as_str()).chain(others.map(|key| key.kid.as_str())).collect()
    }

    /// Who issues with these keys.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom the tokens are for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Signs an access token for a session, good for `seconds` from `now`.
    pub fn issue(&self, who: Bearer, now: DateTime<Utc>, seconds: u32) -> Result<String, TokenError> {
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: who.user,
            dev: who.device,
            sid: who.session,
            exp: now.timestamp().saturating_add(i64::from(seconds)),
        };
        self.sign(&claims)
    }

    fn sign(&self, claims: &AccessClaims) -> Result<String, TokenError> {
        // Without `typ`: nothing else is ever signed by these keys.
        let header = Header { typ: None, kid: Some(self.signs.0.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.signs.1).map_err(|_| TokenError::Invalid)
    }

    /// Believes a token or not. Only EdDSA, only a `kid` of ours, our issuer, our audience, not yet expired at `now`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key = header.kid.as_deref().and_then(|kid| self.find(kid)).filter(|key| key.verifies_at(now));
        let key = &key.ok_or(TokenError::Invalid)?.key;
        let claims =
            jsonwebtoken::decode::<AccessClaims>(token, key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        if claims.exp <= now.timestamp() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verify.iter().find(|key| key.kid == kid)
    }

    /// Whether the key that a token names is one of these. Says nothing about the token.
    pub fn knows(&self, token: &str) -> bool {
        let kid = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        kid.is_some_and(|kid| self.find(&kid).is_some())
    }

    /// The name of the key that signs.
    pub fn kid(&self) -> &str {
        &self.signs.0
    }

    /// The public keys that verify now, as a JWK set (RFC 7517 §5; RFC 8037 §2 for Ed25519).
    pub fn public(&self, now: DateTime<Utc>) -> Value {
        let jwk = |key: &VerifyingKey| json!({"kty": "OKP", "crv": "Ed25519", "x": key.x, "kid": key.kid, "use": "sig", "alg": "EdDSA"});
        json!({"keys": self.verify.iter().filter(|key| key.verifies_at(now)).map(jwk).collect::<Vec<_>>()})
    }
}

/// Whom an access token is issued to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bearer {
    /// The user.
    pub user: UserId,
    /// The device that signed in.
    pub device: DeviceId,
    /// The session.
    pub session: SessionId,
}

fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library would ask the system's clock; `verify` compares with the one that it is given.
    validation.validate_exp = false;
    validation
}

#[cfg(test)]
mod tests;
