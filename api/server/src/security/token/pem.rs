//! The signing keys as they stand in their file: PEM blocks, the newest first, each known by a name.

use crate::clock::Entropy;
use crate::security::key_file;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

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

/// A key as it stands in a file: its PEM block with the lines before it.
pub(in crate::security) struct Entry<'a> {
    /// Its name: see [`name_of`].
    pub kid: String,
    /// All of it.
    pub text: &'a str,
    /// Since when it signs, if a line `# since …` says so.
    pub since: Option<DateTime<Utc>>,
    /// The key itself.
    pub(super) key: SigningKey,
}

/// The keys of one PEM text, in order.
pub(in crate::security) fn entries(pem: &str) -> Result<Vec<Entry<'_>>, KeyError> {
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
pub(super) fn each_has_its_name(entries: &[Entry<'_>]) -> Result<(), KeyError> {
    let names: BTreeMap<_, _> = entries.iter().map(|entry| (entry.kid.as_str(), entry.key.verifying_key())).collect();
    let is_meant = |entry: &Entry<'_>| names.get(entry.kid.as_str()) == Some(&entry.key.verifying_key());
    if entries.iter().all(is_meant) { Ok(()) } else { Err(KeyError::SameName) }
}

pub(super) fn public_part(key: &SigningKey) -> String {
    URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())
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
pub(super) fn name_of(x: &str) -> String {
    let mut name = thumbprint(x);
    name.truncate(NAME);
    name
}

/// The thumbprint of an Ed25519 public key (RFC 7638, RFC 8037 appendix A.3).
pub(super) fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// Makes a signing key file, readable by its owner alone, unless there is one. Says whether it made one.
///
/// Written under another name first and then linked: a second process that starts at the same moment sees no file or
/// a whole one, and the one that comes too late uses the other's.
pub fn generate_key_file(path: &Path, entropy: &Entropy) -> Result<bool, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    key_file::create(path, generate_pem(entropy)?.as_bytes()).map_err(failed)
}

/// A new private key.
pub(in crate::security) fn generate_pem(entropy: &Entropy) -> Result<String, KeyError> {
    let key = SigningKey::from_bytes(&entropy.bytes());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Malformed)?;
    Ok(pem.as_str().to_owned())
}
