//! Backups as folders: the compressed rows, and beside them a manifest that says what they are and by which hash. A folder
//! has its name only once everything in it is on the disk and has been read back; before, its name begins with a dot.
//! Knows files; what the rows mean is the store's.

use chrono::{DateTime, Utc};
use muong_store::backup::{self, Contents};
use muong_store::{Database, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How the folder is made up.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const ROWS: &str = "rows.zst";
/// What the name of every backup begins with.
const PREFIX: &str = "muong-";
/// Fast: what is sealed does not get smaller anyway.
const LEVEL: i32 = 3;

/// What a backup is, for people and for whoever restores it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// How the folder is made up.
    pub format: u32,
    /// The version of muong that wrote it.
    pub muong: String,
    /// When its snapshot was taken.
    pub taken_at: DateTime<Utc>,
    /// Of which database.
    pub database: String,
    /// What is in it.
    pub contents: Contents,
    /// How many bytes the rows have, compressed.
    pub bytes: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// Why there is no backup, or it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none.
    #[error("{}: not a backup of muong, or one that this version does not know: {why}", .path.display())]
    Unknown {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is not as it was written.
    #[error("{}: it was damaged or changed since it was written (its SHA-256 is another one)", .0.display())]
    Damaged(PathBuf),
    /// What was read back is not what was written.
    #[error("{}: what was read back is not what the manifest says", .0.display())]
    Differs(PathBuf),
    /// The store.
    #[error("{}", crate::telemetry::with_causes(.0))]
    Store(#[from] StoreError),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::File { path: path.to_owned(), source }
}

/// A finished backup.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Its folder.
    pub path: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// Takes a backup of what the database holds now, into a new folder within `folder`. Others go on meanwhile.
pub fn take(database: &Database, folder: &Path, now: DateTime<Utc>) -> Result<Archive, ArchiveError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    let draft = folder.join(format!(".{PREFIX}{}-{}.partial", now.format("%Y%m%dT%H%M%SZ"), std::process::id()));
    DirBuilder::new().mode(0o700).create(&draft).map_err(failed(&draft))?;
    let taken = fill(database, &draft, now).and_then(|manifest| {
        let name = format!("{PREFIX}{}-{}", now.format("%Y%m%dT%H%M%SZ"), manifest.contents.head.seq);
        let path = folder.join(name);
        std::fs::rename(&draft, &path).map_err(failed(&path))?;
        sync(folder)?;
        Ok(Archive { path, manifest })
    });
    if taken.is_err() {
        // It has no name that anybody would take for a backup's.
        drop(std::fs::remove_dir_all(&draft));
    }
    taken
}

fn fill(database: &Database, draft: &Path, now: DateTime<Utc>) -> Result<Manifest, ArchiveError> {
    let path = draft.join(ROWS);
    let contents = database.read(|snapshot| {
        // Truncated: a read is begun again on another connection when the first one is broken.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let mut compressed = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
        compressed.include_checksum(true)?;
        let contents = backup::write(snapshot, &mut compressed)?;
        let file = compressed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(contents)
    })?;
    let (sha256, bytes) = hashed(&path)?;
    if check(&path)? != contents {
        return Err(ArchiveError::Differs(path));
    }
    let manifest = Manifest {
        format: FORMAT,
        muong: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: now,
        database: database.url().kind().to_owned(),
        contents,
        bytes,
        sha256,
    };
    let path = draft.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest).expect("a manifest serialises");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(failed(&path))?;
    sync(draft)?;
    Ok(manifest)
}

fn sync(folder: &Path) -> Result<(), ArchiveError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

fn hashed(path: &Path) -> Result<(String, u64), ArchiveError> {
    let mut file = File::open(path).map_err(failed(path))?;
    let (mut hash, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer).map_err(failed(path))? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
    Ok((hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), bytes))
}

fn rows(path: &Path) -> Result<impl io::BufRead + use<>, ArchiveError> {
    let file = File::open(path).map_err(failed(path))?;
    Ok(BufReader::with_capacity(1 << 16, zstd::Decoder::new(file).map_err(failed(path))?))
}

fn check(path: &Path) -> Result<Contents, ArchiveError> {
    Ok(backup::check(rows(path)?)?)
}

impl Archive {
    /// Opens a backup, and reads all of it: that its rows are those that were written, and whole.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let archive = Self::look(path)?;
        let rows = path.join(ROWS);
        let Manifest { bytes, sha256, contents, .. } = &archive.manifest;
        if hashed(&rows)? != (sha256.clone(), *bytes) {
            return Err(ArchiveError::Damaged(rows));
        }
        if check(&rows)? != *contents {
            return Err(ArchiveError::Differs(rows));
        }
        Ok(archive)
    }

    /// Reads the manifest alone.
    fn look(path: &Path) -> Result<Self, ArchiveError> {
        let file = path.join(MANIFEST);
        let text = std::fs::read(&file).map_err(failed(&file))?;
        let unknown = |why: String| ArchiveError::Unknown { path: path.to_owned(), why };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| unknown(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(unknown(format!("its format is {}", manifest.format)));
        }
        Ok(Self { path: path.to_owned(), manifest })
    }

    /// Its rows.
    pub fn rows(&self) -> Result<impl io::BufRead + use<>, ArchiveError> {
        rows(&self.path.join(ROWS))
    }
}

/// Removes all but `keep` backups of a folder: the one that has just been taken, whatever its clock said, and the newest of
/// the others. Answers which it removed. What does not look like a backup stays.
pub fn prune(folder: &Path, keep: usize, just_taken: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut backups = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.path() != just_taken
            && let Ok(archive) = Archive::look(&entry.path())
        {
            backups.push((archive.manifest.taken_at, archive.path));
        }
    }
    backups.sort_unstable_by(|one, other| other.cmp(one));
    let old: Vec<PathBuf> = backups.into_iter().skip(keep.saturating_sub(1)).map(|(_, path)| path).collect();
    for path in &old {
        // First what makes it one, so that no half of a backup is left under its name.
        let manifest = path.join(MANIFEST);
        std::fs::remove_file(&manifest).map_err(failed(&manifest))?;
        std::fs::remove_dir_all(path).map_err(failed(path))?;
    }
    Ok(old)
}
