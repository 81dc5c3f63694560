//! The master keys, which wrap the keys that personal data is sealed under: read from a file or the environment, made
//! when there are none, and exchanged. Never in the database, and never printed.

use super::key_file;
use crate::clock::Entropy;
use crate::config::Config;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muong_store::{Chance, MasterKey, Source, Vault};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The file that an installation of one process makes for itself.
pub const FILE: &str = "master_key.txt";

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("the master key file {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line holds no key.
    #[error(
        "line {0} of the master keys is not a key: 32 random bytes in base64, one key a line, the newest first \
         (make one: openssl rand -base64 32)"
    )]
    Malformed(usize),
    /// There is no key at all.
    #[error("the master key file holds no key (make one: openssl rand -base64 32)")]
    Empty,
    /// The key is in the environment, where no command can change it.
    #[error("the master key comes from the environment; to rotate it, keep it in a file (master_key_file)")]
    NotAFile,
}

/// Reads keys, one a line, the newest first; empty lines and those that begin with # say nothing.
pub fn parse(text: &str) -> Result<Vec<MasterKey>, MasterKeyError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bytes = STANDARD.decode(line).map(Zeroizing::new).ok();
        let key: Option<Zeroizing<[u8; MasterKey::BYTES]>> =
            bytes.and_then(|b| b.as_slice().try_into().ok()).map(Zeroizing::new);
        keys.push(MasterKey::new(&*key.ok_or(MasterKeyError::Malformed(index + 1))?));
    }
    if keys.is_empty() { Err(MasterKeyError::Empty) } else { Ok(keys) }
}

/// Reads keys that stand in one line, as a variable of the environment holds them: between blanks or commas.
pub fn parse_words(text: &str) -> Result<Vec<MasterKey>, MasterKeyError> {
    parse(&text.replace([' ', ','], "\n"))
}

/// Reads the keys of a file.
pub fn load(path: &Path) -> Result<Vec<MasterKey>, MasterKeyError> {
    parse(&text_of(path)?)
}

fn text_of(path: &Path) -> Result<Zeroizing<String>, MasterKeyError> {
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.to_owned(), source }
}

/// Makes the file with one new key unless it is there; answers whether it did.
pub fn generate_file(path: &Path, entropy: &Entropy) -> Result<bool, MasterKeyError> {
    key_file::create(path, fresh(entropy).as_bytes()).map_err(|source| failed(path, source))
}

/// Puts a new key in front of those of the file. The old ones stay: they are still needed until everything is wrapped
/// anew, and for backups.
pub fn add_key(path: &Path, entropy: &Entropy) -> Result<(), MasterKeyError> {
    let old = text_of(path)?;
    parse(&old)?;
    replace(path, &Zeroizing::new(format!("{}{}", *fresh(entropy), *old)))
}

/// Drops all keys but the first from the file.
pub fn keep_first(path: &Path) -> Result<(), MasterKeyError> {
    let text = text_of(path)?;
    parse(&text)?;
    let mut seen = false;
    let kept = |line: &&str| {
        let is_key = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        !is_key || !std::mem::replace(&mut seen, true)
    };
    let lines: Vec<&str> = text.lines().filter(kept).collect();
    replace(path, &Zeroizing::new(format!("{}\n", lines.join("\n"))))
}

fn replace(path: &Path, text: &str) -> Result<(), MasterKeyError> {
    key_file::replace(path, text.as_bytes()).map_err(|source| failed(path, source))
}

fn fresh(entropy: &Entropy) -> Zeroizing<String> {
    let bytes = Zeroizing::new(entropy.bytes::<{ MasterKey::BYTES }>());
    Zeroizing::new(format!("{}\n", STANDARD.encode(*bytes)))
}

/// The vault of a store, with the master keys of the configuration. `own` is the file to make when none is configured;
/// without it the configuration must name one.
pub fn vault(config: &Config, own: Option<&Path>, entropy: &Entropy) -> Result<Option<Vault>, MasterKeyError> {
    let Some(read) = reading(config, own, entropy)? else { return Ok(None) };
    read()?; // now with the reason why not; later only whether
    let source: Source = Arc::new(move || read().ok());
    Ok(Vault::new(source, chance(entropy)))
}

type Reading = Box<dyn Fn() -> Result<Vec<MasterKey>, MasterKeyError> + Send + Sync>;

fn reading(config: &Config, own: Option<&Path>, entropy: &Entropy) -> Result<Option<Reading>, MasterKeyError> {
    if let Some(keys) = &config.master_key {
        let keys = parse_words(keys.expose())?;
        return Ok(Some(Box::new(move || Ok(keys.clone()))));
    }
    let path = match (&config.master_key_file, own) {
        (Some(path), _) => path.clone(),
        (None, Some(own)) => {
            if generate_file(own, entropy)? {
                tracing::info!(path = %own.display(), "made a master key: whoever loses it loses all personal data");
            }
            own.to_owned()
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(Box::new(move || load(&path))))
}

/// Chance for keys: a stream of its own where a seed says what chance is.
fn chance(entropy: &Entropy) -> Chance {
    let fork = entropy.fork();
    Arc::new(move |bytes| fork.fill(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_stand_one_a_line_the_newest_first() {
        let (one, two) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let keys = parse(&format!("# of 2026\n{two}\n\n {one} \n")).unwrap();
        assert_eq!(keys[0].id(), MasterKey::new(&[2; 32]).id());
        assert_eq!(keys[1].id(), MasterKey::new(&[1; 32]).id());
        assert!(matches!(parse("# none\n"), Err(MasterKeyError::Empty)));
        assert!(matches!(parse(&format!("{one}\nAAAA")), Err(MasterKeyError::Malformed(2))));
    }

    #[test]
    fn a_file_is_made_once_for_its_owner_alone_and_a_rotation_keeps_the_old_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(generate_file(&path, &Entropy::System).unwrap());
        assert!(!generate_file(&path, &Entropy::System).unwrap());
        let first = load(&path).unwrap();
        add_key(&path, &Entropy::System).unwrap();
        let both = load(&path).unwrap();
        assert_eq!((both.len(), both[1].id()), (2, first[0].id()));
        assert_ne!(both[0].id(), first[0].id());
        keep_first(&path).unwrap();
        assert_eq!(load(&path).unwrap().iter().map(MasterKey::id).collect::<Vec<_>>(), [both[0].id()]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
