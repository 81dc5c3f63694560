//! Tokens: access tokens that carry who and until when (JWT, EdDSA), refresh tokens that carry nothing at all.
//! Owns the signing keys and their file. Knows neither sessions nor revocation; those are in the store.

use crate::clock::Entropy;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use muong_domain::id::{DeviceId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

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

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the signing key file {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no Ed25519 private key as PKCS#8 PEM.
    #[error(
        "the signing key is not an Ed25519 private key in PKCS#8 PEM (make one: openssl genpkey -algorithm ed25519)"
    )]
    Malformed,
    /// Two different keys go by one name, so it would not be known which one a token means.
    #[error("two of the signing keys have the same name: take one of them out, or make another")]
    SameName,
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

/// A key as it stands in a file: its PEM block with the lines before it.
pub(super) struct Entry<'a> {
    /// Its name: see [`name_of`].
    pub kid: String,
    /// All of it.
    pub text: &'a str,
    /// Since when it signs, if a line `# since …` says so.
    pub since: Option<DateTime<Utc>>,
    key: SigningKey,
}

/// The keys of one PEM text, in order.
pub(super) fn entries(pem: &str) -> Result<Vec<Entry<'_>>, KeyError> {
    let entries = pem_blocks(pem)
        .map(|(text, block)| {
            let key = SigningKey::from_pkcs8_pem(block).map_err(|_| KeyError::Malformed)?;
            let since = text.lines().find_map(|line| line.trim().strip_prefix("# since "));
            let since = since.and_then(|at| at.trim().parse().ok());
            Ok(Entry { kid: name_of(&public_part(&key)), text, since, key })
        })
        .collect::<Result<Vec<_>, KeyError>>()?;
    each_has_its_name(&entries)?;
    Ok(entries)
}

/// A key that stands there twice is the same key, and does no harm.
fn each_has_its_name(entries: &[Entry<'_>]) -> Result<(), KeyError> {
    let names: BTreeMap<_, _> = entries.iter().map(|entry| (entry.kid.as_str(), entry.key.verifying_key())).collect();
    let is_meant = |entry: &Entry<'_>| names.get(entry.kid.as_str()) == Some(&entry.key.verifying_key());
    if entries.iter().all(is_meant) { Ok(()) } else { Err(KeyError::SameName) }
}

fn public_part(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())
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

/// The blocks of a PEM text: each with the lines before it, and alone.
fn pem_blocks(pem: &str) -> impl Iterator<Item = (&str, &str)> {
    const END: &str = "-----END PRIVATE KEY-----";
    pem.split_inclusive(END).filter_map(|part| part.find("-----BEGIN").map(|start| (part, &part[start..])))
}

/// How many letters of its thumbprint are a key's name: 66 bits. It only tells a few keys of ours from each other, and every
/// request carries it.
const NAME: usize = 11;

/// By what name a key goes in tokens and among the public keys: the beginning of its thumbprint.
fn name_of(x: &str) -> String {
    let mut name = thumbprint(x);
    name.truncate(NAME);
    name
}

/// The thumbprint of an Ed25519 public key (RFC 7638, RFC 8037 appendix A.3).
fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// Makes a signing key file, readable by its owner alone, unless there is one. Says whether it made one.
///
/// Written under another name first and then linked: a second process that starts at the same moment sees no file or
/// a whole one, and the one that comes too late uses the other's.
pub fn generate_key_file(path: &Path, entropy: &Entropy) -> Result<bool, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    super::key_file::create(path, generate_pem(entropy)?.as_bytes()).map_err(failed)
}

/// A new private key.
pub(super) fn generate_pem(entropy: &Entropy) -> Result<String, KeyError> {
    let key = SigningKey::from_bytes(&entropy.bytes());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Malformed)?;
    Ok(pem.as_str().to_owned())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn pem(seed: u64) -> String {
        SigningKey::from_bytes(&Entropy::seeded(seed).bytes()).to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    fn keys(pem: &str) -> Keys {
        Keys::from_pem(pem, "muong", "muong").unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_600_000, 0).unwrap()
    }

    fn bearer() -> Bearer {
        Bearer {
            user: Uuid::from_u128(1).into(),
            device: Uuid::from_u128(2).into(),
            session: Uuid::from_u128(3).into(),
        }
    }

    fn token(keys: &Keys) -> String {
        keys.issue(bearer(), now(), 900).unwrap()
    }

    /// A token of any header and body, signed by anyone or no one.
    fn forged(header: &serde_json::Value, claims: &AccessClaims, signature: &[u8]) -> String {
        let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let head = part(serde_json::to_vec(header).unwrap());
        let body = part(serde_json::to_vec(claims).unwrap());
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_token_is_believed_until_its_last_second_and_not_after() {
        let keys = keys(&pem(1));
        let token = token(&keys);
        let claims = keys.verify(&token, now()).unwrap();
        assert_eq!((claims.sub, claims.dev, claims.sid), (bearer().user, bearer().device, bearer().session));
        assert!(keys.verify(&token, now() + TimeDelta::seconds(899)).is_ok());
        assert_eq!(keys.verify(&token, now() + TimeDelta::seconds(900)), Err(TokenError::Expired));
    }

    #[test]
    fn no_algorithm_but_ours_is_taken() {
        let keys = keys(&pem(1));
        let claims = keys.verify(&token(&keys), now()).unwrap();
        let kid = keys.signs.0.clone();
        for alg in ["none", "HS256", "ES256", "RS256", "eddsa"] {
            let header = serde_json::json!({"alg": alg, "typ": "JWT", "kid": kid});
            for signature in [&[][..], &[7; 64][..]] {
                assert_eq!(keys.verify(&forged(&header, &claims, signature), now()), Err(TokenError::Invalid), "{alg}");
            }
        }
        // The public key as an HMAC secret: the classic confusion of algorithms.
        let public = SigningKey::from_pkcs8_pem(&pem(1)).unwrap().verifying_key();
        let header = Header { kid: Some(kid), ..Header::new(Algorithm::HS256) };
        let confused = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
        assert_eq!(keys.verify(&confused, now()), Err(TokenError::Invalid));
    }

    #[test]
    fn a_stranger_a_missing_kid_and_a_changed_letter_are_refused() {
        let (ours, theirs) = (keys(&pem(1)), keys(&pem(2)));
        assert_eq!(ours.verify(&token(&theirs), now()), Err(TokenError::Invalid));
        let claims = ours.verify(&token(&ours), now()).unwrap();
        let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &ours.signs.1).unwrap();
        assert_eq!(ours.verify(&unnamed, now()), Err(TokenError::Invalid));
        // Another's signature under our key's name.
        let named = Header { kid: Some(ours.signs.0.clone()), ..Header::new(Algorithm::EdDSA) };
        let borrowed = jsonwebtoken::encode(&named, &claims, &theirs.signs.1).unwrap();
        assert_eq!(ours.verify(&borrowed, now()), Err(TokenError::Invalid));
        let changed = token(&ours).replacen(".e", ".f", 1);
        for bad in [changed.as_str(), "", "a.b.c", "..", "a.b"] {
            assert_eq!(ours.verify(bad, now()), Err(TokenError::Invalid), "{bad}");
        }
    }

    #[test]
    fn another_audience_or_issuer_is_refused() {
        let ours = keys(&pem(1));
        for (issuer, audience) in [("muong", "other"), ("other", "muong")] {
            let theirs = Keys::from_pem(&pem(1), issuer, audience).unwrap();
            assert_eq!(ours.verify(&token(&theirs), now()), Err(TokenError::Invalid), "{issuer} {audience}");
        }
    }

    #[test]
    fn a_key_can_be_changed_while_its_tokens_are_out() {
        let (old, new) = (pem(1), pem(2));
        let before = token(&keys(&old));
        let both = keys(&format!("# new first\n{new}\n{old}"));
        assert!(both.verify(&before, now()).is_ok());
        assert!(keys(&new).verify(&token(&both), now()).is_ok());
        assert_eq!(keys(&new).verify(&before, now()), Err(TokenError::Invalid));
        assert!(matches!(Keys::from_pem("nothing", "muong", "muong"), Err(KeyError::Malformed)));
    }

    #[test]
    fn the_public_keys_are_those_of_rfc_8037_and_nothing_private_is_among_them() {
        // RFC 8037, appendices A.1 and A.2.
        let secret = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_bytes(&secret.try_into().unwrap());
        let public = keys(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).public(now());
        assert_eq!(
            public,
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "kid": "kPrK_qmxVWa", "use": "sig", "alg": "EdDSA"}]})
        );
    }

    #[test]
    fn the_kid_is_the_beginning_of_the_thumbprint_of_rfc_8037() {
        // RFC 8037, appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(name_of(x), "kPrK_qmxVWa");
    }

    #[test]
    fn two_keys_of_one_name_are_refused_and_one_key_twice_is_not() {
        let (one, two) = (pem(1), pem(2));
        let text = format!("{one}{two}");
        let mut both = entries(&text).unwrap();
        assert!(each_has_its_name(&both).is_ok());
        both[1].kid = both[0].kid.clone();
        assert!(matches!(each_has_its_name(&both), Err(KeyError::SameName)));
        assert!(Keys::from_pem(&format!("{one}{one}"), "muong", "muong").is_ok());
    }

    #[test]
    fn a_token_says_no_more_than_it_must() {
        let token = token(&keys(&pem(1)));
        let said = |at: usize| {
            let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
            String::from_utf8(part).unwrap()
        };
        let kid = name_of(&public_part(&SigningKey::from_pkcs8_pem(&pem(1)).unwrap()));
        assert_eq!(said(0), format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#));
        assert_eq!(
            said(1),
            r#"{"iss":"muong","aud":"muong","sub":"AAAAAAAAAAAAAAAAAAAAAQ","dev":"AAAAAAAAAAAAAAAAAAAAAg","sid":"AAAAAAAAAAAAAAAAAAAAAw","exp":1772600900}"#
        );
    }

    #[test]
    fn an_id_in_any_other_spelling_is_not_believed() {
        let keys = keys(&pem(1));
        let header = Header { kid: Some(keys.signs.0.clone()), ..Header::new(Algorithm::EdDSA) };
        let with = |sub: Value| {
            let mut claims = serde_json::to_value(keys.verify(&token(&keys), now()).unwrap()).unwrap();
            claims["sub"] = sub;
            jsonwebtoken::encode(&header, &claims, &keys.signs.1).unwrap()
        };
        assert!(keys.verify(&with(json!("AAAAAAAAAAAAAAAAAAAAAQ")), now()).is_ok());
        // The text that tokens had before, padding, bits beyond the last byte, the other alphabet, too short, too long, none.
        for other in [
            json!("00000000-0000-0000-0000-000000000001"),
            json!("AAAAAAAAAAAAAAAAAAAAAQ=="),
            json!("AAAAAAAAAAAAAAAAAAAAAR"),
            json!("++++++++++++++++++++++"),
            json!("AAAAAAAAAAAAAAAAAAAA"),
            json!("AAAAAAAAAAAAAAAAAAAAAAAA"),
            json!(""),
            json!(1),
            json!(null),
        ] {
            assert_eq!(keys.verify(&with(other.clone()), now()), Err(TokenError::Invalid), "{other}");
        }
    }

    #[test]
    fn a_key_in_the_shape_that_openssl_writes_is_taken() {
        // RFC 8410 §10.3: version 1, without the public key.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        let keys = keys(pem);
        assert!(keys.verify(&token(&keys), now()).is_ok());
    }

    #[test]
    fn a_generated_key_file_is_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let directory = std::env::temp_dir().join(format!("muong-keys-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join("signing.pem");
        assert!(generate_key_file(&path, &Entropy::System).unwrap());
        let first = std::fs::read(&path).unwrap();
        assert!(!generate_key_file(&path, &Entropy::System).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "no draft is left");
        let keys = Keys::load(&path, "muong", "muong").unwrap();
        assert!(keys.verify(&token(&keys), now()).is_ok());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn refresh_tokens_differ_and_are_known_by_their_hash_alone() {
        let (one, two) = (OpaqueToken::new(&Entropy::System), OpaqueToken::new(&Entropy::System));
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.expose().len(), 43);
        assert_eq!(hash_of(one.expose()), one.hash());
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
