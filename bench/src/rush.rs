//! The rush: every phone of a country has been away, comes back in the same hour, sends a report and asks what is new.
//! Compressed: as fast as it is answered. A session stands for many phones, each with a report of its own; a push and the
//! pull that follows it are two requests, as the reference phone makes them. It is a phone that holds nothing but its number
//! and its cursor until its turn comes and once its turn is over: the copies of all would not fit beside the server. With a
//! few, the link breaks before the answer to the push has come, or the clock is off. What else happens to phones, clones and
//! older copies of them among it, is for the torture.

use crate::Fallible;
use crate::database::Place;
use crate::line::Line;
use crate::phones::{Phone, Report};
use crate::process::{cpu, memory};
use crate::province::Province;
use crate::pulls::Caller;
use crate::scripts::CONNECTIONS;
use crate::suite::Bench;
use hdrhistogram::Histogram;
use muong_phone::wire::Pushed;
use serde::Serialize;
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
    /// Reports that were sent again, since the link broke before the answer had come: each was answered as a duplicate.
    pub sent_again: u64,
    /// Phones whose clock was off: their reports were accepted like all others.
    pub clocks_off: u64,
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
    sent_again: u64,
    clocks_off: u64,
}

/// A session: whose reports they are, and the reference phone that carries them.
struct Session<'p> {
    phone: &'p mut Phone,
    caller: Caller,
}

impl Share {
    fn new() -> Fallible<Self> {
        Ok(Self { pushes: histogram()?, pulls: histogram()?, messages: 0, sent_again: 0, clocks_off: 0 })
    }

    fn add(&mut self, other: &Self) -> Fallible<()> {
        self.pushes.add(&other.pushes)?;
        self.pulls.add(&other.pulls)?;
        self.messages += other.messages;
        self.sent_again += other.sent_again;
        self.clocks_off += other.clocks_off;
        Ok(())
    }
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
        let mut caller = Caller::of(phone);
        caller.pull(&mut line)?;
        lines[lane].push(Session { phone, caller });
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
            sent_again: share.sent_again,
            clocks_off: share.clocks_off,
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
        let mut all = Share::new()?;
        for line in running {
            all.add(&line.join().map_err(|_| "the generator panicked")??)?;
        }
        Ok(all)
    })
}

/// One connection: phone after phone.
fn one_line(address: SocketAddr, sessions: &mut [Session<'_>], phones: usize) -> Fallible<Share> {
    let mut line = Line::connect(address)?;
    let mut share = Share::new()?;
    for n in 0..phones {
        let turn = n % sessions.len();
        sessions[turn].come_back(&mut line, &mut share)?;
    }
    Ok(share)
}

impl Session<'_> {
    /// The next phone that it stands for comes back: says its report, asks what is new, and is put away.
    fn come_back(&mut self, line: &mut Line, share: &mut Share) -> Fallible<()> {
        let report = self.phone.report();
        share.clocks_off += u64::from(report.clock_is_off);
        self.push(report, line, share)?;
        while let Some(request) = self.caller.asks()? {
            let heard = self.caller.ask(line, &request)?;
            record(&mut share.pulls, heard.took)?;
        }
        share.messages += self.caller.told() as u64;
        self.caller.let_go()
    }

    /// Pushes a report until the answer is heard: it must have been recorded once.
    fn push(&mut self, report: Report, line: &mut Line, share: &mut Share) -> Fallible<()> {
        let Report { id, draft, sent_at, link_breaks, .. } = report;
        self.caller.phone.say(id, draft)?;
        if link_breaks {
            let request = self.caller.asks()?.ok_or("a report that is not pushed")?.sent_at(&sent_at);
            let unheard = self.caller.ask_unheard(line, &request)?;
            record(&mut share.pushes, unheard.took)?;
            share.sent_again += 1;
        }
        let request = self.caller.asks()?.ok_or("a report that is not pushed")?.sent_at(&sent_at);
        let heard = self.caller.ask(line, &request)?;
        record(&mut share.pushes, heard.took)?;
        let Pushed { results, .. } = serde_json::from_slice(&heard.body)?;
        let is_duplicate = results.iter().any(|result| result.status == "duplicate");
        if self.caller.is_accepted() && is_duplicate == link_breaks {
            return Ok(());
        }
        Err(format!("a report of the rush was answered: {}", String::from_utf8_lossy(&heard.body)).into())
    }
}

impl Rushed {
    fn line(&self) -> String {
        format!(
            "rush of {} phones ({}): {:.0} s, pushes p50 {:.1} p99 {:.1} ms, pulls p50 {:.1} p99 {:.1} ms, {} MiB at most; \
             {} sent again and duplicate, {} clocks off",
            self.phones,
            self.database,
            self.seconds,
            self.pushes[0],
            self.pushes[1],
            self.pulls[0],
            self.pulls[1],
            self.memory.1 >> 20,
            self.sent_again,
            self.clocks_off,
        )
    }
}
