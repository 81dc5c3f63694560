//! The processes of a measure: started, asked how much processor time and memory they have used, stopped.
//! Reads Linux's /proc; knows nothing of what they serve.

use crate::Fallible;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long one tick of /proc is: USER_HZ is 100 wherever Linux runs.
const TICK: Duration = Duration::from_millis(10);
/// How long a server may take until it answers, or until it has stopped.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(1);

/// A server that was started, and is stopped when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to its first good answer.
    pub ready_after: Duration,
}

/// A command with no more of our environment than `PATH`: nothing of it configures what is measured.
pub fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::vars().filter(|(name, _)| name == "PATH"));
    command
}

/// A port that is free now; the server takes it at once.
pub fn free_port() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts what [`bare`] made; ready when `GET path` answers 200. Its log goes to a file.
    pub fn start(command: &mut Command, address: SocketAddr, path: &str, log: &Path) -> Fallible<Self> {
        let log_file = File::create(log)?;
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file).spawn()?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        while !answers(address, path) {
            let ended = server.child.try_wait()?.is_some();
            if ended || started.elapsed() > PATIENCE {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("the server did not start: {}", tail(&said)).into());
            }
            sleep(PAUSE);
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as a supervisor does.
    pub fn stop(mut self) -> Fallible<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                return Err("the server did not stop".into());
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    // A bare connection first: while nobody listens it is refused at once.
    TcpStream::connect(address).is_ok()
        && ureq::get(format!("http://{address}{path}")).call().is_ok_and(|answer| answer.status() == 200)
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(2_000);
    (start..text.len()).find_map(|at| text.get(at..)).unwrap_or_default()
}

/// What /proc/<pid>/stat tells.
struct Stat {
    name: String,
    parent: u32,
    /// Of the process itself.
    own: Duration,
    /// Of children that have ended.
    reaped: Duration,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, spaces and brackets among it: the rest begins after the last bracket.
    let (before, after) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
    Some(Stat {
        name: before.split_once('(')?.1.to_owned(),
        parent: ticks(1),
        own: TICK * (ticks(11) + ticks(12)),
        reaped: TICK * (ticks(13) + ticks(14)),
    })
}

/// User and system time of a process.
pub fn cpu(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| stat.own)
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| stat(*child).is_some_and(|stat| stat.parent == pid)).collect()
}

/// User and system time of a process and its children, those that have ended among them.
pub fn cpu_of_family(pid: u32) -> Duration {
    let Some(head) = stat(pid) else { return Duration::ZERO };
    head.own + head.reaped + children(pid).into_iter().map(cpu).sum::<Duration>()
}

/// Processor time that the whole machine has used, whoever it was.
pub fn cpu_of_all() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1).enumerate();
    // The fourth and fifth are idle, the ninth and tenth are counted in the first two already.
    let busy = fields.filter(|(n, _)| !matches!(n, 3 | 4 | 8 | 9)).filter_map(|(_, ticks)| ticks.parse::<u64>().ok());
    Duration::from_millis(busy.sum::<u64>() * 10)
}

/// The parent of a process, when it has this name.
pub fn parent_named(pid: u32, name: &str) -> Option<u32> {
    let parent = stat(pid)?.parent;
    (stat(parent)?.name == name).then_some(parent)
}

/// Resident memory in bytes: now, and at most so far.
pub fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let find = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    (find("VmRSS").unwrap_or(0) << 10, find("VmHWM").unwrap_or(0) << 10)
}
