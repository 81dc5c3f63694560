//! The rush: every phone of a country has been away, comes back in the same hour, sends a report and asks what is new.
//! Compressed: as fast as it is answered. A session stands for many phones, each with a report of its own; a push and the
//! pull that follows it are two requests, as phones make them.

use crate::Fallible;
use crate::database::Place;
use crate::line::Line;
use crate::phones::Phone;
use crate::process::{cpu, memory};
use crate::province::Province;
use crate::pulls::{asking, everything_since};
use crate::scripts::CONNECTIONS;
use crate::suite::Bench;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Rushed {
    /// Which database.
    pub database: &'static str,
    /// How many phones.
    pub phones: usize,
    /// How long all of them together took, in s.
    pub seconds: f64,
    /// How long the answers took: the middle one, that of one in a hundred, the longest; in ms.
    pub pushes: [f64; 3],
    /// The same of pulls.
    pub pulls: [f64; 3],
    /// Messages that the pulls brought.
    pub messages: u64,
    /// Processor time of server, database and generator, in s.
    pub used: [f64; 3],
    /// Resident memory of the server: before, and at most; in bytes.
    pub memory: (u64, u64),
}

/// What one connection saw.
struct Share {
    pushes: Histogram<u64>,
    pulls: Histogram<u64>,
    messages: u64,
}

/// A session, and what it knows.
struct Session<'p> {
    phone: &'p mut Phone,
    cursor: Value,
}

fn histogram() -> Fallible<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 3_600_000_000, 3)?)
}

fn record(histogram: &mut Histogram<u64>, took: Duration) -> Fallible<()> {
    Ok(histogram.record(u64::try_from(took.as_micros())?.max(1))?)
}

fn millis(histogram: &Histogram<u64>) -> [f64; 3] {
    let at = |q: f64| histogram.value_at_quantile(q) as f64 / 1e3;
    [at(0.5), at(0.99), histogram.max() as f64 / 1e3]
}

/// Rushes of several sizes, one after the other, into one store.
pub fn rush(bench: &Bench<'_>, place: Place<'_>) -> Fallible<Vec<Rushed>> {
    let mut province = Province::found(bench.program, place, bench.folder)?;
    let mut phones = std::mem::take(&mut province.phones);
    let server = province.installation.serve()?;
    let mut lines: Vec<Vec<Session<'_>>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    let mut line = Line::connect(server.address)?;
    for phone in &mut phones {
        let lane = phone.number() % CONNECTIONS;
        let (cursor, _) = everything_since(&mut line, phone.token(), &Value::Null)?;
        lines[lane].push(Session { phone, cursor });
    }
    let mut rushes = Vec::new();
    for phones in bench.size.rush.iter().copied() {
        let used =
            || [cpu(server.pid()), province.database().cpu(), cpu(std::process::id())].map(|time| time.as_secs_f64());
        let (before, (idle, _), begun) = (used(), memory(server.pid()), Instant::now());
        let share = all_at_once(server.address, &mut lines, phones / CONNECTIONS)?;
        let (seconds, after) = (begun.elapsed().as_secs_f64(), used());
        let rushed = Rushed {
            database: place.name(),
            phones,
            seconds,
            pushes: millis(&share.pushes),
            pulls: millis(&share.pulls),
            messages: share.messages,
            used: std::array::from_fn(|n| after[n] - before[n]),
            memory: (idle, memory(server.pid()).1),
        };
        eprintln!("{}", rushed.line());
        rushes.push(rushed);
    }
    drop(lines);
    server.stop()?;
    Ok(rushes)
}

fn all_at_once(address: SocketAddr, lines: &mut [Vec<Session<'_>>], phones_each: usize) -> Fallible<Share> {
    thread::scope(|scope| {
        let running: Vec<_> =
            lines.iter_mut().map(|sessions| scope.spawn(move || one_line(address, sessions, phones_each))).collect();
        let mut all = Share { pushes: histogram()?, pulls: histogram()?, messages: 0 };
        for line in running {
            let share = line.join().map_err(|_| "the generator panicked")??;
            all.pushes.add(&share.pushes)?;
            all.pulls.add(&share.pulls)?;
            all.messages += share.messages;
        }
        Ok(all)
    })
}

/// One connection: phone after phone.
fn one_line(address: SocketAddr, sessions: &mut [Session<'_>], phones: usize) -> Fallible<Share> {
    let mut line = Line::connect(address)?;
    let mut share = Share { pushes: histogram()?, pulls: histogram()?, messages: 0 };
    for n in 0..phones {
        let turn = n % sessions.len();
        let Session { phone, cursor } = &mut sessions[turn];
        let pushed = line.ask_well(&phone.creates(1))?;
        let said = String::from_utf8_lossy(&pushed.body);
        if !said.contains(r#""status":"accepted""#) || said.contains("duplicate") {
            return Err(format!("a report of the rush was answered: {said}").into());
        }
        record(&mut share.pushes, pushed.took)?;
        loop {
            let pulled = line.ask_well(&asking(phone.token(), cursor, false))?;
            record(&mut share.pulls, pulled.took)?;
            let said: Value = serde_json::from_slice(&pulled.body)?;
            share.messages += said["messages"].as_array().ok_or("an answer that is no page")?.len() as u64;
            *cursor = said["cursor"].clone();
            if said["more"] != true {
                break;
            }
        }
    }
    Ok(share)
}

impl Rushed {
    fn line(&self) -> String {
        format!(
            "rush of {} phones ({}): {:.0} s, pushes p50 {:.1} p99 {:.1} ms, pulls p50 {:.1} p99 {:.1} ms, {} MiB at most",
            self.phones,
            self.database,
            self.seconds,
            self.pushes[0],
            self.pushes[1],
            self.pulls[0],
            self.pulls[1],
            self.memory.1 >> 20
        )
    }
}
