//! Files and folders: who can read the secrets, and whether there is room to write.

use super::{Report, Subject};
use crate::security::master_key;
use crate::state::SIGNING_KEY;
use muong_store::DatabaseUrl;
use rustix::fs::{StatVfs, statfs, statvfs};
use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where containers put secrets; nobody else is in there, and the mode is not ours to choose.
const CONTAINER_SECRETS: &str = "/run/secrets";
/// With less than this free, it will soon be over.
const LITTLE: u64 = 1 << 30;
const TOO_LITTLE: u64 = 64 << 20;

/// Nobody else may read what signs, unlocks or opens.
pub(super) fn secrets(subject: &Subject, report: &mut Report) {
    let config = &subject.config;
    let own_key = config.data_dir.join(SIGNING_KEY);
    let key = config.signing_key_file.clone().or_else(|| own_key.exists().then_some(own_key));
    let own_master = config.data_dir.join(master_key::FILE);
    let master = config.master_key_file.clone().or_else(|| own_master.exists().then_some(own_master));
    let secrets = [
        ("the signing key", key),
        ("the master key", master),
        ("the key of the certificate", config.tls.key_file.clone()),
        ("the database URL", config.database_url_file.clone()),
        ("the standby's URL", config.database_read_url_file.clone()),
    ];
    for (what, path) in secrets.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        secret(what, &path, report);
    }
}

fn secret(what: &str, path: &Path, report: &mut Report) {
    let shown = path.display();
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) => {
            return report.fault(format!("{what} {shown} cannot be read: {error}"), "name a file that is there");
        }
    };
    let remedy = format!("chmod 0600 {shown}");
    if mode & 0o077 == 0 || !is_reachable_by_others(path) {
        report.ok(format!("{what} {shown} is readable by its owner alone"));
    } else if path.starts_with(CONTAINER_SECRETS) {
        report.ok(format!("{what} {shown} is a container's secret (mode {mode:04o})"));
    } else if mode & 0o007 != 0 {
        report.fault(format!("{what} {shown} is open to every user of this machine (mode {mode:04o})"), remedy);
    } else {
        report.warning(format!("{what} {shown} is open to a group (mode {mode:04o})"), remedy);
    }
}

/// Whether every folder on the way to it lets others pass.
fn is_reachable_by_others(path: &Path) -> bool {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let passable =
        |folder: &Path| std::fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o011 != 0);
    whole.ancestors().skip(1).all(passable)
}

/// Where muong keeps what it makes for itself.
pub(super) fn data_dir(subject: &Subject, report: &mut Report) {
    writable("data_dir", &subject.config.data_dir, report);
}

fn writable(what: &str, folder: &Path, report: &mut Report) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let probe = folder.join(format!(".muong-check-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    let ended = made.and_then(|_file| std::fs::remove_file(&probe));
    match ended {
        Ok(()) => report.ok(format!("{what} {} can be written to", folder.display())),
        Err(error) => {
            let remedy = "make the folder, and give it to the user that runs muong";
            report.fault(format!("{what} {} cannot be written to: {error}", folder.display()), remedy);
        }
    }
}

/// SQLite: the file, the folder of its log, its file system, and the room that is left.
pub(super) fn database_file(subject: &Subject, report: &mut Report) {
    let Ok(DatabaseUrl::Sqlite(path)) = DatabaseUrl::parse(subject.config.database_url.expose()) else {
        return report.ok("not with PostgreSQL");
    };
    let path = PathBuf::from(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    writable("the folder of the database", folder, report);
    if let Ok(metadata) = std::fs::metadata(&path) {
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o007 != 0 && is_reachable_by_others(&path) {
            let says =
                format!("the database {} is open to every user of this machine (mode {mode:04o})", path.display());
            report.warning(says, format!("chmod 0600 {0} {0}-wal {0}-shm", path.display()));
        }
    }
    if let Some(kind) = remote(folder) {
        let remedy = "keep it on a disk of this machine; for several machines, use PostgreSQL";
        report.fault(format!("the database is on {kind}, where SQLite's locks cannot be trusted"), remedy);
    }
    if let Ok(StatVfs { f_bavail, f_frsize, .. }) = statvfs(folder) {
        room(f_bavail.saturating_mul(f_frsize), report);
    }
}

fn room(free: u64, report: &mut Report) {
    let says = format!("{} MiB are free for the database", free >> 20);
    match free {
        free if free < TOO_LITTLE => report.fault(says, "make room, or move the database to a larger disk"),
        free if free < LITTLE => report.warning(says, "make room before it is needed"),
        _ => report.ok(says),
    }
}

/// File systems that are somebody else's, by their magic numbers (statfs(2)).
fn remote(folder: &Path) -> Option<&'static str> {
    const REMOTE: [(i64, &str); 6] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
    ];
    let kind = statfs(folder).ok()?.f_type;
    REMOTE.into_iter().find(|(magic, _)| *magic == kind).map(|(_, name)| name)
}
