//! The ledger of erasures: a file outside the database and its backups, to which every erasure is appended before it is
//! answered, so that whoever restores an older copy erases again. Holds ids and no personal value. Each line carries an
//! HMAC, under a key of the store, over itself and the line before: whoever changes one is found. Knows lines; what an
//! erasure does is `usecases/erase_person.rs`'s.

use muong_domain::id::{GrantId, RecordId, SubmissionId, UnitId, UserId};
use muong_domain::json;
use muong_store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// The file, in the folder of the data, when none is named.
pub const FILE: &str = "erasures.ledger";
/// What the HMACs of a ledger are for, so that they are good for nothing else.
const PURPOSE: &[u8] = b"muong erasure ledger 1\0";

/// One erasure: what is needed to do it again in a store that does not know of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Erased {
    /// The decision.
    pub id: Uuid,
    /// The person.
    pub person: RecordId,
    /// Who decided.
    pub by: UserId,
    /// By which grant.
    pub grant: GrantId,
    /// What had been said of them, by whom.
    pub submissions: Vec<(SubmissionId, UserId)>,
    /// Under which ids their records were known, each in its unit.
    pub records: Vec<(RecordId, UnitId)>,
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file.
    #[error("the ledger of erasures {}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not as it was written.
    #[error(
        "the ledger of erasures {}: line {line} was changed, or lines before it are missing, or it belongs to another \
         store. Put an untouched copy in its place", .path.display()
    )]
    Broken {
        /// Which.
        path: PathBuf,
        /// The first line that does not follow.
        line: usize,
    },
    /// The key for it is not there.
    #[error("the ledger of erasures: {0}")]
    Key(#[from] StoreError),
}

/// Makes HMACs under the store's own key.
pub type Digest = Arc<dyn Fn(&[u8]) -> Result<[u8; 32], StoreError> + Send + Sync>;

/// A ledger. Several processes may share its file; each append takes its lock.
#[derive(Clone)]
pub struct Ledger {
    path: PathBuf,
    digest: Digest,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What stands in the file.
struct Lines {
    erased: Vec<Erased>,
    /// The HMAC of the last line.
    last: String,
    /// Up to where the lines are whole: what comes after was cut off while it was written, and was never answered.
    whole: u64,
}

impl Ledger {
    /// The ledger of that file, which need not be there yet.
    pub fn new(path: PathBuf, digest: Digest) -> Self {
        Self { path, digest }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Every erasure, in order; none when there is no file.
    pub fn read(&self) -> Result<Vec<Erased>, LedgerError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        file.lock_shared().map_err(|error| self.failed(error))?;
        Ok(self.lines(&mut file)?.erased)
    }

    /// Whether an erasure could be written down now; makes the file when there is none.
    pub fn make_ready(&self) -> Result<(), LedgerError> {
        self.append(&[])
    }

    /// Appends erasures, as far as they do not stand there yet. What is answered without an error is on the disk.
    pub fn append(&self, erasures: &[Erased]) -> Result<(), LedgerError> {
        let mut file = self.open()?;
        file.lock().map_err(|error| self.failed(error))?;
        let read = self.lines(&mut file)?;
        let known: BTreeSet<Uuid> = read.erased.iter().map(|erased| erased.id).collect();
        let (mut last, mut text) = (read.last, String::new());
        for erased in erasures.iter().filter(|erased| !known.contains(&erased.id)) {
            let said = said(erased);
            last = self.chained(&last, &said)?;
            text.push_str(&format!("{said} {last}\n"));
        }
        let written = file.set_len(read.whole).and_then(|()| {
            file.seek(SeekFrom::Start(read.whole))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| self.failed(error))
    }

    fn open(&self) -> Result<File, LedgerError> {
        let is_new = !self.path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let file = file.map_err(|error| self.failed(error))?;
        if is_new {
            // Its name must outlive a power cut as well.
            let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| self.failed(error))?;
        }
        Ok(file)
    }

    fn lines(&self, file: &mut File) -> Result<Lines, LedgerError> {
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| self.failed(error))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut read = Lines { erased: Vec::new(), last: String::new(), whole: whole as u64 };
        let lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
        for (index, line) in lines.enumerate() {
            let broken = || LedgerError::Broken { path: self.path.clone(), line: index + 1 };
            let line = std::str::from_utf8(line).map_err(|_| broken())?;
            let (said, mac) = line.trim_end().rsplit_once(' ').ok_or_else(broken)?;
            if self.chained(&read.last, said)? != mac {
                return Err(broken());
            }
            read.erased.push(serde_json::from_str(said).map_err(|_| broken())?);
            read.last = mac.to_owned();
        }
        Ok(read)
    }

    fn chained(&self, last: &str, said: &str) -> Result<String, LedgerError> {
        let mac = (self.digest)(&[PURPOSE, last.as_bytes(), b" ", said.as_bytes()].concat())?;
        Ok(mac.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        LedgerError::File { path: self.path.clone(), source }
    }
}

fn said(erased: &Erased) -> String {
    let value = serde_json::to_value(erased).expect("ids serialise");
    String::from_utf8(json::canonical(&value)).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};
    use std::os::unix::fs::PermissionsExt;

    fn ledger(folder: &tempfile::TempDir, key: u8) -> Ledger {
        let digest = move |value: &[u8]| Ok(Sha256::new().chain_update([key]).chain_update(value).finalize().into());
        Ledger::new(folder.path().join(FILE), Arc::new(digest))
    }

    fn erased(number: u128) -> Erased {
        let id = Uuid::from_u128(number);
        Erased {
            id,
            person: id.into(),
            by: id.into(),
            grant: id.into(),
            submissions: vec![(id.into(), id.into())],
            records: vec![(id.into(), id.into())],
        }
    }

    #[test]
    fn what_was_appended_is_read_again_once_and_belongs_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder, 1);
        assert_eq!(ledger.read().unwrap(), []);
        assert!(!ledger.exists());
        ledger.make_ready().unwrap();
        ledger.append(&[erased(1), erased(2)]).unwrap();
        ledger.append(&[erased(2), erased(3)]).unwrap();
        assert_eq!(ledger.read().unwrap(), [erased(1), erased(2), erased(3)]);
        assert_eq!(std::fs::metadata(ledger.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_cut_off_is_written_over_and_what_stood_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder, 1);
        ledger.append(&[erased(1), erased(2)]).unwrap();
        let whole = std::fs::read(ledger.path()).unwrap();
        std::fs::write(ledger.path(), &whole[..whole.len() - 7]).unwrap();
        assert_eq!(ledger.read().unwrap(), [erased(1)]);
        ledger.append(&[erased(2)]).unwrap();
        assert_eq!(std::fs::read(ledger.path()).unwrap(), whole);
    }

    #[test]
    fn a_line_that_was_changed_removed_or_put_in_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let right = ledger(&folder, 1);
        right.append(&[erased(1), erased(2), erased(3)]).unwrap();
        let text = std::fs::read_to_string(right.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let changed = text.replace(&Uuid::from_u128(2).to_string(), &Uuid::from_u128(9).to_string());
        for (wrong, first) in [
            (changed, 2),
            (format!("{}\n{}\n", lines[0], lines[2]), 2),
            (format!("{}\n{}\n", lines[1], lines[2]), 1),
            (format!("{}\n{text}", lines[0]), 2),
            (format!("{text}{}\n", lines[0]), 4),
        ] {
            std::fs::write(right.path(), wrong).unwrap();
            assert!(matches!(right.read(), Err(LedgerError::Broken { line, .. }) if line == first), "{first}");
            assert!(right.append(&[erased(4)]).is_err());
        }
        std::fs::write(right.path(), text).unwrap();
        assert!(matches!(ledger(&folder, 2).read(), Err(LedgerError::Broken { line: 1, .. })), "of another store");
    }
}
