//! A PostgreSQL primary and its synchronous standby, by the project's own script: so that a primary can be lost.

use crate::Fallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The two servers, who take turns.
const NAMES: [&str; 2] = ["torture-a", "torture-b"];

/// The pair. Both are stopped and deleted when it is dropped.
pub struct Cluster {
    script: PathBuf,
    /// Which of them is the primary.
    primary: usize,
    url: String,
}

impl Cluster {
    /// Starts both.
    pub fn start(script: &Path) -> Fallible<Self> {
        let mut cluster = Self { script: script.canonicalize()?, primary: 0, url: String::new() };
        let first = cluster.tell("start", &[NAMES[0]])?;
        let second = cluster.tell("standby", &["--synchronous", "--of", NAMES[0], NAMES[1]])?;
        cluster.url = either(&first, &second)?;
        Ok(cluster)
    }

    /// The address of whichever takes writes (libpq tries one after the other).
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The primary is gone in the middle of what it did; the standby goes on, and gets a new one.
    pub fn lose_primary(&mut self) -> Fallible<()> {
        let (lost, next) = (NAMES[self.primary], NAMES[1 - self.primary]);
        self.tell("kill", &[lost])?;
        self.tell("promote", &[next])?;
        self.primary = 1 - self.primary;
        self.tell("standby", &["--synchronous", "--of", next, lost]).map(drop)
    }

    fn tell(&self, action: &str, args: &[&str]) -> Fallible<String> {
        let ended = Command::new(&self.script).arg(action).args(args).stdin(Stdio::null()).output()?;
        if ended.status.success() {
            return Ok(String::from_utf8(ended.stdout)?.trim().to_owned());
        }
        Err(format!("private-postgres {action}: {}", String::from_utf8_lossy(&ended.stderr)).into())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for name in NAMES {
            if let Err(error) = self.tell("stop", &["--remove", name]) {
                eprintln!("{error}");
            }
        }
    }
}

/// One address of both.
fn either(first: &str, second: &str) -> Fallible<String> {
    let host = |url: &str| url.split(['?', '&']).find_map(|part| part.strip_prefix("host=").map(str::to_owned));
    let (Some(one), Some(other)) = (host(first), host(second)) else {
        return Err("an address without its host".into());
    };
    let both = first.replace(&format!("host={one}"), &format!("host={one},{other}"));
    let both = both.replace("port=5432", "port=5432,5432");
    Ok(format!("{both}&target_session_attrs=read-write&connect_timeout=5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_two_servers_names_both() {
        let url = |name: &str| format!("postgres:///postgres?host=%2Fa%2F{name}&port=5432&user=postgres");
        assert_eq!(
            either(&url("one"), &url("two")).unwrap(),
            "postgres:///postgres?host=%2Fa%2Fone,%2Fa%2Ftwo&port=5432,5432&user=postgres\
             &target_session_attrs=read-write&connect_timeout=5"
        );
    }
}
