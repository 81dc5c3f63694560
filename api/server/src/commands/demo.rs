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
use crate::state::{App, StartError};
use crate::usecases::fill_province::{FillError, fill_province, is_filled};
use chrono::{DateTime, Utc};
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
    #[error(
        "the database holds units already, but no complete demo that this folder knows of: choose an empty database, \
         or remove the half-filled one (for the default: rm -r .demo) and run the demo again"
    )]
    Occupied,
}

/// What must be known to show the same province again.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    seed: u64,
    scale: f64,
    as_of: DateTime<Utc>,
    password: String,
}

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

fn fill_and_serve(args: &DemoArgs, app: &App, listener: TcpListener) -> Result<(), DemoError> {
    let path = app.config.data_dir.join(format!("province-{}.json", app.database.url().kind()));
    let note = match (read_note(&path)?, is_filled(app).map_err(FillError::from)?) {
        (Some(note), true) => note,
        (None, true) => return Err(DemoError::Occupied),
        (_, false) => fill(args, app, &path)?,
    };
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
    let note = Note { seed: args.seed, scale: args.scale, as_of: app.clock.now(), password };
    let parsed = Password::parse(&note.password).map_err(DemoError::Password)?;
    let hash = hash_blocking(&parsed, &app.entropy)?;
    let province = Province::new(note.seed, note.scale, note.as_of);
    let tally = fill_province(app, &province, &hash)?;
    println!("{tally}");
    // Last: whoever finds the note finds the whole province.
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
