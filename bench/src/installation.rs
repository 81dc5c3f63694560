//! The program under test with a folder and a database of its own, as somebody would install it: configured by the
//! environment alone, all else as it comes.

use crate::Fallible;
use crate::database::{Place, Scratch};
use crate::process::{Server, bare, free_port};
use muong_server::clock::Entropy;
use muong_server::config::Config;
use muong_server::security::master_key;
use muong_server::security::token::generate_key_file;
use muong_store::Vault;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An installation; its folder and its database go with it.
pub struct Installation {
    /// Its database.
    pub database: Scratch,
    folder: TempDir,
    program: PathBuf,
}

impl Installation {
    /// One over an empty database.
    pub fn new(program: &Path, place: Place<'_>, folder: &Path) -> Fallible<Self> {
        let database = place.make()?;
        let folder = TempDir::with_prefix_in("muong-", folder)?;
        let installation = Self { database, folder, program: program.to_owned() };
        generate_key_file(&installation.key(), &Entropy::System)?;
        master_key::generate_file(&installation.master_key(), &Entropy::System)?;
        Ok(installation)
    }

    /// Where it keeps what is its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What signs its tokens.
    pub fn key(&self) -> PathBuf {
        self.folder().join("signing_key.pem")
    }

    /// What its personal data is sealed under in the end.
    pub fn master_key(&self) -> PathBuf {
        self.folder().join("master_key.txt")
    }

    /// What opens its personal data, for whoever looks into its database past the program.
    pub fn vault(&self) -> Fallible<Arc<Vault>> {
        let config = Config { master_key_file: Some(self.master_key()), ..Config::default() };
        let vault = master_key::vault(&config, None, &Entropy::System)?;
        Ok(Arc::new(vault.ok_or("an installation without a master key")?))
    }

    /// `muong serve`.
    pub fn serve(&self) -> Fallible<Server> {
        self.serve_as(|_| {})
    }

    /// The same, configured further.
    pub fn serve_as(&self, configure: impl FnOnce(&mut Command)) -> Fallible<Server> {
        let address = free_port()?;
        let mut command = self.command();
        configure(&mut command);
        command.arg("serve").env("MUONG_LISTEN", address.to_string());
        Server::start(&mut command, address, "/readyz", &self.folder().join("server.log"))
    }

    /// `muong demo --fill-only`; how long it took.
    pub fn fill_demo(&self, scale: f64) -> Fallible<Duration> {
        let log = File::create(self.folder().join("demo.log"))?;
        let mut command = self.command();
        command.args(["demo", "--fill-only", "--listen", &free_port()?.to_string(), "--scale", &scale.to_string()]);
        let started = Instant::now();
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).status()?;
        if ended.success() { Ok(started.elapsed()) } else { Err("the demo could not be filled".into()) }
    }

    /// Everybody's password in the demo that was filled here.
    pub fn demo_password(&self, place: Place<'_>) -> Fallible<String> {
        let note = self.folder().join(format!("province-{}.json", place.scheme()));
        let said: serde_json::Value = serde_json::from_slice(&std::fs::read(note)?)?;
        Ok(said["password"].as_str().ok_or("a demo without a password")?.to_owned())
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, command: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Fallible<()> {
        let ended = self.command().arg(command).args(args).stdin(Stdio::null()).output()?;
        if ended.status.success() {
            return Ok(());
        }
        Err(format!("muong {command}: {}", String::from_utf8_lossy(&ended.stderr)).into())
    }

    fn command(&self) -> Command {
        let mut command = bare(&self.program);
        command.current_dir(self.folder()).envs([
            ("MUONG_DATABASE_URL", self.database.url().to_owned()),
            ("MUONG_SIGNING_KEY_FILE", self.key().display().to_string()),
            ("MUONG_MASTER_KEY_FILE", self.master_key().display().to_string()),
            ("MUONG_DATA_DIR", self.folder().display().to_string()),
            // A measure of ten million takes longer than fifteen minutes.
            ("MUONG_ACCESS_TOKEN_SECONDS", "86400".to_owned()),
        ]);
        command
    }
}
