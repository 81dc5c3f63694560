//! `muong demo`: fills a database with a fictional province, through the same push code as phones use, and serves it.
//! Run again, it serves what is there.

use crate::cli::DemoArgs;
use crate::clock::{Clock, Entropy};
use crate::config::{Config, Secret};
use crate::demo::Province;
use crate::demo::welcome::Welcome;
use crate::security::master_key::{self, MasterKeyError};
use crate::security::password::{Password, PasswordError, hash_blocking};
use crate::security::token::{KeyError, generate_key_file};
use crate::sole_server::{SoleServer, SoleServerError};
use crate::state::{App, StartError};
use crate::usecases::fill_province::{FillError, fill_province, is_filled};
use chrono::{DateTime, Utc};
use muong_store::DatabaseUrl;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Where a demo keeps its files unless the configuration says otherwise.
const FOLDER: &str = ".demo";
/// Letters that nobody confuses when copying a password by hand.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be filled.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// The socket or a file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The note about the province cannot be read.
    #[error("{path}: {error}; remove the folder to begin anew")]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
    /// The database holds something that is not this demo's, or only a part of it.
    #[error("the database holds units already, but no complete demo that {folder} knows of: {advice}")]
    Occupied {
        /// Where the demo keeps its notes.
        folder: PathBuf,
        /// What to do about that database.
        advice: &'static str,
    },
    /// Another process serves the database, or fills it.
    #[error(transparent)]
    NotAlone(#[from] SoleServerError),
}

/// What must be known to show the same province again.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    seed: u64,
    scale: f64,
    as_of: DateTime<Utc>,
    password: String,
    /// Whether the whole of it is in the database. Written before the first unit and after the last report.
    #[serde(default = "whole")]
    complete: bool,
}

const fn whole() -> bool {
    true
}

/// The province unless the command line says otherwise.
const SEED: u64 = 1;
const SCALE: f64 = 1.0;

/// Fills, if that has not been done, and serves.
pub fn run(args: &DemoArgs, mut config: Config, clock: Clock, entropy: Entropy) -> Result<(), DemoError> {
    choose_places(args, &mut config);
    fs::create_dir_all(&config.data_dir)?;
    if config.signing_key_file.is_none() {
        let key = config.data_dir.join("signing_key.pem");
        generate_key_file(&key, &entropy)?;
        config.signing_key_file = Some(key);
    }
    if config.master_key_file.is_none() && config.master_key.is_none() {
        let key = config.data_dir.join(master_key::FILE);
        master_key::generate_file(&key, &entropy)?;
        config.master_key_file = Some(key);
    }
    // Before the work, not after it: a port that is taken is said at once.
    let listener = TcpListener::bind(&config.listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen)))?;
    clear_half_filled(&config)?;
    let app = App::open(config, clock, entropy)?;
    let done = fill_and_serve(args, &app, listener);
    app.close();
    done
}

/// Everything in one folder, unless the configuration has chosen other places.
fn choose_places(args: &DemoArgs, config: &mut Config) {
    let untouched = Config::default();
    if config.data_dir == untouched.data_dir {
        config.data_dir = PathBuf::from(FOLDER);
    }
    if let Some(url) = &args.database_url {
        config.database_url = Secret::new(url.clone());
        config.database_url_file = None;
    } else if config.database_url == untouched.database_url {
        config.database_url = Secret::new(format!("sqlite://{}", config.data_dir.join("muong.db").display()));
    }
    if let Some(listen) = &args.listen {
        config.listen.clone_from(listen);
    }
}

fn note_of(config: &Config, database: &DatabaseUrl) -> PathBuf {
    config.data_dir.join(format!("province-{}.json", database.kind()))
}

/// A file of the demo's own folder that a demo began to fill, and did not finish, is of no use to anybody: it goes.
fn clear_half_filled(config: &Config) -> Result<(), DemoError> {
    let database = DatabaseUrl::parse(config.database_url.expose()).map_err(StartError::from)?;
    let note = note_of(config, &database);
    let DatabaseUrl::Sqlite(file) = &database else { return Ok(()) };
    let own = Path::new(file).parent() == Some(config.data_dir.as_path());
    if !own || read_note(&note)?.is_none_or(|note| note.complete) {
        return Ok(());
    }
    // Nobody fills it at this moment.
    let _alone = SoleServer::of(&database)?;
    eprintln!("muong: {file} was not filled to the end: it is removed and filled anew");
    for part in [file.clone(), format!("{file}-wal"), format!("{file}-shm")] {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn occupied(app: &App) -> DemoError {
    let advice = match app.database.url() {
        DatabaseUrl::Sqlite(_) => {
            "choose another file with --database-url, or remove the file with everything in it and run the demo again"
        }
        DatabaseUrl::Postgres(_) => {
            "choose an empty database with --database-url, or drop this one with everything in it, create it and run \
             the demo again (the private cluster of 'make demo DB=postgres' goes with 'ops/private-postgres stop \
             --remove demo')"
        }
    };
    DemoError::Occupied { folder: app.config.data_dir.clone(), advice }
}

/// What was asked for and is not what is there; nothing when it is.
fn ignored(args: &DemoArgs, note: &Note) -> Option<String> {
    let other = args.seed.is_some_and(|seed| seed != note.seed)
        || args.scale.is_some_and(|scale| scale.total_cmp(&note.scale).is_ne());
    other.then(|| {
        let Note { seed, scale, .. } = note;
        format!(
            "muong: the province that is there is of seed {seed} at scale {scale}, and is served as it is; for another \
             one, begin anew in another folder or database"
        )
    })
}

fn fill_and_serve(args: &DemoArgs, app: &App, listener: TcpListener) -> Result<(), DemoError> {
    let path = note_of(&app.config, app.database.url());
    let note = match (read_note(&path)?, is_filled(app).map_err(FillError::from)?) {
        (Some(note), true) if note.complete => note,
        (_, true) => return Err(occupied(app)),
        (_, false) => fill(args, app, &path)?,
    };
    if let Some(notice) = ignored(args, &note) {
        eprintln!("{notice}");
    }
    let province = Province::new(note.seed, note.scale, note.as_of);
    let base_url = format!("http://{}", listener.local_addr()?);
    let welcome = Welcome { province: &province, base_url: &base_url, password: &note.password, now: app.clock.now() };
    let text = welcome.text();
    drop(province);
    io::stdout().write_all(text.as_bytes())?;
    if args.fill_only {
        return Ok(());
    }
    Ok(super::serve::on(listener, app)?)
}

fn read_note(path: &Path) -> Result<Option<Note>, DemoError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(note) => Ok(Some(note)),
            Err(error) => Err(DemoError::Note { path: path.to_owned(), error }),
        },
    }
}

fn fill(args: &DemoArgs, app: &App, path: &Path) -> Result<Note, DemoError> {
    let password = password(&app.entropy);
    let (seed, scale) = (args.seed.unwrap_or(SEED), args.scale.unwrap_or(SCALE));
    let mut note = Note { seed, scale, as_of: app.clock.now(), password, complete: false };
    let parsed = Password::parse(&note.password).map_err(DemoError::Password)?;
    let hash = hash_blocking(&parsed, &app.entropy)?;
    let province = Province::new(note.seed, note.scale, note.as_of);
    // First: whoever finds the database half-filled finds out that it is.
    write_note(path, &note)?;
    let tally = fill_province(app, &province, &hash)?;
    println!("{tally}");
    // Last: whoever finds this note finds the whole province.
    note.complete = true;
    write_note(path, &note)?;
    Ok(note)
}

/// Readable by its owner alone: it holds the password.
fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    let text = serde_json::to_string_pretty(note)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// 16 letters of 32: 80 bits.
fn password(entropy: &Entropy) -> String {
    let bytes: [u8; 16] = entropy.bytes();
    let letters: Vec<u8> = bytes.iter().map(|byte| LETTERS[usize::from(byte % 32)]).collect();
    letters.chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(complete: bool) -> Note {
        let as_of = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        Note { seed: 7, scale: 0.1, as_of, password: "p".to_owned(), complete }
    }

    fn in_folder(complete: Option<bool>, file: &Path) -> (tempfile::TempDir, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(file);
        fs::write(&file, "half").unwrap();
        let database_url = Secret::new(format!("sqlite://{}", file.display()));
        let config = Config { database_url, data_dir: folder.path().to_owned(), ..Config::default() };
        if let Some(complete) = complete {
            write_note(&folder.path().join("province-sqlite.json"), &note(complete)).unwrap();
        }
        clear_half_filled(&config).unwrap();
        let kept = file.exists();
        (folder, kept)
    }

    #[test]
    fn only_a_half_filled_file_of_the_demos_own_folder_is_removed() {
        let own = Path::new("muong.db");
        assert!(!in_folder(Some(false), own).1);
        assert!(in_folder(Some(true), own).1);
        assert!(in_folder(None, own).1);
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        assert!(in_folder(Some(false), elsewhere.path()).1);
    }

    #[test]
    fn a_note_of_an_older_demo_is_of_a_whole_province() {
        let old = r#"{"seed": 1, "scale": 1.0, "as_of": "2026-11-23T02:00:00Z", "password": "p"}"#;
        assert!(serde_json::from_str::<Note>(old).unwrap().complete);
    }

    #[test]
    fn another_seed_or_scale_than_the_one_that_is_there_is_told() {
        let args = |seed, scale| DemoArgs { seed, scale, database_url: None, listen: None, fill_only: false };
        for same in [args(None, None), args(Some(7), None), args(None, Some(0.1)), args(Some(7), Some(0.1))] {
            assert_eq!(ignored(&same, &note(true)), None);
        }
        for other in [args(Some(1), None), args(None, Some(1.0))] {
            assert!(ignored(&other, &note(true)).is_some_and(|told| told.contains("seed 7 at scale 0.1")));
        }
    }
}
