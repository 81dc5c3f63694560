//! The load: connections that send what was prepared for them, one request after another, each as soon as the answer
//! to the last one is there (a closed loop), and how long each answer took.
//! Any answer that is not the expected one ends the bench: a fast refusal is no throughput.
//! No reference phone is at work here: this load is compared with floors, so the generator has to cost nothing while the clock
//! runs, and what it sends is written before. What a phone does between is in the rush and in the pulls.

use crate::Fallible;
use crate::wire::{Answer, Wire};
use hdrhistogram::Histogram;
use memchr::memmem;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

/// The threads of the generator. Two, so that one core's worth of work is not its limit.
const THREADS: usize = 2;

/// What one connection sends, in order.
pub type Lane = Vec<Vec<u8>>;

/// What every answer must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The status.
    pub status: u16,
    /// What the body must say.
    pub says: &'static str,
    /// So many times.
    pub times: usize,
    /// What it must not say.
    pub never: &'static str,
}

/// A load that is ready to be sent.
pub struct Load {
    /// One a connection.
    pub lanes: Vec<Lane>,
    /// Whether a lane begins again when it has ended; otherwise its connection stops.
    pub repeats: bool,
    /// When to send no more.
    pub limit: Duration,
    /// How many items one request carries.
    pub items: usize,
    /// What every answer must be.
    pub expected: Expected,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// How long each answer took, in µs.
    pub latency: Histogram<u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Items that were answered.
    pub items: u64,
    /// The body of some last answer.
    pub last: Vec<u8>,
}

/// An hour: nothing is slower and still an answer.
const SLOWEST_US: u64 = 3_600_000_000;

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, SLOWEST_US, 3).expect("bounds that the crate allows")
}

impl Load {
    /// Connects, calls `ready` when all have, sends everything, and returns when the last answer is there.
    pub fn run<T>(self, address: SocketAddr, ready: impl FnOnce() -> T) -> Fallible<(T, Answered)> {
        let load = Arc::new(self);
        let begin = Arc::new(Barrier::new(THREADS + 1));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (load, begin) = (Arc::clone(&load), Arc::clone(&begin));
                thread::spawn(move || load.drive(address, thread, &begin))
            })
            .collect();
        let before = ready();
        begin.wait();
        let started = Instant::now();
        let mut all = Answered { latency: histogram(), elapsed: Duration::ZERO, items: 0, last: Vec::new() };
        for thread in threads {
            for Share { latency, ended, last } in thread.join().map_err(|_| "the generator panicked")?? {
                all.latency.add(&latency)?;
                all.elapsed = all.elapsed.max(ended.saturating_duration_since(started));
                all.last = last;
            }
        }
        all.items = all.latency.len() * load.items as u64;
        Ok((before, all))
    }

    /// One thread's share of the lanes.
    fn drive(self: Arc<Self>, address: SocketAddr, thread: usize, begin: &Barrier) -> Fallible<Vec<Share>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let lanes: Vec<usize> = (thread..self.lanes.len()).step_by(THREADS).collect();
        let connected = runtime.block_on(connect(address, lanes.len()));
        // Reached whatever happened, or the others would wait for ever.
        begin.wait();
        let (connected, deadline) = (connected?, Instant::now() + self.limit);
        let following = async {
            let mut tasks = JoinSet::new();
            for (wire, lane) in connected.into_iter().zip(lanes) {
                tasks.spawn_local(Arc::clone(&self).follow(wire, lane, deadline));
            }
            let mut shares = Vec::new();
            while let Some(done) = tasks.join_next().await {
                shares.push(done??);
            }
            Ok(shares)
        };
        LocalSet::new().block_on(&runtime, following)
    }

    async fn follow(self: Arc<Self>, mut wire: Wire, lane: usize, deadline: Instant) -> Fallible<Share> {
        let lane = &self.lanes[lane];
        let rounds = if self.repeats { usize::MAX } else { lane.len() };
        let mut share = Share { latency: histogram(), ended: Instant::now(), last: Vec::new() };
        for round in 0..rounds {
            let asked = share.ended;
            if asked >= deadline {
                break;
            }
            let answer = wire.ask(&lane[round % lane.len()]).await?;
            self.expected.check(answer)?;
            if round + 1 == rounds {
                share.last = answer.body.to_vec();
            }
            share.ended = Instant::now();
            let micros = u64::try_from((share.ended - asked).as_micros()).unwrap_or(SLOWEST_US);
            share.latency.record(micros.clamp(1, SLOWEST_US))?;
        }
        Ok(share)
    }
}

/// What one connection has to tell.
struct Share {
    latency: Histogram<u64>,
    ended: Instant,
    last: Vec<u8>,
}

async fn connect(address: SocketAddr, count: usize) -> Fallible<Vec<Wire>> {
    let mut wires = Vec::with_capacity(count);
    for _ in 0..count {
        wires.push(Wire::connect(address).await?);
    }
    Ok(wires)
}

impl Expected {
    /// A status, and nothing of the body.
    pub const fn status(status: u16) -> Self {
        Self { status, says: "", times: 0, never: "" }
    }

    /// A push of which every submission ended so, none of them a duplicate.
    pub const fn pushed(says: &'static str, times: usize) -> Self {
        Self { status: 200, says, times, never: "\"duplicate\"" }
    }

    fn check(&self, answer: Answer<'_>) -> Fallible<()> {
        let count = |text: &str| memmem::find_iter(answer.body, text).take(self.times + 1).count();
        let says = self.says.is_empty() || count(self.says) == self.times;
        let never = self.never.is_empty() || memmem::find(answer.body, self.never.as_bytes()).is_none();
        if answer.status == self.status && says && never {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&answer.body[..answer.body.len().min(2_000)]).into_owned();
        Err(format!("expected {self:?}, answered {}: {shown}", answer.status).into())
    }
}
