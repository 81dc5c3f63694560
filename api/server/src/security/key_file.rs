//! Files of keys: made for their owner alone, replaced as a whole. And the change of the signing keys: a new key in front, older ones behind it until the last token that they have
//! signed is over. The file is replaced as a whole, so that whoever reads it sees the old keys or the new ones.

use super::token::{self, KeyError, REPLACED_KEYS_LAST};
use crate::clock::Entropy;
use chrono::{DateTime, SecondsFormat, Utc};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// What a change of keys came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The key that signs now.
    pub kid: String,
    /// How many older ones still verify.
    pub kept: usize,
    /// How many were dropped.
    pub dropped: usize,
}

/// Puts a new key in front. Older ones stay as long as tokens of theirs may be out, or, when they are to be retired
/// (somebody else may have them), not at all.
pub fn rotate(path: &Path, retire: bool, now: DateTime<Utc>, entropy: &Entropy) -> Result<Rotated, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let old = std::fs::read_to_string(path).map_err(failed)?;
    let old = token::entries(&old)?;
    let is_kept = |index: usize| {
        // A key counts as replaced when the one before it came; the first one is being replaced now.
        let replaced = index.checked_sub(1).and_then(|newer| old[newer].since).unwrap_or(now);
        !retire && replaced + REPLACED_KEYS_LAST > now
    };
    let kept: Vec<&str> = (0..old.len()).filter(|index| is_kept(*index)).map(|index| old[index].text).collect();
    let since = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let new = format!("# since {since}\n{}", token::generate_pem(entropy)?);
    let text = format!("{new}{}", kept.iter().map(|text| format!("{}\n", text.trim())).collect::<String>());
    // All of it: a name that an older key has already must not reach the file.
    let kid = token::entries(&text)?.first().ok_or(KeyError::Malformed)?.kid.clone();
    replace(path, text.as_bytes()).map_err(failed)?;
    Ok(Rotated { kid, kept: kept.len(), dropped: old.len() - kept.len() })
}

/// Makes a file that its owner alone may read, unless it is there; answers whether it did. Of two processes that try at
/// once, one wins and the other reads what it made.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let written = write_new(&draft, bytes).and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    });
    std::fs::remove_file(&draft).and(written)
}

/// Under another name first, on the disk, and for the same owner: a rotation by root must not lock the server out.
/// The name is always the same, so that two rotations at once cannot both succeed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    let owner = std::fs::metadata(path)?;
    write_new(&draft, bytes).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::Error::new(
            error.kind(),
            format!("{} is there: another rotation runs, or was cut off; then delete it", draft.display()),
        ),
        _ => error,
    })?;
    let owned =
        std::fs::metadata(&draft).and_then(|made| match (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
            true => Ok(()),
            false => chown(&draft, Some(owner.uid()), Some(owner.gid())),
        });
    if let Err(error) = owned.and_then(|()| std::fs::rename(&draft, path)) {
        std::fs::remove_file(&draft)?;
        return Err(error);
    }
    // The new name must outlive a power cut as well.
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn draft(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::keyring::Keyring;
    use crate::security::token::{Bearer, TokenError, generate_key_file};
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_600_000, 0).unwrap() + TimeDelta::days(days)
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("muong-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
        fn key(&self) -> PathBuf {
            self.0.join("signing_key.pem")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn bearer() -> Bearer {
        let id = Uuid::from_u128;
        Bearer { user: id(1).into(), device: id(2).into(), session: id(3).into() }
    }

    fn issue(ring: &Keyring, now: DateTime<Utc>) -> String {
        ring.issue(bearer(), now, 86_400).unwrap()
    }

    fn kids(ring: &Keyring, now: DateTime<Utc>) -> Vec<String> {
        let keys = ring.public(now)["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_rotation_keeps_the_old_key_until_its_last_token_is_over() {
        let folder = Folder::new("rotate");
        generate_key_file(&folder.key(), &Entropy::System).unwrap();
        let ring = Keyring::open(&folder.key(), "muong", "muong").unwrap();
        let before = issue(&ring, at(0));
        let rotated = rotate(&folder.key(), false, at(0), &Entropy::System).unwrap();
        assert_eq!((rotated.kept, rotated.dropped), (1, 0));
        let later = at(0) + TimeDelta::seconds(1);
        let after = issue(&ring, later);
        assert!(ring.verify(&before, later).is_ok() && ring.verify(&after, later).is_ok());
        assert_eq!(kids(&ring, later).len(), 2);
        assert_eq!(kids(&ring, later)[0], rotated.kid);
        // Nobody needs to clear the file: an old key is over by itself, also for tokens that were made up with it.
        assert_eq!(kids(&ring, at(2)).len(), 1);
        assert_eq!(ring.verify(&before, at(2)).unwrap_err(), TokenError::Invalid);
        let again = rotate(&folder.key(), false, at(3), &Entropy::System).unwrap();
        assert_eq!((again.kept, again.dropped), (1, 1));
    }

    #[test]
    fn retired_keys_are_believed_no_more_not_even_from_memory() {
        let folder = Folder::new("retire");
        generate_key_file(&folder.key(), &Entropy::System).unwrap();
        let ring = Keyring::open(&folder.key(), "muong", "muong").unwrap();
        let token = issue(&ring, at(0));
        let believed = ring.verify(&token, at(0)).unwrap();
        assert!(ring.still_believes(&believed, at(0)));
        let rotated = rotate(&folder.key(), true, at(0), &Entropy::System).unwrap();
        assert_eq!((rotated.kept, rotated.dropped), (0, 1));
        let later = at(0) + TimeDelta::seconds(1);
        assert!(!ring.still_believes(&believed, later));
        assert_eq!(ring.verify(&token, later).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn another_process_that_has_changed_keys_is_believed_at_once() {
        let folder = Folder::new("stranger");
        generate_key_file(&folder.key(), &Entropy::System).unwrap();
        let [here, there] = [0, 1].map(|_| Keyring::open(&folder.key(), "muong", "muong").unwrap());
        here.public(at(0));
        rotate(&folder.key(), false, at(0), &Entropy::System).unwrap();
        let moment = at(0) + TimeDelta::milliseconds(60);
        assert!(there.reload().unwrap());
        let token = issue(&there, moment);
        assert!(here.verify(&token, moment).is_ok(), "it looks again for a key that it does not know");
    }

    #[test]
    fn the_file_stays_private_and_a_second_rotation_at_once_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("private");
        generate_key_file(&folder.key(), &Entropy::System).unwrap();
        std::fs::write(draft(&folder.key()), "").unwrap();
        let refused = rotate(&folder.key(), false, at(0), &Entropy::System).unwrap_err();
        assert!(refused.to_string().contains("another rotation"), "{refused}");
        std::fs::remove_file(draft(&folder.key())).unwrap();
        rotate(&folder.key(), false, at(0), &Entropy::System).unwrap();
        assert_eq!(std::fs::metadata(folder.key()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn keys_that_cannot_be_read_leave_the_old_ones_in_use() {
        let folder = Folder::new("broken");
        generate_key_file(&folder.key(), &Entropy::System).unwrap();
        let ring = Keyring::open(&folder.key(), "muong", "muong").unwrap();
        let token = issue(&ring, at(0));
        std::fs::write(folder.key(), "nothing").unwrap();
        assert!(ring.reload().is_err());
        assert!(ring.verify(&token, at(0) + TimeDelta::seconds(9)).is_ok());
    }
}
