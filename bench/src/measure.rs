//! One measure: a load, sent several times, with who used how much processor time meanwhile.

use crate::Fallible;
use crate::database::Scratch;
use crate::load::{Answered, Load};
use crate::process::{Server, cpu, cpu_of_all};
use serde::Serialize;
use std::time::Duration;

/// What a measure counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Submissions.
    Submissions,
    /// Requests.
    Requests,
}

/// One repetition.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Items that were answered.
    pub items: u64,
    /// Items a second.
    pub rate: f64,
    /// How long the answer to a request took: the middle one, that of one in a hundred, the longest; in ms.
    pub p50: f64,
    /// See `p50`.
    pub p99: f64,
    /// See `p50`.
    pub max: f64,
    /// How long it lasted, in s.
    pub seconds: f64,
    /// Processor time of the server, in s.
    pub server: f64,
    /// Of a database server, in s; none where the database is embedded.
    pub database: f64,
    /// Of the generator, in s.
    pub generator: f64,
    /// Of everybody else on the machine, in s: a run on a machine that does something else as well shows itself.
    pub others: f64,
}

/// All repetitions of one load.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// What was sent.
    pub name: &'static str,
    /// To which database; empty where it does not matter.
    pub database: &'static str,
    /// What is counted.
    pub counts: Counts,
    /// The repetitions, in order.
    pub runs: Vec<Run>,
}

impl Run {
    /// Sends the load once.
    pub fn of(load: Load, server: &Server, database: Option<&Scratch>) -> Fallible<(Self, Answered)> {
        let used = || {
            let own = std::process::id();
            [cpu(server.pid()), database.map_or(Duration::ZERO, Scratch::cpu), cpu(own), cpu_of_all()]
                .map(|time| time.as_secs_f64())
        };
        let (before, answered): ([f64; 4], _) = load.run(server.address, used)?;
        let after = used();
        let [of_server, of_database, of_generator, of_all] = std::array::from_fn(|n| after[n] - before[n]);
        let millis = |q: f64| answered.latency.value_at_quantile(q) as f64 / 1e3;
        let seconds = answered.elapsed.as_secs_f64();
        let run = Self {
            items: answered.items,
            rate: answered.items as f64 / seconds,
            p50: millis(0.5),
            p99: millis(0.99),
            max: answered.latency.max() as f64 / 1e3,
            seconds,
            server: of_server,
            database: of_database,
            generator: of_generator,
            others: (of_all - of_server - of_database - of_generator).max(0.0),
        };
        Ok((run, answered))
    }

    /// Processor time of the server and of the database for one item, in µs.
    pub fn cost(&self) -> f64 {
        (self.server + self.database) / self.items as f64 * 1e6
    }
}

impl Measure {
    /// Repeats a load; `make` makes each anew.
    pub fn repeat(
        &mut self,
        times: usize,
        server: &Server,
        database: Option<&Scratch>,
        mut make: impl FnMut() -> Fallible<Load>,
    ) -> Fallible<()> {
        for _ in 0..times {
            self.runs.push(Run::of(make()?, server, database)?.0);
        }
        eprintln!("{}", self.line());
        Ok(())
    }

    /// One that has no repetitions yet.
    pub const fn new(name: &'static str, database: &'static str, counts: Counts) -> Self {
        Self { name, database, counts, runs: Vec::new() }
    }

    /// The repetition in the middle, by items a second.
    pub fn median(&self) -> &Run {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        runs[runs.len() / 2]
    }

    /// The slowest and the fastest repetition, in items a second.
    pub fn range(&self) -> (f64, f64) {
        let rates = self.runs.iter().map(|run| run.rate);
        rates.fold((f64::INFINITY, 0.0), |(low, high), rate| (rate.min(low), rate.max(high)))
    }

    /// The longest answer of all repetitions, in ms.
    pub fn slowest(&self) -> f64 {
        self.runs.iter().map(|run| run.max).fold(0.0, f64::max)
    }

    /// For whoever watches.
    pub fn line(&self) -> String {
        let Run { rate, p50, p99, seconds, server, database, generator, others, .. } = self.median();
        let share = |time: &f64| time / seconds * 100.0;
        format!(
            "{:<34} {:<10} {rate:>9.0}/s  p50 {p50:>7.2} ms  p99 {p99:>7.2} ms  max {:>7.1} ms  {:>6.1} µs/item  \
             of one core: server {:.0} %, database {:.0} %, generator {:.0} %, others {:.0} %",
            self.name,
            self.database,
            self.slowest(),
            self.median().cost(),
            share(server),
            share(database),
            share(generator),
            share(others),
        )
    }
}
