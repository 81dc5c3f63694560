//! Where it happens: an installation, its server processes, and the faults that befall them. Knows nothing of what the
//! phones say.

use super::COMMUNES;
use super::asked::{Columns, rows};
use super::chance::Chance;
use super::cluster::Cluster;
use super::disk::SmallDisk;
use super::journal::At;
use crate::Fallible;
use crate::database::{Place, Scratch};
use crate::installation::Installation;
use crate::process::{Server, bare};
use crate::province;
use chrono::{DateTime, TimeDelta, Utc};
use muong_server::archive::Manifest;
use muong_server::clock::Clock;
use muong_store::{Connection, DatabaseUrl};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What can befall a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// SIGKILL, whatever it was doing; half of the times as soon as it has committed what some phone said, before that is
    /// answered or hardly after. Then a new process.
    Killed,
    /// SIGSTOP for a while, then SIGCONT: to its clients it hangs.
    Stopped,
    /// Its clock jumps, forwards or back, by up to two days.
    ClockMoved,
    /// A backup that was made while it served is restored in place of what it had: the phones' later words are gone there.
    Restored,
    /// The disk is full for a while.
    DiskFull,
    /// PostgreSQL's primary is gone in the middle of what it did, and its synchronous standby is promoted.
    PrimaryLost,
    /// What only tells that something is gone leaves the feed, also what is young: phones that have not been told begin anew.
    Compacted,
}

impl Fault {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::ClockMoved => "clock moved",
            Self::Restored => "restored from a backup",
            Self::DiskFull => "disk full",
            Self::PrimaryLost => "primary lost",
            Self::Compacted => "feed compacted",
        }
    }
}

/// What makes clocks move (Debian: libfaketime, part of the package faketime).
const FAKETIME: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];
/// How far a clock moves at most, in seconds.
const CLOCK_S: i64 = 2 * 24 * 3600;
/// Within so long everybody has noticed that it moved.
const NOTICED: Duration = Duration::from_millis(2_500);
/// The least that can be configured for how long the feed tells that something is gone, in days and in seconds.
const TOMBSTONE: (&str, u64) = ("1", 24 * 3600);
/// So long somebody who is about to kill a server waits for something to be said.
const LULL: Duration = Duration::from_secs(1);

/// A server that was killed.
struct Kill {
    address: SocketAddr,
    at: Instant,
    /// What turned out to be recorded there, although it was never answered.
    unanswered: usize,
}

/// What kills did between a commit and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// How often a server was killed.
    pub kills: usize,
    /// After how many of these something turned out to be recorded that had never been answered.
    pub told: usize,
    /// How much that was.
    pub submissions: usize,
}

/// As it is told in the end.
impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, told, submissions } = self;
        if *told == 0 {
            return write!(
                f,
                "between commit and answer: NONE of {kills} kills came there, so nothing is shown of that"
            );
        }
        write!(f, "between commit and answer: {told} of {kills} kills, found by {submissions} submissions said again")
    }
}

/// The stage.
pub struct Stage {
    program: PathBuf,
    installation: Installation,
    /// Where an embedded database lies, if that disk can be full. After the installation: what is there goes first.
    disk: Mutex<Option<SmallDisk>>,
    /// PostgreSQL's servers, if they are ours to lose.
    cluster: Mutex<Option<Cluster>>,
    servers: Mutex<Vec<Server>>,
    addresses: RwLock<Vec<SocketAddr>>,
    happened: Mutex<BTreeMap<Fault, usize>>,
    faketime: Option<&'static str>,
    clock: PathBuf,
    /// Since when it has been off by how many seconds.
    moves: Mutex<Vec<(Instant, i64)>>,
    /// Where restores cut the log.
    cuts: Mutex<Vec<At>>,
    kills: Mutex<Vec<Kill>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// Founds a province and starts what serves it: one process on SQLite, two on PostgreSQL.
    pub fn set(program: &Path, cluster: Option<Cluster>, folder: &Path) -> Fallible<Self> {
        let (disk, processes) = match cluster {
            None => (SmallDisk::mount(folder)?, 1),
            Some(_) => (None, 2),
        };
        let place = match &cluster {
            Some(cluster) => Place::Postgres(cluster.url()),
            None => Place::Sqlite(disk.as_ref().map_or(folder, SmallDisk::path)),
        };
        let installation = Installation::new(program, place, folder)?;
        province::settle(&installation, COMMUNES)?;
        let clock = installation.folder().join("clock");
        std::fs::write(&clock, "+0")?;
        let stage = Self {
            program: program.to_owned(),
            installation,
            disk: Mutex::new(disk),
            cluster: Mutex::new(cluster),
            servers: Mutex::default(),
            addresses: RwLock::default(),
            happened: Mutex::default(),
            faketime: FAKETIME.into_iter().find(|library| Path::new(library).exists()),
            clock,
            moves: Mutex::new(vec![(Instant::now(), 0)]),
            cuts: Mutex::default(),
            kills: Mutex::default(),
        };
        for _ in 0..processes {
            let server = stage.start()?;
            lock(&stage.servers).push(server);
        }
        stage.publish();
        Ok(stage)
    }

    /// What this machine can do to it.
    pub fn possible_faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::Killed, Fault::Stopped, Fault::Restored];
        match (&*lock(&self.disk), &*lock(&self.cluster)) {
            (Some(_), _) => faults.push(Fault::DiskFull),
            (None, Some(_)) => faults.push(Fault::PrimaryLost),
            (None, None) => eprintln!("no disk is full: only root can mount a small one, for an embedded database"),
        }
        match self.faketime {
            Some(_) => faults.extend([Fault::ClockMoved, Fault::Compacted]),
            None => eprintln!(
                "no clock is moved, and nothing is old enough to be compacted: libfaketime is not installed (Debian: \
                 apt-get install faketime)"
            ),
        }
        faults
    }

    fn start(&self) -> Fallible<Server> {
        self.installation.serve_as(|command| {
            command.env("MUONG_LOG__LEVEL", "warn");
            for budget in ["ADDRESS", "SESSION", "REFRESH", "PUSH_REQUESTS", "PUSH_SUBMISSIONS", "PULL_REQUESTS"] {
                command.env(format!("MUONG_THROTTLE__{budget}_PER_MINUTE"), "0");
            }
            command.env("MUONG_THROTTLE__SIGN_IN_FREE", "1000000");
            if let Some(library) = self.faketime {
                command.envs([("LD_PRELOAD", library), ("FAKETIME_CACHE_DURATION", "1")]);
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_TIMESTAMP_FILE", &self.clock);
            }
        })
    }

    fn publish(&self) {
        let addresses = lock(&self.servers).iter().map(|server| server.address).collect();
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Where a phone finds a server now.
    pub fn address(&self, chance: &mut Chance) -> Option<SocketAddr> {
        let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
        (!addresses.is_empty()).then(|| *chance.pick(&addresses))
    }

    /// Where all servers are.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets something happen.
    pub fn suffer(&self, fault: Fault, chance: &mut Chance) -> Fallible<()> {
        match fault {
            Fault::Killed => self.kill(chance)?,
            Fault::Stopped => self.stop_for_a_while(chance)?,
            Fault::ClockMoved => self.move_clock(chance)?,
            Fault::Restored => self.restore(chance)?,
            Fault::DiskFull => self.fill_disk(chance)?,
            Fault::PrimaryLost => lock(&self.cluster).as_mut().ok_or("no primary to lose")?.lose_primary()?,
            Fault::Compacted => {
                if self.compact(chance)? == 0 {
                    return Ok(()); // nothing was gone, so nothing has happened
                }
            }
        }
        *lock(&self.happened).entry(fault).or_default() += 1;
        Ok(())
    }

    /// Whether all of these have happened.
    pub fn has_suffered(&self, faults: &[Fault]) -> bool {
        let happened = lock(&self.happened);
        faults.iter().all(|fault| happened.contains_key(fault))
    }

    fn kill(&self, chance: &mut Chance) -> Fallible<()> {
        if chance.percent(50) {
            self.wait_for_a_commit()?;
        }
        let victim = {
            let mut servers = lock(&self.servers);
            let at = usize::try_from(chance.below(servers.len() as u64))?;
            servers.swap_remove(at)
        };
        lock(&self.kills).push(Kill { address: victim.address, at: Instant::now(), unanswered: 0 });
        // Dropping it is the SIGKILL.
        drop(victim);
        let next = self.start()?;
        lock(&self.servers).push(next);
        self.publish();
        Ok(())
    }

    /// Returns as soon as something that a phone has said is committed; after a while, when nobody says anything.
    fn wait_for_a_commit(&self) -> Fallible<()> {
        let mut conn = DatabaseUrl::parse(self.installation.database.url())?.open()?;
        let (begun, before) = (Instant::now(), last_recorded(&mut conn)?);
        while last_recorded(&mut conn)? == before && begun.elapsed() < LULL {}
        Ok(())
    }

    /// Whether the server at an address was killed since a moment: as which kill of all.
    pub fn killed_since(&self, address: SocketAddr, moment: Instant) -> Option<usize> {
        lock(&self.kills).iter().rposition(|kill| kill.address == address && kill.at >= moment)
    }

    /// Something turned out to be recorded that was said once, to a server that was killed before it answered.
    pub fn note_unanswered(&self, kill: usize) {
        if let Some(kill) = lock(&self.kills).get_mut(kill) {
            kill.unanswered += 1;
        }
    }

    /// What kills did between a commit and its answer.
    pub fn unanswered(&self) -> Unanswered {
        let kills = lock(&self.kills);
        let submissions: Vec<usize> = kills.iter().map(|kill| kill.unanswered).filter(|some| *some > 0).collect();
        Unanswered { kills: kills.len(), told: submissions.len(), submissions: submissions.iter().sum() }
    }

    /// Compacts the feed beside the servers, by a clock by which all or some of what is gone has been so for long enough. How
    /// many rows went.
    fn compact(&self, chance: &mut Chance) -> Fallible<usize> {
        let library = self.faketime.ok_or("no clock to move")?;
        let (days, seconds) = TOMBSTONE;
        // Beyond that as far as servers' clocks are ahead, and once more: half of the times, everything is old enough.
        let ahead = seconds + chance.below(2 * CLOCK_S.unsigned_abs());
        let ended = bare(&self.program)
            .current_dir(self.installation.folder())
            .env("MUONG_DATABASE_URL", self.installation.database.url())
            .env("MUONG_SIGNING_KEY_FILE", self.installation.key())
            .env("MUONG_MASTER_KEY_FILE", self.installation.master_key())
            .env("MUONG_DATA_DIR", self.installation.folder())
            .env("MUONG_TOMBSTONE_DAYS", days)
            .env("LD_PRELOAD", library)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME", format!("+{ahead}"))
            .arg("compact")
            .stdin(Stdio::null())
            .output()?;
        if !ended.status.success() {
            return Err(format!("muong compact: {}", String::from_utf8_lossy(&ended.stderr)).into());
        }
        let told = String::from_utf8(ended.stdout)?;
        let removed = told.lines().find_map(|line| line.strip_prefix("Removed ")?.split(' ').next()?.parse().ok());
        removed.ok_or_else(|| format!("muong compact tells not how many rows went: {told}").into())
    }

    fn stop_for_a_while(&self, chance: &mut Chance) -> Fallible<()> {
        let pid = {
            let servers = lock(&self.servers);
            chance.pick(&servers).pid()
        };
        signal(pid, "STOP")?;
        sleep(Duration::from_millis(200 + chance.below(1_500)));
        signal(pid, "CONT")
    }

    /// Takes a backup while phones push, lets them push on, and puts it in place of all there is.
    fn restore(&self, chance: &mut Chance) -> Fallible<()> {
        let folder = self.installation.folder().join("backups");
        let before = backups_in(&folder)?;
        self.installation.run("backup", [&folder])?;
        let newest = backups_in(&folder)?.difference(&before).next().cloned().ok_or("there is no new backup")?;
        let manifest: Manifest = serde_json::from_slice(&std::fs::read(newest.join("manifest.json"))?)?;
        sleep(Duration::from_millis(300 + chance.below(1_000)));
        let count = {
            let mut servers = lock(&self.servers);
            let count = servers.len();
            servers.clear();
            count
        };
        self.publish();
        self.installation.run("restore", [newest.as_path(), Path::new("--replace-everything")])?;
        let head = manifest.contents.head;
        lock(&self.cuts).push(At { epoch: head.epoch, seq: head.seq });
        for _ in 0..count {
            let next = self.start()?;
            lock(&self.servers).push(next);
        }
        self.publish();
        Ok(())
    }

    fn fill_disk(&self, chance: &mut Chance) -> Fallible<()> {
        let full = lock(&self.disk).as_ref().ok_or("no disk to fill")?.fill()?;
        sleep(Duration::from_millis(300 + chance.below(1_000)));
        drop(full);
        Ok(())
    }

    fn move_clock(&self, chance: &mut Chance) -> Fallible<()> {
        let off = i64::try_from(chance.below(2 * CLOCK_S.unsigned_abs()))? - CLOCK_S;
        self.set_clock(off)?;
        // Long enough for everybody to notice.
        sleep(Duration::from_millis(1_200));
        Ok(())
    }

    /// At once or not at all: a process that reads half a number would end.
    fn set_clock(&self, off: i64) -> Fallible<()> {
        let next = self.clock.with_extension("next");
        std::fs::write(&next, format!("{off:+}"))?;
        lock(&self.moves).push((Instant::now(), off));
        Ok(std::fs::rename(next, &self.clock)?)
    }

    /// What a server's clock may have said between a moment and now: from and to, for each way in which it was off.
    pub fn clocks_since(&self, begun: Instant) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let (now, until) = (Clock::System.now(), Instant::now());
        let lasted = TimeDelta::from_std(until - begun).unwrap_or_default();
        let moves = lock(&self.moves);
        let ends = moves.iter().skip(1).map(|(since, _)| Some(*since + NOTICED)).chain([None]);
        let was_so = moves.iter().zip(ends).filter(|(_, end)| end.is_none_or(|end| end >= begun));
        let off = was_so.map(|((_, off), _)| TimeDelta::seconds(*off));
        let unsure = TimeDelta::milliseconds(10);
        off.map(|off| (now - lasted + off - unsure, now + off + unsure)).collect()
    }

    /// Where restores cut the log: the last entry of each backup that was put in place of all there was.
    pub fn cuts(&self) -> Vec<At> {
        lock(&self.cuts).clone()
    }

    /// Nothing goes wrong any more.
    pub fn recover(&self) -> Fallible<()> {
        self.set_clock(0)?;
        // What phones may see in the end depends on what the clock says.
        sleep(NOTICED);
        Ok(())
    }

    /// How often each fault happened.
    pub fn happened(&self) -> Vec<(Fault, usize)> {
        lock(&self.happened).iter().map(|(fault, times)| (*fault, *times)).collect()
    }

    /// Ends everything at once, whoever still stands here: nothing stays behind.
    pub fn clear(&self) {
        lock(&self.servers).clear();
        drop(lock(&self.disk).take());
        drop(lock(&self.cluster).take());
    }

    /// Stops the servers as a supervisor does: what is left is the database.
    pub fn stop(&self) -> Fallible<&Installation> {
        for server in std::mem::take(&mut *lock(&self.servers)) {
            server.stop()?;
        }
        Ok(&self.installation)
    }

    /// An empty database beside the one that was tortured.
    pub fn another_database(&self) -> Fallible<Scratch> {
        match (&*lock(&self.cluster), &*lock(&self.disk)) {
            (Some(cluster), _) => Place::Postgres(cluster.url()).make(),
            (None, Some(disk)) => Place::Sqlite(disk.path()).make(),
            (None, None) => Place::Sqlite(self.installation.folder()).make(),
        }
    }
}

/// The last entry that recorded what a phone said; 0 for none.
fn last_recorded(conn: &mut Connection) -> Fallible<i64> {
    let columns = Columns { id: "epoch", n: "(SELECT max(seq) FROM submissions)", ..Columns::ID };
    Ok(rows(conn, columns, "feed_head")?.first().map_or(0, |head| head.n))
}

/// The finished backups of a folder.
fn backups_in(folder: &Path) -> Fallible<BTreeSet<PathBuf>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.join("manifest.json").exists()).collect())
}

fn signal(pid: u32, name: &str) -> Fallible<()> {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status()?;
    if sent.success() { Ok(()) } else { Err(format!("SIG{name} could not be sent").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_no_kill_came_between_a_commit_and_its_answer_is_said_plainly() {
        let told = |told, submissions| Unanswered { kills: 4, told, submissions }.to_string();
        assert!(told(0, 0).contains("NONE of 4 kills"), "{}", told(0, 0));
        assert!(told(2, 3).contains("2 of 4 kills, found by 3 submissions"), "{}", told(2, 3));
    }
}
